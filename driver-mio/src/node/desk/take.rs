//! What clients ask, taken in: each order joins those of its kind, unless this node can
//! take no part in it. Who asks is slowed down where too much is on its way.

use paxos_core::types::{ClientId, NodeId};

use super::super::members::MemberOrder;
use super::{Aside, Counter, Waiter};
use crate::front::{Operation, Order, Work};
use crate::kv;
use crate::net::client::Desk;
use crate::net::clients::ClientKey;
use crate::resp::Reply;

impl Desk for Counter {
    fn take(&mut self, from: ClientKey, order: Order) {
        let mut waiter = Waiter { client: Some(from), ticket: order.ticket, weight: 0 };
        let refused = match order.work {
            Work::Propose { .. } | Work::Query { .. } | Work::StaleQuery { .. } => {
                self.turn.without_data.clone()
            }
            Work::Operate(_) | Work::Info { .. } => None,
        };
        if let Some(reply) = refused {
            self.note(&waiter);
            return self.asides.push((waiter, Aside::Refused(reply)));
        }
        match order.work {
            Work::Propose { .. } if self.turn.is_disk_full => {
                self.note(&waiter);
                self.asides.push((waiter, Aside::Refused(DISK_FULL)));
            }
            Work::Propose { command, once } => {
                let (client, sequence) = once.map_or((0, 0), |once| (once.client, once.sequence));
                self.propose(waiter, ClientId(client), sequence, &command);
            }
            Work::Query { query } => {
                waiter.weight = query.encoded_len();
                self.note(&waiter);
                self.reads.push((waiter, query));
            }
            Work::StaleQuery { query, within } => {
                waiter.weight = query.encoded_len();
                self.note(&waiter);
                self.asides.push((waiter, Aside::Stale(query, within)));
            }
            Work::Operate(Operation::Transfer(to)) => {
                self.note(&waiter);
                self.transfers.push(waiter, NodeId(to));
            }
            Work::Operate(Operation::Checkpoint) => {
                self.note(&waiter);
                self.checkpoints.waiters.push(waiter);
                self.checkpoints.are_wanted = true;
            }
            Work::Operate(Operation::Members) => {
                self.note(&waiter);
                self.member_orders.push((waiter, MemberOrder::List));
            }
            Work::Operate(Operation::Change(change)) => {
                self.note(&waiter);
                self.member_orders.push((waiter, MemberOrder::Change(change)));
            }
            Work::Info { sections } => {
                self.note(&waiter);
                self.asides.push((waiter, Aside::Info(sections)));
            }
        }
    }

    fn is_full(&self) -> bool {
        self.load.is_full()
    }

    fn limits(&self) -> &kv::Limits {
        &self.limits
    }

    fn is_store_full(&self) -> bool {
        self.turn.is_store_full
    }
}

/// Words that promise that nothing has happened, as `BUSY` ones do.
const DISK_FULL: Reply = kv::error("BUSY the disk of this node is full; nothing happened");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::Ticket;
    use crate::kv::Query;

    fn counter() -> Counter {
        Counter::new(kv::Limits::default())
    }

    #[test]
    fn a_full_disk_refuses_writes_and_not_reads() {
        let mut counter = counter();
        counter.open(1, false, true);
        let client = ClientKey::default();
        let write = Work::Propose { command: kv::Command::Clear, once: None };
        counter.take(client, Order { ticket: Ticket(1), work: write });
        let read = Work::Query { query: Query::Exists { keys: Vec::new() } };
        counter.take(client, Order { ticket: Ticket(2), work: read });
        assert!(counter.take_commands().is_none());
        assert!(counter.take_reads().is_some());
        assert!(matches!(counter.take_asides()[..], [(_, Aside::Refused(_))]));
        counter.let_time_pass();
        assert!(counter.take_commands().is_none());
    }
}
