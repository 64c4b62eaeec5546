//! What lasts: leaderships, campaigns, absences; and the moments at which a slot is first known to
//! be chosen, and at which a node votes or learns.

use std::collections::BTreeMap;

use paxos_core::types::NodeId;

use super::film::Film;
use super::footage::What;
use super::portrait::{CellPortrait, GroupPortrait};

/// What a node is for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) node: NodeId,
    pub(super) group: u64,
    pub(super) role: Role,
    /// The ballot that it leads, campaigns or follows at; nothing if there is none.
    pub(super) ballot: String,
    /// The first frame of it, and the one after the last.
    pub(super) frames: (u64, u64),
}

/// What a span is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Following,
    Campaigning,
    Leading,
    Down,
}

impl Role {
    /// The role's number in a page.
    pub(super) fn number(self) -> u8 {
        self as u8
    }
}

/// A slot is chosen, and one node is the first to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choosing {
    pub(super) frame: u64,
    pub(super) group: u64,
    pub(super) slot: u64,
    /// The value, if the node still has it.
    pub(super) value: String,
}

/// A node votes for a value, or learns that it is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Voting {
    pub(super) frame: u64,
    pub(super) node: NodeId,
    pub(super) slot: u64,
    /// The ballot of the vote, or a dash if the node was only told.
    pub(super) ballot: String,
    pub(super) is_chosen: bool,
    pub(super) value: String,
}

/// All spans of a film, node by node, in order.
pub(super) fn spans(film: &Film) -> Vec<Span> {
    let mut open: BTreeMap<(NodeId, u64), Span> = BTreeMap::new();
    let mut spans = Vec::new();
    for (number, frame) in film.frames() {
        let Some(node) = frame.node else { continue };
        if frame.what == What::Crashed {
            for span in open.values_mut().filter(|span| span.node == node) {
                let down = Span {
                    role: Role::Down,
                    ballot: String::new(),
                    frames: (number, number),
                    ..span.clone()
                };
                end(std::mem::replace(span, down), number, &mut spans);
            }
        }
        for group in frame.portrait.iter().flat_map(|portrait| &portrait.groups) {
            let (role, ballot) = role(group);
            let new = Span { node, group: group.group, role, ballot, frames: (number, number) };
            let old = open.entry((node, group.group)).or_insert_with(|| new.clone());
            if (old.role, &old.ballot) != (new.role, &new.ballot) {
                end(std::mem::replace(old, new), number, &mut spans);
            }
        }
    }
    open.into_values().for_each(|span| end(span, film.made(), &mut spans));
    spans.sort_by_key(|span| (span.node, span.group, span.frames));
    spans
}

fn end(span: Span, number: u64, spans: &mut Vec<Span>) {
    if number > span.frames.0 {
        spans.push(Span { frames: (span.frames.0, number), ..span });
    }
}

fn role(group: &GroupPortrait) -> (Role, String) {
    match group.standing {
        "leader" => (Role::Leading, group.ballot.clone().unwrap_or_default()),
        "candidate" => (Role::Campaigning, group.ballot.clone().unwrap_or_default()),
        _ => (Role::Following, group.follows.clone().unwrap_or_default()),
    }
}

/// Every slot that becomes known to be chosen within the film.
pub(super) fn choosings(film: &Film) -> Vec<Choosing> {
    let mut frontiers: BTreeMap<u64, u64> = BTreeMap::new();
    let mut choosings = Vec::new();
    for (frame, shown) in film.frames() {
        for group in shown.portrait.iter().flat_map(|portrait| &portrait.groups) {
            // What was chosen before the film begins is not news.
            let frontier = frontiers.entry(group.group).or_insert_with(|| match frame {
                0 => 1,
                _ => group.chosen,
            });
            for slot in *frontier..group.chosen {
                let cell = group.cells.iter().find(|cell| cell.0 == slot);
                let value = cell.map(|cell| cell.3.clone()).unwrap_or_default();
                choosings.push(Choosing { frame, group: group.group, slot, value });
            }
            *frontier = group.chosen.max(*frontier);
        }
    }
    choosings
}

/// Every change of what a node has in a slot; what it has when it is first seen is none.
pub(super) fn votings(film: &Film) -> Vec<Voting> {
    let mut known: BTreeMap<(NodeId, u64), BTreeMap<u64, CellPortrait>> = BTreeMap::new();
    let mut votings = Vec::new();
    for (number, frame) in film.frames() {
        let Some(node) = frame.node else { continue };
        for group in frame.portrait.iter().flat_map(|portrait| &portrait.groups) {
            let is_new = !known.contains_key(&(node, group.group));
            let known = known.entry((node, group.group)).or_default();
            for cell in &group.cells {
                if known.insert(cell.0, cell.clone()).as_ref() == Some(cell) || is_new {
                    continue;
                }
                let (slot, ballot, is_chosen, value) = cell.clone();
                votings.push(Voting { frame: number, node, slot, ballot, is_chosen, value });
            }
        }
    }
    votings
}
