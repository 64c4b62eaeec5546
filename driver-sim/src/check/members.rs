//! Who really decides which slot, by the chosen values alone.
//!
//! Invariant: the schedule has taken in every chosen value below the first slot that is not chosen.

use std::collections::BTreeMap;
use std::sync::Arc;

use paxos_core::Replica;
use paxos_core::quorum::{Membership, NodeSet};
use paxos_core::types::{Charter, NodeId, Schedule, Slot, Value};

use super::slots::Slots;
use super::{Checked, Nodes, ensure};

/// Voters, and how many of them make a quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quorum {
    /// Whose voice counts.
    pub(crate) voters: Nodes,
    /// How many of them are enough.
    pub(crate) size: u32,
}

impl Quorum {
    /// How many voters are among `nodes`.
    pub(crate) fn count(self, nodes: Nodes) -> u32 {
        (nodes & self.voters).count_ones()
    }
}

/// A node that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fit {
    /// The node.
    pub(crate) node: NodeId,
    /// Its disk.
    pub(crate) disk: u64,
    /// Whether it ever stands for leader.
    pub(crate) stands: bool,
}

/// What one group's chosen values say of its members.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    schedule: Schedule,
    /// Everything below is taken in.
    taken: Slot,
    /// Memberships by the sum of their values, chosen or not.
    known: BTreeMap<u64, Arc<Membership>>,
    /// Voters, witnesses and learners that someone has asked for.
    wanted: Vec<[NodeSet; 3]>,
    /// Memberships that were asked for and have not been refused.
    open: Vec<Membership>,
    /// With which disks the group was founded, once any disk says so.
    charter: Option<Charter>,
    /// By which disks a node, in one of its lives, has begun to stand.
    named: BTreeMap<(NodeId, u64), Charter>,
}

impl Members {
    /// A group that these have founded.
    pub(crate) fn new(founded: Membership) -> Members {
        Members {
            schedule: Schedule::starting(Slot::FIRST, Arc::new(founded)),
            taken: Slot::FIRST,
            known: BTreeMap::new(),
            wanted: Vec::new(),
            open: Vec::new(),
            charter: None,
            named: BTreeMap::new(),
        }
    }

    /// What a phase 1 quorum of `slot` is.
    pub(crate) fn prepare(&self, slot: Slot) -> Quorum {
        let rules = self.schedule.at(slot);
        Quorum { voters: bits(rules.voters()), size: rules.prepare_quorum() as u32 }
    }

    /// What a phase 2 quorum of `slot` is.
    pub(crate) fn accept(&self, slot: Slot) -> Quorum {
        let rules = self.schedule.at(slot);
        Quorum { voters: bits(rules.voters()), size: rules.accept_quorum() as u32 }
    }

    /// Whether what `node` promises or votes with this disk counts at `slot`.
    pub(crate) fn counts(&self, (node, disk): (NodeId, u64), slot: Slot) -> bool {
        self.schedule.is_voter(node, disk, slot)
    }

    /// Whether this disk is one of those that found the group, for all that is known.
    pub(crate) fn founds(&self, (node, disk): (NodeId, u64)) -> bool {
        self.charter.as_ref().is_none_or(|charter| charter.disk(node) == disk)
    }

    /// Takes in that a disk holds the group for founded by these, as every other that does.
    pub(crate) fn founded(&mut self, node: NodeId, charter: &Charter) -> Checked {
        let known = self.charter.get_or_insert_with(|| charter.clone());
        ensure!(
            known == charter,
            "I24 one charter",
            "{node} holds the group for founded by {charter:?}, and others by {known:?}"
        );
        let (from, first) = self
            .schedule
            .iter()
            .next()
            .map(|(from, m)| (from, m.clone()))
            .expect("a schedule has a rule");
        if self.taken == Slot::FIRST && first.version() == 0 {
            let bound = charter.bind(first.as_ref().clone());
            self.schedule = Schedule::starting(from, Arc::new(bound));
        }
        Ok(())
    }

    /// Takes in that a node, in this life, orders its disk to stand by `charter`.
    pub(crate) fn named(&mut self, by: (NodeId, u64), charter: &Charter) {
        self.named.insert(by, charter.clone());
    }

    /// Whether that was this charter.
    pub(crate) fn has_named(&self, by: (NodeId, u64), charter: &Charter) -> bool {
        self.named.get(&by) == Some(charter)
    }

    /// Whether `node` votes on, or is told of, what is not chosen yet.
    pub(crate) fn has(&self, node: NodeId) -> bool {
        self.schedule.everyone(self.taken).contains(node)
    }

    /// Whether `node` can answer clients: it is told of what is chosen, and keeps it.
    pub(crate) fn serves(&self, node: NodeId) -> bool {
        self.has(node) && !self.is_witness(node)
    }

