//! A still picture of a window, as SVG: for documents, where a page would be too much.
//!
//! The same marks as on the page: a lane for every node, bands for leaders, arrows for messages,
//! a cross where one is lost; and below a lane what its node votes for and learns.
//!
//! | file | what it does |
//! |---|---|
//! | `columns` | which steps are shown, and where: to scale, or in logical time |
//! | `lanes` | what stands in and above a lane: bands, steps, votes, what happens to the world |
//! | `arrows` | messages, and their words where there is room |
//! | `rows` | a picture that is too wide goes on in another row |

mod arrows;
mod columns;
mod lanes;
mod rows;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use paxos_core::types::NodeId;

use self::columns::Columns;
use super::film::Film;
use super::page::escaped;
use super::spans::spans;

/// How a still picture looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// What stands above it.
    pub title: String,
    /// The window: the first frame and the one after the last.
    pub frames: (u64, u64),
    /// Logical time: a step stands right of whatever it follows from, and no further than it must.
    /// For stories in which no time passes; otherwise time is to scale.
    pub is_logical: bool,
    /// Kinds of messages that are left out, such as `Heartbeat`.
    pub hidden: Vec<&'static str>,
}

impl Look {
    /// All of `film`, in logical time, without signs of life.
    #[must_use]
    pub fn all(film: &Film, title: &str) -> Look {
        let hidden = vec!["Heartbeat", "HeartbeatAck"];
        let first = film.made() - film.frames().len() as u64;
        Look { title: title.to_owned(), frames: (first, film.made()), is_logical: true, hidden }
    }

    /// The same without questions before a campaign: for stories of ballots and votes.
    #[must_use]
    pub fn without_probes(mut self) -> Look {
        self.hidden.extend(["Probe", "ProbeAck"]);
        self
    }
}

const LEFT: f64 = 64.0;
/// Where lanes begin, from the top of a row.
const TOP: f64 = 44.0;
const LANE: f64 = 92.0;
/// What stands above the first row.
const HEAD: f64 = 40.0;
const CHOSEN: &str = "#12855a";
const BALLOTS: [&str; 8] =
    ["#3f6fe0", "#d9662b", "#20916a", "#a44bc4", "#c23d6d", "#7d8a1f", "#1593a8", "#8a5a34"];
const STYLE: &str = "\
.p{font:11px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace}\
.s{font-family:Inter,'Segoe UI',system-ui,'Helvetica Neue',Arial,sans-serif}\
.g{fill:#fbfaf7}.i{fill:#22211e}.q{fill:#6b685f}.l{stroke:#d8d5cb}.e{stroke:#fbfaf7}.b{stroke:#c92a3c;fill:none}\
.h{paint-order:stroke;stroke:#fbfaf7;stroke-width:4px;stroke-linejoin:round}\
@media(prefers-color-scheme:dark){.g{fill:#14161b}.i{fill:#e9e7e1}.q{fill:#a3a7b3}.l{stroke:#3a3f4b}\
.e{stroke:#14161b}.h{stroke:#14161b}}";

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
    columns: Columns,
    /// Of a row without its foot.
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
use put;

impl<'a> Canvas<'a> {
    fn new(film: &'a Film, look: &'a Look) -> Canvas<'a> {
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
            columns: Columns::new(film, look),
            height: TOP + LANE * film.nodes().len() as f64,
            ballots,
        }
    }

    fn draw(&self, out: &mut String) {
        let rows = rows::rows(self);
        let height = HEAD + rows.len() as f64 * self.height;
        let width = rows.iter().fold(0.0, |most: f64, row| most.max(row.1 - row.0)) + LEFT;
        put!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" font-size=\"12\">"
        );
        put!(out, "<title>{}</title><style>{STYLE}</style>", escaped(&self.look.title));
        put!(out, "<rect class=\"g\" width=\"100%\" height=\"100%\" rx=\"10\"/>");
        put!(
            out,
            "<text class=\"s i\" x=\"20\" y=\"27\" font-weight=\"650\" font-size=\"15\">{}</text>",
            escaped(&self.look.title)
        );
        rows::draw(&rows, self, out);
        put!(out, "</svg>");
    }

    /// All of it in one row, without the names of its lanes.
    fn draw_scene(&self, out: &mut String) {
        let mut taken = Vec::new();
        self.draw_spans(out);
        self.draw_chosen(out);
        self.draw_worlds(out, &mut taken);
        self.draw_flights(out, &mut taken);
        self.draw_titles(out, &mut taken);
        self.draw_frames(out, &mut taken);
        self.draw_votes(out, &mut taken);
        self.draw_labels(out, &mut taken);
    }

    fn y(&self, node: NodeId) -> f64 {
        let lane = self.film.nodes().iter().position(|other| *other == node).unwrap_or_default();
        TOP + LANE * (lane as f64 + 0.5)
    }

    fn ballot(&self, ballot: &str) -> &'static str {
        self.ballots.get(ballot).map_or("#98948a", |place| BALLOTS[place % BALLOTS.len()])
    }
}

/// Takes a place for words, unless something stands there.
fn is_free(taken: &mut Vec<Taken>, spots: &[Taken]) -> bool {
    if spots.iter().any(|spot| taken.iter().any(|other| meet(spot, other))) {
        return false;
    }
    taken.extend(spots);
    true
}

fn meet(one: &Taken, other: &Taken) -> bool {
    one[0] < other[2] && one[2] > other[0] && one[1] < other[3] && one[3] > other[1]
}

/// As many letters as there is room for.
fn cut_to(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}
