//! The command line: words in, validated options out. Pure, but for the one
//! file that `--config` names, and that one is read by the caller.
//!
//! Whatever is wrong with the words ends here, in one line that says what to
//! change; the options that come out can be used without a second look.
//!
//! | file      | holds                                                  |
//! |-----------|--------------------------------------------------------|
//! | `nodes`   | the words of `run` and `local`                         |
//! | `tuning`  | those about time and room, which both have             |
//! | `tools`   | the words of `cli` and `bench`                         |
//! | `file`    | the words of `run` in a file                           |
//! | `options` | what comes out                                         |

mod file;
mod nodes;
mod options;
mod tools;
mod tuning;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use nodes::{LocalWords, RunWords};
use tools::{BenchWords, CliWords};

pub use options::{BenchOptions, Checkpoints, CliOptions, LocalOptions, NodeOptions, Server};
pub(crate) use tools::BENCH_BATCH_BYTES_MAX;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Run a whole cluster on this machine.
    Local(LocalOptions),
    /// Run one node.
    Run(NodeOptions),
    /// Talk to a server.
    Cli(CliOptions),
    /// Load a server, and measure it.
    Bench(BenchOptions),
    /// Show what a data directory holds.
    Inspect(PathBuf),
}

/// Why there is nothing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Help or a version was asked for: this text, on stdout, is the answer.
    Text(String),
    /// The words make no sense; one line that says why, without a newline.
    Usage(String),
}

/// Reads the command line, program name first. `read` gives the text of the
/// file that `--config` names.
pub fn parse(
    words: impl IntoIterator<Item = OsString>,
    read: impl FnOnce(&Path) -> io::Result<String>,
) -> Result<Task, Refusal> {
    let words = Words::try_parse_from(words).map_err(refusal)?;
    let task = match words.task {
        TaskWords::Local(local) => local.check().map(Task::Local),
        TaskWords::Run(run) => run.check(read).map(Task::Run),
        TaskWords::Cli(cli) => cli.check().map(Task::Cli),
        TaskWords::Bench(bench) => bench.check().map(Task::Bench),
        TaskWords::Inspect { dir } => Ok(Task::Inspect(dir)),
    };
    task.map_err(Refusal::Usage)
}

#[derive(Parser)]
#[command(name = "paxos-node", version, about = "A replicated key-value store that speaks Redis")]
struct Words {
    #[command(subcommand)]
    task: TaskWords,
}

#[derive(Subcommand)]
enum TaskWords {
    /// Run a whole cluster on this machine, one process a node
    Local(LocalWords),
    /// Run one node of a cluster
    Run(RunWords),
    /// Send commands to a server: one, or those that are typed
    #[command(disable_help_flag = true)]
    Cli(CliWords),
    /// Load a server, and print its throughput and latency
    #[command(disable_help_flag = true)]
    Bench(BenchWords),
    /// Show what a data directory holds, without changing it
    Inspect {
        /// The data directory of a node that is not running
        dir: PathBuf,
    },
}

/// Makes one line of what clap says in a paragraph.
fn refusal(error: clap::Error) -> Refusal {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Refusal::Text(text),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Refusal::Usage("say what to do: local, run, cli, bench or inspect; or --help".into())
        }
        _ => {
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            Refusal::Usage(one_line(text.split("\n\n").next().unwrap_or(text)))
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
