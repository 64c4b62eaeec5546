//! The command line: words in, validated options out. Pure, but for the one
//! file that `--config` names, and that one is read by the caller.
//!
//! Whatever is wrong with the words ends here, in one line that says what to
//! change; the options that come out can be used without a second look.

mod file;
mod options;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use paxos_core::types::{Lease, NodeId, PRIORITY, Timing};

pub use options::{BenchOptions, Checkpoints, CliOptions, LocalOptions, NodeOptions, Server};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Run a whole cluster on this machine.
    Local(LocalOptions),
    /// Run one node.
    Run(NodeOptions),
    /// Talk to a server.
    Cli(CliOptions),
    /// Load a server, and measure it.
    Bench(BenchOptions),
    /// Show what a data directory holds.
    Inspect(PathBuf),
}

/// Why there is nothing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Help or a version was asked for: this text, on stdout, is the answer.
    Text(String),
    /// The words make no sense; one line that says why, without a newline.
    Usage(String),
}

/// Reads the command line, program name first. `read` gives the text of the
/// file that `--config` names.
pub fn parse(
    words: impl IntoIterator<Item = OsString>,
    read: impl FnOnce(&Path) -> io::Result<String>,
) -> Result<Task, Refusal> {
    let words = Words::try_parse_from(words).map_err(refusal)?;
    let task = match words.task {
        TaskWords::Local(local) => local.check().map(Task::Local),
        TaskWords::Run(run) => run.check(read).map(Task::Run),
        TaskWords::Cli(cli) => cli.check().map(Task::Cli),
        TaskWords::Bench(bench) => bench.check().map(Task::Bench),
        TaskWords::Inspect { dir } => Ok(Task::Inspect(dir)),
    };
    task.map_err(Refusal::Usage)
}

#[derive(Parser)]
#[command(name = "paxos-node", version, about = "A replicated key-value store that speaks Redis")]
struct Words {
    #[command(subcommand)]
    task: TaskWords,
}

#[derive(Subcommand)]
enum TaskWords {
    /// Run a whole cluster on this machine, one process a node
    Local(LocalWords),
    /// Run one node of a cluster
    Run(RunWords),
    /// Send commands to a server: one, or those that are typed
    #[command(disable_help_flag = true)]
    Cli(CliWords),
    /// Load a server, and print its throughput and latency
    #[command(disable_help_flag = true)]
    Bench(BenchWords),
    /// Show what a data directory holds, without changing it
    Inspect {
        /// The data directory of a node that is not running
        dir: PathBuf,
    },
}

#[derive(Args)]
struct LocalWords {
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=127))]
    nodes: u16,
    /// The first node listens to clients here, the second at the port after it, ..
    #[arg(long, default_value_t = 6379, value_parser = clap::value_parser!(u16).range(1..))]
    client_port: u16,
    /// The same for the nodes among themselves [default: client port + 10000]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    peer_port: Option<u16>,
    /// Where the nodes keep their data [default: a directory that goes away at the end]
    #[arg(long)]
    data: Option<PathBuf>,
    #[command(flatten)]
    timing: TimingWords,
    #[command(flatten)]
    checkpoints: CheckpointWords,
}

/// A flag outranks the file.
#[derive(Args, Default)]
struct RunWords {
    /// A TOML file with the flags below as keys: `id = 1`, `cluster = "1=..,2=.."`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which member of the cluster this node is, 1 to 127
    #[arg(long)]
    id: Option<u16>,
    /// Where this node keeps its data; no two nodes share one
    #[arg(long)]
    data: Option<PathBuf>,
    /// All members and where they listen to each other: 1=10.0.0.1:7101,2=10.0.0.2:7101
    #[arg(long)]
    cluster: Option<String>,
    /// This node joins a group that runs: `PAXOS ADD` makes it a member. --cluster
    /// names itself and whom it knows
    #[arg(long)]
    join: bool,
    /// How willingly this node leads, 0 to 255; 100 where nothing is said. A leader makes
    /// way for a higher one; 0 never stands by itself
    #[arg(long)]
    priority: Option<u8>,
    /// Where this node listens to clients, as in 127.0.0.1:6379
    #[arg(long)]
    client: Option<String>,
    /// Tells clusters apart: nodes of another cluster are not talked to [default: 1]
    #[arg(long)]
    cluster_id: Option<u64>,
    /// End when stdin ends: whoever has started this node holds the other end
    #[arg(long)]
    with_parent: bool,
    /// Write down everything that the core is told into this directory, at most 512 MiB, for
    /// `paxos-sim replay`: every value that clients write stands in there
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    #[command(flatten)]
    timing: TimingWords,
    #[command(flatten)]
    checkpoints: CheckpointWords,
}

