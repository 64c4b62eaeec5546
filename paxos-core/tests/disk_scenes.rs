//! Voters whose disks are lost, or come back without what they held.

mod common;

use common::{Cluster, Fate, Message, SECOND, n, promise};
use paxos_core::Standing;
use paxos_core::effect::{Input, Notice, Outcome};
use paxos_core::quorum::NodeSet;
use paxos_core::types::Ballot;

const WINDOW: u32 = 8;

/// The disk of n3 has promised and voted; the one that comes after it has not.
#[test]
fn s72_an_emptied_disk_is_not_believed_to_remember() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.elect_this(n(3));
    // n1 and n3 choose; n2 knows nothing of it.
    c.isolate(n(2));
    let p = c.propose(n(3), "kept");
    c.settle();
    assert!(matches!(c.outcome(n(3), p), Some(Outcome::Chosen(_))));
    c.crash(n(1));
    c.crash(n(3));
    c.wipe(n(3));
    c.heal();
    c.run(SECOND * 10);
    assert_eq!(c.leader(), None, "n2 and an empty disk are no quorum");
    assert!(c.payloads(n(2)).is_empty());
    c.restart(n(1));
    let leader = c.elect();
    c.run(SECOND * 2);
    assert!(c.is_chosen(leader, "after"));
    for id in 1..=3 {
        assert_eq!(c.payloads(n(id)), ["kept", "after"], "n{id}");
    }
    // By now the disk is bound, and its vote counts again.
    assert_eq!(c.newest(leader).disk(n(3)), 301);
    c.crash(n(2));
    let leader = c.elect();
    assert!(c.is_chosen(leader, "by n1 and n3"));
}

#[test]
fn s72_a_promise_from_another_disk_does_not_count() {
    let (mut c, _) = Cluster::bound(WINDOW);
    for id in [2, 3] {
        c.crash(n(id));
    }
    let mut ballot = c.ask();
    c.disk_names.insert(n(3), 999);
    for id in [3, 2] {
        let chosen = c.replica(n(1)).chosen();
        let ack =
            paxos_core::message::ProbeAck { ballot, granted: true, promised: Ballot::ZERO, chosen };
        c.tell(n(1), n(id), ack);
        let stands = c.replica(n(1)).standing() == Standing::Candidate;
        assert_eq!(stands, id == 2, "n{id}");
    }
    ballot = c.replica(n(1)).own_ballot().unwrap_or(ballot);
    c.network.clear();
    c.sync_disk(n(1));
    let from = c.replica(n(1)).chosen().0;
    c.tell(n(1), n(3), promise(ballot, from, &[]));
    assert_eq!(c.replica(n(1)).standing(), Standing::Candidate, "not the disk that is bound");
    c.disk_names.insert(n(3), 300);
    c.tell(n(1), n(3), promise(ballot, from, &[]));
    assert_eq!(c.replica(n(1)).standing(), Standing::Leader);
}

/// Removed, and back with an empty disk: the leader's record of its promise is void.
#[test]
fn s72_who_comes_back_is_asked_again() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.elect_this(n(1));
    c.change_to(&[1, 2]);
    assert_eq!(c.replica(n(1)).standing(), Standing::Leader);
    c.wipe(n(3));
    c.run(SECOND);
    c.whim(|to, e| match e.message {
        Message::Prepare(_) if to == n(3) => Fate::Lose,
        _ => Fate::Deliver,
    });
    c.change(n(1), &[1, 3], &[]);
    c.settle();
    let border = c.replica(n(1)).schedule().newest().0;
    let p = c.propose(n(1), "with n3");
    c.settle();
    assert_eq!(c.replica(n(1)).chosen(), border, "n3 has not promised since");
    assert_eq!(c.outcome(n(1), p), None);
    c.calm();
    c.run(SECOND);
    assert!(matches!(c.outcome(n(1), p), Some(Outcome::Chosen(_))));
}

/// A ballot that went with its disk may have been promised, and voted for, by anyone. Here the
/// others have forgotten that they ever heard of it, and the clock of the node says nothing.
#[test]
fn a_ballot_that_went_with_its_disk_is_not_used_again() {
    let (mut c, _) = Cluster::bound(WINDOW);
    let led = c.elect_this(n(1));
    c.doom("Prepare", Fate::Lose);
    let mut lost = led;
    while lost.node != n(3) || lost.round < led.round + 2 {
        c.settle();
        let wake = c.host(n(3)).node.wake_at().expect("a voter always waits for something");
        c.now = c.now.max(wake);
        c.step(n(3), Input::Ticked);
        lost = c.replica(n(3)).promised();
    }
    c.settle();
    c.calm();
    for id in [1, 2] {
        c.crash(n(id));
        c.restart(n(id));
    }
    c.host_mut(n(3)).life = 0;
    c.wipe_and_join(n(3));
    c.elect_this(n(1));
    c.run(SECOND * 3);
    let leader = c.elect();
    assert_eq!(c.newest(leader).disk(n(3)), 301, "taken up with its new disk");
    let again = c.elect_this(n(3));
    assert_eq!((again.round, again.node), (lost.round, lost.node), "else this scene shows nothing");
    assert_ne!(again, lost);
}

/// So that nothing rests on the disk's name alone: clocks say the same.
#[test]
fn who_comes_back_with_an_empty_disk_stands_above_all_its_earlier_ballots() {
    let (mut c, _) = Cluster::bound(WINDOW);
    let before = c.elect_this(n(3));
    c.elect_this(n(1));
    // Incarnations run ahead of rounds, as a wall clock does.
    c.host_mut(n(3)).life = 10_000;
    c.wipe_and_join(n(3));
    c.run(SECOND * 3);
    let leader = c.elect();
    assert_eq!(c.newest(leader).disk(n(3)), 301, "taken up with its new disk");
    let after = c.elect_this(n(3));
    assert!(before.round < 10_000 && after.round > 10_000, "{before} {after}");
}

