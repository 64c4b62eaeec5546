//! The life of a cluster in two minutes: it grows, replaces every node that it was
//! founded by, and shrinks, and then one of its nodes loses its directory, another has
//! bytes flipped in its log, and the disk of a third fills up. All of it under load, and
//! with clients that check what they see.
//!
//! `cargo bench -p driver-mio --bench stories`

#[path = "../tests/support/mod.rs"]
mod nodes;
mod support;

use std::fs;
use std::net::SocketAddr;

use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Parser;
use driver_mio::args::Server;
use driver_mio::resp::Reply;
use driver_sim::linear::zones;

use nodes::client::{Client, ask};
use nodes::load::{Load as Checked, lock};
use nodes::node::{Cluster, Node};
use nodes::small_disk::Small;
use support::load::{Load, value_of};
use support::{Outcome, machine, wait_for, watch_signals};

#[derive(Parser)]
#[command(about = "Tells what becomes of a cluster whose nodes come, go and break under load")]
struct Options {
    /// Connections that write and count what is acknowledged
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    writers: u32,
    /// Leave redis-benchmark out even if it is installed
    #[arg(long)]
    quiet: bool,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        println!("a measurement, not a test; it runs with `cargo bench` (or with --bench)");
        return ExitCode::SUCCESS;
    }
    match tell(&options) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(lost) => {
            eprintln!("stories: {lost} values are lost, or what was read is not linearizable");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("stories: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Tells everything, and how much was lost.
fn tell(options: &Options) -> Outcome<usize> {
    watch_signals()?;
    let mut story = Story::begin(options)?;
    println!("\n{}\n", machine::describe(story.cluster.dir()));
    println!("| what happened | s | worst pause ms | healed after s |");
    println!("|:--|--:|--:|--:|");
    story.chapter("three nodes, nothing happens", |_| Ok(()))?;
    story.chapter("n4 and n5 are added", |story| {
        [4, 5].into_iter().try_for_each(|id| story.add(id))
    })?;
    for (old, new) in [(1, 6), (2, 7), (3, 8)] {
        let what = format!("n{new} takes the place of n{old}, which goes");
        story.chapter(&what, |story| story.replace(old, new))?;
    }
    story.chapter("n4 and n5 are removed, and go", |story| {
        [4, 5].into_iter().try_for_each(|id| story.remove(id))
    })?;
    story.chapter("n6 is killed, and loses its directory", |story| {
        story.break_node(6, |node| Ok(fs::remove_dir_all(&node.data)?))
    })?;
    story.chapter("n7 is killed, and a byte of its log is flipped", |story| {
        story.break_node(7, flip)
    })?;
    match &story.small {
        Ok(_) => story.chapter("the disk of n8 is full, and then has room again", Story::fill)?,
        Err(why) => println!("| the disk of n8 is full: left out, since {why} | | | |"),
    }
    story.end()
}

/// A byte in the middle of the newest segment that has been written to the end.
fn flip(node: &Node) -> Outcome<()> {
    let mut segments: Vec<_> = fs::read_dir(&node.data)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "wal"))
        .collect();
    segments.sort();
    // The last ones lie ready, and the one before them is in use.
    let segment = segments.iter().rev().nth(3).ok_or("its log is too short to be damaged")?;
    let mut bytes = fs::read(segment)?;
    let middle = bytes.len() / 2;
    let at = (middle..bytes.len()).find(|at| bytes[*at] != 0).ok_or("an empty segment")?;
    bytes[at] ^= 1;
    Ok(fs::write(segment, bytes)?)
}

struct Story {
    cluster: Cluster,
    /// The disk of n8, or why it has none of its own.
    small: Result<Small, String>,
    writers: Load,
    checked: Arc<Checked>,
    clients: Vec<std::thread::JoinHandle<()>>,
    with_redis: bool,
    /// When the chapter was healed, where that is worth telling.
    healed: Option<Duration>,
}

impl Story {
    fn begin(options: &Options) -> Outcome<Story> {
        let mut cluster = Cluster::new(8);
        let small = Small::mount(&cluster.nodes[7].data, SMALL_DISK);
        let founders: Vec<_> = cluster.nodes[..3].iter().map(|node| (node.id, node.peer)).collect();
        for node in &mut cluster.nodes {
            node.know(&founders);
            node.flags = FLAGS.iter().map(|flag| (*flag).into()).collect();
            node.flags.extend((node.id > 3).then(|| "--join".into()));
        }
        cluster.nodes.iter_mut().take(3).for_each(Node::start);
        cluster.nodes.iter().take(3).for_each(Node::await_service);
        let servers = cluster.nodes.iter().map(|node| server(node.client)).collect();
        let addresses = cluster.nodes.iter().map(|node| node.client).collect();
        let checked = Arc::new(Checked::new(addresses));
        let with_redis =
            !options.quiet && Command::new("redis-benchmark").arg("-v").output().is_ok();
        Ok(Story {
            clients: checked.spawn(CHECKED_CLIENTS, SEED),
            writers: Load::start(servers, options.writers as usize),
            cluster,
            small,
            checked,
            with_redis,
            healed: None,
        })
    }

