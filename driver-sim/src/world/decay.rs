//! Disks that lose what they had, or read what was not asked for.
//!
//! What has decayed is damaged for good; one that reads wrongly once may be asked again.

use super::{Event, World};
use crate::choice::Choice;
use crate::disk::Decay;
use crate::tally::Mark;

impl<C: Choice> World<C> {
    /// Perhaps something is not there any more that was synced long ago. Never on so many disks
    /// that no quorum is left.
    pub(super) fn decay(&mut self, at: u8) {
        if !self.choice.chance(self.swarm.ills.decay) || !self.may_ail(at) {
            return;
        }
        let what = Decay::ALL[self.choice.below(Decay::ALL.len() as u32) as usize];
        let host = &mut self.hosts[usize::from(at)];
        if !host.disk.decay(what, &mut self.choice) {
            return;
        }
        let id = host.id;
        let (mark, words) = match what {
            Decay::LostWrite => (Mark::LostWrite, "has never written an old block"),
            Decay::Misdirected => (Mark::Misdirected, "has written a block over an old one"),
            Decay::LostSegment => (Mark::LostSegment, "has lost a file"),
            Decay::Header => (Mark::HeaderRot, "has turned a bit of an old file's header"),
        };
        self.tally.hit(mark);
        self.happens(format_args!("the disk of {id} {words}"));
    }

    /// Perhaps a start is about to read another block than it asks for.
    pub(super) fn mislead_disk(&mut self, at: u8) -> bool {
        self.choice.chance(self.swarm.ills.misled)
            && self.hosts[usize::from(at)].disk.mislead(&mut self.choice)
    }

    /// A start has found damage where there is none; says whether the host tries again, instead of
    /// putting its log aside.
    pub(super) fn tries_again(&mut self, at: u8) -> bool {
        self.tally.hit(Mark::MisdirectedRead);
        let id = self.hosts[usize::from(at)].id;
        self.happens(format_args!("the disk of {id} gives other bytes than it was asked for"));
        if self.choice.chance(300_000) && self.may_lose_disk(at) {
            return false;
        }
        let (low, high) = self.swarm.host.down_us;
        let wait = self.choice.range(low..=high);
        self.agenda.after(wait, Event::Start { host: at });
        true
    }
}
