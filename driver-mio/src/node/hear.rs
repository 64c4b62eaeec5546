//! What peers, the disk, the vault and clients say, told to the core.
//!
//! Sockets are read first, and what they gave is heard later: the moment that the core is
//! told is read in between, see [`event_loop`](super::event_loop).

use paxos_core::effect::Input;
use paxos_core::types::Instant;

use super::carry_out;
use super::event_loop::{Buffers, End, EventLoop, GROUP};
use crate::disk;
use crate::net::peers::PeerFact;
use crate::resp::Reply;
use crate::vault::Told;

impl EventLoop {
    /// Reads what peers have sent; whether there is more.
    pub(super) fn read_peers(&mut self) -> bool {
        let now = self.clock.now();
        let Buffers { scratch, peer_facts, .. } = &mut self.buffers;
        self.peers.turn(now, scratch, peer_facts)
    }

    /// Hears what was read; `now` is later.
    pub(super) fn hear_peers(&mut self, now: Instant) -> Result<(), End> {
        let mut facts = std::mem::take(&mut self.buffers.peer_facts);
        for fact in facts.drain(..) {
            self.hear_peer(now, fact)?;
        }
        self.buffers.peer_facts = facts;
        Ok(())
    }

    fn hear_peer(&mut self, now: Instant, fact: PeerFact) -> Result<(), End> {
        match fact {
            PeerFact::Outdated(peer, life) => return Err(End::Outdated(peer, life)),
            PeerFact::Received(envelope) => self.step(now, Input::Received(envelope)),
            PeerFact::Up(peer) => {
                self.journal.say(now, format_args!("reaches {peer}"));
                self.step(now, Input::PeerUp(peer));
            }
            PeerFact::Down(peer) => {
                self.journal.say(now, format_args!("has lost {peer}"));
                self.step(now, Input::PeerDown(peer));
            }
            PeerFact::Refused(address, why) => {
                self.journal.say(now, format_args!("turns {address} away: {why}"));
            }
            PeerFact::Garbled(peer, why) => {
                self.journal.say(now, format_args!("cannot understand {peer}: {why}"));
            }
        }
        Ok(())
    }

    /// Writes down which lives of its peers this node has heard of, before it takes
    /// anything from them. Comes when one of them has started.
    pub(super) fn remember_lives(&mut self) {
        let Some(lives) = self.peers.new_lives() else { return };
        if let Err(error) = disk::lives::store(&self.identity.data, lives) {
            // It is worth less then against older copies of disks, and as good otherwise.
            self.journal.insist(format_args!("cannot write down who has started: {error}"));
        }
    }

    pub(super) fn hear_disk(&mut self, now: Instant) {
        while let Some(input) = self.disk.next_input() {
            self.step(now, input);
        }
    }

    pub(super) fn hear_vault(&mut self, now: Instant) {
        while let Some(told) = self.vault.next() {
            match told {
                Told::Input(input) => self.step(now, input),
                Told::Line(line) => self.journal.say(now, line),
                Told::Installed(image, store) => {
                    carry_out::install(self, *store);
                    self.step(now, Input::Installed { group: GROUP, image });
                }
            }
        }
    }

    /// Reads what clients ask.
    pub(super) fn read_clients(&mut self, now: Instant) {
        let is_store_full = self.store.machine().is_full();
        self.counter.open(self.clock.wall_ms(), is_store_full, self.disk.is_full());
        self.counter.keep_data(self.without_data());
        // Who is about to leave takes nothing more on.
        if self.leaving.is_none() {
            self.clients.turn(now, &mut self.buffers.scratch, &mut self.counter);
        }
    }

    /// Hears what was asked; `now` is later.
    pub(super) fn hear_clients(&mut self, now: Instant) {
        let wall_ms = self.counter.wall_ms();
        if self.leads() && self.store.machine().next_expiry().is_some_and(|at| at <= wall_ms) {
            self.counter.let_time_pass();
        }
        // One that is under way may lack what the asking client has written.
        if !self.vault.is_running() && self.counter.take_checkpoint() {
            self.step(now, Input::CheckpointRequested { group: GROUP });
        }
        if let Some((first, commands)) = self.counter.take_commands() {
            self.tally.proposed_runs += 1;
            self.tally.proposed += commands.len() as u64;
            self.step(now, Input::Proposed { group: GROUP, first, commands: commands.into() });
        }
        if let Some(query) = self.counter.take_reads() {
            self.tally.read_rounds += 1;
            self.step(now, Input::Queried { group: GROUP, query });
        }
    }

    /// What is answered to requests for data, if this node is a witness.
    fn without_data(&self) -> Option<Reply> {
        let group = self.core.group(GROUP)?;
        let is_witness = group.is_witness(self.identity.node);
        is_witness.then(|| crate::front::without_data(group.leader()))
    }
}
