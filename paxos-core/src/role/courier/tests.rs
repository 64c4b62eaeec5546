//! What a courier hands on, to whom, and what it tells who proposed it.

use core::time::Duration;

use super::*;
use crate::effect::Effect;
use crate::message::Message;
use crate::role::testing::{Bench, ME, N2, N3, b, command};
use crate::types::{GroupId, Slot, Value};

const MICRO: Duration = Duration::from_micros(1);

fn commands(payloads: &[&str]) -> Commands {
    payloads.iter().map(|payload| command(payload)).collect()
}

/// A courier with these, under handles from 1 on.
fn courier(payloads: &[&str], bench: &mut Bench) -> Courier {
    let mut courier = Courier::default();
    let deadline = bench.now + bench.setting.timing.answer;
    courier.on_proposed(ProposalId(1), &commands(payloads), deadline, &mut bench.cx());
    courier
}

/// The messages that leave: to whom, which number, and what is in them.
fn handed(bench: &mut Bench) -> Vec<(NodeId, u64, Commands)> {
    let said = bench.said().into_iter().map(|(to, m)| match m {
        Message::Forward(m) => (to.iter().next().expect("somebody"), m.number, m.commands),
        other => panic!("{other:?}"),
    });
    said.collect()
}

/// What the proposers are told, and in how many pieces.
fn told(bench: &mut Bench) -> Vec<(u64, u32, Outcome)> {
    let told = bench.ordered().into_iter().map(|effect| match effect {
        Effect::Resolve { group: GroupId(0), first, count, outcome } => (first.0, count, outcome),
        other => panic!("{other:?}"),
    });
    told.collect()
}

/// What each proposer is told.
fn resolved(bench: &mut Bench) -> Vec<(u64, Outcome)> {
    let each = |(first, count, outcome)| (0..count).map(move |n| (first + u64::from(n), outcome));
    told(bench).into_iter().flat_map(each).collect()
}

fn forwarded(number: u64, first: u32, count: u32, verdict: Verdict) -> Forwarded {
    Forwarded { incarnation: Incarnation(1), number, first, count, verdict }
}

#[test]
fn as_much_waits_as_the_bounds_say() {
    for (count, bytes, busy) in [(3, 99, 4..=5), (9, 6, 4..=5), (9, 5, 3..=5)] {
        let mut bench = Bench::new();
        let limits = &mut bench.setting.limits;
        (limits.waiting_max, limits.waiting_bytes_max) = (count, bytes);
        let mut courier = courier(&["aa", "bb", "cc", "dd", "ee"], &mut bench);
        let busy: Vec<_> = busy.map(|n| (n, Outcome::Busy)).collect();
        assert_eq!(resolved(&mut bench), busy);
        assert_eq!((courier.len(), courier.has_waiting()), (5 - busy.len(), true));
        // What has left makes room.
        courier.hand_on(Some(b(2, N2)), &mut bench.cx());
        assert!(!courier.has_waiting() && courier.len() == 5 - busy.len());
        let deadline = bench.now + bench.setting.timing.answer;
        courier.on_proposed(ProposalId(9), &commands(&["ff", "gg"]), deadline, &mut bench.cx());
        assert_eq!(resolved(&mut bench), []);
    }
}

/// However many there is no room for.
#[test]
fn neighbours_that_are_refused_are_answered_together() {
    let mut bench = Bench::new();
    let limits = &mut bench.setting.limits;
    (limits.waiting_max, limits.waiting_bytes_max) = (3, 6);
    let courier = courier(&["aaa", "bbbb", "cccc", "ddd", "e", "f"], &mut bench);
    assert_eq!(told(&mut bench), [(2, 2, Outcome::Busy), (5, 2, Outcome::Busy)]);
    assert_eq!(courier.len(), 2);
}

#[test]
fn a_message_is_as_long_as_a_run_and_as_many_are_under_way_as_the_bound_says() {
    let weight = 2 + Value::OVERHEAD;
    let all = ["aa", "bb", "cc", "dd", "ee"];
    for (slots, bytes, most, lengths) in [
        (2, 99 * weight, 99, [2, 2, 1].as_slice()),
        (9, 2 * weight, 99, &[2, 2, 1]),
        (9, 2 * weight - 1, 99, &[1, 1, 1, 1, 1]),
        (9, 1, 99, &[1, 1, 1, 1, 1]),
        (2, 99 * weight, 3, &[2, 2]),
        (2, 99 * weight, 2, &[2]),
    ] {
        let mut bench = Bench::new();
        let limits = &mut bench.setting.limits;
        (limits.run_slots_max, limits.run_bytes_max) = (slots, bytes);
        limits.forwarded_max = most;
        let mut courier = courier(&all, &mut bench);
        courier.hand_on(Some(b(2, N2)), &mut bench.cx());
        let (mut next, mut told) = (0, Vec::new());
        for (n, (to, number, sent)) in (1..).zip(handed(&mut bench)) {
            assert_eq!((to, number), (N2, n));
            assert_eq!(sent, commands(&all[next..next + sent.len()]));
            next += sent.len();
            told.push(sent.len());
        }
        assert_eq!((told, courier.len()), (lengths.to_vec(), 5));
    }
}