#[derive(Args, Clone, Copy, Default)]
struct CheckpointWords {
    /// Write the state out after so many slots, and trim the log [default: 262144]
    #[arg(long, value_name = "SLOTS")]
    checkpoint_slots: Option<u64>,
    /// The same after so many bytes of commands [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    checkpoint_bytes: Option<u64>,
    /// Bytes of one file of the log [default: 16777216]
    #[arg(long, value_name = "BYTES")]
    segment_bytes: Option<u64>,
}

#[derive(Args, Clone, Copy, Default)]
struct TimingWords {
    /// A leader speaks at least this often [default: 50]
    #[arg(long, value_name = "MS")]
    heartbeat_ms: Option<u64>,
    /// A leader that is silent for this long is replaced [default: 300]
    #[arg(long, value_name = "MS")]
    election_ms: Option<u64>,
    /// A message without an answer is sent again after this long [default: 100]
    #[arg(long, value_name = "MS")]
    resend_ms: Option<u64>,
    /// A client is told "unknown" when a command takes longer than this [default: 2000]
    #[arg(long, value_name = "MS")]
    answer_ms: Option<u64>,
    /// Let a leader read without asking for this long after a quorum has answered it;
    /// reads then rest on clocks. The same on all nodes [default: off]
    #[arg(long, visible_alias = "lease", value_name = "MS")]
    lease_ms: Option<u64>,
    /// How far any node's clock may run fast or slow, in parts in a million, with
    /// --lease-ms [default: 1000]
    #[arg(long, value_name = "PPM")]
    clock_drift_ppm: Option<u32>,
}

#[derive(Args)]
struct ServerWords {
    /// The server's name or address
    #[arg(short = 'h', long, default_value = "127.0.0.1")]
    host: String,
    /// The server's port
    #[arg(short, long, default_value_t = 6379, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Give up when the server is silent for this many seconds; 0 is never
    #[arg(short, long, default_value_t = 30, value_name = "SECONDS")]
    timeout: u32,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

#[derive(Args)]
struct CliWords {
    #[command(flatten)]
    server: ServerWords,
    /// Print strings as they are, without quotes and types
    #[arg(long)]
    raw: bool,
    /// The command and its arguments; without one, commands are read from stdin
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

#[derive(Args)]
struct BenchWords {
    #[command(flatten)]
    server: ServerWords,
    /// How many connections
    #[arg(short, long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// How many requests in all
    #[arg(short = 'n', long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Bytes of each value that is written
    #[arg(short = 'd', long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(..=8 << 20))]
    size: u32,
    /// The share of requests that read, 0 to 1
    #[arg(long, default_value_t = 0.5)]
    reads: f64,
    /// How many requests a connection sends before it waits for their answers
    #[arg(short = 'P', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pipeline: u32,
    /// How many different keys
    #[arg(short = 'r', long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// The same seed makes the same requests
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl LocalWords {
    fn check(self) -> Result<LocalOptions, String> {
        let Self { nodes, client_port, data, .. } = self;
        let peer_port = match self.peer_port {
            Some(port) => port,
            None => client_port
                .checked_add(PEER_PORT_OFFSET)
                .ok_or("--peer-port is needed when --client-port is above 55535")?,
        };
        for (flag, port) in [("--client-port", client_port), ("--peer-port", peer_port)] {
            if port.checked_add(nodes - 1).is_none() {
                return Err(format!("{flag} {port} leaves no room for {nodes} ports"));
            }
        }
        if client_port.abs_diff(peer_port) < nodes {
            return Err(format!("--client-port and --peer-port need {nodes} ports each"));
        }
        Ok(LocalOptions {
            nodes,
            client_port,
            peer_port,
            data,
            timing: self.timing.check()?,
            checkpoints: self.checkpoints.check()?,
        })
    }
}

impl RunWords {
    fn check(self, read: impl FnOnce(&Path) -> io::Result<String>) -> Result<NodeOptions, String> {
        let file = match &self.config {
            Some(path) => file::read_config(path, read)?,
            None => Self::default(),
        };
        let words = self.or(file);
        let id = node_id(words.id.ok_or("--id is missing: which member is this node?")?)?;
        let cluster = parse_cluster(&words.cluster.ok_or("--cluster is missing: 1=HOST:PORT,..")?)?;
        let client = words.client.ok_or("--client is missing: where to listen to clients")?;
        let client = parse_address("--client", &client)?;
        let peer = cluster.get(&id).ok_or_else(|| format!("--id {} is not in --cluster", id.0))?;
        if *peer == client {
            return Err(format!("--client {client} is where the node listens to its peers"));
        }
        Ok(NodeOptions {
            id,
            cluster_id: words.cluster_id.unwrap_or(1),
            data: words.data.ok_or("--data is missing: where to keep the log")?,
            cluster,
            join: words.join,
            priority: words.priority.unwrap_or(PRIORITY),
            client,
            timing: words.timing.check()?,
            checkpoints: words.checkpoints.check()?,
            with_parent: words.with_parent,
            record: words.record,
        })
    }

