//! What the fuzzers have found worth keeping, played again.
#![allow(unreachable_pub)]

#[path = "../../fuzz/src/replay.rs"]
mod replay;

use replay::replay;

#[test]
fn no_stream_breaks_a_decoder() {
    replay("resp", driver_mio::resp::harness::run);
}

#[test]
fn no_command_breaks_the_machine() {
    replay("kv", driver_mio::kv::harness::run);
}
