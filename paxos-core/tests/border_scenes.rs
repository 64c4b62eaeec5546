//! Slots just below the border of two memberships, whose voters leave with them.

mod common;

use common::{Cluster, Fate, Message, SECOND, n};
use paxos_core::effect::Outcome;
use paxos_core::types::{NodeId, ProposalId, Slot};

const WINDOW: u32 = 8;

/// Loses what n3 tells n1 of its vote at `slot`, every time.
fn lose_vote(c: &mut Cluster, slot: Slot) {
    c.whim(move |to, e| match &e.message {
        Message::Accepted(m) if to == n(1) && e.from == n(3) && m.first == slot => Fate::Lose,
        _ => Fate::Deliver,
    });
}

/// A leader knows from an earlier leadership that a slot is chosen, asks for its votes again, and loses
/// one. By then those who decide have changed, and whoever would have to vote is a stranger.
#[test]
fn who_waits_for_votes_of_members_that_are_gone_begins_anew() {
    let mut c = Cluster::changing(3, WINDOW);
    c.limits.window_slots = WINDOW as usize;
    c.limits.ahead_slots_max = 2 * WINDOW as usize;
    c.limits.run_slots_max = 1;
    (1..=3).for_each(|id| c.restart_with(n(id), Vec::new()));
    c.found();
    c.elect_this(n(1));
    c.run(SECOND);
    c.change_to(&[1, 3]);
    c.run(SECOND);
    // Of the slots up to the border the first lacks a vote, the others are known to be chosen.
    let at = c.replica(n(1)).chosen();
    let (hole, known, border) = (at.plus(2), at.plus(5), at.plus(u64::from(WINDOW)));
    lose_vote(&mut c, hole);
    let p = c.change(n(1), &[1, 2], &[]);
    c.run(SECOND / 5);
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Chosen(at)));
    assert_eq!(c.replica(n(1)).chosen(), hole);
    assert!(c.replica(n(1)).log().get(known).is_some_and(|cell| cell.chosen));
    // Its next leadership has the hole's votes, and lacks one above it.
    c.isolate(n(1));
    c.run(SECOND);
    assert_eq!(c.replica(n(1)).own_ballot(), None);
    c.heal();
    lose_vote(&mut c, known);
    let ballot = c.elect_this(n(1));
    c.run(SECOND / 20);
    assert!(c.replica(n(1)).chosen() >= border, "n3 is a stranger from here on");
    assert_eq!(c.replica(n(1)).own_ballot(), Some(ballot), "and n1 leads still");
    c.calm();
    c.run(SECOND * 5);
    let leader: NodeId = c.elect();
    for i in 0..2 * WINDOW {
        assert!(c.is_chosen(leader, &format!("v{i}")), "v{i} finds no room");
    }
    assert_eq!(c.payloads(n(1)), c.payloads(n(2)));
}

/// What n1 has proposed beyond a border, all voted for, while a slot before that lacks a vote.
fn open_below_the_border() -> (Cluster, Slot, Vec<ProposalId>) {
    let mut c = Cluster::changing(3, WINDOW);
    c.limits.run_slots_max = 1;
    (1..=3).for_each(|id| c.restart_with(n(id), Vec::new()));
    c.found();
    c.elect_this(n(1));
    c.run(SECOND);
    let at = c.replica(n(1)).chosen();
    let (hole, border) = (at.plus(u64::from(WINDOW) - 1), at.plus(u64::from(WINDOW)));
    c.whim(move |to, e| match &e.message {
        Message::Accepted(m) if to == n(1) && m.first == hole => Fate::Hold,
        _ => Fate::Deliver,
    });
    c.change(n(1), &[1, 2], &[]);
    c.settle();
    let proposals = (0..3).map(|i| {
        let p = c.propose(n(1), &format!("v{i}"));
        c.settle();
        p
    });
    let proposals: Vec<_> = proposals.collect();
    assert_eq!(c.replica(n(1)).chosen(), hole);
    assert_eq!(c.replica(n(1)).schedule().newest().0, border);
    for id in [1, 2] {
        let log = c.replica(n(id)).log();
        assert!((0..3).all(|i| log.get(border.plus(i)).is_some()), "{id} has voted");
    }
    assert!(proposals.iter().all(|p| c.outcome(n(1), *p).is_none()));
    (c, border, proposals)
}

/// Whoever leads next may begin below the border, and know nothing of those who decide above it.
#[test]
fn nobody_is_told_of_what_is_beyond_a_border_while_a_slot_before_it_is_open() {
    let (mut c, border, proposals) = open_below_the_border();
    c.calm();
    c.release();
    c.settle();
    for (i, p) in (0..).zip(proposals) {
        assert_eq!(c.outcome(n(1), p), Some(Outcome::Chosen(border.plus(i))));
    }
}

#[test]
fn who_falls_does_not_know_what_becomes_of_what_it_held_back() {
    let (mut c, _, proposals) = open_below_the_border();
    c.isolate(n(1));
    c.run(SECOND);
    assert_eq!(c.replica(n(1)).own_ballot(), None);
    assert!(proposals.iter().all(|p| c.outcome(n(1), *p) == Some(Outcome::Unknown)));
}
