//! Signals, told by the poll like everything else.

use std::io;
use std::os::unix::net::UnixStream;

use mio::{Interest, Poll};
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};

use crate::net::SIGNALS;

/// Has SIGINT and SIGTERM told by the poll, through a pipe, as long as it lives.
pub(super) struct Signals {
    /// What the poll listens to.
    _inside: mio::net::UnixStream,
    registered: Vec<SigId>,
}

impl Signals {
    pub(super) fn watch(poll: &Poll) -> io::Result<Signals> {
        let (inside, outside) = UnixStream::pair()?;
        let register = |signal| pipe::register(signal, outside.try_clone()?);
        let registered = [SIGINT, SIGTERM].into_iter().map(register).collect::<io::Result<_>>()?;
        inside.set_nonblocking(true)?;
        let mut inside = mio::net::UnixStream::from_std(inside);
        poll.registry().register(&mut inside, SIGNALS, Interest::READABLE)?;
        Ok(Signals { _inside: inside, registered })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.registered.drain(..).for_each(|id| _ = unregister(id));
    }
}
