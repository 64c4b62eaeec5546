//! Witnesses: they vote while a main is missing, keep no state machine, never lead, and
//! forget what the mains hold ("Cheap Paxos", Lamport and Massa).

mod common;

use common::{Cluster, Fate, Message, SECOND, b, ignored, n, text};
use paxos_core::Standing;
use paxos_core::effect::{Ignored, Input, Notice, Outcome, TransferEnd};
use paxos_core::message::{Handover, Relieve};
use paxos_core::quorum::{Membership, Role};
use paxos_core::types::{GroupId, Schedule, Slot};

/// Two mains and a witness, whose disks the group has bound; the first leads.
fn two_and_one() -> Cluster {
    let mut c = Cluster::witnessed(2, 1, 4);
    c.elect_this(n(1));
    c.run(SECOND);
    c
}

/// The payloads of the votes that a node remembers.
fn votes(c: &Cluster, id: u16) -> Vec<String> {
    let log = c.replica(n(id)).log();
    let cells = (log.floor().0..log.end().0).filter_map(|slot| log.get(Slot(slot)));
    cells.filter_map(|cell| text(cell.value)).collect()
}

#[test]
fn w1_a_witness_sleeps_while_the_mains_answer() {
    let mut c = two_and_one();
    c.whim(|to, e| {
        let woken = to == n(3) && matches!(e.message, Message::Accept(_) | Message::Chosen(_));
        assert!(!woken, "a witness is bothered with {}", e.message.name());
        Fate::Deliver
    });
    for i in 0..50 {
        c.write(1, &format!("{i}"));
    }
    assert_eq!(c.held(3), 0, "and it remembers nothing of it");
    assert!(c.replica(n(3)).chosen() >= c.replica(n(1)).chosen(), "yet knows how far they are");
    assert!(c.host(n(3)).delivered.is_empty());
    assert_eq!(c.replica(n(3)).leader(), Some(n(1)));
}

#[test]
fn w2_writes_go_on_after_a_patience_when_a_main_is_gone() {
    for hinted in [false, true] {
        let mut c = two_and_one();
        c.crash(n(2));
        if hinted {
            c.step(n(1), Input::PeerDown(n(2)));
        }
        let since = c.now;
        let p = c.propose(n(1), "one main");
        c.settle();
        while c.outcome(n(1), p).is_none() {
            c.run(c.timing.stagger);
        }
        assert!(matches!(c.outcome(n(1), p), Some(Outcome::Chosen(_))));
        assert!(c.now.since(since) <= c.timing.patience, "{:?}", c.now.since(since));
        assert!(!hinted || c.now == since, "a hint saves the wait");
        // From then on it is asked at once.
        c.run(SECOND);
        let p = c.propose(n(1), "asked at once");
        c.settle();
        assert!(matches!(c.outcome(n(1), p), Some(Outcome::Chosen(_))));
    }
}

#[test]
fn w3_a_witness_keeps_what_a_missing_main_lacks_and_forgets_it_when_that_is_back() {
    let mut c = two_and_one();
    c.crash(n(2));
    for i in 0..20 {
        c.write(1, &format!("{i}"));
    }
    c.run(SECOND * 30);
    assert!(c.held(3) >= 20);
    assert_eq!(votes(&c, 3), (0..20).map(|i| i.to_string()).collect::<Vec<_>>());
    c.restart(n(2));
    c.run(SECOND * 2);
    assert_eq!(c.payloads(n(2)), c.payloads(n(1)));
    assert_eq!(c.held(3), 0);
    c.write(1, "both again");
    assert_eq!(c.held(3), 0);
}

/// n1 and the witness choose a value that n2 has never heard of; then n1 is gone for
/// good.
#[test]
fn w4_what_one_main_and_the_witness_chose_outlives_that_main() {
    let mut c = two_and_one();
    c.crash(n(2));
    c.write(1, "only n1 and the witness");
    c.run(SECOND * 10);
    c.crash(n(1));
    c.restart(n(2));
    let leader = c.elect();
    assert_eq!(leader, n(2), "a witness does not lead");
    c.run(SECOND);
    assert_eq!(c.payloads(n(2)), ["only n1 and the witness"]);
    c.write(2, "on with the witness");
}

