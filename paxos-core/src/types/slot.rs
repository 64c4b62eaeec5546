//! Slots: places in the log.

use core::fmt;

/// A place in a group's log. The first is 1.
///
/// Bounds are half-open: a frontier `f` speaks of all slots below `f`, so that
/// [`Slot::FIRST`] means "nothing yet".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Slot(pub u64);

impl Slot {
    /// The first slot of every log.
    pub const FIRST: Slot = Slot(1);

    /// The largest slot that is believed when a peer or a file names it; leaves
    /// room for every sum the core makes.
    pub const MAX: Slot = Slot(1 << 56);

    /// The slot after this one.
    pub fn next(self) -> Slot {
        Slot(self.0 + 1)
    }

    /// The slot `n` places further, saturating.
    pub fn plus(self, n: u64) -> Slot {
        Slot(self.0.saturating_add(n))
    }

    /// How many slots lie in `earlier..self`; zero if there are none.
    pub fn since(self, earlier: Slot) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether a peer may speak of this slot at all.
    pub fn is_sane(self) -> bool {
        self >= Slot::FIRST && self <= Slot::MAX
    }
}

impl Default for Slot {
    fn default() -> Slot {
        Slot::FIRST
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_counted_and_bounded() {
        assert_eq!((Slot(7).next(), Slot(7).plus(3)), (Slot(8), Slot(10)));
        assert_eq!(Slot(u64::MAX).plus(3), Slot(u64::MAX));
        assert_eq!((Slot(7).since(Slot(4)), Slot(4).since(Slot(7))), (3, 0));
        assert_eq!(Slot::default(), Slot::FIRST);
        // No log of bytes on earth has so many, and sums above it do not overflow.
        const { assert!(Slot::MAX.0 > 1 << 50 && Slot::MAX.0 < 1 << 62) };
        for (slot, sane) in
            [(Slot(0), false), (Slot::FIRST, true), (Slot::MAX, true), (Slot::MAX.next(), false)]
        {
            assert_eq!(slot.is_sane(), sane, "{slot}");
        }
    }
}
