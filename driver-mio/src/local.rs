//! A whole cluster on this machine: one process a node, all children of this one.
//!
//! Processes, not threads, so that a node can be killed, stopped and started
//! again like a real one. A child that dies is reported and not restarted: the
//! experiment is the user's. Every child holds the end of a pipe and goes when
//! this process goes, however it ends.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::args::{LocalOptions, NodeOptions};
use crate::exit;

/// Runs the cluster until a signal or its last node ends it.
///
/// # Errors
/// One line that says why there is no cluster, or no more.
pub fn run(options: &LocalOptions) -> Result<(), String> {
    let program = std::env::current_exe()
        .map_err(|error| format!("cannot find this program's own file: {error}"))?;
    let spare = match &options.data {
        Some(_) => None,
        None => Some(temporary_directory()?),
    };
    let data = match (&options.data, &spare) {
        (Some(data), _) => data.as_path(),
        (None, Some(spare)) => spare.path(),
        (None, None) => return Err("no data directory".into()),
    };
    let nodes = options.node_options(data);
    say(&banner(&program, &nodes, spare.is_some()));

    let (facts, inbox) = mpsc::channel();
    watch_signals(facts.clone())?;
    let mut pipes = Vec::new();
    for node in &nodes {
        pipes.push(spawn(&program, node, &facts)?);
    }
    let mut running = nodes.len();
    let result = supervise(&inbox, &program, &nodes, &mut running);
    // Their pipes end, and so do they.
    drop(pipes);
    see_out(&inbox, running);
    result
}

/// What the threads that wait for something tell the one that decides.
enum Fact {
    /// A signal asks to end.
    Signal,
    /// The node at this place has ended.
    Ended(u16, io::Result<ExitStatus>),
}

/// Waits until the cluster is to end, and tells of every node that ends before.
fn supervise(
    inbox: &Receiver<Fact>,
    program: &Path,
    nodes: &[NodeOptions],
    running: &mut usize,
) -> Result<(), String> {
    while *running > 0 {
        let Ok(Fact::Ended(id, status)) = inbox.recv() else { return Ok(()) };
        *running -= 1;
        let status = status.map_err(|error| format!("cannot wait for node {id}: {error}"))?;
        let cannot_run = [exit::FAILED, exit::USAGE].map(|code| Some(i32::from(code)));
        if cannot_run.contains(&status.code()) {
            return Err(format!("node {id} cannot run; its reason stands above"));
        }
        let node = &nodes[usize::from(id) - 1];
        say(&format!(
            "n{id} has ended ({status}); start it again with\n  {}\n",
            line(program, node)
        ));
    }
    Err("the last node has ended".into())
}

/// Waits for the nodes that still run. One that the user has stopped (SIGSTOP)
/// cannot end now; it will when it goes on.
fn see_out(inbox: &Receiver<Fact>, mut running: usize) {
    while running > 0 {
        match inbox.recv_timeout(END_WAIT) {
            Ok(Fact::Ended(..)) => running -= 1,
            Ok(Fact::Signal) => {}
            Err(_) => return say("some nodes are stopped; they end when they go on\n"),
        }
    }
}

/// Starts one node; it lives no longer than the pipe that comes back.
fn spawn(program: &Path, node: &NodeOptions, facts: &Sender<Fact>) -> Result<ChildStdin, String> {
    let id = node.id.0;
    let failed = |error: io::Error| format!("cannot start node {id}: {error}");
    let mut command = Command::new(program);
    command.args(run_words(node)).arg("--with-parent");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    // A group of its own: Ctrl-C in the terminal is for the parent, which ends them all.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(failed)?;
    let pipe = child.stdin.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
    let facts = facts.clone();
    let attend = move || {
        relay(&mut child, id);
        // Nobody listens any more: the cluster is ending.
        let _ = facts.send(Fact::Ended(id, child.wait()));
    };
    thread::Builder::new().name(format!("n{id}")).spawn(attend).map_err(failed)?;
    Ok(pipe)
}

/// Passes on what a node says, a line at a time, until it says no more.
fn relay(child: &mut Child, id: u16) {
    let Some(stderr) = child.stderr.take() else { return };
    let mut lines = BufReader::new(stderr);
    let mut text = Vec::new();
    while lines.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text).is_ok_and(|n| n > 0) {
        say(&format!("n{id}| {}\n", String::from_utf8_lossy(&text).trim_end()));
        text.clear();
    }
}

fn watch_signals(facts: Sender<Fact>) -> Result<(), String> {
    let failed = |error| format!("cannot watch for signals: {error}");
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let attend = move || {
        signals.forever().next();
        // The channel is gone only when the program is about to end anyway.
        let _ = facts.send(Fact::Signal);
    };
    thread::Builder::new().name("signals".into()).spawn(attend).map_err(failed)?;
    Ok(())
}

