//! Checks that cost more than a step, and so are made on one step in some hundred.

use bytes::{Bytes, BytesMut};
use paxos_core::codec::{envelope, frame};
use paxos_core::effect::{Effect, Effects, Input};
use paxos_core::message::Envelope;
use paxos_core::types::{GroupId, Instant};
use paxos_core::{Node, Replica};

use crate::check::{Checked, Violation, ensure};
use crate::choice::Choice;

/// Steps a node and a copy of it, and compares what both give and become; then spells whatever
/// leaves in bytes and reads it again.
pub(super) fn step_twice(
    node: &mut Node,
    now: Instant,
    input: Input,
    effects: &mut Effects,
) -> Checked {
    let before = node.clone();
    let mut twin = node.clone();
    let mut others = Effects::new();
    twin.step(now, input.clone(), &mut others);
    node.step(now, input.clone(), effects);
    ensure!(*effects == others, "I22 purity", "a step gives other effects on a copy of the node");
    let same = twin == *node && twin.state_hash() == node.state_hash();
    ensure!(same, "I22 purity", "a step leads to another state on a copy of the node");
    if let Input::Received(received) = &input {
        isolated(received.group, &before, node)?;
    }
    effects.iter().try_for_each(|effect| match effect {
        Effect::Send { envelope, .. } => spelled(envelope),
        _ => Ok(()),
    })
}

/// Checks that a message of one group changes nothing of another.
fn isolated(group: GroupId, before: &Node, after: &Node) -> Checked {
    let others = |node: &Node| -> Vec<Replica> {
        node.groups().filter(|replica| replica.id() != group).cloned().collect()
    };
    ensure!(
        others(before) == others(after),
        "I18 isolation",
        "a message of {group} changes another group"
    );
    Ok(())
}

/// Turns some bits of a message on its way, as the network sees it, and checks that whoever reads it
/// notices: up to three anywhere, or any within four bytes.
pub(super) fn flip<C: Choice>(choice: &mut C, sent: &Envelope, version: u8) -> Checked {
    let mut bytes = BytesMut::new();
    frame::put_messages(&mut bytes, version, [sent]);
    let bits = bytes.len() as u32 * 8;
    let first = choice.below(bits);
    let near = choice.chance(300_000);
    let mut turned = vec![first];
    for _ in 0..choice.below(if near { 8 } else { 3 }) {
        turned.push(if near {
            first + choice.below(32).min(bits - 1 - first)
        } else {
            choice.below(bits)
        });
    }
    // One that is turned twice is as it was.
    turned.sort_unstable();
    turned.dedup();
    for bit in &turned {
        bytes[*bit as usize / 8] ^= 1 << (bit % 8);
    }
    // A frame that says it is longer is waited for, until the connection is given up.
    let read = frame::take(&mut bytes, 1 << 30, version);
    ensure!(
        !matches!(read, Ok(Some(_))),
        "I19 framing",
        "{} is read although bits {turned:?} of its frame were turned",
        sent.message.name()
    );
    Ok(())
}

/// Checks that a message returns from its bytes.
fn spelled(sent: &Envelope) -> Checked {
    let mut bytes = BytesMut::new();
    envelope::encode(sent, &mut bytes);
    let read = envelope::decode(&Bytes::from(bytes)).map_err(|error| {
        Violation::new(
            "I19 framing",
            format!("{} cannot be read again: {error:?}", sent.message.name()),
        )
    })?;
    ensure!(read == *sent, "I19 framing", "{} is read as another one", sent.message.name());
    Ok(())
}