#[test]
fn nothing_is_handed_to_ourselves_or_to_nobody() {
    let mut bench = Bench::new();
    let mut courier = courier(&["a"], &mut bench);
    courier.hand_on(None, &mut bench.cx());
    courier.hand_on(Some(b(2, ME)), &mut bench.cx());
    assert_eq!(handed(&mut bench), []);
    let deadline = bench.now + bench.setting.timing.answer;
    let given: Vec<_> = courier.take_waiting().collect();
    let proposal =
        Proposal { commands: commands(&["a"]), origin: Origin::Local(ProposalId(1)), deadline };
    assert_eq!((given, courier.len()), ([proposal].to_vec(), 0));
    bench.setting.limits.waiting_bytes_max = 1;
    courier.on_proposed(ProposalId(2), &commands(&["b"]), deadline, &mut bench.cx());
    assert_eq!(resolved(&mut bench), [], "what was taken weighs nothing");
}

/// Answers come in parts, in any order, twice, and for what nobody has asked.
#[test]
fn each_proposal_is_answered_once() {
    let mut bench = Bench::new();
    let mut courier = courier(&["a", "b", "c"], &mut bench);
    courier.hand_on(Some(b(2, N2)), &mut bench.cx());
    let chosen = |n, slot| (n, Outcome::Chosen(Slot(slot)));
    for (m, told, left) in [
        (forwarded(9, 0, 3, Verdict::Busy), [].to_vec(), 3),
        (
            Forwarded { incarnation: Incarnation(4), ..forwarded(1, 0, 3, Verdict::Busy) },
            [].to_vec(),
            3,
        ),
        (forwarded(1, 1, 9, Verdict::Chosen(Slot(7))), [chosen(2, 7), chosen(3, 8)].to_vec(), 3),
        (forwarded(1, 1, 2, Verdict::Busy), [].to_vec(), 3),
        (forwarded(1, u32::MAX, 9, Verdict::Busy), [].to_vec(), 3),
        (forwarded(1, 0, 2, Verdict::Unknown), [(1, Outcome::Unknown)].to_vec(), 0),
        (forwarded(1, 0, 3, Verdict::Busy), [].to_vec(), 0),
    ] {
        courier.on_forwarded(&m, &mut bench.cx());
        assert_eq!((resolved(&mut bench), courier.len()), (told, left), "{m:?}");
    }
    assert_eq!(courier.wake_at(), None);
    let mut courier = self::courier(&["a", "b"], &mut bench);
    courier.hand_on(Some(b(2, N2)), &mut bench.cx());
    courier.on_forwarded(&forwarded(1, 0, 2, Verdict::Busy), &mut bench.cx());
    assert_eq!(resolved(&mut bench), [(1, Outcome::Busy), (2, Outcome::Busy)]);
}

/// What was surely not taken goes to the next leader, in the order that it came in.
#[test]
fn what_a_node_that_does_not_lead_was_handed_waits_for_another_leadership() {
    let mut bench = Bench::new();
    bench.setting.limits.run_slots_max = 2;
    bench.setting.limits.waiting_bytes_max = 5;
    let mut courier = courier(&["a", "b", "c", "d"], &mut bench);
    courier.hand_on(Some(b(2, N2)), &mut bench.cx());
    handed(&mut bench);
    let deadline = bench.now + bench.setting.timing.answer;
    courier.on_proposed(ProposalId(5), &commands(&["e"]), deadline, &mut bench.cx());
    courier.on_forwarded(&forwarded(2, 0, 2, Verdict::NotLeader), &mut bench.cx());
    courier.on_forwarded(&forwarded(1, 0, 2, Verdict::NotLeader), &mut bench.cx());
    assert_eq!((resolved(&mut bench), courier.len()), ([].to_vec(), 5));
    courier.on_proposed(ProposalId(6), &commands(&["f"]), deadline, &mut bench.cx());
    assert_eq!(
        resolved(&mut bench),
        [(6, Outcome::Busy)],
        "what comes back weighs what it weighed"
    );
    courier.hand_on(Some(b(2, N2)), &mut bench.cx());
    assert_eq!(handed(&mut bench), [], "that leadership is over");
    courier.hand_on(Some(b(3, N2)), &mut bench.cx());
    let sent: Vec<_> = handed(&mut bench).into_iter().map(|(_, number, c)| (number, c)).collect();
    let two = [(3, commands(&["a", "b"])), (4, commands(&["c", "d"])), (5, commands(&["e"]))];
    assert_eq!(sent, two);
}

