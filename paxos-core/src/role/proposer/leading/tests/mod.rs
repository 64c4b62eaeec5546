//! One leadership alone: n1's, with the test speaking for everybody.

mod changing;
mod proposing;
mod watching;

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::effect::{Effect, Outcome};
use crate::log::Log;
use crate::message::{HeartbeatAck, Message, Prepare, Promise, Vote};
use crate::quorum::{Membership, NodeSet, Regime};
use crate::role::proposer::{Promised, Proposer};
use crate::role::testing::{Bench, ME, N2, N3, b, command};
use crate::role::{Origin, Proposal, Ready};
use crate::types::{Commands, ProposalId, Schedule, Value};

pub(super) const BALLOT: Ballot = Ballot::new(7, ME);

/// n1 and what it leads.
pub(super) struct Scene {
    pub(super) bench: Bench,
    pub(super) log: Log,
    proposer: Proposer,
    next: u64,
}

impl Scene {
    /// n1 leads three that have voted on nothing.
    pub(super) fn new() -> Scene {
        Scene::of(Bench::new(), &[promise(1, vec![]), promise(1, vec![])])
    }

    /// n1 leads with these promises of n1, n2, n3, ..
    pub(super) fn of(bench: Bench, promises: &[Promise]) -> Scene {
        let mut scene =
            Scene { bench, log: Log::default(), proposer: Proposer::default(), next: 1 };
        let deadline = scene.bench.now + scene.bench.setting.timing.patience;
        let ready = Ready { ballot: BALLOT, deadline, released: None };
        scene.proposer.campaign(ready, Slot(1), &mut scene.bench.cx());
        scene.bench.said();
        let mut leads = Promised::Nothing;
        for (m, id) in promises.iter().zip(1..) {
            assert_eq!(leads, Promised::Nothing, "a quorum is enough");
            let from = (NodeId(id), 0);
            leads = scene.proposer.on_promise(from, m, Slot(1), &mut scene.bench.cx());
        }
        assert_eq!(leads, Promised::Leadership);
        scene
    }

    pub(super) fn led(&mut self) -> (&mut Leading, Cx<'_>) {
        (self.proposer.leading_mut().expect("n1 leads"), self.bench.cx())
    }

    /// Puts commands in line; gives the handle of the first.
    pub(super) fn ask(&mut self, payloads: &[&str]) -> ProposalId {
        let first = ProposalId(self.next);
        self.next += payloads.len() as u64;
        let commands: Commands = payloads.iter().map(|p| command(p)).collect();
        let deadline = self.bench.now + self.bench.setting.timing.answer;
        let (led, mut cx) = self.led();
        led.on_proposal(Proposal { commands, origin: Origin::Local(first), deadline }, &mut cx);
        first
    }

    /// What it asks votes for when it may: to whom, from which slot, and how many.
    pub(super) fn proposed(&mut self) -> Vec<(NodeSet, u64, usize)> {
        let log = self.log.clone();
        let (led, mut cx) = self.led();
        led.propose(&log, &mut cx);
        self.asked()
    }

    /// What it has asked votes for.
    pub(super) fn asked(&mut self) -> Vec<(NodeSet, u64, usize)> {
        let said = self.bench.said();
        accepts(&said)
    }

    /// Counts the vote of `from` for `first..end`; says whether it is chosen by that.
    pub(super) fn vote(&mut self, from: NodeId, first: u64, end: u64) -> bool {
        let m = Accepted { ballot: BALLOT, first: Slot(first), end: Slot(end) };
        let (led, mut cx) = self.led();
        let run = led.on_accepted(from, 0, &m, &mut cx);
        run.is_some()
    }

    /// An answer to the latest beat.
    pub(super) fn ack(&mut self, from: NodeId, disk: u64, chosen: u64) {
        let (led, cx) = self.led();
        let beat = led.pulse.beat();
        let m = HeartbeatAck { ballot: BALLOT, beat, chosen: Slot(chosen), priority: Some(1) };
        led.on_heartbeat_ack(from, disk, &m, &cx);
    }

    pub(super) fn tick(&mut self) -> bool {
        self.proposer.on_tick((Slot(1), 0), &mut self.bench.cx())
    }

    /// What became of proposals, since this was asked last.
    pub(super) fn answers(&mut self) -> Vec<(u64, u32, Outcome)> {
        let ordered = self.bench.ordered();
        let answer = |e: &Effect| match e {
            Effect::Resolve { first, count, outcome, .. } => Some((first.0, *count, *outcome)),
            _ => None,
        };
        ordered.iter().filter_map(answer).collect()
    }
}

