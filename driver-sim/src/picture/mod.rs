//! A run to look at: a space-time diagram with a lane for every node.
//!
//! | file | what it does |
//! |---|---|
//! | [`footage`] | what a film is made of: frames, flights, writings |
//! | [`film`] | what is kept of a run while it happens |
//! | [`portrait`] | a node's state at one instant |
//! | `facts` | what a message is about: a ballot, slots |
//! | `spans` | who leads, campaigns, or is down, and when; which slot is chosen first |
//! | [`page()`] | one self-contained page of HTML: scrub, zoom, click, filter, search |
//! | [`svg()`] | a still picture of a window |
//!
//! A film knows nothing of where its run comes from: the simulator films its worlds, scenes of the
//! core's tests are filmed, and so is what a flight recorder has kept of a real node.

mod facts;
pub mod film;
pub mod footage;
pub mod page;
pub mod portrait;
mod spans;
pub mod svg;

pub use self::film::Film;
pub use self::footage::{Fate, Flight, Frame, What, Writing};
pub use self::page::{Caption, page};
pub use self::portrait::Portrait;
pub use self::svg::{Look, svg};
