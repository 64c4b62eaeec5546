//! What witnesses do about images, and what they may forget.

use super::*;

impl Stage {
    fn relieve(&mut self, ballot: Ballot, below: u64) {
        let schedule = image(below, witness(ME)).checkpoint.schedule;
        let m = Relieve { ballot, below: Slot(below), schedule };
        self.roles.on_relieve(m, &mut self.bench.cx());
    }
}

/// What it missed may have made it more than it knows.
#[test]
fn a_witness_wakes_when_it_hears_that_it_is_more() {
    for (from, below, members, wakes) in [
        (N2, 9, witness(ME), false),
        (N2, 9, three(), true),
        (N3, 9, witness(ME), true),
        (N2, 1, three(), false),
        (N3, 1, witness(ME), false),
    ] {
        let mut stage = Stage::of(witness(ME), 1);
        stage.roles.elector.on_leader(b(2, N3), &mut stage.bench.cx());
        stage.offer(from, &image(below, members));
        assert_eq!(stage.bench.regime.is_asleep(ME), !wakes, "{from} {below}");
    }
}

/// Where nobody leads, nobody else can tell it, and perhaps nobody comes to lead before.
#[test]
fn a_witness_hears_of_its_group_from_an_image_where_nobody_leads() {
    let all = |_: &mut Stage| {};
    let led = |stage: &mut Stage| stage.roles.elector.on_leader(b(2, N3), &mut stage.bench.cx());
    let pulls = |stage: &mut Stage| {
        let m = Offer { image: image(15, three()), chosen: Slot(20) };
        let want = Want { above: Slot(1), up_to: Slot::MAX, leader: None, is_urgent: false };
        stage.roles.installer.on_offer(N2, &m, want, &mut stage.bench.cx());
    };
    let knows = |version| witness(ME).with_version(version);
    type Row<'a> = (Membership, u64, Membership, &'a dyn Fn(&mut Stage), bool);
    let table: [Row<'_>; 9] = [
        (knows(0), 9, knows(1), &all, true),
        (Membership::unknown(), 9, knows(0), &all, true),
        (knows(1), 9, knows(1), &all, false),
        (knows(2), 9, knows(1), &all, false),
        (knows(0), 1, knows(1), &all, false),
        (knows(0), 9, three().with_version(1), &all, true),
        (knows(0), 9, knows(1), &led, false),
        (knows(0), 9, knows(1), &Stage::campaign, false),
        (knows(0), 9, knows(1), &pulls, false),
    ];
    for (nth, (known, below, members, prepare, told)) in table.into_iter().enumerate() {
        let mut stage = Stage::of(known, 1);
        prepare(&mut stage);
        stage.clear();
        let image = image(below, members);
        stage.offer(N2, &image);
        stage.roles.fill_gaps(&mut stage.bench.cx());
        assert_eq!(stage.roles.installer.is_installing(), told, "{nth}");
        assert_eq!(stage.roles.log.floor(), Slot(1), "it has all that it says is chosen");
    }
}

/// What it has voted for may be nowhere else but in the image: it keeps that, too.
#[test]
fn who_has_something_is_told_of_its_group_by_a_whole_image() {
    let table: [&dyn Fn(&mut Stage); 4] = [
        &|stage| stage.roles.log.vote(b(1, N2), run(5, &["v"])),
        &|stage| stage.roles.log.learn(&run(1, &["v"])),
        &|stage| stage.roles.learner.on_installed(Slot(4), Checksum(1)),
        &|stage| stage.roles.log.trim(Slot(5)),
    ];
    for (nth, prepare) in table.into_iter().enumerate() {
        let mut stage = Stage::of(witness(ME), 1);
        prepare(&mut stage);
        stage.offer(N2, &image(9, witness(ME).with_version(1)));
        stage.roles.fill_gaps(&mut stage.bench.cx());
        assert!(stage.roles.installer.is_installing(), "{nth}");
        assert!(stage.roles.log.floor() < Slot(9), "{nth}");
    }
}

