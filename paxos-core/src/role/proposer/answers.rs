//! Telling those who proposed what became of it: this node's embedder at once,
//! peers with one message for as many answers as follow each other.

use super::super::{Cx, courier::Origin};
use crate::effect::Outcome;
use crate::message::{Forwarded, Verdict};
use crate::quorum::NodeSet;
use crate::types::NodeId;

/// Answers that are being gathered.
#[derive(Default)]
pub(super) struct Answers {
    gathered: Option<(NodeId, Forwarded)>,
}

impl Answers {
    /// Answers `count` proposals, the first of which is `origin`'s and came to `verdict`;
    /// if it was chosen, the others follow it.
    pub(super) fn add(&mut self, origin: Origin, count: u32, verdict: Verdict, cx: &mut Cx<'_>) {
        match origin {
            Origin::Local(first) => cx.out.resolve_all(first, count, outcome(verdict)),
            Origin::Remote { node, incarnation, number, index } => {
                if let Some((to, m)) = &mut self.gathered
                    && *to == node
                    && (m.incarnation, m.number) == (incarnation, number)
                    && m.first + m.count == index
                    && follows(m, verdict)
                {
                    m.count += count;
                    return;
                }
                self.flush(cx);
                let m = Forwarded { incarnation, number, first: index, count, verdict };
                self.gathered = Some((node, m));
            }
        }
    }

    /// Sends what is gathered.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_>) {
        if let Some((to, m)) = self.gathered.take() {
            cx.out.plain(NodeSet::of(to), m);
        }
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Chosen(slot) => Outcome::Chosen(slot),
        Verdict::NotLeader => Outcome::Redirected(None),
        Verdict::Busy => Outcome::Busy,
        Verdict::Unknown => Outcome::Unknown,
    }
}

/// Whether one more answer `verdict` continues what `m` says.
fn follows(m: &Forwarded, verdict: Verdict) -> bool {
    match (m.verdict, verdict) {
        (Verdict::Chosen(first), Verdict::Chosen(slot)) => first.plus(u64::from(m.count)) == slot,
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests;
