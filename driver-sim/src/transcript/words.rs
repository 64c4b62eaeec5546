//! Inputs, effects, messages and records in words, short enough for a line each.

use std::fmt;

use paxos_core::effect::{Effect, Input};
use paxos_core::log::{Entry, Record};
use paxos_core::message::Message;
use paxos_core::types::{Command, GroupId, ImageId, NodeId, Piece, Run, Value};

use crate::machine::CELL_BYTES;

/// An input to a node.
#[derive(Debug)]
pub struct InputWords<'a>(pub NodeId, pub &'a Input);

impl fmt::Display for InputWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let me = self.0;
        match self.1 {
            Input::Received(e) => {
                write!(f, "{}→{me} {}{}", e.from, In(e.group), MessageWords(&e.message))
            }
            Input::Persisted(write) => write!(f, "{me} persisted {write}"),
            Input::PersistFailed(write) => write!(f, "{me} failed to persist {write}"),
            Input::Proposed { group, first, commands } => {
                write!(f, "{me} {}proposed {first} [", In(*group))?;
                for (index, command) in commands.iter().take(3).enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{}", CommandWords(command))?;
                }
                f.write_str(if commands.len() > 3 { ", ..]" } else { "]" })
            }
            Input::Queried { group, query } => write!(f, "{me} {}queried {query}", In(*group)),
            Input::PeerDown(peer) => write!(f, "{me} hears that {peer} is down"),
            Input::PeerUp(peer) => write!(f, "{me} hears that {peer} is up"),
            Input::Ticked => write!(f, "{me} ticked"),
            Input::CheckpointRequested { group } => {
                write!(f, "{me} {}checkpoint requested", In(*group))
            }
            Input::Captured { group, image } => {
                write!(f, "{me} {}captured {}", In(*group), ImageWords(&image.id()))
            }
            Input::CaptureFailed { group, below } => {
                write!(f, "{me} {}failed to capture all below {below}", In(*group))
            }
            Input::Loaded { group, to, piece } => {
                write!(f, "{me} {}loaded {} for {to}", In(*group), PieceWords(piece))
            }
            Input::Stored { group, image, end } => {
                write!(f, "{me} {}stored {} up to {end}", In(*group), ImageWords(image))
            }
            Input::StoreFailed { group, image } => {
                write!(f, "{me} {}failed to store {}", In(*group), ImageWords(image))
            }
            Input::Installed { group, image } => {
                write!(f, "{me} {}installed {}", In(*group), ImageWords(image))
            }
            Input::InstallFailed { group, image } => {
                write!(f, "{me} {}failed to install {}", In(*group), ImageWords(image))
            }
            #[allow(unreachable_patterns, reason = "inputs yet to come")]
            other => write!(f, "{me} {other:?}"),
        }
    }
}

/// An effect of a step of a node.
#[derive(Debug)]
pub struct EffectWords<'a>(pub NodeId, pub &'a Effect);

impl fmt::Display for EffectWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let me = self.0;
        match self.1 {
            Effect::Send { to, envelope: e } => {
                write!(f, "  {me}→{to:?} {}{}", In(e.group), MessageWords(&e.message))
            }
            Effect::Persist(batch) => {
                write!(f, "  {me} Persist {}", batch.id)?;
                batch.records.iter().try_for_each(|record| write!(f, " [{}]", RecordWords(record)))
            }
            Effect::Deliver { group, run } => {
                write!(f, "  {me} {}Deliver {}", In(*group), RunWords(run))
            }
            Effect::Resolve { group, first, count: 1, outcome } => {
                write!(f, "  {me} {}Resolve {first} {outcome:?}", In(*group))
            }
            Effect::Resolve { group, first, count, outcome } => {
                write!(f, "  {me} {}Resolve {first} and {} more {outcome:?}", In(*group), count - 1)
            }
            Effect::Serve { group, query, at } => {
                write!(f, "  {me} {}Serve {query} at {at}", In(*group))
            }
            Effect::Decline { group, query, why } => {
                write!(f, "  {me} {}Decline {query} {why:?}", In(*group))
            }
            Effect::Capture { group, checkpoint } => {
                let below = checkpoint.below;
                write!(f, "  {me} {}Capture all below {below}, {}", In(*group), checkpoint.sum)
            }
            Effect::Load { group, to, image, offset, bytes } => {
                let image = ImageWords(image);
                write!(f, "  {me} {}Load {bytes} at {offset} of {image} for {to}", In(*group))
            }
            Effect::Store { group, piece } => {
                write!(f, "  {me} {}Store {}", In(*group), PieceWords(piece))
            }
            Effect::Install { group, image } => {
                write!(f, "  {me} {}Install {}", In(*group), ImageWords(&image.id()))
            }
            Effect::Note(notice) => write!(f, "  {me} notes {notice:?}"),
            Effect::Halt(reason) => write!(f, "  {me} Halt {reason:?}"),
            #[allow(unreachable_patterns, reason = "effects yet to come")]
            other => write!(f, "  {me} {other:?}"),
        }
    }
}

/// The group, where it is not the first.
struct In(GroupId);

impl fmt::Display for In {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == GroupId(0) { Ok(()) } else { write!(f, "{} ", self.0) }
    }
}

/// A message, without who says it to whom.
#[derive(Debug)]
pub struct MessageWords<'a>(pub &'a Message);

