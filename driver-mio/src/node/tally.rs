//! What the node has seen and done since its start, in numbers and in lines.

use std::fmt;

use paxos_core::effect::{Discord, Ignored, Notice, PullError, TransferEnd};
use paxos_core::quorum::NodeSet;

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Turns of the loop.
    pub(crate) turns: u64,
    /// Runs of proposals handed to the core.
    pub(crate) proposed_runs: u64,
    /// Commands in these.
    pub(crate) proposed: u64,
    /// Rounds of linearizable reads.
    pub(crate) read_rounds: u64,
    /// Slots applied.
    pub(crate) applied: u64,
    /// Requests answered with an error because the cluster could not do them.
    pub(crate) failed: u64,
    /// How often the leader has changed, as this node saw it.
    pub(crate) leader_changes: u64,
    /// How often this node has campaigned.
    pub(crate) campaigns: u64,
    /// Inputs that the core had no room for; the sender says them again.
    pub(crate) overloads: u64,
    /// Inputs that made no sense to the core.
    pub(crate) ignored: u64,
}

impl Tally {
    /// Counts a notice; tells whether it is worth a line.
    pub(crate) fn count(&mut self, notice: &Notice) -> bool {
        match notice {
            Notice::LeaderChanged { .. } => self.leader_changes += 1,
            Notice::Campaigning { .. } => self.campaigns += 1,
            Notice::Leading { .. }
            | Notice::SteppedDown { .. }
            | Notice::MembersChanged { .. }
            | Notice::TransferEnded { .. }
            | Notice::Captured { .. }
            | Notice::CaptureFailed { .. }
            | Notice::CheckpointMissing { .. }
            | Notice::Trimmed { .. }
            | Notice::Pulling { .. }
            | Notice::PullFailed { .. }
            | Notice::Differs { .. }
            | Notice::Founded { .. }
            | Notice::FoundingStuck { .. }
            | Notice::QuorumLost { .. }
            | Notice::Installed { .. } => {}
            Notice::Ignored(Ignored::Overload(..)) => {
                self.overloads += 1;
                return false;
            }
            Notice::Ignored(_) => self.ignored += 1,
        }
        true
    }

    /// All counts, by name.
    pub(crate) fn list(&self) -> [(&'static str, u64); 10] {
        [
            ("loop_turns", self.turns),
            ("proposed_runs", self.proposed_runs),
            ("proposed_commands", self.proposed),
            ("read_rounds", self.read_rounds),
            ("applied_slots", self.applied),
            ("failed_requests", self.failed),
            ("leader_changes", self.leader_changes),
            ("campaigns", self.campaigns),
            ("core_overloads", self.overloads),
            ("core_ignored", self.ignored),
        ]
    }
}

/// A notice as a line.
pub(crate) struct Line<'a>(pub(crate) &'a Notice);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Notice::LeaderChanged { leader: Some(ballot), .. } => {
                write!(f, "follows {} at ballot {ballot}", ballot.node)
            }
            Notice::LeaderChanged { leader: None, .. } => f.write_str("knows no leader"),
            Notice::Campaigning { ballot, .. } => write!(f, "campaigns at ballot {ballot}"),
            Notice::Leading { ballot, start, next, .. } => {
                write!(f, "leads at ballot {ballot}; slots {start}..{next} were open")
            }
            Notice::SteppedDown { ballot, .. } => write!(f, "leads no more at ballot {ballot}"),
            Notice::TransferEnded { to, end, .. } => match end {
                TransferEnd::Yielded => write!(f, "has made way for {to}"),
                _ => write!(f, "does not make way for {to}: {end:?}"),
            },
            Notice::Captured { below, .. } => write!(f, "has a checkpoint of all below {below}"),
            Notice::CaptureFailed { below, .. } => {
                write!(f, "could not make a checkpoint of all below {below}; the log is kept")
            }
            Notice::CheckpointMissing { applied, floor, .. } => write!(
                f,
                "ALARM: has no checkpoint of slots {applied}..{floor}; votes, and waits for a peer's"
            ),
            Notice::Trimmed { below, .. } => write!(f, "keeps the log from slot {below} on"),
            Notice::Pulling { image, offset, donor, .. } => write!(
                f,
                "pulls a checkpoint of all below {} from {donor}: {offset} of {} bytes are here",
                image.below, image.bytes
            ),
            Notice::PullFailed { image, why, .. } => {
                let why = match why {
                    PullError::NoDonor => "nobody gives it",
                    PullError::Store => "it could not be written",
                    PullError::Install => "its bytes are not what they should be",
                };
                write!(f, "got no checkpoint of all below {}: {why}", image.below)
            }
            Notice::Differs { node, slot, .. } => {
                write!(f, "ALARM: {node} has delivered something else below slot {slot}")
            }
            Notice::Installed { below, .. } => {
                write!(f, "goes on from a peer's checkpoint of all below {below}")
            }
            Notice::MembersChanged { version, from, .. } => {
                write!(f, "members of version {version} decide from slot {from} on")
            }
            Notice::Founded { joins: false, .. } => f.write_str("the group is founded"),
            Notice::Founded { joins: true, .. } => {
                f.write_str("joins a group that was founded without this disk")
            }
            Notice::FoundingStuck { node, why: Discord::LostDisk, .. } => write!(
                f,
                "ALARM: {node} has lost its disk before this node heard that the group is \
                 founded; if INFO says founding:done at any founder, keep all data and bring that \
                 one here; if at none, start all founders with empty directories"
            ),
            Notice::FoundingStuck { node, why: Discord::Design, .. } => write!(
                f,
                "ALARM: {node} was told of other members, and founds nothing with this node; \
                 start all founders alike; if INFO says founding:done at none, with empty \
                 directories"
            ),
            Notice::QuorumLost { unbound, silent, .. } => write_lost(f, *unbound, *silent),
            Notice::Ignored(ignored) => write_ignored(f, ignored),
        }
    }
}

