//! Three nodes under tokio, talking TCP over loopback in the core's own frames.
//!
//! A node is one task that owns its `Node`; a task per connection moves bytes. The
//! disk is a stand-in that answers at once: see `threads` for one that syncs.

use std::collections::BTreeMap;
use std::error::Error;

use bytes::BytesMut;
use paxos_core::codec::frame::{self, Frame, VERSION};
use paxos_core::effect::{Effect, Effects, Input, Outcome};
use paxos_core::log::Durable;
use paxos_core::message::Envelope;
use paxos_core::quorum::Membership;
use paxos_core::types::*;
use paxos_core::{Config, GroupConfig, Node};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time;

const GROUP: GroupId = GroupId(0);
const IDS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
const FRAME_BYTES_MAX: usize = 32 << 20;

/// One node's loop: whatever happens first, a fact or the next deadline.
async fn run(
    me: NodeId,
    mut inbox: Receiver<Input>,
    peers: BTreeMap<NodeId, Sender<Envelope>>,
    client: Sender<Outcome>,
) {
    let config = Config {
        node: me,
        incarnation: Incarnation(1),
        disk: 0,
        priority: Config::PRIORITY,
        seed: u64::from(me.0),
        groups: vec![GroupConfig::new(GROUP, Membership::majority(IDS))],
        timing: Timing::default(),
        limits: Limits::default(),
    };
    let clock = time::Instant::now();
    let now = || Instant::from_micros(clock.elapsed().as_micros() as u64);
    let mut node = Node::restore(config, Durable::default(), now()).expect("sound");
    let mut effects = Effects::new();
    let mut next = Some(Input::Ticked);
    while let Some(input) = next.take() {
        node.step(now(), input, &mut effects);
        for effect in effects.drain() {
            match effect {
                Effect::Send { to, envelope } => {
                    // A full queue loses the message: the core sends again.
                    to.iter().for_each(|p| drop(peers[&p].try_send(envelope.clone())));
                }
                Effect::Persist(batch) => next = Some(Input::Persisted(batch.id)),
                Effect::Resolve { first, count, outcome, .. } => {
                    let mut each = outcome.each(first, count);
                    each.all(|(_, outcome)| client.try_send(outcome).is_ok());
                }
                Effect::Deliver { run, .. } => {
                    run.iter().for_each(|(slot, value)| println!("{me} applies {slot} {value:?}"));
                }
                _ => {}
            }
        }
        if next.is_none() {
            let wait = node.wake_at().map_or(time::Duration::MAX, |at| at.since(now()));
            // Ends with the last sender of facts.
            next = time::timeout(wait, inbox.recv()).await.unwrap_or(Some(Input::Ticked));
        }
    }
}

/// Writes what waits for a peer, as much as there is, as one frame.
async fn write(mut stream: TcpStream, mut queue: Receiver<Envelope>) -> std::io::Result<()> {
    let (mut said, mut frame) = (Vec::new(), BytesMut::new());
    while queue.recv_many(&mut said, 64).await > 0 {
        frame.clear();
        frame::put_messages(&mut frame, VERSION, &said);
        stream.write_all(&frame).await?;
        said.clear();
    }
    Ok(())
}

/// Reads frames until the stream ends or makes no sense.
async fn read(
    mut stream: TcpStream,
    inbox: Sender<Input>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut buffer = BytesMut::new();
    while stream.read_buf(&mut buffer).await? > 0 {
        while let Some(frame) = frame::take(&mut buffer, FRAME_BYTES_MAX, VERSION)? {
            let Frame::Messages(envelopes) = frame else { continue };
            for envelope in envelopes {
                inbox.send(Input::Received(envelope?)).await?;
            }
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, mut answers) = channel(16);
    let mut doors = BTreeMap::new();
    for id in IDS {
        doors.insert(id, (TcpListener::bind("127.0.0.1:0").await?, channel(1024)));
    }
    let mut addresses = BTreeMap::new();
    for (id, (door, _)) in &doors {
        addresses.insert(*id, door.local_addr()?);
    }
    let mut ask = None;
    for (id, (door, (to_me, inbox))) in doors {
        let mut peers = BTreeMap::new();
        for (peer, address) in addresses.iter().filter(|(peer, _)| **peer != id) {
            let (sender, queue) = channel(1024);
            peers.insert(*peer, sender);
            tokio::spawn(write(TcpStream::connect(*address).await?, queue));
        }
        ask.get_or_insert(to_me.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = door.accept().await {
                tokio::spawn(read(stream, to_me.clone()));
            }
        });
        tokio::spawn(run(id, inbox, peers, client.clone()));
    }
    let ask = ask.ok_or("no node")?;
    for (i, word) in ["rage", "goddess", "sing"].into_iter().enumerate() {
        let commands = Command::plain(word.into()).into();
        let first = ProposalId(i as u64);
        ask.send(Input::Proposed { group: GROUP, first, commands }).await?;
        println!("{word}: {:?}", answers.recv().await.ok_or("no answer")?);
    }
    Ok(())
}
