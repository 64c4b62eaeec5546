//! What a sound peer would answer, or nearly.

use paxos_core::message::{
    Accepted, Confirmed, Entries, Forwarded, HeartbeatAck, Message, ProbeAck, Promise, ReadAnswer,
    Vote,
};
use paxos_core::types::{Ballot, Slot};

use super::words::Words;

impl Words<'_, '_> {
    /// An answer to what the node has asked; none to what asks nothing.
    pub(super) fn answer(&mut self, asked: &Message) -> Option<Message> {
        Some(match asked {
            Message::Prepare(m) => self.honest_promise(m.ballot, m.from),
            Message::Accept(m) => {
                let short = self.source.below(8) == 7 && m.run.len() > 1;
                let end = if short { m.run.first.next() } else { m.run.end() };
                Accepted { ballot: m.ballot, first: m.run.first, end }.into()
            }
            Message::Probe(m) => {
                let chosen = self.frontier();
                let ballot = m.ballot;
                ProbeAck { ballot, granted: true, promised: Ballot::ZERO, chosen }.into()
            }
            Message::Heartbeat(m) => {
                let (ballot, beat, chosen) = (m.ballot, m.beat, Slot::FIRST);
                HeartbeatAck { ballot, beat, chosen, priority: Some(1) }.into()
            }
            Message::Confirm(m) => Confirmed { ballot: m.ballot, round: m.round }.into(),
            Message::Fetch(_) if self.source.below(8) == 7 => self.offer(),
            Message::Fetch(m) => {
                let wanted = m.to.since(m.from).min(self.limits.run_slots_max as u64) as usize;
                Entries { run: self.run_from(m.from, wanted), chosen: m.to }.into()
            }
            Message::Forward(m) => {
                let count = m.commands.len() as u32;
                let (incarnation, number) = (m.incarnation, m.number);
                Forwarded { incarnation, number, first: 0, count, verdict: self.verdict() }.into()
            }
            Message::ReadRequest(m) => ReadAnswer { id: m.id, index: Some(self.frontier()) }.into(),
            Message::Offer(m) => self.pull(m.image.id()),
            Message::Pull(m) => self.piece_of(m),
            Message::Audit(m) => self.audited(m.slot),
            _ => return None,
        })
    }

    /// A promise of one page, with the votes of someone who followed another
    /// leader for a while, or with none.
    fn honest_promise(&mut self, ballot: Ballot, from: Slot) -> Message {
        let chosen = self.frontier().max(from);
        let count = self.source.below(4);
        let votes = (0..count as u64).map(|i| self.earlier_vote(ballot, chosen, i)).collect();
        Promise { ballot, from, to: None, chosen, votes }.into()
    }

    /// A vote below `ballot`, `ahead` of what is `chosen`.
    fn earlier_vote(&mut self, ballot: Ballot, chosen: Slot, ahead: u64) -> Vote {
        let slot = chosen.plus(ahead);
        let ballot = Ballot::new(1.max(ballot.round - 1), self.from);
        let chosen = ahead > 0 && self.source.flag();
        Vote { slot, ballot, chosen, value: self.value_at(slot) }
    }

    /// What a peer knows to be chosen: as much as the node, or a little more.
    fn frontier(&mut self) -> Slot {
        match self.source.below(8) {
            0..=4 => self.replica.chosen(),
            5 => self.replica.chosen().next(),
            6 => self.replica.log().end(),
            _ => Slot::FIRST,
        }
    }
}
