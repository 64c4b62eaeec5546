//! What people read.

use driver_sim::check::Violation;
use driver_sim::tally::Tally;
use driver_sim::world::Summary;

/// A seed that broke an invariant, with the last of its transcript.
pub(crate) fn violation(seed: u64, violation: &Violation, lines: &[String]) {
    lines.iter().for_each(|line| println!("{line}"));
    println!();
    println!("VIOLATION of {} at seed {seed}", violation.invariant);
    println!("{}", violation.sentence);
    println!();
    println!("again: paxos-sim run --seed {seed} --verbose (with the same options)");
    println!("less:  paxos-sim shrink --seed {seed}        (with the same options)");
}

/// The sum of all steps, the same on every machine.
pub(crate) fn trace(summary: &Summary) {
    println!("trace hash {:016x}", summary.trace);
}

/// A run that broke nothing.
pub(crate) fn summary(what: &str, summary: &Summary) {
    let counts = &summary.counts;
    println!("{what}: no violation");
    trace(summary);
    println!(
        "{} events, {} steps, {} slots in {:.3} simulated seconds",
        counts.events,
        counts.steps,
        counts.slots,
        counts.simulated_us as f64 / 1e6
    );
    tally(&summary.tally);
}

/// Counts, and what is missing from them.
pub(crate) fn tally(tally: &Tally) {
    print!("{tally}");
    let missing: Vec<_> = tally.missing().map(|mark| mark.words()).collect();
    if !missing.is_empty() {
        println!("never: {}", missing.join(", "));
    }
}
