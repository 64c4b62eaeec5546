//! All peers: one connection each, for all groups.
//!
//! Who connects is a guest until it has said hello; guests are few, and each has
//! two seconds. A peer that is slow or away costs a bounded buffer: what does not
//! fit is dropped and counted, and the protocol says it again.
//!
//! | file   | what it does                                  |
//! |--------|-----------------------------------------------|
//! | `door` | guests: let in, heard out, shown in or out    |
//! | `hear` | what peers say                                |

mod door;
mod hear;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use paxos_core::message::Envelope;
use paxos_core::quorum::NodeSet;
use paxos_core::types::{Incarnation, Instant, Limits, Lives, NodeId, Rng};
use smallvec::SmallVec;

use super::hello::{Introduction, Refusal};
use super::link::Link;
use super::wire::{self, Garbled};
use super::{GUESTS, LINKS, PEER_LISTENER};
use door::Guest;

/// What the peers' sockets told.
#[derive(Debug)]
pub(crate) enum PeerFact {
    /// A message, from the peer whose name it bears.
    Received(Envelope),
    /// Messages reach this peer now.
    Up(NodeId),
    /// They reach it no more.
    Down(NodeId),
    /// A stranger, or a peer that is misconfigured, was turned away.
    Refused(SocketAddr, Refusal),
    /// A peer said something that is no message, and was cut off.
    Garbled(NodeId, Garbled),
    /// A peer has heard of a life of this node that it does not know of itself: it runs
    /// on an older copy of its disk, and must not go on.
    Outdated(NodeId, Incarnation),
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeerCounts {
    /// Messages handed to a connection.
    pub(crate) sent: u64,
    /// Bytes of these.
    pub(crate) sent_bytes: u64,
    /// Messages that a peer was too slow or too far away for.
    pub(crate) dropped: u64,
    /// Bytes of these.
    pub(crate) dropped_bytes: u64,
    /// Messages that arrived.
    pub(crate) received: u64,
    /// Bytes of these.
    pub(crate) received_bytes: u64,
    /// Connections closed because they held something that is no message.
    pub(crate) bad_frames: u64,
    /// Connections turned away at hello, or for want of room.
    pub(crate) refused: u64,
    /// Those of these that spoke no version of ours.
    pub(crate) refused_versions: u64,
}

/// All peers.
#[derive(Debug)]
pub(crate) struct Peers {
    me: Introduction,
    /// Which lives of whom were heard of.
    lives: Lives,
    /// Whether there are some that nobody has stored.
    has_new_lives: bool,
    registry: Registry,
    listener: TcpListener,
    /// The listener may have connections for us.
    knocking: bool,
    /// By node id, ascending.
    links: Vec<Link>,
    guests: [Option<Guest>; GUESTS_MAX],
    /// The longest frame that is read.
    body_bytes_max: usize,
    /// Where frames are encoded before they are shared out.
    buffer: BytesMut,
    counts: PeerCounts,
    /// Spreads the attempts to dial.
    rng: Rng,
    /// Whether nodes are let in that we were not told of: we do not know yet who they are.
    open: bool,
}

impl Peers {
    /// Hears from peers at `listener`, knows everyone in `cluster`, and has heard of these
    /// lives before.
    ///
    /// # Errors
    /// What the system says about polling the listener.
    pub(crate) fn new(
        mut listener: TcpListener,
        me: Introduction,
        cluster: &BTreeMap<NodeId, SocketAddr>,
        limits: &Limits,
        seed: u64,
        (registry, lives): (Registry, Lives),
    ) -> io::Result<Peers> {
        registry.register(&mut listener, PEER_LISTENER, Interest::READABLE)?;
        let mut rng = Rng::new(seed);
        let others = cluster.iter().filter(|(id, _)| **id != me.node);
        let links =
            others.map(|(id, at)| Link::new(*id, Some(*at), token(*id), rng.next_u64())).collect();
        Ok(Peers {
            me,
            lives,
            has_new_lives: false,
            registry,
            listener,
            knocking: true,
            links,
            guests: [const { None }; GUESTS_MAX],
            body_bytes_max: wire::body_bytes_max(limits),
            buffer: BytesMut::new(),
            counts: PeerCounts::default(),
            rng,
            open: false,
        })
    }

