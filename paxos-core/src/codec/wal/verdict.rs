//! What a scan concludes.

use alloc::vec::Vec;
use core::fmt;

use super::{Lsn, Owner, RecordError};
use crate::types::{GroupId, Slot};

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The segment's number.
    pub segment: u64,
    /// From the segment's front, in bytes.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {}, byte {}", self.segment, self.offset)
    }
}

/// Whether the log is all that was ever acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is, and nothing stands behind it.
    Clean,
    /// It is; from this place on stands what was in flight in a crash. Zero the
    /// segment from there to its end, and sync, before anything is written.
    Torn(Place),
    /// It is not. Nothing may be cut, and the node must not promise anything.
    Damaged(Damage),
}

/// Where the log is damaged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where the sound part ends.
    pub place: Place,
    /// What is wrong there.
    pub fault: Fault,
    /// Slots that the first lost block speaks of, as far as its bytes tell: a hint
    /// for people, and never all.
    pub hits: Vec<Hit>,
}

/// Slots of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hit {
    /// The group.
    pub group: GroupId,
    /// The first slot, and the one after the last; equal if only the promise is hit.
    pub slots: (Slot, Slot),
}

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The segment of this number is not there.
    Missing,
    /// The segment's header is unreadable, though it was in use.
    Header,
    /// The segment is another node's.
    Foreign(Owner),
    /// The segment calls itself by this number.
    Misplaced(u64),
    /// A block that was synced is unreadable, or gone: the one that should come
    /// next is not there, though a later one was begun.
    Lost {
        /// The block that should come next.
        expected: Lsn,
        /// The block that was found; none if something was that is no block any more.
        found: Option<Lsn>,
    },
    /// The file ends here, and was longer when it was made.
    Short,
    /// The block is sound, and its records are not.
    Record(RecordError),
    /// A later version wrote this segment or block.
    Unsupported,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Missing => f.write_str("the segment is missing"),
            Fault::Header => f.write_str("the segment was in use and its header is unreadable"),
            Fault::Foreign(owner) => {
                let Owner { cluster, node } = owner;
                write!(f, "the segment belongs to node {} of cluster {cluster:#x}", node.0)
            }
            Fault::Misplaced(seq) => write!(f, "the file holds segment {seq}"),
            Fault::Lost { expected, found: Some(found) } => {
                write!(f, "synced block {expected} is lost; block {found} stands behind it")
            }
            Fault::Lost { expected, found: None } => {
                write!(f, "synced block {expected} is lost; a later segment was in use")
            }
            Fault::Short => f.write_str("the file has lost its end"),
            Fault::Record(e) => e.fmt(f),
            Fault::Unsupported => f.write_str("written by a later version"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.fault)?;
        for (i, Hit { group, slots: (first, end) }) in self.hits.iter().enumerate() {
            let before = if i == 0 { "; it spoke of" } else { "," };
            if first == end {
                write!(f, "{before} the promise of group {}", group.0)?;
            } else {
                write!(f, "{before} slots {first}..{end} of group {}", group.0)?;
            }
        }
        Ok(())
    }
}

impl core::error::Error for Damage {}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Clean => f.write_str("clean"),
            Verdict::Torn(place) => write!(f, "torn at {place}: unsynced, to be cut"),
            Verdict::Damaged(damage) => write!(f, "damaged at {damage}"),
        }
    }
}
