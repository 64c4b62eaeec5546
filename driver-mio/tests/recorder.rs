//! The flight recorder: what real nodes did under load, through kills and starts, is done again
//! by the core alone, bit by bit.

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use driver_mio::record::Recording;
use driver_sim::picture::What;
use driver_sim::replay::fly;

use support::eventually;
use support::load::Load;
use support::node::Cluster;

/// The recordings of one node, oldest first.
fn recordings(dir: &Path) -> Vec<Recording> {
    let mut files: Vec<_> =
        fs::read_dir(dir).expect("recordings").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let read = |path| Bytes::from(fs::read(path).expect("a file"));
    files.iter().map(|path| Recording::read(&read(path)).expect("a recording")).collect()
}

#[test]
fn a_life_under_load_is_replayed_bit_by_bit() {
    let mut cluster = Cluster::new(3);
    let place = |dir: &Path, id: u16| dir.join(format!("flight-{id}"));
    let dir = cluster.dir().to_owned();
    for node in &mut cluster.nodes {
        let dir = place(&dir, node.id).display().to_string();
        node.flags = ["--record", &dir, "--checkpoint-slots", "64"].map(str::to_owned).to_vec();
        node.start();
    }
    cluster.nodes.iter().for_each(|node| node.await_service());
    let load = Arc::new(Load::new(cluster.nodes.iter().map(|node| node.client).collect()));
    let clients = load.spawn(4, 7);
    let delivered = |cluster: &Cluster, at: usize| cluster.nodes[at].count("delivered_slot");
    for victim in 0..3 {
        let before = eventually("it answers", || delivered(&cluster, victim));
        eventually("it has delivered more", || {
            (delivered(&cluster, victim)? > before + 100).then_some(())
        });
        cluster.nodes[victim].kill();
        cluster.nodes[victim].start();
        cluster.nodes[victim].await_service();
    }
    load.stop();
    clients.into_iter().for_each(|client| client.join().expect("a client"));
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    for id in 1..=3 {
        let lives = recordings(&place(&dir, id));
        assert_eq!(lives.len(), 2, "node {id} has lived twice");
        for (number, life) in lives.iter().enumerate() {
            let flown = fly(life, 1_000).expect("a core");
            let what = format!("node {id}, life {number}, {} steps", life.steps.len());
            assert_eq!((flown.differs, flown.unsound), (None, None), "{what}");
            assert_eq!(flown.steps, life.steps.len() as u64, "{what}");
            assert!(flown.steps > 20, "{what}");
            assert!(flown.film.frames().any(|(_, frame)| frame.what == What::Received), "{what}");
        }
    }
}

/// A recording that says something else than what happened is found out at that step.
#[test]
fn another_run_is_told_from_the_recorded_one() {
    let mut cluster = Cluster::new(1);
    let dir = cluster.dir().join("flight");
    cluster.nodes[0].flags = vec!["--record".to_owned(), dir.display().to_string()];
    cluster.nodes[0].start();
    cluster.nodes[0].await_service();
    support::client::ask(cluster.nodes[0].client, &["SET", "k", "v"]).expect("a write");
    cluster.nodes[0].kill();
    let mut life = recordings(&dir).remove(0);
    let step = life.steps.len() / 2;
    assert_eq!(fly(&life, 10).expect("a core").differs, None);
    life.steps[step].sum ^= 1;
    assert_eq!(fly(&life, 10).expect("a core").differs, Some(step as u64));
}
