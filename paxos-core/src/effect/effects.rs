//! What to do now, as the core orders it.

use alloc::vec::Vec;

use smallvec::SmallVec;

use super::Notice;
use crate::log::{Batch, Record};
use crate::message::Envelope;
use crate::quorum::NodeSet;
use crate::types::{
    Checkpoint, GroupId, Image, ImageId, NodeId, Piece, ProposalId, QueryId, Run, Slot, WriteId,
};

/// An order to the embedder.
///
/// There is no order between sending, persisting and applying: whatever is handed
/// out may be done at once. Within each of these streams, keep the order of
/// batches and of deliveries; messages may go in any order, late, twice or never.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Send this to each of these peers; never holds the node itself. Encode once.
    Send {
        /// The receivers.
        to: NodeSet,
        /// The message.
        envelope: Envelope,
    },
    /// Append this to the log, make it durable, then step
    /// [`Persisted`](super::Input::Persisted). Several may be outstanding: one
    /// sync may serve them all, acknowledged by the last one's id alone.
    Persist(Batch),
    /// Apply these to the state machine, in order. Slots come without holes, ascending,
    /// each once in a life of the node; only an [`Install`](Effect::Install) takes
    /// the place of some.
    Deliver {
        /// The group.
        group: GroupId,
        /// Slots, and what is chosen there for ever; never empty.
        run: Run,
    },
    /// Tell the proposers what became of their commands: see [`Outcome::each`].
    ///
    /// If it was chosen, the delivery of its slot on this node is still to come or
    /// stands later in the same step's effects, with two exceptions: a command that
    /// was handed on to a leader may be delivered here before the leader's answer
    /// arrives, when the network reorders; and an image may be installed that holds
    /// its effect already. An embedder that has not kept the machine's reply then
    /// knows that the command took effect, and not what it answered.
    Resolve {
        /// The group.
        group: GroupId,
        /// The handle that the first of them was proposed under.
        first: ProposalId,
        /// How many there are, with handles that count up from the first.
        count: u32,
        /// What became of the first. If it was chosen, so were the others, each at the
        /// slot after the one before; else the same became of all of them.
        outcome: Outcome,
    },
    /// Serve this query from the state machine once every slot below `at` is
    /// applied. They have all been handed out for delivery already.
    Serve {
        /// The group.
        group: GroupId,
        /// The handle.
        query: QueryId,
        /// The read index.
        at: Slot,
    },
    /// This query cannot be served now; it may be asked again.
    Decline {
        /// The group.
        group: GroupId,
        /// The handle.
        query: QueryId,
        /// Why.
        why: Declined,
    },
    /// Freeze the state machine as it is now: every slot below
    /// [`checkpoint.below`](Checkpoint::below) was ordered for delivery before this,
    /// none above. Write the frozen image out beside all that goes on, make it
    /// durable together with `checkpoint`, then step
    /// [`Captured`](super::Input::Captured), or
    /// [`CaptureFailed`](super::Input::CaptureFailed). One at a time, and never
    /// together with an [`Install`](Effect::Install).
    ///
    /// Keep the image before this one too while peers may be pulling it.
    Capture {
        /// The group.
        group: GroupId,
        /// What the image is of.
        checkpoint: Checkpoint,
    },
    /// Read these bytes of an image for a peer, then step
    /// [`Loaded`](super::Input::Loaded), with fewer bytes or none if the image ends
    /// there or is gone.
    Load {
        /// The group.
        group: GroupId,
        /// The peer.
        to: NodeId,
        /// Which image.
        image: ImageId,
        /// Where to begin.
        offset: u64,
        /// How many bytes.
        bytes: usize,
    },
    /// Write these bytes of a peer's image aside, then step
    /// [`Stored`](super::Input::Stored) or [`StoreFailed`](super::Input::StoreFailed).
    /// Pieces of one image come in order, from offset zero or from where a partial
    /// one was found at the start. A piece of another image ends the one before, and so
    /// does an [`Install`](Effect::Install).
    Store {
        /// The group.
        group: GroupId,
        /// The bytes.
        piece: Piece,
    },
    /// The image is whole: check it against its digest, make it durable together
    /// with its checkpoint, put it in place of the state machine, then step
    /// [`Installed`](super::Input::Installed), or
    /// [`InstallFailed`](super::Input::InstallFailed) with the machine as it was.
    /// Nothing is ordered for delivery in between, nor to be stored or captured.
    /// An image of no bytes comes without a [`Store`](Effect::Store) before.
    Install {
        /// The group.
        group: GroupId,
        /// The image.
        image: Image,
    },
    /// Something worth a line in a log or a count in a metric. May be dropped.
    Note(Notice),
    /// Stop this node: nothing that it says from now on is worth anything. Comes
    /// once; every later step does nothing.
    Halt(HaltReason),
}

