//! Catch-up by image: who lacks what its donors have trimmed.

mod common;

use common::behind::{assert_level, choose, half_an_image, left_behind, small};
use common::{Cluster, Fate, GROUP, Message, SECOND, accept, accepted, b, n, prepare, sent};
use paxos_core::effect::Notice;
use paxos_core::message::{Accepted, Entries, Promise};
use paxos_core::quorum::Membership;
use paxos_core::types::{Limits, NodeId, Slot};

/// {1, 2} choose and execute, 2 forgets; 1 dies, and 3, which is empty, leads with
/// 2: it must have the slots from 2, and propose nothing there.
#[test]
fn s40_a_leader_has_trimmed_slots_sent_and_proposes_nothing_there() {
    let mut c = left_behind(3, &[3], 9);
    c.crash(n(1));
    c.heal();
    let ballot = c.elect_this(n(3));
    assert_eq!(ballot.node, n(3));
    c.propose(n(3), "news");
    c.run(SECOND);
    assert!(c.replica(n(3)).delivered() > Slot(10));
    let first: Vec<String> = (0..9).map(|i| format!("v{i}")).collect();
    assert_eq!(c.payloads(n(3))[..9], first);
    assert_eq!(c.payloads(n(3)).last().map(String::as_str), Some("news"));
    assert_level(&c, n(3), n(2));
}

/// A voter that has trimmed a slot says that it is chosen, and reports no vote there.
#[test]
fn s40_a_promise_says_that_trimmed_slots_are_chosen() {
    let mut c = left_behind(3, &[3], 9);
    let ballot = b(50, 3);
    c.tell(n(2), n(3), prepare(ballot, 1));
    let effects = c.sync_disk(n(2));
    let promises = sent(&effects, "Promise");
    let [Message::Promise(Promise { from, chosen, votes, to: None, .. })] = promises[..] else {
        panic!("one page: {promises:?}");
    };
    assert_eq!((*from, *chosen), (Slot(1), c.replica(n(2)).chosen()));
    assert!(votes.iter().all(|v| v.slot >= *chosen));
}

/// A leader that does not know how far the others are may still ask for votes on
/// slots that they have trimmed: they give them, keep nothing, and forget nothing.
#[test]
fn a_vote_below_the_floor_is_given_and_not_kept() {
    let mut c = left_behind(3, &[3], 9);
    c.sync = false;
    let before = c.replica(n(2)).log().clone();
    assert_eq!(before.floor(), Slot(9));
    let ballot = b(50, 3);
    assert!(sent(&c.tell(n(2), n(3), accept(ballot, 8, &["old"])), "Accepted").is_empty());
    assert_eq!(c.replica(n(2)).promised(), ballot, "a vote promises");
    let effects = c.sync_disk(n(2));
    assert_eq!(sent(&effects, "Accepted"), [&accepted(ballot, 8, 9)]);
    assert_eq!(*c.replica(n(2)).log(), before);
    // A run across the floor: the upper part is a vote like any other.
    c.tell(n(2), n(3), accept(ballot, 8, &["old", "v8", "new"]));
    let effects = c.sync_disk(n(2));
    let Some(Message::Accepted(Accepted { first, end, .. })) = sent(&effects, "Accepted").pop()
    else {
        panic!("a vote");
    };
    assert_eq!((*first, *end), (Slot(8), Slot(11)));
    assert_eq!(c.replica(n(2)).log().floor(), Slot(9));
    assert!(c.replica(n(2)).log().get(Slot(10)).is_some());
    // And what a promise stands against is refused there too.
    let effects = c.tell(n(2), n(1), accept(b(49, 1), 8, &["old"]));
    assert_eq!(sent(&effects, "Reject").len(), 1);
}

#[test]
fn entries_below_the_floor_are_no_news() {
    let mut c = left_behind(3, &[3], 9);
    c.sync = false;
    let before = c.replica(n(2)).clone();
    let chosen = before.chosen();
    for entries in [common::run(1, &["x", "y"]), common::run(7, &["x", "y"])] {
        assert!(c.tell(n(2), n(3), Entries { run: entries, chosen }).is_empty());
        assert_eq!(c.replica(n(2)).log(), before.log());
    }
    let across = c.replica(n(1)).log().chosen_run(Slot(9), 1, 1000);
    assert!(c.tell(n(2), n(3), Entries { run: across, chosen }).is_empty());
}

#[test]
fn s45_who_lacks_what_is_trimmed_is_brought_up_by_an_image() {
    let mut c = left_behind(3, &[3], 10);
    c.heal();
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
    assert_eq!(c.replica(n(3)).log().floor(), Slot(9));
    assert_eq!(c.image(n(3)), c.image(n(1)));
    assert!(c.host(n(3)).notices.contains(&Notice::Installed { group: GROUP, below: Slot(9) }));
    let disk = c.host(n(3)).disk.group(GROUP).expect("the group").log().floor();
    assert_eq!(disk, Slot(9));
}

/// The donor has the slots when it is asked first, and has trimmed them when it is
/// asked again.
#[test]
fn s45_a_donor_that_trims_under_a_fetch_offers_its_checkpoint() {
    let limits = Limits { run_slots_max: 1, ..small() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits);
    c.isolate(n(3));
    c.idle_vaults.extend([n(1), n(2)]);
    c.elect_this(n(1));
    choose(&mut c, n(1), 6);
    c.heal();
    // The first entries reach it, and no others.
    let mut let_through = 2;
    c.whim(move |_, e| {
        if e.message.name() != "Entries" {
            return Fate::Deliver;
        }
        let_through -= 1;
        if let_through >= 0 { Fate::Deliver } else { Fate::Lose }
    });
    c.run(SECOND);
    assert_eq!(c.replica(n(3)).delivered(), Slot(3), "it has begun");
    c.idle_vaults.clear();
    c.settle();
    assert_eq!(c.replica(n(1)).log().floor(), Slot(5));
    c.calm();
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
}

