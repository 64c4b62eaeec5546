//! The spelling of memberships and checkpoints.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{BufMut, Bytes};

use super::Malformed;
use super::wire::{Reader, Wire, put_number, wire_newtype, wire_struct};
use crate::types::{
    Checkpoint, Checksum, Image, ImageId, Mark, Member, Membership, NodeId, NodeSet, Piece,
    Schedule, Slot,
};

/// Appends `image`, for an embedder that keeps it beside the image's bytes.
pub fn encode_image(image: &Image, out: &mut impl BufMut) {
    image.put(out);
}

/// Reads the one image that `bytes` hold.
pub fn decode_image(bytes: &Bytes) -> Result<Image, Malformed> {
    let mut reader = Reader::new(bytes);
    let image = Image::take(&mut reader)?;
    reader.finish().map(|()| image)
}

wire_newtype! { Checksum }

wire_struct! {
    Checkpoint { below, sum, schedule }
    Image { checkpoint, bytes, digest }
    ImageId { below, bytes, digest }
    Piece { image, offset, payload }
    Mark { slot, sum }
}

impl Wire for NodeSet {
    fn put(&self, out: &mut impl BufMut) {
        put_number(out, self.len() as u64);
        self.iter().for_each(|node| node.put(out));
    }

    fn take(reader: &mut Reader<'_>) -> Result<NodeSet, Malformed> {
        let count = reader.count(NodeId::BYTES_MIN)?;
        let mut set = NodeSet::EMPTY;
        let mut last = NodeId(0);
        for _ in 0..count {
            let node = NodeId::take(reader)?;
            if node <= last || !set.insert(node) {
                return Err(Malformed::OutOfRange("set of nodes"));
            }
            last = node;
        }
        Ok(set)
    }
}

/// What is said of one member.
struct Said(NodeId, Member);

impl Wire for Said {
    const BYTES_MIN: usize = 3;

    fn put(&self, out: &mut impl BufMut) {
        self.0.put(out);
        self.1.disk.put(out);
        self.1.address.put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Said, Malformed> {
        let node = NodeId::take(reader)?;
        Ok(Said(node, Member { disk: u64::take(reader)?, address: Bytes::take(reader)? }))
    }
}

impl Wire for Membership {
    const BYTES_MIN: usize = 8;

    fn put(&self, out: &mut impl BufMut) {
        self.version().put(out);
        self.window().put(out);
        self.voters().put(out);
        self.witnesses().put(out);
        self.learners().put(out);
        put_number(out, self.prepare_quorum() as u64);
        put_number(out, self.accept_quorum() as u64);
        let said: Vec<Said> = self.members().map(|(node, m)| Said(node, m.clone())).collect();
        said.put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Membership, Malformed> {
        let (version, window) = (u64::take(reader)?, u32::take(reader)?);
        let (voters, witnesses) = (NodeSet::take(reader)?, NodeSet::take(reader)?);
        let learners = NodeSet::take(reader)?;
        let mut quorum = || {
            let size = reader.number()?;
            u8::try_from(size).map_err(|_| Malformed::OutOfRange("quorum"))
        };
        let (prepare, accept) = (quorum()?, quorum()?);
        let mut membership = Membership::flexible(voters.iter(), prepare, accept)
            .with_version(version)
            .with_window(window)
            .with_witnesses(witnesses.iter())
            .with_learners(learners.iter());
        let mut last = NodeId(0);
        for Said(node, member) in Vec::<Said>::take(reader)? {
            if node <= last || member == Member::default() {
                return Err(Malformed::OutOfRange("member"));
            }
            last = node;
            membership = membership.with_member(node, member);
        }
        if !membership.is_sound() && membership != Membership::unknown() {
            return Err(Malformed::OutOfRange("membership"));
        }
        Ok(membership)
    }
}

/// One rule of a schedule.
struct Rule(Slot, Arc<Membership>);

impl Wire for Rule {
    const BYTES_MIN: usize = 1 + Membership::BYTES_MIN;

    fn put(&self, out: &mut impl BufMut) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Rule, Malformed> {
        Ok(Rule(Slot::take(reader)?, Arc::new(Membership::take(reader)?)))
    }
}

impl Wire for Schedule {
    const BYTES_MIN: usize = 1 + Rule::BYTES_MIN;

    fn put(&self, out: &mut impl BufMut) {
        let rules: Vec<Rule> = self.iter().map(|(from, m)| Rule(from, m.clone())).collect();
        rules.put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Schedule, Malformed> {
        let rules = Vec::<Rule>::take(reader)?;
        let schedule = Schedule::from_rules(rules.into_iter().map(|Rule(from, m)| (from, m)));
        schedule.ok_or(Malformed::OutOfRange("schedule"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::testing::any_image;
    use proptest::prelude::*;

    fn spelled(membership: &Membership) -> Vec<u8> {
        let mut out = Vec::new();
        membership.put(&mut out);
        out
    }

    fn taken(bytes: Vec<u8>) -> Result<Membership, Malformed> {
        let bytes = Bytes::from(bytes);
        let mut reader = Reader::new(&bytes);
        let membership = Membership::take(&mut reader)?;
        reader.finish().map(|()| membership)
    }

    proptest! {
        #[test]
        fn an_image_that_is_kept_returns(image in any_image()) {
            let mut out = Vec::new();
            encode_image(&image, &mut out);
            prop_assert_eq!(decode_image(&out.clone().into()), Ok(image));
            out.push(0);
            prop_assert_eq!(decode_image(&out.into()), Err(Malformed::Trailing(1)));
        }
    }

    #[test]
    fn a_membership_that_cannot_rule_is_refused_unless_it_is_the_unknown_one() {
        let three = [1, 2, 3].map(NodeId);
        let apart = Membership::flexible(three, 1, 2);
        let mute = Membership::majority(three).with_witnesses(three);
        for absurd in [apart, mute, Membership::unknown().with_version(1)] {
            assert_eq!(taken(spelled(&absurd)), Err(Malformed::OutOfRange("membership")));
        }
        for sound in [Membership::flexible(three, 2, 2), Membership::unknown()] {
            assert_eq!(taken(spelled(&sound)), Ok(sound));
        }
    }

    #[test]
    fn members_have_one_spelling() {
        let bare = Membership::majority([1, 2].map(NodeId));
        // The list of members stands last: node, disk, and an address of no bytes.
        let with = |said: &[[u8; 3]]| {
            let mut bytes = spelled(&bare);
            *bytes.last_mut().expect("their number") = said.len() as u8;
            bytes.extend(said.concat());
            taken(bytes)
        };
        let both = bare.clone().with_disk(NodeId(1), 7).with_disk(NodeId(2), 8);
        assert_eq!(with(&[[1, 7, 0], [2, 8, 0]]), Ok(both));
        let refused = Err(Malformed::OutOfRange("member"));
        assert_eq!(with(&[[2, 8, 0], [1, 7, 0]]), refused, "out of order");
        assert_eq!(with(&[[1, 7, 0], [1, 8, 0]]), refused, "twice");
        assert_eq!(with(&[[1, 0, 0]]), refused, "nothing to say");
    }
}
