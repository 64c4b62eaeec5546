//! What a node must live through in years of service: its log is trimmed, its state
//! written out, and whoever was away for long is brought level.

mod support;

use std::fs;
use std::path::PathBuf;

use driver_mio::resp::Reply;

use support::client::{Client, ask};
use support::node::{Cluster, Node};
use support::{PATIENCE, eventually};

/// Small enough that a second's work is checkpointed, trimmed and deleted.
const SMALL: &[&str] =
    &["--checkpoint-slots", "200", "--checkpoint-bytes", "100000", "--segment-bytes", "65536"];

fn small_cluster(size: u16) -> Cluster {
    let mut cluster = Cluster::new(size);
    cluster.nodes.iter_mut().for_each(|node| {
        node.flags = SMALL.iter().map(|flag| (*flag).into()).collect();
        node.start();
    });
    cluster.nodes.iter().for_each(Node::await_service);
    cluster
}

/// Writes `count` values of 1000 bytes over and over into a few keys.
fn overwrite(node: &Node, count: u64) {
    let mut client = Client::connect(node.client, PATIENCE).expect("connects");
    for first in (0..count).step_by(50) {
        let batch = first..count.min(first + 50);
        for n in batch.clone() {
            let value = format!("{n:01000}");
            client.send(&["SET", &format!("key {}", n % 20), &value]).expect("writes");
        }
        for _ in batch {
            assert_eq!(client.receive().expect("answers"), Reply::Simple("OK".into()));
        }
    }
}

fn files(node: &Node, end: &str) -> Vec<PathBuf> {
    let names = fs::read_dir(&node.data).expect("listed").map(|entry| entry.expect("one").path());
    let mut files: Vec<_> = names.filter(|path| path.to_string_lossy().ends_with(end)).collect();
    files.sort();
    files
}

fn disk_bytes(node: &Node) -> u64 {
    let bytes = |path: &PathBuf| fs::metadata(path).map_or(0, |file| file.len());
    files(node, "").iter().map(bytes).sum()
}

/// Waits until all nodes have the same keys, values and delivered slots.
fn await_level(nodes: &[&Node]) {
    eventually("all nodes are level", || {
        let states: Vec<_> = nodes.iter().map(|node| node.state()).collect::<Option<_>>()?;
        let slots: Vec<_> = nodes.iter().map(|node| node.count("delivered_slot")).collect();
        let level = |all: &[Option<u64>]| all.windows(2).all(|two| two[0] == two[1]);
        (states.windows(2).all(|two| two[0] == two[1]) && level(&slots)).then_some(())
    });
}

#[test]
fn the_disk_stays_bounded_however_much_is_written() {
    let cluster = small_cluster(3);
    for round in 0..8 {
        overwrite(&cluster.nodes[round % 3], 500);
    }
    // 4 MB of values; a checkpoint every 100 kB, and 100 kB are kept for stragglers. A
    // disk that is slow just now is behind with it, and not for long.
    for node in &cluster.nodes {
        eventually("the disk is small", || (disk_bytes(node) < 1_500_000).then_some(()));
        eventually("the newest checkpoint is of late", || {
            (node.count("checkpoint_slot")? > 3000 && node.count("log_floor")? > 2000).then_some(())
        });
        eventually("few segments are left", || (node.count("log_segments")? < 12).then_some(()));
        assert!(files(node, ".img").len() <= 2 + 1, "one may be on its way out");
    }
}

#[test]
fn a_restart_goes_on_from_the_checkpoint() {
    let mut cluster = small_cluster(3);
    overwrite(&cluster.nodes[0], 1000);
    let once = ["PAXOS", "ONCE", "client", "1", "INCR", "n"];
    assert_eq!(ask(cluster.nodes[0].client, &once).expect("answers"), Reply::Integer(1));
    await_level(&cluster.nodes.iter().collect::<Vec<_>>());
    for node in &cluster.nodes {
        let Reply::Integer(below) = ask(node.client, &["PAXOS", "CHECKPOINT"]).expect("answers")
        else {
            panic!("a slot")
        };
        assert!(below > 1000, "all that was delivered before: {below}");
        assert_eq!(node.count("checkpoint_slot"), Some(below as u64));
    }
    cluster.nodes.iter_mut().for_each(Node::kill);
    cluster.nodes.iter_mut().for_each(Node::start);
    cluster.nodes.iter().for_each(Node::await_service);
    for node in &cluster.nodes {
        assert!(node.log().contains("goes on from its checkpoint of all below"));
        // The sessions are as much part of the image as the keys.
        assert_eq!(ask(node.client, &once).expect("answers"), Reply::Integer(1));
    }
    let value = Reply::bulk(format!("{:01000}", 999));
    assert_eq!(ask(cluster.nodes[1].client, &["GET", "key 19"]).expect("answers"), value);
    await_level(&cluster.nodes.iter().collect::<Vec<_>>());
}

#[test]
fn a_node_that_was_away_for_long_is_level_by_an_image() {
    let mut cluster = small_cluster(3);
    overwrite(&cluster.nodes[0], 10);
    cluster.nodes[2].kill();
    overwrite(&cluster.nodes[0], 2000);
    let floor = cluster.nodes[0].count("log_floor").expect("answers");
    assert!(floor > 100, "the others cannot tell it slot by slot");
    cluster.nodes[2].start();
    let nodes: Vec<&Node> = cluster.nodes.iter().collect();
    await_level(&nodes);
    assert!(nodes[2].log().contains("goes on from a peer's checkpoint"), "{}", nodes[2].log());
    // And it is as good as the others: it goes on alone with one of them.
    cluster.nodes[0].kill();
    overwrite(&cluster.nodes[2], 50);
}

#[test]
fn a_kill_while_an_image_is_written_or_installed_costs_nothing() {
    let mut cluster = small_cluster(3);
    for round in 0..6 {
        // It is killed while it writes images, or while it catches up by one.
        overwrite(&cluster.nodes[0], 700);
        cluster.nodes[2].kill();
        if round % 2 == 0 {
            overwrite(&cluster.nodes[1], 900);
        }
        cluster.nodes[2].start();
        if round % 3 == 0 {
            cluster.nodes[2].kill();
            cluster.nodes[2].start();
        }
    }
    await_level(&cluster.nodes.iter().collect::<Vec<_>>());
    cluster.nodes[2].kill();
    let unfinished = files(&cluster.nodes[2], ".tmp").len();
    cluster.nodes[2].start();
    cluster.nodes[2].await_service();
    assert!(unfinished <= 1);
    assert_eq!(cluster.nodes[2].log().matches("damaged").count(), 0, "{}", cluster.nodes[2].log());
}

#[test]
fn a_flipped_byte_in_an_image_is_told_and_the_node_is_level_again() {
    let mut cluster = small_cluster(3);
    overwrite(&cluster.nodes[0], 1000);
    cluster.nodes[2].kill();
    let images = files(&cluster.nodes[2], ".img");
    for path in &images {
        let mut bytes = fs::read(path).expect("read");
        let at = 4096 + (bytes.len() - 4096) / 2;
        bytes[at] ^= 1;
        fs::write(path, bytes).expect("written");
    }
    overwrite(&cluster.nodes[0], 500);
    cluster.nodes[2].start();
    await_level(&cluster.nodes.iter().collect::<Vec<_>>());
    let log = cluster.nodes[2].log();
    let told = log.lines().filter(|line| line.contains("is damaged: rotten around byte")).count();
    assert_eq!(told, images.len(), "one line an image: {log}");
    assert_eq!(cluster.nodes[2].count("checkpoints_damaged"), Some(images.len() as u64));
}
