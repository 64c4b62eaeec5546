//! Every network that has a node with working links to a majority, with the other
//! links broken for ever: such a node must come to lead, or someone who does as
//! well, and stay.

mod common;

use std::time::Duration;

use common::{Cluster, SECOND, n};
use paxos_core::effect::Outcome;
use paxos_core::types::{NodeId, Rng};

/// The links that are broken, one way each.
type Broken = Vec<(NodeId, NodeId)>;

fn links(nodes: u16) -> Vec<(NodeId, NodeId)> {
    let pairs = (1..=nodes).flat_map(|a| (1..=nodes).map(move |b| (n(a), n(b))));
    pairs.filter(|(a, b)| a != b).collect()
}

/// The broken links that the bits of `mask` choose.
fn broken(nodes: u16, mask: u64) -> Broken {
    links(nodes)
        .into_iter()
        .enumerate()
        .filter(|(i, _)| mask >> i & 1 == 1)
        .map(|(_, l)| l)
        .collect()
}

/// Whether some node can talk, both ways, to enough others.
fn has_hub(nodes: u16, broken: &Broken) -> bool {
    (1..=nodes).any(|hub| {
        let works =
            |o: &u16| !broken.contains(&(n(hub), n(*o))) && !broken.contains(&(n(*o), n(hub)));
        (1..=nodes).filter(works).count() > usize::from(nodes) / 2
    })
}

/// Breaks links, under a leader or from the start, and asserts that values are
/// chosen, again and again, under one leadership.
fn settles(nodes: u16, mask: u64, led: bool) {
    let broken = broken(nodes, mask);
    let shown = format!("{nodes} nodes, mask {mask:#x}, led {led}: {broken:?}");
    let mut c = Cluster::new(nodes);
    if led {
        c.elect();
    }
    c.cut.extend(broken);
    c.run(SECOND * 20);
    let leader = c.leader().unwrap_or_else(|| panic!("nobody leads: {shown}"));
    let ballot = c.replica(leader).own_ballot();
    for i in 0..5 {
        let p = c.propose(leader, &format!("v{i}"));
        c.run(SECOND);
        assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))), "{shown}");
    }
    c.run(Duration::from_secs(10));
    assert_eq!(c.replica(leader).own_ballot(), ballot, "not stable: {shown}");
}

#[test]
fn s29_every_broken_network_of_three_with_a_hub_settles() {
    let mut tried = 0;
    for mask in (0..1 << 6).filter(|mask| has_hub(3, &broken(3, *mask))) {
        settles(3, mask, true);
        settles(3, mask, false);
        tried += 1;
    }
    assert_eq!(tried, 37);
}

#[test]
fn s29_many_broken_networks_of_five_with_a_hub_settle() {
    let mut rng = Rng::new(29);
    let mut tried = 0;
    while tried < 200 {
        // Half of the links, or a quarter of them, are broken.
        let mask = rng.next_u64() & if tried % 2 == 0 { u64::MAX } else { rng.next_u64() };
        let mask = mask & ((1 << 20) - 1);
        if has_hub(5, &broken(5, mask)) {
            settles(5, mask, tried % 3 != 0);
            tried += 1;
        }
    }
}
