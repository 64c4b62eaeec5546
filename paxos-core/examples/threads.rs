//! Three nodes, a thread each, channels between them, and a log file each that a
//! thread of its own writes and syncs. What piles up during a sync goes out with
//! the next: many batches, one sync. At the end the files are read back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::{error::Error, fs, io::Write, path::Path, thread, time};

use paxos_core::codec::wal::{Draft, Expected, Owner, Segment, Start, Tail, scan};
use paxos_core::effect::{Effect, Effects, Input, Outcome};
use paxos_core::log::{Batch, Durable};
use paxos_core::quorum::Membership;
use paxos_core::types::*;
use paxos_core::{Config, GroupConfig, Node};

const GROUP: GroupId = GroupId(0);
const IDS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
const COMMANDS: u64 = 300;
const IN_FLIGHT: u64 = 8;
/// Of all three toy logs; what lets a real node refuse another's files.
const OWNER: Owner = Owner { cluster: 1, node: NodeId(1) };
const EMPTY: Expected = Expected { owner: OWNER, start: Start::FIRST, made: 0 };
static STOP: AtomicBool = AtomicBool::new(false);

/// One node's loop; tells the client of every answer.
fn run(
    (me, inbox): (NodeId, Receiver<Input>),
    peers: BTreeMap<NodeId, Sender<Input>>,
    disk: Sender<Batch>,
    client: Sender<Outcome>,
) {
    let config = Config {
        node: me,
        incarnation: Incarnation(1),
        disk: 0,
        priority: Config::PRIORITY,
        seed: u64::from(me.0),
        groups: vec![GroupConfig::new(GROUP, Membership::majority(IDS))],
        timing: Timing::default(),
        limits: Limits::default(),
    };
    let mut node = Node::restore(config, Durable::default(), Instant::default()).expect("sound");
    let clock = time::Instant::now();
    let now = || Instant::from_micros(clock.elapsed().as_micros() as u64);
    let mut effects = Effects::new();
    while !STOP.load(Ordering::Relaxed) {
        let wait = node.wake_at().map_or(time::Duration::MAX, |at| at.since(now()));
        let input = inbox.recv_timeout(wait).unwrap_or(Input::Ticked);
        node.step(now(), input, &mut effects);
        for effect in effects.drain() {
            match effect {
                Effect::Send { to, envelope } => {
                    // To a thread that has ended: a message like any that is lost.
                    to.iter().for_each(|p| drop(peers[&p].send(Input::Received(envelope.clone()))));
                }
                Effect::Persist(batch) => disk.send(batch).expect("the disk outlives its node"),
                Effect::Resolve { first, count, outcome, .. } => {
                    let mut each = outcome.each(first, count);
                    each.try_for_each(|(_, o)| client.send(o)).expect("main waits");
                }
                _ => {} // a state machine would take `Deliver` here
            }
        }
    }
}

/// One disk: gathers what waits, writes one block, syncs, acknowledges the last.
fn write(path: &Path, batches: &Receiver<Batch>, inbox: &Sender<Input>) -> [u64; 2] {
    // A real driver draws the salt at random, and goes on in new segments.
    let segment = Segment { owner: OWNER, seq: 1, salt: 5, sector_bytes: 512, capacity: 4 << 20 };
    let mut file = fs::File::create(path).expect("a new file");
    file.set_len(segment.capacity).expect("some room");
    file.write_all(&segment.encode()).and_then(|()| file.sync_all()).expect("a sound disk");
    let (mut tail, _) = Tail::resume(&scan(EMPTY, []).1, segment, Incarnation(1));
    let (mut draft, mut written, mut syncs) = (Draft::new(), 0, 0);
    while let Ok(mut batch) = batches.recv() {
        draft.clear(1 << 20);
        loop {
            batch.records.iter().for_each(|record| draft.push(record).expect("a short block"));
            written += 1;
            let Ok(next) = batches.try_recv() else { break };
            batch = next;
        }
        let bytes = tail.seal(&mut draft).bytes;
        file.write_all(bytes).and_then(|()| file.sync_data()).expect("a sound disk");
        syncs += 1;
        drop(inbox.send(Input::Persisted(batch.id)));
    }
    [written, syncs]
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = |id: NodeId| folder.path().join(format!("{id}.wal"));
    let (client, answers) = channel();
    let mut outcomes = Vec::new();
    let ends = IDS.map(|id| (id, channel::<Input>()));
    let peers: BTreeMap<_, _> = ends.iter().map(|(id, (to, _))| (*id, to.clone())).collect();
    thread::scope(|scope| {
        for (id, (to_me, inbox)) in ends {
            let (disk, batches) = channel();
            let (peers, client, path) = (peers.clone(), client.clone(), path(id));
            scope.spawn(move || run((id, inbox), peers, disk, client));
            scope.spawn(move || {
                let [batches, syncs] = write(&path, &batches, &to_me);
                println!("{id} made {batches} batches durable in {syncs} syncs");
            });
        }
        for i in 0..COMMANDS {
            let commands = Command::plain(format!("command {i}").into()).into();
            let input = Input::Proposed { group: GROUP, first: ProposalId(i), commands };
            peers[&IDS[i as usize % 3]].send(input).expect("nodes run until they are stopped");
            outcomes.extend((i >= IN_FLIGHT).then(|| answers.recv().expect("nodes answer")));
        }
        outcomes.extend(answers.iter().take(IN_FLIGHT as usize));
        STOP.store(true, Ordering::Relaxed);
    });
    let chosen = outcomes.iter().filter(|o| matches!(o, Outcome::Chosen(_))).count();
    println!("{chosen} of {COMMANDS} commands were answered as chosen");
    let mut holders = 0;
    for id in IDS {
        let bytes = fs::read(path(id))?;
        let (blocks, log) = scan(Expected { made: 1, ..EMPTY }, [(1, &bytes[..])]);
        let mut durable = Durable::default();
        blocks.into_iter().flat_map(|b| b.records).try_for_each(|r| durable.replay(r))?;
        let end = durable.group(GROUP).map_or(Slot::FIRST, |g| g.log().end());
        println!("{id} holds votes below slot {end} in a {:?} log", log.verdict);
        holders += usize::from(end.0 > chosen as u64);
    }
    assert!(holders >= 2, "what was chosen must be on a quorum of disks");
    Ok(())
}
