//! Which build each host runs, and so which versions of messages it speaks.
//!
//! A program that brings in a version goes on speaking the one before it, so that the nodes of a
//! cluster can be replaced one after the other. Here the builds are rungs of a ladder: each has a
//! version in common with the next one, and none with all of them.

use paxos_core::codec::hello::Versions;

/// The builds, oldest first.
const LADDER: [Versions; 4] = [of(1, 1), of(1, 2), of(2, 2), of(2, 3)];

/// The highest version that any build speaks.
#[cfg(test)]
pub(crate) const VERSION_MAX: u8 = LADDER[LADDER.len() - 1].highest();

const fn of(lowest: u8, highest: u8) -> Versions {
    Versions::new(lowest, highest).expect("in order")
}

/// The build of every host: its rung.
#[derive(Clone, Debug)]
pub(crate) struct Builds {
    rungs: Vec<usize>,
}

impl Builds {
    /// All hosts run the oldest build.
    pub(crate) fn new(nodes: usize) -> Builds {
        Builds { rungs: vec![0; nodes] }
    }

    /// What this host speaks.
    pub(crate) fn spoken(&self, host: u8) -> Versions {
        LADDER[self.rungs[usize::from(host)]]
    }

    /// The version that two hosts speak with each other; none if they have none in common.
    pub(crate) fn agreed(&self, one: u8, other: u8) -> Option<u8> {
        self.spoken(one).common(self.spoken(other))
    }

    /// So many others have no version in common with this host.
    pub(crate) fn strangers(&self, host: u8) -> usize {
        (0..self.rungs.len() as u8).filter(|other| self.agreed(host, *other).is_none()).count()
    }

    /// Brings in the next build, or the one before; says whether there is one.
    pub(crate) fn step(&mut self, host: u8, is_up: bool) -> bool {
        let rung = &mut self.rungs[usize::from(host)];
        let next = if is_up { Some(*rung + 1) } else { rung.checked_sub(1) };
        let next = next.filter(|next| *next < LADDER.len());
        *rung = next.unwrap_or(*rung);
        next.is_some()
    }

    /// Whether one of `others` has left behind all that this host speaks.
    pub(crate) fn is_too_old(&self, host: u8, others: &[u8]) -> bool {
        let highest = self.spoken(host).highest();
        others.iter().any(|other| self.spoken(*other).lowest() > highest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_build_can_talk_to_the_next() {
        let mut builds = Builds::new(2);
        for common in [1, 2, 2] {
            assert!(builds.step(0, true));
            assert_eq!(builds.agreed(0, 1), Some(common));
            assert_eq!(builds.agreed(1, 0), Some(common));
            assert!(builds.step(1, true));
        }
        assert_eq!(builds.agreed(0, 1), Some(VERSION_MAX));
        assert!(!builds.step(0, true), "there is no later build");
    }

    #[test]
    fn who_is_two_builds_ahead_of_the_oldest_is_a_stranger_to_it() {
        let mut builds = Builds::new(3);
        assert!(!builds.step(0, false), "there is no earlier build");
        assert!(builds.step(0, true) && builds.step(1, true) && builds.step(0, true));
        assert_eq!([0, 1, 2].map(|host| builds.strangers(host)), [1, 0, 1]);
        assert_eq!(builds.agreed(0, 2), None);
        assert!(builds.is_too_old(2, &[0, 1, 2]) && !builds.is_too_old(2, &[1, 2]));
        assert!(!builds.is_too_old(0, &[0, 1, 2]) && !builds.is_too_old(1, &[0, 1, 2]));
        assert!(builds.step(2, true));
        assert_eq!((builds.agreed(0, 2), builds.strangers(0)), (Some(2), 0));
    }
}
