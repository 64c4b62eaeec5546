//! Clients that write in the background and remember every write that was
//! acknowledged.
//!
//! A writer numbers its writes and sends each with `PAXOS ONCE` until one node
//! acknowledges it, however often and to whomever it takes. Its keys are its own,
//! and each is written once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use driver_mio::args::Server;
use driver_mio::resp::Reply;
use driver_mio::tool::{Connection, ToolError};

/// What writers saw.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Keys whose write was acknowledged; [`value_of`] tells the value.
    pub acknowledged: Vec<String>,
    /// What came instead of an acknowledgement, by the error's first word.
    pub errors: BTreeMap<String, u64>,
}

/// Writers that run until they are told to stop.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<Ledger>>,
}

/// What all writers see.
#[derive(Debug)]
struct Shared {
    servers: Vec<Server>,
    is_over: AtomicBool,
    /// Counted up when every writer is to go back to the node it began with.
    homecomings: AtomicU64,
    pace: Mutex<Pace>,
}

/// When writes were acknowledged, over all writers.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// How many have been.
    acknowledged: u64,
    /// When the latest was.
    latest: Instant,
    /// The longest time between two of them, since somebody asked last.
    longest_gap: Duration,
}

impl Shared {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Load {
    /// Starts so many writers, spread evenly over the servers.
    pub fn start(servers: Vec<Server>, writers: usize) -> Load {
        let pace = Pace { acknowledged: 0, latest: Instant::now(), longest_gap: Duration::ZERO };
        let shared = Arc::new(Shared {
            servers,
            is_over: AtomicBool::new(false),
            homecomings: AtomicU64::new(0),
            pace: Mutex::new(pace),
        });
        let writer = |number| {
            let writer = Writer::new(shared.clone(), number);
            thread::spawn(move || writer.run())
        };
        Load { writers: (0..writers).map(writer).collect(), shared }
    }

    /// Sends every writer back to the node it began with.
    pub fn go_home(&self) {
        self.shared.homecomings.fetch_add(1, Ordering::Relaxed);
    }

    /// How many writes have been acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.shared.pace().acknowledged
    }

    /// The longest time without an acknowledgement since this was asked last.
    pub fn take_longest_gap(&self) -> Duration {
        let mut pace = self.shared.pace();
        std::mem::take(&mut pace.longest_gap).max(pace.latest.elapsed())
    }

    /// Ends the writers, and returns what they saw.
    pub fn stop(mut self) -> Vec<Ledger> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let writers = std::mem::take(&mut self.writers);
        writers.into_iter().map(|writer| writer.join().expect("no writer panics")).collect()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

struct Writer {
    shared: Arc<Shared>,
    number: usize,
    /// Counted up when the group no longer knows the writer under its old name.
    generation: u32,
    sequence: u64,
    place: usize,
    homecoming: u64,
    connection: Option<Connection>,
    ledger: Ledger,
}

impl Writer {
    fn new(shared: Arc<Shared>, number: usize) -> Writer {
        Writer {
            shared,
            number,
            generation: 0,
            sequence: 0,
            place: number,
            homecoming: 0,
            connection: None,
            ledger: Ledger::default(),
        }
    }

    fn run(mut self) -> Ledger {
        while !self.shared.is_over.load(Ordering::Relaxed) {
            self.sequence += 1;
            self.write();
        }
        self.ledger
    }

    /// Sends the next write until it is acknowledged, or there is no point any more.
    fn write(&mut self) {
        let client = format!("w{}.{}", self.number, self.generation);
        let (sequence, key) = (self.sequence.to_string(), format!("{client}:{}", self.sequence));
        let value = value_of(&key);
        let words = ["PAXOS", "ONCE", &client, &sequence, "SET", &key, &value];
        while !self.shared.is_over.load(Ordering::Relaxed) {
            self.go_home_when_told();
            let code = match self.call(&words) {
                Ok(reply) => match reply.error_code() {
                    None => return self.on_acknowledged(key),
                    Some(code) => {
                        if matches!(code, b"HALTED" | b"BUSY") {
                            // Others may have room, as this one's disk may not.
                            self.place += 1;
                            self.connection = None;
                        }
                        code.escape_ascii().to_string()
                    }
                },
                Err(error) => {
                    self.connection = None;
                    self.place += 1;
                    code_of(&error).into()
                }
            };
            let is_settled = !matches!(&code[..], "UNKNOWN" | "NOTREADY" | "BUSY" | "HALTED")
                && !code.starts_with('(');
            *self.ledger.errors.entry(code).or_default() += 1;
            if is_settled {
                // Under this name it would hear the same for ever.
                (self.generation, self.sequence) = (self.generation + 1, 0);
                return;
            }
            thread::sleep(RETRY_PAUSE);
        }
    }

    fn call(&mut self, words: &[&str]) -> Result<Reply, ToolError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let servers = &self.shared.servers;
                let opened = Connection::open(&servers[self.place % servers.len()])?;
                self.connection.insert(opened)
            }
        };
        connection.send(words)?;
        connection.receive()
    }

    fn go_home_when_told(&mut self) {
        let homecoming = self.shared.homecomings.load(Ordering::Relaxed);
        if self.homecoming != homecoming {
            self.homecoming = homecoming;
            self.place = self.number;
            self.connection = None;
        }
    }

    fn on_acknowledged(&mut self, key: String) {
        self.ledger.acknowledged.push(key);
        let mut pace = self.shared.pace();
        let now = Instant::now();
        pace.longest_gap = pace.longest_gap.max(now.saturating_duration_since(pace.latest));
        pace.latest = now;
        pace.acknowledged += 1;
    }
}

/// What a writer, or a probe, writes under a key.
pub fn value_of(key: &str) -> String {
    format!("value of {key}")
}

/// A word for what is wrong with a connection, as short as an error's code.
pub fn code_of(error: &ToolError) -> &'static str {
    match error {
        ToolError::Connect { .. } => "(refused)",
        ToolError::Lost(_) => "(connection lost)",
        ToolError::Silent => "(silence)",
        _ => "(other)",
    }
}

/// After an error: not a wait for anything, only no flood of requests.
const RETRY_PAUSE: Duration = Duration::from_millis(2);
