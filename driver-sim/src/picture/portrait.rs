//! A node's state at one instant, as far as a person wants to see it.

use std::fmt::Write as _;

use paxos_core::log::Cell;
use paxos_core::types::Ballot;
use paxos_core::{Node, Replica, Standing};
use serde::Serialize;

use crate::transcript::ValueWords;

/// What a node says of itself, group by group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Portrait {
    /// One for each group.
    pub groups: Vec<GroupPortrait>,
    /// Pledges that wait for the disk.
    pub held: usize,
    /// The last write that was ordered, and the last one that is durable.
    pub writes: (u64, u64),
}

/// What a replica says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupPortrait {
    /// The group.
    pub group: u64,
    /// `follower`, `candidate` or `leader`.
    pub standing: &'static str,
    /// The ballot that it campaigns or leads at.
    pub ballot: Option<String>,
    /// The leadership that it follows.
    pub follows: Option<String>,
    /// What it has promised.
    pub promised: String,
    /// All slots below are known to be chosen.
    pub chosen: u64,
    /// All slots below are delivered.
    pub delivered: u64,
    /// All slots below are forgotten.
    pub floor: u64,
    /// Who votes.
    pub voters: String,
    /// The slots around the chosen frontier.
    pub cells: Vec<CellPortrait>,
}

/// One slot: number, ballot of the vote (or a dash), whether it is chosen, value.
pub type CellPortrait = (u64, String, bool, String);

impl Portrait {
    /// Slots that are shown on either side of the chosen frontier.
    const CELLS: u64 = 6;

    /// What `node` looks like now.
    #[must_use]
    pub fn of(node: &Node) -> Portrait {
        let (ordered, durable) = node.writes();
        Portrait {
            groups: node.groups().map(group).collect(),
            held: node.held_pledges(),
            writes: (ordered.0, durable.0),
        }
    }
}

fn group(replica: &Replica) -> GroupPortrait {
    let log = replica.log();
    let first = log.chosen().0.saturating_sub(Portrait::CELLS).max(log.floor().0);
    let end = (log.chosen().0 + Portrait::CELLS).min(log.end().0);
    let slots = (first..end).map(paxos_core::types::Slot);
    let cells = slots.filter_map(|slot| log.get(slot).map(|cell| (slot.0, cell)));
    GroupPortrait {
        group: replica.id().0,
        standing: match replica.standing() {
            Standing::Follower => "follower",
            Standing::Candidate => "candidate",
            Standing::Leader => "leader",
        },
        ballot: replica.own_ballot().map(|ballot| ballot.to_string()),
        follows: replica.leadership().map(|ballot| ballot.to_string()),
        promised: replica.promised().to_string(),
        chosen: log.chosen().0,
        delivered: replica.delivered().0,
        floor: log.floor().0,
        voters: voters(replica),
        cells: cells.map(portray).collect(),
    }
}

fn portray((slot, cell): (u64, Cell<'_>)) -> CellPortrait {
    let ballot = match cell.ballot {
        Ballot::ZERO => "–".to_owned(),
        ballot => ballot.to_string(),
    };
    (slot, ballot, cell.chosen, ValueWords(cell.value).to_string())
}

fn voters(replica: &Replica) -> String {
    let mut words = String::new();
    for node in replica.membership().voters().iter() {
        let space = if words.is_empty() { "" } else { " " };
        let written = write!(words, "{space}{node}");
        debug_assert!(written.is_ok(), "a string takes everything");
    }
    words
}
