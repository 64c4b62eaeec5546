//! What the exit status of the program says.

/// Something could not be done; one line on stderr says what.
pub const FAILED: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// The node has stopped itself: what it would say from now on is worth nothing.
/// Its disk failed, or a peer contradicts what is chosen. Look before restarting.
pub const HALTED: u8 = 3;