/// n2 knows all that n1 does, but its disk does not: that does not count.
#[test]
fn w5_a_witness_forgets_nothing_for_what_a_disk_may_yet_lose() {
    let mut c = two_and_one();
    c.crash(n(2));
    c.write(1, "x");
    c.restart(n(2));
    c.stuck.insert(n(2));
    c.run(SECOND * 10);
    assert_eq!(c.payloads(n(2)), ["x"], "it knows");
    assert_eq!(votes(&c, 3), ["x"], "and its disk does not yet");
    // The power fails, and n1 is gone for good.
    c.crash(n(1));
    c.crash(n(2));
    c.crash(n(3));
    c.stuck.clear();
    c.restart(n(2));
    c.restart(n(3));
    c.elect();
    c.run(SECOND);
    assert_eq!(c.payloads(n(2)), ["x"]);
}

/// Votes are on every disk, and that they were for the chosen value as well: else n2
/// could not say so to itself once the witness has forgotten.
#[test]
fn w6_that_a_value_is_chosen_is_remembered_before_the_witness_forgets() {
    let mut c = two_and_one();
    c.crash(n(3));
    c.write(1, "x");
    c.write(1, "y");
    c.restart(n(3));
    c.run(SECOND);
    assert!(c.replica(n(3)).log().floor() == c.replica(n(1)).chosen(), "let go of all");
    for id in 1..=3 {
        c.crash(n(id));
    }
    c.restart(n(2));
    c.restart(n(3));
    assert_eq!(c.elect(), n(2));
    c.run(SECOND);
    assert_eq!(c.payloads(n(2)), ["x", "y"]);
    c.write(2, "z");
}

#[test]
fn w7_a_witness_never_stands_and_nobody_makes_way_for_it() {
    let mut c = two_and_one();
    c.step(n(1), Input::TransferRequested { group: common::GROUP, to: n(3) });
    let refused = |notice: &Notice| {
        matches!(notice, Notice::TransferEnded { end: TransferEnd::NoSuccessor, .. })
    };
    assert!(c.host(n(1)).notices.iter().any(refused));
    let ballot = c.replica(n(1)).own_ballot().expect("n1 leads");
    let chosen = c.replica(n(1)).chosen();
    c.tell(n(3), n(1), Handover { ballot, beat: u64::MAX, chosen });
    assert_eq!(c.replica(n(3)).standing(), Standing::Follower);
    c.crash(n(1));
    c.crash(n(2));
    c.run(SECOND * 30);
    assert_eq!(c.replica(n(3)).standing(), Standing::Follower);
    assert_eq!(c.replica(n(3)).leader(), None, "it sees that nobody leads");
    c.restart(n(2));
    assert_eq!(c.elect(), n(2));
}

#[test]
fn w8_a_witness_hands_proposals_on_and_declines_queries() {
    let mut c = two_and_one();
    let p = c.propose(n(3), "handed on");
    let q = c.query(n(3));
    c.settle();
    assert_eq!(c.host(n(3)).served[&q], None, "at once");
    c.run(SECOND);
    assert!(matches!(c.outcome(n(3), p), Some(Outcome::Chosen(_))));
    assert_eq!(c.payloads(n(1)), ["handed on"]);
}

#[test]
fn w9_reads_and_leases_count_a_witness_like_any_voter() {
    let mut c = two_and_one();
    c.crash(n(2));
    c.write(1, "x");
    let q = c.query(n(1));
    c.run(SECOND);
    assert!(c.host(n(1)).served[&q].is_some(), "confirmed by the witness");
    c.crash(n(3));
    c.run(SECOND * 2);
    let q = c.query(n(1));
    c.run(SECOND * 3);
    assert_eq!(c.host(n(1)).served[&q], None, "and by nobody else");
}

#[test]
fn w10_a_witness_that_starts_again_knows_who_the_members_are() {
    let mut c = two_and_one();
    c.join(n(4));
    let next = c.newest(n(1)).succeeded_by([1, 2, 3].map(n), [n(4)]);
    c.propose_members(n(1), next);
    c.run(SECOND * 2);
    let version = c.newest(n(1)).version();
    assert!(version > 0 && c.replica(n(3)).log().floor() > Slot(4));
    c.crash(n(3));
    c.restart(n(3));
    assert_eq!(c.newest(n(3)).version(), version, "without having heard from anyone");
    assert_eq!(c.newest(n(3)).role(n(3)), Role::Witness);
    assert!(c.host(n(3)).notices.is_empty(), "and misses no checkpoint");
    c.crash(n(2));
    c.write(1, "with it");
}

