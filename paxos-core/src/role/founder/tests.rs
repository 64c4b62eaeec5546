//! Whom a founder asks, what it stands by, and when it holds a group for founded.

use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::effect::Effect;
use crate::message::Message;
use crate::role::testing::{Bench, ME, N2, N3};
use crate::types::{GroupId, Schedule, Slot};

const GROUP: GroupId = GroupId(0);
const MICRO: Duration = Duration::from_micros(1);

fn design() -> Membership {
    Membership::majority([ME, N2, N3])
}

/// The disks of n1, n2 and n3.
fn charter(disks: [u64; 3]) -> Charter {
    let disks = [ME, N2, N3].into_iter().zip(disks);
    Charter::new(Charter::design_of(&design()), disks).expect("a sound charter")
}

fn ours() -> Charter {
    charter([11, 12, 13])
}

/// n1 with disk 11, which knows of no members.
fn bench() -> Bench {
    let mut bench = Bench::of(Membership::unknown());
    bench.setting.disk = 11;
    bench
}

fn founder(founding: Founding, bench: &Bench) -> Founder {
    Founder::new(design().into(), founding, bench.now)
}

/// What is said, to whom, and whether it asks.
fn said(bench: &mut Bench) -> Vec<(NodeSet, Founding, bool)> {
    let said = bench.said().into_iter().map(|(to, m)| match m {
        Message::Greet(m) => (to, m.founding, m.asks),
        other => panic!("{other:?}"),
    });
    said.collect()
}

/// Hears a word of another founder that asks for none.
fn hear(
    founder: &mut Founder,
    from: NodeId,
    disk: u64,
    says: &Founding,
    bench: &mut Bench,
) -> bool {
    let m = Greet { founding: says.clone(), asks: false };
    founder.on_greet(from, disk, &m, &mut bench.cx())
}

fn others() -> NodeSet {
    NodeSet::of(N2).or(NodeSet::of(N3))
}

fn founded(joins: bool) -> Effect {
    Effect::Note(Notice::Founded { group: GROUP, joins })
}

fn stuck(node: NodeId, why: Discord) -> Effect {
    Effect::Note(Notice::FoundingStuck { group: GROUP, node, why })
}

#[test]
fn a_founder_asks_the_others_until_the_group_is_founded() {
    let mut bench = bench();
    let mut founder = founder(Founding::Open, &bench);
    let resend = bench.setting.timing.resend;
    assert_eq!(founder.wake_at(), Some(bench.now));
    for _ in 0..2 {
        assert!(!founder.on_tick(&mut bench.cx()));
        assert_eq!(said(&mut bench), [(others(), Founding::Open, true)]);
        assert_eq!(founder.wake_at(), Some(bench.now + resend));
        bench.sleep(resend - MICRO);
        assert!(!founder.on_tick(&mut bench.cx()));
        assert_eq!(said(&mut bench), []);
        bench.sleep(MICRO);
    }
    for (peer, asks) in [(N2, true), (NodeId(4), false)] {
        founder.on_peer_up(peer, &mut bench.cx());
        let expected = (NodeSet::of(peer), Founding::Open, true);
        assert_eq!(said(&mut bench), if asks { [expected].to_vec() } else { [].to_vec() });
    }
    founder.ask(NodeId(4), &mut bench.cx());
    assert_eq!(said(&mut bench), [(NodeSet::of(NodeId(4)), Founding::Open, true)]);
    assert!(hear(&mut founder, N2, 12, &Founding::Founded(ours()), &mut bench));
    assert_eq!((founder.wake_at(), founder.is_settled()), (None, true));
    assert!(!founder.on_tick(&mut bench.cx()));
    founder.on_peer_up(N2, &mut bench.cx());
    assert_eq!(said(&mut bench), [], "there is nothing left to be asked");
}

