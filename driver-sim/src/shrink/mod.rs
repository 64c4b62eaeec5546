//! The same failure in fewer events.
//!
//! A run that breaks an invariant after a hundred thousand events tells nobody why. Two ways to a
//! short one take turns:
//!
//! 1. *Less of everything* (`setups`): fewer nodes, clients, keys, no second group, less time,
//!    one fault after the other switched off. Such a cut moves every later answer to another
//!    question, so each is tried with the answers at hand and with some fresh seeds.
//! 2. *Delta debugging* (`bytes`) of the answers (Zeller, Hildebrandt, 2002): pieces of the
//!    schedule are zeroed, which is the quiet answer to any question, or taken out; large pieces
//!    first.
//!
//! A candidate takes the place of the best run so far if the same invariant breaks in it, and it
//! is shorter: fewer events, or as many with fewer answers that are not zero. No candidate is run
//! for longer than the best one, so that each costs less than the one before.
//!
//! Invariant: what comes out breaks the invariant that went in, and never in more events.

mod bytes;
mod setups;

use std::time::{Duration, Instant};

use crate::choice::{Bytes, Choice, Seeded};
use crate::replay::{Setup, Tape, record_choice};
use crate::transcript::Telling;

/// How long to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How many runs at most.
    pub runs: u64,
    /// How long at most; the same tape always comes out only where this is not what ends it.
    pub time: Duration,
}

/// Where a shrinker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Runs so far.
    pub runs: u64,
    /// Events of the best run.
    pub events: u64,
    /// Its answers that are not the quiet one, in bytes.
    pub loud: usize,
}

/// Makes the failure on `tape` as small as `patience` allows; none if nothing breaks on it.
///
/// `watch` hears of every better run.
pub fn shrink(tape: &Tape, patience: Patience, watch: impl FnMut(Progress)) -> Option<Tape> {
    let (best, report) = record_choice(Bytes::new(&tape.schedule), &tape.setup, Telling::Silent);
    let invariant = report.violation?.invariant;
    let mut search = Search {
        best,
        invariant,
        runs: 1,
        patience,
        until: Instant::now().checked_add(patience.time),
        watch,
    };
    search.tell();
    loop {
        let before = search.cost();
        setups::simplify(&mut search);
        bytes::simplify(&mut search);
        if search.is_over() || search.cost() == before {
            break;
        }
    }
    Some(search.best)
}

/// What a run costs its reader: events first, then answers that are not zero.
type Cost = (u64, usize);

/// The best run so far, and what is left of the patience.
struct Search<W> {
    best: Tape,
    invariant: &'static str,
    runs: u64,
    patience: Patience,
    until: Option<Instant>,
    watch: W,
}

impl<W: FnMut(Progress)> Search<W> {
    fn cost(&self) -> Cost {
        cost(&self.best)
    }

    fn is_over(&self) -> bool {
        self.runs >= self.patience.runs || self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn tell(&mut self) {
        let (events, loud) = self.cost();
        (self.watch)(Progress { runs: self.runs, events, loud });
    }

    /// Runs a candidate; tells whether it is the best one now.
    fn attempt<C: Choice>(&mut self, choice: C, setup: &Setup) -> bool {
        if self.is_over() {
            return false;
        }
        self.runs += 1;
        let (most, stop) = (self.cost().0, setup.events_max);
        // Never further than the best run: there is nothing to gain there.
        let setup =
            Setup { events_max: Some(stop.unwrap_or(u64::MAX).min(most + 1)), ..setup.clone() };
        let (mut tape, report) = record_choice(choice, &setup, Telling::Silent);
        tape.setup.events_max = stop;
        let breaks = report.violation.is_some_and(|found| found.invariant == self.invariant);
        let is_better = breaks && cost(&tape) < self.cost();
        if is_better {
            self.best = tape;
            self.tell();
        }
        is_better
    }

    /// Tries other answers in the same setup.
    fn attempt_bytes(&mut self, schedule: &[u8]) -> bool {
        let setup = self.best.setup.clone();
        self.attempt(Bytes::new(schedule), &setup)
    }

    /// Tries another setup, with the answers at hand and with `seeds` fresh ones.
    fn attempt_setup(&mut self, setup: &Setup, seeds: u64) -> bool {
        let schedule = self.best.schedule.clone();
        let mut is_better = self.attempt(Bytes::new(&schedule), setup);
        for seed in 0..seeds {
            is_better |= self.attempt(Seeded::new(self.runs << 8 | seed), setup);
        }
        is_better
    }
}

fn cost(tape: &Tape) -> Cost {
    let events = tape.verdict.as_ref().map_or(u64::MAX, |verdict| verdict.events);
    (events, tape.schedule.iter().filter(|byte| **byte != 0).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::record;
    use crate::swarm::Plan;
    use crate::tally::Mark;

    const PATIENCE: Patience = Patience { runs: 600, time: Duration::from_secs(3_600) };

    /// A check that fails on purpose: a node that restarts may not go on from an image.
    fn planted() -> Tape {
        let plan = Plan { safety_us: Some(3_000_000), ..Plan::default() };
        let setup = Setup { plan, goal: Some(Mark::RestoredFromImage), ..Setup::default() };
        let tapes = (0..).map(|seed| record(seed, &setup, Telling::Silent));
        let long = |(tape, report): &(Tape, _)| {
            let report: &crate::Report = report;
            report.violation.is_some() && cost(tape).0 > 5_000
        };
        tapes.take(200).find(long).expect("some seed restores from an image").0
    }

    #[test]
    fn a_failure_shrinks_to_less_than_a_tenth_and_is_still_the_same() {
        let long = planted();
        let mut told = Vec::new();
        let short = shrink(&long, PATIENCE, |progress| told.push(progress)).expect("it fails");
        let (events, shrunk) = (cost(&long).0, cost(&short).0);
        assert!(shrunk * 10 < events, "{events} events are still {shrunk}");
        assert!(told.windows(2).all(|w| (w[1].events, w[1].loud) < (w[0].events, w[0].loud)));
        let report = short.play(Telling::Silent);
        assert!(short.is_of(&report));
        assert_eq!(report.violation.expect("still").invariant, crate::world::World::<Seeded>::GOAL);
        // And from its text.
        assert_eq!(crate::replay::parse(&short.to_string()), Ok(short));
    }

    #[test]
    fn the_same_tape_shrinks_to_the_same() {
        let long = planted();
        let patience = Patience { runs: 40, ..PATIENCE };
        assert_eq!(shrink(&long, patience, |_| {}), shrink(&long, patience, |_| {}));
    }

    #[test]
    fn a_sound_run_cannot_be_shrunk() {
        let plan = Plan { safety_us: Some(100_000), calm: true, ..Plan::default() };
        let (tape, _) = record(1, &Setup { plan, ..Setup::default() }, Telling::Silent);
        assert_eq!(shrink(&tape, PATIENCE, |_| {}), None);
    }
}
