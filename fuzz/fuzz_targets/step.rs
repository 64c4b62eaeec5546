//! One node against a world that may say anything.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| paxos_fuzz::step::run(data));
