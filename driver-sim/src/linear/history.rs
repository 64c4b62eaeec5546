//! What clients did and saw, with times.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

/// The return time of an operation whose outcome nobody learned.
pub const FOREVER: u64 = u64::MAX;

/// One operation of a client, as the client saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<I, O> {
    /// The number of the operation in its history, by which verdicts name it.
    pub id: usize,
    /// Who asked; a process has at most one operation under way.
    pub process: u64,
    /// When the client asked (ns).
    pub invoked: u64,
    /// What was asked.
    pub input: I,
    /// What came back; `None` when nobody knows whether the operation took effect.
    pub outcome: Option<Outcome<O>>,
}

/// The answer to an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<O> {
    /// When the answer reached the client (ns); not before the invocation.
    pub at: u64,
    /// The answer.
    pub output: O,
}

impl<I, O> Operation<I, O> {
    /// Returns when the operation was over for certain: [`FOREVER`] for an unknown outcome.
    ///
    /// Never before the invocation, even if the outcome says so.
    pub fn returned(&self) -> u64 {
        self.outcome.as_ref().map_or(FOREVER, |outcome| outcome.at.max(self.invoked))
    }

    /// Returns the answer, if one came.
    pub fn output(&self) -> Option<&O> {
        self.outcome.as_ref().map(|outcome| &outcome.output)
    }

    /// Tells whether this operation was over before `other` began.
    pub fn precedes<J, P>(&self, other: &Operation<J, P>) -> bool {
        self.returned() < other.invoked
    }
}

/// Collects the operations of a run.
///
/// Grows with the run; whoever runs the clients bounds the number of operations.
///
/// ```
/// use driver_sim::linear::{History, RegisterInput, Verdict, zones};
///
/// let mut history = History::new();
/// history.invoke(1, 100, ("k", RegisterInput::Write(7)))?;
/// history.invoke(2, 110, ("k", RegisterInput::Read))?;
/// history.ok(2, 150, Some(7))?; // sees the write before the writer does
/// history.unknown(1)?; // and the writer never hears of it
/// for (_key, operations) in history.split(|input| input) {
///     assert_eq!(zones::check(&operations), Verdict::Linearizable);
/// }
/// # Ok::<(), driver_sim::linear::Misuse>(())
/// ```
#[derive(Clone, Debug)]
pub struct History<I, O> {
    /// By id; `None` for what definitely did not happen.
    operations: Vec<Option<Operation<I, O>>>,
    phases: HashMap<u64, Phase>,
}

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle { since: u64 },
    Waiting { id: usize },
    Spent,
}

impl<I, O> History<I, O> {
    /// Starts an empty history.
    #[must_use]
    pub fn new() -> Self {
        Self { operations: Vec::new(), phases: HashMap::new() }
    }

    /// Notes that `process` asks; returns the id of the operation.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when the process is not free to ask at this time.
    pub fn invoke(&mut self, process: u64, at: u64, input: I) -> Result<usize, Misuse> {
        let id = self.operations.len();
        match self.phases.entry(process) {
            Entry::Vacant(entry) => {
                entry.insert(Phase::Waiting { id });
            }
            Entry::Occupied(mut entry) => match *entry.get() {
                Phase::Idle { since } if at >= since => {
                    entry.insert(Phase::Waiting { id });
                }
                Phase::Idle { .. } => return Err(Misuse::BackInTime { process }),
                Phase::Waiting { .. } => return Err(Misuse::Busy { process }),
                Phase::Spent => return Err(Misuse::Spent { process }),
            },
        }
        self.operations.push(Some(Operation { id, process, invoked: at, input, outcome: None }));
        Ok(id)
    }

    /// Notes the answer to the operation under way.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when none is under way, or when it was asked later than `at`.
    pub fn ok(&mut self, process: u64, at: u64, output: O) -> Result<(), Misuse> {
        let id = self.waiting(process)?;
        let Some(operation) = &mut self.operations[id] else {
            return Err(Misuse::Idle { process });
        };
        if at < operation.invoked {
            return Err(Misuse::BackInTime { process });
        }
        operation.outcome = Some(Outcome { at, output });
        self.phases.insert(process, Phase::Idle { since: at });
        Ok(())
    }

    /// Notes that the client gave up: the operation may take effect at any later time, or never.
    ///
    /// The process is spent; the client goes on under another number. Operations that are still
    /// under way at the end count as unknown without this call.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when no operation is under way.
    pub fn unknown(&mut self, process: u64) -> Result<(), Misuse> {
        self.waiting(process)?;
        self.phases.insert(process, Phase::Spent);
        Ok(())
    }

    /// Notes that the operation under way certainly has not happened and never will.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when no operation is under way.
    pub fn fail(&mut self, process: u64) -> Result<(), Misuse> {
        let id = self.waiting(process)?;
        let since = self.operations[id].take().map_or(0, |operation| operation.invoked);
        self.phases.insert(process, Phase::Idle { since });
        Ok(())
    }

    /// Returns the operations that happened or may have, by id.
    pub fn operations(&self) -> impl Iterator<Item = &Operation<I, O>> {
        self.operations.iter().flatten()
    }

