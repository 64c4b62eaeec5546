//! What the fuzzers have found worth keeping, played again.
#![allow(unreachable_pub)]

#[path = "../../fuzz/src/replay.rs"]
mod replay;
#[path = "../../fuzz/src/step/mod.rs"]
mod step;

use paxos_core::codec::harness;
use replay::replay;

#[test]
fn no_script_breaks_a_step() {
    replay("step", step::run);
}

#[test]
fn no_bytes_break_an_envelope() {
    replay("envelope", harness::envelope);
}

#[test]
fn no_stream_breaks_a_frame() {
    replay("frames", harness::frames);
}

#[test]
fn no_bytes_break_the_scan_of_a_log() {
    replay("wal_scan", harness::wal_scan);
}

#[test]
fn no_crash_breaks_a_log() {
    replay("wal_crash", harness::wal_crash);
}
