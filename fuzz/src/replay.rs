//! Plays what a fuzzer has found worth keeping, on any toolchain.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

/// Plays the corpus of `target`, and what once broke it, through `run`.
///
/// # Panics
/// When a law is broken, or when there is nothing to play.
pub fn replay(target: &str, run: impl Fn(&[u8])) {
    let mut files = inputs("corpus", target);
    assert!(!files.is_empty(), "no corpus for {target}");
    files.extend(inputs("regressions", target));
    for file in files {
        let data = fs::read(&file).expect("a readable input");
        let _named = Named(&file);
        run(&data);
    }
}

fn inputs(folder: &str, target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(folder).join(target);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Names the input that a panic is about.
struct Named<'a>(&'a Path);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("broken by {}", self.0.display());
        }
    }
}
