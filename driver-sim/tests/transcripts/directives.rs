//! What a script may say, a line each.
//!
//! | directive | what happens |
//! |---|---|
//! | `cluster 3`, `alone 5` | so many nodes; n1 of so many, and the script speaks for the others |
//! | `leased 3`, `changing 3 window 2`, `trimming 3 every 4` | the same, with leases; with named disks, members that change, and so many slots until a change rules; with a checkpoint after so many slots, and no log below it |
//! | `elect n1` | only n1's clock ticks until it leads |
//! | `stand`, `lead` | alone: n1 asks for promises; leads, having heard no votes |
//! | `propose n1 a b`, `query n1` | a client asks |
//! | `settle`, `step`, `run 500` | all that is under way; one message; so many milliseconds |
//! | `tick n1` | it is as late as n1 wants to be woken |
//! | `transfer n1 to n2`, `change n1 to n1 n2 n4`, `checkpoint n1` | an operator asks n1 |
//! | `crash n1`, `restart n1` | a process ends; begins again from its disk |
//! | `join n4`, `wipe n1` | a new node that knows nobody; a node begins again on an empty disk |
//! | `down n1 n2`, `up n1 n2` | n1 is told that n2 is |
//! | `fail n1 w2`, `persisted n1 w2` | n1 is told that a write has failed, or is durable, true or not |
//! | `disks stop`, `disks go`, `sync n1`, `sync n1 1` | disks answer only when told; all, or the first so many batches of one |
//! | `cut n1 n3`, `cut n1 to n3`, `split n1 n2 from n3 n4 n5`, `isolate n1`, `deafen n1`, `heal` | links |
//! | `lose Accept`, `lose one Promise`, `hold Accepted`, `twice Promise`, `calm` | messages of a kind |
//! | `drop` | everything that is under way is lost |
//! | `release`, `release backwards` | what was held goes on |
//! | `tell n1 from n2: Prepare 4.n2 from 1` | a message that the script makes up |
//! | `quiet: ..` | any of these, without a word of what happens |
//! | `who leads`, `log n1`, `delivered`, `promised n1`, `answers n1`, `under way`, `members n1`, `floor n1`, `who is leased` | questions, answered by a line |
//!
//! Messages: `Prepare 4.n2 from 1`, `Promise 4.n1 from 1 [5@1.n3 x] [6@1.n3 y]`,
//! `Accept 4.n2 5 x y`, `Accepted 4.n1 5..7`, `Reject 4.n1 for 5.n3`, `Chosen 4.n2 below 7`,
//! `ProbeAck 4.n1 granted`, `Heartbeat 4.n2 beat 3 chosen 7`, `HeartbeatAck 4.n1 beat 3 chosen 7`.

use std::str::FromStr;
use std::time::Duration;

use driver_sim::picture::What;
use driver_sim::transcript::ValueWords;
use paxos_core::Config;
use paxos_core::effect::Input;
use paxos_core::message::{Chosen, Heartbeat, HeartbeatAck, Message, ProbeAck, Reject};
use paxos_core::quorum::Membership;
use paxos_core::types::{Ballot, Lease, Limits, NodeId, Slot, Timing, WriteId};

use crate::common::{self, Cluster, Fate, GROUP};
use crate::stage::Stage;

/// Kinds of messages, so that a name lives as long as the harness wants.
const KINDS: [&str; 20] = [
    "Prepare",
    "Promise",
    "Accept",
    "Accepted",
    "Reject",
    "Chosen",
    "Probe",
    "ProbeAck",
    "Heartbeat",
    "HeartbeatAck",
    "Fetch",
    "Entries",
    "Forward",
    "ReadRequest",
    "ReadAnswer",
    "Confirm",
    "Confirmed",
    "Handover",
    "Pull",
    "Piece",
];

