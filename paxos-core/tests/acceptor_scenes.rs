//! Scenes of one acceptor: n1 of three, with the test speaking for n2 and n3.

mod common;

use common::{Cluster, GROUP, Message, accept, accepted, b, ignored, messages, n, prepare, sent};
use paxos_core::effect::{Effect, HaltReason, Ignored, Input};
use paxos_core::log::{Durable, Entry, Record};
use paxos_core::message::{Accept, Chosen, Confirm, Entries, Fetch, Heartbeat, Promise, Reject};
use paxos_core::quorum::Membership;
use paxos_core::types::{Ballot, Limits, NodeId, Run, Slot, Value, WriteId};

/// n1 of three; its disk answers when it is told to.
fn alone() -> Cluster {
    let mut c = Cluster::alone(3);
    c.sync = false;
    c
}

/// What n1 sends when its disk has answered.
fn synced(c: &mut Cluster) -> Vec<Message> {
    messages(&c.sync_disk(n(1))).into_iter().cloned().collect()
}

fn kept(c: &Cluster, slot: u64) -> Option<(Ballot, Value)> {
    let cell = c.replica(n(1)).log().get(Slot(slot))?;
    Some((cell.ballot, cell.value.clone()))
}

#[test]
fn s01_a_prepare_is_refused_below_answered_at_and_promised_above() {
    let mut c = alone();
    let first = c.tell(n(1), n(2), prepare(b(5, 2), 1));
    assert!(sent(&first, "Promise").is_empty(), "not before the disk has it");
    let promise = synced(&mut c);
    assert!(matches!(&promise[..], [Message::Promise(m)] if m.ballot == b(5, 2)));

    let lower = c.tell(n(1), n(3), prepare(b(4, 3), 1));
    let names = Reject { ballot: b(4, 3), promised: b(5, 2) };
    assert_eq!(messages(&lower), [&Message::Reject(names)]);

    let again = c.tell(n(1), n(2), prepare(b(5, 2), 1));
    assert_eq!(messages(&again), promise.iter().collect::<Vec<_>>(), "the same answer");
    assert!(c.host(n(1)).unsynced.is_empty(), "nothing new to write");

    let higher = c.tell(n(1), n(3), prepare(b(5, 3), 1));
    assert!(sent(&higher, "Promise").is_empty());
    assert!(matches!(&synced(&mut c)[..], [Message::Promise(m)] if m.ballot == b(5, 3)));
    assert_eq!(c.replica(n(1)).promised(), b(5, 3));
}

#[test]
fn s02_an_accept_is_refused_below_the_promise_and_raises_it_from_above() {
    let mut c = alone();
    c.tell(n(1), n(2), prepare(b(5, 2), 1));
    synced(&mut c);

    let below = c.tell(n(1), n(3), accept(b(4, 3), 1, &["late"]));
    assert_eq!(messages(&below).len(), 1);
    assert!(matches!(messages(&below)[0], Message::Reject(m) if m.promised == b(5, 2)));

    c.tell(n(1), n(2), accept(b(5, 2), 1, &["at"]));
    assert_eq!(synced(&mut c), [accepted(b(5, 2), 1, 2)]);

    c.tell(n(1), n(3), accept(b(6, 3), 2, &["above"]));
    let batch: Vec<Entry> =
        c.host(n(1)).unsynced.iter().flat_map(|b| &b.records).map(|r| r.entry.clone()).collect();
    let run = common::run(2, &["above"]);
    assert_eq!(batch, [Entry::Voted { ballot: b(6, 3), run }], "one record for both");
    assert_eq!(synced(&mut c), [accepted(b(6, 3), 2, 3)]);
    let disk = c.host(n(1)).disk.group(GROUP).expect("written");
    assert_eq!(disk.promised(), b(6, 3));
    let refused = c.tell(n(1), n(2), prepare(b(5, 2), 1));
    assert_eq!(sent(&refused, "Reject").len(), 1);
}

