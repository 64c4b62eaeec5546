//! What is kept of a run while it happens: frames, flights and writings, up to a bound.
//!
//! When there are more frames than asked for, the oldest go: what is worth seeing is mostly the
//! end.
//!
//! Flights are matched with arrivals by what is in them, oldest first, so that a film needs no
//! help from whoever carries the messages.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use paxos_core::Node;
use paxos_core::effect::{Effect, Input};
use paxos_core::message::Envelope;
use paxos_core::types::NodeId;

use super::footage::{Fate, Flight, Frame, What, Writing, flight, sum};
use super::portrait::Portrait;
use crate::transcript::{EffectWords, InputWords};

/// The film of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Film {
    nodes: Vec<NodeId>,
    frames: VecDeque<Frame>,
    flights: VecDeque<Flight>,
    writings: VecDeque<Writing>,
    /// How many flights are forgotten.
    landed: u64,
    /// Flights under way, by receiver and content: their numbers, oldest first.
    flying: BTreeMap<(NodeId, u64), VecDeque<u64>>,
    /// The number of the first frame that is kept.
    first: u64,
    most: usize,
    /// A step under way: its time, node, kind and input.
    step: Option<(u64, NodeId, What, String)>,
    last: Vec<Option<Rc<Portrait>>>,
    pauses: VecDeque<(NodeId, u64, u64)>,
}

impl Film {
    /// A film of these nodes that keeps the last `most` frames.
    #[must_use]
    pub fn new(nodes: impl IntoIterator<Item = NodeId>, most: usize) -> Film {
        let nodes: Vec<NodeId> = nodes.into_iter().collect();
        let last = vec![None; nodes.len()];
        Film { nodes, most: most.max(1), last, ..Film::default() }
    }

    /// Whose film it is.
    #[must_use]
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The frames that are kept, each with its number.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = (u64, &Frame)> {
        self.frames.iter().enumerate().map(|(at, frame)| (self.first + at as u64, frame))
    }

    /// How many frames were made, kept or not.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// A frame by its number.
    #[must_use]
    pub fn frame(&self, number: u64) -> Option<&Frame> {
        self.frames.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The messages, by when they were sent.
    pub fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.flights.iter()
    }

    /// What went to disks.
    pub fn writings(&self) -> impl Iterator<Item = &Writing> {
        self.writings.iter()
    }

    /// Who stood still, from when to when (µs); the last [`PAUSES_MAX`](Self::PAUSES_MAX).
    pub fn pauses(&self) -> impl Iterator<Item = (NodeId, u64, u64)> {
        self.pauses.iter().copied()
    }

    /// How many pauses are kept.
    pub const PAUSES_MAX: usize = 10_000;

    /// A process stands still until then.
    pub fn pauses_until(&mut self, at: u64, node: NodeId, until: u64, words: String) {
        if self.pauses.len() == Self::PAUSES_MAX {
            self.pauses.pop_front();
        }
        self.pauses.push_back((node, at, until));
        self.happens(at, Some(node), What::Paused, words);
    }

    /// A node that was not known before takes part.
    pub fn joins(&mut self, node: NodeId) {
        if let Err(place) = self.nodes.binary_search(&node) {
            self.nodes.insert(place, node);
            self.last.insert(place, None);
        }
    }

    /// A node is about to step.
    pub fn steps(&mut self, at: u64, node: NodeId, input: &Input) {
        let what = match input {
            Input::Received(_) => What::Received,
            Input::Persisted(_) => What::Persisted,
            Input::Proposed { .. } | Input::Queried { .. } => What::Asked,
            Input::Ticked => What::Ticked,
            _ => What::Stepped,
        };
        let number = self.made();
        match input {
            Input::Received(envelope) => self.arrives(at, number, envelope, node),
            Input::Persisted(write) => {
                let open = self.open_writings(node).filter(|w| w.write <= write.0);
                open.for_each(|w| (w.ended, w.is_durable) = (Some(number), true));
            }
            _ => {}
        }
        self.step = Some((at, node, what, InputWords(node, input).to_string()));
    }

