//! The bytes of records.
//!
//! Every record names its kind, its version and its length, so that a reader can
//! step over what it does not know, if it may: a record that changes what the node
//! may promise says that it must be understood.

use core::fmt;

use bytes::{BufMut, Bytes};

use crate::codec::Malformed;
use crate::codec::wire::{Reader, Wire, put_number};
use crate::log::{Entry, Record};
use crate::types::{Ballot, Founding, GroupId, Run, Schedule, Slot};

const PROMISED: u8 = 1;
const VOTED: u8 = 2;
const LEARNED: u8 = 3;
const CHOSEN: u8 = 4;
const TRIMMED: u8 = 5;
const REACHED: u8 = 6;
const RELIEVED: u8 = 7;
const FOUNDING: u8 = 8;

const VERSION: u8 = 1;

/// A reader that does not know the record must not go on.
const MUST_UNDERSTAND: u8 = 1;

/// Why a record that a checksum covers cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordError {
    /// It is not what any version writes.
    Malformed,
    /// A later version wrote it, and it must be understood.
    Unsupported {
        /// The kind of record.
        kind: u8,
        /// The kind's version.
        version: u8,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Malformed => f.write_str("malformed record under a sound checksum"),
            RecordError::Unsupported { kind, version } => {
                write!(f, "a record of a later version (kind {kind}, version {version})")
            }
        }
    }
}

impl core::error::Error for RecordError {}

impl From<Malformed> for RecordError {
    fn from(_: Malformed) -> RecordError {
        RecordError::Malformed
    }
}

/// Appends `record` to `out`; `scratch` is overwritten.
pub(super) fn put(record: &Record, out: &mut impl BufMut, scratch: &mut alloc::vec::Vec<u8>) {
    scratch.clear();
    record.group.put(scratch);
    match &record.entry {
        Entry::Promised(ballot) => ballot.put(scratch),
        Entry::Voted { ballot, run } => {
            ballot.put(scratch);
            run.put(scratch);
        }
        Entry::Learned { run } => run.put(scratch),
        Entry::Chosen { below } | Entry::Trimmed { below } | Entry::Reached { below } => {
            below.put(scratch);
        }
        Entry::Relieved { below, schedule } => {
            below.put(scratch);
            schedule.put(scratch);
        }
        Entry::Founding(founding) => founding.put(scratch),
    }
    let (kind, flags) = kind_of(&record.entry);
    out.put_slice(&[kind, VERSION, flags]);
    put_number(out, scratch.len() as u64);
    out.put_slice(scratch);
}

/// A hint may be missed; the others may not.
fn kind_of(entry: &Entry) -> (u8, u8) {
    match entry {
        Entry::Promised(_) => (PROMISED, MUST_UNDERSTAND),
        Entry::Voted { .. } => (VOTED, MUST_UNDERSTAND),
        Entry::Learned { .. } => (LEARNED, MUST_UNDERSTAND),
        Entry::Chosen { .. } => (CHOSEN, 0),
        Entry::Trimmed { .. } => (TRIMMED, MUST_UNDERSTAND),
        Entry::Reached { .. } => (REACHED, MUST_UNDERSTAND),
        Entry::Relieved { .. } => (RELIEVED, MUST_UNDERSTAND),
        Entry::Founding(_) => (FOUNDING, MUST_UNDERSTAND),
    }
}

/// Reads the record that `reader` stands before; none if this version does not
/// know it and need not.
pub(super) fn take(reader: &mut Reader<'_>) -> Result<Option<Record>, RecordError> {
    let (kind, version, flags) = (reader.byte()?, reader.byte()?, reader.byte()?);
    let fields = Bytes::take(reader)?;
    if version != VERSION || !(PROMISED..=FOUNDING).contains(&kind) {
        let skip = flags & MUST_UNDERSTAND == 0;
        return if skip { Ok(None) } else { Err(RecordError::Unsupported { kind, version }) };
    }
    let mut reader = Reader::of_own(&fields);
    let group = GroupId::take(&mut reader)?;
    let entry = match kind {
        PROMISED => Entry::Promised(Ballot::take(&mut reader)?),
        VOTED => Entry::Voted { ballot: Ballot::take(&mut reader)?, run: Run::take(&mut reader)? },
        LEARNED => Entry::Learned { run: Run::take(&mut reader)? },
        CHOSEN => Entry::Chosen { below: Slot::take(&mut reader)? },
        TRIMMED => Entry::Trimmed { below: Slot::take(&mut reader)? },
        REACHED => Entry::Reached { below: Slot::take(&mut reader)? },
        FOUNDING => Entry::Founding(Founding::take(&mut reader)?),
        _ => {
            let below = Slot::take(&mut reader)?;
            Entry::Relieved { below, schedule: Schedule::take(&mut reader)? }
        }
    };
    reader.finish()?;
    if flags != kind_of(&entry).1 {
        return Err(RecordError::Malformed);
    }
    Ok(Some(Record { group, entry }))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::codec::testing::any_record;

    fn encoded(record: &Record) -> Vec<u8> {
        let mut out = Vec::new();
        put(record, &mut out, &mut Vec::new());
        out
    }

    fn decoded(bytes: &[u8]) -> Result<Option<Record>, RecordError> {
        let bytes = Bytes::copy_from_slice(bytes);
        let mut reader = Reader::of_own(&bytes);
        let record = take(&mut reader)?;
        reader.finish()?;
        Ok(record)
    }

    #[test]
    fn an_unknown_hint_is_stepped_over_and_an_unknown_duty_is_not() {
        assert_eq!(decoded(&[77, 1, 0, 2, 8, 8]), Ok(None));
        let unsupported = RecordError::Unsupported { kind: 77, version: 1 };
        assert_eq!(decoded(&[77, 1, 1, 2, 8, 8]), Err(unsupported));
        // A known kind in a later version is as unknown.
        let unsupported = RecordError::Unsupported { kind: VOTED, version: 2 };
        assert_eq!(decoded(&[VOTED, 2, 1, 0]), Err(unsupported));
    }

    proptest! {
        #[test]
        fn every_record_returns(record in any_record()) {
            prop_assert_eq!(decoded(&encoded(&record)), Ok(Some(record)));
        }

        #[test]
        fn every_cut_and_every_extra_byte_is_noticed(record in any_record()) {
            let mut bytes = encoded(&record);
            for cut in 0..bytes.len() {
                prop_assert_eq!(decoded(&bytes[..cut]), Err(RecordError::Malformed));
            }
            bytes.push(0);
            prop_assert_eq!(decoded(&bytes), Err(RecordError::Malformed));
        }

        #[test]
        fn noise_is_refused_or_canonical(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(Some(record)) = decoded(&bytes) {
                prop_assert_eq!(encoded(&record), bytes);
            }
        }
    }
}