#[test]
fn s03_after_a_failed_write_nothing_is_answered_ever() {
    for message in [prepare(b(5, 2), 1), accept(b(5, 2), 1, &["v"])] {
        let mut c = alone();
        c.tell(n(1), n(2), message.clone());
        let write = c.host(n(1)).unsynced[0].id;
        let effects = c.step(n(1), Input::PersistFailed(write));
        assert_eq!(effects, [Effect::Halt(HaltReason::PersistFailed)]);
        assert!(c.host(n(1)).node.is_halted());
        assert_eq!(c.host(n(1)).node.wake_at(), None);
        c.host_mut(n(1)).up = true;
        assert_eq!(c.step(n(1), Input::Persisted(write)), [], "a retry that claims success");
        assert_eq!(c.tell(n(1), n(2), message), []);
        c.now = c.now + common::SECOND;
        assert_eq!(c.step(n(1), Input::Ticked), []);
    }
}

#[test]
fn s04_a_second_value_under_one_ballot_is_a_violation_and_the_first_stays() {
    let mut c = alone();
    c.tell(n(1), n(2), accept(b(5, 2), 1, &["first"]));
    synced(&mut c);
    let second = c.tell(n(1), n(2), accept(b(5, 2), 1, &["second"]));
    assert_eq!(ignored(&second), [Ignored::TwoValues(GROUP, n(2), Slot(1))]);
    assert!(messages(&second).is_empty(), "no vote for it");
    assert_eq!(kept(&c, 1), Some((b(5, 2), common::value("first"))));
    // A run that is wrong in one place is not voted for in another.
    let partly = c.tell(n(1), n(2), accept(b(5, 2), 1, &["second", "new"]));
    assert!(messages(&partly).is_empty());
    assert_eq!(kept(&c, 2), None);
}

#[test]
fn s43_what_is_absurd_by_itself_is_ignored_and_the_node_lives() {
    let mut c = alone();
    let big = "x".repeat(c.limits.value_bytes_max + 1);
    let chosen = Slot::FIRST;
    let many = vec![Value::Noop; c.limits.run_slots_max + 1];
    let absurd: Vec<Message> = vec![
        accept(b(5, 2), 1, &[]),
        accept(b(5, 2), 1, &[&big]),
        accept(b(5, 2), 0, &["below the first"]),
        accept(b(0, 2), 1, &["ballot zero"]),
        accept(b(5, 3), 1, &["another's ballot"]),
        accept(b(Ballot::ROUND_MAX + 1, 2), 1, &["no room above"]),
        Accept { ballot: b(5, 2), run: Run::new(Slot(u64::MAX), vec![Value::Noop]), chosen }.into(),
        Accept { ballot: b(5, 2), run: Run::new(Slot(1), many), chosen }.into(),
        prepare(b(5, 2), 0),
        prepare(b(5, 3), 1),
        Fetch { from: Slot(5), to: Slot(4), image: false }.into(),
        accepted(b(5, 2), 4, 4),
        Chosen { ballot: b(5, 2), below: Slot(u64::MAX) }.into(),
    ];
    for message in absurd {
        let effects = c.tell(n(1), n(2), message.clone());
        assert_eq!(ignored(&effects), [Ignored::Absurd(GROUP, n(2))], "{}", message.name());
        assert_eq!(effects.len(), 1, "{}", message.name());
    }
    c.tell(n(1), n(2), accept(b(5, 2), 1, &["sound"]));
    assert_eq!(synced(&mut c), [accepted(b(5, 2), 1, 2)]);
}

