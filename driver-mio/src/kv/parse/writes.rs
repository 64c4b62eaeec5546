//! Command lines that write.

use bytes::Bytes;

use super::{Request, integer, is};
use crate::kv::errors::{
    DECREMENT_OVERFLOW, GT_WITH_LT, NX_WITH_OTHERS, OFFSET_OUT_OF_RANGE, SYNTAX, error,
    invalid_expire, unsupported_option, wrong_arity,
};
use crate::kv::{Command, Deadline, ExpireIf, Expiry, Presence, Query, Set, SetAnswer};
use crate::resp::Reply;

type Parsed = Result<Request, Reply>;

pub(in crate::kv) fn set(words: &[Bytes]) -> Parsed {
    let mut set = plain_set(&words[1], &words[2]);
    let mut expiry = ExpiryOption::new("set");
    let mut options = words[3..].iter();
    while let Some(option) = options.next() {
        if is(option, "get") {
            set.answer = SetAnswer::Old;
        } else if is(option, "nx") && set.only_if != Presence::Present {
            set.only_if = Presence::Absent;
        } else if is(option, "xx") && set.only_if != Presence::Absent {
            set.only_if = Presence::Present;
        } else if is(option, "keepttl") {
            expiry.keep()?;
        } else {
            expiry.option(option, &mut options)?;
        }
    }
    set.expiry = expiry.finish()?.unwrap_or(Expiry::Never);
    write(Command::Set(set))
}

pub(in crate::kv) fn setnx(words: &[Bytes]) -> Parsed {
    let set = plain_set(&words[1], &words[2]);
    write(Command::Set(Set { only_if: Presence::Absent, answer: SetAnswer::Count, ..set }))
}

pub(in crate::kv) fn setex(words: &[Bytes]) -> Parsed {
    set_until(words, "setex", Unit::Seconds)
}

pub(in crate::kv) fn psetex(words: &[Bytes]) -> Parsed {
    set_until(words, "psetex", Unit::Millis)
}

fn set_until(words: &[Bytes], name: &'static str, unit: Unit) -> Parsed {
    let millis = positive_millis(&words[2], unit, true, name)?;
    let expiry = Expiry::At(Deadline::In(millis));
    write(Command::Set(Set { expiry, ..plain_set(&words[1], &words[3]) }))
}

pub(in crate::kv) fn getset(words: &[Bytes]) -> Parsed {
    let set = plain_set(&words[1], &words[2]);
    write(Command::Set(Set { answer: SetAnswer::Old, ..set }))
}

pub(in crate::kv) fn getdel(words: &[Bytes]) -> Parsed {
    write(Command::GetDel { key: words[1].clone() })
}

pub(in crate::kv) fn getex(words: &[Bytes]) -> Parsed {
    let mut expiry = ExpiryOption::new("getex");
    let mut options = words[2..].iter();
    while let Some(option) = options.next() {
        if is(option, "persist") {
            expiry.persist()?;
        } else {
            expiry.option(option, &mut options)?;
        }
    }
    let key = words[1].clone();
    Ok(match expiry.finish()? {
        None => Request::Read(Query::Get { key }),
        Some(expiry) => Request::Write(Command::GetExpire { key, expiry }),
    })
}

pub(in crate::kv) fn mset(words: &[Bytes]) -> Parsed {
    set_many(words, "mset", false)
}

pub(in crate::kv) fn msetnx(words: &[Bytes]) -> Parsed {
    set_many(words, "msetnx", true)
}

fn set_many(words: &[Bytes], name: &str, only_if_absent: bool) -> Parsed {
    let pairs = words[1..].chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(wrong_arity(name));
    }
    let pairs = pairs.map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    write(Command::SetMany { pairs, only_if_absent })
}

pub(in crate::kv) fn del(words: &[Bytes]) -> Parsed {
    write(Command::Remove { keys: words[1..].to_vec() })
}

pub(in crate::kv) fn append(words: &[Bytes]) -> Parsed {
    write(Command::Append { key: words[1].clone(), value: words[2].clone() })
}

pub(in crate::kv) fn setrange(words: &[Bytes]) -> Parsed {
    let offset = integer(&words[2])?;
    let offset = u64::try_from(offset).map_err(|_| error(OFFSET_OUT_OF_RANGE))?;
    write(Command::SetRange { key: words[1].clone(), offset, value: words[3].clone() })
}

pub(in crate::kv) fn incr(words: &[Bytes]) -> Parsed {
    write(Command::Add { key: words[1].clone(), by: 1 })
}

pub(in crate::kv) fn decr(words: &[Bytes]) -> Parsed {
    write(Command::Add { key: words[1].clone(), by: -1 })
}

pub(in crate::kv) fn incrby(words: &[Bytes]) -> Parsed {
    write(Command::Add { key: words[1].clone(), by: integer(&words[2])? })
}

pub(in crate::kv) fn decrby(words: &[Bytes]) -> Parsed {
    let by = integer(&words[2])?.checked_neg().ok_or(error(DECREMENT_OVERFLOW))?;
    write(Command::Add { key: words[1].clone(), by })
}

pub(in crate::kv) fn expire(words: &[Bytes]) -> Parsed {
    set_deadline(words, "expire", Unit::Seconds, Deadline::In)
}

pub(in crate::kv) fn pexpire(words: &[Bytes]) -> Parsed {
    set_deadline(words, "pexpire", Unit::Millis, Deadline::In)
}

pub(in crate::kv) fn expireat(words: &[Bytes]) -> Parsed {
    set_deadline(words, "expireat", Unit::Seconds, Deadline::At)
}

pub(in crate::kv) fn pexpireat(words: &[Bytes]) -> Parsed {
    set_deadline(words, "pexpireat", Unit::Millis, Deadline::At)
}

