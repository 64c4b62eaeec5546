//! One node against a world that may say anything.
//!
//! The bytes are a script: who the node is, then one input after the other. Peers,
//! strangers and the node itself say sound and absurd things, disks sync late,
//! processes crash. At the end the world falls silent and only time goes on.
//!
//! What must hold, after every input:
//! - nothing panics, and [`Node::check`](paxos_core::Node::check) finds nothing;
//! - what a pledge says is implied by what is synced, and outlives every crash;
//! - a ballot is asked for in one life only, and carries one value for a slot;
//! - who leads has a quorum of promises, what it calls chosen a quorum of votes;
//! - promises and frontiers never fall; memory and records tell the same;
//! - every proposal and every query is answered once, and at the end all are;
//! - a step gives a bounded number of orders, the same for the same arguments.

mod answer;
mod bench;
mod disk;
mod jury;
mod ledger;
mod pieces;
mod questions;
mod setting;
mod source;
mod vault;
mod watch;
mod words;

use std::time::Duration;

use bench::Bench;
use paxos_core::effect::{Effect, Input};
use paxos_core::message::{Envelope, Message};
use paxos_core::types::{GroupId, Instant, NodeId, WriteId};
use setting::{GROUPS, ME, Setting};
use source::Source;
use words::Words;

/// Inputs of one script at most; what follows is not read.
const INPUTS_MAX: usize = 400;

/// So often the clock goes on at the end even if nobody waits for anything.
const QUIET_TICKS_MIN: usize = 20;

/// Longer than all waits of a proposal together, one after the other.
const QUIET: Duration = Duration::from_secs(10);

/// Plays the script that `data` spells.
///
/// # Panics
/// When a law is broken.
pub fn run(data: &[u8]) {
    run_aloud(data, &mut Deaf);
}

/// Hears what happens in a script, as it happens.
pub trait Listener {
    /// The node is about to take this in.
    fn on_input(&mut self, now: Instant, input: &Input);
    /// The node has ordered this.
    fn on_order(&mut self, now: Instant, order: &Effect);
    /// The node has crashed and is about to start again.
    fn on_restart(&mut self, now: Instant);
}

struct Deaf;

impl Listener for Deaf {
    fn on_input(&mut self, _: Instant, _: &Input) {}
    fn on_order(&mut self, _: Instant, _: &Effect) {}
    fn on_restart(&mut self, _: Instant) {}
}

/// Plays the script that `data` spells, for `listener` to hear.
///
/// # Panics
/// When a law is broken.
pub fn run_aloud(data: &[u8], listener: &mut dyn Listener) {
    let mut source = Source::new(data);
    let setting = Setting::draw(&mut source);
    let first_handle = source.pick(&[1, u64::MAX - 2]);
    let mut bench = Bench::new(setting, first_handle, listener);
    for _ in 0..INPUTS_MAX {
        if source.is_empty() {
            break;
        }
        one_input(&mut bench, &mut source);
    }
    if bench.node.is_halted() {
        bench.restart(true);
    }
    fall_silent(&mut bench);
    bench.questions.assert_none_is_open();
    bench.restart(false);
}

fn one_input(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    // What came later is drawn from what is drawn anyway, so that old scripts still
    // mean about what they meant.
    let choice = source.byte();
    match choice % 16 {
        0..=3 => answered(bench, source),
        4 | 5 => spoken(bench, source),
        6 => tick_at_wake(bench),
        7 => tick_after(bench, source),
        8 | 9 => propose(bench, source),
        10 => {
            let group = source.pick(&GROUPS);
            let query = bench.questions.query(group);
            bench.step(Input::Queried { group, query });
        }
        11 if choice >= 48 => work(bench, source),
        11 | 12 => {
            let count = source.pick(&[1, usize::MAX, 2]);
            bench.sync(count);
        }
        13 if choice >= 128 => speak_of_images(bench, source),
        13 => acknowledge_nonsense(bench, source),
        14 if choice >= 192 => change_members(bench, source),
        14 if choice >= 128 => make_way(bench, source),
        14 => hint(bench, source),
        _ => misfortune(bench, source),
    }
}

/// A peer answers one of the last messages of the node.
fn answered(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    let at = source.below(bench.sent.len());
    let Some((from, asked)) = bench.sent.get(at).cloned() else { return };
    let replica = bench.node.group(asked.group).expect("a group that has spoken");
    let (limits, life) = (&bench.setting.limits, bench.life);
    let answer = Words { source, replica, limits, from, life }.answer(&asked.message);
    if let Some(message) = answer {
        bench.step(Input::Received(Envelope { group: asked.group, from, disk: 0, message }));
    }
}

/// Anyone says anything.
fn spoken(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    let from = speaker(source);
    let group = source.pick(&[GROUPS[0], GROUPS[0], GROUPS[0], GROUPS[1], GROUPS[1], GROUPS[2]]);
    let known = bench.node.group(group).or(bench.node.group(GROUPS[0]));
    let replica = known.expect("a configured group");
    let (limits, life) = (&bench.setting.limits, bench.life);
    let message = Words { source, replica, limits, from, life }.message();
    // Broken peers may say anything, but not as a quorum, and not before they were asked.
    if let Message::Promise(m) = &message
        && m.ballot.node == ME
        && !bench.has_asked(group, m.ballot)
    {
        return;
    }
    let twice = source.below(16) == 15;
    let input = Input::Received(Envelope { group, from, disk: 0, message });
    if twice {
        bench.step(input.clone());
    }
    bench.step(input);
}

