//! Checkpoints: when they are made, what is trimmed then, and what a restart finds.

mod common;

use common::{Cluster, GROUP, Vault, b, ignored, n, next_after, run};
use paxos_core::effect::{Effect, Ignored, Input, Notice};
use paxos_core::log::{Durable, Entry, Record};
use paxos_core::quorum::Membership;
use paxos_core::types::{Checksum, Image, Limits, NodeId, Slot};
use paxos_core::{Config, ConfigError, GroupConfig, Node, RestoreError};

/// A checkpoint every four slots, two slots kept below it.
fn small() -> Limits {
    Limits { checkpoint_slots: 4, keep_slots: 2, ..Limits::default() }
}

fn three(limits: Limits) -> Cluster {
    Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits)
}

/// Chooses `count` values and lets everyone hear of them.
fn choose(c: &mut Cluster, leader: NodeId, count: u64) {
    for i in 0..count {
        c.propose(leader, &format!("v{i}"));
        c.settle();
    }
    c.run(std::time::Duration::from_millis(200));
}

fn captures(effects: &[Effect]) -> Vec<u64> {
    let below = |e: &Effect| match e {
        Effect::Capture { checkpoint, .. } => Some(checkpoint.below.0),
        _ => None,
    };
    effects.iter().filter_map(below).collect()
}

#[test]
fn replicas_capture_at_the_same_slots_and_make_equal_images() {
    let mut c = three(small());
    let leader = c.elect();
    choose(&mut c, leader, 11);
    for id in [1, 2, 3].map(n) {
        let made: Vec<u64> =
            c.host(id).vault.images.iter().map(|(i, _)| i.checkpoint.below.0).collect();
        assert_eq!(made, [5, 9], "{id}");
        assert_eq!(c.image(id), c.image(n(1)));
        assert_eq!(c.replica(id).log().floor(), Slot(7), "two are kept below the newest");
        assert_eq!(c.replica(id).checksum(), c.replica(n(1)).checksum());
    }
}

/// The first image is of more bytes than that, so from then on only every fourth of those places is due.
#[test]
fn heavy_values_make_a_checkpoint_due_earlier_and_a_large_state_later() {
    let mut c = three(Limits { checkpoint_bytes: 300, ..Limits::default() });
    let leader = c.elect();
    for proposed in 1..=12 {
        c.propose(leader, &"x".repeat(100));
        c.settle();
        for id in [1, 2, 3].map(n) {
            let images = &c.host(id).vault.images;
            let made: Vec<u64> = images.iter().map(|(i, _)| i.checkpoint.below.0).collect();
            // Each weighs 124: every three of them make a place.
            let due: &[u64] = match proposed {
                ..3 => &[],
                3..12 => &[4],
                _ => &[4, 13],
            };
            assert_eq!(made, due, "{id} after {proposed}");
        }
    }
    assert_eq!(c.host(leader).vault.images[0].0.bytes, 1000);
    assert_eq!(next_after(&c.host(leader).vault.images[0].1), Slot(4));
}

/// The state machine is captured exactly where it is due, in the middle of what
/// one step delivers.
#[test]
fn s42_a_burst_is_captured_in_the_middle_and_goes_on_after_a_restart() {
    let mut c = three(Limits { deliver_slots_max: 3, ..small() });
    let leader = c.elect();
    c.cut_both(leader, n(1));
    c.cut_both(leader, n(2));
    c.cut_both(leader, n(3));
    for i in 0..10 {
        c.propose(leader, &format!("v{i}"));
    }
    c.heal();
    c.run(common::SECOND);
    assert_eq!(c.payloads(leader).len(), 10);
    c.crash(leader);
    c.restart(leader);
    assert_eq!(c.payloads(leader).len(), 8, "from the image below slot 9");
    c.run(common::SECOND);
    assert_eq!(c.payloads(leader).len(), 10);
    assert_eq!(c.replica(leader).delivered(), Slot(11));
}

#[test]
fn what_is_due_while_another_is_under_way_is_skipped() {
    let mut c = three(small());
    c.idle_vaults.extend([1, 2, 3].map(n));
    let leader = c.elect();
    choose(&mut c, leader, 9);
    assert_eq!(c.host(leader).vault.orders.len(), 1);
    assert!(c.replica(leader).is_capturing());
    c.work(leader);
    assert_eq!(c.image(leader).map(|i| i.checkpoint.below), Some(Slot(5)));
    choose(&mut c, leader, 3);
    assert_eq!(c.host(leader).vault.orders.len(), 1, "the one below 13 is next");
}

