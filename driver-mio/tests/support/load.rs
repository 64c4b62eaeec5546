//! Clients that read and write through all nodes, and remember what they saw.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use driver_mio::resp::Reply;
use driver_sim::linear::{History, RegisterInput};
use paxos_core::types::Rng;

use super::client::Client;

pub type Input = (String, RegisterInput<String>);

/// What all clients share.
pub struct Load {
    start: Instant,
    pub addresses: Vec<SocketAddr>,
    pub history: Mutex<History<Input, Option<String>>>,
    /// Keys that are written once and never again, and whose write was acknowledged.
    pub kept: Mutex<Vec<String>>,
    /// Operations that came to a good end.
    pub done: AtomicU64,
    next: AtomicU64,
    stop: AtomicBool,
}

/// What came of one request.
enum Came {
    Answer(Reply),
    /// It certainly had no effect, and never will.
    Nothing,
    /// It may have an effect, now or later.
    Unknown,
}

impl Load {
    pub fn new(addresses: Vec<SocketAddr>) -> Load {
        Load {
            start: Instant::now(),
            addresses,
            history: Mutex::default(),
            kept: Mutex::default(),
            done: AtomicU64::new(0),
            next: AtomicU64::new(1),
            stop: AtomicBool::new(false),
        }
    }

    /// Starts clients; each begins at another node and moves on when one fails it.
    pub fn spawn(self: &std::sync::Arc<Load>, clients: u64, seed: u64) -> Vec<JoinHandle<()>> {
        let client = |nth: u64| {
            let load = self.clone();
            thread::spawn(move || load.run(Rng::new(seed ^ (nth << 32))))
        };
        (0..clients).map(client).collect()
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn run(&self, mut rng: Rng) {
        let mut process = self.unique();
        let mut client = None;
        while !self.stop.load(Ordering::Relaxed) {
            let place = rng.below(self.addresses.len() as u64) as usize;
            // One client in ten requests changes the node for no reason at all.
            if client.is_none() || rng.below(10) == 0 {
                client = Client::connect(self.addresses[place], Duration::from_millis(700)).ok();
            }
            let Some(connected) = &mut client else { continue };
            let came = match rng.below(4) {
                0 => self.keep(connected),
                1 => self.write(connected, &mut process, &mut rng),
                _ => self.read(connected, &mut process, &format!("r{}", rng.below(KEYS))),
            };
            match came {
                Came::Answer(_) => _ = self.done.fetch_add(1, Ordering::Relaxed),
                Came::Nothing | Came::Unknown => client = None,
            }
        }
    }

    /// Writes a key of its own.
    fn keep(&self, client: &mut Client) -> Came {
        let key = format!("k{}", self.unique());
        let came = request(client, &["SET", &key, "v"]);
        if let Came::Answer(_) = came {
            lock(&self.kept).push(key);
        }
        came
    }

    fn write(&self, client: &mut Client, process: &mut u64, rng: &mut Rng) -> Came {
        let (key, value) = (format!("r{}", rng.below(KEYS)), self.unique().to_string());
        let input = (key.clone(), RegisterInput::Write(value.clone()));
        self.note(client, process, input, &["SET", &key, &value])
    }

    /// Reads a key, and notes what came.
    fn read(&self, client: &mut Client, process: &mut u64, key: &str) -> Came {
        self.note(client, process, (key.into(), RegisterInput::Read), &["GET", key])
    }

    fn note(&self, client: &mut Client, process: &mut u64, input: Input, words: &[&str]) -> Came {
        let who = *process;
        lock(&self.history).invoke(who, self.now(), input).expect("a client does one thing");
        let came = request(client, words);
        let mut history = lock(&self.history);
        let noted = match &came {
            Came::Answer(reply) => history.ok(who, self.now(), value_of(reply)),
            Came::Nothing => history.fail(who),
            Came::Unknown => {
                *process = self.unique();
                history.unknown(who)
            }
        };
        noted.expect("the operation is under way");
        came
    }

    /// Reads every register through every node, until each has answered.
    pub fn read_all(&self) {
        for address in &self.addresses {
            for key in 0..KEYS {
                let mut process = self.unique();
                super::eventually("a final read", || {
                    let mut client = Client::connect(*address, Duration::from_secs(3)).ok()?;
                    let came = self.read(&mut client, &mut process, &format!("r{key}"));
                    matches!(came, Came::Answer(_)).then_some(())
                });
            }
        }
    }

    fn unique(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}

/// Takes a lock that a panic elsewhere may have poisoned: that panic is the news.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn request(client: &mut Client, words: &[&str]) -> Came {
    match client.call(words) {
        Ok(Reply::Error(line)) if line.starts_with(b"UNKNOWN") => Came::Unknown,
        Ok(Reply::Error(line)) if line.starts_with(b"NOTREADY") || line.starts_with(b"BUSY") => {
            Came::Nothing
        }
        Ok(Reply::Error(line)) => panic!("{words:?}: {}", String::from_utf8_lossy(&line)),
        Ok(reply) => Came::Answer(reply),
        Err(_) => Came::Unknown,
    }
}

/// The value that a read saw; nothing for an absent key and for a write.
fn value_of(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Bulk(value) => Some(String::from_utf8_lossy(value).into_owned()),
        _ => None,
    }
}

/// Registers that are written over and over.
const KEYS: u64 = 4;
