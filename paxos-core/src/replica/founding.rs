//! Before there is a group: what a replica may do until its founders know each other.

use alloc::sync::Arc;

use super::Found;
use super::roles::Roles;
use crate::effect::{Ignored, Notice};
use crate::message::{Envelope, Message};
use crate::quorum::Membership;
use crate::role::{Cx, Founder, Setting};
use crate::types::{Ballot, Charter, Founding, Instant, Schedule, Slot};

/// What sees to the founding of a group of this design, and who decides the first slots
/// as far as the disk says. Nothing is to be founded by a disk without a name, nor where
/// the design names the disks itself; nor by a disk that knows more than its log, which
/// was lost.
pub(super) fn begin(
    design: Membership,
    found: &Found,
    (now, setting): (Instant, &Setting),
) -> (Founder, Membership) {
    let written = found.durable.founding().clone();
    let durable = &found.durable;
    let is_old = durable.promised() != Ballot::ZERO
        || durable.log().end() > Slot::FIRST
        || durable.relieved().is_some()
        || found.image.is_some();
    let founding = match written {
        Founding::Open if setting.disk == 0 || is_old || design.is_unknown() => Founding::Joined,
        Founding::Open => Charter::of(&design).map_or(Founding::Open, Founding::Founded),
        // It was told of the group before it could write that down.
        Founding::Named(_) if is_old || design.is_unknown() => Founding::Joined,
        written => written,
    };
    let founder = Founder::new(Arc::new(design.clone()), founding, now);
    let members = if setting.disk == 0 { design } else { founder.membership() };
    (founder, members)
}

/// Takes in that the group is founded, if it `settled` just now.
fn on_founded(settled: bool, founder: &Founder, roles: &mut Roles, cx: &mut Cx<'_>) {
    if !settled {
        return;
    }
    let members = founder.membership();
    if members.is_unknown() {
        roles.on_joined(cx.setting);
    }
    if members.is_unknown() || !cx.regime.newest().1.is_unknown() {
        return;
    }
    cx.regime.install(Schedule::starting(Slot::FIRST, Arc::new(members)), Slot::FIRST);
    roles.elector.on_leaderless(cx);
}

/// Takes in a message. Nothing but the founding is spoken of before there is a group.
pub(super) fn on_received(
    envelope: &mut Envelope,
    founder: &mut Founder,
    roles: &mut Roles,
    cx: &mut Cx<'_>,
) {
    let Envelope { from, disk, message, .. } = envelope;
    match message {
        Message::Greet(m) => {
            let settled = from.can_vote() && founder.on_greet(*from, *disk, m, cx);
            on_founded(settled, founder, roles, cx);
        }
        _ if founder.is_settled() => roles.on_received(envelope, cx),
        _ => {
            if from.can_vote() {
                founder.ask(*from, cx);
            }
            let group = cx.out.group();
            cx.out.note(Notice::Ignored(Ignored::Unfounded(group, *from)));
        }
    }
}

/// Sees to the founding.
pub(super) fn on_tick(founder: &mut Founder, roles: &mut Roles, cx: &mut Cx<'_>) {
    let settled = founder.on_tick(cx);
    on_founded(settled, founder, roles, cx);
}

#[cfg(test)]
mod tests;
