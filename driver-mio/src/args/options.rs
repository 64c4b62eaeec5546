//! What a task needs to know, once the words are checked.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use paxos_core::types::{Limits, NodeId, PRIORITY, Timing};

/// One node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeOptions {
    /// Which member this node is; a key of `cluster`.
    pub id: NodeId,
    /// Tells clusters apart, so that a stray node does no harm.
    pub cluster_id: u64,
    /// The directory that this node keeps its log in, and shares with no other.
    pub data: PathBuf,
    /// All members, this one too, and where they listen to each other. Ids are
    /// `1..=127`; no address stands here twice.
    pub cluster: BTreeMap<NodeId, SocketAddr>,
    /// Those of them that found the group as witnesses: all founders are told the same, and
    /// at least one member is none.
    pub witnesses: BTreeSet<NodeId>,
    /// The node joins a group that runs, and is told by it who the members are.
    pub join: bool,
    /// How willingly this node leads; see [`Config`](paxos_core::Config::priority).
    pub priority: u8,
    /// Where this node listens to clients; not where it listens to peers.
    pub client: SocketAddr,
    /// How long to wait for what; sane.
    pub timing: Timing,
    /// When to write the state out.
    pub checkpoints: Checkpoints,
    /// Whether the node ends when its stdin does.
    pub with_parent: bool,
    /// Where to write down what the core is told; nowhere costs nothing.
    pub record: Option<PathBuf>,
    /// How many bytes of that are kept.
    pub record_bytes: u64,
    /// How many minutes of that are kept, if the bytes suffice.
    pub record_minutes: u64,
}

/// When the state is written out and the log trimmed, and how fast both are given to
/// a node that lacks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    /// After so many slots; the same on all nodes, best.
    pub slots: u64,
    /// After so many bytes of commands.
    pub bytes: u64,
    /// Up to so many times as much of either, where the state is large.
    pub stretch_max: u64,
    /// Bytes of one file of the log: what is trimmed is deleted a file at a time.
    pub segment_bytes: u64,
    /// Bytes a second that a node takes in which has fallen behind.
    pub catch_up_bytes_per_s: u64,
}

impl Default for Checkpoints {
    /// What lies between two checkpoints is in memory: with small values some 60 MB, and four
    /// times as much where the state is large. The price of less is that a large state is written
    /// out more often.
    fn default() -> Checkpoints {
        let Limits { catch_up_bytes_per_s, checkpoint_stretch_max, .. } = Limits::default();
        Checkpoints {
            slots: 1 << 18,
            bytes: 64 << 20,
            stretch_max: checkpoint_stretch_max,
            segment_bytes: 16 << 20,
            catch_up_bytes_per_s,
        }
    }
}

/// A whole cluster on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalOptions {
    /// How many nodes, `1..=127`; their ids begin at 1.
    pub nodes: u16,
    /// Where node 1 listens to clients; node 2 at the port after it, and so on.
    pub client_port: u16,
    /// The same for peers. The two ranges do not meet, and neither leaves `u16`.
    pub peer_port: u16,
    /// Where the nodes keep their data; nothing means a directory that the
    /// caller makes, and removes at the end.
    pub data: Option<PathBuf>,
    /// Those that found the group as witnesses; not all.
    pub witnesses: BTreeSet<NodeId>,
    /// How willingly nodes lead that are not like the others.
    pub priorities: BTreeMap<NodeId, u8>,
    /// How long to wait for what; sane.
    pub timing: Timing,
    /// When to write the state out.
    pub checkpoints: Checkpoints,
}

impl LocalOptions {
    /// The options of each node, with its data in a directory of its own under `data`.
    pub fn node_options(&self, data: &Path) -> Vec<NodeOptions> {
        let local = |port: u16, id: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port + (id - 1)));
        let ids = 1..=self.nodes;
        let cluster: BTreeMap<_, _> =
            ids.clone().map(|id| (NodeId(id), local(self.peer_port, id))).collect();
        ids.map(|id| NodeOptions {
            id: NodeId(id),
            cluster_id: 1,
            data: data.join(format!("n{id}")),
            cluster: cluster.clone(),
            witnesses: self.witnesses.clone(),
            join: false,
            priority: self.priorities.get(&NodeId(id)).copied().unwrap_or(PRIORITY),
            client: local(self.client_port, id),
            timing: self.timing.clone(),
            checkpoints: self.checkpoints,
            with_parent: false,
            record: None,
            record_bytes: RECORD_BYTES,
            record_minutes: RECORD_MINUTES,
        })
        .collect()
    }
}

/// Where a tool finds its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A name or an address.
    pub host: String,
    /// The port; not zero.
    pub port: u16,
    /// How long the server may be silent; nothing means for ever.
    pub silence_max: Option<Duration>,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_ipv6 = self.host.contains(':');
        let (left, right) = if is_ipv6 { ("[", "]") } else { ("", "") };
        write!(f, "{left}{}{right}:{}", self.host, self.port)
    }
}

/// One command, or a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliOptions {
    /// Whom to ask.
    pub server: Server,
    /// Print strings as they are.
    pub raw: bool,
    /// The command and its arguments; empty means that stdin has them.
    pub command: Vec<OsString>,
}

/// A load, and how it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchOptions {
    /// Whom to load.
    pub server: Server,
    /// Whom else: connections are spread evenly over all of them.
    pub others: Vec<Server>,
    /// Connections, at least one.
    pub clients: u32,
    /// Requests in all, at least one.
    pub requests: u64,
    /// Bytes of each value written.
    pub value_bytes: u32,
    /// The share of reads, `0.0..=1.0`.
    pub reads: f64,
    /// Requests that a connection sends before it waits, at least one.
    pub pipeline: u32,
    /// Different keys, at least one.
    pub keys: u64,
    /// What the sequence of requests follows from.
    pub seed: u64,
}

/// What a recording takes, unless said.
pub(super) const RECORD_BYTES: u64 = 512 << 20;

/// How many minutes a recording keeps, unless said.
pub(super) const RECORD_MINUTES: u64 = 10;
