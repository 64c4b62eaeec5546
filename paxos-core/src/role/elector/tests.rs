//! When an elector probes, whom it believes in, and for whom it makes room.

use core::ops::Range;

use super::*;
use crate::effect::Effect;
use crate::message::Message;
use crate::quorum::Membership;
use crate::role::testing::{Bench, ME, N2, N3, b};
use crate::types::{Lease, PRIORITY};

const MICRO: Duration = Duration::from_micros(1);

/// An elector whose patience has run out.
fn impatient(bench: &Bench) -> Elector {
    Elector::new(GroupId(0), bench.now)
}

fn probe(ballot: Ballot) -> Probe {
    Probe { ballot, chosen: Slot::FIRST }
}

fn ack(ballot: Ballot, granted: bool) -> ProbeAck {
    ProbeAck { ballot, granted, promised: Ballot::ZERO, chosen: Slot::FIRST }
}

/// Who is asked, and with which ballot.
fn probed(bench: &mut Bench) -> Option<(NodeSet, Ballot)> {
    let mut asked = None;
    for (to, message) in bench.said() {
        let Message::Probe(m) = message else { panic!("{message:?}") };
        let (all, _) = asked.unwrap_or((NodeSet::EMPTY, m.ballot));
        asked = Some((all.or(to), m.ballot));
    }
    asked
}

/// From so many patiences from now until so many.
fn patiences(bench: &Bench, from: u32, until: u32) -> Range<Instant> {
    let patience = bench.setting.timing.patience;
    bench.now + patience * from..bench.now + patience * until
}

fn nodes<const N: usize>(ids: [u16; N]) -> NodeSet {
    ids.map(NodeId).into_iter().collect()
}

#[test]
fn voters_line_up_after_the_one_that_is_gone() {
    let voters = nodes([1, 2, 3, 4, 5]);
    for (gone, line) in [(1, [2, 3, 4, 5]), (3, [4, 5, 1, 2]), (5, [1, 2, 3, 4])] {
        for (place, node) in (0..).zip(line) {
            assert_eq!(rank(NodeId(node), NodeId(gone), voters), place, "{node} after {gone}");
        }
    }
}

#[test]
fn a_probe_is_above_all_ballots_that_were_heard_of() {
    for (seen, promised) in [(b(6, N3), b(4, N2)), (b(4, N3), b(6, N2))] {
        let mut bench = Bench::new();
        let mut elector = impatient(&bench);
        elector.on_seen(seen);
        elector.on_seen(b(1, N2));
        elector.on_tick(promised, true, &mut bench.cx());
        assert_eq!(probed(&mut bench), Some((nodes([1, 2, 3]), b(7, ME))));
    }
    let mut bench = Bench::new();
    let mut elector = impatient(&bench);
    elector.on_seen(b(Ballot::ROUND_MAX, N2));
    elector.on_tick(Ballot::ZERO, true, &mut bench.cx());
    assert_eq!(probed(&mut bench), None, "there is none that others would hear of");
}

/// It waits twice as long each time, up to eight times.
#[test]
fn those_that_do_not_answer_a_probe_are_asked_again_less_and_less_often() {
    let mut bench = Bench::of(Membership::majority(nodes([1, 2, 3, 4, 5]).iter()));
    bench.setting.timing.patience = Duration::from_secs(10);
    let mut elector = impatient(&bench);
    elector.on_tick(Ballot::ZERO, true, &mut bench.cx());
    let ballot = b(1, ME);
    assert_eq!(probed(&mut bench), Some((nodes([1, 2, 3, 4, 5]), ballot)));
    elector.on_probe_ack(N2, 0, &ack(ballot, true), &mut bench.cx());
    elector.on_probe_ack(N3, 0, &ack(ballot, false), &mut bench.cx());
    for times in [1, 2, 4, 8, 8] {
        let wait = bench.setting.timing.stagger * times;
        assert_eq!(elector.wake_at(), Some(bench.now + wait), "{times}");
        bench.sleep(wait - MICRO);
        elector.on_tick(Ballot::ZERO, true, &mut bench.cx());
        assert_eq!(probed(&mut bench), None, "{times}");
        bench.sleep(MICRO);
        elector.on_tick(Ballot::ZERO, true, &mut bench.cx());
        assert_eq!(probed(&mut bench), Some((nodes([1, 3, 4, 5]), ballot)), "{times}");
    }
}

