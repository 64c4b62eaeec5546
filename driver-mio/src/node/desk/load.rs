//! How much is on its way, over all clients.

use super::Waiter;

/// Requests that are not answered.
#[derive(Debug, Default)]
pub(super) struct Load {
    requests: usize,
    bytes: usize,
}

impl Load {
    /// Somebody waits.
    pub(super) fn add(&mut self, waiter: &Waiter) {
        self.requests += 1;
        self.bytes += waiter.weight;
    }

    /// Somebody is about to be answered.
    pub(super) fn remove(&mut self, waiter: &Waiter) {
        self.requests -= 1;
        self.bytes -= waiter.weight;
    }

    /// How many wait.
    pub(super) fn requests(&self) -> usize {
        self.requests
    }

    /// Whether a client that has asked for something should not ask for more.
    pub(super) fn is_full(&self) -> bool {
        self.requests >= REQUESTS_MAX || self.bytes >= BYTES_MAX
    }
}

/// Beyond, a client may have one at a time. Three such nodes together stay below what
/// the core's line holds, so that a burst of clients is slowed down and not answered
/// `BUSY`.
const REQUESTS_MAX: usize = 4096;
/// The same in bytes.
const BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_again_when_someone_is_answered() {
        let mut load = Load::default();
        let waiter = Waiter { weight: 7, ..Waiter::of_nobody() };
        for _ in 0..REQUESTS_MAX {
            assert!(!load.is_full());
            load.add(&waiter);
        }
        assert!(load.is_full());
        load.remove(&waiter);
        assert!(!load.is_full());
        load.add(&Waiter { weight: BYTES_MAX, ..waiter });
        load.remove(&waiter);
        assert!(load.is_full(), "the bytes count too");
        assert_eq!(load.requests(), REQUESTS_MAX - 1);
    }
}
