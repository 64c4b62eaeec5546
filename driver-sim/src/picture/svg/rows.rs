//! A picture that is too wide to be read in a document goes on in another row, as music does.

use std::fmt::Write as _;

use super::super::footage::What;
use super::{Canvas, HEAD, LEFT, TOP, put};

/// About how wide a row may be.
const WIDE: f64 = 1_000.0;

/// From where to where each row goes.
pub(super) fn rows(canvas: &Canvas<'_>) -> Vec<(f64, f64)> {
    let (mut left, right) = (LEFT, canvas.columns.right);
    // Time to scale is not cut: its length is what there is to see.
    let count = if canvas.look.is_logical { ((right - left) / WIDE).ceil() as usize } else { 1 };
    let mut rows = Vec::new();
    for more in (2..=count).rev() {
        let ideal = (right - left) / more as f64;
        let (least, most) = (left + ideal * 0.65, left + ideal * 1.15);
        let gaps = canvas.columns.gaps.iter().filter(|gap| (least..most).contains(*gap));
        let cost = |gap: &f64| crossing(canvas, *gap) + (gap - left - ideal).abs() / ideal;
        let Some(end) = gaps.copied().min_by(|a, b| cost(a).total_cmp(&cost(b))) else { break };
        rows.push((left, end));
        left = end;
    }
    rows.push((left, right));
    rows
}

/// How much is cut in two at `x`: messages under way; but what happens to the world begins a
/// chapter.
fn crossing(canvas: &Canvas<'_>, x: f64) -> f64 {
    let is_across = |line: &[f64; 4]| line[0] < x && line[2] > x;
    let count = canvas.flights().filter(|(_, line)| is_across(line)).count();
    let worlds = canvas.film.frames().filter(|(_, frame)| frame.what == What::World);
    let mut begin = worlds.filter_map(|(number, _)| canvas.columns.place(number));
    count as f64 - if begin.any(|at| at > x && at - x < 60.0) { 2.0 } else { 0.0 }
}

/// Draws all rows; the scene stands in the picture once, and each row is a window onto it.
pub(super) fn draw(rows: &[(f64, f64)], canvas: &Canvas<'_>, out: &mut String) {
    for (index, (left, right)) in rows.iter().enumerate() {
        let (top, wide) = (HEAD + index as f64 * canvas.height, right - left);
        put!(out, "<g transform=\"translate(0 {top:.1})\">");
        lanes(canvas, LEFT + wide, out);
        let high = canvas.height;
        put!(
            out,
            "<svg x=\"{LEFT}\" width=\"{wide:.1}\" height=\"{high:.1}\" viewBox=\"{left:.1} 0 {wide:.1} {high:.1}\">"
        );
        if index == 0 {
            put!(out, "<g id=\"scene\">");
            canvas.draw_scene(out);
            put!(out, "</g>");
        } else {
            put!(out, "<use href=\"#scene\"/>");
        }
        put!(out, "</svg></g>");
    }
}

/// The names of the lanes, and their lines.
fn lanes(canvas: &Canvas<'_>, right: f64, out: &mut String) {
    put!(
        out,
        "<text class=\"s q\" x=\"20\" y=\"{:.1}\" font-size=\"11\">chosen</text>",
        TOP - 13.0
    );
    for node in canvas.film.nodes() {
        let y = canvas.y(*node);
        put!(
            out,
            "<text class=\"s i\" x=\"20\" y=\"{:.1}\" font-weight=\"650\" font-size=\"15\">{node}</text>",
            y + 5.0
        );
        put!(out, "<path class=\"l\" d=\"M{LEFT} {y:.1}H{right:.1}\"/>");
    }
}
