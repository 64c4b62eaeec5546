//! Corners where the core was once wrong, or might easily be.

mod common;

use std::time::Duration;

use common::{Cluster, Fate, GROUP, SECOND, accept, accepted, b, ignored, n, promise};
use paxos_core::effect::{Effect, Effects, Ignored, Input, Outcome};
use paxos_core::log::Durable;
use paxos_core::message::{Accept, Chosen, Confirmed, Entries, Heartbeat, Message, ProbeAck};
use paxos_core::message::{Promise, Vote};
use paxos_core::quorum::Membership;
use paxos_core::types::{Incarnation, Instant, Limits, NodeId, Slot, Timing, Value};
use paxos_core::{Config, ConfigError, GroupConfig, Node, RestoreError, Standing};

/// A node that can speak but not hear asks for ever. Whoever gives way to every
/// one of its questions never stands for election itself.
#[test]
fn a_deaf_node_keeps_nobody_from_being_elected() {
    let mut c = Cluster::new(3);
    let old = c.elect();
    c.deafen(old);
    c.run(SECOND * 4);
    let new = c.leader().expect("two of three hear each other");
    assert_ne!(new, old);
    let p = c.propose(new, "v");
    c.settle();
    assert!(matches!(c.outcome(new, p), Some(Outcome::Chosen(_))));
}

#[test]
fn a_deaf_node_does_not_hold_up_the_first_election() {
    for deaf in 1..=5 {
        let mut c = Cluster::new(5);
        c.deafen(n(deaf));
        c.run(SECOND * 4);
        assert!(c.leader().is_some_and(|l| l != n(deaf)), "with n{deaf} deaf");
    }
}

/// First n3 follows n2 at a higher ballot that it never promised. Then a heartbeat
/// of n1's, from before, arrives late. It must change nothing.
#[test]
fn a_late_heartbeat_of_a_deposed_leader_changes_no_belief() {
    let mut c = Cluster::new(5);
    let first = c.elect_this(n(1));
    c.cut_both(n(2), n(3));
    let second = c.elect_this(n(2));
    c.heal();
    c.run(Duration::from_millis(60));
    assert_eq!(c.replica(n(3)).leadership(), Some(second));
    assert_eq!(c.replica(n(3)).promised(), first);
    let p = c.propose(n(3), "under way");
    c.tell(n(3), n(1), Heartbeat { ballot: first, chosen: Slot(1), beat: 0, settled: true });
    assert_eq!(c.replica(n(3)).leadership(), Some(second));
    assert_eq!(c.outcome(n(3), p), None, "given up for a leader that is none");
    c.settle();
    assert!(matches!(c.outcome(n(3), p), Some(Outcome::Chosen(_))));
}

/// A leader confirms a read at its barrier, and is deposed before the slots
/// below it are chosen. The next leader never hears of those slots, and nobody
/// proposes: the read can wait for ever, its client cannot.
#[test]
fn a_read_whose_index_is_never_reached_is_declined() {
    let mut c = Cluster::new(5);
    c.elect_this(n(1));
    // Only n2 votes for n1's value, so n1 and n2 hold a vote that few know of.
    c.doom("Accept", Fate::Lose);
    c.propose(n(1), "never chosen");
    c.settle();
    // n1 stands again and adopts its own vote; nobody hears that.
    c.crash(n(1));
    c.restart(n(1));
    c.elect_this(n(1));
    let q = c.query(n(1));
    c.settle();
    assert_eq!(c.host(n(1)).served.get(&q), None, "the barrier is not delivered");
    c.isolate(n(1));
    c.calm();
    c.run(SECOND * 5);
    assert_eq!(c.host(n(1)).served.get(&q), Some(&None), "declined in the end");
}

