//! What a message says, against what the sender's disk holds and what is really chosen.

use paxos_core::log::{Cell, DurableGroup, Entry, Record};
use paxos_core::message::{Accept, Accepted, Message, Promise};
use paxos_core::types::{Ballot, Charter, Founding, NodeId, Run, Slot};

use super::campaigns::{OwnVote, Voter};
use super::{Checked, GroupGhost, Nodes, ensure, hash};

/// Who speaks or writes, and what its disk holds at that moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaker<'a> {
    /// The node.
    pub(crate) node: NodeId,
    /// Which of its lives.
    pub(crate) life: u64,
    /// What names its disk.
    pub(crate) disk: u64,
    /// Its disk, as a crash at this moment would leave it at worst.
    pub(crate) durable: Option<&'a DurableGroup>,
}

impl Speaker<'_> {
    fn promised(&self) -> Ballot {
        self.durable.map_or(Ballot::ZERO, DurableGroup::promised)
    }

    fn cell(&self, slot: Slot) -> Option<Cell<'_>> {
        self.durable.and_then(|group| group.log().get(slot))
    }

    /// The first slot that its log still holds.
    fn floor(&self) -> Slot {
        self.durable.map_or(Slot::FIRST, |group| group.log().floor())
    }

    fn bit(&self) -> Nodes {
        1 << self.node.0
    }

    /// Its vote at `slot` as a promise of `ballot` would tell it; none without such a promise.
    fn own_vote(&self, slot: Slot, ballot: Ballot) -> Option<OwnVote> {
        if self.promised() < ballot {
            return None;
        }
        let vote = self.cell(slot).filter(|c| c.ballot != Ballot::ZERO && c.ballot < ballot);
        Some(vote.map(|c| (c.ballot, hash(c.value))))
    }
}

impl GroupGhost {
    /// Takes in that a message leaves its sender.
    pub(crate) fn on_sent(&mut self, by: Speaker<'_>, message: &Message) -> Checked {
        match message {
            Message::Prepare(m) => {
                self.pledged(by, m.ballot, "Prepare")?;
                self.claims(by, m.from, "Prepare")?;
                self.campaigns.owns(m.ballot, by.node, by.life)
            }
            Message::Promise(m) => self.on_promise(by, m),
            Message::Accept(m) => self.on_accept(by, m),
            Message::Accepted(m) => self.on_accepted(by, m),
            Message::Chosen(m) => self.claims(by, m.below, "Chosen"),
            Message::Heartbeat(m) => {
                self.claims(by, m.chosen, "Heartbeat")?;
                self.is_settled(by, m)
            }
            Message::ProbeAck(m) => self.claims(by, m.chosen, "ProbeAck"),
            Message::Entries(m) => {
                self.claims(by, m.chosen, "Entries")?;
                self.facts(by, &m.run)
            }
            Message::Holding(m) => {
                let durable = by.durable.map_or(Slot::FIRST, |group| group.log().chosen());
                ensure!(
                    m.below <= durable,
                    "I4 durable before sent",
                    "{} pledges to hold all below {}, but its disk knows only those below {durable}",
                    by.node,
                    m.below
                );
                self.claims(by, m.below, "Holding")
            }
            Message::Relieve(m) => self.claims(by, m.below, "Relieve"),
            Message::Greet(m) => {
                let stands = |charter| self.stands_by(by, charter);
                ensure!(
                    m.founding.charter().is_none_or(stands),
                    "I4 durable before sent",
                    "{} stands by disks that its own does not know",
                    by.node
                );
                Ok(())
            }
            Message::Offer(m) => {
                self.claims(by, m.chosen, "Offer")?;
                self.claims(by, m.image.checkpoint.below, "Offer")?;
                self.ledger.described(&m.image)
            }
            _ => Ok(()),
        }
    }

    /// Whether the disk holds that it stands by `charter`, or stood by it before it joined: one
    /// answer for several writes lets out what rests on the first of them after the last.
    fn stands_by(&self, by: Speaker<'_>, charter: &Charter) -> bool {
        match by.durable.map(DurableGroup::founding) {
            Some(Founding::Joined) => self.members.has_named((by.node, by.life), charter),
            founding => founding.and_then(Founding::charter) == Some(charter),
        }
    }

