//! What the clients saw, for the linearizability checkers.

use std::collections::BTreeMap;

use crate::check::{Checked, Violation};
use crate::linear::{Class, History, Model, Verdict, search};
use crate::machine::{Ask, decode};

use super::{Operation, What};

/// Whether something was done, and what the cell holds now.
type Seen = (bool, u64);

/// One cell as clients see it. Shares [`Ask::apply`] with the nodes: whether that is right is for
/// its own tests, here it only has to be the same everywhere.
#[derive(Clone, Copy, Debug)]
struct Cell;

impl Model for Cell {
    type State = u64;
    type Input = Option<Ask>;
    type Output = Seen;

    fn initial(&self) -> u64 {
        0
    }

    fn apply(&self, state: &mut u64, input: &Option<Ask>) -> Seen {
        input.map_or((true, *state), |ask| ask.apply(state))
    }

    fn class(&self, input: &Option<Ask>, output: Option<&Seen>) -> Class {
        match (input, output) {
            (None, _) | (Some(Ask::Swap { .. }), Some((false, _))) => Class::Read,
            (Some(Ask::Set(_)), _) => Class::Overwrite,
            _ => Class::Update,
        }
    }
}

/// The history of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    history: History<((u8, u8), Option<Ask>), Seen>,
    /// Counts what is recorded: a clock that knows every order.
    now: u64,
    /// By key: what some client last saw there; keeps swaps from always failing.
    seen: BTreeMap<u8, u64>,
}

/// What the search made of the keys of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Searched {
    /// Keys with an order that explains everything.
    pub(crate) linearizable: u64,
    /// Keys for which the budget ran out.
    pub(crate) inconclusive: u64,
}

impl Record {
    /// What some client last saw in a cell.
    pub(crate) fn last_seen(&self, key: u8) -> u64 {
        self.seen.get(&key).copied().unwrap_or_default()
    }

    /// A client asks.
    pub(crate) fn invoke(&mut self, process: u64, operation: &Operation) -> Checked {
        let ask = match &operation.what {
            What::Read | What::TooLarge(..) => None,
            What::Write(command, _) => decode(&command.payload).map(|(_, ask)| ask),
        };
        let at = self.tick();
        let input = ((operation.group, operation.key), ask);
        self.history.invoke(process, at, input).map(|_| ()).map_err(misuse)
    }

    /// It is answered.
    pub(crate) fn answer(&mut self, process: u64, key: u8, seen: Seen) -> Checked {
        let at = self.tick();
        self.seen.insert(key, seen.1);
        self.history.ok(process, at, seen).map_err(misuse)
    }

    /// It gives up; the process is spent.
    pub(crate) fn abandon(&mut self, process: u64) -> Checked {
        self.history.unknown(process).map_err(misuse)
    }

    /// It is told that nothing happened and nothing will.
    pub(crate) fn refuse(&mut self, process: u64) -> Checked {
        self.history.fail(process).map_err(misuse)
    }

    /// Searches the history of each key for an order, with a budget.
    pub(crate) fn search(self, nodes_max: u64) -> Checked<Searched> {
        let mut searched = Searched::default();
        for ((group, key), operations) in self.history.split(|input| input) {
            match search::check(&Cell, &operations, nodes_max) {
                Verdict::Linearizable => searched.linearizable += 1,
                Verdict::Inconclusive(_) => searched.inconclusive += 1,
                Verdict::Violation(why) => {
                    let sentence = format!("group {group}, key {key}: {why}");
                    return Err(Violation::new("I14 linearizability", sentence));
                }
            }
        }
        Ok(searched)
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }
}

fn misuse(misuse: crate::linear::Misuse) -> Box<Violation> {
    Violation::new("simulator", misuse.to_string())
}