/// Slot 2 is chosen and its proposer told so; slot 1 is not. A read that begins
/// now must see slot 2.
#[test]
fn a_read_sees_what_was_chosen_out_of_order() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.doom("Accept", Fate::Hold);
    let p1 = c.propose(n(1), "one");
    let p2 = c.propose(n(1), "two");
    c.settle();
    c.held.remove(0);
    c.held.remove(0);
    c.release();
    c.calm();
    c.settle();
    assert_eq!(c.outcome(n(1), p2), Some(Outcome::Chosen(Slot(2))));
    assert_eq!(c.outcome(n(1), p1), None);
    let q = c.query(n(1));
    c.settle();
    assert_eq!(c.host(n(1)).served.get(&q), None, "slot 2 is not delivered yet");
    c.run(Duration::from_millis(500));
    assert_eq!(c.host(n(1)).served[&q], Some(Slot(3)));
}

/// A leader whose own log ends far below its first slot counts votes for slots
/// that it has no room for. What it writes down must be readable after a crash.
#[test]
fn a_leader_far_behind_stays_restartable_and_catches_up() {
    let limits = Limits { ahead_slots_max: 8, window_slots: 8, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits);
    c.elect_this(n(2));
    c.isolate(n(1));
    for i in 0..40 {
        c.propose(n(2), &format!("v{i}"));
        c.settle();
    }
    c.heal();
    c.doom("Entries", Fate::Lose);
    c.crash(n(2));
    c.elect_this(n(1));
    c.restart(n(2));
    let p = c.propose(n(1), "far above");
    c.settle();
    assert!(matches!(c.outcome(n(1), p), Some(Outcome::Chosen(_))));
    assert!(c.replica(n(1)).log().end().0 <= 9, "holds slots far above its frontier");
    c.calm();
    let ballot = c.replica(n(1)).own_ballot();
    c.run(c.timing.resend * 2);
    assert_eq!(c.payloads(n(1)).len(), 41, "its own slots too");
    assert!(ballot.is_some() && c.replica(n(1)).own_ballot() == ballot, "and as a leader");
}

#[test]
fn a_tick_delivers_one_page() {
    let limits = Limits { deliver_slots_max: 2, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1].map(NodeId)), limits);
    c.elect();
    c.stuck.insert(n(1));
    for i in 0..10 {
        c.propose(n(1), &format!("v{i}"));
    }
    c.sync_disk(n(1));
    c.crash(n(1));
    c.restart(n(1));
    c.stuck.clear();
    c.elect();
    c.propose(n(1), "the record that a hint rides along with");
    c.run(SECOND);
    assert_eq!(c.payloads(n(1)).len(), 11);
    c.crash(n(1));
    // The disk says that ten are chosen, and the machine has forgotten everything.
    c.restart(n(1));
    assert_eq!(c.replica(n(1)).chosen(), Slot(11));
    c.now = c.now + Duration::from_micros(1);
    let effects = c.step(n(1), Input::Ticked);
    let slots = |e: &Effect| if let Effect::Deliver { run, .. } = e { run.len() } else { 0 };
    let page: usize = effects.iter().map(slots).sum();
    assert!(page <= 2, "{page} slots in one step");
}

/// A leader with a stuck disk sends its own acceptor the same run again and
/// again. The votes that wait for the disk must not pile up.
#[test]
fn a_stuck_disk_does_not_make_pledges_pile_up() {
    let limits = Limits { held_pledges_max: 8, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([1, 2, 3].map(NodeId)), limits);
    c.elect_this(n(1));
    c.stuck.extend([n(1), n(2), n(3)]);
    c.propose(n(1), "v");
    c.run(SECOND * 30);
    assert!(c.host(n(1)).node.held_pledges() <= 8, "{}", c.host(n(1)).node.held_pledges());
    c.stuck.clear();
    c.run(SECOND * 4);
    c.assert_all(&["v"]);
}

#[test]
fn a_single_node_with_a_stuck_disk_holds_a_bounded_number_of_pledges() {
    let limits = Limits { held_pledges_max: 8, ..Limits::default() };
    let mut c = Cluster::with(Membership::majority([n(1)]), limits);
    c.elect();
    c.stuck.insert(n(1));
    let p = c.propose(n(1), "v");
    c.run(SECOND * 60);
    assert!(c.host(n(1)).node.held_pledges() <= 8, "{}", c.host(n(1)).node.held_pledges());
    c.stuck.clear();
    c.settle();
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Unknown), "told so long ago");
    c.assert_all(&["v"]);
}

