//! A handful of nodes in one thread: a queue of messages, disks that answer when
//! told to, and a clock that a test turns by hand.
#![allow(dead_code, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use paxos_core::effect::{Effect, Effects, Input, Outcome};
use paxos_core::log::{Batch, Durable, Record};
use paxos_core::message::{Envelope, Message};
use paxos_core::quorum::Membership;
use paxos_core::types::{
    Command, GroupId, Incarnation, Instant, Limits, NodeId, ProposalId, QueryId, Slot, Timing,
    Value,
};
use paxos_core::{Config, GroupConfig, Node, Standing};

pub const GROUP: GroupId = GroupId(0);

/// One node with its disk and what it has done.
pub struct Host {
    pub node: Node,
    /// What is durable.
    pub records: Vec<Record>,
    /// What is on its way to the disk.
    pub unsynced: VecDeque<Batch>,
    pub delivered: Vec<(Slot, Value)>,
    pub resolved: BTreeMap<ProposalId, Outcome>,
    pub served: BTreeMap<QueryId, Option<Slot>>,
    pub life: u64,
    pub up: bool,
}

/// All nodes and the network between them.
pub struct Cluster {
    pub hosts: BTreeMap<NodeId, Host>,
    pub network: VecDeque<(NodeId, Envelope)>,
    pub now: Instant,
    /// Links that lose everything, one way each.
    pub cut: BTreeSet<(NodeId, NodeId)>,
    /// Whether disks answer at once.
    pub sync: bool,
    pub limits: Limits,
    pub membership: Membership,
    next_handle: u64,
}

pub fn n(id: u16) -> NodeId {
    NodeId(id)
}

impl Cluster {
    pub fn new(nodes: u16) -> Cluster {
        Cluster::with(Membership::majority((1..=nodes).map(NodeId)), Limits::default())
    }

    pub fn with(membership: Membership, limits: Limits) -> Cluster {
        let mut cluster = Cluster {
            hosts: BTreeMap::new(),
            network: VecDeque::new(),
            now: Instant::from_micros(1_000_000),
            cut: BTreeSet::new(),
            sync: true,
            limits,
            membership,
            next_handle: 0,
        };
        for id in cluster.membership.voters().iter() {
            let host = cluster.boot(id, Vec::new(), 1);
            cluster.hosts.insert(id, host);
        }
        cluster
    }

    fn boot(&self, id: NodeId, records: Vec<Record>, life: u64) -> Host {
        let config = Config {
            node: id,
            incarnation: Incarnation(life),
            seed: u64::from(id.0) * 77,
            groups: vec![GroupConfig::new(GROUP, self.membership.clone())],
            timing: Timing::default(),
            limits: self.limits.clone(),
        };
        let mut durable = Durable::default();
        for record in &records {
            durable.replay(record.clone()).expect("a node's own records follow each other");
        }
        let node = Node::restore(config, durable, self.now).expect("a sound configuration");
        Host {
            node,
            records,
            unsynced: VecDeque::new(),
            delivered: Vec::new(),
            resolved: BTreeMap::new(),
            served: BTreeMap::new(),
            life,
            up: true,
        }
    }

    pub fn host(&self, id: NodeId) -> &Host {
        &self.hosts[&id]
    }

    pub fn step(&mut self, id: NodeId, input: Input) -> Vec<Effect> {
        let now = self.now;
        let host = self.hosts.get_mut(&id).expect("a node of this cluster");
        if !host.up {
            return Vec::new();
        }
        let mut effects = Effects::new();
        host.node.step(now, input, &mut effects);
        host.node.check().expect("invariants");
        let seen: Vec<Effect> = effects.drain().collect();
        for effect in seen.clone() {
            self.carry_out(id, effect);
        }
        seen
    }

    fn carry_out(&mut self, id: NodeId, effect: Effect) {
        let host = self.hosts.get_mut(&id).expect("a node of this cluster");
        match effect {
            Effect::Send { to, envelope } => {
                for to in to.iter() {
                    self.network.push_back((to, envelope.clone()));
                }
            }
            Effect::Persist(batch) => host.unsynced.push_back(batch),
            Effect::Deliver { slot, value, .. } => host.delivered.push((slot, value)),
            Effect::Resolve { proposal, outcome, .. } => {
                assert!(host.resolved.insert(proposal, outcome).is_none(), "answered twice");
            }
            Effect::Serve { query, at, .. } => {
                assert!(host.served.insert(query, Some(at)).is_none(), "answered twice");
            }
            Effect::Decline { query, .. } => {
                assert!(host.served.insert(query, None).is_none(), "answered twice");
            }
            Effect::Note(_) => {}
            Effect::Halt(_) => host.up = false,
        }
    }

