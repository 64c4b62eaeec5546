//! Which reads are asked for, answered and given up, and when.

use core::time::Duration;

use super::*;
use crate::effect::Effect;
use crate::message::Message;
use crate::quorum::Membership;
use crate::role::testing::{Bench, ME, N2, N3, b};
use crate::types::{GroupId, Incarnation};

const MICRO: Duration = Duration::from_micros(1);

fn lead(index: u64) -> Lead {
    Lead { ballot: b(1, ME), index: Slot(index), is_leased: false }
}

fn leased(index: u64) -> Lead {
    Lead { is_leased: true, ..lead(index) }
}

fn id(number: u64) -> ReadId {
    ReadId { incarnation: Incarnation(1), number }
}

fn answer(number: u64, index: Option<u64>) -> ReadAnswer {
    ReadAnswer { id: id(number), index: index.map(Slot) }
}

fn confirmed(round: u64) -> Confirmed {
    Confirmed { ballot: b(1, ME), round }
}

/// A reader with these queries in line.
fn reader(queries: u64, bench: &mut Bench) -> Reader {
    let mut reader = Reader::default();
    (1..=queries).for_each(|n| reader.on_query(QueryId(n), &mut bench.cx()));
    reader
}

/// The rounds that the voters are asked about, one for each message.
fn rounds(bench: &mut Bench) -> Vec<u64> {
    let said = bench.said();
    let others = said.iter().filter(|(to, _)| !to.contains(ME));
    let round = |m: &Message| if let Message::Confirm(m) = m { m.round } else { panic!("{m:?}") };
    others.map(|(_, m)| round(m)).collect()
}

/// The requests that leave, each with its receiver.
fn requests(bench: &mut Bench) -> Vec<(NodeId, u64)> {
    let said = bench.said().into_iter().map(|(to, m)| match m {
        Message::ReadRequest(m) => (to.iter().next().expect("somebody"), m.id.number),
        other => panic!("{other:?}"),
    });
    said.collect()
}

/// The answers that leave, each with its receiver.
fn answers(bench: &mut Bench) -> Vec<(NodeId, Option<Slot>)> {
    let said = bench.said().into_iter().filter_map(|(to, m)| match m {
        Message::ReadAnswer(m) => Some((to.iter().next().expect("somebody"), m.index)),
        _ => None,
    });
    said.collect()
}

fn serve(query: u64, at: u64) -> Effect {
    Effect::Serve { group: GroupId(0), query: QueryId(query), at: Slot(at) }
}

fn decline(query: u64, why: Declined) -> Effect {
    Effect::Decline { group: GroupId(0), query: QueryId(query), why }
}

#[test]
fn as_many_reads_wait_as_the_bound_says() {
    let mut bench = Bench::new();
    bench.setting.limits.reads_max = 3;
    let mut reader = reader(4, &mut bench);
    assert_eq!(bench.ordered(), [decline(4, Declined::Busy)]);
    // Wherever they wait: one is ready, one is in a round, one in line.
    reader.on_answer(&answer(1, Some(9)), &mut bench.cx());
    reader.lead(lead(5), &mut bench.cx());
    reader.on_fallen(&mut bench.cx());
    reader.on_query(QueryId(5), &mut bench.cx());
    assert_eq!(bench.ordered(), [decline(5, Declined::Busy)]);
    assert_eq!(reader.len(), 3);
    reader.on_request(N2, id(1), lead(5), &mut bench.cx());
    assert_eq!(answers(&mut bench), [(N2, None)]);
    reader.serve(Slot(9), &mut bench.cx());
    reader.on_request(N2, id(1), lead(5), &mut bench.cx());
    assert_eq!((answers(&mut bench), reader.len()), (Vec::new(), 3));
}

/// To the moment, in line, in a round, and when its slots are not delivered.
#[test]
fn a_query_is_declined_when_its_time_is_up_wherever_it_waits() {
    for place in ["in line", "asked", "in a round", "ready"] {
        let mut bench = Bench::new();
        let due = bench.now + bench.setting.timing.answer;
        let mut reader = reader(1, &mut bench);
        match place {
            "asked" => reader.ask(Some(b(2, N2)), &mut bench.cx()),
            "in a round" => reader.lead(lead(1), &mut bench.cx()),
            "ready" => reader.on_answer(&answer(1, Some(9)), &mut bench.cx()),
            _ => {}
        }
        let answer = bench.setting.timing.answer;
        bench.sleep(answer - MICRO);
        reader.on_tick(None, &mut bench.cx());
        assert_eq!((bench.ordered(), reader.len()), (Vec::new(), 1), "{place}");
        assert!(reader.wake_at().is_some_and(|at| at <= due), "{place}");
        bench.sleep(MICRO);
        reader.on_tick(None, &mut bench.cx());
        assert_eq!(bench.ordered(), [decline(1, Declined::NoLeader)], "{place}");
        assert_eq!((reader.len(), reader.wake_at()), (0, None), "{place}");
        assert!(!reader.has_rounds() && !reader.has_asked(), "{place}");
    }
}

