//! One connection that speaks the Redis protocol.
//!
//! Bounds: requests are parsed only while the [`Connection`] wants some, answers
//! are put into bytes only while there is room. What does not fit stays in the
//! socket, and TCP slows the client down.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Registry, Token};
use paxos_core::types::Instant;

use super::clients::{ClientCounts, ClientKey};
use super::conn::{Conn, Filled};
use crate::front::{Connection, Env, Order, PipelineLimits, Ticket};
use crate::kv;
use crate::resp::{self, Reply, RequestDecoder, RespLimits};

/// Where requests are taken in: the side of the counter that does something.
pub(crate) trait Desk {
    /// Takes an order in; it is answered under its ticket, once.
    fn take(&mut self, from: ClientKey, order: Order);
    /// Whether who has something under way should wait before asking for more.
    fn is_full(&self) -> bool;
    /// The bounds of the key-value machine.
    fn limits(&self) -> &kv::Limits;
    /// Whether commands that grow the store are refused now.
    fn is_store_full(&self) -> bool;
}

/// What has come of attending to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attended {
    /// Nothing more can be done now.
    Done,
    /// There is more to read.
    More,
    /// The connection is over.
    Gone,
}

/// Why no more requests were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// There are no more.
    All,
    /// The client has to wait; [`Client::flush`] finds out when that is over.
    Stalled,
}

/// A client.
#[derive(Debug)]
pub(crate) struct Client {
    conn: Conn,
    decoder: RequestDecoder,
    /// What it has asked, and what comes back, in order.
    session: Connection,
    /// Unique on this node.
    number: u64,
    address: Box<str>,
    local_address: Box<str>,
    flags: Flags,
    /// When bytes last went out, or nothing was waiting to.
    progress_at: Instant,
    /// Set once nothing more is to be said: when that was.
    leaving_since: Option<Instant>,
}

/// On which lists the client stands.
#[derive(Debug, Default)]
struct Flags {
    /// To be read from.
    is_ready: bool,
    /// To be written to.
    is_dirty: bool,
    /// Not read from, until it may ask again.
    is_stalled: bool,
}

impl Client {
    /// Takes over an accepted connection.
    ///
    /// # Errors
    /// What the system says about it.
    pub(crate) fn new(
        stream: TcpStream,
        registry: &Registry,
        token: Token,
        number: u64,
        now: Instant,
    ) -> io::Result<Client> {
        super::set_client_options(&stream)?;
        let address = stream.peer_addr()?.to_string().into();
        let local_address = stream.local_addr()?.to_string().into();
        Ok(Client {
            conn: Conn::register(stream, registry, token)?,
            decoder: RequestDecoder::new(RespLimits::default()),
            session: Connection::new(PipelineLimits::default()),
            number,
            address,
            local_address,
            flags: Flags::default(),
            progress_at: now,
            leaving_since: None,
        })
    }

    /// Remembers what the poll told. Tells whether the client is now to be put on
    /// the list of those to read from, and of those to write to.
    pub(crate) fn on_event(&mut self, event: &Event) -> (bool, bool) {
        self.conn.on_event(event);
        let read = self.conn.is_readable() && !self.flags.is_ready && !self.flags.is_stalled;
        self.flags.is_ready |= read;
        let write = event.is_writable() && !self.conn.output.is_empty() && self.soil();
        (read, write)
    }

    /// Notes that there is something to write; whether that is news.
    pub(crate) fn soil(&mut self) -> bool {
        !std::mem::replace(&mut self.flags.is_dirty, true)
    }

    /// Reads and hands on requests, as many as may be.
    pub(crate) fn attend(
        &mut self,
        key: ClientKey,
        scratch: &mut [u8],
        desk: &mut impl Desk,
        counts: &mut ClientCounts,
    ) -> Attended {
        self.flags.is_ready = false;
        if self.leaving_since.is_some() {
            return self.drain(scratch);
        }
        // What was read in an earlier turn, and could not be taken in then.
        if self.take_requests(key, desk, counts) == Taken::Stalled {
            return Attended::Done;
        }
        let filled = self.conn.fill(scratch, scratch.len());
        let taken = self.take_requests(key, desk, counts);
        match (filled, taken) {
            (Err(_), _) => return Attended::Gone,
            (Ok(Filled::Drained), _) | (_, Taken::Stalled) => {}
            (Ok(Filled::More), Taken::All) => {
                self.flags.is_ready = true;
                return Attended::More;
            }
            // It may still listen, as `printf 'PING\r\n' | nc` does.
            (Ok(Filled::Closed), Taken::All) => self.session.close(),
        }
        Attended::Done
    }

    /// Takes in an answer; yields the order that was held back for it.
    pub(crate) fn answer(&mut self, ticket: Ticket, reply: Reply) -> Option<Order> {
        self.session.on_answer(ticket, reply)
    }

