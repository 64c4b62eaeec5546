//! A replica that has something else than the others is found out, and stops.

mod common;

use common::{Cluster, GROUP, SECOND, n};
use paxos_core::effect::{Effect, HaltReason, Notice};
use paxos_core::log::{Entry, Record};
use paxos_core::message::{Audit, Audited, Message};
use paxos_core::types::{Checksum, Command, Mark, NodeId, Run, Slot, Value};

fn choose(c: &mut Cluster, leader: NodeId, count: u64) {
    for i in 0..count {
        c.propose(leader, &format!("v{i}"));
        c.settle();
    }
    c.run(SECOND);
}

/// What a disk does that lies: one bit of one value at `slot` is another one now.
fn alter(records: &mut [Record], slot: Slot) {
    let mut altered = 0;
    for record in records {
        let (Entry::Voted { run, .. } | Entry::Learned { run }) = &mut record.entry else {
            continue;
        };
        let values = run.iter().map(|(at, value)| match value {
            Value::Command(c) if at == slot => {
                altered += 1;
                let mut payload = c.payload.to_vec();
                payload[0] ^= 1;
                Value::Command(Command { payload: payload.into(), ..c.clone() })
            }
            value => value.clone(),
        });
        *run = Run::new(run.first, values.collect());
    }
    assert!(altered > 0, "the slot is on the disk");
}

/// Lets `id` come back with one byte altered in its log, below what its machine has.
fn corrupt(c: &mut Cluster, id: NodeId) {
    c.crash(id);
    let applied = c.replica(id).delivered();
    alter(&mut c.host_mut(id).records, Slot(7));
    c.restart_from(id, applied);
}

fn diverged(c: &Cluster, id: NodeId) -> Option<u64> {
    match c.host(id).halted {
        Some(HaltReason::Diverged(GROUP, slot)) => Some(slot.0),
        Some(other) => panic!("{id} halts over {other:?}"),
        None => None,
    }
}

/// A running sum over chosen values catches one altered byte on one replica.
#[test]
fn t10_one_altered_byte_is_caught_at_the_next_exchange() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    choose(&mut c, n(1), 60);
    corrupt(&mut c, n(3));
    c.run(SECOND);
    assert_eq!(diverged(&c, n(3)), None, "nothing was compared since");
    choose(&mut c, n(1), 10);
    assert_eq!(diverged(&c, n(3)), Some(64));
    assert!(c.host(n(1)).up && c.host(n(2)).up);
}

/// The minority halts itself with an alarm, and the majority goes on.
#[test]
fn s59_whoever_diverges_halts_and_nobody_else() {
    let mut c = Cluster::new(5);
    c.elect_this(n(1));
    choose(&mut c, n(1), 60);
    corrupt(&mut c, n(4));
    corrupt(&mut c, n(5));
    choose(&mut c, n(1), 10);
    assert!(diverged(&c, n(4)).is_some() && diverged(&c, n(5)).is_some());
    assert_eq!(c.leader(), Some(n(1)));
    let differ = |notice: &&Notice| matches!(notice, Notice::Differs { .. });
    assert_eq!(c.host(n(1)).notices.iter().filter(differ).count(), 2, "each is named once");
    choose(&mut c, n(1), 70);
    assert_eq!(c.payloads(n(2)).len(), 140);
    assert_eq!(c.payloads(n(3)).len(), 140);
}

#[test]
fn s59_a_leader_that_diverges_halts_and_another_leads() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    choose(&mut c, n(1), 60);
    corrupt(&mut c, n(2));
    c.elect_this(n(2));
    choose(&mut c, n(2), 10);
    assert_eq!(diverged(&c, n(2)), Some(64));
    assert!(diverged(&c, n(1)).is_none() && diverged(&c, n(3)).is_none());
    let next = c.elect();
    choose(&mut c, next, 70);
    assert_eq!(c.payloads(n(1)), c.payloads(n(3)));
}

