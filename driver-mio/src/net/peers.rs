//! All peers: one connection each, for all groups.
//!
//! Who connects is a guest until it has said hello; guests are few, and each has
//! two seconds. A peer that is slow or away costs a bounded buffer: what does not
//! fit is dropped and counted, and the protocol says it again.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use paxos_core::codec::frame::Hello;
use paxos_core::message::Envelope;
use paxos_core::quorum::NodeSet;
use paxos_core::types::{Incarnation, Instant, Limits, Lives, NodeId, Rng};

use super::conn::{Conn, Filled};
use super::hello::{Introduction, Refusal, read_hello};
use super::link::{Link, Phase};
use super::wire::{self, Garbled};
use super::{GUESTS, HELLO_WAIT, LINKS, PEER_LISTENER};

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

/// A connection whose owner has not said hello.
#[derive(Debug)]
struct Guest {
    conn: Conn,
    address: SocketAddr,
    leave_at: Instant,
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
        let mut frame: Option<Bytes> = None;
        for link in self.links.iter_mut().filter(|link| to.contains(link.id)) {
            let frame = frame.get_or_insert_with(|| wire::encode(envelope, &mut self.buffer));
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

    /// Whether this peer is up.
    pub(crate) fn is_up(&self, id: NodeId) -> bool {
        self.links.iter().any(|link| link.id == id && link.is_up())
    }

    fn link(&mut self, id: NodeId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.id == id)
    }

