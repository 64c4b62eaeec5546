//! Catch-up by image: who lacks what its donors have trimmed.

mod common;

use common::{
    Cluster, Fate, GROUP, Message, SECOND, accept, accepted, b, ignored, n, prepare, sent,
};
use paxos_core::Standing;
use paxos_core::effect::{Effect, Ignored, Input, Notice, PullError};
use paxos_core::message::{Accepted, Entries, Offer, Promise, Pull};
use paxos_core::quorum::Membership;
use paxos_core::types::{Image, Limits, NodeId, Piece, Slot};

/// A checkpoint every four slots, nothing kept below it; images of ten pieces, of
/// which three may be under way.
fn small() -> Limits {
    Limits {
        checkpoint_slots: 4,
        keep_slots: 0,
        piece_bytes_max: 100,
        transfer_bytes: 300,
        ..Limits::default()
    }
}

fn cluster(nodes: u16) -> Cluster {
    Cluster::with(Membership::majority((1..=nodes).map(NodeId)), small())
}

fn choose(c: &mut Cluster, leader: NodeId, count: u64) {
    for i in 0..count {
        c.propose(leader, &format!("v{i}"));
        c.settle();
    }
    c.run(std::time::Duration::from_millis(200));
}

/// `nodes` nodes led by n1; the last ones have missed `count` slots, which the
/// others have trimmed.
fn left_behind(nodes: u16, behind: &[u16], count: u64) -> Cluster {
    let mut c = cluster(nodes);
    behind.iter().for_each(|id| c.isolate(n(*id)));
    c.elect_this(n(1));
    choose(&mut c, n(1), count);
    assert!(c.replica(n(1)).log().floor() > Slot::FIRST, "something is trimmed");
    c
}

/// Whether the two have delivered the same, and summed it up to the same.
fn assert_level(c: &Cluster, one: NodeId, other: NodeId) {
    assert_eq!(c.payloads(one), c.payloads(other));
    assert_eq!(c.replica(one).delivered(), c.replica(other).delivered());
    assert_eq!(c.replica(one).checksum(), c.replica(other).checksum());
    assert!(c.replica(one).checksum().is_some());
}

/// {1, 2} choose and execute, 2 forgets; 1 dies, and 3, which is empty, leads with
/// 2: it must have the slots from 2, and propose nothing there.
#[test]
fn s40_a_leader_has_trimmed_slots_sent_and_proposes_nothing_there() {
    let mut c = left_behind(3, &[3], 9);
    c.crash(n(1));
    c.heal();
    let ballot = c.elect_this(n(3));
    assert_eq!(ballot.node, n(3));
    c.propose(n(3), "news");
    c.run(SECOND);
    assert!(c.replica(n(3)).delivered() > Slot(10));
    let first: Vec<String> = (0..9).map(|i| format!("v{i}")).collect();
    assert_eq!(c.payloads(n(3))[..9], first);
    assert_eq!(c.payloads(n(3)).last().map(String::as_str), Some("news"));
    assert_level(&c, n(3), n(2));
}

/// A voter that has trimmed a slot says that it is chosen, and reports no vote there.
#[test]
fn s40_a_promise_says_that_trimmed_slots_are_chosen() {
    let mut c = left_behind(3, &[3], 9);
    let ballot = b(50, 3);
    c.tell(n(2), n(3), prepare(ballot, 1));
    let effects = c.sync_disk(n(2));
    let promises = sent(&effects, "Promise");
    let [Message::Promise(Promise { from, chosen, votes, to: None, .. })] = promises[..] else {
        panic!("one page: {promises:?}");
    };
    assert_eq!((*from, *chosen), (Slot(1), c.replica(n(2)).chosen()));
    assert!(votes.iter().all(|v| v.slot >= *chosen));
}

/// A leader that does not know how far the others are may still ask for votes on
/// slots that they have trimmed: they give them, keep nothing, and forget nothing.
#[test]
fn a_vote_below_the_floor_is_given_and_not_kept() {
    let mut c = left_behind(3, &[3], 9);
    c.sync = false;
    let before = c.replica(n(2)).log().clone();
    assert_eq!(before.floor(), Slot(9));
    let ballot = b(50, 3);
    assert!(sent(&c.tell(n(2), n(3), accept(ballot, 8, &["old"])), "Accepted").is_empty());
    assert_eq!(c.replica(n(2)).promised(), ballot, "a vote promises");
    let effects = c.sync_disk(n(2));
    assert_eq!(sent(&effects, "Accepted"), [&accepted(ballot, 8, 9)]);
    assert_eq!(*c.replica(n(2)).log(), before);
    // A run across the floor: the upper part is a vote like any other.
    c.tell(n(2), n(3), accept(ballot, 8, &["old", "v8", "new"]));
    let effects = c.sync_disk(n(2));
    let Some(Message::Accepted(Accepted { first, end, .. })) = sent(&effects, "Accepted").pop()
    else {
        panic!("a vote");
    };
    assert_eq!((*first, *end), (Slot(8), Slot(11)));
    assert_eq!(c.replica(n(2)).log().floor(), Slot(9));
    assert!(c.replica(n(2)).log().get(Slot(10)).is_some());
    // And what a promise stands against is refused there too.
    let effects = c.tell(n(2), n(1), accept(b(49, 1), 8, &["old"]));
    assert_eq!(sent(&effects, "Reject").len(), 1);
}