/// First n1 asks for promises. While they are under way, a higher ballot chooses
/// slots, and n1 fetches them. Then n1's own promises arrive and it leads, deposed
/// without knowing. It must not propose where it knows what is chosen.
#[test]
fn a_candidate_does_not_propose_where_it_knows_what_is_chosen() {
    let mut c = Cluster::alone(3);
    let mine = c.stand();
    c.tell(n(1), n(2), Entries { run: common::run(1, &["a", "b"]), chosen: Slot(3) });
    c.tell(n(1), n(2), promise(mine, 1, &[]));
    assert_eq!(c.replica(n(1)).standing(), Standing::Leader);
    let effects = c.tell(
        n(1),
        n(2),
        ProbeAck { ballot: mine, granted: false, promised: mine, chosen: Slot(3) },
    );
    assert_eq!(ignored(&effects), []);
    c.network.clear();
    c.propose(n(1), "c");
    let firsts: Vec<Slot> = c.network.iter().filter_map(|(_, e)| first_slot(&e.message)).collect();
    assert_eq!(firsts, [Slot(3), Slot(3)]);
}

#[test]
fn a_promise_of_an_absurd_vote_is_the_peers_fault_and_nobodys_end() {
    let mut c = Cluster::alone(3);
    let mine = c.stand();
    for slot in [0, u64::MAX - 1, u64::MAX] {
        let vote = Vote { slot: Slot(slot), ballot: b(1, 2), chosen: false, value: Value::Noop };
        let votes = vec![vote.clone(), vote];
        let m = Promise { ballot: mine, from: Slot(1), to: None, chosen: Slot(1), votes };
        let effects = c.tell(n(1), n(2), m);
        assert_eq!(ignored(&effects), [Ignored::Absurd(GROUP, n(2))]);
    }
    assert_eq!(c.replica(n(1)).standing(), Standing::Candidate);
}

/// Slots start at 1. A machine that says it has applied everything below 0 has
/// applied nothing.
#[test]
fn an_applied_frontier_of_zero_means_nothing_applied() {
    let mut c = Cluster::new(1);
    c.elect();
    c.propose(n(1), "v");
    c.settle();
    c.propose(n(1), "w");
    c.settle();
    c.crash(n(1));
    c.restart_from(n(1), Slot(0));
    c.host_mut(n(1)).applied = Slot(1);
    c.run(SECOND);
    assert_eq!(c.payloads(n(1)), ["v", "w"]);
}

#[test]
fn waits_and_bounds_that_no_sum_can_hold_are_refused() {
    let config = |timing: Timing, limits: Limits| Config {
        node: n(1),
        incarnation: Incarnation(1),
        disk: 0,
        priority: Config::PRIORITY,
        seed: 1,
        groups: vec![GroupConfig::new(GROUP, Membership::majority([n(1)]))],
        timing,
        limits,
    };
    let start = |c| Node::restore(c, Durable::default(), Instant::default()).map(|_| ());
    let forever = Timing { resend: Duration::MAX, ..Timing::default() };
    let refused = Err(RestoreError::Config(ConfigError::Timing));
    assert_eq!(start(config(forever, Limits::default())), refused);
    // Votes this far ahead could not be read back from the disk.
    let far = Limits { ahead_slots_max: 1 << 21, ..Limits::default() };
    let refused = Err(RestoreError::Config(ConfigError::Limits));
    assert_eq!(start(config(Timing::default(), far)), refused);
    let longest = Timing { answer: Timing::WAIT_MAX, ..Timing::default() };
    assert_eq!(start(config(longest, Limits::default())), Ok(()));
}

/// A clock that jumps to its very end, and back, breaks nothing.
#[test]
fn a_clock_that_jumps_far_costs_nobody_a_panic() {
    let mut c = Cluster::new(1);
    c.elect();
    let mut node = c.host(n(1)).node.clone();
    let mut effects = Effects::new();
    for micros in [u64::MAX, 0, u64::MAX, 5, u64::MAX / 2] {
        node.step(Instant::from_micros(micros), Input::Ticked, &mut effects);
        assert_eq!(node.check(), Ok(()));
    }
}

