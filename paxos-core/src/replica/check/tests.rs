//! That a check fails where it should: one that cannot is worth nothing.

use super::*;
use crate::effect::{Effects, Gate, Outbox, Road};
use crate::log::Durable;
use crate::message::{Offer, Pull};
use crate::quorum::Membership;
use crate::replica::roles::Roles;
use crate::replica::{Event, Found, Loan, Standing};
use crate::role::testing::{ME, N2, b, command, run};
use crate::role::{Cx, Installer, Learner, Ready, Shelf, Want};
use crate::types::{
    Ballot, Checkpoint, Checksum, Commands, GroupId, Image, Incarnation, Instant, Limits, PRIORITY,
    ProposalId, QueryId, Rng, Slot, Timing,
};

const GROUP: GroupId = GroupId(0);

/// The only replica of a group.
struct Alone {
    replica: Replica,
    setting: Setting,
    now: Instant,
    road: Road,
    effects: Effects,
}

impl Alone {
    fn new() -> Alone {
        let setting = Setting {
            me: ME,
            incarnation: Incarnation(1),
            disk: 0,
            priority: PRIORITY,
            timing: Timing::default(),
            limits: Limits::default(),
        };
        let durable = Durable::default().take(GROUP);
        let found = Found { applied: Slot::FIRST, image: None, partial: None, durable };
        let (members, now) = (Membership::majority([ME]), Instant::default());
        let replica = Replica::restore(GROUP, members, found, Rng::new(1), (now, &setting));
        Alone { replica, setting, now, road: Road::default(), effects: Effects::new() }
    }

    /// The same, when it leads and a command is chosen.
    fn leading() -> Alone {
        let mut alone = Alone::new();
        let mut gate = Gate::new(ME, 100);
        while alone.replica.standing() != Standing::Leader {
            alone.now = alone.replica.wake_at().expect("it waits for a leader");
            alone.step(Event::Ticked, &mut gate);
        }
        let commands = Commands::from(command("a"));
        alone.step(Event::Proposed(ProposalId(1), commands), &mut gate);
        assert!(alone.replica.chosen() > Slot::FIRST);
        alone
    }

    /// With a disk that answers at once.
    fn step(&mut self, event: Event, gate: &mut Gate) {
        let Alone { replica, setting, now, road, effects } = self;
        replica.on(event, Loan { now: *now, setting, road, effects });
        while !road.is_empty() {
            while let Some(mut envelope) = road.next_loopback() {
                replica.on_received(&mut envelope, Loan { now: *now, setting, road, effects });
            }
            gate.close(road, effects);
            gate.on_persisted(gate.issued(), road, effects);
        }
    }

    /// Does to the roles what no message could.
    fn break_in(mut self, harm: impl FnOnce(&mut Roles, &mut Cx<'_>)) -> Alone {
        let Alone { replica, setting, now, road, effects } = &mut self;
        let Replica { regime, rng, roles, .. } = replica;
        let out = Outbox::new(GROUP, (ME, 0), road, effects);
        harm(roles, &mut Cx { now: *now, setting, regime, rng, out });
        self
    }

    fn limited(mut self, limit: impl FnOnce(&mut Limits)) -> Alone {
        limit(&mut self.setting.limits);
        self
    }

    fn says(&self) -> Option<&'static str> {
        self.replica.check(&self.setting).err()
    }
}

fn ready(ballot: Ballot) -> Ready {
    Ready { ballot, deadline: Instant::default(), released: None }
}

fn image(cx: &Cx<'_>) -> Image {
    let schedule = cx.regime.schedule().clone();
    let checkpoint = Checkpoint { below: Slot(9), sum: Checksum::FIRST, schedule };
    Image { checkpoint, bytes: 0, digest: 0 }
}

#[test]
fn a_replica_that_is_well_passes() {
    assert_eq!((Alone::new().says(), Alone::leading().says()), (None, None));
}

