//! What a check says when it fails.

use std::fmt;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's name, such as `I1 agreement`.
    pub invariant: &'static str,
    /// One sentence with the names of those involved.
    pub sentence: String,
}

/// The result of a check.
pub type Checked<T = ()> = Result<T, Box<Violation>>;

impl Violation {
    /// Makes one.
    pub(crate) fn new(invariant: &'static str, sentence: String) -> Box<Violation> {
        Box::new(Violation { invariant, sentence })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.sentence)
    }
}

/// Fails with a violation of `$invariant` unless `$holds`; the sentence is only made then.
macro_rules! ensure {
    ($holds:expr, $invariant:expr, $($sentence:tt)+) => {
        if !$holds {
            return Err($crate::check::Violation::new($invariant, format!($($sentence)+)));
        }
    };
}
pub(crate) use ensure;