/// Does what a line says; returns what is to be told of it.
pub(crate) fn direct(stage: &mut Stage, line: &str) -> Result<Vec<String>, String> {
    if let Some(rest) = line.strip_prefix("quiet: ") {
        return direct(stage, rest).map(|_| Vec::new());
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    if let Some(answer) = question(stage, &words)? {
        return Ok(vec![answer]);
    }
    match words[..] {
        ["cluster", count] => stage.enter(Cluster::new(number(count)?)),
        ["alone", count] => stage.enter(Cluster::alone(number(count)?)),
        ["leased", count] => stage.enter(leased(number(count)?)),
        ["changing", count, "window", slots] => {
            stage.enter(Cluster::changing(number(count)?, number(slots)?));
        }
        ["trimming", count, "every", slots] => {
            stage.enter(trimming(number(count)?, number(slots)?));
        }
        ["tell", to, "from", from, ..] => {
            let (_, message) = line.split_once(": ").ok_or("what does it say?")?;
            let (to, from) = (node(to)?, node(from.trim_end_matches(':'))?);
            let message = message_of(message)?;
            stage.cluster()?.tell(to, from, message);
        }
        _ if world(stage, line, &words)? => {}
        _ if network(stage.cluster()?, &words)? => {}
        _ => cluster(stage.cluster()?, &words)?,
    }
    Ok(stage.said())
}

/// What happens to processes and links, and is drawn as such.
fn world(stage: &mut Stage, line: &str, words: &[&str]) -> Result<bool, String> {
    match *words {
        ["crash", id] => {
            stage.cluster()?.crash(node(id)?);
            stage.happens(Some(node(id)?), What::Crashed, line);
            return Ok(true);
        }
        ["restart", id] => {
            stage.cluster()?.restart(node(id)?);
            stage.starts(node(id)?);
            return Ok(true);
        }
        ["join", id] => {
            stage.cluster()?.join(node(id)?);
            stage.starts(node(id)?);
            return Ok(true);
        }
        ["wipe", id] => {
            stage.cluster()?.wipe(node(id)?);
            stage.starts(node(id)?);
            return Ok(true);
        }
        ["cut", a, "to", b] => _ = stage.cluster()?.cut.insert((node(a)?, node(b)?)),
        ["cut", a, b] => stage.cluster()?.cut_both(node(a)?, node(b)?),
        ["split", ref sides @ ..] => {
            let middle = sides.iter().position(|word| *word == "from").ok_or("split .. from ..")?;
            for (a, b) in
                sides[..middle].iter().flat_map(|a| sides[middle + 1..].iter().map(move |b| (a, b)))
            {
                stage.cluster()?.cut_both(node(a)?, node(b)?);
            }
        }
        ["isolate", id] => stage.cluster()?.isolate(node(id)?),
        ["deafen", id] => stage.cluster()?.deafen(node(id)?),
        ["heal"] => stage.cluster()?.heal(),
        _ => return Ok(false),
    }
    stage.happens(None, What::World, line);
    Ok(true)
}

/// What happens to messages.
fn network(c: &mut Cluster, words: &[&str]) -> Result<bool, String> {
    match *words {
        ["lose", "one", name] => c.lose_one(kind(name)?),
        ["lose", name] => c.doom(kind(name)?, Fate::Lose),
        ["hold", name] => c.doom(kind(name)?, Fate::Hold),
        ["twice", name] => c.doom(kind(name)?, Fate::Twice),
        ["calm"] => c.calm(),
        ["drop"] => c.network.clear(),
        ["release"] => c.release(),
        ["release", "backwards"] => c.release_backwards(),
        _ => return Ok(false),
    }
    Ok(true)
}

/// What happens to the nodes.
fn cluster(c: &mut Cluster, words: &[&str]) -> Result<(), String> {
    match *words {
        ["elect", id] => _ = c.elect_this(node(id)?),
        ["stand"] => _ = c.stand(),
        ["lead"] => _ = c.lead(),
        ["propose", id, ref payloads @ ..] if !payloads.is_empty() => {
            let id = node(id)?;
            payloads.iter().for_each(|payload| _ = c.propose(id, payload));
        }
        ["query", id] => _ = c.query(node(id)?),
        ["transfer", id, "to", to] => {
            c.step(node(id)?, Input::TransferRequested { group: GROUP, to: node(to)? });
        }
        ["checkpoint", id] => {
            c.step(node(id)?, Input::CheckpointRequested { group: GROUP });
        }
        ["change", id, "to", ref voters @ ..] => {
            let ids = voters.iter().map(|voter| Ok(node(voter)?.0));
            _ = c.change(node(id)?, &ids.collect::<Result<Vec<_>, String>>()?, &[]);
        }
        ["down", id, peer] => _ = c.step(node(id)?, Input::PeerDown(node(peer)?)),
        ["up", id, peer] => _ = c.step(node(id)?, Input::PeerUp(node(peer)?)),
        ["fail", id, write] => _ = c.step(node(id)?, Input::PersistFailed(write_id(write)?)),
        ["persisted", id, write] => _ = c.step(node(id)?, Input::Persisted(write_id(write)?)),
        ["tick", id] => tick(c, node(id)?)?,
        ["settle"] => c.settle(),
        ["step"] => c.deliver_one(),
        ["run", ms] => c.run(Duration::from_millis(number(ms)?)),
        ["disks", "stop"] => c.sync = false,
        ["disks", "go"] => c.sync = true,
        ["sync", id] => _ = c.sync_disk(node(id)?),
        ["sync", id, count] => _ = c.sync_batches(node(id)?, number(count)?),
        _ => return Err("no directive".to_owned()),
    }
    Ok(())
}

/// Leaders read without asking for 200 ms after a quorum has answered them; clocks may be off
/// by a twentieth.
fn leased(nodes: u16) -> Cluster {
    let lease = Some(Lease { duration: Duration::from_millis(200), drift_ppm: 50_000 });
    let timing = Timing { lease, ..Timing::default() };
    let membership = Membership::majority((1..=nodes).map(NodeId));
    Cluster::timed(membership, Limits::default(), timing, Default::default())
}

/// A checkpoint after so many slots, and nothing is kept below it.
fn trimming(nodes: u16, slots: u64) -> Cluster {
    let limits = Limits { checkpoint_slots: slots, keep_slots: 0, ..Limits::default() };
    Cluster::with(Membership::majority((1..=nodes).map(NodeId)), limits)
}

/// Lets time pass until a node wants to be woken, and wakes it.
fn tick(c: &mut Cluster, id: NodeId) -> Result<(), String> {
    let wake = c.host(id).node.wake_at().ok_or("it does not wait for anything")?;
    c.now = c.now.max(wake);
    c.step(id, Input::Ticked);
    Ok(())
}

/// The answer to a question; none if it is none.
fn question(stage: &mut Stage, words: &[&str]) -> Result<Option<String>, String> {
    Ok(Some(match *words {
        ["who", "leads"] => {
            stage.cluster()?.leader().map_or("nobody leads".to_owned(), |id| format!("{id} leads"))
        }
        ["promised", id] => {
            format!("{id} has promised {}", stage.cluster()?.replica(node(id)?).promised())
        }
        ["members", id] => {
            let newest = stage.cluster()?.newest(node(id)?);
            let voters: Vec<_> = newest.voters().iter().map(|id| id.to_string()).collect();
            format!("{id} knows version {}: {}", newest.version(), voters.join(" "))
        }
        ["floor", id] => {
            format!(
                "{id} has forgotten all below {}",
                stage.cluster()?.replica(node(id)?).log().floor()
            )
        }
        ["who", "is", "leased"] => {
            let leased: Vec<_> =
                stage.cluster()?.leased().iter().map(|id| id.to_string()).collect();
            if leased.is_empty() { "nobody is leased".to_owned() } else { leased.join(" ") }
        }
        ["log", id] => log(stage.cluster()?, node(id)?),
        ["delivered"] => {
            let c = stage.cluster()?;
            let up = c.hosts.iter().filter(|(_, host)| host.up);
            let told = up.map(|(id, _)| format!("{id}: {}", c.payloads(*id).join(" ")));
            told.collect::<Vec<_>>().join("; ")
        }
        ["answers", id] => {
            let host = stage.cluster()?.host(node(id)?);
            let told = host.resolved.iter().map(|(p, outcome)| format!("{p} {outcome:?}"));
            let read = host.served.iter().map(|(q, at)| format!("{q} {at:?}"));
            let told = told.chain(read).collect::<Vec<_>>().join("; ");
            if told.is_empty() { "nothing is answered".to_owned() } else { told }
        }
        ["under", "way"] => {
            let network = &stage.cluster()?.network;
            let told =
                network.iter().map(|(to, e)| format!("{}→{to} {}", e.from, e.message.name()));
            let told = told.collect::<Vec<_>>().join(", ");
            if told.is_empty() { "nothing is under way".to_owned() } else { told }
        }
        _ => return Ok(None),
    }))
}

fn log(c: &Cluster, id: NodeId) -> String {
    let log = c.replica(id).log();
    let mut cells = Vec::new();
    for slot in (log.floor().0..log.end().0).map(Slot) {
        let Some(cell) = log.get(slot) else { continue };
        let chosen = if cell.chosen { " chosen" } else { "" };
        cells.push(format!("[{slot}@{}{chosen} {}]", cell.ballot, ValueWords(cell.value)));
    }
    let cells = if cells.is_empty() { "has an empty log".to_owned() } else { cells.join(" ") };
    format!("{id} {cells}")
}

/// A message that a script makes up.
fn message_of(text: &str) -> Result<Message, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(match words[..] {
        ["Prepare", at, "from", slot] => common::prepare(ballot(at)?, number(slot)?),
        ["Promise", at, "from", slot, ..] => {
            let votes = text.split('[').skip(1).map(vote).collect::<Result<Vec<_>, _>>()?;
            common::promise(ballot(at)?, number(slot)?, &votes)
        }
        ["Accept", at, first, ref payloads @ ..] if !payloads.is_empty() => {
            common::accept(ballot(at)?, number(first)?, payloads)
        }
        ["Accepted", at, slots] => {
            let (first, end) = slots.split_once("..").ok_or("slots are FIRST..END")?;
            common::accepted(ballot(at)?, number(first)?, number(end)?)
        }
        ["Reject", at, "for", promised] => {
            Reject { ballot: ballot(at)?, promised: ballot(promised)? }.into()
        }
        ["Chosen", at, "below", slot] => {
            Chosen { ballot: ballot(at)?, below: Slot(number(slot)?) }.into()
        }
        ["ProbeAck", at, "granted"] => {
            let (promised, chosen) = (Ballot::ZERO, Slot::FIRST);
            ProbeAck { ballot: ballot(at)?, granted: true, promised, chosen }.into()
        }
        ["Heartbeat", at, "beat", beat, "chosen", slot] => Heartbeat {
            ballot: ballot(at)?,
            beat: number(beat)?,
            chosen: Slot(number(slot)?),
            settled: true,
        }
        .into(),
        ["HeartbeatAck", at, "beat", beat, "chosen", slot] => {
            let (beat, chosen) = (number(beat)?, Slot(number(slot)?));
            HeartbeatAck { ballot: ballot(at)?, beat, chosen, priority: Some(Config::PRIORITY) }
                .into()
        }
        _ => return Err(format!("no message: {text}")),
    })
}

