//! The plain register: write a value, read it back.

use std::marker::PhantomData;

use super::model::{Class, Model};

/// A register that is absent until it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register<V>(PhantomData<V>);

/// What a register can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegisterInput<V> {
    /// Sets the value; the answer is `None`.
    Write(V),
    /// Asks for the value; the answer is `None` while it is absent.
    Read,
}

impl<V> Register<V> {
    /// Describes a register that holds values of one type.
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<V> Default for Register<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: Clone + PartialEq> Model for Register<V> {
    type State = Option<V>;
    type Input = RegisterInput<V>;
    type Output = Option<V>;

    fn initial(&self) -> Self::State {
        None
    }

    fn apply(&self, state: &mut Self::State, input: &Self::Input) -> Self::Output {
        match input {
            RegisterInput::Write(value) => {
                *state = Some(value.clone());
                None
            }
            RegisterInput::Read => state.clone(),
        }
    }

    fn class(&self, input: &Self::Input, _output: Option<&Self::Output>) -> Class {
        match input {
            RegisterInput::Write(_) => Class::Overwrite,
            RegisterInput::Read => Class::Read,
        }
    }
}