/// Who could not win phase 1, or not choose anything afterwards, deposes nobody.
#[test]
fn a_campaign_takes_grants_of_both_quorums() {
    for (prepare, accept) in [(4, 2), (2, 4)] {
        let group = Membership::flexible(nodes([1, 2, 3, 4, 5]).iter(), prepare, accept);
        let mut bench = Bench::of(group.with_disk(N3, 7));
        let mut elector = impatient(&bench);
        elector.on_tick(Ballot::ZERO, true, &mut bench.cx());
        let ballot = b(1, ME);
        let mut hear =
            |from: u16, disk, m| elector.on_probe_ack(NodeId(from), disk, &m, &mut bench.cx());
        for (from, disk, m) in [
            (1, 0, ack(ballot, true)),
            (1, 0, ack(ballot, true)),
            (2, 0, ack(ballot, true)),
            (9, 0, ack(ballot, true)),
            (3, 8, ack(ballot, true)),
            (4, 0, ack(ballot, false)),
            (4, 0, ack(b(1, N2), true)),
            (3, 7, ack(ballot, true)),
        ] {
            assert_eq!(hear(from, disk, m.clone()), None, "{from} {disk} {m:?}");
        }
        let ready = hear(5, 0, ack(ballot, true)).expect("four of five");
        assert_eq!((ready.ballot, ready.released), (ballot, None));
        assert!(patiences(&bench, 1, 2).contains(&ready.deadline));
        assert_eq!(elector.wake_at(), Some(ready.deadline), "nothing is asked again");
        let late = elector.on_probe_ack(NodeId(4), 0, &ack(ballot, true), &mut bench.cx());
        assert_eq!(late, None, "it stands once");
    }
}

#[test]
fn patience_doubles_with_each_campaign_and_is_short_again_under_a_leader() {
    let mut bench = Bench::new();
    let mut elector = impatient(&bench);
    for times in [1, 2, 4, 8, 8] {
        elector.on_promised(&mut bench.cx());
        let deadline = elector.wake_at().expect("it never waits for ever");
        assert!(patiences(&bench, times, times * 2).contains(&deadline), "{times}");
    }
    elector.on_leader(b(1, N2), &mut bench.cx());
    let deadline = elector.wake_at().expect("it never waits for ever");
    assert!(patiences(&bench, 1, 2).contains(&deadline));
    bench.sleep(bench.setting.timing.patience / 2);
    elector.on_leader(b(1, N2), &mut bench.cx());
    assert_eq!(elector.wake_at(), Some(deadline), "each sign of life costs nothing");
    // Campaigns of our own count as well.
    let mut elector = impatient(&bench);
    elector.on_tick(Ballot::ZERO, true, &mut bench.cx());
    for node in [ME, N2] {
        elector.on_probe_ack(node, 0, &ack(b(1, ME), true), &mut bench.cx());
    }
    elector.on_leaderless(&mut bench.cx());
    let deadline = elector.wake_at().expect("it never waits for ever");
    assert!(patiences(&bench, 2, 4).contains(&deadline));
}

#[test]
fn who_has_heard_its_leader_lately_grants_nobody_a_probe() {
    let mut bench = Bench::new();
    let mut elector = impatient(&bench);
    elector.on_leader(b(1, N2), &mut bench.cx());
    let patience = bench.setting.timing.patience;
    bench.sleep(patience - MICRO);
    let mut grants = |elector: &mut Elector, ballot, promised, bound| {
        elector.on_probe(N3, &probe(ballot), promised, bound, &mut bench.cx())
    };
    assert!(!grants(&mut elector, b(2, N3), b(1, N2), false));
    let mut hinted = elector.clone();
    hinted.on_peer_down(N2, Instant::default(), &mut Bench::new().cx());
    assert!(grants(&mut hinted.clone(), b(2, N3), b(1, N2), false), "its process is gone");
    hinted.on_peer_up(N2);
    assert!(!grants(&mut hinted, b(2, N3), b(1, N2), false), "and back");
    bench.sleep(MICRO);
    let mut grants = |ballot, promised, bound| {
        elector.clone().on_probe(N3, &probe(ballot), promised, bound, &mut bench.cx())
    };
    assert!(grants(b(2, N3), b(1, N2), false));
    assert!(!grants(b(2, N3), b(2, N3), false), "promised already");
    assert!(!grants(b(2, N3), b(1, N2), true), "bound by a lease");
}

