//! One non-blocking stream with its buffers.
//!
//! The poll is edge-triggered: a readiness is told once, and this type remembers
//! it until the system says "would block". Readiness is only ever a hint; a
//! wrong one costs a call.

use std::io::{self, IoSlice, Read, Write};

use bytes::BytesMut;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::out_queue::OutQueue;

/// A stream, what was read from it, and what is to be written to it.
#[derive(Debug)]
pub(crate) struct Conn {
    stream: TcpStream,
    /// Bytes read and not yet understood.
    pub(crate) input: BytesMut,
    /// Bytes on their way out.
    pub(crate) output: OutQueue,
    /// The system may have bytes for us.
    readable: bool,
    /// The system may take bytes from us.
    writable: bool,
    /// The peer writes no more: the end comes after what is still to be read.
    ending: bool,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// Everything that is there has been read.
    Drained,
    /// There is more; the budget of this turn is used up.
    More,
    /// The peer has closed its side. What was read before it stands in `input`.
    Closed,
}

impl Conn {
    /// Takes over a stream, new to this poll.
    ///
    /// # Errors
    /// What the system says about registering it.
    pub(crate) fn register(
        mut stream: TcpStream,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Conn> {
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Conn {
            stream,
            input: BytesMut::new(),
            output: OutQueue::default(),
            readable: false,
            writable: false,
            ending: false,
        })
    }

    /// Has readiness told under another token from now on.
    ///
    /// # Errors
    /// What the system says about it.
    pub(crate) fn rename(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.reregister(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Remembers what the poll told about this stream.
    pub(crate) fn on_event(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_write_closed();
        self.ending |= event.is_read_closed() || event.is_error();
    }

    /// The stream itself, for its options and its error.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether a read may find something.
    pub(crate) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether the system may take bytes: never before the connection stands.
    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    /// Reads into `input` through `scratch`, until nothing is left or `budget`
    /// bytes were read (rounded up to a read).
    ///
    /// # Errors
    /// What the system says; the connection is of no use any more.
    pub(crate) fn fill(&mut self, scratch: &mut [u8], budget: usize) -> io::Result<Filled> {
        let mut total = 0;
        while self.readable {
            match self.stream.read(scratch) {
                Ok(0) => return Ok(Filled::Closed),
                Ok(read) => {
                    make_room(&mut self.input, read);
                    self.input.extend_from_slice(&scratch[..read]);
                    total += read;
                    // A short read has emptied the socket, and the next byte makes
                    // a new edge; the end of the stream makes none if it was told.
                    self.readable = read == scratch.len() || self.ending;
                    if self.readable && total >= budget {
                        return Ok(Filled::More);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Filled::Drained)
    }

    /// Writes what waits, as much as the system takes; one call if it takes all.
    ///
    /// # Errors
    /// What the system says; the connection is of no use any more.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while self.writable && !self.output.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let written = match self.output.front(&mut slices) {
                1 => self.stream.write(&slices[0]),
                count => self.stream.write_vectored(&slices[..count]),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.output.consume(written),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// Sets memory aside in blocks, so that a trickle of bytes does not allocate for
/// each, and slices kept from a block pin few bytes beside their own.
fn make_room(buffer: &mut BytesMut, bytes: usize) {
    if buffer.capacity() - buffer.len() < bytes {
        buffer.reserve(bytes.max(BLOCK_BYTES));
    }
}

/// How much an input buffer grows at a time, at least.
const BLOCK_BYTES: usize = 16 << 10;
/// How many pieces one write takes; the system's own bound is 1024.
const SLICES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream as StdStream};
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;

    #[test]
    fn everything_arrives_and_the_end_is_seen() {
        let (mut poll, mut conn, mut far) = pair();
        let sent: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        let writer = {
            let sent = sent.clone();
            std::thread::spawn(move || far.write_all(&sent))
        };
        let end = until(&mut poll, &mut conn, |conn| {
            let filled = conn.fill(&mut [0; 1000], 1 << 30).expect("reads");
            (filled == Filled::Closed).then_some(())
        });
        assert_eq!(end, Some(()));
        assert_eq!(conn.input, sent);
        writer.join().expect("no panic").expect("writes");
    }

    #[test]
    fn a_turn_reads_no_more_than_its_budget_and_goes_on_in_the_next() {
        let (mut poll, mut conn, mut far) = pair();
        far.write_all(&[7; 10_000]).expect("writes");
        let filled = until(&mut poll, &mut conn, |conn| {
            let filled = conn.fill(&mut [0; 100], 1000).expect("reads");
            (filled == Filled::More).then_some(conn.input.len())
        });
        assert_eq!(filled, Some(1000));
        let all = until(&mut poll, &mut conn, |conn| {
            conn.fill(&mut [0; 100], 1000).expect("reads");
            (conn.input.len() == 10_000).then_some(())
        });
        assert_eq!(all, Some(()));
    }

    #[test]
    fn what_the_system_does_not_take_waits_for_the_next_edge() {
        let (mut poll, mut conn, mut far) = pair();
        let sent: Vec<u8> = (0..8_000_000u32).map(|n| (n / 7) as u8).collect();
        conn.output.push(&sent.clone().into());
        until(&mut poll, &mut conn, |conn| {
            conn.flush().expect("writes");
            (!conn.is_writable()).then_some(())
        });
        assert!(!conn.output.is_empty(), "no socket buffer holds all that");
        let reader = std::thread::spawn(move || {
            let mut received = vec![0; 8_000_000];
            far.read_exact(&mut received).map(|()| received)
        });
        until(&mut poll, &mut conn, |conn| {
            conn.flush().expect("writes");
            conn.output.is_empty().then_some(())
        });
        assert!(reader.join().expect("no panic").expect("reads") == sent);
    }

    fn pair() -> (Poll, Conn, StdStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let far = StdStream::connect(listener.local_addr().expect("bound")).expect("connects");
        let (near, _) = listener.accept().expect("accepts");
        near.set_nonblocking(true).expect("can be");
        let poll = Poll::new().expect("polls");
        let conn = Conn::register(TcpStream::from_std(near), poll.registry(), Token(0));
        (poll, conn.expect("registers"), far)
    }

    /// Turns the poll until `done` says so; nothing once the poll falls silent.
    fn until<T>(
        poll: &mut Poll,
        conn: &mut Conn,
        mut done: impl FnMut(&mut Conn) -> Option<T>,
    ) -> Option<T> {
        let mut events = Events::with_capacity(8);
        loop {
            if let Some(result) = done(conn) {
                return Some(result);
            }
            let wait = if conn.readable { Duration::ZERO } else { Duration::from_secs(5) };
            poll.poll(&mut events, Some(wait)).expect("polls");
            if events.is_empty() && !conn.readable {
                return None;
            }
            events.iter().for_each(|event| conn.on_event(event));
        }
    }
}
