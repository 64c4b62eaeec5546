//! Scenes of a leader that makes way for another: nothing acknowledged is lost,
//! every proposal gets its one answer, and who does not come is not waited for.

mod common;

use std::time::Duration;

use common::{Cluster, Envelope, Fate, GROUP, Message, b, n};
use paxos_core::Standing;
use paxos_core::effect::{Effect, Effects, Input, Notice, Outcome, TransferEnd};
use paxos_core::message::{Handover, Heartbeat};
use paxos_core::types::{Ballot, Command, NodeId, ProposalId, Rng, Slot};

fn ask(c: &mut Cluster, leader: NodeId, to: NodeId) {
    c.step(leader, Input::TransferRequested { group: GROUP, to });
}

/// How the transfers that were asked for at `id` ended, in order.
fn ends(c: &Cluster, id: NodeId) -> Vec<(NodeId, TransferEnd)> {
    let end = |notice: &Notice| match notice {
        Notice::TransferEnded { to, end, .. } => Some((*to, *end)),
        _ => None,
    };
    c.host(id).notices.iter().filter_map(end).collect()
}

/// A leader, someone to lead next, and the third.
fn three() -> (Cluster, NodeId, NodeId, NodeId) {
    let mut c = Cluster::new(3);
    let leader = c.elect();
    let mut others = (1..=3).map(n).filter(|id| *id != leader);
    let (to, third) = (others.next().expect("three"), others.next().expect("three"));
    (c, leader, to, third)
}

#[test]
fn s24_a_voter_that_has_everything_leads_without_a_clock() {
    let (mut c, leader, to, third) = three();
    let p = c.propose(leader, "before");
    c.settle();
    let ballot = c.replica(leader).own_ballot().expect("it leads");
    ask(&mut c, leader, to);
    // Nobody's clock moves: all of it takes messages and syncs only.
    c.settle();
    assert_eq!(c.leader(), Some(to));
    assert_eq!(c.replica(to).own_ballot(), Some(ballot.next(to, 0)), "one ballot higher");
    assert_eq!(ends(&c, leader), [(to, TransferEnd::Yielded)]);
    assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))));
    for id in [leader, to, third] {
        c.propose(id, &format!("after at {}", id.0));
        c.settle();
    }
    assert_eq!(c.payloads(third).len(), 4);
    assert_eq!(c.under_way("Probe"), 0);
}

/// Whether `id` would propose a command that it is asked for at this moment.
fn proposes(c: &Cluster, id: NodeId) -> bool {
    let commands = Command::plain("asked at this moment".into()).into();
    let asked = Input::Proposed { group: GROUP, first: ProposalId(u64::MAX), commands };
    let mut effects = Effects::new();
    c.host(id).node.clone().step(c.local(id), asked, &mut effects);
    effects.drain().any(|effect| match effect {
        Effect::Send { envelope, .. } => envelope.message.name() == "Accept",
        _ => false,
    })
}

/// A transfer from an old leader to a new one, hop by hop.
struct Gap {
    /// Before this hop, the old leader would propose.
    stopped: usize,
    /// From this one on, the new one would.
    led: usize,
}