#[test]
fn entries_below_the_floor_are_no_news() {
    let mut c = left_behind(3, &[3], 9);
    c.sync = false;
    let before = c.replica(n(2)).clone();
    let chosen = before.chosen();
    for entries in [common::run(1, &["x", "y"]), common::run(7, &["x", "y"])] {
        assert!(c.tell(n(2), n(3), Entries { run: entries, chosen }).is_empty());
        assert_eq!(c.replica(n(2)).log(), before.log());
    }
    let across = c.replica(n(1)).log().chosen_run(Slot(9), 1, 1000);
    assert!(c.tell(n(2), n(3), Entries { run: across, chosen }).is_empty());
}

#[test]
fn s45_who_lacks_what_is_trimmed_is_brought_up_by_an_image() {
    let mut c = left_behind(3, &[3], 10);
    c.heal();
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
    assert_eq!(c.replica(n(3)).log().floor(), Slot(9));
    assert_eq!(c.image(n(3)), c.image(n(1)));
    assert!(c.host(n(3)).notices.contains(&Notice::Installed { group: GROUP, below: Slot(9) }));
    let disk = c.host(n(3)).disk.group(GROUP).expect("the group").log().floor();
    assert_eq!(disk, Slot(9));
}

/// The donor has the slots when it is asked first, and has trimmed them when it is
/// asked again.
#[test]
fn s45_a_donor_that_trims_under_a_fetch_offers_its_checkpoint() {
    let limits = Limits { run_slots_max: 1, ..small() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits);
    c.isolate(n(3));
    c.idle_vaults.extend([n(1), n(2)]);
    c.elect_this(n(1));
    choose(&mut c, n(1), 6);
    c.heal();
    // The first entries reach it, and no others.
    let mut let_through = 2;
    c.whim(move |_, e| {
        if e.message.name() != "Entries" {
            return Fate::Deliver;
        }
        let_through -= 1;
        if let_through >= 0 { Fate::Deliver } else { Fate::Lose }
    });
    c.run(SECOND);
    assert_eq!(c.replica(n(3)).delivered(), Slot(3), "it has begun");
    c.idle_vaults.clear();
    c.settle();
    assert_eq!(c.replica(n(1)).log().floor(), Slot(5));
    c.calm();
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
}

/// The donor dies when half of the image is there. Another one goes on with it.
#[test]
fn s45_another_donor_goes_on_where_a_dead_one_ended() {
    let mut c = left_behind(5, &[5], 9);
    c.heal();
    // It knows who leads before it asks for anything.
    c.doom("Fetch", Fate::Lose);
    c.run(SECOND);
    let donor = half_an_image(&mut c, n(5));
    assert_ne!(donor, n(1), "the leader is left alone");
    let stored = c.host(n(5)).vault.aside.expect("half an image").1;
    assert!(stored > 0);
    c.crash(donor);
    c.calm();
    c.run(SECOND);
    let again: Vec<u64> = c
        .host(n(5))
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Pulling { offset, .. } => Some(*offset),
            _ => None,
        })
        .collect();
    assert_eq!(again.first(), Some(&0));
    assert!(again[1..].iter().all(|offset| *offset >= stored), "begins again: {again:?}");
    assert_level(&c, n(5), n(1));
}

/// Lets half of an image come in at `id`; then no piece reaches it. Gives the donor.
fn half_an_image(c: &mut Cluster, id: NodeId) -> NodeId {
    let mut pieces = 5;
    c.whim(move |to, e| {
        if to != id || e.message.name() != "Piece" {
            return Fate::Deliver;
        }
        pieces -= 1;
        if pieces >= 0 { Fate::Deliver } else { Fate::Lose }
    });
    for _ in 0..200 {
        c.run(std::time::Duration::from_millis(5));
        if c.host(id).vault.aside.is_some_and(|(_, stored, _)| stored >= 500) {
            break;
        }
    }
    let donor = c.host(id).notices.iter().rev().find_map(|notice| match notice {
        Notice::Pulling { donor, .. } => Some(*donor),
        _ => None,
    });
    assert!(c.replica(id).is_pulling());
    donor.expect("someone gives")
}

