//! What has happened, as the embedder tells it.

use alloc::sync::Arc;

use crate::message::Envelope;
use crate::types::{
    Commands, GroupId, Image, ImageId, Membership, NodeId, Piece, ProposalId, QueryId, Slot,
    WriteId,
};

/// A fact for [`Node::step`](crate::Node::step). Every one is in the past tense,
/// and every one may come at any time: what makes no sense is ignored and noted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Input {
    /// A peer's message arrived. The driver vouches for `from` and nothing else.
    Received(Envelope),
    /// This batch, and every one before it, is durable.
    Persisted(WriteId),
    /// This batch may not be durable, ever. The node halts: what the disk holds
    /// now, only a restart can tell.
    PersistFailed(WriteId),
    /// Clients want these commands chosen, in this order if at all possible. The
    /// handles count up from `first`; each is answered exactly once, by a
    /// [`Resolve`](super::Effect::Resolve) for one or for several of them.
    Proposed {
        /// The group.
        group: GroupId,
        /// The handle of the first command.
        first: ProposalId,
        /// The commands: best everything that one turn of the event loop has read.
        commands: Commands,
    },
    /// Someone wants the group to have these members. Gets exactly one
    /// [`Resolve`](super::Effect::Resolve): chosen at a slot, and in force
    /// [`window`](Membership::window) slots later; or refused; redirected, if this node
    /// does not lead; busy; or unknown.
    ///
    /// The version must be the group's plus one: of two changes that were thought out
    /// at the same time one is refused. Voters that were members
    /// before are bound to the disk that they were last heard with.
    MembersProposed {
        /// The group.
        group: GroupId,
        /// The handle, of the same kind as those of commands.
        proposal: ProposalId,
        /// The members from then on.
        membership: Arc<Membership>,
    },
    /// Someone wants a linearizable read; one handle may stand for a whole batch
    /// of reads. Gets exactly one [`Serve`](super::Effect::Serve) or
    /// [`Decline`](super::Effect::Decline).
    Queried {
        /// The group.
        group: GroupId,
        /// The handle.
        query: QueryId,
    },
    /// Someone wants this node, which leads, to make way for `to`. Gets exactly one
    /// [`TransferEnded`](super::Notice::TransferEnded).
    TransferRequested {
        /// The group.
        group: GroupId,
        /// Who is to lead.
        to: NodeId,
    },
    /// A hint that a peer's process is gone, such as a closed socket. Never
    /// needed, and harmless when wrong; right, it saves waiting for the timeout.
    PeerDown(NodeId),
    /// A hint that a peer can be reached again.
    PeerUp(NodeId),
    /// Someone wants a checkpoint now, whatever is due.
    CheckpointRequested {
        /// The group.
        group: GroupId,
    },
    /// The image ordered with [`Capture`](super::Effect::Capture) is durable.
    Captured {
        /// The group.
        group: GroupId,
        /// The image.
        image: Image,
    },
    /// The image could not be made. Nothing is lost; the log is kept.
    CaptureFailed {
        /// The group.
        group: GroupId,
        /// What it would have been of.
        below: Slot,
    },
    /// Bytes ordered with [`Load`](super::Effect::Load).
    Loaded {
        /// The group.
        group: GroupId,
        /// The peer that they are for.
        to: NodeId,
        /// The bytes; none if the image is gone.
        piece: Piece,
    },
    /// Everything of this image below `end` was written aside.
    Stored {
        /// The group.
        group: GroupId,
        /// The image.
        image: ImageId,
        /// The offset after the last byte written.
        end: u64,
    },
    /// Bytes of this image could not be written aside; what was written is given up.
    StoreFailed {
        /// The group.
        group: GroupId,
        /// The image.
        image: ImageId,
    },
    /// This image is durable, and the state machine is what it says.
    Installed {
        /// The group.
        group: GroupId,
        /// The image.
        image: ImageId,
    },
    /// The image was not what its digest says, or could not be written. It is given
    /// up, and the state machine is as it was.
    InstallFailed {
        /// The group.
        group: GroupId,
        /// The image.
        image: ImageId,
    },
    /// Time has passed; see [`Node::wake_at`](crate::Node::wake_at).
    Ticked,
}
