//! The systems that are compared, each with its nodes on loopback and its data
//! on the same file system, and each but one with every write synced before it is
//! acknowledged.

mod etcd;
mod grpc;
pub(crate) mod limit;
pub(crate) mod loader;
mod resp;
pub(crate) mod table;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::Outcome;
use crate::support::cluster::Cluster;
use crate::support::machine::{own_cpu, process_cpu};
use crate::support::process::Process;

use etcd::Etcd;
use limit::Limit;
use loader::Loader;

/// A system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    /// Three nodes of ours.
    Paxos,
    /// The same with leases: the leader reads without asking.
    Leased,
    /// One Redis server that syncs its log after every turn of its event loop.
    Redis,
    /// One Redis server that keeps all in memory and writes nothing down.
    Memory,
    /// Three nodes of etcd; its reads are linearizable unless asked otherwise.
    Etcd,
    /// Three processes that keep what is written, and do nothing else.
    Limit,
}

/// Which nodes of a system clients talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Door {
    /// The leader, or the only one there is.
    Leader,
    /// One that does not lead.
    Follower,
    /// All, each by as many connections.
    All,
}

/// A system, and the nodes in it that clients talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seat {
    /// The system.
    pub(crate) system: System,
    /// The nodes.
    pub(crate) at: Door,
}

/// What clients do all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    /// Write a value under one of [`KEYS`] keys.
    Set,
    /// Read one of these keys.
    Get,
}

/// What a load is like: so many connections, each of which sends so many requests when
/// it has had the answers to those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    /// What the requests do.
    pub(crate) op: Op,
    /// Length of values, in bytes.
    pub(crate) value_bytes: u32,
    /// How many requests are sent at once on each connection.
    pub(crate) pipeline: u32,
    /// How many connections.
    pub(crate) connections: u32,
}

/// A load, which ends when all requests are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// What it is like.
    pub(crate) shape: Shape,
    /// How many requests, over all connections.
    pub(crate) requests: u64,
    /// What the choice of keys follows from.
    pub(crate) seed: u64,
    /// Who makes it, where Redis' protocol is spoken.
    pub(crate) loader: Loader,
}

/// What came of a load.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Requests answered well in a second.
    pub(crate) per_second: f64,
    /// Half of all requests took no longer, in milliseconds.
    pub(crate) p50_ms: f64,
    /// Of a hundred requests, 99 took no longer.
    pub(crate) p99_ms: f64,
    /// Requests that failed.
    pub(crate) errors: u64,
    /// Processor time of the loader for each request, in microseconds.
    pub(crate) loader_us: f64,
    /// The same of all servers together.
    pub(crate) servers_us: f64,
}

/// A system that runs.
#[derive(Debug)]
pub(crate) enum Running {
    /// Ours.
    Paxos(Cluster),
    /// The process and its address, of either kind of Redis.
    Redis(Process, SocketAddr),
    /// Etcd's.
    Etcd(Etcd),
    /// The limit's.
    Limit(Limit),
}

impl System {
    /// All, in the order of the tables.
    pub(crate) const ALL: [System; 6] =
        [System::Paxos, System::Leased, System::Redis, System::Memory, System::Etcd, System::Limit];

    /// The first line of what its program says about its version; nothing if it is
    /// not installed.
    pub(crate) fn version(self) -> Option<String> {
        let (program, flag) = match self {
            System::Paxos | System::Leased => (env!("CARGO_BIN_EXE_paxos-node"), "--version"),
            System::Redis | System::Memory => ("redis-server", "--version"),
            System::Etcd => ("etcd", "--version"),
            System::Limit => return Some("the limit, of this very bench".into()),
        };
        let said = Command::new(program).arg(flag).output().ok()?;
        let said = String::from_utf8(said.stdout).ok()?;
        said.lines().next().map(|line| line.chars().take(40).collect())
    }

    /// Whether it is put under such a load: leases are there for reads, the limit keeps
    /// what is written and cannot find it again, and etcd has no way to send many writes at
    /// once but to make one of them.
    fn does(self, shape: Shape) -> bool {
        match self {
            System::Paxos | System::Redis | System::Memory => true,
            System::Leased => shape.op == Op::Get,
            System::Etcd => shape.pipeline == 1,
            System::Limit => shape.op == Op::Set,
        }
    }

    /// Starts it with its data under `dir`, and returns when it serves. Leases, where there
    /// are any, last so long.
    pub(crate) fn start(self, dir: &Path, lease_ms: u32) -> Outcome<Running> {
        let leases = ["--lease-ms".to_owned(), lease_ms.to_string()];
        Ok(match self {
            System::Paxos => Running::Paxos(Cluster::start(3, dir)?),
            System::Leased => Running::Paxos(Cluster::start_with(3, dir, &leases)?),
            System::Redis | System::Memory => {
                let (process, address) = resp::start_redis(dir, self == System::Redis)?;
                Running::Redis(process, address)
            }
            System::Etcd => Running::Etcd(Etcd::start(3, dir)?),
            System::Limit => Running::Limit(Limit::start(dir)?),
        })
    }

