//! The loop: one thread, one poll, one turn after the other.
//!
//! A turn hears everyone out (peers, disk, clients), steps the core, and carries
//! out what it orders. All that clients ask in one turn travels together, each
//! peer and each client is written to once, and the disk gets one hand-over, or one
//! short write when all else is on its way. The order of sending and persisting does
//! not matter for safety: the core never hands out a message before it may leave.
//!
//! **Time.** The core is told a moment that was read *after* what it is told of had
//! arrived. Leases rest on that, twice. A voter keeps its word for so long after a
//! beat of the leader: counted from a moment before the beat was even sent, it would be
//! free while the leader still counts on it. And the leader serves a read if its lease
//! lasts: at a moment before the read was asked, it would have lasted, and somebody
//! else may have written since. So the clock is read again behind every reading of
//! sockets, and no step is told an earlier time than the one before. The other way
//! round is harmless: a beat is stamped by the leader with a moment before it leaves,
//! and what a slow turn adds in between only shortens the lease.

use std::io;
use std::time::Duration;

use mio::{Events, Poll};
use paxos_core::Node;
use paxos_core::effect::{Effects, HaltReason, Input};
use paxos_core::quorum::NodeSet;
use paxos_core::types::{GroupId, Incarnation, Instant, NodeId};

use super::carry_out;
use super::clock::{Clock, until};
use super::desk::Counter;
use super::info::Identity;
use super::journal::Journal;
use super::members::Members;
use super::reads::{self, Reads};
use super::room::Room;
use super::tally::Tally;
use crate::disk::Disk;
use crate::front::DamageFacts;
use crate::net::clients::Clients;
use crate::net::peers::{PeerFact, Peers};
use crate::net::{SIGNALS, WAKER};
use crate::record::Recorder;
use crate::store::Store;
use crate::vault::Vault;

/// The one group of a node.
pub(crate) const GROUP: GroupId = GroupId(0);

/// Why the loop has ended.
#[derive(Debug)]
pub(crate) enum End {
    /// A signal has asked for it.
    Asked,
    /// The core will take part no more, for this reason; the disk may know more.
    Halted(HaltReason, Option<String>),
    /// A peer has heard of this life of ours, and this node has not: it runs on an older
    /// copy of its disk.
    Outdated(NodeId, Incarnation),
    /// The system has failed us in a way that there is no going on from.
    Poll(io::Error),
}

/// Everything that a node is made of.
#[derive(Debug)]
pub(crate) struct EventLoop {
    pub(crate) poll: Poll,
    pub(crate) clock: Clock,
    pub(crate) core: Node,
    pub(crate) peers: Peers,
    pub(crate) disk: Disk,
    pub(crate) clients: Clients,
    pub(crate) counter: Counter,
    pub(crate) store: Store,
    pub(crate) reads: Reads,
    pub(crate) vault: Vault,
    pub(crate) journal: Journal,
    pub(crate) tally: Tally,
    pub(crate) members: Members,
    /// Writes down what the core is told, if anyone wants that.
    pub(crate) recorder: Option<Recorder>,
    /// Whom the peers were last told to be: everyone, and the version that says where.
    pub(super) reached: (NodeSet, u64),
    pub(crate) identity: Identity,
    /// What this process has found lost or damaged.
    pub(crate) damage: DamageFacts,
    /// Until when to be gone, once a signal has asked for it.
    pub(crate) leaving: Option<Instant>,
    /// Whether a peer was asked to lead because of that, or because the group goes on
    /// without this node.
    pub(crate) has_made_way: bool,
    pub(crate) room: Room,
    pub(crate) buffers: Buffers,
}

/// Memory that every turn uses anew.
#[derive(Debug)]
pub(crate) struct Buffers {
    events: Events,
    /// What a read reads into.
    pub(super) scratch: Box<[u8]>,
    pub(super) peer_facts: Vec<PeerFact>,
    pub(super) effects: Effects,
    /// Something is left to do that no event will tell of.
    has_more: bool,
}

impl Default for Buffers {
    fn default() -> Buffers {
        Buffers {
            events: Events::with_capacity(EVENTS_MAX),
            scratch: vec![0; SCRATCH_BYTES].into(),
            peer_facts: Vec::new(),
            effects: Effects::new(),
            has_more: true,
        }
    }
}

