//! Puts a load on a server, or on several, and measures what it makes of it.
//!
//! A closed loop: each connection sends a batch, and waits for all of its
//! answers before the next. When the server stalls, so does the load; latency
//! is that of the requests made, not of those that a busier world would have
//! made meanwhile. One thread, one event loop; it ends when all requests are
//! over, when the server is silent for too long, or when it is gone.

mod lane;
mod tally;
mod workload;

use std::io::{self, IsTerminal, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use mio::{Events, Interest, Poll, Token};

use self::lane::{Desk, Lane};
use self::tally::Tally;
use self::workload::Workload;
use super::ToolError;
use super::connection::connect;
use crate::args::BenchOptions;

/// Runs the load, and writes a table of what came of it.
///
/// # Errors
/// When the server cannot be connected to, before the load or in the middle of
/// it, when it is silent for too long, or when it has answered nothing but errors.
/// Where there is something to tell, the table is written all the same.
pub fn run(options: &BenchOptions, out: &mut impl Write) -> Result<(), ToolError> {
    let progress = progress_bar(options.requests);
    let mut bench = Bench::start(options)?;
    let started = Instant::now();
    let outcome = bench.run(&progress);
    let elapsed = started.elapsed();
    progress.finish_and_clear();
    let tally = &bench.desk.tally;
    if tally.over() > 0 {
        let report = tally.report(options, elapsed);
        out.write_all(report.as_bytes()).map_err(ToolError::Terminal)?;
    }
    match outcome {
        Ok(()) if tally.fine() == 0 => Err(ToolError::OnlyErrors),
        outcome => outcome,
    }
}

/// All connections and what they share.
struct Bench<'a> {
    options: &'a BenchOptions,
    poll: Poll,
    lanes: Vec<Lane>,
    desk: Desk,
}

impl<'a> Bench<'a> {
    /// Opens all connections; nothing is sent yet.
    fn start(options: &'a BenchOptions) -> Result<Self, ToolError> {
        let poll = Poll::new().map_err(ToolError::System)?;
        let mut lanes = Vec::new();
        for token in 0..options.clients as usize {
            lanes.push(open_lane(options, &poll, token)?);
        }
        let desk = Desk {
            workload: Workload::new(options),
            tally: Tally::new(),
            pipeline: options.pipeline as usize,
            scratch: vec![0; SCRATCH_BYTES].into(),
        };
        Ok(Self { options, poll, lanes, desk })
    }

    /// Runs until every request that was made is accounted for.
    fn run(&mut self, progress: &ProgressBar) -> Result<(), ToolError> {
        let outcome = self.run_through(progress);
        for lane in &mut self.lanes {
            self.desk.tally.on_lost(lane.give_up());
        }
        outcome
    }

    fn run_through(&mut self, progress: &ProgressBar) -> Result<(), ToolError> {
        let mut events = Events::with_capacity(1024);
        let mut heard = Instant::now();
        for token in 0..self.lanes.len() {
            let started = self.lanes[token].start_batch(&mut self.desk);
            self.go_on(token, started)?;
        }
        let silence_max = self.options.server.silence_max;
        while self.desk.tally.over() < self.options.requests {
            let over = self.desk.tally.over();
            match self.poll.poll(&mut events, Some(POLL_WAIT_MAX)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(ToolError::System(error));
                }
                _ => {}
            }
            for event in &events {
                let Token(token) = event.token();
                let ready = self.lanes[token].on_ready(&mut self.desk, event.is_read_closed());
                self.go_on(token, ready)?;
            }
            progress.set_position(self.desk.tally.over());
            if self.desk.tally.over() > over {
                heard = Instant::now();
            } else if silence_max.is_some_and(|max| heard.elapsed() >= max) {
                return Err(ToolError::Silent);
            }
        }
        Ok(())
    }

    /// After a loss, counts what was lost, and opens the connection anew if there
    /// is work for it.
    ///
    /// This ends: a new connection takes at least one request, and of these
    /// there are so many and no more.
    fn go_on(&mut self, token: usize, mut done: Result<(), ToolError>) -> Result<(), ToolError> {
        while let Err(error) = done {
            let ToolError::Lost(_) = error else { return Err(error) };
            self.desk.tally.on_lost(self.lanes[token].give_up());
            if self.desk.workload.is_over() {
                return Ok(());
            }
            self.lanes[token] = open_lane(self.options, &self.poll, token)?;
            done = self.lanes[token].start_batch(&mut self.desk);
        }
        Ok(())
    }
}

/// Opens a connection: to whom follows from its number.
fn open_lane(options: &BenchOptions, poll: &Poll, token: usize) -> Result<Lane, ToolError> {
    let server = match token % (1 + options.others.len()) {
        0 => &options.server,
        other => &options.others[other - 1],
    };
    let stream = connect(server)
        .map_err(|error| ToolError::Connect { server: server.to_string(), error })?;
    register(stream, poll, Token(token)).map_err(ToolError::System)
}

fn register(stream: TcpStream, poll: &Poll, token: Token) -> io::Result<Lane> {
    stream.set_nonblocking(true)?;
    let mut lane = Lane::new(mio::net::TcpStream::from_std(stream));
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(lane.stream(), token, interest)?;
    Ok(lane)
}

/// Shown only where a person looks.
fn progress_bar(requests: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {percent:>3}% {per_sec} {eta}");
    let bar = ProgressBar::new(requests);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

const SCRATCH_BYTES: usize = 64 << 10;
/// How long it may take to notice silence, and to move the progress bar.
const POLL_WAIT_MAX: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
