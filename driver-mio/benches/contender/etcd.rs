//! Etcd's nodes.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::grpc;
use crate::support::process::{Process, free_address};
use crate::support::{Outcome, wait_for};

/// A cluster that runs.
#[derive(Debug)]
pub(crate) struct Etcd {
    /// One for each node.
    pub(crate) processes: Vec<Process>,
    clients: Vec<SocketAddr>,
}

impl Etcd {
    /// Starts a cluster with its data under `dir`, and waits until it has a leader.
    pub(crate) fn start(size: usize, dir: &Path) -> Outcome<Etcd> {
        let clients: Vec<SocketAddr> = (0..size).map(|_| free_address()).collect();
        let peers: Vec<String> = (0..size).map(|_| format!("http://{}", free_address())).collect();
        let member = |(number, peer): (usize, &String)| format!("n{number}={peer}");
        let members: Vec<String> = peers.iter().enumerate().map(member).collect();
        let mut processes = Vec::new();
        for (number, (client, peer)) in clients.iter().zip(&peers).enumerate() {
            let (name, client) = (format!("n{number}"), format!("http://{client}"));
            let mut command = Command::new("etcd");
            command.args(["--name", &name, "--data-dir"]).arg(dir.join(&name));
            command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
            command.args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]);
            command.args(["--initial-cluster", &members.join(","), "--log-level", "warn"]);
            let log = dir.join(format!("{name}.log"));
            processes.push(Process::start(&mut command, &log)?);
        }
        let mut etcd = Etcd { processes, clients };
        wait_for("etcd has a leader", || {
            let ended = etcd.processes.iter_mut().find_map(|process| process.check().err());
            match ended {
                Some(error) => Some(Err(error)),
                None => etcd.leader().map(|_| Ok(())),
            }
        })??;
        Ok(etcd)
    }

    /// Where clients find the leader, or the node after it.
    pub(crate) fn address(&self, at_leader: bool) -> Outcome<SocketAddr> {
        let leader = wait_for("etcd has a leader", || self.leader())?;
        Ok(self.clients[(leader + usize::from(!at_leader)) % self.clients.len()])
    }

    /// The place of the leader that all nodes agree on.
    fn leader(&self) -> Option<usize> {
        let told = self.clients.iter().map(|client| grpc::status(*client).ok());
        let told: Vec<grpc::Status> = told.collect::<Option<_>>()?;
        let leader = told.first()?.leader;
        let is_agreed = told.iter().all(|status| status.leader == leader);
        is_agreed.then(|| told.iter().position(|status| status.member == leader))?
    }
}
