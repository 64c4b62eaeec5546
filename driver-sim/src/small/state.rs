//! A whole world at one moment, and everything that can happen next.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use paxos_core::Config;
use paxos_core::effect::{Effect, Effects, Input};
use paxos_core::message::Envelope;
use paxos_core::quorum::{Membership, NodeSet};
use paxos_core::types::{Command, Commands, NodeId, ProposalId, QueryId, StateHasher, Value};
use smallvec::SmallVec;

use super::ghost::Ghost;
use super::host::{GROUP, Host, Shared};

/// What may still go wrong, or be asked, in a run of a world.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Budget {
    /// Messages that may arrive twice.
    pub(super) doubles: u8,
    /// Crashes, of any host.
    pub(super) crashes: u8,
    /// How often each host may run out of patience; the host numbered 1 first.
    pub(super) timeouts: SmallVec<[u8; 5]>,
    /// Commands that clients of each host still want.
    pub(super) proposals: SmallVec<[u8; 5]>,
    /// Reads that clients of each host still want.
    pub(super) reads: SmallVec<[u8; 5]>,
    /// Changes of the membership that are still wanted of each host.
    pub(super) changes: SmallVec<[u8; 5]>,
}

/// What stays the same in a world.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// What every node is told.
    pub(super) template: Config,
    /// What the membership is to be changed to.
    pub(super) change: Option<Arc<Membership>>,
}

/// A message under way.
#[derive(Clone, Debug)]
struct Letter {
    /// Over receiver and content: letters of the same sum are the same letter.
    sum: u64,
    to: u8,
    envelope: Arc<Envelope>,
}

/// A world at one moment. Cheap to clone: hosts and letters are shared.
#[derive(Clone, Debug)]
pub(super) struct State {
    hosts: SmallVec<[(u64, Shared); 5]>,
    /// Ascending by sum, each once.
    letters: Vec<Letter>,
    pub(super) budget: Budget,
    ghost: Arc<Ghost>,
}

/// One thing that can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The letter at this place arrives.
    Arrive(u16),
    /// The same, and a copy of it is still under way.
    ArriveAndStay(u16),
    /// The oldest batch of a host becomes durable.
    Sync(u8),
    /// A host loses power with so many of its unsynced batches on the disk, and starts again.
    Crash(u8, u8),
    /// A host's next deadline comes.
    TimeOut(u8),
    /// A client proposes at a host.
    Propose(u8),
    /// A client reads at a host.
    Ask(u8),
    /// An operator asks a host for a change of the membership.
    Change(u8),
}

impl State {
    /// The first state: hosts with empty disks that have not heard of each other.
    pub(super) fn new(
        hosts: impl IntoIterator<Item = Host>,
        founded: Membership,
        budget: Budget,
    ) -> State {
        let hosts = hosts.into_iter().map(|host| (sum(&host), Arc::new(host))).collect();
        State { hosts, letters: Vec::new(), budget, ghost: Arc::new(Ghost::new(founded)) }
    }

    /// How many slots are chosen.
    pub(super) fn chosen(&self) -> usize {
        self.ghost.chosen()
    }

    /// A sum over all of it.
    pub(super) fn sum(&self) -> u64 {
        let mut hasher = StateHasher::default();
        self.hosts.iter().for_each(|(sum, _)| hasher.write_u64(*sum));
        self.letters.iter().for_each(|letter| hasher.write_u64(letter.sum));
        self.budget.hash(&mut hasher);
        self.ghost.hash(&mut hasher);
        hasher.finish()
    }

