//! Inputs, configurations and logs as bytes, in the spelling of the core's codec.
//!
//! A word of the core that travels between peers is spelled as there. Everything is named here,
//! so that an input or a bound that is new does not compile until it can be recorded.

use std::time::Duration;

use bytes::BufMut;
use paxos_core::codec::wire::{Reader, Wire, put_number};
use paxos_core::codec::{Malformed, envelope};
use paxos_core::effect::Input;
use paxos_core::log::{Durable, Entry, Record};
use paxos_core::types::{
    Ballot, Command, GroupId, Image, ImageId, Incarnation, Lease, Limits, Membership, NodeId,
    Piece, ProposalId, QueryId, Run, Slot, Timing, Value, WriteId,
};
use paxos_core::{Config, GroupConfig};

/// Appends an input.
pub(super) fn put_input(input: &Input, out: &mut impl BufMut) {
    match input {
        Input::Received(envelope) => {
            out.put_u8(0);
            envelope::encode(envelope, out);
        }
        Input::Persisted(write) => put(1, &[write.0], out),
        Input::PersistFailed(write) => put(2, &[write.0], out),
        Input::Proposed { group, first, commands } => {
            put(3, &[group.0, first.0, commands.len() as u64], out);
            commands.iter().for_each(|command| command.put(out));
        }
        Input::MembersProposed { group, proposal, membership } => {
            put(4, &[group.0, proposal.0], out);
            membership.put(out);
        }
        Input::Queried { group, query } => put(5, &[group.0, query.0], out),
        Input::TransferRequested { group, to } => put(6, &[group.0, to.0.into()], out),
        Input::PeerDown(peer) => put(7, &[peer.0.into()], out),
        Input::PeerUp(peer) => put(8, &[peer.0.into()], out),
        Input::CheckpointRequested { group } => put(9, &[group.0], out),
        Input::Captured { group, image } => {
            put(10, &[group.0], out);
            image.put(out);
        }
        Input::CaptureFailed { group, below } => put(11, &[group.0, below.0], out),
        Input::Loaded { group, to, piece } => {
            put(12, &[group.0, to.0.into()], out);
            piece.put(out);
        }
        Input::Stored { group, image, end } => {
            put(13, &[group.0, *end], out);
            image.put(out);
        }
        Input::StoreFailed { group, image } => put_image(14, *group, image, out),
        Input::Installed { group, image } => put_image(15, *group, image, out),
        Input::InstallFailed { group, image } => put_image(16, *group, image, out),
        Input::Ticked => out.put_u8(17),
    }
}

fn put(tag: u8, numbers: &[u64], out: &mut impl BufMut) {
    out.put_u8(tag);
    numbers.iter().for_each(|number| put_number(out, *number));
}

fn put_image(tag: u8, group: GroupId, image: &ImageId, out: &mut impl BufMut) {
    put(tag, &[group.0], out);
    image.put(out);
}

/// Reads an input.
pub(super) fn take_input(reader: &mut Reader<'_>) -> Result<Input, Malformed> {
    let tag = reader.byte()?;
    match tag {
        0 => return envelope::take(reader).map(Input::Received),
        1 => return Ok(Input::Persisted(WriteId(reader.number()?))),
        2 => return Ok(Input::PersistFailed(WriteId(reader.number()?))),
        7 => return Ok(Input::PeerDown(NodeId::take(reader)?)),
        8 => return Ok(Input::PeerUp(NodeId::take(reader)?)),
        17 => return Ok(Input::Ticked),
        18.. => return Err(Malformed::UnknownTag { of: "input", tag }),
        _ => {}
    }
    let group = GroupId::take(reader)?;
    Ok(match tag {
        3 => {
            let first = ProposalId(reader.number()?);
            let count = reader.count(Command::BYTES_MIN)?;
            let commands = (0..count).map(|_| Command::take(reader)).collect::<Result<Vec<_>, _>>();
            Input::Proposed { group, first, commands: commands?.into() }
        }
        4 => {
            let proposal = ProposalId(reader.number()?);
            Input::MembersProposed { group, proposal, membership: Membership::take(reader)?.into() }
        }
        5 => Input::Queried { group, query: QueryId(reader.number()?) },
        6 => Input::TransferRequested { group, to: NodeId::take(reader)? },
        9 => Input::CheckpointRequested { group },
        10 => Input::Captured { group, image: Image::take(reader)? },
        11 => Input::CaptureFailed { group, below: Slot::take(reader)? },
        12 => Input::Loaded { group, to: NodeId::take(reader)?, piece: Piece::take(reader)? },
        13 => {
            let end = reader.number()?;
            Input::Stored { group, image: ImageId::take(reader)?, end }
        }
        14 => Input::StoreFailed { group, image: ImageId::take(reader)? },
        15 => Input::Installed { group, image: ImageId::take(reader)? },
        _ => Input::InstallFailed { group, image: ImageId::take(reader)? },
    })
}

