//! Measures the linearizability checkers on sampled histories.
//!
//! `cargo run --release -p driver-sim --example linear_speed`

use std::time::Instant;

use driver_sim::choice::{Choice, Seeded};
use driver_sim::linear::sample::{Sample, Shape, sample, sample_cell};
use driver_sim::linear::search::NODES_MAX;
use driver_sim::linear::{Cell, Operation, Register, RegisterInput, Verdict, search, zones};

fn main() {
    let mut dice = Seeded::new(1);
    let started = Instant::now();
    let sum: u64 = (0..100_000_000).map(|_| u64::from(dice.below(1_000))).sum();
    println!("choice   {:>12.1} ns a draw (sum {sum})", started.elapsed().as_secs_f64() * 10.0);

    for (operations, clients) in [(100_000, 10), (1_000_000, 10), (1_000_000, 100)] {
        let sampled = register(Shape::dense(operations, clients)).operations;
        report("zones, register", clients, &sampled, |all| (zones::check(all), 0));
    }
    for clients in [1, 10, 30] {
        for unknown_per_million in [0, 1_000] {
            let shape = Shape { unknown_per_million, ..Shape::dense(100_000, clients) };
            println!("with {unknown_per_million} unknown in a million:");
            let sampled = register(shape).operations;
            let model = Register::new();
            report("search, register", clients, &sampled, |all| {
                search::search(&model, all, NODES_MAX)
            });
            let stale = spoil(sampled);
            report("search, spoilt", clients, &stale, |all| search::search(&model, all, NODES_MAX));
            report("zones, spoilt", clients, &stale, |all| (zones::check(all), 0));
            let sampled = sample_cell(shape, &mut Seeded::new(7)).operations;
            report("search, cell", clients, &sampled, |all| search::search(&Cell, all, NODES_MAX));
        }
    }
}

fn register(shape: Shape) -> Sample<RegisterInput<u64>, Option<u64>> {
    sample(&Register::new(), shape, &mut Seeded::new(7), |choice, id| {
        if choice.chance(500_000) { RegisterInput::Write(id as u64) } else { RegisterInput::Read }
    })
}

/// Makes the last read of a written value return the first such value.
fn spoil<I, V: Clone>(
    mut operations: Vec<Operation<I, Option<V>>>,
) -> Vec<Operation<I, Option<V>>> {
    let first = operations.iter().find_map(|operation| operation.output().cloned().flatten());
    let mut outcomes =
        operations.iter_mut().rev().filter_map(|operation| operation.outcome.as_mut());
    if let Some(last) = outcomes.find(|outcome| outcome.output.is_some()) {
        last.output = first;
    }
    operations
}

fn report<O>(what: &str, clients: usize, all: &[O], check: impl FnOnce(&[O]) -> (Verdict, u64)) {
    let started = Instant::now();
    let (verdict, nodes) = check(all);
    let seconds = started.elapsed().as_secs_f64();
    let verdict = match verdict {
        Verdict::Linearizable => "linearizable",
        Verdict::Violation(_) => "violation",
        Verdict::Inconclusive(_) => "inconclusive",
    };
    println!(
        "{what:<17} {:>9} ops, {clients:>3} clients: {:>9.1} ms, {:>10.0} ops/s, {nodes:>8} nodes: {verdict}",
        all.len(),
        seconds * 1e3,
        all.len() as f64 / seconds,
    );
}
