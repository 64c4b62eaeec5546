//! Random weather over groups with witnesses that come and go: no slot holds two values,
//! nothing that was chosen is lost with one node, and a quiet witness has forgotten all.

mod common;

use std::time::Duration;

use common::weather::Weather;
use common::{Cluster, SECOND, n};
use paxos_core::effect::Outcome;
use paxos_core::types::{NodeId, Rng};

const NODES: u16 = 5;

/// Any members from any, as long as a main is among them.
fn change(c: &mut Cluster, rng: &mut Rng) {
    let Some(leader) = c.leader() else { return };
    let main = n(1 + rng.below(u64::from(NODES)) as u16);
    let mut draw = |odds: u64| -> Vec<NodeId> {
        (1..=NODES).map(n).filter(|id| *id != main && rng.below(odds) == 0).collect()
    };
    let witnesses = draw(3);
    let mut voters = draw(2);
    voters.extend(witnesses.iter().chain([&main]));
    let learners: Vec<NodeId> = draw(4).into_iter().filter(|id| !voters.contains(id)).collect();
    let next = c.newest(leader).succeeded_by(voters, learners).with_witnesses(witnesses);
    c.propose_members(leader, next);
}

/// How many changes were taken.
fn weather(seed: u64) -> u64 {
    let mut weather = Weather::new(seed, NODES);
    let window = weather.one_of(&[1, 2, 5, 40]);
    let (mains, witnesses) = weather.one_of(&[(2, 1), (1, 2), (3, 2), (4, 1), (2, 2)]);
    let mut c = Cluster::witnessed(mains, witnesses, window);
    if weather.rng.below(2) == 0 {
        c.limits.checkpoint_slots = 7;
        c.limits.keep_slots = weather.rng.below(4);
    }
    if weather.rng.below(3) == 0 {
        c.limits.window_slots = 8;
        c.limits.ahead_slots_max = 16;
    }
    for id in 1..=NODES {
        if id > mains + witnesses { c.join(n(id)) } else { c.restart_with(n(id), Vec::new()) }
    }
    let changes = weather.rng.below(2) == 0;
    weather.rage(&mut c, |c, rng, at, _| {
        let changes = changes && at == 10;
        if changes {
            change(c, rng);
        }
        changes
    });
    let leader = weather.clear(&mut c);
    let membership = c.newest(leader);
    let all = c.payloads(leader);
    for id in membership.mains().or(membership.learners()).iter() {
        assert_eq!(c.payloads(id), all, "seed {seed}: {id}");
        assert_eq!(c.newest(id), membership, "seed {seed}: {id}");
    }
    for id in membership.witnesses().iter() {
        let log = c.replica(id).log();
        assert_eq!(log.floor(), c.replica(leader).chosen(), "seed {seed}: {id} keeps something");
    }
    membership.version()
}

#[test]
fn witnesses_come_and_go_in_any_weather() {
    let changes: u64 = (0..400).map(weather).sum();
    assert!(changes > 500, "only {changes} changes");
}

/// With the last known state of all but one node lost for good, a group that any one may
/// leave goes on and has lost nothing that was answered.
#[test]
fn w18_any_one_of_two_mains_and_a_witness_may_be_lost_at_any_time() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let mut c = Cluster::witnessed(2, 1, 4);
        c.limits.checkpoint_slots = 5 + rng.below(20);
        c.limits.keep_slots = rng.below(4);
        for id in 1..=3 {
            c.restart_with(n(id), Vec::new());
        }
        c.elect();
        c.run(SECOND);
        let mut told = Vec::new();
        let mut asked = Vec::new();
        // One is away at a time, and is let come back until it knows all.
        for round in 0..6 {
            let away = n(1 + rng.below(3) as u16);
            c.crash(away);
            for i in 0..10 {
                let at = n(1 + rng.below(2) as u16);
                if c.host(at).up {
                    let payload = format!("{round}.{i}");
                    asked.push((at, c.propose(at, &payload), payload));
                }
                c.run(Duration::from_millis(rng.below(300)));
            }
            c.restart(away);
            c.run(SECOND * 3);
            asked.retain(|(at, p, payload)| match c.outcome(*at, *p) {
                Some(Outcome::Chosen(_)) => {
                    told.push(payload.clone());
                    false
                }
                _ => c.host(*at).up,
            });
        }
        // The power fails everywhere, and one never comes back.
        let gone = n(1 + rng.below(3) as u16);
        for id in 1..=3 {
            c.crash(n(id));
        }
        for id in (1..=3).map(n).filter(|id| *id != gone) {
            c.restart(id);
        }
        let leader = c.elect();
        assert!(c.is_chosen(leader, "on"), "seed {seed}");
        c.run(SECOND * 2);
        let has = c.payloads(leader);
        for payload in &told {
            assert!(has.contains(payload), "seed {seed}: {payload} is lost with {gone}");
        }
        assert!(told.len() > 20, "seed {seed}: only {} writes", told.len());
    }
}