#[test]
fn a_checkpoint_that_fails_costs_nothing() {
    let mut c = three(small());
    let leader = c.elect();
    c.host_mut(leader).vault.full = true;
    choose(&mut c, leader, 4);
    let failed = Notice::CaptureFailed { group: GROUP, below: Slot(5) };
    assert!(c.host(leader).notices.contains(&failed));
    assert_eq!(c.replica(leader).log().floor(), Slot::FIRST);
    c.host_mut(leader).vault.full = false;
    choose(&mut c, leader, 4);
    assert_eq!(c.image(leader).map(|i| i.checkpoint.below), Some(Slot(9)));
}

#[test]
fn a_checkpoint_can_be_had_at_once_but_not_twice() {
    let mut c = three(Limits::default());
    let leader = c.elect();
    let refused = [Ignored::NoCheckpoint(GROUP)];
    let want = Input::CheckpointRequested { group: GROUP };
    assert_eq!(ignored(&c.step(leader, want.clone())), refused, "nothing was delivered");
    choose(&mut c, leader, 3);
    assert_eq!(captures(&c.step(leader, want.clone())), [4]);
    assert_eq!(ignored(&c.step(leader, want.clone())), refused, "one is under way");
    c.settle();
    assert_eq!(ignored(&c.step(leader, want.clone())), refused, "there is one");
    choose(&mut c, leader, 1);
    assert_eq!(captures(&c.step(leader, want)), [5]);
}

/// A request of one operator does not move the others' schedule, nor this one's.
#[test]
fn a_requested_checkpoint_does_not_move_the_next() {
    let mut c = three(small());
    let leader = c.elect();
    choose(&mut c, leader, 2);
    c.step(leader, Input::CheckpointRequested { group: GROUP });
    choose(&mut c, leader, 2);
    for id in [1, 2, 3].map(n) {
        assert_eq!(c.image(id).map(|i| i.checkpoint.below), Some(Slot(5)));
    }
}

#[test]
fn answers_that_nobody_asked_for_are_ignored() {
    let mut c = three(small());
    let leader = c.elect();
    choose(&mut c, leader, 5);
    let image = c.image(leader).expect("one was due");
    let id = image.id();
    let piece = paxos_core::types::Piece { image: id, offset: 0, payload: Default::default() };
    let before = c.replica(leader).clone();
    let other = Image { digest: 0, ..image.clone() };
    for input in [
        Input::Captured { group: GROUP, image: image.clone() },
        Input::Captured { group: GROUP, image: other },
        Input::CaptureFailed { group: GROUP, below: image.checkpoint.below },
        Input::Loaded { group: GROUP, to: n(2), piece },
        Input::Installed { group: GROUP, image: id },
        Input::InstallFailed { group: GROUP, image: id },
    ] {
        let effects = c.step(leader, input);
        assert_eq!(ignored(&effects), [Ignored::NotOrdered(GROUP)]);
        assert_eq!(effects.len(), 1, "and nothing else");
        assert_eq!(*c.replica(leader), before);
    }
    for input in [
        Input::Stored { group: GROUP, image: id, end: 1 },
        Input::StoreFailed { group: GROUP, image: id },
    ] {
        assert!(c.step(leader, input).is_empty(), "a store of an attempt that was given up");
        assert_eq!(*c.replica(leader), before);
    }
}

/// Nothing is trimmed before an image stands in for it, however long that takes,
/// and then no more than slow peers can do without.
#[test]
fn s58_nothing_is_deleted_before_its_checkpoint_is_durable() {
    let mut c = three(small());
    c.idle_vaults.extend([1, 2, 3].map(n));
    let leader = c.elect();
    choose(&mut c, leader, 7);
    let trimmed = |c: &Cluster| {
        c.host(leader).records.iter().any(|r| matches!(r.entry, Entry::Trimmed { .. }))
    };
    assert_eq!(c.replica(leader).log().floor(), Slot::FIRST);
    assert!(!trimmed(&c), "the disk keeps what only the log has");
    c.work(leader);
    c.settle();
    assert!(trimmed(&c));
    assert_eq!(c.replica(leader).log().floor(), Slot(3), "two are kept below slot 5");
    let disk = c.host(leader).disk.group(GROUP).expect("the group").log().clone();
    assert_eq!((disk.floor(), disk.chosen()), (Slot(3), c.replica(leader).log().chosen()));
}

#[test]
fn what_is_kept_for_slow_peers_has_a_weight() {
    let mut c = three(Limits { keep_bytes: 0, keep_slots: 1000, ..small() });
    let leader = c.elect();
    choose(&mut c, leader, 5);
    assert_eq!(c.replica(leader).log().floor(), Slot(5));
}

