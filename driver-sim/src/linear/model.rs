//! What an object does when nobody else uses it.

/// A sequential object: the meaning of its operations, one at a time.
pub trait Model {
    /// What the object remembers.
    type State;
    /// What it can be asked.
    type Input;
    /// What it answers.
    type Output: PartialEq;

    /// Returns the state before the first operation.
    fn initial(&self) -> Self::State;

    /// Applies one operation; returns the answer. The same state and input give the same result.
    fn apply(&self, state: &mut Self::State, input: &Self::Input) -> Self::Output;

    /// Classifies an operation, so that [`search`](super::search) has fewer orders to try.
    ///
    /// [`Class::Update`], the default, is always right; the others are promises.
    fn class(&self, input: &Self::Input, output: Option<&Self::Output>) -> Class {
        let _ = (input, output);
        Class::Update
    }
}

/// What is known of an operation without knowing the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Changes no state in which it gives this answer. Without an answer: changes no state at all.
    Read,
    /// Leaves the same state and gives the same answer, whatever the state was before.
    Overwrite,
    /// Anything else.
    Update,
}
