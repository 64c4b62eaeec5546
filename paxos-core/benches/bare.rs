//! What the core costs by itself: three (or five) replicas in one thread, messages
//! handed over directly, writes acknowledged at once.
//!
//! `cargo bench -p paxos-core --bench bare` prints nanoseconds and heap
//! allocations per chosen command, the median of several rounds. One command is
//! chosen when the leader answers it; each replica delivers it too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant as Wall};

use bytes::Bytes;
use paxos_core::effect::{Effect, Effects, Input, Outcome};
use paxos_core::log::Durable;
use paxos_core::message::Envelope;
use paxos_core::quorum::Membership;
use paxos_core::types::{
    Command, Commands, GroupId, Incarnation, Instant, Limits, NodeId, ProposalId, Timing,
};
use paxos_core::{Config, GroupConfig, Node, Standing};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

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

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const GROUP: GroupId = GroupId(0);
const ROUNDS: usize = 7;

/// Nodes that hand each other messages.
struct Bench {
    nodes: Vec<Node>,
    inbox: Vec<(usize, Envelope)>,
    spare: Vec<(usize, Envelope)>,
    effects: Effects,
    now: Instant,
    answered: u64,
    delivered: u64,
}

impl Bench {
    fn new(nodes: u16) -> Bench {
        let membership = Membership::majority((1..=nodes).map(NodeId));
        let boot = |id| {
            let config = Config {
                node: NodeId(id),
                incarnation: Incarnation(1),
                disk: 0,
                priority: Config::PRIORITY,
                seed: u64::from(id),
                groups: vec![GroupConfig::new(GROUP, membership.clone())],
                timing: Timing::default(),
                limits: Limits::default(),
            };
            Node::restore(config, Durable::default(), Instant::default()).expect("sound")
        };
        let mut bench = Bench {
            nodes: (1..=nodes).map(boot).collect(),
            inbox: Vec::new(),
            spare: Vec::new(),
            effects: Effects::new(),
            now: Instant::default(),
            answered: 0,
            delivered: 0,
        };
        while bench.leader().is_none() {
            bench.now = bench.now + Duration::from_millis(10);
            (0..bench.nodes.len()).for_each(|at| bench.step(at, Input::Ticked));
            bench.settle();
        }
        bench
    }

    fn leader(&self) -> Option<usize> {
        self.nodes
            .iter()
            .position(|n| n.group(GROUP).is_some_and(|g| g.standing() == Standing::Leader))
    }

    fn step(&mut self, at: usize, input: Input) {
        self.nodes[at].step(self.now, input, &mut self.effects);
        let mut written = None;
        for effect in self.effects.drain() {
            match effect {
                Effect::Send { to, envelope } => {
                    for id in to.iter() {
                        self.inbox.push((usize::from(id.0) - 1, envelope.clone()));
                    }
                }
                Effect::Persist(batch) => written = Some(batch.id),
                Effect::Resolve { count, outcome: Outcome::Chosen(_), .. } => {
                    self.answered += u64::from(count);
                }
                Effect::Deliver { run, .. } => self.delivered += run.len() as u64,
                _ => {}
            }
        }
        if let Some(id) = written {
            self.step(at, Input::Persisted(id));
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

/// Nanoseconds and allocations per command with `window` of them under way.
fn measure(nodes: u16, bytes: usize, window: usize) -> (f64, f64) {
    let total: u64 = if window == 1 { 200_000 } else { 1_000_000 };
    let mut bench = Bench::new(nodes);
    let leader = bench.leader().expect("elected");
    let run = |bench: &mut Bench, total: u64| {
        let goal = bench.answered + total;
        let mut next = bench.answered;
        while bench.answered < goal {
            let commands = (0..window).map(|_| Command::plain(Bytes::from(vec![7; bytes])));
            let commands = commands.collect::<Commands>();
            bench.step(leader, Input::Proposed { group: GROUP, first: ProposalId(next), commands });
            next += window as u64;
            bench.settle();
        }
    };
    run(&mut bench, 10_000);
    let allocations = ALLOCATIONS.load(Ordering::Relaxed);
    let started = Wall::now();
    run(&mut bench, total);
    let nanos = started.elapsed().as_nanos() as f64 / total as f64;
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
    (nanos, allocations as f64 / total as f64)
}

fn main() {
    println!("bare core, one thread, ns and heap allocations per chosen command");
    println!("| nodes | bytes | window | ns (min..max of {ROUNDS}) | allocations |");
    println!("|------:|------:|-------:|-------------------:|------------:|");
    for (nodes, bytes) in [(3, 64), (3, 1024), (5, 64)] {
        for window in [1, 16, 64, 256] {
            let mut rounds: Vec<(f64, f64)> =
                (0..ROUNDS).map(|_| measure(nodes, bytes, window)).collect();
            rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (nanos, allocations) = rounds[ROUNDS / 2];
            let (min, max) = (rounds[0].0, rounds[ROUNDS - 1].0);
            println!(
                "| {nodes} | {bytes} | {window} | {nanos:.0} ({min:.0}..{max:.0}) | {allocations:.2} |"
            );
        }
    }
}
