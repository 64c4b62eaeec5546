//! What an auditor remembers and asks, and whom it believes.

use alloc::vec::Vec;

use super::*;
use crate::effect::Effect;
use crate::message::Message;
use crate::quorum::Membership;
use crate::role::testing::{Bench, ME, N2, N3, b};

const GROUP: GroupId = GroupId(0);
const GOOD: Checksum = Checksum(7);
const BAD: Checksum = Checksum(8);

fn mark(nth: u64, sum: Checksum) -> Mark {
    Mark { slot: Slot(nth * Mark::STRIDE), sum }
}

fn auditor(marks: u64) -> Auditor {
    let mut auditor = Auditor::new(GROUP);
    (1..=marks).for_each(|n| auditor.on_summed((mark(n, GOOD).slot, GOOD)));
    auditor
}

/// A leader that has asked about its first mark.
fn asking(bench: &mut Bench) -> Auditor {
    let mut auditor = auditor(1);
    for _ in 0..2 {
        auditor.on_tick(b(1, ME), &mut bench.cx());
        bench.sleep(bench.setting.timing.heartbeat);
    }
    bench.said();
    auditor
}

/// What is asked of the others.
fn asked(bench: &mut Bench) -> Vec<(u64, Option<Mark>)> {
    let said = bench.said().into_iter().map(|(to, m)| match m {
        Message::Audit(m) if !to.contains(ME) => (m.slot.0 / Mark::STRIDE, m.agreed),
        other => panic!("{other:?}"),
    });
    said.collect()
}

fn hear(auditor: &mut Auditor, from: NodeId, mark: Mark, bench: &mut Bench) {
    auditor.on_audited(from, &Audited { mark }, &mut bench.cx());
}

/// The sum that is told at a mark, if any.
fn told(auditor: &Auditor, nth: u64, bench: &mut Bench) -> Option<Mark> {
    let m = Audit { ballot: b(1, N2), slot: mark(nth, GOOD).slot, agreed: None };
    auditor.on_audit(N2, &m, &mut bench.cx());
    bench.said().pop().map(|(to, m)| match m {
        Message::Audited(m) if to == NodeSet::of(N2) => m.mark,
        other => panic!("{other:?}"),
    })
}

#[test]
fn sums_are_remembered_at_marks_and_for_so_long() {
    let (mut bench, mut auditor) = (Bench::new(), auditor(2));
    auditor.on_summed((Slot(3 * Mark::STRIDE - 1), GOOD));
    auditor.on_summed((Slot(2 * Mark::STRIDE), BAD));
    assert_eq!(told(&auditor, 2, &mut bench), Some(mark(2, GOOD)), "the first counts");
    assert_eq!(told(&auditor, 3, &mut bench), None);
    for nth in 3..=MARKS_MAX as u64 + 1 {
        assert_eq!(told(&auditor, 1, &mut bench), Some(mark(1, GOOD)));
        auditor.on_summed((mark(nth, GOOD).slot, GOOD));
    }
    assert_eq!(told(&auditor, 1, &mut bench), None, "so many are kept");
    assert_eq!(told(&auditor, 2, &mut bench), Some(mark(2, GOOD)));
}

/// By the next beat, the others should have got as far.
#[test]
fn a_leader_asks_about_what_was_its_newest_a_beat_ago() {
    let (mut bench, mut auditor) = (Bench::new(), auditor(1));
    let beat = bench.setting.timing.heartbeat;
    let micro = core::time::Duration::from_micros(1);
    auditor.on_tick(b(1, ME), &mut bench.cx());
    assert_eq!(asked(&mut bench), []);
    bench.sleep(beat - micro);
    auditor.on_tick(b(1, ME), &mut bench.cx());
    assert_eq!(asked(&mut bench), []);
    auditor.on_summed((mark(2, GOOD).slot, GOOD));
    bench.sleep(micro);
    for nth in [1, 2, 2, 2] {
        auditor.on_tick(b(1, ME), &mut bench.cx());
        assert_eq!(asked(&mut bench), [(nth, None)]);
        bench.sleep(beat);
    }
    auditor.on_tick(b(1, ME), &mut bench.cx());
    assert_eq!(asked(&mut bench), [], "three times are enough");
    auditor.on_summed((mark(3, GOOD).slot, GOOD));
    for asks in [[].as_slice(), &[(3, None)]] {
        bench.sleep(beat);
        auditor.on_tick(b(1, ME), &mut bench.cx());
        assert_eq!(asked(&mut bench), asks);
    }
    // Another leadership of ours begins again.
    for asks in [[].as_slice(), &[(3, None)]] {
        auditor.on_tick(b(2, ME), &mut bench.cx());
        assert_eq!(asked(&mut bench), asks);
        bench.sleep(beat);
    }
}

#[test]
fn what_a_majority_shares_is_agreed_and_told_to_all() {
    let mut bench = Bench::new();
    let mut auditor = asking(&mut bench);
    hear(&mut auditor, N2, mark(1, GOOD), &mut bench);
    for _ in 0..3 {
        auditor.on_tick(b(1, ME), &mut bench.cx());
        assert_eq!(asked(&mut bench), [(1, Some(mark(1, GOOD)))], "so often again, with the news");
        bench.sleep(bench.setting.timing.heartbeat);
        // That is no news any more.
        hear(&mut auditor, N3, mark(1, GOOD), &mut bench);
    }
    auditor.on_tick(b(1, ME), &mut bench.cx());
    assert_eq!(asked(&mut bench), []);
}

