//! One node: all its groups, one disk, one road.

mod agenda;
mod clock;
mod config;
mod restore;

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use agenda::Agenda;
use clock::Clock;
pub use config::{Config, ConfigError, GroupConfig};
pub use restore::RestoreError;
use smallvec::SmallVec;

use crate::effect::{Effect, Effects, Gate, HaltReason, Ignored, Input, Notice, Road};
use crate::message::{Envelope, Message};
use crate::replica::{Event, Loan, Replica};
use crate::role::Setting;
use crate::types::{GroupId, Incarnation, Instant, NodeId, StateHasher, WriteId};

/// A node: the state of all its groups, and nothing else.
///
/// With the feature `serde` it can be set aside, and gone on from by the same build: for a
/// debugger or a recording, where the same inputs are told again. It is no way to start: what
/// a node promises after it was set aside, the copy does not know of. A node starts from its
/// disk, by [`restore`](Node::restore).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Node {
    setting: Setting,
    /// Ascending by id.
    groups: Vec<Replica>,
    gate: Gate,
    road: Road,
    agenda: Agenda,
    clock: Clock,
    /// Once set, nothing is taken in any more.
    halted: bool,
}

/// Groups that one tick wakes at most; the others are due at the next, at once.
const TICK_GROUPS_MAX: usize = 128;

impl Node {
    /// Takes in one fact and appends what is to be done to `effects`.
    ///
    /// Total: never fails, never blocks, never panics whatever the input holds,
    /// and does a bounded amount of work.
    pub fn step(&mut self, now: Instant, mut input: Input, effects: &mut Effects) {
        if self.halted {
            return;
        }
        let now = self.clock.tell(now);
        self.road.begin();
        match &mut input {
            // Where it is: messages are large.
            Input::Received(envelope) => self.on_received(now, envelope, effects),
            Input::Persisted(write) => self.on_persisted(*write, effects),
            _ => self.take_in(now, input, effects),
        }
        if !self.road.is_quiet() {
            self.run_out(now, effects);
        }
    }

    /// Takes in what does not come with every command.
    fn take_in(&mut self, now: Instant, input: Input, effects: &mut Effects) {
        match input {
            Input::Received(mut envelope) => self.on_received(now, &mut envelope, effects),
            Input::Persisted(write) => self.on_persisted(write, effects),
            Input::PersistFailed(_) => self.halt(HaltReason::PersistFailed, effects),
            Input::Proposed { group, first, commands } => {
                self.route(now, group, Event::Proposed(first, commands), effects);
            }
            Input::MembersProposed { group, proposal, membership } => {
                self.route(now, group, Event::MembersProposed(proposal, membership), effects);
            }
            Input::Queried { group, query } => {
                self.route(now, group, Event::Queried(query), effects);
            }
            Input::TransferRequested { group, to } => {
                self.route(now, group, Event::TransferRequested(to), effects);
            }
            Input::CheckpointRequested { group } => {
                self.route(now, group, Event::CheckpointRequested, effects);
            }
            Input::Captured { group, image } => {
                self.route(now, group, Event::Captured(image), effects);
            }
            Input::CaptureFailed { group, below } => {
                self.route(now, group, Event::CaptureFailed(below), effects);
            }
            Input::Loaded { group, to, piece } => {
                self.route(now, group, Event::Loaded(to, piece), effects);
            }
            Input::Stored { group, image, end } => {
                self.route(now, group, Event::Stored(image, end), effects);
            }
            Input::StoreFailed { group, image } => {
                self.route(now, group, Event::StoreFailed(image), effects);
            }
            Input::Installed { group, image } => {
                self.route(now, group, Event::Installed(image), effects);
            }
            Input::InstallFailed { group, image } => {
                self.route(now, group, Event::InstallFailed(image), effects);
            }
            Input::PeerDown(peer) => self.tell_all(now, || Event::PeerDown(peer), effects),
            Input::PeerUp(peer) => self.tell_all(now, || Event::PeerUp(peer), effects),
            Input::Ticked => self.tick(now, effects),
        }
    }