/// What `id` has said of a quorum that is lost: who is on other disks, and who is silent.
fn lost(c: &Cluster, id: u16) -> Vec<(Vec<u16>, Vec<u16>)> {
    let ids = |set: NodeSet| set.iter().map(|node| node.0).collect();
    let told = |notice: &Notice| match notice {
        Notice::QuorumLost { unbound, silent, .. } => Some((ids(*unbound), ids(*silent))),
        _ => None,
    };
    c.host(n(id)).notices.iter().filter_map(told).collect()
}

/// Whoever is left says that those who answer can elect nobody, and goes on not to guess.
#[test]
fn who_is_left_when_a_quorum_has_lost_its_disks_says_so() {
    let (mut c, leader) = Cluster::bound(WINDOW);
    assert!(c.is_chosen(leader, "kept"));
    let kept = c.host(n(2)).records.clone();
    for id in [2, 3] {
        c.wipe_and_join(n(id));
    }
    c.run(SECOND * 10);
    assert_eq!(c.leader(), None);
    assert_eq!(lost(&c, 1), [(vec![2, 3], vec![])], "once");
    assert!(c.replica(n(1)).is_quorum_lost());
    let votes = [1, 2, 3].map(|id| c.replica(n(1)).votes(n(id), c.disk_names[&n(id)]));
    assert_eq!(votes, [true, false, false]);
    c.run(SECOND * 600);
    let again = lost(&c, 1).len();
    assert!((2..=5).contains(&again), "now and then: {again}");
    // One of the lost disks is found again, and the group takes up the other.
    c.joined.remove(&n(2));
    c.disk_names.insert(n(2), 200);
    c.restart_with(n(2), kept);
    let leader = c.elect();
    assert!(c.is_chosen(leader, "after"));
    c.run(SECOND);
    for id in 1..=3 {
        assert_eq!(c.payloads(n(id)), ["kept", "after"], "n{id}");
        assert!(!c.replica(n(id)).is_quorum_lost(), "n{id}");
        assert!(c.replica(n(id)).votes(n(id), c.disk_names[&n(id)]), "n{id}");
    }
    assert_eq!(lost(&c, 1).len(), again, "no more");
}

/// The one that still has its disk may be away as well: those who have lost theirs know who
/// the members are, once the group has changed, and say so themselves.
#[test]
fn those_who_have_lost_their_disks_say_so_if_they_know_who_the_members_are() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.wipe_and_join(n(3));
    c.run(SECOND);
    let leader = c.elect();
    assert_eq!(c.newest(leader).disk(n(3)), 301, "the log says who the members are");
    for id in [1, 2] {
        c.wipe_and_join(n(id));
    }
    c.run(SECOND);
    c.crash(n(3));
    c.run(SECOND * 20);
    for id in [1, 2] {
        assert_eq!(lost(&c, id).len(), 1, "n{id}");
        assert_eq!(lost(&c, id)[0].0, [1, 2], "n{id}");
        assert!(c.replica(n(id)).is_quorum_lost(), "n{id}");
    }
}

/// Voters that are away, however many, may come back with all that they know.
#[test]
fn nodes_that_are_merely_down_are_no_lost_quorum() {
    let (mut c, _) = Cluster::bound(WINDOW);
    for id in [2, 3] {
        c.crash(n(id));
    }
    c.run(SECOND * 60);
    c.restart(n(2));
    c.elect();
    // One lost disk among three is no matter either, nor is a restart meanwhile.
    c.wipe_and_join(n(3));
    c.crash(n(2));
    c.run(SECOND * 2);
    c.restart(n(2));
    let leader = c.elect();
    c.run(SECOND * 2);
    assert_eq!(c.newest(leader).disk(n(3)), 301, "taken up with its new disk");
    for id in 1..=3 {
        assert_eq!(lost(&c, id), [], "n{id}");
    }
}

/// Nobody has promised anything yet, so nothing is lost.
#[test]
fn a_group_that_is_not_founded_has_lost_nothing() {
    let mut c = Cluster::changing(3, WINDOW);
    for id in 1..=3 {
        c.wipe(n(id));
    }
    c.isolate(n(3));
    c.run(SECOND * 30);
    assert!(!c.replica(n(1)).is_founded());
    c.heal();
    c.elect();
    for id in 1..=3 {
        assert_eq!(lost(&c, id), [], "n{id}");
    }
}

/// A node that was away while it was removed, and while all others have got other disks,
/// is behind: it knows nobody, and that is no alarm.
#[test]
fn a_removed_node_that_knows_no_disk_any_more_says_nothing() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.crash(n(3));
    c.change_to(&[1, 2]);
    c.join(n(4));
    c.change_to(&[1, 2, 4]);
    for id in [1, 2] {
        c.wipe_and_join(n(id));
        c.run(SECOND);
        let leader = c.elect();
        c.run(SECOND * 2);
        assert_eq!(c.newest(leader).disk(n(id)), u64::from(id) * 100 + 1);
    }
    // It hears that there is more, and gets none of it.
    c.doom("Entries", Fate::Lose);
    c.restart(n(3));
    c.run(SECOND * 30);
    assert_eq!(lost(&c, 3), []);
    c.calm();
    c.run(SECOND * 30);
    assert_eq!(lost(&c, 3), []);
}
