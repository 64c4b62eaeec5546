//! A chart of a few lines, both axes by powers of ten: what grows in proportion is a
//! straight line.

use std::fmt;

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What it is of, with its unit.
    pub(crate) name: &'static str,
    /// Above zero, both.
    pub(crate) points: Vec<(f64, f64)>,
}

/// A chart, drawn by its [`Display`](fmt::Display).
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// Where the lower axis is marked, and how.
    pub(crate) ticks: Vec<(f64, String)>,
    pub(crate) lines: Vec<Line>,
}

impl Chart {
    /// The powers of ten that hold all figures.
    fn decades(&self) -> (i32, i32) {
        let figures = self.lines.iter().flat_map(|line| &line.points).map(|(_, y)| y.log10());
        let (mut least, mut most) = (f64::MAX, f64::MIN);
        figures.for_each(|y| (least, most) = (least.min(y), most.max(y)));
        if least > most {
            return (0, 1);
        }
        let least = least.floor() as i32;
        (least, (most.ceil() as i32).max(least + 1))
    }

    fn x(&self, x: f64) -> f64 {
        let (first, last) = (self.ticks.first(), self.ticks.last());
        let (least, most) = (first.map_or(1.0, |tick| tick.0), last.map_or(10.0, |tick| tick.0));
        let share = (x.log10() - least.log10()) / (most.log10() - least.log10()).max(1e-9);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, y: f64) -> f64 {
        let (least, most) = self.decades();
        let share = (y.log10() - f64::from(least)) / f64::from(most - least);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }

    fn grid(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.decades();
        for decade in least..=most {
            let (at, y) = (10_f64.powi(decade), self.y(10_f64.powi(decade)));
            let right = WIDTH - RIGHT;
            writeln!(f, r##"<path d="M{LEFT} {y:.1}H{right}" stroke="#ddd"/>"##)?;
            let left = LEFT - 8.0;
            writeln!(f, r#"<text x="{left}" y="{:.1}" text-anchor="end">{at}</text>"#, y + 4.0)?;
        }
        for (x, label) in &self.ticks {
            let (x, y) = (self.x(*x), HEIGHT - BOTTOM + 18.0);
            writeln!(f, r#"<text x="{x:.1}" y="{y}" text-anchor="middle">{label}</text>"#)?;
        }
        Ok(())
    }

    fn line(&self, f: &mut fmt::Formatter<'_>, line: &Line, colour: &str) -> fmt::Result {
        let places: Vec<(f64, f64)> =
            line.points.iter().map(|(x, y)| (self.x(*x), self.y(*y))).collect();
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let path = path.join(" ");
        writeln!(
            f,
            r#"<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>"#
        )?;
        for (x, y) in &places {
            writeln!(f, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"/>"#)?;
        }
        Ok(())
    }
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" font-size="12">"#
        )?;
        writeln!(f, r#"<rect width="100%" height="100%" fill="white"/>"#)?;
        writeln!(f, r#"<text x="{LEFT}" y="22" font-size="14">By {}</text>"#, self.title)?;
        self.grid(f)?;
        for (at, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            self.line(f, line, colour)?;
            let x = LEFT + 160.0 * at as f64;
            writeln!(f, r#"<circle cx="{}" cy="40" r="4" fill="{colour}"/>"#, x + 4.0)?;
            writeln!(f, r#"<text x="{}" y="44">{}</text>"#, x + 14.0, line.name)?;
        }
        writeln!(f, "</svg>")
    }
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 34.0;
/// Told apart by those who see fewer colours, too.
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];
