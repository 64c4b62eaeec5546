//! The machine against what Redis documents, and the laws that hold of it.

mod laws;
mod limits;
mod memory;
mod packing;
mod reads;
mod scans;
mod transactions;
mod writes;

use bytes::Bytes;

use super::{Command, Limits, Machine, Request, parse};
use crate::resp::Reply;

/// A machine that is talked to in words, at a time of the test's choosing.
pub(super) struct Talk {
    pub(super) machine: Machine,
    pub(super) slot: u64,
    pub(super) now: u64,
}

impl Talk {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        Self { machine: Machine::new(limits), slot: 0, now: 1_000_000 }
    }

    /// What the machine says to a command line, as `redis-cli` would show it.
    pub(super) fn say(&mut self, line: &str) -> String {
        shown(&self.reply(line))
    }

    pub(super) fn reply(&mut self, line: &str) -> Reply {
        match parse(&words(line), self.machine.limits()).expect("a command of the machine") {
            Err(refusal) => refusal,
            Ok(Request::Read(query)) => self.machine.query(&query),
            Ok(Request::Write(command)) => self.apply(&command),
        }
    }

    pub(super) fn apply(&mut self, command: &Command) -> Reply {
        self.slot += 1;
        self.machine.apply(self.slot, &command.encode(self.now))
    }

    /// Lets time pass, in the log as on the wall.
    pub(super) fn wait(&mut self, ms: u64) {
        self.now += ms;
        self.apply(&Command::Advance);
    }

    /// Plays a script of command lines and what each must answer.
    pub(super) fn play(&mut self, script: &[(&str, &str)]) {
        for (number, (line, wanted)) in script.iter().enumerate() {
            assert_eq!(self.say(line), *wanted, "line {number}: {line}");
        }
    }
}

/// Plays a script from an empty machine.
pub(super) fn play(script: &[(&str, &str)]) {
    Talk::new().play(script);
}

/// Words of a line; `''` is an empty one, `_` in a word a space.
pub(super) fn words(line: &str) -> Vec<Bytes> {
    let word = |word: &str| match word {
        "''" => Bytes::new(),
        _ => Bytes::from(word.replace('_', " ")),
    };
    line.split(' ').map(word).collect()
}

pub(super) fn shown(reply: &Reply) -> String {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    match reply {
        Reply::Status(status) => (*status).to_owned(),
        Reply::Simple(status) => text(status),
        Reply::Error(line) => format!("-{}", text(line)),
        Reply::Integer(number) => format!(":{number}"),
        Reply::Bulk(bytes) => format!("\"{}\"", text(bytes)),
        Reply::Null => "nil".to_owned(),
        Reply::NullArray => "nil array".to_owned(),
        Reply::Array(items) => {
            let items: Vec<_> = items.iter().map(shown).collect();
            format!("[{}]", items.join(" "))
        }
        other => panic!("the machine never answers {other:?}"),
    }
}
