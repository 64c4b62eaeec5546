//! What a learner believes, keeps and hands out.

use core::ops::Range;

use super::*;
use crate::effect::Effect;
use crate::log::Entry;
use crate::role::testing::{Bench, N2, N3, b, run, voted};

fn learner(applied: u64) -> Learner {
    let summed = (Slot(applied), Checksum::default());
    Learner::new(Slot(applied), summed, Slot::FIRST, Instant::default())
}

/// A log of which this much is chosen, with a vote behind it; in one piece.
fn chosen(slots: Range<u64>) -> Log {
    let mut log = Log::default();
    log.trim(Slot(slots.start));
    log.learn(&run(slots.start, &["v"; 9][..(slots.end - slots.start) as usize]));
    log.vote(b(1, N2), run(slots.end, &["open"]));
    log
}

/// A slot is chosen by what was voted at the announced ballot, and by no other vote.
#[test]
fn an_announcement_says_nothing_of_votes_at_another_ballot() {
    for (announced, chosen) in [(b(1, N2), 1), (b(2, N3), 3), (b(3, N2), 1)] {
        for announced_first in [true, false] {
            let mut learner = learner(1);
            let votes = run(1, &["a", "b", "c"]);
            let mut log = Log::default();
            if announced_first {
                learner.on_announced(announced, Slot(3), &mut log);
            }
            log.vote(b(2, N3), votes.clone());
            learner.on_voted(b(2, N3), (votes.first, votes.end()), &mut log);
            if !announced_first {
                learner.on_announced(announced, Slot(3), &mut log);
            }
            assert_eq!(log.chosen(), Slot(chosen), "{announced}");
        }
    }
}

#[test]
fn an_older_announcement_takes_nothing_back() {
    let mut learner = learner(1);
    let mut log = Log::default();
    learner.on_announced(b(2, N3), Slot(5), &mut log);
    learner.on_announced(b(1, N2), Slot(9), &mut log);
    learner.on_announced(b(2, N3), Slot(3), &mut log);
    let votes = run(1, &["v"; 6]);
    log.vote(b(2, N3), votes.clone());
    learner.on_voted(b(2, N3), (votes.first, votes.end()), &mut log);
    assert_eq!(log.chosen(), Slot(5));
}

/// Whose own acceptor had no room for the votes learns by counting, to each bound.
#[test]
fn what_a_leader_has_counted_is_kept_once_and_only_within_its_bounds() {
    let votes = run(2, &["a", "b"]);
    let written = Entry::Learned { run: votes.clone() };
    for (ahead, held, kept) in [(3, 3, true), (2, 3, false), (3, 2, false)] {
        let mut bench = Bench::new();
        let limits = &mut bench.setting.limits;
        (limits.ahead_slots_max, limits.log_slots_max) = (ahead, held);
        let mut log = Log::default();
        learner(1).on_chosen(b(2, N3), &votes, &mut log, &mut bench.cx());
        let expected = if kept { Slot(4) } else { Slot(1) };
        assert_eq!((log.end(), bench.written().len()), (expected, usize::from(kept)));
    }
    let mut bench = Bench::new();
    let below = voted(b(1, N2), 1, &["x"]);
    // Not voted, voted in part, and voted at another ballot.
    let mut part = below.clone();
    part.vote(b(2, N3), run(2, &["a"]));
    let mut other = below.clone();
    other.vote(b(1, N2), run(2, &["a", "c"]));
    for mut log in [below.clone(), part, other] {
        learner(1).on_chosen(b(2, N3), &votes, &mut log, &mut bench.cx());
        assert_eq!(bench.written(), core::slice::from_ref(&written));
        assert!((2..4).all(|slot| log.get(Slot(slot)).is_some_and(|cell| cell.chosen)));
    }
    let first = run(1, &["first"]);
    learner(1).on_chosen(b(2, N3), &first, &mut Log::default(), &mut bench.cx());
    assert_eq!(bench.written(), [Entry::Learned { run: first }], "at the floor");
    // All of it voted at that ballot, or chosen before, or trimmed: nothing to keep.
    let mut voted = below.clone();
    voted.vote(b(2, N3), votes.clone());
    let mut known = below.clone();
    known.learn(&votes);
    let mut trimmed = Log::default();
    trimmed.trim(Slot(3));
    trimmed.learn(&run(4, &["beyond"]));
    trimmed.vote(b(2, N3), run(3, &["b"]));
    let mut gone = Log::default();
    gone.trim(Slot(4));
    for mut log in [voted, known, trimmed, gone] {
        learner(1).on_chosen(b(2, N3), &votes, &mut log, &mut bench.cx());
        assert_eq!(bench.written(), []);
    }
}

/// Slots that the state machine has from an earlier life are summed up, and no others.
#[test]
fn what_was_applied_before_is_summed_up_to_where_it_goes() {
    let log = chosen(1..6);
    for applied in 1..6 {
        let mut learner = learner(1);
        learner.delivered = Slot(applied);
        let open = learner.unsummed(&log);
        let expected = (applied > 1).then(|| run(1, &["v"; 9][..applied as usize - 1]));
        assert_eq!(open, expected, "applied below {applied}");
        assert!(!learner.has_all(&log));
    }
    let mut ahead = learner(1);
    ahead.delivered = Slot(8);
    assert_eq!(ahead.unsummed(&log), Some(run(1, &["v"; 5])), "no farther than is chosen");
    ahead.sum_up(Slot(1), &run(1, &["v"; 5]));
    assert_eq!((ahead.summed().0, ahead.sum()), (Slot(6), None), "the log does not tell yet");
    assert!(ahead.has_all(&log), "all that is chosen");
    let mut behind = learner(1);
    behind.delivered = Slot(6);
    assert!(!behind.has_all(&log), "not summed up");
}

#[test]
fn a_step_hands_out_as_much_as_it_may_and_nothing_twice() {
    let log = chosen(1..6);
    for (most, given) in [(4, 4), (5, 5), (6, 5), (0, 0)] {
        let mut bench = Bench::new();
        bench.setting.limits.deliver_slots_max = most;
        let mut learner = learner(1);
        if let Some(run) = learner.undelivered(&log, &bench.cx()) {
            learner.deliver(run.clone(), &mut bench.cx());
            let rest = learner.undelivered(&log, &bench.cx());
            assert_eq!(rest, None, "no more in this step");
            learner.deliver(run, &mut bench.cx());
        }
        learner.rest(&log, false, bench.now);
        assert_eq!(learner.wake_at(), (given < 5).then_some(bench.now));
        let slots: Slot = learner.delivered();
        assert_eq!(slots, Slot(1 + given), "at most {most}");
        let delivered = bench.ordered();
        assert_eq!(delivered.len(), usize::from(given > 0));
        assert!(
            delivered
                .iter()
                .all(|e| matches!(e, Effect::Deliver { run, .. } if run.len() as u64 == given))
        );
    }
}

#[test]
fn the_disk_hears_of_a_frontier_once() {
    let mut bench = Bench::new();
    let mut learner = learner(1);
    let log = chosen(1..4);
    learner.hint(&log, &mut bench.cx());
    assert_eq!(bench.written(), [], "only with other records");
    for hint in [true, false] {
        learner.write_down(&log, &mut bench.cx());
        let below = Slot(4);
        let expected = [Entry::Chosen { below }];
        assert_eq!(bench.written(), &expected[..usize::from(hint)]);
    }
    learner.on_installed(Slot(9), Checksum::default());
    assert_eq!((learner.delivered(), learner.summed().0), (Slot(9), Slot(9)));
}
