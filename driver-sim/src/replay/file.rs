//! A tape as text: short enough, once it is shrunk, to stand in a bug report.
//!
//! ```text
//! paxos-sim tape 1
//! nodes 3
//! clients 1
//! off loss
//! violation I1 agreement
//! events 412
//! trace 0123456789abcdef
//! schedule
//! 03fe0009*12c4
//! ```
//! A line is a word and its argument; `#` begins a comment. After `schedule` there are only bytes
//! in hexadecimal, where `*12` (decimal, to the end of its word or line) stands for so many zero
//! bytes. Unknown words are refused: an older program must not play half a tape.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use super::{Cuts, FAULTS, Setup, Tape, Verdict};
use crate::swarm::Plan;
use crate::tally::Mark;

/// The first line of every tape.
const TITLE: &str = "paxos-sim tape 1";

/// The longest schedule that is read.
const SCHEDULE_MAX: usize = 64 << 20;

/// Bytes of schedule on a line.
const LINE_BYTES: usize = 48;

/// What is wrong with a tape's text, and in which line (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTape {
    /// The line.
    pub line: usize,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The file does not begin as tapes do.
    NoTape,
    /// A word that tapes of this version do not have.
    UnknownWord,
    /// The word needs another argument.
    BadArgument,
    /// Not pairs of hexadecimal digits, or `*` and a number.
    NotHex,
    /// More bytes than a tape holds.
    TooLong,
    /// Nothing says what was chosen.
    NoSchedule,
}

impl fmt::Display for BadTape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Why::NoTape => "a tape begins with 'paxos-sim tape 1'",
            Why::UnknownWord => "an unknown word",
            Why::BadArgument => "not an argument for this word",
            Why::NotHex => "neither hexadecimal nor '*' and a number",
            Why::TooLong => "more choices than a tape holds",
            Why::NoSchedule => "there is no schedule",
        };
        write!(f, "line {}: {why}", self.line)
    }
}

impl std::error::Error for BadTape {}

/// Reads a tape.
///
/// # Errors
///
/// [`BadTape`]: the file is not a tape, or one of another version.
pub fn parse(text: &str) -> Result<Tape, BadTape> {
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    if lines.next().is_none_or(|(_, line)| line != TITLE) {
        return Err(BadTape { line: 1, why: Why::NoTape });
    }
    let mut tape = Tape::default();
    let (mut verdict, mut last) = (Draft::default(), 1);
    for (line, words) in lines.by_ref() {
        last = line;
        if words.is_empty() || words.starts_with('#') {
            continue;
        }
        if words == "schedule" {
            tape.schedule = schedule(lines)?;
            tape.verdict = verdict.finished();
            return Ok(tape);
        }
        word(words, &mut tape.setup, &mut verdict).map_err(|why| BadTape { line, why })?;
    }
    Err(BadTape { line: last, why: Why::NoSchedule })
}

/// A verdict whose parts come line by line.
#[derive(Default)]
struct Draft {
    trace: Option<u64>,
    events: Option<u64>,
    violation: Option<String>,
}

impl Draft {
    fn finished(self) -> Option<Verdict> {
        let (trace, events) = (self.trace?, self.events?);
        Some(Verdict { trace, events, violation: self.violation })
    }
}

