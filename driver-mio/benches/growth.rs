//! How cost grows: with nodes, with the size of values, with the number of keys, and with
//! the length of the log that a node starts from or has missed.
//!
//! Each round measures everything once; what is shown are medians over the rounds. With
//! `--write`, tables and charts go into the documentation.
//!
//! `cargo bench -p driver-mio --bench growth -- --help`

#[path = "growth/chart.rs"]
mod chart;
#[path = "growth/loader.rs"]
mod loader;
#[path = "growth/study.rs"]
mod study;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use loader::Work;
use study::{Column, Row, Study};
use support::cluster::Cluster;
use support::flood::Flood;
use support::{Outcome, machine, wait_for, watch_signals};

#[derive(Parser)]
#[command(about = "Measures how cost grows with nodes, values, keys and the log")]
struct Options {
    /// Measure these, and no others
    #[arg(long, value_delimiter = ',', default_value = "nodes,values,keys,log")]
    only: Vec<String>,
    /// How often everything is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long one load takes, about
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Leave out what is larger than this, of keys and of commands in the log
    #[arg(long, default_value_t = 1_000_000)]
    most: u64,
    /// Write tables and charts here
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Where to keep the data, in a directory of its own [default: the system's temporary one]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        println!("a measurement, not a test; it runs with `cargo bench` (or with --bench)");
        return ExitCode::SUCCESS;
    }
    match measure(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("growth: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Outcome<()> {
    watch_signals()?;
    let parent = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::Builder::new().prefix("paxos-growth-").tempdir_in(parent)?;
    let about = machine::describe(dir.path());
    println!("{about}");
    let all: [(Study, Measure); 4] = [
        (nodes_study(), nodes),
        (values_study(), values),
        (keys_study(options.most), keys),
        (log_study(options.most), log),
    ];
    let is_asked = |study: &Study| options.only.iter().any(|name| name == study.name);
    let mut asked: Vec<_> = all.into_iter().filter(|(study, _)| is_asked(study)).collect();
    let begun = Instant::now();
    for round in 1..=options.rounds {
        for (study, measure) in &mut asked {
            for row in 0..study.rows.len() {
                let home = dir.path().join(format!("{}-{row}", study.name));
                fs::create_dir(&home)?;
                let x = study.rows[row].x;
                let figures = measure(x as u64, &home, options.seconds)?;
                study.add(row, &figures);
                fs::remove_dir_all(&home)?;
                machine::settle()?;
            }
        }
        eprintln!("round {round} of {}: {:.0?}", options.rounds, begun.elapsed());
    }
    for (study, _) in &asked {
        println!("\n{study}");
        if let Some(to) = &options.write {
            study.write(&machine::from_root(to), &about, options.rounds)?;
        }
    }
    Ok(())
}

/// Measures one row: its number, a directory, seconds for a load. One figure for each column.
type Measure = fn(u64, &Path, f64) -> Outcome<Vec<f64>>;

fn nodes_study() -> Study {
    let rows = [1, 3, 5, 7].map(|n| Row::new(n, n.to_string()));
    let columns = [
        Column::charted("SET/s"),
        Column::charted("GET/s"),
        Column::plain("SET p50 ms"),
        Column::plain("SET p99 ms"),
    ];
    Study::new("nodes", "nodes (64 connections at the leader, values of 64 bytes)", rows, columns)
}

fn nodes(nodes: u64, home: &Path, seconds: f64) -> Outcome<Vec<f64>> {
    let cluster = Cluster::start(nodes as u16, home)?;
    let work = Work { connections: 64, size: 64, keys: KEYS, reads: false };
    let set = at_leader(&cluster, work, home, seconds)?;
    let get = at_leader(&cluster, Work { reads: true, ..work }, home, seconds)?;
    Ok(vec![set.per_second, get.per_second, set.p50_ms, set.p99_ms])
}

fn values_study() -> Study {
    let sizes = [16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
    let label = |size: u64| match size {
        0..1024 => format!("{size} B"),
        1024..0x10_0000 => format!("{} KiB", size >> 10),
        _ => format!("{} MiB", size >> 20),
    };
    let rows = sizes.map(|size| Row::new(size, label(size)));
    let columns = [
        Column::charted("SET/s"),
        Column::charted("GET/s"),
        Column::plain("SET MB/s"),
        Column::plain("SET p99 ms"),
    ];
    Study::new("values", "size of a value (3 nodes, 16 connections at the leader)", rows, columns)
}

fn values(size: u64, home: &Path, seconds: f64) -> Outcome<Vec<f64>> {
    let cluster = Cluster::start(3, home)?;
    // A data set of the same weight for large values.
    let keys = (VALUES_BYTES / size).clamp(16, KEYS);
    let work = Work { connections: 16, size, keys, reads: false };
    let set = at_leader(&cluster, work, home, seconds)?;
    let get = at_leader(&cluster, Work { reads: true, ..work }, home, seconds)?;
    Ok(vec![set.per_second, get.per_second, set.per_second * size as f64 / 1e6, set.p99_ms])
}

fn keys_study(most: u64) -> Study {
    let rows = thousands(most);
    let columns = [
        Column::charted("SET/s"),
        Column::charted("GET/s"),
        Column::plain("MB in memory, leader"),
        Column::plain("bytes in memory a key"),
    ];
    Study::new(
        "keys",
        "keys (3 nodes, 64 connections at the leader, values of 64 bytes)",
        rows,
        columns,
    )
}

fn keys(keys: u64, home: &Path, seconds: f64) -> Outcome<Vec<f64>> {
    let mut cluster = Cluster::start(3, home)?;
    let leader = cluster.leader()?;
    let empty = machine::resident(cluster.nodes[leader].process()?.id())?;
    flood(keys, keys).run(&cluster.nodes[leader].server(SILENCE_MAX))?;
    let full = machine::resident(cluster.nodes[leader].process()?.id())?;
    let work = Work { connections: 64, size: 64, keys, reads: false };
    let set = at_leader(&cluster, work, home, seconds)?;
    let get = at_leader(&cluster, Work { reads: true, ..work }, home, seconds)?;
    let grown = full.saturating_sub(empty) as f64;
    Ok(vec![set.per_second, get.per_second, full as f64 / 1e6, grown / keys as f64])
}

fn log_study(most: u64) -> Study {
    let mut rows = thousands(most);
    if most >= BEHIND {
        rows.insert(rows.partition_point(|row| row.x < BEHIND as f64), row(BEHIND));
    }
    let columns = [
        Column::plain("start from an empty log, ms"),
        Column::charted("from 64 B, ms"),
        Column::plain("MB of log"),
        Column::plain("MB/s of the difference"),
        Column::charted("catch up, 64 B, ms"),
        Column::charted("from 1 KiB, ms"),
        Column::plain("MB of log"),
        Column::plain("MB/s of the difference"),
        Column::charted("catch up, 1 KiB, ms"),
    ];
    Study::new(
        "log",
        "commands in the log (3 nodes, values of 64 bytes and of 1 KiB)",
        rows,
        columns,
    )
}

/// A follower starts again from a log of so many commands, none of which a checkpoint has
/// made needless; another, of nodes as they usually are, has missed as many.
fn log(commands: u64, home: &Path, _: f64) -> Outcome<Vec<f64>> {
    let mut figures = vec![0.0];
    for value_bytes in [64, 1024] {
        if commands * value_bytes as u64 > LOG_BYTES_MAX {
            figures.extend([f64::NAN; 4]);
            continue;
        }
        let load = Flood { value_bytes, ..flood(commands, KEYS) };
        let started = start_again(load, &home.join(format!("start-{value_bytes}")))?;
        let caught_up = catch_up(load, &home.join(format!("behind-{value_bytes}")))?;
        let ms = |span: Duration| span.as_secs_f64() * 1000.0;
        let replay = started.full.saturating_sub(started.empty);
        let bytes = started.bytes as f64 / 1e6;
        // What is lost among the waits of any start has no rate.
        let rate = if replay < REPLAY_MIN { f64::NAN } else { bytes / replay.as_secs_f64() };
        figures[0] = ms(started.empty);
        figures.extend([ms(started.full), bytes, rate, ms(caught_up)]);
    }
    Ok(figures)
}

/// How long a node took to start.
struct Started {
    /// From a log without commands: what the process and the syncs of any start take.
    empty: Duration,
    /// From a full one.
    full: Duration,
    /// Of that log: its blocks, without what lies ready for more.
    bytes: u64,
}

fn start_again(load: Flood, home: &Path) -> Outcome<Started> {
    fs::create_dir(home)?;
    let mut cluster = Cluster::start_with(3, home, &NO_CHECKPOINTS.map(str::to_owned))?;
    let leader = cluster.leader()?;
    let again = (leader + 1) % 3;
    let empty = restart(&mut cluster, leader, again)?;
    load.run(&cluster.nodes[leader].server(SILENCE_MAX))?;
    let chosen = chosen(&cluster, leader)?;
    level(&mut cluster, again, chosen)?;
    let full = restart(&mut cluster, leader, again)?;
    Ok(Started { empty, full, bytes: log_bytes(cluster.nodes[again].data())? })
}

fn catch_up(load: Flood, home: &Path) -> Outcome<Duration> {
    fs::create_dir(home)?;
    let mut cluster = Cluster::start(3, home)?;
    let leader = cluster.leader()?;
    let behind = (leader + 1) % 3;
    cluster.nodes[behind].kill();
    load.run(&cluster.nodes[leader].server(SILENCE_MAX))?;
    let chosen = chosen(&cluster, leader)?;
    level(&mut cluster, behind, chosen)
}

/// Kills a node and starts it; how long it takes until it has what the leader has.
fn restart(cluster: &mut Cluster, leader: usize, again: usize) -> Outcome<Duration> {
    let chosen = chosen(cluster, leader)?;
    cluster.nodes[again].kill();
    machine::settle()?;
    level(cluster, again, chosen)
}

fn chosen(cluster: &Cluster, leader: usize) -> Outcome<u64> {
    Ok(cluster.nodes[leader].standing().ok_or("the leader is silent")?.chosen)
}

/// Starts a node, if it does not run; how long it takes until it has delivered so much.
fn level(cluster: &mut Cluster, place: usize, chosen: u64) -> Outcome<Duration> {
    let begun = Instant::now();
    if !cluster.nodes[place].is_started() {
        cluster.nodes[place].start()?;
    }
    wait_for("the node is level", || {
        cluster.nodes[place].standing().filter(|standing| standing.delivered >= chosen)
    })?;
    Ok(begun.elapsed())
}

/// Bytes of the blocks in a node's log, as `paxos-node inspect` counts them.
fn log_bytes(data: &Path) -> Outcome<u64> {
    let mut said = Vec::new();
    driver_mio::inspect::run(data, &mut said)?;
    let said = String::from_utf8(said)?;
    let words = said.lines().find_map(|line| line.split_once(" bytes up to "));
    let (before, _) = words.ok_or("no log is told of")?;
    Ok(before.rsplit(' ').next().unwrap_or_default().parse()?)
}

fn at_leader(cluster: &Cluster, work: Work, home: &Path, seconds: f64) -> Outcome<loader::Sample> {
    let leader = cluster.leader()?;
    loader::measure(cluster.nodes[leader].client, work, seconds, home)
}

/// 1,000 and its decades up to `most`.
fn thousands(most: u64) -> Vec<Row> {
    (3..=9).map(|power| 10_u64.pow(power)).filter(|n| *n <= most).map(row).collect()
}

/// A row of whole thousands, or of whole millions.
fn row(n: u64) -> Row {
    let label = match n {
        0..1_000_000 => format!("{},000", n / 1000),
        _ => format!("{},000,000", n / 1_000_000),
    };
    Row::new(n, label)
}

fn flood(writes: u64, keys: u64) -> Flood {
    Flood { writes, keys, value_bytes: 64, connections: 16, pipeline: 64 }
}

/// How long a connection may wait for an answer.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Keys where their number is not what is looked at.
const KEYS: u64 = 10_000;
/// What a node may have missed and be level again at once.
const BEHIND: u64 = 20_000;
/// A shorter difference of two starts says nothing.
const REPLAY_MIN: Duration = Duration::from_millis(20);
/// A log is no longer than this, in values: three nodes keep it in memory.
const LOG_BYTES_MAX: u64 = 256 << 20;
/// Checkpoints as rare as can be.
const NO_CHECKPOINTS: [&str; 4] =
    ["--checkpoint-slots", "16777216", "--checkpoint-bytes", "2147483648"];
/// What all values of one size weigh together, about.
const VALUES_BYTES: u64 = 64 << 20;
