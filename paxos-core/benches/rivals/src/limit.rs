//! No protocol: the messages of Multi-Paxos in its steady state, handed around.
//!
//! For each window one `Accept` to each follower, one `Accepted` from each, and one
//! announcement to each of what is chosen; payloads are made and shared as ours are.

use bytes::Bytes;
use paxos_core::types::{Command, Commands, Run, Slot};

use crate::Contender;

enum Message {
    Accept(Run),
    Accepted(Slot),
    Chosen(Slot),
}

pub struct Limit {
    followers: usize,
    inbox: Vec<(usize, Message)>,
    spare: Vec<(usize, Message)>,
    /// What each replica holds that is not delivered yet.
    held: Vec<Option<Run>>,
    votes: usize,
    next: u64,
    delivered: u64,
}

impl Limit {
    pub fn new(nodes: u16) -> Limit {
        let held = (0..nodes).map(|_| None).collect();
        let (inbox, spare) = (Vec::new(), Vec::new());
        Limit {
            followers: usize::from(nodes) - 1,
            inbox,
            spare,
            held,
            votes: 0,
            next: 1,
            delivered: 0,
        }
    }

    fn step(&mut self, at: usize, message: Message) {
        match message {
            Message::Accept(run) => {
                let end = run.end();
                self.held[at] = Some(run);
                self.inbox.push((0, Message::Accepted(end)));
            }
            Message::Accepted(end) => {
                self.votes += 1;
                // The leader's own vote is one of the quorum.
                if self.votes == self.held.len() / 2 {
                    self.deliver(0, end);
                    for to in 1..=self.followers {
                        self.inbox.push((to, Message::Chosen(end)));
                    }
                }
            }
            Message::Chosen(end) => self.deliver(at, end),
        }
    }

    fn deliver(&mut self, at: usize, below: Slot) {
        let held = self.held[at].take_if(|run| run.end() <= below);
        self.delivered += held.map_or(0, |run| run.len() as u64);
    }
}

impl Contender for Limit {
    fn run(&mut self, total: u64, window: usize, bytes: usize) {
        let goal = self.next + total;
        while self.next < goal {
            let commands = (0..window).map(|_| Command::plain(Bytes::from(vec![7; bytes])));
            let run = Run::of(Slot(self.next), commands.collect::<Commands>());
            self.next += window as u64;
            self.votes = 0;
            for to in 1..=self.followers {
                self.inbox.push((to, Message::Accept(run.clone())));
            }
            self.held[0] = Some(run);
            while !self.inbox.is_empty() {
                let mut batch = std::mem::replace(&mut self.inbox, std::mem::take(&mut self.spare));
                batch.drain(..).for_each(|(at, message)| self.step(at, message));
                self.spare = batch;
            }
        }
        let nodes = self.held.len() as u64;
        assert_eq!(self.delivered, (self.next - 1) * nodes, "every replica gets every command");
    }
}
