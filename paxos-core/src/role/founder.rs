//! The founder: sees to it that a group begins with disks that it knows.
//!
//! A voter that has lost its disk has forgotten what it promised, and nothing but the
//! disk's name tells it from one that is new. So a group must know the disks of its
//! voters from the first slot on. Each founder hears what the disks of the others are
//! called, writes down the whole list, its charter, and stands by it for good. The
//! group is founded once all founders stand by the same charter, and before that no
//! founder promises or votes for anything.
//!
//! **Why there is one charter.** Who holds a charter for founded has heard that every
//! disk in it stands by it, and a disk stands by one charter at most. Two charters for
//! which that is so have no disk in common: between them every founder has lost its own.
//! A disk that has joined meanwhile stands by no other, so its word may be heard late.
//!
//! **What an emptied disk does.** It is in nobody's charter, so it founds nothing; as
//! soon as it hears of the group it joins, as a node that is new.
//!
//! The price: all founders must be up once, at the same time, at the beginning. If one
//! of them loses its disk just then, before any of the others has heard that all stand by
//! the charter, the group is never founded: nothing has been promised or voted for by
//! anybody, and it has to be begun again on empty disks.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::Cx;
use crate::effect::{Discord, Notice};
use crate::log::Entry;
use crate::message::Greet;
use crate::quorum::{Membership, NodeSet};
use crate::types::{Charter, Founding, Instant, NodeId};

/// What one replica knows of its group's founding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Founder {
    /// The group as it is to be founded. Its voters are bound to no disks.
    design: Arc<Membership>,
    founding: Founding,
    /// What the other founders have said last, each with its disk.
    heard: BTreeMap<NodeId, (u64, Founding)>,
    /// Founders with whom nothing can be founded; each is told of once.
    discords: NodeSet,
    ask_at: Instant,
    /// How often all were asked in this life.
    asked: u32,
}

/// So often founders are asked before the word of one that has joined is taken.
const ASKED_MAX: u32 = 50;

impl Founder {
    /// A founder of `design` that has come as far as its disk says.
    pub(crate) fn new(design: Arc<Membership>, founding: Founding, now: Instant) -> Founder {
        Founder {
            design,
            founding,
            heard: BTreeMap::new(),
            discords: NodeSet::EMPTY,
            ask_at: now,
            asked: 0,
        }
    }

    /// Whether there is nothing left to be done.
    pub(crate) fn is_settled(&self) -> bool {
        self.founding.is_settled()
    }

    /// The founders whose disks are not known here yet; nobody, once that is of no
    /// interest any more.
    pub(crate) fn missing(&self, me: NodeId) -> NodeSet {
        if self.is_settled() {
            return NodeSet::EMPTY;
        }
        let heard = self.heard.keys().copied().collect();
        self.others(me).without(heard)
    }

    /// Whether a founder has come with another disk than the one that we stand by, or
    /// founds another group: unless somebody says that the group is founded already, it
    /// will never be.
    pub(crate) fn is_stuck(&self) -> bool {
        !self.is_settled() && !self.discords.is_empty()
    }

    /// Who decides the slots from the first on: nobody, as long as nothing is founded, and
    /// for a node that joins.
    pub(crate) fn membership(&self) -> Membership {
        match &self.founding {
            Founding::Founded(charter) if self.is_of_ours(charter) => {
                charter.bind(self.design.as_ref().clone())
            }
            _ => Membership::unknown(),
        }
    }

