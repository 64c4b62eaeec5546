//! Nodes that are started, killed, stopped and started again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use driver_mio::resp::Reply;

use super::client::{Client, ask};
use super::eventually;

/// A node's place: what it needs to run, whether it runs or not.
pub struct Node {
    pub id: u16,
    pub client: SocketAddr,
    pub peer: SocketAddr,
    pub data: PathBuf,
    members: String,
    pub cluster_id: u64,
    /// Further words of its command line.
    pub flags: Vec<String>,
    child: Option<Child>,
}

/// All nodes, and the directory they live in.
pub struct Cluster {
    pub nodes: Vec<Node>,
    dir: tempfile::TempDir,
}

impl Cluster {
    /// Places for `size` nodes; none runs.
    pub fn new(size: u16) -> Cluster {
        let dir = tempfile::tempdir().expect("a directory");
        let peers: BTreeMap<u16, SocketAddr> = (1..=size).map(|id| (id, free_address())).collect();
        let members: Vec<String> = peers.iter().map(|(id, at)| format!("{id}={at}")).collect();
        let node = |(&id, &peer): (&u16, &SocketAddr)| Node {
            id,
            client: free_address(),
            peer,
            data: dir.path().join(format!("n{id}")),
            members: members.join(","),
            cluster_id: 1,
            flags: Vec::new(),
            child: None,
        };
        Cluster { nodes: peers.iter().map(node).collect(), dir }
    }

    /// A cluster that runs and answers.
    pub fn start(size: u16) -> Cluster {
        let mut cluster = Cluster::new(size);
        cluster.nodes.iter_mut().for_each(Node::start);
        cluster.nodes.iter().for_each(Node::await_service);
        cluster
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Node {
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_paxos-node"));
        command.args(["run", "--id", &self.id.to_string(), "--cluster", &self.members]);
        command.args(["--client", &self.client.to_string()]);
        command.args(["--cluster-id", &self.cluster_id.to_string()]);
        command.arg("--data").arg(&self.data).args(&self.flags);
        // Goes with the test, even if that is killed: its pipe ends.
        command.arg("--with-parent").stdin(Stdio::piped()).stdout(Stdio::null());
        command
    }

    /// The same, with so many open files at most.
    pub fn with_files(&self, files: u32) -> Command {
        let command = self.command();
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")]);
        limited.arg(command.get_program()).args(command.get_args());
        limited.stdin(Stdio::piped()).stdout(Stdio::null());
        limited
    }

    /// Has it run with so many open files at most.
    pub fn start_with_files(&mut self, files: u32) {
        let log = File::create(self.data.with_extension("log")).expect("a log file");
        self.child = Some(self.with_files(files).stderr(log).spawn().expect("starts"));
    }

    /// Makes it a cluster of its own, whose only member listens at `peer`.
    pub fn move_to(&mut self, peer: SocketAddr) {
        self.peer = peer;
        self.members = format!("{}={peer}", self.id);
    }

    /// Has it know these nodes from the start, and itself.
    pub fn know(&mut self, others: &[(u16, SocketAddr)]) {
        let mut known: BTreeMap<u16, SocketAddr> = others.iter().copied().collect();
        known.insert(self.id, self.peer);
        let members: Vec<String> = known.iter().map(|(id, at)| format!("{id}={at}")).collect();
        self.members = members.join(",");
    }

    pub fn start(&mut self) {
        let log = self.data.with_extension("log");
        let log = File::options().create(true).append(true).open(log).expect("a log file");
        self.child = Some(self.command().stderr(log).spawn().expect("starts"));
    }

    /// Runs it to its end, which is expected to come by itself.
    pub fn run(&self) -> Output {
        let mut child = self.command().stderr(Stdio::piped()).spawn().expect("starts");
        // It would end with its stdin, and that is not the end that is waited for.
        let _stdin = child.stdin.take();
        child.wait_with_output().expect("ends")
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Kills it at once (SIGKILL), and waits for the end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("may be killed");
            child.wait().expect("ends");
        }
    }

    /// Sends a signal by its name, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(status.success(), "kill -s {name} {pid}");
    }

    /// Waits for the end that something else has brought about.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        let mut child = self.child.take().expect("it runs");
        eventually("the node ends", || child.try_wait().expect("is our child"))
    }

    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("is our child").is_none())
    }

    /// Waits until it serves a linearizable read.
    pub fn await_service(&self) {
        eventually("the node serves reads", || ask(self.client, &["GET", "some key"]).ok());
    }

    /// The fields of `INFO`.
    pub fn info(&self) -> Option<BTreeMap<String, String>> {
        info_of(self.client)
    }

    /// All keys and values of this very node, without asking the others.
    pub fn state(&self) -> Option<BTreeMap<Vec<u8>, Reply>> {
        let mut client = Client::connect(self.client, Duration::from_secs(3)).ok()?;
        client.call(&["READONLY"]).ok()?;
        let Reply::Array(keys) = client.call(&["KEYS", "*"]).ok()? else { return None };
        let pair = |key| match key {
            Reply::Bulk(key) => {
                let name = std::str::from_utf8(&key).expect("the tests' keys are text");
                Some((key.to_vec(), client.call(&["GET", name]).ok()?))
            }
            _ => None,
        };
        keys.into_iter().map(pair).collect()
    }

    /// A field of `INFO`, as a number.
    pub fn count(&self, field: &str) -> Option<u64> {
        self.info()?.get(field)?.parse().ok()
    }

    /// Its memory in use now, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a field");
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
        kib << 10
    }

    /// Everything it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.data.with_extension("log")).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- node {} ----\n{}", self.id, self.log());
        }
    }
}

/// The fields of `INFO`.
pub fn info_of(address: SocketAddr) -> Option<BTreeMap<String, String>> {
    let Reply::Bulk(text) = ask(address, &["INFO"]).ok()? else { return None };
    let text = String::from_utf8(text.to_vec()).ok()?;
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    Some(fields.map(|(name, value)| (name.into(), value.trim().into())).collect())
}

/// An address that nobody listens at, and below the range from which the system
/// takes ports for outgoing connections: it stays free while a node is down.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 400) as u16 * 50;
    loop {
        let port = 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
