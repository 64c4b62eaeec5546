//! Scenes of disks: what may be said when, and what is left after a crash.

mod common;

use std::time::Duration;

use common::{Cluster, GROUP, SECOND, accept, b, messages, n};
use paxos_core::Standing;
use paxos_core::effect::{Effect, Input, Outcome};
use paxos_core::log::{Durable, Entry, Record, ReplayError};
use paxos_core::message::Message;
use paxos_core::types::{Ballot, Slot};

fn replay(entries: Vec<Entry>) -> Result<Durable, ReplayError> {
    let mut disk = Durable::default();
    for entry in entries {
        disk.replay(Record { group: GROUP, entry })?;
    }
    Ok(disk)
}

fn voted(ballot: Ballot, first: u64, payloads: &[&str]) -> Entry {
    Entry::Voted { ballot, run: common::run(first, payloads) }
}

#[test]
fn s47_a_leader_counts_its_own_vote_after_its_own_sync_only() {
    let mut c = Cluster::alone(3);
    let mine = c.lead();
    let p = c.propose(n(1), "v");
    assert_eq!(c.under_way("Accept"), 2, "the followers' disks work in the meantime");
    c.tell(n(1), n(2), common::accepted(mine, 1, 2));
    assert_eq!(c.outcome(n(1), p), None, "one vote is durable, not two");
    c.sync_disk(n(1));
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Chosen(Slot(1))));
}

/// The followers alone are a quorum: the leader's disk may be last.
#[test]
fn s47_followers_may_choose_without_the_leaders_disk() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.stuck.insert(n(1));
    let p = c.propose(n(1), "v");
    c.settle();
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Chosen(Slot(1))));
    assert_eq!(c.payloads(n(1)), ["v"]);
    // The leader's vote is lost, and the value is not.
    c.crash(n(1));
    c.stuck.clear();
    c.restart(n(1));
    assert_eq!(c.replica(n(1)).log().end(), Slot(1));
    c.run(SECOND * 2);
    c.assert_all(&["v"]);
}

/// Every disk takes long, up to several patiences: elections take longer, and end.
#[test]
fn s47_slow_disks_do_not_keep_a_group_from_electing() {
    for wait in [50, 100, 200, 300, 400, 600, 800, 1000] {
        let mut c = Cluster::new(3);
        c.sync_takes = Duration::from_millis(wait);
        c.run(SECOND * 15);
        let leader = c.leader().unwrap_or_else(|| panic!("nobody is elected in {wait} ms"));
        let ballot = c.replica(leader).own_ballot();
        let p = c.propose(leader, "v");
        c.run(SECOND * 3);
        assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))), "{wait} ms");
        assert_eq!(c.replica(leader).own_ballot(), ballot, "{wait} ms");
        // However long it took, the next failure is noticed as fast as the first.
        c.crash(leader);
        c.sync_takes = Duration::ZERO;
        c.run(c.timing.patience * 5);
        assert!(c.leader().is_some(), "{wait} ms");
    }
}

/// An fsync that failed once is never believed again ("fsyncgate").
#[test]
fn s50_a_failed_sync_halts_the_leader_and_the_others_go_on() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.stuck.insert(n(1));
    c.propose(n(1), "v");
    let write = c.host(n(1)).unsynced[0].id;
    let effects = c.step(n(1), Input::PersistFailed(write));
    assert!(matches!(effects[..], [Effect::Halt(_)]));
    assert!(!c.host(n(1)).up);
    c.run(SECOND * 2);
    let new = c.leader().expect("the other two");
    c.propose(new, "w");
    c.settle();
    assert_eq!(c.payloads(new), ["v", "w"]);
}

