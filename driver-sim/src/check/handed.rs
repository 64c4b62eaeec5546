//! That only a fresh word of the leader that a node follows makes it stand at once.

use std::collections::BTreeMap;

use paxos_core::Node;
use paxos_core::effect::{Effect, Effects, Input, Notice};
use paxos_core::message::Message;
use paxos_core::types::{Ballot, GroupId};

use super::{Checked, ensure};

/// What one process has heard of its leaders, by group: the latest beat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handed {
    latest: BTreeMap<GroupId, (Ballot, u64)>,
}

/// A word that a leader makes way, and whether it is worth anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    group: GroupId,
    ballot: Ballot,
    is_fresh: bool,
}

impl Handed {
    /// Takes in what is about to be said to `node`.
    pub(crate) fn hear(&mut self, node: &Node, input: &Input) -> Option<Word> {
        let Input::Received(envelope) = input else { return None };
        let group = envelope.group;
        match &envelope.message {
            Message::Heartbeat(m) => {
                let latest = self.latest.entry(group).or_default();
                *latest = (*latest).max((m.ballot, m.beat));
                None
            }
            Message::Handover(m) => {
                let followed = node.group(group).and_then(|replica| replica.leadership());
                let latest = self.latest.get(&group).copied().unwrap_or_default();
                let is_fresh = followed == Some(m.ballot) && (m.ballot, m.beat) >= latest;
                Some(Word { group, ballot: m.ballot, is_fresh })
            }
            _ => None,
        }
    }

    /// Checks what follows from it.
    pub(crate) fn look(word: Option<Word>, effects: &Effects) -> Checked {
        let Some(Word { group: of, ballot, is_fresh: false }) = word else { return Ok(()) };
        let stands = |effect: &Effect| matches!(effect, Effect::Note(Notice::Campaigning { group, .. }) if *group == of);
        ensure!(
            !effects.iter().any(stands),
            "L3 no harm",
            "a node stands on the stale word of the leader of {ballot}"
        );
        Ok(())
    }
}
