//! Which answers go out together.

use alloc::vec::Vec;

use super::*;
use crate::effect::Effect;
use crate::message::Message;
use crate::role::testing::{Bench, N2, N3};
use crate::types::{Incarnation, ProposalId, Slot};

fn from(node: NodeId, incarnation: u64, number: u64, index: u32) -> Origin {
    Origin::Remote { node, incarnation: Incarnation(incarnation), number, index }
}

/// What peers are told, each with how many at once.
fn told(answers: &[(Origin, u32, Verdict)]) -> Vec<(NodeId, Forwarded)> {
    let mut bench = Bench::new();
    let mut gathered = Answers::default();
    for (origin, count, verdict) in answers {
        gathered.add(*origin, *count, *verdict, &mut bench.cx());
    }
    gathered.flush(&mut bench.cx());
    let said = bench.said().into_iter().map(|(to, m)| match m {
        Message::Forwarded(m) => (to.iter().next().expect("somebody"), m),
        other => panic!("{other:?}"),
    });
    said.collect()
}

#[test]
fn answers_that_follow_each_other_are_one_message() {
    let chosen = |slot| Verdict::Chosen(Slot(slot));
    for (one, next, verdict) in [
        (Verdict::Busy, Verdict::Busy, Verdict::Busy),
        (Verdict::Unknown, Verdict::Unknown, Verdict::Unknown),
        (chosen(9), chosen(12), chosen(9)),
    ] {
        let all = [(from(N2, 4, 5, 6), 3, one), (from(N2, 4, 5, 9), 2, next)];
        let incarnation = Incarnation(4);
        let m = Forwarded { incarnation, number: 5, first: 6, count: 5, verdict };
        assert_eq!(told(&all), [(N2, m)]);
    }
}

#[test]
fn answers_that_do_not_follow_go_apart() {
    let chosen = |slot| Verdict::Chosen(Slot(slot));
    let first = (from(N2, 4, 5, 6), 3, chosen(9));
    for next in [
        (from(N3, 4, 5, 9), 2, chosen(12)),
        (from(N2, 3, 5, 9), 2, chosen(12)),
        (from(N2, 4, 6, 9), 2, chosen(12)),
        (from(N2, 4, 5, 8), 2, chosen(12)),
        (from(N2, 4, 5, 18), 2, chosen(12)),
        (from(N2, 4, 5, 9), 2, chosen(11)),
        (from(N2, 4, 5, 9), 2, chosen(9)),
        (from(N2, 4, 5, 9), 2, Verdict::Busy),
    ] {
        let counts: Vec<u32> = told(&[first, next]).iter().map(|(_, m)| m.count).collect();
        assert_eq!(counts, [3, 2], "{next:?}");
    }
    let apart = [(from(N2, 4, 5, 0), 1, Verdict::Busy), (from(N2, 4, 5, 1), 1, Verdict::Unknown)];
    assert_eq!(told(&apart).len(), 2);
}

#[test]
fn this_node_is_answered_at_once() {
    let mut bench = Bench::new();
    for (verdict, outcome) in [
        (Verdict::Chosen(Slot(3)), Outcome::Chosen(Slot(3))),
        (Verdict::NotLeader, Outcome::Redirected(None)),
        (Verdict::Busy, Outcome::Busy),
        (Verdict::Unknown, Outcome::Unknown),
    ] {
        let origin = Origin::Local(ProposalId(7));
        Answers::default().add(origin, 2, verdict, &mut bench.cx());
        let ordered = bench.ordered();
        let [Effect::Resolve { first, count, outcome: told, .. }] = &ordered[..] else {
            panic!("{ordered:?}");
        };
        assert_eq!((*first, *count, *told), (ProposalId(7), 2, outcome));
    }
}
