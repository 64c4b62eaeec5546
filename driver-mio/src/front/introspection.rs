//! `COMMAND`: what client libraries ask to know which commands there are.

use bytes::Bytes;

use super::session::unknown_subcommand;
use super::{Action, Env, Front, table};
use crate::kv;
use crate::resp::Reply;

impl Front {
    pub(super) fn command(&mut self, words: &[Bytes], _: &Env<'_>) -> Action {
        let Some(sub) = words.get(1) else {
            return Action::Answer(Reply::Array(all().map(|entry| entry.info()).collect()));
        };
        let names = &words[2..];
        match &sub.to_ascii_lowercase()[..] {
            b"info" | b"docs" if names.len() > NAMES_MAX => {
                Action::Answer(kv::error("ERR too many commands named"))
            }
            b"count" if names.is_empty() => Action::Answer(Reply::Integer(all().count() as i64)),
            b"list" if names.is_empty() => {
                Action::Answer(Reply::Array(all().map(|entry| Reply::bulk(entry.name)).collect()))
            }
            b"info" => Action::Answer(infos(names)),
            b"docs" => Action::Answer(docs(names)),
            b"getkeys" if names.len() >= 2 => Action::Answer(keys(names)),
            b"count" => Action::Answer(kv::wrong_arity("command|count")),
            b"getkeys" => Action::Answer(kv::wrong_arity("command|getkeys")),
            b"list" => Action::Answer(kv::error("ERR syntax error")),
            _ => unknown_subcommand("COMMAND", sub),
        }
    }
}

/// One command of either kind, as clients see it.
struct Entry {
    name: &'static str,
    arity: i32,
    flags: &'static [&'static str],
    keys: (i32, i32, i32),
    group: &'static str,
    summary: &'static str,
}

impl Entry {
    /// The ten parts of `COMMAND INFO`; those that no library needs are empty.
    fn info(&self) -> Reply {
        let (first, last, step) = self.keys;
        let number = |number: i32| Reply::Integer(i64::from(number));
        let mut parts = vec![Reply::bulk(self.name), number(self.arity)];
        parts.push(Reply::Set(self.flags.iter().map(|flag| Reply::Status(flag)).collect()));
        parts.extend([number(first), number(last), number(step)]);
        parts.push(Reply::Set(Vec::new()));
        parts.extend([const { Reply::Array(Vec::new()) }; 3]);
        Reply::Array(parts)
    }

    fn docs(&self) -> (Reply, Reply) {
        let doc = |name, text| (Reply::bulk(name), Reply::bulk(text));
        let docs = [("summary", self.summary), ("since", "1.0.0"), ("group", self.group)];
        (Reply::bulk(self.name), Reply::Map(docs.map(|(name, text)| doc(name, text)).into()))
    }
}

fn all() -> impl Iterator<Item = Entry> {
    let of_keys = kv::SPECS.iter().map(|spec| Entry {
        name: spec.name,
        arity: spec.arity,
        flags: spec.flags,
        keys: spec.keys,
        group: spec.group,
        summary: spec.summary,
    });
    let of_connection = table::SPECS.iter().map(|spec| Entry {
        name: spec.name,
        arity: spec.arity,
        flags: CONNECTION_FLAGS,
        keys: if spec.name == "watch" { (1, -1, 1) } else { (0, 0, 0) },
        group: spec.group,
        summary: spec.summary,
    });
    of_keys.chain(of_connection)
}

fn find(name: &[u8]) -> Option<Entry> {
    all().find(|entry| name.eq_ignore_ascii_case(entry.name.as_bytes()))
}

fn infos(names: &[Bytes]) -> Reply {
    if names.is_empty() {
        return Reply::Array(all().map(|entry| entry.info()).collect());
    }
    let info = |name: &Bytes| find(name).map_or(Reply::Null, |entry| entry.info());
    Reply::Array(names.iter().map(info).collect())
}

fn docs(names: &[Bytes]) -> Reply {
    if names.is_empty() {
        return Reply::Map(all().map(|entry| entry.docs()).collect());
    }
    Reply::Map(names.iter().filter_map(|name| find(name)).map(|entry| entry.docs()).collect())
}

/// The keys of a command line, its name first.
fn keys(words: &[Bytes]) -> Reply {
    let Some(entry) = find(&words[0]) else {
        return kv::error("ERR Invalid command specified");
    };
    if !kv::takes(entry.arity, words.len()) {
        return kv::error("ERR Invalid number of arguments specified for command");
    }
    // Positions count from the name; a last one below zero counts from the end.
    let (Ok(first), Ok(step)) = (usize::try_from(entry.keys.0), usize::try_from(entry.keys.2))
    else {
        return NO_KEYS;
    };
    let end = match usize::try_from(entry.keys.1) {
        Ok(last) => last + 1,
        Err(_) => words.len(),
    };
    if first == 0 || step == 0 || end > words.len() {
        return NO_KEYS;
    }
    Reply::Array(words[first..end].iter().step_by(step).cloned().map(Reply::Bulk).collect())
}

/// Most commands that one question may name: each is answered at length.
const NAMES_MAX: usize = 1024;
const NO_KEYS: Reply = kv::error("ERR The command has no key arguments");
const CONNECTION_FLAGS: &[&str] = &["noscript", "loading", "stale", "fast"];