pub(super) fn accepts(said: &[(NodeSet, Message)]) -> Vec<(NodeSet, u64, usize)> {
    let mut all: Vec<(NodeSet, u64, usize)> = Vec::new();
    for (to, m) in said {
        let Message::Accept(m) = m else { continue };
        let (first, slots) = (m.run.first.0, m.run.len());
        match all.iter_mut().find(|(_, at, _)| *at == first) {
            Some((known, ..)) => *known = known.or(*to),
            None => all.push((*to, first, slots)),
        }
    }
    all
}

/// A whole promise of one who knows everything below `chosen` to be chosen.
pub(super) fn promise(chosen: u64, votes: Vec<Vote>) -> Promise {
    Promise { ballot: BALLOT, from: Slot(1), to: None, chosen: Slot(chosen), votes }
}

pub(super) fn vote(slot: u64, round: u64, value: Value) -> Vote {
    Vote { slot: Slot(slot), ballot: b(round, N2), chosen: false, value }
}

pub(super) fn value(payload: &str) -> Value {
    Value::Command(command(payload))
}

pub(super) fn change(voters: &[u16]) -> Value {
    Value::Config(three().succeeded_by(voters.iter().copied().map(NodeId), []).into())
}

pub(super) fn three() -> Membership {
    Membership::majority([ME, N2, N3])
}

pub(super) fn all() -> NodeSet {
    [ME, N2, N3].into_iter().collect()
}

/// Three until slot 5, and from there on n3, n4 and n5.
pub(super) fn handing_over() -> Bench {
    let mut bench = Bench::new();
    let next = three().succeeded_by([3, 4, 5].map(NodeId), []);
    let rules = [(Slot(1), three().into()), (Slot(5), next.into())];
    let schedule = Schedule::from_rules(rules).expect("they ascend");
    bench.regime = Regime::new(schedule, Slot(1));
    bench
}

#[test]
fn a_leader_begins_where_someone_knows_all_to_be_chosen() {
    let told = vec![vote(2, 1, change(&[1, 2])), vote(6, 1, value("a"))];
    let mut scene = Scene::of(Bench::new(), &[promise(3, told), promise(5, vec![])]);
    assert_eq!(scene.asked(), [(all(), 5, 2)], "a no-op and the vote");
    // Nobody will propose again what lies below: it is no change that is still open.
    scene.bench.regime.pass(Slot(5));
    let (led, cx) = scene.led();
    assert_eq!((led.start_slot(), led.start_donor()), (Slot(5), N2));
    assert_eq!((led.chosen_below(), led.next(), led.read_index()), (Slot(5), Slot(7), Slot(7)));
    assert_eq!(led.read_floor(&cx), Some(Slot(7)));
    // Of two who know as much, the first is asked for it.
    let mut scene = Scene::of(Bench::new(), &[promise(5, vec![]), promise(5, vec![])]);
    assert_eq!(scene.led().0.start_donor(), ME);
}

/// Whoever is asked whether somebody else leads must be able to know: else a read would be
/// served while others choose.
#[test]
fn a_read_waits_while_it_is_not_clear_who_decides() {
    let mut scene = Scene::new();
    let (led, cx) = scene.led();
    assert_eq!(led.read_floor(&cx), Some(Slot(1)));
    // What was chosen before is not all known here.
    let mut scene = Scene::of(Bench::new(), &[promise(1, vec![]), promise(3, vec![])]);
    for (frontier, floor) in [(1, None), (2, None), (3, Some(Slot(3)))] {
        scene.bench.regime.pass(Slot(frontier));
        let (led, cx) = scene.led();
        assert_eq!(led.read_floor(&cx), floor, "frontier {frontier}");
    }
    // A change of the members is proposed and not chosen.
    let told = vec![vote(1, 1, change(&[1, 2]))];
    let mut scene = Scene::of(Bench::new(), &[promise(1, told.clone()), promise(1, vec![])]);
    let (led, cx) = scene.led();
    assert_eq!(led.read_floor(&cx), None);
    assert!(!scene.vote(ME, 1, 2) && scene.vote(N2, 1, 2));
    let (led, cx) = scene.led();
    assert_eq!(led.read_floor(&cx), None, "counted, and not taken in for want of room");
    scene.bench.regime.pass(Slot(2));
    let (led, cx) = scene.led();
    assert_eq!(led.read_floor(&cx), Some(Slot(2)));
    // A change is told of and not proposed yet, for want of room.
    let mut bench = Bench::of(three().with_window(1));
    let votes = vec![vote(1, 1, value("a")), vote(2, 1, change(&[1, 2]))];
    bench.regime = Regime::new(bench.regime.schedule().clone(), Slot(1));
    let mut scene = Scene::of(bench, &[promise(1, votes), promise(1, vec![])]);
    assert_eq!(scene.asked(), [(all(), 1, 1)]);
    let (led, cx) = scene.led();
    assert_eq!(led.read_floor(&cx), None);
    // Nobody of the next members has promised.
    let mut scene = Scene::of(handing_over(), &[promise(1, vec![]), promise(1, vec![])]);
    let (led, cx) = scene.led();
    assert_eq!(led.read_floor(&cx), None);
    // Unless there are none but those who have.
    scene.bench.regime = Bench::new().regime;
    let (led, cx) = scene.led();
    assert_eq!(led.read_floor(&cx), Some(Slot(1)));
}

