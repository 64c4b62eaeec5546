//! What a replica gives in the place of what is trimmed, and what it does about images.

use alloc::vec::Vec;

use super::*;
use crate::effect::{Effect, Ignored, Notice};
use crate::log::Entry;
use crate::message::{Audit, Message, Pull};
use crate::quorum::Membership;
use crate::replica::testing::{GROUP, Stage, image, three, two};
use crate::role::testing::{ME, N2, N3, b, run};
use crate::role::{Archivist, Shelf};
use crate::types::{Checksum, GroupId, Value};

impl Stage {
    fn fetch(&mut self, from: NodeId, slots: (u64, u64), image: bool) {
        let m = Fetch { from: Slot(slots.0), to: Slot(slots.1), image };
        self.roles.on_fetch(from, &m, &mut self.bench.cx());
    }

    fn offer(&mut self, from: NodeId, image: &Image) {
        let m = Offer { image: image.clone(), chosen: Slot(20) };
        self.roles.on_offer(from, &m, &mut self.bench.cx());
    }

    /// Has `image` pulled, and put in the place of what is below it.
    fn install(&mut self, image: &Image) {
        let want = Want {
            above: self.roles.log.chosen(),
            up_to: Slot::MAX,
            leader: None,
            is_urgent: false,
        };
        let m = Offer { image: image.clone(), chosen: Slot(20) };
        self.roles.installer.on_offer(N2, &m, want, &mut self.bench.cx());
        self.roles.installer.on_step(want, false, &mut self.bench.cx());
    }

    /// The names of what was said.
    fn said(&mut self) -> Vec<&'static str> {
        self.bench.said().iter().map(|(_, m)| m.name()).collect()
    }

    /// The slots below which the state machine is to be captured.
    fn captured(&mut self) -> Vec<u64> {
        let ordered = self.bench.ordered().into_iter().filter_map(|effect| match effect {
            Effect::Capture { checkpoint, .. } => Some(checkpoint.below.0),
            _ => None,
        });
        ordered.collect()
    }
}

#[test]
fn an_image_is_offered_for_what_is_trimmed_and_entries_are_given_for_what_is_not() {
    for (slots, answer) in
        [((3, 3), "Entries"), ((3, 4), "Offer"), ((4, 9), "Offer"), ((5, 6), "Entries")]
    {
        let mut stage = Stage::trimmed(three(), 5, &image(5, three()));
        stage.fetch(N2, slots, false);
        assert_eq!((stage.said(), stage.captured()), ([answer].to_vec(), [].to_vec()));
    }
}

/// It has forgotten more than the image is of: the next one will do. So it is with a witness that
/// was let go of more, and is to have a state machine.
#[test]
fn a_member_that_needs_a_newer_image_has_one_made() {
    for (from, to, made) in [(N2, 5, false), (N2, 6, true), (NodeId(9), 6, false)] {
        let mut stage = Stage::trimmed(three(), 5, &image(5, three()));
        stage.fetch(from, (1, to), true);
        let said: &[_] = if made { &[] } else { &["Offer"] };
        let captured: &[_] = if made { &[9] } else { &[] };
        assert_eq!((&stage.said()[..], &stage.captured()[..]), (said, captured));
    }
    let members = || two().with_witnesses([N3]);
    for (to, made) in [(5, false), (6, true)] {
        let mut stage = Stage::trimmed(members(), 5, &image(5, members()));
        stage.lead();
        stage.roles.on_peer_down(ME, &mut stage.bench.cx());
        stage.clear();
        stage.fetch(N3, (1, to), true);
        assert_eq!((stage.said().is_empty(), stage.captured().len()), (made, usize::from(made)));
    }
    let mut stage = Stage::trimmed(three(), 5, &image(9, three()));
    stage.fetch(N2, (1, 10), true);
    assert_eq!((stage.said(), stage.captured()), ([].to_vec(), [].to_vec()), "no news since");
}

/// Nobody can say what its state machine is of.
#[test]
fn a_replica_whose_state_machine_is_lost_captures_nothing() {
    let mut stage = Stage::trimmed(three(), 12, &image(5, three()));
    stage.fetch(N2, (1, 6), true);
    stage.roles.on_checkpoint_requested(&mut stage.bench.cx());
    let nothing = Effect::Note(Notice::Ignored(Ignored::NoCheckpoint(GROUP)));
    assert_eq!((stage.said(), stage.bench.ordered()), ([].to_vec(), [nothing].to_vec()));
}

