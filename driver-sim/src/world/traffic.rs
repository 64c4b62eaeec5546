//! The clients' side: what they bring to which host, and when they try again or give up.

use paxos_core::effect::Input;
use paxos_core::types::{ClientId, ProposalId, QueryId};

use super::{Event, World, group_id};
use crate::check::Checked;
use crate::choice::Choice;
use crate::client::{Attempt, Mood, What};
use crate::host::{Asked, Ticket};
use crate::tally::Mark;

impl<C: Choice> World<C> {
    /// A client begins an operation, or brings the one it has to a host.
    pub(super) fn act(&mut self, client: u8, op: u32) -> Checked {
        let at = usize::from(client);
        match &self.crowd.clients[at].operation {
            None if op == self.crowd.clients[at].begun && self.crowd.mood != Mood::Done => {
                self.begin_op(at)?
            }
            Some(operation) if operation.number == op && operation.attempt.is_none() => {}
            _ => return Ok(()),
        }
        self.bring(client)
    }

    fn begin_op(&mut self, at: usize) -> Checked {
        let mut operation = self.crowd.draw(&mut self.choice, at);
        operation.floor = self.ghost[usize::from(operation.group)].ledger.floor();
        let client = &mut self.crowd.clients[at];
        self.crowd.record.invoke(client.process, &operation)?;
        let op = operation.number;
        client.operation = Some(operation);
        let wait = self.crowd.weights.timeout_us;
        self.agenda.after(wait, Event::Deadline { client: at as u8, op });
        Ok(())
    }

    fn bring(&mut self, client: u8) -> Checked {
        let host = self.choose_host(client);
        let number = self.crowd.attempt();
        let turn = self.choice.range(0..=self.crowd.weights.turn_us);
        let Some(operation) = &mut self.crowd.clients[usize::from(client)].operation else {
            return Ok(());
        };
        let op = operation.number;
        let Some(life) = &mut self.hosts[usize::from(host)].life else {
            operation.hint = None;
            let wait = self.choice.range(1_000..=20_000);
            self.agenda.after(wait, Event::Act { client, op });
            return Ok(());
        };
        operation.attempt = Some(Attempt { host, number });
        let (value, command) = match &operation.what {
            What::Read => (None, None),
            What::Write(command, sum) | What::TooLarge(command, sum) => {
                (Some(*sum), Some(command.clone()))
            }
        };
        let group = operation.group;
        let ticket = Ticket { client, attempt: number, group, value, floor: operation.floor };
        life.desk.inbox.push(Asked { ticket, command });
        if life.desk.inbox.len() == 1 {
            let life = life.number;
            self.agenda.after(turn, Event::Turn { host, life });
        }
        Ok(())
    }

    /// The node that is said to lead, or any; in the second phase, any of the core but for
    /// witnesses, or a client that always makes the same choice may ask one of them for ever.
    fn choose_host(&mut self, client: u8) -> u8 {
        let operation = self.crowd.clients[usize::from(client)].operation.as_ref();
        let hint = operation.and_then(|operation| operation.hint);
        if let Some(core) = &self.core {
            let group = operation.map_or(0, |operation| usize::from(operation.group));
            let ruling = &self.ghost[group].members;
            let mut members = self.asked(core);
            members.retain(|at| ruling.serves(self.hosts[usize::from(*at)].id));
            let hint = hint.filter(|hint| members.contains(hint));
            if core.is_tangled() && hint.is_none() && !members.is_empty() {
                // Some may hear nobody, and whoever always chose the same would ask it for ever.
                let drawn = self.choice.below(members.len() as u32) as usize;
                return members[(drawn + self.crowd.attempts() as usize) % members.len()];
            }
            return hint.or_else(|| self.choice.pick(&members).copied()).unwrap_or_default();
        }
        hint.unwrap_or_else(|| self.choice.below(u32::from(self.swarm.nodes)) as u8)
    }

    /// A host gives its node what clients have brought: one run of proposals a group, and queries.
    pub(super) fn turn(&mut self, host: u8, number: u32) -> Checked {
        if self.postponed(host, Event::Turn { host, life: number }) {
            return Ok(());
        }
        let Some(life) = self.hosts[usize::from(host)].in_life(number) else { return Ok(()) };
        let mut inbox = std::mem::take(&mut life.desk.inbox);
        self.refuse_commands(host, &mut inbox);
        for group in 0..self.swarm.groups {
            let (mut commands, mut tickets) = (Vec::new(), Vec::new());
            for asked in inbox.iter().filter(|asked| asked.ticket.group == group) {
                if let Some(command) = &asked.command {
                    commands.push(command.clone());
                    tickets.push(asked.ticket);
                }
            }
            if !tickets.is_empty() {
                let first = self.open(host, number, &tickets);
                let (group, first) = (group_id(usize::from(group)), ProposalId(first));
                let commands = commands.into();
                self.feed(host, Input::Proposed { group, first, commands })?;
            }
        }
        for asked in inbox.iter().filter(|asked| asked.command.is_none()) {
            if self.hosts[usize::from(host)].in_life(number).is_none() {
                return Ok(());
            }
            let query = QueryId(self.open(host, number, &[asked.ticket]));
            let group = group_id(usize::from(asked.ticket.group));
            self.feed(host, Input::Queried { group, query })?;
        }
        Ok(())
    }

