//! A running sum over what is chosen.

use core::fmt;

use super::{Member, Membership, NodeId, NodeSet, Slot, Value};

/// A sum over the values of all slots below a frontier, in order: two replicas
/// that have delivered the same slots have the same sum, and one that has ever
/// delivered another value has another sum from there on.
///
/// Every byte of every value counts, and its slot, and its session. Against
/// accidents, not against an adversary: 64 bits, folded by wide multiplication.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Checksum(pub u64);

impl Checksum {
    /// The sum before the first slot.
    pub const FIRST: Checksum = Checksum(0x9E37_79B9_7F4A_7C15);

    /// The sum with the value at `slot`, the next one, taken in.
    #[must_use]
    pub fn extended(self, slot: Slot, value: &Value) -> Checksum {
        let value = match value {
            Value::Noop => 0xE703_7ED1_A0B4_28DB,
            Value::Command(c) => over_bytes(mixed(c.client.0, c.sequence), &c.payload),
            Value::Config(m) => over_membership(0xD6E8_FEB8_6659_FD93, m),
        };
        Checksum(fold(self.0 ^ slot.0.rotate_left(32), value))
    }
}

/// The sum over everything below one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mark {
    /// Where.
    pub slot: Slot,
    /// The sum there.
    pub sum: Checksum,
}

impl Mark {
    /// Replicas remember their sums at multiples of this many slots, to compare them.
    pub const STRIDE: u64 = 64;
}

impl Default for Checksum {
    fn default() -> Checksum {
        Checksum::FIRST
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Both halves of the product, folded; never loses a factor of zero.
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a ^ 0x5899_65CC_7537_4CC3) * u128::from(b ^ 0x1D8E_4E27_C47D_124F);
    (wide as u64) ^ ((wide >> 64) as u64) ^ a.rotate_left(29) ^ b
}

/// Sixteen bytes at a time, each by itself, so that a processor works on several at
/// once; their products are chained by a rotation, so that their order counts.
fn over_bytes(seed: u64, bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<16>();
    let take_in = |sum: u64, block: &[u8; 16]| {
        let both = u128::from_le_bytes(*block);
        sum.rotate_left(23) ^ mixed(both as u64, (both >> 64) as u64)
    };
    // By fours: otherwise a quarter of the work would be counting.
    let (fours, blocks) = blocks.as_chunks::<4>();
    let sum = seed ^ bytes.len() as u64;
    let sum = fours.iter().fold(sum, |sum, four| four.iter().fold(sum, take_in));
    let sum = blocks.iter().fold(sum, take_in);
    if rest.is_empty() {
        return sum;
    }
    let mut last = [0; 16];
    last[..rest.len()].copy_from_slice(rest);
    take_in(sum, &last)
}

/// One product of two words, with its halves folded. That a word is the one constant
/// which makes it forget the other happens to one in 2^64.
fn mixed(a: u64, b: u64) -> u64 {
    let wide = u128::from(a ^ 0x2D35_8DCC_AA6C_78A5) * u128::from(b ^ 0x8BB8_4B93_962E_ACC9);
    (wide as u64) ^ ((wide >> 64) as u64)
}

/// Rare: kept out of the way of what is not.
#[cold]
#[inline(never)]
fn over_membership(seed: u64, m: &Membership) -> u64 {
    let sizes = (m.prepare_quorum() as u64) << 32 | m.accept_quorum() as u64;
    let head = [m.version(), u64::from(m.window()), sizes].into_iter().fold(seed, fold);
    let roles = [m.voters(), m.witnesses(), m.learners()];
    let head = roles.into_iter().fold(head, over_nodes);
    let member = |sum, (node, of): (NodeId, &Member)| {
        fold(sum, over_bytes(fold(u64::from(node.0), of.disk), &of.address))
    };
    m.members().fold(head, member)
}

