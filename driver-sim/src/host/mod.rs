//! One machine: a disk, a vault and a clock that outlive the process, and the process while it lives.

mod clock;
mod desk;
mod lore;
mod room;

pub(crate) use self::clock::Clock;
pub(crate) use self::desk::{Asked, Desk, Ticket};
pub(crate) use self::lore::{Copy, Lore};
pub(crate) use self::room::Room;

use paxos_core::Node;
use paxos_core::types::{GroupId, Incarnation, NodeId, Slot};

use crate::check::{Handed, Speaker, Watch};
use crate::disk::Disk;
use crate::machine::Bank;
use crate::vault::Vault;
use crate::world::{Slow, Words};

/// One machine.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// The node that runs here.
    pub(crate) id: NodeId,
    /// The process; none while it is down.
    pub(crate) life: Option<Life>,
    /// How often the process was started.
    pub(crate) lives: u32,
    /// The disk.
    pub(crate) disk: Disk,
    /// What names the disk; zero where nobody asks.
    pub(crate) disk_name: u64,
    /// What the disk knows of lives.
    pub(crate) lore: Lore,
    /// The images.
    pub(crate) vault: Vault,
    /// The room on the disk.
    pub(crate) room: Room,
    /// What it is behind with while its processor is slow.
    pub(crate) slow: Slow,
    /// What its disks have said last, where that may come late.
    pub(crate) words: Words,
    /// The clock.
    pub(crate) clock: Clock,
    /// Until when nothing moves here (µs); past if it does.
    pub(crate) paused_until: u64,
    /// Whether it stays down for good.
    pub(crate) barred: bool,
    /// What this life has misread from its disk: a chosen value, since when its state is wrong.
    pub(crate) misread: Option<(GroupId, Slot)>,
}

/// One process, from a start to a crash.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// Which start this is, from 1; the node's incarnation.
    pub(crate) number: u32,
    /// The core.
    pub(crate) node: Node,
    /// State machines, by group.
    pub(crate) banks: Vec<Bank>,
    /// What each group last said.
    pub(crate) watches: Vec<Watch>,
    /// What leaders have said of making way.
    pub(crate) heard: Handed,
    /// When the next wake is planned (µs of simulated time).
    pub(crate) wake: Option<u64>,
    /// Who waits for what.
    pub(crate) desk: Desk,
}

impl Host {
    /// A machine that was never started.
    pub(crate) fn new(id: NodeId, clock: Clock, (disk, name): (Disk, u64), vault: Vault) -> Host {
        Host {
            id,
            disk_name: name,
            life: None,
            lives: 0,
            disk,
            lore: Lore::default(),
            vault,
            room: Room::default(),
            slow: Slow::default(),
            words: Words::default(),
            clock,
            paused_until: 0,
            barred: false,
            misread: None,
        }
    }

    /// Whether the cluster must do without it, now or after the next crash.
    pub(crate) fn is_ailing(&self) -> bool {
        self.barred
            || self.misread.is_some()
            || self.disk.is_rotten()
            || self.vault.is_rotten()
            || !self.is_covered()
    }

    /// Whether sound images stand in for all that is trimmed from its log.
    pub(crate) fn is_covered(&self) -> bool {
        let mut groups = self.disk.durable().groups();
        groups.all(|(id, group)| {
            let relieved = group.relieved().unwrap_or(Slot::FIRST);
            group.log().floor() <= self.vault.shelf(id).covers_soundly().max(relieved)
        })
    }

    /// Everything below is known to be chosen here, and can be had from here: what a witness was
    /// let go of cannot.
    pub(crate) fn has_below(&self, group: GroupId) -> Slot {
        let Some(durable) = self.disk.durable().group(group) else { return Slot::FIRST };
        let is_whole = durable.log().floor() <= self.vault.shelf(group).covers_soundly();
        if is_whole { durable.log().chosen() } else { Slot::FIRST }
    }

    /// Whether the process runs.
    pub(crate) fn is_up(&self) -> bool {
        self.life.is_some()
    }

    /// Another disk is put in, an empty one.
    pub(crate) fn replace_disk(&mut self, disk: Disk, name: u64) {
        self.disk = disk;
        self.lore.forget();
        self.words.outlive();
        self.disk_name = name;
    }

    /// Which start of the process it is, from 1, whatever becomes of its disks.
    pub(crate) fn incarnation(&self) -> Incarnation {
        Incarnation(self.lives.into())
    }

    /// The process, if it is this life of it.
    pub(crate) fn in_life(&mut self, number: u32) -> Option<&mut Life> {
        self.life.as_mut().filter(|life| life.number == number)
    }

    /// The disk that this host's votes count from: none that anybody knows while it is an older
    /// copy.
    pub(crate) fn disk_that_counts(&self) -> u64 {
        if self.lore.is_old { u64::MAX } else { self.disk_name }
    }

    /// This host as one who speaks for `group`.
    pub(crate) fn speaker(&self, group: GroupId) -> Speaker<'_> {
        Speaker {
            node: self.id,
            life: u64::from(self.lives),
            disk: self.disk_that_counts(),
            durable: self.disk.durable().group(group),
        }
    }
}
