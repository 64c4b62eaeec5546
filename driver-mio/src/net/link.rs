//! The one connection to one peer, whoever dialled it.
//!
//! Either side dials while the link is down, so that a node that comes back is
//! connected at once and not at the others' next attempt. If two dials cross, the
//! one by the higher id stays, if it stands: both sides come to that by themselves, see
//! [`Link::admits`]. One that hangs, as where packets go nowhere, is in nobody's way.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use mio::net::TcpStream;
use mio::{Registry, Token};
use paxos_core::codec::frame::{Hello, VERSION};
use paxos_core::types::{Incarnation, Instant, Lives, NodeId};

use super::backoff::Backoff;
use super::conn::Conn;
use super::hello::Introduction;

/// A peer, where it lives, and how things stand with it.
#[derive(Debug)]
pub(crate) struct Link {
    /// The peer.
    pub(crate) id: NodeId,
    /// None if only the peer knows: then it has to dial.
    address: Option<SocketAddr>,
    token: Token,
    /// The newest life of the peer that has said hello.
    incarnation: Incarnation,
    /// The version that was agreed on last; means something while the link is up.
    pub(crate) version: u8,
    backoff: Backoff,
    /// How things stand.
    pub(crate) phase: Phase,
}

/// How things stand with a peer.
#[derive(Debug)]
pub(crate) enum Phase {
    /// No connection.
    Down {
        /// When to dial.
        redial_at: Instant,
    },
    /// Dialled; the peer has not said hello yet.
    Calling {
        /// The connection, with our own hello at the front of its output.
        conn: Conn,
        /// When to take it for dead.
        give_up_at: Instant,
    },
    /// Both have said hello.
    Up(Conn),
}

impl Link {
    /// A link that dials as soon as it may.
    pub(crate) fn new(id: NodeId, address: Option<SocketAddr>, token: Token, seed: u64) -> Link {
        let phase = Phase::Down { redial_at: Instant::default() };
        let backoff = Backoff::new(seed);
        let incarnation = Incarnation::default();
        Link { id, address, token, incarnation, version: VERSION, backoff, phase }
    }

    /// The connection, if there is one of any kind.
    pub(crate) fn conn(&mut self) -> Option<&mut Conn> {
        match &mut self.phase {
            Phase::Down { .. } => None,
            Phase::Calling { conn, .. } | Phase::Up(conn) => Some(conn),
        }
    }

    /// Where the peer is dialled, if that is known.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Dials somewhere else from the next time on.
    pub(crate) fn moved_to(&mut self, address: Option<SocketAddr>) {
        self.address = address;
    }

    /// Whether messages reach the peer.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up(_))
    }

    /// When time alone changes something here.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Down { redial_at } => Some(*redial_at),
            Phase::Calling { give_up_at, .. } => Some(*give_up_at),
            Phase::Up(_) => None,
        }
    }

    /// Queues a frame, unless the peer is away or `bytes_max` would wait for it.
    /// Tells whether it was queued; if not, the protocol will say it again.
    pub(crate) fn send(&mut self, frame: &Bytes, bytes_max: usize) -> bool {
        match &mut self.phase {
            Phase::Up(conn) if conn.output.len() + frame.len() <= bytes_max => {
                conn.output.push(frame);
                true
            }
            _ => false,
        }
    }

    /// Dials if it is time to.
    pub(crate) fn dial(
        &mut self,
        now: Instant,
        (me, lives): (&Introduction, &Lives),
        registry: &Registry,
    ) {
        match &self.phase {
            Phase::Down { redial_at } if *redial_at <= now => {}
            Phase::Calling { give_up_at, .. } if *give_up_at <= now => {}
            _ => return,
        }
        self.phase = match self.call((me, lives), registry) {
            Ok(conn) => Phase::Calling { conn, give_up_at: now + super::HELLO_WAIT },
            Err(_) => Phase::Down { redial_at: now + self.backoff.next() },
        };
    }

    /// Drops the connection; the next attempt comes after a while.
    pub(crate) fn close(&mut self, now: Instant) {
        self.phase = Phase::Down { redial_at: now + self.backoff.next() };
    }

    /// The peer has said hello on the connection that this side dialled, and will be spoken
    /// to in this version.
    pub(crate) fn on_answer(&mut self, hello: &Hello, version: u8, now: Instant) {
        self.version = version;
        self.incarnation = self.incarnation.max(hello.life.this);
        self.backoff.reset();
        let down = Phase::Down { redial_at: now };
        self.phase = match std::mem::replace(&mut self.phase, down) {
            Phase::Calling { conn, .. } => Phase::Up(conn),
            other => other,
        };
    }

    /// Whether a connection that the peer dialled may become this link.
    pub(crate) fn admits(&self, hello: &Hello, me: NodeId) -> bool {
        if hello.life.this < self.incarnation {
            return false;
        }
        match self.phase {
            Phase::Down { .. } => true,
            // Two dials have crossed. The peer decides likewise, the other way round: it
            // cannot take ours before it has heard our hello.
            Phase::Calling { ref conn, .. } => self.id > me || !has_spoken(conn),
            // The peer would not dial if it thought that this one lives.
            Phase::Up(_) => true,
        }
    }

    /// Takes over a connection on which the peer has said hello; it will be spoken to in this
    /// version.
    ///
    /// # Errors
    /// What the system says about it; the link is as it was.
    pub(crate) fn adopt(
        &mut self,
        mut conn: Conn,
        (hello, version): (&Hello, u8),
        (me, lives): (&Introduction, &Lives),
        registry: &Registry,
    ) -> io::Result<()> {
        conn.rename(registry, self.token)?;
        conn.output.push(&me.hello_to(self.id, lives.latest(self.id, hello.life.disk)));
        self.incarnation = self.incarnation.max(hello.life.this);
        self.version = version;
        self.backoff.reset();
        self.phase = Phase::Up(conn);
        Ok(())
    }

    fn call(&self, (me, lives): (&Introduction, &Lives), registry: &Registry) -> io::Result<Conn> {
        let address = self.address.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let stream = TcpStream::connect(address)?;
        super::set_peer_options(&stream)?;
        let mut conn = Conn::register(stream, registry, self.token)?;
        // Of which disk it will speak is not known: of the one heard last, most likely.
        conn.output.push(&me.hello_to(self.id, lives.latest(self.id, 0)));
        Ok(conn)
    }
}

