//! What a fetcher asks for, whom and when; what it takes, and what it gives.

use alloc::vec::Vec;

use super::*;
use crate::message::Message;
use crate::quorum::Membership;
use crate::role::testing::{Bench, ME, N2, N3, b, run, voted};
use crate::types::Run;

const GROUP: GroupId = GroupId(0);
const MICRO: Duration = Duration::from_micros(1);

fn fetcher() -> Fetcher {
    Fetcher::new(GROUP)
}

/// A log in which everything below `end` is chosen.
fn chosen(end: u64) -> Log {
    let mut log = Log::default();
    (1..end).for_each(|slot| log.learn(&run(slot, &["v"])));
    log
}

/// Who is asked, from where, up to where, and whether only an image will do.
fn asked(bench: &mut Bench) -> Vec<(NodeId, u64, u64, bool)> {
    let said = bench.said().into_iter().map(|(to, m)| match m {
        Message::Fetch(m) => (to.iter().next().expect("somebody"), m.from.0, m.to.0, m.image),
        other => panic!("{other:?}"),
    });
    said.collect()
}

/// Looks at the gap of a replica that has delivered all it can.
fn step(fetcher: &mut Fetcher, log: &Log, bench: &mut Bench) -> Vec<(NodeId, u64, u64, bool)> {
    fetcher.on_step(log, log.chosen(), &mut bench.cx());
    asked(bench)
}

fn entries(first: u64, payloads: &[&str], chosen: u64) -> Entries {
    Entries { run: run(first, payloads), chosen: Slot(chosen) }
}

/// What fills a gap may just be late; then others are asked, one after the other.
#[test]
fn a_gap_is_fetched_when_it_has_stood_and_from_the_next_when_one_is_silent() {
    let (mut bench, log, mut fetcher) = (Bench::new(), chosen(3), fetcher());
    assert!(!fetcher.lacks(Slot(1)));
    fetcher.on_frontier(N2, Slot(9), None, &bench.cx());
    assert!(fetcher.lacks(Slot(8)) && !fetcher.lacks(Slot(9)));
    assert_eq!(step(&mut fetcher, &log, &mut bench), []);
    let (gap, resend) = (bench.setting.timing.gap, bench.setting.timing.resend);
    assert_eq!(fetcher.wake_at(), Some(bench.now + gap));
    bench.sleep(gap - MICRO);
    assert_eq!(step(&mut fetcher, &log, &mut bench), []);
    bench.sleep(MICRO);
    for donor in [N2, N3, N2] {
        assert_eq!(step(&mut fetcher, &log, &mut bench), [(donor, 3, 9, false)]);
        assert_eq!(fetcher.wake_at(), Some(bench.now + resend));
        bench.sleep(resend - MICRO);
        assert_eq!(step(&mut fetcher, &log, &mut bench), []);
        bench.sleep(MICRO);
    }
    fetcher.pause();
    assert_eq!(fetcher.wake_at(), None);
}

/// One who waits for a leader gives up after its patience: two have their turn within that.
#[test]
fn the_impatient_ask_the_next_sooner() {
    let (mut bench, log, mut fetcher) = (Bench::new(), chosen(3), fetcher());
    let resend = bench.setting.timing.resend;
    bench.setting.timing.patience = resend;
    fetcher.set_target(Slot(9), N2);
    for donor in [N2, N3] {
        assert_eq!(step(&mut fetcher, &log, &mut bench), [(donor, 3, 9, false)]);
        assert_eq!(fetcher.wake_at(), Some(bench.now + resend / 2));
        bench.sleep(resend / 2);
    }
}

#[test]
fn a_gap_that_moves_by_itself_was_only_lateness() {
    let (mut bench, mut fetcher) = (Bench::new(), fetcher());
    fetcher.on_frontier(N2, Slot(9), None, &bench.cx());
    assert_eq!(step(&mut fetcher, &chosen(3), &mut bench), []);
    bench.sleep(bench.setting.timing.gap);
    assert_eq!(step(&mut fetcher, &chosen(5), &mut bench), [], "another gap");
    assert_eq!(fetcher.wake_at(), Some(bench.now + bench.setting.timing.gap));
    assert_eq!(step(&mut fetcher, &chosen(9), &mut bench), []);
    assert_eq!(fetcher.wake_at(), None, "there is none any more");
}