    /// Ends the history; returns the operations that happened or may have, by id.
    #[must_use]
    pub fn into_operations(self) -> Vec<Operation<I, O>> {
        self.operations.into_iter().flatten().collect()
    }

    /// Ends the history and takes it apart by key; `part` splits an input into key and rest.
    ///
    /// A history is linearizable when that of each key is (Herlihy and Wing's locality), and the
    /// parts are much cheaper to check. Operations on several keys forbid this.
    #[must_use]
    pub fn split<K: Ord, J>(self, part: impl Fn(I) -> (K, J)) -> BTreeMap<K, Vec<Operation<J, O>>> {
        let mut keys: BTreeMap<K, Vec<Operation<J, O>>> = BTreeMap::new();
        for operation in self.operations.into_iter().flatten() {
            let Operation { id, process, invoked, input, outcome } = operation;
            let (key, input) = part(input);
            let operation = Operation { id, process, invoked, input, outcome };
            keys.entry(key).or_default().push(operation);
        }
        keys
    }

    fn waiting(&self, process: u64) -> Result<usize, Misuse> {
        match self.phases.get(&process) {
            Some(Phase::Waiting { id }) => Ok(*id),
            Some(Phase::Spent) => Err(Misuse::Spent { process }),
            Some(Phase::Idle { .. }) | None => Err(Misuse::Idle { process }),
        }
    }
}

impl<I, O> Default for History<I, O> {
    fn default() -> Self {
        Self::new()
    }
}

/// A call that no sequential client can have made: the fault of whoever keeps the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// The process asks while its last operation is still under way.
    Busy {
        /// Which process.
        process: u64,
    },
    /// The process has no operation under way that could end.
    Idle {
        /// Which process.
        process: u64,
    },
    /// The process gave up on an operation and must go on under another number.
    Spent {
        /// Which process.
        process: u64,
    },
    /// The time lies before what the process did last.
    BackInTime {
        /// Which process.
        process: u64,
    },
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { process } => write!(f, "process {process} asks before it was answered"),
            Self::Idle { process } => write!(f, "process {process} ends what it has not begun"),
            Self::Spent { process } => write!(f, "process {process} goes on after it gave up"),
            Self::BackInTime { process } => write!(f, "process {process} goes back in time"),
        }
    }
}

impl std::error::Error for Misuse {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_keeps_what_may_have_happened() -> Result<(), Misuse> {
        let mut history = History::new();
        history.invoke(1, 0, 'a')?;
        history.invoke(2, 1, 'b')?;
        history.invoke(3, 2, 'c')?;
        history.ok(1, 5, "done")?;
        history.fail(2)?;
        history.unknown(3)?;
        history.invoke(2, 6, 'd')?;
        let operations = history.into_operations();
        assert_eq!(operations.iter().map(|op| op.id).collect::<Vec<_>>(), [0, 2, 3]);
        assert_eq!(
            operations.iter().map(Operation::returned).collect::<Vec<_>>(),
            [5, FOREVER, FOREVER]
        );
        assert!(operations[0].precedes(&operations[2]));
        assert!(!operations[0].precedes(&operations[1]));
        Ok(())
    }

    #[test]
    fn equal_times_are_concurrent() -> Result<(), Misuse> {
        let mut history = History::new();
        history.invoke(1, 0, ())?;
        history.ok(1, 5, ())?;
        history.invoke(1, 5, ())?;
        let operations = history.into_operations();
        assert!(!operations[0].precedes(&operations[1]));
        Ok(())
    }

    #[test]
    fn no_client_does_two_things_at_once() -> Result<(), Misuse> {
        let mut history: History<(), ()> = History::new();
        assert_eq!(history.ok(1, 0, ()), Err(Misuse::Idle { process: 1 }));
        history.invoke(1, 10, ())?;
        assert_eq!(history.invoke(1, 11, ()), Err(Misuse::Busy { process: 1 }));
        assert_eq!(history.ok(1, 9, ()), Err(Misuse::BackInTime { process: 1 }));
        history.ok(1, 20, ())?;
        assert_eq!(history.invoke(1, 19, ()), Err(Misuse::BackInTime { process: 1 }));
        history.invoke(1, 20, ())?;
        history.unknown(1)?;
        assert_eq!(history.invoke(1, 30, ()), Err(Misuse::Spent { process: 1 }));
        assert_eq!(history.ok(1, 30, ()), Err(Misuse::Spent { process: 1 }));
        Ok(())
    }

    #[test]
    fn a_split_keeps_ids_and_order() -> Result<(), Misuse> {
        let mut history: History<(char, u32), ()> = History::new();
        for (process, input) in [('a', 1), ('b', 2), ('a', 3)].into_iter().enumerate() {
            history.invoke(process as u64, 0, input)?;
        }
        let keys = history.split(|input| input);
        let ids = |key| keys[&key].iter().map(|op| (op.id, op.input)).collect::<Vec<_>>();
        assert_eq!(ids('a'), [(0, 1), (2, 3)]);
        assert_eq!(ids('b'), [(1, 2)]);
        Ok(())
    }
}