    /// Notes who will wait for the answers; returns the first handle.
    fn open(&mut self, host: u8, life: u32, tickets: &[Ticket]) -> u64 {
        let first = self.crowd.handles(tickets.len());
        let Some(life) = self.hosts[usize::from(host)].in_life(life) else { return first };
        for (offset, ticket) in tickets.iter().enumerate() {
            let ledger = &mut self.ghost[usize::from(ticket.group)].ledger;
            if let Some(value) = ticket.value {
                ledger.proposed(value);
            }
            let ticket = Ticket { floor: ledger.floor(), ..*ticket };
            life.desk.open(first + offset as u64, ticket);
        }
        first
    }

    pub(super) fn done(&mut self, client: u8) {
        let at = usize::from(client);
        self.crowd.clients[at].operation = None;
        let op = self.crowd.clients[at].begun;
        let (low, high) = self.crowd.weights.think_us;
        let wait = self.choice.range(low..=high);
        self.agenda.after(wait, Event::Act { client, op });
    }

    /// An attempt has surely had no effect; the client tries again soon.
    pub(super) fn set_back(&mut self, client: u8, attempt: u32, hint: Option<u8>) {
        let Some(operation) = &mut self.crowd.clients[usize::from(client)].operation else {
            return;
        };
        if operation.attempt.is_none_or(|current| current.number != attempt) {
            return;
        }
        operation.attempt = None;
        operation.hint = hint;
        let op = operation.number;
        let wait = self.choice.range(500..=20_000);
        self.agenda.after(wait, Event::Act { client, op });
    }

    /// Nobody can say what became of an attempt.
    pub(super) fn lost(&mut self, client: u8, attempt: u32) -> Checked {
        let at = usize::from(client);
        let session = self.crowd.clients[at].session;
        let Some(operation) = &self.crowd.clients[at].operation else { return Ok(()) };
        if operation.attempt.is_none_or(|current| current.number != attempt) {
            return Ok(());
        }
        let again = match &operation.what {
            // A read has no effect; a command that is too large never will.
            What::Read | What::TooLarge(..) => true,
            What::Write(..) => {
                let again = session != ClientId(0) && self.choice.chance(self.crowd.weights.retry);
                if again {
                    self.tally.hit(Mark::Retry);
                }
                again
            }
        };
        if again {
            self.set_back(client, attempt, None);
            return Ok(());
        }
        self.abandon(client)
    }

    /// A client leaves its operation open for ever and goes on under a new name.
    fn abandon(&mut self, client: u8) -> Checked {
        let at = usize::from(client);
        self.crowd.record.abandon(self.crowd.clients[at].process)?;
        self.crowd.rename(&mut self.choice, at);
        self.done(client);
        Ok(())
    }

    pub(super) fn deadline(&mut self, client: u8, op: u32) -> Checked {
        let operation = &self.crowd.clients[usize::from(client)].operation;
        let Some(operation) = operation.as_ref().filter(|operation| operation.number == op) else {
            return Ok(());
        };
        self.tally.hit(Mark::Timeout);
        match operation.attempt {
            // A session may try another node even without a word from this one.
            Some(attempt) if self.choice.chance(500_000) => self.lost(client, attempt.number)?,
            _ => return self.abandon(client),
        }
        // Whoever still waits, waits as long again.
        if self.crowd.clients[usize::from(client)]
            .operation
            .as_ref()
            .is_some_and(|o| o.number == op)
        {
            self.agenda.after(self.crowd.weights.timeout_us, Event::Deadline { client, op });
        }
        Ok(())
    }

    /// All who wait at a process that is gone hear that it is.
    pub(super) fn hang_up(&mut self, host: u8) -> Checked {
        for client in 0..self.crowd.clients.len() as u8 {
            let operation = self.crowd.clients[usize::from(client)].operation.as_ref();
            let attempt = operation.and_then(|operation| operation.attempt);
            if let Some(attempt) = attempt.filter(|attempt| attempt.host == host) {
                self.tally.hit(Mark::Hangup);
                self.lost(client, attempt.number)?;
            }
        }
        Ok(())
    }
}
