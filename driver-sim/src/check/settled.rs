//! What a leader must have chosen before others may take its word for the latest.

use super::pledges::Speaker;
use super::{Checked, GroupGhost, ensure};
use paxos_core::message::Heartbeat;

impl GroupGhost {
    /// Checks that a leader calls itself settled only once it has chosen all that was chosen at lower
    /// ballots, as far as anybody can have been told of that: not beyond where others decide.
    pub(super) fn is_settled(&self, by: Speaker<'_>, m: &Heartbeat) -> Checked {
        if !m.settled {
            return Ok(());
        }
        let border = self.members.border_after(m.chosen).unwrap_or(self.slots.end());
        let mut slot = m.chosen;
        while slot < border.min(self.slots.end()) {
            ensure!(
                self.slots.chosen(slot).is_none_or(|chosen| chosen.ballot >= m.ballot),
                "I6 settled",
                "{} calls itself settled and all below {} chosen, and slot {slot} was chosen before \
                 ballot {}",
                by.node,
                m.chosen,
                m.ballot
            );
            slot = slot.next();
        }
        Ok(())
    }
}
