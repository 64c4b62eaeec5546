//! From a directory to the state that a node starts with.

use std::fs;
use std::io;
use std::path::Path;

use paxos_core::types::{GroupId, Image, ImageId, Slot};

use super::file::{Fault, Reader};
use super::part::Part;
use super::{Place, names};
use crate::disk::sync_dir;
use crate::store::Store;

/// What a directory holds of images.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The newest image that is sound, and the state that it is of.
    pub(crate) state: Option<(Image, Store)>,
    /// A peer's image that was on its way, and how many of its bytes are here.
    pub(crate) partial: Option<(ImageId, u64)>,
    /// Images that are damaged and passed over, a line each.
    pub(crate) lines: Vec<String>,
}

/// Reads the newest sound image, and sets aside those that are damaged.
///
/// # Errors
/// When the directory cannot be read or changed, the system refuses to read an image, or
/// a later version has written it.
pub(crate) fn open(place: &Place) -> io::Result<Opened> {
    names::remove_unfinished(&place.dir)?;
    let mut opened = Opened { state: None, partial: None, lines: Vec::new() };
    let mut images = names::images(&place.dir)?;
    images.retain(|(group, ..)| *group == place.group);
    while let Some((_, below, path)) = images.pop() {
        match read(place, below, &path) {
            Ok(state) => {
                opened.state = Some(state);
                break;
            }
            // With the next start, or the next version, it may be as good as new.
            Err(fault) if !fault.is_damage() => {
                let line = format!("the image of all slots below {below}: {fault}");
                return Err(io::Error::other(line));
            }
            Err(fault) => {
                let line = format!("the image of all slots below {below} is damaged: {fault}");
                opened.lines.push(line);
                fs::rename(&path, names::damaged(&place.dir, place.group, below))?;
                sync_dir(&place.dir)?;
            }
        }
    }
    let partial = Part::reopen(place)?.filter(|part| part.end() > 0);
    opened.partial = partial.map(|part| (part.image(), part.end()));
    Ok(opened)
}

fn read(place: &Place, below: Slot, path: &Path) -> Result<(Image, Store), Fault> {
    let reader = Reader::open(path, place.cluster, place.group)?;
    if reader.image().checkpoint.below != below {
        return Err(Fault::Foreign);
    }
    Ok((reader.image().clone(), reader.restore(place)?))
}

/// One image's file, for people.
#[derive(Debug)]
pub(crate) struct Look {
    /// Whose state it is.
    pub(crate) group: GroupId,
    /// What its name says it is of.
    pub(crate) below: Slot,
    /// What it is, every byte checked, or what is wrong with it.
    pub(crate) found: Result<Image, Fault>,
}

/// Looks at all images in `dir`, changing nothing; the newest of a group last.
///
/// # Errors
/// When the directory cannot be read.
pub(crate) fn look(dir: &Path, cluster: u64) -> io::Result<Vec<Look>> {
    let check = |group, path: &Path| {
        let reader = Reader::open(path, cluster, group)?;
        reader.verify().map(|()| reader.image().clone())
    };
    let images = names::images(dir)?.into_iter();
    Ok(images
        .map(|(group, below, path)| Look { group, below, found: check(group, &path) })
        .collect())
}
