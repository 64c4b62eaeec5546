//! What an embedder decides once, before the first step.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::quorum::Membership;
use crate::types::{GroupId, Image, ImageId, Incarnation, Limits, NodeId, PRIORITY, Slot, Timing};

/// Who this node is and how it behaves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// This node.
    pub node: NodeId,
    /// How often this node has started; the driver raises it durably before
    /// every start. No life has the number of an earlier one, not of one on a disk that
    /// was lost either: peers would take what it asks for what that one has asked, and
    /// answer that. And a node that has joined, with nothing promised on its disk, stands
    /// at rounds above its incarnation: they must lie above all at which a lost disk of
    /// this node has stood. A driver with an empty disk may begin at the milliseconds of a
    /// wall clock, which no count of campaigns keeps up with.
    pub incarnation: Incarnation,
    /// What names this node's disk: a number other than zero, drawn at random when the
    /// data directory is created and kept there. A group counts the promises and votes
    /// of a disk only where it has bound its voter to it, so that a node which comes
    /// back with an empty disk is not believed to remember. A group learns the disks of its
    /// founders before it begins, which takes all of them to be up once; a founder that has
    /// lost its disk later is configured as ever, and joins by itself. Zero in the
    /// configurations of all nodes, from the first start on: nobody checks, and a node that
    /// has lost its disk must never come back under the same id.
    pub disk: u64,
    /// How willingly this node leads, against the others: where they are equal, nobody is
    /// preferred. A leader makes way for a node with a higher priority that has answered
    /// and kept up for eight patiences on end. Below [`Config::PRIORITY`], a node that
    /// misses its leader waits two patiences longer before it stands the first time. At
    /// zero it stands only when a leader makes way for it: a group whose other nodes are
    /// gone has no leader. Nothing but who leads depends on it.
    ///
    /// [`Config::PRIORITY`] unless there is a reason.
    pub priority: u8,
    /// What spreads this node's deadlines. Two nodes should not share one.
    pub seed: u64,
    /// The groups that this node is part of; at least one.
    pub groups: Vec<GroupConfig>,
    /// How long to wait for what.
    pub timing: Timing,
    /// The bound of every queue.
    pub limits: Limits,
}

/// One group and who its members are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GroupConfig {
    /// The group.
    pub id: GroupId,
    /// Its members and quorums when it was founded. What the checkpoint and the log
    /// say comes after it. [`Membership::unknown`] for a node that joins.
    pub membership: Membership,
    /// The first slot that the state machine has not applied yet: deliveries
    /// start here. [`Slot::FIRST`] for a machine that starts empty.
    pub applied: Slot,
    /// The newest durable checkpoint: what the state machine was restored from. The
    /// log need not hold anything below it. It says who the members are, too: where the
    /// log begins above it, a state machine that has applied more counts for nothing, and
    /// the image of a peer takes its place.
    pub checkpoint: Option<Image>,
    /// An image of a peer that was being stored when the last life ended, and how
    /// many of its bytes, from the first on, are on the disk.
    pub partial: Option<(ImageId, u64)>,
}

impl GroupConfig {
    /// A group whose state machine starts empty.
    pub fn new(id: GroupId, membership: Membership) -> GroupConfig {
        GroupConfig { id, membership, applied: Slot::FIRST, checkpoint: None, partial: None }
    }
}

/// What is wrong with a [`Config`]; always the embedder's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Voters are ids `1..=127`.
    NodeId(NodeId),
    /// A group has no voter, and is not [`unknown`](Membership::unknown) either.
    NoVoters(GroupId),
    /// Two quorums that must meet need not: `prepare + accept` must exceed the
    /// number of voters, and neither may exceed it. Or a membership is unsound
    /// otherwise: see [`Membership::is_sound`].
    Quorums(GroupId),
    /// The same group is configured twice.
    GroupTwice(GroupId),
    /// No group at all.
    NoGroups,
    /// A duration is zero or over a day, or the patience is not above the heartbeat.
    Timing,
    /// A limit is zero, or `ahead_slots_max` is below `window_slots` or over
    /// [`Limits::AHEAD_MAX`], or `run_slots_max` is over [`Limits::RUN_SLOTS_MAX`].
    Limits,
    /// A group's checkpoint is of slots that its state machine has not applied, or
    /// of none.
    Checkpoint(GroupId),
}

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ConfigError::NodeId(n) => write!(f, "node id {} is not in 1..=127", n.0),
            ConfigError::NoVoters(g) => write!(f, "group {} has no voters", g.0),
            ConfigError::Quorums(g) => write!(f, "quorums of group {} need not meet", g.0),
            ConfigError::GroupTwice(g) => write!(f, "group {} is configured twice", g.0),
            ConfigError::NoGroups => f.write_str("no group is configured"),
            ConfigError::Timing => {
                f.write_str("a duration is zero or over a day, or patience is not above heartbeat")
            }
            ConfigError::Limits => f.write_str(
                "a limit is zero, ahead_slots_max is not in window_slots..=1048576, \
                     or run_slots_max is over 65536",
            ),
            ConfigError::Checkpoint(g) => {
                write!(f, "the checkpoint of group {} is ahead of its state machine", g.0)
            }
        }
    }
}