#[test]
fn a_follower_asks_once_and_again_when_it_is_time_or_another_leads() {
    let mut bench = Bench::new();
    let mut reader = reader(1, &mut bench);
    let deadline = bench.now + bench.setting.timing.answer;
    assert_eq!(reader.wake_at(), Some(deadline), "nobody to be asked");
    reader.ask(None, &mut bench.cx());
    reader.ask(Some(b(1, ME)), &mut bench.cx());
    assert_eq!(requests(&mut bench), []);
    reader.ask(Some(b(2, N2)), &mut bench.cx());
    assert_eq!(requests(&mut bench), [(N2, 1)]);
    let resend = bench.setting.timing.resend;
    assert_eq!(reader.wake_at(), Some(bench.now + resend));
    bench.sleep(resend - MICRO);
    reader.on_query(QueryId(2), &mut bench.cx());
    reader.ask(Some(b(2, N2)), &mut bench.cx());
    assert_eq!(requests(&mut bench), [(N2, 2)], "the first is still on its way");
    bench.sleep(MICRO);
    reader.ask(Some(b(2, N2)), &mut bench.cx());
    assert_eq!(requests(&mut bench), [(N2, 1)]);
    reader.ask(Some(b(3, N2)), &mut bench.cx());
    assert_eq!(requests(&mut bench), [(N2, 1), (N2, 2)], "another leadership");
    reader.ask(None, &mut bench.cx());
    reader.ask(Some(b(3, N2)), &mut bench.cx());
    assert_eq!(requests(&mut bench), [(N2, 1), (N2, 2)], "it was lost sight of");
}

#[test]
fn a_query_whose_time_is_up_before_it_is_asked_again_wakes_the_reader() {
    let mut bench = Bench::new();
    bench.setting.timing.answer = bench.setting.timing.resend / 2;
    let mut reader = reader(1, &mut bench);
    reader.ask(Some(b(2, N2)), &mut bench.cx());
    assert_eq!(reader.wake_at(), Some(bench.now + bench.setting.timing.answer));
}

#[test]
fn a_read_is_served_once_all_that_it_must_see_is_delivered() {
    let mut bench = Bench::new();
    let mut reader = reader(2, &mut bench);
    let former =
        ReadAnswer { id: ReadId { incarnation: Incarnation(7), number: 1 }, ..answer(1, Some(1)) };
    reader.on_answer(&former, &mut bench.cx());
    reader.on_answer(&answer(1, None), &mut bench.cx());
    reader.on_answer(&answer(9, Some(1)), &mut bench.cx());
    reader.serve(Slot(99), &mut bench.cx());
    assert_eq!(bench.ordered(), [], "none of these tells anything");
    reader.on_answer(&answer(2, Some(6)), &mut bench.cx());
    reader.on_answer(&answer(1, Some(5)), &mut bench.cx());
    reader.serve(Slot(4), &mut bench.cx());
    assert_eq!(bench.ordered(), []);
    reader.serve(Slot(5), &mut bench.cx());
    assert_eq!(bench.ordered(), [serve(1, 5)]);
    reader.serve(Slot(6), &mut bench.cx());
    reader.serve(Slot(7), &mut bench.cx());
    assert_eq!((bench.ordered(), reader.len()), ([serve(2, 6)].to_vec(), 0));
}

#[test]
fn a_lease_answers_without_a_round() {
    let mut bench = Bench::new();
    let mut reader = reader(1, &mut bench);
    reader.lead(leased(4), &mut bench.cx());
    reader.on_request(N2, id(1), leased(4), &mut bench.cx());
    assert_eq!(answers(&mut bench), [(N2, Some(Slot(4)))]);
    assert!(!reader.has_rounds());
    reader.serve(Slot(4), &mut bench.cx());
    assert_eq!(bench.ordered(), [serve(1, 4)]);
}

