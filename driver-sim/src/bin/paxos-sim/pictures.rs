//! Pictures of a run, as asked for on the command line.

use std::process::ExitCode;

use driver_sim::Report;
use driver_sim::picture::{Caption, Film, Look, page, svg};

use crate::args::PictureArgs;
use crate::tapes;

/// Draws what was asked for; none if nothing was, or if the run should be told of too.
pub(crate) fn draw(args: &PictureArgs, what: &str, report: &Report) -> Option<ExitCode> {
    let film = report.film.as_ref()?;
    if let Some(frames) = args.svg {
        let look = Look { frames, is_logical: false, ..Look::all(film, &title(what)) };
        print!("{}", svg(film, &look));
        return Some(ExitCode::SUCCESS);
    }
    let path = args.html.as_ref()?;
    let is_written = tapes::write(path, &page(film, &caption(what, film, report)));
    (!is_written).then_some(ExitCode::FAILURE)
}

fn title(what: &str) -> String {
    format!("Multi-Paxos, {what}")
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
    Caption { title: title(what), facts, broken }
}
