//! Clusters of small images, and who has fallen behind what is trimmed.

use super::{Cluster, Fate, n};
use paxos_core::effect::Notice;
use paxos_core::quorum::Membership;
use paxos_core::types::{Limits, NodeId, Slot};

/// A checkpoint every four slots, nothing kept below it; images of ten pieces, of
/// which three may be under way.
pub fn small() -> Limits {
    Limits {
        checkpoint_slots: 4,
        keep_slots: 0,
        piece_bytes_max: 100,
        transfer_bytes: 300,
        ..Limits::default()
    }
}

pub fn cluster(nodes: u16) -> Cluster {
    Cluster::with(Membership::majority((1..=nodes).map(NodeId)), small())
}

pub fn choose(c: &mut Cluster, leader: NodeId, count: u64) {
    for i in 0..count {
        c.propose(leader, &format!("v{i}"));
        c.settle();
    }
    c.run(std::time::Duration::from_millis(200));
}

/// `nodes` nodes led by n1; the last ones have missed `count` slots, which the
/// others have trimmed.
pub fn left_behind(nodes: u16, behind: &[u16], count: u64) -> Cluster {
    let mut c = cluster(nodes);
    behind.iter().for_each(|id| c.isolate(n(*id)));
    c.elect_this(n(1));
    choose(&mut c, n(1), count);
    assert!(c.replica(n(1)).log().floor() > Slot::FIRST, "something is trimmed");
    c
}

/// Whether the two have delivered the same, and summed it up to the same.
pub fn assert_level(c: &Cluster, one: NodeId, other: NodeId) {
    assert_eq!(c.payloads(one), c.payloads(other));
    assert_eq!(c.replica(one).delivered(), c.replica(other).delivered());
    assert_eq!(c.replica(one).checksum(), c.replica(other).checksum());
    assert!(c.replica(one).checksum().is_some());
}

/// Lets half of an image come in at `id`; then no piece reaches it. Gives the donor.
pub fn half_an_image(c: &mut Cluster, id: NodeId) -> NodeId {
    let mut pieces = 5;
    c.whim(move |to, e| {
        if to != id || e.message.name() != "Piece" {
            return Fate::Deliver;
        }
        pieces -= 1;
        if pieces >= 0 { Fate::Deliver } else { Fate::Lose }
    });
    for _ in 0..200 {
        c.run(std::time::Duration::from_millis(5));
        if c.host(id).vault.aside.is_some_and(|(_, stored, _)| stored >= 500) {
            break;
        }
    }
    let donor = c.host(id).notices.iter().rev().find_map(|notice| match notice {
        Notice::Pulling { donor, .. } => Some(*donor),
        _ => None,
    });
    assert!(c.replica(id).is_pulling());
    donor.expect("someone gives")
}