/// Once is polite; always would leave the field to those that cannot win.
#[test]
fn who_grants_a_probe_stands_back_once() {
    let mut bench = Bench::new();
    let mut elector = impatient(&bench);
    elector.on_probe(ME, &probe(b(1, ME)), Ballot::ZERO, false, &mut bench.cx());
    elector.on_probe(N3, &probe(b(1, N3)), Ballot::ZERO, true, &mut bench.cx());
    assert_eq!(elector.wake_at(), Some(bench.now), "for itself, or who gets nothing: never");
    elector.on_probe(N3, &probe(b(1, N3)), Ballot::ZERO, false, &mut bench.cx());
    let deadline = elector.wake_at().expect("it never waits for ever");
    assert!(patiences(&bench, 1, 2).contains(&deadline));
    bench.sleep(bench.setting.timing.patience);
    elector.on_probe(N2, &probe(b(1, N2)), Ballot::ZERO, false, &mut bench.cx());
    assert_eq!(elector.wake_at(), Some(deadline));
    // A leader that comes and goes makes it polite again.
    elector.on_leader(b(1, N2), &mut bench.cx());
    bench.sleep(bench.setting.timing.patience);
    elector.on_probe(N3, &probe(b(9, N3)), b(1, N2), false, &mut bench.cx());
    let deadline = elector.wake_at().expect("it never waits for ever");
    assert!(patiences(&bench, 1, 2).contains(&deadline));
    // It never stands earlier for it.
    let far = bench.now + bench.setting.timing.patience * 9;
    let mut elector = Elector::new(GroupId(0), far);
    elector.on_probe(N3, &probe(b(1, N3)), Ballot::ZERO, false, &mut bench.cx());
    assert_eq!(elector.wake_at(), Some(far));
}

#[test]
fn a_leader_is_given_up_when_it_was_silent_for_a_patience() {
    let patience = Bench::new().setting.timing.patience;
    for (silent, lost) in [(patience - MICRO, false), (patience, true)] {
        let mut bench = Bench::new();
        let mut elector = impatient(&bench);
        elector.on_leader(b(1, N2), &mut bench.cx());
        bench.ordered();
        bench.sleep(silent);
        elector.on_tick(b(1, N2), true, &mut bench.cx());
        assert_eq!(probed(&mut bench).is_some(), lost);
        let told = Effect::Note(Notice::LeaderChanged { group: GroupId(0), leader: None });
        assert_eq!(bench.ordered().contains(&told), lost);
        assert_eq!(elector.leader(), (!lost).then_some(b(1, N2)));
        if !lost {
            // It was heard after its deadline was set: that is as if it were set then.
            let deadline = elector.wake_at().expect("it never waits for ever");
            assert!(patiences(&bench, 1, 2).contains(&(deadline + silent)));
        }
    }
}

/// By one that could not stand as well.
#[test]
fn who_could_not_lead_believes_in_a_silent_leader_no_more() {
    let patience = Bench::new().setting.timing.patience;
    for (silent, lost) in [(patience * 2 - MICRO, false), (patience * 2, true)] {
        let mut bench = Bench::new();
        let mut elector = impatient(&bench);
        elector.on_silence(&mut bench.cx());
        assert_eq!(bench.ordered(), []);
        elector.on_leader(b(1, N2), &mut bench.cx());
        bench.ordered();
        bench.sleep(silent);
        elector.on_silence(&mut bench.cx());
        assert_eq!(elector.leader(), (!lost).then_some(b(1, N2)));
        assert_eq!(bench.ordered().len(), usize::from(lost));
    }
}

/// As long as what others have chosen before does not come, leading counts for nothing.
#[test]
fn patience_grows_with_each_leadership_that_was_in_vain() {
    let mut bench = Bench::new();
    bench.setting.timing.lease = Some(Lease { duration: Duration::from_secs(9), drift_ppm: 0 });
    let kept = bench.setting.timing.lease.map_or(Duration::ZERO, |lease| lease.kept());
    let mut elector = impatient(&bench);
    for (times, more) in [(2, Duration::ZERO), (4, kept), (8, kept), (8, kept)] {
        elector.on_promised(&mut bench.cx());
        elector.on_leading(b(1, ME), &mut bench.cx());
        elector.on_leaderless(&mut bench.cx());
        elector.on_in_vain(&bench.cx());
        let due = elector.wake_at().expect("it never waits for ever");
        let range = patiences(&bench, times, 2 * times);
        assert!((range.start + more..range.end + more).contains(&due), "{times}");
    }
    elector.on_leading(b(1, ME), &mut bench.cx());
    elector.on_established(&mut bench.cx());
    elector.on_leaderless(&mut bench.cx());
    elector.on_in_vain(&bench.cx());
    let due = elector.wake_at().expect("it never waits for ever");
    assert!(patiences(&bench, 1, 2).contains(&due));
}

