//! One group on one node: the only place where the roles meet.

mod check;
mod founding;
mod front_door;
mod images;
mod inputs;
mod receive;
mod roles;
#[cfg(test)]
mod testing;
mod view;

use alloc::sync::Arc;

use roles::Roles;
pub use view::Standing;

use crate::effect::{Effects, Outbox, Road};
use crate::log::DurableGroup;
use crate::message::Envelope;
use crate::quorum::{Membership, Regime};
use crate::role::{Cx, Founder, Setting, earliest};
use crate::types::{
    Ballot, Commands, GroupId, Image, ImageId, Instant, NodeId, Piece, ProposalId, QueryId, Rng,
    Schedule, Slot,
};

/// One group on one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Replica {
    group: GroupId,
    regime: Regime,
    rng: Rng,
    founder: Founder,
    roles: Roles,
}

/// What can happen to one group in a step, beside messages.
#[derive(Debug)]
pub(crate) enum Event {
    /// Commands, with handles that count up from the first.
    Proposed(ProposalId, Commands),
    /// A change of the members.
    MembersProposed(ProposalId, Arc<Membership>),
    /// A query.
    Queried(QueryId),
    /// Someone wants that node to lead.
    TransferRequested(NodeId),
    /// Someone wants a checkpoint now.
    CheckpointRequested,
    /// This checkpoint is durable.
    Captured(Image),
    /// The checkpoint of everything below failed.
    CaptureFailed(Slot),
    /// Bytes of an image for a peer.
    Loaded(NodeId, Piece),
    /// An image is on the disk up to this offset.
    Stored(ImageId, u64),
    /// An image could not be stored.
    StoreFailed(ImageId),
    /// An image has taken the state machine's place.
    Installed(ImageId),
    /// An image could not.
    InstallFailed(ImageId),
    /// A hint that a peer is gone.
    PeerDown(NodeId),
    /// A hint that a peer is back.
    PeerUp(NodeId),
    /// Time has passed.
    Ticked,
}

/// What was found on the disk at the start.
#[derive(Debug)]
pub(crate) struct Found {
    /// The first slot that the state machine has not applied.
    ///
    /// Invariant: at or above all that `image` is of.
    pub(crate) applied: Slot,
    /// The newest image.
    pub(crate) image: Option<Image>,
    /// Bytes of an image that was coming in.
    pub(crate) partial: Option<(ImageId, u64)>,
    /// Promises, votes and chosen values.
    pub(crate) durable: DurableGroup,
}

/// What a node lends a replica for one event.
#[derive(Debug)]
pub(crate) struct Loan<'a> {
    pub(crate) now: Instant,
    pub(crate) setting: &'a Setting,
    pub(crate) road: &'a mut Road,
    pub(crate) effects: &'a mut Effects,
}

impl Replica {
    /// A replica that is bound by what its disk says, and knows no leader yet.
    pub(crate) fn restore(
        group: GroupId,
        founded: Membership,
        mut found: Found,
        mut rng: Rng,
        (now, setting): (Instant, &Setting),
    ) -> Replica {
        let (founder, founded) = founding::begin(founded, &found, (now, setting));
        let has_joined = founder.is_settled()
            && founded.is_unknown()
            && found.durable.promised() == Ballot::ZERO;
        // A checkpoint speaks for the slots that it replaces; the log comes after it.
        let founded = Schedule::starting(Slot::FIRST, Arc::new(founded));
        let checkpoint = found.image.as_ref().map(|image| &image.checkpoint);
        let mut regime = checkpoint.map_or_else(
            || Regime::new(founded, Slot::FIRST),
            |c| Regime::new(c.schedule.clone(), c.below),
        );
        // A witness has no checkpoint, and was told what it would say of the members.
        if let Some((below, schedule)) = found.durable.take_relieved()
            && below > regime.frontier()
        {
            regime = Regime::new(schedule, below);
        }
        if regime.frontier() < found.durable.log().floor() {
            // Nor is a machine of use that kept its state: it may lead nobody, and is not checked.
            found.applied = found.applied.min(regime.frontier());
        }
        let mut roles = Roles::restore(group, found, &mut rng, (now, setting));
        if has_joined {
            roles.on_joined(setting);
        }
        roles.read_regime(&mut regime);
        if regime.frontier() < roles.log.floor() {
            // The image is lost that said who decides from there on, to a witness, too.
            regime.wake();
        }
        Replica { group, regime, rng, founder, roles }
    }

    /// The group.
    pub fn id(&self) -> GroupId {
        self.group
    }

    /// Takes in a message, a peer's or our own. The values that it carries may stay here.
    pub(crate) fn on_received(&mut self, envelope: &mut Envelope, loan: Loan<'_>) {
        self.step(loan, |founder, roles, cx| founding::on_received(envelope, founder, roles, cx));
    }

    /// Takes in one event.
    pub(crate) fn on(&mut self, event: Event, loan: Loan<'_>) {
        self.step(loan, |founder, roles, cx| match event {
            Event::Proposed(first, commands) => roles.on_proposed(first, commands, cx),
            Event::MembersProposed(proposal, membership) => {
                roles.on_members_proposed(proposal, &membership, cx);
            }
            Event::Queried(query) => roles.on_query(query, cx),
            Event::TransferRequested(to) => roles.on_transfer_requested(to, cx),
            Event::PeerDown(peer) => roles.on_peer_down(peer, cx),
            Event::PeerUp(peer) => {
                founder.on_peer_up(peer, cx);
                roles.on_peer_up(peer, cx);
            }
            Event::CheckpointRequested => roles.on_checkpoint_requested(cx),
            Event::Captured(image) => roles.on_captured(image, cx),
            Event::CaptureFailed(below) => roles.on_capture_failed(below, cx),
            Event::Loaded(to, piece) => roles.on_loaded(to, piece, cx),
            Event::Stored(image, end) => roles.on_stored(image, end),
            Event::StoreFailed(image) => roles.on_store_failed(image, cx),
            Event::Installed(image) => roles.on_installed(image, cx),
            Event::InstallFailed(image) => roles.on_install_failed(image, cx),
            Event::Ticked => {
                founding::on_tick(founder, roles, cx);
                roles.on_tick(cx);
            }
        });
    }

    /// What comes before and after anything that happens.
    fn step(
        &mut self,
        loan: Loan<'_>,
        take_in: impl FnOnce(&mut Founder, &mut Roles, &mut Cx<'_>),
    ) {
        let Loan { now, setting, road, effects } = loan;
        let out = Outbox::new(self.group, (setting.me, setting.disk), road, effects);
        let mut cx = Cx { now, setting, regime: &mut self.regime, rng: &mut self.rng, out };
        self.roles.begin(&mut cx);
        take_in(&mut self.founder, &mut self.roles, &mut cx);
        self.roles.finish(&mut cx);
    }

    /// When the next tick is due.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        earliest(self.founder.wake_at(), self.roles.wake_at())
    }
}
