//! Things worth knowing that nobody has to act on.

use crate::quorum::NodeSet;
use crate::types::{Ballot, GroupId, ImageId, NodeId, Slot, WriteId};

/// Something worth a line in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// An input was ignored, and whose fault that is.
    Ignored(Ignored),
    /// This node follows another leader now, or none.
    LeaderChanged {
        /// The group.
        group: GroupId,
        /// The leader's ballot and thereby the leader; none while there is none.
        leader: Option<Ballot>,
    },
    /// This node has begun to campaign.
    Campaigning {
        /// The group.
        group: GroupId,
        /// Its ballot.
        ballot: Ballot,
    },
    /// This node leads: a phase 1 quorum has promised.
    Leading {
        /// The group.
        group: GroupId,
        /// Its ballot.
        ballot: Ballot,
        /// The first slot that was not known to be chosen.
        start: Slot,
        /// The first slot that nobody in the quorum had voted on.
        next: Slot,
    },
    /// A transfer that was asked for with
    /// [`TransferRequested`](super::Input::TransferRequested) has ended. Comes once
    /// for each request, at once where it is refused.
    TransferEnded {
        /// The group.
        group: GroupId,
        /// Who was to lead.
        to: NodeId,
        /// How it ended.
        end: TransferEnd,
    },
    /// The group changes its members. The embedder should reach all that the
    /// schedule names from now on.
    MembersChanged {
        /// The group.
        group: GroupId,
        /// The membership's version.
        version: u64,
        /// The slot from which it rules.
        from: Slot,
    },
    /// The group is founded, for all that this node knows.
    Founded {
        /// The group.
        group: GroupId,
        /// Whether that was without this node's disk: it joins, and is told by others who
        /// the members are.
        joins: bool,
    },
    /// The group cannot be founded as things are here. Unless another founder holds it for
    /// founded, and tells this node yet, nothing was promised to anybody.
    FoundingStuck {
        /// The group.
        group: GroupId,
        /// The founder that stands in the way.
        node: NodeId,
        /// Why.
        why: Discord,
    },
    /// So many voters have lost their disks that nobody can be elected, nor any voter be
    /// bound to its new disk: for several patiences on end there was no leader, voters have
    /// answered from disks that they are not bound to, and all others together are no
    /// quorum. Nothing goes on, and nobody guesses, until enough voters are back on the disks
    /// that they are bound to. Comes again now and then, while that lasts.
    QuorumLost {
        /// The group.
        group: GroupId,
        /// Voters, perhaps this one, on disks that they are not bound to.
        unbound: NodeSet,
        /// Voters that have not answered.
        silent: NodeSet,
    },
    /// This node leads no more.
    SteppedDown {
        /// The group.
        group: GroupId,
        /// The ballot it led at.
        ballot: Ballot,
    },
    /// A checkpoint of this replica is durable.
    Captured {
        /// The group.
        group: GroupId,
        /// What it is of: every slot below.
        below: Slot,
    },
    /// A checkpoint could not be made. Nothing is lost: the log is kept, and the
    /// next one is tried when it is due.
    CaptureFailed {
        /// The group.
        group: GroupId,
        /// What it would have been of.
        below: Slot,
    },
    /// The state machine ends below the log: the image between them was lost. This
    /// replica votes, but delivers nothing until it has pulled an image of a peer.
    CheckpointMissing {
        /// The group.
        group: GroupId,
        /// The first slot that the state machine lacks.
        applied: Slot,
        /// The log's floor.
        floor: Slot,
    },
    /// The log begins later now.
    Trimmed {
        /// The group.
        group: GroupId,
        /// Its floor.
        below: Slot,
    },
    /// This replica lacks slots that its donors have trimmed, and has begun, or goes
    /// on, to pull an image instead.
    Pulling {
        /// The group.
        group: GroupId,
        /// The image.
        image: ImageId,
        /// Where in it this begins.
        offset: u64,
        /// Who is asked first.
        donor: NodeId,
    },
    /// No image came in the end; another offer will be taken after a pause.
    PullFailed {
        /// The group.
        group: GroupId,
        /// The image.
        image: ImageId,
        /// Why.
        why: PullError,
    },
    /// A node has another sum than this leader at a slot: one of the two has
    /// delivered something else than was chosen.
    Differs {
        /// The group.
        group: GroupId,
        /// The voter.
        node: NodeId,
        /// Where: at some slot below this one they part.
        slot: Slot,
    },
    /// An image has taken the place of the slots below, which are delivered no more.
    Installed {
        /// The group.
        group: GroupId,
        /// What it is of.
        below: Slot,
    },
}

/// Why founders do not found a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Discord {
    /// Its disk was lost after this node had written it down. If no founder holds the group
    /// for founded, the embedder has to begin again, with empty disks of all founders at
    /// once.
    LostDisk,
    /// It was configured with other members. The configurations have to be put right, and
    /// the disks emptied.
    Design,
}

/// Why an image could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PullError {
    /// No peer has it, or none answers.
    NoDonor,
    /// It could not be written here.
    Store,
    /// Its bytes are not what its digest says, or it could not be put in place.
    Install,
}

/// How a transfer of leadership ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransferEnd {
    /// This node has promised its successor. Nearly always that one leads now.
    Yielded,
    /// Refused: this node does not lead.
    NotLeader,
    /// Refused: to itself, or to a node without a vote.
    NoSuccessor,
    /// Refused: another transfer is under way.
    UnderWay,
    /// The successor did not catch up, or did not stand, in time. This node leads on.
    GivenUp,
    /// This node's leadership ended otherwise.
    Fallen,
}

/// Why an input was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// The driver's fault: no such group here.
    UnknownGroup(GroupId),
    /// The driver's fault: this write was never ordered, or was acknowledged before.
    UnknownWrite(WriteId),
    /// The driver's fault: an answer about an image that nobody has asked about, or
    /// that was answered before.
    NotOrdered(GroupId),
    /// Nobody's fault: a checkpoint was wanted while one is under way, or when
    /// nothing was delivered since the last, or while the replica itself is being
    /// brought up.
    NoCheckpoint(GroupId),
    /// The driver's fault: a message under this node's own name came from outside.
    FromMyself,
    /// The peer's fault: it is no member of the group.
    Stranger(GroupId, NodeId),
    /// The peer's fault: an absurd ballot, slot or size.
    Absurd(GroupId, NodeId),
    /// Nobody's fault: a leader that was overtaken without knowing it proposes
    /// where something else is chosen by now.
    Overtaken(GroupId, NodeId, Slot),
    /// The peer's fault, and grave: two values for one slot under one ballot.
    TwoValues(GroupId, NodeId, Slot),
    /// Nobody's fault: a word of a group that is founded, as far as its sender knows, and
    /// not as far as this node does. It asks.
    Unfounded(GroupId, NodeId),
    /// Nobody's fault: this node is at a bound; the peer will send again.
    Overload(GroupId, NodeId),
}
