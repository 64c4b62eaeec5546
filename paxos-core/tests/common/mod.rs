//! A handful of nodes in one thread: a queue of messages, disks that answer when
//! told to, and a clock that a test turns by hand.
//!
//! Every step is watched: what two nodes deliver for one slot must be equal,
//! deliveries come without holes, every handle is answered at most once, a read
//! sees what anyone was told of before it was asked, and no pledge leaves a node
//! whose disk does not hold what it rests on.
#![allow(dead_code, unreachable_pub)]

mod alone;
mod asks;
pub mod behind;
mod disks;
mod leaders;
mod members;
mod network;
mod says;
mod vault;
mod watch;
pub mod weather;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use paxos_core::effect::{Effect, Effects, HaltReason, Input, Notice, Outcome};
use paxos_core::log::{Batch, Durable, Record};
pub use paxos_core::message::{Envelope, Message};
use paxos_core::quorum::Membership;
use paxos_core::types::{
    GroupId, Incarnation, Instant, Limits, NodeId, ProposalId, QueryId, Slot, Timing,
};
use paxos_core::{Config, GroupConfig, Node, Replica, Standing};

pub use network::Fate;
pub use says::*;
pub use vault::{State, Vault, next_after};

pub const GROUP: GroupId = GroupId(0);
pub const SECOND: Duration = Duration::from_secs(1);

/// One node with its disk and what it has done.
pub struct Host {
    pub node: Node,
    /// What is durable, record by record.
    pub records: Vec<Record>,
    /// What the durable records say.
    pub disk: Durable,
    /// What is on its way to the disk, and since when.
    pub unsynced: VecDeque<Batch>,
    pub ordered_at: VecDeque<Instant>,
    /// Where deliveries of this life began.
    pub applied: Slot,
    pub delivered: State,
    /// Its images.
    pub vault: Vault,
    pub halted: Option<HaltReason>,
    pub resolved: BTreeMap<ProposalId, Outcome>,
    pub served: BTreeMap<QueryId, Option<Slot>>,
    pub notices: Vec<Notice>,
    pub life: u64,
    pub up: bool,
}

/// All nodes and the network between them.
pub struct Cluster {
    pub hosts: BTreeMap<NodeId, Host>,
    pub network: VecDeque<(NodeId, Envelope)>,
    /// Messages that a whim has kept back.
    pub held: Vec<(NodeId, Envelope)>,
    pub now: Instant,
    /// Links that lose everything, one way each.
    pub cut: BTreeSet<(NodeId, NodeId)>,
    /// Whether disks answer at once.
    pub sync: bool,
    /// Disks that do not answer even then.
    pub stuck: BTreeSet<NodeId>,
    /// Vaults that do nothing by themselves.
    pub idle_vaults: BTreeSet<NodeId>,
    /// How large an image is.
    pub image_bytes: u64,
    /// How long a disk takes for each batch.
    pub sync_takes: Duration,
    pub limits: Limits,
    pub timing: Timing,
    /// Clocks that run fast or slow, in parts in a million.
    pub drift: BTreeMap<NodeId, i64>,
    /// Who founded the group.
    pub membership: Membership,
    /// What names disks; who is not here has a disk without a name.
    pub disk_names: BTreeMap<NodeId, u64>,
    /// How willingly nodes lead that are not like the others.
    pub priorities: BTreeMap<NodeId, u8>,
    /// Founders that came back as if they were new.
    pub joined: BTreeSet<NodeId>,
    /// Someone who is shown everything that happens.
    pub witness: Option<Witness>,
    whim: Option<network::Whim>,
    watch: watch::Watch,
    next_handle: u64,
}