    /// Lets something happen, and prints what came of it.
    fn chapter(
        &mut self,
        what: &str,
        happens: impl FnOnce(&mut Story) -> Outcome<()>,
    ) -> Outcome<()> {
        let redis = self.start_redis();
        self.await_writes()?;
        self.writers.take_longest_gap();
        let begun = Instant::now();
        happens(self)?;
        self.await_writes()?;
        let pause = self.writers.take_longest_gap().as_secs_f64() * 1000.0;
        let took = begun.elapsed().as_secs_f64();
        let healed = self
            .healed
            .take()
            .map_or_else(String::new, |after| format!("{:.1}", after.as_secs_f64()));
        println!("| {what} | {took:.1} | {pause:.0} | {healed} |");
        drop(redis);
        Ok(())
    }

    /// Waits until writes have been acknowledged for a while.
    fn await_writes(&self) -> Outcome<()> {
        let enough = self.writers.acknowledged() + WRITES_BETWEEN;
        wait_for("writes are acknowledged", || {
            (self.writers.acknowledged() >= enough).then_some(())
        })
    }

    /// Its load, on one of the nodes that will be there for the longest time.
    fn start_redis(&mut self) -> Option<Redis> {
        let last =
            self.cluster.nodes.iter_mut().rev().find(|node| node.data.exists() && node.id != 8);
        let port = last.filter(|_| self.with_redis)?.client.port().to_string();
        let words =
            ["-t", "set,get", "-n", "100000000", "-c", "4", "-d", "64", "-r", "10000", "-q"];
        let child = Command::new("redis-benchmark")
            .args(["-p", &port])
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        child.ok().map(Redis)
    }

    fn node(&mut self, id: u16) -> &mut Node {
        &mut self.cluster.nodes[usize::from(id) - 1]
    }

    /// Has whoever leads change the members, however often it takes.
    fn order(&mut self, words: &[&str]) -> Outcome<()> {
        let nodes = &mut self.cluster.nodes;
        wait_for(&words.join(" "), || {
            let running: Vec<_> =
                nodes.iter_mut().filter_map(|node| node.is_running().then_some(&*node)).collect();
            let leader = running.iter().filter_map(|node| node.count("leader_id")).next()?;
            let leader = running.iter().find(|node| u64::from(node.id) == leader)?;
            let mut client = Client::connect(leader.client, nodes::PATIENCE).ok()?;
            let words = [&["PAXOS"], words].concat();
            (client.call(&words).ok()? == Reply::Simple("OK".into())).then_some(())
        })
    }

    fn add(&mut self, id: u16) -> Outcome<()> {
        self.node(id).start();
        let peer = self.node(id).peer.to_string();
        self.order(&["ADD", &id.to_string(), &peer])
    }

    fn replace(&mut self, old: u16, new: u16) -> Outcome<()> {
        self.node(new).start();
        let peer = self.node(new).peer.to_string();
        self.order(&["REPLACE", &old.to_string(), &new.to_string(), &peer])?;
        self.let_go(old)
    }

    fn remove(&mut self, id: u16) -> Outcome<()> {
        self.order(&["REMOVE", &id.to_string()])?;
        self.let_go(id)
    }

    /// Ends a node that is no member any more, once the change is in force.
    fn let_go(&mut self, id: u16) -> Outcome<()> {
        // The node itself may never hear of it: nobody owes it news any more.
        wait_for("the change is in force", || {
            let (chosen, since) = (self.newest("chosen_slot"), self.newest("members_slot"));
            (chosen.ok()? >= since.ok()?).then_some(())
        })?;
        let node = self.node(id);
        node.signal("TERM");
        wait_for("the node has ended", || (!node.is_running()).then_some(()))?;
        node.kill();
        // Nobody is to be taken for it by mistake.
        fs::remove_dir_all(&node.data)?;
        Ok(())
    }

    /// Kills a node, breaks it, starts it, and waits until it votes again and has all.
    fn break_node(&mut self, id: u16, broken: impl FnOnce(&Node) -> Outcome<()>) -> Outcome<()> {
        let version = self.newest("members_version")?;
        let node = self.node(id);
        node.kill();
        broken(node)?;
        node.start();
        let begun = Instant::now();
        let node = &self.cluster.nodes[usize::from(id) - 1];
        wait_for("its new disk is taken up", || {
            let is_bound = node.count("members_version")? > version;
            (is_bound && node.count("chosen_slot")? >= node.count("members_slot")?).then_some(())
        })?;
        self.await_level(id)?;
        self.healed = Some(begun.elapsed());
        Ok(())
    }