/// An acceptor votes only so far ahead: a wild slot must not cost memory.
#[test]
fn s43_a_slot_far_ahead_is_not_voted_on() {
    let mut c = alone();
    let far = c.limits.ahead_slots_max as u64 + 1;
    let effects = c.tell(n(1), n(2), accept(b(5, 2), far, &["wild"]));
    assert_eq!(ignored(&effects), [Ignored::Overload(GROUP, n(2))]);
    assert_eq!(c.replica(n(1)).log().end(), Slot(1));
    c.tell(n(1), n(2), accept(b(5, 2), far - 1, &["just in reach"]));
    assert_eq!(synced(&mut c), [accepted(b(5, 2), far - 1, far)]);
}

#[test]
fn s46_nothing_that_binds_leaves_before_its_record_is_durable() {
    let mut c = alone();
    c.tell(n(1), n(2), prepare(b(5, 2), 1));
    c.tell(n(1), n(2), accept(b(5, 2), 1, &["v"]));
    let again = c.tell(n(1), n(2), prepare(b(5, 2), 1));
    assert!(messages(&again).is_empty(), "the vote that it reports is not durable");
    assert!(c.network.is_empty());

    let first = c.sync_batches(n(1), 1);
    assert!(matches!(&messages(&first)[..], [Message::Promise(m)] if m.votes.is_empty()));
    let second = c.sync_batches(n(1), 1);
    let told = messages(&second);
    assert_eq!(told[0], &accepted(b(5, 2), 1, 2));
    assert!(matches!(told[1], Message::Promise(m) if m.votes.len() == 1));
}

#[test]
fn s46_a_crash_at_each_boundary_loses_only_what_was_not_acknowledged() {
    for durable in 0..=2 {
        let mut c = alone();
        c.tell(n(1), n(2), prepare(b(5, 2), 1));
        c.tell(n(1), n(3), accept(b(6, 3), 1, &["v"]));
        let told = c.sync_batches(n(1), durable).len();
        c.crash(n(1));
        c.restart(n(1));
        let promised = [Ballot::ZERO, b(5, 2), b(6, 3)][durable];
        assert_eq!(c.replica(n(1)).promised(), promised);
        assert_eq!(kept(&c, 1).is_some(), durable == 2);
        assert_eq!(told, durable, "one answer for each record");
    }
}

/// Three writes of one slot, the last with the first one's values again: the first
/// completion must not speak for the last ("ABA").
#[test]
fn s48_a_completion_speaks_for_its_own_write_only() {
    let mut c = alone();
    c.tell(n(1), n(2), accept(b(2, 2), 5, &["a", "b"]));
    c.tell(n(1), n(3), accept(b(3, 3), 5, &["c", "d"]));
    c.tell(n(1), n(2), accept(b(4, 2), 5, &["a", "b"]));
    let first = c.sync_batches(n(1), 1);
    assert_eq!(messages(&first), [&accepted(b(2, 2), 5, 7)]);
    let rest = c.sync_disk(n(1));
    assert_eq!(messages(&rest), [&accepted(b(3, 3), 5, 7), &accepted(b(4, 2), 5, 7)]);
}

#[test]
fn s49_a_completion_that_makes_no_sense_releases_nothing() {
    let mut c = alone();
    c.tell(n(1), n(2), accept(b(2, 2), 1, &["v"]));
    for write in [WriteId(0), WriteId(2), WriteId(u64::MAX)] {
        let effects = c.step(n(1), Input::Persisted(write));
        assert_eq!(ignored(&effects), [Ignored::UnknownWrite(write)]);
        assert_eq!(effects.len(), 1);
    }
    assert_eq!(synced(&mut c).len(), 1);
    let again = c.step(n(1), Input::Persisted(WriteId(1)));
    assert_eq!(ignored(&again), [Ignored::UnknownWrite(WriteId(1))]);
    // A completion for the life before: its batch is not this life's.
    c.tell(n(1), n(2), accept(b(2, 2), 2, &["w"]));
    c.crash(n(1));
    c.restart(n(1));
    assert_eq!(ignored(&c.step(n(1), Input::Persisted(WriteId(2)))).len(), 1);
}

