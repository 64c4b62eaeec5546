//! Three simulated nodes, with every choice of the world read from the bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| paxos_fuzz::cluster::run(data));
