//! The fetcher: fills gaps below the chosen frontier from whoever has the values,
//! and gives to others what it has.
//!
//! Entries are facts, whoever tells them: a chosen value never changes. One batch
//! is asked for at a time, and no sooner than a replica may that catches up; a donor
//! that does not answer is replaced by the next.

use core::time::Duration;

use super::{Cx, Pace};
use crate::effect::{Ignored, Notice};
use crate::log::{Entry, Log};
use crate::message::{Entries, Fetch};
use crate::quorum::NodeSet;
use crate::types::{GroupId, Instant, Limits, NodeId, Run, Slot};

/// What this replica lacks, and whom it has asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Fetcher {
    group: GroupId,
    /// Some peer has said that everything below is chosen.
    target: Slot,
    /// Who to ask first.
    donor: NodeId,
    /// Who has been asked since anything was learned: all others have their turn before them,
    /// whoever is said to have more.
    tried: NodeSet,
    /// Everything below was chosen here when we last looked.
    reached: Slot,
    /// Who said since we lack anything that they have more than that: perhaps no members that we
    /// know, while those that we know lack it too, or are gone.
    witnesses: NodeSet,
    /// The gap that is being watched, if there is one.
    gap: Option<Gap>,
    /// The highest slot from which on votes were asked for that lay too far ahead.
    too_far: Slot,
    /// Until when the others may wait for what we lack.
    hurry_until: Instant,
}

/// A gap that starts at the chosen frontier.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Gap {
    /// Where it starts; when that moves by itself, the gap was only lateness.
    from: Slot,
    /// Whether someone was asked already.
    asked: bool,
    /// When to ask, or to ask the next.
    due: Instant,
    /// What was fetched since there was a gap.
    pace: Pace,
}

impl Fetcher {
    /// A fetcher that lacks nothing it knows of.
    pub(crate) fn new(group: GroupId) -> Fetcher {
        Fetcher {
            group,
            target: Slot::FIRST,
            donor: NodeId::default(),
            tried: NodeSet::EMPTY,
            reached: Slot::FIRST,
            witnesses: NodeSet::EMPTY,
            gap: None,
            too_far: Slot::FIRST,
            hurry_until: Instant::default(),
        }
    }

    /// Whether some peer knows more to be chosen than `chosen`, our own frontier.
    pub(crate) fn lacks(&self, chosen: Slot) -> bool {
        self.target > chosen
    }

    /// Asks nobody for now: an image is coming in.
    pub(crate) fn pause(&mut self) {
        self.gap = None;
    }

