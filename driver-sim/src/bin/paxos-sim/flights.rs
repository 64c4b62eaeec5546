//! Recordings of real nodes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use driver_mio::record::Recording;
use driver_sim::picture::{Caption, Look, page, svg};
use driver_sim::replay::{Flown, fly};

use crate::args::PictureArgs;
use crate::tapes;

/// The files of the recording at `path`, oldest first: those of the last life in a directory,
/// or that one; none if it is something else.
pub(crate) fn find(path: &Path) -> Result<Option<Vec<PathBuf>>, String> {
    if path.is_dir() {
        return last_life(path).map(Some);
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(64).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(Recording::is_one(&bytes).then(|| vec![path.to_owned()]))
}

/// The recordings of the life with the highest number.
fn last_life(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(dir).map_err(|error| error.to_string())?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "rec")).collect();
    files.sort();
    let last = files.last().and_then(|path| life(path)).map(str::to_owned);
    let last = last.ok_or_else(|| "no recording is in there".to_owned())?;
    files.retain(|path| life(path) == Some(&last));
    Ok(files)
}

/// `life-<incarnation>` of `life-<incarnation>-<number>.rec`.
fn life(path: &Path) -> Option<&str> {
    path.file_stem().and_then(OsStr::to_str)?.rsplit_once('-').map(|(life, _)| life)
}

/// Plays recordings that follow each other; succeeds if all are the same run. The picture is
/// of the last one.
pub(crate) fn play(paths: &[PathBuf], args: &PictureArgs) -> ExitCode {
    let mut ends_as = None;
    for (at, path) in paths.iter().enumerate() {
        let is_last = at + 1 == paths.len();
        let frames = if is_last { args.frames as usize } else { 1 };
        let (recording, flown) = match read_and_fly(path, frames) {
            Ok(flown) => flown,
            Err(error) => {
                eprintln!("paxos-sim: {}: {error}", path.display());
                return ExitCode::FAILURE;
            }
        };
        if ends_as.is_some_and(|state| state != flown.begins_as) {
            println!("{}: does not begin as the one before it ends", path.display());
            return ExitCode::FAILURE;
        }
        ends_as = Some(flown.ends_as);
        if is_last && let Some(outcome) = draw(&flown, args) {
            return outcome;
        }
        if !tell(path, &recording, &flown) {
            return ExitCode::FAILURE;
        }
    }
    println!("the same run as recorded, bit by bit");
    ExitCode::SUCCESS
}

fn read_and_fly(path: &Path, frames: usize) -> Result<(Recording, Flown), String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let recording = Recording::read(&bytes).map_err(|error| error.to_string())?;
    let flown = fly(&recording, frames)?;
    Ok((recording, flown))
}

/// Draws what is asked for; how to end, if that is all.
fn draw(flown: &Flown, args: &PictureArgs) -> Option<ExitCode> {
    let (node, life) = flown.node;
    let title = format!("{node}, life {life}");
    if let Some(frames) = args.svg {
        let look = Look { frames, is_logical: false, ..Look::all(&flown.film, &title) };
        print!("{}", svg(&flown.film, &look));
        return Some(ExitCode::SUCCESS);
    }
    let html = args.html.as_ref()?;
    let is_written = tapes::write(html, &page(&flown.film, &caption(title, flown)));
    (!is_written).then_some(ExitCode::FAILURE)
}

fn caption(title: String, flown: &Flown) -> Caption {
    let facts = vec![
        ("steps".to_owned(), flown.steps.to_string()),
        ("trace".to_owned(), format!("{:016x}", flown.trace)),
    ];
    let broken = flown.differs.map(|step| format!("step {step} is not what was recorded"));
    Caption { title, facts, broken }
}

/// Says what became of one recording; whether it is the same run.
fn tell(path: &Path, recording: &Recording, flown: &Flown) -> bool {
    println!("{}: {} of {} steps", path.display(), flown.steps, recording.steps.len());
    if recording.torn > 0 {
        println!("{} bytes at the end are torn", recording.torn);
    }
    println!("trace hash {:016x}", flown.trace);
    if let Some(step) = flown.differs {
        println!("NOT the run that was recorded: step {step} orders something else");
        return false;
    }
    if let Some(sentence) = flown.unsound {
        println!("the node's own check: {sentence}");
        return false;
    }
    true
}
