//! Strategies for messages and records of every kind, for tests.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use crate::log::{Entry, Record};
use crate::message::{
    Accept, Accepted, Audit, Audited, Chosen, Confirm, Confirmed, Entries, Envelope, Fetch,
    Forward, Forwarded, Greet, Handover, Heartbeat, HeartbeatAck, Holding, Message, Offer, Prepare,
    Probe, ProbeAck, Promise, Pull, ReadAnswer, ReadId, ReadRequest, Reject, Release, Relieve,
    Verdict, Vote,
};
use crate::types::{
    Ballot, Charter, Checkpoint, Checksum, ClientId, Command, Commands, Founding, GroupId, Image,
    Incarnation, Mark, Member, Membership, NodeId, Piece, Run, Schedule, Slot, Value,
};

/// Small numbers, numbers around the edges of a spelling, and the largest.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..4u64,
        1 => prop::sample::select(&[127, 128, 16_383, 16_384, u64::MAX - 1, u64::MAX][..]),
        1 => any::<u64>(),
    ]
}

fn narrow() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 0..4u16, 1 => any::<u16>()]
}

fn ballot() -> impl Strategy<Value = Ballot> {
    let disk = prop_oneof![Just(0), any::<u32>()];
    (number(), narrow(), disk).prop_map(|(round, node, disk)| Ballot {
        round,
        node: NodeId(node),
        disk,
    })
}

fn slot() -> impl Strategy<Value = Slot> {
    number().prop_map(Slot)
}

fn incarnation() -> impl Strategy<Value = Incarnation> {
    number().prop_map(Incarnation)
}

fn command() -> impl Strategy<Value = Command> {
    let payload = prop::collection::vec(any::<u8>(), 0..40);
    (number(), number(), payload).prop_map(|(client, sequence, payload)| Command {
        client: ClientId(client),
        sequence,
        payload: Bytes::from(payload),
    })
}

fn value() -> impl Strategy<Value = Value> {
    let config = membership().prop_map(|m| Value::Config(Arc::new(m)));
    prop_oneof![1 => Just(Value::Noop), 3 => command().prop_map(Value::Command), 1 => config]
}

fn run() -> impl Strategy<Value = Run> {
    let first = prop_oneof![number().prop_map(|n| n.min(u64::MAX - 8)), Just(Slot::MAX.0)];
    (first, prop::collection::vec(value(), 0..5)).prop_map(|(first, v)| Run::new(Slot(first), v))
}