/// Something that happens, to be shown.
pub enum Seen<'a> {
    /// A node is about to take in this.
    Steps(NodeId, &'a Input),
    /// It has, and orders this.
    Stepped(NodeId, &'a Node, &'a [Effect]),
    /// A message to this node does not arrive.
    Lost(NodeId, &'a Envelope),
    /// A message comes to this node, which is down.
    NobodyHome(NodeId, &'a Envelope),
}

/// Is shown what happens, and when.
pub type Witness = Box<dyn FnMut(Instant, Seen<'_>)>;

impl Cluster {
    pub fn new(nodes: u16) -> Cluster {
        Cluster::with(Membership::majority((1..=nodes).map(NodeId)), Limits::default())
    }

    pub fn with(membership: Membership, limits: Limits) -> Cluster {
        Cluster::timed(membership, limits, Timing::default(), BTreeMap::new())
    }

    pub fn timed(
        membership: Membership,
        limits: Limits,
        timing: Timing,
        drift: BTreeMap<NodeId, i64>,
    ) -> Cluster {
        let mut cluster = Cluster {
            hosts: BTreeMap::new(),
            network: VecDeque::new(),
            held: Vec::new(),
            now: Instant::from_micros(1_000_000),
            cut: BTreeSet::new(),
            sync: true,
            stuck: BTreeSet::new(),
            idle_vaults: BTreeSet::new(),
            image_bytes: 1000,
            sync_takes: Duration::ZERO,
            limits,
            timing,
            drift,
            membership,
            disk_names: BTreeMap::new(),
            priorities: BTreeMap::new(),
            joined: BTreeSet::new(),
            witness: None,
            whim: None,
            watch: watch::Watch::default(),
            next_handle: 0,
        };
        for id in cluster.membership.voters().iter() {
            let host = cluster.boot(id, Vec::new(), 1, Slot::FIRST, Vault::default());
            cluster.hosts.insert(id, host);
        }
        cluster
    }

    fn boot(
        &self,
        id: NodeId,
        records: Vec<Record>,
        life: u64,
        applied: Slot,
        vault: Vault,
    ) -> Host {
        let founder = self.membership.voters().contains(id) && !self.joined.contains(&id);
        let told = if founder { self.membership.clone() } else { Membership::unknown() };
        let mut group = GroupConfig::new(GROUP, told);
        group.checkpoint = vault.newest().map(|(image, _)| image.clone());
        group.partial = vault.aside.map(|(image, stored, _)| (image, stored));
        // A machine that kept nothing of its own goes on from the image.
        let found = vault.newest().map_or(Vec::new(), |(_, state)| state.clone());
        let kept = applied > next_after(&found);
        let applied = if kept { applied } else { next_after(&found) };
        let delivered = if kept { Vec::new() } else { found };
        group.applied = applied;
        let config = Config {
            node: id,
            incarnation: Incarnation(life),
            disk: self.disk_names.get(&id).copied().unwrap_or(0),
            priority: self.priorities.get(&id).copied().unwrap_or(Config::PRIORITY),
            seed: u64::from(id.0) * 77,
            groups: vec![group],
            timing: self.timing.clone(),
            limits: self.limits.clone(),
        };
        let mut disk = Durable::default();
        for record in &records {
            disk.replay(record.clone()).expect("a node's own records follow each other");
        }
        let node =
            Node::restore(config, disk.clone(), self.local(id)).expect("a sound configuration");
        Host {
            node,
            records,
            disk,
            unsynced: VecDeque::new(),
            ordered_at: VecDeque::new(),
            applied,
            delivered,
            vault,
            halted: None,
            resolved: BTreeMap::new(),
            served: BTreeMap::new(),
            notices: Vec::new(),
            life,
            up: true,
        }
    }

    pub fn host(&self, id: NodeId) -> &Host {
        &self.hosts[&id]
    }

    pub fn host_mut(&mut self, id: NodeId) -> &mut Host {
        self.hosts.get_mut(&id).expect("a node of this cluster")
    }

    /// What the node says of itself.
    pub fn replica(&self, id: NodeId) -> &Replica {
        self.hosts[&id].node.group(GROUP).expect("the group")
    }

    pub fn step(&mut self, id: NodeId, input: Input) -> Vec<Effect> {
        let now = self.local(id);
        let host = self.hosts.get_mut(&id).expect("a node of this cluster");
        if !host.up {
            return Vec::new();
        }
        let mut effects = Effects::new();
        if let Some(witness) = &mut self.witness {
            witness(self.now, Seen::Steps(id, &input));
        }
        host.node.step(now, input, &mut effects);
        host.node.check().expect("invariants");
        let seen: Vec<Effect> = effects.drain().collect();
        if let Some(witness) = &mut self.witness {
            witness(self.now, Seen::Stepped(id, &host.node, &seen));
        }
        self.watch.on_step(id, host, &seen);
        let leased = self.leased();
        assert!(leased.len() <= 1, "{leased:?} hold a lease at once");
        for effect in seen.clone() {
            self.carry_out(id, effect);
        }
        seen
    }

    /// Who serves reads without asking, at this very moment.
    pub fn leased(&self) -> Vec<NodeId> {
        let up = self.hosts.iter().filter(|(_, h)| h.up);
        up.filter(|(id, h)| h.node.is_leased(GROUP, self.local(**id))).map(|(id, _)| *id).collect()
    }

    /// What a node's clock says now.
    pub fn local(&self, id: NodeId) -> Instant {
        let rate = (1_000_000 + self.drift.get(&id).copied().unwrap_or_default()) as u128;
        Instant::from_micros((u128::from(self.now.as_micros()) * rate / 1_000_000) as u64)
    }

    /// When a node's clock will say `at`.
    fn when(&self, id: NodeId, at: Instant) -> Instant {
        let rate = (1_000_000 + self.drift.get(&id).copied().unwrap_or_default()) as u128;
        let micros = u128::from(at.as_micros()) * 1_000_000;
        Instant::from_micros(micros.div_ceil(rate) as u64)
    }

    /// Hands a node a message as if a peer had sent it.
    pub fn tell(&mut self, to: NodeId, from: NodeId, message: impl Into<Message>) -> Vec<Effect> {
        let disk = self.disk_names.get(&from).copied().unwrap_or(0);
        let message = message.into();
        self.step(to, Input::Received(Envelope { group: GROUP, from, disk, message }))
    }

    fn carry_out(&mut self, id: NodeId, effect: Effect) {
        let host = self.hosts.get_mut(&id).expect("a node of this cluster");
        match effect {
            Effect::Send { to, envelope } => {
                for to in to.iter() {
                    self.network.push_back((to, envelope.clone()));
                }
            }
            Effect::Persist(batch) => {
                host.unsynced.push_back(batch);
                host.ordered_at.push_back(self.now);
            }
            Effect::Deliver { run, .. } => {
                host.delivered.extend(run.iter().map(|(slot, value)| (slot, value.clone())));
            }
            Effect::Resolve { first, count, outcome, .. } => {
                for (proposal, outcome) in outcome.each(first, count) {
                    assert!(host.resolved.insert(proposal, outcome).is_none(), "answered twice");
                }
            }
            Effect::Serve { query, at, .. } => {
                assert!(host.served.insert(query, Some(at)).is_none(), "answered twice");
            }
            Effect::Decline { query, .. } => {
                assert!(host.served.insert(query, None).is_none(), "answered twice");
            }
            Effect::Capture { .. }
            | Effect::Load { .. }
            | Effect::Store { .. }
            | Effect::Install { .. } => host.vault.order(effect, &host.delivered),
            Effect::Note(notice) => host.notices.push(notice),
            Effect::Halt(reason) => {
                host.up = false;
                host.halted = Some(reason);
            }
        }
    }

    /// Delivers messages and syncs disks until nothing is under way.
    pub fn settle(&mut self) {
        for _ in 0..1_000_000 {
            let synced = self.sync && self.sync_all();
            let synced = self.work_all() || synced;
            match self.network.pop_front() {
                Some((to, envelope)) => self.pass_on(to, envelope),
                None if synced => {}
                None => return,
            }
        }
        let next: Vec<_> = self.network.iter().take(4).collect();
        panic!("the cluster does not come to rest: {} messages, {next:?}", self.network.len());
    }

    /// When the next thing happens by itself: a deadline, or a slow disk is done.
    fn next_event(&self) -> Option<Instant> {
        let up = || self.hosts.iter().filter(|(_, h)| h.up);
        let wake = up().filter_map(|(id, h)| Some(self.when(*id, h.node.wake_at()?))).min();
        let syncs = self.sync && !self.sync_takes.is_zero();
        let slow = up().filter(|(id, _)| syncs && !self.stuck.contains(id));
        let done = slow.filter_map(|(_, h)| Some(*h.ordered_at.front()? + self.sync_takes)).min();
        wake.into_iter().chain(done).min()
    }

    /// Syncs the disks and delivers one message, if there is one.
    pub fn deliver_one(&mut self) {
        self.sync_all();
        if let Some((to, envelope)) = self.network.pop_front() {
            self.pass_on(to, envelope);
        }
    }

    /// Delivers what is under way and syncs the disks: as long as a message takes. What is
    /// sent meanwhile is for the next hop.
    pub fn hop(&mut self) {
        for _ in 0..self.network.len() {
            if let Some((to, envelope)) = self.network.pop_front() {
                self.pass_on(to, envelope);
            }
        }
        while self.sync_all() {}
    }

    fn pass_on(&mut self, to: NodeId, envelope: Envelope) {
        if let (false, Some(witness)) = (self.hosts[&to].up, &mut self.witness) {
            witness(self.now, Seen::NobodyHome(to, &envelope));
        }
        match self.fate(to, &envelope) {
            Fate::Lose => {
                if let Some(witness) = &mut self.witness {
                    witness(self.now, Seen::Lost(to, &envelope));
                }
            }
            Fate::Hold => self.held.push((to, envelope)),
            Fate::Deliver => {
                self.step(to, Input::Received(envelope));
            }
            Fate::Twice => {
                self.step(to, Input::Received(envelope.clone()));
                self.step(to, Input::Received(envelope));
            }
        }
    }

    /// Turns the clock by `span`, tick by tick, settling in between.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let mut stood = 0;
        loop {
            self.settle();
            let Some(next) = self.next_event().filter(|at| *at <= end) else { break };
            stood = if next > self.now { 0 } else { stood + 1 };
            assert!(stood < 1000, "ticks do not move the time to wake");
            self.now = self.now.max(next);
            self.tick();
        }
        self.now = end;
    }

    /// Ticks every node that is due.
    fn tick(&mut self) {
        let due =
            |id: NodeId, h: &Host| h.up && h.node.wake_at().is_some_and(|at| at <= self.local(id));
        let ids: Vec<NodeId> =
            self.hosts.iter().filter(|(id, h)| due(**id, h)).map(|(id, _)| *id).collect();
        for id in ids {
            self.step(id, Input::Ticked);
        }
    }
}
