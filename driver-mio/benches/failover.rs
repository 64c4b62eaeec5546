//! How long a cluster is without service when its leader goes, and whether it
//! loses anything.
//!
//! Three real nodes, writers in the background, and over and over: find the
//! leader, kill it (or stop it, with `--stop`, or ask it to end, with `--graceful`),
//! measure the time until a write that was sent after that is acknowledged, bring the
//! node back, wait until it has caught up. In the end every node must show every acknowledged write.
//!
//! `cargo bench -p driver-mio --bench failover -- --help`

mod support;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use driver_mio::args::Server;
use driver_mio::resp::Reply;
use driver_mio::tool::Connection;
use rustix::process::Signal;

use support::cluster::{Cluster, Node, ask};
use support::load::{Ledger, Load, code_of, value_of};
use support::stats::{median, range};
use support::{Outcome, PATIENCE, go_on, machine, wait_for, watch_signals};

#[derive(Parser)]
#[command(about = "Measures how long a cluster is without a leader, and what it loses")]
struct Options {
    /// Stop the leader (SIGSTOP) instead of killing it: it is silent, and its connections stay
    #[arg(long)]
    stop: bool,
    /// Ask the leader to end (SIGTERM) instead of killing it: it makes way first
    #[arg(long, conflicts_with = "stop")]
    graceful: bool,
    /// How often
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Connections that write in the background, spread over all nodes
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=512))]
    writers: u32,
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
        Ok(report) => {
            println!("{report}");
            ExitCode::from(u8::from(!report.lost.is_empty()))
        }
        Err(error) => {
            eprintln!("failover: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Outcome<Report> {
    watch_signals()?;
    let parent = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::Builder::new().prefix("paxos-failover-").tempdir_in(parent)?;
    let machine = machine::describe(dir.path());
    let mut cluster = Cluster::start(3, dir.path())?;
    let servers = cluster.nodes.iter().map(|node| node.server(WRITER_SILENCE_MAX)).collect();
    let load = Load::start(servers, options.writers as usize);
    let (mut rounds, mut ledgers) = (Vec::new(), Vec::new());
    for number in 1..=options.rounds {
        let round = fail_over(&mut cluster, &load, number, options.how(), &mut ledgers)?;
        eprintln!("round {number}: {:.1} ms", round.first_ms);
        rounds.push(round);
    }
    ledgers.extend(load.stop());
    let kept: Vec<&str> = keys(&ledgers).collect();
    let lost = missing(&mut cluster, &kept)?;
    let errors = ledgers.iter().flat_map(|ledger| &ledger.errors);
    let errors = errors.fold(BTreeMap::new(), |mut sums: BTreeMap<String, u64>, (code, count)| {
        *sums.entry(code.clone()).or_default() += count;
        sums
    });
    let (how, writers, acknowledged) = (options.how(), options.writers, kept.len());
    Ok(Report { machine, how, writers, rounds, errors, acknowledged, lost })
}

/// What becomes of the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Killed,
    Stopped,
    AskedToEnd,
}

impl Options {
    fn how(&self) -> How {
        match self {
            Options { stop: true, .. } => How::Stopped,
            Options { graceful: true, .. } => How::AskedToEnd,
            _ => How::Killed,
        }
    }
}

impl How {
    fn signal(self) -> Signal {
        match self {
            How::Killed => Signal::KILL,
            How::Stopped => Signal::STOP,
            How::AskedToEnd => Signal::TERM,
        }
    }
}

/// One failure of the leader and what came of it. All times are in milliseconds.
struct Round {
    leader: u16,
    /// What a write through another node took before, one at a time: the median.
    before_ms: f64,
    /// From the failure to the first write acknowledged that was sent after it.
    first_ms: f64,
    /// The same, when the other survivor has acknowledged one, too.
    all_ms: f64,
    /// The longest time in which none of the writers had an acknowledgement.
    gap_ms: f64,
    /// From the return of the node until it had what was chosen then.
    caught_up_ms: f64,
}

