//! Bytes to words and back: what peers say to each other, and what the log on
//! disk holds.
//!
//! Pure: whoever has bytes brings them, whoever wants bytes brings a buffer.
//! Nothing in here trusts its input. A decoder never panics, never allocates by a
//! number that the input merely claims, and refuses every spelling but the one
//! the encoder would have chosen, so that equal words have equal bytes.
//!
//! | module | bytes of |
//! |---|---|
//! | [`wire`] | numbers, byte strings, lists |
//! | [`envelope`] | one [`Envelope`](crate::message::Envelope) |
//! | [`hello`] | who speaks, and in which versions |
//! | [`frame`] | a stream between two peers |
//! | [`wal`] | the log on disk, and what a crash or a rotten sector made of it |
//! | [`harness`] | what must hold for any bytes, for fuzzers |

mod charter;
mod checkpoint;
pub mod envelope;
pub mod frame;
pub mod harness;
pub mod hello;
mod malformed;
#[cfg(test)]
mod testing;
pub mod wal;
pub mod wire;
mod words;

pub use checkpoint::{decode_image, encode_image};
pub use malformed::Malformed;
