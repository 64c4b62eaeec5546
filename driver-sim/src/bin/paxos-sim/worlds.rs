//! Searches the small worlds, and prints a table.

use std::process::ExitCode;
use std::time::Instant;

use driver_sim::small::{search, worlds};

/// Searches every world whose name contains `only`.
pub(crate) fn search_all(states_max: u64, only: Option<&str>) -> ExitCode {
    println!(
        "{:<20} {:>10} {:>11} {:>6} {:>6} {:>8} {:>9}  ",
        "world", "states", "steps", "depth", "chosen", "seconds", "complete"
    );
    let mut is_clean = true;
    for world in worlds() {
        if only.is_some_and(|only| !world.name.contains(only)) {
            continue;
        }
        let begun = Instant::now();
        let result = match search(&world, states_max) {
            Ok(result) => result,
            Err(error) => {
                eprintln!("{}: {error}", world.name);
                return ExitCode::FAILURE;
            }
        };
        println!(
            "{:<20} {:>10} {:>11} {:>6} {:>6} {:>8.1} {:>9}  {}",
            world.name,
            result.states,
            result.steps,
            result.depth,
            result.chosen.0,
            begun.elapsed().as_secs_f64(),
            if result.is_complete { "yes" } else { "no" },
            world.about
        );
        if let Some(found) = result.found {
            is_clean = false;
            println!("VIOLATION in {}: {}", world.name, found.what);
            for (number, line) in (1..).zip(&found.story) {
                println!("{number:>4}. {line}");
            }
        }
    }
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
