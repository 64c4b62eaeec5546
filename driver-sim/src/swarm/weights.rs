//! How often each thing goes wrong in one run.

use super::dial;
use crate::choice::Choice;

/// What the network does to messages and links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetWeights {
    /// A message is lost.
    pub loss: u32,
    /// A message arrives twice.
    pub duplicate: u32,
    /// A message is very late.
    pub slow: u32,
    /// How late at most (µs).
    pub slow_us: u64,
    /// Shortest and longest ordinary delay (µs).
    pub delay_us: (u64, u64),
    /// Messages of one link keep their order.
    pub fifo: bool,
    /// A cut link also loses what is under way on it.
    pub cut_in_flight: bool,
    /// Weight of cutting links at a nemesis tick.
    pub partition: u32,
    /// Weight of healing all links at a nemesis tick.
    pub heal: u32,
    /// Weight of delivering old messages again at a nemesis tick.
    pub replay: u32,
    /// Weight of wrong word about a peer at a nemesis tick.
    pub wrong_hint: u32,
    /// Bits of a message turn on its way.
    pub flip: u32,
    /// A link to or from somebody outside of the core works in the second phase, each direction by
    /// itself; zero if nobody there is both heard and told.
    pub tangle: u32,
    /// In a tangle, a leader outside of the core hears barely enough, some of them on new disks.
    pub snare: bool,
}

impl NetWeights {
    pub(super) fn draw<C: Choice>(choice: &mut C) -> NetWeights {
        let low = choice.range(20..=2_000);
        NetWeights {
            loss: dial(choice, 200_000),
            duplicate: dial(choice, 200_000),
            slow: dial(choice, 100_000),
            slow_us: late(choice),
            delay_us: (low, low + choice.range(0..=20_000)),
            fifo: choice.chance(300_000),
            cut_in_flight: choice.chance(500_000),
            partition: dial(choice, 1_000_000),
            heal: 100_000 + choice.below(500_000),
            replay: dial(choice, 500_000),
            wrong_hint: dial(choice, 300_000),
            flip: 0,
            tangle: 0,
            snare: false,
        }
    }

    /// Draws which links there are outside of the core, after all else.
    pub(super) fn draw_tangle<C: Choice>(&mut self, choice: &mut C) {
        if choice.chance(500_000) {
            self.tangle = 1 + choice.below(1_000_000);
        }
    }

    /// Draws whether whoever leads outside of the core is snared, after all else.
    pub(super) fn draw_snare<C: Choice>(&mut self, choice: &mut C) {
        self.snare = self.tangle > 0 && choice.chance(400_000);
    }

    /// Loses less and is whole more often, so that leaders last until something is plotted against
    /// them.
    pub(super) fn quieten(&mut self) {
        for weight in [&mut self.loss, &mut self.slow, &mut self.partition, &mut self.replay] {
            *weight /= 16;
        }
        self.wrong_hint /= 4;
        self.heal = 500_000;
    }

    /// A network that loses nothing.
    pub fn calm() -> NetWeights {
        NetWeights {
            loss: 0,
            duplicate: 0,
            slow: 0,
            slow_us: 0,
            delay_us: (100, 300),
            fifo: true,
            cut_in_flight: false,
            partition: 0,
            heal: 1,
            replay: 0,
            wrong_hint: 0,
            flip: 0,
            tangle: 0,
            snare: false,
        }
    }
}

/// How late a message may be (µs): seconds mostly, sometimes minutes, when nobody remembers what it
/// was about.
fn late<C: Choice>(choice: &mut C) -> u64 {
    let most = if choice.chance(150_000) { 180_000_000 } else { 2_000_000 };
    choice.range(10_000..=most)
}

