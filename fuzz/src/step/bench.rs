//! The node on the bench: every input goes through here, every order is checked.

use std::collections::VecDeque;

use paxos_core::effect::{Effect, Effects, Input, Notice};
use paxos_core::message::{Envelope, Message};
use paxos_core::quorum::NodeSet;
use paxos_core::types::{Ballot, GroupId, Instant, NodeId, Slot};
use paxos_core::{Node, Standing};

use super::Listener;
use super::disk::Disk;
use super::jury::Jury;
use super::ledger::{Ledger, check_spelling};
use super::questions::Questions;
use super::setting::{GROUPS, ME, Setting};
use super::source::Source;
use super::vault::{Done, Vault};
use super::watch::{Watch, check_memory};

/// How many messages of the node can still be answered.
const SENT_MAX: usize = 16;

/// A node, its disk, and everything that it has said.
pub(super) struct Bench<'a> {
    pub(super) setting: Setting,
    pub(super) node: Node,
    pub(super) now: Instant,
    pub(super) life: u64,
    pub(super) disk: Disk,
    pub(super) questions: Questions,
    pub(super) vaults: [Vault; 2],
    /// What the node has said last, and to whom.
    pub(super) sent: VecDeque<(NodeId, Envelope)>,
    /// Everyone who was ever a member of anything, as far as the node was told.
    acquainted: NodeSet,
    ledger: Ledger,
    jury: Jury,
    watches: [Watch; 2],
    effects: Effects,
    steps: u64,
    listener: &'a mut dyn Listener,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        setting: Setting,
        first_handle: u64,
        listener: &'a mut dyn Listener,
    ) -> Bench<'a> {
        let now = Instant::from_micros(1_000_000);
        let disk = Disk::default();
        let config = setting.config(1, [Slot::FIRST; 2], Default::default());
        let node = Node::restore(config, disk.durable().clone(), now).expect("a sound setting");
        let mut bench = Bench {
            setting,
            node,
            now,
            life: 1,
            disk,
            questions: Questions::new(first_handle),
            vaults: [Vault::new(GROUPS[0]), Vault::new(GROUPS[1])],
            sent: VecDeque::new(),
            acquainted: NodeSet::EMPTY,
            ledger: Ledger::default(),
            jury: Jury::default(),
            watches: [Watch::default(); 2],
            effects: Effects::new(),
            steps: 0,
            listener,
        };
        bench.watch_anew([Slot::FIRST; 2]);
        bench
    }

    /// Gives the node one fact, and checks all that it orders.
    pub(super) fn step(&mut self, input: Input) {
        self.listener.on_input(self.now, &input);
        self.jury.on_input(&input);
        self.steps += 1;
        let halted = self.node.is_halted();
        let twin = self.steps.is_multiple_of(4).then(|| (self.node.clone(), input.clone()));
        self.node.step(self.now, input, &mut self.effects);
        if let Some((twin, input)) = twin {
            self.check_twin(twin, input);
        }
        if let Err(broken) = self.node.check() {
            panic!("{broken}");
        }
        assert!(!halted || self.effects.is_empty(), "a halted node gives orders");
        assert!(self.effects.len() <= self.setting.effects_max(), "{} orders", self.effects.len());
        for replica in self.node.groups() {
            self.acquainted = self.acquainted.or(replica.schedule().everyone(Slot::FIRST));
        }
        let orders: Vec<Effect> = self.effects.drain().collect();
        for order in orders {
            self.carry_out(order);
        }
        for (watch, group) in self.watches.iter_mut().zip(GROUPS) {
            let replica = self.node.group(group).expect("a configured group");
            watch.check(replica, self.disk.written());
        }
        let held_max = self.setting.limits.held_pledges_max;
        assert!(self.node.held_pledges() <= held_max, "more pledges held than the bound");
        let counted = halted || self.node.writes() == self.disk.writes();
        assert!(counted, "the gate miscounts");
    }

    /// Whether a peer can know of this ballot of the node's.
    pub(super) fn has_asked(&self, group: GroupId, ballot: Ballot) -> bool {
        self.ledger.has_asked(group, ballot, self.life)
    }

    /// Makes `count` batches durable and says so.
    pub(super) fn sync(&mut self, count: usize) {
        if let Some(write) = self.disk.sync(count) {
            self.step(Input::Persisted(write));
        }
    }

    /// Makes everything durable, also what the node orders because of it.
    pub(super) fn sync_all(&mut self) {
        for _ in 0..64 {
            let Some(write) = self.disk.sync(usize::MAX) else { return };
            self.step(Input::Persisted(write));
        }
        panic!("a sync leads to another for ever");
    }

    /// Lets the vault of one group do something, and says what.
    pub(super) fn work(&mut self, at: usize, source: &mut Source<'_>) {
        // Nobody acts on what a halted node has ordered.
        if self.node.is_halted() {
            return;
        }
        match self.vaults[at].work(source) {
            Some(Done::Told(input)) => self.step(input),
            Some(Done::Installed(image)) => {
                self.watches[at].on_installed(&image);
                self.step(Input::Installed { group: GROUPS[at], image: image.id() });
            }
            None => {}
        }
    }

    /// Lets every vault do all that it was ordered, soundly.
    pub(super) fn work_all(&mut self) {
        for at in 0..self.vaults.len() {
            for _ in 0..64 {
                self.work(at, &mut Source::new(&[]));
            }
            let idle = self.vaults[at].is_idle() || self.node.is_halted();
            assert!(idle, "what a vault does leads to more for ever");
        }
    }

    /// Loses the images of every group that can have them sent.
    pub(super) fn lose_images(&mut self) {
        for (vault, group) in self.vaults.iter_mut().zip(GROUPS) {
            let me: NodeSet = [ME].into_iter().collect();
            let alone = self.setting.membership(group).voters().without(me).is_empty();
            vault.crash(!alone);
        }
    }

    /// Loses the memory and what was not synced, and starts again. A machine that
    /// keeps its own state goes on from where it was.
    pub(super) fn restart(&mut self, machines_keep: bool) {
        self.listener.on_restart(self.now);
        check_memory(&self.node, self.disk.written());
        self.disk.crash();
        self.questions.forget();
        self.life += 1;
        self.jury = Jury::default();
        let covered = |vault: &Vault| vault.newest().map_or(Slot::FIRST, |i| i.checkpoint.below);
        let [first, second] = &mut self.vaults;
        first.crash(false);
        second.crash(false);
        let covered = [covered(first), covered(second)];
        let found = [&*first, &*second].map(|v| (v.newest().cloned(), v.partial()));
        let applied = match machines_keep {
            true => self.watches.map(|w| w.delivered()),
            false => covered,
        };
        let config = self.setting.config(self.life, applied, found);
        let durable = self.disk.durable().clone();
        self.node = Node::restore(config, durable, self.now).expect("a sound setting");
        self.watch_anew(applied);
    }

    fn watch_anew(&mut self, applied: [Slot; 2]) {
        for (at, group) in GROUPS.into_iter().take(2).enumerate() {
            let replica = self.node.group(group).expect("a configured group");
            assert!(replica.promised() >= self.ledger.bound(group), "a restart forgets a promise");
            assert_eq!(replica.standing(), Standing::Follower, "begins with an office");
            self.watches[at] = Watch::starting(replica, applied[at]);
            self.watches[at].check(replica, self.disk.written());
        }
    }

    /// The same fact in the same state at the same time: the same orders and state.
    fn check_twin(&self, mut twin: Node, input: Input) {
        let mut again = Effects::new();
        twin.step(self.now, input, &mut again);
        assert!(again == self.effects, "a step is not a function of its arguments");
        assert!(twin == self.node, "a step is not a function of its arguments");
        assert_eq!(twin.state_hash(), self.node.state_hash(), "equal states, different sums");
    }

    fn carry_out(&mut self, order: Effect) {
        self.listener.on_order(self.now, &order);
        if let Some(replica) = about(&order).and_then(|group| self.node.group(group)) {
            let members = (replica.schedule(), replica.chosen());
            self.jury.on_order(&order, self.disk.durable(), members);
        }
        match order {
            Effect::Send { to, envelope } => {
                let voters = self.acquainted;
                assert!(!to.is_empty() && !to.contains(ME), "a message to nobody or to itself");
                // A stranger is answered, and asked for what it says it has; one that leads
                // may be a member that we do not know of yet.
                let answer = matches!(
                    envelope.message,
                    Message::ProbeAck(_)
                        | Message::Promise(_)
                        | Message::Accepted(_)
                        | Message::HeartbeatAck(_)
                        | Message::Reject(_)
                        | Message::Entries(_)
                        | Message::Fetch(_)
                        | Message::Offer(_)
                        | Message::Pull(_)
                        | Message::Piece(_)
                        | Message::Audited(_)
                        | Message::Confirmed(_)
                        | Message::Forward(_)
                        | Message::ReadRequest(_)
                );
                let known = answer || to.without(voters).is_empty();
                assert!(known, "a {} to a stranger", envelope.message.name());
                assert_eq!(envelope.from, ME, "a message under another's name");
                check_spelling(&envelope, &self.setting);
                self.ledger.on_sent(&envelope, self.disk.durable(), self.life);
                for peer in to.iter() {
                    self.sent.push_front((peer, envelope.clone()));
                }
                self.sent.truncate(SENT_MAX);
            }
            Effect::Persist(batch) => self.disk.append(batch),
            Effect::Deliver { group, run } => {
                let at = GROUPS.iter().position(|g| *g == group).expect("a configured group");
                let replica = self.node.group(group).expect("a configured group");
                for (slot, value) in run.iter() {
                    self.watches[at].on_delivered(replica, slot, value);
                }
            }
            Effect::Capture { group, .. }
            | Effect::Load { group, .. }
            | Effect::Store { group, .. }
            | Effect::Install { group, .. } => {
                let at = GROUPS.iter().position(|g| *g == group).expect("a configured group");
                if let Effect::Capture { checkpoint, .. } = &order {
                    self.watches[at].on_capture(checkpoint);
                }
                self.vaults[at].order(order, &self.setting.limits);
            }
            Effect::Resolve { group, first, count, outcome } => {
                for (proposal, _) in outcome.each(first, count) {
                    self.questions.on_resolved(group, proposal);
                }
            }
            Effect::Serve { group, query, at } => {
                let replica = self.node.group(group).expect("a configured group");
                assert!(at <= replica.delivered(), "a read before its index");
                self.questions.on_query_answered(group, query);
            }
            Effect::Decline { group, query, .. } => {
                self.questions.on_query_answered(group, query);
            }
            Effect::Note(Notice::TransferEnded { group, to, .. }) => {
                self.questions.on_transfer_ended(group, to);
            }
            Effect::Note(_) => {}
            Effect::Halt(_) => {
                assert!(self.node.is_halted() && self.node.wake_at().is_none(), "half a halt");
            }
        }
    }
}

/// The group that a claim of the node is about.
fn about(order: &Effect) -> Option<GroupId> {
    match order {
        Effect::Note(Notice::Leading { group, .. }) | Effect::Resolve { group, .. } => Some(*group),
        _ => None,
    }
}
