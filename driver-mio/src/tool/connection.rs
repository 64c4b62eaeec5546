//! A connection that waits: one request, one answer.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::BytesMut;

use super::ToolError;
use crate::args::Server;
use crate::resp::{Reply, ReplyDecoder, ReplyLimits, encode_request};

/// A blocking connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    decoder: ReplyDecoder,
    buffer: BytesMut,
    scratch: Box<[u8]>,
}

impl Connection {
    /// Connects to the first address of the server that answers.
    ///
    /// # Errors
    /// [`ToolError::Connect`] with what the last address said.
    pub fn open(server: &Server) -> Result<Self, ToolError> {
        let stream = connect(server)
            .map_err(|error| ToolError::Connect { server: server.to_string(), error })?;
        Ok(Self {
            stream,
            decoder: ReplyDecoder::new(ReplyLimits::default()),
            buffer: BytesMut::new(),
            scratch: vec![0; SCRATCH_BYTES].into(),
        })
    }

    /// Sends one request.
    ///
    /// # Errors
    /// Whatever happens here, the server may have got the request.
    pub fn send(&mut self, argv: &[impl AsRef<[u8]>]) -> Result<(), ToolError> {
        let mut wire = Vec::new();
        encode_request(argv, &mut wire);
        self.stream.write_all(&wire).map_err(lost)
    }

    /// Waits for the next reply.
    ///
    /// # Errors
    /// The connection is of no more use after any of them.
    pub fn receive(&mut self) -> Result<Reply, ToolError> {
        loop {
            if let Some(reply) = self.decoder.decode(&mut self.buffer)? {
                return Ok(reply);
            }
            match self.stream.read(&mut self.scratch) {
                Ok(0) => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => self.buffer.extend_from_slice(&self.scratch[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(error)),
            }
        }
    }

    /// Whether the server is known to have hung up, so that a request sent now
    /// would be lost.
    pub fn has_ended(&self) -> bool {
        match self.peek_now() {
            Ok(count) => count == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    fn peek_now(&self) -> io::Result<usize> {
        self.stream.set_nonblocking(true)?;
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false)?;
        peeked
    }

    #[cfg(test)]
    pub(super) fn wait_for_hangup(&self) {
        assert_eq!(self.stream.peek(&mut [0]).expect("connected"), 0);
    }
}

/// Connects to the first address that answers, in blocking mode, with the
/// server's patience set for reads and writes.
pub(super) fn connect(server: &Server) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (server.host.as_str(), server.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_WAIT_MAX) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(server.silence_max)?;
                stream.set_write_timeout(server.silence_max)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn lost(error: io::Error) -> ToolError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ToolError::Silent,
        _ => ToolError::Lost(error),
    }
}

const SCRATCH_BYTES: usize = 64 << 10;
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
