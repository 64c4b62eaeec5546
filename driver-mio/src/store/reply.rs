//! An answer as bytes, so that a retry gets the same one from an image.
//!
//! Not the wire's bytes: those say less than an answer holds, and differ by protocol.
//! Whether a status was known when the program was built is not told: both kinds
//! read alike, and have one spelling here.

use bytes::{Buf, BufMut, Bytes};

use crate::resp::Reply;

/// Bytes that are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Appends `reply`.
pub(super) fn put(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Status(text) => put_text(STATUS, text.as_bytes(), out),
        Reply::Simple(text) => put_text(STATUS, text, out),
        Reply::Error(text) => put_text(ERROR, text, out),
        Reply::Integer(number) => {
            out.put_u8(INTEGER);
            out.put_i64_le(*number);
        }
        Reply::Bulk(text) => put_text(BULK, text, out),
        Reply::Null => out.put_u8(NULL),
        Reply::NullArray => out.put_u8(NULL_ARRAY),
        Reply::Array(items) => put_items(ARRAY, items, out),
        Reply::Set(items) => put_items(SET, items, out),
        Reply::Push(items) => put_items(PUSH, items, out),
        Reply::Map(pairs) => {
            out.put_u8(MAP);
            put_count(pairs.len(), out);
            pairs.iter().for_each(|(key, value)| {
                put(key, out);
                put(value, out);
            });
        }
        Reply::Boolean(truth) => out.put_slice(&[BOOLEAN, u8::from(*truth)]),
        Reply::Double(text) => put_text(DOUBLE, text, out),
        Reply::BigNumber(text) => put_text(BIG_NUMBER, text, out),
        Reply::Verbatim(kind, text) => {
            put_text(VERBATIM, text, out);
            out.put_slice(kind);
        }
    }
}

fn put_text(kind: u8, text: &[u8], out: &mut Vec<u8>) {
    out.put_u8(kind);
    put_count(text.len(), out);
    out.put_slice(text);
}

fn put_items(kind: u8, items: &[Reply], out: &mut Vec<u8>) {
    out.put_u8(kind);
    put_count(items.len(), out);
    items.iter().for_each(|item| put(item, out));
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    // The machine's limits keep answers far below 4 GiB.
    out.put_u32_le(u32::try_from(count).unwrap_or(u32::MAX));
}

/// Takes the answer at the front of `bytes`.
pub(super) fn take(bytes: &mut Bytes) -> Result<Reply, Malformed> {
    take_nested(bytes, DEPTH_MAX)
}

fn take_nested(bytes: &mut Bytes, depth: usize) -> Result<Reply, Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    Ok(match bytes.try_get_u8().map_err(|_| Malformed)? {
        STATUS => Reply::Simple(take_text(bytes)?),
        ERROR => Reply::Error(take_text(bytes)?),
        INTEGER => Reply::Integer(bytes.try_get_i64_le().map_err(|_| Malformed)?),
        BULK => Reply::Bulk(take_text(bytes)?),
        NULL => Reply::Null,
        NULL_ARRAY => Reply::NullArray,
        ARRAY => Reply::Array(take_items(bytes, depth)?),
        SET => Reply::Set(take_items(bytes, depth)?),
        PUSH => Reply::Push(take_items(bytes, depth)?),
        MAP => {
            let mut items = take_many(bytes, 2, depth)?.into_iter();
            let pair = || items.next().zip(items.next());
            Reply::Map(std::iter::from_fn(pair).collect())
        }
        BOOLEAN => match bytes.try_get_u8() {
            Ok(truth @ 0..=1) => Reply::Boolean(truth == 1),
            _ => return Err(Malformed),
        },
        DOUBLE => Reply::Double(take_text(bytes)?),
        BIG_NUMBER => Reply::BigNumber(take_text(bytes)?),
        VERBATIM => {
            let text = take_text(bytes)?;
            let mut kind = [0; 3];
            bytes.try_copy_to_slice(&mut kind).map_err(|_| Malformed)?;
            Reply::Verbatim(kind, text)
        }
        _ => return Err(Malformed),
    })
}