/// Step by step: all disks are heard of, all stand by the list, all know it.
#[test]
fn a_group_is_founded_when_all_founders_stand_by_the_same_disks() {
    let mut bench = bench();
    let mut founder = founder(Founding::Open, &bench);
    assert_eq!(founder.missing(ME), others());
    assert!(!hear(&mut founder, N2, 12, &Founding::Open, &mut bench));
    assert_eq!(founder.missing(ME), NodeSet::of(N3));
    assert_eq!((said(&mut bench), bench.written()), ([].to_vec(), [].to_vec()));
    assert!(!hear(&mut founder, N3, 13, &Founding::Open, &mut bench));
    let named = Founding::Named(ours());
    assert_eq!(bench.written(), [Entry::Founding(named.clone())]);
    assert_eq!(said(&mut bench), [(others(), named.clone(), true)]);
    assert!(!hear(&mut founder, N2, 12, &named, &mut bench));
    assert!(founder.membership().is_unknown() && !founder.is_settled());
    assert_eq!(bench.ordered(), []);
    assert!(hear(&mut founder, N3, 13, &named, &mut bench));
    assert_eq!(bench.written(), [Entry::Founding(Founding::Founded(ours()))]);
    assert_eq!(said(&mut bench), [(others(), Founding::Founded(ours()), false)]);
    assert_eq!(bench.ordered(), [founded(false)]);
    assert_eq!(founder.membership(), ours().bind(design()));
    assert_eq!((founder.missing(ME), founder.is_stuck()), (NodeSet::EMPTY, false));
    assert!(!hear(&mut founder, N3, 13, &named, &mut bench), "it was founded before");
}

/// All were heard before, as after a restart in between.
#[test]
fn a_tick_founds_what_can_be_founded() {
    let mut bench = bench();
    let mut alone = Founder::new(Membership::majority([ME]).into(), Founding::Open, bench.now);
    assert!(alone.on_tick(&mut bench.cx()), "one that is the only founder");
    assert_eq!(said(&mut bench), [], "there is nobody to be told");
    let design = Charter::design_of(&Membership::majority([ME]));
    let charter = Charter::new(design, [(ME, 11)]).expect("a sound charter");
    assert_eq!(alone.membership(), charter.bind(Membership::majority([ME])));
}

#[test]
fn words_of_nobodies_are_not_counted() {
    let mut bench = bench();
    let mut founder = founder(Founding::Open, &bench);
    assert!(!hear(&mut founder, N2, 12, &Founding::Open, &mut bench));
    for (from, disk) in [(NodeId(4), 14), (N3, 0)] {
        assert!(!hear(&mut founder, from, disk, &Founding::Open, &mut bench));
        assert_eq!((founder.missing(ME), bench.written()), (NodeSet::of(N3), [].to_vec()));
    }
    // Who is no founder founds nothing.
    let elsewhere = Membership::majority([N2, N3]);
    let mut guest = Founder::new(elsewhere.into(), Founding::Open, bench.now);
    for (from, disk) in [(N2, 12), (N3, 13)] {
        assert!(!hear(&mut guest, from, disk, &Founding::Open, &mut bench));
    }
    assert_eq!(bench.written(), []);
}

/// It may be this node by whose disk the group was founded: who has joined cannot say.
#[test]
fn the_word_of_one_that_has_joined_is_taken_after_all_were_asked_for_long() {
    let mut bench = bench();
    let mut patient = founder(Founding::Named(ours()), &bench);
    for _ in 0..ASKED_MAX - 1 {
        patient.on_tick(&mut bench.cx());
        bench.sleep(bench.setting.timing.resend);
    }
    assert!(!hear(&mut patient, N2, 12, &Founding::Joined, &mut bench));
    patient.on_tick(&mut bench.cx());
    assert!(hear(&mut patient, N2, 12, &Founding::Joined, &mut bench));
    assert_eq!(bench.ordered(), [founded(true)]);
    assert!(patient.is_settled() && patient.membership().is_unknown());
    // Who stands by nothing has no reason to wait.
    let mut open = founder(Founding::Open, &bench);
    assert!(hear(&mut open, N2, 12, &Founding::Joined, &mut bench));
    assert_eq!(bench.written().last(), Some(&Entry::Founding(Founding::Joined)));
}

