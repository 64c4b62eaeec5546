//! What a node does about a disk that has no room left. Pure.
//!
//! It takes no writes, and says so; reads go on. Whoever leads makes way for somebody
//! else: nobody tells the others who has room, so the nodes that have caught up best are
//! tried in turn, each once, and one that has no room either makes way in its turn. And
//! it writes its state out, if that still fits: then the log before it goes, and what it
//! took is room again.

use std::time::Duration;

use paxos_core::quorum::NodeSet;
use paxos_core::types::{Instant, NodeId, Slot};

/// How things stand with the room on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    is_full: bool,
    /// Whom this node has asked to lead since the disk became full.
    tried: NodeSet,
    /// When to ask somebody else.
    next_at: Instant,
    /// When to write the state out; nothing while there is room.
    checkpoint_at: Option<Instant>,
}

impl Room {
    /// Takes in whether the disk is full; whether that is news.
    pub(crate) fn look(&mut self, is_full: bool, now: Instant) -> bool {
        let is_news = std::mem::replace(&mut self.is_full, is_full) != is_full;
        if is_news {
            // Also once there is room again: what could not be trimmed can be now.
            *self = Room { is_full, checkpoint_at: Some(now), ..Room::default() };
        }
        is_news
    }

    /// Whether to write the state out now.
    pub(crate) fn wants_checkpoint(&mut self, now: Instant) -> bool {
        let is_due = self.checkpoint_at.is_some_and(|at| at <= now);
        if is_due {
            self.checkpoint_at = self.is_full.then(|| now + CHECKPOINT_PAUSE);
        }
        is_due
    }

    /// Whom to ask to lead now, of these, with how far each has come.
    pub(crate) fn successor(
        &mut self,
        now: Instant,
        peers: impl Iterator<Item = (NodeId, Option<Slot>)>,
    ) -> Option<NodeId> {
        if !self.is_full || now < self.next_at {
            return None;
        }
        let untried = peers.filter(|(id, _)| !self.tried.contains(*id));
        let (to, _) = untried.max_by_key(|(_, progress)| *progress)?;
        self.tried.insert(to);
        self.next_at = now + TRANSFER_PAUSE;
        Some(to)
    }
}

/// How long one successor may take before the next is asked.
const TRANSFER_PAUSE: Duration = Duration::from_secs(2);
/// Between two attempts to write the state out on a full disk.
const CHECKPOINT_PAUSE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn peers() -> impl Iterator<Item = (NodeId, Option<Slot>)> {
        [(1, None), (2, Some(Slot(9))), (3, Some(Slot(8)))]
            .map(|(id, p)| (NodeId(id), p))
            .into_iter()
    }

    #[test]
    fn a_leader_without_room_asks_each_peer_once_the_best_first() {
        let mut room = Room::default();
        assert_eq!(room.successor(at(0), peers()), None, "there is room");
        assert!(room.look(true, at(1)) && !room.look(true, at(1)));
        assert_eq!(room.successor(at(1), peers()), Some(NodeId(2)));
        assert_eq!(room.successor(at(1), peers()), None, "one at a time");
        assert_eq!(room.successor(at(3), peers()), Some(NodeId(3)));
        assert_eq!(room.successor(at(5), peers()), Some(NodeId(1)));
        assert_eq!(room.successor(at(7), peers()), None, "all were asked");
        assert!(room.look(false, at(8)) && room.look(true, at(9)));
        assert_eq!(room.successor(at(9), peers()), Some(NodeId(2)), "full again");
    }

    #[test]
    fn the_state_is_written_out_now_and_then_and_once_when_there_is_room() {
        let mut room = Room::default();
        assert!(!room.wants_checkpoint(at(0)));
        room.look(true, at(1));
        assert!(room.wants_checkpoint(at(1)) && !room.wants_checkpoint(at(2)));
        assert!(room.wants_checkpoint(at(6)));
        room.look(false, at(7));
        assert!(room.wants_checkpoint(at(7)) && !room.wants_checkpoint(at(100)));
    }
}
