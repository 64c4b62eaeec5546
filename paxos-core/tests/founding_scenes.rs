//! Groups that are founded by disks with names, and disks that are lost around then.

mod common;

use std::time::Duration;

use common::{Cluster, Fate, GROUP, SECOND, n};
use paxos_core::Standing;
use paxos_core::effect::{Discord, Ignored, Notice, Outcome, Refusal};
use paxos_core::log::{Durable, Entry, Record};
use paxos_core::message::Greet;
use paxos_core::quorum::Membership;
use paxos_core::types::{
    Charter, Founding, Incarnation, Instant, Limits, NodeId, Rng, Slot, Timing,
};
use paxos_core::{Config, GroupConfig, Node, RestoreError};

/// Three nodes on named disks that have not heard of each other yet.
fn strangers() -> Cluster {
    let mut c = Cluster::new(3);
    for id in 1..=3 {
        c.disk_names.insert(n(id), u64::from(id) * 100);
        c.restart_with(n(id), Vec::new());
    }
    c
}

fn founding(c: &Cluster, id: u16) -> Founding {
    c.host(n(id)).disk.group(GROUP).map_or(Founding::Open, |group| group.founding().clone())
}

fn charter() -> Charter {
    let design = Charter::design_of(&Membership::majority((1..=3).map(n)));
    Charter::new(design, (1..=3).map(|id| (n(id), u64::from(id) * 100))).expect("three disks")
}

#[test]
fn a_group_begins_with_the_disks_of_all_its_founders() {
    let mut c = strangers();
    let leader = c.elect();
    assert!(c.is_chosen(leader, "first"));
    for id in 1..=3 {
        assert_eq!(founding(&c, id), Founding::Founded(charter()));
        assert!((1..=3).all(|of| c.newest(n(id)).disk(n(of)) == u64::from(of) * 100));
        assert_eq!(c.newest(n(id)).version(), 0, "no change was needed for that");
    }
}

/// Two would be a quorum. But one of the two may be a voter that has forgotten.
#[test]
fn nothing_is_promised_before_all_founders_have_been_up() {
    let mut c = strangers();
    c.crash(n(3));
    c.run(SECOND * 10);
    for id in [1, 2] {
        let replica = c.replica(n(id));
        assert!(!replica.is_founded());
        assert_eq!(replica.missing_founders(n(id)).iter().collect::<Vec<_>>(), [n(3)]);
        assert_eq!(replica.standing(), Standing::Follower);
        assert_eq!(replica.promised().round, 0);
    }
    let waits = c.propose(n(1), "early");
    c.run(SECOND * 3);
    assert_eq!(c.outcome(n(1), waits), Some(Outcome::Redirected(None)), "surely not chosen");
    c.restart(n(3));
    let leader = c.elect();
    assert!(c.is_chosen(leader, "by all"));
    // From now on two are enough, whatever is up.
    c.crash(n(1));
    c.crash(n(2));
    c.restart(n(2));
    let leader = c.elect();
    assert!(c.is_chosen(leader, "by two"));
}

/// One disk is lost, and a peer has slept through everything: together they are a
/// quorum by name, and know of nothing that was chosen.
#[test]
fn s56_an_emptied_founder_and_a_sleeper_choose_nothing_anew() {
    let mut c = strangers();
    c.run(SECOND / 10);
    c.isolate(n(2));
    c.elect_this(n(1));
    assert!(c.is_chosen(n(1), "by n1 and n3"));
    let at = c.replica(n(1)).chosen();
    // Now n1 is away, n3 has lost its disk, and n2 is back.
    c.heal();
    c.isolate(n(1));
    c.wipe(n(3));
    c.run(SECOND * 10);
    assert_eq!(founding(&c, 3), Founding::Joined, "its disk is in nobody's charter");
    assert!([2, 3].iter().all(|id| c.replica(n(*id)).standing() == Standing::Follower));
    assert_eq!(c.replica(n(2)).chosen(), Slot::FIRST);
    c.heal();
    let leader = c.elect();
    assert!(c.is_chosen(leader, "by all three"));
    c.run(SECOND);
    for id in 1..=3 {
        assert!(c.replica(n(id)).chosen() > at);
        assert_eq!(c.payloads(n(id))[0], "by n1 and n3");
        assert_eq!(c.newest(n(id)).disk(n(3)), 301, "taken up with its new disk");
    }
}

/// Both had the same answer to give, and no disk that remembers it.
#[test]
fn s56_two_emptied_founders_found_nothing_without_the_third() {
    let mut c = strangers();
    c.elect();
    c.crash(n(1));
    c.wipe(n(2));
    c.wipe(n(3));
    c.run(SECOND * 20);
    assert!([2, 3].iter().all(|id| !c.replica(n(*id)).is_founded()));
    c.restart(n(1));
    c.run(SECOND * 5);
    assert!([2, 3].iter().all(|id| founding(&c, *id) == Founding::Joined));
    assert_eq!(c.leader(), None, "two of three disks are gone: nobody guesses");
}

