//! What a cluster of ours does beside a Redis that syncs every write, beside etcd, and
//! beside three processes that keep what is written and do nothing else, on the same
//! machine, file system and load.
//!
//! Each round starts each system anew, writes all keys once, warms it up, and then
//! puts one load after the other on it; the systems, and the nodes in them, take
//! turns at being first. What is shown are medians over the rounds. What is not
//! installed is left out. With `--write`, they go into the documentation.
//!
//! `cargo bench -p driver-mio --bench peers -- --help`

mod contender;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use contender::loader::Loader;
use contender::table::Report;
use contender::{Door, Op, Running, Seat, Shape, System, Work, limit};
use support::{Outcome, go_on, machine, watch_signals};

#[derive(Parser)]
#[command(about = "Compares paxos-node with redis-server, etcd and the least that can be done")]
struct Options {
    /// How often everything is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long one load takes, about
    #[arg(long, default_value_t = 1.0, value_parser = parse_seconds)]
    seconds: f64,
    /// Numbers of connections
    #[arg(long, default_value = "1,64,256", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: Vec<u32>,
    /// Numbers of requests that each connection sends at once
    #[arg(long, default_value = "1", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pipelines: Vec<u32>,
    /// Lengths of values, in bytes
    #[arg(long, default_value = "64", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    sizes: Vec<u32>,
    /// Where ours has leases, its leader reads without asking for so long after a quorum
    /// has answered it
    #[arg(long, value_name = "MS", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..))]
    lease_ms: u32,
    /// Measure these, and no others
    #[arg(long, value_delimiter = ',', default_value = "paxos,leased,redis,memory,etcd,limit")]
    only: Vec<String>,
    /// Who puts the load on what speaks Redis
    #[arg(long, value_enum, default_value_t = Loader::Own)]
    loader: Loader,
    /// Write the tables here as well
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Where to keep the data, in a directory of its own [default: the system's temporary one]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
    /// Given by this bench to itself: addresses and a file
    #[arg(long, hide = true, num_args = 2)]
    limit_node: Option<Vec<String>>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some([addresses, file]) = options.limit_node.as_deref() {
        let Err(error) = limit::run(addresses, file.into());
        eprintln!("limit: {error}");
        return ExitCode::FAILURE;
    }
    if !options.bench {
        println!("a measurement, not a test; it runs with `cargo bench` (or with --bench)");
        return ExitCode::SUCCESS;
    }
    match measure(&options).and_then(|report| tell(&options, &report)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tell(options: &Options, report: &Report) -> Outcome<()> {
    println!("{report}");
    if let Some(to) = &options.write {
        let command = machine::command("peers");
        let title = match options.loader {
            Loader::Own => "Beside others",
            Loader::RedisBenchmark => "Beside others, as redis-benchmark finds them",
        };
        fs::write(machine::from_root(to), format!("# {title}\n\n`{command}`\n{report}\n"))?;
    }
    Ok(())
}

fn measure(options: &Options) -> Outcome<Report> {
    watch_signals()?;
    options.loader.check()?;
    let parent = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::Builder::new().prefix("paxos-peers-").tempdir_in(parent)?;
    let mut report = Report {
        machine: machine::describe(dir.path()),
        versions: System::ALL.map(|system| (system, system.version())).to_vec(),
        rounds: options.rounds,
        seconds: options.seconds,
        lease_ms: options.lease_ms,
        loader: options.loader,
        took: Duration::ZERO,
        samples: BTreeMap::new(),
    };
    let asked = |system: &System| options.only.contains(&format!("{system:?}").to_lowercase());
    report.versions.retain(|(system, _)| asked(system));
    let there = report.versions.iter().filter(|(_, version)| version.is_some());
    let mut systems: Vec<System> = there.map(|(system, _)| *system).collect();
    let started = Instant::now();
    for round in 1..=options.rounds {
        for system in &systems {
            let home = dir.path().join(format!("{round}-{system:?}"));
            fs::create_dir(&home)?;
            let mut turn = Turn { options, home: &home, report: &mut report, round };
            turn.take(*system)?;
            fs::remove_dir_all(&home)?;
        }
        systems.rotate_left(1);
        eprintln!("round {round} of {}: {:.0?}", options.rounds, started.elapsed());
    }
    report.took = started.elapsed();
    Ok(report)
}

/// One system in one round.
struct Turn<'a> {
    options: &'a Options,
    home: &'a Path,
    report: &'a mut Report,
    round: u32,
}

impl Turn<'_> {
    fn take(&mut self, system: System) -> Outcome<()> {
        let mut running = system.start(self.home, self.options.lease_ms)?;
        running.fill(WARM_UP.value_bytes)?;
        // What the system before has left to be written would be paid for by this one.
        machine::settle()?;
        let mut seats = system.seats();
        let loader = self.options.loader;
        for seat in seats.iter().filter(|seat| seat.at != Door::All || loader.spreads()) {
            let requests = u64::from(WARM_UP.connections) * PILOT_REQUESTS_EACH;
            let work = Work { shape: WARM_UP, requests, seed: 0, loader };
            running.measure(*seat, &work, self.home)?;
        }
        let turns = self.round as usize % seats.len();
        seats.rotate_left(turns);
        let mut filled = WARM_UP.value_bytes;
        for shape in self.options.shapes() {
            // So that all that is read is of this length.
            if std::mem::replace(&mut filled, shape.value_bytes) != shape.value_bytes {
                running.fill(shape.value_bytes)?;
            }
            for seat in &seats {
                go_on()?;
                if seat.takes(shape, loader) {
                    self.load(&mut running, *seat, shape)?;
                }
            }
        }
        Ok(())
    }

    /// Puts one load on one node, of a size that follows from how fast it was before.
    fn load(&mut self, running: &mut Running, seat: Seat, shape: Shape) -> Outcome<()> {
        let (seed, loader) = (u64::from(self.round), self.options.loader);
        let mut work = Work { shape, requests: 0, seed, loader };
        let samples = self.report.samples.entry((shape, seat)).or_default();
        let at_once = u64::from(shape.connections) * u64::from(shape.pipeline);
        let known = match samples.last() {
            Some(sample) => *sample,
            None => {
                work.requests = at_once * PILOT_REQUESTS_EACH;
                running.measure(seat, &work, self.home)?
            }
        };
        let requests = (known.per_second * self.options.seconds) as u64;
        work.requests = requests.clamp(at_once, REQUESTS_MAX);
        samples.push(running.measure(seat, &work, self.home)?);
        Ok(())
    }
}

impl Options {
    /// All loads, in the order in which each system gets them.
    fn shapes(&self) -> Vec<Shape> {
        let mut shapes = Vec::new();
        for &value_bytes in &self.sizes {
            for &pipeline in &self.pipelines {
                for &connections in &self.connections {
                    let shape = |op| Shape { op, value_bytes, pipeline, connections };
                    shapes.extend([Op::Set, Op::Get].map(shape));
                }
            }
        }
        shapes
    }
}

fn parse_seconds(word: &str) -> Result<f64, String> {
    let seconds: f64 = word.parse().map_err(|_| "not a number")?;
    match (0.1..=10.0).contains(&seconds) {
        true => Ok(seconds),
        false => Err("not between 0.1 and 10".into()),
    }
}

/// Requests of each connection in the load that only tells how fast a node is.
const PILOT_REQUESTS_EACH: u64 = 40;
/// The load that is not measured.
const WARM_UP: Shape = Shape { op: Op::Set, value_bytes: 64, pipeline: 1, connections: 64 };
/// Requests in one load, for what is faster than anything we know.
const REQUESTS_MAX: u64 = 2_000_000;
