//! Less of everything.

use super::{Progress, Search};
use crate::choice::Bytes;
use crate::replay::{Cuts, FAULTS, Setup};
use crate::swarm::{Plan, Swarm};

/// Seeds to try with each cut.
const SEEDS: u64 = 6;

/// Seeds to try without one.
const FRESH: u64 = 24;

/// Tries every cut once; the large ones first.
pub(super) fn simplify<W: FnMut(Progress)>(search: &mut Search<W>) {
    let setup = search.best.setup.clone();
    search.attempt_setup(&setup, FRESH);
    let drawn = drawn(search);
    for nodes in 1..drawn.nodes {
        let plan = |plan: &Plan| Plan { nodes: Some(nodes), ..*plan };
        if with_plan(search, plan) {
            break;
        }
    }
    if drawn.groups > 1 {
        with_plan(search, |plan| Plan { groups: Some(1), ..*plan });
    }
    for clients in (0..3).map(|power| 1 << power).filter(|n| *n < drawn.clients.clients) {
        if with_cuts(search, |cuts| Cuts { clients: Some(clients), ..cuts.clone() }) {
            break;
        }
    }
    if drawn.clients.keys > 1 {
        with_cuts(search, |cuts| Cuts { keys: Some(1), ..cuts.clone() });
    }
    for shift in 1..5 {
        let safety_us = Some(drawn.safety_us >> shift);
        if !with_plan(search, |plan| Plan { safety_us, ..*plan }) {
            break;
        }
    }
    for at in 0..FAULTS.len() {
        if !search.best.setup.cuts.is_off(at) && matters(&drawn, at) {
            with_cuts(search, |cuts| cuts.without(at));
        }
    }
}

/// What the best run was made of.
fn drawn<W>(search: &Search<W>) -> Swarm {
    let Setup { plan, cuts, .. } = &search.best.setup;
    let mut swarm = Swarm::draw(&mut Bytes::new(&search.best.schedule), plan);
    cuts.apply(&mut swarm);
    swarm
}

/// Whether a fault is drawn at all.
fn matters(drawn: &Swarm, at: usize) -> bool {
    let mut cut = drawn.clone();
    (FAULTS[at].off)(&mut cut);
    cut != *drawn
}

fn with_plan<W: FnMut(Progress)>(search: &mut Search<W>, change: impl Fn(&Plan) -> Plan) -> bool {
    let setup = &search.best.setup;
    let setup = Setup { plan: change(&setup.plan), ..setup.clone() };
    search.attempt_setup(&setup, SEEDS)
}

fn with_cuts<W: FnMut(Progress)>(search: &mut Search<W>, change: impl Fn(&Cuts) -> Cuts) -> bool {
    let setup = &search.best.setup;
    let setup = Setup { cuts: change(&setup.cuts), ..setup.clone() };
    search.attempt_setup(&setup, SEEDS)
}
