//! What the core costs by itself: three (or five) replicas in one thread, messages
//! handed over directly, writes acknowledged at once.
//!
//! `cargo bench -p paxos-core --bench bare` prints nanoseconds and heap
//! allocations per chosen command, the median of several rounds. One command is
//! chosen when the leader answers it; each replica delivers it too.
//!
//! `.ci/instructions` runs it under callgrind with `count WINDOW COMMANDS`, and counts
//! what happens in [`counted`]; with `count WINDOW COMMANDS idle-groups`, `long-log`
//! or `learners`, and counts the steps of the leader alone, which must cost the same.

mod support;

use std::time::Instant;

use support::{Bench, Counting, Shape, allocations};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 7;

/// Commands before anything is measured: so many that checkpoints are taken.
const WARM: u64 = 20_000;

/// Nanoseconds and allocations per command with `window` of them under way.
fn measure(nodes: u16, bytes: usize, window: usize) -> (f64, f64) {
    let total: u64 = if window == 1 { 200_000 } else { 1_000_000 };
    let mut bench = Bench::new(Shape::of(nodes));
    bench.run(WARM, window, bytes);
    let allocated = allocations();
    let started = Instant::now();
    bench.run(total, window, bytes);
    let nanos = started.elapsed().as_nanos() as f64 / total as f64;
    (nanos, (allocations() - allocated) as f64 / total as f64)
}

/// What is under the magnifying glass.
#[inline(never)]
fn counted(bench: &mut Bench, commands: u64, window: usize) {
    bench.is_counted = true;
    bench.run(commands, window, 64);
}

/// Three nodes with something that must not make their steps dearer, and how many
/// commands come before what is counted.
fn burdened(burden: &str) -> (Shape, u64) {
    let plain = Shape::of(3);
    match burden {
        "" => (plain, WARM),
        "idle-groups" => (Shape { idle_groups: 256, ..plain }, WARM),
        "learners" => (Shape { learners: 24, ..plain }, WARM),
        // Nothing is forgotten: the log holds all that was ever chosen.
        "long-log" => (Shape { checkpoint_slots: u64::MAX, ..plain }, 32 * WARM),
        other => panic!("not a burden: {other}"),
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [mode, window, commands, burden @ ..] = &args[..]
        && mode == "count"
    {
        let window = window.parse().expect("a window");
        let (shape, warm) = burdened(burden.first().map_or("", String::as_str));
        let mut bench = Bench::new(shape);
        bench.run(warm, window, 64);
        return counted(&mut bench, commands.parse().expect("a number of commands"), window);
    }
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
