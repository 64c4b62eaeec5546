//! What happens to messages under way, one by one.

use super::{Cluster, Envelope, NodeId};

/// What the network does with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Deliver,
    Lose,
    /// Keep it until [`Cluster::release`].
    Hold,
    Twice,
}

/// Decides over each message, by receiver and envelope.
pub type Whim = Box<dyn FnMut(NodeId, &Envelope) -> Fate>;

impl Cluster {
    /// Lets `whim` decide over every message from now on.
    pub fn whim(&mut self, whim: impl FnMut(NodeId, &Envelope) -> Fate + 'static) {
        self.whim = Some(Box::new(whim));
    }

    /// Gives every message called `name` this fate.
    pub fn doom(&mut self, name: &'static str, fate: Fate) {
        self.whim(move |_, e| if e.message.name() == name { fate } else { Fate::Deliver });
    }

    /// Loses the first message called `name`, and no other.
    pub fn lose_one(&mut self, name: &'static str) {
        let mut lost = false;
        self.whim(move |_, e| {
            if !lost && e.message.name() == name {
                lost = true;
                return Fate::Lose;
            }
            Fate::Deliver
        });
    }

    /// Lets every message through again, except what links have cut.
    pub fn calm(&mut self) {
        self.whim = None;
    }

    /// Puts what was held at the end of the queue, in its order.
    pub fn release(&mut self) {
        self.network.extend(self.held.drain(..));
    }

    /// Puts what was held at the end of the queue, newest first.
    pub fn release_backwards(&mut self) {
        self.network.extend(self.held.drain(..).rev());
    }

    /// How many messages called `name` are under way.
    pub fn under_way(&self, name: &str) -> usize {
        self.network.iter().filter(|(_, e)| e.message.name() == name).count()
    }

    pub(super) fn fate(&mut self, to: NodeId, envelope: &Envelope) -> Fate {
        if self.cut.contains(&(envelope.from, to)) {
            return Fate::Lose;
        }
        self.whim.as_mut().map_or(Fate::Deliver, |whim| whim(to, envelope))
    }

    pub fn cut_both(&mut self, a: NodeId, b: NodeId) {
        self.cut.insert((a, b));
        self.cut.insert((b, a));
    }

    pub fn isolate(&mut self, id: NodeId) {
        let others: Vec<NodeId> = self.hosts.keys().copied().filter(|o| *o != id).collect();
        for other in others {
            self.cut_both(id, other);
        }
    }

    /// Cuts what `id` would hear; it can still speak.
    pub fn deafen(&mut self, id: NodeId) {
        let others: Vec<NodeId> = self.hosts.keys().copied().filter(|o| *o != id).collect();
        for other in others {
            self.cut.insert((other, id));
        }
    }

    /// Cuts every link but those between the pairs, which work both ways.
    pub fn link_only(&mut self, pairs: &[(u16, u16)]) {
        let voters = self.membership.voters();
        for (a, b) in voters.iter().flat_map(|a| voters.iter().map(move |b| (a, b))) {
            let linked = |&(x, y): &(u16, u16)| (x, y) == (a.0, b.0) || (y, x) == (a.0, b.0);
            if a != b && !pairs.iter().any(linked) {
                self.cut.insert((a, b));
            }
        }
    }

    /// Mends every link and lets every message through.
    pub fn heal(&mut self) {
        self.cut.clear();
        self.calm();
    }
}
