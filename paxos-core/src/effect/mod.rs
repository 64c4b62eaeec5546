//! The border of the core: inputs are facts, effects are orders, and what binds
//! this node waits at the gate.

mod effects;
mod gate;
mod input;
mod notice;
mod outbox;

pub use effects::{Declined, Effect, Effects, HaltReason, Outcome, Refusal};
pub use gate::Gate;
pub use input::Input;
pub use notice::{Discord, Ignored, Notice, PullError, TransferEnd};
pub use outbox::{Outbox, Road};
