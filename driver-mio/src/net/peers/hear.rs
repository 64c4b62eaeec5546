//! What peers say: an answer to our hello first, and messages from then on.

use paxos_core::types::Instant;

use super::super::conn::Filled;
use super::super::hello::{Refusal, read_hello};
use super::super::link::Phase;
use super::super::wire;
use super::{PeerFact, Peers};

impl Peers {
    /// Reads one link; tells whether there is more.
    pub(super) fn read(
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
                    let admitted = self.me.admit(&hello, &mut self.lives);
                    admitted.map(|admitted| Some((hello, admitted)))
                }
                None => Ok(None),
            });
            match checked {
                Ok(Some((hello, admitted))) => {
                    self.has_new_lives |= admitted.is_new_life;
                    link.on_answer(&hello, admitted.version, now);
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
        let who = (link.id, link.version);
        let Phase::Up(conn) = &mut link.phase else { return true };
        let waiting = conn.input.len();
        let received = &mut self.counts.received;
        let understood = wire::decode(&mut conn.input, who, self.body_bytes_max, |envelope| {
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

/// Bytes read from one peer in one turn, so that no peer starves the others.
const READ_BYTES_A_TURN: usize = 1 << 20;
