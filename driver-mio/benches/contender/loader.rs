//! Who puts the load on what speaks Redis, in a process of its own.
//!
//! `paxos-node bench` costs about half the processor time of `redis-benchmark` for a
//! request, which on a machine that loader and servers share is time for the servers; it
//! can spread its connections over nodes, and it is there where `redis-benchmark` is not.
//! That one is what others measure with.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use super::{KEYS, Op, Sample, Work};
use crate::support::process::Process;
use crate::support::{Outcome, wait_for};

/// A program that loads what speaks Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Loader {
    /// `paxos-node bench`.
    Own,
    /// Debian's, in one thread.
    RedisBenchmark,
}

impl Loader {
    /// Whether it can load several servers at once.
    pub(crate) fn spreads(self) -> bool {
        self == Loader::Own
    }

    /// Whether it can be started.
    pub(crate) fn check(self) -> Outcome<()> {
        match self {
            Loader::Own => Ok(()),
            Loader::RedisBenchmark => match Command::new("redis-benchmark").arg("-v").output() {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("redis-benchmark cannot be started: {error}").into()),
            },
        }
    }

    /// As in the tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Loader::Own => {
                "`paxos-node bench` (it takes less processor time for a request than redis-benchmark)"
            }
            Loader::RedisBenchmark => "`redis-benchmark` (it takes most of a core by itself)",
        }
    }

    /// Puts the load on a server, or spreads its connections over several.
    pub(crate) fn run(self, at: &[SocketAddr], work: &Work, dir: &Path) -> Outcome<Sample> {
        let mut command = match self {
            Loader::Own => own(at, work)?,
            Loader::RedisBenchmark => redis_benchmark(at, work)?,
        };
        let said = dir.join("loader.out");
        // It is appended to, and what an earlier run has said is not ours.
        let _ = fs::remove_file(&said);
        let mut process = Process::start(&mut command, &said)?;
        let status = wait_for("the load is over", || process.ended().transpose())??;
        let said = fs::read_to_string(said)?;
        let sample = match self {
            Loader::Own => own_sample(&said, work),
            Loader::RedisBenchmark => redis_sample(&said, work),
        };
        match sample {
            Some(sample) if status.success() => Ok(sample),
            _ => Err(format!("the loader has ended ({status}):\n{said}").into()),
        }
    }
}

fn own(at: &[SocketAddr], work: &Work) -> Outcome<Command> {
    let (at, others) = at.split_first().ok_or("nobody to load")?;
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
    Ok(command)
}

/// The keys that it draws are called as ours are.
fn redis_benchmark(at: &[SocketAddr], work: &Work) -> Outcome<Command> {
    let [at] = at else { return Err("redis-benchmark loads one server".into()) };
    let shape = work.shape;
    let mut command = Command::new("redis-benchmark");
    command.args(["-h", &at.ip().to_string(), "-p", &at.port().to_string()]);
    command.args(["-c", &shape.connections.to_string(), "-P", &shape.pipeline.to_string()]);
    command.args(["-n", &work.requests.to_string(), "-d", &shape.value_bytes.to_string()]);
    command.args(["-r", &KEYS.to_string(), "-t", test_of(shape.op), "--csv", "-e"]);
    Ok(command)
}

fn test_of(op: Op) -> &'static str {
    match op {
        Op::Set => "set",
        Op::Get => "get",
    }
}

/// Reads the line of the table that is about all requests.
fn own_sample(said: &str, work: &Work) -> Option<Sample> {
    let line = said.lines().find_map(|line| line.strip_prefix("all "))?;
    let figures: Vec<f64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    // Answered, per second, and the 50th, 90th and 99th of a hundred, in milliseconds.
    let [answered, per_second, p50_ms, _, p99_ms, ..] = figures[..] else { return None };
    let errors = work.requests.saturating_sub(answered as u64);
    Some(Sample { per_second, p50_ms, p99_ms, errors, ..Sample::default() })
}

/// Reads the line of the one test that it makes; nothing if a request has failed: it does not
/// tell how many have, and newer versions end with the first.
fn redis_sample(said: &str, work: &Work) -> Option<Sample> {
    if said.lines().any(|line| line.starts_with("Error")) {
        return None;
    }
    let begin = format!("\"{}\",", test_of(work.shape.op).to_uppercase());
    let line = said.lines().find_map(|line| line.strip_prefix(&begin))?;
    let figure = |word: &str| word.trim_matches('"').parse().ok();
    let figures: Vec<f64> = line.split(',').map_while(figure).collect();
    // Per second, and in milliseconds: mean, least, and the 50th, 95th and 99th of a hundred.
    let [per_second, _, _, p50_ms, _, p99_ms, ..] = figures[..] else { return None };
    Some(Sample { per_second, p50_ms, p99_ms, ..Sample::default() })
}