fn word(words: &str, setup: &mut Setup, verdict: &mut Draft) -> Result<(), Why> {
    let (word, argument) = words.split_once(' ').unwrap_or((words, ""));
    let argument = argument.trim();
    match word {
        "nodes" => setup.plan.nodes = Some(number(argument)?),
        "groups" => setup.plan.groups = Some(number(argument)?),
        "safety_us" => setup.plan.safety_us = Some(number(argument)?),
        "changes" => setup.plan.changes = Some(true),
        "no-changes" => setup.plan.changes = Some(false),
        "calm" => setup.plan.calm = true,
        "plain" => setup.plan.plain = true,
        "mild" => setup.plan.mild = true,
        "kind" => setup.plan.kind = true,
        "alike" => setup.plan.alike = true,
        "roomy" => setup.plan.roomy = true,
        "apart" => setup.plan.apart = true,
        "loose" => setup.plan.loose = true,
        "clients" => setup.cuts.clients = Some(number(argument)?),
        "keys" => setup.cuts.keys = Some(number(argument)?),
        "off" => {
            let place = FAULTS.iter().position(|fault| fault.name == argument);
            setup.cuts = setup.cuts.without(place.ok_or(Why::BadArgument)?);
        }
        "goal" => setup.goal = Some(mark(argument).ok_or(Why::BadArgument)?),
        "stop" => setup.events_max = Some(number(argument)?),
        "violation" => verdict.violation = Some(argument.to_owned()),
        "events" => verdict.events = Some(number(argument)?),
        "trace" => {
            let trace = u64::from_str_radix(argument, 16);
            verdict.trace = Some(trace.map_err(|_| Why::BadArgument)?);
        }
        _ => return Err(Why::UnknownWord),
    }
    Ok(())
}

fn number<T: FromStr>(argument: &str) -> Result<T, Why> {
    argument.parse().map_err(|_| Why::BadArgument)
}

fn mark(words: &str) -> Option<Mark> {
    Mark::ALL.iter().copied().find(|mark| mark.words() == words)
}

fn schedule<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Result<Vec<u8>, BadTape> {
    let mut bytes = Vec::new();
    for (line, words) in lines {
        if words.starts_with('#') {
            continue;
        }
        for word in words.split_whitespace() {
            append(word, &mut bytes).map_err(|why| BadTape { line, why })?;
        }
    }
    Ok(bytes)
}

/// Appends what one word says: pairs of digits, then perhaps a number of zeros.
fn append(word: &str, bytes: &mut Vec<u8>) -> Result<(), Why> {
    let (digits, zeros) = word.split_once('*').unwrap_or((word, "0"));
    let zeros: usize = zeros.parse().map_err(|_| Why::NotHex)?;
    if bytes.len().saturating_add(digits.len() / 2).saturating_add(zeros) > SCHEDULE_MAX {
        return Err(Why::TooLong);
    }
    for pair in digits.as_bytes().chunks(2) {
        let digit = |at: usize| pair.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else { return Err(Why::NotHex) };
        bytes.push((high << 4 | low) as u8);
    }
    bytes.resize(bytes.len() + zeros, 0);
    Ok(())
}

impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}")?;
        tell_setup(&self.setup, f)?;
        if let Some(Verdict { trace, events, violation }) = &self.verdict {
            if let Some(violation) = violation {
                writeln!(f, "violation {violation}")?;
            }
            writeln!(f, "events {events}")?;
            writeln!(f, "trace {trace:016x}")?;
        }
        writeln!(f, "schedule")?;
        self.schedule.chunks(LINE_BYTES).try_for_each(|line| writeln!(f, "{}", hex(line)))
    }
}

fn tell_setup(setup: &Setup, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // All fields by name, so that a new one is not forgotten here.
    let Setup { plan, cuts, goal, events_max } = setup;
    let Plan { nodes, groups, safety_us, changes, calm, .. } = plan;
    let Plan { plain, mild, kind, alike, roomy, apart, loose, .. } = plan;
    let Cuts { clients, keys, off: _ } = cuts;
    let mut number = |word: &str, value: Option<u64>| {
        value.map_or(Ok(()), |value| writeln!(f, "{word} {value}"))
    };
    number("nodes", nodes.map(u64::from))?;
    number("groups", groups.map(u64::from))?;
    number("safety_us", *safety_us)?;
    number("clients", clients.map(u64::from))?;
    number("keys", keys.map(u64::from))?;
    number("stop", *events_max)?;
    let (may, may_not) = (*changes == Some(true), *changes == Some(false));
    let words = [
        ("changes", may),
        ("no-changes", may_not),
        ("calm", *calm),
        ("plain", *plain),
        ("mild", *mild),
        ("kind", *kind),
        ("alike", *alike),
        ("roomy", *roomy),
        ("apart", *apart),
        ("loose", *loose),
    ];
    for (word, is_on) in words {
        if is_on {
            writeln!(f, "{word}")?;
        }
    }
    for (at, fault) in FAULTS.iter().enumerate() {
        if cuts.is_off(at) {
            writeln!(f, "off {}", fault.name)?;
        }
    }
    goal.map_or(Ok(()), |goal| writeln!(f, "goal {}", goal.words()))
}

