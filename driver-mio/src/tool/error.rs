//! Why a tool could not do its work: one line each.

use std::fmt;
use std::io;

use crate::resp::ReplyError;

/// Why a tool could not do its work. Shown as one line, without a full stop.
#[derive(Debug)]
pub enum ToolError {
    /// Nothing was sent, for there is nobody to send it to.
    Connect {
        /// Whom, as `host:port`.
        server: String,
        /// What the system says.
        error: io::Error,
    },
    /// The connection broke before the answer came: what was sent may have
    /// been carried out, or may not.
    Lost(io::Error),
    /// The server did not say anything for too long; as for what was sent, the
    /// same holds.
    Silent,
    /// The server's bytes are no replies.
    Reply(ReplyError),
    /// The server sent one reply more than it was sent requests.
    Unasked,
    /// The input, or the output, of this program broke.
    Terminal(io::Error),
    /// The system has no more of something that we need.
    System(io::Error),
    /// A line of the input is longer than any request.
    LongLine,
    /// The server answers, but nothing other than errors.
    OnlyErrors,
}

impl ToolError {
    /// Whether whoever read our output has seen enough (`| head`); that is
    /// nobody's fault, and needs no words.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Terminal(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { server, error } => write!(f, "cannot connect to {server}: {error}"),
            Self::Lost(error) => {
                write!(f, "connection lost before the answer came ({error}): outcome unknown")
            }
            Self::Silent => f.write_str("the server does not answer: outcome unknown"),
            Self::Reply(error) => write!(f, "the server does not speak Redis: {error}"),
            Self::Unasked => f.write_str("the server answered more than it was asked"),
            Self::Terminal(error) => write!(f, "cannot read input or write output: {error}"),
            Self::System(error) => write!(f, "system error: {error}"),
            Self::LongLine => f.write_str("a line of the input is too long"),
            Self::OnlyErrors => f.write_str("the server answered nothing but errors"),
        }
    }
}

impl std::error::Error for ToolError {}

impl From<ReplyError> for ToolError {
    fn from(error: ReplyError) -> Self {
        Self::Reply(error)
    }
}
