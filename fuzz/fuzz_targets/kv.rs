//! Command lines and payloads on two machines.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| driver_mio::kv::harness::run(data));
