//! What years of service come to: a node that was away for millions of writes,
//! and what many overwrites of the same keys leave on disk and in memory.
//!
//! `cargo bench -p driver-mio --bench years -- --help`

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

use driver_mio::args::Server;
use support::cluster::{Cluster, Node};
use support::flood::{Flood, Probe, percentile};
use support::{Outcome, machine, wait_for, watch_signals};

#[derive(Parser)]
#[command(about = "Measures what long service does to three real nodes")]
struct Options {
    #[command(subcommand)]
    command: What,
    /// Where to keep the data, in a directory of its own [default: the system's temporary one]
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum What {
    /// A follower is away for so many writes; then it returns under a light load
    Behind {
        #[arg(long, default_value_t = 5_000_000)]
        writes: u64,
        #[arg(long, default_value_t = 100_000)]
        keys: u64,
        /// So often: what is said of the waits is of all times together
        #[arg(long, default_value_t = 1)]
        times: u32,
        /// Bytes a second that the node takes in [default: the nodes' own]
        #[arg(long)]
        catch_up_bytes: Option<u64>,
    },
    /// The same keys are written over and over
    Overwrite {
        #[arg(long, default_value_t = 20_000_000)]
        writes: u64,
        #[arg(long, default_value_t = 10_000)]
        keys: u64,
        /// Go on for so many minutes, whatever comes of it
        #[arg(long)]
        minutes: Option<u64>,
        /// Between two looks at the nodes, in minutes, where it goes on for some [default: 5,
        /// or a fifth of all where that is less]
        #[arg(long, value_name = "MINUTES", requires = "minutes",
              value_parser = clap::value_parser!(u64).range(1..))]
        every: Option<u64>,
        /// Write the table here as well
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    // `cargo test --benches` asks for nothing, and `cargo bench` appends its flag.
    let asked = std::env::args().any(|word| word == "--bench");
    if !asked {
        println!("a measurement, not a test; it runs with `cargo bench` (or with --bench)");
        return ExitCode::SUCCESS;
    }
    match measure(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("years: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Outcome<()> {
    watch_signals()?;
    let parent = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::Builder::new().prefix("paxos-years-").tempdir_in(parent)?;
    let about = machine::describe(dir.path());
    println!("{about}");
    match options.command {
        What::Behind { writes, keys, times, catch_up_bytes } => {
            let flag = |bytes: u64| ["--catch-up-bytes".into(), bytes.to_string()];
            let flags: Vec<String> = catch_up_bytes.into_iter().flat_map(flag).collect();
            let mut cluster = Cluster::start_with(3, dir.path(), &flags)?;
            behind(&mut cluster, (writes, keys), times)
        }
        What::Overwrite { writes, keys, minutes, every, ref write } => {
            let mut cluster = Cluster::start(3, dir.path())?;
            let pace = match minutes {
                None => Pace::Writes(writes / PARTS),
                Some(minutes) => Pace::timed(minutes, every),
            };
            let mut diary = Diary { lines: vec![HEAD.into()], about, to: write.clone() };
            overwrite(&mut cluster, pace, keys, &mut diary)
        }
    }
}

fn behind(cluster: &mut Cluster, (writes, keys): (u64, u64), times: u32) -> Outcome<()> {
    let leader = cluster.leader()?;
    let away = (leader + 1) % cluster.nodes.len();
    let server = cluster.nodes[leader].server(SILENCE_MAX);
    let (mut calm, mut meanwhile, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..times {
        cluster.nodes[away].kill();
        let begun = Instant::now();
        flood(writes, keys).run(&server)?;
        println!("{writes} writes over {keys} keys took {:.1} s", begun.elapsed().as_secs_f64());
        calm.extend(watch(&server, sample)?);
        let sent = bytes_sent(cluster);
        let begun = Instant::now();
        meanwhile.extend(watch(&server, || come_back(cluster, leader, away))?);
        let took = begun.elapsed().as_secs_f64();
        println!(
            "level after {took:.2} s; the others sent it and each other {:.1} MB meanwhile",
            (bytes_sent(cluster) - sent) as f64 / 1e6
        );
        after.extend(watch(&server, sample)?);
    }
    println!("writes at the leader, one at a time: p50 and p99 in ms");
    for (when, mut waits) in [("before", calm), ("meanwhile", meanwhile), ("after", after)] {
        waits.sort_unstable();
        let ms = |share| percentile(&waits, share).as_secs_f64() * 1000.0;
        println!("  {when:<10} {:.2} {:.2} ({} writes)", ms(0.5), ms(0.99), waits.len());
    }
    Ok(())
}

/// Starts the node that was away, and waits until it has what the leader has now.
fn come_back(cluster: &mut Cluster, leader: usize, away: usize) -> Outcome<()> {
    let chosen = cluster.nodes[leader].standing().ok_or("the leader is silent")?.chosen;
    cluster.nodes[away].start()?;
    let level = || {
        let standing = cluster.nodes[away].standing();
        standing.filter(|standing| standing.delivered >= chosen)
    };
    wait_for("the node is level", level).map(drop)
}

/// The length of a sample.
fn sample() -> Outcome<()> {
    thread::sleep(CALM);
    Ok(())
}

/// How long single writes at `leader` take while `during` runs.
fn watch(leader: &Server, during: impl FnOnce() -> Outcome<()>) -> Outcome<Vec<Duration>> {
    let probe = Probe::start(leader.clone(), PROBE_PAUSE);
    let done = during();
    let waits = probe.stop()?;
    done.map(|()| waits)
}

/// Bytes that all running nodes have sent to their peers.
fn bytes_sent(cluster: &Cluster) -> u64 {
    let sent = |node: &Node| node.numbers()?.get("peer_bytes_sent").copied();
    cluster.nodes.iter().filter(|node| node.is_started()).filter_map(sent).sum()
}

/// How much is written between two looks at the nodes, and how often they are looked at.
#[derive(Clone, Copy)]
enum Pace {
    /// So many writes, [`PARTS`] times.
    Writes(u64),
    /// So long, so often.
    Time(Duration, u64),
}

impl Pace {
    fn timed(minutes: u64, every: Option<u64>) -> Pace {
        let all = Duration::from_secs(minutes * 60);
        let usual = EVERY.min(all / 5);
        let every = every.map_or(usual, |minutes| Duration::from_secs(minutes * 60));
        let every = every.max(Duration::from_secs(1));
        Pace::Time(every, (all.as_secs_f64() / every.as_secs_f64()).ceil() as u64)
    }
}

/// The table, which is shown line by line, and written down as far as it has come.
struct Diary {
    lines: Vec<String>,
    about: String,
    to: Option<PathBuf>,
}

impl Diary {
    fn add(&mut self, line: String) -> Outcome<()> {
        println!("{line}");
        self.lines.push(line);
        let Some(to) = &self.to else { return Ok(()) };
        let (lines, command) = (self.lines.join("\n"), machine::command("years"));
        let title = "# The same keys, written over and over";
        Ok(fs::write(
            machine::from_root(to),
            format!("{title}\n\n{lines}\n\n`{command}`: {}.\n", self.about),
        )?)
    }
}

fn overwrite(cluster: &mut Cluster, pace: Pace, keys: u64, diary: &mut Diary) -> Outcome<()> {
    println!("{HEAD}");
    let begun = Instant::now();
    let mut written = 0;
    look(cluster, written, begun.elapsed(), diary)?;
    let looks = if let Pace::Time(_, looks) = pace { looks } else { PARTS };
    for look_number in 1..=looks {
        let until = |each: Duration| begun + each * look_number as u32;
        loop {
            let chunk = if let Pace::Writes(writes) = pace { writes } else { CHUNK };
            let leader = cluster.leader()?;
            flood(chunk, keys).run(&cluster.nodes[leader].server(SILENCE_MAX))?;
            written += chunk;
            match pace {
                Pace::Time(each, _) if Instant::now() < until(each) => {}
                _ => break,
            }
        }
        look(cluster, written, begun.elapsed(), diary)?;
    }
    Ok(())
}

/// Adds a line on how the nodes are.
fn look(cluster: &mut Cluster, written: u64, at: Duration, diary: &mut Diary) -> Outcome<()> {
    let leader = cluster.leader()?;
    let chosen = cluster.nodes[leader].standing().ok_or("the leader is silent")?.chosen;
    let begun = Instant::now();
    let behind = |node: &Node| node.standing().is_none_or(|standing| standing.delivered < chosen);
    let level = wait_for("all nodes are level", || {
        let late: Vec<String> =
            cluster.nodes.iter().filter(|n| behind(n)).map(|n| format!("n{}", n.id)).collect();
        match &late[..] {
            [] => Some("yes".to_owned()),
            _ if begun.elapsed() < LEVEL_MAX => None,
            late => Some(format!("not {}", late.join(", "))),
        }
    })?;
    let disk: Vec<String> =
        cluster.nodes.iter().map(|n| megabytes(machine::size_of_dir(n.data()))).collect();
    let mut memory = Vec::new();
    for node in &mut cluster.nodes {
        memory.push(megabytes(machine::resident(node.process()?.id())?));
    }
    let (disk, memory) = (disk.join(" "), memory.join(" "));
    diary.add(format!(
        "| {:.1} | {written} | {disk} | {memory} | {level} |",
        at.as_secs_f64() / 60.0
    ))
}

fn flood(writes: u64, keys: u64) -> Flood {
    Flood { writes, keys, value_bytes: 64, connections: 32, pipeline: 64 }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1e6)
}

/// How long a connection may wait for an answer.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The pace of the probe.
const PROBE_PAUSE: Duration = Duration::from_millis(1);
/// How long the probe writes before the node returns, and after.
const CALM: Duration = Duration::from_secs(2);
/// Looks at the nodes while they are overwritten.
const PARTS: u64 = 10;
/// The time between two of them, where it is time that counts.
const EVERY: Duration = Duration::from_secs(300);
/// Writes between two looks at the clock.
const CHUNK: u64 = 100_000;
/// How long after the last write a node may still be taking it in, and counts as level.
const LEVEL_MAX: Duration = Duration::from_secs(1);
const HEAD: &str = "\
| minutes | writes | MB on disk, n1 n2 n3 | MB in memory, n1 n2 n3 | level |
|--:|--:|:--|:--|:--|";
