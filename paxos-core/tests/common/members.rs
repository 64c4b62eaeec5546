//! Groups that change their members, and disks with names.

use std::sync::Arc;

use paxos_core::effect::{Input, Outcome};
use paxos_core::quorum::Membership;
use paxos_core::types::{NodeId, ProposalId, Slot};

use super::vault::Vault;
use super::{Cluster, GROUP, SECOND, n};

impl Cluster {
    /// Three founders with this window whose disks are bound, and their leader.
    pub fn bound(window: u32) -> (Cluster, NodeId) {
        let mut c = Cluster::changing(3, window);
        let leader = c.elect();
        c.run(SECOND);
        let membership = c.newest(leader);
        assert!((1..=3).all(|id| membership.disk(n(id)) == u64::from(id) * 100), "{membership:?}");
        assert!(c.is_in_force(leader));
        (c, leader)
    }

    /// A group of `nodes` founders whose changes come into force `window` slots after
    /// they are chosen. Their disks have names: a hundred times their ids.
    pub fn changing(nodes: u16, window: u32) -> Cluster {
        let founded = Membership::majority((1..=nodes).map(NodeId)).with_window(window);
        let mut c = Cluster::with(founded, Default::default());
        for id in 1..=nodes {
            c.disk_names.insert(n(id), u64::from(id) * 100);
            c.restart(n(id));
        }
        c.found();
        c
    }

    /// Lets the founders hear of each other, at this very moment.
    pub fn found(&mut self) {
        for id in self.membership.voters().iter() {
            self.step(id, Input::Ticked);
        }
        self.settle();
    }

    /// The same with some of the founders as witnesses: the last ones.
    pub fn witnessed(mains: u16, witnesses: u16, window: u32) -> Cluster {
        let mut c = Cluster::changing(mains + witnesses, window);
        let all = c.membership.clone();
        c.membership = all.with_witnesses((mains + 1..=mains + witnesses).map(NodeId));
        for id in 1..=mains + witnesses {
            c.restart_with(n(id), Vec::new());
        }
        c.found();
        c
    }

    /// Starts a node that knows nobody, on an empty disk.
    pub fn join(&mut self, id: NodeId) {
        self.disk_names.insert(id, u64::from(id.0) * 100);
        let host = self.boot(id, Vec::new(), 1, Slot::FIRST, Vault::default());
        self.hosts.insert(id, host);
    }

    /// Starts a node again on an empty disk, which has another name.
    pub fn wipe(&mut self, id: NodeId) {
        *self.disk_names.entry(id).or_insert(0) += 1;
        self.restart_with(id, Vec::new());
    }

    /// The same, and it is told again who the members are, as one that joins.
    pub fn wipe_and_join(&mut self, id: NodeId) {
        self.joined.insert(id);
        self.wipe(id);
    }

    /// The newest membership that `at` knows.
    pub fn newest(&self, at: NodeId) -> Membership {
        self.replica(at).newest_membership().as_ref().clone()
    }

    /// Proposes at `at` that these vote and those learn, as the next after what `at`
    /// knows.
    pub fn change(&mut self, at: NodeId, voters: &[u16], learners: &[u16]) -> ProposalId {
        let ids = |ids: &[u16]| ids.iter().map(|id| NodeId(*id)).collect::<Vec<_>>();
        let next = self.newest(at).succeeded_by(ids(voters), ids(learners));
        self.propose_members(at, next)
    }

    /// Proposes that membership at `at`, with the disks that new voters have.
    pub fn propose_members(&mut self, at: NodeId, next: Membership) -> ProposalId {
        let unbound = next.voters().iter().filter(|id| next.disk(*id) == 0);
        let named = unbound.filter_map(|id| Some((id, *self.disk_names.get(&id)?)));
        let next = named.fold(next.clone(), |next, (id, disk)| next.with_disk(id, disk));
        self.propose_unbound(at, next)
    }

    pub fn propose_unbound(&mut self, at: NodeId, next: Membership) -> ProposalId {
        self.next_handle += 1;
        let proposal = ProposalId(self.next_handle);
        let membership = Arc::new(next);
        self.step(at, Input::MembersProposed { group: GROUP, proposal, membership });
        proposal
    }

    /// Changes the group to these voters, however long that takes.
    pub fn change_to(&mut self, voters: &[u16]) {
        for _ in 0..100 {
            let leader = self.elect();
            let members: Vec<u16> = self.newest(leader).voters().iter().map(|id| id.0).collect();
            if members == voters && self.is_in_force(leader) {
                return;
            }
            self.change(leader, voters, &[]);
            self.run(SECOND / 2);
        }
        panic!("the group does not change to {voters:?}");
    }

    /// Whether what `at` knows as the newest membership decides by now.
    pub fn is_in_force(&self, at: NodeId) -> bool {
        let replica = self.replica(at);
        replica.schedule().newest().0 <= replica.chosen()
    }

    /// Whether a command that is proposed at `at` is chosen within two seconds.
    pub fn is_chosen(&mut self, at: NodeId, payload: &str) -> bool {
        let p = self.propose(at, payload);
        self.run(SECOND * 2);
        matches!(self.outcome(at, p), Some(Outcome::Chosen(_)))
    }

    /// Asserts that a command that is proposed at node `at` is chosen.
    pub fn write(&mut self, at: u16, payload: &str) {
        assert!(self.is_chosen(NodeId(at), payload), "{payload}");
    }

    /// How many slots a node's log holds.
    pub fn held(&self, id: u16) -> usize {
        let log = self.replica(NodeId(id)).log();
        log.end().since(log.floor()) as usize
    }
}