/// Whether our hello may have left on a connection that this side dialled. It does when the
/// connection stands.
fn has_spoken(conn: &Conn) -> bool {
    conn.is_writable() || conn.output.is_empty()
}

#[cfg(test)]
mod tests {
    use mio::Poll;
    use paxos_core::codec::frame::Versions;
    use paxos_core::types::{Life, Past};

    use super::*;

    const N2: NodeId = NodeId(2);

    #[test]
    fn of_two_dials_that_cross_the_one_by_the_higher_id_stays() {
        for (peer, admitted) in [(NodeId(1), false), (NodeId(3), true)] {
            let poll = Poll::new().expect("polls");
            let mut link = link(peer);
            link.dial(Instant::from_micros(1), (&me(), &Lives::default()), poll.registry());
            let Phase::Calling { conn, .. } = &mut link.phase else { panic!("it has dialled") };
            // Our hello has left.
            conn.output.consume(conn.output.len());
            assert_eq!(link.admits(&hello(peer, 1), N2), admitted, "{peer}");
        }
    }

    /// As if the peer's address led nowhere: the peer reaches us all the same.
    #[test]
    fn a_dial_that_never_connects_keeps_nobody_out() {
        for peer in [NodeId(1), NodeId(3)] {
            let poll = Poll::new().expect("polls");
            let mut link = link(peer);
            link.dial(Instant::from_micros(1), (&me(), &Lives::default()), poll.registry());
            assert!(matches!(link.phase, Phase::Calling { .. }));
            assert!(link.admits(&hello(peer, 1), N2), "{peer}");
        }
    }

    #[test]
    fn a_former_life_of_the_peer_is_not_admitted() {
        let mut link = link(NodeId(3));
        link.on_answer(&hello(NodeId(3), 5), VERSION, Instant::default());
        assert!(!link.admits(&hello(NodeId(3), 4), N2));
        assert!(link.admits(&hello(NodeId(3), 5), N2));
        assert!(link.admits(&hello(NodeId(3), 6), N2));
    }

    #[test]
    fn what_cannot_be_sent_is_not_kept() {
        let mut link = link(NodeId(3));
        assert!(!link.send(&Bytes::from_static(b"x"), 100));
        assert!(link.conn().is_none());
    }

    #[test]
    fn a_slow_peer_holds_no_more_than_the_bound() {
        let poll = Poll::new().expect("polls");
        let mut link = link(NodeId(3));
        link.dial(Instant::from_micros(1), (&me(), &Lives::default()), poll.registry());
        link.on_answer(&hello(NodeId(3), 1), VERSION, Instant::default());
        let frame = Bytes::from(vec![0; 30]);
        assert!(link.send(&frame, 100) && link.send(&frame, 100), "and a short hello");
        assert!(link.send(&Bytes::new(), 100));
        assert!(!link.send(&Bytes::from(vec![0; 41]), 100));
    }

    #[test]
    fn a_dial_without_an_answer_is_given_up() {
        let poll = Poll::new().expect("polls");
        let mut link = link(NodeId(3));
        let start = Instant::from_micros(1);
        link.dial(start, (&me(), &Lives::default()), poll.registry());
        let give_up_at = link.wake_at().expect("it waits");
        assert_eq!(give_up_at, start + super::super::HELLO_WAIT);
        link.dial(give_up_at, (&me(), &Lives::default()), poll.registry());
        assert_eq!(link.wake_at(), Some(give_up_at + super::super::HELLO_WAIT));
    }

    fn link(id: NodeId) -> Link {
        // A port that nobody listens on: whether the dial fails does not matter here.
        Link::new(id, Some(SocketAddr::from(([127, 0, 0, 1], 1))), Token(id.0.into()), 1)
    }

    fn me() -> Introduction {
        let life = Life { disk: 1, this: Incarnation(1), before: Past::default() };
        Introduction { versions: Versions::SPOKEN, cluster: 1, node: N2, life, lease_us: 0 }
    }

    fn hello(from: NodeId, incarnation: u64) -> Hello {
        let life = Life { disk: 1, this: Incarnation(incarnation), before: Past::default() };
        let (heard_disk, heard_life) = (0, Incarnation(0));
        Hello {
            versions: Versions::SPOKEN,
            cluster: 1,
            node: from,
            to: N2,
            life,
            heard_disk,
            heard_life,
            lease_us: 0,
        }
    }
}
