//! Who leads, and how it comes to that.

use std::time::Duration;

use paxos_core::Standing;
use paxos_core::effect::Input;
use paxos_core::types::{Ballot, NodeId};

use super::{Cluster, GROUP, Host};

impl Cluster {
    /// Runs until one node leads and everyone who hears it follows.
    pub fn elect(&mut self) -> NodeId {
        for _ in 0..100 {
            self.run(Duration::from_millis(100));
            if let Some(leader) = self.leader() {
                return leader;
            }
        }
        panic!("nobody was elected");
    }

    /// Makes `id` the leader: only its clock ticks until it leads. The others
    /// answer, lose patience with a leader that is silent, and never stand.
    pub fn elect_this(&mut self, id: NodeId) -> Ballot {
        for _ in 0..200 {
            self.settle();
            if self.replica(id).standing() == Standing::Leader {
                return self.replica(id).own_ballot().expect("a leader has a ballot");
            }
            let wake = self.host(id).node.wake_at().expect("a voter always waits for something");
            self.now = self.now.max(self.when(id, wake));
            self.step(id, Input::Ticked);
        }
        panic!("{id} was not elected");
    }

    /// The leader of the highest ballot among the nodes that are up.
    pub fn leader(&self) -> Option<NodeId> {
        let leads = |h: &Host| {
            let group = h.node.group(GROUP).expect("the group");
            (h.up && group.standing() == Standing::Leader).then_some(group.own_ballot())
        };
        let led = self.hosts.iter().filter_map(|(id, h)| leads(h).map(|ballot| (ballot, *id)));
        led.max().map(|(_, id)| id)
    }

    /// Someone who does not lead.
    pub fn follower(&self) -> NodeId {
        let leads =
            |h: &Host| h.node.group(GROUP).is_some_and(|g| g.standing() == Standing::Leader);
        let mut up = self.hosts.iter().filter(|(_, h)| h.up && !leads(h));
        *up.next().expect("someone who follows").0
    }
}
