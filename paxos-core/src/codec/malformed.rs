//! What can be wrong with bytes.

use core::fmt;

/// Why bytes are not the encoding of anything. The fault of whoever wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes end in the middle of a word.
    Truncated,
    /// This many bytes follow the last word.
    Trailing(usize),
    /// A number is spelled with more bytes than it needs, or with more than ten.
    Overlong,
    /// A number does not fit what it counts or names.
    OutOfRange(&'static str),
    /// A tag that this version does not know.
    UnknownTag {
        /// What the tag stands before.
        of: &'static str,
        /// The tag.
        tag: u8,
    },
    /// A list claims more items than the bytes after it can hold, or more than
    /// [`LIST_MAX`](super::wire::LIST_MAX).
    TooMany {
        /// How many it claims.
        claimed: u64,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Truncated => f.write_str("ends in the middle of a word"),
            Malformed::Trailing(n) => write!(f, "{n} bytes too many"),
            Malformed::Overlong => f.write_str("a number with needless bytes"),
            Malformed::OutOfRange(what) => write!(f, "{what} out of range"),
            Malformed::UnknownTag { of, tag } => write!(f, "unknown {of} {tag}"),
            Malformed::TooMany { claimed } => write!(f, "a list that claims {claimed} items"),
        }
    }
}

impl core::error::Error for Malformed {}
