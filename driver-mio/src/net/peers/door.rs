//! The door: who connects is heard out, and becomes a link or is shown out.

use std::io;
use std::net::SocketAddr;

use mio::Token;
use paxos_core::codec::frame::Hello;
use paxos_core::types::{Instant, NodeId};

use super::super::conn::{Conn, Filled};
use super::super::hello::{Refusal, read_hello};
use super::super::link::Link;
use super::super::{GUESTS, HELLO_WAIT, set_peer_options};
use super::{PeerFact, Peers, token};

/// A connection whose owner has not said hello.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) conn: Conn,
    address: SocketAddr,
    pub(super) leave_at: Instant,
}

impl Peers {
    /// Lets guests in while there is room; the rest wait with the system until
    /// someone leaves.
    pub(super) fn accept(&mut self, now: Instant, facts: &mut Vec<PeerFact>) {
        while self.knocking {
            let Some(place) = self.guests.iter().position(Option::is_none) else { return };
            match self.listener.accept() {
                Ok((stream, address)) => {
                    let token = Token(GUESTS + place);
                    let conn = set_peer_options(&stream)
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
    pub(super) fn attend(
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
            Ok(Some(hello)) => match self.me.admit(&hello, &mut self.lives) {
                Ok(admitted) => {
                    self.has_new_lives |= admitted.is_new_life;
                    Ok((hello, admitted.version))
                }
                Err(refusal) => {
                    let guest = self.guests[place].take().expect("it was there above");
                    return self.show_out(guest, Some(&hello), refusal, facts);
                }
            },
            Err(refusal) => Err(refusal),
        };
        let guest = self.guests[place].take().expect("it was there above");
        match verdict {
            Ok((hello, version)) => self.welcome(guest, (&hello, version), facts),
            Err(refusal) => self.show_out(guest, None, refusal, facts),
        }
    }

    fn welcome(&mut self, guest: Guest, (hello, version): (&Hello, u8), facts: &mut Vec<PeerFact>) {
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
            && link.adopt(guest.conn, (hello, version), (me, lives), registry).is_ok()
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

    pub(super) fn refuse(
        &mut self,
        address: SocketAddr,
        refusal: Refusal,
        facts: &mut Vec<PeerFact>,
    ) {
        self.counts.refused += 1;
        self.counts.refused_versions += u64::from(matches!(refusal, Refusal::Versions(..)));
        facts.push(PeerFact::Refused(address, refusal));
    }
}
