//! Error answers, word for word as Redis gives them.

use bytes::Bytes;

use crate::resp::Reply;

pub(crate) const SYNTAX: &str = "ERR syntax error";
pub(crate) const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
pub(crate) const OVERFLOW: &str = "ERR increment or decrement would overflow";
pub(crate) const DECREMENT_OVERFLOW: &str = "ERR decrement would overflow";
pub(crate) const INVALID_CURSOR: &str = "ERR invalid cursor";
pub(crate) const OFFSET_OUT_OF_RANGE: &str = "ERR offset is out of range";
pub(crate) const STRING_TOO_LONG: &str =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
pub(crate) const MALFORMED: &str = "ERR malformed command";
pub(crate) const KEYS_TOO_MANY: &str = "ERR too much work for KEYS; use SCAN";
pub(crate) const TOO_MUCH_WORK: &str = "ERR too much work for one transaction";
pub(crate) const STORE_FULL: &str = "OOM command not allowed when used memory > 'maxmemory'.";
pub(crate) const ANSWER_TOO_LONG: &str = "ERR answer is too long; ask for less at a time";
pub(crate) const NX_WITH_OTHERS: &str =
    "ERR NX and XX, GT or LT options at the same time are not compatible";
pub(crate) const GT_WITH_LT: &str = "ERR GT and LT options at the same time are not compatible";

/// An error answer that is known when the program is built.
pub const fn error(text: &'static str) -> Reply {
    Reply::Error(Bytes::from_static(text.as_bytes()))
}

/// An error answer made at run time. Line breaks become spaces: an error is one line.
pub(crate) fn error_line(text: impl Into<Vec<u8>>) -> Reply {
    let mut line = text.into();
    line.iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n')).for_each(|byte| *byte = b' ');
    Reply::Error(line.into())
}

/// Too few or too many words for `name`, which is in lower case, `config|get` for a subcommand.
pub fn wrong_arity(name: &str) -> Reply {
    error_line(format!("ERR wrong number of arguments for '{name}' command"))
}

pub(crate) fn invalid_expire(name: &str) -> Reply {
    error_line(format!("ERR invalid expire time in '{name}' command"))
}

pub(crate) fn unsupported_option(option: &[u8]) -> Reply {
    let mut text = b"ERR Unsupported option ".to_vec();
    text.extend_from_slice(&option[..option.len().min(128)]);
    error_line(text)
}
