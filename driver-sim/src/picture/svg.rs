//! A still picture of a window, as SVG: for documents, where a page would be too much.
//!
//! The same marks as on the page: a lane for every node, bands for leaders, arrows for messages,
//! a cross where one is lost. Steps may be equally wide, so that a story in which no time passes
//! can be read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::film::{Fate, Film, Flight, What};
use super::page::escaped;
use super::spans::{Role, choosings, spans};

/// How a still picture looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What stands above it.
    pub title: String,
    /// The window: the first frame and the one after the last.
    pub frames: (u64, u64),
    /// Every step is as wide as any other, however much time passes.
    pub is_even: bool,
    /// Kinds of messages that are left out, such as `Heartbeat`.
    pub hidden: Vec<&'static str>,
}

impl Look {
    /// All of `film`, every step as wide as any other, without signs of life.
    #[must_use]
    pub fn all(film: &Film, title: &str) -> Look {
        let hidden = vec!["Heartbeat", "HeartbeatAck"];
        let first = film.made() - film.frames().len() as u64;
        Look { title: title.to_owned(), frames: (first, film.made()), is_even: true, hidden }
    }
}

const LEFT: f64 = 64.0;
const TOP: f64 = 70.0;
const LANE: f64 = 92.0;
const WIDTH_MAX: f64 = 4_000.0;
const WIDTH_MIN: f64 = 560.0;
const BALLOTS: [&str; 8] =
    ["#3f6fe0", "#d9662b", "#20916a", "#a44bc4", "#c23d6d", "#7d8a1f", "#1593a8", "#8a5a34"];
const STYLE: &str = "\
.p{font:11px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}\
.s{font-family:Inter,'Segoe UI',system-ui,'Helvetica Neue',Arial,sans-serif}\
.g{fill:#fbfaf7}.i{fill:#22211e}.q{fill:#6b685f}.l{stroke:#d8d5cb}.b{stroke:#c92a3c;fill:none}\
.h{paint-order:stroke;stroke:#fbfaf7;stroke-width:3px}\
@media(prefers-color-scheme:dark){.g{fill:#14161b}.i{fill:#e9e7e1}.q{fill:#a3a7b3}.l{stroke:#3a3f4b}\
.h{stroke:#14161b}}";

/// Draws a window of `film`.
#[must_use]
pub fn svg(film: &Film, look: &Look) -> String {
    let canvas = Canvas::new(film, look);
    let mut out = String::new();
    canvas.draw(&mut out);
    out
}

/// Where everything is.
struct Canvas<'a> {
    film: &'a Film,
    look: &'a Look,
    /// The frames that are shown, in order, and where.
    places: BTreeMap<u64, f64>,
    width: f64,
    height: f64,
    /// Ballots by when they come up, for their colours.
    ballots: BTreeMap<String, usize>,
}

/// A box that words stand in: left, top, right, bottom.
type Taken = [f64; 4];

/// Appends formatted text; a string takes everything.
macro_rules! put {
    ($out:expr, $($words:tt)+) => {{
        let written = writeln!($out, $($words)+);
        debug_assert!(written.is_ok(), "a string takes everything");
    }};
}

