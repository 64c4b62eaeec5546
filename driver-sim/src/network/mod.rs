//! The simulated network: who can reach whom, and how long a letter takes.

mod builds;
mod links;
mod post;

pub(crate) use self::builds::Builds;
#[cfg(test)]
pub(crate) use self::builds::VERSION_MAX;
pub(crate) use self::links::{Links, Shape};
pub(crate) use self::post::{Old, Post};

use crate::choice::Choice;
use crate::swarm::NetWeights;

/// What becomes of one message on one link: when its copies arrive (µs from now).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Never; by chance.
    Lost,
    /// Never; the link is cut.
    Cut,
    /// Once.
    Once(u64),
    /// Twice.
    Twice(u64, u64),
}

/// The network of one run.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    weights: NetWeights,
    /// Which links work.
    pub(crate) links: Links,
    /// What each host speaks.
    pub(crate) builds: Builds,
    /// When the last letter of each link arrives, by sender and receiver.
    last: Vec<u64>,
    nodes: usize,
}

impl Network {
    /// A network among `nodes` hosts, in which everyone reaches everyone.
    pub(crate) fn new(nodes: u8, weights: NetWeights) -> Network {
        let nodes = usize::from(nodes);
        Network {
            weights,
            links: Links::new(nodes),
            builds: Builds::new(nodes),
            last: vec![0; nodes * nodes],
            nodes,
        }
    }

    /// From now on the network behaves like this; what is under way arrives by `now` or soon.
    pub(crate) fn behave(&mut self, weights: NetWeights, now: u64) {
        self.weights = weights;
        self.last.iter_mut().for_each(|last| *last = (*last).min(now));
    }

    /// The weights in force.
    pub(crate) fn weights(&self) -> &NetWeights {
        &self.weights
    }

    /// Decides what becomes of a message that is sent now.
    pub(crate) fn route<C: Choice>(&mut self, choice: &mut C, now: u64, from: u8, to: u8) -> Fate {
        if self.links.is_cut(from, to, now) {
            return Fate::Cut;
        }
        if choice.chance(self.weights.loss) {
            return Fate::Lost;
        }
        let first = self.delay(choice, now, from, to);
        if choice.chance(self.weights.duplicate) {
            Fate::Twice(first, self.delay(choice, now, from, to))
        } else {
            Fate::Once(first)
        }
    }

    /// Whether a letter that is under way is lost because its link is cut by now.
    pub(crate) fn loses_in_flight(&self, now: u64, from: u8, to: u8) -> bool {
        self.weights.cut_in_flight && self.links.is_cut(from, to, now)
    }

    fn delay<C: Choice>(&mut self, choice: &mut C, now: u64, from: u8, to: u8) -> u64 {
        let (low, high) = self.weights.delay_us;
        let mut delay = choice.range(low..=high);
        if choice.chance(self.weights.slow) {
            delay += choice.range(0..=self.weights.slow_us);
        }
        if !self.weights.fifo {
            return delay;
        }
        let last = &mut self.last[usize::from(from) * self.nodes + usize::from(to)];
        *last = (*last).max(now + delay);
        *last - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Seeded;

    #[test]
    fn a_cut_is_one_way_and_heals() {
        let mut network = Network::new(3, NetWeights::calm());
        let mut choice = Seeded::new(1);
        network.links.cut(0, 1);
        assert_eq!(network.route(&mut choice, 0, 0, 1), Fate::Cut);
        assert!(matches!(network.route(&mut choice, 0, 1, 0), Fate::Once(_)));
        network.links.heal();
        assert!(matches!(network.route(&mut choice, 0, 0, 1), Fate::Once(_)));
    }

    #[test]
    fn a_link_in_order_keeps_it() {
        let mut network =
            Network::new(2, NetWeights { fifo: true, delay_us: (1, 1_000), ..NetWeights::calm() });
        let mut choice = Seeded::new(7);
        let mut last = 0;
        for now in 0..500 {
            let Fate::Once(delay) = network.route(&mut choice, now, 0, 1) else {
                panic!("a calm network loses nothing")
            };
            assert!(now + delay >= last, "overtaken at {now}");
            last = now + delay;
        }
    }
}
