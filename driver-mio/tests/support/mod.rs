//! Real nodes in real processes, for the tests.
#![allow(dead_code, unreachable_pub)] // every test uses a part of it

pub mod client;
pub mod load;
pub mod node;
pub mod small_disk;

use std::time::{Duration, Instant};

/// Asks until `probe` answers; panics with `what` when that takes too long.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        // Not a wait for anything: only leaves the processor to who is waited for.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How long anything may take on a slow and busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);
