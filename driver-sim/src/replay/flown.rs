//! A recording of a real node, played again.

use driver_mio::record::{Recording, Start, sum};
use paxos_core::effect::Effects;
use paxos_core::types::NodeId;

use crate::picture::{Fate, Film};

/// What became of a recording that was played again.
#[derive(Clone, Debug)]
pub struct Flown {
    /// Which node, and which of its lives.
    pub node: (NodeId, u64),
    /// Steps that were made: all, or up to the one that differs.
    pub steps: u64,
    /// The step, counted from 0, that ordered something else than it did when it was recorded.
    pub differs: Option<u64>,
    /// What the node says is wrong with itself, if anything is.
    pub unsound: Option<&'static str>,
    /// The sum over all steps.
    pub trace: u64,
    /// The sum over the state at the beginning.
    pub begins_as: u64,
    /// The same at the end: what the next recording of this life begins as.
    pub ends_as: u64,
    /// What it looked like; times are since the start.
    pub film: Film,
}

/// Steps a core through what a real one was told; keeps the last `frames` steps on film.
///
/// # Errors
///
/// The core refuses to start from what the recording says: it is of another version.
pub fn fly(recording: &Recording, frames: usize) -> Result<Flown, String> {
    let Recording { start, now: begun, steps, .. } = recording;
    let mut node = start.node(*begun).map_err(|error| error.to_string())?;
    let (me, life) = (node.id(), node.incarnation().0);
    let mut film = Film::new([], frames);
    let everyone = node.groups().flat_map(|group| group.everyone().iter());
    everyone.chain([me]).for_each(|id| film.joins(id));
    let begins = match start {
        Start::Restored(_) => "starts",
        Start::Running(_) => "goes on",
    };
    film.starts(0, me, &node, format!("{me} {begins}, incarnation {life}"));
    let begins_as = node.state_hash();
    let (differs, unsound) = (None, node.check().err());
    let mut flown = Flown {
        node: (me, life),
        steps: 0,
        differs,
        unsound,
        trace: 0,
        film,
        begins_as,
        ends_as: begins_as,
    };
    let mut effects = Effects::new();
    for step in steps {
        if flown.unsound.is_some() {
            return Ok(flown);
        }
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
    flown.ends_as = node.state_hash();
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
