//! Who compares what a cluster says with what it said before.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use paxos_core::types::{NodeId, ProposalId, Slot};

use super::{Answer, Claim, Event, Report};

/// What is wrong, if something is.
pub(super) type Judged = Result<(), (Claim, String)>;

/// A command that was given to a node.
#[derive(Clone, Debug)]
struct Proposal {
    command: Bytes,
    node: NodeId,
    /// In which of the node's lives.
    life: u32,
    answer: Option<Answer>,
}

/// How far a node has come.
#[derive(Clone, Copy, Debug)]
struct Place {
    is_up: bool,
    life: u32,
    /// The first slot that it has not delivered in this life.
    next: Slot,
    /// The same, over all lives.
    reach: Slot,
}

/// All that was said so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Judge {
    proposals: BTreeMap<ProposalId, Proposal>,
    /// Which proposal a command came with, and where it was delivered, if it was.
    commands: BTreeMap<Bytes, (ProposalId, Option<Slot>)>,
    /// What some node has delivered.
    log: BTreeMap<Slot, Bytes>,
    /// Where something was answered to stand.
    promised: BTreeMap<Slot, ProposalId>,
    places: BTreeMap<NodeId, Place>,
    /// Slots that a node has passed without a command.
    passed: Vec<(NodeId, Range<Slot>)>,
}

impl Judge {
    /// A node has started, and goes on from a slot.
    pub(super) fn started(&mut self, node: NodeId, from: Slot) -> Judged {
        let first = Place { is_up: false, life: 0, next: Slot::FIRST, reach: Slot::FIRST };
        let place = self.places.entry(node).or_insert(first);
        let reach = place.reach;
        *place = Place { is_up: true, life: place.life + 1, next: from, reach };
        ensure(from <= reach, Claim::InOrder, || {
            format!("{node} goes on from slot {from}, and has delivered all below {reach} alone")
        })
    }

    /// A node is gone.
    pub(super) fn killed(&mut self, node: NodeId) {
        if let Some(place) = self.places.get_mut(&node) {
            place.is_up = false;
        }
    }

    /// A node was given a command.
    pub(super) fn proposed(&mut self, node: NodeId, token: ProposalId, command: Bytes) {
        let life = self.places.get(&node).map_or(0, |place| place.life);
        self.commands.insert(command.clone(), (token, None));
        self.proposals.insert(token, Proposal { command, node, life, answer: None });
    }

    /// Something has happened.
    pub(super) fn heard(&mut self, event: Event, report: &mut Report) -> Judged {
        match event {
            Event::Answered { token, answer } => {
                match answer {
                    Answer::Chosen(_) => report.chosen += 1,
                    Answer::Nothing => report.nothing += 1,
                    Answer::Unknown => report.unknown += 1,
                }
                self.answered(token, answer)
            }
            Event::Delivered { node, slot, command } => {
                report.deliveries += 1;
                self.delivered(node, slot, command)
            }
            Event::Installed { node, below } => {
                let place = self.place(node)?;
                let next = place.next;
                (place.next, place.reach) = (below, place.reach.max(below));
                ensure(next < below, Claim::InOrder, || {
                    format!("{node} installs an image below {below}, and is at slot {next}")
                })
            }
        }
    }

    fn answered(&mut self, token: ProposalId, answer: Answer) -> Judged {
        let Some(proposal) = self.proposals.get_mut(&token) else {
            return Err((Claim::Answered, format!("{token:?} is answered, which nobody gave")));
        };
        if let Some(before) = proposal.answer.replace(answer) {
            let why = format!("{token:?} is answered {before:?}, and then {answer:?}");
            return Err((Claim::Answered, why));
        }
        let command = &proposal.command;
        let at = self.commands.get(command).and_then(|(_, at)| *at);
        match answer {
            Answer::Unknown => Ok(()),
            Answer::Nothing => ensure(at.is_none(), Claim::Nothing, || {
                format!("nothing came of {token:?}, which stands at slot {at:?}")
            }),
            Answer::Chosen(slot) => {
                let is_there = self.log.get(&slot).is_none_or(|there| there == command);
                let is_alone = self.promised.insert(slot, token).is_none();
                let is_kept = is_there && is_alone && at.is_none_or(|at| at == slot);
                ensure(is_kept, Claim::Kept, || {
                    format!("{token:?} is said to stand at slot {slot}, where something else does")
                })?;
                self.passed_none(slot)
            }
        }
    }

