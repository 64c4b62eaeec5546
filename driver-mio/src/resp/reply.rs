//! What a command answers, before it is put into RESP2 or RESP3 bytes.

use bytes::Bytes;

/// One answer of the server, independent of the protocol version that a
/// connection speaks. The encoder downgrades what RESP2 cannot say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// A short status that is known when the program is built, such as `OK`.
    Status(&'static str),
    /// A status made at run time; never holds CR or LF.
    Simple(Bytes),
    /// An error line without the leading `-`: code in capitals, a space, a sentence.
    Error(Bytes),
    /// A signed integer.
    Integer(i64),
    /// A binary-safe string.
    Bulk(Bytes),
    /// Nothing here: RESP3 `_`, RESP2 `$-1`.
    Null,
    /// No array here (an aborted `EXEC`): RESP3 `_`, RESP2 `*-1`.
    NullArray,
    /// A sequence of answers.
    Array(Vec<Reply>),
    /// Pairs; RESP2 flattens them into an array.
    Map(Vec<(Reply, Reply)>),
    /// Answers whose order means nothing; RESP2 says an array.
    Set(Vec<Reply>),
    /// Something nobody asked for just now; RESP2 says an array.
    Push(Vec<Reply>),
    /// A truth value; RESP2 says `1` or `0`.
    Boolean(bool),
    /// A floating-point number in the words of the wire (`3.14`, `inf`, `-inf`,
    /// `nan`), so that what was sent is what is seen; RESP2 says a string.
    Double(Bytes),
    /// An integer of any size, in decimal; RESP2 says a string.
    BigNumber(Bytes),
    /// A text with the three letters that say how to show it (`txt`, `mkd`);
    /// RESP2 says a string.
    Verbatim([u8; 3], Bytes),
}

impl Reply {
    /// `+OK`.
    pub const OK: Self = Self::Status("OK");

    /// An error line; `text` begins with its code word, as in `ERR syntax error`.
    pub fn error(text: impl Into<Bytes>) -> Self {
        Self::Error(text.into())
    }

    /// A string of bytes.
    pub fn bulk(text: impl Into<Bytes>) -> Self {
        Self::Bulk(text.into())
    }

    /// Roughly what keeping this answer costs in bytes.
    pub fn weight(&self) -> usize {
        let inside = match self {
            Self::Simple(text)
            | Self::Error(text)
            | Self::Bulk(text)
            | Self::Double(text)
            | Self::BigNumber(text)
            | Self::Verbatim(_, text) => text.len(),
            Self::Array(items) | Self::Set(items) | Self::Push(items) => {
                items.iter().map(Self::weight).sum()
            }
            Self::Map(pairs) => {
                pairs.iter().map(|(key, value)| key.weight() + value.weight()).sum()
            }
            _ => 0,
        };
        size_of::<Self>() + inside
    }

    /// The code word of an error (`ERR`, `BUSY`, `MOVED`), or nothing if this is none.
    pub fn error_code(&self) -> Option<&[u8]> {
        let Self::Error(line) = self else { return None };
        line.split(|byte| *byte == b' ').next()
    }
}
