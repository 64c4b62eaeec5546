//! What passes between the roles of a replica, and with what they start.

use alloc::vec::Vec;

use super::*;
use crate::effect::{Effect, Outcome};
use crate::log::{Durable, Entry, Record};
use crate::message::{
    Accept, Envelope, Fetch, Handover, HeartbeatAck, Message, Prepare, Probe, Reject,
};
use crate::quorum::Membership;
use crate::replica::testing::{GROUP, Stage, image, three, two};
use crate::role::testing::{Bench, ME, N2, N3, b, command, run};
use crate::types::{Commands, Limits, PRIORITY, ProposalId, Run};

fn ready(round: u64) -> Ready {
    Ready { ballot: b(round, ME), deadline: Instant::default(), released: None }
}

/// A change of the members, to be chosen at that slot.
fn change(slot: u64) -> Run {
    Run::one(Slot(slot), Value::Config(three().with_version(1).into()))
}

fn restored(bench: &Bench, entry: Entry, found: Option<crate::types::Image>) -> Roles {
    let mut durable = Durable::default();
    durable.replay(Record { group: GROUP, entry }).expect("a sound record");
    let applied = found.as_ref().map_or(Slot::FIRST, |image| image.checkpoint.below);
    let found = Found { applied, image: found, partial: None, durable: durable.take(GROUP) };
    Roles::restore(GROUP, found, &mut Rng::new(1), (bench.now, &bench.setting))
}

/// What a log holds below its image is kept for peers that are a little behind.
#[test]
fn a_log_that_reaches_its_image_is_kept_and_one_that_does_not_begins_there() {
    let learned = || Entry::Learned { run: run(1, &["v"; 4]) };
    for (below, floor) in [(4, 1), (5, 1), (6, 6)] {
        let roles = restored(&Bench::new(), learned(), Some(image(below, three())));
        assert_eq!(roles.log.floor(), Slot(floor), "{below}");
    }
}

#[test]
fn a_node_that_is_spared_waits_longer_after_a_start_as_well() {
    for (priority, from) in [(PRIORITY, 1), (PRIORITY - 1, 3)] {
        let mut bench = Bench::new();
        bench.setting.priority = priority;
        let roles = restored(&bench, Entry::Promised(b(1, N2)), None);
        let wake_at = roles.elector.wake_at().expect("it waits for a leader");
        let patience = bench.setting.timing.patience;
        let due = bench.now + patience * from..bench.now + patience * (from + 1);
        assert!(due.contains(&wake_at), "{priority}");
    }
}

/// Only what is chosen rules, and all of it, whether it comes in a start or in a step.
#[test]
fn members_are_taken_up_as_far_as_slots_are_chosen() {
    let mut stage = Stage::of(three(), 4);
    stage.roles.log.learn(&change(4));
    stage
        .roles
        .log
        .vote(b(1, N2), Run::one(Slot(5), Value::Config(three().with_version(2).into())));
    let Stage { roles, bench } = &mut stage;
    let mut read = bench.regime.clone();
    roles.read_regime(&mut read);
    roles.finish(&mut bench.cx());
    for regime in [&read, &bench.regime] {
        assert_eq!((regime.frontier(), regime.newest().1.version()), (Slot(5), 1));
    }
    let told = bench
        .ordered()
        .into_iter()
        .filter(|effect| matches!(effect, Effect::Note(Notice::MembersChanged { version: 1, .. })));
    assert_eq!(told.count(), 1);
}

/// They might have changed the members.
#[test]
fn slots_that_are_trimmed_and_were_not_read_are_not_passed_over() {
    let mut stage = Stage::of(three(), 1);
    stage.roles.log.trim(Slot(5));
    stage.roles.log.learn(&run(5, &["v"; 3]));
    let Stage { roles, bench } = &mut stage;
    roles.finish(&mut bench.cx());
    assert_eq!(bench.regime.frontier(), Slot(1));
}

#[test]
fn who_has_lost_its_machine_or_stands_already_does_not_stand() {
    let mut stage = Stage::trimmed(three(), 12, &image(5, three()));
    stage.roles.campaign(ready(2), &mut stage.bench.cx());
    assert!(stage.roles.proposer.is_idle());
    let mut stage = Stage::of(three(), 9);
    stage.roles.campaign(ready(2), &mut stage.bench.cx());
    stage.roles.campaign(ready(3), &mut stage.bench.cx());
    assert_eq!(stage.roles.proposer.ballot(), Some(b(2, ME)));
    let mut stage = Stage::of(three(), 9);
    let promise = Prepare { ballot: b(2, N2), from: Slot(9), released: None };
    stage.hear(N2, promise.into());
    stage.roles.campaign(ready(2), &mut stage.bench.cx());
    assert!(stage.roles.proposer.is_idle(), "it has promised another");
}