/// A crash would find no image for what is trimmed, also where the one that is gone was of
/// all that there is.
#[test]
fn an_image_that_is_gone_is_made_anew_where_the_log_needs_it() {
    for (floor, below, made) in
        [(1, 5, false), (3, 5, true), (5, 5, true), (7, 5, true), (3, 9, true)]
    {
        let image = Image { bytes: 5, ..image(below, three()) };
        let mut stage = Stage::trimmed(three(), floor, &image);
        let pull = Pull { image: image.id(), offset: 0, bytes: 5 };
        let Stage { roles, bench } = &mut stage;
        roles.donor.on_pull(N2, &pull, &roles.shelf, Slot(9), &mut bench.cx());
        stage.clear();
        let piece = Piece { image: image.id(), offset: 0, payload: Default::default() };
        stage.roles.on_loaded(N2, piece, &mut stage.bench.cx());
        let captured: &[_] = if made { &[9] } else { &[] };
        assert_eq!(stage.captured(), captured, "{floor}");
        assert_eq!(stage.roles.shelf.newest(), None);
    }
}

/// The first attempt may fail, and nothing else be due for long.
#[test]
fn an_image_that_is_gone_is_made_anew_when_somebody_needs_it() {
    for (members, from) in [(three(), N2), (witness(N3), N3)] {
        let (old, new) = (image(5, members.clone()), image(9, members.clone()));
        let mut stage = Stage::trimmed(members, 7, &old);
        stage.roles.shelf.put(new.clone());
        stage.fetch(from, (5, 9), false);
        assert_eq!((stage.said(), stage.captured()), (["Offer"].to_vec(), [].to_vec()));
        stage.roles.shelf.forget(new.id());
        for _ in 0..2 {
            stage.fetch(from, (5, 9), false);
            assert_eq!((stage.said(), stage.captured()), (["Offer"].to_vec(), [9].to_vec()));
            stage.roles.on_capture_failed(Slot(9), &mut stage.bench.cx());
            stage.clear();
        }
    }
}

/// What only an image that is gone stood in for is nowhere but in a state machine.
#[test]
fn nothing_is_pledged_under_an_image_that_is_gone() {
    let image = image(9, witness(N3));
    let mut stage = Stage::trimmed(witness(N3), 5, &image);
    for gone in [false, true] {
        if gone {
            stage.roles.shelf.forget(image.id());
        }
        stage.clear();
        stage.roles.hold(b(2, N2), &mut stage.bench.cx());
        let captured: &[_] = if gone { &[9] } else { &[] };
        assert_eq!(stage.captured(), captured);
        let said = stage.bench.said();
        let pledged = said.iter().any(|(_, m)| matches!(m, Message::Holding(_)));
        assert_eq!(pledged, !gone);
    }
}

/// Promises were asked for in ignorance of who the members are; nothing else is void.
#[test]
fn a_candidate_that_learns_of_other_members_from_an_image_stands_no_more() {
    for (version, falls) in [(0, false), (1, true)] {
        for stands in [false, true] {
            let mut stage = Stage::of(three(), 9);
            let image = image(20, three().with_version(version));
            stage.install(&image);
            if stands {
                stage.campaign();
            } else {
                stage.roles.elector.on_leader(b(2, N2), &mut stage.bench.cx());
            }
            stage.roles.on_installed(image.id(), &mut stage.bench.cx());
            assert_eq!(stage.bench.regime.newest().1.version(), version);
            assert_eq!(stage.roles.proposer.is_idle(), !stands || falls);
            let follows = stage.roles.elector.leader().is_some();
            assert_eq!(follows, !stands, "a follower follows on");
        }
    }
}

