//! Sockets: bytes in, bytes out, and nothing decided about the protocol.
//!
//! Everything here is bounded and everything from outside is a stranger's until
//! shown otherwise: a connection that breaks a rule is closed and counted.
//!
//! | file        | holds                                                       |
//! |-------------|-------------------------------------------------------------|
//! | `conn`      | one non-blocking stream with its buffers                    |
//! | `out_queue` | bytes on their way out (pure)                               |
//! | `hello`     | the first words between two nodes (pure)                    |
//! | `backoff`   | when to dial again (pure)                                   |
//! | `link`      | the one connection to one peer                              |
//! | `peers`     | all links, and strangers until they have said hello         |
//! | `client`    | one connection that speaks the Redis protocol               |
//! | `clients`   | all of these                                                |

mod backoff;
pub(crate) mod client;
pub(crate) mod clients;
mod conn;
pub(crate) mod hello;
mod link;
mod out_queue;
pub(crate) mod peers;
pub(crate) mod wire;

use std::io;
use std::time::Duration;

use mio::Token;
use mio::net::TcpStream;
use socket2::{SockRef, TcpKeepalive};

/// Another thread wants the loop's attention.
pub(crate) const WAKER: Token = Token(0);
/// The system wants the process to end.
pub(crate) const SIGNALS: Token = Token(1);
const PEER_LISTENER: Token = Token(2);
const CLIENT_LISTENER: Token = Token(3);
/// A link's token is this plus its node id, at most 127.
const LINKS: usize = 16;
/// A guest's token is this plus its place.
const GUESTS: usize = 256;
/// A client's token is this plus its place.
const CLIENTS: usize = 1024;

/// How long a dial or a stranger may take until both have said hello.
const HELLO_WAIT: Duration = Duration::from_secs(2);
/// A peer that answers nothing for this long is taken for gone, even if no
/// packet says so: its machine has lost power, or the network is cut.
const PEER_SILENCE_MAX: Duration = Duration::from_secs(5);

/// How long a client that says nothing is left alone, before the system asks whether its
/// machine is still there; as Redis.
const CLIENT_SILENCE: Duration = Duration::from_secs(300);

fn set_client_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // A client whose machine is gone would keep its place for ever.
    let keepalive = TcpKeepalive::new()
        .with_time(CLIENT_SILENCE)
        .with_interval(CLIENT_SILENCE / 3)
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

fn set_peer_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    // Two thirds of the wait in silence, then three questions.
    let keepalive = TcpKeepalive::new()
        .with_time(PEER_SILENCE_MAX / 5 * 2)
        .with_interval(PEER_SILENCE_MAX / 5)
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(PEER_SILENCE_MAX))?;
    Ok(())
}
