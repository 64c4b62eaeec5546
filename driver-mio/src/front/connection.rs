//! A client's connection as the driver sees it: requests and answers in, orders
//! and replies out.

use bytes::Bytes;

use super::{Action, Env, Front, Order, Pipeline, PipelineLimits, Ticket};
use crate::resp::{Protocol, Reply};

/// One client's connection.
///
/// ```
/// # use driver_mio::front::{Connection, Env, PipelineLimits, Work};
/// # use driver_mio::resp::{Protocol, Reply};
/// let limits = driver_mio::kv::Limits::default();
/// let (address, local_address) = ("10.0.0.9:51234", "10.0.0.1:6379");
/// let env = Env { limits: &limits, connection: 7, address, local_address, is_store_full: false };
///
/// let mut connection = Connection::new(PipelineLimits::default());
/// assert!(connection.wants_request());
/// let order = connection.on_request(&["SET".into(), "k".into(), "v".into()], &env).unwrap();
/// assert!(matches!(order.work, Work::Propose { .. }));
/// assert!(connection.on_request(&["PING".into()], &env).is_none());
///
/// // The answer that is known waits behind the one that is not.
/// assert_eq!(connection.next_reply(), None);
/// connection.on_answer(order.ticket, Reply::OK);
/// assert_eq!(connection.next_reply(), Some((Reply::OK, Protocol::Resp2)));
/// assert_eq!(connection.next_reply(), Some((Reply::Status("PONG"), Protocol::Resp2)));
/// ```
#[derive(Debug, Default)]
pub struct Connection {
    front: Front,
    pipeline: Pipeline,
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(limits: PipelineLimits) -> Self {
        Self { front: Front::new(), pipeline: Pipeline::new(limits) }
    }

    /// Tells whether the next request may be parsed. Where not, leaving bytes in
    /// the socket is what slows the client down; ask again after every answer
    /// and every reply taken.
    pub fn wants_request(&self) -> bool {
        self.pipeline.is_open()
    }

    /// Tells whether the connection is to be closed: the last reply has been taken.
    pub fn is_finished(&self) -> bool {
        self.pipeline.is_finished()
    }

    /// Number of requests whose replies have not been taken.
    pub fn outstanding(&self) -> usize {
        self.pipeline.outstanding()
    }

    /// Bytes of replies that were not taken yet.
    pub fn answered_bytes(&self) -> usize {
        self.pipeline.answered_bytes()
    }

    /// Tells whether a reply that may be long had better come now. If not, it would only
    /// wait: ask again after every reply taken.
    pub fn has_room(&self, ticket: Ticket) -> bool {
        self.pipeline.has_room(ticket)
    }

    /// Tells whether all replies that are kept here wait for this one.
    pub fn is_next(&self, ticket: Ticket) -> bool {
        self.pipeline.is_next(ticket)
    }

    /// Bytes that are kept for a transaction which is not closed.
    pub fn held_bytes(&self) -> usize {
        self.front.transaction.held_bytes()
    }

    /// Takes the next request; answers what is to be done for it now, if anything.
    pub fn on_request(&mut self, words: &[Bytes], env: &Env<'_>) -> Option<Order> {
        let action = self.front.on_request(words, env);
        self.pipeline.push(action, self.front.voice())
    }

    /// Takes bytes that are no request: says so, and closes after it.
    pub fn on_protocol_error(&mut self, reply: Reply) {
        self.pipeline.push(Action::Close(reply), self.front.voice());
    }

    /// Takes the answer to an order; answers another that was held until now.
    pub fn on_answer(&mut self, ticket: Ticket, reply: Reply) -> Option<Order> {
        if self.pipeline.watch() == Some(ticket) {
            let reply = self.front.on_watched(&reply);
            return self.pipeline.answer(ticket, reply);
        }
        self.pipeline.answer(ticket, reply)
    }

    /// Lets no further request in, as when the client has closed its side; what
    /// is on its way is still answered.
    pub fn close(&mut self) {
        self.pipeline.close();
    }

    /// Takes the next reply whose turn has come. Take them only while there is
    /// room to write them: those that wait here are counted, and hold requests back.
    pub fn next_reply(&mut self) -> Option<(Reply, Protocol)> {
        loop {
            let (reply, voice) = self.pipeline.pop()?;
            if !voice.is_silent {
                return Some((reply, voice.protocol));
            }
        }
    }
}
