//! Groups that change their members while they work.

mod common;

use common::{Cluster, Fate, Message, SECOND, ignored, n, prepare, sent};
use paxos_core::Standing;
use paxos_core::effect::{Ignored, Notice, Outcome, Refusal};
use paxos_core::message::Probe;
use paxos_core::quorum::Role;
use paxos_core::types::{Ballot, Slot, Value};

const WINDOW: u32 = 8;

/// Two of three choose everything up to the border; from there on two of four choose
/// nothing.
#[test]
fn s68_the_new_quorum_counts_from_the_border_on_and_not_one_slot_earlier() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.elect_this(n(1));
    c.join(n(4));
    c.crash(n(3));
    c.crash(n(4));
    let p = c.change(n(1), &[1, 2, 3, 4], &[]);
    c.run(SECOND / 5);
    let Some(Outcome::Chosen(at)) = c.outcome(n(1), p) else { panic!("two of three choose it") };
    let border = at.plus(u64::from(WINDOW));
    assert_eq!(c.replica(n(1)).schedule().newest().0, border);
    assert_eq!(c.replica(n(1)).chosen(), border, "no-ops lead up to the border");
    let late = c.propose(n(1), "late");
    c.run(SECOND / 5);
    assert_eq!(c.replica(n(1)).chosen(), border, "two of four are no quorum");
    c.restart(n(4));
    c.run(SECOND * 3);
    assert!(c.replica(n(2)).chosen() > border);
    assert_ne!(c.outcome(n(1), late), None);
    c.restart(n(3));
    let leader = c.elect();
    assert!(c.is_chosen(leader, "by four"));
}

/// Promises of the old members say nothing about slots of the new ones: until a
/// quorum of those has promised, nothing is proposed there.
#[test]
fn s68_nothing_is_proposed_to_new_members_before_they_have_promised() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.elect_this(n(1));
    for id in 4..=6 {
        c.join(n(id));
    }
    // Were it told how far they are, n1 would make way for one of them.
    c.whim(|_, e| match &e.message {
        Message::Promise(_) | Message::HeartbeatAck(_) if e.from.0 > 3 => Fate::Hold,
        _ => Fate::Deliver,
    });
    c.change(n(1), &[4, 5, 6], &[]);
    c.run(SECOND / 5);
    let p = c.propose(n(1), "for the new");
    c.settle();
    let border = c.replica(n(1)).schedule().newest().0;
    assert_eq!(c.replica(n(1)).chosen(), border);
    assert!(!c.held.is_empty(), "they were asked");
    assert!(c.replica(n(1)).log().get(border).is_none() && c.outcome(n(1), p).is_none());
    let accepted = |c: &Cluster| (4..=6).any(|id| c.replica(n(id)).log().get(border).is_some());
    assert!(!accepted(&c));
    c.calm();
    c.release();
    c.settle();
    assert!(accepted(&c), "now it is");
    assert!(matches!(c.outcome(n(1), p), Some(Outcome::Chosen(s)) if s >= border));
}

#[test]
fn s68_a_group_grows_and_shrinks_under_load() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.join(n(4));
    c.join(n(5));
    let mut told = Vec::new();
    for voters in [&[1, 2, 3, 4, 5][..], &[1, 4, 5], &[1, 2, 3]] {
        for i in 0..20 {
            let leader = c.elect();
            let payload = format!("{} {i}", voters.len());
            if c.is_chosen(leader, &payload) {
                told.push(payload);
            }
            if i == 5 {
                c.change_to(voters);
            }
        }
    }
    assert!(told.len() > 50, "only {} were chosen", told.len());
    let leader = c.elect();
    for id in 1..=3 {
        let all = c.payloads(n(id));
        assert!(told.iter().all(|t| all.contains(t)), "n{id}");
    }
    for id in [4, 5] {
        let replica = c.replica(n(id));
        assert_eq!(replica.membership().role(n(id)), Role::Stranger, "n{id} knows that it is out");
        assert_eq!(replica.standing(), Standing::Follower);
    }
    assert!(c.newest(leader).voters().len() == 3);
}

