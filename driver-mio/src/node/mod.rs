//! One node: everything that the core does not do, around the core.
//!
//! | file         | holds                                                     |
//! |--------------|-----------------------------------------------------------|
//! | `build`      | a node from its options and what its disk holds           |
//! | `event_loop` | one turn after the other                                  |
//! | `hear`       | what peers, the disk, the vault and clients say           |
//! | `carry_out`  | what the core orders, done                                |
//! | `desk`       | what clients have asked, batched, and who waits for what  |
//! | `reads`      | what may be read in one turn                              |
//! | `put_off`    | reads that wait for a later turn (pure)                   |
//! | `waiting`    | from the core's handles back to clients (pure)            |
//! | `info`       | what `INFO` tells                                         |
//! | `tally`      | counts and notices                                        |
//! | `members`    | changes of the membership, as an operator asks for them       |
//! | `room`       | what to do about a full disk (pure)                       |
//! | `journal`    | lines for the operator, and not too many                  |
//! | `clock`      | the two clocks                                            |
//! | `signals`    | signals, told by the poll                                 |

mod build;
mod carry_out;
mod clock;
mod desk;
mod event_loop;
mod hear;
mod info;
mod journal;
mod members;
mod put_off;
mod reads;
mod room;
mod signals;
mod tally;
mod waiting;

use std::io::{self, Read};
use std::path::Path;
use std::process;
use std::thread;

use mio::Poll;
use paxos_core::effect::HaltReason;
use paxos_core::types::{Incarnation, NodeId};

use crate::args::NodeOptions;
use crate::disk;
use crate::front::DamageFacts;
use build::build;
use event_loop::End;
use journal::Journal;
use signals::Signals;

/// Why a node does not run, or no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not start, or the system has failed it; one line.
    Failed(String),
    /// It has halted itself, see [`HALTED`](crate::exit::HALTED); one line.
    Halted(String),
}

/// Runs one node until a signal ends it.
///
/// # Errors
/// [`Failure`].
pub fn run(options: &NodeOptions) -> Result<(), Failure> {
    let mut damage = DamageFacts::default();
    loop {
        let poll = Poll::new().map_err(cannot_poll)?;
        let signals = Signals::watch(&poll)
            .map_err(|error| Failure::Failed(format!("cannot watch for signals: {error}")))?;
        let end = build(options, poll, &mut damage)?.run();
        drop(signals);
        match end {
            End::Outdated(peer, life) => {
                begin_anew(options, peer, life)?;
                damage.log_outdated = true;
            }
            end => return close(end),
        }
    }
}

/// What this node has promised since its disk was copied, it does not know: its log is
/// put aside, like a damaged one.
fn begin_anew(options: &NodeOptions, peer: NodeId, life: Incarnation) -> Result<(), Failure> {
    let journal = Journal::new(options.id);
    journal.insist(format_args!(
        "ALARM: this is an older copy of this node's disk: {peer} has heard of its life {}, and \
         the copy has not",
        life.0
    ));
    set_aside(options, &journal)
}

fn set_aside(options: &NodeOptions, journal: &Journal) -> Result<(), Failure> {
    let place = disk::aside::set_aside(&options.data)
        .map_err(|error| cannot_read(&options.data, &error))?;
    journal.insist(format_args!(
        "has put its log into {}, and waits for the group to take it up with an empty one",
        place.display()
    ));
    Ok(())
}

fn close(end: End) -> Result<(), Failure> {
    match end {
        End::Asked | End::Outdated(..) => Ok(()),
        End::Halted(HaltReason::PersistFailed, why) => {
            let why = why.unwrap_or_default();
            Err(Failure::Halted(format!("halted, since the disk has failed: {why}")))
        }
        End::Halted(HaltReason::Diverged(_, slot), _) => Err(Failure::Halted(format!(
            "halted, since it has delivered other values than its peers, below slot {slot}"
        ))),
        End::Poll(error) => Err(cannot_poll(error)),
    }
}

/// Ends this process when the one that has started it ends: that one holds the
/// other end of our stdin.
pub fn end_with_parent() {
    let wait = || {
        // An error ends the wait as well as the end of the input does.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    };
    thread::spawn(wait);
}

fn cannot_read(dir: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot work in {}: {error}", dir.display()))
}

fn cannot_poll(error: io::Error) -> Failure {
    Failure::Failed(format!("cannot poll: {error}"))
}
