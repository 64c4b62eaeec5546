//! What a connection may know of the world around it.

use crate::kv::Limits;

/// Facts that come with every request.
#[derive(Clone, Copy, Debug)]
pub struct Env<'a> {
    /// The bounds of the key-value machine.
    pub limits: &'a Limits,
    /// The number of this connection, unique on this node.
    pub connection: u64,
    /// Where the client is, as `host:port`.
    pub address: &'a str,
    /// Where the client has reached us, as `host:port`.
    pub local_address: &'a str,
    /// Whether commands that grow the store are refused now.
    pub is_store_full: bool,
}
