//! How a node starts.

use alloc::vec::Vec;

use super::agenda::Agenda;
use super::clock::Clock;
use super::{Config, ConfigError, GroupConfig, Node};
use crate::effect::{Gate, Road};
use crate::log::Durable;
use crate::quorum::NodeSet;
use crate::replica::{Found, Replica};
use crate::role::Setting;
use crate::types::{Charter, GroupId, Instant, Rng, Slot};

/// Why a node cannot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// The embedder's fault.
    Config(ConfigError),
    /// The log of this group begins at the first slot, and the checkpoint is of nothing
    /// from the second on: the one that stood in for what lies between is missing, and
    /// the configuration names no peer to have one from. If others have joined since,
    /// the node may come back as one that joins, with another disk's name.
    Trimmed(GroupId, Slot, Slot),
    /// The embedder's fault: the configuration names other founders of this group than its
    /// disk, and nothing else says who the members are.
    Founders(GroupId),
}

impl core::fmt::Display for RestoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            RestoreError::Config(e) => core::fmt::Display::fmt(e, f),
            RestoreError::Founders(g) => {
                write!(f, "group {} was founded by other members than the configuration names", g.0)
            }
            RestoreError::Trimmed(g, floor, covered) => write!(
                f,
                "the log of group {} begins at slot {floor}, and its checkpoint is of nothing \
                 from slot {covered} on: a newer one is missing",
                g.0
            ),
        }
    }
}

impl core::error::Error for RestoreError {}

impl Node {
    /// Starts a node from what its disk says. The only fallible call.
    ///
    /// What the disk says of groups that `config` does not name is left alone.
    pub fn restore(
        config: Config,
        mut durable: Durable,
        now: Instant,
    ) -> Result<Node, RestoreError> {
        config.check().map_err(RestoreError::Config)?;
        let mut clock = Clock::default();
        let now = clock.tell(now);
        let Config { node: me, incarnation, disk, priority, seed, mut groups, timing, limits } =
            config;
        let setting = Setting { me, incarnation, disk, priority, timing, limits };
        groups.sort_by_key(|g| g.id);
        let mut rng = Rng::new(seed ^ incarnation.0.rotate_left(32) ^ u64::from(me.0));
        let groups: Vec<Replica> = groups
            .into_iter()
            .map(|g| {
                let durable = durable.take(g.id);
                let GroupConfig { id, membership, applied, checkpoint: image, partial } = g;
                let floor = durable.log().floor();
                let alone = membership.voters().without(NodeSet::of(me)).is_empty();
                let covered = image.as_ref().map_or(Slot::FIRST, |image| image.checkpoint.below);
                if floor > covered && alone && durable.relieved().is_none() {
                    return Err(RestoreError::Trimmed(id, floor, covered));
                }
                let stands_by = durable.founding().charter().map(Charter::design);
                let told =
                    image.is_some() || durable.relieved().is_some() || membership.is_unknown();
                if stands_by.is_some_and(|design| design != Charter::design_of(&membership))
                    && !told
                {
                    return Err(RestoreError::Founders(id));
                }
                let found = Found { applied, image, partial, durable };
                let rng = Rng::new(rng.next_u64());
                Ok(Replica::restore(id, membership, found, rng, (now, &setting)))
            })
            .collect::<Result<_, _>>()?;
        let mut agenda = Agenda::new(groups.len());
        for (at, group) in groups.iter().enumerate() {
            agenda.arm(at, group.wake_at());
        }
        let gate = Gate::new(me, setting.limits.held_pledges_max);
        Ok(Node { setting, groups, gate, road: Road::default(), agenda, clock, halted: false })
    }
}
