//! Scenes of proposals on their way to a leader, and of the answers on their way
//! back: each is answered once, and taken at most once.

mod common;

use common::{Cluster, GROUP, Message, accepted, b, n, sent};
use paxos_core::effect::{Input, Outcome};
use paxos_core::message::{Forward, Forwarded, Heartbeat, Verdict};
use paxos_core::quorum::Membership;
use paxos_core::types::{Ballot, Command, Incarnation, Limits, ProposalId, Slot};

fn forward(ballot: Ballot, number: u64, payloads: &[&str]) -> Message {
    let command = |p: &&str| Command::plain(bytes::Bytes::copy_from_slice(p.as_bytes()));
    let commands = payloads.iter().map(command).collect();
    Forward { ballot, incarnation: Incarnation(1), number, commands }.into()
}

fn answers(effects: &[paxos_core::effect::Effect]) -> Vec<(u32, u32, Verdict)> {
    let answer = |m: &&Message| match m {
        Message::Forwarded(m) => (m.first, m.count, m.verdict),
        _ => unreachable!("asked for these only"),
    };
    sent(effects, "Forwarded").iter().map(answer).collect()
}

/// n1 of three, alone, with these bounds.
fn alone(limits: Limits) -> Cluster {
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(n)), limits);
    c.crash(n(2));
    c.crash(n(3));
    c
}

/// The middle one of three finds no room: its neighbours' answers must not be
/// taken for its own.
#[test]
fn s37_each_proposal_of_a_message_gets_its_own_answer() {
    let mut c = alone(Limits { waiting_bytes_max: 100, ..Limits::default() });
    let mine = c.lead();
    let large = "x".repeat(96);
    let effects = c.tell(n(1), n(2), forward(mine, 1, &["small", &large, "small too"]));
    assert_eq!(answers(&effects), [(1, 1, Verdict::Busy)]);
    c.sync_disk(n(1));
    let effects = c.tell(n(1), n(2), accepted(mine, 1, 3));
    let chosen = |slot| Verdict::Chosen(Slot(slot));
    assert_eq!(answers(&effects), [(0, 1, chosen(1)), (2, 1, chosen(2))]);
}

#[test]
fn s37_answers_that_follow_each_other_are_one_message() {
    let mut c = alone(Limits::default());
    let mine = c.lead();
    c.tell(n(1), n(2), forward(mine, 1, &["a", "b", "c"]));
    c.sync_disk(n(1));
    let effects = c.tell(n(1), n(3), accepted(mine, 1, 4));
    assert_eq!(answers(&effects), [(0, 3, Verdict::Chosen(Slot(1)))]);
}

/// Doubled, late, or meant for another leadership: not taken, and not answered
/// either, because it may have been taken already.
#[test]
fn s37_a_message_is_taken_once_and_only_by_the_leadership_it_was_meant_for() {
    let mut c = alone(Limits::default());
    let mine = c.lead();
    c.tell(n(1), n(2), forward(mine, 2, &["taken"]));
    for stale in [
        forward(mine, 2, &["taken"]),
        forward(mine, 1, &["late"]),
        forward(b(mine.round - 1, 1), 3, &["former"]),
        forward(mine.next(n(1), 0), 3, &["future"]),
    ] {
        assert_eq!(answers(&c.tell(n(1), n(2), stale)), []);
    }
    assert_eq!(c.proposed(mine), [(1, "taken".into())]);
    c.tell(n(1), n(3), forward(mine, 1, &["another node's first"]));
    assert_eq!(c.proposed(mine).len(), 2);
}

/// One leader after the other says that it is none: at the bound of hops, the
/// proposal is given back.
#[test]
fn s38_a_proposal_is_handed_on_a_bounded_number_of_times() {
    let mut c = alone(Limits { hops_max: 2, ..Limits::default() });
    let p = c.propose(n(1), "passed around");
    for round in 1..=3 {
        assert_eq!(c.outcome(n(1), p), None, "after {} hops", round - 1);
        c.tell(
            n(1),
            n(2),
            Heartbeat { ballot: b(round, 2), chosen: Slot(1), beat: 0, settled: true },
        );
        assert_eq!(c.under_way("Forward"), round as usize);
        let (first, count, verdict) = (0, 1, Verdict::NotLeader);
        let incarnation = Incarnation(1);
        c.tell(n(1), n(2), Forwarded { incarnation, number: round, first, count, verdict });
    }
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Redirected(None)));
}

/// The last slots of a log go to whoever comes first; the rest is told so.
#[test]
fn s41_a_log_without_slots_answers_busy() {
    let mut c = Cluster::with(
        Membership::majority([n(1)]),
        Limits { log_slots_max: 5, ..Limits::default() },
    );
    c.elect();
    let commands = (0..10).map(|_| Command::default()).collect();
    c.step(n(1), Input::Proposed { group: GROUP, first: ProposalId(100), commands });
    c.settle();
    let outcomes: Vec<_> = (100..110).filter_map(|p| c.outcome(n(1), ProposalId(p))).collect();
    let chosen = (1..=5).map(|slot| Outcome::Chosen(Slot(slot)));
    assert_eq!(outcomes, chosen.chain([Outcome::Busy; 5]).collect::<Vec<_>>());
}