/// A voter that nobody has heard of and whose disk nobody names could come back without
/// it, and be counted.
#[test]
fn a_voter_whose_disk_nobody_knows_is_refused() {
    let mut c = strangers();
    let leader = c.elect();
    c.join(n(4));
    let next = c.newest(leader).succeeded_by([1, 2, 3, 4].map(n), []);
    let p = c.propose_unbound(leader, next.clone());
    assert_eq!(c.outcome(leader, p), Some(Outcome::Refused(Refusal::Unheard(n(4)))));
    // As a learner it answers, and its leader takes it by its word.
    let learns = next.succeeded_by([1, 2, 3].map(n), [n(4)]).with_version(1);
    c.propose_unbound(leader, learns);
    c.run(SECOND * 2);
    let next = c.newest(leader).succeeded_by([1, 2, 3, 4].map(n), []);
    c.propose_unbound(leader, next);
    c.run(SECOND * 2);
    assert!(c.is_in_force(leader));
    assert_eq!(c.newest(leader).disk(n(4)), 400);
}

/// A disk stands by one charter. Here one was lost between the two steps: nobody has
/// promised anything, and nobody ever will.
#[test]
fn a_charter_with_a_lost_disk_is_stood_by_and_never_founds() {
    let mut c = strangers();
    // Two have heard of all disks when the third is lost.
    for (to, from) in [(1, 2), (1, 3), (2, 1), (2, 3)] {
        c.tell(n(to), n(from), Greet { founding: Founding::Open, asks: false });
    }
    c.isolate(n(1));
    c.isolate(n(2));
    c.run(SECOND);
    assert_eq!(founding(&c, 1), Founding::Named(charter()));
    c.wipe(n(3));
    c.heal();
    c.run(SECOND * 10);
    assert!((1..=3).all(|id| !c.replica(n(id)).is_founded()));
    assert!([1, 2].iter().all(|id| c.replica(n(*id)).is_founding_stuck()));
    // The group is begun again on empty disks.
    (1..=3).for_each(|id| c.crash(n(id)));
    (1..=3).for_each(|id| c.wipe(n(id)));
    let leader = c.elect();
    assert!(c.is_chosen(leader, "at last"));
}

#[test]
fn who_is_not_founded_ignores_a_group_that_is_and_asks_it() {
    let mut c = strangers();
    c.cut_both(n(1), n(3));
    c.run(SECOND / 20);
    c.heal();
    c.run(SECOND * 2);
    let leader = c.elect();
    c.wipe(n(3));
    let beat = paxos_core::message::Heartbeat {
        settled: true,
        ballot: c.replica(leader).own_ballot().expect("it leads"),
        chosen: Slot::FIRST,
        beat: 1,
    };
    c.tell(n(3), leader, beat);
    let told = Notice::Ignored(Ignored::Unfounded(GROUP, leader));
    assert!(c.host(n(3)).notices.contains(&told));
    c.run(SECOND * 2);
    let joined = Notice::Founded { group: GROUP, joins: true };
    assert!(c.host(n(3)).notices.contains(&joined));
}

/// The third was told of other quorums than the first two.
#[test]
fn founders_of_different_groups_found_none() {
    let mut c = strangers();
    c.crash(n(3));
    c.membership = Membership::flexible([1, 2, 3].map(n), 3, 1);
    c.wipe(n(3));
    c.run(SECOND * 5);
    assert!((1..=3).all(|id| c.replica(n(id)).is_founding_stuck()));
    let told = Notice::FoundingStuck { group: GROUP, node: n(3), why: Discord::Design };
    let notices = &c.host(n(1)).notices;
    assert_eq!(notices.iter().filter(|notice| **notice == told).count(), 1);
}

#[test]
fn a_design_that_names_the_disks_needs_no_founding() {
    let bound = (1..=3).fold(Membership::majority((1..=3).map(NodeId)), |all, id| {
        all.with_disk(n(id), u64::from(id) * 100)
    });
    let mut c = Cluster::new(3);
    c.membership = bound;
    for id in 1..=3 {
        c.disk_names.insert(n(id), u64::from(id) * 100);
        c.restart_with(n(id), Vec::new());
    }
    c.crash(n(3));
    let leader = c.elect();
    assert!(c.is_chosen(leader, "by two"));
}

