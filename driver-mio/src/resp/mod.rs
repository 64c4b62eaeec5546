//! The Redis protocol, both sides and both versions, as pure functions over bytes.

mod reply;

pub use reply::Reply;
