//! Who the node is: its groups, its limits, its seed.

use std::time::Duration;

use paxos_core::quorum::Membership;
use paxos_core::types::{
    GroupId, Image, ImageId, Incarnation, Lease, Limits, NodeId, Slot, Timing,
};
use paxos_core::{Config, GroupConfig};

use super::source::Source;

/// The node under test; there are peers on both sides of it.
pub(super) const ME: NodeId = NodeId(2);

/// Its groups, and one that it is no part of.
pub(super) const GROUPS: [GroupId; 3] = [GroupId(0), GroupId(1), GroupId(7)];

/// What stays the same for all lives of the node.
#[derive(Debug)]
pub(super) struct Setting {
    seed: u64,
    first: Membership,
    second: Membership,
    pub(super) limits: Limits,
    lease: Option<Lease>,
}

/// A whole image, and how much of another one is there.
pub(super) type Found = (Option<Image>, Option<(ImageId, u64)>);

impl Setting {
    pub(super) fn draw(source: &mut Source<'_>) -> Setting {
        let shape = source.byte();
        let voters = |n: u16| (1..=n).map(NodeId);
        let first = match shape % 4 {
            0 | 1 => Membership::majority(voters(3)),
            2 => Membership::majority(voters(5)),
            _ => Membership::flexible(voters(5), 4, 2),
        };
        let second = match shape / 4 % 4 {
            0 => Membership::majority([ME]),
            1 => Membership::majority([1, 2].map(NodeId)),
            2 => Membership::majority([1, 3, 4].map(NodeId)),
            _ => Membership::majority(voters(3)),
        };
        // A change comes into force within the run.
        let (first, second) = (first.with_window(6), second.with_window(6));
        let limits = if shape & 64 == 0 { tight() } else { wide() };
        let lease = (shape & 128 != 0)
            .then_some(Lease { duration: Duration::from_millis(400), drift_ppm: 10_000 });
        Setting { seed: u64::from(source.byte()), first, second, limits, lease }
    }

    /// What the node is told in its `life`; its machines have applied so much.
    pub(super) fn config(&self, life: u64, applied: [Slot; 2], found: [Found; 2]) -> Config {
        let group = |at: usize, membership: &Membership| GroupConfig {
            id: GROUPS[at],
            membership: membership.clone(),
            checkpoint: found[at].0.clone(),
            partial: found[at].1,
            applied: applied[at],
        };
        Config {
            node: ME,
            incarnation: Incarnation(life),
            disk: 0,
            priority: Config::PRIORITY,
            seed: self.seed,
            groups: vec![group(1, &self.second), group(0, &self.first)],
            timing: Timing { lease: self.lease, ..Timing::default() },
            limits: self.limits.clone(),
        }
    }

    pub(super) fn membership(&self, group: GroupId) -> &Membership {
        if group == GROUPS[0] { &self.first } else { &self.second }
    }

    /// What one step may order at most: every queue emptied at once, and a little.
    pub(super) fn effects_max(&self) -> usize {
        let l = &self.limits;
        let queues = l.deliver_slots_max + l.waiting_max + l.window_slots + l.forwarded_max;
        2 * (queues + 3 * l.reads_max) + l.held_pledges_max + 512
    }

    /// What one message may weigh at most: a full page, and the value that did not fit.
    pub(super) fn message_bytes_max(&self) -> usize {
        2 * self.limits.run_bytes_max + self.limits.value_bytes_max + 256
    }
}

/// Every bound within reach of a few dozen inputs.
fn tight() -> Limits {
    Limits {
        window_slots: 4,
        window_bytes: 256,
        waiting_max: 6,
        waiting_bytes_max: 128,
        value_bytes_max: 48,
        run_slots_max: 3,
        run_bytes_max: 96,
        log_slots_max: 24,
        log_bytes_max: 2048,
        ahead_slots_max: 8,
        deliver_slots_max: 2,
        held_pledges_max: 12,
        reads_max: 3,
        forwarded_max: 4,
        checkpoint_slots: 3,
        checkpoint_bytes: 200,
        keep_slots: 2,
        keep_bytes: 200,
        piece_bytes_max: 16,
        transfer_bytes: 40,
        loads_max: 3,
        ..Limits::default()
    }
}

fn wide() -> Limits {
    Limits {
        ahead_slots_max: 64,
        window_slots: 64,
        value_bytes_max: 1024,
        checkpoint_slots: 8,
        keep_slots: 4,
        ..Limits::default()
    }
}
