//! What happens when: simulated time and the events that are still to come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::plot::Scheme;

/// Something that will happen. Small, so that the heap moves little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Event {
    /// A letter reaches a host.
    Arrive {
        /// The host.
        to: u8,
        /// Where the letter lies in the post office.
        letter: u32,
    },
    /// A node asked to be woken.
    Wake {
        /// The host.
        host: u8,
        /// The life that asked.
        life: u32,
    },
    /// A sync has ended.
    Synced {
        /// The host.
        host: u8,
        /// The life that began it.
        life: u32,
    },
    /// A vault is done with something.
    Vaulted {
        /// The host.
        host: u8,
        /// The life that ordered it.
        life: u32,
        /// What it is.
        job: u32,
    },
    /// A host proposes what its clients have brought.
    Turn {
        /// The host.
        host: u8,
        /// The life that they brought it to.
        life: u32,
    },
    /// A host hears something about a peer.
    Hint {
        /// The host.
        host: u8,
        /// The peer's host.
        about: u8,
        /// Whether it is said to be up.
        up: bool,
    },
    /// A host looks whether its disk has room again.
    Room {
        /// The host.
        host: u8,
    },
    /// A host starts.
    Start {
        /// The host.
        host: u8,
    },
    /// A slow host gets to the next thing that has come.
    Late {
        /// The host.
        host: u8,
    },
    /// Something goes wrong, or right.
    Nemesis,
    /// A plot goes on.
    Plot(Scheme),
    /// A client begins or repeats an operation.
    Act {
        /// The client.
        client: u8,
        /// The operation's number, so that a late event is seen to be one.
        op: u32,
    },
    /// A client gives up waiting.
    Deadline {
        /// The client.
        client: u8,
        /// The operation's number.
        op: u32,
    },
}

/// The events to come, by time; those of one moment in the order in which they were planned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    now: u64,
    planned: u64,
    heap: BinaryHeap<Reverse<(u64, u64, Event)>>,
}

impl Agenda {
    /// Simulated time (µs since the start of the run).
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Plans `event` for `wait` µs from now.
    pub(crate) fn after(&mut self, wait: u64, event: Event) {
        self.at(self.now.saturating_add(wait), event);
    }

    /// Plans `event` for the time `at`, or for now if that is past.
    pub(crate) fn at(&mut self, at: u64, event: Event) {
        self.planned += 1;
        self.heap.push(Reverse((at.max(self.now), self.planned, event)));
    }

    /// Takes the next event that happens before `end`, and moves time there.
    pub(crate) fn pop(&mut self, end: u64) -> Option<Event> {
        if self.heap.peek()?.0.0 >= end {
            return None;
        }
        let Reverse((at, _, event)) = self.heap.pop()?;
        self.now = at;
        Some(event)
    }

    /// Has all letters arrive within `wait` µs that are under way.
    pub(crate) fn hasten_letters(&mut self, wait: u64) {
        let latest = self.now.saturating_add(wait);
        let hastened =
            std::mem::take(&mut self.heap).into_iter().map(|Reverse((at, plan, event))| {
                let is_letter = matches!(event, Event::Arrive { .. });
                Reverse((if is_letter { at.min(latest) } else { at }, plan, event))
            });
        self.heap = hastened.collect();
    }

    /// Lets time pass until `end`, where nothing is planned before it.
    pub(crate) fn pass(&mut self, end: u64) {
        self.now = self.now.max(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_then_by_plan() {
        let mut agenda = Agenda::default();
        agenda.at(5, Event::Nemesis);
        agenda.at(3, Event::Start { host: 2 });
        agenda.at(3, Event::Start { host: 1 });
        assert_eq!(agenda.pop(9), Some(Event::Start { host: 2 }));
        assert_eq!(agenda.pop(9), Some(Event::Start { host: 1 }));
        assert_eq!(agenda.now(), 3);
        assert_eq!(agenda.pop(5), None);
        assert_eq!(agenda.pop(6), Some(Event::Nemesis));
    }

    #[test]
    fn letters_can_be_hastened_and_keep_their_order() {
        let mut agenda = Agenda::default();
        let letter = |letter| Event::Arrive { to: 0, letter };
        agenda.at(3, letter(1));
        agenda.at(700, letter(2));
        agenda.at(900, letter(3));
        agenda.at(50, Event::Nemesis);
        agenda.hasten_letters(10);
        let events: Vec<_> = std::iter::from_fn(|| Some((agenda.pop(99)?, agenda.now()))).collect();
        let expected = [(letter(1), 3), (letter(2), 10), (letter(3), 10), (Event::Nemesis, 50)];
        assert_eq!(events, expected);
    }

    #[test]
    fn the_past_is_now() {
        let mut agenda = Agenda::default();
        agenda.pass(7);
        agenda.at(2, Event::Nemesis);
        assert_eq!(agenda.pop(8), Some(Event::Nemesis));
        assert_eq!(agenda.now(), 7);
    }
}