fn over_nodes(seed: u64, nodes: NodeSet) -> u64 {
    nodes.iter().fold(fold(seed, nodes.len() as u64), |sum, node| fold(sum, u64::from(node.0)))
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::types::{ClientId, Command};

    fn command(payload: &[u8]) -> Value {
        Value::Command(Command::plain(payload.to_vec().into()))
    }

    fn sum(values: &[Value]) -> Checksum {
        let slots = (1..).map(Slot);
        slots.zip(values).fold(Checksum::FIRST, |sum, (slot, v)| sum.extended(slot, v))
    }

    #[test]
    fn every_bit_counts() {
        for length in [1, 7, 8, 9, 64, 65] {
            let bytes: Vec<u8> = (0..length).collect();
            let whole = sum(&[command(&bytes)]);
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut other = bytes.clone();
                    other[at] ^= 1 << bit;
                    assert_ne!(
                        sum(&[command(&other)]),
                        whole,
                        "{length} bytes, byte {at} bit {bit}"
                    );
                }
            }
            let mut longer = bytes.clone();
            longer.push(0);
            assert_ne!(sum(&[command(&longer)]), whole, "a zero more");
        }
    }

    #[test]
    fn order_kind_and_session_count() {
        let (a, b) = (command(b"a"), command(b"b"));
        assert_ne!(sum(&[a.clone(), b.clone()]), sum(&[b.clone(), a.clone()]));
        assert_ne!(sum(&[Value::Noop]), sum(&[command(b"")]));
        let session = |client, sequence| {
            let payload = b"a".to_vec().into();
            Value::Command(Command { client: ClientId(client), sequence, payload })
        };
        let all = [a, session(1, 1), session(1, 2), session(2, 1)];
        for (i, one) in all.iter().enumerate() {
            for other in &all[i + 1..] {
                assert_ne!(sum(core::slice::from_ref(one)), sum(core::slice::from_ref(other)));
            }
        }
    }

    #[test]
    fn every_part_of_a_membership_counts() {
        let three = || Membership::majority([1, 2, 3].map(NodeId));
        let all = [
            three(),
            three().with_version(1),
            three().with_window(9),
            three().with_learners([NodeId(4)]),
            three().with_disk(NodeId(1), 5),
            three().with_disk(NodeId(2), 5),
            three().with_address(NodeId(1), "a".into()),
            Membership::majority([1, 2, 4].map(NodeId)),
            Membership::flexible([1, 2, 3].map(NodeId), 3, 1),
        ];
        let config = |m: &Membership| sum(&[Value::Config(m.clone().into())]);
        for (i, one) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|other| config(other) != config(one)), "{one:?}");
        }
    }

    /// Images keep sums, and replicas of other builds compare theirs: it is a format. These
    /// were worked out by another program.
    #[test]
    fn sums_stay_what_they_were() {
        let payload: Vec<u8> = (0..100).collect();
        let command = Command { client: ClientId(7), sequence: 3, payload: payload.into() };
        let members = Membership::majority([1, 2, 3].map(NodeId)).with_witnesses([NodeId(3)]);
        let members = members.with_version(5).with_window(9).with_learners([NodeId(4)]);
        let members = members.with_disk(NodeId(1), 5).with_address(NodeId(1), "a:1".into());
        let values = [Value::Noop, Value::Command(command), Value::Config(members.into())];
        let expected = [0x433B_4484_9301_2132, 0x109D_8499_88DA_8B57, 0x6CA2_E8C6_1138_726F];
        for (upto, sum_then) in (1..).zip(expected) {
            assert_eq!(sum(&values[..upto]), Checksum(sum_then));
        }
    }

    #[test]
    fn a_difference_stays_for_ever() {
        let same = vec![command(b"same"); 1000];
        let (mut one, mut other) = (vec![command(b"x")], vec![command(b"y")]);
        one.extend(same.clone());
        other.extend(same);
        assert_ne!(sum(&one), sum(&other));
    }
}