fn set_deadline(
    words: &[Bytes],
    name: &'static str,
    unit: Unit,
    deadline: fn(i64) -> Deadline,
) -> Parsed {
    let only_if = expire_if(&words[3..])?;
    let number = integer(&words[2])?;
    let millis = match unit {
        Unit::Seconds => number.checked_mul(1000).ok_or_else(|| invalid_expire(name))?,
        Unit::Millis => number,
    };
    let deadline = deadline(millis);
    if matches!(deadline, Deadline::In(millis) if millis > RELATIVE_MAX) {
        return Err(invalid_expire(name));
    }
    write(Command::Expire { key: words[1].clone(), deadline, only_if })
}

fn expire_if(options: &[Bytes]) -> Result<ExpireIf, Reply> {
    let (mut nx, mut xx, mut gt, mut lt) = (false, false, false, false);
    for option in options {
        match () {
            () if is(option, "nx") => nx = true,
            () if is(option, "xx") => xx = true,
            () if is(option, "gt") => gt = true,
            () if is(option, "lt") => lt = true,
            () => return Err(unsupported_option(option)),
        }
    }
    match (nx, xx, gt, lt) {
        (true, false, false, false) => Ok(ExpireIf::Unset),
        (true, ..) => Err(error(NX_WITH_OTHERS)),
        (_, _, true, true) => Err(error(GT_WITH_LT)),
        // No deadline counts as never, so a later one needs one to be there.
        (_, _, true, false) => Ok(ExpireIf::Later),
        (_, true, false, true) => Ok(ExpireIf::SetAndEarlier),
        (_, false, false, true) => Ok(ExpireIf::Earlier),
        (_, true, false, false) => Ok(ExpireIf::Set),
        (false, false, false, false) => Ok(ExpireIf::Always),
    }
}

pub(in crate::kv) fn persist(words: &[Bytes]) -> Parsed {
    write(Command::Persist { key: words[1].clone() })
}

pub(in crate::kv) fn flush(words: &[Bytes]) -> Parsed {
    match &words[1..] {
        [] => write(Command::Clear),
        [mode] if is(mode, "async") || is(mode, "sync") => write(Command::Clear),
        _ => Err(error(SYNTAX)),
    }
}

fn plain_set(key: &Bytes, value: &Bytes) -> Set {
    Set {
        key: key.clone(),
        value: value.clone(),
        only_if: Presence::Any,
        expiry: Expiry::Never,
        answer: SetAnswer::Ok,
    }
}

fn write(command: Command) -> Parsed {
    Ok(Request::Write(command))
}

#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Millis,
}

/// The one deadline option that `SET` and `GETEX` allow.
///
/// Numbers are read last: Redis finds a wrong word before a wrong number.
struct ExpiryOption<'a> {
    command: &'static str,
    chosen: Option<Chosen<'a>>,
}

enum Chosen<'a> {
    Keep,
    Persist,
    In(&'a Bytes, Unit),
    At(&'a Bytes, Unit),
}

impl<'a> ExpiryOption<'a> {
    fn new(command: &'static str) -> Self {
        Self { command, chosen: None }
    }

    fn keep(&mut self) -> Result<(), Reply> {
        match self.chosen {
            None | Some(Chosen::Keep) => self.chosen = Some(Chosen::Keep),
            Some(_) => return Err(error(SYNTAX)),
        }
        Ok(())
    }

    fn persist(&mut self) -> Result<(), Reply> {
        match self.chosen {
            None | Some(Chosen::Persist) => self.chosen = Some(Chosen::Persist),
            Some(_) => return Err(error(SYNTAX)),
        }
        Ok(())
    }

    fn option(
        &mut self,
        option: &[u8],
        rest: &mut impl Iterator<Item = &'a Bytes>,
    ) -> Result<(), Reply> {
        let chosen: fn(&'a Bytes) -> Chosen<'a> = match () {
            () if is(option, "ex") => |number| Chosen::In(number, Unit::Seconds),
            () if is(option, "px") => |number| Chosen::In(number, Unit::Millis),
            () if is(option, "exat") => |number| Chosen::At(number, Unit::Seconds),
            () if is(option, "pxat") => |number| Chosen::At(number, Unit::Millis),
            () => return Err(error(SYNTAX)),
        };
        match (&self.chosen, rest.next()) {
            (None, Some(number)) => self.chosen = Some(chosen(number)),
            _ => return Err(error(SYNTAX)),
        }
        Ok(())
    }

    fn finish(self) -> Result<Option<Expiry>, Reply> {
        Ok(match self.chosen {
            None => None,
            Some(Chosen::Keep) => Some(Expiry::Keep),
            Some(Chosen::Persist) => Some(Expiry::Never),
            Some(Chosen::In(number, unit)) => {
                let millis = positive_millis(number, unit, true, self.command)?;
                Some(Expiry::At(Deadline::In(millis)))
            }
            Some(Chosen::At(number, unit)) => {
                let millis = positive_millis(number, unit, false, self.command)?;
                Some(Expiry::At(Deadline::At(millis)))
            }
        })
    }
}

fn positive_millis(word: &[u8], unit: Unit, relative: bool, command: &str) -> Result<i64, Reply> {
    let number = integer(word)?;
    let millis = match unit {
        Unit::Seconds => number.checked_mul(1000),
        Unit::Millis => Some(number),
    };
    let max = if relative { RELATIVE_MAX } else { i64::MAX };
    millis.filter(|millis| (1..=max).contains(millis)).ok_or_else(|| invalid_expire(command))
}

/// Longest time from now, in milliseconds: added to any time that a clock of
/// this century or the next shows, it stays a positive number.
const RELATIVE_MAX: i64 = i64::MAX - (1 << 43);
