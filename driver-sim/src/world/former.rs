//! Late words of a disk that is gone.
//!
//! Where this happens, the last answers of every host are kept. When its disk is lost, they are
//! what the former disk has said, and come one by one after the new disk has begun to answer. Nobody
//! asks whose life they are of: as with letters that come again, the core must see for itself.

use paxos_core::effect::Input;
use paxos_core::message::{Envelope, Message};

use super::plot::Scheme;
use super::{Event, Stamp, World};
use crate::check::Checked;
use crate::choice::Choice;
use crate::network::Old;
use crate::tally::Mark;

/// What the disks of one host have said last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    /// The disk that is there, oldest first.
    said: Vec<Old>,
    /// The one before it.
    former: Vec<Old>,
}

impl Words {
    /// How many are kept.
    const MAX: usize = 8;

    fn keep(&mut self, old: Old) {
        if self.said.len() == Self::MAX {
            self.said.remove(0);
        }
        self.said.push(old);
    }

    /// Another disk is put in.
    pub(crate) fn outlive(&mut self) {
        self.former = std::mem::take(&mut self.said);
    }
}

impl<C: Choice> World<C> {
    /// Takes in that a host answers `to`: perhaps something comes late that its former disk said.
    pub(super) fn remember(&mut self, at: u8, to: u8, envelope: &Envelope, stamp: &Stamp) {
        let odds = self.swarm.ills.late;
        if odds == 0 || self.core.is_some() || self.hosts[usize::from(at)].lore.is_old {
            return;
        }
        if !matches!(envelope.message, Message::HeartbeatAck(_) | Message::Holding(_)) {
            return;
        }
        let version = stamp.spelling[usize::from(to)];
        let words = &mut self.hosts[usize::from(at)].words;
        words.keep(Old { to, version, envelope: envelope.clone() });
        if !words.former.is_empty() && self.choice.chance(odds) {
            let wait = self.choice.range(0..=self.swarm.timing.heartbeat.as_micros() as u64 * 2);
            self.agenda.after(wait, Event::Plot(Scheme::Remind { host: at }));
        }
    }

    /// Something arrives that the former disk of a host has said, if it has had one.
    pub(super) fn remind(&mut self, host: u8) -> Checked {
        let index = self.choice.below(Words::MAX as u32) as usize;
        let words = &self.hosts[usize::from(host)].words;
        let Some(old) = words.former.iter().rev().nth(index).cloned() else { return Ok(()) };
        let Old { to, version, mut envelope } = old;
        if self.moves(to) && self.read(to, &mut envelope, version)? {
            self.tally.hit(Mark::LateWord);
            return self.feed(to, Input::Received(envelope));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::message::Probe;
    use paxos_core::types::{Ballot, GroupId, NodeId, Slot};

    use super::*;

    #[test]
    fn the_last_words_of_a_disk_are_kept_until_the_next_one_is_gone() {
        let word = |round| {
            let message = Probe { ballot: Ballot::new(round, NodeId(1)), chosen: Slot(7) }.into();
            let envelope = Envelope { group: GroupId(0), from: NodeId(1), disk: 9, message };
            Old { to: 1, version: 1, envelope }
        };
        let mut words = Words::default();
        (0..20).for_each(|round| words.keep(word(round)));
        words.outlive();
        assert_eq!(words.former, (12..20).map(word).collect::<Vec<_>>());
        words.keep(word(20));
        assert_eq!(words.former.len(), Words::MAX);
        words.outlive();
        assert_eq!((words.former, words.said), (vec![word(20)], vec![]));
    }
}