impl EventLoop {
    /// Turns until something ends it.
    pub(crate) fn run(mut self) -> End {
        loop {
            if let Err(end) = self.turn() {
                return end;
            }
        }
    }

    fn turn(&mut self) -> Result<(), End> {
        self.wait()?;
        self.tally.turns += 1;
        let more_from_peers = self.read_peers();
        self.remember_lives();
        let now = self.clock.now();
        self.hear_peers(now)?;
        self.hear_disk(now);
        self.hear_vault(now);
        self.read_clients(now);
        let now = self.clock.now();
        self.hear_clients(now);
        self.make_way(now);
        self.mind_room(now);
        if self.core.wake_at().is_some_and(|at| at <= now) {
            self.step(now, Input::Ticked);
        }
        carry_out::members(self, now);
        self.keep_record(now);
        carry_out::all(self, now)?;
        self.reach_members();
        self.flush(now);
        let is_written = self.disk.write();
        // What was asked is on its way: there may be time for this.
        self.store.machine().tidy();
        if self.leaving.is_some_and(|until| now >= until || self.has_left()) {
            return Err(End::Asked);
        }
        self.buffers.has_more = more_from_peers
            || is_written
            || !self.buffers.peer_facts.is_empty()
            // Who is about to leave hears nobody any more.
            || self.leaving.is_none() && self.clients.has_more()
            || self.counter.has_more()
            || reads::has_more(self)
            || self.counter.wants_checkpoint() && !self.vault.is_running();
        Ok(())
    }

    /// Writes to everyone. Whoever is written to wakes up, and may take the processor:
    /// so few clients go before the peers, who are mostly told of what is over. Many go
    /// after them: what they have asked meanwhile should be on its way first.
    fn flush(&mut self, now: Instant) {
        if self.clients.owing() <= FEW_CLIENTS {
            self.clients.flush(now, kv_is_full(&self.counter));
        }
        self.peers.flush(now, &mut self.buffers.peer_facts);
        self.clients.flush(now, kv_is_full(&self.counter));
    }

