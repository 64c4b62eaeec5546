//! Greetings and other small talk of a connection.

use bytes::Bytes;

use super::session::{Identity, Staleness, too_much_named};
use super::{Action, Env, Front, Sections};
use crate::kv::{self, Constant, error, parse_i64};
use crate::resp::{Protocol, Reply};

impl Front {
    pub(super) fn ping(&mut self, words: &[Bytes], _: &Env<'_>) -> Action {
        Action::Answer(match Self::ping_constant(words) {
            Ok(Constant::Text(text)) => Reply::Bulk(text),
            Ok(_) => Reply::Status("PONG"),
            Err(refusal) => refusal,
        })
    }

    pub(super) fn ping_constant(words: &[Bytes]) -> Result<Constant, Reply> {
        match &words[1..] {
            [] => Ok(Constant::Pong),
            [text] => Ok(Constant::Text(text.clone())),
            _ => Err(kv::wrong_arity("ping")),
        }
    }

    pub(super) fn echo(&mut self, words: &[Bytes], _: &Env<'_>) -> Action {
        Action::Answer(Reply::Bulk(words[1].clone()))
    }

    pub(super) fn echo_constant(words: &[Bytes]) -> Result<Constant, Reply> {
        Ok(Constant::Text(words[1].clone()))
    }

    pub(super) fn select(&mut self, words: &[Bytes], _: &Env<'_>) -> Action {
        Action::Answer(Self::select_constant(words).map_or_else(|refusal| refusal, |_| Reply::OK))
    }

    pub(super) fn select_constant(words: &[Bytes]) -> Result<Constant, Reply> {
        match parse_i64(&words[1]) {
            Some(0) => Ok(Constant::Ok),
            Some(_) => Err(error("ERR DB index is out of range")),
            None => Err(error("ERR value is not an integer or out of range")),
        }
    }

    pub(super) fn readonly(&mut self, _: &[Bytes], _: &Env<'_>) -> Action {
        self.staleness = Staleness::Any;
        Action::Answer(Reply::OK)
    }

    pub(super) fn readwrite(&mut self, _: &[Bytes], _: &Env<'_>) -> Action {
        self.staleness = Staleness::None;
        Action::Answer(Reply::OK)
    }

    pub(super) fn reset(&mut self, _: &[Bytes], _: &Env<'_>) -> Action {
        *self = Self::default();
        Action::Answer(Reply::Status("RESET"))
    }

    pub(super) fn quit(&mut self, _: &[Bytes], _: &Env<'_>) -> Action {
        Action::Close(Reply::OK)
    }

    pub(super) fn info(&mut self, words: &[Bytes], _: &Env<'_>) -> Action {
        match too_much_named(&words[1..]) {
            Some(refusal) => Action::Answer(refusal),
            None => Action::Info { sections: Sections(words[1..].to_vec()) },
        }
    }

    /// There are no users and no passwords; whoever insists on being the
    /// default user is let in, as by a Redis without a password.
    pub(super) fn auth(&mut self, words: &[Bytes], _: &Env<'_>) -> Action {
        Action::Answer(match &words[1..] {
            [_] => error(
                "ERR AUTH <password> called without any password configured for the default \
                 user. Are you sure your configuration is correct?",
            ),
            [user, _] if &user[..] == b"default" => Reply::OK,
            [_, _] => WRONG_PASSWORD,
            _ => error("ERR syntax error"),
        })
    }

    pub(super) fn hello(&mut self, words: &[Bytes], env: &Env<'_>) -> Action {
        match Greeting::read(&words[1..]) {
            Err(refusal) => Action::Answer(refusal),
            Ok(greeting) => {
                self.protocol = greeting.protocol.unwrap_or(self.protocol);
                if let Some(name) = greeting.name {
                    self.identity = Identity { name, ..std::mem::take(&mut self.identity) };
                }
                Action::Answer(self.welcome(env.connection))
            }
        }
    }

    fn welcome(&self, connection: u64) -> Reply {
        let text = |text: &'static str| Reply::Bulk(Bytes::from_static(text.as_bytes()));
        let protocol = match self.protocol {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        };
        Reply::Map(vec![
            (text("server"), text("redis")),
            (text("version"), text(REDIS_VERSION)),
            (text("proto"), Reply::Integer(protocol)),
            (text("id"), Reply::Integer(connection as i64)),
            (text("mode"), text("standalone")),
            // Every node takes writes: those that do not lead pass them on.
            (text("role"), text("master")),
            (text("modules"), Reply::Array(Vec::new())),
        ])
    }
}

/// The arguments of a `HELLO`.
#[derive(Default)]
struct Greeting {
    protocol: Option<Protocol>,
    name: Option<Bytes>,
}

impl Greeting {
    fn read(words: &[Bytes]) -> Result<Self, Reply> {
        let Some((version, mut rest)) = words.split_first() else {
            return Ok(Self::default());
        };
        let protocol = match parse_i64(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(error("NOPROTO unsupported protocol version")),
            None => {
                return Err(error("ERR Protocol version is not an integer or out of range"));
            }
        };
        let mut greeting = Self { protocol: Some(protocol), name: None };
        while let Some((option, values)) = rest.split_first() {
            rest = match values {
                [user, _, rest @ ..] if option.eq_ignore_ascii_case(b"auth") => {
                    if &user[..] != b"default" {
                        return Err(WRONG_PASSWORD);
                    }
                    rest
                }
                [name, rest @ ..] if option.eq_ignore_ascii_case(b"setname") => {
                    if !is_name(name) {
                        return Err(BAD_NAME);
                    }
                    greeting.name = Some(Bytes::copy_from_slice(name));
                    rest
                }
                _ => return Err(bad_option(option)),
            };
        }
        Ok(greeting)
    }
}

/// Tells whether a client may be called so: printable, without spaces, and short.
pub(super) fn is_name(name: &[u8]) -> bool {
    name.len() <= NAME_BYTES_MAX && name.iter().all(u8::is_ascii_graphic)
}

fn bad_option(option: &[u8]) -> Reply {
    let mut line = b"ERR Syntax error in HELLO option '".to_vec();
    line.extend_from_slice(&option[..option.len().min(NAME_BYTES_MAX)]);
    line.push(b'\'');
    kv::error_line(line)
}

pub(super) const BAD_NAME: Reply =
    error("ERR Client names cannot contain spaces, newlines or special characters.");
const WRONG_PASSWORD: Reply =
    error("WRONGPASS invalid username-password pair or user is disabled.");
/// The version of Redis whose commands are spoken here, for clients that ask.
pub(super) const REDIS_VERSION: &str = "7.0.15";
/// Longest name that a client may give itself, in bytes; it is kept and shown.
const NAME_BYTES_MAX: usize = 128;