    /// Takes in that a node orders a record to be written.
    pub(crate) fn on_written(&mut self, by: Speaker<'_>, record: &Record) -> Checked {
        match &record.entry {
            // A ballot whose record is lost before anyone heard of it may be used again.
            Entry::Promised(_) => Ok(()),
            Entry::Voted { ballot, run } if ballot.node == by.node => {
                self.on_bids(by, *ballot, run)
            }
            Entry::Voted { .. } | Entry::Reached { .. } => Ok(()),
            Entry::Trimmed { below } | Entry::Relieved { below, .. } => {
                self.claims(by, *below, "its log")
            }
            Entry::Founding(Founding::Founded(charter)) => self.members.founded(by.node, charter),
            Entry::Founding(Founding::Named(charter)) => {
                self.members.named((by.node, by.life), charter);
                Ok(())
            }
            Entry::Founding(_) => Ok(()),
            Entry::Learned { run } => self.facts(by, run),
            Entry::Chosen { below } => self.claims(by, *below, "its log"),
        }
    }

    /// Takes in that a record is on the disk of `by`.
    pub(crate) fn on_durable(&mut self, by: Voter, record: &Record) -> Checked {
        let Entry::Voted { ballot, run } = &record.entry else { return Ok(()) };
        for (slot, value) in run.iter() {
            let sum = hash(value);
            self.members.voted(slot, sum, value)?;
            let mut quorum = self.members.accept(slot);
            let bit = 1 << by.0.0;
            if !self.members.counts(by, slot) {
                quorum.voters &= !bit;
            }
            if self.slots.vote(slot, *ballot, sum, bit, quorum)?.is_some() {
                if !self.members.is_membership(sum) {
                    self.ledger.chosen(sum)?;
                }
                self.members.take_in(&self.slots)?;
            }
        }
        Ok(())
    }

    /// Takes in that a node says that it leads from `start` on.
    pub(crate) fn on_leading(&mut self, by: Speaker<'_>, ballot: Ballot, start: Slot) -> Checked {
        self.campaigns.owns(ballot, by.node, by.life)?;
        let counts = self.members.counts((by.node, by.disk), start);
        let own = if counts && by.promised() >= ballot { by.bit() } else { 0 };
        let quorum = self.members.prepare(start);
        let promisers = self.campaigns.promisers(ballot, start, &self.members);
        let promisers = quorum.count(promisers | own);
        ensure!(
            promisers >= quorum.size,
            "I7 quorums",
            "{} leads at {ballot} with {promisers} of {} promises",
            by.node,
            quorum.size
        );
        Ok(())
    }

    fn on_promise(&mut self, by: Speaker<'_>, m: &Promise) -> Checked {
        self.pledged(by, m.ballot, "Promise")?;
        // Where something is known to be chosen, there is a group.
        let is_there =
            |g: &DurableGroup| g.founding().is_settled() || g.log().chosen() > Slot::FIRST;
        let founded = by.durable.is_some_and(is_there);
        ensure!(
            by.disk == 0 || founded || !self.members.founds((by.node, by.disk)),
            "I24 one charter",
            "{} promises {} before its group is founded",
            by.node,
            m.ballot
        );
        self.claims(by, m.chosen, "Promise")?;
        self.told_all(by, m)?;
        for vote in m.votes.iter().filter(|vote| vote.chosen) {
            self.fact(by, vote.slot, hash(&vote.value))?;
        }
        self.campaigns.promised((by.node, by.disk), m)
    }