/// What the disks do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskWeights {
    /// Shortest and longest ordinary sync (µs).
    pub sync_us: (u64, u64),
    /// A sync is very slow.
    pub slow: u32,
    /// How slow at most (µs).
    pub slow_us: u64,
    /// A sync fails.
    pub fail: u32,
    /// One sync takes one batch, instead of all that wait.
    pub single: bool,
    /// Each batch is acknowledged by its own id, instead of by the last one's.
    pub ack_each: bool,
    /// An idle disk leaves proof that its last block was synced.
    pub mark: u32,
    /// A crash turns a bit of something that was synced long ago.
    pub rot: u32,
    /// A crash takes the disk with everything on it, where members change.
    pub lost: u32,
    /// A crash puts an older copy of the disk in its place, where members change and others know
    /// better.
    pub copied: u32,
    /// A candidate for whom a leader has made way loses its disk as it asks for promises, where
    /// members change.
    pub robbed: u32,
    /// Bytes of a segment of the log.
    pub segment_bytes: u64,
}

impl DiskWeights {
    pub(super) fn draw<C: Choice>(choice: &mut C) -> DiskWeights {
        let low = choice.range(20..=2_000);
        DiskWeights {
            sync_us: (low, low + choice.range(0..=10_000)),
            slow: dial(choice, 50_000),
            slow_us: choice.range(10_000..=1_000_000),
            fail: dial(choice, 5_000),
            single: choice.chance(300_000),
            ack_each: choice.chance(300_000),
            mark: dial(choice, 500_000),
            rot: dial(choice, 50_000),
            lost: dial(choice, 300_000),
            copied: 0,
            robbed: 0,
            segment_bytes: 512 * choice.range(2..=64),
        }
    }

    /// A disk that works.
    pub fn calm() -> DiskWeights {
        DiskWeights {
            sync_us: (100, 300),
            slow: 0,
            slow_us: 0,
            fail: 0,
            single: false,
            ack_each: false,
            mark: 0,
            rot: 0,
            lost: 0,
            copied: 0,
            robbed: 0,
            segment_bytes: 1 << 16,
        }
    }
}

/// What the vaults do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultWeights {
    /// Shortest and longest ordinary time that an image or a piece of one takes (µs).
    pub work_us: (u64, u64),
    /// Something takes very long.
    pub slow: u32,
    /// How long at most (µs).
    pub slow_us: u64,
    /// Something fails.
    pub fail: u32,
    /// A crash, or the making of an image, turns a bit of one.
    pub rot: u32,
    /// How many images of a group are kept.
    pub keep: u8,
    /// Weight of a checkpoint that someone wants now, at a nemesis tick.
    pub request: u32,
}

impl VaultWeights {
    pub(super) fn draw<C: Choice>(choice: &mut C) -> VaultWeights {
        let low = choice.range(20..=5_000);
        VaultWeights {
            work_us: (low, low + choice.range(0..=50_000)),
            slow: dial(choice, 100_000),
            slow_us: choice.range(10_000..=2_000_000),
            fail: dial(choice, 200_000),
            rot: dial(choice, 50_000),
            keep: 1 + choice.below(2) as u8,
            request: dial(choice, 300_000),
        }
    }

    /// A vault that works.
    pub fn calm() -> VaultWeights {
        VaultWeights {
            work_us: (100, 1_000),
            slow: 0,
            slow_us: 0,
            fail: 0,
            rot: 0,
            keep: 1,
            request: 0,
        }
    }
}

/// What happens to processes and clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostWeights {
    /// Shortest and longest time between nemesis ticks (µs).
    pub nemesis_us: (u64, u64),
    /// Weight of a crash at a nemesis tick.
    pub crash: u32,
    /// A crash takes several nodes at once, up to all.
    pub crash_many: u32,
    /// A step is cut short by a crash, after any prefix of its effects.
    pub crash_mid_step: u32,
    /// Shortest and longest time that a node is down (µs).
    pub down_us: (u64, u64),
    /// Weight of a pause at a nemesis tick.
    pub pause: u32,
    /// Longest pause (µs).
    pub pause_us: u64,
    /// Weight of a jump or a new rate of a clock at a nemesis tick.
    pub clock: u32,
    /// The farthest that a clock's rate is off (parts in a million).
    pub skew: u32,
    /// A start misreads a chosen value from a sound disk.
    pub misread: u32,
    /// Peers hear of a crash or a start.
    pub hint: u32,
    /// Weight of a tick that nobody asked for at a nemesis tick.
    pub spurious_tick: u32,
    /// Weight of asking for a transfer of leadership at a nemesis tick.
    pub transfer: u32,
    /// Weight of a plot against a lease at a nemesis tick, where leases are on.
    pub plot: u32,
    /// A leader with a lease that tells its heir to stand is cut off at that moment, or its heir.
    pub betray: u32,
    /// Weight of nothing at a nemesis tick.
    pub nothing: u32,
}

