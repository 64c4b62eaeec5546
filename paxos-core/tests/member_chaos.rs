//! Random weather over groups that change to any members from any, with disks that
//! are lost: no slot holds two values, and when it is over everything goes on.

mod common;

use common::weather::Weather;
use common::{Cluster, SECOND, n};
use paxos_core::types::{NodeId, Rng};

const NODES: u16 = 6;

/// Whether no disk is new to the group: one at a time may be lost, or what was
/// chosen is.
fn all_is_bound(c: &Cluster) -> bool {
    let Some(leader) = c.leader() else { return false };
    let membership = c.newest(leader);
    let knows = |id: &NodeId| c.host(*id).up && c.newest(*id) == membership && c.is_in_force(*id);
    let bound = |id: NodeId| membership.disk(id) == c.disk_names[&id];
    let voters = membership.voters();
    c.is_in_force(leader) && voters.iter().all(|id| knows(&id) && bound(id))
}

/// Any members from any, unless a disk is new to the group.
fn change(c: &mut Cluster, rng: &mut Rng, voters_min: usize) {
    let Some(leader) = c.leader() else { return };
    let membership = c.newest(leader);
    let fresh = |id: NodeId| ![0, c.disk_names[&id]].contains(&membership.disk(id));
    if membership.voters().iter().any(fresh) {
        return;
    }
    let mut voters: Vec<u16> = (1..=NODES).filter(|_| rng.below(2) == 0).collect();
    for id in 1..=NODES {
        if voters.len() < voters_min && !voters.contains(&id) {
            voters.push(id);
        }
    }
    let learners: Vec<u16> =
        (1..=NODES).filter(|id| !voters.contains(id) && rng.below(4) == 0).collect();
    c.change(leader, &voters, &learners);
}

/// How many changes were taken, and how many disks lost.
fn weather(seed: u64) -> (u64, u64) {
    let mut weather = Weather::new(seed, NODES);
    let window = weather.one_of(&[1, 2, 5, 40]);
    let mut c = Cluster::changing(3, window);
    if weather.rng.below(2) == 0 {
        c.limits.checkpoint_slots = 7;
        c.limits.keep_slots = 2;
    }
    for id in 1..=NODES {
        if id > 3 { c.join(n(id)) } else { c.restart(n(id)) }
    }
    // A lost disk counts from when the group's disks are bound.
    c.elect();
    c.run(SECOND);
    // Of two voters none may lose its disk.
    let voters_min = weather.one_of(&[1, 3]);
    weather.rage(&mut c, |c, rng, at, id| {
        match at {
            10..=12 => change(c, rng, voters_min),
            13 if voters_min >= 3 && all_is_bound(c) => {
                c.crash(id);
                c.wipe_and_join(id);
            }
            _ => return false,
        }
        true
    });
    let leader = weather.clear(&mut c);
    let membership = c.newest(leader);
    let all = c.payloads(leader);
    for id in membership.everyone().iter() {
        assert_eq!(c.payloads(id), all, "seed {seed}: {id}");
        assert_eq!(c.newest(id), membership, "seed {seed}: {id}");
    }
    let lost = c.disk_names.iter().map(|(id, disk)| disk - u64::from(id.0) * 100).sum();
    (membership.version(), lost)
}

#[test]
fn s70_any_members_follow_any_in_any_weather() {
    let (mut changes, mut lost) = (0, 0);
    for seed in 0..60 {
        let (version, disks) = weather(seed);
        changes += version;
        lost += disks;
    }
    assert!(changes > 300 && lost > 20, "only {changes} changes and {lost} lost disks");
}