    /// Makes everything durable that a node has ordered so far.
    pub fn sync_disk(&mut self, id: NodeId) -> Vec<Effect> {
        let host = self.hosts.get_mut(&id).expect("a node of this cluster");
        let mut last = None;
        for batch in host.unsynced.drain(..) {
            host.records.extend(batch.records);
            last = Some(batch.id);
        }
        last.map_or_else(Vec::new, |id_| self.step(id, Input::Persisted(id_)))
    }

    /// Delivers messages and syncs disks until nothing is under way.
    pub fn settle(&mut self) {
        for _ in 0..1_000_000 {
            if self.sync {
                for id in self.membership.voters().iter() {
                    if self.hosts[&id].up {
                        self.sync_disk(id);
                    }
                }
            }
            let Some((to, envelope)) = self.network.pop_front() else {
                if self.sync && self.hosts.values().any(|h| h.up && !h.unsynced.is_empty()) {
                    continue;
                }
                return;
            };
            if !self.cut.contains(&(envelope.from, to)) {
                self.step(to, Input::Received(envelope));
            }
        }
        panic!("the cluster does not come to rest");
    }

    /// Turns the clock by `span`, tick by tick, settling in between.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.settle();
            let up = self.hosts.values().filter(|h| h.up);
            let next = up.filter_map(|h| h.node.wake_at()).min().unwrap_or(end);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            let due: Vec<NodeId> = self
                .hosts
                .iter()
                .filter(|(_, h)| h.up && h.node.wake_at().is_some_and(|at| at <= self.now))
                .map(|(id, _)| *id)
                .collect();
            for id in due {
                self.step(id, Input::Ticked);
            }
        }
        self.now = end;
    }

    /// Runs until one node leads and everyone who hears it follows.
    pub fn elect(&mut self) -> NodeId {
        for _ in 0..100 {
            self.run(Duration::from_millis(100));
            if let Some(leader) = self.leader() {
                return leader;
            }
        }
        panic!("nobody was elected");
    }

    /// The leader of the highest ballot among the nodes that are up.
    pub fn leader(&self) -> Option<NodeId> {
        let view = |h: &Host| h.node.group(GROUP).expect("the group").own_ballot();
        self.hosts
            .iter()
            .filter(|(_, h)| h.up)
            .filter(|(_, h)| h.node.group(GROUP).is_some_and(|g| g.standing() == Standing::Leader))
            .max_by_key(|(_, h)| view(h))
            .map(|(id, _)| *id)
    }

    pub fn propose(&mut self, id: NodeId, payload: &str) -> ProposalId {
        self.next_handle += 1;
        let first = ProposalId(self.next_handle);
        let command = Command::plain(Bytes::copy_from_slice(payload.as_bytes()));
        let commands = [command].into_iter().collect();
        self.step(id, Input::Proposed { group: GROUP, first, commands });
        first
    }

    pub fn query(&mut self, id: NodeId) -> QueryId {
        self.next_handle += 1;
        let query = QueryId(self.next_handle);
        self.step(id, Input::Queried { group: GROUP, query });
        query
    }

    /// Loses a node's memory and whatever its disk had not answered for.
    pub fn crash(&mut self, id: NodeId) {
        self.hosts.get_mut(&id).expect("a node").up = false;
    }

    /// Starts a node again from its disk.
    pub fn restart(&mut self, id: NodeId) {
        let host = &self.hosts[&id];
        let booted = self.boot(id, host.records.clone(), host.life + 1);
        self.hosts.insert(id, booted);
    }

    pub fn cut_both(&mut self, a: NodeId, b: NodeId) {
        self.cut.insert((a, b));
        self.cut.insert((b, a));
    }

    pub fn isolate(&mut self, id: NodeId) {
        for other in self.membership.voters().iter().filter(|o| *o != id) {
            self.cut_both(id, other);
        }
    }

    /// The payloads that a node has delivered, without no-ops.
    pub fn payloads(&self, id: NodeId) -> Vec<String> {
        let text = |v: &Value| match v {
            Value::Command(c) => Some(String::from_utf8_lossy(&c.payload).into_owned()),
            Value::Noop => None,
        };
        self.hosts[&id].delivered.iter().filter_map(|(_, v)| text(v)).collect()
    }
}

/// The messages among effects, by name, with their receivers.
pub fn sent<'a>(effects: &'a [Effect], name: &str) -> Vec<&'a Message> {
    effects
        .iter()
        .filter_map(|e| match e {
            Effect::Send { envelope, .. } if envelope.message.name() == name => {
                Some(&envelope.message)
            }
            _ => None,
        })
        .collect()
}