#[test]
fn a_group_that_was_founded_is_joined_by_every_other_disk() {
    let foreign = Membership::majority([ME, N2]);
    let other = Charter::new(Charter::design_of(&foreign), [(ME, 11), (N2, 12)]);
    let other = other.expect("a sound charter");
    for (stands_by, heard, becomes) in [
        (Founding::Open, ours(), Some(Founding::Founded(ours()))),
        (Founding::Named(ours()), ours(), Some(Founding::Founded(ours()))),
        (Founding::Open, charter([99, 12, 13]), Some(Founding::Joined)),
        (Founding::Named(ours()), charter([99, 12, 13]), Some(Founding::Joined)),
        (Founding::Open, other, Some(Founding::Joined)),
        // Our own disk stands by another list: that cannot be.
        (Founding::Named(ours()), charter([11, 12, 99]), None),
    ] {
        let mut bench = bench();
        let mut founder = founder(stands_by.clone(), &bench);
        let ends = hear(&mut founder, N2, 12, &Founding::Founded(heard), &mut bench);
        assert_eq!((ends, founder.is_settled()), (becomes.is_some(), becomes.is_some()));
        let written: Vec<_> = becomes.iter().cloned().map(Entry::Founding).collect();
        assert_eq!(bench.written(), written);
        assert_eq!(founder.founding, becomes.unwrap_or(stands_by));
    }
}

#[test]
fn who_stands_in_the_way_of_a_founding_is_told_of_once() {
    let mut bench = bench();
    let mut founder = founder(Founding::Named(ours()), &bench);
    let design = Charter::design_of(&Membership::majority([ME, N3]));
    let foreign = Charter::new(design, [(ME, 11), (N3, 13)]).expect("a sound charter");
    for (from, disk, says, told, is_stuck) in [
        (N2, 12, Founding::Open, None, false),
        (N2, 99, Founding::Open, Some(Discord::LostDisk), true),
        (N2, 99, Founding::Open, None, true),
        (N2, 12, Founding::Named(ours()), None, false),
        (N2, 12, Founding::Named(charter([11, 12, 99])), Some(Discord::LostDisk), true),
        (N3, 13, Founding::Named(foreign), Some(Discord::Design), true),
        (N2, 12, Founding::Named(ours()), None, true),
        (N3, 13, Founding::Open, None, false),
    ] {
        assert!(!hear(&mut founder, from, disk, &says, &mut bench));
        let told: Vec<_> = told.into_iter().map(|why| stuck(from, why)).collect();
        assert_eq!((bench.ordered(), founder.is_stuck()), (told, is_stuck), "{from} {says:?}");
    }
}

/// Not by a disk that is another, nor by a list that is.
#[test]
fn a_founder_stands_by_a_charter_with_its_own_disk_alone() {
    for (from_two, says, founds) in [
        (12, Founding::Named(ours()), true),
        (99, Founding::Named(ours()), false),
        (12, Founding::Named(charter([11, 12, 99])), false),
        (12, Founding::Open, false),
    ] {
        let mut bench = bench();
        let mut founder = founder(Founding::Named(ours()), &bench);
        hear(&mut founder, N3, 13, &Founding::Named(ours()), &mut bench);
        assert_eq!(hear(&mut founder, N2, from_two, &says, &mut bench), founds, "{says:?}");
    }
    // A charter of another design, from before the configuration was changed.
    let mut bench = bench();
    let wider = design().with_window(9);
    let disks = [(ME, 11), (N2, 12), (N3, 13)];
    let former = Charter::new(Charter::design_of(&wider), disks).expect("a sound charter");
    let elsewhere = self::founder(Founding::Founded(former.clone()), &bench);
    assert!(elsewhere.membership().is_unknown());
    let mut founder = founder(Founding::Named(former.clone()), &bench);
    for (node, disk) in &disks[1..] {
        assert!(!hear(&mut founder, *node, *disk, &Founding::Named(former.clone()), &mut bench));
    }
}

/// Who has joined and was told of no members cannot say that there are any.
#[test]
fn who_asks_is_answered_by_those_who_can_tell() {
    let ask = Greet { founding: Founding::Open, asks: true };
    for (founding, disk, told, answers) in [
        (Founding::Named(ours()), 11, false, true),
        (Founding::Founded(ours()), 11, false, true),
        (Founding::Joined, 11, false, false),
        (Founding::Joined, 11, true, true),
        (Founding::Joined, 0, true, false),
    ] {
        let mut bench = bench();
        bench.setting.disk = disk;
        if told {
            let schedule = Schedule::starting(Slot::FIRST, design().into());
            bench.regime.install(schedule, Slot::FIRST);
        }
        let mut founder = founder(founding.clone(), &bench);
        founder.on_greet(N2, 12, &ask, &mut bench.cx());
        let expected = (NodeSet::of(N2), founding, false);
        assert_eq!(said(&mut bench), if answers { [expected].to_vec() } else { [].to_vec() });
    }
}