    fn delivered(&mut self, node: NodeId, slot: Slot, command: Bytes) -> Judged {
        let place = self.place(node)?;
        let passed = place.next..slot;
        ensure(place.next <= slot, Claim::InOrder, || {
            format!("{node} delivers slot {slot} behind slot {}", passed.start)
        })?;
        place.next = slot.next();
        place.reach = place.reach.max(place.next);
        let Some((token, at)) = self.commands.get_mut(&command) else {
            return Err((Claim::Proposed, format!("{node} delivers what nobody proposed")));
        };
        let (token, before) = (*token, at.replace(slot));
        if let Some(there) = self.log.insert(slot, command.clone()) {
            ensure(there == command, Claim::Agreed, || {
                format!("{node} delivers another command at slot {slot} than was delivered there")
            })?;
        }
        ensure(before.is_none_or(|before| before == slot), Claim::Once, || {
            format!("{node} delivers {token:?} at slot {slot}, and it stood at {before:?}")
        })?;
        let answer = self.proposals[&token].answer;
        ensure(answer != Some(Answer::Nothing), Claim::Nothing, || {
            format!("{node} delivers {token:?}, of which nothing was to come")
        })?;
        let promised = self.promised.get(&slot).is_none_or(|promised| *promised == token);
        let is_kept = promised && !matches!(answer, Some(Answer::Chosen(at)) if at != slot);
        ensure(is_kept, Claim::Kept, || {
            format!("{node} delivers {token:?} at slot {slot}, and another was to stand there")
        })?;
        self.passes(node, passed)?;
        self.passed_none(slot)
    }

    /// A node has come by slots without a command in them.
    fn passes(&mut self, node: NodeId, slots: Range<Slot>) -> Judged {
        let delivered = self.log.range(slots.clone()).next().map(|(slot, _)| *slot);
        let promised = self.promised.range(slots.clone()).next().map(|(slot, _)| *slot);
        let why = |slot| format!("{node} leaves slot {slot} out");
        promised.map_or(Ok(()), |slot| Err((Claim::Kept, why(slot))))?;
        delivered.map_or(Ok(()), |slot| Err((Claim::InOrder, why(slot))))?;
        if !slots.is_empty() {
            self.passed.push((node, slots));
        }
        Ok(())
    }

    /// There is a command at this slot, as is known now.
    fn passed_none(&self, slot: Slot) -> Judged {
        let passed = self.passed.iter().find(|(_, slots)| slots.contains(&slot));
        let claim = if self.promised.contains_key(&slot) { Claim::Kept } else { Claim::InOrder };
        passed.map_or(Ok(()), |(node, _)| Err((claim, format!("{node} left slot {slot} out"))))
    }

    fn place(&mut self, node: NodeId) -> Result<&mut Place, (Claim, String)> {
        let place = self.places.get_mut(&node).filter(|place| place.is_up);
        place.ok_or_else(|| (Claim::InOrder, format!("{node} delivers, and is down")))
    }

    /// The answer to a proposal.
    pub(super) fn answer(&self, token: ProposalId) -> Option<Answer> {
        self.proposals.get(&token)?.answer
    }

    /// What is still to come, now that all are up: of the answers, those to proposals up to this.
    pub(super) fn lacks(&self, up_to: ProposalId) -> Judged {
        let waits = self.proposals.range(..=up_to).find(|(_, proposal)| {
            let place = self.places.get(&proposal.node);
            let lives = place.is_some_and(|place| place.is_up && place.life == proposal.life);
            lives && proposal.answer.is_none()
        });
        if let Some((token, proposal)) = waits {
            let why = format!("{token:?} was never answered by {}", proposal.node);
            return Err((Claim::Answered, why));
        }
        let lost = self.promised.keys().find(|slot| !self.log.contains_key(slot));
        if let Some(slot) = lost {
            return Err((Claim::Kept, format!("nobody delivers what is to stand at slot {slot}")));
        }
        let last = self.log.last_key_value().map_or(Slot(0), |(slot, _)| *slot);
        let behind = self.places.iter().find(|(_, place)| place.is_up && place.next <= last);
        behind.map_or(Ok(()), |(node, place)| {
            let why = format!("{node} waits for slot {}, and others have {last}", place.next);
            Err((Claim::Progress, why))
        })
    }
}

fn ensure(holds: bool, claim: Claim, why: impl FnOnce() -> String) -> Judged {
    if holds { Ok(()) } else { Err((claim, why())) }
}