/// The sum is the same after any way to come to life again.
#[test]
fn the_sum_survives_a_restart() {
    let mut c = three(small());
    let leader = c.elect();
    choose(&mut c, leader, 6);
    let id = c.follower();
    let sum = c.replica(id).checksum().expect("nothing was missed");
    assert_ne!(sum, Checksum::FIRST);
    c.crash(id);
    c.restart(id);
    c.run(common::SECOND);
    assert_eq!(c.replica(id).checksum(), Some(sum), "from the image on");
    c.crash(id);
    c.restart_from(id, Slot(7));
    c.run(common::SECOND);
    assert_eq!(c.replica(id).checksum(), Some(sum), "with a machine that kept its state");
}

/// The state machine kept its state and knows more than the log says: the sum is
/// not known until the log has caught up.
#[test]
fn a_sum_is_not_guessed() {
    let mut c = three(Limits::default());
    let leader = c.elect();
    choose(&mut c, leader, 6);
    let sum = c.replica(leader).checksum();
    let id = c.follower();
    let records: Vec<Record> = c.host(id).records.iter().take(3).cloned().collect();
    c.crash(id);
    c.host_mut(id).records = records;
    c.restart_from(id, Slot(7));
    assert_eq!(c.replica(id).checksum(), None);
    let want = Input::CheckpointRequested { group: GROUP };
    assert_eq!(ignored(&c.step(id, want)), [Ignored::NoCheckpoint(GROUP)]);
    c.run(common::SECOND);
    assert_eq!(c.replica(id).checksum(), sum);
    assert!(c.host(id).delivered.is_empty(), "nothing is delivered twice");
}

/// The image is newer than anything the log says: it starts there, and says so on
/// its disk before anything else.
#[test]
fn s53_a_state_machine_ahead_of_the_log_starts_at_its_checkpoint() {
    let mut c = three(small());
    let leader = c.elect();
    choose(&mut c, leader, 9);
    let id = c.follower();
    let vault = c.host(id).vault.clone();
    let stale = vec![Record {
        group: GROUP,
        // Voted once, for something that lost.
        entry: Entry::Voted { ballot: b(1, 9), run: run(2, &["lost", "lost"]) },
    }];
    c.crash(id);
    c.restart_on(id, stale, vault);
    assert_eq!(c.replica(id).chosen(), Slot(9));
    assert_eq!(c.replica(id).log().floor(), Slot(9));
    c.run(common::SECOND);
    assert_eq!(c.payloads(id), c.payloads(leader));
    assert_eq!(c.replica(id).checksum(), c.replica(leader).checksum());
    let records = c.host(id).records.clone();
    assert_eq!(records[1].entry, Entry::Trimmed { below: Slot(9) }, "first of all");
    c.crash(id);
    c.restart(id);
    assert_eq!(c.replica(id).chosen(), Slot(10), "what was written above it makes sense");
}

/// The image that stood in for what is trimmed is gone: the votes are whole, so it
/// goes on voting, and has an image sent.
#[test]
fn a_replica_whose_image_is_lost_votes_and_is_brought_up() {
    let mut c = three(small());
    let leader = c.elect();
    choose(&mut c, leader, 9);
    let id = c.follower();
    let third = [1, 2, 3].map(n).into_iter().find(|x| *x != id && *x != leader).expect("three");
    c.crash(id);
    c.restart_on(id, c.host(id).records.clone(), Vault::default());
    c.crash(third);
    assert!(c.replica(id).lacks_checkpoint());
    c.idle_vaults.insert(id);
    c.propose(leader, "needs its vote");
    c.settle();
    assert_eq!(c.replica(leader).delivered(), Slot(11));
    c.run(10 * common::SECOND);
    assert_eq!(c.leader(), Some(leader), "and never stands itself");
    assert!(c.host(id).delivered.is_empty());
    c.idle_vaults.clear();
    c.run(common::SECOND);
    assert!(!c.replica(id).lacks_checkpoint());
    assert_eq!(c.payloads(id), c.payloads(leader));
}

