//! Connections that speak the Redis protocol: who is there, and whose turn it is.
//!
//! A client that asks faster than it is answered, or does not take its answers,
//! is not read from until that has changed: the system then slows it down, and
//! nothing grows here. What clients have begun and not ended is bounded for all of them
//! together, and so are the answers that they have not taken: where it is too much,
//! whoever holds the most is closed. What a request means is decided elsewhere; this
//! file moves bytes, and knows whose they are.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use paxos_core::types::Instant;

use super::client::{Attended, Client, Desk};
use super::{CLIENT_LISTENER, CLIENTS};
use crate::front::{Order, Ticket};
use crate::resp::Reply;

/// A connection, and this life of its place: a reply that comes late for a
/// closed connection never reaches the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientKey {
    place: u32,
    life: u32,
}

#[cfg(test)]
impl ClientKey {
    /// Somebody.
    pub(crate) fn of_test(place: u32) -> ClientKey {
        ClientKey { place, life: 0 }
    }
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientCounts {
    /// Connections taken.
    pub(crate) accepted: u64,
    /// Connections turned away because there were too many.
    pub(crate) rejected: u64,
    /// Connections closed because their bytes made no sense.
    pub(crate) garbled: u64,
    /// Connections closed because they took no answer for a long time.
    pub(crate) stuck: u64,
    /// Connections closed because all together held too much that they had not ended, or
    /// not taken.
    pub(crate) evicted: u64,
    /// Requests taken.
    pub(crate) requests: u64,
}

/// All clients.
#[derive(Debug)]
pub(crate) struct Clients {
    listener: TcpListener,
    registry: Registry,
    /// The listener may have connections for us.
    knocking: bool,
    /// The last turn has taken as many of them as a turn may.
    is_crowd_at_door: bool,
    places: Vec<Place>,
    /// Places without a client.
    free: Vec<u32>,
    /// Whom to read from, in turn. Each stands here at most once.
    ready: VecDeque<u32>,
    /// Whom to write to at the end of the turn. Each stands here at most once.
    dirty: Vec<u32>,
    clients_max: usize,
    /// What all clients hold.
    held: Held,
    held_max: Held,
    swept_at: Instant,
    counts: ClientCounts,
}

#[derive(Debug, Default)]
struct Place {
    life: u32,
    /// What its client held when it was weighed last.
    held: Held,
    client: Option<Box<Client>>,
}

/// What is kept in memory for clients, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    /// Of requests and transactions of which the end is missing.
    asked: usize,
    /// Of answers that were not taken.
    answered: usize,
}

impl Clients {
    /// Takes at most `clients_max` clients at `listener`.
    ///
    /// # Errors
    /// What the system says about polling the listener.
    pub(crate) fn new(
        mut listener: TcpListener,
        clients_max: usize,
        registry: Registry,
    ) -> io::Result<Clients> {
        registry.register(&mut listener, CLIENT_LISTENER, Interest::READABLE)?;
        Ok(Clients {
            listener,
            registry,
            knocking: true,
            is_crowd_at_door: false,
            places: Vec::new(),
            free: Vec::new(),
            ready: VecDeque::new(),
            dirty: Vec::new(),
            clients_max,
            held: Held::default(),
            held_max: HELD_MAX,
            swept_at: Instant::default(),
            counts: ClientCounts::default(),
        })
    }

    /// Remembers what the poll told; whether it was about clients at all.
    pub(crate) fn on_event(&mut self, event: &Event) -> bool {
        if event.token() == CLIENT_LISTENER {
            self.knocking = true;
            return true;
        }
        let Some(place) = event.token().0.checked_sub(CLIENTS) else { return false };
        if let Some(client) = self.places.get_mut(place).and_then(|p| p.client.as_mut()) {
            let (read, write) = client.on_event(event);
            if read {
                self.ready.push_back(place as u32);
            }
            if write {
                self.dirty.push(place as u32);
            }
        }
        true
    }

    /// Accepts, and reads requests from everyone who has some.
    pub(crate) fn turn(&mut self, now: Instant, scratch: &mut [u8], desk: &mut impl Desk) {
        self.accept(now);
        for _ in 0..self.ready.len() {
            let Some(at) = self.ready.pop_front() else { break };
            let place = &mut self.places[at as usize];
            let key = ClientKey { place: at, life: place.life };
            let Some(client) = &mut place.client else { continue };
            match client.attend(key, scratch, desk, &mut self.counts) {
                Attended::Done => {}
                Attended::More => self.ready.push_back(at),
                Attended::Gone => self.remove(at),
            }
            self.soil(at);
            self.weigh(at);
        }
        self.sweep(now);
    }

    /// Whether someone waits to be read from, or to be let in: then come back without
    /// waiting.
    pub(crate) fn has_more(&self) -> bool {
        !self.ready.is_empty() || self.is_crowd_at_door
    }

    /// The answer to an order. Goes out at the end of the turn, after those to
    /// the same client's earlier requests. Yields the order that it lets through.
    pub(crate) fn answer(&mut self, key: ClientKey, to: Ticket, reply: Reply) -> Option<Order> {
        let place = &mut self.places[key.place as usize];
        if place.life != key.life {
            return None;
        }
        let next = place.client.as_mut()?.answer(to, reply);
        self.soil(key.place);
        self.weigh_answers(key.place);
        // Most of it may go out at the end of this turn.
        self.bound_answers(self.held_max.answered.saturating_mul(2));
        next
    }

