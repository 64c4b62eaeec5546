//! Upgrades, host after host: a start may bring in another build, that speaks other versions of
//! messages.
//!
//! In a run of upgrades every message takes the way of all messages: it is spelled in a frame of
//! the version that was agreed on when it was sent, and read by the one that is agreed on when it
//! arrives. Hosts that have no version in common part, as at a cut link.

use bytes::BytesMut;
use paxos_core::codec::frame::{self, Frame, FrameError};
use paxos_core::message::Envelope;

use super::{Stamp, World};
use crate::check::{Checked, Violation, ensure};
use crate::choice::Choice;
use crate::swarm::Swarm;
use crate::tally::Mark;

/// The version of a letter to each host; zero for those that it is not for.
pub(super) type Spelling = [u8; Swarm::NODES_MAX as usize];

impl<C: Choice> World<C> {
    /// Among those starts that would leave hosts without a version in common, so many in a million
    /// are made nevertheless.
    const HASTY: u32 = 100_000;

    /// How often a start that brings in another build brings in the one before.
    const BACK: u32 = 300_000;

    /// Whether hosts run builds that differ.
    fn has_upgrades(&self) -> bool {
        self.swarm.ills.upgrades.is_some()
    }

    /// The version that two hosts speak now; none if they part.
    pub(super) fn agreed(&self, one: u8, other: u8) -> Option<u8> {
        self.network.builds.agreed(one, other)
    }

    /// Whether nothing gets from one host to the other now.
    pub(super) fn is_cut(&self, from: u8, to: u8) -> bool {
        self.network.links.is_cut(from, to, self.agenda.now()) || self.agreed(from, to).is_none()
    }

    /// A host starts again: perhaps with another build.
    pub(super) fn upgrade(&mut self, at: u8) {
        let Some(odds) = self.swarm.ills.upgrades else { return };
        if self.core.is_some() || !self.choice.chance(odds) {
            return;
        }
        let is_up = !self.choice.chance(Self::BACK);
        let builds = &mut self.network.builds;
        if !builds.step(at, is_up) {
            return;
        }
        let strangers = builds.strangers(at);
        if strangers > 0 && !self.choice.chance(Self::HASTY) {
            self.network.builds.step(at, !is_up);
            return;
        }
        self.tally.add(Mark::Strangers, strangers as u64);
        self.has_stepped(at, is_up);
    }

    fn has_stepped(&mut self, at: u8, is_up: bool) {
        self.tally.hit(if is_up { Mark::Upgraded } else { Mark::Downgraded });
        let (id, spoken) = (self.hosts[usize::from(at)].id, self.network.builds.spoken(at));
        self.happens(format_args!("{id} runs another build, and speaks {spoken}"));
    }

    /// Those who must make progress have a version in common: the upgrade goes on where a host is
    /// left behind.
    pub(super) fn finish_upgrade(&mut self, core: &[u8]) -> Checked {
        for at in core {
            if self.network.builds.is_too_old(*at, core) {
                self.crash(*at)?;
                self.network.builds.step(*at, true);
                self.has_stepped(*at, true);
            }
        }
        let parted = core.iter().flat_map(|one| core.iter().map(move |other| (*one, *other)));
        for (one, other) in parted {
            assert!(self.agreed(one, other).is_some(), "one build on is enough");
        }
        Ok(())
    }

    /// Has a letter from `from` to `to` spelled in what they speak now; says whether they speak.
    pub(super) fn spell(&mut self, from: u8, to: u8, stamp: &mut Stamp) -> bool {
        let Some(version) = self.agreed(from, to) else {
            self.tally.hit(Mark::NotSpoken);
            return false;
        };
        stamp.spelling[usize::from(to)] = version;
        true
    }

    /// Puts what a host reads in the place of what was spelled in `version`; says whether it reads
    /// anything, or closes the connection.
    pub(super) fn read(&mut self, to: u8, envelope: &mut Envelope, version: u8) -> Checked<bool> {
        if !self.has_upgrades() {
            return Ok(true);
        }
        let Some(agreed) = self.agreed((envelope.from.0 - 1) as u8, to) else {
            self.tally.hit(Mark::NotSpoken);
            return Ok(false);
        };
        let Some(read) = reread(envelope, version, agreed, &mut self.scratch.bytes)? else {
            self.tally.hit(Mark::OtherVersion);
            return Ok(false);
        };
        self.tally.hit(mark(version));
        *envelope = read;
        Ok(true)
    }
}

/// Spells a message in one version and reads it where another may be `agreed` on: then it must be
/// refused, and else be what it was.
fn reread(
    sent: &Envelope,
    version: u8,
    agreed: u8,
    bytes: &mut BytesMut,
) -> Checked<Option<Envelope>> {
    let name = sent.message.name();
    let wrong = |found: &dyn std::fmt::Debug| {
        let sentence = format!("{name} in version {version}, read as {agreed}, is {found:?}");
        Violation::new("I19 framing", sentence)
    };
    bytes.clear();
    frame::put_messages(bytes, version, [sent]);
    let mut messages = match frame::take(bytes, BODY_BYTES_MAX, agreed) {
        Ok(Some(Frame::Messages(messages))) if version == agreed => messages,
        Err(FrameError::BadVersion { found, agreed: by })
            if version != agreed && (found, by) == (version, agreed) =>
        {
            return Ok(None);
        }
        other => return Err(wrong(&other)),
    };
    let read = messages.next();
    let is_whole = messages.next().is_none() && bytes.is_empty();
    match read {
        Some(Ok(read)) if is_whole => {
            ensure!(read == *sent, "I19 framing", "{name} is read as another one");
            Ok(Some(read))
        }
        other => Err(wrong(&other)),
    }
}

/// What is counted of a message in this version.
fn mark(version: u8) -> Mark {
    match version {
        1 => Mark::InVersion1,
        2 => Mark::InVersion2,
        _ => Mark::InVersion3,
    }
}

/// Longer than any message.
const BODY_BYTES_MAX: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use paxos_core::message::Probe;
    use paxos_core::types::{Ballot, GroupId, NodeId, Slot};

    use super::*;
    use crate::network::VERSION_MAX;

    fn sent() -> Envelope {
        let message = Probe { ballot: Ballot::new(3, NodeId(1)), chosen: Slot(7) }.into();
        Envelope { group: GroupId(0), from: NodeId(1), disk: 9, message }
    }

    #[test]
    fn what_is_read_is_what_was_sent_or_refused_for_its_version() {
        let mut bytes = BytesMut::new();
        for version in 1..=VERSION_MAX {
            for agreed in 1..=VERSION_MAX {
                let read = reread(&sent(), version, agreed, &mut bytes);
                let is_read = version == agreed;
                assert_eq!(read, Ok(is_read.then(sent)), "{version} read as {agreed}");
            }
        }
    }

    #[test]
    fn each_version_is_counted_by_itself() {
        let marks: std::collections::BTreeSet<Mark> = (1..=VERSION_MAX).map(mark).collect();
        assert_eq!(marks.len(), usize::from(VERSION_MAX));
    }
}
