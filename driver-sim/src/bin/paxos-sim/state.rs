//! What a hunt of days keeps in a file: where it is, what it has met, and which seeds have failed.
//!
//! The file is written anew every so often, and whole: aside first, then renamed. A hunt that is
//! ended in between goes over the seeds since then again.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use driver_sim::tally::{Mark, Tally};
use driver_sim::world::Summary;

/// Where a hunt is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// All seeds before this one are done.
    pub(crate) next: u64,
    /// How many seeds were run, by all hunts that have used the file.
    pub(crate) seeds: u64,
    /// How many events those were.
    pub(crate) events: u64,
    /// How much simulated time (µs).
    pub(crate) simulated_us: u64,
    /// How often each thing was met.
    pub(crate) tally: Tally,
    /// In how many runs each thing was met.
    pub(crate) met: Tally,
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

    /// Takes a run in.
    pub(crate) fn take_in(&mut self, summary: &Summary) {
        self.seeds += 1;
        self.events += summary.counts.events;
        self.simulated_us += summary.counts.simulated_us;
        self.tally.absorb(&summary.tally);
        let hit = Mark::ALL.iter().filter(|mark| summary.tally.count(**mark) > 0);
        hit.for_each(|mark| self.met.hit(*mark));
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
                "simulated_us" => state.simulated_us = number,
                "met" => {
                    let (runs, words) = words.split_once(' ').ok_or_else(wrong)?;
                    let runs = runs.parse().map_err(|_| wrong())?;
                    // What is not counted any more is not kept.
                    if let Some(mark) = Mark::ALL.iter().find(|mark| mark.words() == words) {
                        state.tally.add(*mark, number);
                        state.met.add(*mark, runs);
                    }
                }
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
        writeln!(f, "simulated_us {}", self.simulated_us)?;
        for mark in Mark::ALL.iter().filter(|mark| self.met.count(**mark) > 0) {
            let (count, runs) = (self.tally.count(*mark), self.met.count(*mark));
            writeln!(f, "met {count} {runs} {}", mark.words())?;
        }
        self.failed.iter().try_for_each(|(seed, what)| writeln!(f, "failed {seed} {what}"))
    }
}

#[cfg(test)]
mod tests {
    use driver_sim::world::Counts;

    use super::*;

    #[test]
    fn a_hunt_goes_on_where_it_was() {
        let failed = BTreeMap::from([(7, "I1 agreement".to_owned()), (9, String::new())]);
        let mut state = State { next: 12, failed, ..State::default() };
        for crashes in [3, 0, 4] {
            let (counts, mut tally) = (Counts { events: 5, ..Counts::default() }, Tally::default());
            tally.add(Mark::Crash, crashes);
            state.take_in(&Summary { trace: 0, counts, tally });
        }
        assert_eq!((state.seeds, state.events), (3, 15));
        assert_eq!((state.tally.count(Mark::Crash), state.met.count(Mark::Crash)), (7, 2));
        assert_eq!(State::parse(&state.to_string()).unwrap(), state);
        assert_eq!(State::parse("met 5 2 dragons\n").unwrap(), State::default());
        assert!(State::parse("met 5 dragons\n").is_err());
        assert!(State::parse("next\n").is_err() && State::parse("next x\n").is_err());
        assert!(State::parse("last 3\n").is_err());
    }
}
