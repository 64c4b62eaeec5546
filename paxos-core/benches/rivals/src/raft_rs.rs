//! Crate `raft`, the Raft of TiKV.

use raft::eraftpb::{Entry, Message};
use raft::storage::MemStorage;
use raft::{Config, RawNode, StateRole};

use crate::{Contender, FORGET_EVERY, KEEP};

pub struct Raft {
    nodes: Vec<RawNode<MemStorage>>,
    leader: usize,
    inbox: Vec<Message>,
    spare: Vec<Message>,
    /// Commands that replicas were handed for delivery, all together.
    delivered: u64,
    proposed: u64,
    /// Up to where each replica has delivered, and has forgotten.
    applied: Vec<u64>,
    forgotten: Vec<u64>,
}

impl Raft {
    pub fn new(nodes: u16) -> Raft {
        let ids: Vec<u64> = (1..=u64::from(nodes)).collect();
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let boot = |id: &u64| {
            let config = Config {
                id: *id,
                election_tick: 10,
                heartbeat_tick: 3,
                max_size_per_msg: u64::MAX,
                max_inflight_msgs: 1024,
                batch_append: true,
                ..Config::default()
            };
            let storage = MemStorage::new_with_conf_state((ids.clone(), vec![]));
            RawNode::new(&config, storage, &logger).expect("sound")
        };
        let mut raft = Raft {
            nodes: ids.iter().map(boot).collect(),
            leader: 0,
            inbox: Vec::new(),
            spare: Vec::new(),
            delivered: 0,
            proposed: 0,
            applied: vec![0; ids.len()],
            forgotten: vec![0; ids.len()],
        };
        raft.nodes[0].campaign().expect("nobody leads yet");
        raft.take(0);
        raft.settle();
        assert_eq!(raft.nodes[0].raft.state, StateRole::Leader, "a quorum has voted");
        raft
    }

    /// Does what replica `at` wants done.
    fn take(&mut self, at: usize) {
        while self.nodes[at].has_ready() {
            let mut ready = self.nodes[at].ready();
            self.inbox.append(&mut ready.take_messages());
            self.deliver(at, ready.take_committed_entries());
            let store = self.nodes[at].store().clone();
            if !ready.entries().is_empty() {
                store.wl().append(&ready.take_entries()).expect("follows the last");
            }
            if let Some(hard) = ready.hs() {
                store.wl().set_hardstate(hard.clone());
            }
            self.inbox.append(&mut ready.take_persisted_messages());
            let mut light = self.nodes[at].advance(ready);
            if let Some(commit) = light.commit_index() {
                store.wl().mut_hard_state().set_commit(commit);
            }
            self.inbox.append(&mut light.take_messages());
            self.deliver(at, light.take_committed_entries());
            self.nodes[at].advance_apply();
        }
    }

    fn deliver(&mut self, at: usize, entries: Vec<Entry>) {
        let Some(last) = entries.last() else { return };
        self.applied[at] = last.index;
        // A leader begins with an empty entry.
        self.delivered += entries.iter().filter(|e| !e.data.is_empty()).count() as u64;
    }

    fn settle(&mut self) {
        while !self.inbox.is_empty() {
            let mut batch = std::mem::replace(&mut self.inbox, std::mem::take(&mut self.spare));
            for message in batch.drain(..) {
                let at = message.to as usize - 1;
                self.nodes[at].step(message).expect("a peer's message");
                self.take(at);
            }
            self.spare = batch;
        }
    }

    fn forget(&mut self) {
        for at in 0..self.nodes.len() {
            if self.applied[at] - self.forgotten[at] >= FORGET_EVERY {
                self.forgotten[at] = self.applied[at] - KEEP;
                let store = self.nodes[at].store().clone();
                store.wl().compact(self.forgotten[at]).expect("applied");
            }
        }
    }
}

impl Contender for Raft {
    fn run(&mut self, total: u64, window: usize, bytes: usize) {
        let goal = self.proposed + total;
        while self.proposed < goal {
            for _ in 0..window {
                self.nodes[self.leader].propose(vec![], vec![7; bytes]).expect("leads");
            }
            self.proposed += window as u64;
            self.take(self.leader);
            self.settle();
            self.forget();
        }
        let nodes = self.nodes.len() as u64;
        assert_eq!(self.delivered, self.proposed * nodes, "every replica delivers every command");
    }
}