/// What became of a proposal. There is no "failed": a proposal either has surely
/// had no effect, or may have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Chosen at this slot, perhaps while slots below are open: no command that is proposed after
    /// this answer takes one of those.
    Chosen(Slot),
    /// Nothing happened; ask the leader, if one is known.
    Redirected(Option<NodeId>),
    /// Nothing happened: a bound was reached. Try again later.
    Busy,
    /// Nothing happened, and nothing will: the payload is over
    /// [`value_bytes_max`](crate::types::Limits::value_bytes_max).
    TooLarge,
    /// Nothing happened, and nothing will: the group does not change in this way now.
    Refused(Refusal),
    /// The command may be chosen, now or later, or never. To try again safely,
    /// use a session.
    Unknown,
}

impl Outcome {
    /// What became of each of `count` proposals with handles that count up from `first`,
    /// the first of which came to this: the words of a [`Resolve`](Effect::Resolve).
    ///
    /// ```
    /// use paxos_core::effect::Outcome;
    /// use paxos_core::types::{ProposalId, Slot};
    ///
    /// let mut each = Outcome::Chosen(Slot(7)).each(ProposalId(3), 2);
    /// assert_eq!(each.next(), Some((ProposalId(3), Outcome::Chosen(Slot(7)))));
    /// assert_eq!(each.next(), Some((ProposalId(4), Outcome::Chosen(Slot(8)))));
    /// assert_eq!(each.next(), None);
    /// ```
    pub fn each(
        self,
        first: ProposalId,
        count: u32,
    ) -> impl ExactSizeIterator<Item = (ProposalId, Outcome)> {
        (0..count).map(move |i| (first.plus(i), self.after(i)))
    }

    /// What became of the proposal `i` places after the one that came to this.
    fn after(self, i: u32) -> Outcome {
        match self {
            Outcome::Chosen(first) => Outcome::Chosen(first.plus(u64::from(i))),
            same => same,
        }
    }
}

/// Why a change of the membership is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It does not follow the group's membership, which has this version: somebody
    /// else has changed it.
    Version(u64),
    /// The change before it is not in force yet.
    Pending,
    /// Quorums need not meet, a voter is a learner too, an address is too long, or
    /// something is said of a node that is no member.
    Unsound,
    /// It names another window: that stays the same for ever.
    Window,
    /// This voter's disk is not known: neither does the change name it, nor has the node
    /// answered this leader as a learner. Without it nothing would tell an emptied disk
    /// from the one that has voted.
    Unheard(NodeId),
}

/// Why a query was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Declined {
    /// This node is a witness and keeps no state machine: ask another.
    Witness,
    /// No leader was found, or it did not answer, in time.
    NoLeader,
    /// A bound was reached.
    Busy,
}

/// Why a node must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum HaltReason {
    /// The driver said that a batch may not be durable.
    PersistFailed,
    /// This replica has delivered other values than a majority of the mains, at least two, at a
    /// slot below this one: its disk or its memory lies.
    Diverged(GroupId, Slot),
}

/// The caller's reusable buffer of orders.
///
/// A steady step allocates nothing for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    list: Vec<Effect>,
}

impl Effects {
    /// An empty buffer.
    pub fn new() -> Effects {
        Effects::default()
    }

    /// Adds an order at the end. Only the gate and the outbox give orders.
    pub(crate) fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// Adds an order at the end, made in its place: orders are large.
    pub(crate) fn push_with(&mut self, effect: impl FnOnce() -> Effect) {
        self.list.extend(core::iter::once_with(effect));
    }

    /// Orders these records to be written down, and leaves none behind.
    pub(crate) fn persist(&mut self, id: WriteId, records: &mut SmallVec<[Record; 2]>) {
        self.push_with(|| Effect::Persist(Batch { id, records: SmallVec::new() }));
        if let Some(Effect::Persist(batch)) = self.list.last_mut() {
            // In their place, too.
            core::mem::swap(&mut batch.records, records);
        }
    }

    /// Takes all orders out, oldest first, and keeps the memory.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> + '_ {
        self.list.drain(..)
    }

    /// The orders, oldest first.
    pub fn iter(&self) -> core::slice::Iter<'_, Effect> {
        self.list.iter()
    }

    /// How many orders there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Forgets all orders, and keeps the memory.
    pub fn clear(&mut self) {
        self.list.clear();
    }
}

impl<'a> IntoIterator for &'a Effects {
    type Item = &'a Effect;
    type IntoIter = core::slice::Iter<'a, Effect>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_gives_its_orders_out_in_order_and_forgets_them() {
        let serve = |n| Effect::Serve { group: GroupId(0), query: QueryId(n), at: Slot(n) };
        let mut effects = Effects::new();
        assert_eq!((effects.is_empty(), effects.len()), (true, 0));
        (1..=3).for_each(|n| effects.push(serve(n)));
        assert!(!effects.is_empty() && effects.len() == 3);
        let mut seen = Vec::new();
        for effect in &effects {
            seen.push(effect.clone());
        }
        assert_eq!(seen, [1, 2, 3].map(serve));
        assert!(effects.drain().eq([1, 2, 3].map(serve)) && effects.is_empty());
        effects.push(serve(4));
        effects.clear();
        assert!(effects.is_empty());
    }
}
