use paxos_core::types::Ballot;

use super::*;
use crate::check::hash;

fn of(voters: &[u16]) -> Membership {
    Membership::majority(voters.iter().map(|n| NodeId(*n))).with_window(2)
}

/// Has one disk choose `next` at the first slot.
fn chosen(members: &mut Members, next: &Membership) -> Checked {
    let value = Value::Config(Arc::new(next.clone()));
    let (mut slots, sum) = (Slots::default(), hash(&value));
    members.voted(Slot(1), sum, &value)?;
    let quorum = members.accept(Slot(1));
    slots.vote(Slot(1), Ballot::new(1, NodeId(1)), sum, 0b10, quorum)?;
    members.take_in(&slots)
}

#[test]
fn quorums_are_those_of_the_slot() {
    let mut members = Members::new(of(&[1]));
    let next = of(&[2, 3]).with_version(1);
    members.wants(&next);
    chosen(&mut members, &next).unwrap();
    assert_eq!(members.accept(Slot(2)), Quorum { voters: 0b10, size: 1 });
    assert_eq!(members.accept(Slot(3)), Quorum { voters: 0b1100, size: 2 });
    assert_eq!(members.accept(Slot(3)).count(0b0110), 1);
    assert!(members.has(NodeId(1)) && members.has(NodeId(3)) && !members.has(NodeId(4)));
}

#[test]
fn members_out_of_nowhere_are_found() {
    let mut members = Members::new(of(&[1]));
    let violation = chosen(&mut members, &of(&[2]).with_version(1)).unwrap_err();
    assert_eq!(violation.invariant, "I2 validity");
}

#[test]
fn who_is_bound_to_a_disk_that_is_gone_is_found() {
    for (disk, is_sound) in [(7, false), (8, true), (9, true)] {
        let mut members = Members::new(of(&[1]).with_disk(NodeId(1), 8));
        let next = of(&[1]).with_version(1).with_disk(NodeId(1), disk);
        assert_eq!(chosen(&mut members, &next).is_ok(), is_sound, "{disk}");
    }
}

#[test]
fn a_vote_where_nobody_can_know_who_decides_is_found() {
    let mut members = Members::new(of(&[1]));
    assert!(members.voted(Slot(2), 0, &Value::Noop).is_ok());
    let violation = members.voted(Slot(3), 0, &Value::Noop).unwrap_err();
    assert_eq!(violation.invariant, "I16 membership");
}
