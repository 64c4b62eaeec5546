//! Values for consecutive slots, and commands on their way to become such.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, Range};

use super::{Command, Slot, Value, Values};

/// Values for consecutive slots, shared by everyone who holds them: the message
/// to each peer, the record for the disk, the log and the delivery take references.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Run {
    /// The slot of the first value.
    pub first: Slot,
    values: Values,
}

impl Run {
    /// A run of `values` from slot `first` on.
    pub fn new(first: Slot, values: Vec<Value>) -> Run {
        Run { first, values: Values::new(values.into()) }
    }

    /// A run of one value; allocates once.
    pub fn one(first: Slot, value: Value) -> Run {
        Run { first, values: Values::new(Arc::from([value])) }
    }

    /// A run from an iterator of known length; allocates once.
    pub fn collect(first: Slot, values: impl Iterator<Item = Value>) -> Run {
        Run { first, values: Values::new(values.collect()) }
    }

    /// A run of `commands`; copies nothing.
    pub fn of(first: Slot, commands: Commands) -> Run {
        Run { first, values: commands.values }
    }

    /// The slot after the last value.
    pub fn end(&self) -> Slot {
        self.first.plus(self.values.len() as u64)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.len() == 0
    }

    /// Slots with their values, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Slot, &Value)> {
        let first = self.first.0;
        self.values.iter().enumerate().map(move |(i, v)| (Slot(first + i as u64), v))
    }

    /// What of this run lies in `from..to`; empty if nothing does. Shares the values.
    #[must_use]
    pub fn cut(&self, from: Slot, to: Slot) -> Run {
        let at = |slot: Slot| (slot.since(self.first) as usize).min(self.len());
        let (start, end) = (at(from), at(to).max(at(from)));
        Run { first: self.first.plus(start as u64), values: self.values.cut(start..end) }
    }

    /// Forgets what lies at `end` and above.
    #[cold]
    #[inline(never)]
    pub(crate) fn truncate(&mut self, end: Slot) {
        *self = self.cut(self.first, end);
    }

    /// What all values together count against limits in bytes.
    pub fn weight(&self) -> usize {
        self.values.weight()
    }

    /// Bytes of all payloads.
    pub fn payload_bytes(&self) -> usize {
        self.values.payload_bytes()
    }

    /// How many of the values change the membership.
    pub fn configs(&self) -> usize {
        self.values.configs()
    }

    /// Whether no command's payload is over `bytes_max`.
    pub fn fits(&self, bytes_max: usize) -> bool {
        self.values.fit(bytes_max)
    }
}

impl Deref for Run {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.values
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.first)?;
        match &self.values[..] {
            [one] => write!(f, "[{one:?}]"),
            [] => f.write_str("[]"),
            many => write!(f, "[{:?}, ..{} values]", many[0], many.len()),
        }
    }
}

/// Commands that are proposed together, in the very form in which they go into
/// messages, records and logs: whoever hands them on copies none.
///
/// Collect them from an iterator that knows its length, such as a drained `Vec`:
/// that allocates once for all of them.
///
/// ```
/// use paxos_core::types::{Command, Commands};
///
/// let mut read = vec![Command::plain("a".into()), Command::plain("b".into())];
/// let commands: Commands = read.drain(..).collect();
/// assert_eq!(commands.len(), 2);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Commands {
    /// Invariant: nothing but commands.
    values: Values,
}

impl Commands {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.len() == 0
    }

    /// The commands, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Command> {
        self.values.iter().filter_map(|v| if let Value::Command(c) = v { Some(c) } else { None })
    }

    /// Those whose places are in `range`, which must not end beyond the last. Shares
    /// the memory.
    #[must_use]
    pub fn cut(&self, range: Range<usize>) -> Commands {
        Commands { values: self.values.cut(range) }
    }

    /// Bytes of all payloads.
    pub fn payload_bytes(&self) -> usize {
        self.values.payload_bytes()
    }

    /// What they count against limits in bytes.
    pub fn weight(&self) -> usize {
        self.values.weight()
    }

    /// Whether no payload is over `bytes_max`.
    pub fn fit(&self, bytes_max: usize) -> bool {
        self.values.fit(bytes_max)
    }
}

impl FromIterator<Command> for Commands {
    fn from_iter<I: IntoIterator<Item = Command>>(commands: I) -> Commands {
        Commands { values: Values::new(commands.into_iter().map(Value::Command).collect()) }
    }
}

impl From<Vec<Command>> for Commands {
    fn from(commands: Vec<Command>) -> Commands {
        commands.into_iter().collect()
    }
}

impl From<Command> for Commands {
    fn from(command: Command) -> Commands {
        Commands { values: Values::new(Arc::from([Value::Command(command)])) }
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.values, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_cut_to_what_it_has() {
        let run = Run::collect(Slot(5), (0..4).map(|_| Value::Noop));
        let span = |from, to| {
            let part = run.cut(Slot(from), Slot(to));
            (part.first.0, part.end().0)
        };
        assert_eq!(span(5, 9), (5, 9));
        assert_eq!(span(1, 7), (5, 7));
        assert_eq!(span(6, 99), (6, 9));
        assert_eq!(span(7, 6), (7, 7), "nothing");
        assert_eq!(span(20, 30), (9, 9), "nothing");
    }
}
