//! Which nodes were met before.

use std::collections::HashMap;
use std::hash::Hash;

use smallvec::SmallVec;

use super::node::{Bits, Fork, Node};

/// How many sets are kept for a fork; those beyond are forgotten, and may be searched again.
const SETS_MAX: usize = 64;

/// The nodes met so far.
pub(super) struct Memo<S> {
    /// For each fork, what was spent on the way to it. None of the sets holds another.
    seen: HashMap<Fork<S>, SmallVec<[Bits; 1]>>,
    nodes: u64,
}

impl<S: Clone + Eq + Hash> Memo<S> {
    pub(super) fn new() -> Self {
        Self { seen: HashMap::new(), nodes: 0 }
    }

    /// Returns how many nodes were admitted.
    pub(super) fn nodes(&self) -> u64 {
        self.nodes
    }

    /// Admits a node unless one was met before that has all of its futures.
    pub(super) fn admit(&mut self, node: &Node<S>) -> bool {
        let sets = self.seen.entry(node.fork.clone()).or_default();
        if sets.iter().any(|spent| spent.is_subset(&node.spent)) {
            return false;
        }
        sets.retain(|spent| !node.spent.is_subset(spent));
        if sets.len() == SETS_MAX {
            sets.remove(0);
        }
        sets.push(node.spent.clone());
        self.nodes += 1;
        true
    }
}
