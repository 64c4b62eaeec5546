//! A simulated vault: the images of one machine, and what is under way with them.
//!
//! Images come from the host's own state machines, or piece by piece from peers. What the vault is
//! ordered to do takes its time ([`Job`]); a crash loses what is under way, or finds that it was
//! done after all, but for its word. Of an image that was being stored, any prefix survives.
//!
//! Left to others: when a job is done (`world/vaulting`), and what its bytes mean (`machine`).

#[cfg(test)]
mod conform;
mod shelf;

pub(crate) use self::shelf::{Shelf, digest};

use std::collections::BTreeMap;

use bytes::Bytes;
use paxos_core::types::{GroupId, Image, ImageId, NodeId, Piece};

/// Something that a vault was ordered to do and has not done yet.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// Make an image of the machine as it was, durable.
    Capture {
        /// The group.
        group: GroupId,
        /// The image.
        image: Image,
        /// Its bytes.
        bytes: Bytes,
    },
    /// Read a piece for a peer.
    Load {
        /// The group.
        group: GroupId,
        /// The peer.
        to: NodeId,
        /// Which image.
        image: ImageId,
        /// Where to begin.
        offset: u64,
        /// How many bytes at most.
        bytes: usize,
    },
    /// Write a peer's piece aside.
    Store {
        /// The group.
        group: GroupId,
        /// The piece.
        piece: Piece,
    },
    /// Make what was stored the machine's state, durable.
    Install {
        /// The group.
        group: GroupId,
        /// The image.
        image: Image,
    },
}

impl Job {
    /// The group that it is for.
    pub(crate) fn group(&self) -> GroupId {
        match self {
            Job::Capture { group, .. }
            | Job::Load { group, .. }
            | Job::Store { group, .. }
            | Job::Install { group, .. } => *group,
        }
    }
}

/// All images of one machine.
#[derive(Clone, Debug)]
pub(crate) struct Vault {
    /// By group.
    shelves: Vec<Shelf>,
    /// What is under way, by number.
    jobs: BTreeMap<u32, Job>,
    /// By group: when the last of what must be done in order will be done (µs).
    busy_until: Vec<u64>,
    ordered: u32,
}

impl Vault {
    /// An empty vault that keeps so many images a group.
    pub(crate) fn new(groups: u8, keep: usize) -> Vault {
        let shelves = (0..groups).map(|_| Shelf::new(keep)).collect();
        let busy_until = vec![0; usize::from(groups)];
        Vault { shelves, jobs: BTreeMap::new(), busy_until, ordered: 0 }
    }

    /// The images of one group.
    pub(crate) fn shelf(&self, group: GroupId) -> &Shelf {
        &self.shelves[group.0 as usize]
    }

    /// The images of one group.
    pub(crate) fn shelf_mut(&mut self, group: GroupId) -> &mut Shelf {
        &mut self.shelves[group.0 as usize]
    }

    /// The images of all groups.
    pub(crate) fn shelves_mut(&mut self) -> impl Iterator<Item = &mut Shelf> {
        self.shelves.iter_mut()
    }

    /// Takes an order in that would take `wait` by itself; returns its number, and when it will be
    /// done. Pieces of one group and its installs come one after the other, all else at any time.
    pub(crate) fn order(&mut self, now: u64, wait: u64, job: Job) -> (u32, u64) {
        let mut due = now.saturating_add(wait);
        if matches!(job, Job::Store { .. } | Job::Install { .. }) {
            let busy = &mut self.busy_until[job.group().0 as usize];
            due = (*busy).max(now).saturating_add(wait);
            *busy = due;
        }
        self.ordered += 1;
        self.jobs.insert(self.ordered, job);
        (self.ordered, due)
    }

    /// Takes out an order whose time has come; none if a crash took it. Of what must be done in
    /// order, the first is done first, whatever a pause has made of the times.
    pub(crate) fn done(&mut self, number: u32) -> Option<Job> {
        let in_order = |job: &Job| matches!(job, Job::Store { .. } | Job::Install { .. });
        let mut job = self.jobs.remove(&number)?;
        let (ordered, group) = (in_order(&job), job.group());
        // Each takes the place of the one before it, and the first is done.
        for (_, before) in self.jobs.range_mut(..number).rev() {
            if ordered && before.group() == group && in_order(before) {
                std::mem::swap(&mut job, before);
            }
        }
        Some(job)
    }

    /// Whether an image of `group` is being made.
    pub(crate) fn is_capturing(&self, group: GroupId) -> bool {
        let mut jobs = self.jobs.values();
        jobs.any(|job| job.group() == group && matches!(job, Job::Capture { .. }))
    }

    /// Whether an image is about to take the place of the machine of `group`.
    pub(crate) fn is_installing(&self, group: GroupId) -> bool {
        let mut jobs = self.jobs.values();
        jobs.any(|job| job.group() == group && matches!(job, Job::Install { .. }))
    }

    /// The power fails: what was under way, in the order in which it was ordered.
    pub(crate) fn crash(&mut self) -> impl Iterator<Item = Job> + use<> {
        self.busy_until.fill(0);
        std::mem::take(&mut self.jobs).into_values()
    }

    /// Whether some image is not what it was when it was written.
    pub(crate) fn is_rotten(&self) -> bool {
        self.shelves.iter().any(Shelf::is_rotten)
    }
}
