//! Whom a tool talks to, and what it asks for.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::options::{BenchOptions, CliOptions, Server};

#[derive(Args)]
pub(super) struct ServerWords {
    /// The server's name or address
    #[arg(short = 'h', long, default_value = "127.0.0.1")]
    host: String,
    /// The server's port
    #[arg(short, long, default_value_t = 6379, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Give up when the server is silent for this many seconds; 0 is never
    #[arg(short, long, default_value_t = 30, value_name = "SECONDS")]
    timeout: u32,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

#[derive(Args)]
pub(super) struct CliWords {
    #[command(flatten)]
    server: ServerWords,
    /// Print strings as they are, without quotes and types
    #[arg(long)]
    raw: bool,
    /// The command and its arguments; without one, commands are read from stdin
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

#[derive(Args)]
pub(super) struct BenchWords {
    #[command(flatten)]
    server: ServerWords,
    /// Servers beside that one, over all of which connections are spread evenly:
    /// 127.0.0.1:6380,127.0.0.1:6381
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', value_parser = place)]
    also: Vec<(String, u16)>,
    /// How many connections
    #[arg(short, long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
    /// How many requests in all
    #[arg(short = 'n', long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Bytes of each value that is written
    #[arg(short = 'd', long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(..=8 << 20))]
    size: u32,
    /// The share of requests that read, 0 to 1
    #[arg(long, default_value_t = 0.5)]
    reads: f64,
    /// How many requests a connection sends before it waits for their answers
    #[arg(short = 'P', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pipeline: u32,
    /// How many different keys
    #[arg(short = 'r', long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// The same seed makes the same requests
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl ServerWords {
    pub(super) fn check(self) -> Server {
        let silence = Duration::from_secs(u64::from(self.timeout));
        let silence_max = (!silence.is_zero()).then_some(silence);
        Server { host: self.host, port: self.port, silence_max }
    }
}

impl CliWords {
    pub(super) fn check(self) -> Result<CliOptions, String> {
        Ok(CliOptions { server: self.server.check(), raw: self.raw, command: self.command })
    }
}

impl BenchWords {
    pub(super) fn check(self) -> Result<BenchOptions, String> {
        if !(0.0..=1.0).contains(&self.reads) {
            return Err(format!("--reads {} is not between 0 and 1", self.reads));
        }
        let request = u64::from(self.size) + 64;
        let batch = (u64::from(self.pipeline) * request).min(BENCH_BATCH_BYTES_MAX + request);
        if u64::from(self.clients) * batch > BENCH_BYTES_MAX {
            return Err("--clients, --size and --pipeline together need too much memory".into());
        }
        let server = self.server.check();
        let other = |(host, port)| Server { host, port, silence_max: server.silence_max };
        Ok(BenchOptions {
            others: self.also.into_iter().map(other).collect(),
            server,
            clients: self.clients,
            requests: self.requests,
            value_bytes: self.size,
            reads: self.reads,
            pipeline: self.pipeline,
            keys: self.keys,
            seed: self.seed,
        })
    }
}

/// A host and its port; an IPv6 address stands in brackets.
fn place(word: &str) -> Result<(String, u16), String> {
    let (host, port) = word.rsplit_once(':').ok_or("a port is missing")?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match port.parse() {
        Ok(port) if port > 0 && !host.is_empty() => Ok((host.into(), port)),
        _ => Err("not a host and its port".into()),
    }
}

/// How many bytes of requests a bench connection holds at most, before its last one.
pub(crate) const BENCH_BATCH_BYTES_MAX: u64 = 1 << 20;
/// How many bytes of requests all bench connections may hold together.
const BENCH_BYTES_MAX: u64 = 1 << 30;
