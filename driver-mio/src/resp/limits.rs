//! How much a stranger may make us hold while we read what he sends.

/// What one request may weigh. Going over any of these ends the connection
/// with a protocol error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RespLimits {
    /// The longest single argument, in bytes. It ends up in a log record and
    /// in a message to peers, so it must stay well below what these may hold.
    pub bulk_bytes_max: u32,
    /// The most arguments of one request. Each costs about 40 bytes beside its
    /// payload, once it has arrived.
    pub arguments_max: u32,
    /// The longest inline request, and the longest length line, in bytes
    /// without the newline. Redis has the same number.
    pub inline_bytes_max: u32,
    /// The longest request as it stands on the wire, in bytes, with all its
    /// length lines. Bounds what a connection holds between two requests.
    pub request_bytes_max: u32,
}

impl Default for RespLimits {
    fn default() -> Self {
        Self {
            bulk_bytes_max: 8 << 20,
            arguments_max: 1 << 20,
            inline_bytes_max: 64 << 10,
            request_bytes_max: 16 << 20,
        }
    }
}

/// What one answer of a server may weigh; for the client side. Going over any
/// of these makes the stream unreadable from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimits {
    /// The longest single string, in bytes.
    pub bulk_bytes_max: u32,
    /// The longest status, error, number or length line, in bytes without the newline.
    pub line_bytes_max: u32,
    /// The most values in one answer, on all levels together. Each costs about
    /// 40 bytes beside its payload, once it has arrived.
    pub values_max: u32,
    /// How many aggregates may be open inside of one another. Bounds the stack
    /// that is needed to walk, compare or drop an answer.
    pub depth_max: u32,
}

impl Default for ReplyLimits {
    fn default() -> Self {
        Self {
            bulk_bytes_max: 64 << 20,
            line_bytes_max: 64 << 10,
            values_max: 4 << 20,
            depth_max: 32,
        }
    }
}
