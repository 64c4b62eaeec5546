//! Recordings of real nodes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use driver_mio::record::Recording;
use driver_sim::picture::Caption;
use driver_sim::replay::{Flown, fly};

use crate::args::PictureArgs;
use crate::pictures::{Drawn, code, draw_film};

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
            eprintln!("{}: does not begin as the one before it ends", path.display());
            return ExitCode::FAILURE;
        }
        ends_as = Some(flown.ends_as);
        let is_same = flown.differs.is_none() && flown.unsound.is_none();
        let words = words(path, &recording, &flown).join("\n");
        // A picture is alone where it is printed.
        if args.svg.is_none() {
            println!("{words}");
        } else if !is_same {
            eprintln!("{words}");
        }
        if is_last {
            match draw_film(args, &flown.film, caption(&flown)) {
                Drawn::Failed => return ExitCode::FAILURE,
                Drawn::Printed => return code(is_same),
                Drawn::Aside => {}
            }
        }
        if !is_same {
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

fn caption(flown: &Flown) -> Caption {
    let (node, life) = flown.node;
    let facts = vec![
        ("steps".to_owned(), flown.steps.to_string()),
        ("trace".to_owned(), format!("{:016x}", flown.trace)),
    ];
    let broken = flown.differs.map(|step| format!("step {step} is not what was recorded"));
    Caption { title: format!("{node}, life {life}"), facts, broken }
}

/// What became of one recording.
fn words(path: &Path, recording: &Recording, flown: &Flown) -> Vec<String> {
    let of = recording.steps.len();
    let mut lines = vec![format!("{}: {} of {of} steps", path.display(), flown.steps)];
    if recording.torn > 0 {
        lines.push(format!("{} bytes at the end are torn", recording.torn));
    }
    lines.push(format!("trace hash {:016x}", flown.trace));
    if let Some(step) = flown.differs {
        lines.push(format!("NOT the run that was recorded: step {step} orders something else"));
    } else if let Some(sentence) = flown.unsound {
        lines.push(format!("the node's own check: {sentence}"));
    }
    lines
}
