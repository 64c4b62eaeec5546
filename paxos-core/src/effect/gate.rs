//! The gate: no pledge leaves before the disk holds what it rests on.
//!
//! Safety rests here, together with the acceptor. The gate needs no help from the
//! embedder but the truth about its disk: an embedder cannot send too early,
//! because it is never handed what is too early to send.

use alloc::collections::VecDeque;

use super::outbox::dispatch;
use super::{Effects, Road};
use crate::message::Envelope;
use crate::quorum::NodeSet;
use crate::types::{NodeId, WriteId};

/// Pledges that wait for the disk, of all groups of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Gate {
    me: NodeId,
    /// The last batch that was handed out.
    issued: WriteId,
    /// The last batch that is durable.
    ///
    /// Invariant: `durable <= issued`.
    durable: WriteId,
    /// Pledges in order of what they wait for.
    ///
    /// Invariant: each waits for a batch in `durable + 1..=issued`; at most `held_max`.
    held: VecDeque<(WriteId, NodeSet, Envelope)>,
    held_max: usize,
}

impl Gate {
    /// The gate of a node that has just started: nothing issued, nothing held.
    pub fn new(me: NodeId, held_max: usize) -> Gate {
        Gate { me, issued: WriteId(0), durable: WriteId(0), held: VecDeque::new(), held_max }
    }

    /// How many pledges wait.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The last batch that was handed out.
    pub fn issued(&self) -> WriteId {
        self.issued
    }

    /// The last batch that is durable.
    pub fn durable(&self) -> WriteId {
        self.durable
    }

    /// Closes one round of a step: hands out its records as one batch, and holds
    /// its pledges until the last batch handed out so far is durable. Pledges
    /// that need not wait leave now, some perhaps to this node itself. At the bound
    /// a pledge is dropped, as if lost on its way: whoever waits for it asks again.
    pub fn close(&mut self, road: &mut Road, effects: &mut Effects) {
        if !road.records.is_empty() {
            self.issued = self.issued.next();
            effects.persist(self.issued, &mut road.records);
        }
        // A pledge may rest on records of any earlier step that is still on its
        // way to the disk, so it waits for the last one, not just for its own.
        if self.issued == self.durable {
            for (_, to, envelope) in road.pledges.drain(..) {
                dispatch(self.me, to, envelope, &mut road.loopback, effects);
            }
            return;
        }
        for at in 0..road.pledges.len() {
            road.pledges[at].0 = self.issued;
        }
        road.pledges.truncate(self.held_max.saturating_sub(self.held.len()));
        if self.held.is_empty() {
            // Mostly so: then nothing has to be moved.
            core::mem::swap(&mut self.held, &mut road.pledges);
        } else {
            self.held.append(&mut road.pledges);
        }
    }

    /// Lets out what waited for `write` and for all batches before it. Says
    /// whether that write was outstanding; if not, nothing happens.
    pub fn on_persisted(&mut self, write: WriteId, road: &mut Road, effects: &mut Effects) -> bool {
        if write <= self.durable || write > self.issued {
            return false;
        }
        self.durable = write;
        while self.held.front().is_some_and(|(needs, ..)| *needs <= write) {
            let Some((_, to, envelope)) = self.held.pop_front() else { break };
            dispatch(self.me, to, envelope, &mut road.loopback, effects);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Effect, Outbox};
    use crate::log::Entry;
    use crate::message::{Accepted, Heartbeat};
    use crate::types::{Ballot, GroupId, Slot};

    const ME: NodeId = NodeId(1);
    const PEER: NodeId = NodeId(2);
    const BALLOT: Ballot = Ballot::new(3, PEER);

    struct Bench {
        gate: Gate,
        road: Road,
        effects: Effects,
    }

    impl Bench {
        fn new() -> Bench {
            Bench { gate: Gate::new(ME, 3), road: Road::default(), effects: Effects::new() }
        }

        fn out(&mut self) -> Outbox<'_> {
            Outbox::new(GroupId(0), (ME, 0), &mut self.road, &mut self.effects)
        }

        fn pledge_to(&mut self, to: NodeId) {
            let accepted = Accepted { ballot: BALLOT, first: Slot(1), end: Slot(2) };
            self.out().pledge(NodeSet::of(to), accepted);
        }

        fn close(&mut self) -> usize {
            self.gate.close(&mut self.road, &mut self.effects);
            self.sent()
        }

        fn persisted(&mut self, write: u64) -> bool {
            self.gate.on_persisted(WriteId(write), &mut self.road, &mut self.effects)
        }

        fn sent(&mut self) -> usize {
            self.effects.drain().filter(|e| matches!(e, Effect::Send { .. })).count()
        }
    }

    #[test]
    fn a_pledge_waits_for_the_records_of_its_own_step() {
        let mut b = Bench::new();
        b.pledge_to(PEER);
        b.out().record(Entry::Promised(BALLOT));
        assert_eq!(b.close(), 0);
        assert!(b.persisted(1));
        assert_eq!(b.sent(), 1);
    }

    #[test]
    fn a_pledge_without_records_waits_for_earlier_ones() {
        let mut b = Bench::new();
        b.out().record(Entry::Promised(BALLOT));
        b.close();
        b.pledge_to(PEER);
        assert_eq!(b.close(), 0, "the promise is not durable yet");
        assert!(b.persisted(1));
        assert_eq!(b.sent(), 1);
    }

    #[test]
    fn a_pledge_to_oneself_waits_too() {
        let mut b = Bench::new();
        b.pledge_to(ME);
        b.out().record(Entry::Promised(BALLOT));
        b.close();
        assert!(b.road.next_loopback().is_none());
        b.persisted(1);
        assert!(b.road.next_loopback().is_some());
    }

    #[test]
    fn what_rests_on_nothing_new_leaves_at_once() {
        let mut b = Bench::new();
        b.pledge_to(PEER);
        assert_eq!(b.close(), 1);
        b.out().plain(
            NodeSet::of(PEER),
            Heartbeat { ballot: BALLOT, chosen: Slot(1), beat: 1, settled: true },
        );
        assert_eq!(b.sent(), 1);
    }

    #[test]
    fn an_acknowledgement_of_nothing_releases_nothing() {
        let mut b = Bench::new();
        b.pledge_to(PEER);
        b.out().record(Entry::Promised(BALLOT));
        b.close();
        assert!(!b.persisted(0), "before the first");
        assert!(!b.persisted(2), "never issued");
        assert_eq!(b.sent(), 0);
        assert!(b.persisted(1));
        assert!(!b.persisted(1), "twice");
    }

    /// The ABA of asynchronous writes: the same vote is written twice, and the
    /// first completion must not speak for the second write.
    #[test]
    fn a_completion_speaks_only_for_its_own_write_and_those_before() {
        let mut b = Bench::new();
        for _ in 0..3 {
            b.out().record(Entry::Promised(BALLOT));
            b.pledge_to(PEER);
            b.close();
        }
        b.persisted(1);
        assert_eq!((b.sent(), b.gate.held()), (1, 2));
        b.persisted(3);
        assert_eq!((b.sent(), b.gate.held()), (2, 0));
    }

    #[test]
    fn at_the_bound_a_pledge_is_lost_and_never_let_out_early() {
        let mut b = Bench::new();
        b.out().record(Entry::Promised(BALLOT));
        for _ in 0..5 {
            b.pledge_to(PEER);
        }
        assert_eq!((b.close(), b.gate.held()), (0, 3));
        b.persisted(1);
        assert_eq!(b.sent(), 3);
    }
}
