//! What a node starts from, what it shows, and how it looks after its groups.

use alloc::vec;

use super::*;
use crate::effect::{Declined, Outcome, TransferEnd};
use crate::log::{Durable, Entry, Record};
use crate::message::{Heartbeat, Prepare};
use crate::quorum::Membership;
use crate::types::{
    Ballot, Charter, Checkpoint, Checksum, Image, Lease, Limits, ProposalId, QueryId, Schedule,
    Slot, Timing,
};

const ME: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const GROUP: GroupId = GroupId(0);
const ABSENT: GroupId = GroupId(99);

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

pub(super) fn three() -> Membership {
    Membership::majority([1, 2, 3].map(NodeId))
}

pub(super) fn config(groups: Vec<GroupConfig>) -> Config {
    Config {
        node: ME,
        incarnation: Incarnation(7),
        disk: 0,
        priority: Config::PRIORITY,
        seed: 0,
        groups,
        timing: Timing::default(),
        limits: Limits::default(),
    }
}

fn node_of(groups: Vec<GroupConfig>) -> Node {
    Node::restore(config(groups), Durable::default(), at(0)).expect("a sound configuration")
}

fn node() -> Node {
    node_of(vec![GroupConfig::new(GROUP, three())])
}

fn step(node: &mut Node, now: Instant, input: Input) -> Vec<Effect> {
    let mut effects = Effects::new();
    node.step(now, input, &mut effects);
    effects.drain().collect()
}

fn hear(node: &mut Node, now: Instant, group: GroupId, message: Message) -> Vec<Effect> {
    step(node, now, Input::Received(Envelope { group, from: N2, disk: 0, message }))
}

fn beat() -> Message {
    Heartbeat { ballot: Ballot::new(1, N2), chosen: Slot::FIRST, beat: 1, settled: true }.into()
}

fn prepare(round: u64) -> Message {
    Prepare { ballot: Ballot::new(round, N2), from: Slot::FIRST, released: None }.into()
}

fn image(below: u64, members: Membership) -> Image {
    let schedule = Schedule::starting(Slot::FIRST, members.into());
    let checkpoint = Checkpoint { below: Slot(below), sum: Checksum::FIRST, schedule };
    Image { checkpoint, bytes: 0, digest: 0 }
}

/// Unless something tells it who the members are, whatever it is configured with.
#[test]
fn a_founder_is_not_started_with_other_founders() {
    let charter = Charter::new(Charter::design_of(&three()), [1, 2, 3].map(|n| (NodeId(n), 5)));
    let founded = Entry::Founding(crate::types::Founding::Founded(charter.expect("a sound one")));
    let schedule = Schedule::starting(Slot::FIRST, three().into());
    let relieved = Entry::Relieved { below: Slot(1), schedule };
    let other = || GroupConfig::new(GROUP, Membership::majority([1, 2].map(NodeId)));
    let with_image = GroupConfig { checkpoint: Some(image(1, three())), ..other() };
    let unknown = GroupConfig::new(GROUP, Membership::unknown());
    for (group, more, starts) in [
        (other(), None, false),
        (with_image, None, true),
        (other(), Some(relieved), true),
        (unknown, None, true),
        (GroupConfig::new(GROUP, three()), None, true),
    ] {
        let mut durable = Durable::default();
        for entry in [founded.clone()].into_iter().chain(more) {
            durable.replay(Record { group: GROUP, entry }).expect("a sound record");
        }
        let node = Node::restore(config(vec![group]), durable, at(0));
        let says = if starts { None } else { Some(RestoreError::Founders(GROUP)) };
        assert_eq!(node.err(), says);
    }
}

#[test]
fn a_node_shows_what_it_is() {
    let mut node = node();
    assert_eq!((node.id(), node.incarnation(), node.is_halted()), (ME, Incarnation(7), false));
    let (fresh, copy) = (node.state_hash(), node.clone());
    assert_eq!(copy.state_hash(), fresh);
    for round in [1, 2] {
        hear(&mut node, at(1), GROUP, prepare(round));
        assert_eq!(node.held_pledges(), round as usize);
    }
    assert_ne!(node.state_hash(), fresh);
    assert_eq!((node.writes(), copy.writes().0), ((WriteId(2), WriteId(0)), WriteId(0)));
    step(&mut node, at(2), Input::Persisted(WriteId(2)));
    assert_eq!((node.held_pledges(), node.writes().1), (0, WriteId(2)));
    step(&mut node, at(3), Input::PersistFailed(WriteId(3)));
    assert_eq!((node.is_halted(), node.wake_at()), (true, None));
}

#[test]
fn a_check_of_a_node_checks_its_groups_and_its_road() {
    let mut node = node();
    step(&mut node, at(1), Input::Queried { group: GROUP, query: QueryId(1) });
    assert_eq!(node.check(), Ok(()));
    let mut broken = node.clone();
    broken.setting.limits.reads_max = 0;
    assert!(broken.check().is_err());
    let mut effects = Effects::new();
    let mut out = crate::effect::Outbox::new(GROUP, (ME, 0), &mut node.road, &mut effects);
    out.record(Entry::Promised(Ballot::ZERO));
    assert!(node.check().is_err());
}