    /// When the next [`Input::Ticked`] is due, if ever. Earlier is harmless, later
    /// costs only liveness.
    pub fn wake_at(&self) -> Option<Instant> {
        if self.halted {
            return None;
        }
        let touched = self.agenda.touched().filter_map(|at| self.groups[at].wake_at());
        touched.chain(self.agenda.next()).min().map(|at| self.clock.untell(at))
    }

    /// A read-only view of one group.
    pub fn group(&self, group: GroupId) -> Option<&Replica> {
        self.find(group).map(|at| &self.groups[at])
    }

    /// How old what this node has delivered of `group` may be at the time `now`; none
    /// if it has heard of no leader since its start, or has no such group.
    ///
    /// Counted from the last word of a leader whose every slot is delivered here. A new leader's
    /// words count once it has chosen all that it found: until then it may call less chosen than
    /// its predecessor has told clients of. A command that is called chosen above an open slot
    /// counts once that one is chosen, too. What that word was under way is not in it, nor that a
    /// leader may be deposed for up to twice its patience without knowing: for reads that may be
    /// stale, not for others.
    pub fn age(&self, group: GroupId, now: Instant) -> Option<Duration> {
        let current_at = self.group(group)?.current_at()?;
        Some(self.clock.peek(now).since(current_at))
    }

    /// Whether this node serves reads of `group` at the time `now` without asking
    /// anyone: see [`Lease`](crate::types::Lease).
    pub fn is_leased(&self, group: GroupId, now: Instant) -> bool {
        let until = self.group(group).and_then(|replica| replica.leased_until(&self.setting));
        until.is_some_and(|until| self.clock.peek(now) < until)
    }

    /// The groups of this node, ascending by id.
    pub fn groups(&self) -> impl Iterator<Item = &Replica> {
        self.groups.iter()
    }

    /// Which node this is.
    pub fn id(&self) -> NodeId {
        self.setting.me
    }

    /// Which life of it this is.
    pub fn incarnation(&self) -> Incarnation {
        self.setting.incarnation
    }

    /// Whether this node has ordered its own halt.
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// The last batch handed out and the last one known to be durable.
    pub fn writes(&self) -> (WriteId, WriteId) {
        (self.gate.issued(), self.gate.durable())
    }

    /// How many pledges wait for the disk.
    pub fn held_pledges(&self) -> usize {
        self.gate.held()
    }

    /// A sum over the whole state, equal for equal states on every machine.
    pub fn state_hash(&self) -> u64 {
        let mut hasher = StateHasher::default();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Checks what must hold after every step; for simulators and fuzzers. An
    /// error is a bug in this crate, never in the embedder.
    pub fn check(&self) -> Result<(), &'static str> {
        if !self.road.is_empty() {
            return Err("something is left on the road after a step");
        }
        self.groups.iter().try_for_each(|g| g.check(&self.setting))
    }

    fn on_received(&mut self, now: Instant, envelope: &mut Envelope, effects: &mut Effects) {
        let (group, from) = (envelope.group, envelope.from);
        // Messages to ourselves take another way in, past no network.
        if from == self.setting.me {
            return effects.push(Effect::Note(Notice::Ignored(Ignored::FromMyself)));
        }
        // At the bound, nothing more is promised or voted for; whatever else a peer
        // has to say costs no pledge.
        let binds = matches!(envelope.message, Message::Prepare(_) | Message::Accept(_));
        if binds && self.gate.held() >= self.setting.limits.held_pledges_max {
            return effects.push(Effect::Note(Notice::Ignored(Ignored::Overload(group, from))));
        }
        self.receive(now, envelope, effects);
    }

    fn on_persisted(&mut self, write: WriteId, effects: &mut Effects) {
        if !self.gate.on_persisted(write, &mut self.road, effects) {
            effects.push(Effect::Note(Notice::Ignored(Ignored::UnknownWrite(write))));
        }
    }

    fn halt(&mut self, reason: HaltReason, effects: &mut Effects) {
        self.halted = true;
        effects.push(Effect::Halt(reason));
    }