impl HostWeights {
    pub(super) fn draw<C: Choice>(choice: &mut C) -> HostWeights {
        let often = choice.range(2_000..=300_000);
        let down = choice.range(0..=500_000);
        HostWeights {
            nemesis_us: (often / 2, often * 2),
            crash: dial(choice, 1_000_000),
            crash_many: dial(choice, 500_000),
            crash_mid_step: dial(choice, 2_000),
            down_us: (0, down + choice.range(0..=1_000_000)),
            pause: dial(choice, 500_000),
            pause_us: choice.range(10_000..=3_000_000),
            clock: dial(choice, 300_000),
            skew: [0, 200, 50_000, 300_000][choice.below(4) as usize],
            misread: dial(choice, 200_000),
            hint: dial(choice, 1_000_000),
            spurious_tick: dial(choice, 300_000),
            transfer: dial(choice, 1_000_000),
            plot: dial(choice, 1_000_000),
            betray: 0,
            nothing: 100_000,
        }
    }

    /// Little else goes wrong than what is plotted, and that with time between to elect a leader.
    pub(super) fn plot_much<C: Choice>(&mut self, choice: &mut C) {
        let often = choice.range(50_000..=400_000);
        self.nemesis_us = (often / 2, often * 2);
        for weight in [&mut self.crash, &mut self.crash_mid_step, &mut self.pause] {
            *weight /= 16;
        }
        self.spurious_tick /= 16;
        self.clock /= 4;
        self.plot = 200_000 + choice.below(800_000);
        self.betray = 200_000 + choice.below(800_000);
    }

    /// Processes that run and clocks that are right.
    pub fn calm() -> HostWeights {
        HostWeights {
            nemesis_us: (1_000_000, 1_000_000),
            crash: 0,
            crash_many: 0,
            crash_mid_step: 0,
            down_us: (0, 0),
            pause: 0,
            pause_us: 0,
            clock: 0,
            skew: 0,
            misread: 0,
            hint: 0,
            spurious_tick: 0,
            transfer: 0,
            plot: 0,
            betray: 0,
            nothing: 1,
        }
    }
}

/// What the clients do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientWeights {
    /// How many there are.
    pub clients: u8,
    /// How many keys they share.
    pub keys: u8,
    /// Shortest and longest pause between two operations (µs).
    pub think_us: (u64, u64),
    /// An operation is a read.
    pub reads: u32,
    /// A client has a session, so that it may try again after an unknown outcome.
    pub sessions: u32,
    /// A client with a session tries again after an unknown outcome.
    pub retry: u32,
    /// A payload is long, up to what is allowed.
    pub long: u32,
    /// A payload is too large.
    pub oversized: u32,
    /// How long a client waits for an answer (µs).
    pub timeout_us: u64,
    /// A turn of a node's event loop (µs): what arrives within one is proposed as one run.
    pub turn_us: u64,
}

impl ClientWeights {
    pub(super) fn draw<C: Choice>(choice: &mut C, nodes: u8) -> ClientWeights {
        let think = choice.range(0..=60_000);
        ClientWeights {
            clients: 1 + choice.below(3 * u32::from(nodes)) as u8,
            keys: 1 + choice.below(4) as u8,
            think_us: (think / 4, think),
            reads: choice.below(700_000),
            sessions: choice.below(1_000_000),
            retry: choice.below(1_000_000),
            long: dial(choice, 1_000_000),
            oversized: dial(choice, 20_000),
            timeout_us: choice.range(100_000..=4_000_000),
            turn_us: choice.range(0..=3_000),
        }
    }
}
