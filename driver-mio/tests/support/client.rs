//! A client that sends one request and waits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use driver_mio::resp::{Reply, ReplyDecoder, ReplyLimits, encode_request};

pub struct Client {
    pub stream: TcpStream,
    decoder: ReplyDecoder,
    buffer: BytesMut,
}

impl Client {
    /// Connects; `wait` bounds every later read and write.
    pub fn connect(address: SocketAddr, wait: Duration) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, wait)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(wait))?;
        stream.set_write_timeout(Some(wait))?;
        let decoder = ReplyDecoder::new(ReplyLimits::default());
        Ok(Client { stream, decoder, buffer: BytesMut::new() })
    }

    pub fn call(&mut self, words: &[&str]) -> io::Result<Reply> {
        self.send(words)?;
        self.receive()
    }

    pub fn send(&mut self, words: &[&str]) -> io::Result<()> {
        let mut request = Vec::new();
        encode_request(words, &mut request);
        self.stream.write_all(&request)
    }

    pub fn receive(&mut self) -> io::Result<Reply> {
        let mut scratch = [0; 16 << 10];
        loop {
            let decoded = self.decoder.decode(&mut self.buffer);
            if let Some(reply) = decoded.map_err(|_| ErrorKind::InvalidData)? {
                return Ok(reply);
            }
            match self.stream.read(&mut scratch)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => self.buffer.extend_from_slice(&scratch[..read]),
            }
        }
    }
}

/// One request on a connection of its own; an error reply is an error.
pub fn ask(address: SocketAddr, words: &[&str]) -> io::Result<Reply> {
    match Client::connect(address, Duration::from_secs(3))?.call(words)? {
        Reply::Error(line) => Err(io::Error::other(String::from_utf8_lossy(&line).into_owned())),
        reply => Ok(reply),
    }
}
