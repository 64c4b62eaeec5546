//! What can go wrong, and what the operator needs to know of it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use paxos_core::codec::wal::{BlockTooLong, Damage, Owner, Place};
use paxos_core::log::ReplayError;

/// Why a node cannot run on a directory.
#[derive(Debug)]
pub enum OpenError {
    /// The caller's fault: no such layout, see [`Options`](super::Options).
    Layout,
    /// The system refused something.
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process runs on the directory.
    Locked(PathBuf),
    /// The directory is another node's, or another cluster's.
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: Owner,
    },
    /// There is a log, and no telling whose.
    NoIdentity(PathBuf),
    /// A later version of this program wrote the directory.
    Unsupported(PathBuf),
    /// Something that was synced is lost or rotten.
    Damaged(PathBuf, Damage),
    /// The records contradict each other.
    Contradiction(PathBuf, Place, ReplayError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Layout => f.write_str("no such size of a segment or a sector"),
            OpenError::Io { doing, path, error } => {
                write!(f, "cannot {doing} {}: {error}", path.display())
            }
            OpenError::Locked(path) => {
                write!(f, "{} is in use by another process", path.display())
            }
            OpenError::Foreign { path, found } => write!(
                f,
                "{} belongs to node {} of cluster {}",
                path.display(),
                found.node.0,
                found.cluster
            ),
            OpenError::NoIdentity(path) => write!(
                f,
                "{} holds a log, and neither META.0 nor META.1 can be read",
                path.display()
            ),
            OpenError::Unsupported(path) => {
                write!(f, "a later version has written {}", path.display())
            }
            OpenError::Damaged(path, damage) => write!(
                f,
                "{} has lost what this node has promised: {damage}. It must not run on this",
                path.display()
            ),
            OpenError::Contradiction(path, place, error) => {
                write!(f, "{} contradicts itself: {place}: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// Why a block was not added.
#[derive(Debug)]
pub enum WalError {
    /// The disk is full. Nothing was written; it may be tried again.
    Full,
    /// The records are too many. Nothing was written, and nothing ever will be: for
    /// good, as below.
    TooLong(BlockTooLong),
    /// A write or a sync failed. What the disk holds now, only a restart can tell:
    /// this log takes nothing any more.
    Failed(io::Error),
    /// One of these has happened before.
    Poisoned,
}

impl fmt::Display for WalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WalError::Full => f.write_str("the disk is full"),
            WalError::TooLong(error) => error.fmt(f),
            WalError::Failed(error) => write!(f, "the disk failed: {error}"),
            WalError::Poisoned => f.write_str("the disk failed before"),
        }
    }
}

impl std::error::Error for WalError {}