#[test]
fn a_state_is_as_old_as_the_last_word_of_a_leader() {
    let mut node = node();
    assert_eq!((node.age(GROUP, at(9)), node.age(ABSENT, at(9))), (None, None));
    hear(&mut node, at(10), GROUP, beat());
    assert_eq!(node.age(GROUP, at(15)), Some(Duration::from_millis(5)));
}

/// To the microsecond: at its end it is over.
#[test]
fn a_lease_ends_when_it_ends() {
    let mut alone = config(vec![GroupConfig::new(GROUP, Membership::majority([ME]))]);
    alone.timing.lease = Some(Lease { duration: Duration::from_secs(1), drift_ppm: 0 });
    let mut node = Node::restore(alone, Durable::default(), at(0)).expect("a sound one");
    let mut until = None;
    for _ in 0..20 {
        let now = node.wake_at().expect("it has something to do");
        step(&mut node, now, Input::Ticked);
        let (issued, durable) = node.writes();
        if issued > durable {
            step(&mut node, now, Input::Persisted(issued));
        }
        until = node.groups[0].leased_until(&node.setting);
    }
    let until = until.expect("it leads");
    let before = Instant::from_micros(until.as_micros() - 1);
    assert!(node.is_leased(GROUP, before) && !node.is_leased(GROUP, until));
    assert!(!node.is_leased(ABSENT, before));
}

/// As many groups as there are, though no more than a few are noted between ticks.
#[test]
fn every_group_is_woken_when_its_leader_is_gone() {
    let mut node = node_of((0..20).map(|id| GroupConfig::new(GroupId(id), three())).collect());
    for id in 0..20 {
        hear(&mut node, at(1), GroupId(id), beat());
    }
    step(&mut node, at(2), Input::PeerDown(N2));
    let due = node.wake_at().expect("somebody has to lead");
    assert!(due < at(50), "a hint shortens the wait");
    let effects = step(&mut node, due, Input::Ticked);
    let probes = effects.iter().filter(|effect| match effect {
        Effect::Send { envelope, .. } => matches!(envelope.message, Message::Probe(_)),
        _ => false,
    });
    assert_eq!(probes.count(), 20);
}

/// Every handle gets its answer, and a list of nothing none.
#[test]
fn what_is_asked_of_a_group_that_is_not_here_is_refused() {
    let (group, proposal) = (ABSENT, ProposalId(4));
    let unknown = Effect::Note(Notice::Ignored(Ignored::UnknownGroup(group)));
    let resolve = |count| {
        let outcome = Outcome::Redirected(None);
        Effect::Resolve { group, first: proposal, count, outcome }
    };
    let commands = |count: usize| vec![crate::types::Command::default(); count].into();
    let end = TransferEnd::NotLeader;
    for (input, answer) in [
        (Input::Proposed { group, first: proposal, commands: commands(2) }, Some(resolve(2))),
        (Input::Proposed { group, first: proposal, commands: commands(0) }, None),
        (Input::MembersProposed { group, proposal, membership: three().into() }, Some(resolve(1))),
        (
            Input::Queried { group, query: QueryId(4) },
            Some(Effect::Decline { group, query: QueryId(4), why: Declined::NoLeader }),
        ),
        (
            Input::TransferRequested { group, to: N2 },
            Some(Effect::Note(Notice::TransferEnded { group, to: N2, end })),
        ),
        (Input::CheckpointRequested { group }, None),
    ] {
        let expected: Vec<_> = answer.into_iter().chain([unknown.clone()]).collect();
        assert_eq!(step(&mut node(), at(1), input), expected);
    }
}

#[test]
fn a_group_shows_what_it_is() {
    let mut node = node();
    let replica = node.group(GROUP).expect("it is here");
    assert_eq!(
        (replica.image(), replica.is_capturing(), replica.is_installing()),
        (None, false, false)
    );
    assert_eq!((replica.is_founded(), replica.is_founding_stuck()), (true, false));
    assert_eq!((replica.everyone(), replica.is_witness(N2)), (three().voters(), false));
    let commands = vec![crate::types::Command::default(); 2].into();
    step(&mut node, at(1), Input::Proposed { group: GROUP, first: ProposalId(1), commands });
    for query in 1..=3 {
        step(&mut node, at(1), Input::Queried { group: GROUP, query: QueryId(query) });
    }
    assert_eq!(node.group(GROUP).map(Replica::unanswered), Some(5));
    let image = image(1, three().with_witnesses([N2]));
    let group = GroupConfig { checkpoint: Some(image.clone()), ..GroupConfig::new(GROUP, three()) };
    let node = node_of(vec![group]);
    let replica = node.group(GROUP).expect("it is here");
    assert_eq!((replica.image(), replica.is_witness(N2)), (Some(&image), true));
}