    /// Whether the value of this sum is a membership.
    pub(crate) fn is_membership(&self, value: u64) -> bool {
        self.known.contains_key(&value)
    }

    /// Takes in that someone wants these members.
    pub(crate) fn wants(&mut self, membership: &Membership) {
        self.wanted.push(parts(membership));
        self.open.push(membership.clone());
    }

    /// Takes in that a wish came to nothing.
    pub(crate) fn refused(&mut self, membership: &Membership) {
        if let Some(at) = self.open.iter().position(|open| open == membership) {
            self.open.swap_remove(at);
        }
    }

    /// Whether these nodes can go on by themselves from `frontier` on: they have quorums of everyone
    /// who decides anything there, and of everyone who may yet come to, each with a node that may
    /// lead.
    pub(crate) fn are_enough(&self, frontier: Slot, nodes: &[Fit]) -> bool {
        let decides = self.schedule.from(frontier).all(|(slot, rules)| {
            let counts = |fit: &Fit| self.schedule.is_voter(fit.node, fit.disk, slot);
            has_quorum(rules, nodes, counts)
        });
        let next = self.schedule.newest().1.version() + 1;
        let mut coming = self.known.values().map(Arc::as_ref).chain(&self.open);
        let may_decide = |rules: &Membership| {
            has_quorum(rules, nodes, |fit| {
                rules.voters().contains(fit.node) && [0, fit.disk].contains(&rules.disk(fit.node))
            })
        };
        decides && coming.all(|rules| rules.version() != next || may_decide(rules))
    }

    /// Whether `node` decided anything by itself from `frontier` on.
    pub(crate) fn was_alone(&self, frontier: Slot, node: NodeId) -> bool {
        let alone = |rules: &Membership| rules.voters().contains(node) && least(rules) == 1;
        self.schedule.from(frontier).any(|(_, rules)| alone(rules))
    }

    /// Whether this node may lead, as things stand.
    pub(crate) fn may_lead(&self, fit: Fit) -> bool {
        let is_main = self.schedule.at(self.taken).mains().contains(fit.node);
        is_main && self.counts((fit.node, fit.disk), self.taken)
    }

    /// Whether `node` is a witness and nothing more, in all that is not chosen yet.
    pub(crate) fn is_witness(&self, node: NodeId) -> bool {
        let more = |rules: &Membership| rules.mains().or(rules.learners()).contains(node);
        self.has(node) && !self.schedule.from(self.taken).any(|(_, rules)| more(rules))
    }

    /// Whether a witness may forget all below `below`, where it lacks nothing, when these nodes have
    /// it all on their disks. Who does not count any more need not have anything.
    pub(crate) fn is_held(&self, below: Slot, holders: NodeSet, disks: &[Fit]) -> bool {
        let is_held = |rules: &Membership| {
            let lost = disks.iter().filter(|fit| ![0, fit.disk].contains(&rules.disk(fit.node)));
            let holders = lost.map(|fit| fit.node).chain(holders.iter()).collect::<NodeSet>();
            is_in_each_quorum(rules, holders.and(rules.mains()))
        };
        self.schedule.from(below).any(|(_, rules)| is_held(rules))
    }

    /// A voter that answers from another disk than the one that it is bound to.
    pub(crate) fn stray(&self, nodes: &[Fit]) -> Option<NodeId> {
        let (_, rules) = self.schedule.newest();
        let strays = |fit: &&Fit| {
            rules.voters().contains(fit.node)
                && ![0, fit.disk].contains(&rules.disk(fit.node))
                && fit.disk != u64::MAX
        };
        nodes.iter().find(strays).map(|fit| fit.node)
    }

    /// Whether these nodes would be believed if they all said the same, as things stand or will: more
    /// than half of the mains, and more than one.
    pub(crate) fn are_believed(&self, nodes: NodeSet) -> bool {
        self.schedule.from(self.taken).any(|(_, rules)| {
            let (mains, some) = (rules.mains(), nodes.and(rules.mains()));
            some.len() > 1 && some.len() > mains.len() / 2
        })
    }

    /// Whether `node` may lead everywhere from `frontier` on, whatever comes.
    pub(crate) fn always_has(&self, frontier: Slot, node: NodeId) -> bool {
        let next = self.schedule.newest().1.version() + 1;
        let coming = self.known.values().map(Arc::as_ref).chain(&self.open);
        let mut coming = coming.filter(|rules| rules.version() == next);
        self.schedule.from(frontier).all(|(_, rules)| rules.mains().contains(node))
            && coming.all(|rules| rules.mains().contains(node))
    }

    /// Whether `node` may lead in all that is not chosen yet, whatever comes.
    pub(crate) fn keeps(&self, node: NodeId) -> bool {
        self.always_has(self.taken, node)
    }

