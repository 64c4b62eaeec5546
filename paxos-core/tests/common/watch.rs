//! What must hold in every scene, whatever it is about.

use std::collections::BTreeMap;

use paxos_core::effect::{Effect, Outcome};
use paxos_core::log::Durable;
use paxos_core::message::{Accepted, Message, Promise};
use paxos_core::types::{Ballot, Checksum, NodeId, QueryId, Slot, Value};

use super::{GROUP, Host, Standing};

/// What the world has seen so far.
#[derive(Default)]
pub struct Watch {
    /// What anyone has delivered, for ever.
    delivered: BTreeMap<Slot, Value>,
    /// Who has led at which ballot.
    leaders: BTreeMap<Ballot, NodeId>,
    /// The slot after the last that anyone was told is chosen.
    told: Slot,
    /// What had been told of when a query was asked: a read must see all of it.
    floors: BTreeMap<QueryId, Slot>,
}

impl Watch {
    /// Takes in that a query is about to be asked.
    pub fn on_query(&mut self, query: QueryId) {
        self.floors.insert(query, self.told);
    }

    /// Looks at what one step of `host` ordered, before anything is carried out.
    pub fn on_step(&mut self, id: NodeId, host: &Host, effects: &[Effect]) {
        let replica = host.node.group(GROUP).expect("the group");
        if replica.standing() == Standing::Leader {
            let ballot = replica.own_ballot().expect("a leader has a ballot");
            let first = *self.leaders.entry(ballot).or_insert(id);
            assert_eq!(first, id, "two leaders at {ballot}");
        }
        let mut next = host.delivered.last().map_or(host.applied, |(slot, _)| slot.next());
        for effect in effects {
            match effect {
                Effect::Deliver { run, .. } => {
                    let busy = host.vault.orders.iter();
                    let replaced = busy.filter(|o| matches!(o, Effect::Install { .. })).count();
                    assert_eq!(replaced, 0, "{id} delivers to a machine that is replaced");
                    assert!(!run.is_empty(), "{id} delivers nothing");
                    assert_eq!(run.first, next, "{id} delivers out of order");
                    next = run.end();
                    for (slot, value) in run.iter() {
                        let first = self.delivered.entry(slot).or_insert_with(|| value.clone());
                        assert_eq!(first, value, "two values are chosen at {slot}");
                    }
                    self.told = self.told.max(next);
                }
                Effect::Resolve { count, outcome: Outcome::Chosen(slot), .. } => {
                    assert!(*count > 0, "{id} answers nobody");
                    self.told = self.told.max(slot.plus(u64::from(*count)));
                }
                Effect::Serve { query, at, .. } => {
                    let floor = self.floors.get(query).copied().unwrap_or_default();
                    assert!(*at >= floor, "{id} serves a read at {at} that must see {floor}");
                    assert!(*at <= replica.delivered(), "{id} serves what it has not delivered");
                }
                Effect::Capture { checkpoint, .. } => {
                    assert_eq!(checkpoint.below, next, "{id} captures somewhere else");
                    assert_eq!(checkpoint.sum, self.sum_below(next), "{id} sums up wrongly");
                }
                Effect::Install { .. } => {
                    assert!(host.vault.orders.iter().all(|o| !holds_machine(o)), "two at once");
                }
                Effect::Send { envelope, .. } => rests_on_disk(id, &envelope.message, &host.disk),
                _ => {}
            }
        }
    }

    /// The sum over everything below `end`, as far as anyone has delivered.
    fn sum_below(&self, end: Slot) -> Checksum {
        let below = self.delivered.range(..end);
        below.fold(Checksum::FIRST, |sum, (slot, value)| sum.extended(*slot, value))
    }
}

/// Whether the state machine stands still for this order, or is replaced by it.
fn holds_machine(order: &Effect) -> bool {
    matches!(order, Effect::Capture { .. } | Effect::Install { .. })
}

/// A pledge may leave only when the disk holds what it says.
fn rests_on_disk(id: NodeId, message: &Message, disk: &Durable) {
    let group = disk.group(GROUP);
    let promised = group.map_or(Ballot::ZERO, |g| g.promised());
    let floor = group.map_or(Slot::FIRST, |g| g.log().floor());
    let vote = |slot| match group.and_then(|g| g.log().get(slot)) {
        // What is chosen outlasts every vote: a vote that lost may be forgotten.
        Some(cell) if cell.chosen => Ballot::new(u64::MAX, id),
        // And what is trimmed is chosen.
        None if slot < floor => Ballot::new(u64::MAX, id),
        cell => cell.map_or(Ballot::ZERO, |c| c.ballot),
    };
    match message {
        Message::Prepare(m) => assert!(promised >= m.ballot, "{id}: {m:?} outruns its disk"),
        Message::Promise(Promise { ballot, votes, .. }) => {
            assert!(promised >= *ballot, "{id} promises {ballot} before its disk does");
            for v in votes.iter().filter(|v| !v.chosen) {
                assert!(vote(v.slot) >= v.ballot, "{id} reports a vote at {} too soon", v.slot);
            }
        }
        Message::Accepted(Accepted { ballot, first, end }) => {
            for slot in (first.0..end.0).map(Slot) {
                assert!(vote(slot) >= *ballot, "{id} votes at {slot} before its disk does");
            }
        }
        Message::Holding(m) => {
            let durable = group.map_or(Slot::FIRST, |g| g.log().chosen());
            assert!(durable >= m.below, "{id} holds all below {} before its disk does", m.below);
        }
        _ => {}
    }
}
