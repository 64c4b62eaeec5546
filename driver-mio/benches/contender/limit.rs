//! The limit: three processes that keep what clients write and do nothing else.
//!
//! One takes whatever whole requests have come since its last turn and sends their bytes
//! to two others, who append them to a file and sync it, while a thread of its own does the
//! same; when two of the three have them on their disks, it answers `OK` to all. What comes
//! while a sync is under way goes with the next one. No ballots, slots or
//! leaders, no checksums, no store, nobody who ever reads a file: whoever loses no
//! acknowledged write with one process lost has to do at least this much. Files are
//! written full of zeros beforehand, as ours are.
//!
//! It runs in processes of its own as the others do: this very program, started again
//! with [`FLAG`].

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::support::process::{Process, free_address};
use crate::support::{Outcome, wait_for};

/// What this program is told to be a node, with what [`run`] takes.
pub(crate) const FLAG: &str = "--limit-node";

/// The three processes.
#[derive(Debug)]
pub(crate) struct Limit {
    /// One for each node.
    pub(crate) processes: Vec<Process>,
    /// Where clients find the first.
    pub(crate) client: SocketAddr,
}

impl Limit {
    /// Starts them with their files under `dir`.
    pub(crate) fn start(dir: &Path) -> Outcome<Limit> {
        let addresses: Vec<SocketAddr> = (0..3).map(|_| free_address()).collect();
        let mut processes = Vec::new();
        // Followers first: the leader goes to them.
        for (place, address) in addresses.iter().enumerate().rev() {
            let followers = if place == 0 { &addresses[1..] } else { &[] };
            let words = [address].into_iter().chain(followers).map(SocketAddr::to_string);
            let mut command = Command::new(std::env::current_exe()?);
            command.arg(FLAG).arg(words.collect::<Vec<_>>().join(","));
            command.arg(dir.join(format!("n{place}")));
            processes.push(Process::start(&mut command, &dir.join(format!("n{place}.log")))?);
            wait_for("a node of the limit listens", || std::net::TcpStream::connect(address).ok())?;
        }
        Ok(Limit { processes, client: addresses[0] })
    }
}

/// Runs a node, until it is killed.
pub(crate) fn run(addresses: &str, file: PathBuf) -> Outcome<Infallible> {
    let addresses: Vec<SocketAddr> =
        addresses.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let (own, followers) = addresses.split_first().ok_or("an address is missing")?;
    let log = Log::create(file)?;
    let poll = Poll::new()?;
    let disk = match followers {
        [] => Disk::Here(log),
        _ => Disk::beside(log, Waker::new(poll.registry(), WAKER)?),
    };
    let mut listener = TcpListener::bind(*own)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut node = Node {
        poll,
        listener,
        disk,
        links: Vec::new(),
        followers: followers.len(),
        turn: Turn::default(),
        synced: [0; 3],
        buffer: vec![0; 1 << 16],
    };
    for follower in followers {
        let stream = std::net::TcpStream::connect(follower)?;
        stream.set_nonblocking(true)?;
        node.take(TcpStream::from_std(stream))?;
    }
    let mut events = Events::with_capacity(1024);
    loop {
        match node.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            node.on_event(event.token())?;
        }
        node.end_turn()?;
    }
}

/// A file that is written from its beginning to its end, round and round.
struct Log {
    file: File,
    at: u64,
}

impl Log {
    fn create(path: PathBuf) -> io::Result<Log> {
        let file = File::options().create(true).write(true).truncate(true).open(path)?;
        let zeros = vec![0; 1 << 20];
        (0..LOG_BYTES / zeros.len() as u64)
            .try_for_each(|i| file.write_all_at(&zeros, i * zeros.len() as u64))?;
        file.sync_all()?;
        Ok(Log { file, at: 0 })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.at + bytes.len() as u64 > LOG_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        self.file.sync_data()
    }
}

/// A follower's disk, or a leader's with a thread of its own.
enum Disk {
    Here(Log),
    Beside(mpsc::Sender<Vec<u8>>, Arc<AtomicU64>),
}

impl Disk {
    /// Syncs what has come meanwhile all together, and then says so.
    fn beside(mut log: Log, waker: Waker) -> Disk {
        let (sender, receiver) = mpsc::channel::<Vec<u8>>();
        let synced = Arc::new(AtomicU64::new(0));
        let done = synced.clone();
        thread::spawn(move || {
            while let Ok(mut bytes) = receiver.recv() {
                receiver.try_iter().for_each(|more| bytes.extend(more));
                log.append(&bytes).expect("the disk takes it");
                done.fetch_add(bytes.len() as u64, Ordering::Release);
                waker.wake().expect("the poll is there");
            }
        });
        Disk::Beside(sender, synced)
    }
}

/// A connection, and what has come on it and is not whole.
struct Link {
    stream: TcpStream,
    came: Vec<u8>,
}

/// One node: the first links of a leader are its followers, all others clients.
struct Node {
    poll: Poll,
    listener: TcpListener,
    disk: Disk,
    links: Vec<Option<Link>>,
    followers: usize,
    turn: Turn,
    /// Up to which byte everything is on the disk of each follower, and of a leader.
    synced: [u64; 3],
    /// Of any content.
    buffer: Vec<u8>,
}