#[test]
fn nobody_starts_below_a_trimmed_log_alone_or_behind_a_checkpoint() {
    let one = Membership::majority([n(1)]);
    let mut durable = Durable::default();
    let trimmed = Entry::Trimmed { below: Slot(5) };
    durable.replay(Record { group: GROUP, entry: trimmed }).expect("a sound record");
    let config = |group: GroupConfig| Config {
        node: n(1),
        incarnation: paxos_core::types::Incarnation(1),
        disk: 0,
        priority: Config::PRIORITY,
        seed: 1,
        groups: vec![group],
        timing: Default::default(),
        limits: Limits::default(),
    };
    let now = paxos_core::types::Instant::from_micros(0);
    let start = |group, durable: &Durable| Node::restore(config(group), durable.clone(), now);
    let lost = start(GroupConfig::new(GROUP, one.clone()), &durable);
    let refused = RestoreError::Trimmed(GROUP, Slot(5), Slot(1));
    assert_eq!(lost.map(|_| ()), Err(refused));
    assert!(refused.to_string().contains("slot 5"));
    let kept = GroupConfig { applied: Slot(9), ..GroupConfig::new(GROUP, one.clone()) };
    assert_eq!(start(kept, &durable).map(|_| ()), Err(refused), "nobody knows who the members are");
    let mut c = three(small());
    let leader = c.elect();
    choose(&mut c, leader, 5);
    let checkpoint = c.image(leader);
    let ahead = GroupConfig { checkpoint, ..GroupConfig::new(GROUP, one) };
    let why = ConfigError::Checkpoint(GROUP);
    assert_eq!(start(ahead, &durable).map(|_| ()), Err(RestoreError::Config(why)));
    assert!(!why.to_string().is_empty());
}

/// Its state may be all there; but the checkpoint would say who the members are, and without that it
/// could lead nobody.
#[test]
fn a_machine_that_outlived_its_checkpoint_takes_an_image() {
    let mut c = three(small());
    let leader = c.elect();
    let behind = c.follower();
    choose(&mut c, leader, 9);
    let floor = c.replica(behind).log().floor();
    assert!(floor > Slot(1));
    let applied = c.replica(behind).delivered();
    c.crash(behind);
    c.host_mut(behind).vault = Vault::default();
    c.restart_from(behind, applied);
    assert!(c.replica(behind).lacks_checkpoint());
    c.run(common::SECOND * 2);
    assert!(!c.replica(behind).lacks_checkpoint());
    assert_eq!(c.replica(behind).membership(), c.replica(leader).membership());
}

/// Nothing is kept below the image here: the log begins where the image ends.
#[test]
fn a_machine_that_is_ahead_of_its_checkpoint_goes_on_from_where_it_is() {
    let mut c = three(Limits { keep_slots: 0, ..small() });
    let leader = c.elect();
    let ahead = c.follower();
    choose(&mut c, leader, 6);
    let applied = c.replica(ahead).delivered();
    let covered = c.image(ahead).expect("one was made").checkpoint.below;
    assert!(c.replica(ahead).log().floor() == covered && covered < applied);
    c.crash(ahead);
    c.restart_from(ahead, applied);
    assert_eq!(c.replica(ahead).delivered(), applied);
    assert!(!c.replica(ahead).lacks_checkpoint());
}

/// A log that is full takes nothing that would make another checkpoint due: while one is made, where
/// one could not be made, and where the process ended before.
#[test]
fn a_log_that_is_full_is_not_full_for_good() {
    let full = |prepare: &dyn Fn(&mut Cluster, NodeId)| {
        let limits = Limits { log_slots_max: 20, ..small() };
        let mut c = Cluster::with(Membership::majority([NodeId(1)]), limits);
        let leader = c.elect();
        prepare(&mut c, leader);
        choose(&mut c, leader, 40);
        let log = c.replica(leader).log();
        assert_eq!(log.end().since(log.floor()), 20, "full");
        assert!(c.image(leader).is_none());
        (c, leader)
    };
    let goes_on = |mut c: Cluster, leader: NodeId| {
        c.run(common::SECOND);
        assert_eq!(c.elect(), leader);
        choose(&mut c, leader, 40);
        assert!(c.payloads(leader).len() >= 60, "{}", c.payloads(leader).len());
    };
    let slow = |c: &mut Cluster, id| {
        c.idle_vaults.insert(id);
    };
    let broken = |c: &mut Cluster, id| c.host_mut(id).vault.full = true;
    let (mut c, leader) = full(&slow);
    c.idle_vaults.clear();
    goes_on(c, leader);
    let (mut c, leader) = full(&broken);
    c.host_mut(leader).vault.full = false;
    goes_on(c, leader);
    let (mut c, leader) = full(&slow);
    c.idle_vaults.clear();
    c.crash(leader);
    c.restart(leader);
    goes_on(c, leader);
    // Its machine has applied more than its log knows to be chosen.
    let (mut c, leader) = full(&slow);
    c.idle_vaults.clear();
    c.crash(leader);
    let state = c.host(leader).delivered.clone();
    c.restart_from(leader, Slot(21));
    c.host_mut(leader).delivered = state;
    assert!(c.replica(leader).chosen() < Slot(21));
    goes_on(c, leader);
}
