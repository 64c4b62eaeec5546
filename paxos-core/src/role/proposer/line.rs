//! Proposals that wait for room in the window.

use alloc::collections::VecDeque;

use super::super::{Proposal, courier::Origin};
use crate::types::{Commands, Instant, Limits, Run, Slot, Value};
use smallvec::SmallVec;

/// First come, first proposed; bounded by count and bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Line {
    /// None is empty.
    queue: VecDeque<Proposal>,
    count: usize,
    bytes: usize,
}

/// Proposals that came together are merged with those after them while they are fewer.
const MERGED_MIN: usize = 64;

/// Who wants to know about the values of a run, and about how many of them each; nobody
/// where it was not proposed by anyone now.
pub(super) type Origins = SmallVec<[(Origin, u32); 1]>;

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
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Joins the line, but for those that there is no room for: they are refused.
    pub(super) fn join(
        &mut self,
        proposal: Proposal,
        limits: &Limits,
        mut refuse: impl FnMut(Origin, u32),
    ) {
        let count = self.count + proposal.commands.len();
        let bytes = self.bytes + proposal.commands.payload_bytes();
        if count <= limits.waiting_max && bytes <= limits.waiting_bytes_max {
            return self.enter(proposal);
        }
        let mut left = Some(proposal);
        while let Some(proposal) = left {
            let slots = limits.waiting_max.saturating_sub(self.count);
            let bytes = limits.waiting_bytes_max.saturating_sub(self.bytes);
            let fitting = fitting(&proposal.commands, slots, bytes, 0);
            let (joins, rest) = parted(proposal, fitting);
            joins.into_iter().for_each(|joins| self.enter(joins));
            left = rest.and_then(|rest| {
                let bytes = limits.waiting_bytes_max.saturating_sub(self.bytes);
                let full = self.count >= limits.waiting_max;
                let late = rest.commands.iter().take_while(|c| full || c.payload.len() > bytes);
                let (refused, rest) = parted(rest.clone(), late.count());
                refused.inspect(|refused| refuse(refused.origin, refused.commands.len() as u32));
                rest
            });
        }
    }

    /// Takes the next run out: at most `slots` values and the bounds of a run.
    ///
    /// Many proposals that came together leave as they came, without a copy.
    pub(super) fn next_run(&mut self, first: Slot, slots: usize, limits: &Limits) -> Lot {
        let deadline = self.queue.front().map_or(Instant::default(), |p| p.deadline);
        let (slots, bytes) = (slots.min(limits.run_slots_max), limits.run_bytes_max);
        let mut origins = Origins::new();
        let Some(mut commands) = self.take(slots, bytes, 1, &mut origins) else {
            return Lot { run: Run::collect(first, core::iter::empty()), origins, deadline };
        };
        let (mut count, mut weight) = (commands.len(), commands.weight());
        let mut more = alloc::vec::Vec::new();
        while count < MERGED_MIN
            && !self.is_empty()
            && let Some(next) =
                self.take(slots - count, bytes.saturating_sub(weight), 0, &mut origins)
        {
            count += next.len();
            weight += next.weight();
            more.push(next);
        }
        if !more.is_empty() {
            let mut all = alloc::vec::Vec::with_capacity(count);
            all.extend(commands.iter().chain(more.iter().flat_map(Commands::iter)).cloned());
            commands = all.into();
        }
        Lot { run: Run::of(first, commands), origins, deadline }
    }

    /// Takes out the first in line if they have waited too long.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Proposal> {
        let late = self.queue.front().is_some_and(|p| p.deadline <= now);
        let late = if late { self.queue.pop_front() } else { None }?;
        self.leave(&late.commands);
        Some(late)
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Proposal> + '_ {
        (self.count, self.bytes) = (0, 0);
        self.queue.drain(..)
    }

    /// Takes as much from the first in line as fits, and at least `least` of them.
    fn take(
        &mut self,
        slots: usize,
        bytes: usize,
        least: usize,
        origins: &mut Origins,
    ) -> Option<Commands> {
        let front = self.queue.front_mut()?;
        let fitting = fitting(&front.commands, slots, bytes, Value::OVERHEAD).max(least);
        if fitting == 0 {
            return None;
        }
        let origin = front.origin;
        let taken = if fitting >= front.commands.len() {
            self.queue.pop_front()?.commands
        } else {
            let all = front.commands.clone();
            front.commands = all.cut(fitting..all.len());
            front.origin = origin.plus(fitting as u32);
            all.cut(0..fitting)
        };
        origins.push((origin, taken.len() as u32));
        self.leave(&taken);
        Some(taken)
    }

    fn enter(&mut self, proposal: Proposal) {
        if !proposal.commands.is_empty() {
            self.count += proposal.commands.len();
            self.bytes += proposal.commands.payload_bytes();
            self.queue.push_back(proposal);
        }
    }

    fn leave(&mut self, commands: &Commands) {
        self.count -= commands.len();
        self.bytes -= commands.payload_bytes();
    }
}

/// How many from the front fit in `slots` and `bytes`, each with `overhead` bytes more.
fn fitting(commands: &Commands, slots: usize, bytes: usize, overhead: usize) -> usize {
    let all = commands.payload_bytes() + commands.len() * overhead;
    if commands.len() <= slots && all <= bytes {
        return commands.len();
    }
    let mut left = bytes;
    let mut fits = |payload: usize| {
        let rest = left.checked_sub(payload + overhead);
        rest.inspect(|rest| left = *rest).is_some()
    };
    commands.iter().take(slots).take_while(|c| fits(c.payload.len())).count()
}

/// The first `count` of these proposals, and the rest.
fn parted(proposal: Proposal, count: usize) -> (Option<Proposal>, Option<Proposal>) {
    let all = proposal.commands.len();
    if count == all {
        return (Some(proposal).filter(|_| all > 0), None);
    }
    let commands = proposal.commands.cut(0..count);
    let joins = (count > 0).then_some(Proposal { commands, ..proposal });
    let commands = proposal.commands.cut(count..all);
    let origin = proposal.origin.plus(count as u32);
    (joins, Some(Proposal { commands, origin, deadline: proposal.deadline }))
}

#[cfg(test)]
mod tests;
