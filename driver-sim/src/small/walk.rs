//! One way through a small world at a time, for any source of choices.
//!
//! A search stops where there are too many states; a walk does not know what it has not seen, and
//! goes to the end of the world. Which of the things that can happen next does happen is one
//! question to a [`Choice`]: all ways come up with [`Exhaustive`](crate::choice::Exhaustive), deep
//! ones with [`Seeded`](crate::choice::Seeded), a fuzzer's with [`Bytes`](crate::choice::Bytes),
//! and one of them again with [`Replay`](crate::choice::Replay).

use super::search::{Found, step, story};
use super::worlds::World;
use crate::choice::Choice;

/// What a walk came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// How many things happened.
    pub steps: u32,
    /// A sum over the last state; walks that end in the same state have the same.
    pub end: u64,
    /// How many slots were chosen.
    pub chosen: usize,
    /// Whether nothing can happen any more.
    pub is_over: bool,
    /// What should not have been, if anything, and the way to it.
    pub found: Option<Found>,
}

/// Goes at most `steps_max` steps into `world`. Zeros deliver what is first in line.
///
/// # Errors
///
/// A world that cannot begin.
///
/// ```
/// use driver_sim::choice::Seeded;
/// use driver_sim::small::{walk, worlds};
///
/// let world = &worlds()[0];
/// let walk = walk(world, &mut Seeded::new(7), 1_000).expect("a world that can begin");
/// assert_eq!((walk.is_over, walk.found), (true, None));
/// ```
pub fn walk<C: Choice>(world: &World, choice: &mut C, steps_max: u32) -> Result<Walk, String> {
    let mut state = world.first()?;
    let mut ways = Vec::new();
    let mut found = None;
    let mut steps = 0;
    let is_over = loop {
        let actions = state.actions();
        let Some(action) = choice.pick(&actions).copied() else { break true };
        if steps == steps_max {
            break false;
        }
        steps += 1;
        ways.push(action);
        match step(&state, action, world) {
            Ok(after) => state = after,
            Err(what) => {
                found = Some(Found { what, story: story(world, &ways)? });
                break false;
            }
        }
    };
    Ok(Walk { steps, end: state.sum(), chosen: state.chosen(), is_over, found })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{search, worlds};
    use super::*;
    use crate::choice::{Bytes, Exhaustive, Recorder, Replay, Seeded};

    /// Ways are tried one by one here, states are entered once there: two searches that share no
    /// line of code but what a step is.
    #[test]
    fn all_ways_together_enter_the_states_that_the_search_enters() {
        let world = &worlds()[0];
        let mut ends = BTreeSet::new();
        for depth in 0.. {
            let before = ends.len();
            let mut choice = Exhaustive::new(depth as usize);
            loop {
                ends.insert(walk(world, &mut choice, depth).expect("a world").end);
                if !choice.next_run() {
                    break;
                }
            }
            if ends.len() == before {
                break;
            }
        }
        let found = search(world, u64::MAX).expect("a world");
        assert_eq!(ends.len() as u64, found.states);
    }

    #[test]
    fn a_walk_can_be_repeated() {
        for world in &worlds() {
            let mut choice = Recorder::new(Seeded::new(3), 1 << 16);
            let once = walk(world, &mut choice, 10_000).expect("a world");
            assert!(once.is_over && once.found.is_none(), "{}: {once:?}", world.name);
            let again = walk(world, &mut Replay::new(choice.choices()), 10_000);
            assert_eq!(again, Ok(once), "{}", world.name);
        }
    }

    #[test]
    fn any_bytes_are_a_walk_and_ends_are_kept() {
        let world = &worlds()[4];
        let bytes: Vec<u8> = (0..200_u8).map(|at| at.wrapping_mul(37)).collect();
        let long = walk(world, &mut Bytes::new(&bytes), 10_000).expect("a world");
        assert!(long.is_over && long.steps > 5, "{long:?}");
        let short = walk(world, &mut Bytes::new(&bytes), long.steps - 1).expect("a world");
        assert_eq!((short.steps, short.is_over), (long.steps - 1, false));
    }
}