fn fail_over(
    cluster: &mut Cluster,
    load: &Load,
    number: u32,
    how: How,
    ledgers: &mut Vec<Ledger>,
) -> Outcome<Round> {
    let place = cluster.leader()?;
    load.go_home();
    await_writes(load)?;
    let survivors = cluster.nodes.iter().filter(|node| node.id != cluster.nodes[place].id);
    let mut probes: Vec<Probe> = survivors.map(|node| Probe::new(node, number)).collect();
    let first = probes.first_mut().ok_or("nobody is left")?;
    let before = (0..WRITES_BEFORE).map(|n| first.time_one(n)).collect::<Outcome<Vec<f64>>>()?;
    let before_ms = median(&before).ok_or("no write before")?;

    load.take_longest_gap();
    let failed_at = Instant::now();
    cluster.nodes[place].process()?.signal(how.signal())?;
    let probed = thread::scope(|scope| {
        let probes = probes.into_iter().map(|probe| scope.spawn(move || probe.run(failed_at)));
        let probes: Vec<_> = probes.collect();
        probes.into_iter().map(|probe| probe.join().expect("no probe panics")).collect::<Vec<_>>()
    });
    let mut waits = Vec::new();
    for probed in probed {
        let (wait, ledger) = probed?;
        waits.push(ms(wait));
        ledgers.push(ledger);
    }
    // The gap may be longer than the probes': what was under way has to fail first.
    await_writes(load)?;
    let gap_ms = ms(load.take_longest_gap());
    if how == How::AskedToEnd {
        let process = cluster.nodes[place].process_as_it_is()?;
        wait_for("the leader has ended", || process.ended().ok().flatten())?;
    }
    let caught_up_ms = ms(bring_back(cluster, place, how)?);
    let (first_ms, all_ms) = range(&waits).ok_or("no node has survived")?;
    let leader = cluster.nodes[place].id;
    Ok(Round { leader, before_ms, first_ms, all_ms, gap_ms, caught_up_ms })
}

/// Waits until the writers have had some more acknowledgements.
fn await_writes(load: &Load) -> Outcome<()> {
    let enough = load.acknowledged() + WRITES_BETWEEN;
    wait_for("writes are acknowledged", || (load.acknowledged() >= enough).then_some(()))
}

/// Brings the node back, and waits until it has what the others have now.
fn bring_back(cluster: &mut Cluster, place: usize, how: How) -> Outcome<Duration> {
    let chosen = cluster.nodes.iter().enumerate().filter(|(other, _)| *other != place);
    let chosen = chosen.filter_map(|(_, node)| node.standing()).map(|standing| standing.chosen);
    let chosen = chosen.max().ok_or("no survivor tells how far it is")?;
    let node = &mut cluster.nodes[place];
    let back_at = Instant::now();
    if how == How::Stopped {
        node.process()?.signal(Signal::CONT)?;
    } else {
        node.kill();
        node.start()?;
    }
    node.await_service()?;
    let caught_up = || node.standing().filter(|standing| standing.delivered >= chosen);
    wait_for("the node has caught up", caught_up)?;
    Ok(back_at.elapsed())
}

/// A client that writes through one node from a failure on.
struct Probe {
    server: Server,
    name: String,
    connection: Option<Connection>,
    ledger: Ledger,
}

impl Probe {
    fn new(node: &Node, round: u32) -> Probe {
        let server = node.server(PROBE_SILENCE_MAX);
        let connection = Connection::open(&server).ok();
        let name = format!("p{}.{round}", node.id);
        Probe { server, name, connection, ledger: Ledger::default() }
    }

    /// How long one write takes while all is well, in milliseconds.
    fn time_one(&mut self, number: u64) -> Outcome<f64> {
        let key = format!("{}:before:{number}", self.name);
        let begun = Instant::now();
        self.write(&key)?;
        self.ledger.acknowledged.push(key);
        Ok(ms(begun.elapsed()))
    }

    /// Writes until one write is acknowledged, each under a key of its own.
    fn run(mut self, failed_at: Instant) -> Outcome<(Duration, Ledger)> {
        for number in 1_u64.. {
            go_on()?;
            let key = format!("{}:{number}", self.name);
            match self.write(&key) {
                Ok(()) => {
                    let wait = failed_at.elapsed();
                    self.ledger.acknowledged.push(key);
                    return Ok((wait, self.ledger));
                }
                Err(code) => *self.ledger.errors.entry(code).or_default() += 1,
            }
            if failed_at.elapsed() > PATIENCE {
                break;
            }
            // Only no flood of requests; it adds no more than this to the figure.
            thread::sleep(Duration::from_millis(1));
        }
        Err(format!("no write through {} within {PATIENCE:?}", self.server).into())
    }

    fn write(&mut self, key: &str) -> Result<(), String> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.server).map_err(|error| code_of(&error))?,
        };
        let value = value_of(key);
        connection.send(&["SET", key, &value]).map_err(|error| code_of(&error))?;
        let reply = connection.receive().map_err(|error| code_of(&error))?;
        self.connection = Some(connection);
        reply.error_code().map_or(Ok(()), |code| Err(code.escape_ascii().to_string()))
    }
}

