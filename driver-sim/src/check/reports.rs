//! What a node says of itself must not go back.

use paxos_core::Replica;
use paxos_core::types::{Ballot, Slot};

use super::{Checked, ensure};

/// What one replica last said, in one life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Watch {
    promised: Ballot,
    chosen: Slot,
    delivered: Slot,
}

impl Watch {
    /// Takes in what a replica says now.
    ///
    /// `durable` is the highest ballot that its disk has promised: what it holds in memory may be
    /// ahead of that, never behind, and in a new life neither. `applied` is the first slot that
    /// its state machine has not applied; `frontier` the first that is really not chosen.
    pub(crate) fn look(
        &mut self,
        replica: &Replica,
        durable: Ballot,
        applied: Slot,
        frontier: Slot,
    ) -> Checked {
        let now = Watch {
            promised: replica.promised(),
            chosen: replica.chosen(),
            delivered: replica.delivered(),
        };
        now.follows(self)?;
        ensure!(
            now.promised >= durable,
            "I3 acceptor monotonicity",
            "a replica goes by {} while its disk has promised {durable}",
            now.promised
        );
        ensure!(
            now.delivered <= now.chosen && now.chosen <= frontier,
            "I9 order",
            "delivered {} <= chosen {} <= really chosen {frontier} does not hold",
            now.delivered,
            now.chosen
        );
        ensure!(
            now.delivered == applied,
            "I9 order",
            "a replica has delivered all below {}, but handed out all below {applied}",
            now.delivered
        );
        *self = now;
        Ok(())
    }

    fn follows(&self, before: &Watch) -> Checked {
        let back = self.promised < before.promised
            || self.chosen < before.chosen
            || self.delivered < before.delivered;
        ensure!(!back, "I11 monotonic reports", "a replica goes back from {before:?} to {self:?}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::types::NodeId;

    use super::*;

    #[test]
    fn going_back_is_found() {
        let before =
            Watch { promised: Ballot::new(2, NodeId(1)), chosen: Slot(5), delivered: Slot(4) };
        assert!(before.follows(&before).is_ok());
        let backs = [
            Watch { promised: Ballot::new(1, NodeId(3)), ..before },
            Watch { chosen: Slot(4), ..before },
            Watch { delivered: Slot(3), ..before },
        ];
        for back in backs {
            assert_eq!(back.follows(&before).unwrap_err().invariant, "I11 monotonic reports");
        }
    }
}
