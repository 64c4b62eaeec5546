//! How often a chosen command asks for memory: three nodes, everything counted, from
//! the making of the payload to the last delivery and the checkpoints on the way.

#[path = "../benches/support/mod.rs"]
mod support;

use support::{Bench, Counting, Shape, allocations};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const COMMANDS: u64 = 1 << 15;

/// One test alone: whatever else ran in this process would be counted too.
#[test]
fn a_command_costs_its_payload_and_a_share_of_its_run() {
    // At window 1 the run is the command's own.
    for (window, most) in [(1, 2.1), (16, 1.1), (64, 1.05), (256, 1.05)] {
        let mut bench = Bench::new(Shape::of(3));
        bench.run(COMMANDS, window, 64);
        let before = allocations();
        bench.run(COMMANDS, window, 64);
        let each = (allocations() - before) as f64 / COMMANDS as f64;
        assert!(each <= most, "{each:.3} allocations per command at window {window}");
        println!("{each:.3} allocations per command at window {window}");
    }
}
