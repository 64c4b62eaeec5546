//! The commands that the machine knows: names, how many words they take, and
//! what `COMMAND` tells clients about them.

use bytes::Bytes;

use super::parse::{Request, reads, writes};
use crate::resp::Reply;

/// One command, as clients see it.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The name in lower case.
    pub name: &'static str,
    /// Number of words, the name included; below zero means at least so many.
    pub arity: i32,
    /// The flags that `COMMAND INFO` shows.
    pub flags: &'static [&'static str],
    /// Position of the first key, of the last (below zero: from the end), and
    /// the step between keys; all zero if there is none.
    pub keys: (i32, i32, i32),
    /// What it belongs to, in the words of `COMMAND DOCS`.
    pub group: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    pub(super) parse: Parse,
}

/// Reads a whole command line whose number of words is right already.
pub(super) type Parse = fn(&[Bytes]) -> Result<Request, Reply>;

/// Finds a command by name, in any case.
pub fn lookup(name: &[u8]) -> Option<&'static Spec> {
    let mut buffer = [0; NAME_BYTES_MAX];
    let lower = buffer.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let at = SPECS.binary_search_by(|spec| spec.name.as_bytes().cmp(lower)).ok()?;
    Some(&SPECS[at])
}

impl Spec {
    /// Tells whether a command line of so many words has the right number.
    pub fn takes(&self, words: usize) -> bool {
        takes(self.arity, words)
    }
}

/// Redis' rule for arities: exactly `arity` words, or at least `-arity`.
pub(crate) fn takes(arity: i32, words: usize) -> bool {
    let wanted = arity.unsigned_abs() as usize;
    if arity < 0 { words >= wanted } else { words == wanted }
}

const fn spec(
    name: &'static str,
    arity: i32,
    flags: &'static [&'static str],
    keys: (i32, i32, i32),
    parse: Parse,
    summary: &'static str,
) -> Spec {
    Spec { name, arity, flags, keys, group: "string", summary, parse }
}

const fn generic(spec: Spec) -> Spec {
    Spec { group: "generic", ..spec }
}

const fn server(spec: Spec) -> Spec {
    Spec { group: "server", ..spec }
}

const NAME_BYTES_MAX: usize = 12;
const GROW: &[&str] = &["write", "denyoom"];
const GROW_FAST: &[&str] = &["write", "denyoom", "fast"];
const WRITE: &[&str] = &["write"];
const WRITE_FAST: &[&str] = &["write", "fast"];
const READ: &[&str] = &["readonly"];
const READ_FAST: &[&str] = &["readonly", "fast"];
const ONE: (i32, i32, i32) = (1, 1, 1);
const ALL: (i32, i32, i32) = (1, -1, 1);
const PAIRS: (i32, i32, i32) = (1, -1, 2);
const NONE: (i32, i32, i32) = (0, 0, 0);

