//! Three nodes in one thread: a queue is the network, a vector each disk.
//!
//! Five commands are chosen while one node is down; it comes back with what its
//! disk holds, catches up, and all three logs are the same.

use std::collections::VecDeque;
use std::error::Error;

use paxos_core::effect::{Effect, Effects, Input};
use paxos_core::log::{Durable, Record};
use paxos_core::quorum::Membership;
use paxos_core::types::{
    Command, GroupId, Incarnation, Instant, Limits, NodeId, ProposalId, Timing, Value,
};
use paxos_core::{Config, GroupConfig, Node};

const GROUP: GroupId = GroupId(0);
const IDS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

/// One machine: its disk survives a crash, its node and what it applied do not.
#[derive(Default)]
struct Machine {
    disk: Vec<Record>,
    starts: u64,
    /// None while it is down.
    node: Option<Node>,
    applied: Vec<String>,
}

#[derive(Default)]
struct World {
    machines: [Machine; 3],
    inbox: VecDeque<(NodeId, Input)>,
    now: Instant,
}

impl World {
    fn start(&mut self, id: NodeId) -> Result<(), Box<dyn Error>> {
        let machine = &mut self.machines[usize::from(id.0) - 1];
        machine.starts += 1;
        machine.applied.clear();
        let mut durable = Durable::default();
        machine.disk.iter().try_for_each(|record| durable.replay(record.clone()))?;
        let config = Config {
            node: id,
            incarnation: Incarnation(machine.starts),
            disk: 0,
            priority: Config::PRIORITY,
            seed: u64::from(id.0),
            groups: vec![GroupConfig::new(GROUP, Membership::majority(IDS))],
            timing: Timing::default(),
            limits: Limits::default(),
        };
        machine.node = Some(Node::restore(config, durable, self.now)?);
        Ok(())
    }

    fn crash(&mut self, id: NodeId) {
        self.machines[usize::from(id.0) - 1].node = None;
    }

    /// Goes on until everyone who is up has applied `count` commands.
    fn run_until_applied(&mut self, count: usize) {
        let mut effects = Effects::new();
        let behind = |m: &Machine| m.node.is_some() && m.applied.len() < count;
        while self.machines.iter().any(behind) {
            let Some((at, input)) = self.inbox.pop_front() else {
                self.sleep();
                continue;
            };
            let machine = &mut self.machines[usize::from(at.0) - 1];
            let Some(node) = &mut machine.node else { continue };
            node.step(self.now, input, &mut effects);
            for effect in effects.drain() {
                match effect {
                    Effect::Send { to, envelope } => {
                        let copies = to.iter().map(|id| (id, Input::Received(envelope.clone())));
                        self.inbox.extend(copies);
                    }
                    Effect::Persist(batch) => {
                        machine.disk.extend(batch.records);
                        self.inbox.push_back((at, Input::Persisted(batch.id)));
                    }
                    Effect::Deliver { run, .. } => {
                        machine.applied.extend(run.iter().filter_map(|(_, value)| word(value)));
                    }
                    Effect::Resolve { outcome, .. } => println!("{} {at}: {outcome:?}", self.now),
                    Effect::Note(notice) => println!("{} {at}: {notice:?}", self.now),
                    _ => {}
                }
            }
        }
    }

    /// Nothing to do: time goes on to the first deadline.
    fn sleep(&mut self) {
        let nodes = self.machines.iter().filter_map(|m| m.node.as_ref());
        self.now = nodes.filter_map(Node::wake_at).min().unwrap_or(self.now).max(self.now);
        self.inbox.extend(IDS.map(|id| (id, Input::Ticked)));
    }
}

fn word(value: &Value) -> Option<String> {
    let Value::Command(command) = value else { return None };
    Some(String::from_utf8_lossy(&command.payload).into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut world = World::default();
    IDS.into_iter().try_for_each(|id| world.start(id))?;
    world.crash(NodeId(3));
    for (i, word) in ["sing", "goddess", "of", "the", "anger"].into_iter().enumerate() {
        let commands = Command::plain(word.into()).into();
        let proposed = Input::Proposed { group: GROUP, first: ProposalId(i as u64), commands };
        world.inbox.push_back((NodeId(1), proposed));
    }
    world.run_until_applied(5);
    world.start(NodeId(3))?;
    world.run_until_applied(5);
    for (id, machine) in IDS.iter().zip(&world.machines) {
        println!("{id} after {} start(s): {}", machine.starts, machine.applied.join(" "));
        assert_eq!(machine.applied, world.machines[0].applied);
    }
    Ok(())
}
