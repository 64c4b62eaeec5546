//! What the node has said in all its lives, held against what its disk held.

use std::collections::BTreeMap;

use bytes::Bytes;
use paxos_core::codec::envelope;
use paxos_core::log::Durable;
use paxos_core::message::{Accept, Accepted, Envelope, Message, Prepare, Promise};
use paxos_core::types::{Ballot, GroupId, Slot, Value};

use super::disk::promised;
use super::setting::{ME, Setting};

/// All that must never be gone back on.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    groups: BTreeMap<GroupId, Said>,
}

#[derive(Debug, Default)]
struct Said {
    /// The highest ballot that a pledge has spoken of.
    bound: Ballot,
    /// The highest ballot of its own that it asked promises for, and in which life.
    own: Option<(Ballot, u64)>,
    /// What it asked votes for: one value for a ballot and slot, for ever.
    proposed: BTreeMap<(Ballot, Slot), Value>,
}

impl Ledger {
    /// Checks a message that leaves the node in its `life`.
    pub(super) fn on_sent(&mut self, sent: &Envelope, durable: &Durable, life: u64) {
        let group = sent.group;
        let said = self.groups.entry(group).or_default();
        match &sent.message {
            Message::Prepare(m) => said.on_prepare(m, promised(durable, group), life),
            Message::Promise(m) => said.on_promise(m, group, durable),
            Message::Accepted(m) => said.on_accepted(m, group, durable),
            Message::Accept(m) => said.on_accept(m, promised(durable, group), life),
            _ => {}
        }
    }

    /// Whether the node has asked for promises at `ballot` in its `life`, and at no
    /// higher one since.
    pub(super) fn has_asked(&self, group: GroupId, ballot: Ballot, life: u64) -> bool {
        self.groups.get(&group).is_some_and(|said| said.own == Some((ballot, life)))
    }

    /// The highest ballot that the node has bound itself to in `group`, in any life.
    pub(super) fn bound(&self, group: GroupId) -> Ballot {
        self.groups.get(&group).map_or(Ballot::ZERO, |s| s.bound)
    }
}

impl Said {
    fn on_prepare(&mut self, m: &Prepare, durable: Ballot, life: u64) {
        assert_eq!(m.ballot.node, ME, "a campaign under another's ballot");
        assert!(m.ballot <= durable, "a ballot that the disk might forget");
        if let Some((ballot, before)) = self.own {
            let same = m.ballot == ballot && before == life;
            assert!(m.ballot > ballot || same, "a ballot is used again");
        }
        self.own = Some((m.ballot, life));
        self.bound = self.bound.max(m.ballot);
    }

    fn on_promise(&mut self, m: &Promise, group: GroupId, durable: &Durable) {
        assert!(m.ballot <= promised(durable, group), "a promise that the disk might forget");
        for vote in &m.votes {
            assert!(vote.slot >= m.from, "a vote before its page");
            assert!(m.to.is_none_or(|to| vote.slot < to), "a vote after its page");
            assert!(is_held(durable, group, vote.slot, vote.ballot), "a vote not on disk");
        }
        self.bound = self.bound.max(m.ballot);
    }

    fn on_accepted(&mut self, m: &Accepted, group: GroupId, durable: &Durable) {
        assert!(m.ballot <= promised(durable, group), "a vote without its promise on disk");
        assert!(m.first < m.end, "votes for nothing");
        for slot in (m.first.0..m.end.0).map(Slot) {
            assert!(is_held(durable, group, slot, m.ballot), "a vote that the disk might forget");
        }
        self.bound = self.bound.max(m.ballot);
    }

    fn on_accept(&mut self, m: &Accept, durable: Ballot, life: u64) {
        assert!(m.ballot <= durable, "an own ballot that the disk might forget");
        assert_eq!(self.own, Some((m.ballot, life)), "leads without having asked");
        for (slot, value) in m.run.iter() {
            let first = self.proposed.entry((m.ballot, slot)).or_insert_with(|| value.clone());
            assert_eq!(first, value, "two values for slot {slot} at {}", m.ballot);
        }
    }
}