/// Chosen by someone else there: it may stand in its way, as far as it knows.
#[test]
fn a_leader_leads_on_with_an_image_of_no_more_than_it_has_counted() {
    for (below, leads) in [(8, true), (9, true), (10, false)] {
        let mut stage = Stage::of(two(), 5);
        let image = image(below, two());
        stage.install(&image);
        // The gap closes meanwhile, and it comes to lead.
        (5..9).for_each(|slot| stage.roles.log.learn(&run(slot, &["v"])));
        stage.lead();
        assert_eq!(stage.roles.counted_from(), Some(Slot(9)));
        stage.roles.on_installed(image.id(), &mut stage.bench.cx());
        assert_eq!(stage.roles.proposer.leading().is_some(), leads, "{below}");
    }
}

/// One promise is enough, and both have to vote.
fn witness(node: NodeId) -> Membership {
    three().with_witnesses([node])
}

/// To the byte: a log that has outgrown twice what was due is not spared, nor one of four
/// times the bytes at which a checkpoint is due.
#[test]
fn a_checkpoint_is_passed_over_while_a_peer_pulls_an_image_that_the_log_has_not_outgrown() {
    let weight = Stage::of(three(), 9).roles.log.bytes() as u64;
    assert_eq!(weight % 8, 0, "or the cases below say something else");
    for (due, size, gives, spares) in [
        (weight / 8 + 1, weight / 2, true, true),
        (weight / 8, weight / 2, true, false),
        (weight / 8 + 1, weight / 2, false, false),
        (weight / 4, 5, true, false),
        (weight / 4 + 1, 5, true, true),
    ] {
        let mut stage = Stage::of(three(), 9);
        let limits = &mut stage.bench.setting.limits;
        (limits.checkpoint_slots, limits.checkpoint_bytes) = (1, due);
        let image = Image { bytes: size, ..image(5, three()) };
        stage.roles.shelf = Shelf::new(Some(image.clone()));
        stage.roles.archivist =
            Archivist::new(GroupId(0), Slot(5), size, &stage.bench.setting.limits);
        if gives {
            let pull = Pull { image: image.id(), offset: 0, bytes: 5 };
            let Stage { roles, bench } = &mut stage;
            roles.donor.on_pull(N2, &pull, &roles.shelf, Slot(9), &mut bench.cx());
        }
        assert_eq!(stage.roles.spares(&stage.bench.cx()), spares, "{due} {size} {gives}");
    }
}

/// Room for what peers in flight need is room, too: it is not spared for long.
#[test]
fn a_log_that_takes_half_of_its_room_is_spared_no_more() {
    let bytes = Stage::of(three(), 9).roles.log.bytes();
    for (slots, bytes, crowded) in [
        (16, usize::MAX, false),
        (15, usize::MAX, true),
        (16, 2 * bytes, false),
        (16, 2 * bytes - 1, true),
    ] {
        let image = Image { bytes: 5, ..image(5, three()) };
        let mut stage = Stage::trimmed(three(), 1, &image);
        let limits = &mut stage.bench.setting.limits;
        (limits.log_slots_max, limits.log_bytes_max) = (slots, bytes);
        assert_eq!(stage.roles.is_crowded(&stage.bench.setting.limits), crowded, "{slots} {bytes}");
        let pull = Pull { image: image.id(), offset: 0, bytes: 5 };
        let Stage { roles, bench } = &mut stage;
        roles.donor.on_pull(N2, &pull, &roles.shelf, Slot(9), &mut bench.cx());
        assert_eq!(stage.roles.spares(&stage.bench.cx()), !crowded);
        // What is forgotten and not swept up yet is no reason to forget more.
        stage.roles.log.trim(Slot(2));
        stage.bench.setting.limits.log_slots_max = 16;
        assert!(!stage.roles.is_crowded(&stage.bench.setting.limits));
        stage.roles.log.sweep(9);
        let still = 2 * stage.roles.log.bytes() > bytes;
        assert_eq!(stage.roles.is_crowded(&stage.bench.setting.limits), still);
    }
}

