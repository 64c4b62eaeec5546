//! The flight recorder: what the core of a node was told, kept so that it can be told again.
//!
//! The core is a function of its configuration, what its disk held at the start, and its inputs
//! with their times. A recording holds those, and beside each input a sum of what the core
//! ordered then: `paxos-sim replay` steps the same core through the same inputs, on another
//! machine, and finds out whether it is the same run, bit by bit.
//!
//! One file a life of the node, `life-<incarnation>.rec`, in a directory of its own. Together they
//! take no more than [`Room`] allows: the oldest lives go first. A life that fills half of the
//! room by itself is recorded no further, since a recording can only begin where a node begins.
//! The start of a life is recorded as the log's contents; one that cannot be put so (that of a
//! witness which was relieved of its slots) is not recorded, and the node says so.
//! What a killed process has written is complete up to its last turn; a torn end is cut off.
//!
//! | file | what it does |
//! |---|---|
//! | `words` | inputs, configurations and logs as bytes, pure |
//! | [`reader`] | a file as steps, pure |
//! | `writer` | bytes into files |

pub mod reader;
mod words;
mod writer;

pub use self::reader::{Recording, Step};
pub use self::writer::{Ended, Recorder, Room};

use std::hash::{Hash, Hasher};

use paxos_core::effect::Effect;
use paxos_core::types::StateHasher;

/// The first bytes of every recording; the last one is the version.
const MAGIC: &[u8; 8] = b"paxrec\0\x01";

/// The sum of what a core ordered in one step.
pub fn sum<'a>(effects: impl Iterator<Item = &'a Effect>) -> u64 {
    let mut hasher = StateHasher::default();
    effects.for_each(|effect| effect.hash(&mut hasher));
    hasher.finish()
}
