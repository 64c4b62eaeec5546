//! The Redis protocol, both sides and both versions, as pure functions over bytes.
//!
//! | side   | reads                        | writes             |
//! |--------|------------------------------|--------------------|
//! | server | [`RequestDecoder`] -> [`Argv`] | [`encode`]         |
//! | client | [`ReplyDecoder`] -> [`Reply`]  | [`encode_request`] |
//!
//! Both decoders are fed whatever a socket gave. They remember how far they
//! have looked, so the work is linear in the bytes that arrive, however these
//! were cut; they never set memory aside for a length that was only claimed;
//! and what they yield are ref-counted slices of the read buffer, not copies.
//! Where the bytes come from, and what a command means, is left to others.

mod encode;
pub mod harness;
mod inline;
mod limits;
mod reply;
mod reply_decoder;
mod request;
mod wire;

pub use encode::{Protocol, encode, encode_request};
pub use inline::{UnbalancedQuotes, split_words};
pub use limits::{ReplyLimits, RespLimits};
pub use reply::Reply;
pub use reply_decoder::{ReplyDecoder, ReplyError};
pub use request::{Argv, ProtocolError, RequestDecoder};
pub use wire::{make_room, parse_integer};
