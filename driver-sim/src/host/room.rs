//! Whether there is room on a host's disk, and whom its process has asked to lead since there is
//! none.
//!
//! The driver does the same: a leader without room makes way for somebody else, the one that has
//! come furthest first, each once; and the state is written out now and then, so that the log
//! before it can go.

use paxos_core::types::{GroupId, NodeId, Slot};

/// How things stand with the room on a disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room {
    /// Until when the disk is full (µs); none if there is room.
    full_until: Option<u64>,
    watch: Watch,
}

/// What the process has done about it.
#[derive(Clone, Debug, Default)]
struct Watch {
    /// Whom it has asked to lead.
    tried: Vec<(GroupId, NodeId)>,
    /// When it asks somebody else (µs).
    next_at: u64,
    /// When it writes its state out (µs).
    checkpoint_at: u64,
}

impl Room {
    /// Between two looks of the process at a full disk (µs).
    pub(crate) const LOOK_US: u64 = 50_000;
    /// How long one successor may take before the next is asked (µs).
    const TRANSFER_PAUSE_US: u64 = 500_000;
    /// Between two attempts to write the state out (µs).
    const CHECKPOINT_PAUSE_US: u64 = 2_000_000;

    /// Whether the disk is full.
    pub(crate) fn is_full(&self) -> bool {
        self.full_until.is_some()
    }

    /// Until when it is (µs), as far as is known.
    pub(crate) fn full_until(&self) -> Option<u64> {
        self.full_until
    }

    /// Fills the disk until then; whether there was room before.
    pub(crate) fn fill(&mut self, until: u64) -> bool {
        let had_room = self.full_until.is_none();
        if had_room {
            self.watch = Watch::default();
        }
        self.full_until = self.full_until.max(Some(until));
        had_room
    }

    /// There is room from now on.
    pub(crate) fn clear(&mut self) {
        *self = Room::default();
    }

    /// A process begins that knows nothing of what was done before it.
    pub(crate) fn begin(&mut self) {
        self.watch = Watch::default();
    }

    /// Whether to write the state out now.
    pub(crate) fn wants_checkpoint(&mut self, now: u64) -> bool {
        let is_due = self.watch.checkpoint_at <= now;
        if is_due {
            self.watch.checkpoint_at = now + Self::CHECKPOINT_PAUSE_US;
        }
        is_due
    }

    /// Whom to ask to lead `group` now, of these, with how far each has come.
    pub(crate) fn successor(
        &mut self,
        now: u64,
        group: GroupId,
        peers: impl Iterator<Item = (NodeId, Option<Slot>)>,
    ) -> Option<NodeId> {
        if now < self.watch.next_at {
            return None;
        }
        let untried = peers.filter(|(id, _)| !self.watch.tried.contains(&(group, *id)));
        let (to, _) = untried.max_by_key(|(_, progress)| *progress)?;
        self.watch.tried.push((group, to));
        self.watch.next_at = now + Self::TRANSFER_PAUSE_US;
        Some(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers() -> impl Iterator<Item = (NodeId, Option<Slot>)> {
        [(2, Some(Slot(9))), (3, Some(Slot(8)))].map(|(id, p)| (NodeId(id), p)).into_iter()
    }

    #[test]
    fn each_peer_is_asked_once_the_best_first() {
        let (mut room, group) = (Room::default(), GroupId(0));
        assert!(room.fill(9_000_000) && !room.fill(5));
        assert_eq!(room.full_until(), Some(9_000_000));
        assert_eq!(room.successor(1, group, peers()), Some(NodeId(2)));
        assert_eq!(room.successor(2, group, peers()), None, "one at a time");
        assert_eq!(room.successor(600_000, group, peers()), Some(NodeId(3)));
        assert_eq!(room.successor(1_200_000, group, peers()), None, "all were asked");
        room.begin();
        assert_eq!(room.successor(1_200_000, group, peers()), Some(NodeId(2)), "another process");
    }

    #[test]
    fn the_state_is_written_out_at_once_and_then_now_and_then() {
        let mut room = Room::default();
        assert!(room.fill(9_000_000) && room.wants_checkpoint(7) && !room.wants_checkpoint(8));
        assert!(room.wants_checkpoint(2_000_007));
        room.clear();
        assert!(!room.is_full());
    }
}