#[test]
fn a_proposer_speaks_for_its_own_acceptor() {
    let campaign = |roles: &mut Roles, ballot, cx: &mut Cx<'_>| {
        roles.proposer.campaign(ready(ballot), Slot::FIRST, cx);
    };
    let left = Alone::new().break_in(|roles, cx| campaign(roles, b(2, ME), cx));
    let says = "a proposer speaks under a ballot that its own acceptor has left";
    assert_eq!(left.says(), Some(says));
    for (node, says) in [(ME, None), (N2, Some("a proposer speaks under another node's ballot"))] {
        let stands = Alone::new().break_in(|roles, cx| {
            roles.acceptor.campaign(b(2, node), cx);
            campaign(roles, b(2, node), cx);
        });
        assert_eq!(stands.says(), says);
    }
}

#[test]
fn a_leader_follows_itself_and_nobody_else_follows_it_here() {
    let follows = Alone::new().break_in(|roles, cx| roles.elector.on_leader(b(2, ME), cx));
    assert_eq!(follows.says(), Some("a replica follows itself and does not lead"));
    let other = Alone::new().break_in(|roles, cx| roles.elector.on_leader(b(2, N2), cx));
    assert_eq!(other.says(), None);
    let astray = Alone::leading().break_in(|roles, cx| roles.elector.on_leaderless(cx));
    assert_eq!(astray.says(), Some("a leader follows someone else"));
}

#[test]
fn nothing_is_chosen_that_a_leader_has_not_proposed() {
    let beyond = Alone::leading().break_in(|roles, _| {
        let next = roles.log.end();
        roles.log.learn(&run(next.0, &["not the leader's"]));
    });
    assert_eq!(beyond.says(), Some("slots are chosen that their leader never proposed"));
}

#[test]
fn a_log_has_a_bound() {
    let log = || Alone::new().break_in(|roles, _| roles.log.vote(b(1, N2), run(4, &["a", "b"])));
    assert_eq!(log().limited(|l| l.log_slots_max = 5).says(), None);
    let over = log().limited(|l| l.log_slots_max = 4);
    assert_eq!(over.says(), Some("the log is over its bound"));
}

#[test]
fn who_leads_has_its_state_machine() {
    let lost = Alone::leading().break_in(|roles, cx| {
        roles.log.trim(roles.log.chosen());
        let summed = (Slot::FIRST, Checksum::FIRST);
        roles.learner = Learner::new(Slot::FIRST, summed, roles.log.chosen(), cx.now);
    });
    assert_eq!(lost.says(), Some("a replica leads whose state machine is lost"));
}

#[test]
fn loads_and_reads_have_bounds() {
    let gives = || {
        Alone::new().break_in(|roles, cx| {
            let image = Image { bytes: 5, ..image(cx) };
            roles.shelf = Shelf::new(Some(image.clone()));
            let pull = Pull { image: image.id(), offset: 0, bytes: 5 };
            roles.donor.on_pull(N2, &pull, &roles.shelf, Slot(9), cx);
        })
    };
    assert_eq!(gives().limited(|l| l.loads_max = 1).says(), None);
    let over = gives().limited(|l| l.loads_max = 0);
    assert_eq!(over.says(), Some("more pieces are being read than the bound"));
    let reads = || Alone::new().break_in(|roles, cx| roles.reader.on_query(QueryId(1), cx));
    assert_eq!(reads().limited(|l| l.reads_max = 1).says(), None);
    let over = reads().limited(|l| l.reads_max = 0);
    assert_eq!(over.says(), Some("more reads than the bound"));
}

#[test]
fn a_state_machine_is_captured_or_replaced() {
    let capture = |roles: &mut Roles, cx: &mut Cx<'_>| {
        let checkpoint = image(cx).checkpoint;
        roles.archivist.capture(checkpoint, cx);
    };
    let install = |roles: &mut Roles, cx: &mut Cx<'_>| {
        let want = Want { above: Slot::FIRST, up_to: Slot::MAX, leader: None, is_urgent: false };
        let offer = Offer { image: image(cx), chosen: Slot(9) };
        roles.installer = Installer::new(GROUP, None, cx.now);
        roles.installer.on_offer(N2, &offer, want, cx);
        roles.installer.on_step(want, false, cx);
        assert!(roles.installer.is_installing());
    };
    assert_eq!(Alone::new().break_in(capture).says(), None);
    assert_eq!(Alone::new().break_in(install).says(), None);
    let both = Alone::new().break_in(capture).break_in(install);
    assert_eq!(both.says(), Some("a state machine is captured and replaced at once"));
}
