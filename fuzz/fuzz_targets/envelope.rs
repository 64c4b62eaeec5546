//! What a peer says, byte by byte.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| paxos_core::codec::harness::envelope(data));
