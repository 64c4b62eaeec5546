//! A node and peers that speak older and newer versions than it does, or nonsense.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::BytesMut;
use paxos_core::codec::frame::{self, Frame, Hello, Versions};
use paxos_core::message::{Envelope, Heartbeat};
use paxos_core::types::{Ballot, GroupId, Incarnation, Life, NodeId, Past, Slot};

use support::node::{Cluster, Node};
use support::{PATIENCE, eventually};

/// Node 2 of a cluster of two, made by hand.
struct Peer {
    stream: TcpStream,
    input: BytesMut,
}

impl Peer {
    fn dial(node: &Node) -> Peer {
        let stream = eventually("it listens", || TcpStream::connect(node.peer).ok());
        stream.set_read_timeout(Some(PATIENCE)).expect("can be set");
        Peer { stream, input: BytesMut::new() }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("written");
    }

    /// The next frame, in this version if it is not a hello; none at the end.
    fn hear(&mut self, version: u8) -> Option<Frame> {
        loop {
            if let Some(frame) = frame::take(&mut self.input, 1 << 20, version).expect("a frame") {
                return Some(frame);
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes).unwrap_or(0) {
                0 => return None,
                read => self.input.extend_from_slice(&bytes[..read]),
            }
        }
    }
}

fn hello(versions: Versions) -> BytesMut {
    let hello = Hello {
        versions,
        cluster: 1,
        node: NodeId(2),
        to: NodeId(1),
        life: Life { disk: 5, this: Incarnation(1), before: Past::default() },
        heard_disk: 0,
        heard_life: Incarnation(0),
        lease_us: 0,
    };
    let mut out = BytesMut::new();
    frame::put_hello(&mut out, &hello);
    out
}

fn of(lowest: u8, highest: u8) -> Versions {
    Versions::new(lowest, highest).expect("in order")
}

/// The first of a cluster of two; the other is not there.
fn one_of_two() -> Cluster {
    let mut cluster = Cluster::new(2);
    cluster.nodes[0].start();
    cluster
}

#[test]
fn a_newer_peer_is_spoken_to_in_the_version_that_both_know() {
    let cluster = one_of_two();
    let node = &cluster.nodes[0];
    let highest = Versions::SPOKEN.highest();
    let mut peer = Peer::dial(node);
    // What a later version adds to the hello does not disturb.
    let mut longer = hello(of(highest, highest + 1));
    longer.extend_from_slice(b"later");
    let length = (longer.len() - frame::HEADER_BYTES) as u32;
    longer[..4].copy_from_slice(&length.to_le_bytes());
    let crc = [&longer[..8], &longer[frame::HEADER_BYTES..]].concat();
    longer[8..12].copy_from_slice(&crc32fast::hash(&crc).to_le_bytes());
    peer.say(&longer);
    let Some(Frame::Hello(answer)) = peer.hear(highest) else { panic!("an answer") };
    assert_eq!((answer.versions, answer.to), (Versions::SPOKEN, NodeId(2)));
    // It looks for a quorum, in the version that both know.
    let Some(Frame::Messages(said)) = peer.hear(highest) else { panic!("messages") };
    assert!(said.into_iter().all(|message| message.is_ok()));
    assert_eq!(node.count("peer_version_spoken"), Some(highest.into()));
    // The higher one was not agreed on.
    let message =
        Heartbeat { ballot: Ballot::new(4, NodeId(2)), chosen: Slot(1), beat: 0, settled: true }
            .into();
    let said = Envelope { group: GroupId(0), from: NodeId(2), disk: 5, message };
    let mut frame = BytesMut::new();
    frame::put_messages(&mut frame, highest + 1, [&said]);
    peer.say(&frame);
    while peer.hear(highest).is_some() {}
    eventually("it is counted", || (node.count("peer_bad_frames") == Some(1)).then_some(()));
    assert!(node.log().contains("cannot understand n2: a frame of version"), "{}", node.log());
}

#[test]
fn a_peer_without_a_common_version_is_told_so_and_counted() {
    let cluster = one_of_two();
    let node = &cluster.nodes[0];
    let above = Versions::SPOKEN.highest() + 1;
    for (count, its) in [(1, of(above, above)), (2, of(above + 3, 255))] {
        let mut peer = Peer::dial(node);
        peer.say(&hello(its));
        let Some(Frame::Hello(answer)) = peer.hear(1) else { panic!("an answer") };
        assert_eq!(answer.versions, Versions::SPOKEN, "it can tell its operator");
        assert_eq!(peer.hear(1), None, "and that was all");
        assert_eq!(node.count("peer_versions_refused"), Some(count));
        let line = format!("it speaks {its} of the protocol between nodes, and we speak");
        eventually("the operator is told", || node.log().contains(&line).then_some(()));
    }
    assert_eq!(node.count("peers_connected"), Some(0));
}

#[test]
fn versions_that_cannot_be_are_turned_away() {
    let cluster = one_of_two();
    let node = &cluster.nodes[0];
    let body = |bytes: &[u8]| {
        let mut frame = hello(of(1, 1));
        // In place of `1 1`, each a byte.
        frame[frame::HEADER_BYTES..frame::HEADER_BYTES + 2].copy_from_slice(bytes);
        frame
    };
    let sealed = |mut frame: BytesMut| {
        let crc = [&frame[..8], &frame[frame::HEADER_BYTES..]].concat();
        frame[8..12].copy_from_slice(&crc32fast::hash(&crc).to_le_bytes());
        frame
    };
    let mut stamped = hello(of(1, 1));
    stamped[4] = 9;
    for said in [body(&[0, 0]), body(&[2, 1]), body(&[0xff, 0x7f]), stamped] {
        let before = node.count("peer_connections_refused").unwrap_or_default();
        let mut peer = Peer::dial(node);
        peer.say(&sealed(said));
        assert_eq!(peer.hear(1), None, "no answer");
        eventually("it is counted", || {
            (node.count("peer_connections_refused")? > before).then_some(())
        });
    }
    assert_eq!(node.count("peers_connected"), Some(0));
}
