//! The border of the core: inputs are facts, effects are orders.

mod effects;
mod input;
mod notice;

pub use effects::{Declined, Effect, Effects, HaltReason, Outcome};
pub use input::Input;
pub use notice::{Ignored, Notice};
