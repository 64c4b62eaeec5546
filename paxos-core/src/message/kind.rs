//! The line between what may be said at once and what must wait for the disk.

use super::Message;

/// A message that binds its sender across a crash. It leaves the core only when
/// every record written before it, or in the same step, is durable.
///
/// Handing a pledge to the road for plain messages does not compile:
///
/// ```compile_fail
/// use paxos_core::message::{Plain, Promise};
/// fn send_at_once(_: impl Plain) {}
/// fn leak(promise: Promise) {
///     send_at_once(promise); // a promise that the disk might forget
/// }
/// ```
pub trait Pledge: Into<Message> {}

/// A message that binds nobody, and may be sent at once.
///
/// ```
/// use paxos_core::message::{Chosen, Plain};
/// fn send_at_once(_: impl Plain) {}
/// fn announce(chosen: Chosen) {
///     send_at_once(chosen);
/// }
/// ```
pub trait Plain: Clone + Into<Message> {}
