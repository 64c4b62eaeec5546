//! The file that `--config` names: the flags of `run` as keys of a TOML table.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::nodes::RunWords;
use super::one_line;
use super::tuning::{CheckpointWords, TimingWords};

/// The keys, flat as the flags are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileWords {
    id: Option<u16>,
    data: Option<PathBuf>,
    cluster: Option<String>,
    #[serde(default)]
    witness: Vec<u16>,
    join: Option<bool>,
    priority: Option<u8>,
    client: Option<String>,
    cluster_id: Option<u64>,
    record: Option<PathBuf>,
    record_bytes: Option<u64>,
    record_minutes: Option<u64>,
    heartbeat_ms: Option<u64>,
    election_ms: Option<u64>,
    resend_ms: Option<u64>,
    answer_ms: Option<u64>,
    lease_ms: Option<u64>,
    clock_drift_ppm: Option<u32>,
    checkpoint_slots: Option<u64>,
    checkpoint_bytes: Option<u64>,
    checkpoint_stretch: Option<u64>,
    segment_bytes: Option<u64>,
    catch_up_bytes: Option<u64>,
}

/// Reads the file as if its keys were flags; an error names the file and the line.
pub(super) fn read_config(
    path: &Path,
    read: impl FnOnce(&Path) -> io::Result<String>,
) -> Result<RunWords, String> {
    let name = path.display();
    let text = read(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let words: FileWords = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |at| line_at(&text, at.start));
        format!("{name}, line {line}: {}", one_line(error.message()))
    })?;
    Ok(words.into())
}

/// Counts from one.
fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

impl From<FileWords> for RunWords {
    fn from(file: FileWords) -> Self {
        Self {
            config: None,
            id: file.id,
            data: file.data,
            cluster: file.cluster,
            witness: file.witness,
            join: file.join.unwrap_or_default(),
            priority: file.priority,
            client: file.client,
            cluster_id: file.cluster_id,
            with_parent: false,
            record: file.record,
            record_bytes: file.record_bytes,
            record_minutes: file.record_minutes,
            timing: TimingWords {
                heartbeat_ms: file.heartbeat_ms,
                election_ms: file.election_ms,
                resend_ms: file.resend_ms,
                answer_ms: file.answer_ms,
                lease_ms: file.lease_ms,
                clock_drift_ppm: file.clock_drift_ppm,
            },
            checkpoints: CheckpointWords {
                checkpoint_slots: file.checkpoint_slots,
                checkpoint_bytes: file.checkpoint_bytes,
                checkpoint_stretch: file.checkpoint_stretch,
                segment_bytes: file.segment_bytes,
                catch_up_bytes: file.catch_up_bytes,
            },
        }
    }
}
