//! Writers that keep many requests under way on each connection, and one that
//! asks for one thing at a time and remembers how long each took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use driver_mio::args::Server;
use driver_mio::tool::Connection;

use super::{Outcome, go_on};

/// How much is written, and how.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    /// Writes in all.
    pub writes: u64,
    /// Keys that they go round and round.
    pub keys: u64,
    /// Bytes of a value.
    pub value_bytes: usize,
    /// Connections.
    pub connections: u64,
    /// Requests under way on each.
    pub pipeline: u64,
}

impl Flood {
    /// Sends it all; returns when the last write is acknowledged.
    ///
    /// # Errors
    /// The first refusal that is not for want of room or of a leader, and any
    /// connection that is lost.
    pub fn run(self, server: &Server) -> Outcome<()> {
        let next = AtomicU64::new(0);
        thread::scope(|scope| {
            let writer = |_| scope.spawn(|| self.write(server, &next));
            let writers: Vec<_> = (0..self.connections).map(writer).collect();
            writers.into_iter().try_for_each(|writer| writer.join().expect("no writer panics"))
        })
    }

    fn write(self, server: &Server, next: &AtomicU64) -> Outcome<()> {
        let mut connection = Connection::open(server)?;
        loop {
            go_on()?;
            let first = next.fetch_add(self.pipeline, Ordering::Relaxed);
            let end = self.writes.min(first + self.pipeline);
            if first >= end {
                return Ok(());
            }
            let mut numbers: Vec<u64> = (first..end).collect();
            while !numbers.is_empty() {
                numbers = self.write_some(&mut connection, &numbers)?;
            }
        }
    }

    /// Writes these, and returns those that must be sent again.
    fn write_some(self, connection: &mut Connection, numbers: &[u64]) -> Outcome<Vec<u64>> {
        for number in numbers {
            let (key, value) = self.pair(*number);
            connection.send(&["SET", &key, &value])?;
        }
        let mut again = Vec::new();
        for number in numbers {
            match connection.receive()?.error_code() {
                None => {}
                Some(b"BUSY" | b"NOTREADY" | b"UNKNOWN") => again.push(*number),
                Some(code) => return Err(code.escape_ascii().to_string().into()),
            }
        }
        Ok(again)
    }

    fn pair(self, number: u64) -> (String, String) {
        let width = self.value_bytes;
        (format!("key:{:012}", number % self.keys), format!("{number:0width$}"))
    }
}

/// A client that writes one thing after the other, at a bounded pace, and
/// remembers how long each took.
#[derive(Debug)]
pub struct Probe {
    is_over: Arc<AtomicBool>,
    client: JoinHandle<Outcome<Vec<Duration>>>,
}

impl Probe {
    /// Starts one, which writes about every `pause`.
    pub fn start(server: Server, pause: Duration) -> Probe {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let client = thread::spawn(move || {
            let mut connection = Connection::open(&server)?;
            let mut waits = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let sent_at = Instant::now();
                connection.send(&["SET", "probe", "probe"])?;
                if connection.receive()?.error_code().is_none() {
                    waits.push(sent_at.elapsed());
                }
                // The pace of this client, not a wait for anything.
                thread::sleep(pause);
            }
            Ok(waits)
        });
        Probe { is_over, client }
    }

    /// Ends it; how long its writes took, ascending.
    pub fn stop(self) -> Outcome<Vec<Duration>> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut waits = self.client.join().expect("no probe panics")?;
        waits.sort_unstable();
        Ok(waits)
    }
}

/// The wait that `share` of all are not above; `waits` ascend.
pub fn percentile(waits: &[Duration], share: f64) -> Duration {
    let at = (waits.len() as f64 * share) as usize;
    waits.get(at.min(waits.len().saturating_sub(1))).copied().unwrap_or_default()
}