/// To the slot: a run of slots may be under way from the leader, more than that is not.
#[test]
fn who_is_far_behind_asks_without_waiting() {
    for (target, waits) in [(11, true), (12, false)] {
        let (mut bench, mut fetcher) = (Bench::new(), fetcher());
        bench.setting.limits.run_slots_max = 10;
        fetcher.on_frontier(N2, Slot(target), None, &bench.cx());
        step(&mut fetcher, &chosen(1), &mut bench);
        let wait = if waits { bench.setting.timing.gap } else { Duration::ZERO };
        assert_eq!(fetcher.wake_at(), Some(bench.now + wait));
    }
}

/// A leader that gives up before a donor's time is over, and comes back, has the same donor named
/// again: if that one cannot help, all others have their turn before it.
#[test]
fn who_could_not_help_is_not_asked_again_before_the_others() {
    let (mut bench, log, mut fetcher) =
        (Bench::of(Membership::majority((1..=5).map(NodeId))), chosen(3), fetcher());
    let all: NodeSet = (2..=5).map(NodeId).collect();
    let mut round = NodeSet::EMPTY;
    for _ in 0..4 {
        fetcher.set_target(Slot(9), N2);
        let donor = step(&mut fetcher, &log, &mut bench)[0].0;
        assert!(!round.contains(donor), "{donor:?} is asked twice in a round");
        round.insert(donor);
    }
    assert_eq!(round, all);
    // The same where somebody says that it has more, again and again.
    let mut round = NodeSet::EMPTY;
    for more in 10..14 {
        fetcher.on_frontier(N3, Slot(more), None, &bench.cx());
        bench.sleep(bench.setting.timing.resend);
        round.insert(step(&mut fetcher, &log, &mut bench)[0].0);
    }
    assert_eq!(round, all);
    // Once anything has come, whoever is named is asked.
    fetcher.set_target(Slot(20), N2);
    assert_eq!(step(&mut fetcher, &chosen(4), &mut bench), [(N2, 4, 20, false)]);
}

/// Without waiting for the others, and once a round.
#[test]
fn who_has_nothing_ends_its_turn_by_saying_so() {
    let (mut bench, mut log, mut fetcher) =
        (Bench::of(Membership::majority((1..=4).map(NodeId))), chosen(3), fetcher());
    let n4 = NodeId(4);
    fetcher.set_target(Slot(9), N2);
    assert_eq!(step(&mut fetcher, &log, &mut bench), [(N2, 3, 9, false)]);
    let nothing = entries(3, &[], 3);
    for (says, asked) in [(N3, None), (N2, Some(N3)), (N2, None), (N3, Some(n4)), (n4, None)] {
        fetcher.on_entries(says, &nothing, None, &mut log, &mut bench.cx());
        let donors: Vec<_> = step(&mut fetcher, &log, &mut bench).iter().map(|a| a.0).collect();
        assert_eq!(donors, Vec::from_iter(asked), "{says:?} has nothing");
    }
    // An answer to something else says nothing.
    bench.sleep(bench.setting.timing.resend);
    assert_eq!(step(&mut fetcher, &log, &mut bench), [(N2, 3, 9, false)]);
    fetcher.on_entries(N2, &entries(2, &[], 3), None, &mut log, &mut bench.cx());
    assert_eq!(step(&mut fetcher, &log, &mut bench), []);
}

/// Its silence is not waited for a second time.
#[test]
fn who_gave_a_batch_and_is_silent_then_is_followed_by_the_next() {
    let (mut bench, mut log, mut fetcher) = (Bench::new(), chosen(3), fetcher());
    fetcher.set_target(Slot(9), N2);
    step(&mut fetcher, &log, &mut bench);
    fetcher.on_entries(N2, &entries(3, &["c"], 9), None, &mut log, &mut bench.cx());
    assert_eq!(step(&mut fetcher, &log, &mut bench), [(N2, 4, 9, false)]);
    bench.sleep(bench.setting.timing.resend);
    assert_eq!(step(&mut fetcher, &log, &mut bench), [(N3, 4, 9, false)]);
}

