//! The flight recorder: what the core of a node was told, kept so that it can be told again.
//!
//! The core is a function of its state and its inputs with their times. A recording holds a
//! state, then the inputs, and beside each input a sum of what the core ordered then:
//! `paxos-sim replay` steps the same core through the same inputs, on another machine, and
//! finds out whether it is the same run, bit by bit.
//!
//! A life of the node is one file after the other, `life-<incarnation>-<number>.rec`, in a
//! directory of its own. The first begins with what the node was restored from: its
//! configuration and what its disk held. A file that has its share of the [`Room`] gives way
//! to the next, which begins with the whole state of the core as it is then, and so can be
//! replayed by itself. So does one that has as much time in it as is to be kept. All files
//! together take no more than the room allows: the oldest go first, and whatever was last
//! written to before that time. What is left is the last while of the node, whatever came
//! before: all of the time that is asked for, and less than twice as much, if the room is
//! enough for it.
//!
//! A state is as large as the log that the node holds in memory, so the next file waits until
//! the steps of this one outweigh that, and until the state takes no more than a quarter of
//! the room. A log that is not trimmed below that before the steps take half of the room ends
//! the recording.
//!
//! What a killed process has written is complete up to its last turn; a torn end is cut off.
//! The words are those of serde and postcard, which follow the types of this very build:
//! another one may not be able to read them, and says so. A recording is this node's own
//! bytes; one that a stranger has made up may bring a core into a state that cannot be.
//!
//! | file | what it does |
//! |---|---|
//! | `part` | words between a length and a checksum, pure |
//! | [`reader`] | a file as steps, pure |
//! | `shelf` | files of a directory, and which have to go |
//! | `writer` | steps into files |

mod part;
pub mod reader;
mod shelf;
mod writer;

pub use self::reader::{Recording, Start, Step};
pub use self::shelf::Room;
pub use self::writer::{Ended, Recorder};

use std::hash::{Hash, Hasher};

use paxos_core::effect::Effect;
use paxos_core::types::StateHasher;

/// The first bytes of every recording; the last one is the version.
const MAGIC: &[u8; 8] = b"paxrec\0\x02";

/// The sum of what a core ordered in one step.
pub fn sum<'a>(effects: impl Iterator<Item = &'a Effect>) -> u64 {
    let mut hasher = StateHasher::default();
    effects.for_each(|effect| effect.hash(&mut hasher));
    hasher.finish()
}

/// The sum of anything.
fn sum_of(what: &impl Hash) -> u64 {
    let mut hasher = StateHasher::default();
    what.hash(&mut hasher);
    hasher.finish()
}