    /// The node has stepped, and orders this.
    pub fn stepped<'a>(&mut self, node: &Node, effects: impl Iterator<Item = &'a Effect>) {
        let Some((at, id, what, words)) = self.step.take() else { return };
        let effects = effects.map(|effect| self.ordered(id, effect)).collect();
        let portrait = self.portrayed(id, node);
        self.push(Frame { at, node: Some(id), what, words, effects, portrait });
    }

    /// Takes in an order; returns its words.
    fn ordered(&mut self, node: NodeId, effect: &Effect) -> String {
        let words = EffectWords(node, effect).to_string().trim().to_owned();
        if let Effect::Persist(batch) = effect {
            let (write, ordered, words) = (batch.id.0, self.made(), words.clone());
            let writing = Writing { node, write, ordered, ended: None, is_durable: false, words };
            self.writings.push_back(writing);
        }
        words
    }

    fn open_writings(&mut self, node: NodeId) -> impl Iterator<Item = &mut Writing> {
        self.writings.iter_mut().filter(move |w| w.node == node && w.ended.is_none())
    }

    /// Something happened that is no step.
    pub fn happens(&mut self, at: u64, node: Option<NodeId>, what: What, words: String) {
        let number = self.made();
        if let (What::Crashed, Some(id)) = (what, node) {
            self.open_writings(id).for_each(|w| w.ended = Some(number));
            self.forget(id);
        }
        self.push(Frame { at, node, what, words, effects: Vec::new(), portrait: None });
    }

    /// A process began, in this state.
    pub fn starts(&mut self, at: u64, id: NodeId, node: &Node, words: String) {
        let portrait = self.portrayed(id, node);
        let (node, what, effects) = (Some(id), What::Started, Vec::new());
        self.push(Frame { at, node, what, words, effects, portrait });
    }

    /// The last frame's node sends a message to `to`, which is as good as its fate says.
    pub fn sends(&mut self, at: u64, to: NodeId, envelope: &Envelope, fate: Fate, is_twin: bool) {
        let frame = self.made().saturating_sub(1);
        let ended = (fate != Fate::Flying).then_some(at);
        let flight = flight(envelope, to, (at, ended), fate, is_twin);
        self.takes_off(Flight { sent: Some(frame), ..flight });
    }

    /// A message is lost before it arrives.
    pub fn misses(&mut self, at: u64, to: NodeId, envelope: &Envelope, fate: Fate) {
        if let Some(flight) = self.lands(envelope, to) {
            (flight.times.1, flight.fate) = (Some(at), fate);
        }
    }

    fn arrives(&mut self, at: u64, number: u64, envelope: &Envelope, to: NodeId) {
        if let Some(flight) = self.lands(envelope, to) {
            (flight.ended, flight.times.1, flight.fate) = (Some(number), Some(at), Fate::Arrived);
            return;
        }
        let flight = flight(envelope, to, (at, Some(at)), Fate::Arrived, false);
        self.takes_off(Flight { ended: Some(number), ..flight });
    }

    fn takes_off(&mut self, flight: Flight) {
        if flight.fate == Fate::Flying {
            let number = self.landed + self.flights.len() as u64;
            self.flying.entry((flight.to, flight.sum)).or_default().push_back(number);
        }
        self.flights.push_back(flight);
    }

    /// The oldest flight of this message to `to`, which flies no more.
    fn lands(&mut self, envelope: &Envelope, to: NodeId) -> Option<&mut Flight> {
        let key = (to, sum(envelope));
        let numbers = self.flying.get_mut(&key)?;
        let number = numbers.pop_front()?;
        if numbers.is_empty() {
            self.flying.remove(&key);
        }
        self.flights.get_mut(usize::try_from(number.checked_sub(self.landed)?).ok()?)
    }

    /// The oldest flight of all goes: nobody waits for its end any more. If it arrives still,
    /// that is taken for the end of the next one of the same content.
    fn lose_sight_of(&mut self, flight: &Flight) {
        let key = (flight.to, flight.sum);
        let Some(numbers) = self.flying.get_mut(&key) else { return };
        if numbers.front() == Some(&self.landed) {
            numbers.pop_front();
        }
        if numbers.is_empty() {
            self.flying.remove(&key);
        }
    }

    /// What the node is like; the portrait before it, if nothing has changed.
    fn portrayed(&mut self, id: NodeId, node: &Node) -> Option<Rc<Portrait>> {
        let place = self.nodes.binary_search(&id).ok()?;
        let portrait = Portrait::of(node);
        let last = &mut self.last[place];
        if last.as_deref() != Some(&portrait) {
            *last = Some(Rc::new(portrait));
        }
        last.clone()
    }

    fn forget(&mut self, id: NodeId) {
        if let Ok(place) = self.nodes.binary_search(&id) {
            self.last[place] = None;
        }
    }

    fn push(&mut self, frame: Frame) {
        self.frames.push_back(frame);
        if self.frames.len() <= self.most {
            return;
        }
        self.frames.pop_front();
        self.first += 1;
        let first = self.first;
        // What ended before the film begins is nowhere to be seen.
        let is_over = |ended: Option<u64>| ended.is_some_and(|ended| ended < first);
        while self.flights.front().is_some_and(|f| is_over(f.ended.or(f.sent)))
            && let Some(flight) = self.flights.pop_front()
        {
            self.lose_sight_of(&flight);
            self.landed += 1;
        }
        while self.writings.front().is_some_and(|w| is_over(w.ended)) {
            self.writings.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use paxos_core::message::Probe;
    use paxos_core::types::{Ballot, GroupId, Slot};

    use super::*;

    fn probe(round: u64) -> Envelope {
        let ballot = Ballot::new(round, NodeId(1));
        let message = Probe { ballot, chosen: Slot::FIRST }.into();
        Envelope { group: GroupId(0), from: NodeId(1), disk: 0, message }
    }

    fn film(most: usize) -> Film {
        Film::new([NodeId(1), NodeId(2)], most)
    }

    #[test]
    fn an_arrival_ends_the_oldest_flight_of_the_same_message() {
        let mut film = film(10);
        film.happens(1, None, What::World, "it begins".to_owned());
        film.sends(1, NodeId(2), &probe(1), Fate::Flying, false);
        film.sends(1, NodeId(2), &probe(2), Fate::Flying, false);
        film.sends(1, NodeId(2), &probe(1), Fate::Flying, true);
        film.sends(1, NodeId(2), &probe(1), Fate::Lost, false);
        film.steps(5, NodeId(2), &Input::Received(probe(1)));
        film.misses(6, NodeId(2), &probe(2), Fate::Cut);
        let fates: Vec<_> = film.flights().map(|f| (f.fate, f.times.1)).collect();
        let (arrived, cut) = ((Fate::Arrived, Some(5)), (Fate::Cut, Some(6)));
        assert_eq!(fates, [arrived, cut, (Fate::Flying, None), (Fate::Lost, Some(1))]);
    }

    /// A film is as long as was asked for, also where no message is seen to arrive.
    #[test]
    fn what_never_lands_is_forgotten_with_its_frame() {
        let mut film = film(2);
        for round in 1..=100 {
            film.happens(round, None, What::World, format!("moment {round}"));
            film.sends(round, NodeId(2), &probe(round), Fate::Flying, false);
            film.sends(round, NodeId(2), &probe(7), Fate::Flying, false);
        }
        let under_way: usize = film.flying.values().map(VecDeque::len).sum();
        assert_eq!((film.flights().count(), under_way), (4, 4));
        film.steps(200, NodeId(2), &Input::Received(probe(7)));
        let landed: Vec<_> = film.flights().filter(|f| f.fate == Fate::Arrived).collect();
        assert_eq!(
            landed.iter().map(|f| f.sent).collect::<Vec<_>>(),
            [Some(98)],
            "the oldest kept"
        );
    }

    #[test]
    fn a_letter_that_nobody_saw_leave_is_a_flight_without_a_start() {
        let mut film = film(10);
        film.steps(5, NodeId(2), &Input::Received(probe(1)));
        let flight = film.flights().next().expect("a flight");
        assert_eq!((flight.sent, flight.ended, flight.fate), (None, Some(0), Fate::Arrived));
    }

    #[test]
    fn the_oldest_frames_go_first_and_numbers_stay() {
        let mut film = film(2);
        for at in 0..5 {
            film.happens(at, None, What::World, format!("moment {at}"));
        }
        let kept: Vec<_> = film.frames().map(|(number, frame)| (number, frame.at)).collect();
        assert_eq!(kept, [(3, 3), (4, 4)]);
        assert_eq!((film.made(), film.frame(2), film.frame(4).map(|f| f.at)), (5, None, Some(4)));
    }
}