/// Appends a configuration.
pub(super) fn put_config(config: &Config, out: &mut impl BufMut) {
    let Config { node, incarnation, disk, seed, groups, timing, limits, priority } = config;
    node.put(out);
    incarnation.put(out);
    [*disk, *seed, groups.len() as u64].iter().for_each(|number| put_number(out, *number));
    for GroupConfig { id, membership, applied, checkpoint, partial } in groups {
        id.put(out);
        membership.put(out);
        applied.put(out);
        put_option(checkpoint.as_ref(), out);
        put_option(partial.as_ref().map(|(image, _)| image), out);
        put_number(out, partial.map_or(0, |(_, stored)| stored));
    }
    put_timing(timing, out);
    put_number(out, u64::from(*priority));
    limits_as_numbers(limits).iter().for_each(|number| put_number(out, *number));
}

/// Reads a configuration.
pub(super) fn take_config(reader: &mut Reader<'_>) -> Result<Config, Malformed> {
    let (node, incarnation) = (NodeId::take(reader)?, Incarnation::take(reader)?);
    let (disk, seed) = (reader.number()?, reader.number()?);
    let count = reader.count(1)?;
    let groups = (0..count).map(|_| take_group(reader)).collect::<Result<_, _>>()?;
    let timing = take_timing(reader)?;
    let priority = small(reader.number()?)?;
    let limits = take_limits(reader)?;
    Ok(Config { node, incarnation, disk, seed, groups, timing, limits, priority })
}

fn take_group(reader: &mut Reader<'_>) -> Result<GroupConfig, Malformed> {
    let (id, membership) = (GroupId::take(reader)?, Membership::take(reader)?);
    let applied = Slot::take(reader)?;
    let checkpoint = take_option(reader)?;
    let (partial, stored): (Option<ImageId>, u64) = (take_option(reader)?, reader.number()?);
    let partial = partial.map(|image| (image, stored));
    Ok(GroupConfig { id, membership, applied, checkpoint, partial })
}

fn put_option<T: Wire>(word: Option<&T>, out: &mut impl BufMut) {
    out.put_u8(word.is_some().into());
    if let Some(word) = word {
        word.put(out);
    }
}

fn take_option<T: Wire>(reader: &mut Reader<'_>) -> Result<Option<T>, Malformed> {
    if bool::take(reader)? { T::take(reader).map(Some) } else { Ok(None) }
}

fn put_timing(timing: &Timing, out: &mut impl BufMut) {
    let Timing { heartbeat, patience, resend, gap, answer, stagger, lease } = timing;
    for wait in [heartbeat, patience, resend, gap, answer, stagger] {
        put_number(out, wait.as_nanos() as u64);
    }
    let lease = lease.map_or([0; 2], |l| [l.duration.as_nanos() as u64, l.drift_ppm.into()]);
    lease.iter().for_each(|number| put_number(out, *number));
}

fn take_timing(reader: &mut Reader<'_>) -> Result<Timing, Malformed> {
    let mut wait = || reader.number().map(Duration::from_nanos);
    let (heartbeat, patience, resend) = (wait()?, wait()?, wait()?);
    let (gap, answer, stagger, duration) = (wait()?, wait()?, wait()?, wait()?);
    let drift_ppm = small(reader.number()?)?;
    let lease = (!duration.is_zero()).then_some(Lease { duration, drift_ppm });
    Ok(Timing { heartbeat, patience, resend, gap, answer, stagger, lease })
}

/// Spells [`Limits`] once, for both directions.
macro_rules! limits {
    ($($field:ident,)*) => {
        fn limits_as_numbers(limits: &Limits) -> Vec<u64> {
            let Limits { $($field),* } = limits;
            vec![$(u64::try_from(*$field).unwrap_or(u64::MAX)),*]
        }

        fn take_limits(reader: &mut Reader<'_>) -> Result<Limits, Malformed> {
            Ok(Limits { $($field: small(reader.number()?)?),* })
        }
    };
}

