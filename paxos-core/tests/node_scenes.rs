//! Scenes of one node: several groups on one disk, one clock that may jump, and
//! steps that are functions of what they are given.

mod common;

use std::time::Duration;

use common::{Cluster, Message, SECOND, accept, b, ignored, messages, n, prepare, sent};
use paxos_core::effect::{Declined, Effect, Effects, Ignored, Input, Outcome};
use paxos_core::log::Durable;
use paxos_core::message::Envelope;
use paxos_core::quorum::Membership;
use paxos_core::types::{
    Ballot, Command, GroupId, Incarnation, Instant, Limits, ProposalId, QueryId, Slot, Timing,
    WriteId,
};
use paxos_core::{Config, ConfigError, GroupConfig, Node, RestoreError, Standing};

const A: GroupId = GroupId(7);
const B: GroupId = GroupId(3);

/// n1 of three in both groups; the test speaks for n2 and n3.
struct Bench {
    node: Node,
    now: Instant,
}

impl Bench {
    fn new() -> Bench {
        let node = Node::restore(config([A, B]), Durable::default(), Instant::default());
        Bench { node: node.expect("a sound configuration"), now: Instant::default() }
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Effects::new();
        self.node.step(self.now, input, &mut effects);
        self.node.check().expect("invariants");
        effects.drain().collect()
    }

    fn tell(&mut self, group: GroupId, from: u16, message: Message) -> Vec<Effect> {
        self.step(Input::Received(Envelope { group, from: n(from), disk: 0, message }))
    }

    fn promised(&self, group: GroupId) -> Ballot {
        self.node.group(group).expect("the group").promised()
    }
}

fn config<const N: usize>(groups: [GroupId; N]) -> Config {
    let membership = Membership::majority([1, 2, 3].map(n));
    Config {
        node: n(1),
        incarnation: Incarnation(1),
        disk: 0,
        priority: Config::PRIORITY,
        seed: 1,
        groups: groups.map(|id| GroupConfig::new(id, membership.clone())).into(),
        timing: Timing::default(),
        limits: Limits::default(),
    }
}

#[test]
fn groups_do_not_touch_each_other() {
    let mut bench = Bench::new();
    let before = bench.node.group(B).cloned();
    bench.tell(A, 2, prepare(b(5, 2), 1));
    bench.tell(A, 2, accept(b(5, 2), 1, &["v"]));
    bench.step(Input::Persisted(WriteId(2)));
    assert_eq!(bench.promised(A), b(5, 2));
    assert_eq!(bench.node.group(B).cloned(), before);
    let ids: Vec<GroupId> = bench.node.groups().map(|g| g.id()).collect();
    assert_eq!(ids, [B, A], "ascending");
}

/// One disk for all: a pledge of one group waits for the records of the other,
/// because they are on their way in the same log.
#[test]
fn a_pledge_waits_for_everything_that_was_written_before_it() {
    let mut bench = Bench::new();
    bench.tell(A, 2, prepare(b(5, 2), 1));
    bench.step(Input::Persisted(WriteId(1)));
    bench.tell(B, 3, prepare(b(9, 3), 1));
    let again = bench.tell(A, 2, prepare(b(5, 2), 1));
    assert!(messages(&again).is_empty());
    let both = bench.step(Input::Persisted(WriteId(2)));
    let ballots: Vec<Ballot> = sent(&both, "Promise")
        .iter()
        .filter_map(|m| if let Message::Promise(p) = m { Some(p.ballot) } else { None })
        .collect();
    assert_eq!(ballots, [b(9, 3), b(5, 2)], "in order of asking");
}

#[test]
fn records_of_a_step_are_one_batch() {
    let mut bench = Bench::new();
    bench.now = Instant::from_micros(10_000_000);
    let effects = bench.step(Input::Ticked);
    let asked = |group: GroupId| move |e: &Effect| matches!(e, Effect::Send { envelope, .. } if envelope.group == group);
    assert!(effects.iter().any(asked(A)) && effects.iter().any(asked(B)), "one tick for both");
    let write =
        |effects: &[Effect]| effects.iter().filter(|e| matches!(e, Effect::Persist(_))).count();
    let effects = bench.tell(A, 2, accept(b(5, 2), 1, &["v", "w", "x"]));
    assert_eq!(write(&effects), 1);
    assert_eq!(bench.node.writes(), (WriteId(1), WriteId(0)));
}

#[test]
fn a_group_that_is_not_here_still_answers_every_handle() {
    let mut bench = Bench::new();
    let group = GroupId(99);
    let commands = [Command::default(), Command::default()].into_iter().collect();
    let effects = bench.step(Input::Proposed { group, first: ProposalId(u64::MAX), commands });
    let outcome = Outcome::Redirected(None);
    let first = ProposalId(u64::MAX);
    assert!(effects.contains(&Effect::Resolve { group, first, count: 2, outcome }));
    let each: Vec<_> = outcome.each(first, 2).collect();
    assert_eq!(each, [u64::MAX, 0].map(|id| (ProposalId(id), outcome)));
    let query = QueryId(5);
    let effects = bench.step(Input::Queried { group, query });
    let why = Declined::NoLeader;
    assert!(effects.contains(&Effect::Decline { group, query, why }));
    let effects = bench.tell(group, 2, prepare(b(5, 2), 1));
    assert_eq!(ignored(&effects), [Ignored::UnknownGroup(group)]);
    assert_eq!(effects.len(), 1);
}