/// Its votes may be needed, and it gives none that lie too far above what is chosen here.
#[test]
fn who_has_lost_its_image_still_fetches_what_lies_above_its_log() {
    let (mut bench, mut log, mut fetcher) = (Bench::new(), chosen(9), fetcher());
    log.trim(Slot(5));
    fetcher.on_frontier(N2, Slot(12), None, &bench.cx());
    fetcher.on_step(&log, Slot(2), &mut bench.cx());
    bench.sleep(bench.setting.timing.gap);
    fetcher.on_step(&log, Slot(2), &mut bench.cx());
    assert_eq!(asked(&mut bench), [(N2, 2, 5, true), (N2, 9, 12, false)]);
    fetcher.on_entries(N2, &entries(9, &["i"], 12), None, &mut log, &mut bench.cx());
    assert_eq!((log.chosen(), asked(&mut bench)), (Slot(10), [(N2, 10, 12, false)].to_vec()));
    fetcher.on_entries(N2, &entries(10, &["j", "k"], 12), None, &mut log, &mut bench.cx());
    // Then only the image is missing, and all are asked for it.
    for donor in [N2, N3, N2] {
        bench.sleep(bench.setting.timing.resend);
        fetcher.on_step(&log, Slot(2), &mut bench.cx());
        assert_eq!(asked(&mut bench), [(donor, 2, 5, true)]);
    }
}

/// Nor does it say so if it is behind, or was asked by ourselves.
#[test]
fn the_farthest_word_is_what_is_wanted_and_who_said_it_is_asked() {
    let (mut bench, mut fetcher) = (Bench::new(), fetcher());
    fetcher.on_frontier(N3, Slot(7), None, &bench.cx());
    fetcher.on_frontier(N2, Slot(7), None, &bench.cx());
    fetcher.on_frontier(ME, Slot(99), None, &bench.cx());
    // A leader counts above that itself.
    fetcher.on_frontier(N2, Slot(50), Some(Slot(6)), &bench.cx());
    step(&mut fetcher, &chosen(3), &mut bench);
    bench.sleep(bench.setting.timing.gap);
    assert_eq!(step(&mut fetcher, &chosen(3), &mut bench), [(N3, 3, 7, false)]);
    fetcher.on_counted(Slot(4));
    assert!(fetcher.lacks(Slot(6)), "nothing is taken back");
    fetcher.on_counted(Slot(8));
    assert!(fetcher.lacks(Slot(7)) && !fetcher.lacks(Slot(8)));
    fetcher.set_target(Slot(5), N2);
    assert!(!fetcher.lacks(Slot(5)));
    assert_eq!(step(&mut fetcher, &chosen(5), &mut bench), []);
    assert_eq!(fetcher.wake_at(), None);
}

/// Perhaps no member that we know of has what we lack.
#[test]
fn whoever_said_it_has_more_is_asked_in_turn_though_a_stranger() {
    let (mut bench, log, mut fetcher) = (Bench::new(), chosen(3), fetcher());
    let stranger = NodeId(9);
    fetcher.on_frontier(stranger, Slot(5), None, &bench.cx());
    fetcher.on_frontier(N3, Slot(7), None, &bench.cx());
    fetcher.on_frontier(stranger, Slot(6), None, &bench.cx());
    step(&mut fetcher, &log, &mut bench);
    bench.sleep(bench.setting.timing.gap);
    let mut donors = Vec::new();
    for _ in 0..4 {
        donors.extend(step(&mut fetcher, &log, &mut bench).iter().map(|(donor, ..)| *donor));
        bench.sleep(bench.setting.timing.resend);
    }
    assert_eq!(donors, [N3, stranger, N2, N3]);
}

/// One that has no more than we had is of no use.
#[test]
fn who_says_no_more_than_is_known_here_does_not_join_the_round() {
    let (mut bench, log, mut fetcher) = (Bench::new(), chosen(5), fetcher());
    step(&mut fetcher, &log, &mut bench);
    fetcher.on_frontier(N3, Slot(9), None, &bench.cx());
    fetcher.on_frontier(NodeId(9), Slot(5), None, &bench.cx());
    step(&mut fetcher, &log, &mut bench);
    bench.sleep(bench.setting.timing.gap);
    for donor in [N3, N2, N3] {
        assert_eq!(step(&mut fetcher, &log, &mut bench), [(donor, 5, 9, false)]);
        bench.sleep(bench.setting.timing.resend);
    }
}

#[test]
fn a_leader_that_is_its_own_donor_asks_another() {
    let (mut bench, log, mut fetcher) = (Bench::new(), chosen(3), fetcher());
    fetcher.set_target(Slot(5), ME);
    assert_eq!(step(&mut fetcher, &log, &mut bench), [(N2, 3, 5, false)]);
}