/// Makes way for `to`, with a write at the old leader after so many hops, and says between
/// which hops nobody would propose.
fn gap(write_after: Option<usize>) -> Gap {
    let (mut c, leader, to, third) = three();
    let mut made = vec![c.propose(leader, "before")];
    c.settle();
    ask(&mut c, leader, to);
    let mut seen = Vec::new();
    for hops in 0..12 {
        seen.push((proposes(&c, leader), proposes(&c, to)));
        if write_after == Some(hops) {
            made.push(c.propose(leader, "meanwhile"));
        }
        if seen.last() == Some(&(false, true)) {
            break;
        }
        c.hop();
    }
    let stopped = seen.iter().position(|(old, _)| !old).expect("the old leader stops");
    let led = seen.iter().position(|(_, new)| *new).expect("the new one leads");
    assert!(seen[stopped..].iter().all(|(old, _)| !old), "it stops once: {seen:?}");
    assert!(stopped < led, "{seen:?}");
    // The first write that it takes is acknowledged as soon as any is.
    let first = c.propose(to, "after");
    c.hop();
    assert_eq!(c.outcome(to, first), None, "nobody has voted");
    c.hop();
    assert!(matches!(c.outcome(to, first), Some(Outcome::Chosen(_))), "after one round trip");
    c.settle();
    c.run(c.timing.heartbeat * 2);
    let chosen = |p: &ProposalId| matches!(c.outcome(leader, *p), Some(Outcome::Chosen(_)));
    assert!(made.iter().all(chosen), "a write at {write_after:?} is lost");
    let mut log = c.payloads(third);
    log.sort();
    let written = ["after", "before", "meanwhile"];
    assert_eq!(log, written[..=made.len()], "a write at {write_after:?}");
    assert_eq!(ends(&c, leader), [(to, TransferEnd::Yielded)]);
    Gap { stopped, led }
}

/// One hop to be told to stand, and the round trip of a campaign: under two round trips.
#[test]
fn s24_for_three_hops_nobody_proposes_when_the_successor_has_everything() {
    let gap = gap(None);
    // A beat and its answer: until then the old leader goes on.
    assert_eq!((gap.stopped, gap.led - gap.stopped), (2, 3));
}

/// What was proposed a moment before is decided first, wherever in the transfer that was.
#[test]
fn s24_a_write_at_any_hop_of_a_transfer_is_kept_and_delays_it_by_a_hop_at_most() {
    for hops in 0..=6 {
        let gap = gap(Some(hops));
        let idle = gap.led - gap.stopped;
        assert!(idle <= 4, "{idle} hops after a write at hop {hops}");
    }
}

#[test]
fn s24_while_the_successor_catches_up_the_leader_leads() {
    let (mut c, leader, to, _) = three();
    c.isolate(to);
    for i in 0..50 {
        c.propose(leader, &format!("missed {i}"));
        c.settle();
    }
    // It is back, and has not heard of anything yet.
    c.heal();
    c.doom("Entries", Fate::Hold);
    ask(&mut c, leader, to);
    c.settle();
    let p = c.propose(leader, "meanwhile");
    c.settle();
    assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))), "nobody stopped");
    assert_eq!(c.leader(), Some(leader));
    c.calm();
    c.release();
    c.run(c.timing.heartbeat * 4);
    assert_eq!(c.leader(), Some(to));
    assert_eq!(ends(&c, leader), [(to, TransferEnd::Yielded)]);
    assert_eq!(c.payloads(to).len(), 51);
}

#[test]
fn s24_a_successor_that_never_catches_up_is_given_up_and_nothing_was_stopped() {
    let (mut c, leader, to, _) = three();
    c.propose(leader, "first");
    c.settle();
    c.isolate(to);
    let ballot = c.replica(leader).own_ballot();
    ask(&mut c, leader, to);
    for i in 0..40 {
        let p = c.propose(leader, &format!("{i}"));
        c.settle();
        assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))));
        c.run(c.timing.answer / 32);
    }
    assert_eq!(ends(&c, leader), [(to, TransferEnd::GivenUp)]);
    assert_eq!(c.replica(leader).own_ballot(), ballot, "the same leadership");
}

/// It dies when it was told: what came meanwhile is proposed a patience later.
#[test]
fn s24_a_successor_that_dies_is_given_up_within_a_patience() {
    let (mut c, leader, to, _) = three();
    let ballot = c.replica(leader).own_ballot();
    c.doom("Handover", Fate::Lose);
    ask(&mut c, leader, to);
    c.settle();
    c.crash(to);
    let p = c.propose(leader, "waits");
    c.settle();
    assert_eq!(c.outcome(leader, p), None, "waits in line");
    c.run(c.timing.patience + Duration::from_millis(1));
    assert_eq!(ends(&c, leader), [(to, TransferEnd::GivenUp)]);
    assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))));
    assert_eq!(c.replica(leader).own_ballot(), ballot);
}

