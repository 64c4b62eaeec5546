//! The worlds that are searched.

use std::sync::Arc;
use std::time::Duration;

use paxos_core::Config;
use paxos_core::quorum::Membership;
use paxos_core::types::{Incarnation, Limits, NodeId, Timing};
use smallvec::SmallVec;

use super::host::{Host, config, group};
use super::state::{Budget, Rules, State};

/// A small world: nodes, what clients want of them, and a budget of bad luck.
#[derive(Clone, Debug)]
pub struct World {
    /// Its name.
    pub name: &'static str,
    /// What happens there, in a line.
    pub about: &'static str,
    pub(super) rules: Rules,
    nodes: u16,
    budget: Budget,
}

impl World {
    pub(super) fn first(&self) -> Result<State, String> {
        let hosts = (1..=self.nodes).map(|id| Host::new(config(NodeId(id), &self.rules.template)));
        let hosts: Result<Vec<Host>, String> = hosts.collect();
        let founded = self.rules.template.groups[0].membership.clone();
        Ok(State::new(hosts?, founded, self.budget.clone()))
    }
}

/// All of them, smallest first.
pub fn worlds() -> Vec<World> {
    let budget = |timeouts: &[u8], proposals: &[u8]| Budget {
        timeouts: list(timeouts),
        proposals: list(proposals),
        ..Budget::default()
    };
    vec![
        world(
            "one-leader",
            "one of two nodes runs for the lead, and a command is chosen",
            2,
            budget(&[1], &[1]),
        ),
        world(
            "restart",
            "the same, and either node restarts once, at any write",
            2,
            Budget { crashes: 1, ..budget(&[1], &[1]) },
        ),
        world(
            "duel-of-two",
            "both nodes run for the lead, each with a command of its own",
            2,
            budget(&[1, 1], &[1, 1]),
        ),
        world(
            "three-voters",
            "one of three nodes runs for the lead, and a command is chosen",
            3,
            budget(&[1], &[1]),
        ),
        world(
            "two-in-flight",
            "two commands are in flight at once, one of them at a follower",
            2,
            budget(&[1], &[1, 1]),
        ),
        world(
            "in-flight-across-leaders",
            "two commands of one leader are in flight when the other node takes the lead",
            2,
            budget(&[1, 1], &[2]),
        ),
        world(
            "read",
            "a read at the follower, beside a write at the leader",
            2,
            Budget { reads: list(&[0, 1]), ..budget(&[1], &[1]) },
        ),
        changing(
            world(
                "another-member",
                "the follower is replaced by a third node, and a command follows",
                3,
                Budget { changes: list(&[1]), ..budget(&[1], &[1]) },
            ),
            2,
            &[1, 3],
        ),
        changing(
            world(
                "members-in-a-duel",
                "one of two nodes is replaced while both run for the lead",
                3,
                Budget { changes: list(&[1]), ..budget(&[1, 1], &[1, 1]) },
            ),
            2,
            &[1, 3],
        ),
        world(
            "restart-in-a-duel",
            "both nodes run for the lead, and either restarts once",
            2,
            Budget { crashes: 1, ..budget(&[1, 1], &[1]) },
        ),
        world(
            "duel",
            "two of three nodes run for the lead, each with a command of its own",
            3,
            budget(&[1, 1], &[1, 1]),
        ),
        world("in-flight-of-three", "the same, with three nodes", 3, budget(&[1, 1], &[2])),
        world(
            "read-across-leaders",
            "a read at one node while another takes the lead",
            3,
            Budget { reads: list(&[1]), ..budget(&[1, 1], &[0, 1]) },
        ),
        world(
            "restart-of-three",
            "two of three run for the lead, one message arrives twice, one node restarts",
            3,
            Budget { crashes: 1, doubles: 1, ..budget(&[1, 1], &[1, 1]) },
        ),
    ]
}

fn list(counts: &[u8]) -> SmallVec<[u8; 5]> {
    counts.iter().copied().collect()
}

fn world(name: &'static str, about: &'static str, nodes: u16, budget: Budget) -> World {
    let membership = Membership::majority((1..=nodes).map(NodeId));
    let mut limits = Limits { window_slots: 2, ahead_slots_max: 8, ..Limits::default() };
    limits.reads_max = 4;
    let template = Config {
        node: NodeId(1),
        incarnation: Incarnation(1),
        disk: 0,
        priority: Config::PRIORITY,
        seed: 0,
        groups: vec![group(membership)],
        timing: timing(),
        limits,
    };
    World { name, about, rules: Rules { template, change: None }, nodes, budget }
}

/// The same, founded by the first `founders` nodes, with a change to `voters` that rules from the
/// slot after its own on.
fn changing(mut world: World, founders: u16, voters: &[u16]) -> World {
    let ids = |ids: &mut dyn Iterator<Item = u16>| ids.map(NodeId).collect::<Vec<_>>();
    let founded = Membership::majority(ids(&mut (1..=founders))).with_window(1);
    let next = founded.succeeded_by(ids(&mut voters.iter().copied()), []);
    world.rules.template.groups = vec![group(founded)];
    world.rules.change = Some(Arc::new(next));
    world
}

/// Waits so long that only a budgeted time-out ends them.
fn timing() -> Timing {
    let long = Duration::from_secs(3_600);
    Timing {
        heartbeat: long,
        patience: long * 2,
        resend: long,
        gap: Duration::from_millis(1),
        answer: long,
        stagger: long,
        lease: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::search;
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: SmallVec<[&str; 16]> = worlds().iter().map(|w| w.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|two| two[0] != two[1]));
    }

    /// The smallest worlds to the end, on every run of the tests.
    #[test]
    fn nothing_goes_wrong_in_the_smallest_worlds() {
        for world in worlds().iter().take(3) {
            let result = search(world, 1_000_000).expect("a world that can begin");
            assert_eq!(result.found, None, "{}", world.name);
            assert!(result.is_complete, "{}: {result:?}", world.name);
            assert!(result.chosen.0 >= 1, "{}: nothing is ever chosen", world.name);
        }
    }

    #[test]
    fn a_search_tells_the_same_twice() {
        let world = &worlds()[0];
        assert_eq!(search(world, 10_000), search(world, 10_000));
    }

    #[test]
    fn a_bound_is_kept_and_told() {
        let result = search(&worlds()[3], 500).expect("a world that can begin");
        assert_eq!((result.states, result.is_complete), (500, false));
        assert!((1..result.depth).contains(&result.whole), "{result:?}");
        let to_the_end = search(&worlds()[0], 1_000_000).expect("a world that can begin");
        assert_eq!(to_the_end.whole, to_the_end.depth);
    }
}
