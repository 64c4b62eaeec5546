//! Any bytes as a log.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| paxos_core::codec::harness::wal_scan(data));