    /// When to ask again.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        (!self.is_settled()).then_some(self.ask_at)
    }

    /// Asks the other founders, once in a while. Says whether the group is founded now.
    pub(crate) fn on_tick(&mut self, cx: &mut Cx<'_>) -> bool {
        if self.is_settled() || cx.now < self.ask_at {
            return false;
        }
        self.ask_at = cx.now + cx.setting.timing.resend;
        self.asked = self.asked.saturating_add(1);
        self.say(self.others(cx.setting.me), true, cx);
        self.advance(cx)
    }

    /// Asks a founder that can be reached now.
    pub(crate) fn on_peer_up(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        if self.design.voters().contains(peer) {
            self.ask(peer, cx);
        }
    }

    /// Asks `node`, which has just said something that nobody says before there is a
    /// group.
    pub(crate) fn ask(&self, node: NodeId, cx: &mut Cx<'_>) {
        if !self.is_settled() {
            self.say(NodeSet::of(node), true, cx);
        }
    }

    /// Takes in what `from` says. Says whether the group is founded now.
    pub(crate) fn on_greet(&mut self, from: NodeId, disk: u64, m: &Greet, cx: &mut Cx<'_>) -> bool {
        let settled = !self.is_settled()
            && (self.hear(from, disk, m.founding.clone(), cx) || self.advance(cx));
        // Who has joined and was never told of any members cannot tell that there are any;
        // nor can who does not know its own disk tell disks apart.
        let is_told = self.founding != Founding::Joined || !cx.regime.newest().1.is_unknown();
        if m.asks && is_told && cx.setting.disk != 0 {
            self.say(NodeSet::of(from), false, cx);
        }
        settled
    }

    /// Remembers what a founder says. Says whether it ends the matter.
    fn hear(&mut self, from: NodeId, disk: u64, founding: Founding, cx: &mut Cx<'_>) -> bool {
        match founding {
            Founding::Joined if self.waits_for_more() => false,
            Founding::Joined => self.settle(Founding::Joined, cx),
            Founding::Founded(charter) => self.hear_founded(charter, cx),
            Founding::Open | Founding::Named(_) => {
                if disk != 0 && self.design.voters().contains(from) {
                    self.weigh(from, disk, &founding, cx);
                    self.heard.insert(from, (disk, founding));
                }
                false
            }
        }
    }

    /// Whether we may be one of those by whose disks the group was founded, and who can say
    /// so has not been asked for long: one that has joined does not know.
    fn waits_for_more(&self) -> bool {
        matches!(self.founding, Founding::Named(_)) && self.asked < ASKED_MAX
    }

    /// Takes in with which disks a group of ours was founded. We are one of its founders,
    /// or we join.
    fn hear_founded(&mut self, charter: Charter, cx: &mut Cx<'_>) -> bool {
        let bound = charter.disk(cx.setting.me);
        let is_ours = self.is_of_ours(&charter) && (bound == 0 || bound == cx.setting.disk);
        if !is_ours {
            return self.settle(Founding::Joined, cx);
        }
        // We stand by another one: it cannot be that all stand by this.
        let absurd = self.founding.charter().is_some_and(|own| *own != charter);
        !absurd && self.settle(Founding::Founded(charter), cx)
    }

    fn is_of_ours(&self, charter: &Charter) -> bool {
        charter.design() == Charter::design_of(&self.design)
            && charter.founders() == self.design.voters()
    }

    /// Notices what speaks against our ever founding a group with `from`.
    fn weigh(&mut self, from: NodeId, disk: u64, founding: &Founding, cx: &mut Cx<'_>) {
        let theirs = founding.charter();
        let why = if theirs.is_some_and(|charter| !self.is_of_ours(charter)) {
            Discord::Design
        } else if let Some(own) = self.founding.charter()
            && (own.disk(from) != disk || theirs.is_some_and(|charter| charter != own))
        {
            Discord::LostDisk
        } else {
            self.discords.remove(from);
            return;
        };
        if self.discords.insert(from) {
            let group = cx.out.group();
            cx.out.note(Notice::FoundingStuck { group, node: from, why });
        }
    }

    /// Takes the steps that what was heard allows. Says whether the last is taken.
    fn advance(&mut self, cx: &mut Cx<'_>) -> bool {
        let (me, own) = (cx.setting.me, cx.setting.disk);
        if !self.missing(me).is_empty() || !self.design.voters().contains(me) {
            return false;
        }
        if self.founding == Founding::Open {
            let others = self.heard.iter().map(|(node, (disk, _))| (*node, *disk));
            let all: BTreeMap<NodeId, u64> = others.chain([(me, own)]).collect();
            let design = Charter::design_of(&self.design);
            let Some(charter) = Charter::new(design, all) else { return false };
            self.write(Founding::Named(charter), cx);
            self.say(self.others(me), true, cx);
        }
        let Founding::Named(charter) = &self.founding else { return false };
        let stands = |(node, named): (NodeId, u64)| {
            let heard = self.heard.get(&node);
            node == me
                || heard.is_some_and(|(disk, founding)| {
                    *disk == named && founding.charter() == Some(charter)
                })
        };
        if !self.is_of_ours(charter) || !charter.disks().all(stands) {
            return false;
        }
        let charter = charter.clone();
        self.settle(Founding::Founded(charter), cx);
        self.say(self.others(me), false, cx);
        true
    }

    fn settle(&mut self, founding: Founding, cx: &mut Cx<'_>) -> bool {
        self.write(founding, cx);
        self.heard.clear();
        let (group, joins) = (cx.out.group(), self.founding == Founding::Joined);
        cx.out.note(Notice::Founded { group, joins });
        true
    }

    fn write(&mut self, founding: Founding, cx: &mut Cx<'_>) {
        cx.out.record(Entry::Founding(founding.clone()));
        self.founding = founding;
    }

    fn say(&self, to: NodeSet, asks: bool, cx: &mut Cx<'_>) {
        if !to.is_empty() {
            cx.out.pledge(to, Greet { founding: self.founding.clone(), asks });
        }
    }

    fn others(&self, me: NodeId) -> NodeSet {
        self.design.voters().without(NodeSet::of(me))
    }
}

#[cfg(test)]
mod tests;
