//! One role alone, for tests: all that a step lends it, and what it has said.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Cx, Setting};
use crate::effect::{Effect, Effects, Gate, HaltReason, Outbox, Road};
use crate::log::{Entry, Log};
use crate::message::Message;
use crate::quorum::{Membership, NodeSet, Regime};
use crate::types::{
    Ballot, Command, GroupId, Incarnation, Instant, Lease, Limits, NodeId, PRIORITY, Rng, Run,
    Schedule, Slot, Timing, Value,
};

pub(crate) const ME: NodeId = NodeId(1);
pub(crate) const N2: NodeId = NodeId(2);
pub(crate) const N3: NodeId = NodeId(3);

/// n1 in a group.
pub(crate) struct Bench {
    pub setting: Setting,
    pub regime: Regime,
    pub now: Instant,
    rng: Rng,
    road: Road,
    effects: Effects,
    gate: Gate,
    written: Vec<Entry>,
    said: Vec<(NodeSet, Message)>,
    ordered: Vec<Effect>,
}

impl Bench {
    /// n1 of three.
    pub(crate) fn new() -> Bench {
        Bench::of(Membership::majority([ME, N2, N3]))
    }

    /// n1 in this group.
    pub(crate) fn of(membership: Membership) -> Bench {
        let schedule = Schedule::starting(Slot::FIRST, Arc::new(membership));
        let limits = Limits::default();
        Bench {
            setting: Setting {
                me: ME,
                incarnation: Incarnation(1),
                disk: 0,
                priority: PRIORITY,
                timing: Timing::default(),
                limits,
            },
            regime: Regime::new(schedule, Slot::FIRST),
            now: Instant::from_micros(1_000_000),
            rng: Rng::new(1),
            road: Road::default(),
            effects: Effects::new(),
            gate: Gate::new(ME, 1000),
            written: Vec::new(),
            said: Vec::new(),
            ordered: Vec::new(),
        }
    }

    /// The same with leases of a second.
    pub(crate) fn leasing(mut self) -> Bench {
        let lease = Lease { duration: Duration::from_secs(1), drift_ppm: 0 };
        self.setting.timing.lease = Some(lease);
        self
    }

    /// Lets time pass.
    pub(crate) fn sleep(&mut self, wait: Duration) {
        self.now = self.now + wait;
    }

    pub(crate) fn cx(&mut self) -> Cx<'_> {
        let out = Outbox::new(GroupId(0), (ME, 0), &mut self.road, &mut self.effects);
        let Bench { setting, regime, rng, now, .. } = self;
        Cx { now: *now, setting, regime, rng, out }
    }

    /// What was written down since this was asked last.
    pub(crate) fn written(&mut self) -> Vec<Entry> {
        self.close();
        core::mem::take(&mut self.written)
    }

    /// What was said since this was asked last, and to whom; to itself too.
    pub(crate) fn said(&mut self) -> Vec<(NodeSet, Message)> {
        self.close();
        core::mem::take(&mut self.said)
    }

    /// All orders but those to send and to write, since this was asked last.
    pub(crate) fn ordered(&mut self) -> Vec<Effect> {
        self.close();
        core::mem::take(&mut self.ordered)
    }

    /// Why the node must stop, if it must.
    pub(crate) fn halted(&mut self) -> Option<HaltReason> {
        self.road.take_halt()
    }

    fn close(&mut self) {
        self.gate.close(&mut self.road, &mut self.effects);
        self.gate.on_persisted(self.gate.issued(), &mut self.road, &mut self.effects);
        for effect in self.effects.drain() {
            match effect {
                Effect::Send { to, envelope } => self.said.push((to, envelope.message)),
                Effect::Persist(batch) => {
                    self.written.extend(batch.records.into_iter().map(|r| r.entry));
                }
                other => self.ordered.push(other),
            }
        }
        while let Some(envelope) = self.road.next_loopback() {
            self.said.push((NodeSet::of(ME), envelope.message));
        }
        self.road.begin();
    }
}

/// The ballot of `node` in `round`.
pub(crate) fn b(round: u64, node: NodeId) -> Ballot {
    Ballot::new(round, node)
}

pub(crate) fn command(payload: &str) -> Command {
    Command::plain(payload.as_bytes().to_vec().into())
}

/// Commands from slot `first` on.
pub(crate) fn run(first: u64, payloads: &[&str]) -> Run {
    Run::new(Slot(first), payloads.iter().map(|p| Value::Command(command(p))).collect())
}

/// A log that holds votes at `ballot`.
pub(crate) fn voted(ballot: Ballot, first: u64, payloads: &[&str]) -> Log {
    let mut log = Log::default();
    log.vote(ballot, run(first, payloads));
    log
}
