//! What goes by the clock, and by who is there.

use core::time::Duration;

use super::*;

#[test]
fn who_was_away_is_asked_again_and_nobody_else() {
    let mut scene = Scene::new();
    scene.ask(&["open"]);
    scene.proposed();
    for (peer, asked) in [(1, false), (2, true), (3, true), (9, false)] {
        let (led, mut cx) = scene.led();
        led.on_peer_up(NodeId(peer), &mut cx);
        let said = scene.bench.said();
        let expected = NodeSet::of(NodeId(peer));
        assert!(said.iter().all(|(to, _)| *to == expected));
        assert_eq!(said.len(), if asked { 2 } else { 0 }, "a beat, and what is open");
    }
    let (led, mut cx) = scene.led();
    led.on_peer_down(N3, &mut cx);
    assert_eq!(scene.asked(), [], "nobody votes in its place");
}

#[test]
fn a_witness_is_asked_at_once_when_a_main_is_gone() {
    let bench = Bench::of(three().with_witnesses([N3]));
    let mut scene = Scene::of(bench, &[promise(1, vec![]), promise(1, vec![])]);
    scene.ask(&["open"]);
    let mains: NodeSet = [ME, N2].into_iter().collect();
    assert_eq!(scene.proposed(), [(mains, 1, 1)]);
    let (led, mut cx) = scene.led();
    led.on_peer_down(N2, &mut cx);
    assert_eq!(scene.asked(), [(NodeSet::of(N3), 1, 1)]);
    scene.ask(&["more"]);
    assert_eq!(scene.proposed(), [(all(), 2, 1)], "until it is heard again");
    scene.ack(N2, 0, 1);
    scene.ask(&["and more"]);
    assert_eq!(scene.proposed(), [(mains, 3, 1)]);
    // A vote that is late may mean that a main is gone.
    scene.bench.sleep(scene.bench.setting.timing.resend);
    assert!(scene.tick());
    assert_eq!(scene.asked().first(), Some(&(all(), 1, 1)));
    scene.ask(&["late"]);
    assert_eq!(scene.proposed(), [(all(), 4, 1)]);
}

/// A leader that beats, hears and counts; then one that does not.
#[test]
fn what_is_open_is_sent_again_and_less_and_less_often() {
    let mut scene = Scene::new();
    scene.ask(&["open"]);
    scene.proposed();
    assert!(!scene.vote(N2, 1, 2));
    let (begun, resend) = (scene.bench.now, scene.bench.setting.timing.resend);
    let mut sent = Vec::new();
    for at in 1..=60 {
        scene.bench.now = begun + at * resend / 2;
        let due = scene.led().0.wake_at() <= scene.bench.now;
        [N2, N3].into_iter().for_each(|id| scene.ack(id, 0, 1));
        assert!(scene.tick(), "a quorum answers");
        let missing: NodeSet = [ME, N3].into_iter().collect();
        if scene.asked() == [(missing, 1, 1)] {
            assert!(due, "it wakes for that");
            sent.push(at / 2);
        }
    }
    assert_eq!(sent, [1, 3, 7, 15], "waits 1, 2, 4, 8, and so on of it");
}

/// After a beat or an `Accept` that tells the frontier, it is not told again.
#[test]
fn a_frontier_is_announced_once() {
    let announced = |scene: &mut Scene| {
        let (led, mut cx) = scene.led();
        led.announce(&mut cx);
        let said = scene.bench.said();
        said.iter().filter(|(_, m)| matches!(m, Message::Chosen(_))).count()
    };
    let mut scene = Scene::new();
    assert_eq!(announced(&mut scene), 0, "nothing is chosen");
    for (first, then) in [(1, 1), (2, 0)] {
        scene.ask(&["v"]);
        scene.proposed();
        scene.vote(ME, first, first + 1);
        scene.vote(N2, first, first + 1);
        if first == 2 {
            scene.bench.sleep(scene.bench.setting.timing.heartbeat);
            [N2, N3].into_iter().for_each(|id| scene.ack(id, 0, 1));
            assert!(scene.tick());
            assert!(scene.bench.said().iter().any(|(_, m)| matches!(m, Message::Heartbeat(_))));
        }
        assert_eq!(announced(&mut scene), then);
        assert_eq!(announced(&mut scene), 0);
    }
}

