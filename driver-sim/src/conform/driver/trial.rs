//! One cluster, its clients, and whoever pulls the plugs.

use std::time::Duration;

use bytes::Bytes;
use paxos_core::types::{NodeId, ProposalId};

use super::judge::{Judge, Judged};
use super::{Answer, Breach, Claim, Cluster, Report};
use crate::choice::{Choice, Seeded};
use crate::conform::story::Story;

/// So much is done to a cluster at most, before all are let alone.
const EVENTS: u32 = 120;

/// Steps in which something is waited for, at the end.
const STEP: Duration = Duration::from_millis(100);

type Checked = Result<(), Box<Breach>>;

/// A cluster, and all that it has said.
struct Trial<'a, C> {
    cluster: &'a mut C,
    report: &'a mut Report,
    choice: Seeded,
    judge: Judge,
    up: Vec<NodeId>,
    down: Vec<NodeId>,
    tokens: u64,
    story: Story,
}

/// Tries one cluster.
pub(super) fn run<C: Cluster>(cluster: &mut C, seed: u64, report: &mut Report) -> Checked {
    let (choice, story, down) = (Seeded::new(seed), Story::new(seed), cluster.nodes());
    let (judge, up) = (Judge::default(), Vec::new());
    let mut trial = Trial { cluster, report, choice, judge, up, down, tokens: 0, story };
    trial.start_all()?;
    for _ in 0..trial.choice.below(EVENTS) {
        trial.event()?;
    }
    trial.start_all()?;
    trial.settle()?;
    // Once more from what the disks hold.
    trial.blackout()?;
    trial.settle()
}

impl<C: Cluster> Trial<'_, C> {
    fn event(&mut self) -> Checked {
        match self.choice.weighted(&[30, 30, 6, 9, 4]) {
            0 => {
                let time = [30, 300, 3_000][self.choice.weighted(&[12, 4, 1])];
                self.run_up_to(time)
            }
            1 => {
                let at = self.choice.below(self.up.len() as u32) as usize;
                for _ in 0..=self.choice.weighted(&[8, 2, 2, 2]) * 3 {
                    self.propose(self.up[at]);
                }
                Ok(())
            }
            2 if self.down.len() < (self.up.len() + self.down.len() - 1) / 2 => {
                let at = self.choice.below(self.up.len() as u32) as usize;
                self.kill(at);
                Ok(())
            }
            3 if !self.down.is_empty() => self.start(),
            4 => {
                if self.choice.chance(700_000) {
                    self.await_an_answer()?;
                }
                self.blackout()
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self) -> Checked {
        let at = self.choice.below(self.down.len() as u32) as usize;
        let node = self.down.remove(at);
        let from = self.cluster.start(node);
        let from = from.map_err(|why| self.story.breach(Claim::Starts, why))?;
        self.story.tell(format!("start {node}, from slot {from}"));
        self.report.starts += 1;
        self.up.push(node);
        let judged = self.judge.started(node, from);
        self.judge(judged)
    }

    fn start_all(&mut self) -> Checked {
        while !self.down.is_empty() {
            self.start()?;
        }
        Ok(())
    }

    fn kill(&mut self, at: usize) {
        let node = self.up.remove(at);
        self.story.tell(format!("kill {node}"));
        self.cluster.kill(node);
        self.judge.killed(node);
        self.report.kills += 1;
        self.down.push(node);
    }

    /// All nodes lose their power at once, and come back one after the other.
    fn blackout(&mut self) -> Checked {
        while !self.up.is_empty() {
            self.kill(0);
        }
        self.report.blackouts += 1;
        while !self.down.is_empty() {
            self.start()?;
            if self.choice.chance(300_000) {
                self.run_up_to(900)?;
            }
        }
        Ok(())
    }

    /// What was answered this very moment is what a hasty driver has on no disk yet.
    fn await_an_answer(&mut self) -> Checked {
        let at = self.choice.below(self.up.len() as u32) as usize;
        let token = self.propose(self.up[at]);
        for _ in 0..200 {
            self.run(Duration::from_millis(1))?;
            if self.judge.answer(token).is_some() {
                break;
            }
        }
        Ok(())
    }

    fn propose(&mut self, node: NodeId) -> ProposalId {
        self.tokens += 1;
        let token = ProposalId(self.tokens);
        // All of one length, so that a log without slots can be told by its length alone.
        let command = Bytes::from(format!("command {:08}", self.tokens));
        self.story.tell(format!("propose {} at {node}", self.tokens));
        self.report.proposals += 1;
        self.judge.proposed(node, token, command.clone());
        self.cluster.propose(node, token, command);
        token
    }

    fn run_up_to(&mut self, most_ms: u64) -> Checked {
        let time = Duration::from_millis(self.choice.range(1..=most_ms));
        self.story.tell(format!("run {time:?}"));
        self.run(time)
    }

    fn run(&mut self, time: Duration) -> Checked {
        for event in self.cluster.run(time) {
            self.story.tell(format!("  {event:?}"));
            let judged = self.judge.heard(event, self.report);
            self.judge(judged)?;
        }
        Ok(())
    }

    /// All are up: each must get something chosen, and all must come to the same.
    fn settle(&mut self) -> Checked {
        let nodes = self.up.clone().into_iter();
        let mut probes: Vec<ProposalId> = nodes.map(|node| self.propose(node)).collect();
        let (patience, mut waited) = (self.cluster.patience(), Duration::ZERO);
        // What was proposed up to this was proposed long ago.
        let mut old = self.last();
        while !self.are_chosen(&mut probes) || self.judge.lacks(self.last()).is_err() {
            self.run(STEP)?;
            waited += STEP;
            if waited < patience / 2 {
                old = self.last();
            }
            if waited > patience {
                self.story.tell(format!("{waited:?} have gone by"));
                // What is missing says more than that nothing comes.
                self.judge(self.judge.lacks(old))?;
                let why = "all are up, and nothing is chosen";
                return Err(self.story.breach(Claim::Progress, why));
            }
        }
        // What was done may be done again, wrongly.
        (0..10).try_for_each(|_| self.run(STEP))?;
        self.judge(self.judge.lacks(self.last()))
    }

    /// Whether all of these were chosen, one for each node; those of which nothing came, or
    /// perhaps nothing, are proposed anew.
    fn are_chosen(&mut self, probes: &mut [ProposalId]) -> bool {
        let mut are_chosen = true;
        for (at, probe) in probes.iter_mut().enumerate() {
            let answer = self.judge.answer(*probe);
            are_chosen &= matches!(answer, Some(Answer::Chosen(_)));
            if matches!(answer, Some(Answer::Nothing | Answer::Unknown)) {
                *probe = self.propose(self.up[at]);
            }
        }
        are_chosen
    }

    fn last(&self) -> ProposalId {
        ProposalId(self.tokens)
    }

    fn judge(&self, judged: Judged) -> Checked {
        judged.map_err(|(claim, why)| self.story.breach(claim, why))
    }
}
