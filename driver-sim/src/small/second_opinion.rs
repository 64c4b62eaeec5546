//! The same worlds, searched by somebody else's model checker.
//!
//! What we call a state, a step and a violation is shared; what is checked is the search: that it
//! enters every state, each once.

use stateright::{Checker, Model, Property};

use super::search;
use super::state::{Action, State};
use super::worlds::{World, worlds};

/// A state, or what went wrong on the way to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Outcome(Result<Summed, String>);

/// A state that hashes as its sum.
#[derive(Clone, Debug)]
struct Summed(State);

impl PartialEq for Summed {
    fn eq(&self, other: &Summed) -> bool {
        self.0.sum() == other.0.sum()
    }
}

impl Eq for Summed {}

impl std::hash::Hash for Summed {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.0.sum());
    }
}

/// A world, as the other checker sees it.
struct Theirs(World);

impl Model for Theirs {
    type State = Outcome;
    type Action = Action;

    fn init_states(&self) -> Vec<Outcome> {
        vec![Outcome(self.0.first().map(Summed))]
    }

    fn actions(&self, state: &Outcome, actions: &mut Vec<Action>) {
        if let Ok(state) = &state.0 {
            actions.extend(state.0.actions());
        }
    }

    fn next_state(&self, last: &Outcome, action: Action) -> Option<Outcome> {
        let Ok(last) = &last.0 else { return None };
        Some(Outcome(last.0.after(action, &self.0.rules).map(Summed)))
    }

    fn properties(&self) -> Vec<Property<Theirs>> {
        vec![Property::always("nothing goes wrong", |_, state: &Outcome| state.0.is_ok())]
    }
}

#[test]
fn both_searches_enter_the_same_number_of_states() {
    for world in worlds().into_iter().filter(|w| ["restart", "read"].contains(&w.name)) {
        let ours = search(&world, u64::MAX).expect("a world that can begin");
        assert!(ours.is_complete && ours.found.is_none(), "{}", world.name);
        let name = world.name;
        let theirs = Theirs(world).checker().spawn_bfs().join();
        theirs.assert_properties();
        assert_eq!(theirs.unique_state_count() as u64, ours.states, "{name}");
    }
}
