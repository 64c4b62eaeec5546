//! The first word between two nodes: who speaks, to whom, and in which versions.
//!
//! A hello is spelled the same in every version: a later one only adds fields at its end, and
//! whoever does not know them skips them. So any two nodes can tell each other what they
//! speak, and then either speak the highest version that both know, or part, and say why.

use core::fmt;

use bytes::BufMut;

use super::Malformed;
use super::wire::{Reader, Wire, put_number, wire_struct};
use crate::types::{Incarnation, Life, NodeId, Past};

/// What a peer says first, and once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hello {
    /// The versions that the sender speaks.
    pub versions: Versions,
    /// The cluster that the sender belongs to. Others are not spoken to.
    pub cluster: u64,
    /// The sender.
    pub node: NodeId,
    /// The receiver that the sender means to speak to: a stale or mistaken
    /// address shows here, before a live connection is given up for it.
    pub to: NodeId,
    /// The sender's disk and life: a connection of an earlier one is dead.
    pub life: Life,
    /// A disk of the receiver that the sender has heard of; zero if of none.
    pub heard_disk: u64,
    /// The latest life that the sender has heard of that disk. One that the receiver does
    /// not know of says that it runs on an older copy of it: see
    /// [`Lives`](crate::types::Lives).
    pub heard_life: Incarnation,
    /// The lease that the sender counts on and keeps, in microseconds; zero for none.
    /// One that keeps a shorter one than another counts on would let it read what is
    /// no longer so: those two are not to talk.
    pub lease_us: u64,
}

wire_struct! {
    Hello { versions, cluster, node, to, life, heard_disk, heard_life, lease_us }
    Life { disk, this, before }
}

impl Wire for Past {
    fn put(&self, out: &mut impl BufMut) {
        self.0.iter().for_each(|life| life.put(out));
    }

    fn take(reader: &mut Reader<'_>) -> Result<Past, Malformed> {
        let mut past = Past::default();
        for life in &mut past.0 {
            *life = Incarnation::take(reader)?;
        }
        Ok(past)
    }
}

/// Versions of messages that a node speaks: all from the lowest to the highest.
///
/// A program that brings in a version goes on speaking the one before it, so that the nodes
/// of a cluster can be replaced one after the other: each two speak the highest that both
/// know. A version may be given up once no node is left that speaks nothing else.
///
/// ```
/// use paxos_core::codec::hello::Versions;
///
/// let of = |lowest, highest| Versions::new(lowest, highest).expect("in order");
/// assert_eq!(of(1, 1).common(of(1, 2)), Some(1)); // before and after an upgrade
/// assert_eq!(of(1, 2).common(of(2, 3)), Some(2));
/// assert_eq!(of(1, 1).common(of(2, 3)), None); // one version too many at once
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Versions {
    lowest: u8,
    highest: u8,
}

impl Versions {
    /// What this build speaks. There is one version so far.
    pub const SPOKEN: Versions = Versions { lowest: 1, highest: 1 };

    /// All from `lowest` to `highest`; none if there are none, or 0 is among them.
    pub const fn new(lowest: u8, highest: u8) -> Option<Versions> {
        if lowest > 0 && lowest <= highest { Some(Versions { lowest, highest }) } else { None }
    }

    /// The lowest version that is spoken.
    pub const fn lowest(self) -> u8 {
        self.lowest
    }

    /// The highest version that is spoken.
    pub const fn highest(self) -> u8 {
        self.highest
    }

    /// The highest version that both speak, if there is one. Both sides come to the same.
    pub fn common(self, other: Versions) -> Option<u8> {
        let version = self.highest.min(other.highest);
        (version >= self.lowest.max(other.lowest)).then_some(version)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.lowest, self.highest) {
            (only, highest) if only == highest => write!(f, "version {only}"),
            (lowest, highest) => write!(f, "versions {lowest} to {highest}"),
        }
    }
}

impl Wire for Versions {
    const BYTES_MIN: usize = 2;

    fn put(&self, out: &mut impl BufMut) {
        put_number(out, self.lowest.into());
        put_number(out, self.highest.into());
    }

    fn take(reader: &mut Reader<'_>) -> Result<Versions, Malformed> {
        let mut version = || u8::try_from(reader.number()?).map_err(|_| ABSURD);
        Versions::new(version()?, version()?).ok_or(ABSURD)
    }
}

const ABSURD: Malformed = Malformed::OutOfRange("versions");

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn taken(lowest: u64, highest: u64) -> Result<Versions, Malformed> {
        let mut bytes = Vec::new();
        put_number(&mut bytes, lowest);
        put_number(&mut bytes, highest);
        Versions::take(&mut Reader::new(&Bytes::from(bytes)))
    }

    #[test]
    fn versions_that_cannot_be_are_malformed() {
        for (lowest, highest) in [(0, 0), (0, 1), (2, 1), (1, 256), (300, 300), (1, u64::MAX)] {
            assert_eq!(taken(lowest, highest), Err(ABSURD), "{lowest} to {highest}");
        }
        assert_eq!(taken(1, 255), Ok(Versions { lowest: 1, highest: 255 }));
    }

    #[test]
    fn a_range_of_versions_knows_its_ends() {
        let range = Versions::new(2, 5).expect("in order");
        assert_eq!((range.lowest(), range.highest()), (2, 5));
        assert_eq!(Versions::SPOKEN.highest(), crate::codec::frame::VERSION);
    }

    proptest! {
        #[test]
        fn both_sides_agree_on_what_both_speak(a in 1..9u8, b in 0..4u8, c in 1..9u8, d in 0..4u8) {
            let (ours, its) = (Versions::new(a, a + b), Versions::new(c, c + d));
            let (ours, its) = (ours.expect("in order"), its.expect("in order"));
            prop_assert_eq!(ours.common(its), its.common(ours));
            let both = (1..20).filter(|v| (a..=a + b).contains(v) && (c..=c + d).contains(v));
            prop_assert_eq!(ours.common(its), both.max());
        }
    }
}
