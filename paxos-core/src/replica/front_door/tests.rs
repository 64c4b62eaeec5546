//! Of each message: one that is just sound, and what makes it absurd.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::message::{
    Accept, Accepted, Audit, Audited, Chosen, Confirm, Entries, Fetch, Forward, Forwarded,
    Handover, Heartbeat, HeartbeatAck, Holding, Offer, Prepare, Probe, ProbeAck, Pull, ReadAnswer,
    ReadId, Reject, Relieve, Verdict,
};
use crate::types::{
    Checkpoint, Checksum, Command, Commands, Image, ImageId, Incarnation, Mark, Piece, Schedule,
};

const FROM: NodeId = NodeId(2);
const ZERO: Slot = Slot(0);
const FAR: Slot = Slot(Slot::MAX.0 + 1);

fn limits() -> Limits {
    Limits {
        value_bytes_max: 3,
        run_slots_max: 2,
        ahead_slots_max: 5,
        piece_bytes_max: 4,
        ..Limits::default()
    }
}

/// The sender's.
fn own() -> Ballot {
    Ballot::new(3, FROM)
}

/// Another's, of no round, and of one that leaves no room.
fn foreign() -> [Ballot; 3] {
    let round = |round| Ballot::new(round, FROM);
    [Ballot::new(3, NodeId(1)), round(0), round(Ballot::ROUND_MAX + 1)]
}

fn command(bytes: usize) -> Value {
    Value::Command(Command::plain(vec![0; bytes].into()))
}

fn config(membership: Membership) -> Value {
    Value::Config(membership.into())
}

fn three() -> Membership {
    Membership::majority([1, 2, 3].map(NodeId))
}

fn commands(lengths: &[usize]) -> Commands {
    lengths.iter().map(|bytes| Command::plain(vec![0; *bytes].into())).collect()
}

fn sense(message: impl Into<Message>) -> bool {
    makes_sense(FROM, &message.into(), &limits())
}

#[track_caller]
fn sound(message: impl Into<Message>) {
    let message = message.into();
    assert!(sense(message.clone()), "{message:?}");
}

#[track_caller]
fn absurd(message: impl Into<Message>) {
    let message = message.into();
    assert!(!sense(message.clone()), "{message:?}");
}

/// Each field of these that may be a wild slot, and each ballot that is not the sender's.
fn slots<M: Into<Message>>(of: impl Fn(Ballot, Slot) -> M) {
    for slot in [Slot::FIRST, Slot::MAX] {
        sound(of(own(), slot));
    }
    [ZERO, FAR].into_iter().for_each(|slot| absurd(of(own(), slot)));
    foreign().into_iter().for_each(|ballot| absurd(of(ballot, Slot::FIRST)));
}

#[test]
fn who_leads_or_stands_speaks_of_its_own_ballot_and_of_slots_that_exist() {
    slots(|ballot, from| Prepare { ballot, from, released: None });
    slots(|ballot, below| Chosen { ballot, below });
    slots(|ballot, chosen| Probe { ballot, chosen });
    slots(|ballot, chosen| Heartbeat { ballot, chosen, beat: 1, settled: true });
    slots(|ballot, chosen| Handover { ballot, chosen, beat: 1 });
    slots(|ballot, chosen| Accept { ballot, chosen, run: Run::one(Slot(1), Value::Noop) });
    slots(|ballot, slot| Audit { ballot, slot, agreed: None });
    let mark = |slot| Mark { slot, sum: Checksum::FIRST };
    slots(|ballot, slot| Audit { ballot, slot: Slot(1), agreed: Some(mark(slot)) });
    let schedule = |slot| Schedule::starting(slot, three().into());
    slots(|ballot, below| Relieve { ballot, below, schedule: schedule(Slot(1)) });
    slots(|ballot, slot| Relieve { ballot, below: Slot(1), schedule: schedule(slot) });
    let unsound = Schedule::starting(Slot(1), three().with_window(0).into());
    absurd(Relieve { ballot: own(), below: Slot(1), schedule: unsound });
    sound(Confirm { ballot: own(), round: 1 });
    foreign().into_iter().for_each(|ballot| absurd(Confirm { ballot, round: 1 }));
}

