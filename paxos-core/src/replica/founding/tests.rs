//! With what a replica begins, by what its disk says.

use alloc::vec::Vec;

use super::*;
use crate::log::{Durable, Entry, Record};
use crate::replica::testing::Stage;
use crate::role::testing::{Bench, ME, N2, N3, b, run};
use crate::types::{Checkpoint, Checksum, GroupId, Image, Slot};

const GROUP: GroupId = GroupId(0);

fn three() -> Membership {
    Membership::majority([ME, N2, N3])
}

fn charter() -> Charter {
    let disks = [(ME, 11), (N2, 12), (N3, 13)];
    Charter::new(Charter::design_of(&three()), disks).expect("a sound charter")
}

fn image() -> Image {
    let schedule = Bench::new().regime.schedule().clone();
    let checkpoint = Checkpoint { below: Slot(9), sum: Checksum::FIRST, schedule };
    Image { checkpoint, bytes: 0, digest: 0 }
}

/// A disk that holds these records.
fn found(entries: &[Entry]) -> Found {
    let mut durable = Durable::default();
    for entry in entries {
        let record = Record { group: GROUP, entry: entry.clone() };
        durable.replay(record).expect("a sound record");
    }
    Found { applied: Slot::FIRST, image: None, partial: None, durable: durable.take(GROUP) }
}

/// Whether it is settled, and who decides the first slots.
fn begins(disk: u64, design: Membership, found: &Found) -> (bool, Membership) {
    let mut bench = Bench::new();
    bench.setting.disk = disk;
    let (founder, members) = begin(design, found, (bench.now, &bench.setting));
    (founder.is_settled(), members)
}

#[test]
fn a_new_disk_founds_and_one_that_knows_more_joins() {
    let unknown = Membership::unknown;
    assert_eq!(begins(11, three(), &found(&[])), (false, unknown()));
    let schedule = Bench::new().regime.schedule().clone();
    let old: Vec<Found> = [
        Entry::Promised(b(1, N2)),
        Entry::Learned { run: run(1, &["v"]) },
        Entry::Relieved { below: Slot(1), schedule },
    ]
    .into_iter()
    .map(|entry| found(&[entry]))
    .chain([Found { image: Some(image()), ..found(&[]) }])
    .collect();
    for found in &old {
        assert_eq!(begins(11, three(), found), (true, unknown()), "{found:?}");
    }
    assert_eq!(begins(11, unknown(), &found(&[])), (true, unknown()), "it is to be told");
    assert_eq!(begins(0, three(), &found(&[])), (true, three()), "nobody checks disks");
    let bound = charter().bind(three());
    assert_eq!(begins(11, bound.clone(), &found(&[])), (true, bound), "it names them itself");
}

#[test]
fn who_stands_by_a_charter_goes_on_unless_it_was_told_of_the_group() {
    let named = Entry::Founding(Founding::Named(charter()));
    assert!(!begins(11, three(), &found(core::slice::from_ref(&named))).0);
    assert!(begins(11, Membership::unknown(), &found(core::slice::from_ref(&named))).0);
    assert!(begins(11, three(), &found(&[named, Entry::Promised(b(1, N2))])).0);
    let done = Entry::Founding(Founding::Founded(charter()));
    let expected = (true, charter().bind(three()));
    assert_eq!(begins(11, three(), &found(&[done, Entry::Promised(b(1, N2))])), expected);
}

/// Members that are known already are those of later slots; who joins is told of them.
#[test]
fn who_founds_a_group_takes_its_members_up_if_it_knows_of_none() {
    let (founded, unknown) = (Founding::Founded(charter()), Membership::unknown);
    for (founding, known, takes) in [
        (founded.clone(), unknown(), true),
        (founded, three().with_version(3), false),
        (Founding::Joined, unknown(), false),
    ] {
        let mut stage = Stage::of(known.clone(), 1);
        stage.bench.sleep(stage.bench.setting.timing.patience * 9);
        let wake_at = stage.roles.elector.wake_at();
        let founder = Founder::new(three().into(), founding, stage.bench.now);
        on_founded(true, &founder, &mut stage.roles, &mut stage.bench.cx());
        let expected = if takes { charter().bind(three()) } else { known };
        assert_eq!(**stage.bench.regime.newest().1, expected);
        assert_eq!(stage.roles.elector.wake_at() != wake_at, takes, "who may stand waits anew");
    }
}
