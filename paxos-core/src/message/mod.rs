//! What nodes say to each other.
//!
//! Each message names its sender, its receiver and its occasion. A message either
//! binds its sender ([`Pledge`]) or does not ([`Plain`]): the type decides
//! whether it must wait for the disk, never the code that sends it.

mod audit;
mod founding;
mod kind;
mod paxos;
mod read;
mod transfer;
mod upkeep;
mod witness;

pub use audit::{Audit, Audited};
pub use founding::Greet;
pub use kind::{Plain, Pledge};
pub use paxos::{Accept, Accepted, Chosen, Prepare, Promise, Reject, Vote};
pub use read::{Confirm, Confirmed, ReadAnswer, ReadId, ReadRequest};
pub use transfer::{Offer, Pull};
pub use upkeep::{
    Entries, Fetch, Forward, Forwarded, Handover, Heartbeat, HeartbeatAck, Probe, ProbeAck,
    Release, Verdict,
};
pub use witness::{Holding, Relieve};

use crate::types::{GroupId, NodeId, Piece};

/// A message with the group that it belongs to and the node that sent it. The
/// receiver is the driver's affair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Envelope {
    /// The group.
    pub group: GroupId,
    /// The sender. A driver must not let a peer claim another peer's name.
    pub from: NodeId,
    /// The sender's disk, as in [`Config::disk`](crate::Config::disk): its promises
    /// and votes count only where the group has bound it to this one.
    pub disk: u64,
    /// The message.
    pub message: Message,
}

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident: $kind:ident,)*) => {
        /// Everything that one node can say to another.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum Message {
            $($(#[$doc])* $name($name),)*
        }

        $(
            impl From<$name> for Message {
                fn from(m: $name) -> Message {
                    Message::$name(m)
                }
            }
            impl $kind for $name {}
        )*

        impl Message {
            /// The message's name, for people.
            pub fn name(&self) -> &'static str {
                match self { $(Message::$name(_) => stringify!($name),)* }
            }
        }
    };
}

// The one list that says which messages bind their senders.
messages! {
    /// Phase 1a. Binds: a crash must not let a ballot be used twice.
    Prepare: Pledge,
    /// Phase 1b.
    Promise: Pledge,
    /// Phase 2a. Binds nobody: the ballot was made durable before its Prepare.
    Accept: Plain,
    /// Phase 2b.
    Accepted: Pledge,
    /// A refusal.
    Reject: Plain,
    /// An announcement of chosen slots.
    Chosen: Plain,
    /// The question before a campaign.
    Probe: Plain,
    /// The answer to it.
    ProbeAck: Plain,
    /// The leader's sign of life.
    Heartbeat: Plain,
    /// The answer to it.
    HeartbeatAck: Plain,
    /// A request for chosen values.
    Fetch: Plain,
    /// The answer to it.
    Entries: Plain,
    /// Proposals for the leader.
    Forward: Plain,
    /// The answer to them.
    Forwarded: Plain,
    /// A read request for the leader.
    ReadRequest: Plain,
    /// The answer to it.
    ReadAnswer: Plain,
    /// The leader's question whether it still leads.
    Confirm: Plain,
    /// The answer to it.
    Confirmed: Plain,
    /// A checkpoint instead of slots that are trimmed.
    Offer: Plain,
    /// A request for bytes of an image.
    Pull: Plain,
    /// The answer to it.
    Piece: Plain,
    /// The leader's question about a running sum.
    Audit: Plain,
    /// The answer to it.
    Audited: Plain,
    /// A leader's word to its successor. Binds nobody: it campaigns as any candidate.
    Handover: Plain,
    /// A main's word that it will not lose what is chosen. Binds: witnesses forget it.
    Holding: Pledge,
    /// The leader's word to a witness, which may forget.
    Relieve: Plain,
    /// How far the founding of a group has come here. Binds: a charter is for good.
    Greet: Pledge,
}
