//! Which links work, each direction by itself.

use std::fmt;

use crate::choice::Choice;

/// A matrix of directed links, and some that flap.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    /// By sender: bit `to` is set when nothing gets there.
    cut: Vec<u8>,
    /// Links that work every other period: by sender, the receivers; and the period (µs).
    flap: Option<(Vec<u8>, u64)>,
}

/// What a cut network looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// Two sides: every link between them is cut.
    TwoSides,
    /// One node without links.
    OneAlone,
    /// One node that hears nobody.
    OneDeaf,
    /// One node that nobody hears.
    OneMute,
    /// Any links, each direction by itself.
    AnyLinks,
    /// One node that all reach, and no other links: of three, a chain.
    Hub,
    /// One link that works every other moment.
    FlappingLink,
    /// Many of those.
    FlappingLinks,
    /// All in a row, each linked to its neighbours alone.
    Chain,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::TwoSides => "two sides",
            Shape::OneAlone => "one alone",
            Shape::OneDeaf => "one deaf",
            Shape::OneMute => "one mute",
            Shape::AnyLinks => "any links",
            Shape::Hub => "a hub",
            Shape::FlappingLink => "a flapping link",
            Shape::FlappingLinks => "flapping links",
            Shape::Chain => "a chain",
        })
    }
}

impl Links {
    /// All links work.
    pub(crate) fn new(nodes: usize) -> Links {
        Links { cut: vec![0; nodes], flap: None }
    }

    /// Whether nothing gets from `from` to `to` at this time.
    pub(crate) fn is_cut(&self, from: u8, to: u8, now: u64) -> bool {
        let flaps = self.flap.as_ref().is_some_and(|(links, period)| {
            links[usize::from(from)] & 1 << to != 0 && (now / period) % 2 == 1
        });
        flaps || self.cut[usize::from(from)] & 1 << to != 0
    }

    /// Cuts one direction.
    pub(crate) fn cut(&mut self, from: u8, to: u8) {
        self.cut[usize::from(from)] |= 1 << to;
    }

    /// Mends one direction.
    pub(crate) fn mend(&mut self, from: u8, to: u8) {
        self.cut[usize::from(from)] &= !(1 << to);
    }

    /// Mends everything.
    pub(crate) fn heal(&mut self) {
        self.cut.fill(0);
        self.flap = None;
    }

    /// Draws a new shape of the network; says what it is.
    pub(crate) fn redraw<C: Choice>(&mut self, choice: &mut C, leader: Option<u8>) -> Shape {
        let nodes = self.cut.len() as u8;
        let one = leader.filter(|_| choice.chance(500_000));
        let one = one.unwrap_or_else(|| choice.below(u32::from(nodes)) as u8);
        match choice.weighted(&[4, 3, 2, 2, 3, 2, 2, 2]) {
            0 => {
                let side = choice.below(1 << nodes) as u8;
                self.each(|from, to| (side >> from & 1) != (side >> to & 1));
                Shape::TwoSides
            }
            1 => {
                self.each(|from, to| from == one || to == one);
                Shape::OneAlone
            }
            2 => {
                self.each(|_, to| to == one);
                Shape::OneDeaf
            }
            3 => {
                self.each(|from, _| from == one);
                Shape::OneMute
            }
            4 => {
                let odds = 100_000 + choice.below(600_000);
                for from in 0..nodes {
                    (0..nodes).for_each(|to| self.set(from, to, choice.chance(odds)));
                }
                Shape::AnyLinks
            }
            5 => {
                self.each(|from, to| from != one && to != one);
                Shape::Hub
            }
            6 => {
                let to = choice.below(u32::from(nodes)) as u8;
                let mut links = vec![0; usize::from(nodes)];
                links[usize::from(one)] = 1 << to;
                self.flap = Some((links, choice.range(1_000..=300_000)));
                Shape::FlappingLink
            }
            _ => {
                let all = (1u16 << nodes) - 1;
                let links = (0..nodes).map(|_| choice.below(u32::from(all) + 1) as u8).collect();
                self.flap = Some((links, choice.range(1_000..=600_000)));
                Shape::FlappingLinks
            }
        }
    }

    /// Puts all nodes in a row, in any order.
    pub(crate) fn chain<C: Choice>(&mut self, choice: &mut C) -> Shape {
        let mut row: Vec<usize> = (0..self.cut.len()).collect();
        choice.shuffle(&mut row);
        let mut place = vec![0; row.len()];
        row.into_iter().enumerate().for_each(|(at, node)| place[node] = at);
        self.flap = None;
        self.each(|from, to| place[usize::from(from)].abs_diff(place[usize::from(to)]) > 1);
        Shape::Chain
    }

    fn each(&mut self, is_cut: impl Fn(u8, u8) -> bool) {
        let nodes = self.cut.len() as u8;
        for from in 0..nodes {
            (0..nodes).for_each(|to| self.set(from, to, is_cut(from, to)));
        }
    }

    fn set(&mut self, from: u8, to: u8, is_cut: bool) {
        if is_cut && from != to { self.cut(from, to) } else { self.mend(from, to) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Seeded;

    #[test]
    fn every_shape_is_drawn_and_each_cuts_something_somewhere() {
        let mut shapes = std::collections::BTreeMap::new();
        let mut choice = Seeded::new(3);
        for _ in 0..500 {
            let mut links = Links::new(5);
            let shape = links.redraw(&mut choice, Some(2));
            let cut = (0..5).any(|f| {
                (0..5).any(|t| (0..1_300_000).step_by(500).any(|now| links.is_cut(f, t, now)))
            });
            *shapes.entry(shape).or_insert(false) |= cut;
        }
        assert_eq!(shapes.len(), 8, "{shapes:?}");
        assert!(shapes.values().all(|cut| *cut), "{shapes:?}");
    }

    #[test]
    fn in_a_chain_all_reach_each_other_through_others() {
        for seed in 0..50 {
            let mut links = Links::new(5);
            links.chain(&mut Seeded::new(seed));
            let is_linked = |a: u8, b: u8| !links.is_cut(a, b, 0) && !links.is_cut(b, a, 0);
            let links_of = |a: u8| (0..5).filter(|b| *b != a && is_linked(a, *b)).count();
            let mut counts: Vec<_> = (0..5).map(links_of).collect();
            counts.sort_unstable();
            assert_eq!(counts, [1, 1, 2, 2, 2], "seed {seed}");
        }
    }
}