/// Leading makes sense while a quorum answers, and what was chosen before comes in.
#[test]
fn a_leader_gives_up_when_it_gets_nowhere() {
    let patience = Duration::from_millis(300);
    let checked = |scene: &mut Scene, reached: (u64, u64), answers: bool| {
        scene.bench.sleep(patience);
        if answers {
            scene.ack(N2, 0, 1);
        }
        let (led, mut cx) = scene.led();
        led.on_tick((Slot(reached.0), reached.1), &mut cx)
    };
    let mut alone = Scene::new();
    assert!(checked(&mut alone, (1, 0), true) && !checked(&mut alone, (1, 0), false));
    // What lies below its start comes in: slots, or an image, or not.
    let behind = || Scene::of(Bench::new(), &[promise(1, vec![]), promise(9, vec![])]);
    let mut scene = behind();
    for reached in [(2, 0), (3, 0), (3, 10), (3, 20)] {
        assert!(checked(&mut scene, reached, true), "{reached:?}");
    }
    assert!(!checked(&mut scene, (3, 20), true));
    // Who lacks everything has as long; and it is no progress to have to begin again.
    for (first, second) in [((1, 0), (1, 0)), ((3, 20), (3, 0))] {
        let mut scene = behind();
        assert!(checked(&mut scene, first, true) && !checked(&mut scene, second, true));
    }
    let mut scene = behind();
    assert!((0..3).all(|_| checked(&mut scene, (9, 0), true)), "nothing is missing");
    // Others know to be chosen what gets no votes here any more.
    let mut scene = Scene::new();
    for slot in [1, 2] {
        scene.ask(&["open"]);
        assert_eq!(scene.proposed(), [(all(), slot, 1)]);
    }
    assert!(!scene.vote(ME, 1, 2) && scene.vote(N2, 1, 2));
    assert!(checked(&mut scene, (5, 0), true), "votes have come");
    assert!(!checked(&mut scene, (5, 0), true));
}

/// It may follow, and be heard; but others can come to lead who have a quorum that votes.
#[test]
fn a_leader_gives_up_when_those_that_it_hears_vote_on_other_disks() {
    for (disk, leads) in [(7, true), (8, false)] {
        let mut scene = Scene::new();
        let three = Membership::majority([ME, N2, N3]).with_disk(N3, 7);
        scene.bench.regime = Regime::new(Schedule::starting(Slot::FIRST, three.into()), Slot(1));
        assert!(scene.tick());
        for round in 0..2 {
            scene.bench.sleep(Duration::from_millis(300));
            scene.ack(N3, disk, 1);
            // The first time it still counts those that promised.
            assert_eq!(scene.tick(), leads || round == 0, "{disk} {round}");
        }
    }
}

/// Witnesses may be a quorum, and none of them leads: a main that hears one of them could.
#[test]
fn a_leader_gives_up_when_it_hears_no_main() {
    for (from, leads) in [(N2, false), (N3, true)] {
        let mut scene = Scene::new();
        let one = Membership::majority([ME, N2, N3]).with_witnesses([ME, N2]);
        // Nobody knows yet what was decided before those.
        scene.bench.regime = Regime::new(Schedule::starting(Slot(2), one.into()), Slot(2));
        scene.bench.sleep(Duration::from_millis(300));
        scene.ack(from, 0, 1);
        assert_eq!(scene.tick(), leads, "{from}");
    }
}

/// Those that vote may be too few to promise, where the two kinds of quorums differ in size.
#[test]
fn a_leader_that_lacks_promises_gives_up_when_they_cannot_come() {
    for (asking, also, leads) in
        [(true, false, false), (true, true, true), (false, false, true), (false, true, true)]
    {
        let mut scene = Scene::new();
        let flexible = Membership::flexible([ME, N2, N3], 3, 1);
        scene.bench.regime = Regime::new(Schedule::starting(Slot::FIRST, flexible.into()), Slot(1));
        let (led, _) = scene.led();
        led.asking = asking;
        scene.bench.sleep(Duration::from_millis(300));
        scene.ack(N2, 0, 1);
        if also {
            scene.ack(N3, 0, 1);
        }
        assert_eq!(scene.tick(), leads, "{asking} {also}");
    }
}

/// Whoever decided before may be out of reach for good. It matters only once a leader has
/// what lies below its start, and while it gets no further itself.
#[test]
fn a_leader_gives_up_when_others_know_more_than_it_can_count() {
    let table = [(1, 2, 2, true), (1, 2, 3, false), (9, 8, 30, true), (9, 9, 10, false)];
    for (start, reached, known, leads) in table {
        let mut scene = Scene::of(Bench::new(), &[promise(1, vec![]), promise(start, vec![])]);
        scene.ask(&["open"]);
        scene.proposed();
        if start == 1 {
            scene.ask(&["more"]);
            scene.proposed();
            assert!(!scene.vote(ME, 1, 2) && scene.vote(N2, 1, 2));
        }
        let mut check = |heard: u64, reached: u64| {
            scene.bench.sleep(Duration::from_millis(300));
            scene.ack(N2, 0, heard);
            let (led, mut cx) = scene.led();
            led.on_tick((Slot(reached), 0), &mut cx)
        };
        // The first time it has come further than ever.
        let before = if start == 1 { reached } else { reached - 1 };
        assert!(check(known, before), "{start} {reached} {known}");
        assert_eq!(check(known, reached), leads, "{start} {reached} {known}");
    }
}

/// A network that has just lost so much is not flooded.
#[test]
fn only_so_many_runs_are_sent_again_at_once() {
    let mut scene = Scene::new();
    for slot in 1..=super::super::watching::RESEND_RUNS_MAX as u64 + 6 {
        scene.ask(&["open"]);
        assert_eq!(scene.proposed(), [(all(), slot, 1)]);
    }
    scene.bench.sleep(scene.bench.setting.timing.resend);
    assert!(scene.tick());
    assert_eq!(scene.asked().len(), super::super::watching::RESEND_RUNS_MAX);
    assert!(scene.tick());
    assert_eq!(scene.asked().len(), 6, "the others, and those not again");
}
