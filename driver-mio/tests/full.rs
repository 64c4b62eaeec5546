//! Disks without room: small file systems of their own, which are filled to the last
//! byte. Writes are refused with a clear error, reads go on, whoever has room goes on,
//! and all is well again without a restart once there is room.

mod support;

use std::fs;

use driver_mio::resp::Reply;

use support::client::{Client, ask};
use support::node::{Cluster, Node};
use support::small_disk::Small;
use support::{PATIENCE, eventually};

/// Three nodes, each with a small disk; nothing where none can be had.
fn small_cluster() -> Option<(Cluster, Vec<Small>)> {
    let mut cluster = Cluster::new(3);
    let mut disks = Vec::new();
    for node in &mut cluster.nodes {
        disks.push(Small::mount_or_say(&node.data, "2m")?);
        // Small enough to be trimmed, and to run out of, within a test. Nothing is
        // trimmed while nobody asks: a full disk stays full.
        node.flags = ["--segment-bytes", "65536", "--answer-ms", "1000"].map(Into::into).into();
        node.start();
    }
    cluster.nodes.iter().for_each(Node::await_service);
    Some((cluster, disks))
}

/// Writes until the node says that its disk is full, or `enough` values are written; says
/// how many were acknowledged.
fn write(node: &Node, name: &str, enough: usize) -> usize {
    let mut client = Client::connect(node.client, PATIENCE).expect("connects");
    let value = "v".repeat(4000);
    let mut written = 0;
    let mut tries = 0;
    while written < enough {
        match client.call(&["SET", &format!("{name}{written}"), &value]).expect("answers") {
            Reply::Error(line) if line.starts_with(b"BUSY the disk") => return written,
            // Somebody else is about to lead.
            Reply::Error(_) => tries += 1,
            _ => written += 1,
        }
        assert!(tries < 1000, "no write goes through");
    }
    written
}

/// Every value that was acknowledged is there, at this node.
fn check(node: &Node, name: &str, count: usize) {
    let mut client = Client::connect(node.client, PATIENCE).expect("connects");
    let value = Reply::bulk("v".repeat(4000));
    for n in 0..count {
        let key = format!("{name}{n}");
        eventually("a read", || match client.call(&["GET", &key]).expect("answers") {
            Reply::Error(_) => None,
            found => {
                assert_eq!(found, value, "{key}");
                Some(())
            }
        });
    }
}

fn place_of_leader(cluster: &Cluster) -> usize {
    eventually("all follow one leader", || {
        let named: Vec<_> = cluster.nodes.iter().map(|node| node.count("leader_id")).collect();
        let first = named[0]?;
        named.iter().all(|id| *id == Some(first)).then_some(first as usize - 1)
    })
}

fn await_full(node: &Node, full: u64) {
    eventually("it notices", || (node.count("disk_full")? == full).then_some(()));
}

#[test]
fn a_follower_without_room_refuses_writes_and_the_others_go_on() {
    let Some((cluster, disks)) = small_cluster() else { return };
    let leader = place_of_leader(&cluster);
    let full = (leader + 1) % 3;
    disks[full].fill();
    let before = write(&cluster.nodes[leader], "a", 60);
    assert_eq!(before, 60, "two of three have room");
    await_full(&cluster.nodes[full], 1);
    let refused = ask(cluster.nodes[full].client, &["SET", "x", "y"]).expect_err("no room");
    assert!(refused.to_string().starts_with("BUSY the disk of this node is full"), "{refused}");
    check(&cluster.nodes[full], "a", before);
    disks[full].empty();
    await_full(&cluster.nodes[full], 0);
    assert_eq!(write(&cluster.nodes[full], "b", 5), 5, "without a restart");
    let log = cluster.nodes[full].log();
    assert!(log.contains("the disk is full") && log.contains("has room again"), "{log}");
}

#[test]
fn a_leader_without_room_makes_way_to_somebody_who_has_some() {
    let Some((mut cluster, disks)) = small_cluster() else { return };
    let old = place_of_leader(&cluster);
    disks[old].fill();
    let written = write(&cluster.nodes[old], "a", 60);
    let new = eventually("somebody else leads", || {
        let place = place_of_leader(&cluster);
        (place != old).then_some(place)
    });
    assert_eq!(write(&cluster.nodes[new], "b", 40), 40);
    check(&cluster.nodes[old], "a", written);
    // It may go at any moment: what it has acknowledged is on other disks, or on its own.
    cluster.nodes[old].kill();
    check(&cluster.nodes[new], "a", written);
    check(&cluster.nodes[new], "b", 40);
    disks[old].empty();
    cluster.nodes[old].start();
    cluster.nodes[old].await_service();
    check(&cluster.nodes[old], "b", 40);
}

#[test]
fn nobody_has_room_and_nothing_is_lost() {
    let Some((mut cluster, disks)) = small_cluster() else { return };
    disks.iter().for_each(Small::fill);
    let mut written = Vec::new();
    for node in &cluster.nodes {
        written.push(write(node, &format!("n{}-", node.id), 200));
        await_full(node, 1);
    }
    assert!(written.iter().sum::<usize>() < 200, "{written:?}: some room was left");
    for node in &cluster.nodes {
        let refused = ask(node.client, &["SET", "x", "y"]).expect_err("no room");
        assert!(refused.to_string().starts_with("BUSY the disk of this node is full"));
        check(node, &format!("n{}-", node.id), written[usize::from(node.id) - 1]);
    }
    // A checkpoint finds no room either. That is told, and costs nothing.
    let node = &cluster.nodes[0];
    _ = ask(node.client, &["PAXOS", "CHECKPOINT"]);
    eventually("the journal knows", || {
        node.log().contains("cannot write an image of the state").then_some(())
    });

    disks.iter().for_each(Small::empty);
    cluster.nodes.iter().for_each(|node| await_full(node, 0));
    for node in &cluster.nodes {
        assert_eq!(write(node, &format!("later{}-", node.id), 5), 5);
    }
    cluster.nodes.iter_mut().for_each(Node::kill);
    cluster.nodes.iter_mut().for_each(Node::start);
    for node in &cluster.nodes {
        node.await_service();
        for (other, count) in (1..).zip(&written) {
            check(node, &format!("n{other}-"), *count);
        }
    }
}

#[test]
fn a_node_that_cannot_begin_for_want_of_room_says_so() {
    let Some((mut cluster, disks)) = small_cluster() else { return };
    cluster.nodes[0].kill();
    for entry in fs::read_dir(&cluster.nodes[0].data).expect("listed").flatten() {
        fs::remove_file(entry.path()).expect("removed");
    }
    disks[0].fill();
    let output = cluster.nodes[0].run();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
}
