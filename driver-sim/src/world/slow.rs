//! Slow processors: whatever comes to a host is handled a while after it came, in order.
//!
//! Less than a pause, but it lasts: the node is never silent, and always late. What nobody has
//! asked for (a nemesis's word, a look at the room on the disk) is not held up.

use std::collections::VecDeque;

use super::{Event, World};
use crate::check::Checked;
use crate::choice::Choice;
use crate::tally::Mark;

/// What a host that is slow has not got to yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slow {
    /// Until when it is slow (µs).
    until: u64,
    /// How long everything takes until then (µs).
    lag_us: u64,
    /// What has come and is not handled, oldest first.
    queue: VecDeque<Event>,
    /// When the last of it will be (µs).
    last_at: u64,
    /// Whether the oldest is being handled now.
    is_handling: bool,
}

impl Slow {
    /// How late everything is at `now` (µs).
    pub(super) fn lag(&self, now: u64) -> u64 {
        if now < self.until { self.lag_us } else { 0 }
    }

    /// Takes in what has come; when it will be handled, if that is not now.
    fn take_in(&mut self, now: u64, event: Event) -> Option<u64> {
        let at = self.last_at.max(now + self.lag(now));
        if self.is_handling || at == now {
            return None;
        }
        self.queue.push_back(event);
        self.last_at = at;
        Some(at)
    }

    /// It is as fast as ever again; returns what it has not got to.
    fn end(&mut self) -> VecDeque<Event> {
        std::mem::take(self).queue
    }
}

impl<C: Choice> World<C> {
    /// A host becomes slow for a while, often one that leads.
    pub(super) fn slow_down(&mut self) {
        let leader = self.leader().filter(|_| self.choice.chance(500_000));
        let at = leader.unwrap_or_else(|| self.any_host());
        let wait = self.choice.range(0..=self.swarm.ills.slow_us);
        let lag_us = self.choice.range(1..=self.swarm.ills.lag_us);
        let until = self.agenda.now() + wait;
        let host = &mut self.hosts[usize::from(at)];
        (host.slow.until, host.slow.lag_us) = (until, lag_us);
        let id = host.id;
        self.tally.hit(Mark::SlowHost);
        self.happens(format_args!("{id} is slow: everything takes {lag_us}µs there"));
    }

    /// If the host is slow now, plans `event` for when it gets to it.
    pub(super) fn is_behind(&mut self, at: u8, event: Event) -> bool {
        let now = self.agenda.now();
        let due = self.hosts[usize::from(at)].slow.take_in(now, event);
        if let Some(due) = due {
            self.tally.hit(Mark::HandledLate);
            self.agenda.at(due, Event::Late { host: at });
        }
        due.is_some()
    }

    /// A slow host gets to the oldest thing that has come.
    pub(super) fn get_to(&mut self, at: u8) -> Checked {
        if self.hosts[usize::from(at)].paused_until > self.agenda.now() {
            let until = self.hosts[usize::from(at)].paused_until;
            self.agenda.at(until, Event::Late { host: at });
            return Ok(());
        }
        let slow = &mut self.hosts[usize::from(at)].slow;
        let Some(event) = slow.queue.pop_front() else { return Ok(()) };
        slow.is_handling = true;
        let handled = self.take_place(event);
        self.hosts[usize::from(at)].slow.is_handling = false;
        handled
    }

    /// A host is as fast as ever again, and gets to all that it is behind with.
    pub(super) fn speed_up(&mut self, at: u8) {
        let now = self.agenda.now();
        for event in self.hosts[usize::from(at)].slow.end() {
            self.agenda.at(now, event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_handled_late_and_in_order() {
        let mut slow = Slow { until: 100, lag_us: 50, ..Slow::default() };
        assert_eq!(slow.take_in(10, Event::Nemesis), Some(60));
        assert_eq!(slow.take_in(99, Event::Start { host: 1 }), Some(149));
        assert_eq!(slow.take_in(120, Event::Start { host: 2 }), Some(149), "not before the last");
        assert_eq!(slow.take_in(150, Event::Nemesis), None, "not slow any more");
        let queue = [Event::Nemesis, Event::Start { host: 1 }, Event::Start { host: 2 }];
        assert_eq!(slow.end(), queue);
    }
}
