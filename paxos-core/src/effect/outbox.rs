//! Where roles put what they have to say: the only road out of a replica.

use alloc::collections::VecDeque;

use smallvec::SmallVec;

use super::{Declined, Effect, Effects, HaltReason, Notice, Outcome};
use crate::log::{Entry, Record};
use crate::message::{Envelope, Plain, Pledge};
use crate::quorum::NodeSet;
use crate::types::{
    Checkpoint, GroupId, Image, ImageId, NodeId, Piece, ProposalId, QueryId, Run, Slot, WriteId,
};

/// What one step has put on the road and not yet sent on its way. The node owns
/// it and reuses its memory; empty between steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Road {
    /// Messages of this node to itself, oldest first. They take the same door as
    /// everyone's.
    pub(crate) loopback: VecDeque<Envelope>,
    /// Pledges of this step with their receivers, for the gate: only it knows what they
    /// wait for.
    pub(super) pledges: VecDeque<(WriteId, NodeSet, Envelope)>,
    /// Records of this step: one batch.
    pub(super) records: SmallVec<[Record; 2]>,
    /// How many slots this step has ordered for delivery.
    deliveries: usize,
    /// Why the node must stop, if it must.
    halt: Option<HaltReason>,
}

impl Road {
    /// Begins a step.
    pub fn begin(&mut self) {
        self.deliveries = 0;
    }

    /// Whether nothing is left on it.
    pub fn is_empty(&self) -> bool {
        self.loopback.is_empty() && self.pledges.is_empty() && self.records.is_empty()
    }

    /// Whether nothing is left on it, and nothing has to stop.
    pub fn is_quiet(&self) -> bool {
        self.is_empty() && !self.is_halting()
    }

    /// Whether the node must stop.
    pub fn is_halting(&self) -> bool {
        self.halt.is_some()
    }

    /// Why the node must stop, if it must. Forgets everything that has not left yet: it is
    /// worth nothing any more.
    pub fn take_halt(&mut self) -> Option<HaltReason> {
        let reason = self.halt?;
        *self = Road::default();
        Some(reason)
    }

    /// The next message of this node to itself.
    pub fn next_loopback(&mut self) -> Option<Envelope> {
        self.loopback.pop_front()
    }
}

/// One group's pen for one step.
///
/// What a message is decides which way it takes: [`plain`](Outbox::plain) goes
/// out at once, [`pledge`](Outbox::pledge) through the gate, and the types let
/// nobody mistake one for the other.
#[derive(Debug)]
pub struct Outbox<'a> {
    group: GroupId,
    me: NodeId,
    disk: u64,
    road: &'a mut Road,
    effects: &'a mut Effects,
}

impl<'a> Outbox<'a> {
    /// The pen of `group` on node `me` with its disk.
    pub fn new(
        group: GroupId,
        (me, disk): (NodeId, u64),
        road: &'a mut Road,
        effects: &'a mut Effects,
    ) -> Outbox<'a> {
        Outbox { group, me, disk, road, effects }
    }

    /// The group that this pen writes for.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// Says something that binds nobody to each of `to`, perhaps this node too.
    pub fn plain(&mut self, to: NodeSet, message: impl Plain) {
        let Outbox { group, me: from, disk, .. } = *self;
        let others = to.without(NodeSet::of(from));
        if others != to {
            let message = message.clone().into();
            self.road.loopback.push_back(Envelope { group, from, disk, message });
        }
        if !others.is_empty() {
            // Made in its place: orders are large.
            self.effects.push_with(|| {
                let envelope = Envelope { group, from, disk, message: message.into() };
                Effect::Send { to: others, envelope }
            });
        }
    }

    /// Says something that binds this node, once all it rests on is durable.
    pub fn pledge(&mut self, to: NodeSet, message: impl Pledge) {
        let Outbox { group, me: from, disk, .. } = *self;
        // Made in its place, as orders are.
        self.road.pledges.extend(core::iter::once_with(|| {
            let envelope = Envelope { group, from, disk, message: message.into() };
            (WriteId::default(), to, envelope)
        }));
    }

    /// Writes something down. Pledges of this step wait for it.
    pub fn record(&mut self, entry: Entry) {
        self.road.records.push(Record { group: self.group, entry });
    }

    /// Whether this step has written anything down so far.
    pub fn has_records(&self) -> bool {
        !self.road.records.is_empty()
    }

    /// How many slots this step has ordered for delivery, of all groups.
    pub fn deliveries(&self) -> usize {
        self.road.deliveries
    }

    /// Orders a delivery.
    pub fn deliver(&mut self, run: Run) {
        self.road.deliveries += run.len();
        self.effects.push_with(|| Effect::Deliver { group: self.group, run });
    }

    /// Answers a proposal.
    pub fn resolve(&mut self, proposal: ProposalId, outcome: Outcome) {
        self.resolve_all(proposal, 1, outcome);
    }

    /// Answers `count` proposals, each after the first as in
    /// [`Resolve`](Effect::Resolve).
    pub fn resolve_all(&mut self, first: ProposalId, count: u32, outcome: Outcome) {
        let group = self.group;
        self.effects.push_with(|| Effect::Resolve { group, first, count, outcome });
    }

    /// Answers a query.
    pub fn serve(&mut self, query: QueryId, at: Slot) {
        self.effects.push(Effect::Serve { group: self.group, query, at });
    }

    /// Turns a query away.
    pub fn decline(&mut self, query: QueryId, why: Declined) {
        self.effects.push(Effect::Decline { group: self.group, query, why });
    }

    /// Orders a checkpoint of the state machine as the deliveries so far leave it.
    pub fn capture(&mut self, checkpoint: Checkpoint) {
        self.effects.push(Effect::Capture { group: self.group, checkpoint });
    }

    /// Orders `bytes` bytes of an image, from `offset` on, for a peer.
    pub fn load(&mut self, to: NodeId, image: ImageId, offset: u64, bytes: usize) {
        self.effects.push(Effect::Load { group: self.group, to, image, offset, bytes });
    }

    /// Orders bytes of a peer's image to be written aside.
    pub fn store(&mut self, piece: Piece) {
        self.effects.push(Effect::Store { group: self.group, piece });
    }

    /// Orders an image that was written aside to take the state machine's place.
    pub fn install(&mut self, image: Image) {
        self.effects.push(Effect::Install { group: self.group, image });
    }

    /// Stops the node: this replica is not to be believed any more.
    pub fn halt(&mut self, reason: HaltReason) {
        self.road.halt.get_or_insert(reason);
    }

    /// Mentions something.
    pub fn note(&mut self, notice: Notice) {
        self.effects.push(Effect::Note(notice));
    }
}

