//! Writes, as values: what one payload of the log asks of the machine.
//!
//! A command holds no wall clock: relative deadlines stay relative until the
//! machine resolves them against its own time.

use bytes::Bytes;

use super::Query;

/// One write, or whatever else must take its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `SET`, `SETNX`, `SETEX`, `PSETEX` and `GETSET`.
    Set(Set),
    /// `MSET`, and `MSETNX` where nothing is set unless all keys are absent.
    SetMany {
        /// Keys and values; a later pair wins over an earlier one.
        pairs: Vec<(Bytes, Bytes)>,
        /// Whether one present key leaves everything as it is.
        only_if_absent: bool,
    },
    /// `GETDEL`: answers the value and removes it.
    GetDel {
        /// The key.
        key: Bytes,
    },
    /// `GETEX` with an option: answers the value and changes its deadline.
    GetExpire {
        /// The key.
        key: Bytes,
        /// The new deadline; [`Expiry::Never`] takes it away.
        expiry: Expiry,
    },
    /// `DEL` and `UNLINK`: answers how many were there.
    Remove {
        /// The keys.
        keys: Vec<Bytes>,
    },
    /// `APPEND`: answers the new length.
    Append {
        /// The key.
        key: Bytes,
        /// What is put behind the value.
        value: Bytes,
    },
    /// `SETRANGE`: answers the new length.
    SetRange {
        /// The key.
        key: Bytes,
        /// Where the new bytes begin; a gap is filled with zeros.
        offset: u64,
        /// What is written over the value.
        value: Bytes,
    },
    /// `INCR`, `DECR`, `INCRBY` and `DECRBY`: answers the new number.
    Add {
        /// The key.
        key: Bytes,
        /// What is added.
        by: i64,
    },
    /// `EXPIRE`, `PEXPIRE`, `EXPIREAT` and `PEXPIREAT`: answers 1 if it took effect.
    Expire {
        /// The key.
        key: Bytes,
        /// When the key is gone; in the past means at once.
        deadline: Deadline,
        /// What must hold of the deadline it has.
        only_if: ExpireIf,
    },
    /// `PERSIST`: answers 1 if there was a deadline to take away.
    Persist {
        /// The key.
        key: Bytes,
    },
    /// `FLUSHALL` and `FLUSHDB`.
    Clear,
    /// Nothing but the stamp: lets time pass, and with it deadlines.
    Advance,
    /// A read in its place among the writes.
    Read(Query),
    /// `EXEC`: several commands in one step.
    Exec(Transaction),
}

/// The conditions and the answer of a `SET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// What must hold of the key.
    pub only_if: Presence,
    /// What happens to the deadline.
    pub expiry: Expiry,
    /// What is answered.
    pub answer: SetAnswer,
}

/// Whether a key must be there for a `SET` to take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Either way.
    Any,
    /// `NX`.
    Absent,
    /// `XX`.
    Present,
}

/// What becomes of a key's deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// There is none afterwards.
    Never,
    /// It stays as it was (`KEEPTTL`).
    Keep,
    /// It is set.
    At(Deadline),
}

/// A moment, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// So long after the machine's time at the command.
    In(i64),
    /// Since the Unix epoch.
    At(i64),
}

/// What a `SET` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetAnswer {
    /// `OK`, or null if a condition failed.
    Ok,
    /// The value before, whatever the condition said (`GET`).
    Old,
    /// 1 or 0 (`SETNX`).
    Count,
}

/// What must hold of a key's present deadline for an `EXPIRE` to take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpireIf {
    /// Nothing.
    Always,
    /// There is none (`NX`).
    Unset,
    /// There is one (`XX`).
    Set,
    /// The new one is later (`GT`); none counts as never.
    Later,
    /// The new one is earlier (`LT`); none counts as never.
    Earlier,
    /// There is one and the new one is earlier (`XX LT`).
    SetAndEarlier,
}

/// Commands that take effect together, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Keys with the versions seen by `WATCH`; 0 stands for an absent key.
    pub watched: Vec<(Bytes, u64)>,
    /// What is done if no watched key has changed. Never holds an
    /// [`Command::Exec`] or [`Command::Advance`].
    pub commands: Vec<Command>,
}

impl Command {
    /// Tells whether this may make the keyspace larger, and so is refused when
    /// the store is full. Removals and reads always pass.
    pub fn may_grow(&self) -> bool {
        match self {
            Self::Set(_) | Self::SetMany { .. } | Self::Append { .. } => true,
            Self::SetRange { .. } | Self::Add { .. } => true,
            Self::Exec(transaction) => transaction.commands.iter().any(Self::may_grow),
            _ => false,
        }
    }

    /// Tells whether this changes nothing but the machine's time.
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Read(_) | Self::Advance)
    }

    /// Calls `see` with every key that is written or read.
    pub fn each_key(&self, see: &mut impl FnMut(&Bytes)) {
        match self {
            Self::Set(Set { key, .. })
            | Self::GetDel { key }
            | Self::GetExpire { key, .. }
            | Self::Append { key, .. }
            | Self::SetRange { key, .. }
            | Self::Add { key, .. }
            | Self::Expire { key, .. }
            | Self::Persist { key } => see(key),
            Self::SetMany { pairs, .. } => pairs.iter().for_each(|(key, _)| see(key)),
            Self::Remove { keys } => keys.iter().for_each(see),
            Self::Clear | Self::Advance => {}
            Self::Read(query) => query.each_key(see),
            Self::Exec(transaction) => {
                transaction.watched.iter().for_each(|(key, _)| see(key));
                // One level: a transaction holds no other.
                for command in &transaction.commands {
                    command.each_own_key(see);
                }
            }
        }
    }

    /// Calls `see` with every value that is to be stored.
    pub fn each_value(&self, see: &mut impl FnMut(&Bytes)) {
        match self {
            Self::Set(Set { value, .. })
            | Self::Append { value, .. }
            | Self::SetRange { value, .. } => see(value),
            Self::SetMany { pairs, .. } => pairs.iter().for_each(|(_, value)| see(value)),
            _ => {}
        }
    }

    fn each_own_key(&self, see: &mut impl FnMut(&Bytes)) {
        if !matches!(self, Self::Exec(_)) {
            self.each_key(see);
        }
    }
}
