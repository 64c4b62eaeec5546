//! Three simulated nodes, with every choice of the world read from the bytes.

use driver_sim::choice::Bytes;
use driver_sim::run_choice;
use driver_sim::swarm::Plan;
use driver_sim::transcript::Telling;

/// How long faults last, in simulated microseconds: a few elections.
const SAFETY_US: u64 = 300_000;

/// Runs the world that `data` spells. Past the end of the bytes nothing goes wrong
/// any more. The last byte also says whether single machines ail, too: only then are there
/// choices about that, and what is spelled without them goes on to mean what it meant.
///
/// # Panics
/// When an invariant is broken, after telling what happened.
pub fn run(data: &[u8]) {
    let kind = data.last().is_none_or(|last| last % 2 == 0);
    let plan = Plan { nodes: Some(3), safety_us: Some(SAFETY_US), kind, ..Plan::default() };
    let report = run_choice(Bytes::new(data), &plan, Telling::Silent);
    if let Some(violation) = report.violation {
        // The same once more, to be read.
        let told = run_choice(Bytes::new(data), &plan, Telling::Last(120));
        panic!("{violation:?}\n{}", told.lines.join("\n"));
    }
}
