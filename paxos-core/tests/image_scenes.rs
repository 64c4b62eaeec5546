//! An image on its way: windows, pieces, donors, and what goes wrong with them.

mod common;

use common::behind::{assert_level, choose, cluster, half_an_image, left_behind, small};
use common::{Cluster, Fate, GROUP, Message, SECOND, ignored, n, sent};
use paxos_core::effect::{Effect, Ignored, Input, Notice, PullError};
use paxos_core::message::{Offer, Pull};
use paxos_core::quorum::Membership;
use paxos_core::types::{Image, Lease, Limits, NodeId, Piece, Slot};
use paxos_core::{Config, Standing};

/// Bytes that are not what the digest says: the donor of them is asked last.
#[test]
fn an_image_that_is_no_good_is_had_from_someone_else() {
    let mut c = left_behind(3, &[3], 9);
    c.host_mut(n(2)).vault.rotten = true;
    c.heal();
    c.run(5 * SECOND);
    let failed =
        |notice: &&Notice| matches!(notice, Notice::PullFailed { why: PullError::Install, .. });
    assert_eq!(c.host(n(3)).notices.iter().filter(failed).count(), 1, "once is enough");
    assert_level(&c, n(3), n(1));
}

#[test]
fn a_receiver_whose_disk_is_full_tries_again() {
    let mut c = left_behind(3, &[3], 9);
    c.host_mut(n(3)).vault.full = true;
    c.heal();
    c.run(2 * SECOND);
    let failed = |n: &&Notice| matches!(n, Notice::PullFailed { why: PullError::Store, .. });
    let count = c.host(n(3)).notices.iter().filter(failed).count();
    assert!((2..=8).contains(&count), "after a pause each: {count}");
    c.host_mut(n(3)).vault.full = false;
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
}

/// One that can never have what was chosen before it led leaves its turn to others, however much
/// it is preferred, and however long they are bound by its beats.
#[test]
fn who_leads_in_vain_does_not_keep_others_from_it() {
    let lease = |seconds| Some(Lease { duration: SECOND * seconds, drift_ppm: 100 });
    let alike = Config::PRIORITY;
    for (priority, lease) in [(alike, lease(2)), (alike, lease(10)), (200, None), (200, lease(2))] {
        let mut c = left_behind(3, &[3], 9);
        c.timing.lease = lease;
        c.priorities.insert(n(3), priority);
        c.host_mut(n(3)).vault.full = true;
        c.crash(n(1));
        for id in [2, 3].map(n) {
            c.crash(id);
            c.restart(id);
        }
        c.heal();
        // It is the first to lead.
        c.whim(|_, e| match e.message.name() {
            "Probe" if e.from == n(2) => Fate::Lose,
            _ => Fate::Deliver,
        });
        let mut first = (0..3000).map(|_| {
            c.run(SECOND / 100);
            c.replica(n(3)).standing() == Standing::Leader
        });
        assert!(first.any(|leads| leads));
        c.calm();
        let led = (0..120).any(|_| {
            c.run(SECOND);
            c.replica(n(2)).standing() == Standing::Leader
        });
        assert!(led, "n2 never leads: priority {priority}, lease {lease:?}");
        assert!(c.is_chosen(n(2), "after all"));
    }
}

/// It does not stand, and is not the one who finds out: but it must not keep others waiting for a
/// leader that is gone.
#[test]
fn who_waits_for_an_image_believes_in_no_leader_that_is_silent() {
    let mut c = cluster(3);
    c.elect_this(n(1));
    choose(&mut c, n(1), 9);
    c.doom("Piece", Fate::Lose);
    let records = c.host(n(3)).records.clone();
    c.crash(n(3));
    c.restart_with(n(3), records);
    c.run(SECOND / 2);
    assert!(c.replica(n(3)).lacks_checkpoint());
    assert_eq!(c.replica(n(3)).leader(), Some(n(1)));
    c.crash(n(1));
    c.crash(n(2));
    let patience = c.timing.patience;
    c.run(patience);
    assert_eq!(c.replica(n(3)).leader(), Some(n(1)), "it may be slow");
    c.run(patience * 2);
    assert!(c.replica(n(3)).lacks_checkpoint());
    assert_eq!(c.replica(n(3)).leader(), None);
}

