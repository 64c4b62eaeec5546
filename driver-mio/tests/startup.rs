//! How a node starts and ends, and what it says when it cannot start.

mod support;

use std::fs;
use std::process::{Command, Stdio};

use driver_mio::resp::Reply;

use support::client::ask;
use support::eventually;
use support::node::{Cluster, Node};

#[test]
fn a_taken_port_is_told_in_one_line() {
    let cluster = Cluster::start(1);
    let running = &cluster.nodes[0];
    for (client, peer) in [(true, false), (false, true)] {
        let mut second = Cluster::new(1);
        let node = &mut second.nodes[0];
        if client {
            node.client = running.client;
        }
        if peer {
            node.move_to(running.peer);
        }
        let taken = if client { node.client } else { node.peer };
        let line = refusal(node);
        assert!(line.contains(&format!("cannot listen at {taken}")), "{line}");
    }
}

#[test]
fn a_signal_ends_a_node_at_once_and_without_complaint() {
    for signal in ["INT", "TERM"] {
        let mut cluster = Cluster::start(1);
        cluster.nodes[0].signal(signal);
        assert_eq!(cluster.nodes[0].wait().code(), Some(0), "SIG{signal}");
    }
}

#[test]
fn a_directory_is_one_nodes_at_a_time() {
    let cluster = Cluster::start(1);
    let mut second = Cluster::new(1);
    second.nodes[0].data = cluster.nodes[0].data.clone();
    let line = refusal(&second.nodes[0]);
    assert!(line.contains("in use by another process"), "{line}");
}

#[test]
fn a_directory_belongs_to_one_node_of_one_cluster_for_ever() {
    let mut cluster = Cluster::start(1);
    cluster.nodes[0].kill();
    cluster.nodes[0].cluster_id = 2;
    let line = refusal(&cluster.nodes[0]);
    assert!(line.contains("belongs to node 1 of cluster 1"), "{line}");
}

#[test]
fn a_directory_that_cannot_be_is_told_in_one_line() {
    let mut cluster = Cluster::new(1);
    let file = cluster.dir().join("file");
    fs::write(&file, "not a directory").expect("writes");
    cluster.nodes[0].data = file.join("inside");
    let line = refusal(&cluster.nodes[0]);
    assert!(line.contains("file/inside"), "{line}");
}

/// A pipe would be waited for, and for ever.
#[test]
fn what_is_no_file_is_told_in_one_line() {
    let mut cluster = Cluster::start(1);
    cluster.nodes[0].kill();
    let data = cluster.nodes[0].data.clone();
    let names = fs::read_dir(&data).expect("listed").map(|entry| entry.expect("one").file_name());
    let names: Vec<_> = names.collect();
    assert!(names.len() > 3, "{names:?}");
    for name in names {
        let (path, kept) = (data.join(&name), cluster.dir().join("kept"));
        fs::rename(&path, &kept).expect("moved");
        let made = Command::new("mkfifo").arg(&path).status().expect("runs");
        assert!(made.success());
        let line = refusal(&cluster.nodes[0]);
        assert!(
            line.contains(&*name.to_string_lossy()) && line.contains("is not a file"),
            "{line}"
        );
        fs::remove_file(&path).expect("removed");
        fs::rename(&kept, &path).expect("moved back");
    }
    cluster.nodes[0].start();
    cluster.nodes[0].await_service();
}

#[test]
fn too_few_open_files_are_told_in_one_line() {
    let cluster = Cluster::new(1);
    let node = cluster.nodes[0].with_files(200);
    let mut child = { node }.stderr(Stdio::piped()).spawn().expect("starts");
    // It would end with its stdin, and that is not the end that is waited for.
    let _stdin = child.stdin.take();
    let output = child.wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("allows this process 200 open files"), "{said}");
}

#[test]
fn what_was_written_is_there_after_the_only_node_was_killed() {
    let mut cluster = Cluster::start(1);
    let ok = Reply::Simple("OK".into());
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
        assert_eq!(ask(cluster.nodes[0].client, &["SET", key, value]).expect("serves"), ok);
    }
    for _ in 0..3 {
        cluster.nodes[0].kill();
        cluster.nodes[0].start();
        let answer = eventually("it serves again", || {
            ask(cluster.nodes[0].client, &["MGET", "a", "b"]).ok()
        });
        assert_eq!(answer, Reply::Array(vec![Reply::bulk("3"), Reply::bulk("2")]));
    }
}

/// Runs a node that cannot run, and returns the one line that says why.
fn refusal(node: &Node) -> String {
    let output = node.run();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(matches!(lines[..], [line] if line.starts_with("paxos-node: ")), "{said}");
    said
}
