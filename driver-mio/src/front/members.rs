//! `PAXOS MEMBERS`, `ADD`, `PROMOTE`, `REMOVE`, `REPLACE`, `CHANGE`: who belongs to the
//! group.
//!
//! `PAXOS CHANGE <version> <id>[=<host:port>][:VOTER|:WITNESS|:LEARNER] ...` names all
//! members as they are to be: who is not named goes, and who has no kind votes and keeps
//! data. Only new members need an address; an old one that has one given has moved there.
//! It is done on top of the version that it names, as `PAXOS MEMBERS` shows it, or not.

use std::net::SocketAddr;

use bytes::Bytes;
use paxos_core::types::{NodeId, NodeSet};

use super::{Action, Change, Kind, Operation, Wanted};
use crate::kv::{error, wrong_arity};
use crate::resp::Reply;

/// What `words` (the ones after `PAXOS`) ask of the membership; none if they ask for
/// something else.
pub(super) fn parse(words: &[Bytes]) -> Option<Action> {
    let name = words.first()?.to_ascii_lowercase();
    let arguments = &words[1..];
    let parsed = match &name[..] {
        b"members" if arguments.is_empty() => Ok(Operation::Members),
        b"add" => add(arguments),
        b"promote" => one(arguments).map(|id| Operation::Change(Change::Promote(id))),
        b"remove" => one(arguments).map(|id| Operation::Change(Change::Remove(id))),
        b"replace" => replace(arguments),
        b"change" => change(arguments),
        b"members" => Err(None),
        _ => return None,
    };
    Some(match parsed {
        Ok(operation) => Action::Operate(operation),
        Err(Some(refusal)) => Action::Answer(refusal),
        Err(None) => Action::Answer(match &name[..] {
            b"members" => wrong_arity("paxos|members"),
            b"add" => wrong_arity("paxos|add"),
            b"promote" => wrong_arity("paxos|promote"),
            b"remove" => wrong_arity("paxos|remove"),
            b"change" => wrong_arity("paxos|change"),
            _ => wrong_arity("paxos|replace"),
        }),
    })
}

/// Nothing stands for a wrong number of arguments.
type Parsed<T> = Result<T, Option<Reply>>;

fn add(arguments: &[Bytes]) -> Parsed<Operation> {
    let (id, address, kind) = match arguments {
        [id, address] => (id, address, Kind::Voter),
        [id, address, word] => (id, address, kind(word)?),
        _ => return Err(None),
    };
    let (id, address) = (node(id)?, place(address)?);
    Ok(Operation::Change(Change::Add { id, address, kind }))
}

fn kind(word: &[u8]) -> Parsed<Kind> {
    match &word.to_ascii_lowercase()[..] {
        b"voter" => Ok(Kind::Voter),
        b"witness" => Ok(Kind::Witness),
        b"learner" => Ok(Kind::Learner),
        _ => Err(Some(error("ERR a member is a voter, a witness or a learner"))),
    }
}

fn replace(arguments: &[Bytes]) -> Parsed<Operation> {
    let [old, new, address] = arguments else { return Err(None) };
    let (old, new, address) = (node(old)?, node(new)?, place(address)?);
    if old == new {
        return Err(Some(error("ERR a node cannot take its own place")));
    }
    Ok(Operation::Change(Change::Replace { old, new, address }))
}

fn change(arguments: &[Bytes]) -> Parsed<Operation> {
    let [version, words @ ..] = arguments else { return Err(None) };
    if words.is_empty() {
        return Err(None);
    }
    let version = std::str::from_utf8(version).ok().and_then(|version| version.parse().ok());
    let version = version.ok_or(Some(error("ERR a version is a number, as in PAXOS MEMBERS")))?;
    let mut named = NodeSet::EMPTY;
    let mut members = Vec::new();
    // There are no more ids than those of a set, and each comes once.
    for word in words {
        let member = wanted(word)?;
        if !named.insert(member.id) {
            return Err(Some(error("ERR a member is named once")));
        }
        members.push(member);
    }
    if !members.iter().any(|member| member.kind == Kind::Voter) {
        return Err(Some(error("ERR a group has a voter that keeps data")));
    }
    Ok(Operation::Change(Change::Whole { version, members: members.into() }))
}

/// A member as in `4`, `4:learner`, `4=10.0.0.4:7101` or `4=10.0.0.4:7101:learner`.
fn wanted(word: &[u8]) -> Parsed<Wanted> {
    let colon = word.iter().rposition(|byte| *byte == b':').unwrap_or(word.len());
    let (place_of, last) = (word.contains(&b'='), word.get(colon + 1..));
    let (rest, kind) = match last {
        Some(last) => match kind(last) {
            Ok(kind) => (&word[..colon], kind),
            // What follows the colon may be a port.
            Err(_) if place_of => (word, Kind::Voter),
            Err(refusal) => return Err(refusal),
        },
        None => (word, Kind::Voter),
    };
    let (id, address) = match rest.iter().position(|byte| *byte == b'=') {
        Some(at) => (&rest[..at], Some(place(&rest[at + 1..])?)),
        None => (rest, None),
    };
    Ok(Wanted { id: node(id)?, address, kind })
}