    /// Reaches these nodes from now on; where it is not said, they dial. Lets others in
    /// only while it is `open`.
    pub(crate) fn reach(&mut self, others: &BTreeMap<NodeId, Option<SocketAddr>>, open: bool) {
        self.open = open;
        self.links.retain(|link| open || others.contains_key(&link.id));
        for (id, address) in others.iter().filter(|(id, _)| **id != self.me.node) {
            match self.links.iter_mut().find(|link| link.id == *id) {
                Some(link) if link.address() != *address => link.moved_to(*address),
                Some(_) => {}
                None => {
                    let seed = self.rng.next_u64();
                    self.links.push(Link::new(*id, *address, token(*id), seed));
                }
            }
        }
        self.links.sort_by_key(|link| link.id);
    }

    /// Remembers what the poll told; whether it was about peers at all.
    pub(crate) fn on_event(&mut self, event: &Event) -> bool {
        let token = event.token();
        if token == PEER_LISTENER {
            self.knocking = true;
        } else if (GUESTS..GUESTS + GUESTS_MAX).contains(&token.0) {
            if let Some(guest) = &mut self.guests[token.0 - GUESTS] {
                guest.conn.on_event(event);
            }
        } else if (LINKS..GUESTS).contains(&token.0) {
            let id = NodeId((token.0 - LINKS) as u16);
            if let Some(conn) = self.link(id).and_then(Link::conn) {
                conn.on_event(event);
            }
        } else {
            return false;
        }
        true
    }

    /// Accepts, dials and reads whatever is due. Tells whether a connection has
    /// more to read: then come back without waiting.
    pub(crate) fn turn(
        &mut self,
        now: Instant,
        scratch: &mut [u8],
        facts: &mut Vec<PeerFact>,
    ) -> bool {
        self.accept(now, facts);
        for place in 0..GUESTS_MAX {
            self.attend(place, now, scratch, facts);
        }
        let mut more = false;
        for place in 0..self.links.len() {
            self.links[place].dial(now, (&self.me, &self.lives), &self.registry);
            more |= self.read(place, now, scratch, facts);
        }
        more
    }

    /// The lives that were heard of, if there are some that were not given out here: to be
    /// made durable before anything is taken from them.
    pub(crate) fn new_lives(&mut self) -> Option<&Lives> {
        std::mem::take(&mut self.has_new_lives).then_some(&self.lives)
    }

    /// Queues a message for each of these peers that is up.
    pub(crate) fn send(&mut self, to: NodeSet, envelope: &Envelope) {
        // One a version that is spoken: during an upgrade there are two.
        let mut frames: SmallVec<[(u8, Bytes); 1]> = SmallVec::new();
        for link in self.links.iter_mut().filter(|link| to.contains(link.id)) {
            let at = frames.iter().position(|(version, _)| *version == link.version);
            let at = at.unwrap_or_else(|| {
                let frame = wire::encode(envelope, link.version, &mut self.buffer);
                frames.push((link.version, frame));
                frames.len() - 1
            });
            let frame = &frames[at].1;
            if link.send(frame, OUTPUT_BYTES_MAX) {
                self.counts.sent += 1;
                self.counts.sent_bytes += frame.len() as u64;
            } else {
                self.counts.dropped += 1;
                self.counts.dropped_bytes += frame.len() as u64;
            }
        }
    }

    /// Writes what waits: one call a peer, if the system takes it all.
    pub(crate) fn flush(&mut self, now: Instant, facts: &mut Vec<PeerFact>) {
        for link in &mut self.links {
            let was_up = link.is_up();
            let Some(conn) = link.conn() else { continue };
            if conn.flush().is_err() {
                link.close(now);
                if was_up {
                    facts.push(PeerFact::Down(link.id));
                }
            }
        }
    }

    /// When time alone changes something here.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let leaving = self.guests.iter().flatten().map(|guest| guest.leave_at);
        self.links.iter().filter_map(Link::wake_at).chain(leaving).min()
    }

    /// Counts since the start.
    pub(crate) fn counts(&self) -> &PeerCounts {
        &self.counts
    }

    /// How many peers are up.
    pub(crate) fn up(&self) -> usize {
        self.links.iter().filter(|link| link.is_up()).count()
    }

    /// The lowest version that is spoken with a peer that is up.
    pub(crate) fn version_spoken(&self) -> Option<u8> {
        self.links.iter().filter(|link| link.is_up()).map(|link| link.version).min()
    }

    /// Whether this peer is up.
    pub(crate) fn is_up(&self, id: NodeId) -> bool {
        self.links.iter().any(|link| link.id == id && link.is_up())
    }

    fn link(&mut self, id: NodeId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.id == id)
    }
}

/// What the poll calls the link to `id`.
fn token(id: NodeId) -> Token {
    Token(LINKS + usize::from(id.0))
}

/// Connections that may wait for their hello at once.
const GUESTS_MAX: usize = 64;
/// Bytes that may wait for one peer. Holds some of the largest messages.
const OUTPUT_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests;
