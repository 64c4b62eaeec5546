//! Recordings of real nodes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use driver_mio::record::Recording;
use driver_sim::picture::{Caption, Look, page, svg};
use driver_sim::replay::{Flown, fly};

use crate::{PictureArgs, tapes};

/// The recording at `path`, or the last one in that directory; none if it is something else.
pub(crate) fn find(path: &Path) -> Result<Option<(PathBuf, Recording)>, String> {
    let file = if path.is_dir() { last(path)? } else { path.to_owned() };
    let bytes = Bytes::from(fs::read(&file).map_err(|error| error.to_string())?);
    if !Recording::is_one(&bytes) {
        return Ok(None);
    }
    let recording = Recording::read(&bytes).map_err(|error| error.to_string())?;
    Ok(Some((file, recording)))
}

/// The recording with the highest number.
fn last(dir: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(dir).map_err(|error| error.to_string())?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let lives = files.filter(|path| path.extension().is_some_and(|end| end == "rec"));
    lives.max().ok_or_else(|| "no recording is in there".to_owned())
}

/// Plays a recording; succeeds if it is the same run.
pub(crate) fn play(path: &Path, recording: &Recording, args: &PictureArgs) -> ExitCode {
    let flown = match fly(recording, args.frames as usize) {
        Ok(flown) => flown,
        Err(error) => {
            eprintln!("paxos-sim: {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    let title = format!("{}, life {}", recording.config.node, recording.config.incarnation.0);
    if let Some(frames) = args.svg {
        print!(
            "{}",
            svg(&flown.film, &Look { frames, is_even: false, ..Look::all(&flown.film, &title) })
        );
        return ExitCode::SUCCESS;
    }
    if let Some(html) = &args.html
        && !tapes::write(html, &page(&flown.film, &caption(title, &flown)))
    {
        return ExitCode::FAILURE;
    }
    tell(path, recording, &flown)
}

fn caption(title: String, flown: &Flown) -> Caption {
    let facts = vec![
        ("steps".to_owned(), flown.steps.to_string()),
        ("trace".to_owned(), format!("{:016x}", flown.trace)),
    ];
    let broken = flown.differs.map(|step| format!("step {step} is not what was recorded"));
    Caption { title, facts, broken }
}

fn tell(path: &Path, recording: &Recording, flown: &Flown) -> ExitCode {
    println!("{}: {} of {} steps", path.display(), flown.steps, recording.steps.len());
    if recording.torn > 0 {
        println!("{} bytes at the end are torn", recording.torn);
    }
    println!("trace hash {:016x}", flown.trace);
    if let Some(step) = flown.differs {
        println!("NOT the run that was recorded: step {step} orders something else");
        return ExitCode::FAILURE;
    }
    if let Some(sentence) = flown.unsound {
        println!("the node's own check: {sentence}");
        return ExitCode::FAILURE;
    }
    println!("the same run as recorded, bit by bit");
    ExitCode::SUCCESS
}
