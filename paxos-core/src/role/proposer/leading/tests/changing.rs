//! Changes of the members: when they are taken, and what is answered.

use super::*;
use crate::effect::Refusal;

impl Scene {
    fn change_to(&mut self, next: &Membership) -> Vec<(u64, u32, Outcome)> {
        let log = self.log.clone();
        let (led, mut cx) = self.led();
        led.on_members(ProposalId(99), next, &log, &mut cx);
        self.answers()
    }
}

fn next() -> Membership {
    three().succeeded_by([ME, N2], [])
}

const BUSY: [(u64, u32, Outcome); 1] = [(99, 1, Outcome::Busy)];

#[test]
fn a_change_waits_for_what_earlier_leaders_have_begun() {
    let told = || vec![vote(1, 1, value("old"))];
    let mut scene = Scene::of(Bench::new(), &[promise(1, told()), promise(1, vec![])]);
    assert_eq!(scene.change_to(&next()), BUSY, "proposed again, and not chosen");
    scene.bench.regime.pass(Slot(2));
    assert_eq!(scene.change_to(&next()), []);
    // Known to be chosen, and not yet proposed again.
    let bench = Bench::of(three().with_window(1));
    let votes = vec![vote(1, 1, value("old")), vote(2, 1, value("old"))];
    let mut scene = Scene::of(bench, &[promise(1, votes), promise(1, vec![])]);
    scene.bench.regime.pass(Slot(3));
    assert_eq!(scene.change_to(&next().with_window(1)), BUSY);
}

#[test]
fn a_change_needs_room_like_everything_else() {
    let mut full = Scene::new();
    full.bench.setting.limits.log_bytes_max = 1;
    full.log.vote(b(1, N2), crate::role::testing::run(1, &["held"]));
    assert_eq!(full.change_to(&next()), BUSY, "the log is full");
    let mut closed = Scene::new();
    closed.bench.setting.limits.window_slots = 1;
    closed.ask(&["open"]);
    closed.proposed();
    assert_eq!(closed.change_to(&next()), BUSY, "the window is closed");
}

/// The successor would not know of it; and beats, which tell who is there, stand still.
#[test]
fn a_change_waits_while_the_leader_makes_way() {
    let mut scene = Scene::new();
    let (led, mut cx) = scene.led();
    led.on_transfer(N2, &mut cx).expect("no other");
    scene.ack(N2, 0, 1);
    assert_eq!(scene.change_to(&next()), BUSY);
    let (led, mut cx) = scene.led();
    led.give_transfer_up(&mut cx);
    assert_eq!(scene.change_to(&next()), []);
}

/// Whatever it is answered, it is answered once.
#[test]
fn a_change_is_answered_when_it_is_settled_or_late_or_nobody_leads() {
    let begun = || {
        let mut scene = Scene::new();
        assert_eq!(scene.change_to(&next()), []);
        scene
    };
    let settle = |scene: &mut Scene, slot: u64, taken| {
        let (led, mut cx) = scene.led();
        led.on_config(Slot(slot), &three(), taken, &mut cx);
        scene.answers()
    };
    for (taken, outcome) in
        [(true, Outcome::Chosen(Slot(1))), (false, Outcome::Refused(Refusal::Version(0)))]
    {
        let mut scene = begun();
        assert_eq!(settle(&mut scene, 9, taken), [], "another one");
        assert_eq!(settle(&mut scene, 1, taken), [(99, 1, outcome)]);
        assert_eq!(settle(&mut scene, 1, taken), []);
    }
    let unknown = [(99, 1, Outcome::Unknown)];
    let mut late = begun();
    assert_eq!(late.change_to(&next()), [(99, 1, Outcome::Refused(Refusal::Pending))]);
    (2..=3).for_each(|id| late.ack(NodeId(id), 0, 1));
    assert!(late.tick());
    assert_eq!(late.answers(), [], "there is time");
    late.bench.sleep(late.bench.setting.timing.answer);
    assert!(late.tick());
    assert_eq!(late.answers(), unknown);
    assert_eq!(settle(&mut late, 1, true), []);
    let mut fallen = begun();
    fallen.proposer.stop(&mut fallen.bench.cx());
    assert_eq!(fallen.answers(), unknown);
}

/// What a voter promises and votes counts from the disk that it is bound to: a change must
/// not bind it to one that it does not have.
#[test]
fn a_change_names_the_disks_that_answer() {
    let bound = |disk| three().with_disk(N2, disk);
    for (answers, named, refused) in
        [(7, 0, false), (7, 7, false), (7, 8, true), (7, 5, false), (0, 5, false), (0, 8, false)]
    {
        let mut bench = Bench::of(bound(5).with_disk(ME, 1));
        bench.setting.disk = 1;
        let mut scene =
            Scene { bench, log: Log::default(), proposer: Proposer::default(), next: 1 };
        let deadline = scene.bench.now + scene.bench.setting.timing.patience;
        let ready = Ready { ballot: BALLOT, deadline, released: None };
        scene.proposer.campaign(ready, Slot(1), &mut scene.bench.cx());
        for (id, disk) in [(1, 1), (2, 5)] {
            let m = promise(1, vec![]);
            scene.proposer.on_promise((NodeId(id), disk), &m, Slot(1), &mut scene.bench.cx());
        }
        if answers != 0 {
            scene.ack(N2, answers, 1);
        }
        let next = bound(named).with_disk(ME, 1).with_version(1);
        let next = next.succeeded_by([ME, N2], []).with_version(1);
        let expected = [(99, 1, Outcome::Refused(Refusal::Unheard(N2)))];
        let found = scene.change_to(&next);
        assert_eq!(found, &expected[..usize::from(refused)], "answers {answers}, named {named}");
    }
}

/// An earlier leader may have had them chosen with those who promise now, and answered whoever
/// proposed them. That they have become known here meanwhile, and need no votes, tells no reader.
#[test]
fn reads_see_what_new_members_know_of_even_if_it_is_known_here_by_then() {
    let votes = || vec![vote(2, 1, value("old"))];
    for (told, floor) in [
        (promise(1, vec![]), 1),
        (promise(1, votes()), 3),
        (promise(3, vec![]), 3),
        (promise(2, votes()), 3),
    ] {
        let mut scene = Scene::of(Bench::new(), &[promise(1, vec![]), promise(1, vec![])]);
        (1..4).for_each(|slot| scene.log.learn(&crate::role::testing::run(slot, &["v"])));
        assert_eq!(scene.proposed(), []);
        scene.bench.regime.pass(Slot(4));
        let (led, mut cx) = scene.led();
        assert_eq!(led.flight.next(), Slot(4));
        assert!(led.on_promise(N3, 0, &told, &mut cx));
        assert_eq!(led.read_floor(&cx), Some(Slot(floor)), "{told:?}");
    }
}

/// What they have chosen is known here, once they have nothing to decide, though perhaps none of those
/// who are asked for a round has heard of it.
#[test]
fn reads_see_all_that_was_decided_by_members_who_are_asked_no_more() {
    let mut scene = Scene::of(Bench::new(), &[promise(1, vec![]), promise(1, vec![])]);
    let rules = [(Slot(1), three().into()), (Slot(5), next().into())];
    let schedule = Schedule::from_rules(rules).expect("they ascend");
    for (frontier, floor) in [(1, 1), (4, 1), (5, 5), (9, 5)] {
        scene.bench.regime = Regime::new(schedule.clone(), Slot(frontier));
        let (led, cx) = scene.led();
        assert_eq!(led.read_floor(&cx), Some(Slot(floor)), "{frontier}");
    }
}
