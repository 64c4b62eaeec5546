//! `CLIENT`: what a connection says about itself.

use bytes::Bytes;

use super::hello::{BAD_NAME, is_name};
use super::session::{Staleness, unknown_subcommand};
use super::{Action, Env, Front};
use crate::kv::{self, error, wrong_arity};
use crate::resp::{Protocol, Reply};

impl Front {
    pub(super) fn client(&mut self, words: &[Bytes], env: &Env<'_>) -> Action {
        let (name, rest) = (words[1].to_ascii_lowercase(), &words[2..]);
        match (&name[..], rest) {
            (b"id", []) => Action::Answer(Reply::Integer(env.connection as i64)),
            (b"info", []) | (b"list", _) => Action::Answer(self.described(env)),
            (b"getname", []) => Action::Answer(self.named()),
            (b"setname", [name]) => Action::Answer(self.set_name(name)),
            (b"setinfo", [attribute, value]) => Action::Answer(self.set_info(attribute, value)),
            (b"reply", [mode]) => Action::Answer(self.set_silence(mode)),
            // Nothing here evicts or ages, so there is nothing to switch.
            (b"no-evict" | b"no-touch", [mode]) => Action::Answer(switched(mode)),
            (b"getredir", []) => Action::Answer(Reply::Integer(-1)),
            (b"help", []) => Action::Answer(help()),
            (sub, _) => match SUBCOMMANDS.iter().find(|known| known.as_bytes() == sub) {
                Some(known) => Action::Answer(wrong_arity(&format!("client|{known}"))),
                None => unknown_subcommand("CLIENT", &words[1]),
            },
        }
    }

    fn named(&self) -> Reply {
        match &self.identity.name {
            name if name.is_empty() => Reply::Null,
            name => Reply::Bulk(name.clone()),
        }
    }

    fn set_name(&mut self, name: &Bytes) -> Reply {
        if !is_name(name) {
            return BAD_NAME;
        }
        self.identity.name = Bytes::copy_from_slice(name);
        Reply::OK
    }

    fn set_info(&mut self, attribute: &[u8], value: &Bytes) -> Reply {
        if !is_name(value) {
            return kv::error_line(format!(
                "ERR {} cannot contain spaces, newlines or special characters.",
                String::from_utf8_lossy(&attribute[..attribute.len().min(16)])
            ));
        }
        let value = Bytes::copy_from_slice(value);
        match &attribute.to_ascii_lowercase()[..] {
            b"lib-name" => self.identity.library = value,
            b"lib-ver" => self.identity.library_version = value,
            _ => {
                let shown = String::from_utf8_lossy(&attribute[..attribute.len().min(128)]);
                return kv::error_line(format!("ERR Unrecognized option '{shown}'"));
            }
        }
        Reply::OK
    }

    fn set_silence(&mut self, mode: &[u8]) -> Reply {
        match &mode.to_ascii_lowercase()[..] {
            b"on" => self.silence.is_off = false,
            b"off" => self.silence.is_off = true,
            b"skip" => self.silence.skips_next = !self.silence.is_off,
            _ => return error("ERR syntax error"),
        }
        Reply::OK
    }

    /// This connection, in the words of `CLIENT LIST`; others are not told of.
    fn described(&self, env: &Env<'_>) -> Reply {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let queued = self.transaction.queued().map_or(-1, |queued| queued as i64);
        let protocol = match self.protocol {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        };
        let flags = if self.staleness == Staleness::None { "N" } else { "r" };
        let line = format!(
            "id={} addr={} laddr={} name={} flags={flags} db=0 sub=0 psub=0 multi={queued} \
             cmd=client user=default lib-name={} lib-ver={} resp={protocol}\n",
            env.connection,
            env.address,
            env.local_address,
            text(&self.identity.name),
            text(&self.identity.library),
            text(&self.identity.library_version),
        );
        Reply::Verbatim(*b"txt", line.into())
    }
}

fn switched(mode: &[u8]) -> Reply {
    match &mode.to_ascii_lowercase()[..] {
        b"on" | b"off" => Reply::OK,
        _ => error("ERR syntax error"),
    }
}

fn help() -> Reply {
    let line = |name: &&'static str| Reply::Status(name);
    Reply::Array(SUBCOMMANDS.iter().map(line).collect())
}

const SUBCOMMANDS: &[&str] = &[
    "id", "info", "list", "getname", "setname", "setinfo", "reply", "no-evict", "no-touch",
    "getredir", "help",
];
