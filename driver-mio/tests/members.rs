//! Groups that change their members while clients work.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use driver_mio::resp::Reply;
use driver_sim::linear::zones;

use support::client::{Client, ask};
use support::load::{Load, lock};
use support::node::{Cluster, Node};
use support::{PATIENCE, eventually};

/// The seed of the clients; real processes make the rest of the run different each time.
const SEED: u64 = 20_260_102;

/// Places for `size` nodes, of which the first `founders` are a group that runs.
fn founded(size: u16, founders: u16) -> Cluster {
    let mut cluster = Cluster::new(size);
    let peers: Vec<(u16, SocketAddr)> = cluster.nodes.iter().map(|n| (n.id, n.peer)).collect();
    for node in &mut cluster.nodes {
        node.know(&peers[..usize::from(founders)]);
        if node.id > founders {
            node.flags.push("--join".into());
        }
    }
    cluster.nodes.iter_mut().take(usize::from(founders)).for_each(Node::start);
    cluster.nodes.iter().take(usize::from(founders)).for_each(Node::await_service);
    cluster
}

/// Asks whoever leads, until it is done.
fn order(cluster: &mut Cluster, words: &[&str]) {
    eventually(&words.join(" "), || {
        let running = cluster.nodes.iter_mut().filter_map(|n| n.is_running().then_some(&*n));
        let leader = running.filter_map(|node| node.count("leader_id")).next()?;
        let leader = cluster.nodes.iter().find(|node| u64::from(node.id) == leader)?;
        let mut client = Client::connect(leader.client, PATIENCE).ok()?;
        let words = [&["PAXOS"], words].concat();
        (client.call(&words).ok()? == Reply::Simple("OK".into())).then_some(())
    });
}

/// The ids of the members, with what they are, as the node at `address` says.
fn members(address: SocketAddr) -> Vec<String> {
    let Ok(Reply::Array(lines)) = ask(address, &["PAXOS", "MEMBERS"]) else { return Vec::new() };
    let line = |reply: &Reply| match reply {
        Reply::Bulk(line) => String::from_utf8_lossy(line).into_owned(),
        other => panic!("{other:?}"),
    };
    let fields = |line: String| {
        let fields: Vec<&str> = line.split(',').collect();
        format!("{} {}", fields[0], fields.last().expect("one at least"))
    };
    lines.iter().skip(1).map(line).map(fields).collect()
}

fn await_members(nodes: &[&Node], expected: &[&str]) {
    for node in nodes {
        eventually(&format!("n{} knows {expected:?}", node.id), || {
            (members(node.client) == expected).then_some(())
        });
    }
}

#[test]
fn a_group_grows_replaces_all_its_founders_and_shrinks_under_load() {
    let mut cluster = founded(6, 3);
    let load = Arc::new(Load::new(cluster.nodes.iter().map(|node| node.client).collect()));
    let clients = load.spawn(4, SEED);
    let peer = |cluster: &Cluster, id: usize| cluster.nodes[id - 1].peer.to_string();

    for id in [4, 5] {
        cluster.nodes[id - 1].start();
        let address = peer(&cluster, id);
        order(&mut cluster, &["ADD", &id.to_string(), &address]);
    }
    let voters: Vec<String> = (1..=5).map(|id| format!("id={id} kind=voter")).collect();
    let voters: Vec<&str> = voters.iter().map(String::as_str).collect();
    await_members(&cluster.nodes.iter().take(5).collect::<Vec<_>>(), &voters);

    cluster.nodes[5].start();
    let address = peer(&cluster, 6);
    order(&mut cluster, &["REPLACE", "1", "6", &address]);
    for id in [2, 3] {
        order(&mut cluster, &["REMOVE", &id.to_string()]);
    }
    let left = ["id=4 kind=voter", "id=5 kind=voter", "id=6 kind=voter"];
    await_members(&cluster.nodes.iter().skip(3).collect::<Vec<_>>(), &left);
    cluster.nodes.iter_mut().take(3).for_each(Node::kill);

    let done = load.done.load(Ordering::Relaxed);
    eventually("the new members serve", || {
        (load.done.load(Ordering::Relaxed) > done + 200).then_some(())
    });
    load.stop();
    clients.into_iter().for_each(|client| client.join().expect("no client panics"));
    for node in &cluster.nodes[3..] {
        let mut client = Client::connect(node.client, PATIENCE).expect("a member serves");
        for key in lock(&load.kept).iter() {
            let there = client.call(&["EXISTS", key]).expect("a member serves");
            assert_eq!(there, Reply::Integer(1), "{key} at n{}", node.id);
        }
    }
    for (key, operations) in lock(&load.history).clone().split(|input| input) {
        let verdict = zones::check(&operations);
        assert!(verdict.is_linearizable(), "{key}: {verdict:?}");
    }
}