#[test]
fn s69_a_leader_that_removes_itself_leads_to_the_end_and_never_again() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.elect_this(n(1));
    let p = c.change(n(1), &[2, 3], &[]);
    c.settle();
    assert!(matches!(c.outcome(n(1), p), Some(Outcome::Chosen(_))));
    assert_eq!(c.replica(n(1)).standing(), Standing::Leader, "until the others have it all");
    // It does not count itself: with n3 gone, {n1, n2} is no quorum of {n2, n3}.
    c.crash(n(3));
    let q = c.propose(n(1), "not by one");
    c.settle();
    assert_eq!(c.outcome(n(1), q), None);
    c.restart(n(3));
    c.run(SECOND * 3);
    let leader = c.leader().expect("the others go on");
    assert_ne!(leader, n(1));
    assert_eq!(c.replica(n(1)).standing(), Standing::Follower);
    let campaigns = |c: &Cluster| {
        let notices = c.host(n(1)).notices.iter();
        notices.filter(|notice| matches!(notice, Notice::Campaigning { .. })).count()
    };
    let before = campaigns(&c);
    c.crash(leader);
    c.run(SECOND * 5);
    assert_eq!(campaigns(&c), before, "whoever is out does not stand");
}

#[test]
fn s70_all_members_are_replaced_at_once_with_their_leader() {
    let (mut c, leader) = Cluster::bound(WINDOW);
    assert!(c.is_chosen(leader, "old"));
    for id in 4..=6 {
        c.join(n(id));
    }
    c.change_to(&[4, 5, 6]);
    let leader = c.elect();
    c.run(SECOND * 2);
    let leader = c.leader().unwrap_or(leader);
    assert!(leader.0 >= 4, "{leader} leads");
    for id in 1..=3 {
        c.crash(n(id));
    }
    assert!(c.is_chosen(leader, "new"));
    c.crash(leader);
    let next = c.elect();
    assert!(c.is_chosen(next, "newer"));
    assert_eq!(c.payloads(next), ["old", "new", "newer"]);
}

/// The leader falls while the change is under way: whoever comes next finishes it, or
/// nobody has seen it.
#[test]
fn s70_a_change_survives_its_leader() {
    for dies_after in 0..6 {
        let (mut c, leader) = Cluster::bound(WINDOW);
        for id in 4..=6 {
            c.join(n(id));
        }
        assert!(c.is_chosen(leader, "kept"));
        let next = [2, 3, 4, 5, 6].into_iter().filter(|id| n(*id) != leader).collect::<Vec<_>>();
        c.change(leader, &next, &[]);
        for _ in 0..dies_after * 8 {
            c.deliver_one();
        }
        c.crash(leader);
        c.run(SECOND * 3);
        c.restart(leader);
        c.change_to(&[2, 3, 4]);
        c.run(SECOND * 2);
        let last = c.elect();
        assert!(c.is_chosen(last, "after"), "died after {dies_after}");
        assert_eq!(c.payloads(last), ["kept", "after"], "died after {dies_after}");
    }
}

#[test]
fn s71_of_two_changes_at_the_same_time_one_is_refused() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.elect_this(n(1));
    let version = c.newest(n(1)).version();
    let first = c.change(n(1), &[1, 2], &[]);
    let second = c.change(n(1), &[1, 3], &[]);
    assert_eq!(c.outcome(n(1), second), Some(Outcome::Refused(Refusal::Pending)));
    let stale = c.newest(n(1)).succeeded_by([n(2)], []);
    c.run(SECOND);
    assert!(matches!(c.outcome(n(1), first), Some(Outcome::Chosen(_))));
    let late = c.propose_members(n(1), stale);
    let refused = Outcome::Refused(Refusal::Version(version + 1));
    assert_eq!(c.outcome(n(1), late), Some(refused));
    let elsewhere = c.change(n(2), &[2], &[]);
    assert_eq!(c.outcome(n(2), elsewhere), Some(Outcome::Redirected(Some(n(1)))));
    assert_eq!(c.newest(n(1)).voters(), [1, 2].map(n).into_iter().collect());
}

