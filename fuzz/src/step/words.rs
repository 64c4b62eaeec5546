//! Words that a peer might use: few, and near the ones that matter to the node.

use std::sync::Arc;

use bytes::Bytes;
use paxos_core::Replica;
use paxos_core::message::{
    Accept, Accepted, Chosen, Confirm, Confirmed, Entries, Fetch, Forward, Forwarded, Handover,
    Heartbeat, HeartbeatAck, Message, Prepare, Probe, ProbeAck, Promise, ReadAnswer, ReadId,
    ReadRequest, Reject, Release, Verdict, Vote,
};
use paxos_core::quorum::Membership;
use paxos_core::types::{Ballot, ClientId, Command, Incarnation, Limits, NodeId, Run, Slot, Value};

use super::source::Source;

/// Draws words for one replica.
#[derive(Debug)]
pub(super) struct Words<'a, 'b> {
    pub(super) source: &'a mut Source<'b>,
    pub(super) replica: &'a Replica,
    pub(super) limits: &'a Limits,
    /// Who speaks.
    pub(super) from: NodeId,
    pub(super) life: u64,
}

impl Words<'_, '_> {
    pub(super) fn message(&mut self) -> Message {
        let choice = self.source.byte();
        if choice >= 216 {
            return self.about_images(choice);
        }
        match choice % 18 {
            0 => self.prepare(),
            1 => self.promise(),
            2 | 3 => Accept { ballot: self.theirs(), run: self.run(), chosen: self.slot() }.into(),
            4 => Accepted { ballot: self.ours(), first: self.slot(), end: self.slot() }.into(),
            5 => Reject { ballot: self.ours(), promised: self.any_ballot() }.into(),
            6 => Chosen { ballot: self.theirs(), below: self.slot() }.into(),
            7 => Probe { ballot: self.theirs(), chosen: self.slot() }.into(),
            8 => self.probe_ack(),
            9 => self.heartbeat(),
            10 => {
                let priority = Some(100);
                let (ballot, chosen) = (self.ours(), self.replica.chosen());
                HeartbeatAck { ballot, beat: 1, chosen, priority }.into()
            }
            11 => {
                let (from, to) = (self.slot(), self.slot());
                Fetch { from, to, image: to.0 % 2 == 1 }.into()
            }
            12 => Entries { run: self.run(), chosen: self.slot() }.into(),
            13 => self.forward(),
            14 => self.forwarded(),
            15 => ReadRequest { id: self.read_id() }.into(),
            16 => ReadAnswer { id: self.read_id(), index: self.maybe_slot() }.into(),
            _ => self.confirm(),
        }
    }

    // What came later is drawn from what is drawn anyway, so that old scripts still
    // mean what they meant.

    fn prepare(&mut self) -> Message {
        let (ballot, from) = (self.theirs(), self.slot());
        let released = self.replica.leadership().filter(|_| from.0.is_multiple_of(5));
        let released = released.map(|ballot| Release { ballot, beat: from.0 % 3 });
        Prepare { ballot, from, released }.into()
    }

    fn heartbeat(&mut self) -> Message {
        let (ballot, chosen) = (self.theirs(), self.slot());
        let beat = chosen.0 % 4;
        match chosen.0.is_multiple_of(5) {
            true => Handover { ballot, beat, chosen }.into(),
            false => {
                Heartbeat { ballot, beat, chosen, settled: !chosen.0.is_multiple_of(7) }.into()
            }
        }
    }

    /// A ballot of the speaker.
    pub(super) fn theirs(&mut self) -> Ballot {
        match self.source.below(8) {
            7 => self.any_ballot(),
            _ => Ballot::new(self.round(), self.from),
        }
    }

    /// The ballot that the replica campaigns or leads at.
    fn ours(&mut self) -> Ballot {
        match (self.source.below(4), self.replica.own_ballot()) {
            (0..=2, Some(own)) => own,
            _ => self.any_ballot(),
        }
    }

    fn any_ballot(&mut self) -> Ballot {
        let nodes = [NodeId(2), NodeId(1), NodeId(3), self.from, NodeId(0), NodeId(500)];
        let node = self.source.pick(&nodes);
        Ballot::new(self.round(), node)
    }

    fn round(&mut self) -> u64 {
        let promised = self.replica.promised().round;
        let max = Ballot::ROUND_MAX;
        match self.source.below(32) {
            0..=11 => promised,
            12..=23 => promised.saturating_add(1),
            24 => promised.saturating_sub(1),
            25 => promised.saturating_add(2),
            26 => 1,
            27 => 0,
            28 => max - 1,
            29 => max,
            30 => max + 1,
            _ => u64::MAX,
        }
    }

    pub(super) fn slot(&mut self) -> Slot {
        let log = self.replica.log();
        let ahead = self.limits.ahead_slots_max as u64;
        let near = self.source.byte();
        match near {
            0..=95 => Slot(1 + u64::from(near % 12)),
            96..=143 => log.chosen(),
            144..=191 => log.end(),
            192..=207 => log.chosen().next(),
            208..=215 => self.replica.delivered(),
            216..=223 => log.chosen().plus(ahead - 1),
            224..=231 => log.chosen().plus(ahead),
            232 => Slot(0),
            233 => Slot::MAX,
            234 => Slot::MAX.next(),
            235 => Slot(u64::MAX),
            236 => Slot(u64::MAX - 1),
            237 => Slot(self.limits.log_slots_max as u64),
            238 => Slot(self.limits.log_slots_max as u64 + 1),
            _ => log.end().plus(u64::from(near - 238)),
        }
    }

