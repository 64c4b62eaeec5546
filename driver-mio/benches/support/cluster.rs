//! Real nodes on loopback that are started, killed, stopped and started again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use driver_mio::args::Server;
use driver_mio::resp::Reply;
use driver_mio::tool::Connection;

use super::process::{Process, free_address};
use super::{Outcome, wait_for};

/// A node's place: what it needs to run, whether it runs or not.
#[derive(Debug)]
pub struct Node {
    /// Its number, from 1.
    pub id: u16,
    /// Where clients find it.
    pub client: SocketAddr,
    data: PathBuf,
    members: String,
    flags: Vec<String>,
    process: Option<Process>,
}

/// All nodes of a cluster.
#[derive(Debug)]
pub struct Cluster {
    /// Node 1 first.
    pub nodes: Vec<Node>,
}

/// What a node says about itself and the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Who leads, as far as it knows.
    pub leader: Option<u16>,
    /// The end of what it knows to be chosen.
    pub chosen: u64,
    /// The end of what its store has taken.
    pub delivered: u64,
}

impl Cluster {
    /// A cluster with its data under `dir`, where every node runs and answers.
    pub fn start(size: u16, dir: &Path) -> Outcome<Cluster> {
        Cluster::start_with(size, dir, &[])
    }

    /// The same, with more words on the command line of every node.
    pub fn start_with(size: u16, dir: &Path, flags: &[String]) -> Outcome<Cluster> {
        let peers: BTreeMap<u16, SocketAddr> = (1..=size).map(|id| (id, free_address())).collect();
        let members: Vec<String> = peers.iter().map(|(id, at)| format!("{id}={at}")).collect();
        let node = |id: u16| Node {
            id,
            client: free_address(),
            data: dir.join(format!("n{id}")),
            members: members.join(","),
            flags: flags.to_vec(),
            process: None,
        };
        let mut cluster = Cluster { nodes: (1..=size).map(node).collect() };
        for node in &mut cluster.nodes {
            node.start()?;
        }
        for node in &mut cluster.nodes {
            node.await_service()?;
        }
        Ok(cluster)
    }

    /// Waits until all nodes name the same leader, and returns its place.
    pub fn leader(&self) -> Outcome<usize> {
        wait_for("all nodes name the same leader", || {
            let named: Option<Vec<_>> =
                self.nodes.iter().map(|node| node.standing()?.leader).collect();
            let (first, others) = named.as_deref()?.split_first()?;
            let is_agreed = others.iter().all(|other| other == first);
            is_agreed.then(|| self.nodes.iter().position(|node| node.id == *first))?
        })
    }
}

impl Node {
    /// Starts it, with the data that it had.
    pub fn start(&mut self) -> Outcome<()> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paxos-node"));
        command.args(["run", "--id", &self.id.to_string(), "--cluster", &self.members]);
        command.args(["--client", &self.client.to_string(), "--with-parent", "--data"]);
        command.arg(&self.data).args(&self.flags);
        self.process = Some(Process::start(&mut command, &self.data.with_extension("log"))?);
        Ok(())
    }

    /// Kills it (SIGKILL), and returns when it is gone.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Its process; an error if there is none, or none any more.
    pub fn process(&mut self) -> Outcome<&mut Process> {
        let process = self.process.as_mut().ok_or("the node does not run")?;
        process.check()?;
        Ok(process)
    }

    /// Its process, which may have ended.
    pub fn process_as_it_is(&mut self) -> Outcome<&mut Process> {
        Ok(self.process.as_mut().ok_or("the node does not run")?)
    }

    /// Where clients find it, and how long they wait for an answer.
    pub fn server(&self, silence_max: Duration) -> Server {
        let (host, port) = (self.client.ip().to_string(), self.client.port());
        Server { host, port, silence_max: Some(silence_max) }
    }

    /// Waits until it serves a linearizable read.
    pub fn await_service(&mut self) -> Outcome<()> {
        let server = self.server(Duration::from_secs(3));
        let what = format!("n{} serves reads", self.id);
        let process = self.process()?;
        wait_for(&what, || match process.check() {
            Err(error) => Some(Err(error)),
            Ok(()) => ask(&server, &["GET", "some key"]).map(|_| Ok(())),
        })?
    }

    /// Where it keeps its data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Whether it was started and not killed.
    pub fn is_started(&self) -> bool {
        self.process.is_some()
    }

    /// All numbers that it tells about itself, if it does.
    pub fn numbers(&self) -> Option<BTreeMap<String, u64>> {
        let text = match ask(&self.server(Duration::from_secs(3)), &["INFO"])? {
            Reply::Bulk(text) | Reply::Verbatim(_, text) => text,
            _ => return None,
        };
        let lines = std::str::from_utf8(&text).ok()?.lines();
        let field = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        Some(lines.filter_map(field).collect())
    }

    /// What it says about itself, if it does.
    pub fn standing(&self) -> Option<Standing> {
        let numbers = self.numbers()?;
        let field = |name: &str| numbers.get(name).copied();
        Some(Standing {
            leader: field("leader_id").and_then(|id| u16::try_from(id).ok()),
            chosen: field("chosen_slot")?,
            delivered: field("delivered_slot")?,
        })
    }
}

/// One request on a connection of its own; nothing unless the answer is a good one.
pub fn ask(server: &Server, words: &[&str]) -> Option<Reply> {
    let mut connection = Connection::open(server).ok()?;
    connection.send(words).ok()?;
    connection.receive().ok().filter(|reply| reply.error_code().is_none())
}