/// The leader has fallen and says so; its follower does not know yet. What was
/// surely not taken waits for the next leader, however often this one says no.
#[test]
fn what_a_fallen_leader_did_not_take_waits_for_the_next() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.run(Duration::from_millis(60));
    // n1 falls by a word from n3; n2 still follows it.
    let ballot = c.replica(n(1)).own_ballot().expect("n1 leads");
    let higher = b(ballot.round + 1, 3);
    c.tell(n(1), n(3), paxos_core::message::Reject { ballot, promised: higher });
    assert_eq!(c.replica(n(1)).standing(), Standing::Follower);
    let p = c.propose(n(2), "patient");
    c.settle();
    assert_eq!(c.outcome(n(2), p), None, "bounced, but not given up");
    c.run(SECOND * 2);
    assert!(matches!(c.outcome(n(2), p), Some(Outcome::Chosen(_))), "{:?}", c.outcome(n(2), p));
    c.assert_all(&["patient"]);
}

/// Reads that fall from one leadership to the next keep their deadline: a leader
/// that comes and goes must not keep a client waiting for ever.
#[test]
fn a_read_keeps_its_deadline_through_leaderships() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.doom("Confirm", Fate::Lose);
    let q = c.query(n(1));
    for _ in 0..8 {
        c.run(Duration::from_millis(400));
        if let Some(ballot) = c.replica(n(1)).own_ballot() {
            let promised = b(ballot.round + 1, 3);
            c.tell(n(1), n(3), paxos_core::message::Reject { ballot, promised });
            c.elect_this(n(1));
        }
    }
    assert_eq!(c.host(n(1)).served.get(&q), Some(&None));
}

#[test]
fn a_vote_for_a_run_that_was_sent_otherwise_is_not_counted() {
    let mut c = Cluster::alone(3);
    let mine = c.stand();
    c.tell(n(1), n(2), promise(mine, 1, &[]));
    c.sync = false;
    let p = c.propose(n(1), "v");
    for (first, end) in [(1, 3), (2, 3), (1_000_000, 1_000_001)] {
        c.tell(n(1), n(2), accepted(mine, first, end));
    }
    assert_eq!(c.outcome(n(1), p), None);
    c.tell(n(1), n(2), accepted(mine, 1, 2));
    c.tell(n(1), n(3), Confirmed { ballot: mine, round: u64::MAX });
    assert_eq!(c.outcome(n(1), p), None, "one vote so far: our own is not durable");
    c.sync_disk(n(1));
    assert_eq!(c.outcome(n(1), p), Some(Outcome::Chosen(Slot(1))));
}

/// Announced before the vote, or the vote before the announcement: a follower
/// believes it in either order, and only at the announced ballot.
#[test]
fn an_announcement_counts_only_for_votes_at_its_ballot() {
    let mut c = Cluster::alone(3);
    c.tell(n(1), n(2), accept(b(1, 2), 1, &["lost"]));
    c.tell(n(1), n(3), Chosen { ballot: b(2, 3), below: Slot(3) });
    assert_eq!(c.replica(n(1)).chosen(), Slot(1), "that vote was for another leader");
    let m = Accept { ballot: b(2, 3), run: common::run(1, &["won", "too"]), chosen: Slot(1) };
    c.tell(n(1), n(3), m);
    assert_eq!(c.payloads(n(1)), ["won", "too"]);
}

fn first_slot(message: &Message) -> Option<Slot> {
    if let Message::Accept(m) = message { Some(m.run.first) } else { None }
}

/// A new leader's announcement counts from its own first slot, however far another
/// one's had reached.
#[test]
fn a_new_leaders_announcement_reaches_below_the_last_ones() {
    let mut c = Cluster::alone(3);
    c.tell(n(1), n(2), Chosen { ballot: b(1, 2), below: Slot(3) });
    c.tell(n(1), n(3), accept(b(2, 3), 1, &["one", "two"]));
    assert!(c.payloads(n(1)).is_empty());
    c.tell(n(1), n(3), Chosen { ballot: b(2, 3), below: Slot(3) });
    assert_eq!(c.payloads(n(1)), ["one", "two"]);
}
