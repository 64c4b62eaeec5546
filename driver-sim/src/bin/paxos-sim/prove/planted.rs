//! Planted bugs: small edits of the source, each with a sentence that says what it breaks.
//!
//! ```text
//! An acceptor speaks before its disk has answered.
//! file: paxos-core/src/effect/gate.rs
//! <<<<
//! exact text, found exactly once
//! ====
//! what stands there instead
//! >>>>
//! ```
//! A file whose name begins with `control` changes nothing that matters: it must survive.

use std::fmt;

/// One edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The file, from the root of the tree.
    pub(crate) file: String,
    find: String,
    replacement: String,
}

/// A bug, or a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planted {
    /// What it breaks.
    pub(crate) sentence: String,
    /// The edits that make it; at least one.
    pub(crate) edits: Vec<Edit>,
}

/// What is wrong with a planted bug; always its author's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misplanted {
    /// The file does not begin with a sentence.
    NoSentence,
    /// A line stands where another is expected.
    Unexpected(String),
    /// There is no edit, or the last one does not end.
    Unfinished,
    /// The text to find stands so often in the file, instead of once.
    Found(String, usize),
}

impl fmt::Display for Misplanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misplanted::NoSentence => f.write_str("does not begin with a sentence"),
            Misplanted::Unexpected(line) => write!(f, "unexpected line: {line}"),
            Misplanted::Unfinished => f.write_str("has no edit, or one without an end"),
            Misplanted::Found(file, count) => {
                write!(f, "its text stands {count} times in {file}, instead of once")
            }
        }
    }
}

impl std::error::Error for Misplanted {}

impl Planted {
    /// Reads a bug.
    pub(crate) fn parse(text: &str) -> Result<Planted, Misplanted> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#')).peekable();
        let sentence = lines.next().map(str::trim).filter(|line| !line.is_empty());
        let sentence = sentence.ok_or(Misplanted::NoSentence)?.to_owned();
        let mut edits = Vec::new();
        while let Some(line) = lines.next() {
            if line.trim().is_empty() {
                continue;
            }
            let file = line.strip_prefix("file: ");
            let file = file.ok_or_else(|| Misplanted::Unexpected(line.to_owned()))?.to_owned();
            match lines.next() {
                Some("<<<<") => {}
                other => return Err(Misplanted::Unexpected(other.unwrap_or_default().to_owned())),
            }
            let find = until("====", &mut lines)?;
            let replacement = until(">>>>", &mut lines)?;
            edits.push(Edit { file, find, replacement });
        }
        if edits.is_empty() { Err(Misplanted::Unfinished) } else { Ok(Planted { sentence, edits }) }
    }
}

impl Edit {
    /// The source with the edit in it.
    pub(crate) fn apply(&self, source: &str) -> Result<String, Misplanted> {
        match source.matches(&self.find).count() {
            1 => Ok(source.replacen(&self.find, &self.replacement, 1)),
            count => Err(Misplanted::Found(self.file.clone(), count)),
        }
    }
}

fn until<'a>(end: &str, lines: &mut impl Iterator<Item = &'a str>) -> Result<String, Misplanted> {
    let mut text = String::new();
    for line in lines {
        if line == end {
            return Ok(text);
        }
        text.push_str(line);
        text.push('\n');
    }
    Err(Misplanted::Unfinished)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUG: &str = "It breaks.\nfile: a.rs\n<<<<\n    one\n====\n    two\n>>>>\n";

    #[test]
    fn a_bug_is_a_sentence_and_edits() {
        let bug = Planted::parse(BUG).unwrap();
        assert_eq!(bug.sentence, "It breaks.");
        assert_eq!(bug.edits[0].apply("x\n    one\ny\n"), Ok("x\n    two\ny\n".to_owned()));
    }

    #[test]
    fn text_that_is_not_there_once_is_refused() {
        let bug = Planted::parse(BUG).unwrap();
        let found = |count| Err(Misplanted::Found("a.rs".to_owned(), count));
        assert_eq!(bug.edits[0].apply("nothing\n"), found(0));
        assert_eq!(bug.edits[0].apply("    one\n    one\n"), found(2));
    }

    #[test]
    fn half_a_bug_is_refused() {
        assert_eq!(Planted::parse(""), Err(Misplanted::NoSentence));
        assert_eq!(Planted::parse("It breaks.\n"), Err(Misplanted::Unfinished));
        assert_eq!(Planted::parse(&BUG[..BUG.len() - 6]), Err(Misplanted::Unfinished));
        assert!(matches!(Planted::parse("It.\nwhat\n"), Err(Misplanted::Unexpected(_))));
    }

    /// Every bug fits the source as it stands, so that a change of the core cannot leave one
    /// behind unnoticed.
    #[test]
    fn every_planted_bug_fits_the_source() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut bugs = 0;
        for entry in std::fs::read_dir(root.join("driver-sim/planted")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display();
            let bug = Planted::parse(&std::fs::read_to_string(&path).unwrap());
            for edit in &bug.unwrap_or_else(|error| panic!("{name}: {error}")).edits {
                let source = std::fs::read_to_string(root.join(&edit.file)).unwrap();
                edit.apply(&source).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            bugs += 1;
        }
        assert!(bugs >= 8, "only {bugs} bugs are planted");
    }
}
