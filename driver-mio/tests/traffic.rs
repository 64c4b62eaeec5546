//! What clients may expect of a cluster when nothing goes wrong, or only a little.

mod support;

use std::time::Duration;

use driver_mio::resp::Reply;

use support::client::{Client, ask};
use support::node::{Cluster, Node};
use support::{PATIENCE, eventually};

#[test]
fn a_pipeline_is_answered_in_order_at_the_leader_and_at_followers() {
    let cluster = Cluster::start(3);
    let mut next = 1;
    for node in &cluster.nodes {
        let mut client = Client::connect(node.client, PATIENCE).expect("connects");
        for _ in 0..3000 {
            client.send(&["INCR", "n"]).expect("writes");
        }
        client.send(&["GET", "n"]).expect("writes");
        for _ in 0..3000 {
            assert_eq!(client.receive().expect("answers"), Reply::Integer(next));
            next += 1;
        }
        let last = (next - 1).to_string();
        assert_eq!(client.receive().expect("answers"), Reply::bulk(last), "a read behind writes");
    }
}

#[test]
fn large_values_and_transactions_go_through_every_node() {
    let cluster = Cluster::start(3);
    for (node, letter) in cluster.nodes.iter().zip(["a", "b", "c"]) {
        let value = letter.repeat(1 << 20);
        let ok = Reply::Simple("OK".into());
        let mut client = Client::connect(node.client, PATIENCE).expect("connects");
        let pairs = ["MSET", "1", &value, "2", &value, "3", &value];
        assert_eq!(client.call(&pairs).expect("answers"), ok);
        for words in [&["MULTI"][..], &["SET", "4", &value], &["STRLEN", "4"], &["EXEC"]] {
            client.send(words).expect("writes");
        }
        let answers: Vec<Reply> = (0..4).map(|_| client.receive().expect("answers")).collect();
        assert_eq!(answers[3], Reply::Array(vec![ok, Reply::Integer(1 << 20)]));
        for reader in &cluster.nodes {
            let values = ask(reader.client, &["MGET", "1", "2", "3", "4"]).expect("answers");
            assert_eq!(values, Reply::Array(vec![Reply::bulk(value.clone()); 4]));
        }
    }
}

#[test]
fn a_key_expires_on_all_nodes_although_nobody_touches_it() {
    let cluster = Cluster::start(3);
    ask(cluster.nodes[0].client, &["SET", "k", "v", "PX", "300"]).expect("answers");
    let keys = |node: &Node| node.info().map(|info| info.contains_key("db0"));
    eventually("all nodes have the key", || {
        cluster.nodes.iter().all(|node| keys(node) == Some(true)).then_some(())
    });
    // `INFO` counts the keys that are there, expired or not, and lets no time pass.
    eventually("no node has it any more", || {
        cluster.nodes.iter().all(|node| keys(node) == Some(false)).then_some(())
    });
}

#[test]
fn a_peer_that_stands_still_costs_a_bounded_buffer_and_catches_up_afterwards() {
    let cluster = Cluster::start(3);
    let leader = eventually("a leader is known", || cluster.nodes[0].count("leader_id"));
    let (stopped, running): (Vec<&Node>, Vec<&Node>) =
        cluster.nodes.iter().partition(|node| u64::from(node.id) == leader % 3 + 1);
    let [stopped] = stopped[..] else { panic!("one node") };
    stopped.signal("STOP");
    let mut client = Client::connect(running[0].client, PATIENCE).expect("connects");
    let value = "v".repeat(1 << 20);
    let dropped =
        |nodes: &[&Node]| nodes.iter().filter_map(|n| n.count("peer_bytes_dropped")).sum();
    let before: u64 = dropped(&running);
    let mut written = 0;
    while dropped(&running) == before {
        assert!(written < 300, "300 MiB do not fit into a buffer of 64 MiB");
        client.call(&["SET", &format!("k{}", written % 10), &value]).expect("answers");
        written += 1;
    }
    stopped.signal("CONT");
    eventually("it catches up", || {
        let slot = |node: &Node| node.count("delivered_slot");
        (slot(stopped)? >= slot(running[0])?).then_some(())
    });
    let mut reader = Client::connect(stopped.client, Duration::from_secs(5)).expect("connects");
    reader.call(&["READONLY"]).expect("answers");
    assert_eq!(reader.call(&["GET", "k0"]).expect("answers"), Reply::bulk(value));
}
