//! The auditor: finds out whether a replica has something else than the others.
//!
//! The leader asks everyone for the running sum at one slot, and a majority of
//! the mains that says the same is believed. Whoever has another sum there halts:
//! its disk or its memory lies, and what it says from now on is worth nothing. One
//! replica alone, leader or not, halts nobody: not even where it is the only main.

use alloc::collections::VecDeque;

use smallvec::SmallVec;

use super::Cx;
use crate::effect::{HaltReason, Notice};
use crate::message::{Audit, Audited};
use crate::quorum::NodeSet;
use crate::types::{Ballot, Checksum, GroupId, Instant, Mark, NodeId, Slot};

/// This replica's sums, and what others have said of theirs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Auditor {
    group: GroupId,
    /// The last sums at multiples of [`Mark::STRIDE`], ascending; at most
    /// [`MARKS_MAX`].
    marks: VecDeque<Mark>,
    /// As leader: what is being asked.
    inquiry: Option<Inquiry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Inquiry {
    /// The leadership that asks.
    ballot: Ballot,
    /// Our own mark where sums are compared.
    asked: Option<Mark>,
    /// What others have there, one answer each.
    answers: SmallVec<[(NodeId, Checksum); 4]>,
    /// The last mark that a majority shared.
    agreed: Option<Mark>,
    /// Our newest mark at the last beat: by the next, the others should have it too.
    next: Option<Mark>,
    /// How often this was asked.
    told: u8,
    /// When the next beat is.
    beat_at: Instant,
}

/// Reaches back further than a beat at full speed.
const MARKS_MAX: usize = 256;

/// Of one that differs from another nobody can say which of them is wrong.
const MAJORITY_MIN: usize = 2;

/// So often is one question asked: whoever is away that long is asked the next one.
const TOLD_MAX: u8 = 3;

impl Auditor {
    /// An auditor that knows no sum yet.
    pub(crate) fn new(group: GroupId) -> Auditor {
        Auditor { group, marks: VecDeque::new(), inquiry: None }
    }

    /// Takes in the sum over everything below `slot`.
    pub(crate) fn on_summed(&mut self, (slot, sum): (Slot, Checksum)) {
        let news = self.marks.back().is_none_or(|last| last.slot < slot);
        if slot.0.is_multiple_of(Mark::STRIDE) && news {
            if self.marks.len() == MARKS_MAX {
                self.marks.pop_front();
            }
            self.marks.push_back(Mark { slot, sum });
        }
    }

    /// As leader of `ballot`: asks once a beat about the sum that was our newest at
    /// the last. A leader ticks at least as often for its heartbeats.
    pub(crate) fn on_tick(&mut self, ballot: Ballot, cx: &mut Cx<'_>) {
        let fresh = Inquiry {
            ballot,
            asked: None,
            answers: SmallVec::new(),
            agreed: None,
            next: None,
            told: 0,
            beat_at: cx.now,
        };
        let newest = self.marks.back().copied();
        let inquiry = self.inquiry.get_or_insert_with(|| fresh.clone());
        if inquiry.ballot != ballot {
            *inquiry = fresh;
        }
        if cx.now < inquiry.beat_at {
            return;
        }
        inquiry.beat_at = cx.now + cx.setting.timing.heartbeat;
        let next = core::mem::replace(&mut inquiry.next, newest);
        if next.is_some_and(|next| inquiry.asked.is_none_or(|asked| asked.slot < next.slot)) {
            inquiry.asked = next;
            inquiry.answers.clear();
            inquiry.told = 0;
        }
        let others = cx.regime.everyone().without(NodeSet::of(cx.setting.me));
        if let Some(asked) = inquiry.asked.filter(|_| inquiry.told < TOLD_MAX) {
            inquiry.told += 1;
            cx.out.plain(others, Audit { ballot, slot: asked.slot, agreed: inquiry.agreed });
        }
    }

    /// Answers the leader; or halts if a majority has something else than we.
    pub(crate) fn on_audit(&self, from: NodeId, m: &Audit, cx: &mut Cx<'_>) {
        if let Some(agreed) = m.agreed
            && self.sum_at(agreed.slot).is_some_and(|own| own != agreed.sum)
        {
            return cx.out.halt(HaltReason::Diverged(self.group, agreed.slot));
        }
        if let Some(sum) = self.sum_at(m.slot) {
            cx.out.plain(NodeSet::of(from), Audited { mark: Mark { slot: m.slot, sum } });
        }
    }

    /// As leader: takes in what a node has at the slot that was asked about, and tells where
    /// that is something else. Halts if a majority has something else than we.
    pub(crate) fn on_audited(&mut self, from: NodeId, m: &Audited, cx: &mut Cx<'_>) {
        let Some(inquiry) = &mut self.inquiry else { return };
        let Some(asked) = inquiry.asked.filter(|asked| asked.slot == m.mark.slot) else { return };
        let voters = cx.regime.current().mains();
        let known = inquiry.answers.iter().any(|(node, _)| *node == from);
        // The first answer counts: nobody has two sums.
        if known || !cx.regime.everyone().contains(from) || from == cx.setting.me {
            return;
        }
        inquiry.answers.push((from, m.mark.sum));
        let own = usize::from(voters.contains(cx.setting.me));
        let mine = |sum: Checksum| if sum == asked.sum { own } else { 0 };
        let answers = &inquiry.answers;
        let others = |sum| answers.iter().filter(move |(n, s)| voters.contains(*n) && *s == sum);
        let count = |sum| mine(sum) + others(sum).count();
        let majority = MAJORITY_MIN.max(voters.len() / 2 + 1);
        if m.mark.sum != asked.sum {
            let (group, node, slot) = (self.group, from, asked.slot);
            cx.out.note(Notice::Differs { group, node, slot });
            if count(m.mark.sum) >= majority {
                cx.out.halt(HaltReason::Diverged(group, slot));
            }
        } else if count(asked.sum) >= majority && inquiry.agreed != Some(asked) {
            inquiry.agreed = Some(asked);
            inquiry.told = 0;
        }
    }

    fn sum_at(&self, slot: Slot) -> Option<Checksum> {
        let at = self.marks.binary_search_by_key(&slot, |mark| mark.slot).ok()?;
        Some(self.marks[at].sum)
    }
}

#[cfg(test)]
mod tests;
