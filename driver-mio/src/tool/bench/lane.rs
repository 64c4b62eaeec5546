//! One connection of the load: sends a batch, waits for its answers, sends the next.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Instant;

use bytes::BytesMut;
use mio::net::TcpStream;

use super::tally::Tally;
use super::workload::{Kind, Workload};
use crate::args::BENCH_BATCH_BYTES_MAX;
use crate::resp::{Reply, ReplyDecoder, ReplyLimits};
use crate::tool::ToolError;

/// A non-blocking connection and the batch that is under way on it.
///
/// Invariant: a new batch begins only when `waiting` is empty.
#[derive(Debug)]
pub(super) struct Lane {
    stream: TcpStream,
    decoder: ReplyDecoder,
    /// Bytes that came, and are no whole reply yet.
    buffer: BytesMut,
    /// The batch on its way out, and how much of it is gone.
    out: Vec<u8>,
    written: usize,
    /// Requests that wait for their answers, oldest first.
    waiting: VecDeque<Kind>,
    /// When the batch was made.
    sent_at: Instant,
}

/// What is done with work and results, lent to each lane in turn.
pub(super) struct Desk {
    pub(super) workload: Workload,
    pub(super) tally: Tally,
    pub(super) pipeline: usize,
    pub(super) scratch: Box<[u8]>,
}

/// What one read came to.
enum Fill {
    /// The socket had nothing.
    Nothing,
    /// It had less than there was room for.
    Short,
    /// There may be more.
    Full,
}

impl Lane {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            decoder: ReplyDecoder::new(ReplyLimits::default()),
            buffer: BytesMut::new(),
            out: Vec::new(),
            written: 0,
            waiting: VecDeque::new(),
            sent_at: Instant::now(),
        }
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Gives up on the batch; returns how many of its requests are without an answer.
    pub(super) fn give_up(&mut self) -> u64 {
        self.waiting.drain(..).len() as u64
    }

    /// Does all that can be done without waiting. After an error the
    /// connection is of no more use; after [`ToolError::Lost`] another may be.
    ///
    /// `is_closing` tells that the server has hung up: what it sent before is
    /// still read, and then the end.
    pub(super) fn on_ready(&mut self, desk: &mut Desk, is_closing: bool) -> Result<(), ToolError> {
        self.flush()?;
        loop {
            match self.fill(desk, is_closing)? {
                Fill::Nothing => return Ok(()),
                // The socket is empty, and what comes next wakes us again; but
                // an end that has come already does not.
                Fill::Short if !is_closing => return Ok(()),
                Fill::Short | Fill::Full => {}
            }
        }
    }

    /// Sends the next batch, if the last one is over and there is work left.
    pub(super) fn start_batch(&mut self, desk: &mut Desk) -> Result<(), ToolError> {
        if !self.waiting.is_empty() {
            return Ok(());
        }
        self.out.clear();
        self.written = 0;
        while self.waiting.len() < desk.pipeline && (self.out.len() as u64) < BENCH_BATCH_BYTES_MAX
        {
            let Some(kind) = desk.workload.put_next(&mut self.out) else { break };
            self.waiting.push_back(kind);
        }
        self.sent_at = Instant::now();
        self.flush()
    }

    /// Reads once, and goes on with what that brought.
    fn fill(&mut self, desk: &mut Desk, is_closing: bool) -> Result<Fill, ToolError> {
        let count = match self.stream.read(&mut desk.scratch) {
            Ok(0) => return Err(ToolError::Lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Fill::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Fill::Full),
            Err(error) => return Err(ToolError::Lost(error)),
        };
        self.buffer.extend_from_slice(&desk.scratch[..count]);
        self.take_replies(&mut desk.tally)?;
        if !is_closing {
            self.start_batch(desk)?;
        }
        Ok(if count == desk.scratch.len() { Fill::Full } else { Fill::Short })
    }

    fn take_replies(&mut self, tally: &mut Tally) -> Result<(), ToolError> {
        let latency = self.sent_at.elapsed();
        loop {
            match self.decoder.decode(&mut self.buffer)? {
                None => return Ok(()),
                Some(Reply::Push(_)) => {}
                Some(reply) => {
                    let kind = self.waiting.pop_front().ok_or(ToolError::Unasked)?;
                    tally.on_reply(kind, &reply, latency);
                }
            }
        }
    }

    fn flush(&mut self) -> Result<(), ToolError> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(0) => return Err(ToolError::Lost(io::ErrorKind::WriteZero.into())),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ToolError::Lost(error)),
            }
        }
        Ok(())
    }
}
