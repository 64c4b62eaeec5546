use std::collections::BTreeMap;
use std::slice::from_ref;

use paxos_core::log::Durable;
use paxos_core::message::{Chosen, Greet, Heartbeat, Prepare};
use paxos_core::types::{Checksum, Command, GroupId, Value};

use super::*;
use crate::choice::Seeded;
use crate::swarm::{Plan, Swarm};

const BALLOT: Ballot = Ballot::new(3, NodeId(1));

fn ghost() -> GroupGhost {
    let swarm = Swarm::draw(&mut Seeded::new(1), &Plan::default());
    GroupGhost::new(&Swarm { quorums: (2, 2), nodes: 3, changes: None, ..swarm })
}

fn run(text: &'static str) -> Run {
    Run::one(Slot(1), Value::Command(Command::plain(text.as_bytes().into())))
}

fn disk(entries: &[Entry]) -> Durable {
    let mut durable = Durable::default();
    for entry in entries {
        durable.replay(Record { group: GroupId(0), entry: entry.clone() }).unwrap();
    }
    durable
}

fn says(ghost: &mut GroupGhost, id: u16, disk: &Durable, m: impl Into<Message>) -> &'static str {
    let by = Speaker { node: NodeId(id), life: 1, disk: 0, durable: disk.group(GroupId(0)) };
    ghost.on_sent(by, &m.into()).err().map_or("fine", |violation| violation.invariant)
}

#[test]
fn a_ballot_waits_for_the_disk() {
    let prepare = Prepare { ballot: BALLOT, from: Slot(1), released: None };
    let empty = Durable::default();
    assert_eq!(says(&mut ghost(), 1, &empty, prepare.clone()), "I4 durable before sent");
    assert_eq!(says(&mut ghost(), 1, &disk(&[Entry::Promised(BALLOT)]), prepare), "fine");
}

#[test]
fn a_vote_waits_for_the_disk() {
    let accepted = Accepted { ballot: BALLOT, first: Slot(1), end: Slot(2) };
    let promised = disk(&[Entry::Promised(BALLOT)]);
    assert_eq!(says(&mut ghost(), 2, &promised, accepted.clone()), "I4 durable before sent");
    let voted = disk(&[Entry::Voted { ballot: BALLOT, run: run("x") }]);
    assert_eq!(says(&mut ghost(), 2, &voted, accepted), "fine");
}

#[test]
fn a_vote_below_the_floor_need_not_be_kept() {
    let accepted = Accepted { ballot: BALLOT, first: Slot(1), end: Slot(2) };
    let trimmed = Entry::Trimmed { below: Slot(2) };
    let disk = disk(&[Entry::Promised(BALLOT), trimmed]);
    assert_eq!(says(&mut ghost(), 2, &disk, accepted.clone()), "fine");
    let further = Accepted { end: Slot(3), ..accepted };
    assert_eq!(says(&mut ghost(), 2, &disk, further), "I4 durable before sent");
}

#[test]
fn a_promise_tells_every_vote() {
    let mut ghost = ghost();
    let old = Ballot::new(1, NodeId(3));
    let voted = Entry::Voted { ballot: old, run: run("x") };
    let disk = disk(&[voted.clone(), Entry::Promised(BALLOT)]);
    ghost.on_durable((NodeId(2), 0), &Record { group: GroupId(0), entry: voted }).unwrap();
    says(&mut ghost, 1, &disk, Prepare { ballot: BALLOT, from: Slot(1), released: None });
    let silent = Promise {
        ballot: BALLOT,
        from: Slot(1),
        to: None,
        chosen: Slot(1),
        votes: Default::default(),
    };
    assert_eq!(says(&mut ghost, 2, &disk, silent), "I4 promise tells all");
}

#[test]
fn chosen_is_said_of_chosen_slots_only() {
    let mut ghost = ghost();
    let chosen = Chosen { ballot: BALLOT, below: Slot(2) };
    assert_eq!(says(&mut ghost, 1, &Durable::default(), chosen.clone()), "I7 quorums");
    for id in [1, 2] {
        let entry = Entry::Voted { ballot: BALLOT, run: run("x") };
        let record = Record { group: GroupId(0), entry };
        ghost.ledger.proposed(hash(&run("x")[0]));
        ghost.on_durable((NodeId(id), 0), &record).unwrap();
    }
    assert_eq!(says(&mut ghost, 1, &Durable::default(), chosen), "fine");
}

#[test]
fn a_leader_is_settled_once_it_has_what_was_chosen_before() {
    let mut ghost = ghost();
    for id in [1, 2] {
        let entry = Entry::Voted { ballot: BALLOT, run: run("x") };
        ghost.ledger.proposed(hash(&run("x")[0]));
        ghost.on_durable((NodeId(id), 0), &Record { group: GroupId(0), entry }).unwrap();
    }
    let next = Ballot { round: BALLOT.round + 1, ..BALLOT };
    let cases = [
        (BALLOT, 1, true, "fine"),
        (next, 1, true, "I6 settled"),
        (next, 1, false, "fine"),
        (next, 2, true, "fine"),
    ];
    for (ballot, chosen, settled, what) in cases {
        let beat = Heartbeat { ballot, chosen: Slot(chosen), beat: 1, settled };
        assert_eq!(says(&mut ghost, 1, &Durable::default(), beat), what, "{ballot} {chosen}");
    }
}

#[test]
fn a_leader_without_promises_is_found() {
    let mut ghost = ghost();
    let disk = disk(&[Entry::Promised(BALLOT)]);
    let by = Speaker { node: NodeId(1), life: 1, disk: 0, durable: disk.group(GroupId(0)) };
    assert_eq!(ghost.on_leading(by, BALLOT, Slot(1)).unwrap_err().invariant, "I7 quorums");
}

#[test]
fn what_a_disk_stands_by_is_said_when_it_holds_that_or_did_before_it_joined() {
    let charter = |last| {
        let disks = BTreeMap::from([(NodeId(1), 11), (NodeId(2), 12), (NodeId(3), last)]);
        Charter::new(Checksum(7), disks).unwrap()
    };
    let named = Entry::Founding(Founding::Named(charter(13)));
    let joined = Entry::Founding(Founding::Joined);
    let greet = |last| Greet { founding: Founding::Named(charter(last)), asks: true };
    let (standing, joins) = (disk(from_ref(&named)), disk(&[named.clone(), joined]));

    let mut ghost = ghost();
    assert_eq!(says(&mut ghost, 3, &Durable::default(), greet(13)), "I4 durable before sent");
    assert_eq!(says(&mut ghost, 3, &standing, greet(13)), "fine");
    assert_eq!(says(&mut ghost, 3, &standing, greet(14)), "I4 durable before sent");
    assert_eq!(says(&mut ghost, 3, &joins, greet(13)), "I4 durable before sent", "never ordered");
    let by = Speaker { node: NodeId(3), life: 1, disk: 0, durable: None };
    ghost.on_written(by, &Record { group: GroupId(0), entry: named }).unwrap();
    assert_eq!(says(&mut ghost, 3, &Durable::default(), greet(13)), "I4 durable before sent");
    assert_eq!(says(&mut ghost, 3, &joins, greet(13)), "fine");
    assert_eq!(says(&mut ghost, 3, &joins, greet(14)), "I4 durable before sent");
}
