//! How old the local state may be at most, for reads that need not be the latest.

use crate::types::{Ballot, Instant, Slot};

/// The last moment at which this replica held everything that a settled leader called chosen.
///
/// A follower takes its leader's word when it arrives: what the word was under way,
/// and a leader that was deposed without knowing it, are not counted. A leader counts
/// from when a beat was sent that a quorum has answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct News {
    current_at: Option<Instant>,
    /// A frontier that is not delivered here yet, and when we heard of it.
    pending: Option<(Instant, Slot)>,
    /// Whose word counts: one who has just come to lead calls less chosen than others may have
    /// been told of.
    settled: Ballot,
}

impl News {
    /// Takes in that all below `below` was chosen at the moment `at`, and no more.
    pub(crate) fn on_word(&mut self, at: Instant, below: Slot) {
        self.pending.get_or_insert((at, below));
    }

    /// Takes in a beat, and whether its leader is settled: once it is, it remains so.
    pub(crate) fn on_beat(&mut self, ballot: Ballot, settled: bool) {
        if settled {
            self.settled = ballot;
        } else if ballot != self.settled {
            self.settled = Ballot::ZERO;
        }
    }

    /// Takes in that the leader of `ballot` has just called all below `below` chosen, and no more.
    pub(crate) fn on_heard(&mut self, now: Instant, ballot: Ballot, below: Slot) {
        if ballot == self.settled {
            self.on_word(now, below);
        }
    }

    /// Waits no more for what a leader has only proposed: it leads no more, and whoever comes next
    /// may choose less.
    pub(crate) fn on_fallen(&mut self) {
        self.pending = None;
    }

    /// Whether a word of this moment would tell anything.
    pub(crate) fn lacks(&self, at: Instant) -> bool {
        self.pending.is_none() && self.current_at < Some(at)
    }

    /// Takes in what is delivered.
    pub(crate) fn on_delivered(&mut self, delivered: Slot) {
        if let Some((at, below)) = self.pending
            && below <= delivered
        {
            self.current_at = self.current_at.max(Some(at));
            self.pending = None;
        }
    }

    /// The last moment at which the state here was the latest.
    pub(crate) fn current_at(&self) -> Option<Instant> {
        self.current_at
    }
}

#[cfg(test)]
mod tests;
