//! Messages that keep a group going: elections, catch-up, forwarding.

use crate::types::{Ballot, Commands, Incarnation, Run, Slot};

/// From a voter that misses its leader, to every voter: would you promise me?
/// Raises no ballot, so a node that is cut off disturbs nobody when it returns.
///
/// From a leader, at the ballot that it leads at, to a voter that is preferred to it: would
/// you reach a quorum, if I made way for you? The voter probes all of them to find out, at the
/// ballot that follows, and answers only if it would.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Probe {
    /// The ballot that the sender would campaign with.
    pub ballot: Ballot,
    /// The sender's chosen frontier: who does not know the sender may be behind.
    pub chosen: Slot,
}

/// The answer to a [`Probe`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ProbeAck {
    /// The ballot asked about.
    pub ballot: Ballot,
    /// Whether the sender misses its leader too and has promised nothing higher; to a leader
    /// that would make way for it, whether it reaches a quorum.
    pub granted: bool,
    /// The highest ballot that the sender has promised.
    pub promised: Ballot,
    /// The sender's chosen frontier: who is refused may at least catch up.
    pub chosen: Slot,
}

/// From the leader to everyone, at least once a heartbeat interval.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Heartbeat {
    /// The leader's ballot.
    pub ballot: Ballot,
    /// As in [`Chosen`](super::Chosen).
    pub chosen: Slot,
    /// Counts the leader's beats at this ballot, so that an answer tells which one
    /// it is to. Several messages may share a number: then the first was sent when
    /// the beat is taken to have begun.
    pub beat: u64,
    /// Whether nobody can have been told of anything that is not below `chosen`, as far as it was
    /// proposed at lower ballots: the leader has chosen all of that which it found.
    pub settled: bool,
}

/// The answer to a [`Heartbeat`] of the ballot that the sender follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HeartbeatAck {
    /// The leader's ballot.
    pub ballot: Ballot,
    /// The beat that is answered.
    pub beat: u64,
    /// The sender's chosen frontier.
    pub chosen: Slot,
    /// The sender's [`Config::priority`](crate::Config::priority), if it has a state
    /// machine and so could lead.
    pub priority: Option<u8>,
}

/// From a leader to the voter that it makes way for: everything that I proposed is
/// chosen and you have it; stand at once, without asking first.
///
/// Good only for a receiver that still follows exactly `ballot` and has heard no
/// later beat of it: an old one that comes again starts no election.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Handover {
    /// The leader's ballot.
    pub ballot: Ballot,
    /// The leader's latest beat.
    pub beat: u64,
    /// As in [`Chosen`](super::Chosen).
    pub chosen: Slot,
}

/// A leader's word that it counts on no acknowledgement of its beats up to `beat`
/// any more: who gave one is free to promise another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Release {
    /// The leader's ballot.
    pub ballot: Ballot,
    /// The last beat that is released.
    pub beat: u64,
}

/// From a replica with a gap to one that has the slots: send me what is chosen. Or, with
/// no slots at all, from one that knows no leader and must not stand: what is the news?
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fetch {
    /// The first slot wanted.
    pub from: Slot,
    /// The slot after the last one wanted.
    pub to: Slot,
    /// Whether only an image will do: the sender has forgotten these slots, and lacks what
    /// should stand in for them.
    pub image: bool,
}

/// The answer to a [`Fetch`]: chosen values, perhaps none. Facts, whoever tells them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Entries {
    /// The values, from the slot that was asked for; fewer than asked for when a
    /// bound was reached.
    pub run: Run,
    /// The sender's chosen frontier.
    pub chosen: Slot,
}

/// Proposals that a node hands on to the leader, in order.
///
/// Accepted at most once: only by the leader of exactly `ballot`, and only when
/// `(incarnation, number)` is above the sender's last one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Forward {
    /// The leadership that these proposals are for.
    pub ballot: Ballot,
    /// The sender's life.
    pub incarnation: Incarnation,
    /// Counts the sender's forwards within its life, from 1.
    pub number: u64,
    /// The proposals.
    pub commands: Commands,
}

/// From the leader to a node that handed on proposals: what became of them.
///
/// Several of these may answer one [`Forward`], each for a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Forwarded {
    /// The sender's life that asked.
    pub incarnation: Incarnation,
    /// The forward that is answered.
    pub number: u64,
    /// The first of its proposals that is answered, counted from 0.
    pub first: u32,
    /// How many are answered.
    pub count: u32,
    /// What became of these.
    pub verdict: Verdict,
}

/// What became of proposals that were handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Verdict {
    /// Chosen, at this slot and those after it, one each.
    Chosen(Slot),
    /// Not proposed: the receiver does not lead at that ballot. Nothing happened.
    NotLeader,
    /// Not proposed: the leader is at a bound. Nothing happened.
    Busy,
    /// May yet be chosen, or not.
    Unknown,
}
