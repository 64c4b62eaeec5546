//! The load: `paxos-node bench` in a process of its own, for about so long.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::support::process::Process;
use crate::support::{Outcome, wait_for};

/// What clients do all the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Connections, each with one request under way.
    pub(crate) connections: u64,
    /// Bytes of a value.
    pub(crate) size: u64,
    /// Keys, one of which each request takes.
    pub(crate) keys: u64,
    /// Whether they read, and do not write.
    pub(crate) reads: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Requests answered in a second.
    pub(crate) per_second: f64,
    /// Half of all requests took no longer, in milliseconds.
    pub(crate) p50_ms: f64,
    /// Of a hundred requests, 99 took no longer.
    pub(crate) p99_ms: f64,
}

/// Puts the load on a server: a few requests to learn its pace, then as many as take so long.
pub(crate) fn measure(at: SocketAddr, work: Work, seconds: f64, dir: &Path) -> Outcome<Sample> {
    let pilot = run(at, work, work.connections * PILOT_REQUESTS_EACH, dir)?;
    let requests = (pilot.per_second * seconds) as u64;
    run(at, work, requests.max(work.connections * PILOT_REQUESTS_EACH), dir)
}

fn run(at: SocketAddr, work: Work, requests: u64, dir: &Path) -> Outcome<Sample> {
    let said = dir.join("loader.out");
    // It is appended to, and what an earlier run has said is not ours.
    let _ = fs::remove_file(&said);
    let mut command = Command::new(env!("CARGO_BIN_EXE_paxos-node"));
    command.args(["bench", "--host", &at.ip().to_string(), "--port", &at.port().to_string()]);
    let Work { connections, size, keys, reads } = work;
    for (flag, value) in [("--clients", connections), ("--requests", requests), ("--size", size)] {
        command.args([flag, &value.to_string()]);
    }
    command.args(["--keys", &keys.to_string(), "--reads", if reads { "1" } else { "0" }]);
    let mut process = Process::start(&mut command, &said)?;
    let status = wait_for("the load is over", || process.ended().transpose())??;
    let said = fs::read_to_string(said)?;
    match sample(&said, requests) {
        Some(sample) if status.success() => Ok(sample),
        _ => Err(format!("the loader has ended ({status}):\n{said}").into()),
    }
}

/// Reads the line of the table that is about all requests; nothing if some were not answered.
fn sample(said: &str, requests: u64) -> Option<Sample> {
    let line = said.lines().find_map(|line| line.strip_prefix("all "))?;
    let figures: Vec<f64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    // Answered, per second, and the 50th, 90th and 99th of a hundred, in milliseconds.
    let [answered, per_second, p50_ms, _, p99_ms, ..] = figures[..] else { return None };
    (answered as u64 >= requests).then_some(Sample { per_second, p50_ms, p99_ms })
}

/// Requests on each connection that show the pace.
const PILOT_REQUESTS_EACH: u64 = 20;