limits! {
    window_slots, window_bytes, waiting_max, waiting_bytes_max, value_bytes_max, run_slots_max,
    run_bytes_max, log_slots_max, log_bytes_max, ahead_slots_max, deliver_slots_max,
    held_pledges_max, reads_max, forwarded_max, hops_max, checkpoint_slots, checkpoint_bytes,
    keep_slots, keep_bytes, piece_bytes_max, loads_max, transfer_bytes,
}

fn small<T: TryFrom<u64>>(number: u64) -> Result<T, Malformed> {
    T::try_from(number).map_err(|_| Malformed::OutOfRange("bound"))
}

/// Appends what a disk holds.
pub(super) fn put_durable(durable: &Durable, out: &mut impl BufMut) {
    put_number(out, durable.groups().count() as u64);
    for (id, group) in durable.groups() {
        let log = group.log();
        id.put(out);
        log.floor().put(out);
        log.chosen().put(out);
        group.promised().put(out);
        let cells = log.iter(log.floor());
        put_number(out, cells.count() as u64);
        for (slot, cell) in log.iter(log.floor()) {
            slot.put(out);
            cell.ballot.put(out);
            cell.chosen.put(out);
            cell.value.put(out);
        }
    }
}

/// Reads what a disk holds, by writing it again.
pub(super) fn take_durable(reader: &mut Reader<'_>) -> Result<Durable, Malformed> {
    let mut durable = Durable::default();
    for _ in 0..reader.count(5)? {
        for record in take_records(reader)? {
            durable.replay(record).map_err(|_| Malformed::OutOfRange("record"))?;
        }
    }
    Ok(durable)
}

/// The records of one group that make its log what it was.
fn take_records(reader: &mut Reader<'_>) -> Result<Vec<Record>, Malformed> {
    let group = GroupId::take(reader)?;
    let (floor, chosen) = (Slot::take(reader)?, Slot::take(reader)?);
    let promised = Ballot::take(reader)?;
    let (mut votes, mut learned) = (Vec::new(), Vec::new());
    for _ in 0..reader.count(4)? {
        let (slot, ballot) = (Slot::take(reader)?, Ballot::take(reader)?);
        let (is_chosen, value) = (bool::take(reader)?, Value::take(reader)?);
        if ballot != Ballot::ZERO {
            append(&mut votes, ballot, slot, value.clone());
        }
        // What lies below the frontier, and was voted on, follows from the frontier.
        if is_chosen && (ballot == Ballot::ZERO || slot >= chosen) {
            append(&mut learned, ballot, slot, value);
        }
    }
    // A vote promises its ballot, so that lower ones cannot follow.
    votes.sort_by_key(|(ballot, first, _)| (*ballot, *first));
    let mut entries = Vec::new();
    entries.extend((floor > Slot::FIRST).then_some(Entry::Reached { below: floor }));
    let run = |(_, first, values): Row| Run::new(first, values);
    entries.extend(votes.into_iter().map(|row| Entry::Voted { ballot: row.0, run: run(row) }));
    entries.extend(learned.into_iter().map(|row| Entry::Learned { run: run(row) }));
    entries.push(Entry::Chosen { below: chosen });
    entries.extend((promised != Ballot::ZERO).then_some(Entry::Promised(promised)));
    Ok(entries.into_iter().map(|entry| Record { group, entry }).collect())
}

/// Slots in a row that share a ballot.
type Row = (Ballot, Slot, Vec<Value>);

/// Slots that stand in one row at most.
const ROW_MAX: usize = 256;

fn append(rows: &mut Vec<Row>, ballot: Ballot, slot: Slot, value: Value) {
    if let Some((last, first, values)) = rows.last_mut()
        && *last == ballot
        && first.plus(values.len() as u64) == slot
        && values.len() < ROW_MAX
    {
        return values.push(value);
    }
    rows.push((ballot, slot, vec![value]));
}