fn speaker(source: &mut Source<'_>) -> NodeId {
    match source.below(16) {
        0..=5 => NodeId(1),
        6..=11 => NodeId(3),
        12 | 13 => NodeId(4),
        14 => source.pick(&[ME, NodeId(9), NodeId(0), NodeId(127), NodeId(128), NodeId(u16::MAX)]),
        _ => NodeId(5),
    }
}

fn tick_at_wake(bench: &mut Bench<'_>) {
    if let Some(at) = bench.node.wake_at() {
        bench.now = bench.now.max(at);
    }
    bench.step(Input::Ticked);
}

fn tick_after(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    let wait = source.pick(&[0, 1, 5, 50, 100, 300, 600, 2_000, 60_000]);
    match source.below(64) {
        62 => bench.now = Instant::from_micros(bench.now.as_micros() / 2),
        63 => bench.now = Instant::from_micros(bench.now.as_micros().max(1 << 60)),
        _ => bench.now = bench.now + Duration::from_millis(wait),
    }
    bench.step(Input::Ticked);
}

fn propose(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    let group: GroupId = source.pick(&[GROUPS[0], GROUPS[0], GROUPS[1], GROUPS[2]]);
    let known = bench.node.group(group).or(bench.node.group(GROUPS[0]));
    let replica = known.expect("a configured group");
    let count = source.below(9);
    let (limits, life) = (&bench.setting.limits, bench.life);
    let mut words = Words { source, replica, limits, from: ME, life };
    let commands = (0..count).map(|_| words.command()).collect();
    let first = bench.questions.propose(group, count);
    bench.step(Input::Proposed { group, first, commands });
}

/// A driver that acknowledges what was never ordered, or twice.
fn acknowledge_nonsense(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    let (ordered, synced) = bench.disk.writes();
    let stale = [WriteId(0), synced, ordered.next(), WriteId(u64::MAX)];
    let write = source.pick(&stale);
    bench.step(Input::Persisted(write));
}

/// The driver does something about images, or fails to.
fn work(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    for _ in 0..source.pick(&[1, 4, 16]) {
        let at = source.below(2);
        bench.work(at, source);
    }
}

/// A driver that answers what nobody has asked.
fn speak_of_images(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    let at = source.below(2);
    let replica = bench.node.group(GROUPS[at]).expect("a configured group");
    let (limits, life) = (&bench.setting.limits, bench.life);
    let image = Words { source, replica, limits, from: ME, life }.image();
    let input = bench.vaults[at].nonsense(source, image);
    bench.step(input);
}

fn hint(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    let peer = speaker(source);
    let input = if source.flag() { Input::PeerUp(peer) } else { Input::PeerDown(peer) };
    bench.step(input);
}

/// Someone wants another leader.
fn make_way(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    let group = source.pick(&GROUPS);
    let to = speaker(source);
    bench.questions.transfer(group, to);
    bench.step(Input::TransferRequested { group, to });
}

/// Someone wants other members.
fn change_members(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    let group = source.pick(&[GROUPS[0], GROUPS[1], GROUPS[0], GROUPS[2]]);
    let known = bench.node.group(group).or(bench.node.group(GROUPS[0]));
    let replica = known.expect("a configured group");
    let (limits, life) = (&bench.setting.limits, bench.life);
    let membership = Words { source, replica, limits, from: ME, life }.membership();
    let proposal = bench.questions.propose(group, 1);
    bench.step(Input::MembersProposed { group, proposal, membership });
}

fn misfortune(bench: &mut Bench<'_>, source: &mut Source<'_>) {
    match source.below(16) {
        0 => {
            let (ordered, _) = bench.disk.writes();
            bench.step(Input::PersistFailed(ordered));
            // Whatever comes now is in vain.
            bench.step(Input::Ticked);
        }
        8 => {
            bench.lose_images();
            bench.restart(false);
        }
        kind => bench.restart(kind % 2 == 1),
    }
}

/// Nobody speaks any more: only the disk answers, and time goes on until all is
/// answered, or for as long as any answer may take.
fn fall_silent(bench: &mut Bench<'_>) {
    let end = bench.now + QUIET;
    let (mut ticks, mut at_once) = (0, 0);
    bench.sync_all();
    while let Some(at) = bench.node.wake_at().filter(|at| *at <= end) {
        if ticks >= QUIET_TICKS_MIN && bench.questions.none_is_open() {
            return;
        }
        ticks += 1;
        at_once = if at > bench.now { 0 } else { at_once + 1 };
        assert!(at_once < 1000, "a tick is due at once, for ever");
        bench.now = bench.now.max(at);
        bench.step(Input::Ticked);
        bench.sync_all();
        bench.work_all();
    }
}
