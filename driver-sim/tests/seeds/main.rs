//! Whole runs: a small budget of what `paxos-sim hunt` does without end.

use driver_sim::choice::{Bytes, Recorder, Replay, Seeded};
use driver_sim::run_choice;
use driver_sim::run_seed;
use driver_sim::swarm::{Plan, Swarm};
use driver_sim::tally::{Mark, Tally};
use driver_sim::transcript::Telling;

mod plans;
mod stories;

use plans::*;

/// Also the vacuity check: together these seeds must have met every fault.
#[test]
fn no_seed_breaks_an_invariant_and_every_fault_fires() {
    let mut tally = Tally::default();
    for seed in 1_000..1_060 {
        let report = sound(run_seed(seed, &brief(), Telling::Last(40)), &format!("seed {seed}"));
        assert!(report.summary.tally.count(Mark::Written) > 0, "seed {seed} wrote nothing");
        tally.absorb(&report.summary.tally);
    }
    let must = [
        Mark::Lost,
        Mark::CutOff,
        Mark::Doubled,
        Mark::Replayed,
        Mark::Partition,
        Mark::Crash,
        Mark::CrashMidStep,
        Mark::Restart,
        Mark::Pause,
        Mark::Clock,
        Mark::WrongHint,
        Mark::SlowSync,
        Mark::Flipped,
        Mark::WitnessVote,
        Mark::Relieved,
        Mark::FailedSync,
        Mark::LostBatch,
        Mark::SavedBatch,
        Mark::Leading,
        Mark::SteppedDown,
        Mark::Fetched,
        Mark::Retry,
        Mark::Unknown,
    ];
    let missing: Vec<_> = must.iter().filter(|mark| tally.count(**mark) == 0).collect();
    assert!(missing.is_empty(), "never happened: {missing:?}");
}

#[test]
fn a_seed_is_one_run() {
    for seed in [3, 77, 4_711] {
        let one = run_seed(seed, &brief(), Telling::Silent);
        let two = run_seed(seed, &brief(), Telling::Silent);
        assert_eq!(one, two, "seed {seed}");
        let other = run_seed(seed + 1, &brief(), Telling::Silent);
        assert_ne!(one.summary.trace, other.summary.trace, "seed {seed}");
    }
}

/// Members change, come into force, and the group goes on.
#[test]
fn groups_change_their_members() {
    let mut tally = Tally::default();
    for seed in 0..12 {
        let plan = Plan { changes: Some(true), nodes: Some(4), ..brief() };
        let report = sound(run_seed(seed, &plan, Telling::Last(40)), &format!("seed {seed}"));
        tally.absorb(&report.summary.tally);
    }
    for mark in [Mark::ChangeWanted, Mark::ChangeChosen, Mark::MembersChanged] {
        assert!(tally.count(mark) > 0, "never: {}", mark.words());
    }
}

/// Telling the story must not change it.
#[test]
fn words_change_nothing() {
    let silent = run_seed(5, &brief(), Telling::Silent);
    let told = run_seed(5, &brief(), Telling::Last(10));
    assert_eq!(silent.summary, told.summary);
    assert_eq!(told.lines.len(), 10);
}

#[test]
fn a_recorded_run_can_be_replayed() {
    let plan = Plan { safety_us: Some(300_000), ..brief() };
    let mut recorder = Recorder::new(Seeded::new(9), 10_000_000);
    let seeded = run_choice(&mut recorder, &plan, Telling::Silent);
    let replayed = run_choice(Replay::new(recorder.choices()), &plan, Telling::Silent);
    assert_eq!(seeded.summary, replayed.summary);
}

/// A schedule that runs dry goes on quietly: no fault, and everything is served.
#[test]
fn the_empty_schedule_is_a_quiet_run() {
    let plan = Plan { safety_us: Some(500_000), ..roomy() };
    let report = sound(run_choice(Bytes::new(&[]), &plan, Telling::Last(40)), "empty schedule");
    let tally = &report.summary.tally;
    assert_eq!(tally.count(Mark::Crash) + tally.count(Mark::Lost) + tally.count(Mark::CutOff), 0);
    assert!(tally.count(Mark::Written) > 0);
}

#[test]
fn every_size_of_cluster_works() {
    for nodes in 1..=Swarm::NODES_MAX {
        let plan = Plan { nodes: Some(nodes), ..brief() };
        let report = run_seed(100 + u64::from(nodes), &plan, Telling::Last(40));
        sound(report, &format!("{nodes} nodes"));
    }
}

/// On a good day one leader is elected and nobody waits in vain.
#[test]
fn a_calm_run_has_one_leader_and_no_unknown_outcome() {
    for seed in 0..20 {
        let plan = Plan { calm: true, nodes: Some(3), groups: Some(1), ..brief() };
        let report = sound(run_seed(seed, &plan, Telling::Last(40)), &format!("seed {seed}"));
        let tally = &report.summary.tally;
        assert_eq!(tally.count(Mark::Leading), 1, "seed {seed}");
        // Two may lose patience within the same moment; one of them is then refused by both.
        assert!(tally.count(Mark::Rejected) <= 2, "seed {seed}");
    }
}
