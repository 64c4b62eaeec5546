//! The acceptor: what this replica has promised and voted for.
//!
//! Safety rests here. An acceptor never goes back on a promise, never votes twice
//! at one ballot for one slot, and never speaks of either before the disk holds
//! it: see [`Gate`](crate::effect::Gate). Votes live in the [`Log`].

use alloc::vec::Vec;

use super::{Cx, Vow};
use crate::effect::{Ignored, Notice};
use crate::log::{Entry, Log};
use crate::message::{
    Accept, Accepted, Confirm, Confirmed, Prepare, Promise, Reject, Release, Vote,
};
use crate::quorum::NodeSet;
use crate::types::{Ballot, GroupId, Instant, NodeId, Slot};

/// What this replica has promised. Durable before anyone hears of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Acceptor {
    group: GroupId,
    promised: Ballot,
    /// Whom it may promise, while a leader may hold a lease because of it.
    vow: Vow,
}

/// What is wrong with a run of values that a leader asks votes for.
enum Unfit {
    /// Beyond what this acceptor has room for.
    TooFar,
    /// The slot holds another value that is chosen.
    Overtaken(Slot),
    /// The slot holds another value that was voted for at this same ballot.
    TwoValues(Slot),
}

impl Acceptor {
    /// An acceptor that is bound by what its disk says.
    pub(crate) fn new(group: GroupId, promised: Ballot, vow: Vow) -> Acceptor {
        Acceptor { group, promised, vow }
    }

    /// The highest ballot promised, durable or not.
    pub(crate) fn promised(&self) -> Ballot {
        self.promised
    }

    /// Binds this replica to its own ballot, before it asks anyone else.
    ///
    /// Our own ballot is as binding as a promise: after a crash we must not use
    /// it again, for other values. So it goes to the disk first, and the
    /// `Prepare` that names it is a pledge.
    pub(crate) fn campaign(&mut self, ballot: Ballot, cx: &mut Cx<'_>) {
        assert!(ballot > self.promised, "a campaign below our promise");
        assert!(self.frees(cx.setting.me, cx.now), "a campaign against a lease that may be held");
        self.promise(ballot, cx);
    }

    /// Promises a candidate, unless something higher is promised already.
    pub(crate) fn on_prepare(&mut self, from: NodeId, m: &Prepare, log: &Log, cx: &mut Cx<'_>) {
        if m.ballot < self.promised {
            return self.reject(from, m.ballot, cx);
        }
        if m.ballot > self.promised {
            self.vow.on_released(m.released);
            if !self.frees(from, cx.now) {
                // The leader may be reading right now, without asking. Not refused: who
                // asks again when the lease is over may have our promise.
                return;
            }
            self.promise(m.ballot, cx);
        }
        send_promise(from, m, log, cx);
    }

    /// Binds this replica to a leader for as long as it may read because of us.
    pub(crate) fn on_beat(&mut self, ballot: Ballot, beat: u64, cx: &Cx<'_>) {
        self.vow.on_beat(ballot, beat, cx);
    }

    /// Takes in that a leader counts on our acknowledgements no more.
    pub(crate) fn on_released(&mut self, released: Option<Release>) {
        self.vow.on_released(released);
    }

    /// Whether `node` may be promised at all, for all that was acknowledged.
    pub(crate) fn frees(&self, node: NodeId, now: Instant) -> bool {
        self.vow.frees(node, now)
    }

    /// When everyone may be promised, for all that was acknowledged.
    pub(crate) fn free_at(&self) -> Instant {
        self.vow.free_at()
    }

    /// Votes for a leader's values, unless something higher is promised, and takes them
    /// out of the message. Says whether the leader was heard, that is, not rejected.
    pub(crate) fn on_accept(
        &mut self,
        from: NodeId,
        m: &mut Accept,
        log: &mut Log,
        cx: &mut Cx<'_>,
    ) -> bool {
        let accepted = Accepted { ballot: m.ballot, first: m.run.first, end: m.run.end() };
        if m.ballot < self.promised {
            self.reject(from, m.ballot, cx);
            return false;
        }
        match self.vote(m, log, cx) {
            Ok(()) => cx.out.pledge(NodeSet::of(from), accepted),
            Err(unfit) => cx.out.note(Notice::Ignored(self.blame(unfit, from))),
        }
        true
    }

    /// Confirms that nothing higher is promised here, so that the leader may
    /// serve a read.
    pub(crate) fn on_confirm(&self, from: NodeId, m: &Confirm, cx: &mut Cx<'_>) -> bool {
        if m.ballot < self.promised {
            self.reject(from, m.ballot, cx);
            return false;
        }
        cx.out.plain(NodeSet::of(from), Confirmed { ballot: m.ballot, round: m.round });
        true
    }

