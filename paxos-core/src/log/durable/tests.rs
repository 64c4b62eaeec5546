//! Which records may follow which.

use alloc::vec::Vec;

use super::*;
use crate::types::{Charter, Checksum, Command, Membership, NodeId};

const GROUP: GroupId = GroupId(3);
const VOTE: Ballot = Ballot::new(2, NodeId(1));

fn run(first: u64, payloads: &[&'static str]) -> Run {
    let value = |p: &&'static str| Value::Command(Command::plain(p.as_bytes().into()));
    Run::new(Slot(first), payloads.iter().map(value).collect())
}

/// What comes of the last of these records, when those before it are sound.
fn replayed(entries: impl IntoIterator<Item = Entry>) -> Result<Durable, ReplayError> {
    let mut durable = Durable::default();
    let mut entries = entries.into_iter().peekable();
    while let Some(entry) = entries.next() {
        let result = durable.replay(Record { group: GROUP, entry });
        assert!(result.is_ok() || entries.peek().is_none(), "{result:?} too early");
        result?;
    }
    Ok(durable)
}

fn voted(first: u64, payloads: &[&'static str]) -> Entry {
    Entry::Voted { ballot: VOTE, run: run(first, payloads) }
}

#[test]
fn a_log_reaches_as_far_as_it_says_and_no_less_than_its_records() {
    let reached = |below| Entry::Reached { below: Slot(below) };
    for (below, sound) in [(1, false), (2, false), (3, true), (9, true)] {
        let end = replayed([voted(1, &["a", "b"]), reached(below)]);
        assert_eq!(end.is_ok(), sound, "below {below}");
        assert!(end.is_ok() || end == Err(ReplayError::Absurd(GROUP)));
    }
    // As the first word of its group it stands for all that was deleted before it.
    let begun = replayed([reached(9)]).expect("the log begins here");
    assert_eq!(begun.group(GROUP).map(|g| g.log().floor()), Some(Slot(9)));
}

#[test]
fn a_founding_goes_on_and_never_back_or_aside() {
    let charter = |design| {
        Charter::new(Checksum(design), [(NodeId(1), 7), (NodeId(2), 8)]).expect("sound disks")
    };
    let (ours, other) = (charter(1), charter(2));
    // How far each is from the beginning, and along which way.
    let all = [
        Founding::Open,
        Founding::Named(ours.clone()),
        Founding::Named(other.clone()),
        Founding::Founded(ours.clone()),
        Founding::Founded(other.clone()),
        Founding::Joined,
    ];
    let goes_on = [
        [true, true, true, true, true, true],
        [false, true, false, true, false, true],
        [false, false, true, false, true, true],
        [false, false, false, true, false, false],
        [false, false, false, false, true, false],
        [false, false, false, false, false, true],
    ];
    for (before, row) in all.iter().zip(goes_on) {
        for (next, sound) in all.iter().zip(row) {
            let result = replayed([before, next].map(|f| Entry::Founding(f.clone())));
            let expected = if sound { Ok(next) } else { Err(ReplayError::TwoFoundings(GROUP)) };
            let found = result.as_ref().map(|d| d.group(GROUP).expect("written").founding());
            assert_eq!(found.map_err(|e| *e), expected, "{before:?}, then {next:?}");
        }
    }
}

#[test]
fn what_is_said_of_one_group_is_said_of_no_other() {
    let mut durable = replayed([voted(1, &["a"])]).expect("sound");
    let entry = Entry::Promised(Ballot::new(9, NodeId(2)));
    durable.replay(Record { group: GroupId(1), entry }).expect("sound");
    let said: Vec<_> = durable.groups().map(|(id, g)| (id.0, g.promised().round)).collect();
    assert_eq!(said, [(1, 9), (3, 2)]);
    assert_eq!(durable.take(GROUP).promised(), VOTE);
    assert!(durable.group(GROUP).is_none(), "handed over");
}

#[test]
fn a_hint_chooses_what_stands_before_it_whatever_the_ballots() {
    let higher = Ballot::new(5, NodeId(2));
    let records = [
        voted(1, &["a", "b"]),
        Entry::Learned { run: run(3, &["c"]) },
        Entry::Voted { ballot: higher, run: run(4, &["d", "e"]) },
    ];
    let hinted = |below| {
        let hint = Entry::Chosen { below: Slot(below) };
        let durable = replayed(records.iter().cloned().chain([hint]))?;
        Ok(durable.group(GROUP).expect("written").log().chosen())
    };
    // What was learned in slot 3 is chosen without a hint, and stops nothing.
    for (below, chosen) in [(1, 1), (2, 2), (3, 4), (4, 4), (5, 5), (6, 6)] {
        assert_eq!(hinted(below), Ok(Slot(chosen)), "below {below}");
    }
    assert_eq!(hinted(7), Err(ReplayError::Absurd(GROUP)), "nothing is held there");
}

#[test]
fn a_witness_is_told_where_its_log_begins() {
    let schedule =
        Schedule::starting(Slot::FIRST, Membership::majority([1, 2, 3].map(NodeId)).into());
    let relieved = Entry::Relieved { below: Slot(3), schedule: schedule.clone() };
    let mut durable = replayed([voted(1, &["a", "b", "c"]), relieved]).expect("sound");
    let mut group = durable.take(GROUP);
    assert_eq!((group.relieved(), group.log().floor()), (Some(Slot(3)), Slot(3)));
    assert_eq!(group.take_relieved(), Some((Slot(3), schedule)));
    assert_eq!(group.relieved(), None);
}

#[test]
fn a_slot_far_ahead_of_all_before_it_is_absurd() {
    for (first, sound) in [(Durable::AHEAD_MAX, true), (Durable::AHEAD_MAX + 1, false)] {
        for entry in [voted(first, &["v"]), Entry::Learned { run: run(first, &["v"]) }] {
            assert_eq!(replayed([entry]).is_ok(), sound, "slot {first}");
        }
    }
}
