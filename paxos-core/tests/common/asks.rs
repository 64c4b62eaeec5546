//! What clients ask of nodes, and what they are told.

use bytes::Bytes;
use paxos_core::effect::{Input, Outcome};
use paxos_core::types::{Command, NodeId, ProposalId, QueryId};

use super::{Cluster, GROUP, text};

impl Cluster {
    pub fn propose(&mut self, id: NodeId, payload: &str) -> ProposalId {
        self.propose_command(id, Command::plain(Bytes::copy_from_slice(payload.as_bytes())))
    }

    pub fn propose_command(&mut self, id: NodeId, command: Command) -> ProposalId {
        self.next_handle += 1;
        let first = ProposalId(self.next_handle);
        let commands = command.into();
        self.step(id, Input::Proposed { group: GROUP, first, commands });
        first
    }

    pub fn query(&mut self, id: NodeId) -> QueryId {
        self.next_handle += 1;
        let query = QueryId(self.next_handle);
        self.watch.on_query(query);
        self.step(id, Input::Queried { group: GROUP, query });
        query
    }

    /// What became of a proposal that was made at `id`.
    pub fn outcome(&self, id: NodeId, proposal: ProposalId) -> Option<Outcome> {
        self.host(id).resolved.get(&proposal).copied()
    }

    /// The payloads that a node has delivered, without no-ops.
    pub fn payloads(&self, id: NodeId) -> Vec<String> {
        self.hosts[&id].delivered.iter().filter_map(|(_, v)| text(v)).collect()
    }

    /// Asserts that every node that is up has delivered exactly these payloads.
    pub fn assert_all(&self, payloads: &[&str]) {
        for (id, _) in self.hosts.iter().filter(|(_, h)| h.up) {
            assert_eq!(self.payloads(*id), payloads, "{id}");
        }
    }
}