/// One that lies about others' sums, or its own, halts nobody.
#[test]
fn one_liar_halts_nobody() {
    let mut c = Cluster::new(5);
    let ballot = c.elect_this(n(1));
    choose(&mut c, n(1), 70);
    let lie = Mark { slot: Slot(64), sum: Checksum(1) };
    for _ in 0..5 {
        c.tell(n(1), n(5), Audited { mark: lie });
        // Nobody follows it, whatever it says was agreed.
        let audit = Audit { ballot: common::b(9, 5), slot: Slot(64), agreed: Some(lie) };
        c.tell(n(2), n(5), audit);
    }
    let stranger = Audit { ballot, slot: Slot(64), agreed: Some(lie) };
    c.tell(n(2), n(5), stranger);
    c.run(SECOND);
    assert!([1, 2, 3, 4, 5].map(n).iter().all(|id| c.host(*id).up));
}

/// Two voters of two: which of them is right, nobody can say.
#[test]
fn where_there_is_no_majority_nobody_halts() {
    let mut c = Cluster::new(2);
    c.elect_this(n(1));
    choose(&mut c, n(1), 60);
    corrupt(&mut c, n(2));
    choose(&mut c, n(1), 10);
    assert!(c.host(n(1)).up && c.host(n(2)).up);
    let differs = Notice::Differs { group: GROUP, node: n(2), slot: Slot(64) };
    assert!(c.host(n(1)).notices.contains(&differs), "but there is an alarm");
}

/// What was agreed stands, also against one that had it right and lost it.
#[test]
fn what_was_agreed_is_compared_again_with_whoever_comes_back() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    choose(&mut c, n(1), 70);
    corrupt(&mut c, n(3));
    choose(&mut c, n(1), 64);
    assert_eq!(diverged(&c, n(3)), Some(64), "before it is asked about slot 128");
}

#[test]
fn a_halted_replica_says_nothing_more() {
    let mut c = Cluster::new(3);
    let ballot = c.elect_this(n(1));
    choose(&mut c, n(1), 70);
    let agreed = Some(Mark { slot: Slot(64), sum: Checksum(1) });
    let effects = c.tell(n(3), n(1), Audit { ballot, slot: Slot(64), agreed });
    assert_eq!(effects, [Effect::Halt(HaltReason::Diverged(GROUP, Slot(64)))]);
    assert!(c.host(n(3)).node.is_halted() && c.host(n(3)).node.wake_at().is_none());
}

/// Sums are compared when there is something new, and then no more.
#[test]
fn an_idle_group_is_not_audited() {
    let mut c = Cluster::new(3);
    c.elect_this(n(1));
    choose(&mut c, n(1), 70);
    c.run(SECOND);
    let seen = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = seen.clone();
    c.whim(move |_, e| {
        let audit = matches!(e.message, Message::Audit(_) | Message::Audited(_));
        count.set(count.get() + usize::from(audit));
        common::Fate::Deliver
    });
    c.run(5 * SECOND);
    assert_eq!(seen.get(), 0);
    choose(&mut c, n(1), 64);
    assert!(seen.get() > 0);
}

/// A replica that was brought up by an image is audited like any other.
#[test]
fn an_installed_sum_is_compared_too() {
    let limits =
        paxos_core::types::Limits { checkpoint_slots: 64, keep_slots: 0, ..Default::default() };
    let mut c = Cluster::with(paxos_core::quorum::Membership::majority([1, 2, 3].map(n)), limits);
    c.isolate(n(3));
    c.elect_this(n(1));
    choose(&mut c, n(1), 70);
    c.heal();
    c.run(SECOND);
    assert_eq!(c.replica(n(3)).checksum(), c.replica(n(1)).checksum());
    choose(&mut c, n(1), 64);
    assert!([1, 2, 3].map(n).iter().all(|id| c.host(*id).up));
}
