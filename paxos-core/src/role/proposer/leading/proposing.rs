//! What is proposed, and when: first what earlier leaders may have chosen, then a change of the
//! members, then what waits in line, as far as the window has room.

use alloc::vec::Vec;

use super::Leading;
use crate::log::Log;
use crate::message::{Accept, Forward, Verdict};
use crate::role::proposer::answers::Answers;
use crate::role::proposer::line::{Lot, Origins};
use crate::role::proposer::transfer::Transfer;
use crate::role::{Cx, Origin, Proposal};
use crate::types::{Limits, NodeId, Run, Slot, Value};

impl Leading {
    /// Puts proposals in line; they leave with [`propose`](Leading::propose).
    pub(crate) fn on_proposal(&mut self, proposal: Proposal, cx: &mut Cx<'_>) {
        let mut answers = Answers::default();
        let limits = &cx.setting.limits;
        self.line.join(proposal, limits, |origin, count| {
            answers.add(origin, count, Verdict::Busy, cx);
        });
        answers.flush(cx);
    }

    /// Puts proposals of a peer in line.
    pub(crate) fn on_forward(&mut self, from: NodeId, m: Forward, cx: &mut Cx<'_>) {
        let (incarnation, number) = (m.incarnation, m.number);
        let deadline = cx.now + cx.setting.timing.answer;
        let origin = Origin::Remote { node: from, incarnation, number, index: 0 };
        self.on_proposal(Proposal { commands: m.commands, origin, deadline }, cx);
    }

    /// Proposes what waits in line, as far as the window has room.
    pub(crate) fn propose(&mut self, log: &Log, cx: &mut Cx<'_>) {
        if self.flight.pass(log.chosen()) {
            self.promises.forget_below(self.flight.next());
        }
        if self.flight.next() < self.barrier {
            self.adopt(cx);
            if self.flight.next() < self.barrier {
                return;
            }
        }
        if self.transfer.as_ref().is_some_and(Transfer::is_near) {
            return self.hand_over(cx);
        }
        if core::mem::take(&mut self.looking)
            && let Some(next) = self.steward.rebound(cx.regime)
        {
            self.change(None, next, log, cx);
        }
        let limits = &cx.setting.limits;
        while !self.line.is_empty() {
            if self.is_full(log, limits) {
                return self.refuse_line(cx);
            }
            let room = self.window(log, cx);
            if room == 0 {
                return;
            }
            let lot = self.line.next_run(self.flight.next(), room, limits);
            self.send(lot, cx);
        }
        self.fill(log, cx);
    }

    /// Proposes no-ops up to where the newest membership rules: it is meant to come
    /// into force soon, whether or not there is traffic.
    fn fill(&mut self, log: &Log, cx: &mut Cx<'_>) {
        let (border, _) = cx.regime.newest();
        if self.flight.next() >= border {
            return;
        }
        let limits = &cx.setting.limits;
        let most = limits.run_slots_max.min(limits.run_bytes_max / Value::OVERHEAD).max(1);
        while self.flight.next() < border && !self.is_full(log, limits) {
            let left = border.since(self.flight.next()) as usize;
            let count = self.window(log, cx).min(left).min(most);
            if count == 0 {
                return;
            }
            self.send_for_nobody(alloc::vec![Value::Noop; count], cx);
        }
    }

    /// How many slots from the next one on are ours to propose, for the same members:
    /// it is known who they are, and a quorum of them has promised.
    pub(super) fn ours(&self, cx: &Cx<'_>) -> usize {
        let next = self.flight.next();
        let end = cx.regime.schedule().border_after(next);
        let end = end.map_or(cx.regime.bound(), |border| border.min(cx.regime.bound()));
        let prepared = !self.asking || self.promises.is_prepared(next, cx.regime);
        if end <= next || !prepared {
            return 0;
        }
        end.since(next) as usize
    }

    /// How many of them the bounds have room for.
    pub(super) fn window(&self, log: &Log, cx: &Cx<'_>) -> usize {
        let limits = &cx.setting.limits;
        if self.flight.bytes() >= limits.window_bytes {
            return 0;
        }
        let held = self.flight.next().since(log.floor()) as usize;
        let room = limits.window_slots.saturating_sub(self.flight.slots());
        let room = room.min(limits.log_slots_max.saturating_sub(held));
        if room == 0 { 0 } else { room.min(self.ours(cx)) }
    }

    pub(super) fn is_full(&self, log: &Log, limits: &Limits) -> bool {
        let held = self.flight.next().since(log.floor()) as usize;
        held >= limits.log_slots_max || log.bytes() >= limits.log_bytes_max
    }

    /// Proposes again what was voted for at earlier ballots, as far as the slots are
    /// ours. Beyond the window too: it was in flight before.
    pub(super) fn adopt(&mut self, cx: &mut Cx<'_>) {
        while self.flight.next() < self.barrier {
            let next = self.flight.next();
            let count = self.ours(cx).min(self.barrier.since(next) as usize);
            if count == 0 {
                return;
            }
            let limits = &cx.setting.limits;
            let mut values = Vec::new();
            let mut bytes = 0;
            for slot in (next.0..).map(Slot).take(count.min(limits.run_slots_max)) {
                bytes += self.promises.weight_at(slot);
                if bytes > limits.run_bytes_max && !values.is_empty() {
                    break;
                }
                values.push(self.promises.take_vote(slot));
            }
            self.send_for_nobody(values, cx);
        }
    }

    pub(super) fn send_for_nobody(&mut self, values: Vec<Value>, cx: &mut Cx<'_>) {
        let run = Run::new(self.flight.next(), values);
        self.send(Lot { run, origins: Origins::new(), deadline: cx.now }, cx);
    }

    pub(super) fn send(&mut self, lot: Lot, cx: &mut Cx<'_>) {
        let resend_at = cx.now + cx.setting.timing.resend;
        let run = lot.run.clone();
        self.flight.push(lot, resend_at);
        let chosen = self.flight.chosen_below();
        self.on_said(chosen, cx);
        let called = self.reserve.called(cx.regime.at(run.first), cx.now);
        cx.out.plain(called, Accept { ballot: self.ballot(), run, chosen });
    }

    pub(super) fn refuse_line(&mut self, cx: &mut Cx<'_>) {
        let mut answers = Answers::default();
        for proposal in self.line.drain() {
            answers.add(proposal.origin, proposal.commands.len() as u32, Verdict::Busy, cx);
        }
        answers.flush(cx);
    }
}
