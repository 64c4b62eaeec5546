//! How often a hunt has met each fault and each path of the protocol, as a table.

use std::fmt::Write;

use driver_sim::tally::Mark;

use crate::state::State;

const HEAD: &str = "# What a hunt meets

Every fault that the simulator knows and every rarer path of the protocol, how often a hunt has met
it, and in how many of its runs. Written by `paxos-sim hunt --from 100300000 --seconds 1800 --all
--complete --table driver-sim/COVERAGE.md`; `--complete` fails where one is never met.
";

/// The table of all that the hunts of `state` have met, the last of them at this pace.
pub(crate) fn table(state: &State, events_per_s: f64) -> String {
    let minutes = state.simulated_us as f64 / 6e7;
    let mut table = HEAD.to_owned();
    let figures = format!(
        "\n{} runs, {:.1} simulated hours, {} events ({:.2} million a second), {} runs that broke an invariant.\n",
        state.seeds,
        minutes / 60.0,
        state.events,
        events_per_s / 1e6,
        state.failed.len(),
    );
    table.push_str(&figures);
    table.push_str("\n| what | times | in a simulated minute | in runs |\n|---|---:|---:|---:|\n");
    for mark in Mark::ALL {
        let (times, runs) = (state.tally.count(*mark), state.met.count(*mark));
        let per_minute = times as f64 / minutes.max(f64::MIN_POSITIVE);
        let share = 100.0 * runs as f64 / state.seeds.max(1) as f64;
        let words = mark.words();
        // Writing to a string cannot fail.
        _ = writeln!(table, "| {words} | {times} | {per_minute:.3} | {share:.2} % |");
    }
    table
}

#[cfg(test)]
mod tests {
    use driver_sim::tally::Tally;
    use driver_sim::world::{Counts, Summary};

    use super::*;

    #[test]
    fn everything_has_its_row() {
        let mut state = State::default();
        for crashes in [3, 0, 3, 0] {
            let counts = Counts { simulated_us: 30_000_000, ..Counts::default() };
            let mut tally = Tally::default();
            tally.add(Mark::Crash, crashes);
            state.take_in(&Summary { trace: 0, counts, tally });
        }
        let table = table(&state, 0.0);
        assert!(table.contains("| crashes | 6 | 3.000 | 50.00 % |\n"), "{table}");
        assert!(Mark::ALL.iter().all(|mark| table.contains(&format!("| {} | ", mark.words()))));
    }
}