/// Where every replica makes another image of the same slots, one is pulled to its end.
#[test]
fn images_of_different_bytes_are_not_mixed() {
    let mut c = cluster(5);
    for id in 1..=5 {
        c.host_mut(n(id)).vault.salt = u64::from(id) << 8;
    }
    c.isolate(n(5));
    c.elect_this(n(1));
    choose(&mut c, n(1), 9);
    c.heal();
    let donor = half_an_image(&mut c, n(5));
    c.calm();
    c.crash(donor);
    c.run(3 * SECOND);
    assert_level(&c, n(5), n(1));
}

#[test]
fn pieces_out_of_order_doubled_and_lost_make_an_image() {
    let mut c = left_behind(3, &[3], 9);
    let mut count = 0;
    c.heal();
    c.whim(move |_, e| {
        if !matches!(e.message.name(), "Piece" | "Pull" | "Offer") {
            return Fate::Deliver;
        }
        count += 1;
        [Fate::Hold, Fate::Twice, Fate::Lose, Fate::Deliver, Fate::Hold][count % 5]
    });
    for _ in 0..400 {
        c.run(std::time::Duration::from_millis(20));
        c.release_backwards();
    }
    c.calm();
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
}

/// No more of an image is under way than the bound, however slow the disk.
#[test]
fn a_window_bounds_what_is_under_way() {
    let mut c = left_behind(3, &[3], 9);
    c.idle_vaults.insert(n(3));
    c.heal();
    c.run(SECOND);
    assert!(c.replica(n(3)).is_pulling());
    let orders = &c.host(n(3)).vault.orders;
    let bytes: usize = orders
        .iter()
        .map(|o| match o {
            Effect::Store { piece, .. } => piece.payload.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(bytes, 300, "and the donor is not given up for it");
    let others = c.host(n(3)).notices.iter();
    assert_eq!(others.filter(|x| matches!(x, Notice::Pulling { .. })).count(), 1);
}

/// A peer that needs longer for an image than the donor for the next one gets it whole.
/// The donor goes on with checkpoints when the peer is done, or gone, or too expensive.
#[test]
fn s45_a_donor_makes_no_new_image_under_a_pull() {
    let limits = Limits { checkpoint_bytes: 2000, ..small() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits);
    c.isolate(n(3));
    c.elect_this(n(1));
    choose(&mut c, n(1), 4);
    let image = c.image(n(2)).expect("one was due").id();
    let pull = Pull { image, offset: 0, bytes: 100 };
    for _ in 0..12 {
        c.tell(n(2), n(3), pull.clone());
        c.propose(n(1), "more");
        c.settle();
    }
    assert_eq!(c.image(n(2)).map(|i| i.id()), Some(image));
    assert_eq!(c.replica(n(2)).log().floor(), Slot(5), "nor is the log above it trimmed");
    assert_eq!(c.image(n(1)).map(|i| i.id().below), Some(Slot(17)), "nobody pulls there");
    c.run(SECOND);
    choose(&mut c, n(1), 4);
    assert_eq!(c.image(n(2)).map(|i| i.id().below), Some(Slot(21)), "the peer is gone");
    let image = c.image(n(2)).expect("made").id();
    for _ in 0..8 {
        c.tell(n(2), n(3), Pull { image, offset: 0, bytes: 100 });
        c.propose(n(1), &"x".repeat(1100));
        c.settle();
    }
    assert!(c.image(n(2)).is_some_and(|i| i.id().below > Slot(21)), "too much to hold");
}

#[test]
fn a_donor_reads_no_more_at_once_than_its_bound() {
    let limits = Limits { loads_max: 2, ..small() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits);
    c.elect_this(n(1));
    choose(&mut c, n(1), 4);
    c.idle_vaults.insert(n(1));
    let image = c.image(n(1)).expect("one was due").id();
    let pull = |offset, bytes| Pull { image, offset, bytes };
    let load = |effects: &[Effect]| match effects {
        [Effect::Load { offset, bytes, .. }] => Some((*offset, *bytes)),
        _ => None,
    };
    assert_eq!(load(&c.tell(n(1), n(3), pull(0, 1 << 30))), Some((0, 100)), "a piece at most");
    assert!(c.tell(n(1), n(3), pull(0, 100)).is_empty(), "is being read already");
    assert_eq!(load(&c.tell(n(1), n(3), pull(990, 100))), Some((990, 10)), "there it ends");
    let refused = c.tell(n(1), n(2), pull(0, 100));
    assert_eq!(ignored(&refused), [Ignored::Overload(GROUP, n(2))]);
    for nonsense in [pull(1000, 1), pull(0, 0), pull(u64::MAX, 5)] {
        let refused = c.tell(n(1), n(3), nonsense);
        assert_eq!(ignored(&refused), [Ignored::Absurd(GROUP, n(3))]);
    }
}

/// Who is asked for an image that it has no more offers what it has, and who has
/// none says so.
#[test]
fn a_donor_answers_for_images_that_it_has_not() {
    let mut c = cluster(3);
    c.elect_this(n(1));
    let mut image = paxos_core::types::ImageId { below: Slot(5), bytes: 10, digest: 1 };
    let effects = c.tell(n(1), n(3), Pull { image, offset: 0, bytes: 9 });
    let none = Message::from(Piece { image, offset: 0, payload: Default::default() });
    assert_eq!(sent(&effects, "Piece"), [&none]);
    choose(&mut c, n(1), 14);
    let newest = c.image(n(1)).expect("due");
    let offers = |effects: &[Effect]| match sent(effects, "Offer")[..] {
        [Message::Offer(Offer { image, .. })] => Some(image.id()),
        _ => None,
    };
    image.below = Slot(3);
    let effects = c.tell(n(1), n(3), Pull { image, offset: 0, bytes: 9 });
    assert_eq!(offers(&effects), Some(newest.id()));
    // The one before is still read, until it is gone.
    let before = c.host(n(1)).vault.images[1].0.id();
    assert_ne!(before, newest.id());
    c.host_mut(n(1)).vault.images.remove(1);
    c.tell(n(1), n(3), Pull { image: before, offset: 0, bytes: 9 });
    c.idle_vaults.insert(n(1));
    let payload = Default::default();
    let gone = Piece { image: before, offset: 0, payload };
    let effects = c.step(n(1), Input::Loaded { group: GROUP, to: n(3), piece: gone });
    assert_eq!(offers(&effects), Some(newest.id()));
    let effects = c.tell(n(1), n(3), Pull { image: before, offset: 0, bytes: 9 });
    assert_eq!(offers(&effects), Some(newest.id()), "asked about once");
}

/// Offers that are of no use, and pieces that nobody has asked for.
#[test]
fn what_is_not_needed_is_not_taken() {
    let mut c = left_behind(3, &[3], 9);
    c.heal();
    c.run(SECOND);
    let before = c.replica(n(3)).log().clone();
    let image: Image = c.image(n(1)).expect("due");
    c.tell(n(3), n(2), Offer { image: image.clone(), chosen: Slot(10) });
    assert!(!c.replica(n(3)).is_pulling());
    let mut wild = image.clone();
    wild.checkpoint.below = Slot(50);
    let effects = c.tell(n(3), n(2), Offer { image: wild, chosen: Slot(10) });
    assert_eq!(ignored(&effects), [Ignored::Absurd(GROUP, n(2))], "not chosen, as it says itself");
    let payload = vec![1; 10].into();
    assert!(c.tell(n(3), n(2), Piece { image: image.id(), offset: 0, payload }).is_empty());
    assert_eq!(*c.replica(n(3)).log(), before);
}

/// A leader counts by itself from its first slot on, and takes no image of that.
#[test]
fn a_leader_takes_no_image_of_what_it_counts() {
    let mut c = cluster(3);
    c.elect_this(n(1));
    choose(&mut c, n(1), 2);
    let mut other = left_behind(3, &[3], 9);
    other.heal();
    let image = other.image(n(1)).expect("due");
    c.tell(n(1), n(2), Offer { image, chosen: Slot(10) });
    assert!(!c.replica(n(1)).is_pulling());
    assert_eq!(c.replica(n(1)).standing(), Standing::Leader);
}