/// Sends a pledge, which need not wait any more, to the peers among `to`, and round to
/// this node's own door, by `loopback`, if it is one of them.
#[inline]
pub(super) fn dispatch(
    me: NodeId,
    to: NodeSet,
    envelope: Envelope,
    loopback: &mut VecDeque<Envelope>,
    effects: &mut Effects,
) {
    let others = to.without(NodeSet::of(me));
    if others.is_empty() {
        if !to.is_empty() {
            loopback.push_back(envelope);
        }
        return;
    }
    if others != to {
        loopback.push_back(envelope.clone());
    }
    effects.push_with(|| Effect::Send { to: others, envelope });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Accepted, Heartbeat, Message};
    use crate::types::{Ballot, Slot};

    const ME: NodeId = NodeId(1);
    const PEER: NodeId = NodeId(2);
    const BALLOT: Ballot = Ballot::new(3, PEER);

    fn beat() -> Heartbeat {
        Heartbeat { ballot: BALLOT, chosen: Slot::FIRST, beat: 0, settled: true }
    }

    fn with(road: &mut Road, write: impl FnOnce(&mut Outbox<'_>)) -> Effects {
        let mut effects = Effects::new();
        write(&mut Outbox::new(GroupId(7), (ME, 9), road, &mut effects));
        effects
    }

    /// Each once, with the name and the disk of the sender; to itself by its own door.
    #[test]
    fn what_binds_nobody_leaves_at_once() {
        let both = NodeSet::of(ME).or(NodeSet::of(PEER));
        for (to, sent, looped) in [
            (both, true, true),
            (NodeSet::of(PEER), true, false),
            (NodeSet::of(ME), false, true),
            (NodeSet::EMPTY, false, false),
        ] {
            let mut road = Road::default();
            let effects = with(&mut road, |out| out.plain(to, beat()));
            let message = Message::Heartbeat(beat());
            let envelope = Envelope { group: GroupId(7), from: ME, disk: 9, message };
            let send = Effect::Send { to: NodeSet::of(PEER), envelope: envelope.clone() };
            assert!(effects.iter().eq(sent.then_some(&send)), "{to:?}");
            assert_eq!(road.is_empty(), !looped, "{to:?}");
            assert_eq!(road.next_loopback(), looped.then_some(envelope), "{to:?}");
            assert!(road.is_empty());
        }
    }

    #[test]
    fn what_waits_for_the_disk_is_on_the_road() {
        let mut road = Road::default();
        let effects = with(&mut road, |out| {
            assert_eq!((out.group(), out.has_records()), (GroupId(7), false));
            let (first, end) = (Slot(1), Slot(2));
            out.pledge(NodeSet::of(PEER), Accepted { ballot: BALLOT, first, end });
        });
        assert!(effects.is_empty() && !road.is_empty() && !road.is_quiet());
        let mut road = Road::default();
        let effects = with(&mut road, |out| {
            out.record(Entry::Promised(BALLOT));
            assert!(out.has_records());
        });
        assert!(effects.is_empty() && !road.is_empty());
    }

    #[test]
    fn deliveries_of_a_step_are_counted_by_slots() {
        let mut road = Road::default();
        let run = |first, len| Run::collect(Slot(first), (0..len).map(|_| Default::default()));
        let effects = with(&mut road, |out| {
            out.deliver(run(1, 3));
            out.deliver(run(4, 2));
            assert_eq!(out.deliveries(), 5);
        });
        assert_eq!(effects.len(), 2);
        road.begin();
        with(&mut road, |out| assert_eq!(out.deliveries(), 0));
    }

    /// For the first reason; what has not left by then never leaves.
    #[test]
    fn a_node_that_must_stop_stops() {
        let mut road = Road::default();
        assert!(road.is_quiet() && !road.is_halting() && road.take_halt().is_none());
        with(&mut road, |out| {
            out.plain(NodeSet::of(ME), beat());
            out.halt(HaltReason::PersistFailed);
            out.halt(HaltReason::Diverged(GroupId(7), Slot(1)));
        });
        assert!(road.is_halting() && !road.is_quiet());
        assert_eq!(road.take_halt(), Some(HaltReason::PersistFailed));
        assert!(road.is_quiet());
    }
}
