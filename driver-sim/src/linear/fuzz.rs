//! A fuzz target: two checkers that share no idea must agree on any history of a register.

use super::history::{Operation, Outcome};
use super::register::{Register, RegisterInput};
use super::search::{self, NODES_MAX};
use super::verdict::Verdict;
use super::zones;
use crate::choice::{Bytes, Choice};

/// The most operations of a history; a schedule of about 200 bytes fills it.
const OPERATIONS_MAX: usize = 48;

/// How far the search goes before it gives up: a history should take it far less than a second.
const SEARCHED_MAX: u64 = NODES_MAX / 32;

type Operations = Vec<Operation<RegisterInput<usize>, Option<usize>>>;

/// Reads a history from `data` and has it checked twice; returns what both say.
///
/// # Panics
///
/// When the checkers disagree: the bug that this looks for.
pub fn run(data: &[u8]) -> Verdict {
    let operations = history(&mut Bytes::new(data));
    let by_zones = zones::check(&operations);
    let (by_search, _) = search::search(&Register::new(), &operations, SEARCHED_MAX);
    let undecided = matches!(by_search, Verdict::Inconclusive(_));
    assert!(
        undecided || by_zones.is_linearizable() == by_search.is_linearizable(),
        "zones: {by_zones:?}, search: {by_search:?}, on {operations:?}"
    );
    by_zones
}

/// Reads operations until the bytes run out. A write writes its own id; a read returns any id.
fn history(choice: &mut Bytes<'_>) -> Operations {
    let mut operations = Operations::new();
    let mut now = 0;
    while operations.len() < OPERATIONS_MAX && choice.len_left() > 0 {
        let id = operations.len();
        now += choice.range(0..=3);
        let input =
            if choice.chance(500_000) { RegisterInput::Read } else { RegisterInput::Write(id) };
        let output = match input {
            RegisterInput::Read => read(choice, &operations),
            RegisterInput::Write(_) => None,
        };
        let takes = choice.range(0..=7);
        let outcome = (takes < 7).then_some(Outcome { at: now + takes, output });
        operations.push(Operation { id, process: id as u64, invoked: now, input, outcome });
    }
    operations
}

/// Chooses what a read returns: one of the last values, or one to come, or nothing.
fn read(choice: &mut Bytes<'_>, operations: &Operations) -> Option<usize> {
    let back = choice.below(8) as usize;
    match back {
        7 => None,
        6 => Some(operations.len() + 1),
        _ => operations
            .iter()
            .rev()
            .filter(|op| op.input != RegisterInput::Read)
            .nth(back)
            .map(|op| op.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Seeded;

    #[test]
    fn checkers_agree_on_random_bytes_and_both_verdicts_come_up() {
        let mut choice = Seeded::new(1);
        let mut linearizable = 0;
        for _ in 0..4_000 {
            let len = choice.below(100);
            let data: Vec<u8> = (0..len).map(|_| choice.below(256) as u8).collect();
            linearizable += u32::from(run(&data).is_linearizable());
        }
        assert!((200..3_800).contains(&linearizable), "{linearizable} of 4000 hold");
    }
}
