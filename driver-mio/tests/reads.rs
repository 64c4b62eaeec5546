//! Reads that ask nobody: by the leader's lease, and those that may be stale.

mod support;

use std::fs;
use std::io;

use driver_mio::resp::Reply;

use support::client::{Client, ask};
use support::node::{Cluster, Node};
use support::{PATIENCE, eventually};

/// A cluster whose nodes have these flags, and whose key `k` is 1 on all of them.
fn cluster(flags: &[&str]) -> Cluster {
    let mut cluster = Cluster::new(3);
    for node in &mut cluster.nodes {
        node.flags = flags.iter().map(|flag| (*flag).into()).collect();
        node.start();
    }
    cluster.nodes.iter().for_each(Node::await_service);
    eventually("a write goes through", || ask(cluster.nodes[0].client, &["SET", "k", "1"]).ok());
    let one = Reply::bulk("1");
    for node in &cluster.nodes {
        eventually("it is everywhere", || {
            (node.state()?.get(&b"k"[..]) == Some(&one)).then_some(())
        });
    }
    cluster
}

/// The place of the node that all say leads.
fn leader(cluster: &Cluster) -> usize {
    eventually("all follow one leader", || {
        let named: Vec<_> = cluster.nodes.iter().map(|node| node.count("leader_id")).collect();
        let first = named[0]?;
        named.iter().all(|id| *id == Some(first)).then_some(first as usize - 1)
    })
}

/// Stops all but the node at `place`, and returns when they stand still.
fn stop_others(cluster: &Cluster, place: usize) {
    let others: Vec<_> = cluster.nodes.iter().enumerate().filter(|(at, _)| *at != place).collect();
    others.iter().for_each(|(_, node)| node.signal("STOP"));
    for (_, node) in others {
        eventually("it stands still", || is_stopped(node).then_some(()));
    }
}

fn go_on(cluster: &Cluster, place: usize) {
    let others = cluster.nodes.iter().enumerate().filter(|(at, _)| *at != place);
    others.for_each(|(_, node)| node.signal("CONT"));
}

fn is_stopped(node: &Node) -> bool {
    // Not only the process: each of its threads.
    let tasks = fs::read_dir(format!("/proc/{}/task", node.pid())).expect("it is there");
    tasks.flatten().all(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:\tT"))
    })
}

#[test]
fn a_leader_with_a_lease_reads_without_asking_and_not_once_it_is_over() {
    let words = "--lease-ms 1500 --election-ms 2000 --heartbeat-ms 50 --answer-ms 300";
    let cluster = cluster(&words.split(' ').collect::<Vec<_>>());
    eventually("a read while nobody else runs", || {
        // Whoever leads may have changed if the machine was slow just now.
        let place = leader(&cluster);
        let leader = &cluster.nodes[place];
        eventually("it has a lease", || (leader.count("leased")? == 1).then_some(()));
        stop_others(&cluster, place);
        let read = ask(leader.client, &["GET", "k"]).ok();
        if read.is_some() {
            eventually("the lease runs out", || (leader.count("leased")? == 0).then_some(()));
            let late = ask(leader.client, &["GET", "k"]).expect_err("nobody confirms it");
            assert!(late.to_string().starts_with("NOTREADY"), "{late}");
        }
        go_on(&cluster, place);
        read.map(|read| assert_eq!(read, Reply::bulk("1")))
    });
    let place = leader(&cluster);
    let shown = |name: &str| cluster.nodes[place].info()?.get(name).cloned();
    assert_eq!(shown("lease_ms").as_deref(), Some("1500"));
}

/// It may believe that it leads when it goes on, and must not believe its lease.
#[test]
fn a_leader_that_stood_still_does_not_read_by_its_old_lease() {
    let words = "--lease-ms 400 --election-ms 300 --heartbeat-ms 30 --answer-ms 300";
    let cluster = cluster(&words.split(' ').collect::<Vec<_>>());
    for round in 2..5 {
        let old = &cluster.nodes[leader(&cluster)];
        let other = &cluster.nodes[usize::from(old.id) % 3];
        let mut reader = Client::connect(old.client, PATIENCE).expect("connects");
        assert!(reader.call(&["GET", "k"]).is_ok());
        old.signal("STOP");
        eventually("it stands still", || is_stopped(old).then_some(()));
        let value = round.to_string();
        eventually("another takes over", || ask(other.client, &["SET", "k", &value]).ok());
        // The request waits at its door: the first thing that it sees when it goes on.
        reader.send(&["GET", "k"]).expect("the system takes it");
        old.signal("CONT");
        match reader.receive().expect("an answer") {
            Reply::Error(line) => assert!(line.starts_with(b"NOTREADY"), "{line:?}"),
            reply => assert_eq!(reply, Reply::bulk(value), "what was so before the write"),
        }
    }
}