    fn or(self, file: Self) -> Self {
        Self {
            config: None,
            id: self.id.or(file.id),
            data: self.data.or(file.data),
            cluster: self.cluster.or(file.cluster),
            join: self.join || file.join,
            priority: self.priority.or(file.priority),
            client: self.client.or(file.client),
            cluster_id: self.cluster_id.or(file.cluster_id),
            with_parent: self.with_parent || file.with_parent,
            record: self.record.or(file.record),
            timing: self.timing.or(file.timing),
            checkpoints: self.checkpoints.or(file.checkpoints),
        }
    }
}

impl CheckpointWords {
    fn or(self, file: Self) -> Self {
        Self {
            checkpoint_slots: self.checkpoint_slots.or(file.checkpoint_slots),
            checkpoint_bytes: self.checkpoint_bytes.or(file.checkpoint_bytes),
            segment_bytes: self.segment_bytes.or(file.segment_bytes),
        }
    }

    fn check(self) -> Result<Checkpoints, String> {
        let usual = Checkpoints::default();
        Ok(Checkpoints {
            slots: size("--checkpoint-slots", self.checkpoint_slots, usual.slots, 16..=1 << 24)?,
            bytes: size("--checkpoint-bytes", self.checkpoint_bytes, usual.bytes, 4096..=2 << 30)?,
            segment_bytes: size(
                "--segment-bytes",
                self.segment_bytes,
                usual.segment_bytes,
                32 << 10..=1 << 30,
            )?,
        })
    }
}

impl TimingWords {
    fn or(self, file: Self) -> Self {
        Self {
            heartbeat_ms: self.heartbeat_ms.or(file.heartbeat_ms),
            election_ms: self.election_ms.or(file.election_ms),
            resend_ms: self.resend_ms.or(file.resend_ms),
            answer_ms: self.answer_ms.or(file.answer_ms),
            lease_ms: self.lease_ms.or(file.lease_ms),
            clock_drift_ppm: self.clock_drift_ppm.or(file.clock_drift_ppm),
        }
    }

    fn check(self) -> Result<Timing, String> {
        let usual = Timing::default();
        let timing = Timing {
            heartbeat: wait("--heartbeat-ms", self.heartbeat_ms, usual.heartbeat)?,
            patience: wait("--election-ms", self.election_ms, usual.patience)?,
            resend: wait("--resend-ms", self.resend_ms, usual.resend)?,
            answer: wait("--answer-ms", self.answer_ms, usual.answer)?,
            lease: self.lease()?,
            ..usual
        };
        if timing.patience < 2 * timing.heartbeat {
            return Err("--election-ms must be at least twice --heartbeat-ms".into());
        }
        if timing.lease.is_some_and(|lease| lease.held() < 2 * timing.heartbeat) {
            return Err("--lease-ms, less the drift, must be at least twice --heartbeat-ms".into());
        }
        Ok(timing)
    }

