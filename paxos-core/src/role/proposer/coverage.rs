//! How much of one voter's promise has arrived.

use alloc::vec::Vec;

use crate::types::Slot;

/// The pages of one promise that are here, in whatever order they came.
///
/// A page speaks for all slots from where it starts to where the next one does,
/// whoever asked for it and how often: once a voter has promised, the votes that
/// the promise tells of are cast. So pages that were cut differently add up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Coverage {
    /// Everything below is here.
    reached: Slot,
    /// Pages above, ascending, which neither touch nor overlap each other. The last
    /// page ends at `Slot::MAX`.
    ///
    /// Invariant: at most `APART_MAX`.
    apart: Vec<(Slot, Slot)>,
}

impl Coverage {
    /// Pages further apart than this are not kept: a voter that cuts its promise
    /// into shreds must send it in order.
    const APART_MAX: usize = 256;

    /// Nothing is here of what was asked for from `from` on.
    pub(super) fn starting(from: Slot) -> Coverage {
        Coverage { reached: from, apart: Vec::new() }
    }

    /// Everything below is here.
    pub(super) fn reached(&self) -> Slot {
        self.reached
    }

    /// Whether the whole promise is here.
    pub(super) fn is_whole(&self) -> bool {
        self.reached == Slot::MAX
    }

    /// Takes a page in. False if it says nothing new, or cannot be kept.
    pub(super) fn add(&mut self, from: Slot, to: Option<Slot>) -> bool {
        let (mut from, mut to) = (from.max(self.reached), to.unwrap_or(Slot::MAX));
        let inside = |page: &(Slot, Slot)| page.0 <= from && to <= page.1;
        if to <= self.reached || self.apart.iter().any(inside) {
            return false;
        }
        // Those that end before this one begins stay below it; those that begin
        // after it ends stay above; it swallows the rest.
        let below = self.apart.partition_point(|page| page.1 < from);
        let above = self.apart.partition_point(|page| page.0 <= to);
        if below == above && from > self.reached && self.apart.len() >= Self::APART_MAX {
            return false;
        }
        for page in self.apart.drain(below..above) {
            from = from.min(page.0);
            to = to.max(page.1);
        }
        if from <= self.reached {
            self.reached = to;
        } else {
            self.apart.insert(below, (from, to));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Rng;

    #[test]
    fn a_promise_is_whole_when_its_pages_are_in_any_order() {
        let pages = [(1, Some(4)), (4, Some(5)), (5, Some(9)), (9, None)];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            let mut coverage = Coverage::starting(Slot(1));
            for (count, at) in order.into_iter().enumerate() {
                assert!(!coverage.is_whole(), "{order:?} after {count}");
                let (from, to) = pages[at];
                assert!(coverage.add(Slot(from), to.map(Slot)), "{order:?} at {count}");
                assert!(!coverage.add(Slot(from), to.map(Slot)), "said twice");
            }
            assert!(coverage.is_whole(), "{order:?}");
        }
    }

    /// Against a set of slots, page by page.
    #[test]
    fn pages_that_are_cut_differently_add_up() {
        let mut rng = Rng::new(7);
        let mut draw = |below: u64| rng.next_u64() % below;
        for _ in 0..2_000 {
            let start = 1 + draw(4);
            let mut coverage = Coverage::starting(Slot(start));
            let mut here = [false; 40];
            while !coverage.is_whole() {
                let from = 1 + draw(30);
                let last = draw(8) == 0;
                let to = if last { 40 } else { from + 1 + draw(9) };
                let news = (from.max(start)..to).any(|s| !here[s as usize]);
                let tail_is_news = last && !here[39];
                here[from as usize..to as usize].fill(true);
                let added = coverage.add(Slot(from), (!last).then_some(Slot(to)));
                assert_eq!(added, news || tail_is_news);
                let whole = here[start as usize..].iter().all(|h| *h);
                assert_eq!(coverage.is_whole(), whole, "{coverage:?}");
            }
        }
    }

    #[test]
    fn shreds_are_bounded() {
        let mut coverage = Coverage::starting(Slot(1));
        for i in 1..10_000 {
            coverage.add(Slot(2 * i), Some(Slot(2 * i + 1)));
        }
        assert_eq!(coverage.apart.len(), Coverage::APART_MAX);
        assert!(!coverage.add(Slot(50_000), Some(Slot(50_001))), "one more");
        let mut apart = Coverage::starting(Slot(1));
        (5..5 + Coverage::APART_MAX as u64).for_each(|i| {
            assert!(apart.add(Slot(2 * i), Some(Slot(2 * i + 1))));
        });
        assert!(apart.add(Slot(1), Some(Slot(3))), "what follows in order always counts");
        assert!(coverage.add(Slot(1), None) && coverage.is_whole());
    }
}