#[test]
fn a_bounded_stale_read_is_local_while_it_may_be_and_asks_the_group_else() {
    let cluster = cluster(&["--answer-ms", "300"]);
    let place = (leader(&cluster) + 1) % 3;
    let follower = &cluster.nodes[place];
    eventually("it knows its age", || follower.count("age_ms"));
    let mut client = Client::connect(follower.client, PATIENCE).expect("connects");
    let mut say = |words: &[&str]| client.call(words).expect("answers");
    let (ok, one) = (Reply::Simple("OK".into()), Reply::bulk("1"));

    // With the others there, any bound gives an answer: by itself or from the group.
    for bound in ["0", "1", "60000", "OFF"] {
        assert_eq!(say(&["PAXOS", "STALE", bound]), ok);
        eventually("a read", || (say(&["GET", "k"]) == one).then_some(()));
    }
    stop_others(&cluster, place);
    assert_eq!(say(&["PAXOS", "STALE", "60000"]), ok);
    assert_eq!(say(&["GET", "k"]), one, "what it has is younger than a minute");
    // It heard of a leader before the others stood still, and that is longer ago than this.
    assert_eq!(say(&["PAXOS", "STALE", "0"]), ok);
    let refused = say(&["GET", "k"]);
    assert!(refused.error_code().is_some_and(|code| code == b"NOTREADY"), "{refused:?}");
    assert_eq!(say(&["READONLY"]), ok);
    assert_eq!(say(&["GET", "k"]), one, "of any age");
    go_on(&cluster, place);
}

/// A lease that some keep and others do not would be none.
#[test]
fn nodes_with_other_leases_are_turned_away() {
    let mut cluster = Cluster::start(3);
    cluster.nodes[2].kill();
    cluster.nodes[2].flags = vec!["--lease-ms".into(), "500".into()];
    cluster.nodes[2].start();
    eventually("it is told why", || {
        let told = cluster.nodes[2].log().contains("all nodes must have the same");
        (told && cluster.nodes[2].count("peers_connected")? == 0).then_some(())
    });
    cluster.nodes[2].kill();
    cluster.nodes[2].flags.clear();
    cluster.nodes[2].start();
    cluster.nodes[2].await_service();
}

/// What is not taken is not read either: only the requests wait.
#[test]
fn answers_that_nobody_takes_are_not_made() {
    let cluster = Cluster::start(1);
    let node = &cluster.nodes[0];
    let keys: Vec<String> = (0..5000).map(|n| format!("{n:0>200}")).collect();
    let pairs = keys.iter().flat_map(|key| [&key[..], "v"]);
    let words: Vec<&str> = ["MSET"].into_iter().chain(pairs).collect();
    let ok = Reply::Simple("OK".into());
    assert_eq!(ask(node.client, &words).expect("answers"), ok);
    let all = ask(node.client, &["KEYS", "*"]).expect("answers");
    for mode in ["READWRITE", "READONLY"] {
        let mut client = Client::connect(node.client, PATIENCE).expect("connects");
        assert_eq!(client.call(&[mode]).expect("answers"), ok);
        for _ in 0..200 {
            client.send(&["KEYS", "*"]).expect("writes");
            client.send(&["DBSIZE"]).expect("writes");
        }
        assert_eq!(ask(node.client, &["DBSIZE"]).expect("answers"), Reply::Integer(5000));
        for _ in 0..200 {
            assert!(client.receive().expect("answers") == all, "in its place");
            assert_eq!(client.receive().expect("answers"), Reply::Integer(5000));
        }
    }
    let peak = status(node, "VmHWM").expect("the system tells");
    assert!(peak < 100 << 10, "{peak} KiB for 200 MiB of answers");
}

/// Reads that wait for their client wait for nobody else's, and are answered in their place.
#[test]
fn who_takes_no_answers_keeps_nobody_waiting() {
    let cluster = Cluster::start(1);
    let node = &cluster.nodes[0];
    let ok = Reply::Simple("OK".into());
    let long = "v".repeat(1 << 20);
    assert_eq!(ask(node.client, &["SET", "long", &long]).expect("answers"), ok);
    for mode in ["READWRITE", "READONLY"] {
        let mut deaf: Vec<Client> = (0..3)
            .map(|_| {
                let mut client = Client::connect(node.client, PATIENCE).expect("connects");
                assert_eq!(client.call(&[mode]).expect("answers"), ok);
                for _ in 0..40 {
                    client.send(&["GET", "long"]).expect("writes");
                    client.send(&["DBSIZE"]).expect("writes");
                }
                client
            })
            .collect();
        for _ in 0..100 {
            assert_eq!(ask(node.client, &["DBSIZE"]).expect("answers"), Reply::Integer(1));
        }
        for client in &mut deaf {
            for _ in 0..40 {
                let Reply::Bulk(value) = client.receive().expect("answers") else {
                    panic!("no value")
                };
                assert!(value == long.as_bytes());
                assert_eq!(client.receive().expect("answers"), Reply::Integer(1));
            }
        }
    }
}

/// The third is answered at once, as long as answers may be that wait, and the fourth has to
/// wait for room. The first comes back from the group after that, and all wait for it.
#[test]
fn a_read_that_the_others_wait_for_overtakes_those_that_wait_for_room() {
    let cluster = cluster(&[]);
    let follower = &cluster.nodes[(leader(&cluster) + 1) % 3];
    let long = "v".repeat(1 << 20);
    let ok = Reply::Simple("OK".into());
    eventually("a write goes through", || ask(follower.client, &["SET", "long", &long]).ok());
    for _ in 0..10 {
        let mut client = Client::connect(follower.client, PATIENCE).expect("connects");
        let lines = b"GET k\r\nREADONLY\r\nGET long\r\nGET long\r\n";
        io::Write::write_all(&mut client.stream, lines).expect("writes");
        let [short, long] = [Reply::bulk("1"), Reply::bulk(long.clone())];
        for expected in [&short, &ok, &long, &long] {
            let reply = client.receive().expect("all are answered");
            // The leader may change meanwhile if the machine is slow just now.
            let is_told = reply.error_code().is_some_and(|code| code == b"NOTREADY");
            assert!(is_told || reply == *expected, "in its place");
        }
    }
}

/// A number that the system knows of the process.
fn status(node: &Node, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
