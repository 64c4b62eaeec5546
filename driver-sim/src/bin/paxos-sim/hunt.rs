//! Runs seed after seed on several threads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use driver_sim::check::Violation;
use driver_sim::run_seed;
use driver_sim::swarm::Plan;
use driver_sim::tally::Mark;
use driver_sim::transcript::Telling;
use driver_sim::world::{Counts, Summary};
use indicatif::{ProgressBar, ProgressStyle};

use crate::coverage;
use crate::report;
use crate::state::State;

/// What to hunt for, where and how long.
pub(crate) struct Order {
    /// The first seed.
    pub(crate) from: u64,
    /// How many seeds at most.
    pub(crate) seeds: Option<u64>,
    /// How long at most.
    pub(crate) time: Duration,
    /// How many at once.
    pub(crate) jobs: u8,
    /// What is not drawn.
    pub(crate) plan: Plan,
    /// Lines of transcript to print.
    pub(crate) lines: usize,
    /// Go on after a violation.
    pub(crate) all: bool,
    /// Fail if something was never met that is neither rare nor ruled out.
    pub(crate) complete: bool,
    /// Where to go on, and to keep count.
    pub(crate) state: Option<PathBuf>,
    /// Where to write how often everything was met.
    pub(crate) table: Option<PathBuf>,
}

/// What has been found so far, by all threads.
#[derive(Default)]
struct Found {
    seeds: u64,
    counts: Counts,
    /// Seeds in which no client got any answer to a write.
    idle: u64,
    /// By invariant: how many seeds broke it, and the lowest.
    violations: BTreeMap<&'static str, (u64, u64, Violation)>,
    /// No seed from here on was done.
    reach: u64,
    /// Seeds that are being run.
    under_way: BTreeSet<u64>,
    /// What the file says, and is to say.
    state: State,
    /// When it was written last.
    stored: Duration,
}

/// The file is written this often.
const STORE: Duration = Duration::from_secs(60);

/// One seed in so many is run twice, and must give the same trace.
const TWICE: u64 = 100;

