//! What the fuzzers have found worth keeping, played again.
#![allow(unreachable_pub)]

#[path = "../../fuzz/src/cluster.rs"]
mod cluster;
#[path = "../../fuzz/src/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn no_history_divides_the_checkers() {
    replay("linear", |data| {
        driver_sim::linear::fuzz::run(data);
    });
}

#[test]
fn no_schedule_breaks_a_cluster() {
    replay("cluster", cluster::run);
}
