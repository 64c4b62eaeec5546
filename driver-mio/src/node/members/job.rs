//! The order about the members that is being carried out, and when there is no going on.

use std::sync::Arc;
use std::time::Duration;

use paxos_core::quorum::Membership;
use paxos_core::types::{Ballot, Instant, ProposalId};

use super::whole::have_equal_roles;
use crate::front::Change;
use crate::node::desk::Waiter;
use crate::resp::Reply;

/// An order that is not answered yet.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) waiter: Waiter,
    pub(super) change: Change,
    /// The leadership that carries it out: between two, others may have led.
    ballot: Option<Ballot>,
    /// The proposal that is not answered yet.
    pub(super) asked: Option<(ProposalId, Arc<Membership>)>,
    /// The last of its proposals that was taken up.
    pub(super) left: Option<Arc<Membership>>,
    /// Not to be tried before.
    pub(super) retry_at: Instant,
    pub(super) deadline: Instant,
}

impl Job {
    /// An order that the leadership of this ballot has taken in `now`.
    pub(super) fn new(waiter: Waiter, change: Change, ballot: Option<Ballot>, now: Instant) -> Job {
        let deadline = now + PATIENCE;
        Job { waiter, change, ballot, asked: None, left: None, retry_at: now, deadline }
    }

    /// Whether this leadership carries it out.
    pub(super) fn is_of(&self, ballot: Option<Ballot>) -> bool {
        self.ballot == ballot
    }

    /// Whether something may have happened.
    pub(super) fn has_begun(&self) -> bool {
        self.asked.is_some() || self.left.is_some()
    }

    /// Why nothing more is to be done where the members are these, if somebody else has
    /// changed them. The group itself may take up a new disk of a voter meanwhile: that
    /// raises the version, and whoever has begun goes on.
    pub(super) fn objection(&self, newest: &Membership) -> Option<Reply> {
        let now = newest.version();
        match (&self.left, &self.change) {
            (Some(left), _) if !have_equal_roles(left, newest) => Some(Reply::error(format!(
                "CHANGED the members have version {now} by now, of somebody else; this change is \
                 done in part"
            ))),
            (None, Change::Whole { version, .. }) if *version != now => Some(Reply::error(
                format!("CHANGED the members have version {now} by now; nothing happened"),
            )),
            _ => None,
        }
    }
}

/// How long an order may take, with all waiting.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::Wanted;
    use paxos_core::types::NodeId;

    fn three() -> Membership {
        Membership::majority([1, 2, 3].map(NodeId))
    }

    fn job(change: Change) -> Job {
        Job::new(Waiter::of_nobody(), change, None, Instant::from_micros(1))
    }

    fn said(reply: Option<Reply>) -> String {
        match reply {
            Some(Reply::Error(text)) => String::from_utf8_lossy(&text).into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_whole_change_follows_the_version_that_it_names_and_no_other() {
        let members: Arc<[Wanted]> = Arc::new([]);
        let job = job(Change::Whole { version: 7, members });
        assert_eq!(job.objection(&three().with_version(7)), None);
        for now in [6, 8] {
            let said = said(job.objection(&three().with_version(now)));
            let all = format!("CHANGED the members have version {now} by now; nothing happened");
            assert_eq!(said, all);
        }
        assert!(!job.has_begun());
    }

    #[test]
    fn an_order_that_has_begun_goes_on_where_it_has_left_the_members() {
        let members: Arc<[Wanted]> = Arc::new([]);
        for change in [Change::Whole { version: 7, members }, Change::Promote(NodeId(4))] {
            let left = three().with_learners([NodeId(4)]).with_version(8);
            let job = Job { left: Some(Arc::new(left.clone())), ..job(change) };
            assert!(job.has_begun());
            assert_eq!(job.objection(&left), None);
            // A voter has another disk: that is nobody's change.
            assert_eq!(job.objection(&left.clone().with_disk(NodeId(2), 5).with_version(9)), None);
            // Somebody has removed n4 again.
            let why = said(job.objection(&three().with_version(9)));
            assert!(why.starts_with("CHANGED") && why.contains("version 9"), "{why}");
            assert!(why.contains("in part"), "{why}");
        }
    }
}
