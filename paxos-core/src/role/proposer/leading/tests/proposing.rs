//! What is proposed, and how much at once.

use super::*;
use crate::types::Run;

#[test]
fn what_was_voted_for_is_proposed_again_in_runs_as_long_as_they_may_be() {
    let weight = value("0123456789").weight();
    let votes = || (1..=6).map(|slot| vote(slot, 1, value("0123456789"))).collect::<Vec<_>>();
    for (bytes_max, runs) in [
        (3 * weight, vec![3, 3]),
        (3 * weight - 1, vec![2, 2, 2]),
        (6 * weight, vec![6]),
        (1, vec![1; 6]),
    ] {
        let mut bench = Bench::new();
        bench.setting.limits.run_bytes_max = bytes_max;
        let mut scene = Scene::of(bench, &[promise(1, votes()), promise(1, vec![])]);
        let asked: Vec<usize> = scene.asked().iter().map(|(.., slots)| *slots).collect();
        assert_eq!(asked, runs, "in {bytes_max} bytes");
    }
    // What nobody voted on weighs as much as a no-op.
    let mut bench = Bench::new();
    bench.setting.limits.run_bytes_max = 3 * Value::OVERHEAD;
    let told = vec![vote(7, 1, Value::Noop)];
    let mut scene = Scene::of(bench, &[promise(1, told), promise(1, vec![])]);
    assert_eq!(scene.asked(), [(all(), 1, 3), (all(), 4, 3), (all(), 7, 1)]);
}

/// Nothing new stands between what earlier leaders may have chosen.
#[test]
fn new_commands_wait_until_all_votes_are_proposed_again() {
    let bench = Bench::of(three().with_window(2));
    let told = vec![vote(5, 1, value("old"))];
    let mut scene = Scene::of(bench, &[promise(1, told), promise(1, vec![])]);
    assert_eq!(scene.asked(), [(all(), 1, 2)], "who decides further on is not known");
    scene.ask(&["new"]);
    assert_eq!(scene.proposed(), []);
    scene.bench.regime.pass(Slot(3));
    assert_eq!(scene.proposed(), [(all(), 3, 2)]);
    scene.bench.regime.pass(Slot(4));
    assert_eq!(scene.proposed(), [(all(), 5, 1)], "the vote");
    scene.bench.regime.pass(Slot(6));
    assert_eq!(scene.proposed(), [(all(), 6, 1)], "the command");
}

/// Nor is anyone turned away because the log is full of what has to be proposed again.
#[test]
fn who_waits_for_old_votes_goes_on_waiting_when_the_log_is_full() {
    let bench = Bench::of(three().with_window(2));
    let told = vec![vote(5, 1, value("old"))];
    let mut scene = Scene::of(bench, &[promise(1, told), promise(1, vec![])]);
    scene.bench.setting.limits.log_bytes_max = 1;
    scene.log.vote(b(1, N2), crate::role::testing::run(1, &["held"]));
    scene.ask(&["new"]);
    assert_eq!(scene.proposed(), [(all(), 1, 2)]);
    assert_eq!(scene.answers(), []);
}

#[test]
fn what_was_chosen_meanwhile_is_not_proposed() {
    let bench = Bench::of(three().with_window(1));
    let told = vec![vote(2, 1, change(&[1, 2]))];
    let mut scene = Scene::of(bench, &[promise(1, told), promise(1, vec![])]);
    scene.asked();
    // A peer has told what is chosen there, and that it changes nothing.
    scene.log.learn(&Run::new(Slot(1), vec![value("one"), value("two")]));
    scene.bench.regime.pass(Slot(3));
    scene.ask(&["new"]);
    assert_eq!(scene.proposed(), [(all(), 3, 1)]);
    let (led, cx) = scene.led();
    assert_eq!(led.read_floor(&cx), Some(Slot(3)), "that change is out of the world");
}

/// A new membership comes into force without traffic, in runs within their bounds.
#[test]
fn no_ops_lead_up_to_the_border() {
    let scene = |held: usize| {
        let mut bench = handing_over();
        bench.setting.limits.run_bytes_max = 3 * Value::OVERHEAD;
        bench.setting.limits.log_bytes_max = 1000;
        let mut scene = Scene::of(bench, &[promise(1, vec![]), promise(1, vec![])]);
        if held > 0 {
            scene.log.vote(b(1, N2), crate::role::testing::run(1, &["x".repeat(held).as_str()]));
        }
        scene
    };
    assert_eq!(scene(0).proposed(), [(all(), 1, 3), (all(), 4, 1)]);
    assert_eq!(scene(1000).proposed(), [], "a full log is not filled");
}

#[test]
fn the_bounds_of_what_is_in_flight_are_kept() {
    let mut bench = Bench::new();
    bench.setting.limits.window_slots = 3;
    let mut scene = Scene::of(bench, &[promise(1, vec![]), promise(1, vec![])]);
    scene.ask(&["a", "b", "c", "d", "e"]);
    assert_eq!(scene.led().0.unanswered(), 5);
    assert_eq!(scene.proposed(), [(all(), 1, 3)]);
    assert_eq!(scene.led().0.unanswered(), 5, "three in flight and two in line");
    assert!(!scene.vote(ME, 1, 4) && scene.vote(N2, 1, 4));
    assert_eq!(scene.answers(), [(1, 3, Outcome::Chosen(Slot(1)))]);
    assert_eq!(scene.led().0.unanswered(), 2);
    assert_eq!(scene.proposed(), [(all(), 4, 2)]);
}
