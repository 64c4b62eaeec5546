//! What hosts answer, and whether it may be so.

use paxos_core::effect::Outcome;
use paxos_core::quorum::Membership;
use paxos_core::types::{GroupId, ProposalId, QueryId, Slot};

use super::World;
use crate::check::{Checked, ensure};
use crate::choice::Choice;
use crate::client::{Operation, What};
use crate::host::Ticket;
use crate::machine::Reply;
use crate::tally::Mark;

impl<C: Choice> World<C> {
    fn close(&mut self, at: u8, group: GroupId, handle: u64) -> Checked<Ticket> {
        let host = &mut self.hosts[usize::from(at)];
        let ticket = host.life.as_mut().and_then(|life| life.desk.close(handle));
        let ticket = ticket.filter(|ticket| u64::from(ticket.group) == group.0);
        ensure!(
            ticket.is_some(),
            "R1 one answer each",
            "{} answers {handle} in {group}, which was answered before or never asked",
            host.id
        );
        ticket.ok_or_else(|| unreachable!("checked above"))
    }

    pub(super) fn resolve(
        &mut self,
        at: u8,
        group: GroupId,
        proposal: ProposalId,
        outcome: Outcome,
    ) -> Checked {
        let life = self.hosts[usize::from(at)].life.as_mut();
        if let Some(wanted) = life.and_then(|life| life.desk.changed(group, proposal)) {
            return self.change_resolved(group, &wanted, outcome);
        }
        let ticket = self.close(at, group, proposal.0)?;
        let (mark, hint) = match outcome {
            Outcome::Chosen(slot) => {
                self.tally.hit(Mark::Chosen);
                self.has_told(at, ticket, slot)?;
                return self.await_slot(at, ticket, slot);
            }
            Outcome::Unknown => {
                self.tally.hit(Mark::Unknown);
                return self.lost(ticket.client, ticket.attempt);
            }
            Outcome::Redirected(leader) => (Mark::Redirected, leader),
            Outcome::Busy | Outcome::Refused(_) => (Mark::Busy, None),
            Outcome::TooLarge => (Mark::TooLarge, None),
        };
        self.tally.hit(mark);
        if let Some(value) = ticket.value {
            self.ghost[usize::from(ticket.group)].ledger.refuted(value)?;
        }
        if outcome == Outcome::TooLarge {
            return self.refused(ticket);
        }
        let hint = hint.and_then(|node| u8::try_from(node.0 - 1).ok());
        self.set_back(ticket.client, ticket.attempt, hint.filter(|hint| *hint < self.swarm.nodes));
        Ok(())
    }

    /// A change of members is answered.
    fn change_resolved(
        &mut self,
        group: GroupId,
        wanted: &Membership,
        outcome: Outcome,
    ) -> Checked {
        let ghost = &mut self.ghost[group.0 as usize];
        let slot = match outcome {
            Outcome::Chosen(slot) => slot,
            Outcome::Unknown => return Ok(()),
            _ => {
                ghost.members.refused(wanted);
                return Ok(());
            }
        };
        self.tally.hit(Mark::ChangeChosen);
        let chosen = ghost.slots.chosen(slot);
        ensure!(
            chosen.is_some_and(|chosen| ghost.members.is_membership(chosen.value)),
            "R3 answer names the slot",
            "slot {slot} was said to change the members, and does not"
        );
        Ok(())
    }

    /// A node tells that a command is chosen at `slot`.
    fn has_told(&mut self, at: u8, ticket: Ticket, slot: Slot) -> Checked {
        ensure!(
            slot >= ticket.floor,
            "I14 real time",
            "a command is chosen at slot {slot}, but slot {} was answered before it was proposed",
            ticket.floor
        );
        let ghost = &mut self.ghost[usize::from(ticket.group)];
        if self.hosts[usize::from(at)].misread.is_none() {
            ghost.members.may_be_told(ghost.slots.frontier(), slot)?;
            ghost.ledger.told(slot.next());
        }
        Ok(())
    }