/// From others than its leader, an image is of use to a witness only where it could not promise
/// anybody without.
#[test]
fn a_witness_is_offered_an_image_where_nobody_leads_or_stands() {
    let trimmed = || Stage::trimmed(witness(N3), 5, &image(5, witness(N3)));
    let mut stage = trimmed();
    stage.fetch(N3, (3, 4), false);
    assert_eq!(stage.said(), ["Offer"]);
    let mut stage = trimmed();
    stage.roles.elector.on_leader(b(2, N2), &mut stage.bench.cx());
    stage.clear();
    stage.fetch(N3, (3, 4), false);
    assert_eq!((stage.said(), stage.captured()), ([].to_vec(), [].to_vec()));
    let mut stage = trimmed();
    stage.campaign();
    stage.fetch(N3, (3, 4), false);
    assert_eq!((stage.said(), stage.captured()), ([].to_vec(), [].to_vec()));
}

/// Where it kept state, it has to have it: a leader makes an image that says what it is. And
/// where too few hold what it may have voted for, and will not soon, it keeps a copy.
#[test]
fn a_leader_lets_a_witness_go_only_of_what_it_was_a_witness_for_and_others_hold() {
    let members = || two().with_witnesses([N3]);
    let soon = |_: &mut Stage| {};
    let away = |stage: &mut Stage| stage.roles.on_peer_down(ME, &mut stage.bench.cx());
    let long = |stage: &mut Stage| {
        stage.bench.sleep(stage.bench.setting.timing.patience);
        let leading = stage.roles.proposer.leading_mut().expect("it leads");
        [ME, N3].into_iter().for_each(|node| leading.on_heard(node));
        stage.roles.on_tick(&mut stage.bench.cx());
    };
    type Row<'a> = (Membership, u64, &'a dyn Fn(&mut Stage), usize, &'a [&'static str]);
    let table: [Row<'_>; 7] = [
        (members(), 5, &soon, 0, &["Relieve"]),
        (members(), 4, &soon, 0, &[]),
        (members(), 4, &away, 0, &["Offer"]),
        (members(), 4, &long, 0, &["Offer"]),
        (members(), 5, &away, 0, &["Relieve"]),
        (two(), 5, &away, 1, &[]),
        (two(), 4, &away, 1, &[]),
    ];
    for (past, held, then, captures, said) in table {
        let mut stage = Stage::trimmed(members(), 5, &image(5, past));
        stage.lead();
        then(&mut stage);
        stage.clear();
        let leading = stage.roles.proposer.leading_mut().expect("it leads");
        leading.on_holding(ME, 0, Slot(held), &stage.bench.cx());
        stage.fetch(N3, (3, 4), false);
        assert_eq!((stage.captured().len(), stage.said()), (captures, said.to_vec()), "{held}");
    }
}

/// What lies below is here already; a witness lacks nothing.
#[test]
fn a_replica_wants_images_of_more_than_it_has() {
    for (members, end, floor, above) in
        [(three(), 9, 1, Slot(9)), (three(), 9, 12, Slot(11)), (witness(ME), 1, 12, Slot::MAX)]
    {
        let mut stage = Stage::of(members, end);
        stage.roles.log.trim(Slot(floor));
        assert_eq!(stage.roles.want(&stage.bench.cx()).above, above);
    }
}

/// Those that come after it may need an image of its machine, as long as it has one.
#[test]
fn a_main_that_becomes_a_witness_goes_on_with_its_machine() {
    let mut stage = Stage::of(three(), 9);
    let schedule = Schedule::starting(Slot::FIRST, witness(ME).into());
    stage.bench.regime.install(schedule, Slot(9));
    assert!(!stage.roles.sleeps(&stage.bench.cx()));
    stage.roles.log.trim(Slot(12));
    assert!(stage.roles.sleeps(&stage.bench.cx()), "it was let go of more");
    let mut stage = Stage::of(witness(ME), 1);
    assert!(stage.roles.sleeps(&stage.bench.cx()), "it never had one");
}

/// Wherever runs are cut: else no two replicas could compare.
#[test]
fn sums_are_remembered_at_every_mark() {
    let mut stage = Stage::of(three(), 1);
    for first in [1, 71] {
        let run = Run::new(Slot(first), alloc::vec![Value::Noop; 70]);
        stage.roles.sum(&run);
    }
    for nth in [1, 2] {
        let m = Audit { ballot: b(1, N2), slot: Slot(nth * Mark::STRIDE), agreed: None };
        stage.roles.auditor.on_audit(N2, &m, &mut stage.bench.cx());
        assert_eq!(stage.said(), ["Audited"]);
    }
}

mod witnesses;