fn take_text(bytes: &mut Bytes) -> Result<Bytes, Malformed> {
    let length = bytes.try_get_u32_le().map_err(|_| Malformed)? as usize;
    if length > bytes.len() {
        return Err(Malformed);
    }
    // A copy, so that a short answer does not keep the whole record.
    Ok(Bytes::copy_from_slice(&bytes.split_to(length)))
}

fn take_items(bytes: &mut Bytes, depth: usize) -> Result<Vec<Reply>, Malformed> {
    take_many(bytes, 1, depth)
}

fn take_many(bytes: &mut Bytes, each: usize, depth: usize) -> Result<Vec<Reply>, Malformed> {
    let count = bytes.try_get_u32_le().map_err(|_| Malformed)? as usize;
    // Grows with what is there, not with what is claimed.
    let mut items = Vec::new();
    for _ in 0..count.saturating_mul(each) {
        items.push(take_nested(bytes, depth)?);
    }
    Ok(items)
}

const STATUS: u8 = 1;
const ERROR: u8 = 2;
const INTEGER: u8 = 3;
const BULK: u8 = 4;
const NULL: u8 = 5;
const NULL_ARRAY: u8 = 6;
const ARRAY: u8 = 7;
const SET: u8 = 8;
const PUSH: u8 = 9;
const MAP: u8 = 10;
const BOOLEAN: u8 = 11;
const DOUBLE: u8 = 12;
const BIG_NUMBER: u8 = 13;
const VERBATIM: u8 = 14;
/// No answer of the machine is nested deeper: a scan in a transaction has three floors.
const DEPTH_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_reply() -> impl Strategy<Value = Reply> {
        let text = || prop::collection::vec(any::<u8>(), 0..9).prop_map(Bytes::from);
        let leaf = prop_oneof![
            text().prop_map(Reply::Simple),
            text().prop_map(Reply::Error),
            any::<i64>().prop_map(Reply::Integer),
            text().prop_map(Reply::Bulk),
            Just(Reply::Null),
            Just(Reply::NullArray),
            any::<bool>().prop_map(Reply::Boolean),
            text().prop_map(Reply::Double),
            text().prop_map(Reply::BigNumber),
            text().prop_map(|text| Reply::Verbatim(*b"txt", text)),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            let many = || prop::collection::vec(inner.clone(), 0..4);
            let pairs = prop::collection::vec((inner.clone(), inner.clone()), 0..3);
            prop_oneof![
                many().prop_map(Reply::Array),
                many().prop_map(Reply::Set),
                many().prop_map(Reply::Push),
                pairs.prop_map(Reply::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_answer_returns_and_every_cut_is_noticed(reply in any_reply()) {
            let mut out = Vec::new();
            put(&reply, &mut out);
            let whole = Bytes::from(out);
            let mut bytes = whole.clone();
            prop_assert_eq!(take(&mut bytes), Ok(reply));
            prop_assert!(bytes.is_empty());
            for cut in 0..whole.len() {
                prop_assert_eq!(take(&mut whole.slice(..cut)), Err(Malformed));
            }
        }

        #[test]
        fn noise_is_refused_or_canonical(noise in prop::collection::vec(0..16u8, 0..60)) {
            let mut bytes = Bytes::from(noise.clone());
            if let Ok(reply) = take(&mut bytes) {
                let mut out = Vec::new();
                put(&reply, &mut out);
                prop_assert_eq!(&out[..], &noise[..noise.len() - bytes.len()]);
            }
        }
    }

    #[test]
    fn a_deep_answer_is_refused_before_it_costs_a_stack() {
        let mut bytes = [ARRAY, 1, 0, 0, 0].repeat(1 << 20);
        bytes.push(NULL);
        assert_eq!(take(&mut Bytes::from(bytes)), Err(Malformed));
    }

    #[test]
    fn both_kinds_of_status_are_one() {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        put(&Reply::OK, &mut one);
        put(&Reply::Simple("OK".into()), &mut other);
        assert_eq!(one, other);
    }
}
