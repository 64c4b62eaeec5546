//! A run in a file: what was decided beforehand, and every choice that was made.
//!
//! A seed is a run only as long as nobody changes what the simulator draws. A tape holds the
//! answers themselves, so that it can be cut, mailed, kept, and played on another machine; its
//! sum over all steps ([`Summary::trace`](crate::world::Summary::trace)) tells whether what was
//! played is what was recorded.
//!
//! What a real node's flight recorder has kept is played by [`fly`].
//!
//! `file` is the tape's text; [`crate::shrink`] makes tapes shorter.

pub mod file;
mod flown;
mod setup;

pub use self::file::{BadTape, Why, parse};
pub use self::flown::{Flown, fly};
pub use self::setup::{Cuts, FAULTS, Fault, Setup};

use crate::choice::{Bytes, Choice, Recorder, Seeded};
use crate::run::{Report, run_setup};
use crate::transcript::Telling;

/// A recorded run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tape {
    /// What was decided before the first choice.
    pub setup: Setup,
    /// Every choice, as [`Bytes`] reads them; quiet after the end.
    pub schedule: Vec<u8>,
    /// What came of it, if it is known.
    pub verdict: Option<Verdict>,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The sum over all steps.
    pub trace: u64,
    /// How many events it took.
    pub events: u64,
    /// The invariant that broke, if one did.
    pub violation: Option<String>,
}

impl Verdict {
    /// What `report` came to.
    #[must_use]
    pub fn of(report: &Report) -> Verdict {
        Verdict {
            trace: report.summary.trace,
            events: report.summary.counts.events,
            violation: report.violation.as_ref().map(|v| v.invariant.to_owned()),
        }
    }
}

impl Tape {
    /// The most choices that a recording holds; a run that makes more is not recorded whole.
    pub const CHOICES_MAX: usize = 1 << 24;

    /// Plays the tape.
    #[must_use]
    pub fn play(&self, telling: Telling) -> Report {
        run_setup(Bytes::new(&self.schedule), &self.setup, telling)
    }

    /// Tells whether `report` is of the run that was recorded; so is any, if nothing is known.
    #[must_use]
    pub fn is_of(&self, report: &Report) -> bool {
        self.verdict.as_ref().is_none_or(|verdict| *verdict == Verdict::of(report))
    }
}

/// Runs a seed and records it.
#[must_use]
pub fn record(seed: u64, setup: &Setup, telling: Telling) -> (Tape, Report) {
    record_choice(Seeded::new(seed), setup, telling)
}

/// Runs whatever `choice` answers, and records the answers in the form that they have here: a
/// schedule that was cut has other bytes afterwards, and gives the same run.
#[must_use]
pub fn record_choice<C: Choice>(choice: C, setup: &Setup, telling: Telling) -> (Tape, Report) {
    let mut recorder = Recorder::new(choice, Tape::CHOICES_MAX);
    let report = run_setup(&mut recorder, setup, telling);
    let mut schedule = recorder.into_schedule();
    // After the end everything is zero.
    let used = schedule.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    schedule.truncate(used);
    let tape = Tape { setup: setup.clone(), schedule, verdict: Some(Verdict::of(&report)) };
    (tape, report)
}