    /// Everything that can happen now.
    pub(super) fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for at in 0..self.letters.len() as u16 {
            actions.push(Action::Arrive(at));
            if self.budget.doubles > 0 {
                actions.push(Action::ArriveAndStay(at));
            }
        }
        for (at, (_, host)) in (0u8..).zip(&self.hosts) {
            let left = |list: &[u8]| list.get(usize::from(at)).is_some_and(|n| *n > 0);
            if !host.unsynced.is_empty() {
                actions.push(Action::Sync(at));
            }
            if self.budget.crashes > 0 {
                let kept = 0..=host.unsynced.len() as u8;
                actions.extend(kept.map(|kept| Action::Crash(at, kept)));
            }
            if left(&self.budget.timeouts) {
                actions.push(Action::TimeOut(at));
            }
            if left(&self.budget.proposals) {
                actions.push(Action::Propose(at));
            }
            if left(&self.budget.reads) {
                actions.push(Action::Ask(at));
            }
            if left(&self.budget.changes) {
                actions.push(Action::Change(at));
            }
        }
        actions
    }

    /// The state after `action`; an error if something has come to pass that must not.
    pub(super) fn after(&self, action: Action, rules: &Rules) -> Result<State, String> {
        let mut next = self.clone();
        next.apply(action, rules)?;
        Ok(next)
    }

    /// What `action` is in this state, for people.
    pub(super) fn tell(&self, action: Action) -> String {
        let id = |at: u8| self.hosts[usize::from(at)].1.id;
        match action {
            Action::Arrive(at) => format!("{} arrives", self.letters[usize::from(at)]),
            Action::ArriveAndStay(at) => {
                format!("{} arrives, and will again", self.letters[usize::from(at)])
            }
            Action::Sync(at) => format!("{} syncs", id(at)),
            Action::Crash(at, kept) => format!("{} restarts, {kept} batches kept", id(at)),
            Action::TimeOut(at) => format!("{} loses patience", id(at)),
            Action::Propose(at) => format!("a client proposes at {}", id(at)),
            Action::Ask(at) => format!("a client reads at {}", id(at)),
            Action::Change(at) => format!("a change of the members is asked of {}", id(at)),
        }
    }

    fn apply(&mut self, action: Action, rules: &Rules) -> Result<(), String> {
        match action {
            Action::Arrive(at) => {
                let Letter { to, envelope, .. } = self.letters.remove(usize::from(at));
                let envelope = Arc::unwrap_or_clone(envelope);
                self.step(to, Input::Received(envelope))
            }
            Action::ArriveAndStay(at) => {
                self.budget.doubles -= 1;
                let Letter { to, envelope, .. } = self.letters[usize::from(at)].clone();
                self.step(to, Input::Received(Envelope::clone(&envelope)))
            }
            Action::Sync(at) => {
                let mut host = Host::clone(&self.hosts[usize::from(at)].1);
                let Some((write, batch)) = host.sync()? else { return Ok(()) };
                Arc::make_mut(&mut self.ghost).on_durable(host.id, &batch)?;
                let mut effects = Effects::new();
                host.step(Input::Persisted(write), &mut effects)?;
                self.carry_out(at, host, effects)
            }
            Action::Crash(at, kept) => {
                self.budget.crashes -= 1;
                let mut host = Host::clone(&self.hosts[usize::from(at)].1);
                for batch in host.crash(usize::from(kept), &rules.template)? {
                    Arc::make_mut(&mut self.ghost).on_durable(host.id, &batch)?;
                }
                self.carry_out(at, host, Effects::new())
            }
            Action::TimeOut(at) => {
                self.budget.timeouts[usize::from(at)] -= 1;
                let mut host = Host::clone(&self.hosts[usize::from(at)].1);
                let mut effects = Effects::new();
                host.time_out(&mut effects)?;
                self.carry_out(at, host, effects)
            }
            Action::Propose(at) => {
                let left = &mut self.budget.proposals[usize::from(at)];
                *left -= 1;
                let number = u64::from(at + 1) * 100 + u64::from(*left);
                let command = Command::plain(vec![at + 1, *left].into());
                let first = ProposalId(number);
                let ghost = Arc::make_mut(&mut self.ghost);
                ghost.on_proposed(first, Value::Command(command.clone()));
                let commands = Commands::from(command);
                self.step(at, Input::Proposed { group: GROUP, first, commands })
            }
            Action::Ask(at) => {
                let left = &mut self.budget.reads[usize::from(at)];
                *left -= 1;
                let query = QueryId(u64::from(at + 1) * 100 + u64::from(*left));
                Arc::make_mut(&mut self.ghost).on_asked(query);
                self.step(at, Input::Queried { group: GROUP, query })
            }
            Action::Change(at) => {
                let left = &mut self.budget.changes[usize::from(at)];
                *left -= 1;
                let Some(membership) = rules.change.clone() else { return Ok(()) };
                let proposal = ProposalId(u64::from(at + 1) * 100 + 50 + u64::from(*left));
                let ghost = Arc::make_mut(&mut self.ghost);
                ghost.on_proposed(proposal, Value::Config(membership.clone()));
                self.step(at, Input::MembersProposed { group: GROUP, proposal, membership })
            }
        }
    }

    fn step(&mut self, at: u8, input: Input) -> Result<(), String> {
        let mut host = Host::clone(&self.hosts[usize::from(at)].1);
        let mut effects = Effects::new();
        host.step(input, &mut effects)?;
        self.carry_out(at, host, effects)
    }

    fn carry_out(&mut self, at: u8, mut host: Host, mut effects: Effects) -> Result<(), String> {
        for effect in effects.drain() {
            if matches!(effect, Effect::Note(_)) {
                continue;
            }
            Arc::make_mut(&mut self.ghost).on_ordered(&host, &effect)?;
            match effect {
                Effect::Send { to, envelope } => self.send(to, envelope),
                Effect::Persist(batch) => host.unsynced.push_back(batch),
                _ => {}
            }
        }
        self.hosts[usize::from(at)] = (sum(&host), Arc::new(host));
        Ok(())
    }

    fn send(&mut self, to: NodeSet, envelope: Envelope) {
        let envelope = Arc::new(envelope);
        for NodeId(to) in to.iter() {
            let Some(to) =
                u8::try_from(to - 1).ok().filter(|to| usize::from(*to) < self.hosts.len())
            else {
                continue;
            };
            let letter = Letter { sum: sum(&(to, &*envelope)), to, envelope: envelope.clone() };
            if let Err(place) = self.letters.binary_search_by_key(&letter.sum, |l| l.sum) {
                self.letters.insert(place, letter);
            }
        }
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}→n{} {:?}", self.envelope.from, self.to + 1, self.envelope.message)
    }
}

fn sum(what: &impl Hash) -> u64 {
    let mut hasher = StateHasher::default();
    what.hash(&mut hasher);
    hasher.finish()
}
