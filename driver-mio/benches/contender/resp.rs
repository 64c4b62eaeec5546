//! What speaks Redis: our nodes and Redis itself, under one and the same load.
//!
//! The loader is `paxos-node bench` in a process of its own. It costs about half
//! the processor time of `redis-benchmark` for a request, which on a machine that
//! loader and servers share is time for the servers, and it is there where
//! `redis-benchmark` is not.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use driver_mio::args::Server;
use driver_mio::resp::Reply;

use super::{KEYS, KEYS_FILLED_AT_ONCE, Op, Sample, Work, key};
use crate::support::cluster::ask;
use crate::support::process::{Process, free_address};
use crate::support::{Outcome, PATIENCE, wait_for};

/// Starts a Redis server whose writes are as durable as ours, or not at all.
pub(crate) fn start_redis(dir: &Path, is_durable: bool) -> Outcome<(Process, SocketAddr)> {
    let address = free_address();
    let mut command = Command::new("redis-server");
    command.args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()]);
    command.args(["--appendonly", if is_durable { "yes" } else { "no" }]);
    command.args(["--appendfsync", "always", "--save", ""]);
    command.args(["--daemonize", "no", "--dir"]).arg(dir);
    let mut process = Process::start(&mut command, &dir.join("redis.log"))?;
    let server = server(address);
    wait_for("redis-server serves", || match process.check() {
        Err(error) => Some(Err(error)),
        Ok(()) => ask(&server, &["PING"]).map(|_| Ok(())),
    })??;
    Ok((process, address))
}

/// Writes all keys, with values of this length.
pub(crate) fn fill(at: SocketAddr, value_bytes: u32) -> Outcome<()> {
    let (server, value) = (server(at), "v".repeat(value_bytes as usize));
    for first in (0..KEYS).step_by(KEYS_FILLED_AT_ONCE as usize) {
        let keys: Vec<String> = (first..KEYS.min(first + KEYS_FILLED_AT_ONCE)).map(key).collect();
        let pairs = keys.iter().flat_map(|key| [key.as_str(), &value]);
        let words: Vec<&str> = ["MSET"].into_iter().chain(pairs).collect();
        wait_for("the keys are written", || ask(&server, &words))?;
    }
    match ask(&server, &["GET", &key(KEYS - 1)]) {
        Some(Reply::Bulk(there)) if there == value => Ok(()),
        other => Err(format!("{at} does not show what was written: {other:?}").into()),
    }
}

/// Puts the load on a server, or spreads its connections over several.
pub(crate) fn run(at: &[SocketAddr], work: &Work, dir: &Path) -> Outcome<Sample> {
    let (at, others) = at.split_first().ok_or("nobody to load")?;
    let said = dir.join("loader.out");
    // It is appended to, and what an earlier run has said is not ours.
    let _ = fs::remove_file(&said);
    let mut command = Command::new(env!("CARGO_BIN_EXE_paxos-node"));
    command.args(["bench", "--host", &at.ip().to_string(), "--port", &at.port().to_string()]);
    if !others.is_empty() {
        let others: Vec<String> = others.iter().map(SocketAddr::to_string).collect();
        command.args(["--also", &others.join(",")]);
    }
    let shape = work.shape;
    command.args(["--clients", &shape.connections.to_string()]);
    command.args(["--pipeline", &shape.pipeline.to_string()]);
    command.args(["--requests", &work.requests.to_string(), "--seed", &work.seed.to_string()]);
    command.args(["--size", &shape.value_bytes.to_string(), "--keys", &KEYS.to_string()]);
    command.args(["--reads", if shape.op == Op::Get { "1" } else { "0" }]);
    let mut process = Process::start(&mut command, &said)?;
    let status = wait_for("the load is over", || process.ended().transpose())??;
    let said = fs::read_to_string(said)?;
    match sample(&said, work) {
        Some(sample) if status.success() => Ok(sample),
        _ => Err(format!("the loader has ended ({status}):\n{said}").into()),
    }
}

/// Reads the line of the table that is about all requests.
fn sample(said: &str, work: &Work) -> Option<Sample> {
    let line = said.lines().find_map(|line| line.strip_prefix("all "))?;
    let figures: Vec<f64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    // Answered, per second, and the 50th, 90th and 99th of a hundred, in milliseconds.
    let [answered, per_second, p50_ms, _, p99_ms, ..] = figures[..] else { return None };
    let errors = work.requests.saturating_sub(answered as u64);
    Some(Sample { per_second, p50_ms, p99_ms, errors, ..Sample::default() })
}

fn server(at: SocketAddr) -> Server {
    let silence_max = Some(PATIENCE.min(Duration::from_secs(5)));
    Server { host: at.ip().to_string(), port: at.port(), silence_max }
}