fn keys(ledgers: &[Ledger]) -> impl Iterator<Item = &str> {
    ledgers.iter().flat_map(|ledger| &ledger.acknowledged).map(String::as_str)
}

/// Reads every key at every node; returns those that some node shows otherwise.
fn missing(cluster: &mut Cluster, keys: &[&str]) -> Outcome<Vec<String>> {
    let mut lost = Vec::new();
    for node in &mut cluster.nodes {
        node.await_service()?;
        let server = node.server(PATIENCE);
        for batch in keys.chunks(KEYS_READ_AT_ONCE) {
            let words = [&["MGET"], batch].concat();
            let values = wait_for("the node serves reads", || match ask(&server, &words)? {
                Reply::Array(values) if values.len() == batch.len() => Some(values),
                _ => None,
            })?;
            let pairs = batch.iter().zip(values);
            let other = pairs.filter(|(key, value)| *value != Reply::bulk(value_of(key)));
            lost.extend(other.map(|(key, value)| format!("{key} at n{}: {value:?}", node.id)));
        }
    }
    Ok(lost)
}

/// Everything that is told at the end.
struct Report {
    machine: String,
    how: How,
    writers: u32,
    rounds: Vec<Round>,
    errors: BTreeMap<String, u64>,
    acknowledged: usize,
    /// What was acknowledged and is not there, a line each.
    lost: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.how {
            How::Killed => "killed (SIGKILL)",
            How::Stopped => "stopped (SIGSTOP)",
            How::AskedToEnd => "asked to end (SIGTERM)",
        };
        let (writers, machine) = (self.writers, &self.machine);
        writeln!(f, "\nLeader {verb} under the load of {writers} writers. {machine}.\n")?;
        writeln!(
            f,
            "| round | leader | write before ms | first write ms | through both ms | load gap ms \
             | caught up ms |"
        )?;
        writeln!(f, "|--:|--:|--:|--:|--:|--:|--:|")?;
        for (number, round) in (1..).zip(&self.rounds) {
            let figures = FIGURES.map(|figure| figure(round));
            row(f, &format!("{number} | n{}", round.leader), figures)?;
        }
        let samples = FIGURES.map(|figure| self.rounds.iter().map(figure).collect::<Vec<_>>());
        let summary = |of: &dyn Fn(&[f64]) -> Option<f64>| {
            samples.each_ref().map(|sample| of(sample).unwrap_or(f64::NAN))
        };
        row(f, "**median** |", summary(&median))?;
        row(f, "**min** |", summary(&|sample| Some(range(sample)?.0)))?;
        row(f, "**max** |", summary(&|sample| Some(range(sample)?.1)))?;
        let writes = self.rounds.iter().map(|round| round.gap_ms / round.before_ms);
        if let Some(writes) = median(&writes.collect::<Vec<_>>()) {
            writeln!(
                f,
                "\nThe load's gap is as long as {writes:.1} writes take, one after the other."
            )?;
        }
        let errors = self.errors.iter().map(|(code, count)| format!("{count} {code}"));
        let errors = errors.collect::<Vec<_>>().join(", ");
        writeln!(f, "\nErrors on the way, all of them retried: {errors}")?;
        writeln!(
            f,
            "Writes acknowledged: {}; lost: {} (each was read at all three nodes)",
            self.acknowledged,
            self.lost.len()
        )?;
        self.lost.iter().take(LOST_SHOWN).try_for_each(|line| writeln!(f, "lost: {line}"))
    }
}

fn row(f: &mut fmt::Formatter<'_>, head: &str, figures: [f64; 5]) -> fmt::Result {
    let [before, first, all, gap, caught_up] = figures;
    writeln!(f, "| {head} | {before:.2} | {first:.1} | {all:.1} | {gap:.1} | {caught_up:.0} |")
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The columns.
const FIGURES: [fn(&Round) -> f64; 5] = [
    |round| round.before_ms,
    |round| round.first_ms,
    |round| round.all_ms,
    |round| round.gap_ms,
    |round| round.caught_up_ms,
];
/// Writes that must be acknowledged before the leader fails, and after.
const WRITES_BETWEEN: u64 = 200;
/// How long a writer waits for an answer before it tries the next node; more than
/// the two seconds after which a node answers "unknown".
const WRITER_SILENCE_MAX: Duration = Duration::from_millis(2500);
/// The same for probes.
const PROBE_SILENCE_MAX: Duration = Duration::from_millis(2500);
/// Writes that tell how long one takes.
const WRITES_BEFORE: u64 = 21;
const KEYS_READ_AT_ONCE: usize = 500;
const LOST_SHOWN: usize = 20;
