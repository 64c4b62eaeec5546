//! Breadth first, each state once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::state::{Action, State};
use super::worlds::World;

/// What a search came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// States that were reached, each counted once.
    pub states: u64,
    /// Steps from one state to another, or back to one that was seen.
    pub steps: u64,
    /// Events on the longest of the shortest ways to a state.
    pub depth: u32,
    /// Every state that so many events lead to was reached.
    pub whole: u32,
    /// States in which the most slots were chosen, and how many slots that is.
    pub chosen: (usize, u64),
    /// Whether every state of the world was reached: no bound has cut the search short.
    pub is_complete: bool,
    /// What should not have been, if anything.
    pub found: Option<Found>,
}

/// A violation, and a shortest way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What must hold and does not.
    pub what: String,
    /// What happened, in order.
    pub story: Vec<String>,
}

/// Enters every state of `world` that fewer than `states_max` others come before.
pub fn search(world: &World, states_max: u64) -> Result<Search, String> {
    let first = world.first()?;
    let mut seen: HashMap<u64, Option<(u64, Action)>> = HashMap::new();
    seen.insert(first.sum(), None);
    let mut result = Search { states: 1, is_complete: true, ..Search::default() };
    let mut layer = vec![first];
    while !layer.is_empty() {
        let mut next = Vec::new();
        for state in layer {
            let from = state.sum();
            for action in state.actions() {
                result.steps += 1;
                let after = match step(&state, action, world) {
                    Ok(after) => after,
                    Err(what) => {
                        result.is_complete = false;
                        result.found = Some(tell(world, &seen, from, action, what)?);
                        return Ok(result);
                    }
                };
                let Entry::Vacant(place) = seen.entry(after.sum()) else { continue };
                if result.states >= states_max {
                    result.is_complete = false;
                    continue;
                }
                place.insert(Some((from, action)));
                result.states += 1;
                count(&mut result.chosen, after.chosen());
                next.push(after);
            }
        }
        result.depth += u32::from(!next.is_empty());
        if result.is_complete {
            result.whole = result.depth;
        }
        layer = next;
    }
    Ok(result)
}

/// A panic in a step is a violation like any other.
pub(super) fn step(state: &State, action: Action, world: &World) -> Result<State, String> {
    let stepped = catch_unwind(AssertUnwindSafe(|| state.after(action, &world.rules)));
    stepped.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(format!("a panic: {}", text.unwrap_or_default()))
    })
}

fn count((most, states): &mut (usize, u64), chosen: usize) {
    if chosen > *most {
        (*most, *states) = (chosen, 0);
    }
    *states += u64::from(chosen == *most);
}

/// Walks back to the first state, and forward again to put the way into words.
fn tell(
    world: &World,
    seen: &HashMap<u64, Option<(u64, Action)>>,
    last: u64,
    action: Action,
    what: String,
) -> Result<Found, String> {
    let mut actions = vec![action];
    let mut at = last;
    while let Some(Some((before, action))) = seen.get(&at) {
        actions.push(*action);
        at = *before;
    }
    actions.reverse();
    let story = story(world, &actions)?;
    Ok(Found { what, story })
}

/// A way in words.
pub(super) fn story(world: &World, actions: &[Action]) -> Result<Vec<String>, String> {
    let mut state = world.first()?;
    let mut story = Vec::new();
    for action in actions {
        story.push(state.tell(*action));
        match step(&state, *action, world) {
            Ok(after) => state = after,
            Err(_) => break,
        }
    }
    Ok(story)
}