/// The donor dies when half of the image is there. Another one goes on with it.
#[test]
fn s45_another_donor_goes_on_where_a_dead_one_ended() {
    let mut c = left_behind(5, &[5], 9);
    c.heal();
    // It knows who leads before it asks for anything.
    c.doom("Fetch", Fate::Lose);
    c.run(SECOND);
    let donor = half_an_image(&mut c, n(5));
    assert_ne!(donor, n(1), "the leader is left alone");
    let stored = c.host(n(5)).vault.aside.expect("half an image").1;
    assert!(stored > 0);
    c.crash(donor);
    c.calm();
    c.run(SECOND);
    let again: Vec<u64> = c
        .host(n(5))
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Pulling { offset, .. } => Some(*offset),
            _ => None,
        })
        .collect();
    assert_eq!(again.first(), Some(&0));
    assert!(again[1..].iter().all(|offset| *offset >= stored), "begins again: {again:?}");
    assert_level(&c, n(5), n(1));
}

#[test]
fn s45_two_are_brought_up_at_once() {
    let mut c = left_behind(5, &[4, 5], 9);
    c.heal();
    c.run(SECOND);
    assert_level(&c, n(4), n(1));
    assert_level(&c, n(5), n(1));
}

/// The receiver crashes half-way: what is on its disk is not asked for again.
#[test]
fn s45_a_receiver_goes_on_after_a_crash() {
    let mut c = left_behind(3, &[3], 9);
    c.heal();
    half_an_image(&mut c, n(3));
    c.crash(n(3));
    c.calm();
    c.restart(n(3));
    c.run(SECOND);
    let resumed = c.host(n(3)).notices.iter().find_map(|notice| match notice {
        Notice::Pulling { offset, .. } => Some(*offset),
        _ => None,
    });
    assert_eq!(resumed, Some(500));
    assert_level(&c, n(3), n(1));
}

/// The image is in place, and the node crashes before its log says so.
#[test]
fn s56_a_crash_between_an_image_and_its_record_costs_nothing() {
    let mut c = left_behind(3, &[3], 9);
    // Votes that lost, below the image.
    c.sync = false;
    c.tell(n(3), n(2), accept(b(1, 2), 2, &["lost", "lost"]));
    c.sync_disk(n(3));
    c.sync = true;
    c.heal();
    c.stuck.insert(n(3));
    c.run(SECOND);
    assert_eq!(c.image(n(3)), c.image(n(1)), "the image is durable");
    let unsaid = |c: &Cluster| {
        c.host(n(3))
            .records
            .iter()
            .all(|r| !matches!(r.entry, paxos_core::log::Entry::Trimmed { .. }))
    };
    assert!(unsaid(&c), "and the log has not heard of it");
    c.crash(n(3));
    c.stuck.clear();
    c.restart(n(3));
    assert_eq!(c.replica(n(3)).chosen(), Slot(9));
    assert!(c.replica(n(3)).log().get(Slot(2)).is_none(), "a vote that lost is gone");
    // What comes too late changes nothing.
    c.tell(n(3), n(2), accept(b(1, 2), 3, &["lost"]));
    c.run(SECOND);
    assert!(!unsaid(&c));
    assert_level(&c, n(3), n(1));
    c.crash(n(3));
    c.restart(n(3));
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
}

/// The image is older than what the leader counts: the rest comes from the log.
#[test]
fn s57_a_checkpoint_behind_the_leader_still_unblocks() {
    let mut c = left_behind(3, &[3], 5);
    c.idle_vaults.extend([n(1), n(2)]);
    choose(&mut c, n(1), 12);
    c.idle_vaults.clear();
    c.idle_vaults.insert(n(2));
    c.host_mut(n(1)).vault.orders.clear();
    assert_eq!(c.image(n(1)).map(|i| i.checkpoint.below), Some(Slot(5)));
    c.heal();
    c.idle_vaults.clear();
    c.host_mut(n(2)).vault.orders.clear();
    c.run(SECOND);
    assert!(c.host(n(3)).notices.contains(&Notice::Installed { group: GROUP, below: Slot(5) }));
    assert_level(&c, n(3), n(1));
}

/// The votes above an image stay when it is installed.
#[test]
fn votes_above_an_image_survive_it() {
    let mut c = left_behind(3, &[3], 9);
    c.heal();
    c.idle_vaults.insert(n(3));
    c.run(SECOND);
    choose(&mut c, n(1), 2);
    assert!(c.replica(n(3)).log().get(Slot(11)).is_some(), "votes while it is brought up");
    c.idle_vaults.clear();
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
}

#[test]
fn nothing_is_delivered_while_the_machine_is_replaced() {
    let mut c = left_behind(3, &[3], 9);
    c.heal();
    c.idle_vaults.insert(n(3));
    for _ in 0..200 {
        c.run(std::time::Duration::from_millis(5));
        if c.replica(n(3)).is_installing() {
            break;
        }
        c.work(n(3));
    }
    assert!(c.replica(n(3)).is_installing());
    // The watch looks at every order; a heartbeat, new values and time change nothing.
    choose(&mut c, n(1), 6);
    assert!(c.host(n(3)).delivered.is_empty());
    c.work(n(3));
    c.idle_vaults.clear();
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
}