#[test]
fn what_changes_the_leader_is_told_once() {
    let mut bench = Bench::new();
    let mut elector = impatient(&bench);
    let told = |leader| Effect::Note(Notice::LeaderChanged { group: GroupId(0), leader });
    elector.on_leaderless(&mut bench.cx());
    assert_eq!(bench.ordered(), []);
    elector.on_leader(b(1, N2), &mut bench.cx());
    elector.on_leader(b(1, N2), &mut bench.cx());
    assert_eq!(bench.ordered(), [told(Some(b(1, N2)))]);
    elector.on_leader(b(2, N2), &mut bench.cx());
    elector.on_leaderless(&mut bench.cx());
    assert_eq!(bench.ordered(), [told(Some(b(2, N2))), told(None)]);
}

#[test]
fn a_node_that_is_spared_leaves_the_first_attempt_to_others() {
    let mut bench = Bench::new();
    bench.setting.priority = PRIORITY - 1;
    let patience = bench.setting.timing.patience;
    let mut elector = impatient(&bench);
    elector.on_leader(b(1, N2), &mut bench.cx());
    bench.sleep(patience * 3 - MICRO);
    elector.on_tick(b(1, N2), true, &mut bench.cx());
    assert_eq!(probed(&mut bench), None);
    elector.on_promised(&mut bench.cx());
    let deadline = elector.wake_at().expect("it never waits for ever");
    assert!(patiences(&bench, 3, 4).contains(&deadline));
    elector.on_promised(&mut bench.cx());
    let deadline = elector.wake_at().expect("it never waits for ever");
    assert!(patiences(&bench, 2, 4).contains(&deadline), "the second is anybody's");
    bench.setting.priority = PRIORITY;
    let mut elector = impatient(&bench);
    elector.on_leaderless(&mut bench.cx());
    let deadline = elector.wake_at().expect("it never waits for ever");
    assert!(patiences(&bench, 1, 2).contains(&deadline));
}

/// Perhaps the group has made it a voter, and nobody else who knows it is left.
#[test]
fn who_may_not_stand_asks_for_news_instead() {
    let three = Membership::majority([ME, N2, N3]);
    for (group, priority) in [
        (Membership::majority([N2, N3]), PRIORITY),
        (three.clone().with_disk(ME, 9), PRIORITY),
        (three, 0),
    ] {
        let mut bench = Bench::of(group);
        bench.setting.priority = priority;
        let mut elector = impatient(&bench);
        elector.on_tick(Ballot::ZERO, true, &mut bench.cx());
        let fetch = Fetch { from: Slot::FIRST, to: Slot::FIRST, image: false };
        assert_eq!(bench.said(), [(nodes([2, 3]), Message::Fetch(fetch))]);
        assert!(elector.wake_at() > Some(bench.now), "and waits");
    }
}

#[test]
fn who_leads_or_stands_probes_nobody() {
    let mut bench = Bench::new();
    let mut elector = impatient(&bench);
    elector.on_tick(Ballot::ZERO, true, &mut bench.cx());
    assert!(probed(&mut bench).is_some());
    elector.on_tick(Ballot::ZERO, false, &mut bench.cx());
    let deadline = elector.wake_at().expect("it never waits for ever");
    assert!(deadline >= patiences(&bench, 1, 2).start, "what it asked is void");
    bench.now = deadline;
    elector.on_tick(Ballot::ZERO, false, &mut bench.cx());
    assert_eq!(probed(&mut bench), None);
    let later = elector.wake_at().expect("it never waits for ever");
    assert!(patiences(&bench, 1, 2).contains(&later), "a patience after it has ceased to");
}

#[test]
fn a_leader_makes_way_for_those_who_follow_it_and_have_heard_no_later_beat() {
    let handover = |beat| Handover { ballot: b(3, N2), beat, chosen: Slot::FIRST };
    let group = Membership::majority([ME, N2, N3]);
    for (leader, promised, beat, stands) in [
        (b(3, N2), b(3, N2), 5, true),
        (b(3, N2), b(1, N3), 6, true),
        (b(3, N2), b(3, N2), 4, false),
        (b(3, N2), b(4, N3), 5, false),
        (b(4, N2), b(3, N2), 5, false),
    ] {
        let mut bench = Bench::of(group.clone());
        let mut elector = impatient(&bench);
        elector.on_leader(leader, &mut bench.cx());
        elector.on_beat(b(3, N2), 5);
        elector.on_beat(b(3, N2), 2);
        elector.on_beat(b(2, N3), 9);
        let ready = elector.on_handover(&handover(beat), promised, &mut bench.cx());
        assert_eq!(ready.is_some(), stands, "{leader} {promised} {beat}");
        let Some(ready) = ready else { continue };
        assert_eq!(ready.ballot, b(4, ME));
        assert_eq!(ready.released, Some(Release { ballot: b(3, N2), beat }));
        assert_eq!((elector.wake_at(), elector.leader()), (Some(ready.deadline), None));
    }
    let mut bench = Bench::of(group);
    let mut elector = impatient(&bench);
    elector.on_leader(b(3, N2), &mut bench.cx());
    elector.on_seen(b(Ballot::ROUND_MAX, N3));
    assert_eq!(elector.on_handover(&handover(0), b(3, N2), &mut bench.cx()), None, "no room");
}