    /// Writes what is answered, as much as the system takes.
    pub(crate) fn flush(&mut self, now: Instant, desk_is_full: bool) -> Attended {
        self.flags.is_dirty = false;
        if self.conn.output.is_empty() {
            self.progress_at = now;
        }
        loop {
            self.encode_replies();
            let before = self.conn.output.len();
            if self.conn.flush().is_err() {
                return Attended::Gone;
            }
            if self.conn.output.len() < before {
                self.progress_at = now;
            }
            // What had no room before may have some now, and nobody will tell.
            if before == 0 || !self.conn.output.is_empty() {
                break;
            }
        }
        if self.session.is_finished() && self.conn.output.is_empty() {
            return self.leave(now);
        }
        if self.flags.is_stalled && self.may_ask(desk_is_full) {
            self.flags.is_stalled = false;
            self.flags.is_ready = true;
            return Attended::More;
        }
        Attended::Done
    }

    /// Bytes that are kept for requests and transactions of which the end is missing.
    pub(crate) fn held_bytes(&self) -> usize {
        self.conn.input.len() + self.session.held_bytes()
    }

    /// Bytes of answers that are kept until the client takes them.
    pub(crate) fn answer_bytes(&self) -> usize {
        self.conn.output.len() + self.session.answered_bytes()
    }

    /// Bytes of these that may go before the answer to this request. What waits for it does
    /// not count.
    pub(crate) fn answer_bytes_before(&self, ticket: Ticket) -> usize {
        if self.session.is_next(ticket) { self.conn.output.len() } else { self.answer_bytes() }
    }

    /// Whether an answer that may be long had better come now, and not wait here.
    pub(crate) fn has_room(&self, ticket: Ticket) -> bool {
        self.conn.output.len() < OUTPUT_BYTES_MAX && self.session.has_room(ticket)
    }

    /// Whether the client has been unwilling to take its answers, or to go, for
    /// too long.
    pub(crate) fn is_stuck(&self, now: Instant) -> bool {
        let is_deaf = !self.conn.output.is_empty() && now.since(self.progress_at) > STUCK_AFTER;
        let leaving = self.leaving_since.is_some_and(|since| now.since(since) > LEAVE_WAIT);
        is_deaf || leaving
    }

    fn may_ask(&self, desk_is_full: bool) -> bool {
        let is_waiting = desk_is_full && self.session.outstanding() > 0;
        self.session.wants_request() && self.conn.output.len() < OUTPUT_BYTES_MAX && !is_waiting
    }

    /// Takes requests out of what was read, until there are no more, or the
    /// client has to wait with them.
    fn take_requests(
        &mut self,
        key: ClientKey,
        desk: &mut impl Desk,
        counts: &mut ClientCounts,
    ) -> Taken {
        while self.may_ask(desk.is_full()) {
            match self.decoder.decode(&mut self.conn.input) {
                Ok(Some(words)) => {
                    counts.requests += 1;
                    let env = Env {
                        limits: desk.limits(),
                        connection: self.number,
                        address: &self.address,
                        local_address: &self.local_address,
                        is_store_full: desk.is_store_full(),
                    };
                    if let Some(order) = self.session.on_request(&words, &env) {
                        desk.take(key, order);
                    }
                }
                Ok(None) => return Taken::All,
                Err(error) => {
                    counts.garbled += 1;
                    self.session.on_protocol_error(error.reply());
                }
            }
        }
        self.flags.is_stalled = true;
        Taken::Stalled
    }

    /// Puts answers into bytes while there is room.
    fn encode_replies(&mut self) {
        while self.conn.output.len() < OUTPUT_BYTES_MAX {
            let Some((reply, protocol)) = self.session.next_reply() else { break };
            resp::encode(&reply, protocol, self.conn.output.tail());
        }
    }

    /// Closes our side, and reads on for a while: closing a socket that holds
    /// unread bytes would take our last answer back.
    fn leave(&mut self, now: Instant) -> Attended {
        if self.leaving_since.is_some() {
            // What comes now is told by the poll.
            return Attended::Done;
        }
        self.leaving_since = Some(now);
        if self.conn.stream().shutdown(Shutdown::Write).is_err() {
            return Attended::Gone;
        }
        self.flags.is_stalled = false;
        let is_listed = std::mem::replace(&mut self.flags.is_ready, true);
        if is_listed { Attended::Done } else { Attended::More }
    }

    fn drain(&mut self, scratch: &mut [u8]) -> Attended {
        let filled = self.conn.fill(scratch, scratch.len());
        self.conn.input.clear();
        match filled {
            Ok(Filled::Drained) => Attended::Done,
            Ok(Filled::More) => {
                self.flags.is_ready = true;
                Attended::More
            }
            Ok(Filled::Closed) | Err(_) => Attended::Gone,
        }
    }
}

/// Bytes of answers that may wait for the client to read them; one answer may go
/// beyond it.
const OUTPUT_BYTES_MAX: usize = 256 << 10;
/// A client that takes none of its answers for this long is closed.
const STUCK_AFTER: Duration = Duration::from_secs(60);
/// How long a client may take to go after its last answer.
const LEAVE_WAIT: Duration = Duration::from_secs(1);