fn one(arguments: &[Bytes]) -> Parsed<NodeId> {
    match arguments {
        [id] => node(id),
        _ => Err(None),
    }
}

fn node(word: &[u8]) -> Parsed<NodeId> {
    let id = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()).map(NodeId);
    id.filter(|id| id.can_vote()).ok_or(Some(error("ERR a node id is a number from 1 to 127")))
}

fn place(word: &[u8]) -> Parsed<SocketAddr> {
    let address = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
    // Nobody can be dialled at port 0, nor at all addresses at once.
    let is_one =
        |at: &SocketAddr| at.port() != 0 && !at.ip().is_unspecified() && !at.ip().is_multicast();
    address.filter(is_one).ok_or(Some(error("ERR an address is written as in 10.0.0.4:7101")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<Action> {
        let words: Vec<Bytes> =
            line.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        parse(&words)
    }

    #[test]
    fn changes_are_understood() {
        let address = "10.0.0.4:7101".parse().expect("an address");
        let change = |change| Some(Action::Operate(Operation::Change(change)));
        let id = NodeId(4);
        for (line, kind) in [
            ("ADD 4 10.0.0.4:7101", Kind::Voter),
            ("add 4 10.0.0.4:7101 voter", Kind::Voter),
            ("Add 4 10.0.0.4:7101 LEARNER", Kind::Learner),
            ("add 4 10.0.0.4:7101 Witness", Kind::Witness),
        ] {
            assert_eq!(parsed(line), change(Change::Add { id, address, kind }), "{line}");
        }
        assert_eq!(parsed("promote 4"), change(Change::Promote(id)));
        assert_eq!(parsed("REMOVE 4"), change(Change::Remove(id)));
        let replace = Change::Replace { old: NodeId(1), new: id, address };
        assert_eq!(parsed("replace 1 4 10.0.0.4:7101"), change(replace));
        assert_eq!(parsed("MEMBERS"), Some(Action::Operate(Operation::Members)));
        assert_eq!(parsed("once"), None);
    }

    #[test]
    fn a_whole_change_is_understood() {
        let member = |id, address: &str, kind| Wanted {
            id: NodeId(id),
            address: address.parse().ok(),
            kind,
        };
        for (line, version, members) in [
            ("CHANGE 7 1", 7, vec![member(1, "", Kind::Voter)]),
            (
                "change 0 1:voter 2:WITNESS 127:Learner",
                0,
                vec![
                    member(1, "", Kind::Voter),
                    member(2, "", Kind::Witness),
                    member(127, "", Kind::Learner),
                ],
            ),
            (
                "change 18446744073709551615 4=10.0.0.4:7101 5=[::1]:7:witness 6=[::1]:8",
                u64::MAX,
                vec![
                    member(4, "10.0.0.4:7101", Kind::Voter),
                    member(5, "[::1]:7", Kind::Witness),
                    member(6, "[::1]:8", Kind::Voter),
                ],
            ),
        ] {
            let change = Change::Whole { version, members: members.into() };
            assert_eq!(parsed(line), Some(Action::Operate(Operation::Change(change))), "{line}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (line, why) in [
            ("add 4", "wrong number"),
            ("members 1", "wrong number"),
            ("promote", "wrong number"),
            ("replace 1 2", "wrong number"),
            ("add 0 10.0.0.4:7101", "1 to 127"),
            ("add 128 10.0.0.4:7101", "1 to 127"),
            ("remove x", "1 to 127"),
            ("add 4 nowhere", "an address"),
            ("add 4 10.0.0.4:0", "an address"),
            ("add 4 0.0.0.0:7101", "an address"),
            ("replace 3 4 [::]:7101", "an address"),
            ("add 4 224.0.0.1:7101 witness", "an address"),
            ("add 4 10.0.0.4:99999", "an address"),
            ("add -1 10.0.0.4:7101", "1 to 127"),
            ("add 99999999999999999999 10.0.0.4:7101", "1 to 127"),
            ("add 4 10.0.0.4:7101 boss", "a voter, a witness or a learner"),
            ("replace 4 4 10.0.0.4:7101", "own place"),
            ("change", "wrong number"),
            ("change 1", "wrong number"),
            ("change x 1", "a version is a number"),
            ("change -1 1", "a version is a number"),
            ("change 18446744073709551616 1", "a version is a number"),
            ("change 1 1 2 1:learner", "named once"),
            ("change 1 1:learner 2:witness", "a voter that keeps data"),
            ("change 1 0", "1 to 127"),
            ("change 1 128:witness", "1 to 127"),
            ("change 1 :voter", "1 to 127"),
            ("change 1 =10.0.0.4:7101", "1 to 127"),
            ("change 1 1:boss", "a voter, a witness or a learner"),
            ("change 1 1:", "a voter, a witness or a learner"),
            ("change 1 1=", "an address"),
            ("change 1 1=:learner", "an address"),
            ("change 1 1=10.0.0.4:7101:boss", "an address"),
            ("change 1 1=0.0.0.0:7101:learner", "an address"),
            ("change 1 1=10.0.0.4:0", "an address"),
        ] {
            let Some(Action::Answer(Reply::Error(text))) = parsed(line) else {
                panic!("{line} is taken")
            };
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(text.contains(why), "{line}: {text}");
        }
    }
}