    /// The reply comes with the slot, which may still have to be applied.
    fn await_slot(&mut self, at: u8, ticket: Ticket, slot: Slot) -> Checked {
        let host = &mut self.hosts[usize::from(at)];
        let Some(life) = &mut host.life else { return Ok(()) };
        if host.misread.is_some() {
            return self.lost(ticket.client, ticket.attempt);
        }
        let bank = &life.banks[usize::from(ticket.group)];
        if self.ghost[usize::from(ticket.group)].members.is_witness(host.id) {
            // It took effect, but not here.
            return self.lost(ticket.client, ticket.attempt);
        }
        if slot < bank.since() {
            // It took effect, and what it answered came to others: the machine is from an image.
            self.tally.hit(Mark::AnswerInImage);
            return self.lost(ticket.client, ticket.attempt);
        }
        if slot < bank.next() {
            self.tally.hit(Mark::LateAnswer);
            let reply = bank.reply(slot);
            let sum = self.ghost[usize::from(ticket.group)].slots.chosen(slot).map(|c| c.value);
            return self.written(ticket, slot, sum.unwrap_or_default(), reply);
        }
        life.desk.await_slot(slot, ticket);
        Ok(())
    }

    pub(super) fn arrived(&mut self, at: u8, group: GroupId, slot: Slot) -> Option<Ticket> {
        let life = self.hosts[usize::from(at)].life.as_mut()?;
        life.desk.arrived(group.0 as u8, slot)
    }

    /// A slot that somebody waits for is applied.
    pub(super) fn written(
        &mut self,
        ticket: Ticket,
        slot: Slot,
        sum: u64,
        reply: Option<Reply>,
    ) -> Checked {
        ensure!(
            ticket.value == Some(sum),
            "R3 answer names the slot",
            "slot {slot} was said to hold a command that is not there"
        );
        let Some((operation, process)) = self.current(&ticket) else { return Ok(()) };
        let What::Write(command, _) = &operation.what else { return Ok(()) };
        let (floor, group, key) = (operation.floor, operation.group, operation.key);
        ensure!(
            reply.is_some(),
            "I13 exactly once",
            "{command:?} at slot {slot} has no effect at all"
        );
        let Some(reply) = reply else { return Ok(()) };
        if reply.slot != slot {
            self.tally.hit(Mark::Deduplicated);
        }
        let ledger = &mut self.ghost[usize::from(group)].ledger;
        ledger.answered(reply.slot.next(), floor, "a write")?;
        self.tally.hit(Mark::Written);
        self.crowd.record.answer(process, key, (reply.done, reply.value))?;
        self.done(ticket.client);
        Ok(())
    }

    pub(super) fn serve(&mut self, at: u8, group: GroupId, query: QueryId, index: Slot) -> Checked {
        let ticket = self.close(at, group, query.0)?;
        self.tally.hit(Mark::Served);
        let host = &self.hosts[usize::from(at)];
        let Some(life) = &host.life else { return Ok(()) };
        if host.misread.is_some() {
            return self.lost(ticket.client, ticket.attempt);
        }
        let bank = &life.banks[usize::from(ticket.group)];
        ensure!(
            index <= bank.next(),
            "R4 serve after delivery",
            "{} serves at {index}, but has delivered only below {}",
            host.id,
            bank.next()
        );
        ensure!(
            index >= ticket.floor,
            "I14 real time",
            "{} serves a read at {index}, but slot {} was answered before it was asked",
            host.id,
            ticket.floor
        );
        let Some((operation, process)) = self.current(&ticket) else { return Ok(()) };
        let (key, floor, next) = (operation.key, operation.floor, bank.next());
        let seen = (true, bank.read(key));
        self.ghost[usize::from(ticket.group)].ledger.answered(next, floor, "a read")?;
        self.tally.hit(Mark::Read);
        self.crowd.record.answer(process, key, seen)?;
        self.done(ticket.client);
        Ok(())
    }

    pub(super) fn decline(&mut self, at: u8, group: GroupId, query: QueryId) -> Checked {
        let ticket = self.close(at, group, query.0)?;
        self.tally.hit(Mark::Declined);
        self.set_back(ticket.client, ticket.attempt, None);
        Ok(())
    }

    /// The operation that waits for this ticket's answer, with its client's process; none if it
    /// has given up.
    fn current(&self, ticket: &Ticket) -> Option<(&Operation, u64)> {
        let client = &self.crowd.clients[usize::from(ticket.client)];
        let operation = client.operation.as_ref()?;
        let attempt = operation.attempt?;
        (attempt.number == ticket.attempt).then_some((operation, client.process))
    }

    fn refused(&mut self, ticket: Ticket) -> Checked {
        let Some((operation, process)) = self.current(&ticket) else { return Ok(()) };
        ensure!(
            matches!(operation.what, What::TooLarge(..)),
            "I17 bounds",
            "an ordinary command is called too large"
        );
        self.crowd.record.refuse(process)?;
        self.done(ticket.client);
        Ok(())
    }
}
