//! Commands as clients submitted them, and the one history that the group makes of them.
//!
//! The ledger keeps a bank of its own, fed with the chosen values in order; every replica must
//! have the same sum after every slot.

use std::collections::BTreeMap;

use bytes::Bytes;
use paxos_core::types::{Checkpoint, Checksum, ClientId, Image, Slot, Value};

use super::{Checked, ensure, hash};
use crate::machine::{Bank, Reply};
use crate::vault::digest;

/// How often a command was given to a node, and what became of that.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    proposed: u32,
    /// Proposals that were answered "nothing happened".
    refuted: u32,
    /// Slots that hold it.
    chosen: u32,
}

/// The reference for one group.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    accounts: BTreeMap<u64, Account>,
    bank: Bank,
    /// Where each command of a session was first chosen.
    sessions: BTreeMap<(ClientId, u64), Slot>,
    /// By slot: the bank's sum after it.
    digests: Vec<u64>,
    /// By slot: the running sum of the values before it.
    sums: Vec<Checksum>,
    /// What every image of all below a slot must be: its checkpoint, and the sum of its bytes.
    images: BTreeMap<Slot, (Checkpoint, u64)>,
    /// The slots below which some client knows the history to be written.
    floor: Slot,
    /// The slots below which some client has seen the effects.
    seen: Slot,
    /// How often anybody was answered.
    answers: u64,
    noop: u64,
}

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger {
            accounts: BTreeMap::new(),
            bank: Bank::new(),
            sessions: BTreeMap::new(),
            digests: Vec::new(),
            sums: vec![Checksum::FIRST],
            images: BTreeMap::new(),
            floor: Slot::FIRST,
            seen: Slot::FIRST,
            answers: 0,
            noop: hash(&Value::Noop),
        }
    }
}

impl Ledger {
    /// Every read that begins now must see all slots below, and every write that begins now
    /// comes at or after it.
    pub(crate) fn floor(&self) -> Slot {
        self.floor
    }

    /// Whether the value is a no-op.
    pub(crate) fn is_noop(&self, value: u64) -> bool {
        value == self.noop
    }

    /// Takes in that a command is given to a node.
    pub(crate) fn proposed(&mut self, value: u64) {
        self.accounts.entry(value).or_default().proposed += 1;
    }

    /// Takes in that a node answered "nothing happened".
    pub(crate) fn refuted(&mut self, value: u64) -> Checked {
        self.accounts.entry(value).or_default().refuted += 1;
        self.audit(value)
    }

    /// Takes in that a slot is chosen.
    pub(crate) fn chosen(&mut self, value: u64) -> Checked {
        if self.is_noop(value) {
            return Ok(());
        }
        self.accounts.entry(value).or_default().chosen += 1;
        self.audit(value)
    }

    fn audit(&self, value: u64) -> Checked {
        let Some(account) = self.accounts.get(&value) else { return Ok(()) };
        ensure!(
            account.proposed > 0 || account.chosen == 0,
            "I2 validity",
            "a value is chosen that no client submitted to this group"
        );
        ensure!(
            account.chosen + account.refuted <= account.proposed,
            "I13 exactly once",
            "a command is chosen in {} slots; of {} proposals, {} were answered \"nothing happened\"",
            account.chosen,
            account.proposed,
            account.refuted
        );
        Ok(())
    }

    /// Takes in that a replica applied `slot` and has this sum now.
    pub(crate) fn applied(&mut self, slot: Slot, value: &Value, sum: u64, digest: u64) -> Checked {
        if slot == self.bank.next() {
            let reply = self.bank.apply(value, sum);
            self.digests.push(self.bank.digest());
            let sum = self.sums.last().copied().unwrap_or_default();
            self.sums.push(sum.extended(slot, value));
            self.once(slot, value, reply)?;
        }
        self.stands(slot.next(), digest)
    }

    /// Checks that a machine that has applied all below `next` has the sum of the one history.
    pub(crate) fn stands(&self, next: Slot, digest: u64) -> Checked {
        let before = usize::try_from(next.0).ok().and_then(|next| next.checked_sub(2));
        let expected = before.map_or(Some(&0), |at| self.digests.get(at));
        ensure!(
            expected == Some(&digest),
            "I9h one history",
            "a replica differs from the others at slot {next}"
        );
        Ok(())
    }