/// What is under way.
#[derive(Default)]
struct Turn {
    /// Bytes of the next turn, to be sent and written.
    bytes: Vec<u8>,
    /// Who has sent how many requests of them, by link.
    askers: Vec<(usize, usize)>,
    /// Turns of a leader that no follower has acknowledged: the number of bytes up to
    /// their end, and who is to be answered.
    open: VecDeque<(u64, Vec<(usize, usize)>)>,
    /// Bytes of all turns so far.
    total: u64,
}

impl Node {
    fn take(&mut self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let token = Token(self.links.len() + FIRST_LINK);
        self.poll.registry().register(&mut stream, token, Interest::READABLE)?;
        self.links.push(Some(Link { stream, came: Vec::new() }));
        Ok(())
    }

    fn on_event(&mut self, token: Token) -> Outcome<()> {
        if token == LISTENER {
            return self.accept();
        }
        if token == WAKER {
            if let Disk::Beside(_, synced) = &self.disk {
                self.synced[2] = synced.load(Ordering::Acquire);
            }
            return self.answer();
        }
        let at = token.0 - FIRST_LINK;
        let Some(link) = &mut self.links[at] else { return Ok(()) };
        if !link.read(&mut self.buffer) {
            self.links[at] = None;
        } else if at < self.followers {
            self.on_acknowledged(at)?;
        } else if let Some(link) = &mut self.links[at] {
            let (requests, bytes) = whole(&link.came);
            if requests > 0 {
                self.turn.bytes.extend_from_slice(&link.came[..bytes]);
                self.turn.askers.push((at, requests));
                link.came.drain(..bytes);
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> Outcome<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.take(stream)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A follower says up to which byte everything is on its disk.
    fn on_acknowledged(&mut self, at: usize) -> Outcome<()> {
        let Some(link) = &mut self.links[at] else { return Ok(()) };
        let words = link.came.len() / 8 * 8;
        let Some(last) = link.came[..words].last_chunk::<8>() else { return Ok(()) };
        self.synced[at] = u64::from_le_bytes(*last);
        link.came.drain(..words);
        self.answer()
    }

    /// Answers what two of three disks have.
    fn answer(&mut self) -> Outcome<()> {
        let mut synced = self.synced;
        synced.sort_unstable();
        let synced = synced[1];
        while let Some((_, askers)) = self.turn.open.front().filter(|(end, _)| *end <= synced) {
            for (asker, requests) in askers {
                if let Some(link) = &mut self.links[*asker] {
                    link.say(&b"+OK\r\n".repeat(*requests))?;
                }
            }
            self.turn.open.pop_front();
        }
        Ok(())
    }

    /// Sends, writes and syncs what this turn has brought.
    fn end_turn(&mut self) -> Outcome<()> {
        if self.turn.bytes.is_empty() {
            return Ok(());
        }
        let (bytes, askers) = (&self.turn.bytes, std::mem::take(&mut self.turn.askers));
        for link in self.links[..self.followers].iter_mut().flatten() {
            link.say(bytes)?;
        }
        self.turn.total += bytes.len() as u64;
        let log = match &mut self.disk {
            Disk::Beside(thread, _) => {
                thread.send(std::mem::take(&mut self.turn.bytes))?;
                self.turn.open.push_back((self.turn.total, askers));
                return Ok(());
            }
            Disk::Here(log) => log,
        };
        log.append(bytes)?;
        self.turn.bytes.clear();
        // A follower: there is one who asks, the leader.
        for (leader, _) in askers {
            if let Some(link) = &mut self.links[leader] {
                link.say(&self.turn.total.to_le_bytes())?;
            }
        }
        Ok(())
    }
}

impl Link {
    /// Reads what is there. False at the end of the connection.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return false,
                Ok(read) => {
                    self.came.extend_from_slice(&buffer[..read]);
                    if read < buffer.len() {
                        return true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
    }

    /// Writes all: what is under way is bounded by what clients wait for.
    fn say(&mut self, mut bytes: &[u8]) -> Outcome<()> {
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
                // A client that has gone is nobody's loss.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }
}

/// How many requests are whole, and up to which byte: arrays of bulk strings.
fn whole(came: &[u8]) -> (usize, usize) {
    let (mut requests, mut end) = (0, 0);
    while let Some(length) = request(&came[end..]) {
        requests += 1;
        end += length;
    }
    (requests, end)
}

/// The length of the first request, if it is whole.
fn request(came: &[u8]) -> Option<usize> {
    let (words, mut at) = head(came, 0)?;
    for _ in 0..words {
        let (length, start) = head(came, at)?;
        at = start + length + 2;
    }
    (at <= came.len()).then_some(at)
}

/// The number in the line `*3` or `$64` that begins at `at`, and where the next begins.
fn head(came: &[u8], at: usize) -> Option<(usize, usize)> {
    let line = came.get(at + 1..)?;
    let length = line.iter().position(|byte| *byte == b'\n')?;
    let digits = std::str::from_utf8(&line[..length]).ok()?;
    Some((digits.trim_end().parse().ok()?, at + 1 + length + 1))
}

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const FIRST_LINK: usize = 2;

/// What is written before it begins again: no less than ours keeps.
const LOG_BYTES: u64 = 64 << 20;
