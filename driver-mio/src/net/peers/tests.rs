//! Two nodes over real sockets, before, during and after an upgrade.

use std::time::Duration;

use mio::{Events, Poll};
use paxos_core::codec::frame::Versions;
use paxos_core::message::Heartbeat;
use paxos_core::types::{Ballot, GroupId, Life, Past, Slot};

use super::*;

/// A node of tests: its peers, and what they told.
struct Side {
    poll: Poll,
    peers: Peers,
    facts: Vec<PeerFact>,
    heard: Vec<Envelope>,
}

impl Side {
    /// One that speaks these versions; the clock is the test's.
    fn new(id: u16, (lowest, highest): (u8, u8), cluster: &[(u16, TcpListener)]) -> Side {
        let poll = Poll::new().expect("polls");
        let listener = &cluster.iter().find(|(other, _)| *other == id).expect("a member").1;
        let std = std::os::fd::AsFd::as_fd(listener).try_clone_to_owned().expect("a socket");
        let listener = TcpListener::from_std(std::net::TcpListener::from(std));
        let me = Introduction {
            versions: Versions::new(lowest, highest).expect("in order"),
            cluster: 1,
            node: NodeId(id),
            life: Life { disk: u64::from(id), this: Incarnation(1), before: Past::default() },
            lease_us: 0,
        };
        let places = cluster.iter().map(|(id, at)| (NodeId(*id), at.local_addr().expect("bound")));
        let (registry, limits) = (poll.registry().try_clone().expect("polls"), Limits::default());
        let known = (registry, Lives::default());
        let peers = Peers::new(listener, me, &places.collect(), &limits, 7, known);
        Side { poll, peers: peers.expect("peers"), facts: Vec::new(), heard: Vec::new() }
    }

    fn turn(&mut self, now: Instant) {
        let mut events = Events::with_capacity(16);
        self.poll.poll(&mut events, Some(Duration::from_millis(1))).expect("polls");
        events.iter().for_each(|event| _ = self.peers.on_event(event));
        let mut facts = Vec::new();
        self.peers.turn(now, &mut [0; 4096], &mut facts);
        self.peers.flush(now, &mut facts);
        for fact in facts {
            match fact {
                PeerFact::Received(envelope) => self.heard.push(envelope),
                fact => self.facts.push(fact),
            }
        }
    }
}

fn heartbeat(from: u16) -> Envelope {
    let message =
        Heartbeat { ballot: Ballot::new(4, NodeId(1)), chosen: Slot(9), beat: 0, settled: true };
    Envelope { group: GroupId(0), from: NodeId(from), disk: 0, message: message.into() }
}

/// Two nodes that speak these, after `done`.
fn meet(a: (u8, u8), b: (u8, u8), done: impl Fn(&Side, &Side) -> bool) -> (Side, Side) {
    let listen = || TcpListener::bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let cluster = [(1, listen()), (2, listen())];
    let (mut a, mut b) = (Side::new(1, a, &cluster), Side::new(2, b, &cluster));
    let began = std::time::Instant::now();
    while !done(&a, &b) {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?} {:?}", a.facts, b.facts);
        let now = Instant::from_micros(began.elapsed().as_micros() as u64 + 1);
        if a.peers.up() == 1 && b.peers.up() == 1 && a.heard.is_empty() && b.heard.is_empty() {
            a.peers.send(NodeSet::of(NodeId(2)), &heartbeat(1));
            b.peers.send(NodeSet::of(NodeId(1)), &heartbeat(2));
        }
        a.turn(now);
        b.turn(now);
    }
    (a, b)
}

#[test]
fn nodes_of_two_versions_speak_the_highest_that_both_know() {
    for (a, b, spoken) in [((1, 1), (1, 2), 1), ((1, 2), (1, 2), 2), ((2, 3), (1, 2), 2)] {
        let heard = |a: &Side, b: &Side| !a.heard.is_empty() && !b.heard.is_empty();
        let (a, b) = meet(a, b, heard);
        for side in [&a, &b] {
            assert_eq!(side.peers.version_spoken(), Some(spoken));
            assert_eq!(side.peers.counts().bad_frames, 0);
        }
        assert_eq!((&a.heard[0], &b.heard[0]), (&heartbeat(2), &heartbeat(1)));
    }
}

#[test]
fn nodes_without_a_common_version_part_and_both_say_why() {
    let counted = |side: &Side| side.peers.counts().refused_versions > 0;
    let (a, b) = meet((1, 1), (2, 3), |a, b| counted(a) && counted(b));
    for (side, its) in [(&a, "versions 2 to 3"), (&b, "version 1")] {
        let told = side
            .facts
            .iter()
            .any(|fact| matches!(fact, PeerFact::Refused(_, why) if why.to_string().contains(its)));
        assert!(told, "{:?}", side.facts);
        assert_eq!((side.peers.up(), side.peers.version_spoken()), (0, None));
    }
}
