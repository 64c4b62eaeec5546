//! Random weather: nodes that go and come, links that fail, disks that hang, messages
//! that are lost, late or doubled; and then a calm in which everything must go on.

use std::time::Duration;

use paxos_core::effect::Outcome;
use paxos_core::types::{NodeId, Rng};

use super::{Cluster, Fate, SECOND, n};

/// The weather over the nodes `1..=nodes`, out of one seed.
pub struct Weather {
    seed: u64,
    nodes: u16,
    /// For what a test draws by itself.
    pub rng: Rng,
    proposals: usize,
}

impl Weather {
    pub fn new(seed: u64, nodes: u16) -> Weather {
        Weather { seed, nodes, rng: Rng::new(seed), proposals: 0 }
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.rng.below(these.len() as u64) as usize]
    }

    /// Lets 120 things happen, with messages that go astray. Beside the weather itself,
    /// `other` has its turn: it is told a number in `10..20` and a node, and whether it
    /// has made use of them. If not, the node is asked for something.
    pub fn rage(
        &mut self,
        c: &mut Cluster,
        mut other: impl FnMut(&mut Cluster, &mut Rng, u64, NodeId) -> bool,
    ) {
        self.scatter(c);
        for _ in 0..120 {
            self.happen(c, &mut other);
            c.run(Duration::from_millis(self.rng.below(200)));
        }
    }

    /// Ends it, brings everyone back, and waits until all is well: returns who leads then,
    /// and has had something new chosen.
    pub fn clear(self, c: &mut Cluster) -> NodeId {
        let Weather { seed, nodes, .. } = self;
        c.heal();
        c.stuck.clear();
        c.release();
        for id in (1..=nodes).map(n) {
            if !c.host(id).up {
                c.restart(id);
            }
        }
        c.run(SECOND * 20);
        let leader = c.leader().unwrap_or_else(|| panic!("seed {seed}: nobody leads"));
        let p = c.propose(leader, "fresh");
        c.run(SECOND * 5);
        assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))), "seed {seed}");
        leader
    }

    /// Some messages are lost, held back or doubled; in a third of all weathers none is lost.
    fn scatter(&mut self, c: &mut Cluster) {
        let losses = self.rng.below(3);
        let mut whims = Rng::new(self.seed ^ 0x5EED);
        c.whim(move |_, _| match whims.below(20) {
            0 if losses > 0 => Fate::Lose,
            1 if losses > 1 => Fate::Hold,
            2 => Fate::Twice,
            _ => Fate::Deliver,
        });
    }

    fn happen(
        &mut self,
        c: &mut Cluster,
        other: &mut impl FnMut(&mut Cluster, &mut Rng, u64, NodeId) -> bool,
    ) {
        let (id, peer) = (self.node(), self.node());
        match self.rng.below(20) {
            0 | 1 if c.host(id).up => c.crash(id),
            0..=4 if !c.host(id).up => c.restart(id),
            2 => c.release_backwards(),
            3 => c.release(),
            4 => drop(c.cut.insert((id, peer))),
            5 | 6 => drop(c.cut.pop_first()),
            7 => drop(c.stuck.insert(id)),
            8 | 9 => drop(c.stuck.pop_first()),
            at @ 10.. if other(c, &mut self.rng, at, id) => {}
            _ if c.host(id).up => {
                self.proposals += 1;
                c.propose(id, &format!("{}", self.proposals));
            }
            _ => {}
        }
    }

    fn node(&mut self) -> NodeId {
        n(1 + self.rng.below(u64::from(self.nodes)) as u16)
    }
}
