//! Nodes in one thread that hand each other messages, with writes that are durable at
//! once: nothing is measured but the core.

#![allow(dead_code, unreachable_pub, reason = "each user takes what it needs")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use paxos_core::effect::{Effect, Effects, Input, Outcome};
use paxos_core::log::Durable;
use paxos_core::message::Envelope;
use paxos_core::quorum::Membership;
use paxos_core::types::{
    Command, Commands, GroupId, Image, Incarnation, Instant, Limits, NodeId, ProposalId, Timing,
};
use paxos_core::{Config, GroupConfig, Node, Standing};

/// Counts allocations of the whole process.
pub struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// How often memory was asked for so far.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

// SAFETY: hands every call to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

/// What the nodes of a bench are, and what they carry beside their work.
#[derive(Clone, Copy)]
pub struct Shape {
    pub nodes: u16,
    /// How many more do not vote, and ask for nothing.
    pub learners: u16,
    /// Groups that nothing is proposed to, before the one that is measured.
    pub idle_groups: u64,
    /// Slots between checkpoints: memory comes round again, as it does in service.
    pub checkpoint_slots: u64,
}

impl Shape {
    /// Nothing but so many nodes.
    pub fn of(nodes: u16) -> Shape {
        Shape { nodes, learners: 0, idle_groups: 0, checkpoint_slots: 1 << 14 }
    }
}

const KEEP_SLOTS: u64 = 1 << 10;

/// Nodes that hand each other messages.
pub struct Bench {
    nodes: Vec<Node>,
    group: GroupId,
    /// Whether this is no warming up any more.
    pub is_counted: bool,
    leader: usize,
    inbox: Vec<(usize, Envelope)>,
    spare: Vec<(usize, Envelope)>,
    effects: Effects,
    now: Instant,
    answered: u64,
    delivered: u64,
}

impl Bench {
    /// These nodes, one of which leads.
    pub fn new(shape: Shape) -> Bench {
        let Shape { nodes: voters, learners, checkpoint_slots, .. } = shape;
        let membership = Membership::majority((1..=voters).map(NodeId))
            .with_learners((voters + 1..=voters + learners).map(NodeId));
        let limits = Limits { checkpoint_slots, keep_slots: KEEP_SLOTS, ..Limits::default() };
        let group = GroupId(shape.idle_groups);
        let boot = |id| {
            let config = Config {
                node: NodeId(id),
                incarnation: Incarnation(1),
                disk: 0,
                priority: Config::PRIORITY,
                seed: u64::from(id),
                groups: (0..=group.0)
                    .map(|id| GroupConfig::new(GroupId(id), membership.clone()))
                    .collect(),
                timing: Timing::default(),
                limits: limits.clone(),
            };
            Node::restore(config, Durable::default(), Instant::default()).expect("sound")
        };
        let mut bench = Bench {
            nodes: (1..=voters).map(boot).collect(),
            group,
            is_counted: false,
            leader: 0,
            inbox: Vec::new(),
            spare: Vec::new(),
            effects: Effects::new(),
            now: Instant::default(),
            answered: 0,
            delivered: 0,
        };
        loop {
            bench.now = bench.now + Duration::from_millis(10);
            (0..bench.nodes.len()).for_each(|at| bench.step(at, Input::Ticked));
            bench.settle();
            let leads = |n: &Node| n.group(group).is_some_and(|g| g.standing() == Standing::Leader);
            if let Some(leader) = bench.nodes.iter().position(leads) {
                bench.leader = leader;
                return bench;
            }
        }
    }

    /// Has `total` more commands of so many bytes chosen and delivered everywhere, each
    /// time `window` of them at once.
    pub fn run(&mut self, total: u64, window: usize, bytes: usize) {
        let goal = self.answered + total;
        let mut next = self.answered;
        let mut read = Vec::new();
        while self.answered < goal {
            read.extend((0..window).map(|_| Command::plain(Bytes::from(vec![7; bytes]))));
            let commands = read.drain(..).collect::<Commands>();
            let first = ProposalId(next);
            self.step(self.leader, Input::Proposed { group: self.group, first, commands });
            next += window as u64;
            self.settle();
        }
        // The last announcement may be under way to a follower that is asked nothing else.
        let nodes = self.nodes.len() as u64;
        assert_eq!(self.delivered, self.answered * nodes, "every replica delivers every command");
    }

    fn step(&mut self, at: usize, input: Input) {
        if at == self.leader && self.is_counted {
            lead(&mut self.nodes[at], self.now, input, &mut self.effects);
        } else {
            self.nodes[at].step(self.now, input, &mut self.effects);
        }
        if self.effects.is_empty() {
            return;
        }
        let nodes = self.nodes.len();
        let mut written = None;
        let mut captured = None;
        for effect in &self.effects {
            match effect {
                Effect::Send { to, envelope } => {
                    // Made in its place: envelopes are large.
                    for at in to.iter().map(|id| usize::from(id.0) - 1).filter(|at| *at < nodes) {
                        self.inbox.extend(std::iter::once_with(|| (at, envelope.clone())));
                    }
                }
                Effect::Persist(batch) => written = Some(batch.id),
                Effect::Resolve { count, outcome: Outcome::Chosen(_), .. } => {
                    self.answered += u64::from(*count);
                }
                Effect::Deliver { run, .. } => self.delivered += run.len() as u64,
                Effect::Capture { checkpoint, .. } => captured = Some(checkpoint.clone()),
                _ => {}
            }
        }
        self.effects.clear();
        if let Some(id) = written {
            self.step(at, Input::Persisted(id));
        }
        if let Some(checkpoint) = captured {
            let image = Image { checkpoint, bytes: 0, digest: 0 };
            self.step(at, Input::Captured { group: self.group, image });
        }
    }

    fn settle(&mut self) {
        while !self.inbox.is_empty() {
            let mut batch = std::mem::replace(&mut self.inbox, std::mem::take(&mut self.spare));
            for (at, envelope) in batch.drain(..) {
                self.step(at, Input::Received(envelope));
            }
            self.spare = batch;
        }
    }
}

/// A step of the leader, to be counted by itself.
#[inline(never)]
fn lead(leader: &mut Node, now: Instant, input: Input, effects: &mut Effects) {
    leader.step(now, input, effects);
}