#[test]
fn answers_speak_of_ballots_and_slots_that_exist() {
    let ballot = Ballot::new(1, NodeId(9));
    let none = Ballot::new(Ballot::ROUND_MAX + 1, FROM);
    sound(Reject { ballot, promised: ballot });
    absurd(Reject { ballot, promised: none });
    let ack = |promised, chosen| ProbeAck { ballot, granted: true, promised, chosen };
    sound(ack(ballot, Slot::MAX));
    sound(ack(Ballot::ZERO, Slot::FIRST));
    absurd(ack(none, Slot::FIRST));
    let mark = |slot| Mark { slot, sum: Checksum::FIRST };
    sound(Holding { ballot, below: Slot::MAX });
    absurd(Holding { ballot: none, below: Slot::FIRST });
    sound(HeartbeatAck { ballot, beat: 1, chosen: Slot::MAX, priority: None });
    sound(Audited { mark: mark(Slot::MAX) });
    let id = ReadId { incarnation: Incarnation(1), number: 1 };
    sound(ReadAnswer { id, index: None });
    sound(ReadAnswer { id, index: Some(Slot::MAX) });
    let forwarded =
        |verdict| Forwarded { incarnation: Incarnation(1), number: 1, first: 0, count: 1, verdict };
    sound(forwarded(Verdict::Busy));
    sound(forwarded(Verdict::Chosen(Slot::MAX)));
    for wild in [ZERO, FAR] {
        absurd(ack(ballot, wild));
        absurd(Holding { ballot, below: wild });
        absurd(HeartbeatAck { ballot, beat: 1, chosen: wild, priority: None });
        absurd(Audited { mark: mark(wild) });
        absurd(ReadAnswer { id, index: Some(wild) });
        absurd(forwarded(Verdict::Chosen(wild)));
    }
}

#[test]
fn spans_have_a_beginning_and_an_end() {
    let accepted = |first, end| Accepted { ballot: own(), first, end };
    sound(accepted(Slot(4), Slot(5)));
    absurd(accepted(Slot(4), Slot(4)));
    absurd(accepted(ZERO, Slot(4)));
    absurd(accepted(Slot(4), FAR));
    let fetch = |from, to| Fetch { from, to, image: false };
    sound(fetch(Slot(4), Slot(5)));
    sound(fetch(Slot(4), Slot(4)));
    absurd(fetch(Slot(5), Slot(4)));
    absurd(fetch(ZERO, Slot(4)));
    absurd(fetch(Slot(4), FAR));
}

/// Of as many values as a run may have, each as long as one may be, and sound.
#[test]
fn runs_are_as_long_as_runs_may_be() {
    for (first, values, fits) in [
        (Slot(1), vec![command(3), Value::Noop], true),
        (Slot(1), vec![config(three())], true),
        (Slot(Slot::MAX.0 - 1), vec![Value::Noop], true),
        (Slot(1), vec![Value::Noop; 3], false),
        (Slot(1), vec![command(4)], false),
        (Slot(1), vec![Value::Noop, config(three().with_window(0))], false),
        (ZERO, vec![Value::Noop], false),
        (Slot::MAX, vec![Value::Noop], false),
        (FAR, vec![Value::Noop], false),
    ] {
        let run = Run::new(first, values);
        let accept = Accept { ballot: own(), chosen: Slot(1), run: run.clone() };
        assert_eq!(sense(accept), fits, "{run:?}");
        assert_eq!(sense(Entries { chosen: Slot(1), run: run.clone() }), fits, "{run:?}");
    }
    let none = |first| Run::new(first, vec![]);
    absurd(Accept { ballot: own(), chosen: Slot(1), run: none(Slot(1)) });
    sound(Entries { chosen: Slot(1), run: none(Slot::MAX) });
    absurd(Entries { chosen: Slot(1), run: none(ZERO) });
    absurd(Entries { chosen: FAR, run: none(Slot(1)) });
    let forward = |lengths: &[usize]| Forward {
        ballot: own(),
        incarnation: Incarnation(1),
        number: 1,
        commands: commands(lengths),
    };
    sound(forward(&[3, 0]));
    for lengths in [[].as_slice(), &[0, 0, 0], &[4]] {
        absurd(forward(lengths));
    }
}