#[test]
fn a_lease_is_held_only_by_who_knows_who_decides() {
    let mut scene = Scene::of(Bench::new().leasing(), &[promise(1, vec![]), promise(1, vec![])]);
    let begun = scene.bench.now;
    let held = |scene: &mut Scene| {
        let (led, cx) = scene.led();
        led.lead(&cx).is_leased
    };
    assert!(!held(&mut scene), "nobody has answered");
    scene.bench.sleep(core::time::Duration::from_millis(10));
    scene.ack(N2, 0, 1);
    assert!(held(&mut scene));
    let (led, cx) = scene.led();
    assert_eq!(led.heard_at(), Some(begun), "counted from when the beat was sent");
    let until = led.leased_until(cx.setting).expect("a lease");
    assert_eq!(until, begun + core::time::Duration::from_secs(1));
    scene.bench.now = until;
    assert!(!held(&mut scene), "it is over");
    scene.bench.now = begun;
    assert!(held(&mut scene), "a look at it gives nothing up");
    // Others will decide soon: it is given up, and not only not counted on.
    scene.bench.regime = handing_over().regime;
    let (led, cx) = scene.led();
    led.keep_lease(&cx);
    scene.bench.regime = Bench::new().regime;
    assert!(!held(&mut scene));
    // One who waits for promises of the next members holds none, whoever answers.
    let mut scene = Scene::of(handing_over().leasing(), &[promise(1, vec![]), promise(1, vec![])]);
    (2..=5).for_each(|id| scene.ack(NodeId(id), 0, 1));
    let (led, cx) = scene.led();
    led.keep_lease(&cx);
    assert!(!held(&mut scene));
}

/// While no promise is missing, nobody is asked for one.
#[test]
fn promises_are_asked_for_while_some_are_missing() {
    let asks = |scene: &mut Scene| -> NodeSet {
        scene.bench.sleep(scene.bench.setting.timing.resend);
        assert!(scene.tick());
        let said = scene.bench.said();
        assert!(scene.tick());
        let again = scene.bench.said();
        assert!(!again.iter().any(|(_, m)| matches!(m, Message::Prepare(_))), "not due yet");
        let asked = said.iter().filter(|(_, m)| matches!(m, Message::Prepare(Prepare { .. })));
        asked.fold(NodeSet::EMPTY, |all, (to, _)| all.or(*to))
    };
    assert_eq!(asks(&mut Scene::new()), NodeSet::EMPTY);
    let mut scene = Scene::of(handing_over(), &[promise(1, vec![]), promise(1, vec![])]);
    let wake = scene.bench.now + scene.bench.setting.timing.heartbeat;
    assert_eq!(scene.led().0.wake_at(), wake);
    let missing = |ids: &[u16]| ids.iter().copied().map(NodeId).collect::<NodeSet>();
    assert_eq!(asks(&mut scene), missing(&[3, 4, 5]));
    let goes_on = |scene: &mut Scene, id: u16, m: &Promise| {
        let (led, mut cx) = scene.led();
        led.on_promise(NodeId(id), 0, m, &mut cx)
    };
    assert!(goes_on(&mut scene, 4, &promise(1, vec![])));
    scene.ask(&["v"; 9]);
    assert_eq!(scene.proposed(), [(all(), 1, 4)], "one of the next three is no quorum");
    assert_eq!(asks(&mut scene), missing(&[3, 5]));
    assert!(goes_on(&mut scene, 5, &promise(1, vec![vote(7, 1, value("theirs"))])));
    let next: NodeSet = [3, 4, 5].map(NodeId).into_iter().collect();
    assert_eq!(scene.proposed(), [(next, 5, 3), (next, 8, 5)], "their vote, then ours");
    assert_eq!(asks(&mut scene), NodeSet::EMPTY);
    assert_eq!(scene.led().0.read_index(), Slot(8));
    // Where we have not proposed, somebody else has, if it is chosen.
    assert!(goes_on(&mut scene, 3, &promise(13, vec![])));
    let mut scene = Scene::of(handing_over(), &[promise(1, vec![]), promise(1, vec![])]);
    assert!(!goes_on(&mut scene, 4, &promise(6, vec![])), "others have led there");
}