    fn tick(&mut self, now: Instant, effects: &mut Effects) {
        // First all that are due, then the ticks: a group that wants another tick
        // at once gets it in the next step, not in this one.
        self.arm();
        let due = core::iter::from_fn(|| self.agenda.take_due(now));
        let due: SmallVec<[usize; 8]> = due.take(TICK_GROUPS_MAX).collect();
        for at in due {
            self.hand(now, at, Event::Ticked, effects);
        }
    }

    fn tell_all(&mut self, now: Instant, event: impl Fn() -> Event, effects: &mut Effects) {
        for at in 0..self.groups.len() {
            self.hand(now, at, event(), effects);
        }
    }

    /// Takes in what this node has to say to itself until there is no more. What
    /// it writes down in between goes out as one batch, for nothing that follows
    /// from a pledge happens before the disk has answered.
    fn run_out(&mut self, now: Instant, effects: &mut Effects) {
        loop {
            while !self.road.is_halting()
                && let Some(mut envelope) = self.road.next_loopback()
            {
                self.receive(now, &mut envelope, effects);
            }
            if self.road.is_halting()
                && let Some(reason) = self.road.take_halt()
            {
                return self.halt(reason, effects);
            }
            if self.road.is_empty() {
                return;
            }
            self.gate.close(&mut self.road, effects);
        }
    }

    fn route(&mut self, now: Instant, group: GroupId, event: Event, effects: &mut Effects) {
        match self.find(group) {
            Some(at) => self.hand(now, at, event, effects),
            None => refuse(group, event, effects),
        }
    }

    /// Hands a message to its group.
    fn receive(&mut self, now: Instant, envelope: &mut Envelope, effects: &mut Effects) {
        let Some(at) = self.find(envelope.group) else {
            return unknown_group(envelope.group, effects);
        };
        let loan = Loan { now, setting: &self.setting, road: &mut self.road, effects };
        self.groups[at].on_received(envelope, loan);
        self.touch(at);
    }

    fn hand(&mut self, now: Instant, at: usize, event: Event, effects: &mut Effects) {
        let loan = Loan { now, setting: &self.setting, road: &mut self.road, effects };
        self.groups[at].on(event, loan);
        self.touch(at);
    }

    /// Takes in that something has happened to the group at this place.
    #[inline]
    fn touch(&mut self, at: usize) {
        if !self.agenda.touch(at) {
            self.make_room_for(at);
        }
    }

    /// The same, when as many are noted as there is room for.
    #[cold]
    fn make_room_for(&mut self, at: usize) {
        self.arm();
        self.agenda.touch(at);
    }

    /// Asks the groups to which something has happened when they want to be woken.
    fn arm(&mut self) {
        while let Some(at) = self.agenda.take_touched() {
            self.agenda.arm(at, self.groups[at].wake_at());
        }
    }

    #[inline]
    fn find(&self, group: GroupId) -> Option<usize> {
        // Mostly there is one.
        if self.groups.first().is_some_and(|first| first.id() == group) {
            return Some(0);
        }
        self.groups.binary_search_by_key(&group, Replica::id).ok()
    }
}

/// Answers for a group that is not here: even then every handle gets its answer.
fn refuse(group: GroupId, event: Event, effects: &mut Effects) {
    use crate::effect::{Declined, Outcome, TransferEnd};
    match event {
        Event::Proposed(first, commands) if !commands.is_empty() => {
            let (count, outcome) = (commands.len() as u32, Outcome::Redirected(None));
            effects.push(Effect::Resolve { group, first, count, outcome });
        }
        Event::MembersProposed(proposal, _) => {
            let outcome = Outcome::Redirected(None);
            effects.push(Effect::Resolve { group, first: proposal, count: 1, outcome });
        }
        Event::Queried(query) => {
            effects.push(Effect::Decline { group, query, why: Declined::NoLeader });
        }
        Event::TransferRequested(to) => {
            let end = TransferEnd::NotLeader;
            effects.push(Effect::Note(Notice::TransferEnded { group, to, end }));
        }
        _ => {}
    }
    unknown_group(group, effects);
}

fn unknown_group(group: GroupId, effects: &mut Effects) {
    effects.push(Effect::Note(Notice::Ignored(Ignored::UnknownGroup(group))));
}

#[cfg(test)]
mod tests;