fn write_lost(f: &mut fmt::Formatter<'_>, unbound: NodeSet, silent: NodeSet) -> fmt::Result {
    write!(f, "ALARM: a quorum of disks is lost (on disks without a vote: {}", Names(unbound))?;
    if !silent.is_empty() {
        write!(f, "; silent: {}", Names(silent))?;
    }
    f.write_str(
        "); nobody guesses what they knew, and nothing goes on before enough nodes are back on the \
         disks that they had: start those that are silent, or put a log that was set aside \
         (damaged-log-*) and can be read again back in its place",
    )
}

/// Nodes, one after the other.
struct Names(NodeSet);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, node) in self.0.iter().enumerate() {
            write!(f, "{}{node}", if nth == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn write_ignored(f: &mut fmt::Formatter<'_>, ignored: &Ignored) -> fmt::Result {
    match ignored {
        Ignored::UnknownGroup(group) => write!(f, "bug: {group} does not exist here"),
        Ignored::UnknownWrite(write) => write!(f, "bug: nobody has ordered {write}"),
        Ignored::NotOrdered(group) => write!(f, "bug: nobody has asked this about {group}"),
        Ignored::NoCheckpoint(group) => {
            write!(f, "{group} has its checkpoint already, or is about to")
        }
        Ignored::FromMyself => f.write_str("a peer speaks in this node's name"),
        Ignored::Stranger(group, node) => write!(f, "{node} is no member of {group}"),
        Ignored::Absurd(group, node) => write!(f, "{node} says nonsense about {group}"),
        Ignored::TwoValues(group, node, slot) => {
            write!(f, "ALARM: {node} has two values for slot {slot} of {group} under one ballot")
        }
        Ignored::Overtaken(group, node, slot) => {
            write!(f, "{node} was overtaken: slot {slot} of {group} is chosen already")
        }
        Ignored::Unfounded(group, node) => {
            write!(f, "{node} knows more of how {group} was founded, and is asked")
        }
        Ignored::Overload(group, node) => write!(f, "no room for what {node} says about {group}"),
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::types::{GroupId, NodeId};

    use super::*;

    #[test]
    fn the_alarm_of_a_lost_quorum_names_the_nodes() {
        let set = |ids: &[u16]| ids.iter().map(|id| NodeId(*id)).collect();
        let line = |unbound: &[u16], silent: &[u16]| {
            let (unbound, silent) = (set(unbound), set(silent));
            Line(&Notice::QuorumLost { group: GroupId(0), unbound, silent }).to_string()
        };
        let both =
            "ALARM: a quorum of disks is lost (on disks without a vote: n2, n3; silent: n5);";
        assert!(line(&[2, 3], &[5]).starts_with(both));
        let one = "ALARM: a quorum of disks is lost (on disks without a vote: n2); nobody";
        assert!(line(&[2], &[]).starts_with(one));
    }
}
