//! What must hold between the roles after every step.

use super::Replica;
use crate::role::Setting;

impl Replica {
    /// Checks what no single role can see. Cheap enough for every step of a
    /// simulation; an error is a bug in this crate.
    pub(crate) fn check(&self, setting: &Setting) -> Result<(), &'static str> {
        let roles = &self.roles;
        let promised = roles.acceptor.promised();
        if roles.proposer.ballot().is_some_and(|own| own != promised) {
            return Err("a proposer speaks under a ballot that its own acceptor has left");
        }
        if roles.proposer.ballot().is_some_and(|own| own.node != setting.me) {
            return Err("a proposer speaks under another node's ballot");
        }
        if roles.elector.leader().is_some_and(|l| l.node == setting.me)
            && roles.proposer.leading().is_none()
        {
            return Err("a replica follows itself and does not lead");
        }
        if let Some(leading) = roles.proposer.leading() {
            if roles.elector.leader() != Some(leading.ballot()) {
                return Err("a leader follows someone else");
            }
            if roles.log.chosen() > leading.next() {
                return Err("slots are chosen that their leader never proposed");
            }
        }
        if roles.log.get(roles.log.chosen()).is_some_and(|c| c.chosen) {
            return Err("the chosen frontier stands on a chosen slot");
        }
        if roles.log.chosen() > roles.log.end() {
            return Err("the chosen frontier lies beyond the log");
        }
        if roles.log.end().since(roles.log.floor()) > setting.limits.log_slots_max as u64 {
            return Err("the log is over its bound");
        }
        if roles.lacks_checkpoint() && roles.proposer.leading().is_some() {
            return Err("a replica leads whose state machine is lost");
        }
        if roles.donor.len() > setting.limits.loads_max {
            return Err("more pieces are being read than the bound");
        }
        if roles.archivist.is_capturing() && roles.installer.is_installing() {
            return Err("a state machine is captured and replaced at once");
        }
        if roles.reader.len() > setting.limits.reads_max {
            return Err("more reads than the bound");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