/// The version of the members, as the node at `address` says.
fn version(address: SocketAddr) -> Option<u64> {
    let Reply::Array(lines) = ask(address, &["PAXOS", "MEMBERS"]).ok()? else { return None };
    let Reply::Bulk(line) = lines.first()? else { return None };
    std::str::from_utf8(line).ok()?.strip_prefix("version=")?.parse().ok()
}

/// Asks whoever leads for these members, on top of what they are now, until that is done.
fn change(cluster: &mut Cluster, members: &[&str]) {
    eventually(&format!("the members are {members:?}"), || {
        let running = cluster.nodes.iter_mut().filter_map(|n| n.is_running().then_some(&*n));
        let leader = running.filter_map(|node| node.count("leader_id")).next()?;
        let leader = cluster.nodes.iter().find(|node| u64::from(node.id) == leader)?;
        let version = version(leader.client)?.to_string();
        let words = [&["PAXOS", "CHANGE", &version], members].concat();
        let mut client = Client::connect(leader.client, PATIENCE).ok()?;
        (client.call(&words).ok()? == Reply::Simple("OK".into())).then_some(())
    });
}

/// Who leads goes with the others: two founders of three, for two that are new; then a
/// voter turns into a learner, and another into a witness.
#[test]
fn all_members_change_at_once_and_nothing_is_lost() {
    let mut cluster = founded(5, 3);
    cluster.nodes[3].start();
    cluster.nodes[4].start();
    let leader = eventually("a leader", || cluster.nodes[0].count("leader_id"));
    for n in 0..100 {
        ask(cluster.nodes[1].client, &["SET", &format!("k{n}"), "v"]).expect("written");
    }
    let stays = if leader == 3 { 2 } else { 3 };
    let new = [4, 5].map(|id| format!("{id}={}", cluster.nodes[id - 1].peer));
    change(&mut cluster, &[&stays.to_string(), &new[0], &new[1]]);
    let rest: Vec<&Node> =
        [stays, 4, 5].into_iter().map(|id: usize| &cluster.nodes[id - 1]).collect();
    let voter = format!("id={stays} kind=voter");
    await_members(&rest, &[&voter, "id=4 kind=voter", "id=5 kind=voter"]);
    eventually("one of them leads", || {
        let leads = rest[0].count("leader_id")?;
        ([4, 5, stays as u64].contains(&leads)).then_some(())
    });
    change(&mut cluster, &["4", "5:witness", &format!("{stays}:learner")]);
    let rest: Vec<&Node> = [4, stays].into_iter().map(|id: usize| &cluster.nodes[id - 1]).collect();
    let learner = format!("id={stays} kind=learner");
    await_members(&rest, &[&learner, "id=4 kind=voter", "id=5 kind=witness"]);
    for n in 0..100 {
        let there = ask(cluster.nodes[3].client, &["EXISTS", &format!("k{n}")]);
        assert_eq!(there.expect("it serves"), Reply::Integer(1), "k{n}");
    }
}

#[test]
fn a_change_of_members_follows_the_version_that_it_names_or_does_nothing() {
    let cluster = founded(3, 3);
    let leader = eventually("a leader", || cluster.nodes[0].count("leader_id"));
    let leader = cluster.nodes.iter().find(|node| u64::from(node.id) == leader).expect("one");
    let client = leader.client;
    let refusal = |words: &[&str]| {
        let words = [&["PAXOS", "CHANGE"], words].concat();
        ask(client, &words).expect_err("refused").to_string()
    };
    let now = version(client).expect("it runs");
    let [before, next] = [now.wrapping_sub(1), now + 1].map(|version| version.to_string());
    for other in [&before, &next] {
        let said = refusal(&[other, "1", "2"]);
        let all = format!("CHANGED the members have version {now} by now; nothing happened");
        assert_eq!(said, all, "on top of {other}");
    }
    let now = now.to_string();
    let new = refusal(&[&now, "1", "2", "3", "4"]);
    assert!(new.contains("n4 is new"), "{new}");
    let same = format!("3={}", cluster.nodes[0].peer);
    let same = refusal(&[&now, "1", "2", &same]);
    assert!(same.contains("n1 and n3 cannot be at the same address"), "{same}");
    let voters = ["id=1 kind=voter", "id=2 kind=voter", "id=3 kind=voter"];
    assert_eq!(members(client), voters);
    assert_eq!(version(client), now.parse().ok());
    // Of two on top of one version, the second does nothing.
    let other = leader.id % 3 + 1;
    let kind = |id: u16| if id == other { format!("{id}:learner") } else { id.to_string() };
    let [a, b, c] = [1, 2, 3].map(kind);
    let demote = ["PAXOS", "CHANGE", &now, &a, &b, &c];
    assert_eq!(ask(client, &demote).expect("done"), Reply::Simple("OK".into()));
    let said = refusal(&[&now, "1", "2", "3"]);
    assert!(said.starts_with("CHANGED") && said.contains(&next), "{said}");
    assert_eq!(members(client).iter().filter(|line| line.ends_with("learner")).count(), 1);
}