    /// When to look again.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.gap.as_ref().map(|g| g.due)
    }

    /// Takes in that `from` knows everything below `below` to be chosen.
    /// A leader counts from `counted_from` on itself and takes nobody's word for it.
    pub(crate) fn on_frontier(
        &mut self,
        from: NodeId,
        below: Slot,
        counted_from: Option<Slot>,
        cx: &Cx<'_>,
    ) {
        let below = counted_from.map_or(below, |c| c.min(below));
        if below > self.reached && from != cx.setting.me {
            self.witnesses.insert(from);
        }
        if below > self.target && from != cx.setting.me {
            self.target = below;
            self.donor = from;
        }
    }

    /// A new leader lacks what lies below its first own slot, and nothing above:
    /// there it counts votes itself. Nothing of that is just late: it asks at once.
    pub(crate) fn set_target(&mut self, target: Slot, donor: NodeId) {
        self.target = target;
        self.donor = donor;
        let (due, pace) = (Instant::default(), Pace::default());
        self.gap = Some(Gap { from: target, asked: true, due, pace });
    }

    /// As leader: lacks whatever it has counted as chosen and has no room for yet.
    pub(crate) fn on_counted(&mut self, below: Slot) {
        self.target = self.target.max(below);
    }

    /// Takes in that votes are asked for from `first` on, which lie too far ahead to be
    /// given. Once they are asked for again, the leader may have nobody else to ask.
    pub(crate) fn on_too_far(&mut self, first: Slot, cx: &Cx<'_>) {
        if first > self.too_far {
            self.too_far = first;
            return;
        }
        self.hurry_until = cx.now + cx.setting.timing.patience;
        if let Some(gap) = self.gap.as_mut().filter(|gap| !gap.asked) {
            gap.due = gap.due.min(cx.now);
        }
    }

    /// Whether the others may wait for what is fetched here.
    pub(crate) fn is_waited_for(&self, now: Instant) -> bool {
        now < self.hurry_until
    }

    /// Watches the gap, if there is one; asks when it has stood long enough. What is
    /// `delivered` matters if it ends below the log: only an image closes that gap,
    /// and whoever has one offers it when asked for what is trimmed.
    pub(crate) fn on_step(&mut self, log: &Log, delivered: Slot, cx: &mut Cx<'_>) {
        if delivered >= log.floor() && self.target <= log.chosen() {
            (self.gap, self.witnesses) = (None, NodeSet::EMPTY);
            return self.reach(log.chosen());
        }
        let lost = delivered < log.floor() && !cx.regime.is_asleep(cx.setting.me);
        let from = if lost { delivered } else { log.chosen() };
        let to = if lost { log.floor() } else { self.goal(log, cx) };
        self.reach(from);
        if from >= to {
            self.gap = None;
            return;
        }
        match &mut self.gap {
            Some(gap) if gap.asked || gap.from == from => {
                if cx.now >= gap.due {
                    self.ask((from, to), log, cx);
                    if lost {
                        self.ask_above(log, cx);
                    }
                }
            }
            _ => {
                let due = cx.now + self.lateness(log, cx);
                let pace = self.gap.take().map(|gap| gap.pace).unwrap_or_default();
                let due = due.max(pace.ready_at(cx));
                self.gap = Some(Gap { from, asked: false, due, pace });
            }
        }
    }

    /// Takes in that everything below `slot` is chosen here: whoever was asked in vain for that
    /// may be of use for what comes next.
    fn reach(&mut self, slot: Slot) {
        if self.reached != slot {
            (self.reached, self.tried) = (slot, NodeSet::EMPTY);
        }
    }

    /// Takes in chosen values. As a leader, only those that it has counted, and as fast as
    /// they come: everyone waits for it.
    pub(crate) fn on_entries(
        &mut self,
        from: NodeId,
        m: &Entries,
        below: Option<Slot>,
        log: &mut Log,
        cx: &mut Cx<'_>,
    ) {
        self.on_frontier(from, m.chosen, below, cx);
        let before = log.chosen();
        let run = match below {
            Some(below) if m.run.end() > below => &m.run.cut(m.run.first, below.max(m.run.first)),
            _ => &m.run,
        };
        if !self.learn(from, run, log, cx) {
            return;
        }
        if m.run.is_empty() {
            return self.on_nothing(from, m.run.first, cx);
        }
        let (goal, is_waited_for) = (self.goal(log, cx), self.is_waited_for(cx.now));
        let Some(gap) = self.gap.as_mut().filter(|_| log.chosen() > before) else { return };
        match below.is_some() || is_waited_for {
            true => gap.pace = Pace::default(),
            false => gap.pace.take(m.run.weight() as u64, DOUBLING, cx),
        }
        if !gap.asked || log.chosen() >= goal {
            return;
        }
        let (is_ready, due) = (gap.pace.is_ready(cx), gap.pace.ready_at(cx));
        (gap.from, gap.asked, gap.due) = (log.chosen(), false, due);
        self.donor = from;
        self.reach(log.chosen());
        if is_ready {
            self.ask((log.chosen(), goal), log, cx);
        }
    }

    /// The one that was asked for `from` and above says that it has nothing of that: its turn is
    /// over, unless all others had theirs.
    fn on_nothing(&mut self, donor: NodeId, from: Slot, cx: &Cx<'_>) {
        let others = !self.donors(cx).without(self.tried).is_empty();
        if let Some(gap) = self.gap.as_mut().filter(|gap| gap.asked && gap.from == from)
            && donor == self.donor
            && others
        {
            gap.due = gap.due.min(cx.now);
        }
    }

    /// Gives what was asked for, as much as one batch may carry. Nothing of what is
    /// trimmed: see [`offer`](super::donor::offer).
    pub(crate) fn on_fetch(&self, from: NodeId, m: &Fetch, log: &Log, cx: &mut Cx<'_>) {
        let limits = &cx.setting.limits;
        let wanted = usize::try_from(m.to.since(m.from)).unwrap_or(usize::MAX);
        let run = log.chosen_run(m.from, wanted.min(limits.run_slots_max), limits.run_bytes_max);
        cx.out.plain(NodeSet::of(from), Entries { run, chosen: log.chosen() });
    }

    /// Stores what is new. False if something contradicts what is known here.
    fn learn(&self, from: NodeId, run: &Run, log: &mut Log, cx: &mut Cx<'_>) -> bool {
        // Entries that leave a hole above our frontier are of no use now, and
        // storing them could cost memory for slots that do not exist.
        if run.first > log.chosen() {
            return true;
        }
        let known = |slot| log.get(slot).filter(|c| c.chosen);
        let news = |slot| slot >= log.floor() && known(slot).is_none();
        if let Some((slot, _)) = run.iter().find(|(s, v)| known(*s).is_some_and(|c| c.value != *v))
        {
            cx.out.note(Notice::Ignored(Ignored::TwoValues(self.group, from, slot)));
            return false;
        }
        if !run.iter().any(|(slot, _)| news(slot)) {
            return true;
        }
        let limits = &cx.setting.limits;
        if run.end().since(log.floor()) > limits.log_slots_max as u64
            || log.bytes() > limits.log_bytes_held_max()
        {
            cx.out.note(Notice::Ignored(Ignored::Overload(self.group, from)));
            return true;
        }
        cx.out.record(Entry::Learned { run: run.clone() });
        log.learn(run);
        true
    }

    /// Up to where everything is wanted. By a witness that votes, only what lies below its
    /// votes and keeps it from telling that those are chosen.
    fn goal(&self, log: &Log, cx: &Cx<'_>) -> Slot {
        let votes = log.end() > log.chosen() && cx.regime.is_asleep(cx.setting.me);
        if votes { self.target.min(log.end()) } else { self.target }
    }

    /// The next after the donor, round and round, but not ourselves, and nobody for the second
    /// time in a round.
    fn next_donor(&mut self, cx: &Cx<'_>) -> NodeId {
        let others = self.donors(cx);
        if others.without(self.tried).is_empty() {
            self.tried = NodeSet::EMPTY;
        }
        let others = others.without(self.tried);
        let next = others.iter().find(|n| *n > self.donor);
        next.or_else(|| others.iter().next()).unwrap_or(self.donor)
    }

    /// All who may have what is lacking here.
    fn donors(&self, cx: &Cx<'_>) -> NodeSet {
        cx.regime.everyone().or(self.witnesses).without(NodeSet::of(cx.setting.me))
    }

    fn ask(&mut self, (from, to): (Slot, Slot), log: &Log, cx: &mut Cx<'_>) {
        let in_vain = self.tried.contains(self.donor);
        if in_vain || self.donor == cx.setting.me || !self.donor.can_vote() {
            self.donor = self.next_donor(cx);
        }
        self.tried.insert(self.donor);
        let (to, image) = fitting((from, to), log, &cx.setting.limits);
        cx.out.plain(NodeSet::of(self.donor), Fetch { from, to, image });
        // Several have their turn before a leader that gets nothing gives up.
        let timing = &cx.setting.timing;
        let due = cx.now + timing.resend.min(timing.patience / 2);
        let pace = self.gap.take().map(|gap| gap.pace).unwrap_or_default();
        self.gap = Some(Gap { from, asked: true, due, pace });
    }

    /// Asks the donor for what is chosen above the log of a replica that has lost its image: its
    /// votes may be needed, though nothing is delivered before there is another.
    fn ask_above(&self, log: &Log, cx: &mut Cx<'_>) {
        let (from, goal) = (log.chosen(), self.goal(log, cx));
        let (to, image) = fitting((from, goal), log, &cx.setting.limits);
        if from < goal && !image {
            cx.out.plain(NodeSet::of(self.donor), Fetch { from, to, image });
        }
    }

    /// How long the missing slot may just be late. Where nothing is on its way,
    /// because other votes lie above or because we voted at another ballot, asking
    /// at once would be right too; being late costs only this wait.
    fn lateness(&self, log: &Log, cx: &Cx<'_>) -> Duration {
        if cx.regime.is_asleep(cx.setting.me) {
            // A witness is about to be told to forget. If not, it may have become more.
            return cx.setting.timing.patience * 2;
        }
        let far = self.target.since(log.chosen()) > cx.setting.limits.run_slots_max as u64;
        if far { Duration::ZERO } else { cx.setting.timing.gap }
    }
}

/// Up to where to ask, and whether for an image: of what the log has no room for, only that is of
/// use, in the place of what it holds.
fn fitting((from, to): (Slot, Slot), log: &Log, limits: &Limits) -> (Slot, bool) {
    let end = log.floor().plus(limits.log_slots_max as u64);
    if to <= log.floor() {
        (to, true)
    } else if from >= end || log.bytes() > limits.log_bytes_held_max() {
        // Any image that is of more will do: what is chosen meanwhile comes after it.
        (from.next(), true)
    } else {
        (to.min(end), false)
    }
}

/// Entries come twice as fast after each of these.
const DOUBLING: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
