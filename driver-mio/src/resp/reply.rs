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
}