/// Bytes as words: digits, then a count of zeros where there are many.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let zeros = rest.iter().take_while(|byte| **byte == 0).count();
        if zeros >= 4 {
            let space = if zeros < rest.len() { " " } else { "" };
            let written = write!(text, "*{zeros}{space}");
            debug_assert!(written.is_ok(), "a string takes everything");
            rest = &rest[zeros..];
        } else {
            let written = write!(text, "{first:02x}");
            debug_assert!(written.is_ok(), "a string takes everything");
            rest = &rest[1..];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn full() -> Tape {
        Tape {
            setup: Setup {
                plan: Plan {
                    nodes: Some(3),
                    groups: Some(1),
                    safety_us: Some(200_000),
                    changes: Some(true),
                    calm: true,
                    plain: true,
                    mild: true,
                    kind: true,
                    alike: true,
                    roomy: true,
                    apart: true,
                    loose: true,
                },
                cuts: Cuts { clients: Some(2), keys: Some(1), off: 0b101 },
                goal: Some(Mark::Yielded),
                events_max: Some(99),
            },
            schedule: vec![1, 0, 0, 0, 0, 0, 255, 0, 0, 7],
            verdict: Some(Verdict {
                trace: 0x1234,
                events: 17,
                violation: Some("I1 agreement".to_owned()),
            }),
        }
    }

    #[test]
    fn a_tape_survives_its_text() {
        let text = full().to_string();
        assert_eq!(parse(&text), Ok(full()), "{text}");
        assert!(text.ends_with("schedule\n01*5 ff000007\n"), "{text}");
        assert_eq!(parse(&Tape::default().to_string()), Ok(Tape::default()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let bad = |text: &str| parse(text).map(|_| ()).map_err(|bad| (bad.line, bad.why));
        assert_eq!(bad(""), Err((1, Why::NoTape)));
        assert_eq!(bad("paxos-sim tape 2\nschedule"), Err((1, Why::NoTape)));
        assert_eq!(bad("paxos-sim tape 1\nnodes 3"), Err((2, Why::NoSchedule)));
        assert_eq!(bad("paxos-sim tape 1\n\nnodes x\n"), Err((3, Why::BadArgument)));
        assert_eq!(bad("paxos-sim tape 1\noff nothing\n"), Err((2, Why::BadArgument)));
        assert_eq!(bad("paxos-sim tape 1\nfrobnicate\n"), Err((2, Why::UnknownWord)));
        assert_eq!(bad("paxos-sim tape 1\nschedule\n0g\n"), Err((3, Why::NotHex)));
        assert_eq!(bad("paxos-sim tape 1\nschedule\n012\n"), Err((3, Why::NotHex)));
        assert_eq!(bad("paxos-sim tape 1\nschedule\n*99999999999\n"), Err((3, Why::TooLong)));
    }

    proptest! {
        #[test]
        fn any_schedule_survives(schedule in prop::collection::vec(0_u8..4, 0..300)) {
            let tape = Tape { schedule, ..Tape::default() };
            prop_assert_eq!(parse(&tape.to_string()), Ok(tape));
        }

        #[test]
        fn no_text_is_a_panic(text in "(paxos-sim tape 1\n)?[a-z0-9* \n]{0,80}") {
            let _ = parse(&text);
        }
    }
}