    fn maybe_slot(&mut self) -> Option<Slot> {
        if self.source.flag() { Some(self.slot()) } else { None }
    }

    /// Mostly what the log says already, so that votes and facts often agree.
    pub(super) fn value_at(&mut self, slot: Slot) -> Value {
        match (self.source.below(6), self.replica.log().get(slot)) {
            (0..=2, Some(cell)) => cell.value.clone(),
            (0 | 3, _) => Value::Noop,
            (4, _) if slot.0.is_multiple_of(3) => Value::Config(self.membership()),
            _ => Value::Command(self.command()),
        }
    }

    /// What follows the newest members, mostly.
    pub(super) fn membership(&mut self) -> Arc<Membership> {
        let newest = self.replica.newest_membership();
        let sets: [&[u16]; 8] =
            [&[1, 2, 3], &[2], &[1, 2, 3, 4, 5], &[1, 3], &[2, 4], &[1, 2], &[], &[2, 127, 9]];
        let voters = self.source.pick(&sets).iter().map(|n| NodeId(*n));
        let learners: &[u16] = self.source.pick(&[&[], &[], &[4], &[2]]);
        let next = newest.succeeded_by(voters, learners.iter().map(|n| NodeId(*n)));
        let version = next.version();
        Arc::new(match self.source.below(8) {
            0..=5 => next,
            6 => next.with_version(version + 1),
            _ => next.with_window(1),
        })
    }

    pub(super) fn command(&mut self) -> Command {
        let client = ClientId(self.source.below(3) as u64);
        let payload = match self.source.below(8) {
            0..=4 => Bytes::from_static(b"a"),
            5 => Bytes::new(),
            6 => Bytes::from(vec![b'x'; self.limits.value_bytes_max]),
            _ => Bytes::from(vec![b'y'; self.limits.value_bytes_max + 1]),
        };
        Command { client, sequence: 1, payload }
    }

    fn run(&mut self) -> Run {
        let first = self.slot();
        let many = self.limits.run_slots_max.min(8) + 1;
        let count = match self.source.below(8) {
            0..=3 => 1,
            4 => 2,
            5 => 3,
            6 => 0,
            _ => many,
        };
        self.run_from(first, count)
    }

    pub(super) fn run_from(&mut self, first: Slot, count: usize) -> Run {
        let values = (0..count).map(|i| self.value_at(first.plus(i as u64))).collect();
        Run::new(first, values)
    }

    fn promise(&mut self) -> Message {
        let ballot = self.ours();
        let (from, chosen) = (self.slot(), self.slot());
        let to = self.maybe_slot();
        let count = self.source.below(4);
        let votes = (0..count).map(|_| self.vote()).collect();
        Promise { ballot, from, to, chosen, votes }.into()
    }

    fn vote(&mut self) -> Vote {
        let slot = self.slot();
        let (ballot, chosen) = (self.any_ballot(), self.source.flag());
        Vote { slot, ballot, chosen, value: self.value_at(slot) }
    }

    fn probe_ack(&mut self) -> Message {
        let ballot = self.any_ballot();
        let granted = self.source.flag();
        ProbeAck { ballot, granted, promised: self.any_ballot(), chosen: self.slot() }.into()
    }

    fn forward(&mut self) -> Message {
        let ballot = self.ours();
        let (incarnation, number) = (self.incarnation(), self.number());
        let count = self.source.below(5);
        let commands = (0..count).map(|_| self.command()).collect();
        Forward { ballot, incarnation, number, commands }.into()
    }

    fn forwarded(&mut self) -> Message {
        let (incarnation, number) = (self.incarnation(), self.number());
        let few = [0, 1, 2, 3, u32::MAX];
        let (first, count) = (self.source.pick(&few), self.source.pick(&few));
        Forwarded { incarnation, number, first, count, verdict: self.verdict() }.into()
    }

    pub(super) fn verdict(&mut self) -> Verdict {
        match self.source.below(4) {
            0 => Verdict::Chosen(self.slot()),
            1 => Verdict::NotLeader,
            2 => Verdict::Busy,
            _ => Verdict::Unknown,
        }
    }

    fn confirm(&mut self) -> Message {
        if self.source.flag() {
            Confirm { ballot: self.theirs(), round: self.number() }.into()
        } else {
            Confirmed { ballot: self.ours(), round: self.number() }.into()
        }
    }

    fn read_id(&mut self) -> ReadId {
        ReadId { incarnation: self.incarnation(), number: self.number() }
    }

    fn incarnation(&mut self) -> Incarnation {
        Incarnation(self.source.pick(&[self.life, self.life, self.life - 1, u64::MAX]))
    }

    fn number(&mut self) -> u64 {
        self.source.pick(&[1, 2, 3, 4, 5, 0, u64::MAX, u64::MAX - 1])
    }
}
