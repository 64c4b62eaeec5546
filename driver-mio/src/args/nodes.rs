//! One node, or several on this machine: who it is, whom it knows, where it listens.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use paxos_core::types::{NodeId, PRIORITY};

use super::file;
use super::options::{LocalOptions, NodeOptions, RECORD_BYTES, RECORD_MINUTES};
use super::tuning::{CheckpointWords, TimingWords, size};

#[derive(Args)]
pub(super) struct LocalWords {
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
    /// Nodes that vote while another is missing, and keep no data: 3, or 4,5
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    witness: Vec<u16>,
    /// How willingly nodes lead, 0 to 255, if not 100: 1=200, or 1=200,2=150
    #[arg(long, value_name = "ID=N", value_delimiter = ',')]
    priority: Vec<String>,
    #[command(flatten)]
    timing: TimingWords,
    #[command(flatten)]
    checkpoints: CheckpointWords,
}

/// A flag outranks the file.
#[derive(Args, Default)]
pub(super) struct RunWords {
    /// A TOML file with the flags below as keys: `id = 1`, `cluster = "1=..,2=.."`
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Which member of the cluster this node is, 1 to 127
    #[arg(long)]
    pub(super) id: Option<u16>,
    /// Where this node keeps its data; no two nodes share one
    #[arg(long)]
    pub(super) data: Option<PathBuf>,
    /// All members and where they listen to each other: 1=10.0.0.1:7101,2=10.0.0.2:7101
    #[arg(long)]
    pub(super) cluster: Option<String>,
    /// The members that found the group as witnesses, which vote while another is missing and
    /// keep no data: 3, or 4,5. The same at all founders
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub(super) witness: Vec<u16>,
    /// This node joins a group that runs: `PAXOS ADD` makes it a member. --cluster
    /// names itself and whom it knows
    #[arg(long)]
    pub(super) join: bool,
    /// How willingly this node leads, 0 to 255; 100 where nothing is said. A leader makes
    /// way for a higher one; 0 never stands by itself
    #[arg(long)]
    pub(super) priority: Option<u8>,
    /// Where this node listens to clients, as in 127.0.0.1:6379
    #[arg(long)]
    pub(super) client: Option<String>,
    /// Tells clusters apart: nodes of another cluster are not talked to [default: 1]
    #[arg(long)]
    pub(super) cluster_id: Option<u64>,
    /// End when stdin ends: whoever has started this node holds the other end
    #[arg(long)]
    pub(super) with_parent: bool,
    /// Write down everything that the core is told into this directory, the last while of it,
    /// for `paxos-sim replay`: every value that clients write stands in there
    #[arg(long, value_name = "DIR")]
    pub(super) record: Option<PathBuf>,
    /// How much of that is kept [default: 536870912]
    #[arg(long, value_name = "BYTES")]
    pub(super) record_bytes: Option<u64>,
    /// How many minutes of that are kept, if the bytes suffice [default: 10]
    #[arg(long, value_name = "N")]
    pub(super) record_minutes: Option<u64>,
    #[command(flatten)]
    pub(super) timing: TimingWords,
    #[command(flatten)]
    pub(super) checkpoints: CheckpointWords,
}

impl LocalWords {
    pub(super) fn check(self) -> Result<LocalOptions, String> {
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
        let ids: BTreeSet<NodeId> = (1..=nodes).map(NodeId).collect();
        Ok(LocalOptions {
            nodes,
            client_port,
            peer_port,
            data,
            witnesses: witnesses(&self.witness, &ids)?,
            priorities: priorities(&self.priority, &ids)?,
            timing: self.timing.check()?,
            checkpoints: self.checkpoints.check()?,
        })
    }
}

