//! The spelling of the words that messages and records are made of.

use bytes::BufMut;

use super::Malformed;
use super::wire::{Reader, Wire, put_number, wire_newtype, wire_struct};
use crate::types::{
    Ballot, ClientId, Command, Commands, GroupId, Incarnation, Membership, NodeId, Run, Slot, Value,
};

wire_newtype! { NodeId GroupId Incarnation ClientId Slot }

wire_struct! {
    Ballot { round, node, disk }
    Command { client, sequence, payload }
}

impl Wire for Value {
    fn put(&self, out: &mut impl BufMut) {
        match self {
            Value::Noop => out.put_u8(0),
            Value::Command(command) => {
                out.put_u8(1);
                command.put(out);
            }
            Value::Config(membership) => {
                out.put_u8(2);
                membership.put(out);
            }
        }
    }

    fn take(reader: &mut Reader<'_>) -> Result<Value, Malformed> {
        match reader.byte()? {
            0 => Ok(Value::Noop),
            1 => Command::take(reader).map(Value::Command),
            2 => Membership::take(reader).map(|m| Value::Config(m.into())),
            tag => Err(Malformed::UnknownTag { of: "value", tag }),
        }
    }
}

impl Wire for Run {
    const BYTES_MIN: usize = 2;

    fn put(&self, out: &mut impl BufMut) {
        self.first.put(out);
        put_number(out, self.len() as u64);
        self.iter().for_each(|(_, value)| value.put(out));
    }

    fn take(reader: &mut Reader<'_>) -> Result<Run, Malformed> {
        let first = Slot::take(reader)?;
        let count = reader.count(Value::BYTES_MIN)?;
        // Every slot of a run has a number.
        first.0.checked_add(count as u64).ok_or(Malformed::OutOfRange("slot"))?;
        let mut failed = None;
        let run = Run::collect(first, words(reader, count, &mut failed));
        failed.map_or(Ok(run), Err)
    }
}

impl Wire for Commands {
    fn put(&self, out: &mut impl BufMut) {
        put_number(out, self.len() as u64);
        self.iter().for_each(|command| command.put(out));
    }

    fn take(reader: &mut Reader<'_>) -> Result<Commands, Malformed> {
        let count = reader.count(Command::BYTES_MIN)?;
        let mut failed = None;
        let commands = words(reader, count, &mut failed).collect();
        failed.map_or(Ok(commands), Err)
    }
}

/// The next `count` words. What follows an error means nothing, and is for free.
///
/// The length of a mapped range is trusted: whoever collects them allocates once for all
/// of them, what the bytes left stand for.
fn words<W: Wire + Default>(
    reader: &mut Reader<'_>,
    count: usize,
    failed: &mut Option<Malformed>,
) -> impl Iterator<Item = W> {
    (0..count).map(|_| match failed {
        Some(_) => W::default(),
        None => W::take(reader).unwrap_or_else(|e| {
            *failed = Some(e);
            W::default()
        }),
    })
}