/// One round for all that wait, and each sees at least what was confirmed then.
#[test]
fn an_answer_confirms_its_round_and_those_before_it() {
    let mut bench = Bench::new();
    let mut reader = reader(2, &mut bench);
    reader.lead(lead(3), &mut bench.cx());
    reader.lead(lead(3), &mut bench.cx());
    assert_eq!(rounds(&mut bench), [1], "one for both, and none for nobody");
    reader.on_request(N3, id(8), lead(4), &mut bench.cx());
    reader.on_query(QueryId(3), &mut bench.cx());
    reader.lead(lead(5), &mut bench.cx());
    assert_eq!((rounds(&mut bench), reader.len()), ([2, 3].to_vec(), 4));
    reader.on_confirmed(ME, 0, &confirmed(3), &bench.cx());
    reader.on_floor(Slot(9), &mut bench.cx());
    assert_eq!(reader.len(), 4, "one of three is no quorum");
    reader.on_confirmed(N2, 0, &confirmed(2), &bench.cx());
    reader.on_floor(Slot(4), &mut bench.cx());
    assert_eq!(answers(&mut bench), [(N3, Some(Slot(4)))]);
    reader.serve(Slot(9), &mut bench.cx());
    assert_eq!(bench.ordered(), [serve(1, 4), serve(2, 4)], "not below the floor");
    assert_eq!((reader.len(), reader.has_rounds()), (1, true));
    reader.on_confirmed(N3, 0, &confirmed(3), &bench.cx());
    reader.on_floor(Slot(4), &mut bench.cx());
    reader.serve(Slot(9), &mut bench.cx());
    assert_eq!((bench.ordered(), reader.len()), ([serve(3, 5)].to_vec(), 0));
    assert!(!reader.has_rounds() && reader.wake_at().is_none());
}

#[test]
fn a_disk_that_the_group_does_not_know_confirms_nothing() {
    let group = Membership::majority([ME, N2, N3]).with_disk(N2, 7);
    for (disk, counts) in [(7, true), (8, false)] {
        let mut bench = Bench::of(group.clone());
        let mut reader = reader(1, &mut bench);
        reader.lead(lead(3), &mut bench.cx());
        reader.on_confirmed(ME, 0, &confirmed(1), &bench.cx());
        reader.on_confirmed(N2, disk, &confirmed(1), &bench.cx());
        reader.on_floor(Slot(3), &mut bench.cx());
        assert_eq!(reader.has_rounds(), !counts);
    }
}

#[test]
fn a_leader_asks_about_its_newest_round_again_when_it_is_time() {
    let mut bench = Bench::new();
    let mut reader = reader(1, &mut bench);
    reader.lead(lead(3), &mut bench.cx());
    let resend = bench.setting.timing.resend;
    assert_eq!(reader.wake_at(), Some(bench.now + resend));
    bench.sleep(resend / 2);
    reader.on_request(N2, id(1), lead(3), &mut bench.cx());
    assert_eq!(rounds(&mut bench), [1, 2]);
    assert_eq!(reader.wake_at(), Some(bench.now + resend), "the newest asks for all");
    bench.sleep(resend - MICRO);
    reader.on_tick(Some(b(1, ME)), &mut bench.cx());
    assert_eq!(rounds(&mut bench), []);
    bench.sleep(MICRO);
    reader.on_tick(Some(b(1, ME)), &mut bench.cx());
    assert_eq!(rounds(&mut bench), [2]);
    assert_eq!(reader.wake_at(), Some(bench.now + resend));
    reader.on_tick(Some(b(1, ME)), &mut bench.cx());
    assert_eq!(rounds(&mut bench), []);
}

/// What a leader's own embedder asked waits for the next leader; what peers asked is
/// theirs to ask again.
#[test]
fn a_leader_that_falls_answers_nothing() {
    let mut bench = Bench::new();
    let mut reader = reader(1, &mut bench);
    reader.lead(lead(3), &mut bench.cx());
    reader.on_request(N3, id(4), lead(3), &mut bench.cx());
    reader.on_fallen(&mut bench.cx());
    assert_eq!(answers(&mut bench), [(N3, None)]);
    assert_eq!((reader.len(), reader.has_asked(), reader.has_rounds()), (1, true, false));
    reader.on_confirmed(N2, 0, &confirmed(2), &bench.cx());
    reader.on_floor(Slot(3), &mut bench.cx());
    reader.serve(Slot(9), &mut bench.cx());
    assert_eq!(bench.ordered(), []);
    reader.ask(Some(b(2, N2)), &mut bench.cx());
    assert_eq!(requests(&mut bench), [(N2, 2)], "a number that was never used");
}

/// Peers look after their own reads; only this node's are declined here.
#[test]
fn a_round_outlives_the_query_of_this_node_for_the_peers_in_it() {
    let mut bench = Bench::new();
    let mut reader = reader(2, &mut bench);
    reader.lead(lead(3), &mut bench.cx());
    reader.on_request(N3, id(4), lead(3), &mut bench.cx());
    let answer = bench.setting.timing.answer;
    bench.sleep(answer);
    reader.on_tick(None, &mut bench.cx());
    let late = |n| decline(n, Declined::NoLeader);
    assert_eq!((bench.ordered(), reader.len()), ([late(1), late(2)].to_vec(), 1));
    reader.on_confirmed(ME, 0, &confirmed(2), &bench.cx());
    reader.on_confirmed(N2, 0, &confirmed(2), &bench.cx());
    bench.said();
    reader.on_floor(Slot(3), &mut bench.cx());
    assert_eq!((answers(&mut bench), reader.len()), ([(N3, Some(Slot(3)))].to_vec(), 0));
}