/// What a replay will take `durable` for: equal to it, but perhaps in other runs, which a core
/// may deliver otherwise. None if a recording cannot say it.
pub(super) fn as_replayed(durable: &Durable) -> Option<Durable> {
    let mut bytes = Vec::new();
    put_durable(durable, &mut bytes);
    let read = take_durable(&mut Reader::of_own(&bytes.into())).ok()?;
    (read == *durable).then_some(read)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use paxos_core::message::{Envelope, Probe};
    use paxos_core::types::{Checkpoint, Checksum, Schedule};

    use super::*;

    const GROUP: GroupId = GroupId(3);

    fn image() -> Image {
        let schedule =
            Schedule::starting(Slot(9), Membership::majority([NodeId(1), NodeId(2)]).into());
        let checkpoint = Checkpoint { below: Slot(9), sum: Checksum(7), schedule };
        Image { checkpoint, bytes: 300, digest: 5 }
    }

    /// One of each.
    fn inputs() -> Vec<Input> {
        let (group, image, piece) = (GROUP, image(), Bytes::from_static(b"piece"));
        let id = image.id();
        let message = Probe { ballot: Ballot::new(4, NodeId(2)), chosen: Slot(8) }.into();
        let command = Command::plain(Bytes::from_static(b"x"));
        vec![
            Input::Received(Envelope { group, from: NodeId(2), disk: 6, message }),
            Input::Persisted(WriteId(5)),
            Input::PersistFailed(WriteId(6)),
            Input::Proposed { group, first: ProposalId(1), commands: vec![command].into() },
            Input::MembersProposed {
                group,
                proposal: ProposalId(2),
                membership: Membership::majority([NodeId(1)]).into(),
            },
            Input::Queried { group, query: QueryId(3) },
            Input::TransferRequested { group, to: NodeId(2) },
            Input::PeerDown(NodeId(3)),
            Input::PeerUp(NodeId(4)),
            Input::CheckpointRequested { group },
            Input::Captured { group, image },
            Input::CaptureFailed { group, below: Slot(4) },
            Input::Loaded {
                group,
                to: NodeId(5),
                piece: Piece { image: id, offset: 2, payload: piece },
            },
            Input::Stored { group, image: id, end: 77 },
            Input::StoreFailed { group, image: id },
            Input::Installed { group, image: id },
            Input::InstallFailed { group, image: id },
            Input::Ticked,
        ]
    }

    #[test]
    fn every_input_survives_and_no_prefix_of_it_does() {
        for (tag, input) in inputs().into_iter().enumerate() {
            let mut bytes = Vec::new();
            put_input(&input, &mut bytes);
            assert_eq!(usize::from(bytes[0]), tag);
            let bytes = Bytes::from(bytes);
            let mut reader = Reader::of_own(&bytes);
            assert_eq!(take_input(&mut reader), Ok(input.clone()));
            assert!(reader.is_empty(), "{input:?}");
            for end in 0..bytes.len() {
                let cut = bytes.slice(..end);
                assert!(take_input(&mut Reader::of_own(&cut)).is_err(), "{input:?} at {end}");
            }
        }
    }

    #[test]
    fn a_configuration_survives() {
        let mut group = GroupConfig::new(GROUP, Membership::majority([NodeId(1), NodeId(2)]));
        group.checkpoint = Some(image());
        group.partial = Some((image().id(), 44));
        let lease = Lease { duration: Duration::from_millis(500), drift_ppm: 100 };
        let config = Config {
            node: NodeId(2),
            incarnation: Incarnation(8),
            disk: 9,
            seed: u64::MAX,
            groups: vec![group],
            timing: Timing { lease: Some(lease), ..Timing::default() },
            priority: 3,
            limits: Limits { hops_max: 3, keep_slots: 1 << 40, ..Limits::default() },
        };
        let mut bytes = Vec::new();
        put_config(&config, &mut bytes);
        assert_eq!(take_config(&mut Reader::of_own(&bytes.into())), Ok(config));
    }

    #[test]
    fn a_log_with_votes_holes_and_learned_slots_survives() {
        let mut durable = Durable::default();
        let run = |slot, count| Run::new(Slot(slot), vec![Value::Noop; count]);
        let (low, high) = (Ballot::new(2, NodeId(1)), Ballot::new(5, NodeId(2)));
        let entries = [
            Entry::Reached { below: Slot(4) },
            Entry::Voted { ballot: low, run: run(4, 6) },
            Entry::Voted { ballot: high, run: run(5, 1) },
            Entry::Learned { run: run(12, 2) },
            Entry::Learned { run: run(9, 1) },
            Entry::Chosen { below: Slot(7) },
            Entry::Promised(Ballot::new(9, NodeId(3))),
        ];
        for entry in entries {
            durable.replay(Record { group: GROUP, entry }).expect("they follow each other");
        }
        assert_eq!(as_replayed(&durable), Some(durable));
    }
}
