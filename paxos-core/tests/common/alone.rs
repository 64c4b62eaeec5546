//! One node, n1, with the test speaking for all others.

use paxos_core::message::ProbeAck;
use paxos_core::types::{Ballot, Slot};

use super::{Cluster, Input, Message, Standing, n, promise};

impl Cluster {
    /// n1 of `nodes`; nobody else is there.
    pub fn alone(nodes: u16) -> Cluster {
        let mut c = Cluster::new(nodes);
        for id in 2..=nodes {
            c.crash(n(id));
        }
        c
    }

    /// Makes n1 a candidate, with the word of as many others as it takes. Its own
    /// promise has arrived, and what it asked of others is still on the network.
    pub fn stand(&mut self) -> Ballot {
        let ballot = self.ask();
        let (promised, chosen) = (Ballot::ZERO, Slot(1));
        for id in 2..=self.membership.prepare_quorum() as u16 {
            self.tell(n(1), n(id), ProbeAck { ballot, granted: true, promised, chosen });
        }
        assert_eq!(self.replica(n(1)).standing(), Standing::Candidate);
        self.network.clear();
        self.sync_disk(n(1));
        ballot
    }

    /// Lets n1 lose its patience; gives the ballot that it would campaign with.
    pub fn ask(&mut self) -> Ballot {
        self.network.clear();
        for _ in 0..50 {
            let asked = self.network.iter().find_map(|(_, e)| match &e.message {
                Message::Probe(m) => Some(m.ballot),
                _ => None,
            });
            if let Some(ballot) = asked {
                return ballot;
            }
            let wake = self.host(n(1)).node.wake_at().expect("a voter always waits for something");
            self.now = self.now.max(wake);
            self.step(n(1), Input::Ticked);
        }
        panic!("who has no leader asks for one");
    }

    /// Makes n1 a leader that has heard of no votes but its own.
    pub fn lead(&mut self) -> Ballot {
        let ballot = self.stand();
        let from = self.replica(n(1)).chosen().0;
        for id in 2..=self.membership.prepare_quorum() as u16 {
            self.tell(n(1), n(id), promise(ballot, from, &[]));
        }
        assert_eq!(self.replica(n(1)).standing(), Standing::Leader);
        ballot
    }

    /// What n1 has proposed at `ballot` to n2 and the network still holds: slots
    /// and payloads, no-ops as "".
    pub fn proposed(&self, ballot: Ballot) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        for (to, envelope) in &self.network {
            if let Message::Accept(m) = &envelope.message
                && *to == n(2)
                && m.ballot == ballot
            {
                let text = |v| super::text(v).unwrap_or_default();
                all.extend(m.run.iter().map(|(slot, v)| (slot.0, text(v))));
            }
        }
        all
    }
}
