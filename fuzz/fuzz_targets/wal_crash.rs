//! A log that is written, torn and lost by a script.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| paxos_core::codec::harness::wal_crash(data));
