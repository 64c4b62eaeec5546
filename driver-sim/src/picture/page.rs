//! One page of HTML that needs nothing else: the film as data, and a program that draws it.
//!
//! The data stand in the page as JSON, in tables of numbers with every string once. The page
//! works from a file, without a network; nothing in the data can end its script element, because
//! no `<` stands in it.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;

use super::film::Film;
use super::footage::{Fate, What};
use super::portrait::Portrait;
use super::spans::{choosings, spans};

const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPTS: [&str; 7] = [
    include_str!("page/data.js"),
    include_str!("page/story.js"),
    include_str!("page/view.js"),
    include_str!("page/draw.js"),
    include_str!("page/messages.js"),
    include_str!("page/panel.js"),
    include_str!("page/keys.js"),
];

/// What stands above the picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caption {
    /// A few words, such as `seed 17`.
    pub title: String,
    /// What the run was made of.
    pub facts: Vec<(String, String)>,
    /// What broke, if anything did.
    pub broken: Option<String>,
}

/// Makes the page of `film`.
#[must_use]
pub fn page(film: &Film, caption: &Caption) -> String {
    let data = serde_json::to_string(&data(film, caption));
    // Maps with keys of other kinds than strings could fail; there are none.
    let data = data.unwrap_or_default().replace('<', "\\u003c").replace("\u{2028}", "\\u2028");
    let mut page = FRAME.replace("{{title}}", &escaped(&caption.title));
    page = page.replace("{{style}}", STYLE);
    page = page.replace("{{scripts}}", &SCRIPTS.concat());
    // Last, so that nothing in the data is taken for a place to fill.
    page.replace("{{data}}", &data)
}

/// Text as HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            // Not allowed in XML, escaped or not.
            control if control.is_control() && control != '\n' => html.push('\u{fffd}'),
            other => html.push(other),
        }
    }
    html
}

/// Everything that the page draws; tables of numbers, with words by their places in `words`.
#[derive(Debug, Serialize)]
struct Data {
    title: String,
    facts: Vec<(String, String)>,
    broken: Option<String>,
    nodes: Vec<u16>,
    /// How many frames came before the first one here.
    missing: u64,
    words: Vec<String>,
    whats: Vec<&'static str>,
    fates: Vec<&'static str>,
    /// Time, node or -1, what, words, effects, portrait or -1.
    frames: Vec<(u64, i32, usize, usize, Vec<usize>, i64)>,
    portraits: Vec<Rc<Portrait>>,
    /// Sender, receiver, sent and ended (µs, or -1), frames of both (or -1), fate, name, words,
    /// group, ballot or -1, first slot or -1, slot after the last, twin or not, words for an arrow.
    flights: Vec<[i64; 15]>,
    /// Node, frame ordered, frame ended or -1, durable or not, words.
    writings: Vec<[i64; 5]>,
    /// Node, group, role, ballot, first frame, frame after the last.
    spans: Vec<[i64; 6]>,
    /// Frame, group, slot, value.
    choosings: Vec<[i64; 4]>,
    /// Node, from, to (µs).
    pauses: Vec<[u64; 3]>,
}

/// Every string once.
#[derive(Debug, Default)]
struct Words {
    places: BTreeMap<String, usize>,
    list: Vec<String>,
}

impl Words {
    fn place(&mut self, word: &str) -> usize {
        if let Some(place) = self.places.get(word) {
            return *place;
        }
        self.places.insert(word.to_owned(), self.list.len());
        self.list.push(word.to_owned());
        self.list.len() - 1
    }

    fn number(&mut self, word: &str) -> i64 {
        self.place(word) as i64
    }
}

fn data(film: &Film, caption: &Caption) -> Data {
    let mut words = Words::default();
    let missing = film.made() - film.frames().len() as u64;
    // Frames are counted from the first one here; those before it are -1.
    let number = |frame: u64| frame.checked_sub(missing).map_or(-1, |number| number as i64);
    let (frames, portraits) = frames(film, &mut words);
    Data {
        title: caption.title.clone(),
        facts: caption.facts.clone(),
        broken: caption.broken.clone(),
        nodes: film.nodes().iter().map(|node| node.0).collect(),
        missing,
        whats: What::ALL.map(What::word).to_vec(),
        fates: Fate::ALL.map(Fate::words).to_vec(),
        frames,
        portraits,
        flights: flights(film, &mut words, &number),
        writings: film
            .writings()
            .map(|w| {
                let ended = w.ended.map_or(-1, &number);
                let node = i64::from(w.node.0);
                [node, number(w.ordered), ended, i64::from(w.is_durable), words.number(&w.words)]
            })
            .collect(),
        spans: spans(film)
            .iter()
            .map(|span| {
                let (node, group) = (i64::from(span.node.0), span.group as i64);
                let (first, end) = (number(span.frames.0), number(span.frames.1));
                let ballot = words.number(&span.ballot);
                [node, group, i64::from(span.role.number()), ballot, first, end]
            })
            .collect(),
        choosings: choosings(film)
            .iter()
            .map(|c| [number(c.frame), c.group as i64, c.slot as i64, words.number(&c.value)])
            .collect(),
        pauses: film.pauses().map(|(node, from, to)| [u64::from(node.0), from, to]).collect(),
        words: words.list,
    }
}

type FrameRow = (u64, i32, usize, usize, Vec<usize>, i64);

fn frames(film: &Film, words: &mut Words) -> (Vec<FrameRow>, Vec<Rc<Portrait>>) {
    let mut portraits: Vec<Rc<Portrait>> = Vec::new();
    let mut last: BTreeMap<Option<u16>, (Rc<Portrait>, i64)> = BTreeMap::new();
    let rows = film.frames().map(|(_, frame)| {
        let node = frame.node.map(|node| node.0);
        let portrait = frame.portrait.as_ref().map_or(-1, |portrait| {
            let known = last.get(&node).filter(|(known, _)| Rc::ptr_eq(known, portrait));
            if let Some((_, place)) = known {
                return *place;
            }
            let place = portraits.len() as i64;
            portraits.push(Rc::clone(portrait));
            last.insert(node, (Rc::clone(portrait), place));
            place
        });
        let what = frame.what as usize;
        let effects = frame.effects.iter().map(|effect| words.place(effect)).collect();
        let input = words.place(&frame.words);
        (frame.at, node.map_or(-1, i32::from), what, input, effects, portrait)
    });
    (rows.collect(), portraits)
}

fn flights(film: &Film, words: &mut Words, number: &dyn Fn(u64) -> i64) -> Vec<[i64; 15]> {
    let time = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    let mut rows = Vec::new();
    for flight in film.flights() {
        let (sent, ended) = flight.times;
        let (first, end) = flight.slots.map_or((-1, -1), |(a, b)| (a as i64, b as i64));
        rows.push([
            i64::from(flight.from.0),
            i64::from(flight.to.0),
            time(sent),
            ended.map_or(-1, time),
            flight.sent.map_or(-1, number),
            flight.ended.map_or(-1, number),
            flight.fate as i64,
            words.number(flight.name),
            words.number(&flight.words),
            flight.group as i64,
            flight.ballot.as_ref().map_or(-1, |ballot| words.number(ballot)),
            first,
            end,
            i64::from(flight.is_twin),
            words.number(&flight.brief),
        ]);
    }
    rows
}
