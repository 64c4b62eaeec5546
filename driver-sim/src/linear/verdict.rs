//! What a checker says.

use std::fmt;

/// What a checker found out about a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An order exists that explains all answers and respects real time.
    Linearizable,
    /// No such order exists.
    Violation(Violation),
    /// The checker cannot tell. To be counted: many of these mean that nothing is checked.
    Inconclusive(Inconclusive),
}

impl Verdict {
    /// Tells whether an order was found.
    #[must_use]
    pub fn is_linearizable(&self) -> bool {
        matches!(self, Self::Linearizable)
    }

    /// Returns the proof that no order exists, if there is one.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Violation(violation) => Some(violation),
            Self::Linearizable | Self::Inconclusive(_) => None,
        }
    }
}

/// Why no order can exist. Operations are named by their id in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A read returned a value that nobody wrote, or that a write which never happened wrote.
    Unwritten {
        /// The read.
        read: usize,
    },
    /// A read was over before the write of its value began.
    FromFuture {
        /// The read.
        read: usize,
        /// The write of the value that it returned.
        write: usize,
    },
    /// Two values were each current before the other: the stale read, and all its relatives.
    ///
    /// `a` touched the first value and was over before `b` touched the second; `c` touched the
    /// second and was over before `d` touched the first. `None` stands for the initial absence.
    Crossed {
        /// The first value, early.
        a: Option<usize>,
        /// The second value, after `a`.
        b: Option<usize>,
        /// The second value, early.
        c: Option<usize>,
        /// The first value, after `c`.
        d: Option<usize>,
    },
    /// Two operations stand in the log against real time.
    OutOfOrder {
        /// Was over before the other began, but stands behind it in the log.
        earlier: usize,
        /// Stands before the other in the log.
        later: usize,
    },
    /// Two writes claim one slot.
    SharedSlot {
        /// The one.
        first: usize,
        /// The other.
        second: usize,
    },
    /// A write claims a slot at which the log holds nothing, or something else.
    NotInLog {
        /// The write.
        operation: usize,
    },
    /// An answer differs from that of the replayed log (or of any possible state).
    WrongAnswer {
        /// The operation.
        operation: usize,
    },
    /// No order of the operations so far explains this answer.
    Unexplained {
        /// The operation whose return no order survives.
        operation: usize,
        /// Operations under way at that moment, at most 16; an order may have any of them before it.
        concurrent: Vec<usize>,
        /// How many operations had begun by then: the shortest prefix that is not linearizable.
        prefix: usize,
        /// States that the object can have been in at that moment, at most 4, in debug format.
        states: Vec<String>,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwritten { read } => write!(f, "#{read} returned a value that was not written"),
            Self::FromFuture { read, write } => {
                write!(f, "#{read} returned the value of #{write} before that began")
            }
            Self::Crossed { a, b, c, d } => {
                let [a, b, c, d] = [a, b, c, d].map(|id| Named(*id));
                write!(
                    f,
                    "{a} and {d} saw one value, {b} and {c} another: {a} was over before {b}, {c} before {d}"
                )
            }
            Self::OutOfOrder { earlier, later } => {
                write!(f, "#{earlier} was over before #{later} began, but is later in the log")
            }
            Self::SharedSlot { first, second } => {
                write!(f, "#{first} and #{second} claim the same slot")
            }
            Self::NotInLog { operation } => write!(f, "#{operation} is not in its slot of the log"),
            Self::WrongAnswer { operation } => {
                write!(f, "the answer to #{operation} is not that of the replayed log")
            }
            Self::Unexplained { operation, concurrent, prefix, states } => write!(
                f,
                "no order of the first {prefix} operations explains #{operation}; under way: \
                 {concurrent:?}; the state could be {}",
                states.join(" or ")
            ),
        }
    }
}

impl std::error::Error for Violation {}

/// An operation, or the beginning of the world.
struct Named(Option<usize>);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(f, "#{id}"),
            None => f.write_str("the start"),
        }
    }
}

/// Why a checker cannot tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inconclusive {
    /// The search took more steps than it was allowed to.
    Budget {
        /// The steps that it was allowed.
        nodes_max: u64,
    },
    /// Two writes wrote the same value, where values must be unique.
    RepeatedValue {
        /// The one write.
        first: usize,
        /// The other.
        second: usize,
    },
    /// The log that was handed over does not go upwards.
    UnsortedLog {
        /// The slot that is not above the one before it.
        slot: u64,
    },
}

/// The verdicts of many histories (of all keys, of all runs), counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally<K> {
    /// How many were linearizable.
    pub linearizable: u64,
    /// How many could not be decided.
    pub inconclusive: u64,
    /// How many were not linearizable.
    pub violated: u64,
    /// The first [`VIOLATIONS_MAX`] of these, by key.
    pub violations: Vec<(K, Violation)>,
}

/// How many violations a [`Tally`] keeps; one is enough to fail a run.
pub const VIOLATIONS_MAX: usize = 16;

impl<K> Tally<K> {
    /// Counts nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { linearizable: 0, inconclusive: 0, violated: 0, violations: Vec::new() }
    }

    /// Counts the verdict on `key`.
    pub fn add(&mut self, key: K, verdict: Verdict) {
        match verdict {
            Verdict::Linearizable => self.linearizable += 1,
            Verdict::Inconclusive(_) => self.inconclusive += 1,
            Verdict::Violation(violation) => {
                self.violated += 1;
                if self.violations.len() < VIOLATIONS_MAX {
                    self.violations.push((key, violation));
                }
            }
        }
    }
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> FromIterator<(K, Verdict)> for Tally<K> {
    fn from_iter<T: IntoIterator<Item = (K, Verdict)>>(verdicts: T) -> Self {
        let mut tally = Self::new();
        verdicts.into_iter().for_each(|(key, verdict)| tally.add(key, verdict));
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_counted_by_kind() {
        let violation = Violation::Unwritten { read: 3 };
        let tally: Tally<u8> = [
            (1, Verdict::Linearizable),
            (2, Verdict::Violation(violation.clone())),
            (3, Verdict::Inconclusive(Inconclusive::Budget { nodes_max: 5 })),
            (4, Verdict::Linearizable),
        ]
        .into_iter()
        .collect();
        assert_eq!((tally.linearizable, tally.inconclusive, tally.violated), (2, 1, 1));
        assert_eq!(tally.violations, [(2, violation)]);
    }

    #[test]
    fn a_violation_reads_as_a_sentence() {
        let crossed = Violation::Crossed { a: None, b: Some(4), c: Some(1), d: Some(9) };
        assert_eq!(
            crossed.to_string(),
            "the start and #9 saw one value, #4 and #1 another: the start was over before #4, #1 before #9"
        );
    }
}