    /// Tells `from` that its ballot is too low.
    fn reject(&self, from: NodeId, ballot: Ballot, cx: &mut Cx<'_>) {
        cx.out.plain(NodeSet::of(from), Reject { ballot, promised: self.promised });
    }

    fn promise(&mut self, ballot: Ballot, cx: &mut Cx<'_>) {
        self.promised = ballot;
        cx.out.record(Entry::Promised(ballot));
    }

    /// Writes the votes down, all or none.
    fn vote(&mut self, m: &mut Accept, log: &mut Log, cx: &mut Cx<'_>) -> Result<(), Unfit> {
        let fresh = weigh(m, log, cx)?;
        if fresh {
            // One record for the vote and for the promise that it implies: no
            // crash can keep the one and lose the other.
            self.promised = m.ballot;
            let run = core::mem::take(&mut m.run);
            cx.out.record(Entry::Voted { ballot: m.ballot, run: run.clone() });
            log.vote(m.ballot, run);
        } else if m.ballot > self.promised {
            self.promise(m.ballot, cx);
        }
        Ok(())
    }

    fn blame(&self, unfit: Unfit, from: NodeId) -> Ignored {
        match unfit {
            Unfit::TooFar => Ignored::Overload(self.group, from),
            Unfit::Overtaken(slot) => Ignored::Overtaken(self.group, from, slot),
            Unfit::TwoValues(slot) => Ignored::TwoValues(self.group, from, slot),
        }
    }
}

/// Says whether any of these votes would be new; refuses what cannot be voted for.
///
/// What lies below the log's floor is chosen, and its value forgotten here. A vote
/// there is given and not kept: whoever may still propose at this ballot proposes
/// the chosen value, or meets a voter on the way to its quorum that has promised
/// more; and phase 1 hears from us that these slots are chosen.
fn weigh(m: &Accept, log: &Log, cx: &Cx<'_>) -> Result<bool, Unfit> {
    let limits = &cx.setting.limits;
    // What is held already costs nothing more: a full log can change its leader. Mostly the
    // log is far from full.
    let full = log.bytes() > limits.log_bytes_max
        && m.run.end() > log.end()
        && log.bytes() > limits.log_bytes_held_max();
    if m.run.end().since(log.chosen()) > limits.ahead_slots_max as u64
        || m.run.end().since(log.floor()) > limits.log_slots_max as u64
        || full
    {
        return Err(Unfit::TooFar);
    }
    if m.run.first >= log.end() {
        return Ok(true);
    }
    let mut fresh = false;
    for (slot, value) in m.run.iter() {
        let Some(cell) = log.get(slot) else {
            fresh |= slot >= log.floor();
            continue;
        };
        if cell.value != value {
            // A ballot has one value per slot. Keep the first.
            if cell.ballot == m.ballot {
                return Err(Unfit::TwoValues(slot));
            }
            if cell.chosen {
                return Err(Unfit::Overtaken(slot));
            }
        }
        fresh |= cell.ballot < m.ballot;
    }
    Ok(fresh)
}

/// Reports every vote from the candidate's frontier on, page by page.
fn send_promise(to: NodeId, m: &Prepare, log: &Log, cx: &mut Cx<'_>) {
    let bytes_max = cx.setting.limits.run_bytes_max;
    let chosen = log.chosen();
    let mut page = Page::starting(m.from);
    for (slot, cell) in log.iter(chosen.max(m.from)) {
        let weight = cell.value.weight();
        if page.weight + weight > bytes_max && !page.votes.is_empty() {
            let full = core::mem::replace(&mut page, Page::starting(slot));
            cx.out.pledge(NodeSet::of(to), full.seal(m.ballot, Some(slot), chosen));
        }
        page.weight += weight;
        let value = cell.value.clone();
        page.votes.push(Vote { slot, ballot: cell.ballot, chosen: cell.chosen, value });
    }
    cx.out.pledge(NodeSet::of(to), page.seal(m.ballot, None, chosen));
}

/// A page of a promise that is being filled.
struct Page {
    from: Slot,
    votes: Vec<Vote>,
    weight: usize,
}

impl Page {
    fn starting(from: Slot) -> Page {
        Page { from, votes: Vec::new(), weight: 0 }
    }

    fn seal(self, ballot: Ballot, to: Option<Slot>, chosen: Slot) -> Promise {
        Promise { ballot, from: self.from, to, chosen, votes: self.votes }
    }
}

#[cfg(test)]
mod tests;
