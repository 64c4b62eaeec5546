//! Three nodes in one thread, with slow disks and a slow network; sound, or broken on purpose.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use paxos_core::effect::{Effect, Effects, Input};
use paxos_core::log::{Batch, Durable};
use paxos_core::quorum::Membership;
use paxos_core::types::{
    Command, GroupId, Incarnation, Instant, Limits, NodeId, ProposalId, Slot, Timing,
};
use paxos_core::{Config, GroupConfig, Node};

use super::flawed::Flaw;
use super::{Answer, Cluster, Event};
use crate::choice::{Choice, Seeded};

const GROUP: GroupId = GroupId(0);
const NODES: u16 = 3;

/// One machine: what is on its disk survives, and nothing else.
#[derive(Debug, Default)]
struct Machine {
    disk: Vec<Batch>,
    /// On their way to the disk.
    queue: VecDeque<Batch>,
    /// When the disk is done with the last of them (µs).
    busy_until: u64,
    /// What the machine has applied, durably.
    applied: Slot,
    lives: u64,
    node: Option<Node>,
    /// What clients have sent since its last turn, in rows of tokens that count up.
    clients: Vec<(ProposalId, Vec<Command>)>,
}

/// Something that is due.
#[derive(Debug)]
enum Due {
    Input(Input),
    Synced,
}

#[derive(Debug)]
pub(super) struct Three {
    flaw: Flaw,
    choice: Seeded,
    machines: BTreeMap<NodeId, Machine>,
    /// By time (µs) and number: where, in which life, and what.
    agenda: BTreeMap<(u64, u64), (NodeId, u64, Due)>,
    numbers: u64,
    now: u64,
    /// Whether machines go on where they were, or begin anew.
    is_lasting: bool,
    told: Vec<Event>,
    /// Answers and deliveries so far.
    count: u32,
}

impl Three {
    pub(super) fn new(flaw: Flaw, seed: u64) -> Three {
        let machines = (1..=NODES).map(|id| (NodeId(id), Machine::default())).collect();
        let (agenda, told) = (BTreeMap::new(), Vec::new());
        let (choice, is_lasting) = (Seeded::new(seed), seed.is_multiple_of(2));
        Three { flaw, choice, machines, agenda, numbers: 0, now: 0, is_lasting, told, count: 0 }
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn machine(&mut self, id: NodeId) -> &mut Machine {
        self.machines.get_mut(&id).expect("one of the three")
    }

    /// Whether this is one of the few that a flaw is about.
    fn is_odd(&mut self) -> bool {
        self.count += 1;
        self.count.is_multiple_of(7)
    }

    fn at(&mut self, time: u64, id: NodeId, due: Due) {
        let life = self.machine(id).lives;
        self.numbers += 1;
        self.agenda.insert((time, self.numbers), (id, life, due));
    }

    fn step(&mut self, id: NodeId, input: Input) {
        let now = Instant::from_micros(self.now);
        let mut effects = Effects::new();
        let Some(node) = &mut self.machine(id).node else { return };
        node.step(now, input, &mut effects);
        effects.drain().for_each(|effect| self.carry_out(id, effect));
    }

    fn carry_out(&mut self, id: NodeId, effect: Effect) {
        match effect {
            Effect::Send { to, envelope } => {
                for peer in to.iter() {
                    let peer = match self.flaw {
                        Flaw::MistakesPeers => NodeId(peer.0 % NODES + 1),
                        _ => peer,
                    };
                    let is_deaf = self.is(Flaw::StaysDeaf) && self.machine(peer).lives > 1;
                    let late = self.choice.range(100..=2_000);
                    if !is_deaf && !self.choice.chance(10_000) {
                        let due = Due::Input(Input::Received(envelope.clone()));
                        self.at(self.now + late, peer, due);
                    }
                }
            }
            Effect::Persist(batch) => self.persist(id, batch),
            Effect::Deliver { run, .. } => {
                let mut events = Vec::from_iter(Event::delivered(id, &run));
                let end = run.iter().last().map(|(slot, _)| slot.next());
                let machine = self.machine(id);
                machine.applied = machine.applied.max(end.expect("no run is empty"));
                if self.is(Flaw::TurnsRunsRound) {
                    events.reverse();
                }
                events.into_iter().for_each(|event| self.deliver(event));
            }
            Effect::Resolve { first, count, outcome, .. } => {
                let count = if self.is(Flaw::AnswersTheFirst) { 1 } else { count };
                Event::answered(first, count, outcome).for_each(|event| self.answer(event));
            }
            _ => {}
        }
    }

    fn persist(&mut self, id: NodeId, batch: Batch) {
        let wait = self.choice.range(200..=4_000);
        let (now, is_early) = (self.now, self.is(Flaw::AcksTheQueue));
        let write = batch.id;
        let machine = self.machine(id);
        machine.queue.push_back(batch);
        machine.busy_until = machine.busy_until.max(now) + wait;
        let due = machine.busy_until;
        if is_early {
            self.at(now, id, Due::Input(Input::Persisted(write)));
        }
        self.at(due, id, Due::Synced);
    }

    fn synced(&mut self, id: NodeId) {
        let takes_the_newest = self.is(Flaw::TakesTheNewest);
        let queue = &mut self.machine(id).queue;
        let batch = if takes_the_newest { queue.pop_back() } else { queue.pop_front() };
        let Some(batch) = batch else { return };
        let write = batch.id;
        self.machine(id).disk.push(batch);
        if !self.is(Flaw::AcksTheQueue) {
            self.step(id, Input::Persisted(write));
        }
    }

    fn deliver(&mut self, event: Event) {
        let Event::Delivered { node, slot, mut command } = event else { return };
        let is_odd = self.is_odd();
        match self.flaw {
            Flaw::SkipsADelivery if is_odd => return,
            Flaw::DeliversTwice if is_odd => {
                self.told.push(Event::Delivered { node, slot, command: command.clone() });
            }
            Flaw::CutsCommands if is_odd => command.truncate(9),
            Flaw::DeliversAgainLater if is_odd => {
                let (slot, command) = (slot.next(), command.clone());
                self.told.push(Event::Delivered { node, slot, command });
                return;
            }
            Flaw::MixesUpCommands if is_odd && node == NodeId(2) => {
                command = "command 00000001".into();
            }
            _ => {}
        }
        self.told.push(Event::Delivered { node, slot, command });
    }

    fn answer(&mut self, event: Event) {
        let Event::Answered { token, mut answer } = event else { return };
        let is_odd = self.is_odd();
        match (self.flaw, answer) {
            (Flaw::DropsAnAnswer, _) if is_odd => return,
            (Flaw::AnswersTwice, _) if is_odd => self.told.push(Event::Answered { token, answer }),
            (Flaw::TakesUnknownForNothing, Answer::Unknown) => answer = Answer::Nothing,
            (Flaw::TakesUnknownForChosen, Answer::Unknown) => answer = Answer::Chosen(Slot(9)),
            (Flaw::NamesAnotherSlot, Answer::Chosen(slot)) if is_odd => {
                answer = Answer::Chosen(slot.next());
            }
            _ => {}
        }
        self.told.push(Event::Answered { token, answer });
    }
}

impl Cluster for Three {
    fn nodes(&self) -> Vec<NodeId> {
        self.machines.keys().copied().collect()
    }

