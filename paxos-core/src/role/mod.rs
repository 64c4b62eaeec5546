//! The roles of one replica. They never call each other: what one learns that
//! another needs it returns, and the replica passes it on.

mod acceptor;
mod archivist;
mod auditor;
mod courier;
mod donor;
mod elector;
mod fetcher;
mod founder;
mod installer;
mod learner;
mod news;
mod pace;
mod proposer;
mod reader;
mod shelf;
#[cfg(test)]
pub(crate) mod testing;
mod vow;

pub(crate) use acceptor::Acceptor;
pub(crate) use archivist::Archivist;
pub(crate) use auditor::Auditor;
pub(crate) use courier::{Courier, Origin, Proposal};
pub(crate) use donor::{Donor, offer};
pub(crate) use elector::{Elector, Ready, ask_for_news};
pub(crate) use fetcher::Fetcher;
pub(crate) use founder::Founder;
pub(crate) use installer::{Installer, Want};
pub(crate) use learner::Learner;
pub(crate) use news::News;
use pace::Pace;
pub(crate) use proposer::{Leading, Promised, Proposer};
pub(crate) use reader::{Lead, Reader};
pub(crate) use shelf::Shelf;
pub(crate) use vow::Vow;

use crate::effect::Outbox;
use crate::quorum::Regime;
use crate::types::{Incarnation, Instant, Limits, NodeId, PRIORITY, Rng, Timing};

/// What stays the same for a whole life of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Setting {
    /// This node.
    pub me: NodeId,
    /// Its life.
    pub incarnation: Incarnation,
    /// What names its disk.
    pub disk: u64,
    /// How willingly it leads.
    pub priority: u8,
    /// How long to wait for what.
    pub timing: Timing,
    /// The bound of every queue.
    pub limits: Limits,
}

impl Setting {
    /// Whether this node leads less willingly than most.
    pub(crate) fn is_spared(&self) -> bool {
        self.priority < PRIORITY
    }
}

/// Everything that a role may use in one step.
#[derive(Debug)]
pub(crate) struct Cx<'a> {
    /// The time of the step.
    pub now: Instant,
    /// Who we are, and all constants.
    pub setting: &'a Setting,
    /// Who decides what, as far as this replica's log says.
    pub regime: &'a mut Regime,
    /// Where deadlines are drawn from.
    pub rng: &'a mut Rng,
    /// Where to put what there is to say.
    pub out: Outbox<'a>,
}

impl Cx<'_> {
    /// A moment between `times` and twice as many patiences from now.
    pub(crate) fn draw_patience(&mut self, times: u32) -> Instant {
        let patience = self.setting.timing.patience * times;
        let extra = self.rng.below(patience.as_micros() as u64);
        self.now + patience + core::time::Duration::from_micros(extra)
    }
}

/// The earlier of two moments that may never come.
pub(crate) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