/// Whether the disk holds a vote at `ballot` or above, or knows better by now.
fn is_held(durable: &Durable, group: GroupId, slot: Slot, ballot: Ballot) -> bool {
    // What is trimmed is chosen, and a vote there may be given and forgotten.
    if durable.group(group).is_some_and(|g| slot < g.log().floor()) {
        return true;
    }
    let cell = durable.group(group).and_then(|g| g.log().get(slot));
    cell.is_some_and(|c| c.ballot >= ballot || c.chosen)
}

/// Checks what every message must be whatever it says.
pub(super) fn check_spelling(sent: &Envelope, setting: &Setting) {
    let mut bytes = Vec::new();
    envelope::encode(sent, &mut bytes);
    let max = setting.message_bytes_max();
    assert!(bytes.len() <= max, "{} bytes in one {}", bytes.len(), sent.message.name());
    assert_eq!(envelope::decode(&Bytes::from(bytes)).as_ref(), Ok(sent), "does not return");
}

/// The checks can fail: each of these is a bug that the core must not have.
#[cfg(test)]
mod tests {
    use paxos_core::log::{Entry, Record};
    use paxos_core::types::{NodeId, Run};

    use super::*;

    const GROUP: GroupId = GroupId(0);
    const OURS: Ballot = Ballot::new(4, ME);
    const THEIRS: Ballot = Ballot::new(5, NodeId(1));

    fn disk_with(entries: impl IntoIterator<Item = Entry>) -> Durable {
        let mut durable = Durable::default();
        for entry in entries {
            durable.replay(Record { group: GROUP, entry }).expect("entries that follow");
        }
        durable
    }

    fn say(ledger: &mut Ledger, message: impl Into<Message>, durable: &Durable, life: u64) {
        let sent = Envelope { group: GROUP, from: ME, disk: 0, message: message.into() };
        ledger.on_sent(&sent, durable, life);
    }

    fn accept(value: &'static [u8]) -> Accept {
        let command = paxos_core::types::Command::plain(Bytes::from_static(value));
        let run = Run::one(Slot(1), Value::Command(command));
        Accept { ballot: OURS, run, chosen: Slot::FIRST }
    }

    fn accepted(end: u64) -> Accepted {
        Accepted { ballot: THEIRS, first: Slot(1), end: Slot(end) }
    }

    fn voted() -> Entry {
        Entry::Voted { ballot: THEIRS, run: Run::one(Slot(1), Value::Noop) }
    }

    #[test]
    fn a_vote_on_disk_may_be_spoken_of() {
        let durable = disk_with([voted()]);
        say(&mut Ledger::default(), accepted(2), &durable, 1);
    }

    #[test]
    #[should_panic(expected = "a vote that the disk might forget")]
    fn a_vote_beside_the_disk_is_noticed() {
        let durable = disk_with([voted()]);
        say(&mut Ledger::default(), accepted(3), &durable, 1);
    }

    #[test]
    #[should_panic(expected = "a promise that the disk might forget")]
    fn a_promise_before_its_record_is_noticed() {
        let promise = Promise {
            ballot: THEIRS,
            from: Slot::FIRST,
            to: None,
            chosen: Slot::FIRST,
            votes: Default::default(),
        };
        say(&mut Ledger::default(), promise, &disk_with([]), 1);
    }

    #[test]
    #[should_panic(expected = "a ballot that the disk might forget")]
    fn a_campaign_before_its_record_is_noticed() {
        let prepare = Prepare { ballot: OURS, from: Slot::FIRST, released: None };
        say(&mut Ledger::default(), prepare, &disk_with([]), 1);
    }

    #[test]
    #[should_panic(expected = "a ballot is used again")]
    fn a_ballot_of_a_former_life_is_noticed() {
        let (mut ledger, durable) = (Ledger::default(), disk_with([Entry::Promised(OURS)]));
        for life in [1, 2] {
            say(
                &mut ledger,
                Prepare { ballot: OURS, from: Slot::FIRST, released: None },
                &durable,
                life,
            );
        }
    }

    #[test]
    #[should_panic(expected = "two values for slot 1")]
    fn two_values_under_one_ballot_are_noticed() {
        let (mut ledger, durable) = (Ledger::default(), disk_with([Entry::Promised(OURS)]));
        say(&mut ledger, Prepare { ballot: OURS, from: Slot::FIRST, released: None }, &durable, 1);
        say(&mut ledger, accept(b"one"), &durable, 1);
        say(&mut ledger, accept(b"other"), &durable, 1);
    }
}
