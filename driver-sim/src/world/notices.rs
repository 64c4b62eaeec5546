//! What a node tells of itself, up to why it halts, and whether it may.

use paxos_core::effect::{HaltReason, Ignored, Notice, PullError, TransferEnd};
use paxos_core::types::{GroupId, NodeId};

use super::World;
use crate::check::{Checked, Violation, ensure};
use crate::choice::Choice;
use crate::tally::Mark;

impl<C: Choice> World<C> {
    pub(super) fn notice(&mut self, at: u8, notice: Notice) -> Checked {
        match notice {
            Notice::Leading { group, ballot, start, .. } => {
                self.begins_to_lead(at);
                let host = &self.hosts[usize::from(at)];
                let replica = host.life.as_ref().and_then(|life| life.node.group(group));
                // It may have promises that start above what it knows. Who decides there, and from
                // which disks, it will see before it proposes, which is checked then.
                if replica.is_some_and(|r| r.chosen() >= start && !host.lore.is_old) {
                    let speaker = host.speaker(group);
                    self.ghost[group.0 as usize].on_leading(speaker, ballot, start)?;
                }
                return self.goes_by_the_members(at, group);
            }
            Notice::MembersChanged { group, .. } => {
                self.tally.hit(Mark::MembersChanged);
                return self.goes_by_the_members(at, group);
            }
            Notice::Campaigning { group, .. } => self.campaigns(at, group),
            Notice::SteppedDown { .. } => self.tally.hit(Mark::SteppedDown),
            Notice::TransferEnded { group, to, end } => {
                return self.transfer_ended(at, group, to, end);
            }
            Notice::Ignored(Ignored::Overload(..)) => self.tally.hit(Mark::Overload),
            Notice::Ignored(Ignored::NoCheckpoint(..)) => self.tally.hit(Mark::NoCheckpoint),
            // One who was no member yet, or is none any more.
            Notice::Ignored(Ignored::Stranger(..)) if self.swarm.changes.is_some() => {}
            // One who has been told sooner that the group is founded.
            Notice::Ignored(Ignored::Unfounded(..)) if self.swarm.changes.is_some() => {
                self.tally.hit(Mark::Unfounded);
            }
            Notice::Founded { joins: true, .. } => self.tally.hit(Mark::JoinedAnew),
            // A leader that does not know yet that it is deposed.
            Notice::Ignored(Ignored::Overtaken(..)) => self.tally.hit(Mark::Overtaken),
            // What was misread here is not what the others have.
            Notice::Ignored(Ignored::TwoValues(..))
                if self.hosts[usize::from(at)].misread.is_some() => {}
            Notice::Ignored(ignored) => {
                let sentence = format!("an honest input is refused: {ignored:?}");
                return Err(Violation::new("I17 bounds", sentence));
            }
            Notice::Differs { node, slot, .. } => {
                ensure!(
                    self.tally.count(Mark::Misread) > 0,
                    "I9h one history",
                    "{node} is said to differ at slot {slot}, and nobody has ever misread anything"
                );
            }
            Notice::QuorumLost { unbound, .. } => {
                let lost = [Mark::DiskLost, Mark::Robbed, Mark::DiskCopied, Mark::SetAside];
                ensure!(
                    lost.iter().any(|mark| self.tally.count(*mark) > 0),
                    "I16 membership",
                    "{unbound:?} are said to be on other disks, and nobody has ever lost one"
                );
            }
            Notice::Pulling { group, .. } => {
                self.tally.hit(Mark::Pulling);
                let id = self.hosts[usize::from(at)].id;
                let is_witness = self.ghost[group.0 as usize].members.is_witness(id);
                self.tally.add(Mark::PulledByWitness, is_witness.into());
            }
            Notice::PullFailed { why: PullError::NoDonor, .. } => self.tally.hit(Mark::NoDonor),
            Notice::PullFailed { why: PullError::Store, .. } => self.tally.hit(Mark::PullNotStored),
            Notice::PullFailed { why: PullError::Install, .. } => {
                self.tally.hit(Mark::PullNotInstalled);
            }
            #[allow(unreachable_patterns, reason = "notices yet to come")]
            _ => {}
        }
        Ok(())
    }

    fn goes_by_the_members(&self, at: u8, group: GroupId) -> Checked {
        let host = &self.hosts[usize::from(at)];
        let replica = host.life.as_ref().and_then(|life| life.node.group(group));
        let ghost = &self.ghost[group.0 as usize];
        replica.map_or(Ok(()), |replica| ghost.members.agrees(host.id, replica))
    }

    fn transfer_ended(&mut self, at: u8, group: GroupId, to: NodeId, end: TransferEnd) -> Checked {
        match end {
            TransferEnd::Yielded => self.tally.hit(Mark::Yielded),
            TransferEnd::GivenUp => self.tally.hit(Mark::GivenUp),
            _ => {}
        }
        let mine = self.swarm.parts.priority(self.hosts[usize::from(at)].id);
        let is_preferred = self.swarm.parts.priority(to) > mine;
        let Some(life) = &mut self.hosts[usize::from(at)].life else { return Ok(()) };
        let was_asked_for = life.desk.transferred(group, to);
        if is_preferred && !was_asked_for {
            self.tally.add(Mark::Preferred, u64::from(end == TransferEnd::Yielded));
        }
        ensure!(
            was_asked_for || is_preferred,
            "R1 one answer each",
            "a transfer to {to} ends that is not under way"
        );
        Ok(())
    }

    pub(super) fn halt(&mut self, at: u8, reason: HaltReason) -> Checked {
        let host = &mut self.hosts[usize::from(at)];
        if let HaltReason::Diverged(group, slot) = reason {
            ensure!(
                host.misread.is_some_and(|(wrong, since)| wrong == group && since < slot),
                "I9h one history",
                "{} halts over slot {slot} of {group}, and has never misread anything there",
                host.id
            );
            self.tally.hit(Mark::Diverged);
            host.barred = true;
        }
        self.crash(at)
    }
}
