//! `CONFIG GET`: the few settings that clients and benchmarks ask for.

use bytes::Bytes;

use super::session::{too_much_named, unknown_subcommand};
use super::{Action, Env, Front};
use crate::kv::{self, Glob, Limits, error, wrong_arity};
use crate::resp::Reply;

impl Front {
    pub(super) fn config(&mut self, words: &[Bytes], env: &Env<'_>) -> Action {
        match &words[1].to_ascii_lowercase()[..] {
            b"get" if words.len() > 2 => Action::Answer(found(&words[2..], env.limits)),
            b"set" if words.len() > 3 && words.len() % 2 == 1 => Action::Answer(SYNTAX_ERROR),
            b"set" if words.len() > 3 => Action::Answer(cannot_set(&words[2], env.limits)),
            b"get" => Action::Answer(wrong_arity("config|get")),
            b"set" => Action::Answer(wrong_arity("config|set")),
            b"help" => Action::Answer(Reply::Array(vec![Reply::Status("GET <pattern>")])),
            _ => unknown_subcommand("CONFIG", &words[1]),
        }
    }
}

fn found(patterns: &[Bytes], limits: &Limits) -> Reply {
    if let Some(refusal) = too_much_named(patterns) {
        return refusal;
    }
    let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
    let is_wanted = |name: &str| {
        patterns.iter().any(|pattern| Glob::new(pattern).matches(name.as_bytes(), &mut 0))
    };
    let settings = settings(limits).into_iter().filter(|(name, _)| is_wanted(name));
    let pair = |(name, value): (&'static str, String)| (Reply::bulk(name), Reply::bulk(value));
    Reply::Map(settings.map(pair).collect())
}

fn cannot_set(name: &[u8], limits: &Limits) -> Reply {
    let shown = String::from_utf8_lossy(&name[..name.len().min(128)]).into_owned();
    let is_known = settings(limits).iter().any(|(known, _)| shown.eq_ignore_ascii_case(known));
    kv::error_line(if is_known {
        format!(
            "ERR CONFIG SET failed (possibly related to argument '{shown}') - can't set \
             immutable config"
        )
    } else {
        format!("ERR Unknown option or number of arguments for CONFIG SET - '{shown}'")
    })
}

fn settings(limits: &Limits) -> [(&'static str, String); 16] {
    let text = str::to_owned;
    [
        // Every acknowledged write is in the log of a quorum, synced.
        ("appendonly", text("yes")),
        ("appendfsync", text("always")),
        ("save", text("")),
        ("databases", text("1")),
        ("maxmemory", limits.store_bytes_max.to_string()),
        ("maxmemory-policy", text("noeviction")),
        ("proto-max-bulk-len", limits.value_bytes_max.to_string()),
        ("cluster-enabled", text("no")),
        ("replica-read-only", text("no")),
        ("slave-read-only", text("no")),
        ("requirepass", text("")),
        ("notify-keyspace-events", text("")),
        ("timeout", text("0")),
        ("lfu-log-factor", text("10")),
        ("lazyfree-lazy-user-flush", text("yes")),
        ("io-threads", text("1")),
    ]
}

const SYNTAX_ERROR: Reply = error("ERR syntax error");