fn vote() -> impl Strategy<Value = Vote> {
    (slot(), ballot(), any::<bool>(), value()).prop_map(|(slot, ballot, chosen, value)| Vote {
        slot,
        ballot,
        chosen,
        value,
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        slot().prop_map(Verdict::Chosen),
        Just(Verdict::NotLeader),
        Just(Verdict::Busy),
        Just(Verdict::Unknown),
    ]
}

fn release() -> impl Strategy<Value = Release> {
    (ballot(), number()).prop_map(|(ballot, beat)| Release { ballot, beat })
}

fn read_id() -> impl Strategy<Value = ReadId> {
    (incarnation(), number()).prop_map(|(incarnation, number)| ReadId { incarnation, number })
}

fn membership() -> impl Strategy<Value = Membership> {
    let window = prop_oneof![Just(1u32), Just(300), Just(u32::MAX)];
    let member = (1..6u16, number(), prop::collection::vec(any::<u8>(), 0..9));
    let who = (1..6u16).prop_flat_map(|voters| (Just(voters), 0..voters));
    (number(), window, who, some(member)).prop_map(|(version, window, who, members)| {
        let (voters, mute) = who;
        let all = Membership::majority((1..=voters).map(NodeId));
        let all = all.with_witnesses((1..=mute).map(NodeId));
        let all = all.with_learners([NodeId(voters + 1)]);
        let all = all.with_version(version).with_window(window);
        members.into_iter().filter(|(node, ..)| *node <= voters).fold(
            all,
            |all, (node, disk, at)| {
                all.with_member(NodeId(node), Member { disk, address: at.into() })
            },
        )
    })
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let rules = prop::collection::btree_map(slot(), membership().prop_map(Arc::new), 1..3);
    rules.prop_map(|rules| Schedule::from_rules(rules).expect("a rule at least"))
}

fn founding() -> impl Strategy<Value = Founding> {
    let disks = prop::collection::btree_map((1..9u16).prop_map(NodeId), 1..u64::MAX, 1..5);
    let charter = (number(), disks)
        .prop_map(|(design, disks)| Charter::new(Checksum(design), disks).expect("sound disks"));
    (0..4u8, charter).prop_map(|(kind, charter)| match kind {
        0 => Founding::Open,
        1 => Founding::Named(charter),
        2 => Founding::Founded(charter),
        _ => Founding::Joined,
    })
}

fn image() -> impl Strategy<Value = Image> {
    (schedule(), slot(), number(), number(), number()).prop_map(
        |(schedule, below, sum, bytes, digest)| {
            let checkpoint = Checkpoint { below, sum: Checksum(sum), schedule };
            Image { checkpoint, bytes, digest }
        },
    )
}

fn mark() -> impl Strategy<Value = Mark> {
    (slot(), number()).prop_map(|(slot, sum)| Mark { slot, sum: Checksum(sum) })
}

fn some<T: core::fmt::Debug + Clone>(
    of: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(of, 0..4)
}

/// A message of every kind, one strategy each.
fn message_kinds() -> Vec<BoxedStrategy<Message>> {
    fn kind<M: Into<Message> + core::fmt::Debug + 'static>(
        of: impl Strategy<Value = M> + 'static,
    ) -> BoxedStrategy<Message> {
        of.prop_map(Into::into).boxed()
    }
    Vec::from([
        kind(
            (ballot(), slot(), prop::option::of(release()))
                .prop_map(|(ballot, from, released)| Prepare { ballot, from, released }),
        ),
        kind((ballot(), slot(), prop::option::of(slot()), slot(), some(vote())).prop_map(
            |(ballot, from, to, chosen, votes)| Promise { ballot, from, to, chosen, votes },
        )),
        kind((ballot(), run(), slot()).prop_map(|(ballot, run, chosen)| Accept {
            ballot,
            run,
            chosen,
        })),
        kind((ballot(), slot(), slot()).prop_map(|(ballot, first, end)| Accepted {
            ballot,
            first,
            end,
        })),
        kind((ballot(), ballot()).prop_map(|(ballot, promised)| Reject { ballot, promised })),
        kind((ballot(), slot()).prop_map(|(ballot, below)| Chosen { ballot, below })),
        kind((ballot(), slot()).prop_map(|(ballot, chosen)| Probe { ballot, chosen })),
        kind((ballot(), any::<bool>(), ballot(), slot()).prop_map(
            |(ballot, granted, promised, chosen)| ProbeAck { ballot, granted, promised, chosen },
        )),
        kind((ballot(), slot(), number(), any::<bool>()).prop_map(
            |(ballot, chosen, beat, settled)| Heartbeat { settled, ballot, chosen, beat },
        )),
        kind((ballot(), number(), slot(), any::<Option<u8>>()).prop_map(
            |(ballot, beat, chosen, priority)| HeartbeatAck { ballot, beat, chosen, priority },
        )),
        kind((ballot(), number(), slot()).prop_map(|(ballot, beat, chosen)| Handover {
            ballot,
            beat,
            chosen,
        })),
        kind((slot(), slot(), any::<bool>()).prop_map(|(from, to, image)| Fetch {
            from,
            to,
            image,
        })),
        kind((run(), slot()).prop_map(|(run, chosen)| Entries { run, chosen })),
        kind((ballot(), incarnation(), number(), some(command())).prop_map(
            |(ballot, incarnation, number, commands)| Forward {
                ballot,
                incarnation,
                number,
                commands: Commands::from(commands),
            },
        )),
        kind((incarnation(), number(), any::<u32>(), any::<u32>(), verdict()).prop_map(
            |(incarnation, number, first, count, verdict)| Forwarded {
                incarnation,
                number,
                first,
                count,
                verdict,
            },
        )),
        kind(read_id().prop_map(|id| ReadRequest { id })),
        kind(
            (read_id(), prop::option::of(slot())).prop_map(|(id, index)| ReadAnswer { id, index }),
        ),
        kind((ballot(), number()).prop_map(|(ballot, round)| Confirm { ballot, round })),
        kind((ballot(), number()).prop_map(|(ballot, round)| Confirmed { ballot, round })),
        kind((image(), slot()).prop_map(|(image, chosen)| Offer { image, chosen })),
        kind((image(), number(), any::<u32>()).prop_map(|(image, offset, bytes)| Pull {
            image: image.id(),
            offset,
            bytes,
        })),
        kind((image(), number(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(
            |(image, offset, payload)| Piece { image: image.id(), offset, payload: payload.into() },
        )),
        kind(
            (ballot(), slot(), prop::option::of(mark())).prop_map(|(ballot, slot, agreed)| Audit {
                ballot,
                slot,
                agreed,
            }),
        ),
        kind(mark().prop_map(|mark| Audited { mark })),
        kind((ballot(), slot()).prop_map(|(ballot, below)| Holding { ballot, below })),
        kind((ballot(), slot(), schedule()).prop_map(|(ballot, below, schedule)| Relieve {
            ballot,
            below,
            schedule,
        })),
        kind((founding(), any::<bool>()).prop_map(|(founding, asks)| Greet { founding, asks })),
    ])
}

/// One message of every kind.
pub(crate) fn one_of_each() -> Vec<Message> {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let one = |kind: BoxedStrategy<Message>| kind.new_tree(&mut runner).expect("no filters");
    message_kinds().into_iter().map(one).map(|tree| tree.current()).collect()
}

/// Any message, from anyone, of any group.
pub(crate) fn any_envelope() -> impl Strategy<Value = Envelope> {
    let message = prop::strategy::Union::new(message_kinds());
    (number(), narrow(), number(), message).prop_map(|(group, from, disk, message)| Envelope {
        group: GroupId(group),
        from: NodeId(from),
        disk,
        message,
    })
}

/// Any image of a state machine.
pub(crate) fn any_image() -> impl Strategy<Value = Image> {
    image()
}

/// Any record of any group.
pub(crate) fn any_record() -> impl Strategy<Value = Record> {
    let entry = prop_oneof![
        ballot().prop_map(Entry::Promised),
        (ballot(), run()).prop_map(|(ballot, run)| Entry::Voted { ballot, run }),
        run().prop_map(|run| Entry::Learned { run }),
        slot().prop_map(|below| Entry::Chosen { below }),
        slot().prop_map(|below| Entry::Trimmed { below }),
        slot().prop_map(|below| Entry::Reached { below }),
        (slot(), schedule()).prop_map(|(below, schedule)| Entry::Relieved { below, schedule }),
        founding().prop_map(Entry::Founding),
    ];
    (number(), entry).prop_map(|(group, entry)| Record { group: GroupId(group), entry })
}