    fn start(&mut self, id: NodeId) -> Result<Slot, String> {
        let (flaw, is_lasting) = (self.flaw, self.is_lasting);
        let now = Instant::from_micros(self.now);
        let machine = self.machine(id);
        machine.lives += 1;
        machine.busy_until = 0;
        if !is_lasting {
            machine.applied = Slot::FIRST;
        }
        if flaw == Flaw::ForgetsTheLog {
            machine.disk.clear();
        }
        let mut durable = Durable::default();
        for record in machine.disk.iter().flat_map(|batch| &batch.records) {
            durable.replay(record.clone()).map_err(|error| error.to_string())?;
        }
        let is_ahead = flaw == Flaw::RunsAhead && machine.lives > 1;
        let from = machine.applied.plus(if is_ahead { 3 } else { 0 });
        let mut group = GroupConfig::new(GROUP, Membership::majority((1..=NODES).map(NodeId)));
        group.applied = from;
        let config = Config {
            node: id,
            incarnation: Incarnation(machine.lives),
            disk: 0,
            priority: Config::PRIORITY,
            seed: u64::from(id.0),
            groups: vec![group],
            timing: Timing::default(),
            limits: Limits::default(),
        };
        let node = Node::restore(config, durable, now).map_err(|error| error.to_string())?;
        machine.node = Some(node);
        Ok(from)
    }

    fn kill(&mut self, id: NodeId) {
        let survive = self.choice.below(3) as usize;
        let survives = !self.is(Flaw::TakesTheNewest);
        let machine = self.machine(id);
        let queue = std::mem::take(&mut machine.queue);
        // The disk may have been done, without a chance to say so.
        machine.disk.extend(queue.into_iter().take(survive).filter(|_| survives));
        machine.node = None;
        machine.clients.clear();
    }

    fn propose(&mut self, at: NodeId, token: ProposalId, command: Bytes) {
        let clients = &mut self.machine(at).clients;
        match clients.last_mut() {
            Some((first, row)) if first.plus(row.len() as u32) == token => {
                row.push(Command::plain(command));
            }
            _ => clients.push((token, vec![Command::plain(command)])),
        }
    }

    fn run(&mut self, time: Duration) -> Vec<Event> {
        let end = self.now + time.as_micros() as u64;
        for id in self.nodes() {
            for (first, row) in std::mem::take(&mut self.machine(id).clients) {
                let proposed = Input::Proposed { group: GROUP, first, commands: row.into() };
                self.at(self.now, id, Due::Input(proposed));
            }
        }
        loop {
            let due = self.agenda.first_key_value().map(|((at, _), _)| (*at, None));
            let nodes = self.machines.iter().filter(|_| !self.is(Flaw::NeverTicks));
            let wakes = nodes.filter_map(|(id, machine)| {
                let wake = machine.node.as_ref()?.wake_at()?;
                Some((wake.as_micros().max(self.now), Some(*id)))
            });
            let Some((at, wakes)) = wakes.chain(due).min().filter(|(at, _)| *at < end) else {
                self.now = end;
                return std::mem::take(&mut self.told);
            };
            self.now = self.now.max(at);
            if let Some(id) = wakes {
                self.step(id, Input::Ticked);
                continue;
            }
            let (_, (id, life, due)) = self.agenda.pop_first().expect("it is due");
            match due {
                _ if self.machine(id).lives != life || self.machine(id).node.is_none() => {}
                Due::Input(input) => self.step(id, input),
                Due::Synced => self.synced(id),
            }
        }
    }
}
