//! One seed, from its number to its verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::check::{Checked, Violation};
use crate::choice::{Choice, Seeded};
use crate::picture::{Film, What};
use crate::replay::Setup;
use crate::swarm::{Plan, Swarm};
use crate::transcript::Telling;
use crate::world::{Summary, World};

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What happened, up to the end or to the violation.
    pub summary: Summary,
    /// What is wrong, if anything is.
    pub violation: Option<Violation>,
    /// What was told.
    pub lines: Vec<String>,
    /// What was filmed.
    pub film: Option<Film>,
}

/// Runs one seed.
///
/// A panic of the core is a violation too: a step is total.
#[must_use]
pub fn run_seed(seed: u64, plan: &Plan, telling: Telling) -> Report {
    run_choice(Seeded::new(seed), plan, telling)
}

/// Runs whatever `choice` answers.
#[must_use]
pub fn run_choice<C: Choice>(choice: C, plan: &Plan, telling: Telling) -> Report {
    run_setup(choice, &Setup { plan: *plan, ..Setup::default() }, telling)
}

/// Runs whatever `choice` answers, after `setup` has had its say.
#[must_use]
pub fn run_setup<C: Choice>(mut choice: C, setup: &Setup, telling: Telling) -> Report {
    let mut swarm = Swarm::draw(&mut choice, &setup.plan);
    setup.cuts.apply(&mut swarm);
    let mut world = World::new(choice, swarm, telling);
    world.stop_at(setup.goal, setup.events_max);
    let checked: Checked = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Violation::new("law 3: a step never panics", words.unwrap_or("a panic").to_owned()))
    });
    let summary = world.summary();
    let (lines, mut film) = world.into_story();
    let violation = checked.err().map(|violation| *violation);
    if let (Some(film), Some(violation)) = (&mut film, &violation) {
        let now = summary.counts.simulated_us;
        film.happens(now, None, What::Broken, violation.to_string());
    }
    Report { summary, violation, lines, film }
}