#[test]
fn s71_what_cannot_rule_is_refused() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.elect_this(n(1));
    let next = || c.newest(n(1)).succeeded_by([1, 2, 3].map(n), []);
    let wrong = [
        (next().with_window(3), Refusal::Window),
        (next().with_learners([n(3)]), Refusal::Unsound),
        (next().with_disk(n(9), 1), Refusal::Unsound),
        (c.newest(n(1)).succeeded_by([], [n(1)]), Refusal::Unsound),
    ];
    for (membership, why) in wrong {
        let p = c.propose_members(n(1), membership);
        assert_eq!(c.outcome(n(1), p), Some(Outcome::Refused(why)));
    }
}

#[test]
fn s73_old_members_decide_nothing_after_the_new_ones_rule() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.join(n(4));
    c.join(n(5));
    c.change_to(&[3, 4, 5]);
    c.run(SECOND * 2);
    for (a, b) in [1, 2].into_iter().flat_map(|a| [3, 4, 5].map(|b| (a, b))) {
        c.cut_both(n(a), n(b));
    }
    for id in [1, 2] {
        c.crash(n(id));
        c.restart(n(id));
    }
    let p = c.propose(n(1), "lost");
    c.run(SECOND * 5);
    assert!(!matches!(c.outcome(n(1), p), Some(Outcome::Chosen(_))));
    assert!([1, 2].iter().all(|id| c.replica(n(*id)).standing() == Standing::Follower));
    let leader = c.elect();
    assert!(c.is_chosen(leader, "new"));
    assert_eq!(c.payloads(leader), ["new"]);
}

/// The members are not forgotten with the slots that named them.
#[test]
fn s73_a_checkpoint_keeps_the_members() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.limits.checkpoint_slots = 10;
    c.limits.keep_slots = 1;
    for id in 1..=3 {
        c.crash(n(id));
        c.restart(n(id));
    }
    c.join(n(4));
    c.change_to(&[1, 2, 4]);
    let leader = c.elect();
    for i in 0..30 {
        assert!(c.is_chosen(leader, &format!("{i}")));
    }
    let floor = c.replica(leader).log().floor();
    assert!(floor > Slot(20), "trimmed only below {floor}");
    for id in [1, 2, 3, 4] {
        c.crash(n(id));
        c.restart(n(id));
    }
    assert_eq!(c.newest(n(4)).voters(), [1, 2, 4].map(n).into_iter().collect());
    // Who joins now is told by an image.
    c.join(n(5));
    c.change_to(&[2, 4, 5]);
    c.run(SECOND * 2);
    let leader = c.elect();
    assert!(c.is_chosen(leader, "last"));
    assert_eq!(c.payloads(n(5)), c.payloads(leader));
}

#[test]
fn s74_who_is_removed_disturbs_nobody_and_is_told() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.elect_this(n(1));
    c.isolate(n(3));
    c.change_to(&[1, 2]);
    c.run(SECOND * 5);
    let ballot = c.replica(n(1)).own_ballot();
    let effects = c.tell(n(2), n(3), prepare(Ballot::new(99, n(3)), 1));
    assert_eq!(ignored(&effects).len(), 1);
    assert!(matches!(ignored(&effects)[0], Ignored::Stranger(_, who) if who == n(3)));
    let probe = Probe { ballot: Ballot::new(99, n(3)), chosen: Slot::FIRST };
    let effects = c.tell(n(2), n(3), probe);
    assert_eq!(ignored(&effects).len(), 1);
    let answers = sent(&effects, "ProbeAck");
    assert!(matches!(answers[..], [Message::ProbeAck(m)] if !m.granted && m.chosen > Slot(1)));
    c.heal();
    c.run(SECOND * 5);
    assert_eq!(c.replica(n(3)).membership().role(n(3)), Role::Stranger, "it has learned");
    assert_eq!(c.replica(n(1)).own_ballot(), ballot, "nobody was deposed");
    assert_eq!(c.replica(n(3)).standing(), Standing::Follower);
}