    /// Fills the disk of n8 until it says so, and gives the room back.
    fn fill(&mut self) -> Outcome<()> {
        let Ok(small) = &self.small else { return Ok(()) };
        small.fill();
        let node = &self.cluster.nodes[7];
        wait_for("it notices", || (node.count("disk_full")? == 1).then_some(()))?;
        self.await_writes()?;
        small.empty();
        let begun = Instant::now();
        wait_for("it has room", || (node.count("disk_full")? == 0).then_some(()))?;
        self.await_level(8)?;
        self.healed = Some(begun.elapsed());
        Ok(())
    }

    /// Waits until a node has what was chosen when it was looked at first.
    fn await_level(&self, id: u16) -> Outcome<()> {
        let chosen = self.newest("chosen_slot")?;
        let node = &self.cluster.nodes[usize::from(id) - 1];
        wait_for("it is level", || (node.count("delivered_slot")? >= chosen).then_some(()))
    }

    /// The highest that any node says.
    fn newest(&self, field: &str) -> Outcome<u64> {
        let told = self.cluster.nodes.iter().filter(|node| node.data.exists());
        let highest = told.filter_map(|node| node.count(field)).max();
        highest.ok_or_else(|| format!("no node tells its {field}").into())
    }

    /// Ends the load, and reads at each node that is left whatever was acknowledged.
    fn end(self) -> Outcome<usize> {
        let Story { cluster, small, writers, checked, clients, .. } = self;
        let ledgers = writers.stop();
        checked.stop();
        clients.into_iter().for_each(|client| client.join().expect("no client panics"));
        let written: Vec<&String> = ledgers.iter().flat_map(|l| &l.acknowledged).collect();
        let kept = lock(&checked.kept).clone();
        let mut lost = 0;
        for node in &cluster.nodes[5..] {
            for batch in written.chunks(KEYS_READ_AT_ONCE) {
                let keys: Vec<&str> = batch.iter().map(|key| key.as_str()).collect();
                let values: Vec<Reply> = keys.iter().map(|k| Reply::bulk(value_of(k))).collect();
                lost += missing(node.client, &keys, &values)?;
            }
            for batch in kept.chunks(KEYS_READ_AT_ONCE) {
                let keys: Vec<&str> = batch.iter().map(String::as_str).collect();
                lost += missing(node.client, &keys, &vec![Reply::bulk("v"); keys.len()])?;
            }
        }
        println!(
            "\nWrites acknowledged: {}; lost: {lost} (each was read at the three nodes left).",
            written.len() + kept.len()
        );
        let mut wrong = 0;
        for (key, operations) in lock(&checked.history).clone().split(|input| input) {
            let verdict = zones::check(&operations);
            if !verdict.is_linearizable() {
                wrong += 1;
                println!("{key}: {verdict:?}");
            }
        }
        let done = checked.done.load(Ordering::Relaxed);
        println!(
            "Reads and writes that were checked to be linearizable: {done}; wrong keys: {wrong}."
        );
        drop((cluster, small));
        Ok(lost + wrong)
    }
}

/// How many of these keys have other values at this node.
fn missing(node: SocketAddr, keys: &[&str], values: &[Reply]) -> Outcome<usize> {
    let words = [&["MGET"], keys].concat();
    let found = wait_for("the node serves reads", || match ask(node, &words).ok()? {
        Reply::Array(found) if found.len() == keys.len() => Some(found),
        _ => None,
    })?;
    Ok(found.iter().zip(values).filter(|(found, value)| found != value).count())
}

fn server(at: SocketAddr) -> Server {
    let (host, port) = (at.ip().to_string(), at.port());
    Server { host, port, silence_max: Some(SILENCE_MAX) }
}

/// A child that ends with the value.
struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended, when its node has.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Checkpoints come often enough that what joins is brought level by images.
const FLAGS: &[&str] = &[
    "--checkpoint-slots",
    "50000",
    "--checkpoint-bytes",
    "33554432",
    "--segment-bytes",
    "2097152",
];
const SMALL_DISK: &str = "256m";
/// The seed of the clients; real processes make the rest of the run different each time.
const SEED: u64 = 20_260_103;
const CHECKED_CLIENTS: u64 = 2;
/// Writes of the writers that must be acknowledged before something happens, and after.
const WRITES_BETWEEN: u64 = 2000;
/// More than the two seconds after which a node answers "unknown".
const SILENCE_MAX: Duration = Duration::from_millis(2500);
const KEYS_READ_AT_ONCE: usize = 500;