    /// Sleeps until there is something to do, and notes what it is.
    fn wait(&mut self) -> Result<(), End> {
        let timeout = self.timeout();
        let events = &mut self.buffers.events;
        match self.poll.poll(events, Some(timeout)) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(e) => return Err(End::Poll(e)),
            Ok(()) => {}
        }
        for event in &*events {
            match event.token() {
                SIGNALS if self.leaving.is_some() => return Err(End::Asked),
                SIGNALS => self.leaving = Some(self.clock.now() + LEAVING_MAX),
                // The disk and the vault are asked in every turn.
                WAKER => {}
                _ => _ = self.peers.on_event(event) || self.clients.on_event(event),
            }
        }
        Ok(())
    }

    fn timeout(&self) -> Duration {
        if self.buffers.has_more {
            return Duration::ZERO;
        }
        let now = self.clock.now();
        let wakes = [self.core.wake_at(), self.peers.wake_at(), self.leaving];
        let wait = wakes.into_iter().flatten().min().map_or(IDLE, |at| until(at, now));
        let wait = if self.members.is_busy() { wait.min(MEMBERS_PAUSE) } else { wait };
        wait.min(self.expiry_wait()).min(IDLE)
    }

    /// Has the peer lead that has come farthest, if this node leads and is to leave, or is
    /// no member any more.
    fn make_way(&mut self, now: Instant) {
        while let Some(to) = self.counter.take_transfer() {
            self.step(now, Input::TransferRequested { group: GROUP, to });
        }
        let Some(group) = self.core.group(GROUP) else { return };
        if !self.leads() {
            self.has_made_way &= self.leaving.is_some();
            return;
        }
        let next = group.newest_membership().mains();
        let is_removed = !next.contains(self.identity.node);
        if self.has_made_way || (self.leaving.is_none() && !is_removed) {
            return;
        }
        let staying = group.membership().voters().and(next);
        let up = staying.iter().filter(|id| self.peers.is_up(*id));
        match up.max_by_key(|id| group.progress(*id)) {
            Some(to) => {
                self.has_made_way = true;
                self.make_way_for(to, now);
            }
            // Where nobody stays, those who come take over once they decide.
            None => self.leaving = self.leaving.map(|_| now),
        }
    }

    /// Does what is to be done about a disk that is full, or has room again.
    fn mind_room(&mut self, now: Instant) {
        let is_full = self.counter.is_disk_full();
        if self.room.look(is_full, now) {
            self.journal.say(now, if is_full { DISK_IS_FULL } else { DISK_HAS_ROOM });
        }
        if !self.vault.is_running() && self.room.wants_checkpoint(now) {
            self.step(now, Input::CheckpointRequested { group: GROUP });
        }
        if !is_full || !self.leads() {
            return;
        }
        let Some(group) = self.core.group(GROUP) else { return };
        let others = group.membership().voters().without(NodeSet::of(self.identity.node));
        let up = others.iter().filter(|id| self.peers.is_up(*id));
        if let Some(to) = self.room.successor(now, up.map(|id| (id, group.progress(id)))) {
            self.make_way_for(to, now);
        }
    }

    fn make_way_for(&mut self, to: NodeId, now: Instant) {
        self.counter.note_own_transfer(to);
        self.step(now, Input::TransferRequested { group: GROUP, to });
    }

    /// Whether nobody is worse off when this node ends.
    fn has_left(&self) -> bool {
        !self.leads() && self.counter.outstanding() == 0 && reads::are_done(self)
    }

    /// Has the peers follow the membership.
    fn reach_members(&mut self) {
        let Some(group) = self.core.group(GROUP) else { return };
        // A leader that the group has removed still has to make way.
        let leader = group.leader().filter(|id| *id != self.identity.node);
        let everyone = group.everyone().or(leader.into_iter().collect());
        let wanted = (everyone, group.newest_membership().version());
        if wanted != self.reached {
            self.reached = wanted;
            let mut peers = self.members.peers(group);
            peers.extend(leader.filter(|id| !peers.contains_key(id)).map(|id| (id, None)));
            self.peers.reach(&peers, group.everyone().is_empty());
        }
    }

    pub(super) fn step(&mut self, now: Instant, input: Input) {
        let effects = &mut self.buffers.effects;
        let Some(recorder) = &mut self.recorder else {
            return self.core.step(now, input, effects);
        };
        let before = effects.len();
        recorder.hears(now, &input);
        self.core.step(now, input, effects);
        recorder.orders(effects.iter().skip(before));
    }

    /// Writes out what was recorded in this turn; a recorder that cannot is let go.
    fn keep_record(&mut self, now: Instant) {
        let Some(recorder) = &mut self.recorder else { return };
        if let Err(ended) = recorder.flush(&self.core) {
            self.recorder = None;
            self.journal.say(now, format_args!("records no more: {ended}"));
        }
    }

    pub(super) fn leads(&self) -> bool {
        self.core.group(GROUP).is_some_and(|g| g.standing() == paxos_core::Standing::Leader)
    }

    /// How long until the leader has to let time pass for a key that expires.
    fn expiry_wait(&self) -> Duration {
        match (self.store.machine().next_expiry(), self.counter.time_may_pass_at()) {
            (Some(expiry), Some(at)) if self.leads() => {
                Duration::from_millis(expiry.max(at).saturating_sub(self.clock.wall_ms()))
            }
            _ => IDLE,
        }
    }
}

fn kv_is_full(counter: &Counter) -> bool {
    use crate::net::client::Desk;
    counter.is_full()
}

const DISK_IS_FULL: &str =
    "the disk is full: takes no writes until there is room, and leads only if nobody else can";
const DISK_HAS_ROOM: &str = "the disk has room again";
/// How long a leader that was asked to end may take to hand over.
const LEAVING_MAX: Duration = Duration::from_millis(100);
/// Between two looks at a new member that is to catch up.
const MEMBERS_PAUSE: Duration = Duration::from_millis(5);
/// The longest sleep: now and then, someone is to be closed who does nothing.
const IDLE: Duration = Duration::from_secs(1);
/// How many clients are answered before the peers are told anything.
const FEW_CLIENTS: usize = 4;
/// Events heard in one turn; the rest waits in the system for the next.
const EVENTS_MAX: usize = 1024;
/// Bytes of one read.
const SCRATCH_BYTES: usize = 64 << 10;
