//! What is left to do of an order that names all members anew.
//!
//! Two changes at most: whoever is new and is to vote is a learner first; when all of
//! these are ready, everything else happens in one. Until then nobody loses a vote.

use paxos_core::quorum::{Membership, NodeSet, Role};
use paxos_core::types::NodeId;

use super::next::{Next, Seen, text};
use crate::front::{Kind, Wanted};

impl Seen<'_> {
    /// What is left to do until these are the members.
    pub(super) fn whole(&self, wanted: &[Wanted]) -> Next {
        let is_lost = |one: &&Wanted| one.address.is_none() && self.is_new(one.id);
        if let Some(Wanted { id, .. }) = wanted.iter().find(is_lost) {
            return Next::Refuse(format!("{id} is new: say where it is, as in 4=10.0.0.4:7101"));
        }
        let goal = self.goal(wanted);
        let refused = shared_address(&goal).or_else(|| self.moved(wanted));
        if let Some(refused) = refused.or_else(|| self.without_data(&goal)) {
            return refused;
        }
        if self.is_reached(&goal) {
            return Next::Done;
        }
        let is_mute = |one: &&Wanted| one.kind != Kind::Learner && self.is_new(one.id);
        if wanted.iter().any(|one| is_mute(&one)) {
            let introduced = self.introduced(wanted);
            return shared_address(&introduced).unwrap_or(Next::Propose(introduced));
        }
        match goal.voters().iter().all(|id| self.is_ready(id, &goal)) {
            true => Next::Propose(goal),
            false => Next::Wait,
        }
    }

    fn is_new(&self, id: NodeId) -> bool {
        self.members.role(id) == Role::Stranger
    }

    /// The members as they are to be.
    fn goal(&self, wanted: &[Wanted]) -> Membership {
        let of = |kinds: &[Kind]| -> NodeSet {
            wanted.iter().filter(|one| kinds.contains(&one.kind)).map(|one| one.id).collect()
        };
        let voters = of(&[Kind::Voter, Kind::Witness]);
        let goal = self.succeeded_by(voters, of(&[Kind::Learner]));
        with_addresses(goal.with_witnesses(of(&[Kind::Witness]).iter()), wanted.iter())
    }

    /// The members as they are, and whoever is new as a learner.
    fn introduced(&self, wanted: &[Wanted]) -> Membership {
        let new = wanted.iter().filter(|one| self.is_new(one.id));
        let learners = self.members.learners().or(new.clone().map(|one| one.id).collect());
        with_addresses(self.succeeded_by(self.members.voters(), learners), new)
    }

    fn is_reached(&self, goal: &Membership) -> bool {
        let is_there = |id| goal.address(id) == self.members.address(id);
        have_equal_roles(goal, self.members) && goal.everyone().iter().all(is_there)
    }

    /// Whether `id` may vote as `goal` has it. Who votes now may, whether it keeps data or
    /// is to: it has a vote already.
    fn is_ready(&self, id: NodeId, goal: &Membership) -> bool {
        match goal.role(id) {
            _ if self.members.voters().contains(id) => true,
            // A witness needs no history. It has to be heard of: with which disk it votes.
            Role::Witness => self.heard.contains(id),
            _ => self.caught_up.contains(id),
        }
    }

    /// Somebody who is said to be elsewhere, and answers where it is.
    fn moved(&self, wanted: &[Wanted]) -> Option<Next> {
        let is_elsewhere = |one: &&Wanted| {
            let there = self.members.address(one.id);
            one.address.is_some_and(|address| text(address) != *there) && !self.is_new(one.id)
        };
        let one = wanted.iter().filter(is_elsewhere).find(|one| self.up.contains(one.id))?;
        let there = String::from_utf8_lossy(self.members.address(one.id));
        Some(Next::Refuse(format!("{} is up at {there}: leave its address out", one.id)))
    }

    /// Witnesses that are all to keep data at once, and nobody to have it from.
    fn without_data(&self, goal: &Membership) -> Option<Next> {
        let empty = goal.mains().without(self.members.witnesses()).is_empty();
        let why = "a voter that keeps data has to stay, or come, beside witnesses";
        empty.then(|| Next::Refuse(why.into()))
    }
}