impl RunWords {
    pub(super) fn check(
        self,
        read: impl FnOnce(&Path) -> io::Result<String>,
    ) -> Result<NodeOptions, String> {
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
        if words.join && !words.witness.is_empty() {
            return Err("--witness is for founders; who joins is made one by PAXOS ADD".into());
        }
        let ids = cluster.keys().copied().collect();
        Ok(NodeOptions {
            id,
            witnesses: witnesses(&words.witness, &ids)?,
            cluster_id: words.cluster_id.unwrap_or(1),
            data: words.data.ok_or("--data is missing: where to keep the log")?,
            cluster,
            join: words.join,
            priority: words.priority.unwrap_or(PRIORITY),
            client,
            timing: words.timing.check()?,
            checkpoints: words.checkpoints.check()?,
            with_parent: words.with_parent,
            record_bytes: record_bytes(words.record_bytes, words.record.is_some())?,
            record_minutes: record_minutes(words.record_minutes, words.record.is_some())?,
            record: words.record,
        })
    }

    pub(super) fn or(self, file: Self) -> Self {
        Self {
            config: None,
            id: self.id.or(file.id),
            data: self.data.or(file.data),
            cluster: self.cluster.or(file.cluster),
            witness: if self.witness.is_empty() { file.witness } else { self.witness },
            join: self.join || file.join,
            priority: self.priority.or(file.priority),
            client: self.client.or(file.client),
            cluster_id: self.cluster_id.or(file.cluster_id),
            with_parent: self.with_parent || file.with_parent,
            record: self.record.or(file.record),
            record_bytes: self.record_bytes.or(file.record_bytes),
            record_minutes: self.record_minutes.or(file.record_minutes),
            timing: self.timing.or(file.timing),
            checkpoints: self.checkpoints.or(file.checkpoints),
        }
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

/// Who of these members is a witness; not all are.
fn witnesses(ids: &[u16], members: &BTreeSet<NodeId>) -> Result<BTreeSet<NodeId>, String> {
    let witnesses: BTreeSet<NodeId> = ids.iter().map(|id| NodeId(*id)).collect();
    match witnesses.difference(members).next() {
        Some(id) => Err(format!("--witness {} is no member", id.0)),
        None if witnesses == *members => Err("--witness: somebody has to keep the data".into()),
        None => Ok(witnesses),
    }
}

/// What is said of how willingly these members lead.
fn priorities(
    words: &[String],
    members: &BTreeSet<NodeId>,
) -> Result<BTreeMap<NodeId, u8>, String> {
    let mut priorities = BTreeMap::new();
    for word in words {
        let parts = word.split_once('=');
        let parsed = parts.and_then(|(id, n)| Some((id.parse().ok()?, n.parse().ok()?)));
        let (id, priority): (u16, u8) =
            parsed.ok_or_else(|| format!("--priority: '{word}' is not ID=N, N up to 255"))?;
        if !members.contains(&NodeId(id)) {
            return Err(format!("--priority: {id} is no member"));
        }
        if priorities.insert(NodeId(id), priority).is_some() {
            return Err(format!("--priority: two for {id}"));
        }
    }
    Ok(priorities)
}

fn record_bytes(bytes: Option<u64>, is_recorded: bool) -> Result<u64, String> {
    with_record("--record-bytes", bytes.is_some(), is_recorded)?;
    size("--record-bytes", bytes, RECORD_BYTES, 1 << 20..=1 << 40)
}

fn record_minutes(minutes: Option<u64>, is_recorded: bool) -> Result<u64, String> {
    with_record("--record-minutes", minutes.is_some(), is_recorded)?;
    size("--record-minutes", minutes, RECORD_MINUTES, 1..=MINUTES_OF_A_YEAR)
}

fn with_record(flag: &str, is_there: bool, is_recorded: bool) -> Result<(), String> {
    if is_recorded || !is_there {
        Ok(())
    } else {
        Err(format!("{flag} means something with --record only"))
    }
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

const MINUTES_OF_A_YEAR: u64 = 365 * 24 * 60;

/// How far the ports for peers are from those for clients, unless said; as in Redis Cluster.
const PEER_PORT_OFFSET: u16 = 10_000;