/// Disks come and go while a group is founded, messages are lost, doubled and late.
/// Says whether it was founded.
fn weather(seed: u64) -> bool {
    let (mut rng, mut whims) = (Rng::new(seed), Rng::new(seed ^ 0x5EED));
    let mut c = strangers();
    c.whim(move |_, _| match whims.below(8) {
        0 => Fate::Lose,
        1 => Fate::Hold,
        2 => Fate::Twice,
        _ => Fate::Deliver,
    });
    let mut founded: Option<Charter> = None;
    let mut lost = NodeId(0);
    for _ in 0..rng.below(40) {
        let id = n(1 + rng.below(3) as u16);
        match rng.below(8) {
            0 => c.release(),
            1 => c.restart(id),
            // No more than one disk, however often.
            2 if lost.0 == 0 || lost == id => {
                lost = id;
                c.wipe(id);
            }
            _ => {}
        }
        c.run(Duration::from_millis(rng.below(120)));
        for id in 1..=3 {
            if let Founding::Founded(charter) = founding(&c, id) {
                assert_eq!(founded.get_or_insert(charter.clone()), &charter, "seed {seed}");
            }
        }
    }
    c.heal();
    c.release();
    c.run(SECOND * 20);
    let settled = (1..=3).filter(|id| c.replica(n(*id)).is_founded()).count();
    let stuck = (1..=3).any(|id| c.replica(n(id)).is_founding_stuck());
    assert_eq!(settled, if stuck { 0 } else { 3 }, "seed {seed}: all or nobody");
    assert!(!stuck || lost.0 != 0, "seed {seed}: no disk was lost");
    if settled > 0 {
        let leader = c.leader().unwrap_or_else(|| panic!("seed {seed}: nobody leads"));
        assert!(c.is_chosen(leader, "fresh"), "seed {seed}");
    }
    settled > 0
}

#[test]
fn a_group_is_founded_once_or_not_at_all_in_any_weather() {
    let founded = (0..300).filter(|seed| weather(*seed)).count();
    assert!(founded > 150, "only {founded} of 300");
}

/// It was told of the group and pulled an image, and a crash took what it had written
/// since: the image says who the members are, and not the first of them.
#[test]
fn who_has_an_image_needs_no_founding() {
    let mut c = strangers();
    c.limits.checkpoint_slots = 8;
    c.limits.keep_slots = 2;
    (1..=3).for_each(|id| c.restart_with(n(id), Vec::new()));
    c.elect();
    c.change_to(&[1, 2]);
    for i in 0..40 {
        let leader = c.elect();
        assert!(c.is_chosen(leader, &format!("{i}")));
    }
    let leader = c.elect();
    let version = c.newest(leader).version();
    let id = if leader == n(1) { n(2) } else { n(1) };
    assert!(c.host(id).vault.newest().is_some() && c.replica(id).log().floor() > Slot::FIRST);
    // Of its log nothing is left but that it stands by its charter.
    let named = Record { group: GROUP, entry: Entry::Founding(Founding::Named(charter())) };
    let floor = c.replica(id).log().floor();
    let trimmed = Record { group: GROUP, entry: Entry::Trimmed { below: floor } };
    c.crash(id);
    c.hosts.get_mut(&id).expect("it is there").records = vec![named, trimmed];
    c.restart(id);
    assert_eq!(c.newest(id).version(), version, "as the image says");
    c.run(SECOND * 3);
    let leader = c.elect();
    assert!(c.is_chosen(leader, "on"));
    assert_eq!(c.newest(id).version(), c.newest(leader).version());
}

/// With the list of members changed by hand, the slots of the founders would be decided by
/// others than have decided them.
#[test]
fn a_founder_is_not_started_with_another_list_of_founders() {
    let mut c = strangers();
    c.elect();
    let records = c.host(n(1)).records.clone();
    let mut disk = Durable::default();
    for record in records {
        disk.replay(record).expect("a node's own records");
    }
    let with = |voters: &[u16]| {
        let others = Membership::majority(voters.iter().map(|id| n(*id)));
        let config = Config {
            node: n(1),
            incarnation: Incarnation(2),
            disk: 100,
            priority: Config::PRIORITY,
            seed: 1,
            groups: vec![GroupConfig::new(GROUP, others)],
            timing: Timing::default(),
            limits: Limits::default(),
        };
        Node::restore(config, disk.clone(), Instant::default()).map(|_| ())
    };
    assert_eq!(with(&[1, 2, 3]), Ok(()));
    assert_eq!(with(&[1]), Err(RestoreError::Founders(GROUP)));
    assert_eq!(with(&[1, 2, 4]), Err(RestoreError::Founders(GROUP)));
}

/// Who has joined has not been told how the group was founded; those who have come later.
#[test]
fn who_stands_by_a_charter_does_not_take_the_word_of_one_that_joined() {
    let mut c = strangers();
    for (to, from) in [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)] {
        c.tell(n(to), n(from), Greet { founding: Founding::Open, asks: false });
    }
    c.isolate(n(1));
    c.run(SECOND);
    assert_eq!(founding(&c, 1), Founding::Named(charter()));
    c.tell(n(1), n(4), Greet { founding: Founding::Joined, asks: false });
    assert_eq!(founding(&c, 1), Founding::Named(charter()));
    c.heal();
    c.run(SECOND);
    assert_eq!(founding(&c, 1), Founding::Founded(charter()));
}
