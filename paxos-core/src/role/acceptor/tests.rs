//! What an acceptor has room for, and what it writes down.

use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::log::Entry;
use crate::message::Message;
use crate::role::testing::{Bench, ME, N2, N3, b, run, voted};
use crate::types::{Incarnation, Run};

fn acceptor(bench: &Bench) -> Acceptor {
    let vow = Vow::after_start(Incarnation(1), bench.now, &bench.setting.timing);
    Acceptor::new(GroupId(0), Ballot::ZERO, vow)
}

fn accept(ballot: Ballot, run: Run) -> Accept {
    Accept { ballot, run, chosen: Slot::FIRST }
}

/// Whether a vote came of it.
fn votes(acceptor: &mut Acceptor, m: &Accept, log: &mut Log, bench: &mut Bench) -> bool {
    acceptor.on_accept(m.ballot.node, &mut m.clone(), log, &mut bench.cx());
    bench.said().iter().any(|(_, said)| matches!(said, Message::Accepted(_)))
}

#[test]
fn the_same_vote_is_given_again_and_written_once() {
    let (mut bench, mut log) = (Bench::new(), Log::default());
    let mut acceptor = acceptor(&bench);
    let m = accept(b(2, N2), run(1, &["a", "b"]));
    acceptor.on_accept(N2, &mut m.clone(), &mut log, &mut bench.cx());
    assert_eq!(bench.written().len(), 1);
    assert!(votes(&mut acceptor, &m, &mut log, &mut bench));
    acceptor.on_accept(N2, &mut m.clone(), &mut log, &mut bench.cx());
    assert_eq!(bench.written(), [], "nothing new");
    // What is chosen and trimmed binds nobody any more, but the ballot does.
    log.trim(Slot(3));
    let m = accept(b(3, N3), m.run);
    acceptor.on_accept(N3, &mut m.clone(), &mut log, &mut bench.cx());
    assert_eq!(bench.written(), [Entry::Promised(b(3, N3))]);
}

/// Each bound to the slot and to the byte, each by itself.
#[test]
fn an_acceptor_has_room_for_exactly_as_much_as_its_limits_say() {
    let m = accept(b(2, N2), run(5, &["a", "b"]));
    for (ahead, held, room) in [(6, 6, true), (5, 6, false), (6, 5, false)] {
        let mut bench = Bench::new();
        let limits = &mut bench.setting.limits;
        (limits.ahead_slots_max, limits.log_slots_max) = (ahead, held);
        let mut acceptor = acceptor(&bench);
        assert_eq!(votes(&mut acceptor, &m, &mut Log::default(), &mut bench), room);
    }
    let log = voted(b(1, N2), 1, &["held", "held"]);
    for (less, full) in [(0, false), (1, true)] {
        let mut bench = Bench::new();
        let limits = &mut bench.setting.limits;
        (limits.window_slots, limits.window_bytes) = (1, 1);
        (limits.run_bytes_max, limits.value_bytes_max) = (1, 1);
        limits.log_bytes_max = 0;
        limits.log_bytes_max = log.bytes() - limits.log_bytes_held_max() - less;
        let mut acceptor = acceptor(&bench);
        let more = accept(b(1, N2), run(3, &["more"]));
        assert_eq!(votes(&mut acceptor, &more, &mut log.clone(), &mut bench), !full);
        // A full log can change its leader.
        let again = accept(b(2, N3), run(1, &["held", "held"]));
        assert!(votes(&mut acceptor, &again, &mut log.clone(), &mut bench));
    }
}

#[test]
fn a_page_of_a_promise_is_as_long_as_it_may_be() {
    let weight = run(1, &["0123456789"]).weight();
    let log = voted(b(1, N2), 1, &["0123456789"; 6]);
    for (bytes_max, pages) in [
        (3 * weight, [3, 3].as_slice()),
        (3 * weight - 1, &[2, 2, 2]),
        (6 * weight, &[6]),
        (6 * weight - 1, &[5, 1]),
        (1, &[1, 1, 1, 1, 1, 1]),
    ] {
        let mut bench = Bench::new();
        bench.setting.limits.run_bytes_max = bytes_max;
        let m = Prepare { ballot: b(2, N3), from: Slot(1), released: None };
        acceptor(&bench).on_prepare(N3, &m, &log, &mut bench.cx());
        let told: Vec<usize> = bench
            .said()
            .iter()
            .map(|(_, said)| match said {
                Message::Promise(m) => m.votes.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, pages, "in {bytes_max} bytes");
    }
}

#[test]
fn a_lease_says_when_others_may_be_promised() {
    let mut bench = Bench::new().leasing();
    let mut acceptor = acceptor(&bench);
    assert_eq!(acceptor.free_at(), Instant::default(), "nothing binds yet");
    acceptor.on_beat(b(1, N2), 1, &bench.cx());
    let until = acceptor.free_at();
    assert!(until >= bench.now + Duration::from_secs(1));
    assert!(acceptor.frees(N2, bench.now), "its own leader may come again");
    for (now, free) in [(bench.now, false), (until, true)] {
        assert_eq!(acceptor.frees(N3, now), free);
    }
    bench.sleep(Duration::from_millis(100));
    acceptor.on_beat(b(2, N3), 1, &bench.cx());
    assert!(!acceptor.frees(N3, bench.now), "the one before may still hold its own");
    assert!(acceptor.frees(N3, until) && !acceptor.frees(ME, until));
    assert_eq!(acceptor.free_at(), until + Duration::from_millis(100));
}
