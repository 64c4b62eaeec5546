//! What the measurements share: real processes, how to wait for them, and how
//! to end when somebody interrupts.
//!
//! Invariant: whatever ends a measurement (its own end, an error, a panic, a
//! first Ctrl-C), the processes it has started are killed and the directories
//! it has made are gone. An interrupt is therefore no more than a flag, which
//! every wait looks at: the stack unwinds as after any other error.
#![allow(dead_code, unreachable_pub)] // every measurement uses a part of it

pub mod cluster;
pub mod flood;
pub mod load;
pub mod machine;
pub mod process;
pub mod stats;

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// The error is one line, for a person.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Makes signals end the measurement in good order; a second one ends it at once.
pub fn watch_signals() -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register_conditional_shutdown(signal, 130, INTERRUPTED.clone())?;
        flag::register(signal, INTERRUPTED.clone())?;
    }
    Ok(())
}

/// An error once somebody has interrupted.
pub fn go_on() -> Outcome<()> {
    match INTERRUPTED.load(Ordering::Relaxed) {
        true => Err("interrupted".into()),
        false => Ok(()),
    }
}

/// Asks until `probe` answers; gives up with `what` when that takes too long.
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> Outcome<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        go_on()?;
        if let Some(answer) = probe() {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            return Err(format!("not within {PATIENCE:?}: {what}").into());
        }
        // Not a wait for anything: only leaves the processor to who is waited for.
        thread::sleep(POLL_PAUSE);
    }
}

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// How long anything may take on a slow and busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at the same thing.
pub const POLL_PAUSE: Duration = Duration::from_millis(5);
