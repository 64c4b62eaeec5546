//! Random weather over small clusters with bounds as small as they go: afterwards
//! everything that was asked is answered, and all replicas are equal.

mod common;

use std::time::Duration;

use common::{Cluster, Fate, SECOND, n};
use paxos_core::effect::{Input, Outcome};
use paxos_core::quorum::Membership;
use paxos_core::types::{Limits, NodeId, ProposalId, QueryId, Rng};

/// Every bound at its smallest, or at its usual value, as the coin falls.
fn bounds(rng: &mut Rng) -> Limits {
    let usual = Limits::default();
    let mut coin = |small: usize, usual: usize| if rng.below(2) == 0 { small } else { usual };
    let window_slots = coin(1, usual.window_slots);
    Limits {
        window_slots,
        window_bytes: coin(1, usual.window_bytes),
        waiting_max: coin(1, usual.waiting_max),
        waiting_bytes_max: coin(20, usual.waiting_bytes_max),
        run_slots_max: coin(1, usual.run_slots_max),
        run_bytes_max: coin(1, usual.run_bytes_max),
        ahead_slots_max: coin(window_slots, usual.ahead_slots_max),
        deliver_slots_max: coin(1, usual.deliver_slots_max),
        held_pledges_max: coin(1, usual.held_pledges_max),
        reads_max: coin(1, usual.reads_max),
        forwarded_max: coin(1, usual.forwarded_max),
        hops_max: coin(0, 3) as u8,
        ..usual
    }
}

/// What clients have asked, where, and in which life of the node.
#[derive(Default)]
struct Asked {
    proposals: Vec<(NodeId, u64, ProposalId)>,
    queries: Vec<(NodeId, u64, QueryId)>,
}

/// One thing that happens to `id`.
fn happen(c: &mut Cluster, rng: &mut Rng, id: NodeId, asked: &mut Asked) {
    let other = n(1 + rng.below(c.hosts.len() as u64) as u16);
    let life = c.host(id).life;
    match rng.below(20) {
        0 if c.host(id).up => c.crash(id),
        0..=3 if !c.host(id).up => c.restart(id),
        1 => c.release_backwards(),
        2 => c.release(),
        3 => drop(c.cut.insert((id, other))),
        4 | 5 => drop(c.cut.pop_first()),
        6 => drop(c.stuck.insert(id)),
        7 | 8 => drop(c.stuck.pop_first()),
        9 => c.sync_takes = Duration::from_millis(rng.below(3) * 40),
        10 => drop(c.step(id, Input::PeerDown(other))),
        11 => drop(c.step(id, Input::PeerUp(other))),
        12..=14 if c.host(id).up => asked.queries.push((id, life, c.query(id))),
        _ if c.host(id).up => {
            let payload = format!("{}", asked.proposals.len());
            asked.proposals.push((id, life, c.propose(id, &payload)));
        }
        _ => {}
    }
}

fn weather(seed: u64) -> (usize, usize) {
    let mut rng = Rng::new(seed);
    let nodes = [1, 2, 3, 3, 4, 5][rng.below(6) as usize];
    let limits = bounds(&mut rng);
    let everyone = (1..=nodes).map(NodeId);
    let accept = 1 + rng.below(u64::from(nodes)) as u8;
    let membership = match rng.below(2) {
        0 => Membership::majority(everyone),
        _ => Membership::flexible(everyone, nodes as u8 + 1 - accept, accept),
    };
    let mut c = Cluster::with(membership, limits);
    let mut whims = Rng::new(seed ^ 0x5EED);
    c.whim(move |_, _| match whims.below(12) {
        0 => Fate::Lose,
        1 => Fate::Hold,
        2 => Fate::Twice,
        _ => Fate::Deliver,
    });
    let mut asked = Asked::default();
    for _ in 0..150 {
        let id = n(1 + rng.below(u64::from(nodes)) as u16);
        happen(&mut c, &mut rng, id, &mut asked);
        c.run(Duration::from_millis(rng.below(60)));
    }
    calm_down(&mut c);
    let answered = check(&c, seed, &asked);
    let leader = c.leader().unwrap_or_else(|| panic!("seed {seed}: nobody leads"));
    let p = c.propose(leader, "fresh");
    let q = c.query(leader);
    c.run(SECOND * 3);
    assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))), "seed {seed}");
    assert!(c.host(leader).served[&q].is_some(), "seed {seed}");
    let all = c.payloads(leader);
    for id in c.hosts.keys() {
        assert_eq!(c.payloads(*id), all, "seed {seed}: {id}");
        assert_eq!(c.replica(*id).unanswered(), 0, "seed {seed}: {id}");
    }
    answered
}

fn calm_down(c: &mut Cluster) {
    c.heal();
    c.stuck.clear();
    c.release();
    c.sync_takes = Duration::ZERO;
    let down: Vec<NodeId> = c.hosts.iter().filter(|(_, h)| !h.up).map(|(id, _)| *id).collect();
    for id in down {
        c.restart(id);
    }
    c.run(SECOND * 20);
}

/// Everything asked of a life that still goes on is answered. How many proposals
/// were chosen, and how many reads served?
fn check(c: &Cluster, seed: u64, asked: &Asked) -> (usize, usize) {
    let (mut chosen, mut served) = (0, 0);
    for (id, life, p) in &asked.proposals {
        let outcome = c.outcome(*id, *p);
        assert!(outcome.is_some() || c.host(*id).life != *life, "seed {seed}: {p} at {id}");
        chosen += usize::from(matches!(outcome, Some(Outcome::Chosen(_))));
    }
    for (id, life, q) in &asked.queries {
        let answer = c.host(*id).served.get(q);
        assert!(answer.is_some() || c.host(*id).life != *life, "seed {seed}: {q} at {id}");
        served += usize::from(matches!(answer, Some(Some(_))));
    }
    (chosen, served)
}

#[test]
fn s31_after_any_weather_everything_is_answered_and_equal() {
    let (mut chosen, mut served) = (0, 0);
    for seed in 0..150 {
        let (c, s) = weather(seed);
        chosen += c;
        served += s;
    }
    assert!(chosen > 500 && served > 200, "only {chosen} chosen and {served} served");
}
