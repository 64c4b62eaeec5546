//! What speaks Redis: our nodes and Redis itself, started and filled alike.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use driver_mio::args::Server;
use driver_mio::resp::Reply;

use super::{KEYS, KEYS_FILLED_AT_ONCE, key};
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

fn server(at: SocketAddr) -> Server {
    let silence_max = Some(PATIENCE.min(Duration::from_secs(5)));
    Server { host: at.ip().to_string(), port: at.port(), silence_max }
}
