//! Crate `omnipaxos`.

use std::iter::repeat_n;
use std::sync::Arc;

use omnipaxos::messages::Message;
use omnipaxos::storage::{Entry, NoSnapshot};
use omnipaxos::util::LogEntry;
use omnipaxos::{ClusterConfig, OmniPaxos, ServerConfig};
use omnipaxos_storage::memory_storage::MemoryStorage;

use crate::{Contender, FORGET_EVERY, KEEP};

#[derive(Clone, Debug)]
pub struct Payload(Arc<[u8]>);

impl Entry for Payload {
    type Snapshot = NoSnapshot;
}

type Replica = OmniPaxos<Payload, MemoryStorage<Payload>>;

pub struct Omni {
    nodes: Vec<Replica>,
    leader: usize,
    inbox: Vec<Message<Payload>>,
    spare: Vec<Message<Payload>>,
    /// Up to where each replica has delivered.
    applied: Vec<usize>,
    /// Commands that replicas have delivered, all together.
    delivered: u64,
    proposed: u64,
    forgotten: u64,
}

impl Omni {
    pub fn new(nodes: u16) -> Omni {
        let ids: Vec<u64> = (1..=u64::from(nodes)).collect();
        let boot = |pid: &u64| {
            let cluster =
                ClusterConfig { configuration_id: 1, nodes: ids.clone(), flexible_quorum: None };
            let server = ServerConfig { pid: *pid, ..ServerConfig::default() };
            cluster.build_for_server(server, MemoryStorage::default()).expect("sound")
        };
        let mut omni = Omni {
            nodes: ids.iter().map(boot).collect(),
            leader: 0,
            inbox: Vec::new(),
            spare: Vec::new(),
            applied: vec![0; ids.len()],
            delivered: 0,
            proposed: 0,
            forgotten: 0,
        };
        loop {
            (0..ids.len()).for_each(|at| omni.nodes[at].tick());
            (0..ids.len()).for_each(|at| omni.take(at));
            omni.settle();
            let leads = |n: &Replica| n.get_current_leader() == Some((n.get_pid(), true));
            if let Some(leader) = omni.nodes.iter().position(leads) {
                omni.leader = leader;
                return omni;
            }
        }
    }

    /// Takes what replica `at` has to say and to deliver.
    fn take(&mut self, at: usize) {
        self.nodes[at].take_outgoing_messages(&mut self.inbox);
        let decided = self.nodes[at].get_decided_idx();
        if decided > self.applied[at]
            && let Some(entries) = self.nodes[at].read_decided_suffix(self.applied[at])
        {
            self.applied[at] = decided;
            let is_command =
                |e: &&LogEntry<Payload>| matches!(e, LogEntry::Decided(p) if !p.0.is_empty());
            self.delivered += entries.iter().filter(is_command).count() as u64;
        }
    }

    fn settle(&mut self) {
        while !self.inbox.is_empty() {
            let mut batch = std::mem::replace(&mut self.inbox, std::mem::take(&mut self.spare));
            for message in batch.drain(..) {
                let at = message.get_receiver() as usize - 1;
                self.nodes[at].handle_incoming(message);
                self.take(at);
            }
            self.spare = batch;
        }
    }
}

impl Contender for Omni {
    fn run(&mut self, total: u64, window: usize, bytes: usize) {
        let goal = self.proposed + total;
        while self.proposed < goal {
            for _ in 0..window {
                let payload = Payload(repeat_n(7, bytes).collect());
                self.nodes[self.leader].append(payload).expect("no change is under way");
            }
            self.proposed += window as u64;
            self.take(self.leader);
            self.settle();
            if self.proposed - self.forgotten >= FORGET_EVERY {
                self.forgotten = self.proposed - KEEP;
                let trimmed = self.nodes[self.leader].trim(Some(self.forgotten as usize));
                trimmed.expect("all have decided it");
                self.take(self.leader);
                self.settle();
            }
        }
        let nodes = self.nodes.len() as u64;
        assert_eq!(self.delivered, self.proposed * nodes, "every replica delivers every command");
    }
}