/// Whether everyone is the same to the group in both.
pub(super) fn have_equal_roles(a: &Membership, b: &Membership) -> bool {
    (a.voters(), a.witnesses(), a.learners()) == (b.voters(), b.witnesses(), b.learners())
}

fn with_addresses<'a>(to: Membership, said: impl Iterator<Item = &'a Wanted>) -> Membership {
    let said = said.filter_map(|one| Some((one.id, one.address?)));
    said.fold(to, |to, (id, address)| to.with_address(id, text(address)))
}

/// Two at one address are one node, of which two votes would count.
fn shared_address(goal: &Membership) -> Option<Next> {
    let is_same = |a: NodeId, b: NodeId| {
        a < b && !goal.address(a).is_empty() && goal.address(a) == goal.address(b)
    };
    let all = goal.everyone();
    let (a, b) =
        all.iter().flat_map(|a| all.iter().map(move |b| (a, b))).find(|(a, b)| is_same(*a, *b))?;
    Some(Next::Refuse(format!("{a} and {b} cannot be at the same address")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::Change;

    /// n1 to n3 vote, and are at ports that bear their names.
    fn three() -> Membership {
        let three = Membership::majority([1, 2, 3].map(NodeId));
        [1, 2, 3].into_iter().fold(three, |to, id| to.with_address(NodeId(id), text(at(id))))
    }

    fn at(id: u16) -> std::net::SocketAddr {
        ([127, 0, 0, 1], id).into()
    }

    fn set(ids: &[u16]) -> NodeSet {
        ids.iter().copied().map(NodeId).collect()
    }

    /// Members by their ids; whoever is above n3 comes with an address.
    fn wanted(voters: &[u16], witnesses: &[u16], learners: &[u16]) -> Vec<Wanted> {
        let of = |ids: &[u16], kind| {
            let one =
                |id: &u16| Wanted { id: NodeId(*id), address: (*id > 3).then(|| at(*id)), kind };
            ids.iter().map(one).collect::<Vec<Wanted>>()
        };
        [of(voters, Kind::Voter), of(witnesses, Kind::Witness), of(learners, Kind::Learner)]
            .concat()
    }

    fn next(members: &Membership, heard: &[u16], caught_up: &[u16], all: &[Wanted]) -> Next {
        let heard = set(heard);
        Seen { members, heard, caught_up: set(caught_up), up: heard }.whole(all)
    }

    fn proposed(next: Next) -> Membership {
        match next {
            Next::Propose(membership) => membership,
            other => panic!("{other:?}"),
        }
    }

    fn roles(m: &Membership) -> (NodeSet, NodeSet, NodeSet) {
        (m.mains(), m.witnesses(), m.learners())
    }

    #[test]
    fn several_come_and_go_at_once_and_no_vote_is_given_before_its_time() {
        let all = wanted(&[1, 4, 5], &[6], &[7]);
        let first = proposed(next(&three(), &[2, 3], &[2, 3], &all));
        assert_eq!(roles(&first), (set(&[1, 2, 3]), set(&[]), set(&[4, 5, 6, 7])));
        assert_eq!((first.version(), first.address(NodeId(7))), (1, &text(at(7))));
        for (heard, caught_up) in
            [(&[2, 3][..], &[2, 3][..]), (&[4, 5, 6], &[4, 6]), (&[4, 5], &[4, 5])]
        {
            assert_eq!(next(&first, heard, caught_up, &all), Next::Wait, "{heard:?} {caught_up:?}");
        }
        // n6 needs no history, and n7 no vote.
        let last = proposed(next(&first, &[4, 5, 6], &[4, 5], &all));
        assert_eq!(roles(&last), (set(&[1, 4, 5]), set(&[6]), set(&[7])));
        assert_eq!((last.version(), last.is_sound()), (2, true));
        assert_eq!(next(&last, &[], &[], &all), Next::Done);
    }

    #[test]
    fn what_needs_no_catching_up_is_one_change() {
        for (voters, witnesses, learners) in [
            (&[1, 2][..], &[][..], &[3][..]),
            (&[1, 2], &[3], &[]),
            (&[3], &[], &[]),
            (&[2], &[], &[1, 3, 4]),
        ] {
            let all = wanted(voters, witnesses, learners);
            let last = proposed(next(&three(), &[], &[], &all));
            assert_eq!(roles(&last), (set(voters), set(witnesses), set(learners)));
            assert_eq!(next(&last, &[], &[], &all), Next::Done);
        }
    }

    #[test]
    fn a_witness_keeps_data_beside_others_and_not_alone() {
        let group = three().with_witnesses([NodeId(3)]);
        let last = proposed(next(&group, &[], &[], &wanted(&[1, 3], &[2], &[])));
        assert_eq!(roles(&last), (set(&[1, 3]), set(&[2]), set(&[])));
        let alone = next(&group, &[], &[], &wanted(&[3], &[], &[1, 2]));
        assert!(matches!(alone, Next::Refuse(_)), "{alone:?}");
    }

    #[test]
    fn an_address_is_for_who_is_new_or_has_moved_and_nobody_else_is_there() {
        let here = |id, address| Wanted { id: NodeId(id), address, kind: Kind::Voter };
        for (all, why) in [
            ([here(1, None), here(4, None)], "n4 is new"),
            ([here(1, None), here(4, Some(at(1)))], "n1 and n4 cannot"),
            ([here(4, Some(at(9))), here(5, Some(at(9)))], "n4 and n5 cannot"),
        ] {
            match next(&three(), &[], &[], &all) {
                Next::Refuse(said) => assert!(said.contains(why), "{said}"),
                other => panic!("{why}: {other:?}"),
            }
        }
        // n3 goes, and n2 comes to be where it was.
        let last = proposed(next(&three(), &[], &[], &[here(1, None), here(2, Some(at(3)))]));
        assert_eq!(last.address(NodeId(2)), &text(at(3)));
    }

    #[test]
    fn who_is_up_has_not_moved_and_two_are_never_at_one_place() {
        let here = |id, address| Wanted { id: NodeId(id), address, kind: Kind::Voter };
        for (all, heard, why) in [
            ([here(1, None), here(2, Some(at(9)))], &[2][..], "n2 is up at 127.0.0.1:2"),
            // n3 is there until the second change takes it out.
            ([here(1, None), here(4, Some(at(3)))], &[], "n3 and n4 cannot"),
        ] {
            match next(&three(), heard, &[], &all) {
                Next::Refuse(said) => assert!(said.contains(why), "{said}"),
                other => panic!("{why}: {other:?}"),
            }
        }
        assert!(matches!(next(&three(), &[2], &[], &[here(2, Some(at(2)))]), Next::Propose(_)));
    }

    /// n2 is down. Who takes n3 out leaves a group that waits for it.
    #[test]
    fn no_order_makes_members_of_which_no_quorum_is_up() {
        let members = three();
        let seen = |members, up: &[u16]| Seen {
            members,
            heard: set(&[2, 3]),
            caught_up: set(&[2, 3]),
            up: set(up),
        };
        let whole = |all: Vec<Wanted>| Change::Whole { version: 0, members: all.into() };
        for (change, up, is_made) in [
            (Change::Remove(NodeId(3)), &[1, 3][..], false),
            (Change::Remove(NodeId(2)), &[1, 3], true),
            (whole(wanted(&[1, 2], &[], &[])), &[1, 3], false),
            (whole(wanted(&[1, 3], &[], &[2])), &[1, 3], true),
            (whole(wanted(&[2], &[3], &[])), &[1, 3], false),
        ] {
            let next = seen(&members, up).next(&change);
            assert_eq!(matches!(next, Next::Propose(_)), is_made, "{change:?}: {next:?}");
        }
        let group = three().with_witnesses([NodeId(3)]);
        let next = seen(&group, &[1, 3]).next(&whole(wanted(&[2], &[3, 1], &[])));
        assert!(matches!(next, Next::Refuse(_)), "{next:?}: nobody who is up keeps data");
    }
}