/// The promise that a vote implies stands in the vote's own record, so that no
/// crash keeps the one without the other; a file that says otherwise is refused.
#[test]
fn s52_no_disk_holds_a_vote_above_its_promise() {
    let mut c = alone();
    c.tell(n(1), n(2), prepare(b(5, 2), 1));
    c.tell(n(1), n(2), accept(b(7, 2), 1, &["v"]));
    c.sync_disk(n(1));
    let records = c.host(n(1)).records.clone();
    for cut in 0..=records.len() {
        let mut disk = Durable::default();
        for record in &records[..cut] {
            disk.replay(record.clone()).expect("what was written follows");
        }
        let group = disk.group(GROUP);
        let vote = group.and_then(|g| g.log().get(Slot(1))).map_or(Ballot::ZERO, |c| c.ballot);
        assert!(group.is_none_or(|g| g.promised() >= vote), "cut at {cut}");
    }
    let mut disk = Durable::default();
    let record = |entry| Record { group: GROUP, entry };
    disk.replay(record(Entry::Promised(b(8, 2)))).expect("the first");
    let vote = Entry::Voted { ballot: b(7, 2), run: common::run(1, &["v"]) };
    assert!(disk.replay(record(vote)).is_err(), "no node writes this");
}

#[test]
fn s55_learning_a_value_lowers_no_promise() {
    let mut c = alone();
    c.tell(n(1), n(2), prepare(b(9, 2), 1));
    c.tell(n(1), n(3), Entries { run: common::run(1, &["chosen at 3"]), chosen: Slot(2) });
    c.sync_disk(n(1));
    c.crash(n(1));
    c.restart(n(1));
    assert_eq!(c.replica(n(1)).promised(), b(9, 2));
    let between = c.tell(n(1), n(3), prepare(b(5, 3), 1));
    assert!(matches!(messages(&between)[..], [Message::Reject(m)] if m.promised == b(9, 2)));
    let vote = c.tell(n(1), n(3), accept(b(5, 3), 2, &["late"]));
    assert_eq!(sent(&vote, "Reject").len(), 1);
}

/// A slot that is known to be chosen is reported as such whatever was voted for.
#[test]
fn s55_a_vote_that_lost_is_never_reported_again() {
    let mut c = alone();
    c.tell(n(1), n(2), accept(b(2, 2), 2, &["lost"]));
    c.tell(n(1), n(3), Entries { run: common::run(1, &["one", "won"]), chosen: Slot(3) });
    assert_eq!(c.payloads(n(1)), ["one", "won"]);
    c.sync_disk(n(1));
    for _ in 0..2 {
        c.tell(n(1), n(3), prepare(b(c.host(n(1)).life + 5, 3), 1));
        let told = synced(&mut c);
        let [Message::Promise(Promise { chosen, votes, .. })] = &told[..] else {
            panic!("{told:?}");
        };
        assert_eq!((*chosen, votes.len()), (Slot(3), 0), "all below is chosen: fetch it");
        c.crash(n(1));
        c.restart(n(1));
    }
}

#[test]
fn s74_a_message_of_a_stranger_is_ignored() {
    let mut c = alone();
    for message in [prepare(b(5, 9), 1), accept(b(5, 9), 1, &["v"]), accepted(b(5, 1), 1, 2)] {
        let effects = c.tell(n(1), n(9), message);
        assert_eq!(ignored(&effects), [Ignored::Stranger(GROUP, n(9))]);
        assert_eq!(effects.len(), 1);
    }
    for id in [0, 128, u16::MAX] {
        let from = NodeId(id);
        let effects = c.tell(n(1), from, prepare(Ballot::new(5, from), 1));
        assert_eq!(ignored(&effects), [Ignored::Stranger(GROUP, from)]);
    }
    let effects = c.tell(n(1), n(1), prepare(b(5, 1), 1));
    assert_eq!(ignored(&effects), [Ignored::FromMyself]);
    assert_eq!(c.replica(n(1)).promised(), Ballot::ZERO);
}

