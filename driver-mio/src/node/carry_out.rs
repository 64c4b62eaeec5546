//! What the core orders, done.

use paxos_core::Replica;
use paxos_core::effect::{Declined, Effect, Notice, Outcome, TransferEnd};
use paxos_core::types::{Instant, NodeId, ProposalId, QueryId, Run, Slot, Value};

use super::desk::Waiter;
use super::event_loop::{End, EventLoop, GROUP};
use super::members::{Members, Turned};
use super::{reads, tally};
use crate::front::{self, BUSY, NOT_READY, READ_FAILED, UNKNOWN};
use crate::kv::{self, PREPARED_AT_ONCE};
use crate::net::client::Desk;
use crate::resp::Reply;
use crate::store::Store;

/// Carries out all that the core has ordered in this turn, and answers what this
/// node can answer alone.
pub(super) fn all(cx: &mut EventLoop, now: Instant) -> Result<(), End> {
    reads::open(cx, now);
    let mut effects = std::mem::take(&mut cx.buffers.effects);
    let mut end = Ok(());
    for effect in effects.drain() {
        if end.is_ok() {
            end = one(cx, now, effect);
        }
    }
    cx.buffers.effects = effects;
    answer_checkpoints(cx);
    reads::asides(cx, now);
    end
}

/// Takes orders about the membership, and goes on with the one that is under way.
pub(super) fn members(cx: &mut EventLoop, now: Instant) {
    for (waiter, order) in cx.counter.take_member_orders() {
        let Some(group) = cx.core.group(GROUP) else { return };
        if let Some(reply) = cx.members.take(waiter, order, group, now) {
            answer(cx, waiter, reply);
        }
    }
    let Some(group) = cx.core.group(GROUP) else { return };
    if !cx.members.is_busy() {
        return;
    }
    let up = group.everyone().iter().filter(|id| cx.peers.is_up(*id));
    let up = up.chain([cx.identity.node]).collect();
    let turned = cx.members.turn(group, up, now);
    turned_out(cx, now, turned);
}

fn turned_out(cx: &mut EventLoop, now: Instant, turned: Turned) {
    match turned {
        Turned::Nothing => {}
        Turned::Tell(input) => cx.step(now, input),
        Turned::Answer(waiter, reply) => answer(cx, waiter, reply),
    }
}

fn one(cx: &mut EventLoop, now: Instant, effect: Effect) -> Result<(), End> {
    match effect {
        Effect::Send { to, envelope } => cx.peers.send(to, &envelope),
        Effect::Persist(batch) => cx.disk.append(batch),
        Effect::Deliver { run, .. } => deliver_run(cx, &run),
        Effect::Resolve { first, outcome, .. } if Members::owns(first) => {
            let Some(group) = cx.core.group(GROUP) else { return Ok(()) };
            let turned = cx.members.on_resolved(first, outcome, group, now);
            turned_out(cx, now, turned);
        }
        Effect::Resolve { first, count, outcome, .. } => {
            outcome.each(first, count).for_each(|(id, outcome)| resolve(cx, id, outcome));
        }
        Effect::Serve { query, .. } => reads::serve(cx, query),
        Effect::Decline { query, why, .. } => decline(cx, query, why),
        Effect::Capture { checkpoint, .. } => cx.vault.capture(checkpoint, cx.store.freeze()),
        Effect::Load { to, image, offset, bytes, .. } => cx.vault.load(to, image, offset, bytes),
        Effect::Store { piece, .. } => cx.vault.store(piece),
        Effect::Install { image, .. } => cx.vault.install(image),
        Effect::Note(notice) => note(cx, now, &notice),
        Effect::Halt(reason) => return Err(End::Halted(reason, cx.disk.failure())),
    }
    Ok(())
}

fn deliver_run(cx: &mut EventLoop, run: &Run) {
    for (at, (slot, value)) in run.iter().enumerate() {
        if at.is_multiple_of(PREPARED_AT_ONCE) && at + 1 < run.len() {
            cx.store.prepare(run[at..].iter().take(PREPARED_AT_ONCE));
        }
        deliver(cx, slot, value);
    }
}

fn deliver(cx: &mut EventLoop, slot: Slot, value: &Value) {
    cx.tally.applied += 1;
    let reply = cx.store.apply(slot, value);
    if let Some((waiter, reply)) = cx.counter.proposals().deliver(slot, reply) {
        // A slot that a proposal was chosen at holds a command, and commands answer.
        answer(cx, waiter, reply.unwrap_or(UNKNOWN));
    }
}

