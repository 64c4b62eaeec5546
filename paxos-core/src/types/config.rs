//! What an embedder decides once, before the first step.

use alloc::vec::Vec;
use core::time::Duration;

use super::{GroupId, Incarnation, Limits, NodeId};
use crate::quorum::Membership;

/// Who this node is and how it behaves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// This node.
    pub node: NodeId,
    /// How often this node has started; the driver raises it durably before
    /// every start.
    pub incarnation: Incarnation,
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
pub struct GroupConfig {
    /// The group.
    pub id: GroupId,
    /// Its members and quorums.
    pub membership: Membership,
}

/// How long to wait for what. Safety rests on none of these.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// A leader with nothing else to say speaks this often.
    pub heartbeat: Duration,
    /// A leader that is silent for this long, or longer by up to the same again
    /// (drawn from the seed), is given up. Also how long a leader leads without
    /// hearing a quorum. Should be several heartbeats.
    pub patience: Duration,
    /// After this long without an answer, a message is sent again.
    pub resend: Duration,
    /// A gap below the chosen frontier is fetched when it has stood this long:
    /// what fills it may just be late.
    pub gap: Duration,
    /// How long a proposal or a read may wait for a leader, and then for the
    /// leader's answer.
    pub answer: Duration,
    /// After a hint that the leader is gone, the voters campaign this far apart,
    /// so that the first has won before the second tries.
    pub stagger: Duration,
}

impl Default for Timing {
    /// Suits one data centre.
    fn default() -> Timing {
        Timing {
            heartbeat: Duration::from_millis(50),
            patience: Duration::from_millis(300),
            resend: Duration::from_millis(100),
            gap: Duration::from_millis(5),
            answer: Duration::from_secs(2),
            stagger: Duration::from_millis(15),
        }
    }
}

/// What is wrong with a [`Config`]; always the embedder's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Voters are ids `1..=127`.
    NodeId(NodeId),
    /// A group has no voter.
    NoVoters(GroupId),
    /// Two quorums that must meet need not: `prepare + accept` must exceed the
    /// number of voters, and neither may exceed it.
    Quorums(GroupId),
    /// The same group is configured twice.
    GroupTwice(GroupId),
    /// No group at all.
    NoGroups,
    /// A duration is zero, or the patience is not above the heartbeat.
    Timing,
    /// A limit is zero, or `ahead_slots_max` is below `window_slots`.
    Limits,
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
                f.write_str("a duration is zero, or patience is not above heartbeat")
            }
            ConfigError::Limits => {
                f.write_str("a limit is zero, or ahead_slots_max is below window_slots")
            }
        }
    }
}

impl core::error::Error for ConfigError {}

impl Config {
    /// Says whether this configuration can run.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !self.node.can_vote() {
            return Err(ConfigError::NodeId(self.node));
        }
        if self.groups.is_empty() {
            return Err(ConfigError::NoGroups);
        }
        for (i, group) in self.groups.iter().enumerate() {
            if self.groups[..i].iter().any(|g| g.id == group.id) {
                return Err(ConfigError::GroupTwice(group.id));
            }
            group.check()?;
        }
        self.timing.check()?;
        self.limits.check()
    }
}

impl GroupConfig {
    fn check(&self) -> Result<(), ConfigError> {
        if self.membership.voters().is_empty() {
            return Err(ConfigError::NoVoters(self.id));
        }
        if !self.membership.quorums_meet() {
            return Err(ConfigError::Quorums(self.id));
        }
        Ok(())
    }
}

impl Timing {
    fn check(&self) -> Result<(), ConfigError> {
        let all = [self.heartbeat, self.patience, self.resend, self.gap, self.answer, self.stagger];
        if all.iter().any(Duration::is_zero) || self.patience <= self.heartbeat {
            return Err(ConfigError::Timing);
        }
        Ok(())
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        let all = [
            self.window_slots,
            self.window_bytes,
            self.waiting_max,
            self.waiting_bytes_max,
            self.value_bytes_max,
            self.run_slots_max,
            self.run_bytes_max,
            self.log_slots_max,
            self.ahead_slots_max,
            self.deliver_slots_max,
            self.held_pledges_max,
            self.reads_max,
            self.forwarded_max,
        ];
        if all.contains(&0) || self.ahead_slots_max < self.window_slots {
            return Err(ConfigError::Limits);
        }
        Ok(())
    }
}
