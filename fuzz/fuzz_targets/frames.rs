//! What a stream of peers says, whole and in pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| paxos_core::codec::harness::frames(data));
