//! A node that comes back on an older copy of its disk (a backup, a snapshot of its
//! machine) has forgotten what it has promised since. Its peers have not.

mod support;

use std::fs;
use std::path::Path;

use driver_mio::resp::Reply;

use support::client::{Client, ask};
use support::node::{Cluster, Node};
use support::{PATIENCE, eventually};

fn write(node: &Node, name: &str, count: usize) {
    let mut client = Client::connect(node.client, PATIENCE).expect("connects");
    for n in 0..count {
        let key = format!("{name}{n}");
        eventually("a write", || match client.call(&["SET", &key, &key]).expect("answers") {
            Reply::Error(_) => None,
            _ => Some(()),
        });
    }
}

fn check(node: &Node, name: &str, count: usize) {
    for n in 0..count {
        let key = format!("{name}{n}");
        let found = eventually("a read", || ask(node.client, &["GET", &key]).ok());
        assert_eq!(found, Reply::bulk(key));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new directory");
    for entry in fs::read_dir(from).expect("listed").flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// Kills the last node, and gives it its directory of a life before.
fn put_older_copy_back(cluster: &mut Cluster) {
    let backup = cluster.dir().join("backup");
    let node = &mut cluster.nodes[2];
    node.kill();
    copy(&node.data, &backup);
    node.start();
    node.await_service();
    write(&cluster.nodes[0], "b", 20);
    let node = &mut cluster.nodes[2];
    check(node, "b", 20);
    node.kill();
    fs::remove_dir_all(&node.data).expect("removed");
    fs::rename(&backup, &node.data).expect("renamed");
}

/// The last node runs again, has noticed, and is as good a voter as any.
fn check_it_rejoins(cluster: &mut Cluster) {
    let node = &cluster.nodes[2];
    eventually("it notices", || {
        node.log().contains("this is an older copy of this node's disk").then_some(())
    });
    eventually("it puts its log aside", || {
        node.log().contains("has put its log into").then_some(())
    });
    node.await_service();
    eventually("its new disk is taken up", || {
        let versions: Vec<_> = cluster.nodes.iter().map(|n| n.count("members_version")).collect();
        versions.iter().all(|version| version.is_some_and(|v| v >= 1)).then_some(())
    });
    for node in &cluster.nodes {
        eventually("what it is bound for begins", || {
            (node.count("chosen_slot")? >= node.count("members_slot")?).then_some(())
        });
    }
    let node = &cluster.nodes[2];
    for (field, value) in [("log_outdated", 1), ("logs_set_aside", 1), ("log_damaged", 0)] {
        assert_eq!(node.count(field), Some(value), "{field}");
    }
    eventually("it votes again", || (node.count("disk_votes")? == 1).then_some(()));
    check(node, "a", 20);
    check(node, "b", 20);
    // With one of the others away, its vote is needed.
    cluster.nodes[0].kill();
    write(&cluster.nodes[2], "c", 5);
    cluster.nodes[0].start();
    cluster.nodes[0].await_service();
    check(&cluster.nodes[0], "c", 5);
}

#[test]
fn an_older_copy_of_a_disk_is_noticed_and_its_node_joins_anew() {
    let mut cluster = Cluster::start(3);
    write(&cluster.nodes[0], "a", 20);
    put_older_copy_back(&mut cluster);
    cluster.nodes[2].start();
    check_it_rejoins(&mut cluster);
}

#[test]
fn an_older_copy_is_noticed_by_peers_that_have_started_again_since() {
    let mut cluster = Cluster::start(3);
    write(&cluster.nodes[0], "a", 20);
    put_older_copy_back(&mut cluster);
    for place in [0, 1] {
        cluster.nodes[place].kill();
    }
    cluster.nodes.iter_mut().for_each(Node::start);
    check_it_rejoins(&mut cluster);
}

#[test]
fn whoever_starts_again_on_its_own_disk_is_let_in() {
    let mut cluster = Cluster::start(3);
    for round in 0..4 {
        let place = round % 3;
        cluster.nodes[place].kill();
        // A start that nobody hears of is no life that anyone could miss.
        cluster.nodes[place].start();
        cluster.nodes[place].kill();
        cluster.nodes[place].start();
        cluster.nodes[place].await_service();
        eventually("it reaches both others", || {
            (cluster.nodes[place].count("peers_connected")? == 2).then_some(())
        });
    }
    for node in &cluster.nodes {
        assert!(!node.log().contains("ALARM"), "{}", node.log());
    }
}
