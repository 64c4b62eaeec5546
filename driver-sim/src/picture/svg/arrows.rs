//! Messages, and their words where there is room.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::footage::{Fate, Flight};
use super::super::page::escaped;
use super::columns::LETTER;
use super::{Canvas, Taken, is_free, put};

impl Canvas<'_> {
    pub(super) fn flights(&self) -> impl Iterator<Item = (&Flight, [f64; 4])> {
        let shown = self.film.flights().filter(|f| !self.look.hidden.contains(&f.name));
        shown.filter_map(|flight| Some((flight, self.line(flight)?)))
    }

    pub(super) fn draw_flights(&self, out: &mut String, taken: &mut Vec<Taken>) {
        for (flight, [x0, y0, x1, y1]) in self.flights() {
            let tone = tone(flight.name);
            let is_missed = is_missed(flight);
            let dash = match (is_missed, flight.is_twin || flight.sent.is_none()) {
                (true, _) => " stroke-dasharray=\"2 3\"",
                (_, true) => " stroke-dasharray=\"6 3\"",
                _ => "",
            };
            put!(
                out,
                "<path stroke=\"{tone}\" stroke-width=\"1.4\"{dash} d=\"M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}\"><title>{}</title></path>",
                escaped(&flight.words)
            );
            if is_missed {
                taken.push([x1 - 5.0, y1 - 5.0, x1 + 5.0, y1 + 5.0]);
                put!(
                    out,
                    "<path class=\"b\" stroke-width=\"1.8\" d=\"M{:.1} {:.1}l7 7m0-7l-7 7\"/>",
                    x1 - 3.5,
                    y1 - 3.5
                );
            } else if flight.fate == Fate::Arrived {
                let degrees = (y1 - y0).atan2(x1 - x0).to_degrees();
                put!(
                    out,
                    "<path fill=\"{tone}\" transform=\"translate({x1:.1} {y1:.1})rotate({degrees:.1})\" d=\"M0 0l-8-3.2v6.4z\"/>"
                );
            }
        }
    }

    /// What messages say: once for all that say the same to many, along the longest arrow first.
    pub(super) fn draw_labels(&self, out: &mut String, taken: &mut Vec<Taken>) {
        let mut flights: Vec<_> = self.flights().collect();
        let length = |[x0, y0, x1, y1]: &[f64; 4]| (x1 - x0).hypot(y1 - y0);
        flights.sort_by(|(_, a), (_, b)| length(b).total_cmp(&length(a)));
        // What is known of a vote is what a story turns on.
        let tells = |flight: &Flight| flight.name == "Promise" && flight.slots.is_some();
        flights.sort_by_key(|(flight, _)| (is_missed(flight), !tells(flight)));
        let mut told = BTreeSet::new();
        for (flight, line) in flights {
            let key = (flight.sent, flight.from, &*flight.brief);
            if !told.contains(&key) && label(flight, line, taken, out) {
                told.insert(key);
            }
        }
    }

    /// From where to where a message is drawn; none if it is outside of the window.
    fn line(&self, flight: &Flight) -> Option<[f64; 4]> {
        let (first, end) = self.look.frames;
        let sent = flight.sent.or(flight.ended)?;
        if sent < first || sent >= end {
            return None;
        }
        let up = if flight.to > flight.from { 1.0 } else { -1.0 };
        let (y0, y1) = (self.y(flight.from) + 9.0 * up, self.y(flight.to) - 9.0 * up);
        let x0 = self.columns.x_of(flight.from, sent);
        let x1 = flight.ended.map_or(x0 + 60.0, |ended| self.columns.x(ended)).max(x0);
        match flight.fate {
            Fate::Lost | Fate::Cut => {
                // Not far; and those for others end beside it.
                let far = f64::from(flight.from.0.abs_diff(flight.to.0));
                Some([x0, y0, x0 + 14.0 * far, y0 + 36.0 * up])
            }
            Fate::NobodyHome => Some([x0, y0, x0 + 52.0, y1]),
            Fate::Arrived if flight.sent.is_none() => {
                Some([x1 - 20.0, y0 + (y1 - y0) * 0.6, x1, y1])
            }
            _ => Some([x0, y0, x1, y1]),
        }
    }
}

fn is_missed(flight: &Flight) -> bool {
    matches!(flight.fate, Fate::Lost | Fate::Cut | Fate::NobodyHome)
}

/// Writes what a message says along its arrow, in the middle or beside it; says whether there was
/// room.
fn label(
    flight: &Flight,
    [x0, y0, x1, y1]: [f64; 4],
    taken: &mut Vec<Taken>,
    out: &mut String,
) -> bool {
    let length = (x1 - x0).hypot(y1 - y0);
    let angle = (y1 - y0).atan2(x1 - x0);
    if angle.abs() > 1.42 {
        return false;
    }
    let short = format!("{} {}", flight.name, flight.ballot.as_deref().unwrap_or_default());
    // Without the ballots of votes, before without the votes.
    let votes: Vec<_> = flight.brief.split(' ').filter(|word| !word.starts_with('@')).collect();
    let votes = votes.join(" ");
    let texts = [&*flight.brief, &votes, short.trim_end(), flight.name];
    // Beside its arrow, on the side where those for nearer nodes are not, or on the other.
    let sides = if angle > 0.0 { [BELOW, ABOVE] } else { [ABOVE, BELOW] };
    let places = sides.iter().flat_map(|side| [0.5_f64, 0.36, 0.64].map(|share| (side, share)));
    for (text, (side, share)) in texts.iter().flat_map(|t| places.clone().map(move |p| (t, p))) {
        let half = text.chars().count() as f64 * LETTER / 2.0;
        if half + 10.0 > length * share.min(1.0 - share) {
            continue;
        }
        let (x, y) = (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
        if !is_free(taken, &along((x, y), angle, half, side.0)) {
            continue;
        }
        put!(
            out,
            "<text class=\"p h\" fill=\"{}\" text-anchor=\"middle\" transform=\"translate({x:.1} {y:.1})rotate({:.1})\" y=\"{}\">{}</text>",
            tone(flight.name),
            angle.to_degrees(),
            side.1,
            escaped(text)
        );
        return true;
    }
    false
}

/// Where words stand beside an arrow: their middle and their foot, down from it.
const ABOVE: (f64, i32) = (-7.5, -4);
const BELOW: (f64, i32) = (8.5, 12);

/// The boxes that words take which stand on a slope.
fn along((x, y): (f64, f64), angle: f64, half: f64, side: f64) -> Vec<Taken> {
    let (cos, sin) = (angle.cos(), angle.sin());
    let (x, y) = (x - side * sin, y + side * cos);
    let steps = (half / 5.0).ceil() as i32;
    let spot = |step: i32| {
        let at = f64::from(step) / f64::from(steps.max(1)) * half;
        let (x, y) = (x + at * cos, y + at * sin);
        [x - 5.0, y - 5.0, x + 5.0, y + 5.0]
    };
    (-steps..=steps).map(spot).collect()
}

/// The colour of a kind of message; as on the page.
fn tone(name: &str) -> &'static str {
    match name {
        "Prepare" | "Promise" => "#8a52dc",
        "Reject" => "#d2394b",
        "Accept" | "Accepted" => "#2f77e0",
        "Chosen" => "#12855a",
        "Probe" | "ProbeAck" | "Handover" => "#b07400",
        "Heartbeat" | "HeartbeatAck" => "#98948a",
        "Fetch" | "Entries" | "Offer" | "Pull" | "Piece" => "#b5622f",
        _ => "#0d8a96",
    }
}