impl<'a> Canvas<'a> {
    fn new(film: &'a Film, look: &'a Look) -> Canvas<'a> {
        let (first, end) = look.frames;
        let hidden = hidden_arrivals(film, look);
        let shown: Vec<(u64, u64)> = film
            .frames()
            .filter(|(number, _)| (first..end).contains(number) && !hidden.contains(number))
            .map(|(number, frame)| (number, frame.at))
            .collect();
        let wide = (shown.len() as f64 * 30.0).clamp(WIDTH_MIN, WIDTH_MAX);
        let begin = shown.first().map_or(0, |(_, at)| *at);
        let lasts = shown.last().map_or(1, |(_, at)| at - begin).max(1) as f64;
        let place = |(index, (number, at)): (usize, &(u64, u64))| {
            let share = match look.is_even {
                true => (index as f64 + 0.5) / shown.len().max(1) as f64,
                false => (at - begin) as f64 / lasts,
            };
            (*number, LEFT + 24.0 + share * wide)
        };
        let mut ballots = BTreeMap::new();
        let mut all = spans(film);
        all.sort_by_key(|span| span.frames);
        for span in all.iter().filter(|span| !span.ballot.is_empty()) {
            let next = ballots.len();
            ballots.entry(span.ballot.clone()).or_insert(next);
        }
        Canvas {
            film,
            look,
            places: shown.iter().enumerate().map(place).collect(),
            width: LEFT + wide + 48.0,
            height: TOP + LANE * film.nodes().len() as f64 + 8.0,
            ballots,
        }
    }

    fn draw(&self, out: &mut String) {
        let (width, height) = (self.width, self.height);
        put!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" font-size=\"12\">"
        );
        put!(out, "<title>{}</title><style>{STYLE}</style>", escaped(&self.look.title));
        put!(out, "<rect class=\"g\" width=\"100%\" height=\"100%\" rx=\"10\"/>");
        put!(
            out,
            "<text class=\"s i\" x=\"20\" y=\"26\" font-weight=\"650\" font-size=\"14\">{}</text>",
            escaped(&self.look.title)
        );
        for node in self.film.nodes() {
            let y = self.y(node.0);
            put!(
                out,
                "<text class=\"s i\" x=\"20\" y=\"{:.1}\" font-weight=\"650\" font-size=\"14\">{node}</text>",
                y + 5.0
            );
            put!(out, "<path class=\"l\" d=\"M{LEFT} {y:.1}H{:.1}\"/>", self.width - 20.0);
        }
        let mut taken = Vec::new();
        self.draw_spans(out, &mut taken);
        self.draw_chosen(out);
        self.draw_flights(out, &mut taken);
        self.draw_frames(out, &mut taken);
        put!(out, "</svg>");
    }

    fn y(&self, node: u16) -> f64 {
        let lane = self.film.nodes().iter().position(|other| other.0 == node).unwrap_or_default();
        TOP + LANE * (lane as f64 + 0.5)
    }

    /// Where a frame is, or the next one that is shown.
    fn x(&self, frame: u64) -> f64 {
        let next = self.places.range(frame..).next();
        next.map_or(self.width - 24.0, |(_, x)| *x)
    }

    fn ballot(&self, ballot: &str) -> &'static str {
        self.ballots.get(ballot).map_or("#98948a", |place| BALLOTS[place % BALLOTS.len()])
    }

    fn draw_spans(&self, out: &mut String, taken: &mut Vec<Taken>) {
        for span in spans(self.film) {
            let (first, end) = self.look.frames;
            if span.frames.0 >= end || span.frames.1 <= first {
                continue;
            }
            let (x0, x1) = (self.x(span.frames.0.max(first)), self.x(span.frames.1));
            let (y, tone) = (self.y(span.node.0), self.ballot(&span.ballot));
            let (wide, top) = (x1 - x0, y - 8.0);
            let words = match span.role {
                Role::Down => {
                    put!(
                        out,
                        "<path class=\"b\" stroke-dasharray=\"2 5\" d=\"M{x0:.1} {y:.1}H{x1:.1}\"/>"
                    );
                    continue;
                }
                Role::Following if span.ballot.is_empty() => continue,
                Role::Following => {
                    put!(
                        out,
                        "<path stroke=\"{tone}\" stroke-width=\"3\" d=\"M{x0:.1} {y:.1}H{x1:.1}\"/>"
                    );
                    continue;
                }
                Role::Campaigning => {
                    put!(
                        out,
                        "<rect x=\"{x0:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"16\" rx=\"4\" fill=\"{tone}\" fill-opacity=\".2\" stroke=\"{tone}\" stroke-dasharray=\"3 3\"/>"
                    );
                    format!("campaigns {}", span.ballot)
                }
                Role::Leading => {
                    put!(
                        out,
                        "<rect x=\"{x0:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"16\" rx=\"4\" fill=\"{tone}\"/>"
                    );
                    format!("leads {}", span.ballot)
                }
            };
            self.title(&words, tone, (x0, y - 13.0), out, taken);
        }
    }

    /// Who leads or campaigns at which ballot, above its band.
    fn title(
        &self,
        words: &str,
        tone: &str,
        (x, y): (f64, f64),
        out: &mut String,
        taken: &mut Vec<Taken>,
    ) {
        let spot = [x, y - 10.0, x + words.chars().count() as f64 * 6.4, y + 3.0];
        if taken.iter().any(|other| meet(&spot, other)) {
            return;
        }
        put!(
            out,
            "<text class=\"s h\" fill=\"{tone}\" font-weight=\"650\" font-size=\"11\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>"
        );
        taken.push(spot);
    }

    fn draw_chosen(&self, out: &mut String) {
        let mut right = 0.0;
        for choosing in choosings(self.film) {
            let Some(x) = self.places.get(&choosing.frame).copied() else { continue };
            put!(out, "<path stroke=\"#12855a\" stroke-width=\"1.5\" d=\"M{x:.1} 58v8\"/>");
            let words = format!("{} {}", choosing.slot, choosing.value);
            let half = words.chars().count() as f64 * 3.3;
            let middle = x.max(right + half);
            if middle - x < 24.0 {
                put!(
                    out,
                    "<text class=\"p\" fill=\"#12855a\" text-anchor=\"middle\" x=\"{middle:.1}\" y=\"53\">{}</text>",
                    escaped(&words)
                );
                right = middle + half + 10.0;
            }
        }
        put!(out, "<text class=\"s q\" x=\"20\" y=\"53\" font-size=\"11\">chosen</text>");
    }

    fn draw_flights(&self, out: &mut String, taken: &mut Vec<Taken>) {
        let shown = |flight: &&Flight| !self.look.hidden.contains(&flight.name);
        for flight in self.film.flights().filter(shown) {
            let Some(line) = self.line(flight) else { continue };
            let [x0, y0, x1, y1] = line;
            let tone = tone(flight.name);
            let is_missed = matches!(flight.fate, Fate::Lost | Fate::Cut | Fate::NobodyHome);
            let dash = match (is_missed, flight.is_twin || flight.sent.is_none()) {
                (true, _) => " stroke-dasharray=\"2 3\"",
                (_, true) => " stroke-dasharray=\"6 3\"",
                _ => "",
            };
            put!(
                out,
                "<path stroke=\"{tone}\" stroke-width=\"1.3\"{dash} d=\"M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}\"><title>{}</title></path>",
                escaped(&flight.words)
            );
            if is_missed {
                put!(
                    out,
                    "<path class=\"b\" stroke-width=\"1.6\" d=\"M{:.1} {:.1}l7 7m0-7l-7 7\"/>",
                    x1 - 3.5,
                    y1 - 3.5
                );
            } else if flight.fate == Fate::Arrived {
                let degrees = (y1 - y0).atan2(x1 - x0).to_degrees();
                put!(
                    out,
                    "<path fill=\"{tone}\" transform=\"translate({x1:.1} {y1:.1})rotate({degrees:.1})\" d=\"M0 0l-7-2.8v5.6z\"/>"
                );
            }
            label(flight, line, tone, taken, out);
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
        let (y0, y1) = (self.y(flight.from.0) + 9.0 * up, self.y(flight.to.0) - 9.0 * up);
        let x0 = self.x(sent);
        let x1 = flight.ended.map_or(x0 + 60.0, |ended| self.x(ended)).max(x0);
        match flight.fate {
            Fate::Lost | Fate::Cut => Some([x0, y0, x0 + 26.0, y0 + (y1 - y0) * 0.45]),
            Fate::NobodyHome => Some([x0, y0, x0 + 60.0, y1]),
            Fate::Arrived if flight.sent.is_none() => {
                Some([x1 - 20.0, y0 + (y1 - y0) * 0.6, x1, y1])
            }
            _ => Some([x0, y0, x1, y1]),
        }
    }

    fn draw_frames(&self, out: &mut String, taken: &mut Vec<Taken>) {
        for (number, frame) in self.film.frames() {
            let Some(x) = self.places.get(&number).copied() else { continue };
            let y = frame.node.map_or(TOP, |node| self.y(node.0));
            match frame.what {
                What::Crashed => put!(
                    out,
                    "<circle class=\"g\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"9\"/><path class=\"b\" stroke-width=\"2.4\" d=\"M{:.1} {:.1}l10 10m0-10l-10 10\"/>",
                    x - 5.0,
                    y - 5.0
                ),
                What::Started => put!(
                    out,
                    "<path fill=\"#1c8754\" d=\"M{:.1} {:.1}l9 6l-9 6z\"/>",
                    x - 3.0,
                    y - 6.0
                ),
                What::World | What::Broken | What::Paused => {
                    self.draw_world(x, &frame.words, out, taken)
                }
                What::Persisted => put!(
                    out,
                    "<rect class=\"q\" x=\"{:.1}\" y=\"{:.1}\" width=\"4\" height=\"4\"/>",
                    x - 2.0,
                    y - 2.0
                ),
                _ => put!(out, "<circle class=\"q\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\"/>"),
            }
        }
    }

    fn draw_world(&self, x: f64, words: &str, out: &mut String, taken: &mut Vec<Taken>) {
        put!(
            out,
            "<path class=\"l\" stroke-dasharray=\"4 4\" d=\"M{x:.1} {TOP}V{:.1}\"/>",
            self.height
        );
        let length = words.chars().count() as f64 * 6.0;
        let base = (0..4).map(|row| TOP + 10.0 + 14.0 * f64::from(row));
        let mut spots = base.map(|y| [x + 4.0, y - 9.0, x + 4.0 + length, y + 3.0]);
        if let Some(spot) = spots.find(|spot| !taken.iter().any(|other| meet(spot, other))) {
            put!(
                out,
                "<text class=\"s q h\" font-size=\"11\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                spot[0],
                spot[3] - 3.0,
                escaped(words)
            );
            taken.push(spot);
        }
    }
}

