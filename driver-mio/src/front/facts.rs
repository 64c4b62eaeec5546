//! What a node can say about itself.

use std::fmt;
use std::time::Duration;

use super::Kind;

/// Everything that `INFO` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// About the process.
    pub server: ServerFacts,
    /// About its place in the group.
    pub paxos: PaxosFacts,
    /// About how it reads.
    pub reads: ReadFacts,
    /// About its copy of the keys.
    pub store: StoreFacts,
    /// About its log and its images.
    pub storage: StorageFacts,
    /// About what it has found lost or damaged.
    pub damage: DamageFacts,
    /// Number of clients connected.
    pub clients: u64,
    /// Counts since the start, by name: what the driver has seen and done.
    pub counters: Vec<(&'static str, u64)>,
}

/// About the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// The version of this program.
    pub version: &'static str,
    /// The process id.
    pub process: u32,
    /// Where clients connect.
    pub tcp_port: u16,
    /// Seconds since the start.
    pub uptime_seconds: u64,
}

/// About the place of a node in its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaxosFacts {
    /// This node.
    pub node_id: u64,
    /// What it does in the group.
    pub role: Role,
    /// Who leads, as far as this node knows.
    pub leader_id: Option<u64>,
    /// The highest ballot it knows, as `round.node`.
    pub ballot: String,
    /// The end of what is known to be chosen without a gap.
    pub chosen_slot: u64,
    /// The end of what has been delivered to the store.
    pub delivered_slot: u64,
    /// The group.
    pub members: Vec<Member>,
    /// What the founding of the group waits for; `done` once it is founded.
    pub founding: String,
    /// Counts the changes of the members.
    pub members_version: u64,
    /// The first slot that the members decide, chosen yet or not.
    pub members_slot: u64,
    /// Whether it votes from the disk that it has now. Not if it is a learner, and not
    /// yet if it has come back on a new disk: then it votes again once this is so.
    pub disk_votes: bool,
    /// Whether there is no leader, and so many voters are on disks without a vote that
    /// nobody can be elected, until enough are back on the disks that they had.
    pub quorum_lost: bool,
}

/// About how a node reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadFacts {
    /// How long a lease lasts, in milliseconds; zero if leases are off.
    pub lease_ms: u64,
    /// Whether this node reads without asking anyone, now.
    pub is_leased: bool,
    /// How old what it has delivered may be; none if it has heard of no leader.
    pub age: Option<Duration>,
}

/// About the log and the images of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageFacts {
    /// What the newest image is of: all slots below. The first slot if there is none.
    pub checkpoint_slot: u64,
    /// Whether an image is being written or put in place.
    pub checkpoint_running: bool,
    /// The first slot that the log still has.
    pub log_floor: u64,
    /// Files of the log, those that lie ready included.
    pub log_segments: u64,
    /// Bytes of these.
    pub log_bytes: u64,
    /// Whether the disk has no room for more, so that writes are refused here.
    pub is_full: bool,
    /// How long the log takes to write and sync a block: a moving average, in which the
    /// last one weighs an eighth. None if none was written since the start.
    pub sync_time: Option<Duration>,
}

/// What a node has found lost or damaged since its process began.
///
/// That the harm is undone does not change it: whether the node votes again is said by
/// [`disk_votes`](PaxosFacts::disk_votes).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DamageFacts {
    /// Its log had lost something, and was set aside at the start.
    pub log_damaged: bool,
    /// Its disk was an older copy, as a peer has told it; the log was set aside.
    pub log_outdated: bool,
    /// Logs that lie aside in its directory, those of earlier starts too. Whoever has no
    /// use for them may remove them while the node votes.
    pub logs_set_aside: u64,
    /// What a crash had torn at the log's end was cut off at the start. Nothing that was
    /// ever acknowledged stood there.
    pub log_torn: bool,
    /// Sectors of the log that could not be read at the start, and held nothing of worth.
    pub log_bad_sectors: u64,
    /// Checkpoints that were found damaged at the start, and passed over.
    pub checkpoints_damaged: u64,
}

/// One member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub id: u64,
    /// Where its peers reach it, as `host:port`.
    pub address: String,
    /// What it is to the group.
    pub kind: Kind,
}

/// About a node's copy of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreFacts {
    /// Number of keys.
    pub keys: u64,
    /// Number of keys with a deadline.
    pub expires: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// What they may take, in bytes.
    pub bytes_max: u64,
    /// The time of the store, in milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// What a node does in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It proposes for all.
    Leader,
    /// It votes and passes proposals on.
    Follower,
    /// It seeks to lead.
    Candidate,
    /// It listens and has no vote.
    Learner,
    /// It votes and holds no state.
    Witness,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Candidate => "candidate",
            Self::Learner => "learner",
            Self::Witness => "witness",
        })
    }
}