/// Where the log begins above what was delivered, only an image closes the gap.
#[test]
fn what_is_trimmed_is_asked_for_as_an_image() {
    let (mut bench, mut log, mut fetcher) = (Bench::new(), chosen(9), fetcher());
    log.trim(Slot(5));
    fetcher.on_frontier(N2, Slot(9), None, &bench.cx());
    fetcher.on_step(&log, Slot(5), &mut bench.cx());
    assert_eq!(fetcher.wake_at(), None, "the machine has all below");
    fetcher.on_step(&log, Slot(4), &mut bench.cx());
    bench.sleep(bench.setting.timing.gap);
    fetcher.on_step(&log, Slot(4), &mut bench.cx());
    assert_eq!(asked(&mut bench), [(N2, 4, 5, true)]);
}

/// A witness is about to be told to forget, and wants no more than its votes need.
#[test]
fn a_witness_waits_longer_and_wants_less() {
    let group = Membership::majority([ME, N2, N3]).with_witnesses([ME]);
    let mut bench = Bench::of(group);
    let (mut fetcher, log) = (fetcher(), voted(b(1, N2), 4, &["a", "b"]));
    fetcher.on_frontier(N2, Slot(9), None, &bench.cx());
    assert_eq!(step(&mut fetcher, &log, &mut bench), []);
    let wait = bench.setting.timing.patience * 2;
    assert_eq!(fetcher.wake_at(), Some(bench.now + wait));
    bench.sleep(wait);
    assert_eq!(step(&mut fetcher, &log, &mut bench), [(N2, 1, 6, false)]);
    // Without votes, all: it may have become more than a witness.
    let (mut fetcher, log) = (fetcher.clone(), chosen(3));
    fetcher.pause();
    step(&mut fetcher, &log, &mut bench);
    bench.sleep(wait);
    assert_eq!(step(&mut fetcher, &log, &mut bench), [(N2, 3, 9, false)]);
    // And it lacks no image.
    let mut log = voted(b(1, N2), 9, &["a"]);
    log.trim(Slot(9));
    fetcher.on_step(&log, Slot(1), &mut bench.cx());
    assert_eq!(fetcher.wake_at(), None);
}

/// What is chosen is taken and written down once, wherever it joins what is known.
#[test]
fn entries_are_taken_if_they_are_news_and_leave_no_hole() {
    for (m, end, written) in [
        (entries(3, &["c", "d"], 9), 5, 1),
        (entries(2, &["v", "c"], 9), 4, 1),
        (entries(1, &["v", "v"], 9), 3, 0),
        (entries(4, &["d"], 9), 3, 0),
    ] {
        let (mut bench, mut log, mut fetcher) = (Bench::new(), chosen(3), fetcher());
        fetcher.on_entries(N2, &m, None, &mut log, &mut bench.cx());
        assert_eq!((log.chosen(), bench.written().len()), (Slot(end), written), "{m:?}");
        assert!(fetcher.lacks(Slot(8)), "it has said how far it is");
    }
}

/// Above that it knows better; and what it asked for before it led may end there.
#[test]
fn a_leader_takes_entries_up_to_where_it_counts() {
    for (below, end) in [(9, 5), (5, 5), (4, 4), (3, 3), (2, 3)] {
        let (mut bench, mut log) = (Bench::new(), chosen(3));
        let m = entries(3, &["c", "d"], 9);
        fetcher().on_entries(N2, &m, Some(Slot(below)), &mut log, &mut bench.cx());
        assert_eq!(log.chosen(), Slot(end));
    }
}

/// Two values for one slot: nothing of the sort is believed, and it is said whose.
#[test]
fn entries_that_contradict_what_is_chosen_are_refused() {
    let (mut bench, mut log) = (Bench::new(), chosen(3));
    let m = entries(2, &["x", "c"], 9);
    fetcher().on_entries(N2, &m, None, &mut log, &mut bench.cx());
    let twice = Notice::Ignored(Ignored::TwoValues(GROUP, N2, Slot(2)));
    assert_eq!(bench.ordered(), [crate::effect::Effect::Note(twice)]);
    assert_eq!(log.chosen(), Slot(3));
    // A vote is no contradiction.
    log.vote(b(1, N3), run(3, &["voted"]));
    fetcher().on_entries(N2, &entries(3, &["c"], 9), None, &mut log, &mut bench.cx());
    assert_eq!((bench.ordered(), log.chosen()), ([].to_vec(), Slot(4)));
}