#[test]
fn orders_that_make_no_sense_change_nothing() {
    let cluster = founded(3, 3);
    let leader = eventually("a leader", || cluster.nodes[0].count("leader_id"));
    let leader = cluster.nodes.iter().find(|node| u64::from(node.id) == leader).expect("one");
    let follower = cluster.nodes.iter().find(|node| node.id != leader.id).expect("two");
    let refusal =
        |node: &Node, words: &[&str]| ask(node.client, words).expect_err("refused").to_string();
    let elsewhere = refusal(follower, &["PAXOS", "REMOVE", "1"]);
    let whom = format!("ask n{} (peers reach it at {})", leader.id, leader.peer);
    assert!(elsewhere.contains(&whom), "{elsewhere}");
    let stranger = refusal(leader, &["PAXOS", "PROMOTE", "9"]);
    assert!(stranger.contains("add it first"), "{stranger}");
    let nobody = refusal(leader, &["PAXOS", "REPLACE", "8", "9", "127.0.0.1:1"]);
    assert!(nobody.contains("no voter"), "{nobody}");
    let voters = ["id=1 kind=voter", "id=2 kind=voter", "id=3 kind=voter"];
    assert_eq!(members(follower.client), voters);
}

#[test]
fn a_witness_takes_the_place_of_a_main_and_lets_go_when_that_is_back() {
    let mut cluster = founded(3, 2);
    cluster.nodes[2].start();
    let address = cluster.nodes[2].peer.to_string();
    order(&mut cluster, &["ADD", "3", &address, "WITNESS"]);
    let all = ["id=1 kind=voter", "id=2 kind=voter", "id=3 kind=witness"];
    await_members(&cluster.nodes.iter().collect::<Vec<_>>(), &all);
    // Another name for it would be another voter, and nobody there.
    eventually("nobody else is added at its address", || {
        let ask = |at| ask(at, &["PAXOS", "ADD", "4", &address, "WITNESS"]);
        let said =
            cluster.nodes[..2].iter().filter_map(|node| Some(ask(node.client).err()?.to_string()));
        said.into_iter().find(|why| why.contains("another member is at"))
    });
    let mains = cluster.nodes.iter().take(2).map(|node| node.client).collect();
    let load = Arc::new(Load::new(mains));
    let clients = load.spawn(4, SEED);
    let more = |what: &str| {
        let done = load.done.load(Ordering::Relaxed);
        eventually(what, || (load.done.load(Ordering::Relaxed) > done + 200).then_some(()));
    };
    more("both mains serve");
    // Either main in turn, the one that leads as well.
    for gone in [0, 1] {
        cluster.nodes[gone].kill();
        more("one main and the witness go on");
        cluster.nodes[gone].start();
        cluster.nodes[gone].await_service();
        more("both mains serve again");
    }
    load.stop();
    clients.into_iter().for_each(|client| client.join().expect("no client panics"));
    let [one, two, witness] = &cluster.nodes[..] else { panic!("three nodes") };
    eventually("the witness has let go of all", || {
        let chosen = one.count("chosen_slot")?;
        (two.count("chosen_slot")? == chosen && witness.count("log_floor")? == chosen).then_some(())
    });
    // What it was told of as a learner it has, and nothing since.
    assert!(witness.count("delivered_slot") < one.count("chosen_slot"));
    for words in [&["GET", "k"][..], &["SET", "k", "v"]] {
        let why = ask(witness.client, words).expect_err("it keeps no data").to_string();
        assert!(why.starts_with("WITNESS "), "{why}");
    }
    for key in lock(&load.kept).iter() {
        assert_eq!(ask(one.client, &["EXISTS", key]).ok(), Some(Reply::Integer(1)), "{key}");
    }
    for (key, operations) in lock(&load.history).clone().split(|input| input) {
        let verdict = zones::check(&operations);
        assert!(verdict.is_linearizable(), "{key}: {verdict:?}");
    }
}