    /// The nodes that clients are put to.
    pub(crate) fn seats(self) -> Vec<Seat> {
        let doors: &[Door] = match self {
            System::Leased | System::Redis | System::Memory | System::Limit => &[Door::Leader],
            System::Paxos => &[Door::Leader, Door::Follower, Door::All],
            System::Etcd => &[Door::Leader, Door::Follower],
        };
        doors.iter().map(|at| Seat { system: self, at: *at }).collect()
    }
}

impl Seat {
    /// As in the tables.
    pub(crate) fn name(self) -> &'static str {
        match (self.system, self.at) {
            (System::Paxos, Door::Leader) => "paxos-node ×3, at the leader",
            (System::Paxos, Door::Follower) => "paxos-node ×3, at a follower",
            (System::Paxos, Door::All) => "paxos-node ×3, at all nodes",
            (System::Leased, _) => "paxos-node ×3 with leases, at the leader",
            (System::Redis, _) => "redis-server ×1, fsync always",
            (System::Memory, _) => "redis-server ×1, nothing written down",
            (System::Etcd, Door::Follower) => "etcd ×3, at a follower",
            (System::Etcd, _) => "etcd ×3, at the leader",
            (System::Limit, _) => "the limit ×3, at the leader",
        }
    }

    /// Whether this loader puts such a load on it: fewer connections than nodes are not spread.
    pub(crate) fn takes(self, shape: Shape, loader: Loader) -> bool {
        let is_spread = loader.spreads() && shape.connections >= 3;
        self.system.does(shape) && (self.at != Door::All || is_spread)
    }
}

impl Running {
    /// Writes all keys once, with values of this length.
    pub(crate) fn fill(&mut self, value_bytes: u32) -> Outcome<()> {
        let at = self.addresses(Door::Leader)?[0];
        match self {
            Running::Paxos(_) | Running::Redis(..) => resp::fill(at, value_bytes),
            Running::Etcd(_) => grpc::fill(at, value_bytes),
            Running::Limit(_) => Ok(()),
        }
    }

    /// Puts a load on a node, or on all, and measures.
    pub(crate) fn measure(&mut self, seat: Seat, work: &Work, dir: &Path) -> Outcome<Sample> {
        let at = self.addresses(seat.at)?;
        let (own, servers) = (own_cpu()?, self.cpu()?);
        let sample = match self {
            Running::Paxos(_) | Running::Redis(..) | Running::Limit(_) => {
                work.loader.run(&at, work, dir)?
            }
            Running::Etcd(_) => grpc::run(at[0], work)?,
        };
        let each = |spent: Duration| spent.as_secs_f64() * 1e6 / work.requests as f64;
        let loader_us = each(own_cpu()?.saturating_sub(own));
        let servers_us = each(self.cpu()?.saturating_sub(servers));
        Ok(Sample { loader_us, servers_us, ..sample })
    }

    /// The leader, or others; never none. Asked anew each time: leaders change.
    fn addresses(&self, at: Door) -> Outcome<Vec<SocketAddr>> {
        Ok(match self {
            Running::Redis(_, address) => vec![*address],
            Running::Limit(limit) => vec![limit.client],
            Running::Etcd(etcd) => vec![etcd.address(at == Door::Leader)?],
            Running::Paxos(cluster) => {
                let leader = cluster.leader()?;
                let nodes = &cluster.nodes;
                let node = |behind: usize| nodes[(leader + behind) % nodes.len()].client;
                match at {
                    Door::Leader => vec![node(0)],
                    Door::Follower => vec![node(1)],
                    Door::All => (0..nodes.len()).map(node).collect(),
                }
            }
        })
    }

    /// Processor time of all its processes so far.
    fn cpu(&mut self) -> Outcome<Duration> {
        let processes: Vec<&mut Process> = match self {
            Running::Paxos(cluster) => {
                cluster.nodes.iter_mut().map(|node| node.process()).collect::<Outcome<_>>()?
            }
            Running::Redis(process, _) => vec![process],
            Running::Etcd(etcd) => etcd.processes.iter_mut().collect(),
            Running::Limit(limit) => limit.processes.iter_mut().collect(),
        };
        processes.into_iter().try_fold(Duration::ZERO, |sum, process| {
            process.check()?;
            Ok(sum + process_cpu(process.id())?)
        })
    }
}

/// The key with this number, as the RESP loader names it, too.
fn key(number: u64) -> String {
    format!("key:{number:012}")
}

/// How many keys.
pub(crate) const KEYS: u64 = 10_000;
/// How many keys one request of [`Running::fill`] writes; etcd takes 128 at most.
const KEYS_FILLED_AT_ONCE: u64 = 100;