/// The torn end of a log is the codec's affair; what reaches the core is a prefix
/// of what was written, and every prefix is a sound state.
#[test]
fn s51_every_prefix_of_a_disk_is_a_sound_state() {
    let mut c = Cluster::new(3);
    for round in 0..4 {
        c.elect_this(n(1 + round % 3));
        c.propose(n(1 + round % 3), &format!("v{round}"));
        c.settle();
    }
    c.run(SECOND);
    let records = c.host(n(1)).records.clone();
    assert!(records.len() >= 6, "{} records", records.len());
    let mut promised = Ballot::ZERO;
    let mut chosen = Slot::FIRST;
    for cut in 0..=records.len() {
        let mut disk = Durable::default();
        for record in &records[..cut] {
            disk.replay(record.clone()).expect("what was written follows");
        }
        let Some(group) = disk.group(GROUP) else { continue };
        assert!(group.promised() >= promised && group.log().chosen() >= chosen, "cut at {cut}");
        (promised, chosen) = (group.promised(), group.log().chosen());
    }
}

/// What no node writes is refused, and says which group and why.
#[test]
fn s51_a_disk_that_contradicts_itself_is_refused() {
    let absurd = Err(ReplayError::Absurd(GROUP));
    let cases = [
        (
            vec![Entry::Promised(b(5, 2)), voted(b(4, 2), 1, &["v"])],
            Err(ReplayError::BrokenPromise(GROUP, b(4, 2))),
        ),
        (
            vec![voted(b(4, 2), 1, &["v"]), voted(b(4, 2), 1, &["w"])],
            Err(ReplayError::TwoValues(GROUP, Slot(1))),
        ),
        (
            vec![
                voted(b(4, 2), 1, &["v"]),
                Entry::Chosen { below: Slot(2) },
                voted(b(5, 2), 1, &["w"]),
            ],
            Err(ReplayError::TwoValues(GROUP, Slot(1))),
        ),
        (
            vec![
                Entry::Learned { run: common::run(1, &["v"]) },
                Entry::Learned { run: common::run(1, &["w"]) },
            ],
            Err(ReplayError::TwoValues(GROUP, Slot(1))),
        ),
        (vec![Entry::Chosen { below: Slot(2) }], absurd.clone()),
        (vec![Entry::Promised(Ballot::ZERO)], absurd.clone()),
        (vec![voted(b(4, 2), 0, &["v"])], absurd.clone()),
        (vec![voted(b(4, 2), u64::MAX, &["v"])], absurd.clone()),
        (vec![voted(b(4, 2), Durable::AHEAD_MAX + 1, &["v"])], absurd),
    ];
    for (entries, expected) in cases {
        let shown = format!("{entries:?}");
        assert_eq!(replay(entries).map(|_| Durable::default()), expected, "{shown}");
    }
}

#[test]
fn s53_a_restart_delivers_what_the_machine_lacks_once_and_in_order() {
    let mut c = Cluster::new(1);
    c.elect();
    for i in 0..10 {
        c.propose(n(1), &format!("v{i}"));
        c.settle();
    }
    // The last hint stands with the last record: it covers all but the last slot.
    for applied in [1, 4, 9, 10] {
        c.crash(n(1));
        c.restart_from(n(1), Slot(applied));
        c.elect();
        let expected: Vec<String> = (applied - 1..10).map(|i| format!("v{i}")).collect();
        assert_eq!(c.payloads(n(1)), expected, "applied below {applied}");
    }
}

/// The machine kept more than the log: a snapshot that is newer.
#[test]
fn s53_a_machine_ahead_of_the_log_waits_for_the_log_to_catch_up() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    for i in 0..5 {
        c.propose(n(1), &format!("v{i}"));
    }
    c.run(SECOND);
    c.crash(n(3));
    // n3's log is gone from slot 2 on, its machine is not.
    let records = vec![Record { group: GROUP, entry: voted(b(1, 1), 1, &["v0"]) }];
    c.restart_with(n(3), records);
    c.crash(n(3));
    c.restart_from(n(3), Slot(6));
    c.propose(n(1), "v5");
    c.run(SECOND);
    assert_eq!(c.payloads(n(3)), ["v5"]);
    let q = c.query(n(3));
    c.settle();
    assert_eq!(c.host(n(3)).served[&q], Some(Slot(7)));
}