    /// Checks that a page of a promise leaves out no vote that the disk holds.
    fn told_all(&self, by: Speaker<'_>, m: &Promise) -> Checked {
        let to = m.to.unwrap_or(Slot::MAX).min(self.slots.end());
        let mut slot = m.from.max(m.chosen);
        let mut votes = m.votes.iter().peekable();
        while slot < to {
            while votes.next_if(|vote| vote.slot < slot).is_some() {}
            let told = votes.peek().filter(|vote| vote.slot == slot);
            let held = self.slots.vote_below(slot, m.ballot, by.bit());
            let whole =
                held.is_none_or(|held| told.is_some_and(|vote| vote.chosen || vote.ballot >= held));
            ensure!(
                whole,
                "I4 promise tells all",
                "{} promises {} without its vote for slot {slot}",
                by.node,
                m.ballot
            );
            slot = slot.next();
        }
        Ok(())
    }

    fn on_accept(&mut self, by: Speaker<'_>, m: &Accept) -> Checked {
        ensure!(
            by.promised() >= m.ballot,
            "I4 durable before sent",
            "{} proposes at {}, which its disk has not promised",
            by.node,
            m.ballot
        );
        self.claims(by, m.chosen, "Accept")?;
        self.on_bids(by, m.ballot, &m.run)
    }

    fn on_bids(&mut self, by: Speaker<'_>, ballot: Ballot, run: &Run) -> Checked {
        self.campaigns.owns(ballot, by.node, by.life)?;
        for (slot, value) in run.iter() {
            let value = hash(value);
            if !self.slots.bid(slot, ballot, value)? || self.slots.chosen(slot).is_some() {
                continue;
            }
            let counts = self.members.counts((by.node, by.disk), slot);
            let own = by.own_vote(slot, ballot).filter(|_| counts);
            self.campaigns.allow(slot, ballot, value, own, &self.members)?;
        }
        Ok(())
    }

    fn on_accepted(&mut self, by: Speaker<'_>, m: &Accepted) -> Checked {
        self.pledged(by, m.ballot, "Accepted")?;
        ensure!(m.end.since(m.first) < 1 << 20, "I17 bounds", "{} accepts an absurd run", by.node);
        let mut slot = m.first;
        while slot < m.end {
            // Where a value is chosen, every later ballot proposes the same: the vote is then
            // one for what a quorum of disks holds already. Below the floor the voter tells every
            // candidate that the slot is chosen, which binds it as much as the vote would: see
            // `a_vote_below_the_floor_need_not_be_kept`.
            let held = by.cell(slot).is_some_and(|cell| cell.chosen || cell.ballot >= m.ballot);
            let is_chosen = self.slots.chosen(slot).is_some_and(|c| c.ballot < m.ballot);
            ensure!(
                held || slot < by.floor() || is_chosen,
                "I4 durable before sent",
                "{} accepts slot {slot} at {}, but its disk does not hold that vote",
                by.node,
                m.ballot
            );
            slot = slot.next();
        }
        Ok(())
    }

    fn pledged(&self, by: Speaker<'_>, ballot: Ballot, what: &str) -> Checked {
        ensure!(
            by.promised() >= ballot,
            "I4 durable before sent",
            "{what} {ballot} leaves {}, but its disk has promised {}",
            by.node,
            by.promised()
        );
        Ok(())
    }

    /// Checks that all slots below `below` are chosen.
    fn claims(&self, by: Speaker<'_>, below: Slot, what: &str) -> Checked {
        ensure!(
            below <= self.slots.frontier(),
            "I7 quorums",
            "{} says in {what} that all below slot {below} is chosen, but slot {} is not",
            by.node,
            self.slots.frontier()
        );
        Ok(())
    }

    fn facts(&self, by: Speaker<'_>, run: &Run) -> Checked {
        run.iter().try_for_each(|(slot, value)| self.fact(by, slot, hash(value)))
    }

    /// Checks that a value is chosen, as somebody says.
    pub(crate) fn fact(&self, by: Speaker<'_>, slot: Slot, value: u64) -> Checked {
        let chosen = self.slots.chosen(slot);
        ensure!(
            chosen.is_some(),
            "I7 quorums",
            "{} takes slot {slot} for chosen, but no quorum of disks holds it",
            by.node
        );
        ensure!(
            chosen.is_some_and(|chosen| chosen.value == value),
            "I1 agreement",
            "{} takes another value for chosen at slot {slot}",
            by.node
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests;