    /// Whether an answer that may be long had better come now, and not wait here; nothing
    /// if the client is gone. While many answers wait, nobody gets a second one, but for one
    /// that the first waits for.
    pub(crate) fn has_room(&self, key: ClientKey, ticket: Ticket) -> Option<bool> {
        let place = self.places.get(key.place as usize)?;
        let client = place.client.as_ref().filter(|_| place.life == key.life)?;
        let is_crowded = self.held.answered >= self.held_max.answered / 2;
        let is_second = client.answer_bytes_before(ticket) > 0;
        Some(client.has_room(ticket) && !(is_crowded && is_second))
    }

    /// How many may have something coming.
    pub(crate) fn owing(&self) -> usize {
        self.dirty.len()
    }

    /// Writes to everyone who has something coming: one call each, if the system
    /// takes it all.
    pub(crate) fn flush(&mut self, now: Instant, desk_is_full: bool) {
        while let Some(at) = self.dirty.pop() {
            let Some(client) = &mut self.places[at as usize].client else { continue };
            match client.flush(now, desk_is_full) {
                Attended::Done => {}
                Attended::More => self.ready.push_back(at),
                Attended::Gone => self.remove(at),
            }
            self.weigh_answers(at);
        }
        self.bound_answers(self.held_max.answered);
    }

    /// How many clients there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Counts since the start.
    pub(crate) fn counts(&self) -> &ClientCounts {
        &self.counts
    }

    /// Notes what a client holds; closes those that hold the most while all hold too much.
    fn weigh(&mut self, at: u32) {
        let place = &mut self.places[at as usize];
        let asked = place.client.as_ref().map_or(0, |client| client.held_bytes());
        self.held.asked = self.held.asked - place.held.asked + asked;
        place.held.asked = asked;
        while self.held.asked > self.held_max.asked {
            self.evict(|held| held.asked);
        }
        self.weigh_answers(at);
    }

    /// Notes what it has not taken of its answers.
    fn weigh_answers(&mut self, at: u32) {
        let place = &mut self.places[at as usize];
        let answered = place.client.as_ref().map_or(0, |client| client.answer_bytes());
        self.held.answered = self.held.answered - place.held.answered + answered;
        place.held.answered = answered;
    }

    /// Closes those that have left the most answers while all have left more than `most`.
    fn bound_answers(&mut self, most: usize) {
        while self.held.answered > most {
            self.evict(|held| held.answered);
        }
    }

    /// Closes the client that holds the most.
    fn evict(&mut self, bytes: impl Fn(&Held) -> usize) {
        let by_size = self.places.iter().enumerate().max_by_key(|(_, place)| bytes(&place.held));
        if let Some((most, _)) = by_size {
            self.counts.evicted += 1;
            self.remove(most as u32);
        }
    }

    fn soil(&mut self, at: u32) {
        if let Some(client) = &mut self.places[at as usize].client
            && client.soil()
        {
            self.dirty.push(at);
        }
    }

    /// Lets in who knocks: so many in one turn, as callers that come and go could hold up
    /// all others.
    fn accept(&mut self, now: Instant) {
        self.is_crowd_at_door = false;
        for _ in 0..ACCEPTS_MAX {
            if !self.knocking {
                return;
            }
            match self.listener.accept() {
                Ok((stream, _)) => self.welcome(stream, now),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.knocking = false,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // Out of descriptors, or a caller that hung up: a later turn tries again.
                Err(_) => return,
            }
        }
        self.is_crowd_at_door = self.knocking;
    }

    fn welcome(&mut self, mut stream: TcpStream, now: Instant) {
        if self.len() >= self.clients_max {
            self.counts.rejected += 1;
            // Fits into the socket's empty buffer, or the caller learns it from the close.
            let _ = io::Write::write(&mut stream, b"-ERR max number of clients reached\r\n");
            return;
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            // `clients_max` keeps this far below four billion.
            (self.places.len() - 1) as u32
        });
        let (token, number) = (Token(CLIENTS + at as usize), self.counts.accepted + 1);
        match Client::new(stream, &self.registry, token, number, now) {
            Ok(client) => {
                self.counts.accepted = number;
                self.places[at as usize].client = Some(Box::new(client));
            }
            Err(_) => self.free.push(at),
        }
    }

    fn remove(&mut self, at: u32) {
        let place = &mut self.places[at as usize];
        if place.client.take().is_some() {
            place.life = place.life.wrapping_add(1);
            let held = std::mem::take(&mut place.held);
            self.held.asked -= held.asked;
            self.held.answered -= held.answered;
            self.free.push(at);
        }
    }

    /// Closes who takes no answers, now and then.
    fn sweep(&mut self, now: Instant) {
        if now.since(self.swept_at) < SWEEP_EVERY {
            return;
        }
        self.swept_at = now;
        for at in 0..self.places.len() {
            if self.places[at].client.as_ref().is_some_and(|client| client.is_stuck(now)) {
                self.counts.stuck += 1;
                self.remove(at as u32);
            }
        }
    }
}

/// What all clients hold together. The longest request is a sixteenth of it, the longest
/// answer an eighth.
const HELD_MAX: Held = Held { asked: 256 << 20, answered: 512 << 20 };
/// Connections that one turn takes.
const ACCEPTS_MAX: usize = 64;
/// How often to look for clients that are to be closed.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
