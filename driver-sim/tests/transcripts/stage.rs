//! A cluster that is watched: in words, and on film.

use std::cell::RefCell;
use std::rc::Rc;

use driver_sim::picture::{Fate, Film, What};
use driver_sim::transcript::{EffectWords, InputWords};
use paxos_core::effect::Effect;
use paxos_core::types::NodeId;

use crate::common::{Cluster, Envelope, Seen};

/// What the witness and the stage share.
#[derive(Default)]
struct Notes {
    lines: Vec<String>,
    film: Film,
}

/// A cluster, and what has been seen of it.
pub(crate) struct Stage {
    cluster: Option<Cluster>,
    notes: Rc<RefCell<Notes>>,
}

/// More steps than any scene that a person reads.
const FRAMES_MAX: usize = 20_000;

impl Stage {
    pub(crate) fn new() -> Stage {
        let film = Film::new([], FRAMES_MAX);
        Stage { cluster: None, notes: Rc::new(RefCell::new(Notes { lines: Vec::new(), film })) }
    }

    /// Sets up a cluster; only once.
    pub(crate) fn enter(&mut self, mut cluster: Cluster) {
        let notes = Rc::clone(&self.notes);
        for (id, host) in cluster.hosts.iter().filter(|(_, host)| host.up) {
            let film = &mut notes.borrow_mut().film;
            film.joins(*id);
            film.starts(0, *id, &host.node, format!("{id} starts"));
        }
        cluster.witness = Some(Box::new(move |now, seen| {
            notes.borrow_mut().see(now.as_micros() - 1_000_000, seen);
        }));
        self.cluster = Some(cluster);
    }

    pub(crate) fn cluster(&mut self) -> Result<&mut Cluster, String> {
        self.cluster.as_mut().ok_or_else(|| "there is no cluster yet".to_owned())
    }

    /// What was seen since the last time.
    pub(crate) fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes.borrow_mut().lines)
    }

    /// Something that the script does to the world, or to one node of it.
    pub(crate) fn happens(&mut self, node: Option<NodeId>, what: What, words: &str) {
        let now = self.cluster.as_ref().map_or(0, |c| c.now.as_micros() - 1_000_000);
        self.notes.borrow_mut().film.happens(now, node, what, words.to_owned());
    }

    /// A node has started again.
    pub(crate) fn starts(&mut self, id: NodeId) {
        let Some(cluster) = &self.cluster else { return };
        let (now, notes) = (cluster.now.as_micros() - 1_000_000, &mut self.notes.borrow_mut());
        notes.film.joins(id);
        notes.film.starts(now, id, &cluster.host(id).node, format!("{id} starts again"));
    }

    pub(crate) fn film(&self) -> Film {
        self.notes.borrow().film.clone()
    }
}

impl Notes {
    fn see(&mut self, now: u64, seen: Seen<'_>) {
        match seen {
            Seen::Steps(id, input) => {
                self.lines.push(InputWords(id, input).to_string());
                self.film.steps(now, id, input);
            }
            Seen::Stepped(id, node, effects) => {
                self.lines.extend(effects.iter().map(|e| EffectWords(id, e).to_string()));
                self.film.stepped(node, effects.iter());
                for effect in effects {
                    let Effect::Send { to, envelope } = effect else { continue };
                    to.iter().for_each(|to| {
                        self.film.sends(now, to, envelope, Fate::Flying, false);
                    });
                }
            }
            Seen::Lost(to, envelope) => self.misses(now, to, envelope, Fate::Cut),
            Seen::NobodyHome(to, envelope) => self.misses(now, to, envelope, Fate::NobodyHome),
        }
    }

    fn misses(&mut self, now: u64, to: NodeId, envelope: &Envelope, fate: Fate) {
        let name = envelope.message.name();
        self.lines.push(format!("{}→{to} {name}: {}", envelope.from, fate.words()));
        self.film.misses(now, to, envelope, fate);
    }
}
