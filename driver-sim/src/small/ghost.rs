//! What has been chosen, as an observer of all disks sees it, and what must hold of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use paxos_core::effect::{Effect, Outcome};
use paxos_core::log::{Batch, Entry};
use paxos_core::message::Message;
use paxos_core::quorum::{Membership, NodeSet};
use paxos_core::types::{Ballot, NodeId, ProposalId, QueryId, Schedule, Slot, Value};

use super::host::{GROUP, Host};

/// The observer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ghost {
    /// Who decides which slots, by what is chosen below `frontier`.
    schedule: Schedule,
    /// Everything below is chosen.
    frontier: Slot,
    /// Votes that were on a disk at any time.
    votes: BTreeMap<(Slot, Ballot), (Value, NodeSet)>,
    chosen: BTreeMap<Slot, Value>,
    /// What was proposed under which handle.
    proposed: BTreeMap<ProposalId, Value>,
    /// Everything acknowledged to a client lies below.
    acknowledged: Slot,
    /// What each read that is under way must see.
    asked: BTreeMap<QueryId, Slot>,
}

impl Ghost {
    /// Before the first slot of a group that these have founded.
    pub(super) fn new(founded: Membership) -> Ghost {
        Ghost {
            schedule: Schedule::starting(Slot::FIRST, Arc::new(founded)),
            frontier: Slot::FIRST,
            votes: BTreeMap::new(),
            chosen: BTreeMap::new(),
            proposed: BTreeMap::new(),
            acknowledged: Slot::FIRST,
            asked: BTreeMap::new(),
        }
    }

    /// How many slots are chosen.
    pub(super) fn chosen(&self) -> usize {
        self.chosen.len()
    }

    pub(super) fn on_proposed(&mut self, id: ProposalId, value: Value) {
        self.proposed.insert(id, value);
    }

    pub(super) fn on_asked(&mut self, id: QueryId) {
        self.asked.insert(id, self.acknowledged);
    }

    /// Takes in that a batch is on the disk of `by`.
    pub(super) fn on_durable(&mut self, by: NodeId, batch: &Batch) -> Result<(), String> {
        for record in &batch.records {
            let Entry::Voted { ballot, run } = &record.entry else { continue };
            for (slot, value) in run.iter() {
                self.on_vote(by, slot, *ballot, value)?;
            }
        }
        Ok(())
    }

    fn on_vote(&mut self, by: NodeId, slot: Slot, at: Ballot, value: &Value) -> Result<(), String> {
        let fresh = || (value.clone(), NodeSet::EMPTY);
        let (voted, voters) = self.votes.entry((slot, at)).or_insert_with(fresh);
        if voted != value {
            return Err(format!("two values for slot {slot} at {at}: {voted:?} and {value:?}"));
        }
        voters.insert(by);
        // Who decides a slot follows from the slots below it; it is not voted on before.
        let window = u64::from(self.schedule.newest().1.window());
        if slot >= self.frontier.plus(window) {
            return Err(format!("{by} votes on {slot}, though nobody can say who decides it"));
        }
        let rules = self.schedule.at(slot);
        if voters.and(rules.voters()).len() < rules.accept_quorum() {
            return Ok(());
        }
        let before = self.chosen.entry(slot).or_insert_with(|| value.clone());
        if before != value {
            return Err(format!("slot {slot} was chosen as {before:?}, and again as {value:?}"));
        }
        while let Some(value) = self.chosen.get(&self.frontier) {
            self.schedule.take_in(self.frontier, value);
            self.frontier = self.frontier.next();
        }
        Ok(())
    }

    /// Looks at what `by` orders: nothing may be said that its disk does not hold, delivered that
    /// is not chosen, or read that is not there.
    pub(super) fn on_ordered(&mut self, by: &Host, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Send { envelope, .. } => said(by, &envelope.message),
            Effect::Deliver { run, .. } => {
                run.iter().try_for_each(|(slot, value)| match self.chosen.get(&slot) {
                    Some(chosen) if chosen == value => Ok(()),
                    other => Err(format!("{} delivers {value:?} at {slot}, not {other:?}", by.id)),
                })
            }
            Effect::Resolve { first, count, outcome: outcome @ Outcome::Chosen(_), .. } => {
                outcome.each(*first, *count).try_for_each(|one| self.on_told(one))
            }
            Effect::Serve { query, at, .. } => {
                let floor = self.asked.remove(query).ok_or("a read is answered twice")?;
                match *at >= floor {
                    true => Ok(()),
                    false => Err(format!("a read below {at} misses what was written by {floor}")),
                }
            }
            Effect::Decline { query, .. } => {
                self.asked.remove(query).map(drop).ok_or_else(|| "a read is answered twice".into())
            }
            _ => Ok(()),
        }
    }

    fn on_told(&mut self, (proposal, outcome): (ProposalId, Outcome)) -> Result<(), String> {
        let Outcome::Chosen(slot) = outcome else { return Ok(()) };
        let (proposed, chosen) = (self.proposed.get(&proposal), self.chosen.get(&slot));
        if proposed.is_none() || proposed != chosen {
            return Err(format!("{proposal} is called chosen at {slot}: {chosen:?}"));
        }
        self.acknowledged = self.acknowledged.max(slot.next());
        Ok(())
    }
}

/// A pledge rests on what is on the disk when it leaves.
fn said(by: &Host, message: &Message) -> Result<(), String> {
    let disk = by.disk.group(GROUP);
    let promised = disk.map_or(Ballot::ZERO, |group| group.promised());
    let holds = match message {
        Message::Prepare(m) => promised >= m.ballot,
        Message::Promise(m) => promised >= m.ballot,
        Message::Accepted(m) => (m.first.0..m.end.0).map(Slot).all(|slot| {
            let cell = disk.and_then(|group| group.log().get(slot));
            cell.is_some_and(|cell| cell.chosen || cell.ballot >= m.ballot)
        }),
        _ => true,
    };
    if holds { Ok(()) } else { Err(format!("{} says {message:?} before its disk does", by.id)) }
}
