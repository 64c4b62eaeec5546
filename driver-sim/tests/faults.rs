//! Faults of single machines: each fires, and is survived.

use driver_sim::run_seed;
use driver_sim::swarm::Plan;
use driver_sim::tally::{Mark, Tally};
use driver_sim::transcript::Telling;

/// So many seeds are run at least.
const FEW: u64 = 20;

fn brief() -> Plan {
    Plan { safety_us: Some(2_000_000), nodes: Some(5), ..Plan::default() }
}

/// Runs these seeds until they have met all these; all are sound.
fn meet(seeds: std::ops::Range<u64>, plan: &Plan, marks: &[Mark]) {
    let mut tally = Tally::default();
    for seed in seeds {
        let report = run_seed(seed, plan, Telling::Last(40));
        assert_eq!(report.violation, None, "seed {seed}\n{}", report.lines.join("\n"));
        tally.absorb(&report.summary.tally);
        if seed >= FEW && marks.iter().all(|mark| tally.count(*mark) > 0) {
            return;
        }
    }
    let missing: Vec<_> = marks.iter().filter(|mark| tally.count(**mark) == 0).collect();
    panic!("never: {missing:?}");
}

/// Clients are refused, leaders make way, and all goes on when there is room.
#[test]
fn full_disks_are_survived() {
    let marks = [Mark::DiskFull, Mark::LongFull, Mark::RoomAgain, Mark::NoRoom, Mark::RoomWanted];
    meet(0..500, &brief(), &marks);
}

/// Whoever has lost something starts no more, or anew; nobody believes what is left.
#[test]
fn decay_is_noticed() {
    let marks = [Mark::LostWrite, Mark::Misdirected, Mark::LostSegment, Mark::HeaderRot];
    meet(0..500, &brief(), &marks);
}

/// A start that was misled is made again, or begins anew.
#[test]
fn misdirected_reads_are_noticed() {
    meet(0..500, &brief(), &[Mark::MisdirectedRead]);
}

/// Leaders that are slow stay leaders, or are replaced.
#[test]
fn slow_processors_are_survived() {
    meet(0..500, &brief(), &[Mark::SlowHost, Mark::HandledLate]);
}

/// One after the other, hosts come to run builds that speak other versions, and go back.
#[test]
fn upgrades_and_their_taking_back_are_survived() {
    let marks = [
        Mark::Upgraded,
        Mark::Downgraded,
        Mark::Strangers,
        Mark::NotSpoken,
        Mark::OtherVersion,
        Mark::InVersion1,
        Mark::InVersion2,
        Mark::InVersion3,
    ];
    let long = Plan { nodes: Some(3), safety_us: Some(8_000_000), ..Plan::default() };
    meet(0..500, &long, &marks);
}

/// What a disk has said that is gone comes late, and is not believed.
#[test]
fn late_words_of_former_disks_are_survived() {
    let changing = Plan { changes: Some(true), ..brief() };
    meet(0..500, &changing, &[Mark::DiskLost, Mark::Robbed, Mark::LateWord]);
}

/// What nobody wants does not fire.
#[test]
fn a_kind_run_has_none_of_it() {
    let kind = Plan { kind: true, ..brief() };
    let marks = [
        Mark::DiskFull,
        Mark::LostWrite,
        Mark::HeaderRot,
        Mark::MisdirectedRead,
        Mark::SlowHost,
        Mark::Upgraded,
        Mark::InVersion1,
        Mark::LateWord,
    ];
    for seed in 0..10 {
        let tally = run_seed(seed, &kind, Telling::Silent).summary.tally;
        assert!(marks.iter().all(|mark| tally.count(*mark) == 0), "seed {seed}");
    }
}