/// Word that its process is gone saves the wait.
#[test]
fn s24_a_successor_that_is_known_to_be_gone_is_given_up_at_once() {
    let (mut c, leader, to, _) = three();
    c.doom("Handover", Fate::Lose);
    ask(&mut c, leader, to);
    c.settle();
    c.crash(to);
    let p = c.propose(leader, "waits");
    c.step(leader, Input::PeerDown(to));
    c.settle();
    assert_eq!(ends(&c, leader), [(to, TransferEnd::GivenUp)]);
    assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))));
}

#[test]
fn s24_each_message_of_a_transfer_may_be_lost_once() {
    for name in ["Heartbeat", "HeartbeatAck", "Handover", "Prepare", "Promise"] {
        let (mut c, leader, to, _) = three();
        c.propose(leader, "before");
        c.settle();
        c.lose_one(name);
        ask(&mut c, leader, to);
        let p = c.propose(leader, "meanwhile");
        c.run(c.timing.patience * 3);
        assert_eq!(ends(&c, leader), [(to, TransferEnd::Yielded)], "{name} lost");
        assert_eq!(c.leader(), Some(to), "{name} lost");
        assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))), "{name} lost");
        c.assert_all(&["before", "meanwhile"]);
    }
}

#[test]
fn s24_what_makes_no_sense_is_refused_at_once() {
    let (mut c, leader, to, third) = three();
    c.doom("HeartbeatAck", Fate::Lose);
    ask(&mut c, leader, leader);
    ask(&mut c, leader, n(99));
    ask(&mut c, third, to);
    ask(&mut c, leader, to);
    ask(&mut c, leader, third);
    ask(&mut c, leader, to);
    let refused = [
        (leader, TransferEnd::NoSuccessor),
        (n(99), TransferEnd::NoSuccessor),
        (third, TransferEnd::UnderWay),
        (to, TransferEnd::UnderWay),
    ];
    assert_eq!(ends(&c, leader), refused);
    assert_eq!(ends(&c, third), [(to, TransferEnd::NotLeader)]);
    c.calm();
    c.run(c.timing.heartbeat * 2);
    assert_eq!(c.leader(), Some(to), "the one that was under way goes on");
    assert_eq!(ends(&c, leader)[4..], [(to, TransferEnd::Yielded)]);
}

/// Leadership goes round and round while everyone proposes; messages are lost now
/// and then. At the end every proposal has its one answer, and what was called
/// chosen is in the log exactly once.
#[test]
fn s24_a_stream_of_proposals_is_accounted_for() {
    let mut transfers = 0;
    for seed in 0..12 {
        let mut c = Cluster::new(3);
        c.elect();
        let mut rng = Rng::new(seed);
        let mut lost = Rng::new(seed ^ 77);
        if seed >= 4 {
            c.whim(move |_, _| if lost.below(40) == 0 { Fate::Lose } else { Fate::Deliver });
        }
        let mut made: Vec<(NodeId, ProposalId, String)> = Vec::new();
        for i in 0..200 {
            let at = n(1 + rng.below(3) as u16);
            let payload = format!("{seed}.{i}");
            made.push((at, c.propose(at, &payload), payload));
            if rng.below(6) == 0
                && let Some(leader) = c.leader()
            {
                ask(&mut c, leader, n(1 + rng.below(3) as u16));
            }
            match rng.below(3) {
                0 => c.run(Duration::from_millis(rng.below(20))),
                1 => c.settle(),
                _ => {}
            }
        }
        c.calm();
        c.run(c.timing.answer * 4);
        let ended = |id| ends(&c, id).iter().filter(|(_, e)| *e == TransferEnd::Yielded).count();
        transfers += (1..=3).map(|id| ended(n(id))).sum::<usize>();
        let log = c.payloads(n(1));
        for (at, p, payload) in &made {
            let times = log.iter().filter(|other| *other == payload).count();
            match c.outcome(*at, *p).expect("every proposal is answered") {
                Outcome::Chosen(_) => assert_eq!(times, 1, "seed {seed}: {payload}"),
                Outcome::Unknown => assert!(times <= 1, "seed {seed}: {payload} {times} times"),
                other => assert_eq!(times, 0, "seed {seed}: {payload} was answered {other:?}"),
            }
            // Nothing fails on a day without losses.
            let good = matches!(c.outcome(*at, *p), Some(Outcome::Chosen(_)));
            assert!(good || seed >= 4, "seed {seed}: {payload} {:?}", c.outcome(*at, *p));
        }
    }
    assert!(transfers > 100, "only {transfers} transfers: nothing was looked at");
}

