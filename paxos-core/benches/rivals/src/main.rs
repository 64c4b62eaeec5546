//! What a chosen command costs: `paxos-core` beside two other libraries, and beside a
//! loop that only hands the messages around.
//!
//! ```console
//! $ cargo run --release --manifest-path paxos-core/benches/rivals/Cargo.toml
//! ```
//!
//! All replicas live in one thread, hand each other their messages directly, and have
//! their writes acknowledged at once: nothing is measured but the libraries. A round
//! has so many commands chosen, and delivered by every replica, each time a window of
//! them at once. Rounds of the four take turns, so that what else the machine does
//! falls on all alike; the table shows medians.
//!
//! A package of its own, with a lock of its own: what is only compared with is neither
//! built nor locked by the workspace.
//!
//! Each is used as its documentation says, in the fastest sane way found:
//!
//! * [`ours`]: proposals of a window in one run, as an event loop makes them.
//! * [`raft_rs`]: crate `raft`, protobuf's messages with shared payloads (never
//!   encoded), appends batched and unlimited, no pre-vote or quorum checks, its own
//!   memory storage, one `Ready` for each replica and turn.
//! * [`omni`]: crate `omnipaxos`, payloads shared by `Arc`, its own memory storage; the
//!   leader's messages are taken once a window, which merges what is appended into
//!   one message for each follower. Its own batching (`batch_size`) was tried and is
//!   slower: it copies every entry once more.
//! * [`limit`]: as many messages as Multi-Paxos needs, of the same shared runs, and
//!   nobody who looks at them.
//!
//! All but the limit forget old entries as ours forgets old slots: every 16,384,
//! keeping 1,024. None encodes anything; none but ours sums up what is chosen, holds
//! messages back until a write is durable, or keeps deadlines for each proposal.
//! Compiled together, with the same settings.

#[path = "../../support/mod.rs"]
mod support;

mod limit;
mod omni;
mod ours;
mod raft_rs;

use std::time::Instant;

use support::{Counting, allocations};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 7;

/// Entries between two times at which old ones are forgotten, and how many are kept.
const FORGET_EVERY: u64 = 1 << 14;
const KEEP: u64 = 1 << 10;

/// Replicas in one thread.
trait Contender {
    /// Has `total` more commands of so many bytes chosen and delivered everywhere, each
    /// time `window` of them at once.
    fn run(&mut self, total: u64, window: usize, bytes: usize);
}

/// Nanoseconds and allocations per command.
type Cost = (f64, f64);

fn measure(contender: &mut dyn Contender, window: usize, bytes: usize) -> Cost {
    let total: u64 = if window == 1 { 40_000 } else { 200_000 / window as u64 * window as u64 };
    let allocated = allocations();
    let started = Instant::now();
    contender.run(total, window, bytes);
    let nanos = started.elapsed().as_nanos() as f64 / total as f64;
    (nanos, (allocations() - allocated) as f64 / total as f64)
}

/// The medians of interleaved rounds.
fn compare(nodes: u16, bytes: usize, window: usize) -> Vec<Cost> {
    let mut contenders: [Box<dyn Contender>; 4] = [
        Box::new(ours::Ours::new(nodes)),
        Box::new(raft_rs::Raft::new(nodes)),
        Box::new(omni::Omni::new(nodes)),
        Box::new(limit::Limit::new(nodes)),
    ];
    for contender in &mut contenders {
        contender.run(FORGET_EVERY * 5 / 4, window, bytes);
    }
    let mut rounds: Vec<Vec<Cost>> = vec![Vec::new(); contenders.len()];
    for _ in 0..ROUNDS {
        for (contender, rounds) in contenders.iter_mut().zip(&mut rounds) {
            rounds.push(measure(&mut **contender, window, bytes));
        }
    }
    let median = |mut rounds: Vec<Cost>| {
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        rounds[rounds.len() / 2]
    };
    rounds.into_iter().map(median).collect()
}

fn main() {
    println!("one thread, ns and (heap allocations) per chosen command, medians of {ROUNDS}");
    println!("interleaved rounds; × ours: how many times what ours costs\n");
    println!(
        "| nodes | bytes | window | ours | raft | × ours | omnipaxos | × ours | limit | × ours |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for nodes in [3, 5] {
        for bytes in [64, 1024] {
            for window in [1, 16, 64, 256] {
                let costs = compare(nodes, bytes, window);
                let cell = |(nanos, count): Cost| format!("{nanos:.0} ({count:.2})");
                print!("| {nodes} | {bytes} | {window} | {} |", cell(costs[0]));
                for cost in &costs[1..] {
                    print!(" {} | {:.2} |", cell(*cost), cost.0 / costs[0].0);
                }
                println!();
            }
        }
    }
}
