//! Checks a register whose written values are unique, from outside and in near-linear time.
//!
//! After Gibbons and Korach, "Testing Shared Memories" (SIAM J. Comput. 26(4), 1997), in the words
//! of Golab, Li and Shah, "Analyzing Consistency Properties for Fun and Profit" (PODC 2011).
//!
//! All operations that touch one value, its write and the reads that return it, form a
//! **cluster**. In any order that explains the answers a cluster stands together, the write first.
//! Of a cluster only two times matter: when its first operation was over (`f`) and when its last
//! one began (`s`). Cluster A must stand before cluster B if `f(A) < s(B)`, since then some
//! operation of A was over before one of B began. Such an order exists unless two clusters must
//! each stand before the other: a longer cycle always contains a pair, namely the cluster with the
//! least `f` in it and the one before that.
//!
//! The **zone** of a cluster is the interval between `f` and `s`: *forward* if `f < s` (the value
//! was current all through it), *backward* otherwise. So a pair conflicts exactly if
//! - two forward zones overlap, or
//! - a backward zone lies inside of a forward one,
//!
//! which a sort and one pass find. Beside this, no read may be over before its write began.
//!
//! Preconditions: no value is written twice (reported as [`Inconclusive::RepeatedValue`]), the
//! register is absent at first and never deleted. Reads of unknown outcome say nothing and are
//! ignored, and so are writes of unknown outcome that nobody saw. One that somebody saw took
//! effect; it stays open to infinity.

use super::history::{FOREVER, Operation};
use super::register::RegisterInput;
use super::verdict::{Inconclusive, Verdict, Violation};

/// Checks the operations of one register.
#[must_use]
pub fn check<V: Ord>(operations: &[Operation<RegisterInput<V>, Option<V>>]) -> Verdict {
    let mut touches = match touches(operations) {
        Ok(touches) => touches,
        Err(violation) => return Verdict::Violation(violation),
    };
    touches.sort_unstable_by_key(|touch| (touch.value, !touch.is_write, touch.id));
    let mut zones = Vec::new();
    for cluster in touches.chunk_by(|a, b| a.value == b.value) {
        match zone(cluster) {
            Ok(zone) => zones.extend(zone),
            Err(verdict) => return verdict,
        }
    }
    crossed(&zones).map_or(Verdict::Linearizable, Verdict::Violation)
}

/// An operation, seen from the value that it touches.
#[derive(Clone, Copy)]
struct Touch<'a, V> {
    /// `None` while the register is absent.
    value: Option<&'a V>,
    is_write: bool,
    id: usize,
    invoked: u64,
    returned: u64,
}

/// Lists what touched which value; drops what says nothing.
fn touches<V>(
    operations: &[Operation<RegisterInput<V>, Option<V>>],
) -> Result<Vec<Touch<'_, V>>, Violation> {
    let mut touches = Vec::with_capacity(operations.len());
    for operation in operations {
        let (value, is_write) = match (&operation.input, operation.output()) {
            (RegisterInput::Write(_), Some(Some(_))) => {
                return Err(Violation::WrongAnswer { operation: operation.id });
            }
            (RegisterInput::Write(value), _) => (Some(value), true),
            (RegisterInput::Read, Some(value)) => (value.as_ref(), false),
            (RegisterInput::Read, None) => continue,
        };
        let (id, invoked) = (operation.id, operation.invoked);
        touches.push(Touch { value, is_write, id, invoked, returned: operation.returned() });
    }
    Ok(touches)
}

/// What matters of a cluster: its two times, and whose they are.
#[derive(Clone, Copy)]
struct Zone {
    first_end: Edge,
    last_start: Edge,
}

#[derive(Clone, Copy)]
struct Edge {
    /// `None` lies before all times: the end of the initial absence.
    at: Option<u64>,
    /// The operation; `None` for the initial absence.
    id: Option<usize>,
}

impl Zone {
    fn is_forward(&self) -> bool {
        self.first_end.at < self.last_start.at
    }

    /// Returns the zone as an interval, lower end first.
    fn span(&self) -> (Option<u64>, Option<u64>) {
        let (end, start) = (self.first_end.at, self.last_start.at);
        (end.min(start), end.max(start))
    }
}

/// Checks a cluster in itself; returns its zone unless the cluster binds nobody.
fn zone<V>(cluster: &[Touch<'_, V>]) -> Result<Option<Zone>, Verdict> {
    // The sort put writes first.
    let (writes, reads) = cluster.split_at(cluster.partition_point(|touch| touch.is_write));
    let absent = cluster.first().is_some_and(|touch| touch.value.is_none());
    match (writes, reads) {
        ([first, second, ..], _) => {
            let (first, second) = (first.id, second.id);
            return Err(Verdict::Inconclusive(Inconclusive::RepeatedValue { first, second }));
        }
        ([write], []) if write.returned == FOREVER => return Ok(None),
        ([write], _) => {
            if let Some(read) = reads.iter().find(|read| read.returned < write.invoked) {
                let (read, write) = (read.id, write.id);
                return Err(Verdict::Violation(Violation::FromFuture { read, write }));
            }
        }
        ([], [read, ..]) if !absent => {
            return Err(Verdict::Violation(Violation::Unwritten { read: read.id }));
        }
        ([], _) => {}
    }
    let first_end =
        cluster.iter().map(|touch| Edge { at: Some(touch.returned), id: Some(touch.id) });
    let last_start =
        cluster.iter().map(|touch| Edge { at: Some(touch.invoked), id: Some(touch.id) });
    let start = Edge { at: None, id: None };
    Ok(first_end
        .chain(absent.then_some(start))
        .min_by_key(|edge| edge.at)
        .zip(last_start.max_by_key(|edge| edge.at))
        .map(|(first_end, last_start)| Zone { first_end, last_start }))
}

/// Finds two zones that must each stand before the other.
fn crossed(zones: &[Zone]) -> Option<Violation> {
    let (mut forward, mut backward): (Vec<Zone>, Vec<Zone>) =
        zones.iter().partition(|zone| zone.is_forward());
    forward.sort_unstable_by_key(Zone::span);
    backward.sort_unstable_by_key(Zone::span);
    // Disjoint neighbours in a sorted list are disjoint from all.
    let overlap = forward.windows(2).find(|pair| conflict(&pair[0], &pair[1]));
    if let Some(pair) = overlap {
        return Some(violation(&pair[0], &pair[1]));
    }
    // Of disjoint forward zones, only the last that begins below a backward one can hold it.
    let mut begun = 0;
    for inner in &backward {
        let low = inner.span().0;
        begun += forward[begun..].partition_point(|zone| zone.span().0 < low);
        if let Some(outer) = begun.checked_sub(1).map(|last| &forward[last])
            && conflict(outer, inner)
        {
            return Some(violation(outer, inner));
        }
    }
    None
}

fn conflict(a: &Zone, b: &Zone) -> bool {
    a.first_end.at < b.last_start.at && b.first_end.at < a.last_start.at
}

fn violation(a: &Zone, b: &Zone) -> Violation {
    Violation::Crossed {
        a: a.first_end.id,
        b: b.last_start.id,
        c: b.first_end.id,
        d: a.last_start.id,
    }
}