/// Another's word may be an old one; and what is forgotten already, the disk knows.
#[test]
fn a_witness_forgets_more_when_its_own_leader_says_so() {
    for (leader, below, forgets) in
        [(b(2, N2), 6, true), (b(2, N3), 6, false), (b(2, N2), 5, false), (b(2, N2), 4, false)]
    {
        let mut stage = Stage::of(witness(ME), 1);
        stage.roles.log.trim(Slot(5));
        stage.bench.regime.pass(Slot(5));
        stage.roles.elector.on_leader(leader, &mut stage.bench.cx());
        stage.clear();
        let schedule = image(below, witness(ME)).checkpoint.schedule;
        let m = Relieve { ballot: b(2, N2), below: Slot(below), schedule: schedule.clone() };
        stage.roles.on_relieve(m, &mut stage.bench.cx());
        let entry = Entry::Relieved { below: Slot(below), schedule };
        assert_eq!(stage.bench.written().contains(&entry), forgets, "{leader:?} {below}");
        assert_eq!(stage.roles.log.floor(), Slot(if forgets { below } else { 5 }));
    }
}

/// Whoever leads may be made a main again, and needs its machine then.
#[test]
fn a_leader_that_is_a_witness_forgets_only_what_its_machine_has() {
    for (leads, below, forgets) in [(true, 5, true), (true, 6, false), (false, 6, true)] {
        let mut stage = Stage::of(two(), 5);
        (5..9).for_each(|slot| stage.roles.log.learn(&run(slot, &["v"])));
        if leads {
            stage.lead();
        } else {
            stage.roles.elector.on_leader(b(2, N2), &mut stage.bench.cx());
        }
        let ballot = stage.roles.elector.leader().expect("somebody");
        let schedule = image(below, witness(ME).with_version(1)).checkpoint.schedule;
        stage.bench.regime = Regime::new(schedule.clone(), Slot(9));
        stage.clear();
        let m = Relieve { ballot, below: Slot(below), schedule };
        stage.roles.on_relieve(m, &mut stage.bench.cx());
        assert_eq!(stage.roles.log.floor() == Slot(below), forgets, "{leads} {below}");
    }
}

/// What it was woken for it has then, whatever the image says that it did not know. And its leader
/// may let it go of that.
#[test]
fn a_witness_sleeps_again_when_it_has_its_image_or_its_leader_says_that_it_need_not() {
    let woken = || {
        let mut stage = Stage::of(witness(ME), 1);
        stage.roles.elector.on_leader(b(1, N2), &mut stage.bench.cx());
        stage.relieve(b(1, N2), 6);
        stage.offer(N2, &image(9, witness(ME)));
        assert!(!stage.bench.regime.is_asleep(ME) && stage.roles.installer.is_busy());
        stage
    };
    let mut stage = woken();
    stage.roles.fill_gaps(&mut stage.bench.cx());
    // What the image is of becomes known without it.
    stage.bench.regime.pass(Slot(15));
    stage.roles.on_installed(image(9, witness(ME)).id(), &mut stage.bench.cx());
    assert_eq!(stage.bench.regime.frontier(), Slot(15));
    assert!(stage.bench.regime.is_asleep(ME) && stage.roles.has_machine());
    for (ballot, below, sleeps) in
        [(b(1, N2), 5, false), (b(1, N2), 6, false), (b(1, N2), 7, true), (b(1, N3), 7, false)]
    {
        for frontier in [6, 15] {
            let mut stage = woken();
            stage.bench.regime.pass(Slot(frontier));
            stage.relieve(ballot, below);
            assert_eq!(stage.bench.regime.is_asleep(ME), sleeps, "{ballot:?} {below}");
            let floor = if sleeps { below } else { 6 };
            assert_eq!(stage.roles.log.floor(), Slot(floor));
            stage.roles.fill_gaps(&mut stage.bench.cx());
            assert_eq!(stage.roles.installer.is_busy(), !sleeps, "it wants no image any more");
        }
    }
}

