//! Real nodes in real processes against the suite that any embedder's driver can be tried with.
//!
//! A command is appended to the value of one key, so that the value is the log: the answer to the
//! `APPEND` tells where the command stands, and `GET`, asked of each node alone, what it has
//! applied. A loss of power is a `kill -9` here: the system's cache survives it.

mod support;

use std::collections::VecDeque;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use driver_mio::resp::Reply;
use driver_sim::conform::driver::{Answer, Cluster as Tried, Event, check};
use paxos_core::types::{NodeId, ProposalId, Slot};

use support::client::Client;
use support::node::{Cluster, Node};

/// All commands of the suite are of one length.
const COMMAND_BYTES: usize = "command 00000001".len();
const KEY: &str = "log";

/// The connections to one node, and what went over them in this life.
#[derive(Default)]
struct Lines {
    writer: Option<Client>,
    reader: Option<Client>,
    unsent: VecDeque<(ProposalId, Bytes)>,
    /// In the order in which they will be answered.
    sent: VecDeque<ProposalId>,
    log: Vec<u8>,
}

struct Real {
    cluster: Cluster,
    lines: Vec<Lines>,
}

impl Real {
    fn new() -> Real {
        let cluster = Cluster::new(3);
        let lines = cluster.nodes.iter().map(|_| Lines::default()).collect();
        Real { cluster, lines }
    }

    fn node(&mut self, id: NodeId) -> &mut Node {
        &mut self.cluster.nodes[usize::from(id.0) - 1]
    }

    fn lines(&mut self, id: NodeId) -> &mut Lines {
        &mut self.lines[usize::from(id.0) - 1]
    }
}

impl Tried for Real {
    fn nodes(&self) -> Vec<NodeId> {
        self.cluster.nodes.iter().map(|node| NodeId(node.id)).collect()
    }

    fn start(&mut self, id: NodeId) -> Result<Slot, String> {
        self.node(id).start();
        Ok(Slot::FIRST)
    }

    fn kill(&mut self, id: NodeId) {
        self.node(id).kill();
        *self.lines(id) = Lines::default();
    }

    fn propose(&mut self, at: NodeId, token: ProposalId, command: Bytes) {
        self.lines(at).unsent.push_back((token, command));
    }

    fn run(&mut self, time: Duration) -> Vec<Event> {
        let (end, mut events) = (Instant::now() + time, Vec::new());
        while Instant::now() < end {
            for (node, lines) in self.cluster.nodes.iter_mut().zip(&mut self.lines) {
                if node.is_running() {
                    // One that does not listen yet is asked again.
                    let _ = lines.write(node, &mut events);
                    let _ = lines.read(node, &mut events);
                }
            }
            thread::sleep(Duration::from_millis(2));
        }
        events
    }
}

impl Lines {
    /// Sends what is to be proposed, and hears the answers that there are.
    fn write(&mut self, node: &Node, events: &mut Vec<Event>) -> io::Result<()> {
        let writer = connected(&mut self.writer, node, &[])?;
        while let Some((token, command)) = self.unsent.pop_front() {
            let command = String::from_utf8_lossy(&command);
            self.sent.push_back(token);
            writer.send(&["APPEND", KEY, &command])?;
        }
        while let Some(token) = self.sent.front().copied() {
            let answer = match writer.receive()? {
                Reply::Integer(bytes) => Answer::Chosen(slot(bytes as usize)),
                Reply::Error(line) if line.ends_with(b"nothing happened") => Answer::Nothing,
                _ => Answer::Unknown,
            };
            self.sent.pop_front();
            events.push(Event::Answered { token, answer });
        }
        Ok(())
    }

    /// Hears what the node has applied since.
    fn read(&mut self, node: &Node, events: &mut Vec<Event>) -> io::Result<()> {
        let reader = connected(&mut self.reader, node, &["READONLY"])?;
        reader.stream.set_read_timeout(Some(PATIENCE))?;
        let Reply::Bulk(log) = reader.call(&["GET", KEY])? else { return Ok(()) };
        let pairs = self.log.iter().zip(&log[..]);
        let same = pairs.take_while(|(before, now)| before == now).count();
        // What was there before must be there still; the suite minds if it is told again.
        let same = same - same % COMMAND_BYTES;
        for (nth, command) in log[same..].chunks(COMMAND_BYTES).enumerate() {
            let (slot, node) = (slot(same + (nth + 1) * COMMAND_BYTES), NodeId(node.id));
            let command = Bytes::copy_from_slice(command);
            events.push(Event::Delivered { node, slot, command });
        }
        self.log = log.to_vec();
        Ok(())
    }
}

/// Where a command stands behind which the log has so many bytes.
fn slot(bytes: usize) -> Slot {
    Slot((bytes / COMMAND_BYTES) as u64)
}

/// The connection, which begins with some words.
fn connected<'a>(
    client: &'a mut Option<Client>,
    node: &Node,
    words: &[&str],
) -> io::Result<&'a mut Client> {
    if client.is_none() {
        let mut new = Client::connect(node.client, PATIENCE)?;
        if !words.is_empty() {
            new.call(words)?;
        }
        // Answers are looked for, not waited for.
        new.stream.set_read_timeout(Some(Duration::from_millis(1)))?;
        *client = Some(new);
    }
    Ok(client.as_mut().expect("it was just made"))
}

const PATIENCE: Duration = Duration::from_secs(3);

#[test]
fn real_nodes_conform() {
    let report = check(Real::new, 0..2).unwrap_or_else(|breach| panic!("{breach}"));
    println!("{report:?}");
    assert!(report.chosen > 50 && report.kills > 9 && report.deliveries > 150, "{report:?}");
}