impl Stage {
    fn hear(&mut self, from: NodeId, message: Message) {
        let mut envelope = Envelope { group: GROUP, from, disk: 0, message };
        self.roles.on_received(&mut envelope, &mut self.bench.cx());
    }
}

/// It is news that there is no leader, unless it is the leader that asks.
#[test]
fn who_promises_another_believes_in_no_leader() {
    for (node, round, follows) in [(N3, 2, false), (N2, 2, true)] {
        let mut stage = Stage::of(three(), 9);
        let leader = b(2, N2);
        stage.roles.elector.on_leader(leader, &mut stage.bench.cx());
        let ballot = if node == N2 { leader } else { b(round, node) };
        stage.hear(node, Prepare { ballot, from: Slot(9), released: None }.into());
        assert_eq!(stage.roles.acceptor.promised(), ballot);
        assert_eq!(stage.roles.elector.leader().is_some(), follows, "{node}");
    }
}

#[test]
fn a_leader_makes_way_only_for_who_may_stand_and_does_not_yet() {
    let handover = Handover { ballot: b(2, N2), beat: 0, chosen: Slot(9) };
    for (members, stands, asks) in [
        (three(), false, true),
        (three(), true, false),
        (Membership::majority([N2, N3]).with_learners([ME]), false, false),
    ] {
        let mut stage = Stage::of(members, 9);
        if stands {
            stage.campaign();
        }
        stage.roles.elector.on_leader(b(2, N2), &mut stage.bench.cx());
        stage.hear(N2, handover.clone().into());
        let prepares = stage.bench.said().iter().any(|(_, m)| matches!(m, Message::Prepare(_)));
        assert_eq!(prepares, asks);
    }
}

/// It is the leader that asks whether we reach a quorum; whoever else does misses one.
#[test]
fn others_are_asked_only_for_the_leader_that_is_followed() {
    for (ballot, stands, said) in [
        (b(2, N2), false, "Probe"),
        (b(3, N2), false, "ProbeAck"),
        (b(2, N2), true, "ProbeAck"),
        (b(3, N2), true, "ProbeAck"),
    ] {
        let mut stage = Stage::of(three(), 9);
        if stands {
            stage.campaign();
        }
        stage.roles.elector.on_leader(b(2, N2), &mut stage.bench.cx());
        stage.clear();
        stage.hear(N2, Probe { ballot, chosen: Slot(9) }.into());
        let all: Vec<_> = stage.bench.said().iter().map(|(_, m)| m.name()).collect();
        assert!(all.iter().all(|name| *name == said) && !all.is_empty(), "{ballot:?} {all:?}");
    }
}

/// A witness needs none.
#[test]
fn a_lost_machine_is_told_of_by_those_who_keep_one() {
    for (members, told) in [(three(), true), (three().with_witnesses([ME]), false)] {
        let mut stage = Stage::of(members, 1);
        stage.roles.log.trim(Slot(5));
        stage.roles.begin(&mut stage.bench.cx());
        let missing = stage
            .bench
            .ordered()
            .into_iter()
            .any(|effect| matches!(effect, Effect::Note(Notice::CheckpointMissing { .. })));
        assert_eq!(missing, told);
    }
}

/// To the byte; those that fit are taken, in their places. Neighbours are answered together.
#[test]
fn only_commands_that_are_too_large_are_refused() {
    let mut stage = Stage::of(three(), 9);
    stage.bench.setting.limits = Limits { value_bytes_max: 3, ..Limits::default() };
    let commands = ["aaa", "bbbb", "c", "ddd", "eeee", "ffff"].map(command);
    let commands: Commands = commands.into_iter().collect();
    stage.roles.on_proposed(ProposalId(5), commands, &mut stage.bench.cx());
    let refused = |first, count| {
        let (first, outcome) = (ProposalId(first), Outcome::TooLarge);
        Effect::Resolve { group: GROUP, first, count, outcome }
    };
    assert_eq!(stage.bench.ordered(), [refused(6, 1), refused(9, 2)]);
    assert_eq!(stage.roles.courier.len(), 3);
}

