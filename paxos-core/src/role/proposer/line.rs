//! Proposals that wait for room in the window.

use alloc::collections::VecDeque;

use super::super::{Proposal, courier::Origin};
use crate::types::{Instant, Limits, Run, Slot, Value};
use smallvec::SmallVec;

/// First come, first proposed; bounded by count and bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Line {
    queue: VecDeque<Proposal>,
    bytes: usize,
}

/// Who wants to know about each value of a run, in order.
pub(super) type Origins = SmallVec<[Origin; 1]>;

/// What is proposed together.
#[derive(Debug)]
pub(super) struct Lot {
    pub(super) run: Run,
    pub(super) origins: Origins,
    /// When the first of them has waited long enough for an answer.
    pub(super) deadline: Instant,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Joins the line, unless it is full: then gives the proposal back.
    pub(super) fn join(&mut self, proposal: Proposal, limits: &Limits) -> Option<Proposal> {
        let bytes = self.bytes + proposal.command.payload.len();
        if self.queue.len() >= limits.waiting_max || bytes > limits.waiting_bytes_max {
            return Some(proposal);
        }
        self.bytes = bytes;
        self.queue.push_back(proposal);
        None
    }

    /// Takes the next run out: at most `slots` values and the bounds of a run.
    pub(super) fn next_run(&mut self, first: Slot, slots: usize, limits: &Limits) -> Lot {
        let deadline = self.queue.front().map_or(Instant::default(), |p| p.deadline);
        let count = self.fitting(slots.min(limits.run_slots_max), limits.run_bytes_max);
        let mut origins = Origins::with_capacity(count);
        let bytes = &mut self.bytes;
        let values = self.queue.drain(..count).map(|p| {
            *bytes -= p.command.payload.len();
            origins.push(p.origin);
            Value::Command(p.command)
        });
        let run = Run::collect(first, values);
        Lot { run, origins, deadline }
    }

    /// Takes out the first in line if it has waited too long.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Proposal> {
        let late = self.queue.front().is_some_and(|p| p.deadline <= now);
        let late = if late { self.queue.pop_front() } else { None }?;
        self.bytes -= late.command.payload.len();
        Some(late)
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Proposal> + '_ {
        self.bytes = 0;
        self.queue.drain(..)
    }

    /// How many from the front fit; at least one.
    fn fitting(&self, slots: usize, bytes_max: usize) -> usize {
        let mut bytes = 0;
        let fits = |p: &&Proposal| {
            bytes += p.command.payload.len() + Value::OVERHEAD;
            bytes <= bytes_max
        };
        self.queue.iter().take(slots).take_while(fits).count().max(1).min(self.queue.len())
    }
}