/// Each of the next in line a stagger after the one before, the spared after all others.
#[test]
fn after_a_hint_that_the_leader_is_gone_voters_stand_one_after_the_other() {
    for (gone, spared, turn) in [(N3, false, 0), (N2, false, 1), (N2, true, 4)] {
        let mut bench = Bench::new();
        if spared {
            bench.setting.priority = PRIORITY - 1;
        }
        let stagger = bench.setting.timing.stagger;
        let far = bench.now + bench.setting.timing.patience * 9;
        let mut elector = Elector::new(GroupId(0), far);
        elector.on_leader(b(1, gone), &mut bench.cx());
        let mut other = elector.clone();
        other.on_peer_down(if gone == N2 { N3 } else { N2 }, bench.now, &mut bench.cx());
        assert_eq!((other.wake_at(), other.live_leader()), (Some(far), Some(b(1, gone))));
        let free_at = bench.now + stagger * 7;
        let mut bound = elector.clone();
        bound.on_peer_down(gone, free_at, &mut bench.cx());
        assert_eq!(bound.wake_at(), Some(free_at + stagger / 8 + stagger * turn), "a lease ends");
        elector.on_peer_down(gone, Instant::default(), &mut bench.cx());
        let due = bench.now + stagger / 8 + stagger * turn;
        assert_eq!((elector.wake_at(), elector.live_leader()), (Some(due), None));
        assert_eq!(elector.leader(), Some(b(1, gone)), "it is only a hint");
        let mut heard = elector.clone();
        heard.on_leader(b(1, gone), &mut bench.cx());
        assert_eq!(heard.live_leader(), Some(b(1, gone)), "and was wrong");
        bench.now = due;
        elector.on_tick(b(1, gone), true, &mut bench.cx());
        assert_eq!(probed(&mut bench), Some((nodes([1, 2, 3]), b(2, ME))));
    }
}

#[test]
fn who_is_asked_by_its_leader_says_whether_both_quorums_answer() {
    let leader = b(3, N2);
    for (prepare, accept) in [(4, 2), (2, 4)] {
        let group = Membership::flexible(nodes([1, 2, 3, 4, 5]).iter(), prepare, accept);
        let mut bench = Bench::of(group.with_disk(N3, 7));
        let mut elector = impatient(&bench);
        elector.on_leader(leader, &mut bench.cx());
        elector.sound(leader, &mut bench.cx());
        let ballot = leader.next(ME, 0);
        assert_eq!(probed(&mut bench), Some((nodes([1, 2, 3, 4, 5]), ballot)));
        let mut hear =
            |from: u16, disk, m| elector.on_sounded((NodeId(from), disk), &m, &bench.cx());
        for (from, disk, m) in [
            (1, 0, ack(ballot, false)),
            (1, 0, ack(ballot, false)),
            (2, 0, ack(ballot, false)),
            (9, 0, ack(ballot, false)),
            (3, 8, ack(ballot, false)),
            (4, 0, ack(b(4, N2), false)),
            (4, 0, ack(b(5, ME), false)),
            (3, 7, ack(ballot, true)),
        ] {
            assert_eq!(hear(from, disk, m.clone()), None, "{from} {disk} {m:?}");
        }
        assert_eq!(hear(5, 0, ack(ballot, false)), Some(leader));
        assert_eq!(hear(4, 0, ack(ballot, false)), None, "it says so once");
    }
}

#[test]
fn who_has_another_leader_by_now_does_not_answer_the_one_that_asked() {
    let mut bench = Bench::new();
    let mut elector = impatient(&bench);
    elector.on_leader(b(3, N2), &mut bench.cx());
    elector.sound(b(3, N2), &mut bench.cx());
    let ballot = b(3, N2).next(ME, 0);
    elector.on_sounded((ME, 0), &ack(ballot, false), &bench.cx());
    elector.on_leader(b(3, N3), &mut bench.cx());
    assert_eq!(elector.on_sounded((N3, 0), &ack(ballot, false), &bench.cx()), None);
    // At the last of all rounds there is none to stand with.
    bench.said();
    elector.sound(b(Ballot::ROUND_MAX, N3), &mut bench.cx());
    assert_eq!(bench.said(), []);
}