/// A group in which nothing is proposed any more would hold what it has forgotten for good.
#[test]
fn memory_of_what_is_forgotten_is_given_back_in_time_also_where_nothing_is_stored() {
    let mut stage = Stage::of(three(), 1);
    let forgotten = command("v");
    let payload = forgotten.payload.clone();
    stage.roles.log.learn(&Run::one(Slot(1), Value::Command(forgotten)));
    stage.roles.deliver(&mut stage.bench.cx());
    stage.roles.log.trim(Slot(2));
    stage.roles.begin(&mut stage.bench.cx());
    stage.clear();
    assert!(!payload.is_unique(), "it waits for something to take its place");
    stage.roles.on_tick(&mut stage.bench.cx());
    assert!(payload.is_unique());
}

/// What it could not count it asks those for who know it.
#[test]
fn a_leader_that_gives_up_fetches_what_others_know() {
    let mut stage = Stage::of(two(), 5);
    stage.lead();
    stage.roles.on_proposed(ProposalId(1), command("v").into(), &mut stage.bench.cx());
    stage.roles.finish(&mut stage.bench.cx());
    let patience = stage.bench.setting.timing.patience;
    for leads in [true, false] {
        let leading = stage.roles.proposer.leading_mut().expect("it leads");
        let ballot = leading.ballot();
        let ack = HeartbeatAck { ballot, beat: 1, chosen: Slot(9), priority: None };
        leading.on_heartbeat_ack(N3, 0, &ack, &stage.bench.cx());
        stage.bench.sleep(patience);
        stage.clear();
        stage.roles.on_tick(&mut stage.bench.cx());
        assert_eq!(stage.roles.proposer.leading().is_some(), leads);
    }
    for _ in 0..2 {
        stage.roles.finish(&mut stage.bench.cx());
        stage.bench.sleep(patience);
    }
    let asked = stage.bench.said().into_iter().find_map(|(to, m)| match m {
        Message::Fetch(m) => Some((to, m.from, m.to)),
        _ => None,
    });
    assert_eq!(asked, Some((NodeSet::of(N3), Slot(5), Slot(9))));
}

/// A leader that asks again may have nobody else to ask.
#[test]
fn who_cannot_vote_so_far_ahead_hurries_when_it_is_asked_again() {
    let asked = |promised, slots: &[u64]| {
        let mut stage = Stage::of(three(), 9);
        stage.bench.setting.limits.ahead_slots_max = 10;
        stage.roles.acceptor.campaign(promised, &mut stage.bench.cx());
        for slot in slots {
            let (ballot, chosen) = (b(2, N2), Slot(9));
            stage.hear(N2, Accept { ballot, chosen, run: run(*slot, &["v"]) }.into());
        }
        stage.roles.fetcher.is_waited_for(stage.bench.now)
    };
    let lower = b(1, ME);
    assert!(asked(lower, &[19, 19]), "one too far");
    assert!(!asked(lower, &[18, 18]), "and one less is voted for");
    assert!(!asked(lower, &[19, 20, 21]), "not asked again");
    assert!(!asked(b(3, ME), &[19, 19]), "by one that is deposed");
}

/// Who stood where others have decided since without it hears of that before it stands again.
#[test]
fn who_is_deposed_asks_who_has_told_it_for_news() {
    for (own, promised, asks) in
        [(b(2, ME), b(3, N2), true), (b(2, ME), b(2, ME), false), (b(1, ME), b(3, N2), false)]
    {
        let mut stage = Stage::of(two(), 9);
        stage.campaign();
        stage.hear(N3, Message::Reject(Reject { ballot: own, promised }));
        assert_eq!(stage.roles.proposer.is_idle(), asks);
        let news = Message::Fetch(Fetch { from: Slot(9), to: Slot(9), image: false });
        let said = stage.bench.said();
        assert_eq!(said.contains(&(NodeSet::of(N3), news)), asks, "{own:?} {promised:?}");
    }
}

/// Whichever of them is to be done, and alone.
#[test]
fn a_step_begins_with_what_has_become_of_the_floor() {
    let mut bench = Bench::new();
    let learned = Entry::Learned { run: run(1, &["v"; 4]) };
    let mut roles = restored(&bench, learned, Some(image(6, three())));
    roles.log.sweep(9);
    assert!(!roles.log.has_forgotten());
    for written in [&[Entry::Trimmed { below: Slot(6) }][..], &[]] {
        roles.begin(&mut bench.cx());
        assert_eq!(bench.written(), written, "before anything that rests on it");
    }
    let mut stage = Stage::of(three(), 9);
    stage.roles.log.trim(Slot(5));
    let Stage { roles, bench } = &mut stage;
    roles.archivist.tell_disk(&roles.log, &mut bench.cx());
    assert!(roles.log.has_forgotten());
    roles.begin(&mut bench.cx());
    assert!(!roles.log.has_forgotten(), "swept up");
}
