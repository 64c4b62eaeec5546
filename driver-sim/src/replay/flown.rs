//! A recording of a real node, played again.

use driver_mio::record::{Recording, sum};
use paxos_core::Node;
use paxos_core::effect::Effects;
use paxos_core::types::NodeId;

use crate::picture::{Fate, Film};

/// What became of a recording that was played again.
#[derive(Clone, Debug)]
pub struct Flown {
    /// Steps that were made: all, or up to the one that differs.
    pub steps: u64,
    /// The step, counted from 0, that ordered something else than it did when it was recorded.
    pub differs: Option<u64>,
    /// What the node says is wrong with itself, if anything is.
    pub unsound: Option<&'static str>,
    /// The sum over all steps.
    pub trace: u64,
    /// What it looked like; times are since the start.
    pub film: Film,
}

/// Steps a core through what a real one was told; keeps the last `frames` steps on film.
///
/// # Errors
///
/// The core refuses to start from what the recording says: it is of another version.
pub fn fly(recording: &Recording, frames: usize) -> Result<Flown, String> {
    let Recording { config, durable, now: begun, steps, .. } = recording;
    let me = config.node;
    let mut node = Node::restore(config.clone(), durable.clone(), *begun)
        .map_err(|error| error.to_string())?;
    let everyone = config.groups.iter().flat_map(|group| group.membership.voters().iter());
    let mut film = Film::new([], frames);
    everyone.chain([me]).for_each(|id| film.joins(id));
    film.starts(0, me, &node, format!("{me} starts, incarnation {}", config.incarnation.0));
    let mut flown = Flown { steps: 0, differs: None, unsound: None, trace: 0, film };
    let mut effects = Effects::new();
    for step in steps {
        let at = step.now.as_micros().saturating_sub(begun.as_micros());
        flown.film.steps(at, me, &step.input);
        node.step(step.now, step.input.clone(), &mut effects);
        flown.film.stepped(&node, effects.iter());
        send(&mut flown.film, at, me, &effects);
        let ordered = sum(effects.iter());
        effects.clear();
        flown.trace = crate::check::mix(flown.trace, ordered);
        if ordered != step.sum {
            flown.differs = Some(flown.steps);
            return Ok(flown);
        }
        flown.steps += 1;
    }
    flown.unsound = node.check().err();
    Ok(flown)
}

/// What a node sends; what becomes of it, nobody has recorded.
fn send(film: &mut Film, at: u64, me: NodeId, effects: &Effects) {
    for effect in effects.iter() {
        let paxos_core::effect::Effect::Send { to, envelope } = effect else { continue };
        for to in to.iter() {
            debug_assert!(to != me, "nobody sends to itself");
            film.joins(to);
            film.sends(at, to, envelope, Fate::Flying, false);
        }
    }
}