#[test]
fn a_full_log_takes_no_entries() {
    for (slots, room) in [(4, true), (3, false)] {
        let (mut bench, mut log) = (Bench::new(), chosen(3));
        bench.setting.limits.log_slots_max = slots;
        fetcher().on_entries(N2, &entries(3, &["c", "d"], 9), None, &mut log, &mut bench.cx());
        assert_eq!(log.chosen(), Slot(if room { 5 } else { 3 }));
        let overload = Notice::Ignored(Ignored::Overload(GROUP, N2));
        assert_eq!(bench.ordered().contains(&crate::effect::Effect::Note(overload)), !room);
    }
    for (less, room) in [(0, true), (1, false)] {
        let (mut bench, mut log) = (Bench::new(), chosen(3));
        let limits = &mut bench.setting.limits;
        (limits.window_slots, limits.window_bytes) = (1, 1);
        (limits.run_bytes_max, limits.value_bytes_max) = (1, 1);
        limits.log_bytes_max = 0;
        limits.log_bytes_max = log.bytes() - limits.log_bytes_held_max() - less;
        fetcher().on_entries(N2, &entries(3, &["c"], 9), None, &mut log, &mut bench.cx());
        assert_eq!(log.chosen(), Slot(if room { 4 } else { 3 }));
    }
}

/// The next batch is asked for at once of whoever gave the last, until there is no more.
#[test]
fn who_gave_a_batch_is_asked_for_the_next() {
    let (mut bench, mut log, mut fetcher) = (Bench::new(), chosen(3), fetcher());
    fetcher.on_entries(N2, &entries(3, &["c"], 7), None, &mut log, &mut bench.cx());
    assert_eq!(asked(&mut bench), [], "nobody was asked: the gap may be lateness");
    step(&mut fetcher, &log, &mut bench);
    bench.sleep(bench.setting.timing.gap);
    assert_eq!(step(&mut fetcher, &log, &mut bench), [(N2, 4, 7, false)]);
    fetcher.on_entries(N3, &entries(4, &["d"], 7), None, &mut log, &mut bench.cx());
    assert_eq!(asked(&mut bench), [(N3, 5, 7, false)]);
    fetcher.on_entries(N2, &entries(4, &["d"], 7), None, &mut log, &mut bench.cx());
    assert_eq!(asked(&mut bench), [], "no progress");
    fetcher.on_entries(N2, &entries(5, &["e", "f"], 7), None, &mut log, &mut bench.cx());
    assert_eq!(asked(&mut bench), [], "that was all");
}

/// After the first MiB, each is asked for when the one before is paid for: here one a second.
/// But not by a leader, for which everyone waits.
#[test]
fn batches_are_asked_for_no_faster_than_the_pace() {
    let second = Duration::from_secs(1);
    let half = "v".repeat(MIB / 2 - 100);
    let batch = |first| entries(first, &[&half, &half], 99);
    for counted in [None, Some(Slot(99))] {
        let (mut bench, mut log, mut fetcher) = (Bench::new(), chosen(3), fetcher());
        bench.setting.limits.catch_up_bytes_per_s = MIB as u64;
        fetcher.set_target(Slot(99), N2);
        assert_eq!(step(&mut fetcher, &log, &mut bench), [(N2, 3, 99, false)]);
        let mut said = Vec::new();
        for first in [3, 5, 7] {
            fetcher.on_entries(N3, &batch(first), counted, &mut log, &mut bench.cx());
            said.push(step(&mut fetcher, &log, &mut bench).len());
        }
        assert_eq!(said, if counted.is_some() { [1, 1, 1] } else { [1, 0, 0] });
        if counted.is_some() {
            continue;
        }
        // Three were taken, each a little less than a burst.
        let due = fetcher.wake_at().expect("there is more");
        assert!(due > bench.now + second && due < bench.now + second * 2, "{due}");
        bench.sleep(due.since(bench.now) - MICRO);
        assert_eq!(step(&mut fetcher, &log, &mut bench), []);
        bench.sleep(MICRO);
        assert_eq!(step(&mut fetcher, &log, &mut bench), [(N3, 9, 99, false)]);
    }
}

