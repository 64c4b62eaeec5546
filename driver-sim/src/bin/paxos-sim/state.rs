//! What a hunt of days keeps in a file: where it is, and which seeds have failed.
//!
//! The file is written anew every so often, and whole: aside first, then renamed. A hunt that is
//! ended in between goes over the seeds since then again.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// Where a hunt is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// All seeds before this one are done.
    pub(crate) next: u64,
    /// How many seeds were run, by all hunts that have used the file.
    pub(crate) seeds: u64,
    /// How many events those were.
    pub(crate) events: u64,
    /// Seeds that broke something, with the name of what.
    pub(crate) failed: BTreeMap<u64, String>,
}

impl State {
    /// Reads a file; none if there is none.
    ///
    /// # Errors
    /// What the system says, or that the file is none of ours.
    pub(crate) fn load(path: &Path) -> io::Result<Option<State>> {
        match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => State::parse(&text?).map(Some),
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn store(&self, path: &Path) -> io::Result<()> {
        let aside = path.with_extension("new");
        fs::write(&aside, self.to_string())?;
        fs::rename(&aside, path)
    }

    fn parse(text: &str) -> io::Result<State> {
        let mut state = State::default();
        for line in text.lines() {
            let wrong = || io::Error::other(format!("not a line of a hunt: {line}"));
            let (word, rest) = line.split_once(' ').ok_or_else(wrong)?;
            let (number, words) = rest.split_once(' ').unwrap_or((rest, ""));
            let number = number.parse().map_err(|_| wrong())?;
            match word {
                "next" => state.next = number,
                "seeds" => state.seeds = number,
                "events" => state.events = number,
                "failed" => {
                    state.failed.insert(number, words.to_owned());
                }
                _ => return Err(wrong()),
            }
        }
        Ok(state)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "next {}\nseeds {}\nevents {}", self.next, self.seeds, self.events)?;
        self.failed.iter().try_for_each(|(seed, what)| writeln!(f, "failed {seed} {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hunt_goes_on_where_it_was() {
        let failed = BTreeMap::from([(7, "I1 agreement".to_owned()), (9, String::new())]);
        let state = State { next: 12, seeds: 11, events: 13, failed };
        assert_eq!(State::parse(&state.to_string()).unwrap(), state);
        assert!(State::parse("next\n").is_err() && State::parse("next x\n").is_err());
        assert!(State::parse("last 3\n").is_err());
    }
}