#[test]
fn s45_two_are_brought_up_at_once() {
    let mut c = left_behind(5, &[4, 5], 9);
    c.heal();
    c.run(SECOND);
    assert_level(&c, n(4), n(1));
    assert_level(&c, n(5), n(1));
}

/// The receiver crashes half-way: what is on its disk is not asked for again.
#[test]
fn s45_a_receiver_goes_on_after_a_crash() {
    let mut c = left_behind(3, &[3], 9);
    c.heal();
    half_an_image(&mut c, n(3));
    c.crash(n(3));
    c.calm();
    c.restart(n(3));
    c.run(SECOND);
    let resumed = c.host(n(3)).notices.iter().find_map(|notice| match notice {
        Notice::Pulling { offset, .. } => Some(*offset),
        _ => None,
    });
    assert_eq!(resumed, Some(500));
    assert_level(&c, n(3), n(1));
}

/// The image is in place, and the node crashes before its log says so.
#[test]
fn s56_a_crash_between_an_image_and_its_record_costs_nothing() {
    let mut c = left_behind(3, &[3], 9);
    // Votes that lost, below the image.
    c.sync = false;
    c.tell(n(3), n(2), accept(b(1, 2), 2, &["lost", "lost"]));
    c.sync_disk(n(3));
    c.sync = true;
    c.heal();
    c.stuck.insert(n(3));
    c.run(SECOND);
    assert_eq!(c.image(n(3)), c.image(n(1)), "the image is durable");
    let unsaid = |c: &Cluster| {
        c.host(n(3))
            .records
            .iter()
            .all(|r| !matches!(r.entry, paxos_core::log::Entry::Trimmed { .. }))
    };
    assert!(unsaid(&c), "and the log has not heard of it");
    c.crash(n(3));
    c.stuck.clear();
    c.restart(n(3));
    assert_eq!(c.replica(n(3)).chosen(), Slot(9));
    assert!(c.replica(n(3)).log().get(Slot(2)).is_none(), "a vote that lost is gone");
    // What comes too late changes nothing.
    c.tell(n(3), n(2), accept(b(1, 2), 3, &["lost"]));
    c.run(SECOND);
    assert!(!unsaid(&c));
    assert_level(&c, n(3), n(1));
    c.crash(n(3));
    c.restart(n(3));
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
}

/// The image is older than what the leader counts: the rest comes from the log.
#[test]
fn s57_a_checkpoint_behind_the_leader_still_unblocks() {
    let mut c = left_behind(3, &[3], 5);
    c.idle_vaults.extend([n(1), n(2)]);
    choose(&mut c, n(1), 12);
    c.idle_vaults.clear();
    c.idle_vaults.insert(n(2));
    c.host_mut(n(1)).vault.orders.clear();
    assert_eq!(c.image(n(1)).map(|i| i.checkpoint.below), Some(Slot(5)));
    c.heal();
    c.idle_vaults.clear();
    c.host_mut(n(2)).vault.orders.clear();
    c.run(SECOND);
    assert!(c.host(n(3)).notices.contains(&Notice::Installed { group: GROUP, below: Slot(5) }));
    assert_level(&c, n(3), n(1));
}

/// The votes above an image stay when it is installed.
#[test]
fn votes_above_an_image_survive_it() {
    let mut c = left_behind(3, &[3], 9);
    c.heal();
    c.idle_vaults.insert(n(3));
    c.run(SECOND);
    choose(&mut c, n(1), 2);
    assert!(c.replica(n(3)).log().get(Slot(11)).is_some(), "votes while it is brought up");
    c.idle_vaults.clear();
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
}

#[test]
fn nothing_is_delivered_while_the_machine_is_replaced() {
    let mut c = left_behind(3, &[3], 9);
    c.heal();
    c.idle_vaults.insert(n(3));
    for _ in 0..200 {
        c.run(std::time::Duration::from_millis(5));
        if c.replica(n(3)).is_installing() {
            break;
        }
        c.work(n(3));
    }
    assert!(c.replica(n(3)).is_installing());
    // The watch looks at every order; a heartbeat, new values and time change nothing.
    choose(&mut c, n(1), 6);
    assert!(c.host(n(3)).delivered.is_empty());
    c.work(n(3));
    c.idle_vaults.clear();
    c.run(SECOND);
    assert_level(&c, n(3), n(1));
}

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
