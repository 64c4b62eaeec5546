//! A cluster of real processes, killed and stopped at random under load.

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use driver_sim::linear::zones;
use paxos_core::types::Rng;

use support::client::Client;
use support::load::{Load, lock};
use support::node::{Cluster, Node};
use support::{PATIENCE, eventually};

/// The seed of the faults; real processes make the rest of the run different each time.
const SEED: u64 = 20_260_101;
/// How long faults go on.
const STORM: Duration = Duration::from_secs(10);

#[test]
fn what_was_acknowledged_survives_kills_and_stops_and_every_read_is_linearizable() {
    let mut cluster = Cluster::start(3);
    let load = Arc::new(Load::new(cluster.nodes.iter().map(|node| node.client).collect()));
    let clients = load.spawn(6, SEED);
    let faults = storm(&mut cluster, &load);
    load.stop();
    clients.into_iter().for_each(|client| client.join().expect("no client panics"));

    cluster.nodes.iter().for_each(Node::await_service);
    load.read_all();
    for node in &cluster.nodes {
        let mut client = Client::connect(node.client, PATIENCE).expect("all nodes serve");
        for key in lock(&load.kept).iter() {
            let there = client.call(&["EXISTS", key]).expect("all nodes serve");
            assert_eq!(there, driver_mio::resp::Reply::Integer(1), "{key} at n{}", node.id);
        }
    }
    for (key, operations) in lock(&load.history).clone().split(|input| input) {
        let verdict = zones::check(&operations);
        let named = format!("{verdict:?}");
        let involved =
            operations.iter().filter(|operation| named.contains(&operation.id.to_string()));
        let involved: Vec<_> = involved.collect();
        assert!(verdict.is_linearizable(), "{key}: {verdict:?}\n{involved:#?}");
    }
    same_state(&cluster);
    let done = load.done.load(Ordering::Relaxed);
    println!("{faults:?}, {done} operations");
    assert!(faults.kills >= 3 && faults.stops >= 3 && done >= 200, "{faults:?}, {done} operations");
}

/// What really happened to the nodes.
#[derive(Debug, Default)]
struct Faults {
    kills: u32,
    stops: u32,
}

/// Kills or stops a node, waits for some time, brings it back; over and over.
/// At most one is away at a time, so that the cluster can always go on; now and
/// then all are killed at once.
fn storm(cluster: &mut Cluster, load: &Load) -> Faults {
    let mut rng = Rng::new(SEED);
    let mut faults = Faults::default();
    let end = Instant::now() + STORM;
    while Instant::now() < end {
        let place = rng.below(cluster.nodes.len() as u64) as usize;
        let away = Duration::from_millis(rng.below(900));
        match rng.below(7) {
            0 => {
                cluster.nodes.iter_mut().for_each(Node::kill);
                cluster.nodes.iter_mut().for_each(Node::start);
                faults.kills += 3;
            }
            1..=3 => {
                cluster.nodes[place].kill();
                thread::sleep(away);
                cluster.nodes[place].start();
                faults.kills += 1;
            }
            _ => {
                cluster.nodes[place].signal("STOP");
                thread::sleep(away);
                cluster.nodes[place].signal("CONT");
                faults.stops += 1;
            }
        }
        // The next fault comes when the cluster has done some work since.
        let done = load.done.load(Ordering::Relaxed);
        eventually("the cluster goes on", || {
            (load.done.load(Ordering::Relaxed) > done + 20).then_some(())
        });
    }
    faults
}

/// All nodes hold the same state, each by its own word, once all have caught up.
fn same_state(cluster: &Cluster) {
    eventually("all nodes hold the same state", || {
        let states: Option<Vec<_>> = cluster.nodes.iter().map(Node::state).collect();
        states?.windows(2).all(|pair| pair[0] == pair[1]).then_some(())
    });
}