/// What was heard so far makes no majority, and with n3 it does.
fn agrees_once_n3_says_the_same(auditor: &mut Auditor, bench: &mut Bench) {
    auditor.on_tick(b(1, ME), &mut bench.cx());
    assert_eq!(asked(bench), [(1, None)]);
    hear(auditor, N3, mark(1, GOOD), bench);
    bench.sleep(bench.setting.timing.heartbeat);
    auditor.on_tick(b(1, ME), &mut bench.cx());
    assert_eq!(asked(bench), [(1, Some(mark(1, GOOD)))]);
}

/// Answers to another question, of no voter, of ourselves, and second ones.
#[test]
fn what_is_no_answer_of_a_voter_counts_for_nothing() {
    let four = NodeId(4);
    let group = Membership::majority([1, 2, 3, 5, 6].map(NodeId)).with_learners([four]);
    let mut bench = Bench::of(group);
    let mut auditor = asking(&mut bench);
    hear(&mut auditor, N2, mark(1, GOOD), &mut bench);
    for (from, mark) in
        [(N2, mark(1, GOOD)), (ME, mark(1, GOOD)), (four, mark(1, GOOD)), (N3, mark(2, GOOD))]
    {
        hear(&mut auditor, from, mark, &mut bench);
    }
    agrees_once_n3_says_the_same(&mut auditor, &mut bench);
    assert_eq!(bench.ordered(), [], "nobody differs");
}

/// Else nobody would hear of it in a group with one main.
#[test]
fn who_differs_and_has_no_vote_is_told_of_and_halts_nobody() {
    let group = Membership::majority([ME, N2]).with_learners([3, 4, 5].map(NodeId));
    let mut bench = Bench::of(group);
    let mut auditor = asking(&mut bench);
    for id in [3, 3, 4, 5, 6] {
        hear(&mut auditor, NodeId(id), mark(1, BAD), &mut bench);
    }
    let told = [3, 4, 5].map(|id| {
        Effect::Note(Notice::Differs { group: GROUP, node: NodeId(id), slot: mark(1, BAD).slot })
    });
    assert_eq!((bench.ordered(), bench.halted()), (told.to_vec(), None), "once, and no stranger");
}

/// One replica alone halts nobody, leader or not.
#[test]
fn a_leader_halts_when_a_majority_has_another_sum() {
    let mut bench = Bench::new();
    let mut auditor = asking(&mut bench);
    let differs = |node, nth: u64| {
        Effect::Note(Notice::Differs { group: GROUP, node, slot: mark(nth, BAD).slot })
    };
    hear(&mut auditor, N2, mark(1, BAD), &mut bench);
    assert_eq!(bench.ordered(), [differs(N2, 1)]);
    assert_eq!(bench.halted(), None);
    hear(&mut auditor, N3, mark(1, BAD), &mut bench);
    assert_eq!(bench.ordered(), [differs(N3, 1)]);
    assert_eq!(bench.halted(), Some(HaltReason::Diverged(GROUP, mark(1, BAD).slot)));
    let mut bench = Bench::new();
    let mut auditor = asking(&mut bench);
    hear(&mut auditor, N2, mark(1, BAD), &mut bench);
    hear(&mut auditor, N3, mark(1, Checksum(9)), &mut bench);
    assert_eq!((bench.ordered().len(), bench.halted()), (2, None), "three that differ");
}

/// The only one who votes may be the one that has misread its disk.
#[test]
fn the_only_main_halts_nobody_that_differs() {
    for only in [N2, ME] {
        let others = [N2, N3].into_iter().filter(|node| *node != only);
        let mut bench = Bench::of(Membership::majority([only]).with_learners(others));
        let mut auditor = asking(&mut bench);
        hear(&mut auditor, N2, mark(1, BAD), &mut bench);
        assert_eq!((bench.ordered().len(), bench.halted()), (1, None), "{only}");
        hear(&mut auditor, N3, mark(1, GOOD), &mut bench);
        bench.sleep(bench.setting.timing.heartbeat);
        auditor.on_tick(b(1, ME), &mut bench.cx());
        assert_eq!(asked(&mut bench), [(1, None)], "nor is it believed by the others");
    }
}

/// Who leads and votes no more, as it has been removed, does not count itself.
#[test]
fn a_leader_without_a_vote_takes_a_majority_of_the_others() {
    let mut bench = Bench::of(Membership::majority([2, 3, 4].map(NodeId)));
    let mut auditor = asking(&mut bench);
    hear(&mut auditor, N2, mark(1, GOOD), &mut bench);
    agrees_once_n3_says_the_same(&mut auditor, &mut bench);
}

#[test]
fn who_has_another_sum_than_agreed_halts_and_answers_nothing() {
    let (mut bench, auditor) = (Bench::new(), auditor(3));
    for (agreed, reason) in [
        (mark(2, BAD), Some(HaltReason::Diverged(GROUP, mark(2, BAD).slot))),
        (mark(2, GOOD), None),
        (mark(4, BAD), None),
    ] {
        let m = Audit { ballot: b(1, N2), slot: mark(3, GOOD).slot, agreed: Some(agreed) };
        auditor.on_audit(N2, &m, &mut bench.cx());
        assert_eq!(bench.said().is_empty(), reason.is_some());
        assert_eq!(bench.halted(), reason);
    }
}