/// Frames in which nothing comes in but what is left out, and nothing follows from it.
fn hidden_arrivals(film: &Film, look: &Look) -> std::collections::BTreeSet<u64> {
    let of = |flight: &Flight| look.hidden.contains(&flight.name).then_some(flight.ended);
    let mut hidden: std::collections::BTreeSet<u64> =
        film.flights().filter_map(of).flatten().collect();
    for (number, frame) in film.frames() {
        if frame.what == What::Ticked
            && frame.effects.iter().all(|e| look.hidden.iter().any(|h| e.contains(h)))
        {
            hidden.insert(number);
        }
    }
    let sends = film.flights().filter(|flight| !look.hidden.contains(&flight.name));
    sends.filter_map(|flight| flight.sent).for_each(|sent| _ = hidden.remove(&sent));
    hidden
}

/// What a message says, along its arrow, if there is room.
fn label(flight: &Flight, line: [f64; 4], tone: &str, taken: &mut Vec<Taken>, out: &mut String) {
    let [x0, y0, x1, y1] = line;
    let length = (x1 - x0).hypot(y1 - y0);
    let short = format!("{} {}", flight.name, flight.ballot.as_deref().unwrap_or_default());
    let texts = [&*flight.words, short.trim_end(), flight.name];
    let fits = |text: &&&str| text.chars().count() as f64 * 6.7 + 22.0 < length;
    let Some(text) = texts.iter().find(fits) else { return };
    let angle = (y1 - y0).atan2(x1 - x0);
    if angle.abs() > 1.25 {
        return;
    }
    let (mid_x, mid_y, half) =
        ((x0 + x1) / 2.0, (y0 + y1) / 2.0, text.chars().count() as f64 * 3.35);
    let mut boxes = Vec::new();
    let mut at = -half;
    while at <= half + 7.0 {
        let (x, y) = (mid_x + at * angle.cos(), mid_y + at * angle.sin() - 7.0);
        boxes.push([x - 7.0, y - 7.0, x + 7.0, y + 7.0]);
        at += 12.0;
    }
    if boxes.iter().any(|spot| taken.iter().any(|other| meet(spot, other))) {
        return;
    }
    taken.extend(boxes);
    let degrees = angle.to_degrees();
    put!(
        out,
        "<text class=\"p h\" fill=\"{tone}\" text-anchor=\"middle\" transform=\"translate({mid_x:.1} {mid_y:.1})rotate({degrees:.1})\" y=\"-4\">{}</text>",
        escaped(text)
    );
}

fn meet(one: &Taken, other: &Taken) -> bool {
    one[0] < other[2] && one[2] > other[0] && one[1] < other[3] && one[3] > other[1]
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
