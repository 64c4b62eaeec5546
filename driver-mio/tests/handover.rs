//! A leader that is asked to make way, or to end, and clients that hardly notice.

mod support;

use std::time::{Duration, Instant};

use driver_mio::resp::Reply;

use support::client::{Client, ask};
use support::eventually;
use support::node::Cluster;

/// The place of the leader in `nodes`, as all of them see it.
fn leader(cluster: &Cluster) -> usize {
    eventually("all follow one leader", || {
        let seen = cluster.nodes.iter().map(|node| node.info()?.get("leader_id").cloned());
        let seen: Option<Vec<String>> = seen.collect();
        let seen = seen?;
        let id: u16 = seen[0].parse().ok()?;
        let agreed = seen.iter().all(|other| *other == seen[0]);
        agreed.then(|| cluster.nodes.iter().position(|node| node.id == id))?
    })
}

#[test]
fn a_leader_makes_way_when_it_is_told_to_and_others_say_who_leads() {
    let cluster = Cluster::start(3);
    let old = leader(&cluster);
    let next = (old + 1) % 3;
    let id = cluster.nodes[next].id.to_string();
    let refused = ask(cluster.nodes[next].client, &["PAXOS", "TRANSFER", &id]);
    let line = refused.expect_err("it does not lead").to_string();
    let (leads, peer) = (cluster.nodes[old].id, cluster.nodes[old].peer);
    assert_eq!(line, format!("NOTLEADER ask n{leads} (peers reach it at {peer}), which leads"));
    let own = cluster.nodes[old].id.to_string();
    assert!(ask(cluster.nodes[old].client, &["PAXOS", "TRANSFER", &own]).is_err());
    assert!(ask(cluster.nodes[old].client, &["PAXOS", "TRANSFER", "99"]).is_err());
    assert!(ask(cluster.nodes[old].client, &["PAXOS", "TRANSFER", "x"]).is_err());
    eventually("it makes way", || {
        let reply = ask(cluster.nodes[old].client, &["PAXOS", "TRANSFER", &id]).ok()?;
        (reply == Reply::Simple("OK".into())).then_some(())
    });
    eventually("the other leads", || (leader(&cluster) == next).then_some(()));
}

/// What was asked of it before the signal is answered, and the others elect nobody by
/// their patience: the new leader is there much sooner.
#[test]
fn a_leader_that_is_asked_to_end_hands_over_first() {
    let mut cluster = Cluster::start(3);
    let old = leader(&cluster);
    let other = cluster.nodes[(old + 1) % 3].client;
    let mut client = Client::connect(other, support::PATIENCE).expect("a follower");
    client.call(&["SET", "k", "0"]).expect("a write");
    cluster.nodes[old].signal("TERM");
    let asked_at = Instant::now();
    let status = cluster.nodes[old].wait();
    assert!(status.success(), "{status}");
    eventually("a write goes through", || match client.call(&["SET", "k", "1"]) {
        Ok(Reply::Error(_)) | Err(_) => None,
        Ok(_) => Some(()),
    });
    let log = cluster.nodes[old].log();
    assert!(log.contains("has made way for"), "{log}");
    assert!(asked_at.elapsed() < Duration::from_secs(10));
}