#[test]
fn a_proposal_is_handed_on_so_often_and_no_more() {
    let mut bench = Bench::new();
    bench.setting.limits.hops_max = 2;
    let mut courier = courier(&["a"], &mut bench);
    for round in 1..=3 {
        courier.hand_on(Some(b(round, N2)), &mut bench.cx());
        assert_eq!(handed(&mut bench).len(), 1, "{round}");
        assert_eq!(resolved(&mut bench), []);
        courier.on_forwarded(&forwarded(round, 0, 1, Verdict::NotLeader), &mut bench.cx());
    }
    assert_eq!(
        (resolved(&mut bench), courier.len()),
        ([(1, Outcome::Redirected(None))].to_vec(), 0)
    );
}

/// What never left has surely had no effect; what did, may have one.
#[test]
fn what_has_waited_too_long_is_answered_with_what_is_known() {
    let mut bench = Bench::new();
    bench.setting.limits.forwarded_max = 1;
    bench.setting.limits.waiting_bytes_max = 1;
    let answer = bench.setting.timing.answer;
    let mut courier = courier(&["a"], &mut bench);
    bench.sleep(MICRO);
    courier.hand_on(Some(b(2, N2)), &mut bench.cx());
    let sent_until = bench.now + answer;
    assert_eq!(courier.wake_at(), Some(sent_until));
    let (waits_until, next) = (bench.now + answer / 2, commands(&["b"]));
    courier.on_proposed(ProposalId(2), &next, waits_until, &mut bench.cx());
    courier.hand_on(Some(b(2, N2)), &mut bench.cx());
    assert_eq!((courier.wake_at(), courier.len()), (Some(waits_until), 2));
    for (due, told) in
        [(waits_until, (2, Outcome::Redirected(None))), (sent_until, (1, Outcome::Unknown))]
    {
        bench.sleep(due.since(bench.now) - MICRO);
        courier.on_tick(&mut bench.cx());
        assert_eq!(resolved(&mut bench), []);
        bench.sleep(MICRO);
        courier.on_tick(&mut bench.cx());
        assert_eq!(resolved(&mut bench), [told]);
    }
    assert_eq!((courier.len(), courier.wake_at()), (0, None));
    courier.on_proposed(ProposalId(3), &next, bench.now + answer, &mut bench.cx());
    assert_eq!(resolved(&mut bench), [], "what is given up weighs nothing");
}

#[test]
fn what_is_under_way_to_a_leadership_that_is_over_is_unknown() {
    let mut bench = Bench::new();
    bench.setting.limits.run_slots_max = 1;
    let mut courier = courier(&["a", "b"], &mut bench);
    courier.hand_on(Some(b(2, N2)), &mut bench.cx());
    courier.on_leader_changed(b(2, N2), &mut bench.cx());
    assert_eq!((resolved(&mut bench), courier.len()), ([].to_vec(), 2));
    courier.on_forwarded(&forwarded(2, 0, 1, Verdict::NotLeader), &mut bench.cx());
    courier.on_leader_changed(b(3, N3), &mut bench.cx());
    assert_eq!(resolved(&mut bench), [(1, Outcome::Unknown)]);
    assert_eq!((courier.len(), courier.has_waiting()), (1, true));
}

/// Not a second time, not late, and not for another leadership.
#[test]
fn a_leader_takes_each_message_once() {
    let mut courier = Courier::default();
    let forward = |ballot, incarnation, number| Forward {
        ballot,
        incarnation: Incarnation(incarnation),
        number,
        commands: commands(&["a"]),
    };
    let ours = b(4, ME);
    courier.on_leading(ours);
    for (from, m, news) in [
        (N2, forward(ours, 3, 5), true),
        (N2, forward(ours, 3, 5), false),
        (N2, forward(ours, 3, 4), false),
        (N2, forward(b(3, ME), 3, 6), false),
        (N2, forward(b(5, ME), 3, 6), false),
        (N3, forward(ours, 1, 1), true),
        (N2, forward(ours, 3, 6), true),
        (N2, forward(ours, 4, 1), true),
        (N2, forward(ours, 3, 7), false),
        (N3, forward(ours, 1, 1), false),
    ] {
        assert_eq!(courier.is_news(from, &m), news, "{from} {m:?}");
    }
    courier.on_leading(b(6, ME));
    assert!(courier.is_news(N2, &forward(b(6, ME), 3, 5)), "nothing was taken at this one");
}

#[test]
fn names_of_proposals_count_up() {
    assert_eq!(Origin::Local(ProposalId(3)).plus(2), Origin::Local(ProposalId(5)));
    let remote = |index| Origin::Remote { node: N2, incarnation: Incarnation(1), number: 7, index };
    assert_eq!(remote(3).plus(2), remote(5));
}
