//! All roles of one replica, for tests: without a founder, a node and a disk.

use alloc::vec::Vec;

use super::Found;
use super::roles::Roles;
use crate::log::Durable;
use crate::message::Promise;
use crate::quorum::Membership;
use crate::role::testing::{Bench, ME, N2, N3, b, run};
use crate::role::{Promised, Ready, Shelf};
use crate::types::{Checkpoint, Checksum, GroupId, Image, Instant, Rng, Schedule, Slot};

pub(super) const GROUP: GroupId = GroupId(0);

/// The roles of n1 alone.
pub(super) struct Stage {
    pub(super) roles: Roles,
    pub(super) bench: Bench,
}

impl Stage {
    /// In this group, and everything below `end` is chosen and delivered.
    pub(super) fn of(members: Membership, end: u64) -> Stage {
        let mut bench = Bench::of(members);
        let durable = Durable::default().take(GROUP);
        let found = Found { applied: Slot::FIRST, image: None, partial: None, durable };
        let now = (bench.now, &bench.setting);
        let mut roles = Roles::restore(GROUP, found, &mut Rng::new(1), now);
        (1..end).for_each(|slot| roles.log.learn(&run(slot, &["v"])));
        roles.read_regime(&mut bench.regime);
        roles.deliver(&mut bench.cx());
        bench.ordered();
        Stage { roles, bench }
    }

    /// The same, with a log from `floor` on and this image.
    pub(super) fn trimmed(members: Membership, floor: u64, image: &Image) -> Stage {
        let mut stage = Stage::of(members, 9);
        stage.roles.log.trim(Slot(floor));
        stage.roles.shelf = Shelf::new(Some(image.clone()));
        stage
    }

    pub(super) fn campaign(&mut self) {
        let ready = Ready { ballot: b(2, ME), deadline: Instant::default(), released: None };
        self.roles.acceptor.campaign(ready.ballot, &mut self.bench.cx());
        self.roles.proposer.campaign(ready, self.roles.log.chosen(), &mut self.bench.cx());
        self.clear();
    }

    /// Leads at once, in a group where its own promise is enough.
    pub(super) fn lead(&mut self) {
        self.campaign();
        let (from, chosen) = (self.roles.log.chosen(), self.roles.log.chosen());
        let promise = Promise { ballot: b(2, ME), from, to: None, chosen, votes: Vec::new() };
        let Stage { roles, bench } = self;
        let led = roles.proposer.on_promise((ME, 0), &promise, chosen, &mut bench.cx());
        assert!(matches!(led, Promised::Leadership));
        roles.on_leading(&mut bench.cx());
        self.clear();
    }

    pub(super) fn clear(&mut self) {
        self.bench.said();
        self.bench.written();
        self.bench.ordered();
    }
}

/// One promise is enough here, and one vote is not.
pub(super) fn two() -> Membership {
    Membership::flexible([ME, N3], 1, 2)
}

pub(super) fn three() -> Membership {
    Membership::majority([ME, N2, N3])
}

/// An image of everything below that slot, which says who the members are.
pub(super) fn image(below: u64, members: Membership) -> Image {
    let schedule = Schedule::starting(Slot::FIRST, members.into());
    let checkpoint = Checkpoint { below: Slot(below), sum: Checksum::FIRST, schedule };
    Image { checkpoint, bytes: 0, digest: 0 }
}
