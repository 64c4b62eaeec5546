//! Histories made to order: what correct clients of a correct object could have seen.
//!
//! A pool of clients takes turns; each operation takes effect at some instant between its
//! invocation and its return, and the answers are those of the object at those instants. So a
//! sampled history is linearizable by construction. Checkers are measured and proven on these, as
//! they are and after mutation.

use bytes::Bytes;

use super::cell::{Cell, CellAnswer, CellInput};
use super::history::{FOREVER, Operation, Outcome};
use super::model::Model;
use crate::choice::Choice;

/// The shape of a sampled history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many operations.
    pub operations: usize,
    /// How many clients; about that many operations overlap at any time.
    pub clients: usize,
    /// The longest time from an invocation to its return (ns); at least 1.
    pub latency_ns_max: u64,
    /// The longest pause of a client between two operations (ns).
    pub pause_ns_max: u64,
    /// How many operations in a million have an unknown outcome; half of these never happen.
    pub unknown_per_million: u32,
}

impl Shape {
    /// Describes a history of `operations` in which about `clients` of them overlap.
    #[must_use]
    pub fn dense(operations: usize, clients: usize) -> Self {
        Self {
            operations,
            clients,
            latency_ns_max: 1_000_000,
            pause_ns_max: 100_000,
            unknown_per_million: 0,
        }
    }
}

/// A history and the order in which it happened.
#[derive(Clone, Debug)]
pub struct Sample<I, O> {
    /// The operations, by id, in order of invocation.
    pub operations: Vec<Operation<I, O>>,
    /// The ids of the operations that took effect, in order.
    pub order: Vec<usize>,
}

/// Samples a linearizable history; `ask` draws the input of the operation with a given id.
pub fn sample<M: Model, C: Choice>(
    model: &M,
    shape: Shape,
    choice: &mut C,
    mut ask: impl FnMut(&mut C, usize) -> M::Input,
) -> Sample<M::Input, M::Output> {
    let mut drafts = drafts(shape, choice);
    drafts.sort_by_key(|draft| draft.invoked);
    let inputs: Vec<M::Input> = (0..drafts.len()).map(|id| ask(choice, id)).collect();
    let mut order: Vec<usize> =
        (0..drafts.len()).filter(|id| drafts[*id].effect < FOREVER).collect();
    order.sort_by_key(|id| drafts[*id].effect);
    let mut state = model.initial();
    let mut outputs: Vec<Option<M::Output>> = inputs.iter().map(|_| None).collect();
    for id in &order {
        outputs[*id] = Some(model.apply(&mut state, &inputs[*id]));
    }
    let answered = drafts.iter().zip(inputs).zip(outputs).enumerate();
    let operations = answered.map(|(id, ((draft, input), output))| draft.close(id, input, output));
    Sample { operations: operations.collect(), order }
}

/// Samples a history of a key with little memory: values repeat, so that answers say little about
/// the order.
pub fn sample_cell<C: Choice>(shape: Shape, choice: &mut C) -> Sample<CellInput, CellAnswer> {
    sample(&Cell, shape, choice, |choice, _| {
        let small = |choice: &mut C| Bytes::from(choice.below(10).to_string());
        match choice.below(10) {
            0..4 => CellInput::Get,
            4..7 => CellInput::Set(small(choice)),
            7 => CellInput::Cas { old: Some(small(choice)), new: small(choice) },
            8 => CellInput::Del,
            _ => CellInput::Incr(1),
        }
    })
}

struct Client {
    free: u64,
    process: u64,
}

/// An operation before anybody knows what it asks or answers.
struct Draft {
    process: u64,
    invoked: u64,
    /// When it takes effect; [`FOREVER`] for never.
    effect: u64,
    returned: u64,
    unknown: bool,
}

impl Draft {
    fn close<I, O>(&self, id: usize, input: I, output: Option<O>) -> Operation<I, O> {
        let output = output.filter(|_| !self.unknown);
        let outcome = output.map(|output| Outcome { at: self.returned, output });
        Operation { id, process: self.process, invoked: self.invoked, input, outcome }
    }
}

/// Lets the clients take turns; whoever is free first goes first.
fn drafts<C: Choice>(shape: Shape, choice: &mut C) -> Vec<Draft> {
    let mut processes = shape.clients.max(1) as u64;
    let mut clients: Vec<Client> =
        (0..processes).map(|process| Client { free: 0, process }).collect();
    let mut drafts = Vec::with_capacity(shape.operations);
    while drafts.len() < shape.operations
        && let Some(client) = clients.iter_mut().min_by_key(|client| client.free)
    {
        let draft = draft(client, shape, choice);
        if draft.unknown {
            client.process = processes;
            processes += 1;
        }
        drafts.push(draft);
    }
    drafts
}

/// Lets a client do its next operation.
fn draft<C: Choice>(client: &mut Client, shape: Shape, choice: &mut C) -> Draft {
    let invoked = client.free + choice.range(0..=shape.pause_ns_max);
    let returned = invoked + choice.range(1..=shape.latency_ns_max.max(1));
    let unknown = choice.chance(shape.unknown_per_million);
    let effect = match (unknown, unknown && choice.chance(500_000)) {
        (true, true) => FOREVER,
        (true, false) => choice.range(invoked..=invoked + 10 * shape.latency_ns_max),
        (false, _) => choice.range(invoked..=returned),
    };
    client.free = returned;
    Draft { process: client.process, invoked, effect, returned, unknown }
}