#[test]
fn w11_a_witness_joins_without_the_history_and_may_become_a_main() {
    let mut c = Cluster::changing(2, 4);
    c.limits.checkpoint_slots = 8;
    c.limits.keep_slots = 2;
    for id in 1..=2 {
        c.restart(n(id));
    }
    c.elect_this(n(1));
    c.run(SECOND);
    for i in 0..30 {
        c.write(1, &format!("{i}"));
    }
    c.join(n(3));
    let leader = c.leader().expect("someone leads");
    let next = c.newest(leader).succeeded_by([1, 2, 3].map(n), []).with_witnesses([n(3)]);
    c.propose_members(leader, next);
    c.run(SECOND * 3);
    assert!(c.is_in_force(leader));
    assert_eq!(c.newest(n(3)).role(n(3)), Role::Witness);
    assert_eq!(c.held(3), 0);
    // It takes the place of a main that is gone.
    c.crash(n(2));
    let leader = c.elect();
    c.write(leader.0, "with the new witness");
    c.restart(n(2));
    c.run(SECOND * 2);
    // And becomes one itself: now it has to learn what it never knew.
    let leader = c.elect();
    let next = c.newest(leader).succeeded_by([1, 2, 3].map(n), []).with_witnesses([]);
    c.propose_members(leader, next);
    c.run(SECOND * 5);
    assert_eq!(c.payloads(n(3)), c.payloads(n(1)));
    c.crash(n(1));
    c.crash(n(2));
    c.restart(n(2));
    c.run(SECOND * 2);
    let leader = c.elect();
    assert!(c.is_chosen(leader, "led by either"));
    c.elect_this(n(3));
}

#[test]
fn w12_a_main_may_become_a_witness_and_lets_go_of_what_it_knew() {
    let mut c = Cluster::changing(3, 4);
    c.elect_this(n(3));
    c.run(SECOND);
    c.write(3, "led by one that steps back");
    let next = c.newest(n(3)).with_witnesses([n(3)]);
    let version = next.version() + 1;
    c.propose_members(n(3), next.with_version(version));
    c.run(SECOND * 5);
    let leader = c.elect();
    assert_ne!(leader, n(3));
    c.write(leader.0, "without it");
    c.run(SECOND);
    assert_eq!((c.held(3), c.replica(n(3)).standing()), (0, Standing::Follower));
    assert_eq!(c.payloads(n(3)).len(), 1, "it delivers no more");
}

/// n3 steps back with a machine, is let go of more than that has, and is a main again: until
/// it has an image, nobody may be given one of its machine, which would name the members
/// that came later.
#[test]
fn w19_who_was_let_go_of_slots_makes_no_image_until_it_has_them() {
    let mut c = Cluster::changing(3, 4);
    c.elect_this(n(3));
    c.run(SECOND);
    c.write(3, "led by one that steps back");
    let next = c.newest(n(3)).with_witnesses([n(3)]);
    let version = next.version() + 1;
    c.propose_members(n(3), next.with_version(version));
    c.run(SECOND * 5);
    let leader = c.elect();
    c.write(leader.0, "without it");
    c.run(SECOND);
    c.idle_vaults.insert(n(3));
    let next = c.newest(leader).succeeded_by([1, 2, 3].map(n), []).with_witnesses([]);
    c.propose_members(leader, next);
    c.run(SECOND * 5);
    assert_eq!(c.newest(n(3)).role(n(3)), Role::Voter);
    assert!(c.replica(n(3)).lacks_checkpoint());
    let effects = c.step(n(3), Input::CheckpointRequested { group: GroupId(0) });
    assert!(matches!(ignored(&effects)[..], [Ignored::NoCheckpoint(_)]), "{effects:?}");
    c.idle_vaults.clear();
    c.run(SECOND * 5);
    assert_eq!(c.payloads(n(3)), c.payloads(leader));
}