    /// Takes in an image of a machine: all of one slot must be the same, and that of the
    /// reference too.
    pub(crate) fn imaged(&mut self, checkpoint: &Checkpoint, bytes: &Bytes) -> Checked {
        let (below, digest) = (checkpoint.below, digest(bytes));
        if below == self.bank.next() {
            ensure!(
                self.bank.freeze() == *bytes,
                "I10 images",
                "an image of all below {below} is not what the chosen values make"
            );
        }
        let sum = usize::try_from(below.0 - 1).ok().and_then(|at| self.sums.get(at));
        ensure!(
            sum == Some(&checkpoint.sum),
            "I9h one history",
            "a replica's running sum at slot {below} is {}, instead of {sum:?}",
            checkpoint.sum
        );
        let known = self.images.entry(below).or_insert_with(|| (checkpoint.clone(), digest));
        ensure!(
            known.0 == *checkpoint && known.1 == digest,
            "I10 images",
            "two images of all below {below} differ"
        );
        Ok(())
    }

    /// Checks that some machine was really frozen as `image`.
    pub(crate) fn described(&self, image: &Image) -> Checked {
        let below = image.checkpoint.below;
        ensure!(
            self.images.get(&below) == Some(&(image.checkpoint.clone(), image.digest)),
            "I10 images",
            "an image of all below {below} is told of that nobody has made"
        );
        Ok(())
    }

    /// Checks that a session's command takes effect where it is first chosen, and nowhere else.
    fn once(&mut self, slot: Slot, value: &Value, reply: Option<Reply>) -> Checked {
        let Value::Command(command) = value else { return Ok(()) };
        if command.client == ClientId(0) {
            return Ok(());
        }
        let name = (command.client, command.sequence);
        let first = *self.sessions.entry(name).or_insert(slot);
        ensure!(
            reply.is_none_or(|reply| reply.slot == first),
            "I13 exactly once",
            "a command of a session is executed at slot {slot}, but was chosen at {first} already"
        );
        Ok(())
    }

    /// Takes in that a client has an answer that tells of all slots below `position`. `floor` is
    /// what [`floor`](Ledger::floor) was when it asked.
    pub(crate) fn answered(&mut self, position: Slot, floor: Slot, what: &str) -> Checked {
        ensure!(
            position >= floor,
            "I14 real time",
            "{what} took effect before slot {position}, but slot {floor} was answered before it was asked"
        );
        self.answers += 1;
        self.seen = self.seen.max(position);
        self.told(position);
        Ok(())
    }

    /// Takes in that a proposer was told that what it proposed is chosen, in a slot below `position`:
    /// reads that are asked for from now on must see that, though it may have no effect yet.
    pub(crate) fn told(&mut self, position: Slot) {
        self.floor = self.floor.max(position);
    }

    /// Some client has seen the effects of all slots below.
    pub(crate) fn seen(&self) -> Slot {
        self.seen
    }

    /// How often clients of this group were answered.
    pub(crate) fn answers(&self) -> u64 {
        self.answers
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::types::Command;

    use super::*;
    use crate::machine::{Ask, encode};

    fn name(checked: Checked) -> &'static str {
        checked.err().map_or("fine", |violation| violation.invariant)
    }

    #[test]
    fn a_command_out_of_nowhere_is_found() {
        assert_eq!(name(Ledger::default().chosen(7)), "I2 validity");
    }

    #[test]
    fn one_proposal_is_one_slot() {
        let mut ledger = Ledger::default();
        ledger.proposed(7);
        assert_eq!(name(ledger.chosen(7)), "fine");
        assert_eq!(name(ledger.chosen(7)), "I13 exactly once");
    }

    #[test]
    fn nothing_happened_means_nothing() {
        let mut ledger = Ledger::default();
        ledger.proposed(7);
        ledger.chosen(7).unwrap();
        assert_eq!(name(ledger.refuted(7)), "I13 exactly once");
    }

    #[test]
    fn a_replica_that_differs_is_found() {
        let mut ledger = Ledger::default();
        let value = Value::Command(Command::plain(encode(0, 1, Ask::Set(3), 0)));
        let mut bank = Bank::new();
        bank.apply(&value, hash(&value));
        assert_eq!(name(ledger.applied(Slot(1), &value, hash(&value), bank.digest())), "fine");
        assert_eq!(name(ledger.applied(Slot(1), &value, hash(&value), 1)), "I9h one history");
    }

    #[test]
    fn a_stale_answer_is_found() {
        let mut ledger = Ledger::default();
        assert_eq!(name(ledger.answered(Slot(5), Slot(1), "a write")), "fine");
        assert_eq!(ledger.floor(), Slot(5));
        assert_eq!(name(ledger.answered(Slot(4), Slot(5), "a read")), "I14 real time");
        assert_eq!(name(ledger.answered(Slot(3), Slot(1), "a slow read")), "fine");
        assert_eq!(ledger.floor(), Slot(5));
    }
}