    /// Takes in that a value stands for a vote at `slot`: who decides that must be known by then.
    pub(crate) fn voted(&mut self, slot: Slot, sum: u64, value: &Value) -> Checked {
        if let Value::Config(membership) = value {
            self.known.entry(sum).or_insert_with(|| membership.clone());
        }
        let bound = self.taken.plus(u64::from(self.schedule.newest().1.window()));
        ensure!(
            slot < bound,
            "I16 membership",
            "slot {slot} is voted on, though only those below {bound} have known members"
        );
        Ok(())
    }

    /// Takes in what is chosen without a hole. Memberships are those that someone wanted, or
    /// the same ones bound to their disks.
    pub(crate) fn take_in(&mut self, slots: &Slots) -> Checked {
        while self.taken < slots.frontier() {
            let slot = self.taken;
            self.taken = slot.next();
            let chosen = slots.chosen(slot).and_then(|chosen| self.known.get(&chosen.value));
            let Some(next) = chosen.cloned() else { continue };
            let newest = self.schedule.newest().1.clone();
            if self.schedule.take_in(slot, &Value::Config(next.clone())).is_none() {
                continue;
            }
            back_to_a_former_disk(&newest, &next)?;
            let who = parts(&next);
            ensure!(
                who == parts(&newest) || self.wanted.contains(&who),
                "I2 validity",
                "slot {slot} makes {:?} the voters, which nobody asked for",
                next.voters()
            );
        }
        Ok(())
    }

    /// The first slot above `slot` where others decide, if any is known.
    pub(crate) fn border_after(&self, slot: Slot) -> Option<Slot> {
        self.schedule.border_after(slot)
    }

    /// Checks that nobody is told of `slot` while all below `frontier` is chosen, and others decide
    /// there: the next leader may know nothing of those who decide `slot`.
    pub(crate) fn may_be_told(&self, frontier: Slot, slot: Slot) -> Checked {
        let border = self.border_after(frontier);
        ensure!(
            border.is_none_or(|border| slot < border),
            "R5 told across a border",
            "slot {slot} is called chosen, and other members decide {frontier}, which is not"
        );
        Ok(())
    }

    /// Checks that a replica goes by the same members, wherever it can know them.
    pub(crate) fn agrees(&self, node: NodeId, replica: &Replica) -> Checked {
        let (from, theirs) = (replica.chosen(), replica.schedule());
        let to = from.plus(u64::from(theirs.newest().1.window()));
        let borders = self.schedule.from(from).chain(theirs.from(from)).map(|(slot, _)| slot);
        for slot in borders.filter(|slot| *slot < to) {
            let (mine, its) = (self.schedule.at(slot), theirs.at(slot));
            ensure!(
                its.is_unknown() || its == mine,
                "I16 membership",
                "{node} goes by members {} at slot {slot}, instead of {}",
                its.version(),
                mine.version()
            );
        }
        Ok(())
    }
}

/// Checks that no voter is bound to a disk that was there before the one that it is bound to. Of two
/// disks of a host, the later one has the higher name.
fn back_to_a_former_disk(newest: &Membership, next: &Membership) -> Checked {
    for node in newest.voters().and(next.voters()).iter() {
        let (bound, disk) = (newest.disk(node), next.disk(node));
        ensure!(
            disk == 0 || disk >= bound,
            "I16 membership",
            "{node} is bound to disk {disk}, which was there before its disk {bound}"
        );
    }
    Ok(())
}

/// So many voters can do anything.
fn least(rules: &Membership) -> usize {
    rules.prepare_quorum().max(rules.accept_quorum())
}

/// Whether those of `nodes` that count are a quorum that one of them may lead.
fn has_quorum(rules: &Membership, nodes: &[Fit], counts: impl Fn(&Fit) -> bool) -> bool {
    let voters = || nodes.iter().filter(|fit| counts(fit));
    voters().count() >= least(rules)
        && voters().any(|fit| fit.stands && rules.mains().contains(fit.node))
}

/// Voters, witnesses and learners.
fn parts(rules: &Membership) -> [NodeSet; 3] {
    [rules.voters(), rules.witnesses(), rules.learners()]
}

fn bits(nodes: NodeSet) -> Nodes {
    nodes.iter().filter(|node| node.0 < 8).fold(0, |set, node| set | 1 << node.0)
}

/// Whether every phase 1 quorum that a main belongs to has one of the holders: tried with all of them,
/// for the core has its own way to tell.
fn is_in_each_quorum(rules: &Membership, holders: NodeSet) -> bool {
    let voters: Vec<NodeId> = rules.voters().iter().collect();
    (0..1_u32 << voters.len()).all(|picked| {
        let picked = voters.iter().enumerate().filter(|(at, _)| picked >> at & 1 == 1);
        let quorum: NodeSet = picked.map(|(_, node)| *node).collect();
        quorum.len() < rules.prepare_quorum()
            || quorum.and(rules.mains()).is_empty()
            || !quorum.and(holders).is_empty()
    })
}

#[cfg(test)]
mod tests;