/// Puts a state that an image was made into in the place of the one there is. It
/// holds the effect of slots that were never delivered here.
pub(super) fn install(cx: &mut EventLoop, store: Store) {
    let old = std::mem::replace(&mut cx.store, store);
    cx.vault.discard(old);
    for waiter in cx.counter.proposals().skip(cx.store.next()) {
        cx.tally.failed += 1;
        answer(cx, waiter, UNKNOWN);
    }
}

/// Whoever has asked for a checkpoint is answered when none is under way any more:
/// this turn's have been ordered, or refused since there is nothing new.
fn answer_checkpoints(cx: &mut EventLoop) {
    if cx.vault.is_running() || cx.counter.wants_checkpoint() {
        return;
    }
    let newest = cx.vault.newest();
    for waiter in cx.counter.take_checkpoint_waiters() {
        let reply = match newest {
            Slot::FIRST => NO_CHECKPOINT,
            below => Reply::Integer(i64::try_from(below.0).unwrap_or(i64::MAX)),
        };
        answer(cx, waiter, reply);
    }
}

/// A chosen proposal is answered when its slot is delivered, which mostly comes
/// later.
fn resolve(cx: &mut EventLoop, proposal: ProposalId, outcome: Outcome) {
    let resolved = cx.counter.proposals().resolve(proposal, outcome);
    let Some((waiter, reply)) = resolved else { return };
    if let Some(reply) = reply {
        return answer(cx, waiter, reply);
    }
    cx.tally.failed += 1;
    let reply = match outcome {
        // It has taken effect, so long ago that the machine's reply is not kept.
        Outcome::Chosen(_) => UNKNOWN,
        Outcome::Unknown => UNKNOWN,
        Outcome::Redirected(_) => NOT_READY,
        Outcome::Busy => BUSY,
        Outcome::TooLarge => Reply::error("ERR command too large; nothing happened"),
        Outcome::Refused(_) => Reply::error("ERR refused; nothing happened"),
    };
    answer(cx, waiter, reply);
}

fn decline(cx: &mut EventLoop, query: QueryId, why: Declined) {
    let reply = match why {
        Declined::NoLeader => READ_FAILED,
        Declined::Busy => BUSY,
        Declined::Witness => front::without_data(cx.core.group(GROUP).and_then(Replica::leader)),
    };
    let mut batch = cx.counter.queries().take(query);
    for (waiter, _) in batch.drain(..) {
        cx.tally.failed += 1;
        answer(cx, waiter, reply.clone());
    }
    cx.counter.queries().recycle(batch);
}

pub(super) fn answer(cx: &mut EventLoop, waiter: Waiter, reply: Reply) {
    cx.counter.settle(&waiter, matches!(reply, Reply::Error(_)));
    let Some(client) = waiter.client else { return };
    // What was held back for this answer goes out with the next turn, at once.
    if let Some(order) = cx.clients.answer(client, waiter.ticket, reply) {
        cx.counter.take(client, order);
    }
}

/// What is said in that case; the journal knows more.
const NO_CHECKPOINT: Reply = kv::error("ERR this node has no checkpoint: see its journal");

/// Whoever has asked for a transfer learns how it ended.
fn transferred(cx: &mut EventLoop, to: NodeId, end: TransferEnd) {
    let was_last = end == TransferEnd::UnderWay;
    let Some(waiter) = cx.counter.transferred(to, was_last) else { return };
    let reply = match end {
        TransferEnd::Yielded => Reply::Status("OK"),
        TransferEnd::NotLeader => {
            match cx.core.group(GROUP).and_then(|group| cx.members.leader(group)) {
                Some(leader) => Reply::Error(format!("NOTLEADER ask {leader}, which leads").into()),
                None => kv::error("NOTLEADER no leader is known"),
            }
        }
        TransferEnd::NoSuccessor => kv::error("ERR only another node that votes may lead"),
        TransferEnd::UnderWay => kv::error("BUSY another transfer is under way"),
        TransferEnd::GivenUp => {
            kv::error("ERR it did not catch up, or did not stand, in time; this node leads on")
        }
        TransferEnd::Fallen => kv::error("ERR this node has lost its leadership otherwise"),
    };
    answer(cx, waiter, reply);
}

fn note(cx: &mut EventLoop, now: Instant, notice: &Notice) {
    if let Notice::TransferEnded { to, end, .. } = notice {
        transferred(cx, *to, *end);
    }
    if cx.tally.count(notice) {
        cx.journal.say(now, tally::Line(notice));
    }
}