fn told_to(c: &mut Cluster, to: NodeId) -> Vec<Envelope> {
    c.held.iter().filter(|(id, _)| *id == to).map(|(_, e)| e.clone()).collect()
}

/// It comes again when it was given up, and when others have led: no campaign.
#[test]
fn s24_a_stale_word_of_a_leader_starts_no_election() {
    let (mut c, leader, to, _) = three();
    c.doom("Handover", Fate::Hold);
    ask(&mut c, leader, to);
    c.run(c.timing.patience + c.timing.heartbeat * 2);
    assert_eq!(ends(&c, leader), [(to, TransferEnd::GivenUp)]);
    let stale = told_to(&mut c, to);
    assert!(!stale.is_empty());
    c.calm();
    let ballot = c.replica(leader).own_ballot();
    for envelope in &stale {
        c.step(to, Input::Received(envelope.clone()));
        assert_eq!(c.replica(to).standing(), Standing::Follower, "it was given up");
    }
    c.settle();
    assert_eq!(c.replica(leader).own_ballot(), ballot);
    // The same again after another has led, to each as what it is then.
    c.elect_this(to);
    c.elect_this(leader);
    c.run(c.timing.heartbeat * 2);
    let ballots = |c: &Cluster| [1, 2, 3].map(|id| c.replica(n(id)).promised());
    let before = ballots(&c);
    for envelope in stale {
        c.step(to, Input::Received(envelope));
    }
    c.settle();
    assert_eq!(ballots(&c), before);
}

/// n2 follows `ballot` and hears `message`; says what it does then.
fn hears(ballot: Ballot, message: impl Into<Message>) -> Standing {
    let mut c = Cluster::alone(3);
    c.tell(n(1), n(2), Heartbeat { ballot, beat: 7, chosen: Slot(1), settled: true });
    c.tell(n(1), n(2), message);
    c.replica(n(1)).standing()
}

#[test]
fn a_handover_is_obeyed_at_exactly_the_ballot_that_is_followed() {
    let handover = |ballot, beat| Handover { ballot, beat, chosen: Slot(1) };
    assert_eq!(hears(b(5, 2), handover(b(5, 2), 7)), Standing::Candidate);
    assert_eq!(hears(b(5, 2), handover(b(5, 2), 8)), Standing::Candidate);
    assert_eq!(hears(b(5, 2), handover(b(5, 2), 6)), Standing::Follower, "an older beat");
    assert_eq!(hears(b(5, 2), handover(b(4, 2), 7)), Standing::Follower);
    assert_eq!(hears(b(5, 2), handover(b(6, 2), 7)), Standing::Follower);
}

#[test]
fn only_the_leader_itself_may_make_way() {
    let mut c = Cluster::alone(3);
    c.tell(n(1), n(2), Heartbeat { ballot: b(5, 2), beat: 7, chosen: Slot(1), settled: true });
    c.tell(n(1), n(3), Handover { ballot: b(5, 2), beat: 7, chosen: Slot(1) });
    assert_eq!(c.replica(n(1)).standing(), Standing::Follower);
}
