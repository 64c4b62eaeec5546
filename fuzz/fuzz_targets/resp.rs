//! What a client or a server says, whole and in pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| driver_mio::resp::harness::run(data));
