//! `paxos-core`.

use crate::Contender;
use crate::support::{Bench, Shape};

pub struct Ours(Bench);

impl Ours {
    pub fn new(nodes: u16) -> Ours {
        Ours(Bench::new(Shape::of(nodes)))
    }
}

impl Contender for Ours {
    fn run(&mut self, total: u64, window: usize, bytes: usize) {
        self.0.run(total, window, bytes);
    }
}
