//! Nodes that come back with an empty disk, or with a log that has lost something.

mod support;

use std::fs;
use std::path::Path;

use driver_mio::resp::Reply;

use support::client::{Client, ask};
use support::node::{Cluster, Node};
use support::{PATIENCE, eventually};

/// Its promises are gone with its disk, so its name alone gives it no vote: the group
/// binds its voter to the new disk, and brings it level.
#[test]
fn a_node_whose_disk_was_emptied_comes_back_by_itself() {
    let mut cluster = Cluster::start(3);
    let leader = eventually("a leader", || cluster.nodes[0].count("leader_id"));
    let away = usize::from(leader == 1);
    let [writer, other] = match away {
        0 => [1, 2],
        _ => [0, 2],
    };
    let writer = cluster.nodes[writer].client;
    for n in 0..100 {
        ask(writer, &["SET", &format!("k{n}"), "v"]).expect("written");
    }
    let bound = cluster.nodes[2].count("members_version").expect("it runs");
    cluster.nodes[away].kill();
    fs::remove_dir_all(&cluster.nodes[away].data).expect("emptied");
    cluster.nodes[away].start();
    eventually("its new disk is bound", || {
        (cluster.nodes[away].count("members_version")? > bound).then_some(())
    });
    eventually("what it is bound for begins", || {
        let node = &cluster.nodes[away];
        (node.count("chosen_slot")? >= node.count("members_slot")?).then_some(())
    });
    // With another node away, it has to vote.
    cluster.nodes[other].kill();
    eventually("a write by two, one of them emptied", || ask(writer, &["SET", "last", "v"]).ok());
    let mut client = Client::connect(cluster.nodes[away].client, PATIENCE).expect("it serves");
    for n in 0..100 {
        let there = client.call(&["EXISTS", &format!("k{n}")]).expect("it serves");
        assert_eq!(there, Reply::Integer(1), "k{n}");
    }
}

/// A log that has lost something is put aside, and its node is a new voter until the
/// group takes it up.
#[test]
fn a_node_whose_log_is_damaged_comes_back_by_itself() {
    let mut cluster = Cluster::start(3);
    let leader = eventually("a leader", || cluster.nodes[0].count("leader_id"));
    let away = usize::from(leader == 1);
    let writer = cluster.nodes[(away + 1) % 3].client;
    for n in 0..100 {
        ask(writer, &["SET", &format!("k{n}"), "v"]).expect("written");
    }
    let bound = cluster.nodes[(away + 1) % 3].count("members_version").expect("it runs");
    cluster.nodes[away].kill();
    turn_a_bit(&cluster.nodes[away]);
    cluster.nodes[away].start();
    eventually("its new disk is bound and counts", || {
        let node = &cluster.nodes[away];
        let is_bound = node.count("members_version")? > bound;
        (is_bound && node.count("chosen_slot")? >= node.count("members_slot")?).then_some(())
    });
    let log = cluster.nodes[away].log();
    assert!(log.contains("ALARM") && log.contains("has put its log into"), "{log}");
    eventually("INFO says that it is healed", || says(&cluster.nodes[away], HEALED));
    eventually("and nothing of the others", || says(&cluster.nodes[(away + 1) % 3], SOUND));
    cluster.nodes[(away + 2) % 3].kill();
    eventually("a write by two, one of them new", || ask(writer, &["SET", "last", "v"]).ok());
    let mut client = Client::connect(cluster.nodes[away].client, PATIENCE).expect("it serves");
    for n in 0..100 {
        let there = client.call(&["EXISTS", &format!("k{n}")]).expect("it serves");
        assert_eq!(there, Reply::Integer(1), "k{n}");
    }
}

/// Nobody is left who could take them up, and nobody guesses; but somebody says so. Here a
/// bad cable was to blame, and a log that was set aside can be read again.
#[test]
fn two_damaged_logs_of_three_are_told_until_one_is_put_back() {
    let mut cluster = Cluster::start(3);
    for n in 0..100 {
        ask(cluster.nodes[0].client, &["SET", &format!("k{n}"), "v"]).expect("written");
    }
    eventually("all are level", || {
        let chosen = cluster.nodes[0].count("chosen_slot")?;
        cluster.nodes.iter().all(|node| node.count("chosen_slot") == Some(chosen)).then_some(())
    });
    cluster.nodes.iter_mut().for_each(Node::kill);
    cluster.nodes[1..].iter().for_each(turn_a_bit);
    cluster.nodes.iter_mut().for_each(Node::start);
    eventually("the one that is left says so", || says(&cluster.nodes[0], LOST));
    let log = cluster.nodes[0].log();
    assert_eq!(log.matches("ALARM: a quorum of disks is lost (").count(), 1, "{log}");
    for node in &cluster.nodes[1..] {
        eventually("the others say what they are", || says(node, SET_ASIDE));
    }
    cluster.nodes[1].kill();
    put_log_back(&cluster.nodes[1]);
    turn_a_bit(&cluster.nodes[1]);
    cluster.nodes[1].start();
    for node in &cluster.nodes[..2] {
        eventually("they are a quorum again", || says(node, SOUND));
    }
    eventually("and take the third up", || says(&cluster.nodes[2], HEALED));
    for n in 0..100 {
        let there = ask(cluster.nodes[2].client, &["EXISTS", &format!("k{n}")]).expect("it serves");
        assert_eq!(there, Reply::Integer(1), "k{n}");
    }
}

const SOUND: &[(&str, u64)] =
    &[("disk_votes", 1), ("quorum_lost", 0), ("log_damaged", 0), ("logs_set_aside", 0)];
const LOST: &[(&str, u64)] = &[("disk_votes", 1), ("quorum_lost", 1), ("log_damaged", 0)];
const SET_ASIDE: &[(&str, u64)] = &[("disk_votes", 0), ("log_damaged", 1), ("logs_set_aside", 1)];
const HEALED: &[(&str, u64)] =
    &[("disk_votes", 1), ("quorum_lost", 0), ("log_damaged", 1), ("logs_set_aside", 1)];

/// Whether `INFO` of `node` has these fields.
fn says(node: &Node, fields: &[(&str, u64)]) -> Option<()> {
    let info = node.info()?;
    let is_so = |(name, value): &(&str, u64)| info.get(*name) == Some(&value.to_string());
    fields.iter().all(is_so).then_some(())
}

/// Turns a bit in the first block of a log that has many behind it; once more, and it is as
/// it was.
fn turn_a_bit(node: &Node) {
    let segment = node.data.join("seg-0000000000000001.wal");
    let mut bytes = fs::read(&segment).expect("its first segment");
    bytes[4096 + 80] ^= 1;
    fs::write(&segment, bytes).expect("written");
}

/// Puts the log that was set aside in the place of the one there is.
fn put_log_back(node: &Node) {
    let aside = node.data.join("damaged-log-1");
    let names = |dir: &Path| {
        let entries = fs::read_dir(dir).expect("listed").map(|entry| entry.expect("one"));
        entries.map(|entry| entry.file_name().into_string().expect("a name")).collect::<Vec<_>>()
    };
    let is_log = |name: &String| name.starts_with("seg-") || name.starts_with("META.");
    for name in names(&node.data).iter().filter(|name| is_log(name)) {
        fs::remove_file(node.data.join(name)).expect("removed");
    }
    for name in names(&aside) {
        fs::rename(aside.join(&name), node.data.join(&name)).expect("moved");
    }
    fs::remove_dir(aside).expect("removed");
}
