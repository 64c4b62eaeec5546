//! What an operator has at hand beside the node: a client to talk to a server,
//! and a load to put on it. Both speak plain Redis protocol and know nothing
//! else about the server, so they work against any.

pub mod bench;
pub mod cli;
mod connection;
mod error;
pub mod show;

pub use connection::Connection;
pub use error::ToolError;
