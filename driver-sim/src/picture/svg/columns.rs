//! Which steps a still picture shows, and where.
//!
//! To scale, time is a length. In logical time a step stands one column right of the last step of
//! its node, and of the step in which the message was sent that it takes in. What happens to the
//! world, a crash or a start stands right of all before it, and left of all after it: so did the
//! story go.

use std::collections::{BTreeMap, BTreeSet};

use paxos_core::types::NodeId;

use super::super::film::Film;
use super::super::footage::{Flight, Frame, What};
use super::super::spans::votings;
use super::lanes::chip_width;
use super::{LANE, LEFT, Look};

const WIDTH_MAX: f64 = 4_000.0;
const WIDTH_MIN: f64 = 560.0;
/// Before a column in which nothing arrives, and one in which something does; and the most.
const GAPS: [f64; 3] = [26.0, 54.0, 230.0];
/// What a message takes more for each lane that it crosses, so that arrows stand apart.
const SLANT: f64 = 27.0;
/// The width of a letter along an arrow.
pub(super) const LETTER: f64 = 6.65;

/// Where the frames are that are shown.
pub(super) struct Columns {
    places: BTreeMap<u64, f64>,
    of_nodes: BTreeMap<NodeId, BTreeMap<u64, f64>>,
    /// Where the picture ends.
    pub(super) right: f64,
    /// Where a row of the picture may end: before each column.
    pub(super) gaps: Vec<f64>,
}

impl Columns {
    pub(super) fn new(film: &Film, look: &Look) -> Columns {
        let (first, end) = look.frames;
        let hidden = hidden(film, look);
        let shown: Vec<(u64, &Frame)> = film
            .frames()
            .filter(|(number, _)| (first..end).contains(number) && !hidden.contains(number))
            .collect();
        let chips = chips(film);
        let places = match look.is_logical {
            true => logical(film, look, &shown, &chips),
            false => to_scale(&shown),
        };
        let mut of_nodes: BTreeMap<NodeId, BTreeMap<u64, f64>> = BTreeMap::new();
        for (number, frame) in &shown {
            if let (Some(node), Some(x)) = (frame.node, places.get(number)) {
                of_nodes.entry(node).or_default().insert(*number, *x);
            }
        }
        let mut all: Vec<f64> = places.values().copied().collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        let gaps = all.windows(2).map(|two| two[1] - 12.0).collect();
        let end = |(number, x): (&u64, &f64)| x + chips.get(number).map_or(0.0, |wide| wide + 12.0);
        let ends =
            places.iter().map(end).fold(all.last().map_or(0.0, |last| last + 84.0), f64::max);
        let right = ends.max(LEFT + WIDTH_MIN);
        Columns { places, of_nodes, right, gaps }
    }

    /// Where a frame is, if it is shown.
    pub(super) fn place(&self, frame: u64) -> Option<f64> {
        self.places.get(&frame).copied()
    }

    /// Where a frame is, or the next one that is shown.
    pub(super) fn x(&self, frame: u64) -> f64 {
        self.places.range(frame..).next().map_or(self.right - 20.0, |(_, x)| *x)
    }

    /// Where a frame of a node is, or its next one that is shown.
    pub(super) fn x_of(&self, node: NodeId, frame: u64) -> f64 {
        let next = self.of_nodes.get(&node).and_then(|places| places.range(frame..).next());
        next.map_or(self.right - 20.0, |(_, x)| *x)
    }
}

fn to_scale(shown: &[(u64, &Frame)]) -> BTreeMap<u64, f64> {
    let wide = (shown.len() as f64 * 30.0).clamp(WIDTH_MIN, WIDTH_MAX);
    let begin = shown.first().map_or(0, |(_, frame)| frame.at);
    let lasts = shown.last().map_or(1, |(_, frame)| frame.at - begin).max(1) as f64;
    let share = |at: u64| (at - begin) as f64 / lasts;
    shown.iter().map(|(number, f)| (*number, LEFT + 24.0 + share(f.at) * wide)).collect()
}

/// How much room the votes take that stand right of a step, in its lane.
fn chips(film: &Film) -> BTreeMap<u64, f64> {
    let mut chips = BTreeMap::new();
    for voting in votings(film) {
        *chips.entry(voting.frame).or_insert(14.0) += chip_width(&voting);
    }
    chips
}

fn logical(
    film: &Film,
    look: &Look,
    shown: &[(u64, &Frame)],
    chips: &BTreeMap<u64, f64>,
) -> BTreeMap<u64, f64> {
    let columns = columns(film, shown);
    let most = columns.values().copied().max().unwrap_or_default();
    let mut gaps = vec![GAPS[0]; most + 1];
    let mut told: BTreeMap<(u64, &str), (usize, f64)> = BTreeMap::new();
    for flight in film.flights().filter(|flight| !look.hidden.contains(&flight.name)) {
        let ends = (flight.sent.map(|s| columns.get(&s)), flight.ended.map(|e| columns.get(&e)));
        let (Some(Some(from)), Some(Some(to))) = ends else { continue };
        gaps[*to] = gaps[*to].max(GAPS[1]).max(SLANT * crossed(flight, film));
        if from + 1 != *to {
            continue;
        }
        // Words stand along one of the arrows that say the same: the one with the most room.
        let sent = flight.sent.unwrap_or_default();
        let wanted = told.entry((sent, &flight.brief)).or_insert((*to, GAPS[2]));
        wanted.1 = wanted.1.min(room_for(flight, film));
    }
    for (column, gap) in told.into_values() {
        gaps[column] = gaps[column].max(gap);
    }
    for (frame, wide) in chips {
        let next = columns.get(frame).and_then(|column| gaps.get_mut(column + 1));
        next.into_iter().for_each(|gap| *gap = gap.max(*wide));
    }
    let mut x = LEFT - 8.0;
    let ends: Vec<f64> = gaps.into_iter().map(|gap| (x += gap, x).1).collect();
    columns.into_iter().map(|(number, column)| (number, ends[column])).collect()
}

