//! Checks any [`Model`] by search: the general case, and the expensive one.
//!
//! After Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with the memo of Lowe,
//! "Testing for Linearizability" (2017), and his just-in-time order: walk through the calls and
//! returns in order of time; when an operation returns that has not taken effect yet, it must do so
//! now, perhaps after others that are under way. Each such point where orders fork is a *node*:
//! the place in time, who has taken effect, the state. A node that was met before is not searched
//! again. An operation whose outcome nobody knows never returns, so it is never forced.
//!
//! Whoever takes effect as late as possible forks least. More savings, all exact, the first two by
//! grace of [`Model::class`]:
//! - A *read* whose answer fits takes effect at once: it changes nothing, so nothing can be lost.
//! - An *overwrite* B that is under way while an overwrite C takes effect may have done so just
//!   before it, unseen. So B need not decide: when it returns, it is excused. This keeps blind
//!   writes that nobody saw from being tried in every order.
//! - Of operations with unknown outcome and equal inputs, the older one goes first.
//! - A node that differs from one met before only in that more operations of unknown outcome took
//!   effect is not searched: the other could still have had them, and need not.
//!
//! Memory is bounded by the budget, one memo entry a node (some tens of bytes and a state), beside
//! four bytes for each pair of an operation and one that is under way when it returns.

mod memo;
mod node;
mod timeline;

use std::fmt::Debug;
use std::hash::Hash;

use self::memo::Memo;
use self::node::{Node, Walk};
use self::timeline::Timeline;
use super::history::Operation;
use super::model::Model;
use super::verdict::{Inconclusive, Verdict, Violation};

/// A budget that decides histories of 100,000 operations, and bounds the memo at some 100 MB.
pub const NODES_MAX: u64 = 1_000_000;

/// How many concurrent operations a violation names.
const CONCURRENT_MAX: usize = 16;

/// How many states a violation names.
const STATES_MAX: usize = 4;

/// Searches for an order that explains all answers, in at most `nodes_max` nodes.
///
/// See [`NODES_MAX`] for a budget. The verdict is [`Verdict::Inconclusive`] when it runs out.
pub fn check<M>(model: &M, operations: &[Operation<M::Input, M::Output>], nodes_max: u64) -> Verdict
where
    M: Model,
    M::State: Clone + Eq + Hash + Debug,
    M::Input: PartialEq,
{
    search(model, operations, nodes_max).0
}

/// Searches as [`check`] does; also returns how many nodes it took.
pub fn search<M>(
    model: &M,
    operations: &[Operation<M::Input, M::Output>],
    nodes_max: u64,
) -> (Verdict, u64)
where
    M: Model,
    M::State: Clone + Eq + Hash + Debug,
    M::Input: PartialEq,
{
    let timeline = Timeline::new(model, operations);
    let walk = Walk::new(model, operations, &timeline);
    let mut memo = Memo::new();
    let mut path = Vec::new();
    let mut deepest = Deepest { return_at: 0, states: Vec::new() };
    let mut next = walk.start();
    loop {
        match next {
            Some(node) if walk.is_end(&node) => return (Verdict::Linearizable, memo.nodes()),
            Some(node) => {
                if memo.nodes() == nodes_max {
                    let budget = Inconclusive::Budget { nodes_max };
                    return (Verdict::Inconclusive(budget), nodes_max);
                }
                if memo.admit(&node) {
                    deepest.note(&node);
                    path.push((node, 0));
                }
            }
            None => {
                path.pop();
            }
        }
        match path.last_mut() {
            Some((node, tried)) => next = walk.fork(node, tried),
            None => break,
        }
    }
    let violation = deepest.explain(operations, &timeline);
    (Verdict::Violation(violation), memo.nodes())
}

/// The furthest return that any order got to.
struct Deepest<S> {
    return_at: usize,
    /// The states in which orders got there.
    states: Vec<S>,
}

impl<S: Clone + Eq + Debug> Deepest<S> {
    fn note(&mut self, node: &Node<S>) {
        if node.return_at() > self.return_at {
            self.return_at = node.return_at();
            self.states.clear();
        }
        let fits = node.return_at() == self.return_at && node.is_fresh();
        if fits && self.states.len() < STATES_MAX && !self.states.contains(node.state()) {
            self.states.push(node.state().clone());
        }
    }

    fn explain<I, O>(&self, operations: &[Operation<I, O>], timeline: &Timeline) -> Violation {
        let moment = &timeline.returns[self.return_at];
        let id = |at: usize| operations[at].id;
        let pending = timeline.unknown[..moment.unknown].iter().rev().map(|unknown| unknown.at);
        let known = timeline.open(moment).map(|open| open.at).filter(|at| *at != moment.at);
        Violation::Unexplained {
            operation: id(moment.at),
            concurrent: known.chain(pending).map(id).take(CONCURRENT_MAX).collect(),
            prefix: moment.begun,
            states: self.states.iter().map(|state| format!("{state:?}")).collect(),
        }
    }
}
