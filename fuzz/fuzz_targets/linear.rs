//! Two checkers of histories that must agree.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    driver_sim::linear::fuzz::run(data);
});