#[test]
fn images_and_their_pieces_lie_within_themselves() {
    let offer = |below, chosen| {
        let schedule = Schedule::starting(Slot(1), three().into());
        let checkpoint = Checkpoint { below, sum: Checksum::FIRST, schedule };
        Offer { image: Image { checkpoint, bytes: 0, digest: 0 }, chosen }
    };
    sound(offer(Slot(4), Slot(4)));
    absurd(offer(Slot(5), Slot(4)));
    absurd(offer(ZERO, Slot(4)));
    absurd(offer(Slot(4), FAR));
    let image = |below| ImageId { below, bytes: 9, digest: 0 };
    let pull = |below, offset, bytes| Pull { image: image(below), offset, bytes };
    sound(pull(Slot(4), 8, 1));
    absurd(pull(Slot(4), 9, 1));
    absurd(pull(Slot(4), 8, 0));
    absurd(pull(ZERO, 8, 1));
    let piece = |below, offset, bytes| {
        let payload = vec![0; bytes].into();
        Piece { image: image(below), offset, payload }
    };
    sound(piece(Slot(4), 5, 4));
    sound(piece(Slot(4), 9, 0));
    absurd(piece(Slot(4), 4, 5));
    absurd(piece(Slot(4), 6, 4));
    absurd(piece(FAR, 0, 1));
}

/// A page of a promise: votes in it, in order, and no further than a voter votes.
#[test]
fn a_promise_tells_of_votes_in_its_page() {
    let cast = Ballot::new(2, NodeId(1));
    let vote = |slot, ballot, chosen| Vote { slot: Slot(slot), ballot, chosen, value: Value::Noop };
    let plain = |slot| vote(slot, cast, false);
    let promise = |from, to: Option<Slot>, chosen, votes: Vec<Vote>| Promise {
        ballot: own(),
        from,
        to,
        chosen,
        votes,
    };
    let page = |votes: &[Vote]| promise(Slot(4), Some(Slot(9)), Slot(6), votes.to_vec());
    sound(page(&[]));
    sound(page(&[plain(4), plain(6), plain(8)]));
    sound(page(&[vote(4, own(), false), vote(5, Ballot::ZERO, true)]));
    for wrong in [
        [plain(3)].as_slice(),
        &[plain(9)],
        &[plain(5), plain(5)],
        &[plain(5), plain(4)],
        &[vote(4, own().next(FROM, 0), false)],
        &[vote(4, Ballot::ZERO, false)],
        &[vote(4, Ballot::new(1, NodeId(0)), true)],
        &[Vote { value: command(4), ..plain(4) }],
        &[Vote { value: config(three().with_window(0)), ..plain(4) }],
    ] {
        absurd(page(wrong));
    }
    sound(page(&[Vote { value: command(3), ..plain(4) }]));
    // The last page ends where a voter votes no further.
    sound(promise(Slot(4), None, Slot(6), vec![plain(10)]));
    absurd(promise(Slot(4), None, Slot(6), vec![plain(11)]));
    absurd(promise(Slot(4), Some(Slot(99)), Slot(6), vec![plain(11)]));
    absurd(promise(ZERO, None, Slot(6), vec![]));
    absurd(promise(Slot(4), None, FAR, vec![]));
    absurd(promise(Slot(4), Some(Slot(4)), Slot(6), vec![]));
    absurd(promise(Slot(4), Some(FAR), Slot(6), vec![]));
}