/// The same state and the same input give the same effects and the same state.
#[test]
fn a_step_is_a_function() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.propose(n(1), "v");
    for _ in 0..200 {
        let Some((to, envelope)) = c.network.pop_front() else { break };
        let (mut one, mut two) = (c.host(to).node.clone(), c.host(to).node.clone());
        let (mut first, mut second) = (Effects::new(), Effects::new());
        one.step(c.now, Input::Received(envelope.clone()), &mut first);
        two.step(c.now, Input::Received(envelope.clone()), &mut second);
        assert_eq!(first, second);
        assert!(one == two && one.state_hash() == two.state_hash());
        c.step(to, Input::Received(envelope));
        assert_eq!(c.host(to).node.state_hash(), one.state_hash());
        for id in [1, 2, 3] {
            c.sync_disk(n(id));
        }
    }
    assert_eq!(c.payloads(n(1)), ["v"]);
}

/// What is refused changes nothing but the clock.
#[test]
fn what_is_ignored_leaves_no_trace() {
    let mut bench = Bench::new();
    bench.tell(A, 2, accept(b(5, 2), 1, &["v"]));
    let before = bench.node.state_hash();
    bench.tell(A, 9, prepare(b(9, 9), 1));
    bench.tell(A, 2, prepare(b(9, 3), 1));
    bench.tell(A, 1, prepare(b(9, 1), 1));
    bench.tell(A, 2, accept(b(5, 2), 1, &[]));
    bench.step(Input::Persisted(WriteId(77)));
    assert_eq!(bench.node.state_hash(), before);
}

/// The leader's clock leaps an hour, the follower's stops, and both jump back:
/// nobody is deposed for longer than an election, and nothing is lost.
#[test]
fn clocks_may_jump() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    c.propose(n(1), "before");
    c.settle();
    for leap in [Duration::from_secs(3600), Duration::from_secs(86_400 * 365)] {
        c.now = c.now + leap;
        for id in [1, 2, 3] {
            c.step(n(id), Input::Ticked);
        }
        c.run(SECOND * 2);
        let leader = c.leader().expect("a leader");
        let p = c.propose(leader, "after");
        c.settle();
        assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))));
        // Back again: the core goes on from where it was.
        c.now = Instant::from_micros(c.now.as_micros() - leap.as_micros() as u64 / 2);
        c.run(SECOND * 2);
        assert!(c.leader().is_some());
    }
    assert_eq!(c.payloads(n(1)), ["before", "after", "after"]);
    c.run(c.timing.heartbeat);
    c.assert_all(&["before", "after", "after"]);
}

#[test]
fn a_configuration_that_cannot_run_is_refused_with_the_reason() {
    type Change = fn(&mut Config);
    let start = |config| Node::restore(config, Durable::default(), Instant::default()).map(drop);
    let with = |change: Change| {
        let mut config = config([A]);
        change(&mut config);
        config
    };
    let cases: [(Change, ConfigError); 8] = [
        (|c| c.node = n(0), ConfigError::NodeId(n(0))),
        (|c| c.node = n(128), ConfigError::NodeId(n(128))),
        (|c| c.groups.clear(), ConfigError::NoGroups),
        (|c| c.groups.push(c.groups[0].clone()), ConfigError::GroupTwice(A)),
        (|c| c.groups[0].membership = Membership::majority([]), ConfigError::NoVoters(A)),
        (
            |c| c.groups[0].membership = Membership::flexible([1, 2, 3, 4].map(n), 2, 2),
            ConfigError::Quorums(A),
        ),
        (|c| c.timing.patience = c.timing.heartbeat, ConfigError::Timing),
        (|c| c.limits.window_slots = c.limits.ahead_slots_max + 1, ConfigError::Limits),
    ];
    for (change, why) in cases {
        assert_eq!(start(with(change)), Err(RestoreError::Config(why)));
        assert!(!RestoreError::Config(why).to_string().is_empty());
    }
    assert_eq!(start(config([A, B])), Ok(()));
}

/// Groups cost nothing while they have nothing to do: many of them start at once,
/// and one step wakes only so many of those that are due.
#[test]
fn many_groups_share_a_node() {
    let mut many = config([]);
    let membership = Membership::majority([n(1)]);
    many.groups = (0..50_000).map(|id| GroupConfig::new(GroupId(id), membership.clone())).collect();
    let mut node = Node::restore(many, Durable::default(), Instant::default()).expect("sound");
    let mut effects = Effects::new();
    let late = Instant::from_micros(10_000_000);
    node.step(late, Input::Ticked, &mut effects);
    let woken = effects.iter().filter(|e| matches!(e, Effect::Note(_))).count();
    assert!((1..1000).contains(&woken), "{woken} in one step");
    assert!(node.wake_at().is_some_and(|at| at <= late), "and the rest at once");
}

/// Flexible quorums of every shape elect, choose and read, with every node away
/// that may be away.
#[test]
fn every_pair_of_quorums_that_meet_works_with_as_few_as_it_needs() {
    for nodes in 1..=5u16 {
        for (q1, q2) in (1..=nodes).flat_map(|q1| (nodes + 1 - q1..=nodes).map(move |q2| (q1, q2)))
        {
            let membership = Membership::flexible((1..=nodes).map(n), q1 as u8, q2 as u8);
            let mut c = Cluster::with(membership, Limits::default());
            for id in q1.max(q2) + 1..=nodes {
                c.crash(n(id));
            }
            c.run(SECOND * 3);
            let leader = c.leader().unwrap_or_else(|| panic!("{nodes} nodes, {q1} and {q2}"));
            let p = c.propose(leader, "v");
            let q = c.query(leader);
            c.run(SECOND);
            assert!(matches!(c.outcome(leader, p), Some(Outcome::Chosen(_))), "{q1} and {q2}");
            assert!(c.host(leader).served[&q].is_some(), "{q1} and {q2}");
            assert_eq!(c.replica(leader).standing(), Standing::Leader);
            assert!(c.replica(leader).delivered() > Slot::FIRST);
        }
    }
}
