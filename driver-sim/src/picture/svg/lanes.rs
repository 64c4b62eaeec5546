//! What stands in a lane and above all of them.

use std::fmt::Write as _;

use super::super::footage::{Frame, What};
use super::super::page::escaped;
use super::super::spans::{Role, Span, Voting, choosings, spans, votings};
use super::columns::LETTER;
use super::{CHOSEN, Canvas, TOP, Taken, cut_to, is_free, put};

impl Canvas<'_> {
    /// The spans in the window, each with where it begins and ends.
    fn spans(&self) -> impl Iterator<Item = (Span, f64, f64)> {
        let (first, end) = self.look.frames;
        let is_seen = move |span: &Span| span.frames.0 < end && span.frames.1 > first;
        spans(self.film).into_iter().filter(is_seen).map(move |span| {
            let x0 = self.columns.x_of(span.node, span.frames.0.max(first));
            let x1 = self.columns.x_of(span.node, span.frames.1).max(x0);
            (span, x0, x1)
        })
    }

    pub(super) fn draw_spans(&self, out: &mut String) {
        for (span, x0, x1) in self.spans() {
            let (y, tone) = (self.y(span.node), self.ballot(&span.ballot));
            let (wide, top) = (x1 - x0, y - 8.0);
            match span.role {
                Role::Down => put!(
                    out,
                    "<path class=\"b\" stroke-width=\"1.4\" stroke-dasharray=\"2 5\" d=\"M{x0:.1} {y:.1}H{x1:.1}\"/>"
                ),
                Role::Following if span.ballot.is_empty() => {}
                Role::Following => put!(
                    out,
                    "<path stroke=\"{tone}\" stroke-width=\"3\" d=\"M{x0:.1} {y:.1}H{x1:.1}\"/>"
                ),
                Role::Campaigning => put!(
                    out,
                    "<rect x=\"{x0:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"16\" rx=\"4\" fill=\"{tone}\" fill-opacity=\".2\" stroke=\"{tone}\" stroke-dasharray=\"3 3\"/>"
                ),
                Role::Leading => put!(
                    out,
                    "<rect x=\"{x0:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"16\" rx=\"4\" fill=\"{tone}\"/>"
                ),
            }
        }
    }

    /// Who leads or asks for promises, above the bands.
    pub(super) fn draw_titles(&self, out: &mut String, taken: &mut Vec<Taken>) {
        for (span, x0, _) in self.spans() {
            let words = match span.role {
                Role::Campaigning => format!("asks for {}", span.ballot),
                Role::Leading => format!("leads {}", span.ballot),
                Role::Following | Role::Down => continue,
            };
            let place = (x0, self.y(span.node) - 13.0);
            title(&words, self.ballot(&span.ballot), place, out, taken);
        }
    }

    /// Slots along the top, where somebody first knows that they are chosen.
    pub(super) fn draw_chosen(&self, out: &mut String) {
        let mut right = 0.0;
        let mut marks: Vec<(f64, String)> = Vec::new();
        for choosing in choosings(self.film) {
            let Some(x) = self.columns.place(choosing.frame) else { continue };
            let words = format!("{} {}", choosing.slot, cut_to(&choosing.value, 14));
            match marks.last_mut().filter(|mark| mark.0 == x) {
                Some(mark) => mark.1.extend([" ", &words]),
                None => marks.push((x, words)),
            }
        }
        for (x, words) in marks {
            let (words, foot) = (cut_to(&words, 40), TOP - 8.0);
            let left = (x - 3.0).max(right);
            put!(out, "<path stroke=\"{CHOSEN}\" stroke-width=\"1.6\" d=\"M{x:.1} {foot:.1}v8\"/>");
            if left - x < 24.0 {
                put!(
                    out,
                    "<text class=\"p\" fill=\"{CHOSEN}\" font-weight=\"700\" x=\"{left:.1}\" y=\"{:.1}\">{}</text>",
                    foot - 5.0,
                    escaped(&words)
                );
                right = left + words.chars().count() as f64 * LETTER + 8.0;
            }
        }
    }

    pub(super) fn draw_frames(&self, out: &mut String, taken: &mut Vec<Taken>) {
        for (number, frame) in self.film.frames() {
            let (Some(x), Some(node)) = (self.columns.place(number), frame.node) else { continue };
            let y = self.y(node);
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
                What::Persisted => put!(
                    out,
                    "<rect class=\"q\" x=\"{:.1}\" y=\"{:.1}\" width=\"4\" height=\"4\"/>",
                    x - 2.0,
                    y - 2.0
                ),
                What::Asked => {
                    put!(
                        out,
                        "<circle class=\"g\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" stroke=\"#0d8a96\" stroke-width=\"2\"/>"
                    );
                    if let Some(wish) = wish(frame) {
                        title(&wish, "#0d8a96", (x - 4.0, y - 26.0), out, taken);
                    }
                }
                _ => put!(out, "<circle class=\"q\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\"/>"),
            }
        }
    }

    /// What a node votes for, in its ballot's colour, and what it learns to be chosen, filled.
    pub(super) fn draw_votes(&self, out: &mut String, taken: &mut Vec<Taken>) {
        let mut right = (0, 0.0);
        for voting in votings(self.film) {
            let Some(x) = self.columns.place(voting.frame) else { continue };
            let (y, wide) = (self.y(voting.node), chip_width(&voting) - 4.0);
            let (left, top) = match self.look.is_logical {
                true if right.0 == voting.frame => (right.1 + 4.0, y - 8.0),
                true => (x + 7.0, y - 8.0),
                // Steps may stand close to each other.
                false => (x - 3.0, y + 12.0),
            };
            let spot = [left, top, left + wide, top + 16.0];
            if !is_free(taken, &[spot]) {
                continue;
            }
            right = (voting.frame, left + wide);
            let tone = if voting.is_chosen { CHOSEN } else { self.ballot(&voting.ballot) };
            let (fill, ink) = match voting.is_chosen {
                true => (format!("class=\"e\" fill=\"{CHOSEN}\""), "#ffffff"),
                false => (format!("class=\"g\" stroke=\"{tone}\""), tone),
            };
            put!(
                out,
                "<rect {fill} stroke-width=\"1.5\" rx=\"4\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"16\"/><text class=\"p\" fill=\"{ink}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                left + 5.0,
                top + 11.8,
                escaped(&chip(&voting))
            );
        }
    }

    /// What happens to the network, or to a node from outside.
    pub(super) fn draw_worlds(&self, out: &mut String, taken: &mut Vec<Taken>) {
        for (number, frame) in self.film.frames() {
            let Some(x) = self.columns.place(number) else { continue };
            if !matches!(frame.what, What::World | What::Broken | What::Paused) {
                continue;
            }
            put!(
                out,
                "<path class=\"l\" stroke-width=\"1.4\" stroke-dasharray=\"4 4\" d=\"M{x:.1} {TOP}V{:.1}\"/>",
                self.height
            );
            let words = frame.words.replace("the network is ", "links ");
            let length = words.chars().count() as f64 * 6.0;
            let mut spots = (0..4).map(|row| {
                let y = TOP + 7.0 + 14.0 * f64::from(row);
                [x + 4.0, y - 9.0, x + 4.0 + length, y + 3.0]
            });
            if let Some(spot) = spots.find(|spot| is_free(taken, &[*spot])) {
                put!(
                    out,
                    "<text class=\"s q h\" font-size=\"11.5\" font-weight=\"600\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    spot[0],
                    spot[3] - 3.0,
                    escaped(&words)
                );
            }
        }
    }
}

fn chip(voting: &Voting) -> String {
    format!("{} {}", voting.slot, cut_to(&voting.value, 10))
}

/// How much room a vote takes.
pub(super) fn chip_width(voting: &Voting) -> f64 {
    chip(voting).chars().count() as f64 * LETTER + 14.0
}

/// Who leads or campaigns at which ballot, or what a client asks for, above its lane.
fn title(words: &str, tone: &str, (x, y): (f64, f64), out: &mut String, taken: &mut Vec<Taken>) {
    let spot = [x, y - 10.0, x + words.chars().count() as f64 * 6.6, y + 3.0];
    if !is_free(taken, &[spot]) {
        return;
    }
    put!(
        out,
        "<text class=\"s h\" fill=\"{tone}\" font-weight=\"650\" font-size=\"11.5\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
        escaped(words)
    );
}

/// What a client asks for; nothing if it only reads.
fn wish(frame: &Frame) -> Option<String> {
    let (_, values) = frame.words.split_once(" [")?;
    Some(format!("client: {}", cut_to(values.trim_end_matches(']'), 20)))
}