/// One that has just had a batch of three seconds.
fn owing() -> (Bench, Log, Fetcher) {
    let (mut bench, mut log, mut fetcher) = (Bench::new(), chosen(3), fetcher());
    bench.setting.limits.catch_up_bytes_per_s = MIB as u64;
    fetcher.set_target(Slot(99), N2);
    step(&mut fetcher, &log, &mut bench);
    let large = "v".repeat(3 * MIB);
    fetcher.on_entries(N2, &entries(3, &[&large], 99), None, &mut log, &mut bench.cx());
    (bench, log, fetcher)
}

/// A leader asks for votes again that it still lacks.
#[test]
fn who_is_asked_again_for_votes_that_it_cannot_give_fetches_at_once() {
    let (mut bench, mut log, mut fetcher) = owing();
    for first in [50, 60] {
        fetcher.on_too_far(Slot(first), &bench.cx());
        assert!(!fetcher.is_waited_for(bench.now));
        assert_eq!(step(&mut fetcher, &log, &mut bench), []);
    }
    fetcher.on_too_far(Slot(50), &bench.cx());
    assert_eq!(step(&mut fetcher, &log, &mut bench), [(N2, 4, 99, false)]);
    let large = "v".repeat(3 * MIB);
    fetcher.on_entries(N2, &entries(4, &[&large], 99), None, &mut log, &mut bench.cx());
    assert_eq!(asked(&mut bench), [(N2, 5, 99, false)], "and owes nothing");
    // A patience after it was asked last.
    bench.sleep(bench.setting.timing.patience - MICRO);
    assert!(fetcher.is_waited_for(bench.now));
    assert!(!fetcher.is_waited_for(bench.now + MICRO));
}

/// What comes by itself does not make up for what is owed.
#[test]
fn a_gap_that_moves_by_itself_keeps_its_pace() {
    let (mut bench, mut log, mut fetcher) = owing();
    let due = fetcher.wake_at();
    assert!(due > Some(bench.now + Duration::from_secs(1)));
    log.learn(&run(4, &["v"]));
    assert_eq!(step(&mut fetcher, &log, &mut bench), []);
    assert_eq!(fetcher.wake_at(), due);
}

#[test]
fn a_donor_gives_what_is_wanted_as_far_as_a_batch_goes() {
    let weight = run(1, &["v"]).weight();
    for (slots, bytes, (from, to), given) in [
        (9, 99 * weight, (2, 4), 2..4),
        (3, 99 * weight, (2, 8), 2..5),
        (9, 2 * weight, (2, 8), 2..4),
        (9, 99 * weight, (5, 99), 5..9),
        (9, 99 * weight, (9, 9), 9..9),
    ] {
        let (mut bench, log) = (Bench::new(), chosen(9));
        let limits = &mut bench.setting.limits;
        (limits.run_slots_max, limits.run_bytes_max) = (slots, bytes);
        let m = Fetch { from: Slot(from), to: Slot(to), image: false };
        fetcher().on_fetch(N3, &m, &log, &mut bench.cx());
        let (to, said) = bench.said().pop().expect("an answer");
        let Message::Entries(m) = said else { panic!("{said:?}") };
        assert_eq!((to, m.chosen), (NodeSet::of(N3), Slot(9)));
        let run: &Run = &m.run;
        assert_eq!((run.first.0..run.end().0, run.len()), (given.clone(), given.count()));
    }
}

const MIB: usize = 1 << 20;

/// To the slot and to the byte: entries that the log has no room for would be fetched for ever.
#[test]
fn an_image_is_asked_for_where_the_log_has_no_room() {
    let log = chosen(9);
    for (slots, to, image) in
        [(usize::MAX, 20, false), (19, 20, false), (18, 19, false), (9, 10, false), (8, 10, true)]
    {
        for (bytes, heavy) in [(log.bytes(), false), (log.bytes() - 1, true)] {
            let (mut bench, mut fetcher) = (Bench::new(), fetcher());
            let limits = &mut bench.setting.limits;
            limits.log_slots_max = slots;
            (limits.log_bytes_max, limits.window_bytes, limits.window_slots) = (bytes, 0, 0);
            (limits.run_bytes_max, limits.value_bytes_max) = (0, 0);
            fetcher.on_frontier(N2, Slot(20), None, &bench.cx());
            step(&mut fetcher, &log, &mut bench);
            bench.sleep(bench.setting.timing.gap);
            let expected = if heavy { (N2, 9, 10, true) } else { (N2, 9, to, image) };
            assert_eq!(step(&mut fetcher, &log, &mut bench), [expected], "{slots} {bytes}");
        }
    }
}