    fn lease(self) -> Result<Option<Lease>, String> {
        let drift_ppm = self.clock_drift_ppm.unwrap_or(CLOCK_DRIFT_PPM);
        if drift_ppm > Lease::DRIFT_MAX_PPM {
            let most = Lease::DRIFT_MAX_PPM;
            return Err(format!("--clock-drift-ppm {drift_ppm} is not in 0..={most}"));
        }
        let Some(ms) = self.lease_ms else {
            return match self.clock_drift_ppm {
                Some(_) => Err("--clock-drift-ppm means something with --lease-ms only".into()),
                None => Ok(None),
            };
        };
        let duration = wait("--lease-ms", Some(ms), Duration::ZERO)?;
        Ok(Some(Lease { duration, drift_ppm }))
    }
}

impl ServerWords {
    fn check(self) -> Server {
        let silence = Duration::from_secs(u64::from(self.timeout));
        let silence_max = (!silence.is_zero()).then_some(silence);
        Server { host: self.host, port: self.port, silence_max }
    }
}

impl CliWords {
    fn check(self) -> Result<CliOptions, String> {
        Ok(CliOptions { server: self.server.check(), raw: self.raw, command: self.command })
    }
}

impl BenchWords {
    fn check(self) -> Result<BenchOptions, String> {
        if !(0.0..=1.0).contains(&self.reads) {
            return Err(format!("--reads {} is not between 0 and 1", self.reads));
        }
        let request = u64::from(self.size) + 64;
        let batch = (u64::from(self.pipeline) * request).min(BENCH_BATCH_BYTES_MAX + request);
        if u64::from(self.clients) * batch > BENCH_BYTES_MAX {
            return Err("--clients, --size and --pipeline together need too much memory".into());
        }
        Ok(BenchOptions {
            server: self.server.check(),
            clients: self.clients,
            requests: self.requests,
            value_bytes: self.size,
            reads: self.reads,
            pipeline: self.pipeline,
            keys: self.keys,
            seed: self.seed,
        })
    }
}

fn parse_cluster(text: &str) -> Result<BTreeMap<NodeId, SocketAddr>, String> {
    let mut cluster = BTreeMap::new();
    for member in text.split(',') {
        let (id, address) = member
            .split_once('=')
            .ok_or_else(|| format!("--cluster: '{member}' is not ID=HOST:PORT"))?;
        let id = id.trim().parse().map_err(|_| format!("--cluster: '{id}' is not a node id"))?;
        let (id, address) = (node_id(id)?, parse_address("--cluster", address)?);
        if cluster.values().any(|other| *other == address) {
            return Err(format!("--cluster: two nodes at {address}"));
        }
        if cluster.insert(id, address).is_some() {
            return Err(format!("--cluster: two nodes with id {}", id.0));
        }
    }
    Ok(cluster)
}

fn node_id(id: u16) -> Result<NodeId, String> {
    let node = NodeId(id);
    if node.can_vote() { Ok(node) } else { Err(format!("node id {id} is not in 1..=127")) }
}

fn parse_address(flag: &str, text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.trim().parse().map_err(|_| format!("{flag}: '{text}' is not IP:PORT"))?;
    if address.port() == 0 { Err(format!("{flag}: '{text}' has no port")) } else { Ok(address) }
}

fn size(
    flag: &str,
    size: Option<u64>,
    usual: u64,
    range: RangeInclusive<u64>,
) -> Result<u64, String> {
    match size {
        None => Ok(usual),
        Some(size) if range.contains(&size) => Ok(size),
        Some(size) => Err(format!("{flag} {size} is not in {range:?}")),
    }
}

fn wait(flag: &str, ms: Option<u64>, usual: Duration) -> Result<Duration, String> {
    match ms {
        None => Ok(usual),
        Some(ms @ 1..=WAIT_MS_MAX) => Ok(Duration::from_millis(ms)),
        Some(ms) => Err(format!("{flag} {ms} is not in 1..={WAIT_MS_MAX}")),
    }
}

/// Makes one line of what clap says in a paragraph.
fn refusal(error: clap::Error) -> Refusal {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Refusal::Text(text),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Refusal::Usage("say what to do: local, run, cli, bench or inspect; or --help".into())
        }
        _ => {
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            Refusal::Usage(one_line(text.split("\n\n").next().unwrap_or(text)))
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How far the ports for peers are from those for clients, unless said; as in Redis Cluster.
const PEER_PORT_OFFSET: u16 = 10_000;
/// The longest wait that makes any sense: ten minutes.
const WAIT_MS_MAX: u64 = 600_000;
/// More than a healthy quartz drifts, and than a clock is slewed at most (500).
const CLOCK_DRIFT_PPM: u32 = 1000;
/// How many bytes of requests a bench connection holds at most, before its last one.
pub(crate) const BENCH_BATCH_BYTES_MAX: u64 = 1 << 20;
/// How many bytes of requests all bench connections may hold together.
const BENCH_BYTES_MAX: u64 = 1 << 30;

#[cfg(test)]
mod tests;