impl fmt::Display for MessageWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.name())?;
        match self.0 {
            Message::Prepare(m) => write!(f, " {} from {}", m.ballot, m.from),
            Message::Promise(m) => {
                write!(f, " {} {}..", m.ballot, m.from)?;
                m.to.map_or(Ok(()), |to| write!(f, "{to}"))?;
                write!(f, " chosen {}", m.chosen)?;
                m.votes.iter().try_for_each(|vote| {
                    let chosen = if vote.chosen { " chosen" } else { "" };
                    write!(
                        f,
                        " [{}@{}{chosen} {}]",
                        vote.slot,
                        vote.ballot,
                        ValueWords(&vote.value)
                    )
                })
            }
            Message::Accept(m) => {
                write!(f, " {} {} chosen {}", m.ballot, RunWords(&m.run), m.chosen)
            }
            Message::Accepted(m) => write!(f, " {} {}..{}", m.ballot, m.first, m.end),
            Message::Reject(m) => write!(f, " {} for {}", m.ballot, m.promised),
            Message::Chosen(m) => write!(f, " {} below {}", m.ballot, m.below),
            Message::Probe(m) => write!(f, " {}", m.ballot),
            Message::ProbeAck(m) => {
                let granted = if m.granted { "yes" } else { "no" };
                write!(f, " {} {granted} promised {} chosen {}", m.ballot, m.promised, m.chosen)
            }
            Message::Heartbeat(m) => {
                write!(f, " {} beat {} chosen {}", m.ballot, m.beat, m.chosen)
            }
            Message::HeartbeatAck(m) => {
                write!(f, " {} beat {} chosen {}", m.ballot, m.beat, m.chosen)
            }
            Message::Fetch(m) => write!(f, " {}..{}", m.from, m.to),
            Message::Entries(m) => write!(f, " {} chosen {}", RunWords(&m.run), m.chosen),
            Message::Offer(m) => {
                write!(f, " {} chosen {}", ImageWords(&m.image.id()), m.chosen)
            }
            Message::Pull(m) => {
                write!(f, " {} at {} of {}", m.bytes, m.offset, ImageWords(&m.image))
            }
            Message::Piece(m) => write!(f, " {}", PieceWords(m)),
            other => {
                // The rest is small; its own words will do, without the repeated name.
                let words = format!("{other:?}");
                let name = format!("{0}({0}", other.name());
                let rest = words.strip_prefix(&name).unwrap_or(&words);
                write!(f, "{}", rest.strip_suffix(')').unwrap_or(rest))
            }
        }
    }
}

struct RecordWords<'a>(&'a Record);

impl fmt::Display for RecordWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", In(self.0.group))?;
        match &self.0.entry {
            Entry::Promised(ballot) => write!(f, "promised {ballot}"),
            Entry::Voted { ballot, run } => write!(f, "voted {ballot} {}", RunWords(run)),
            Entry::Learned { run } => write!(f, "learned {}", RunWords(run)),
            Entry::Chosen { below } => write!(f, "chosen below {below}"),
            Entry::Relieved { below, .. } => write!(f, "relieved of all below {below}"),
            #[allow(unreachable_patterns, reason = "entries yet to come")]
            other => write!(f, "{other:?}"),
        }
    }
}

/// An image as `<below 7, 300 bytes, 0123456789abcdef>`.
struct ImageWords<'a>(&'a ImageId);

impl fmt::Display for ImageWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<below {}, {} bytes, {:016x}>", self.0.below, self.0.bytes, self.0.digest)
    }
}

/// A piece by its place, without its bytes.
struct PieceWords<'a>(&'a Piece);

impl fmt::Display for PieceWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{} of {}", self.0.offset, self.0.end(), ImageWords(&self.0.image))
    }
}

/// A run as `7..9 [a, b]`.
struct RunWords<'a>(&'a Run);

impl fmt::Display for RunWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{} [", self.0.first, self.0.end())?;
        for (index, value) in self.0.iter().take(3).map(|(_, value)| value).enumerate() {
            write!(f, "{}{}", if index > 0 { ", " } else { "" }, ValueWords(value))?;
        }
        f.write_str(if self.0.len() > 3 { ", ..]" } else { "]" })
    }
}

/// A value as `#12` (the mark that the simulator gave the command), or `noop`.
#[derive(Debug)]
pub struct ValueWords<'a>(pub &'a Value);

impl fmt::Display for ValueWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Command(command) => CommandWords(command).fmt(f),
            other => write!(f, "{other:?}"),
        }
    }
}

struct CommandWords<'a>(&'a Command);

impl fmt::Display for CommandWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = self.0;
        let mark = command.payload.get(2..10).and_then(|bytes| bytes.try_into().ok());
        match mark.map(u64::from_be_bytes) {
            Some(mark) if command.payload.len() >= CELL_BYTES => write!(f, "#{mark}"),
            _ => write!(f, "{command:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::message::{Accept, Envelope, HeartbeatAck};
    use paxos_core::types::{Ballot, Slot};

    use super::*;

    const BALLOT: Ballot = Ballot::new(4, NodeId(1));

    fn line(message: impl Into<Message>) -> String {
        let envelope =
            Envelope { group: GroupId(0), from: NodeId(1), disk: 0, message: message.into() };
        InputWords(NodeId(2), &Input::Received(envelope)).to_string()
    }

    #[test]
    fn a_message_is_a_short_line() {
        let run = Run::new(Slot(7), vec![Value::Noop; 2]);
        let accept = Accept { ballot: BALLOT, run, chosen: Slot(6) };
        assert_eq!(line(accept), "n1→n2 Accept 4.n1 7..9 [noop, noop] chosen 6");
        assert_eq!(
            line(HeartbeatAck { ballot: BALLOT, beat: 3, chosen: Slot(7), priority: None }),
            "n1→n2 HeartbeatAck 4.n1 beat 3 chosen 7"
        );
    }
}
