//! The flight recorder: what real nodes did under load, through kills and starts, is done again
//! by the core alone, bit by bit.

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use driver_mio::record::{Recording, Start, Step};
use driver_sim::picture::What;
use driver_sim::replay::fly;
use paxos_core::effect::Input;

use support::eventually;
use support::load::Load;
use support::node::Cluster;

/// The recordings of one node, oldest first.
fn recordings(dir: &Path) -> Vec<Recording> {
    let mut files: Vec<_> =
        fs::read_dir(dir).expect("recordings").map(|entry| entry.expect("a file").path()).collect();
    // One that was about to begin when the node was killed is none yet.
    files.retain(|path| path.extension().is_some_and(|end| end == "rec"));
    files.sort();
    let read = |path| fs::read(path).expect("a file");
    files.iter().map(|path| Recording::read(&read(path)).expect("a recording")).collect()
}

fn files_in(dir: &Path) -> usize {
    fs::read_dir(dir).expect("recordings").count()
}

#[test]
fn a_life_under_load_is_replayed_bit_by_bit() {
    let mut cluster = Cluster::new(3);
    let place = |dir: &Path, id: u16| dir.join(format!("flight-{id}"));
    let dir = cluster.dir().to_owned();
    for node in &mut cluster.nodes {
        let dir = place(&dir, node.id).display().to_string();
        let flags = ["--record", &dir, "--record-bytes", "1048576", "--checkpoint-slots", "64"];
        node.flags = flags.map(str::to_owned).to_vec();
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
        let place = place(&dir, victim as u16 + 1);
        eventually("it has begun a third file", || (files_in(&place) > 2).then_some(()));
        cluster.nodes[victim].kill();
        cluster.nodes[victim].start();
        cluster.nodes[victim].await_service();
    }
    load.stop();
    clients.into_iter().for_each(|client| client.join().expect("a client"));
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    for id in 1..=3 {
        let files = recordings(&place(&dir, id));
        let starts = |life: &Recording| matches!(life.start, Start::Restored(_));
        assert!(files.iter().any(|life| !starts(life)), "node {id} has never turned over");
        let mut ends_as = None;
        for (number, life) in files.iter().enumerate() {
            let flown = fly(life, 1_000).expect("a core");
            let what = format!("node {id}, file {number}, {} steps", life.steps.len());
            assert_eq!((flown.differs, flown.unsound), (None, None), "{what}");
            assert_eq!(flown.steps, life.steps.len() as u64, "{what}");
            // The last file may have begun just before the end.
            let hears = |step: &Step| matches!(step.input, Input::Received(_));
            let heard = life.steps.iter().rev().take(100).any(hears);
            let shown = flown.film.frames().any(|(_, frame)| frame.what == What::Received);
            assert!(shown || !heard, "{what}");
            assert!(starts(life) || ends_as.is_none_or(|end| end == flown.begins_as), "{what}");
            ends_as = Some(flown.ends_as);
        }
        let bytes = fs::read_dir(place(&dir, id)).expect("recordings");
        let bytes: u64 = bytes.map(|file| file.expect("one").metadata().expect("it").len()).sum();
        assert!(bytes <= 1 << 20, "node {id} has kept {bytes} bytes");
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