/// Hunts; succeeds if nothing is found. Unless time runs out, or all seeds are to be run, what is
/// found is the lowest seed that breaks anything: a matter of the code alone.
pub(crate) fn hunt(order: &Order) -> ExitCode {
    let begun = Instant::now();
    let state = match order.state.as_deref().map(State::load).transpose() {
        Ok(state) => state.flatten(),
        Err(error) => {
            eprintln!("paxos-sim: the state of the hunt cannot be read: {error}");
            return ExitCode::FAILURE;
        }
    };
    let from = state.as_ref().map_or(order.from, |state| state.next);
    let state = state.unwrap_or_default();
    let found = Found { state, ..Found::default() };
    let (next, found) = (AtomicU64::new(0), Mutex::new(found));
    // No seed from here on matters, counted from the first.
    let end = AtomicU64::new(order.seeds.unwrap_or(u64::MAX));
    let bar = progress(order);
    std::thread::scope(|scope| {
        for _ in 0..order.jobs {
            scope.spawn(|| {
                while begun.elapsed() < order.time {
                    let offset = next.fetch_add(1, Ordering::Relaxed);
                    if offset >= end.load(Ordering::Relaxed) {
                        break;
                    }
                    let seed = from.wrapping_add(offset);
                    lock(&found).under_way.insert(seed);
                    let (summary, violation) = try_seed(seed, &order.plan);
                    if violation.is_some() && !order.all {
                        // Lower seeds are run to their ends: the lowest that fails is the
                        // answer, however fast each job is.
                        end.fetch_min(offset + 1, Ordering::Relaxed);
                    }
                    let mut found = lock(&found);
                    found.take_in(seed, &summary, violation);
                    found.store(order, begun.elapsed(), STORE);
                    bar.set_position(begun.elapsed().as_secs().min(order.time.as_secs()));
                    bar.set_message(format!(
                        "{} seeds, {} events",
                        found.seeds, found.counts.events
                    ));
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut found = found.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    if !order.all {
        found.keep_the_first();
    }
    found.store(order, begun.elapsed(), Duration::ZERO);
    found.tell(order, begun.elapsed())
}

/// A thread that panicked has left whole counts.
fn lock(found: &Mutex<Found>) -> MutexGuard<'_, Found> {
    found.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A bar on a terminal, nothing elsewhere (indicatif looks).
fn progress(order: &Order) -> ProgressBar {
    let bar = ProgressBar::new(order.time.as_secs());
    let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len}s {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

fn try_seed(seed: u64, plan: &Plan) -> (Summary, Option<Violation>) {
    let report = run_seed(seed, plan, Telling::Silent);
    let violation = report.violation.or_else(|| {
        let twice = seed.is_multiple_of(TWICE);
        let differs = twice && run_seed(seed, plan, Telling::Silent).summary != report.summary;
        differs.then(|| Violation {
            invariant: "I21 determinism",
            sentence: "the same seed gives another run".to_owned(),
        })
    });
    (report.summary, violation)
}

impl Found {
    fn take_in(&mut self, seed: u64, summary: &Summary, violation: Option<Violation>) {
        self.seeds += 1;
        self.under_way.remove(&seed);
        self.state.take_in(summary);
        self.reach = self.reach.max(seed.wrapping_add(1));
        self.state.next = self.under_way.first().copied().unwrap_or(self.reach);
        self.counts.events += summary.counts.events;
        self.counts.steps += summary.counts.steps;
        self.counts.slots += summary.counts.slots;
        self.counts.simulated_us += summary.counts.simulated_us;
        self.idle += u64::from(violation.is_none() && summary.tally.count(Mark::Written) == 0);
        let Some(violation) = violation else { return };
        let name = violation.invariant;
        self.state.failed.insert(seed, name.to_owned());
        let entry = self.violations.entry(name).or_insert((0, seed, violation.clone()));
        entry.0 += 1;
        if seed < entry.1 {
            (entry.1, entry.2) = (seed, violation);
        }
    }

    /// Forgets all violations but that of the lowest seed: whether the others were met depends on
    /// how fast each job was.
    fn keep_the_first(&mut self) {
        let first = self.violations.values().map(|(_, seed, _)| *seed).min();
        self.violations.retain(|_, (count, seed, _)| {
            *count = 1;
            Some(*seed) == first
        });
    }

    /// Writes the file, if there is one and it is old.
    fn store(&mut self, order: &Order, now: Duration, old: Duration) {
        let Some(path) = order.state.as_deref().filter(|_| now >= self.stored + old) else {
            return;
        };
        self.stored = now;
        match self.state.store(path) {
            Ok(()) => println!(
                "{} seeds, {} events, {} failed",
                self.state.seeds,
                self.state.events,
                self.state.failed.len()
            ),
            Err(error) => eprintln!("paxos-sim: the state of the hunt is not kept: {error}"),
        }
    }

    /// What was never met, and is neither rare nor ruled out.
    fn is_complete(&self) -> bool {
        let must = self.state.tally.missing().filter(|mark| !Mark::RARE.contains(mark));
        let missing: Vec<_> = must.map(Mark::words).collect();
        if !missing.is_empty() {
            println!("the hunt is not complete; never: {}", missing.join(", "));
        }
        missing.is_empty()
    }

    fn tell(&self, order: &Order, took: Duration) -> ExitCode {
        for (_, seed, violation) in self.violations.values() {
            // A run is its seed: the words come from running it again.
            let again = run_seed(*seed, &order.plan, Telling::Last(order.lines));
            report::violation(*seed, violation, &again.lines);
        }
        report::tally(&self.state.tally);
        let hours = self.counts.simulated_us as f64 / 3.6e9;
        let wall = took.as_secs_f64().max(1e-9);
        println!("seeds                  {}", self.seeds);
        println!("seeds without a write  {}", self.idle);
        println!("simulated hours        {hours:.3}");
        println!("wall seconds           {wall:.1}");
        println!("simulated h per s      {:.5}", hours / wall);
        println!("events                 {}", self.counts.events);
        println!("events per second      {:.0}", self.counts.events as f64 / wall);
        println!("steps                  {}", self.counts.steps);
        println!("slots chosen           {}", self.counts.slots);
        let broken: u64 = self.violations.values().map(|(count, ..)| count).sum();
        println!("violations             {broken}");
        for (name, (count, seed, _)) in &self.violations {
            println!("    {count} of {name}, the first at seed {seed}");
        }
        let is_complete = !order.complete || self.is_complete();
        let is_told = order.table.as_deref().is_none_or(|path| {
            let written =
                fs::write(path, coverage::table(&self.state, self.counts.events as f64 / wall));
            written.inspect_err(|error| eprintln!("{}: {error}", path.display())).is_ok()
        });
        if broken > 0 || !is_complete || !is_told { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two jobs may end in any order, and a later seed may break something else first.
    #[test]
    fn the_lowest_seed_that_fails_is_the_answer() {
        let violation = |invariant| Violation { invariant, sentence: String::new() };
        let (counts, tally) = (Counts::default(), driver_sim::tally::Tally::default());
        let summary = Summary { trace: 0, counts, tally };
        let mut found = Found::default();
        for (seed, invariant) in [(9, "I2"), (5, "I1"), (7, "I1")] {
            found.take_in(seed, &summary, Some(violation(invariant)));
        }
        found.keep_the_first();
        assert_eq!(found.violations, [("I1", (1, 5, violation("I1")))].into());
    }
}