/// Somebody else may have been elected, with our help: a read of the old leader
/// must not be confirmed by us.
#[test]
fn s63_a_voter_that_has_promised_more_confirms_nothing() {
    let mut c = alone();
    let confirm = |round| Confirm { ballot: b(5, 2), round };
    let before = c.tell(n(1), n(2), confirm(1));
    assert_eq!(sent(&before, "Confirmed").len(), 1, "binds nobody, so it may leave at once");
    c.tell(n(1), n(3), prepare(b(6, 3), 1));
    let after = c.tell(n(1), n(2), confirm(2));
    let names = Reject { ballot: b(5, 2), promised: b(6, 3) };
    assert_eq!(messages(&after), [&Message::Reject(names)]);
}

/// Chosen values that leave a hole are of no use now, and must not cost memory.
#[test]
fn s43_chosen_values_far_ahead_are_not_kept() {
    let mut c = alone();
    let chosen = Slot(1 << 40);
    c.tell(n(1), n(2), Entries { run: common::run(1 << 39, &["far"]), chosen });
    c.tell(n(1), n(2), Entries { run: common::run(2, &["behind a hole"]), chosen });
    assert_eq!(c.replica(n(1)).log().end(), Slot(1));
    c.tell(n(1), n(2), Entries { run: common::run(1, &["next"]), chosen });
    assert_eq!(c.payloads(n(1)), ["next"]);
}

/// A promise that is too long for one message comes in pages, without holes and
/// each within its bound; the first vote of a page always fits.
#[test]
fn s14_a_long_promise_comes_in_pages_without_holes() {
    let limits = Limits { run_bytes_max: 300, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(n)), limits);
    c.crash(n(2));
    c.crash(n(3));
    let long = "x".repeat(1000);
    let short = "y".repeat(100);
    c.tell(n(1), n(2), accept(b(1, 2), 1, &[&short, &short, &short, &long, &short]));
    c.tell(n(1), n(2), accept(b(1, 2), 9, &[&short]));
    c.tell(n(1), n(3), prepare(b(2, 3), 1));
    let mut from = Some(Slot(1));
    let mut slots = Vec::new();
    for message in synced(&mut c) {
        let Message::Promise(page) = message else { continue };
        assert_eq!(Some(page.from), from, "each page starts where the last one ends");
        let weight: usize = page.votes.iter().map(|v| v.value.weight()).sum();
        assert!(weight <= 300 || page.votes.len() == 1, "{weight} bytes");
        slots.extend(page.votes.iter().map(|v| v.slot.0));
        from = page.to;
    }
    assert_eq!(from, None, "the last page covers the rest");
    assert_eq!(slots, [1, 2, 3, 4, 5, 9]);
}

/// At the bound of what may wait for the disk, nothing more is written down, but
/// the leader is still heard.
#[test]
fn s46_a_node_full_of_pledges_votes_for_nothing_more() {
    let limits = Limits { held_pledges_max: 2, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(n)), limits);
    c.crash(n(2));
    c.crash(n(3));
    for slot in [1, 2] {
        c.tell(n(1), n(2), accept(b(1, 2), slot, &["v"]));
    }
    let refused = c.tell(n(1), n(2), accept(b(1, 2), 3, &["v"]));
    assert_eq!(ignored(&refused), [Ignored::Overload(GROUP, n(2))]);
    assert_eq!(c.replica(n(1)).log().end(), Slot(3));
    let heard =
        c.tell(n(1), n(2), Heartbeat { ballot: b(1, 2), chosen: Slot(1), beat: 0, settled: true });
    assert_eq!(sent(&heard, "HeartbeatAck").len(), 1);
    assert_eq!(synced(&mut c).len(), 2);
    c.tell(n(1), n(2), accept(b(1, 2), 3, &["v"]));
    assert_eq!(synced(&mut c), [accepted(b(1, 2), 3, 4)]);
}