impl core::error::Error for ConfigError {}

impl Config {
    /// The priority of a node that is neither preferred nor spared.
    pub const PRIORITY: u8 = PRIORITY;

    /// Says whether this configuration can run.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !self.node.can_vote() {
            return Err(ConfigError::NodeId(self.node));
        }
        if self.groups.is_empty() {
            return Err(ConfigError::NoGroups);
        }
        let mut ids = BTreeSet::new();
        for group in &self.groups {
            if !ids.insert(group.id) {
                return Err(ConfigError::GroupTwice(group.id));
            }
            group.check()?;
        }
        if !self.timing.is_sane() {
            return Err(ConfigError::Timing);
        }
        if !self.limits.is_sane() {
            return Err(ConfigError::Limits);
        }
        Ok(())
    }
}

impl GroupConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let unknown = self.membership.is_unknown();
        if self.membership.voters().is_empty() && !unknown {
            return Err(ConfigError::NoVoters(self.id));
        }
        if !self.membership.is_sound() && !unknown {
            return Err(ConfigError::Quorums(self.id));
        }
        let below = self.checkpoint.as_ref().map(|image| image.checkpoint.below);
        if below.is_some_and(|below| !below.is_sane() || below > self.applied) {
            return Err(ConfigError::Checkpoint(self.id));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::tests::{config, three};
    use crate::types::{Checkpoint, Checksum, Schedule};

    const GROUP: GroupId = GroupId(4);

    fn group(membership: Membership) -> GroupConfig {
        GroupConfig::new(GROUP, membership)
    }

    /// With a checkpoint of everything below that slot, and a machine that has come so far.
    fn restored(below: u64, applied: u64) -> GroupConfig {
        let schedule = Schedule::starting(Slot::FIRST, three().into());
        let checkpoint = Checkpoint { below: Slot(below), sum: Checksum::FIRST, schedule };
        let checkpoint = Some(Image { checkpoint, bytes: 0, digest: 0 });
        GroupConfig { checkpoint, applied: Slot(applied), ..group(three()) }
    }

    #[test]
    fn what_cannot_run_is_refused_with_the_reason() {
        let one = || config([group(three())].to_vec());
        let mut timing = one();
        timing.timing.heartbeat = timing.timing.patience;
        let mut limits = one();
        limits.limits.reads_max = 0;
        let (q, checkpoint) = (ConfigError::Quorums(GROUP), ConfigError::Checkpoint(GROUP));
        for (config, says) in [
            (one(), Ok(())),
            (Config { node: NodeId(0), ..one() }, Err(ConfigError::NodeId(NodeId(0)))),
            (Config { node: NodeId(128), ..one() }, Err(ConfigError::NodeId(NodeId(128)))),
            (config([].to_vec()), Err(ConfigError::NoGroups)),
            (
                config([group(three()), group(three())].to_vec()),
                Err(ConfigError::GroupTwice(GROUP)),
            ),
            (timing, Err(ConfigError::Timing)),
            (limits, Err(ConfigError::Limits)),
            (config([group(Membership::majority([]))].to_vec()), Err(ConfigError::NoVoters(GROUP))),
            (config([group(Membership::flexible([NodeId(1), NodeId(2)], 1, 1))].to_vec()), Err(q)),
            (config([group(three().with_window(0))].to_vec()), Err(q)),
            (config([group(Membership::unknown())].to_vec()), Ok(())),
            (config([restored(5, 5)].to_vec()), Ok(())),
            (config([restored(5, 6)].to_vec()), Ok(())),
            (config([restored(5, 4)].to_vec()), Err(checkpoint)),
            (config([restored(0, 4)].to_vec()), Err(checkpoint)),
        ] {
            assert_eq!(config.check(), says);
        }
    }
}
