//! Random networks in which most links are of no use: whatever the others hear of each other, a
//! quorum that one of its own reaches decides.

mod common;

use common::{Cluster, SECOND, n};
use paxos_core::Standing;
use paxos_core::types::{Lease, NodeId, Rng};

/// Leaves a star that works, of as few as can decide; of the other links, each direction by
/// itself, so many of ten. Gives its hub and those that are outside.
fn tangle(c: &mut Cluster, (nodes, witnesses): (u16, u16), rng: &mut Rng) -> (NodeId, Vec<NodeId>) {
    let mut all: Vec<NodeId> = (1..=nodes).map(n).collect();
    for at in (1..all.len()).rev() {
        all.swap(at, rng.below(at as u64 + 1) as usize);
    }
    // No witness leads.
    let main = all.iter().position(|id| id.0 <= nodes - witnesses);
    all.swap(0, main.unwrap_or_default());
    let quorum = usize::from(nodes) / 2 + 1;
    let (hub, links) = (all[0], rng.below(11));
    let is_spoke = |id: NodeId| all[1..quorum].contains(&id);
    for from in all.iter().copied() {
        for to in all.iter().copied().filter(|to| *to != from) {
            let works = (from == hub && is_spoke(to)) || (to == hub && is_spoke(from));
            if !works && rng.below(10) >= links {
                c.cut.insert((from, to));
            }
        }
    }
    (hub, all.split_off(quorum))
}

/// Whether a command is chosen at any of those that believe to lead.
fn decides(c: &mut Cluster, nodes: u16, payload: &str) -> bool {
    let leads = |c: &Cluster, id: NodeId| c.replica(id).standing() == Standing::Leader;
    (1..=nodes).map(n).any(|id| leads(c, id) && c.is_chosen(id, payload))
}

fn weather(seed: u64) {
    let mut rng = Rng::new(seed);
    let nodes = if rng.below(3) == 0 { 3 } else { 5 };
    let witnesses = if rng.below(4) == 0 { (nodes - 1) / 2 } else { 0 };
    let mut c = Cluster::witnessed(nodes - witnesses, witnesses, 8);
    if rng.below(3) == 0 {
        c.timing.lease = Some(Lease { duration: SECOND / 5, drift_ppm: 1000 });
    }
    for id in (1..=nodes).map(n) {
        if rng.below(3) == 0 {
            c.priorities.insert(id, 1 + rng.below(3) as u8);
        }
        c.restart(id);
    }
    let leader = c.elect();
    c.run(SECOND);
    c.write(leader.0, "before");
    let (hub, outside) = tangle(&mut c, (nodes, witnesses), &mut rng);
    for id in outside {
        match rng.below(4) {
            0 => c.wipe_and_join(id),
            1 => c.wipe(id),
            _ => {}
        }
    }
    for id in (1..=nodes).map(n) {
        if rng.below(6) == 0 {
            c.crash(id);
            c.restart(id);
        }
    }
    let works = (0..30).any(|_| {
        c.run(SECOND);
        decides(&mut c, nodes, "meanwhile")
    });
    assert!(works, "seed {seed}: nothing is decided around {hub}, cut {:?}", c.cut);
    // Nor does it stop again.
    c.run(SECOND * 5);
    assert!(decides(&mut c, nodes, "after"), "seed {seed}: nothing is decided any more");
}

#[test]
fn a_quorum_that_one_of_its_own_reaches_decides_in_any_tangle() {
    for seed in 0..400 {
        weather(seed);
    }
}