/// The chosen frontier may go back when a node restarts; the delivered one of a
/// machine that kept its state does not, and nothing is delivered to it twice.
#[test]
fn s54_the_frontier_may_regress_and_nothing_is_delivered_twice() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    for i in 0..6 {
        c.propose(n(1), &format!("v{i}"));
        c.settle();
    }
    c.run(SECOND);
    for id in [1, 2, 3] {
        let before = c.replica(n(id)).chosen();
        c.crash(n(id));
        c.restart_from(n(id), before);
        assert!(c.replica(n(id)).chosen() < before, "hints are late by nature");
        assert!(c.host(n(id)).delivered.is_empty());
    }
    let leader = c.elect();
    c.propose(leader, "v6");
    c.run(SECOND);
    c.assert_all(&["v6"]);
}

/// A hint of the frontier and the votes that it speaks of, with another leader's
/// value learned in between.
#[test]
fn s54_what_was_learned_survives_with_what_was_voted() {
    let mut c = Cluster::alone(3);
    c.tell(n(1), n(2), accept(b(1, 2), 1, &["a", "lost", "c"]));
    c.tell(
        n(1),
        n(3),
        paxos_core::message::Entries { run: common::run(1, &["a", "won"]), chosen: Slot(3) },
    );
    c.tell(n(1), n(3), accept(b(2, 3), 3, &["d"]));
    c.sync_disk(n(1));
    assert_eq!(c.payloads(n(1)), ["a", "won"]);
    let before = c.replica(n(1)).log().clone();
    c.crash(n(1));
    c.restart(n(1));
    assert_eq!(c.replica(n(1)).log(), &before);
    c.run(Duration::from_millis(1));
    assert_eq!(c.payloads(n(1)), ["a", "won"]);
}

/// Power fails everywhere at once, with nothing durable that was not told.
#[test]
fn s46_a_power_cut_loses_nothing_that_was_acknowledged() {
    for synced in 0..8 {
        let mut c = Cluster::new(3);
        c.elect_this(n(1));
        c.sync = false;
        let asked: Vec<_> = (0..4).map(|i| (i, c.propose(n(1), &format!("v{i}")))).collect();
        for step in 0..synced {
            c.settle();
            c.sync_disk(n(1 + step % 3));
        }
        c.settle();
        let told = |(_, p): &&(usize, _)| matches!(c.outcome(n(1), *p), Some(Outcome::Chosen(_)));
        let told: Vec<String> = asked.iter().filter(told).map(|(i, _)| format!("v{i}")).collect();
        for id in [1, 2, 3] {
            c.crash(n(id));
            c.restart(n(id));
        }
        c.sync = true;
        c.run(SECOND * 2);
        let kept = c.payloads(n(1));
        assert!(told.iter().all(|v| kept.contains(v)), "told {told:?}, kept {kept:?}");
        assert!(synced < 2 || told.len() == 4, "after {synced} syncs {told:?}");
    }
}

/// A restarted leader is nobody until it is elected again, and says so to whoever
/// still believes in it.
#[test]
fn s23_a_restarted_leader_does_not_lead() {
    let mut c = Cluster::new(3);
    let ballot = c.elect_this(n(1));
    c.run(c.timing.heartbeat);
    c.crash(n(1));
    c.restart(n(1));
    assert_eq!(c.replica(n(1)).standing(), Standing::Follower);
    c.tell(n(1), n(2), common::accepted(ballot, 1, 2));
    let effects = c.tell(n(1), n(2), common::promise(ballot, 1, &[]));
    assert!(messages(&effects).is_empty());
    let p = c.propose(n(2), "to whom?");
    c.run(SECOND * 3);
    assert!(c.outcome(n(2), p).is_some(), "answered in the end");
    let none = |m: &&Message| matches!(m, Message::Accept(a) if a.ballot == ballot);
    assert!(!c.network.iter().any(|(_, e)| none(&&e.message)));
}

#[test]
fn s55_no_record_lowers_the_promise() {
    let disk = replay(vec![
        voted(b(3, 2), 1, &["v"]),
        Entry::Promised(b(9, 2)),
        Entry::Promised(b(4, 3)),
        Entry::Learned { run: common::run(1, &["v", "w"]) },
        Entry::Chosen { below: Slot(3) },
    ]);
    let disk = disk.expect("nothing here contradicts itself");
    assert_eq!(disk.group(GROUP).map(|g| g.promised()), Some(b(9, 2)));
}
