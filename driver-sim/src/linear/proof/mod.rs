//! Checks the checkers: against brute force, against each other, on what must pass and what must
//! not.

mod classical;
mod differential;
mod mutated;

use super::{Model, Operation};

/// Decides by trying all orders: the definition, fit for a handful of operations.
fn brute_force<M>(model: &M, operations: &[Operation<M::Input, M::Output>]) -> bool
where
    M: Model,
    M::State: Clone,
{
    let rest: Vec<_> = operations.iter().collect();
    extend(model, &model.initial(), &rest)
}

/// Tells whether `rest` can be ordered, starting from `state`.
fn extend<M>(model: &M, state: &M::State, rest: &[&Operation<M::Input, M::Output>]) -> bool
where
    M: Model,
    M::State: Clone,
{
    if rest.iter().all(|operation| operation.outcome.is_none()) {
        return true;
    }
    rest.iter().enumerate().any(|(at, next)| {
        let mut after = state.clone();
        let output = model.apply(&mut after, &next.input);
        let mut left = rest.to_vec();
        left.remove(at);
        let may_be_next = left.iter().all(|other| !other.precedes(next));
        let fits = next.output().is_none_or(|seen| *seen == output);
        may_be_next && fits && extend(model, &after, &left)
    })
}
