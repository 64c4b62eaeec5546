//! One key of a key-value store, as Redis clients know it.
//!
//! Numbers are decimal text. Nothing here depends on the state machine of the node: two
//! implementations that agree are the point.

use bytes::Bytes;

use super::model::{Class, Model};

/// One key: absent, or some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell;

/// What one key can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CellInput {
    /// Asks for the value; answers [`CellAnswer::Value`].
    Get,
    /// Sets the value; answers [`CellAnswer::Done`].
    Set(Bytes),
    /// Sets the value to `new` if it is `old`; answers [`CellAnswer::Swapped`].
    Cas {
        /// What must be there; `None` for "absent".
        old: Option<Bytes>,
        /// What is there afterwards.
        new: Bytes,
    },
    /// Puts bytes behind the value; answers its new length as [`CellAnswer::Number`].
    ///
    /// A search copies the value for each append that it tries; keep values small.
    Append(Bytes),
    /// Adds to the number (absent is 0); answers the sum as [`CellAnswer::Number`], or
    /// [`CellAnswer::Refused`] when the value is no 64-bit number or the sum is none.
    Incr(i64),
    /// Removes the value; answers how many there were as [`CellAnswer::Number`].
    Del,
}

/// What one key answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CellAnswer {
    /// The value, if any.
    Value(Option<Bytes>),
    /// It is done.
    Done,
    /// Whether the value was swapped.
    Swapped(bool),
    /// A length, a sum or a count.
    Number(i64),
    /// Nothing was changed: the operation makes no sense on this value.
    Refused,
}

impl Model for Cell {
    type State = Option<Bytes>;
    type Input = CellInput;
    type Output = CellAnswer;

    fn initial(&self) -> Self::State {
        None
    }

    fn apply(&self, state: &mut Self::State, input: &Self::Input) -> Self::Output {
        match input {
            CellInput::Get => CellAnswer::Value(state.clone()),
            CellInput::Set(value) => {
                *state = Some(value.clone());
                CellAnswer::Done
            }
            CellInput::Cas { old, new } => {
                let swap = state == old;
                if swap {
                    *state = Some(new.clone());
                }
                CellAnswer::Swapped(swap)
            }
            CellInput::Append(tail) => append(state, tail),
            CellInput::Incr(by) => add(state, *by),
            CellInput::Del => CellAnswer::Number(i64::from(state.take().is_some())),
        }
    }

    fn class(&self, input: &Self::Input, output: Option<&Self::Output>) -> Class {
        match (input, output) {
            (CellInput::Get, _)
            | (CellInput::Cas { .. }, Some(CellAnswer::Swapped(false)))
            | (CellInput::Del, Some(CellAnswer::Number(0)))
            | (_, Some(CellAnswer::Refused)) => Class::Read,
            (CellInput::Set(_), _) => Class::Overwrite,
            _ => Class::Update,
        }
    }
}

fn append(state: &mut Option<Bytes>, tail: &Bytes) -> CellAnswer {
    let head = state.as_deref().unwrap_or_default();
    let whole: Bytes = [head, tail].concat().into();
    let len = i64::try_from(whole.len()).unwrap_or(i64::MAX);
    *state = Some(whole);
    CellAnswer::Number(len)
}

fn add(state: &mut Option<Bytes>, by: i64) -> CellAnswer {
    let old = state.as_deref().map_or(Some(0), number);
    match old.and_then(|old| old.checked_add(by)) {
        Some(sum) => {
            *state = Some(sum.to_string().into());
            CellAnswer::Number(sum)
        }
        None => CellAnswer::Refused,
    }
}

/// Reads a number as Redis does: the canonical text of an `i64` and nothing else.
fn number(text: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(inputs: impl IntoIterator<Item = CellInput>) -> Vec<CellAnswer> {
        let mut state = Cell.initial();
        inputs.into_iter().map(|input| Cell.apply(&mut state, &input)).collect()
    }

    #[test]
    fn a_key_does_what_redis_does() {
        use CellAnswer::{Done, Number, Refused, Swapped, Value};
        use CellInput::{Append, Cas, Del, Get, Incr, Set};
        let x = || Bytes::from_static(b"x");
        let answers = run([
            Get,
            Incr(2),
            Incr(-5),
            Append(x()),
            Incr(1),
            Get,
            Cas { old: None, new: x() },
            Cas { old: Some(Bytes::from_static(b"-3x")), new: x() },
            Del,
            Del,
            Set(Bytes::from_static(b"007")),
            Incr(1),
            Set(i64::MAX.to_string().into()),
            Incr(1),
        ]);
        assert_eq!(
            answers,
            [
                Value(None),
                Number(2),
                Number(-3),
                Number(3),
                Refused,
                Value(Some(Bytes::from_static(b"-3x"))),
                Swapped(false),
                Swapped(true),
                Number(1),
                Number(0),
                Done,
                Refused,
                Done,
                Refused,
            ]
        );
    }

    /// Checks the promises of [`Class`] against every state that matters here.
    #[test]
    fn classes_are_what_they_promise() {
        let texts: [&'static [u8]; 4] = [b"", b"1", b"x", b"9223372036854775807"];
        let states: Vec<Option<Bytes>> =
            texts.iter().map(|text| Some(Bytes::from_static(text))).chain([None]).collect();
        let value = Bytes::from_static(b"1");
        let inputs = [
            CellInput::Get,
            CellInput::Set(value.clone()),
            CellInput::Cas { old: Some(value.clone()), new: Bytes::new() },
            CellInput::Cas { old: None, new: value.clone() },
            CellInput::Append(value),
            CellInput::Append(Bytes::new()),
            CellInput::Incr(1),
            CellInput::Del,
        ];
        for input in &inputs {
            let results: Vec<_> = states
                .iter()
                .map(|before| {
                    let mut after = before.clone();
                    let output = Cell.apply(&mut after, input);
                    (before, after, output)
                })
                .collect();
            for (before, after, output) in &results {
                match Cell.class(input, Some(output)) {
                    Class::Read => assert_eq!(*before, after, "{input:?}"),
                    Class::Overwrite => {
                        assert!(results.iter().all(|r| r.1 == *after && r.2 == *output));
                    }
                    Class::Update => {}
                }
            }
            if Cell.class(input, None) == Class::Read {
                assert!(results.iter().all(|(before, after, _)| *before == after));
            }
        }
    }
}