/// How wide a column must be for a message's words to stand along its arrow.
fn room_for(flight: &Flight, film: &Film) -> f64 {
    let high = crossed(flight, film) * LANE - 18.0;
    let long = flight.brief.chars().count() as f64 * LETTER + 24.0;
    (long * long - high * high).max(0.0).sqrt()
}

/// How many lanes a message goes up or down.
fn crossed(flight: &Flight, film: &Film) -> f64 {
    let lane = |node| film.nodes().iter().position(|n| *n == node).unwrap_or_default();
    lane(flight.from).abs_diff(lane(flight.to)) as f64
}

/// The column of each frame.
fn columns(film: &Film, shown: &[(u64, &Frame)]) -> BTreeMap<u64, usize> {
    let sent: BTreeMap<u64, u64> = film.flights().filter_map(|f| f.ended.zip(f.sent)).collect();
    let mut columns: BTreeMap<u64, usize> = BTreeMap::new();
    let mut last: BTreeMap<NodeId, usize> = BTreeMap::new();
    let (mut least, mut most, mut has_begun) = (0, 0, false);
    for (number, frame) in shown {
        let is_start = frame.what == What::Started && !has_begun;
        has_begun |= !is_start;
        let is_border = matches!(
            frame.what,
            What::World | What::Crashed | What::Started | What::Paused | What::Broken
        );
        let own = frame.node.and_then(|node| last.get(&node)).map_or(least, |column| column + 1);
        let sender = sent.get(number).and_then(|sent| columns.get(sent));
        let after = sender.map_or(least, |column| column + 1);
        let column = match is_border && !is_start {
            true => most + 1,
            false => own.max(after).max(least),
        };
        if is_border && !is_start {
            least = column + 1;
        }
        most = most.max(column);
        columns.insert(*number, column);
        frame.node.map(|node| last.insert(node, column));
    }
    columns
}

/// Frames in which nothing comes in but what is left out, and nothing follows from it.
fn hidden(film: &Film, look: &Look) -> BTreeSet<u64> {
    let of = |flight: &Flight| look.hidden.contains(&flight.name).then_some(flight.ended);
    let mut hidden: BTreeSet<u64> = film.flights().filter_map(of).flatten().collect();
    for (number, frame) in film.frames() {
        let is_hidden = |effect: &String| look.hidden.iter().any(|name| effect.contains(name));
        if frame.what == What::Ticked && frame.effects.iter().all(is_hidden) {
            hidden.insert(number);
        }
    }
    let sends = film.flights().filter(|flight| !look.hidden.contains(&flight.name));
    sends.filter_map(|flight| flight.sent).for_each(|sent| _ = hidden.remove(&sent));
    hidden
}

#[cfg(test)]
mod tests {
    use paxos_core::effect::Input;
    use paxos_core::message::{Envelope, Probe};
    use paxos_core::types::{Ballot, GroupId, Slot};

    use super::super::super::footage::Fate;
    use super::*;

    const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

    /// n1 sends to both others, who take it in one after the other; then something happens to all,
    /// and n3 goes on.
    fn film() -> Film {
        let mut film = Film::new(NODES, 100);
        let message = Probe { ballot: Ballot::new(1, NodeId(1)), chosen: Slot::FIRST }.into();
        let probe = Envelope { group: GroupId(0), from: NodeId(1), disk: 0, message };
        for node in NODES {
            film.happens(0, Some(node), What::Started, "starts".to_owned());
        }
        film.happens(1, Some(NODES[0]), What::Ticked, "ticks".to_owned());
        for node in [NODES[1], NODES[2]] {
            film.sends(1, node, &probe, Fate::Flying, false);
        }
        for (at, node) in [(2, NODES[1]), (3, NODES[2])] {
            film.steps(at, node, &Input::Received(probe.clone()));
            film.happens(at, Some(node), What::Received, "takes it in".to_owned());
        }
        film.happens(4, None, What::World, "heal".to_owned());
        film.happens(5, Some(NODES[2]), What::Asked, "is asked".to_owned());
        film
    }

    #[test]
    fn a_step_stands_right_of_what_it_follows_from_and_no_further() {
        let film = film();
        let columns = Columns::new(&film, &Look::all(&film, ""));
        let x: Vec<f64> = (0..8).filter_map(|frame| columns.place(frame)).collect();
        assert_eq!((x[0], x[1]), (x[1], x[2]), "they start together");
        assert!(x[3] > x[0], "n1 goes on");
        assert_eq!(x[4], x[5], "what one message tells two is told at once");
        assert!(x[4] > x[3] && x[6] > x[5] && x[7] > x[6]);
    }

    #[test]
    fn steps_that_take_in_what_is_left_out_are_left_out() {
        let film = film();
        let columns = Columns::new(&film, &Look::all(&film, "").without_probes());
        let shown: Vec<u64> = (0..8).filter(|frame| columns.place(*frame).is_some()).collect();
        assert_eq!(shown, [0, 1, 2, 6, 7]);
    }
}