/// It may not know yet who the members are at the floor that it has.
#[test]
fn a_witness_that_has_forgotten_as_much_hears_of_its_members() {
    for (frontier, told) in [(1, true), (6, false)] {
        let mut stage = Stage::of(witness(ME), 1);
        stage.roles.elector.on_leader(b(1, N2), &mut stage.bench.cx());
        stage.roles.log.trim(Slot(6));
        stage.bench.regime.pass(Slot(frontier));
        stage.bench.regime.wake();
        stage.clear();
        let schedule = image(6, witness(ME).with_version(1)).checkpoint.schedule;
        let m = Relieve { ballot: b(1, N2), below: Slot(6), schedule: schedule.clone() };
        stage.roles.on_relieve(m, &mut stage.bench.cx());
        let entry = Entry::Relieved { below: Slot(6), schedule };
        assert_eq!(stage.bench.written().contains(&entry), told, "{frontier}");
        assert_eq!(stage.bench.regime.newest().1.version() == 1, told);
        assert!(stage.bench.regime.is_asleep(ME), "it lacks nothing");
    }
}

/// It counts for nothing, and must not be taken for one later on.
#[test]
fn a_witness_with_a_machine_pledges_nothing() {
    for (members, pledges) in [(witness(N3), true), (witness(ME), false)] {
        let mut stage = Stage::of(two(), 9);
        let schedule = image(9, members).checkpoint.schedule;
        stage.bench.regime.install(schedule, Slot(9));
        assert!(stage.roles.has_machine());
        stage.roles.log.trim(Slot(5));
        stage.roles.hold(b(1, N2), &mut stage.bench.cx());
        assert_eq!(!stage.captured().is_empty(), pledges, "an image comes first");
        stage.roles.shelf = Shelf::new(Some(image(5, witness(N3))));
        stage.roles.hold(b(1, N2), &mut stage.bench.cx());
        assert_eq!(stage.said().contains(&"Holding"), pledges);
    }
}

/// A main that was a witness and forgot may find that nowhere but with a witness that was a main,
/// and has started again without its machine since.
#[test]
fn a_witness_that_has_all_gives_it_to_a_main_that_lacks_it() {
    for (floor, from, image, gives) in [
        (1, N2, true, true),
        (1, N2, false, false),
        (1, NodeId(9), true, false),
        (5, N2, true, false),
    ] {
        let mut stage = Stage::of(witness(ME), 9);
        stage.roles.log.trim(Slot(floor));
        for _ in 0..2 {
            stage.fetch(from, (1, 5), image);
            stage.roles.finish(&mut stage.bench.cx());
        }
        let captured: &[_] = if gives { &[9] } else { &[] };
        assert_eq!(stage.captured(), captured, "{floor} {from} {image}");
        assert_eq!(stage.bench.regime.is_asleep(ME), !gives);
    }
}

/// It has to keep that, perhaps for long, and for that it needs a machine.
#[test]
fn a_witness_wakes_when_half_of_its_log_is_full() {
    for (members, slots, wakes) in [(witness(ME), 16, false), (witness(ME), 15, true)] {
        let mut stage = Stage::of(members, 9);
        assert!(stage.roles.learner.delivered() == Slot::FIRST, "it delivers nothing");
        stage.bench.setting.limits.log_slots_max = slots;
        stage.roles.finish(&mut stage.bench.cx());
        assert_eq!(stage.bench.regime.is_asleep(ME), !wakes);
        let delivered = if wakes { 9 } else { 1 };
        assert_eq!(stage.roles.learner.delivered(), Slot(delivered), "all is here");
        // Who has a machine sleeps on.
        stage.bench.regime.sleep();
        stage.roles.finish(&mut stage.bench.cx());
        assert!(stage.bench.regime.is_asleep(ME));
    }
}

/// Nobody else waits for what nobody leads.
#[test]
fn an_image_is_urgent_where_nobody_leads() {
    let mut stage = Stage::of(three(), 1);
    assert!(stage.roles.want(&stage.bench.cx()).is_urgent);
    stage.roles.elector.on_leader(b(1, N2), &mut stage.bench.cx());
    assert!(!stage.roles.want(&stage.bench.cx()).is_urgent);
}
