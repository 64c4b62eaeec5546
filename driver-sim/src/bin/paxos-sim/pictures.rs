//! Pictures of a run, as asked for on the command line.

use std::process::ExitCode;

use driver_sim::Report;
use driver_sim::picture::{Caption, Film, Look, page, svg};

use crate::args::PictureArgs;
use crate::tapes;

/// What came of the pictures that were asked for.
pub(crate) enum Drawn {
    /// They are in files, if any were asked for: the run is still to be told of.
    Aside,
    /// One is where the run would be told of.
    Printed,
    /// One could not be written.
    Failed,
}

/// Draws what was asked for of a run.
pub(crate) fn draw(args: &PictureArgs, what: &str, report: &Report) -> Drawn {
    match &report.film {
        Some(film) => draw_film(args, film, caption(what, film, report)),
        None => Drawn::Aside,
    }
}

/// Draws what was asked for.
pub(crate) fn draw_film(args: &PictureArgs, film: &Film, caption: Caption) -> Drawn {
    let still = args.svg.map(|frames| {
        let look = Look { frames, is_logical: false, ..Look::all(film, &caption.title) };
        svg(film, &look)
    });
    if let Some(path) = &args.html
        && !tapes::write(path, &page(film, &caption))
    {
        return Drawn::Failed;
    }
    let Some(still) = still else { return Drawn::Aside };
    print!("{still}");
    Drawn::Printed
}

/// How to end.
pub(crate) fn code(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn caption(what: &str, film: &Film, report: &Report) -> Caption {
    let counts = &report.summary.counts;
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let shown = film.frames().len() as u64;
    let mut facts = vec![
        fact("nodes", film.nodes().len().to_string()),
        fact("events", counts.events.to_string()),
        fact("slots chosen", counts.slots.to_string()),
        fact("s simulated", format!("{:.3}", counts.simulated_us as f64 / 1e6)),
        fact("trace", format!("{:016x}", report.summary.trace)),
    ];
    if film.made() > shown {
        facts.push(fact("steps", format!("the last {shown} of {}", film.made())));
    }
    let broken = report.violation.as_ref().map(ToString::to_string);
    Caption { title: format!("Multi-Paxos, {what}"), facts, broken }
}
