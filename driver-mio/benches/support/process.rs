//! A process that ends with the value that stands for it.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use super::Outcome;

/// A child that runs, or has ended and not been told so yet.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says goes to the end of the file `log`. Its stdin is a
    /// pipe that ends with us.
    pub fn start(command: &mut Command, log: &Path) -> Outcome<Process> {
        let said = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::piped()).stdout(said.try_clone()?).stderr(said);
        let child = command.spawn().map_err(|error| {
            format!("cannot start {}: {error}", command.get_program().display())
        })?;
        Ok(Process { child, log: log.into() })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Outcome<()> {
        // Not reaped yet, so the id is still its own.
        kill_process(Pid::from_child(&self.child), signal)?;
        Ok(())
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Outcome<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// An error with its last words, if it has ended.
    pub fn check(&mut self) -> Outcome<()> {
        let Some(status) = self.ended()? else { return Ok(()) };
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(LAST_LINES).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Err(format!("{} has ended ({status}):\n{}", self.log.display(), last.join("\n")).into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL ends a stopped process, too. One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address that nobody listens at, and below the range from which the
/// system takes ports for outgoing connections: it stays free while a node is down.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 400) as u16 * 50;
    loop {
        let port = 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// How much of a log an error shows.
const LAST_LINES: usize = 5;
