//! Reads, as values: what one replica answers from its own machine.

use bytes::Bytes;

/// One read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// `GET`.
    Get {
        /// The key.
        key: Bytes,
    },
    /// `MGET`.
    GetMany {
        /// The keys.
        keys: Vec<Bytes>,
    },
    /// `GETRANGE`.
    GetRange {
        /// The key.
        key: Bytes,
        /// The first byte; below zero counts from the end.
        start: i64,
        /// The last byte; below zero counts from the end.
        end: i64,
    },
    /// `EXISTS` and `TOUCH`: counts the keys that are there, repeats included.
    Exists {
        /// The keys.
        keys: Vec<Bytes>,
    },
    /// `TYPE`.
    Type {
        /// The key.
        key: Bytes,
    },
    /// `STRLEN`.
    Length {
        /// The key.
        key: Bytes,
    },
    /// `TTL`, `PTTL`, `EXPIRETIME` and `PEXPIRETIME`.
    Ttl {
        /// The key.
        key: Bytes,
        /// How the deadline is put.
        form: TtlForm,
    },
    /// `KEYS`.
    Keys {
        /// A glob pattern.
        pattern: Bytes,
    },
    /// `SCAN`.
    Scan(Scan),
    /// `DBSIZE`.
    Count,
    /// The versions that `WATCH` remembers; 0 stands for an absent key.
    Versions {
        /// The keys.
        keys: Vec<Bytes>,
    },
    /// An answer that is known already but has its place in a transaction.
    Constant(Constant),
}

/// One page of a `SCAN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where the page begins: 0, or what the page before answered.
    pub cursor: u64,
    /// `MATCH`.
    pub pattern: Option<Bytes>,
    /// `COUNT`: how many keys to look at.
    pub count: u64,
    /// False if `TYPE` named a type other than string, which matches nothing.
    pub strings: bool,
}

/// How a deadline is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlForm {
    /// Seconds from now, rounded.
    Seconds,
    /// Milliseconds from now.
    Millis,
    /// Seconds since the Unix epoch, rounded.
    SecondsAt,
    /// Milliseconds since the Unix epoch.
    MillisAt,
}

/// What a connection command answers when it is queued in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constant {
    /// `OK`.
    Ok,
    /// `PONG`.
    Pong,
    /// What the client said (`ECHO`).
    Text(Bytes),
    /// The refusal of a command whose words were wrong: in a transaction it is
    /// heard only at `EXEC`, and the others take effect.
    Refusal(Bytes),
}

impl Query {
    /// Calls `see` with every key that is read.
    pub fn each_key(&self, see: &mut impl FnMut(&Bytes)) {
        match self {
            Self::Get { key }
            | Self::GetRange { key, .. }
            | Self::Type { key }
            | Self::Length { key }
            | Self::Ttl { key, .. } => see(key),
            Self::GetMany { keys } | Self::Exists { keys } | Self::Versions { keys } => {
                keys.iter().for_each(see);
            }
            Self::Keys { .. } | Self::Scan(_) | Self::Count | Self::Constant(_) => {}
        }
    }

    /// The glob pattern, if there is one.
    pub fn pattern(&self) -> Option<&Bytes> {
        match self {
            Self::Keys { pattern } => Some(pattern),
            Self::Scan(scan) => scan.pattern.as_ref(),
            _ => None,
        }
    }
}