/// All commands, by name.
pub static SPECS: &[Spec] = &[
    spec("append", 3, GROW_FAST, ONE, writes::append, "Appends to a value."),
    server(spec("dbsize", 1, READ_FAST, NONE, reads::dbsize, "Counts the keys.")),
    spec("decr", 2, GROW_FAST, ONE, writes::decr, "Subtracts one from a number."),
    spec("decrby", 3, GROW_FAST, ONE, writes::decrby, "Subtracts from a number."),
    generic(spec("del", -2, WRITE, ALL, writes::del, "Removes keys.")),
    generic(spec("exists", -2, READ_FAST, ALL, reads::exists, "Counts the keys that exist.")),
    generic(spec("expire", -3, WRITE_FAST, ONE, writes::expire, "Sets a deadline in seconds.")),
    generic(spec(
        "expireat",
        -3,
        WRITE_FAST,
        ONE,
        writes::expireat,
        "Sets a deadline as Unix time.",
    )),
    generic(spec(
        "expiretime",
        2,
        READ_FAST,
        ONE,
        reads::expiretime,
        "Tells the deadline as Unix time.",
    )),
    server(spec("flushall", -1, WRITE, NONE, writes::flush, "Removes all keys.")),
    server(spec("flushdb", -1, WRITE, NONE, writes::flush, "Removes all keys.")),
    spec("get", 2, READ_FAST, ONE, reads::get, "Answers a value."),
    spec("getdel", 2, WRITE_FAST, ONE, writes::getdel, "Answers a value and removes it."),
    spec("getex", -2, WRITE_FAST, ONE, writes::getex, "Answers a value and sets its deadline."),
    spec("getrange", 4, READ, ONE, reads::getrange, "Answers a part of a value."),
    spec("getset", 3, GROW_FAST, ONE, writes::getset, "Sets a value and answers the old one."),
    spec("incr", 2, GROW_FAST, ONE, writes::incr, "Adds one to a number."),
    spec("incrby", 3, GROW_FAST, ONE, writes::incrby, "Adds to a number."),
    generic(spec("keys", 2, READ, NONE, reads::keys, "Answers the keys that match a pattern.")),
    spec("mget", -2, READ_FAST, ALL, reads::mget, "Answers several values."),
    spec("mset", -3, GROW, PAIRS, writes::mset, "Sets several values."),
    spec("msetnx", -3, GROW, PAIRS, writes::msetnx, "Sets several values if none exists."),
    generic(spec("persist", 2, WRITE_FAST, ONE, writes::persist, "Takes a deadline away.")),
    generic(spec(
        "pexpire",
        -3,
        WRITE_FAST,
        ONE,
        writes::pexpire,
        "Sets a deadline in milliseconds.",
    )),
    generic(spec(
        "pexpireat",
        -3,
        WRITE_FAST,
        ONE,
        writes::pexpireat,
        "Sets a deadline as Unix milliseconds.",
    )),
    generic(spec(
        "pexpiretime",
        2,
        READ_FAST,
        ONE,
        reads::pexpiretime,
        "Tells the deadline as Unix milliseconds.",
    )),
    spec("psetex", 4, GROW, ONE, writes::psetex, "Sets a value and a deadline in milliseconds."),
    generic(spec(
        "pttl",
        2,
        READ_FAST,
        ONE,
        reads::pttl,
        "Tells the milliseconds to the deadline.",
    )),
    generic(spec("scan", -2, READ, NONE, reads::scan, "Answers the keys page by page.")),
    spec("set", -3, GROW, ONE, writes::set, "Sets a value."),
    spec("setex", 4, GROW, ONE, writes::setex, "Sets a value and a deadline in seconds."),
    spec("setnx", 3, GROW_FAST, ONE, writes::setnx, "Sets a value if there is none."),
    spec("setrange", 4, GROW, ONE, writes::setrange, "Writes over a part of a value."),
    spec("strlen", 2, READ_FAST, ONE, reads::strlen, "Tells the length of a value."),
    spec("substr", 4, READ, ONE, reads::getrange, "Answers a part of a value."),
    generic(spec("touch", -2, READ_FAST, ALL, reads::exists, "Counts the keys that exist.")),
    generic(spec("ttl", 2, READ_FAST, ONE, reads::ttl, "Tells the seconds to the deadline.")),
    generic(spec("type", 2, READ_FAST, ONE, reads::kind, "Tells the type of a value.")),
    generic(spec("unlink", -2, WRITE_FAST, ALL, writes::del, "Removes keys.")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_short_and_in_order() {
        assert!(SPECS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for spec in SPECS {
            assert!(spec.name.len() <= NAME_BYTES_MAX, "{}", spec.name);
            assert_eq!(spec.name, spec.name.to_ascii_lowercase());
        }
    }

    #[test]
    fn names_are_found_in_any_case() {
        assert_eq!(lookup(b"GeT").map(|spec| spec.name), Some("get"));
        assert_eq!(lookup(b"pexpiretime").map(|spec| spec.name), Some("pexpiretime"));
        for name in ["", "ge", "gett", "a-name-longer-than-any"] {
            assert!(lookup(name.as_bytes()).is_none(), "{name}");
        }
    }
}
