//! The program around the library: reads the command line, hands the task on,
//! and turns what comes back into one line and an exit status.
//!
//! Exit status: 0 done, 1 failed, 2 the command line makes no sense, 3 the node
//! has halted itself.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use driver_mio::args::{self, NodeOptions, Refusal, Task};
use driver_mio::node::{self, Failure};
use driver_mio::tool::{ToolError, bench, cli};
use driver_mio::{exit, inspect, local};

fn main() -> ExitCode {
    match args::parse(std::env::args_os(), read_config) {
        Ok(task) => perform(task),
        Err(Refusal::Text(text)) => {
            // Nobody reads on: nothing to do about it.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(Refusal::Usage(line)) => fail(&line, exit::USAGE),
    }
}

fn perform(task: Task) -> ExitCode {
    match task {
        Task::Local(options) => match local::run(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(line) => fail(&line, exit::FAILED),
        },
        Task::Run(options) => run(&options),
        Task::Inspect(dir) => look_at(&dir),
        Task::Cli(options) => finish(cli::run(&options)),
        Task::Bench(options) => finish(bench::run(&options, &mut io::stdout()).map(|()| true)),
    }
}

/// `Ok(false)` is a failure that the user has been told of.
fn finish(outcome: Result<bool, ToolError>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is_closed_pipe() => ExitCode::FAILURE,
        Err(error) => fail(&error.to_string(), 1),
    }
}

fn run(options: &NodeOptions) -> ExitCode {
    if options.with_parent {
        node::end_with_parent();
    }
    match node::run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(line)) => fail(&line, exit::FAILED),
        Err(Failure::Halted(line)) => fail(&line, exit::HALTED),
    }
}

fn look_at(dir: &Path) -> ExitCode {
    match inspect::run(dir, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => fail(&format!("cannot inspect {}: {error}", dir.display()), exit::FAILED),
    }
}

fn fail(line: &str, status: u8) -> ExitCode {
    // Where stderr is gone, the status still tells.
    let _ = writeln!(io::stderr(), "paxos-node: {line}");
    ExitCode::from(status)
}

fn read_config(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "file too large"));
    }
    Ok(text)
}

/// No configuration is longer than this, in bytes.
const CONFIG_BYTES_MAX: u64 = 1 << 20;