fn temporary_directory() -> Result<tempfile::TempDir, String> {
    tempfile::Builder::new()
        .prefix("paxos-node-")
        .tempdir()
        .map_err(|error| format!("cannot make a directory for the data: {error}"))
}

/// The words after the program's name that run this very node.
pub(crate) fn run_words(node: &NodeOptions) -> Vec<String> {
    let members: Vec<String> =
        node.cluster.iter().map(|(id, address)| format!("{}={address}", id.0)).collect();
    let ms = |wait: Duration| wait.as_millis().to_string();
    let words = [
        ("--id", node.id.0.to_string()),
        ("--data", node.data.display().to_string()),
        ("--cluster", members.join(",")),
        ("--client", node.client.to_string()),
        ("--cluster-id", node.cluster_id.to_string()),
        ("--heartbeat-ms", ms(node.timing.heartbeat)),
        ("--election-ms", ms(node.timing.patience)),
        ("--resend-ms", ms(node.timing.resend)),
        ("--answer-ms", ms(node.timing.answer)),
        ("--checkpoint-slots", node.checkpoints.slots.to_string()),
        ("--checkpoint-bytes", node.checkpoints.bytes.to_string()),
        ("--checkpoint-stretch", node.checkpoints.stretch_max.to_string()),
        ("--segment-bytes", node.checkpoints.segment_bytes.to_string()),
        ("--catch-up-bytes", node.checkpoints.catch_up_bytes_per_s.to_string()),
        ("--priority", node.priority.to_string()),
    ];
    let witnesses: Vec<String> = node.witnesses.iter().map(|id| id.0.to_string()).collect();
    let witnesses = (!witnesses.is_empty()).then(|| ("--witness", witnesses.join(",")));
    let lease = node.timing.lease.map(|lease| {
        [("--lease-ms", ms(lease.duration)), ("--clock-drift-ppm", lease.drift_ppm.to_string())]
    });
    let words = words.into_iter().chain(lease.into_iter().flatten()).chain(witnesses);
    let words = words.flat_map(|(flag, value)| [flag.to_string(), value]);
    std::iter::once("run".to_string()).chain(words).collect()
}

/// The whole line to type into a shell.
fn line(program: &Path, node: &NodeOptions) -> String {
    let mut line = quoted(&program.display().to_string());
    for word in run_words(node) {
        line.push(' ');
        line.push_str(&quoted(&word));
    }
    line
}

/// A word as a shell takes it for itself.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn banner(program: &Path, nodes: &[NodeOptions], goes_away: bool) -> String {
    let mut text = String::new();
    for node in nodes {
        let (id, peer) = (node.id, node.cluster[&node.id]);
        let data = node.data.display();
        let kind = if node.witnesses.contains(&id) { ", a witness" } else { "" };
        let client = node.client;
        text += &format!("{id}: clients at {client}, peers at {peer}, data in {data}{kind}\n");
    }
    if goes_away {
        text += "The data goes away at the end; --data DIR keeps it.\n";
    }
    if let Some(node) = nodes.iter().find(|node| !node.witnesses.contains(&node.id)) {
        let (port, program) = (node.client.port(), quoted(&program.display().to_string()));
        text += &format!("Talk to any node: redis-cli -p {port}, or {program} cli -p {port}\n");
    }
    text + "Kill a node with kill -9; Ctrl-C ends all.\n"
}

fn say(text: &str) {
    // One write, so that lines of two nodes do not mix. Nobody reads: then nobody misses it.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// How long the nodes may take to end.
const END_WAIT: Duration = Duration::from_secs(3);
/// A longer line of a node is cut in two, in bytes.
const LINE_BYTES_MAX: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use paxos_core::types::{Lease, NodeId, Timing};

    use super::*;
    use crate::args::{Checkpoints, Task, parse};

    #[test]
    fn the_line_that_is_printed_runs_the_same_node() {
        let options = LocalOptions {
            checkpoints: Checkpoints { slots: 77, ..Checkpoints::default() },
            nodes: 3,
            client_port: 7000,
            peer_port: 7100,
            data: None,
            witnesses: [NodeId(3)].into(),
            priorities: [(NodeId(2), 7)].into(),
            timing: Timing {
                heartbeat: Duration::from_millis(7),
                lease: Some(Lease { duration: Duration::from_millis(70), drift_ppm: 3 }),
                ..Timing::default()
            },
        };
        for node in options.node_options(Path::new("/a b/c")) {
            let words = std::iter::once("paxos-node".to_string()).chain(run_words(&node));
            let task = parse(words.map(OsString::from), |_| Err(io::ErrorKind::NotFound.into()));
            assert_eq!(task, Ok(Task::Run(node)));
        }
    }

    #[test]
    fn a_word_with_a_blank_stays_one_word() {
        assert_eq!(quoted("/a b"), "'/a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(
            quoted("1=127.0.0.1:7101,2=127.0.0.1:7102"),
            "1=127.0.0.1:7101,2=127.0.0.1:7102"
        );
        assert_eq!(quoted(""), "''");
    }
}