/// `5@1.n3 x]`
fn vote(text: &str) -> Result<(u64, Ballot, &str), String> {
    let (place, payload) = text.split_once(' ').ok_or("a vote is [SLOT@BALLOT VALUE]")?;
    let (slot, at) = place.split_once('@').ok_or("a vote is [SLOT@BALLOT VALUE]")?;
    Ok((number(slot)?, ballot(at)?, payload.trim().trim_end_matches(']')))
}

/// `4.n2`
fn ballot(word: &str) -> Result<Ballot, String> {
    let (round, owner) = word.split_once('.').ok_or_else(|| format!("'{word}' is no ballot"))?;
    Ok(Ballot::new(number(round)?, node(owner)?))
}

/// `n2`
fn node(word: &str) -> Result<NodeId, String> {
    let id = word.strip_prefix('n').ok_or_else(|| format!("'{word}' is no node"))?;
    Ok(NodeId(number(id)?))
}

/// `w2`
fn write_id(word: &str) -> Result<WriteId, String> {
    let id = word.strip_prefix('w').ok_or_else(|| format!("'{word}' is no write"))?;
    Ok(WriteId(number(id)?))
}

fn number<T: FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("'{word}' is no number"))
}

fn kind(name: &str) -> Result<&'static str, String> {
    KINDS
        .into_iter()
        .find(|kind| *kind == name)
        .ok_or_else(|| format!("no message is called {name}"))
}