/// The only main starts again where it needs the promise of a witness that has never heard
/// who the members are, and can be told no more from the log.
#[test]
fn w20_a_witness_that_was_never_told_is_told_by_whoever_it_asks() {
    let mut c = Cluster::changing(1, 4);
    c.limits.checkpoint_slots = 8;
    c.limits.keep_slots = 2;
    c.restart(n(1));
    c.elect_this(n(1));
    c.run(SECOND);
    for i in 0..30 {
        c.write(1, &format!("{i}"));
    }
    c.join(n(3));
    c.isolate(n(3));
    let next = c.newest(n(1)).succeeded_by([1, 3].map(n), []).with_witnesses([n(3)]);
    c.propose_members(n(1), next);
    c.run(SECOND);
    c.crash(n(1));
    c.heal();
    c.restart(n(1));
    c.run(SECOND * 10);
    assert_eq!(c.leader(), Some(n(1)));
    assert_eq!(c.newest(n(3)).role(n(3)), Role::Witness);
    c.write(1, "with the promise and the votes of both");
}

#[test]
fn w14_one_main_and_two_witnesses_lose_nothing_but_the_main_with_its_machine() {
    let mut c = Cluster::witnessed(1, 2, 4);
    c.elect_this(n(1));
    c.run(SECOND);
    c.write(1, "x");
    c.run(SECOND);
    assert_eq!((c.held(2), c.held(3)), (0, 0));
    c.crash(n(3));
    c.crash(n(1));
    c.restart(n(1));
    c.elect();
    c.run(SECOND);
    assert_eq!(c.payloads(n(1)), ["x"]);
    c.write(1, "one witness is enough");
}

#[test]
fn w15_who_is_more_than_a_witness_lets_go_of_nothing() {
    let mut c = Cluster::changing(3, 4);
    c.elect_this(n(1));
    c.write(1, "x");
    let ballot = c.replica(n(1)).own_ballot().expect("n1 leads");
    let group: Membership = c.newest(n(1)).with_witnesses([n(3)]);
    let schedule = Schedule::starting(Slot::FIRST, group.into());
    let below = c.replica(n(2)).chosen();
    for to in [2, 3] {
        for ballot in [ballot, b(0, 1), b(ballot.round + 1, 1)] {
            c.tell(n(to), n(1), Relieve { ballot, below, schedule: schedule.clone() });
            assert_eq!(c.replica(n(to)).log().floor(), Slot::FIRST, "n{to}");
        }
    }
}

#[test]
fn w16_a_witness_cannot_be_the_last_who_remains() {
    let mut c = two_and_one();
    let next = c.newest(n(1)).succeeded_by([n(3)], []);
    let p = c.propose_members(n(1), next);
    c.settle();
    assert!(matches!(c.outcome(n(1), p), Some(Outcome::Refused(_))));
}

/// A leader that removes itself waits for a main, whatever the witness knows.
#[test]
fn w17_who_leaves_waits_for_a_main_to_have_all() {
    let mut c = two_and_one();
    c.whim(|to, e| {
        let tells = matches!(e.message, Message::Entries(_) | Message::Accept(_));
        if to == n(2) && tells { Fate::Lose } else { Fate::Deliver }
    });
    c.write(1, "unknown to n2");
    let next = c.newest(n(1)).succeeded_by([2, 3].map(n), []);
    let p = c.propose_members(n(1), next);
    c.run(SECOND * 5);
    assert!(c.outcome(n(1), p).is_some());
    assert_eq!(c.leader(), Some(n(1)), "it leads on");
    c.calm();
    c.run(SECOND * 5);
    c.crash(n(1));
    let leader = c.elect();
    assert_eq!((leader, c.payloads(n(2)).len()), (n(2), 1));
    assert!(c.is_chosen(n(2), "without n1"));
}

/// Who becomes a witness leads to the end of its own, and then until a main has all. If it hears
/// none of them, they hear another witness that follows it: it must let go of that.
#[test]
fn w25_who_hears_no_main_holds_none_up() {
    let mut c = Cluster::changing(3, 4);
    c.elect_this(n(1));
    c.run(SECOND);
    c.write(1, "led by one that steps back");
    c.cut_both(n(1), n(3));
    let next = c.newest(n(1)).with_witnesses([n(1), n(2)]);
    let version = next.version() + 1;
    c.propose_members(n(1), next.with_version(version));
    c.run(SECOND * 5);
    assert_eq!(c.leader(), Some(n(3)));
    c.write(3, "in reach of a witness");
}