    /// Lets guests in while there is room; the rest wait with the system until
    /// someone leaves.
    fn accept(&mut self, now: Instant, facts: &mut Vec<PeerFact>) {
        while self.knocking {
            let Some(place) = self.guests.iter().position(Option::is_none) else { return };
            match self.listener.accept() {
                Ok((stream, address)) => {
                    let token = Token(GUESTS + place);
                    let conn = super::set_peer_options(&stream)
                        .and_then(|()| Conn::register(stream, &self.registry, token));
                    match conn {
                        Ok(conn) => {
                            let leave_at = now + HELLO_WAIT;
                            self.guests[place] = Some(Guest { conn, address, leave_at });
                        }
                        Err(_) => self.refuse(address, Refusal::Silent, facts),
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.knocking = false,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Out of descriptors, or a caller that hung up: the next edge, or
                // the next turn that has one, tries again.
                Err(_) => return,
            }
        }
    }

    /// Reads a guest's hello, and makes a link of it or shows it out.
    fn attend(
        &mut self,
        place: usize,
        now: Instant,
        scratch: &mut [u8],
        facts: &mut Vec<PeerFact>,
    ) {
        let Some(guest) = &mut self.guests[place] else { return };
        let (ended, verdict) = match guest.conn.fill(scratch, scratch.len()) {
            Ok(filled) => (filled == Filled::Closed, read_hello(&mut guest.conn.input)),
            Err(_) => (true, Err(Refusal::Silent)),
        };
        let verdict = match verdict {
            Ok(None) if ended || guest.leave_at <= now => Err(Refusal::Silent),
            Ok(None) => return,
            Ok(Some(hello)) => {
                let admitted = self.me.admit(&hello, &mut self.lives);
                if let Err(refusal) = admitted {
                    let guest = self.guests[place].take().expect("it was there above");
                    return self.show_out(guest, Some(&hello), refusal, facts);
                }
                self.has_new_lives |= admitted == Ok(true);
                Ok(hello)
            }
            Err(refusal) => Err(refusal),
        };
        let guest = self.guests[place].take().expect("it was there above");
        match verdict {
            Ok(hello) => self.welcome(guest, &hello, facts),
            Err(refusal) => self.show_out(guest, None, refusal, facts),
        }
    }

    fn welcome(&mut self, guest: Guest, hello: &Hello, facts: &mut Vec<PeerFact>) {
        if self.open && self.links.iter().all(|link| link.id != hello.node) {
            let seed = self.rng.next_u64();
            self.links.push(Link::new(hello.node, None, token(hello.node), seed));
            self.links.sort_by_key(|link| link.id);
        }
        let Peers { me, lives, registry, links, .. } = self;
        let Some(link) = links.iter_mut().find(|link| link.id == hello.node) else {
            return self.show_out(guest, Some(hello), Refusal::Stranger(hello.node), facts);
        };
        // Not a fault of anyone's: two dials have crossed, or a ghost has spoken.
        if link.admits(hello, me.node)
            && link.adopt(guest.conn, hello, (me, lives), registry).is_ok()
        {
            facts.push(PeerFact::Up(hello.node));
        }
    }

    /// Says who we are before closing, so that the other side can log what is
    /// wrong; a stranger that speaks no hello gets no answer.
    fn show_out(
        &mut self,
        mut guest: Guest,
        hello: Option<&Hello>,
        refusal: Refusal,
        facts: &mut Vec<PeerFact>,
    ) {
        if let Refusal::KnowsBetter(life) = refusal
            && let Some(hello) = hello
        {
            facts.push(PeerFact::Outdated(hello.node, life));
        }
        if refusal.deserves_an_answer() {
            let answer = match (refusal, hello) {
                // It has to believe us that there was such a life: this is for itself.
                (Refusal::Outdated(life), Some(hello)) => {
                    self.me.hello_to(hello.node, Some((hello.life.disk, life)))
                }
                _ => self.me.hello_to(NodeId::default(), None),
            };
            guest.conn.output.push(&answer);
            // It may be gone already, and that is fine too.
            let _ = guest.conn.flush();
        }
        self.refuse(guest.address, refusal, facts);
    }

    fn refuse(&mut self, address: SocketAddr, refusal: Refusal, facts: &mut Vec<PeerFact>) {
        self.counts.refused += 1;
        facts.push(PeerFact::Refused(address, refusal));
    }

    /// Reads one link; tells whether there is more.
    fn read(
        &mut self,
        place: usize,
        now: Instant,
        scratch: &mut [u8],
        facts: &mut Vec<PeerFact>,
    ) -> bool {
        let link = &mut self.links[place];
        let was_up = link.is_up();
        let Some(conn) = link.conn().filter(|conn| conn.is_readable()) else { return false };
        let filled = conn.fill(scratch, READ_BYTES_A_TURN);
        // What arrived before the end still counts.
        let understood = self.understand(place, now, facts);
        let link = &mut self.links[place];
        match (filled, understood) {
            (Ok(Filled::Drained), true) => false,
            (Ok(Filled::More), true) => true,
            _ => {
                let is_up = link.is_up();
                link.close(now);
                if was_up || is_up {
                    facts.push(PeerFact::Down(link.id));
                }
                false
            }
        }
    }

    /// Takes hello and messages out of what was read; false if it makes no sense.
    fn understand(&mut self, place: usize, now: Instant, facts: &mut Vec<PeerFact>) -> bool {
        let link = &mut self.links[place];
        if let Phase::Calling { conn, .. } = &mut link.phase {
            let checked = read_hello(&mut conn.input).and_then(|hello| match hello {
                Some(hello) if hello.node != link.id => Err(Refusal::Stranger(hello.node)),
                Some(hello) => {
                    let is_new = self.me.admit(&hello, &mut self.lives);
                    self.has_new_lives |= is_new == Ok(true);
                    is_new.map(|_| Some(hello))
                }
                None => Ok(None),
            });
            match checked {
                Ok(Some(hello)) => {
                    link.on_answer(&hello, now);
                    facts.push(PeerFact::Up(link.id));
                }
                Ok(None) => return true,
                Err(refusal) => {
                    if let Refusal::KnowsBetter(life) = refusal {
                        facts.push(PeerFact::Outdated(link.id, life));
                    }
                    if let Some(address) = link.address() {
                        self.refuse(address, refusal, facts);
                    }
                    return false;
                }
            }
        }
        let Phase::Up(conn) = &mut link.phase else { return true };
        let waiting = conn.input.len();
        let received = &mut self.counts.received;
        let understood = wire::decode(&mut conn.input, link.id, self.body_bytes_max, |envelope| {
            *received += 1;
            facts.push(PeerFact::Received(envelope));
        });
        self.counts.received_bytes += (waiting - conn.input.len()) as u64;
        if let Err(garbled) = understood {
            self.counts.bad_frames += 1;
            facts.push(PeerFact::Garbled(link.id, garbled));
        }
        understood.is_ok()
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
/// Bytes read from one peer in one turn, so that no peer starves the others.
const READ_BYTES_A_TURN: usize = 1 << 20;