/// n3 is behind, and knows nobody of those who are left.
#[test]
fn s74_facts_from_strangers_help_who_is_behind() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.join(n(4));
    c.join(n(5));
    c.isolate(n(3));
    c.change_to(&[1, 4, 5]);
    c.change_to(&[3, 4, 5]);
    c.crash(n(1));
    c.crash(n(2));
    c.heal();
    c.run(SECOND);
    c.crash(n(5));
    c.run(SECOND * 10);
    let leader = c.elect();
    assert!(c.is_chosen(leader, "by n3 and n4"));
    assert_eq!(c.payloads(n(3)), ["by n3 and n4"]);
}

#[test]
fn a_learner_is_told_everything_and_has_no_vote() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.elect_this(n(1));
    c.join(n(4));
    c.change(n(1), &[1, 2, 3], &[4]);
    c.run(SECOND);
    assert!(c.is_chosen(n(1), "told"));
    assert_eq!(c.payloads(n(4)), ["told"]);
    assert_eq!(c.replica(n(1)).progress(n(4)), Some(c.replica(n(4)).chosen()));
    let r = c.query(n(4));
    let p = c.propose(n(4), "asked by a learner");
    c.run(SECOND);
    assert!(c.host(n(4)).served[&r].is_some());
    assert!(matches!(c.outcome(n(4), p), Some(Outcome::Chosen(_))));
    c.crash(n(2));
    c.crash(n(3));
    assert!(!c.is_chosen(n(1), "one of three"));
    c.run(SECOND * 5);
    assert_eq!(c.replica(n(4)).standing(), Standing::Follower);
    c.restart(n(2));
    let leader = c.elect();
    // It becomes a voter, with its disk.
    let next = c.newest(leader).succeeded_by([1, 2, 4].map(n), []);
    c.propose_members(leader, next);
    c.run(SECOND * 2);
    assert_eq!(c.newest(leader).disk(n(4)), 400);
    c.crash(n(1));
    let leader = c.elect();
    assert!(c.is_chosen(leader, "by the learner that was"));
}

#[test]
fn a_restart_finds_the_members_in_the_log() {
    let (mut c, _) = Cluster::bound(WINDOW);
    c.join(n(4));
    c.change_to(&[1, 2, 3, 4]);
    let before = c.newest(n(4));
    for id in 1..=4 {
        c.crash(n(id));
        c.restart(n(id));
    }
    c.run(SECOND * 3);
    for id in 1..=4 {
        assert_eq!(c.newest(n(id)), before, "n{id}");
    }
    let configs =
        |id| c.host(id).delivered.iter().filter(|(_, v)| matches!(v, Value::Config(_))).count();
    assert_eq!(configs(n(1)), configs(n(4)));
}

/// The last slot that n3 decides is chosen in the very step in which the next one goes out, to
/// those who decide that. Unless it is told, it goes on thinking that it decides, and stands.
#[test]
fn who_leaves_is_told_though_its_last_slot_is_followed_at_once() {
    let mut c = Cluster::changing(3, 4);
    c.limits.window_slots = 1;
    for id in 1..=3 {
        c.restart(n(id));
    }
    c.elect_this(n(1));
    c.run(SECOND);
    c.change(n(1), &[1, 2], &[]);
    for i in 0..20 {
        c.propose(n(1), &format!("{i}"));
    }
    // Nobody's clock moves: there is no beat that could tell it.
    c.settle();
    assert_eq!(c.newest(n(3)).voters(), [1, 2].map(n).into_iter().collect());
    assert!(c.is_in_force(n(3)), "it knows that its last slot is chosen");
}
