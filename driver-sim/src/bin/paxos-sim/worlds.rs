//! Searches the small worlds, and prints a table.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use driver_sim::choice::Seeded;
use driver_sim::small::{Found, Search, World, search, walk, worlds};

/// What is asked for.
pub(crate) struct Order {
    /// States to enter in each world.
    pub(crate) states_max: u64,
    /// Only worlds whose names contain this.
    pub(crate) only: Option<String>,
    /// Where to write the table.
    pub(crate) table: Option<PathBuf>,
    /// A table that must agree where a world was searched to the end.
    pub(crate) check: Option<PathBuf>,
    /// So many ways to the end of each world, drawn, instead of every state.
    pub(crate) walks: Option<u64>,
}

/// Longer than any way through a world: each thing in it happens so often and no more.
const STEPS_MAX: u32 = 100_000;

const HEAD: &str = "# Small worlds

Every order of every event is tried in these, on the shipped code: deliveries, syncs, crashes at any
write, time-outs, and what clients ask. `paxos-sim worlds --table driver-sim/WORLDS.md` writes this
table. A world that is too large is searched breadth first up to a number of states (`--states`):
then every state that so many events lead to (`whole to`) was reached, and some beyond. A state is a
whole world; it is counted once, however many ways lead to it.

| world | what happens | states | steps | whole to | complete |
|---|---|---:|---:|---:|---|
";

/// Searches the worlds; fails if something was found, or a table does not agree.
pub(crate) fn search_all(order: &Order) -> ExitCode {
    let done = match order.walks {
        Some(walks) => walk_all(order, walks),
        None => try_all(order),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("paxos-sim worlds: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_all(order: &Order) -> Result<bool, String> {
    let known = order.check.as_ref().map(|path| {
        fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    });
    let known = known.transpose()?;
    println!(
        "{:<25} {:>10} {:>11} {:>6} {:>6} {:>8} {:>9}",
        "world", "states", "steps", "whole", "chosen", "seconds", "complete"
    );
    let mut table = HEAD.to_owned();
    let mut is_clean = true;
    let only = order.only.as_deref().unwrap_or_default();
    for world in worlds().iter().filter(|world| world.name.contains(only)) {
        let begun = Instant::now();
        let result =
            search(world, order.states_max).map_err(|error| format!("{}: {error}", world.name))?;
        tell(world, &result, begun.elapsed().as_secs_f64());
        let row = row(world, &result);
        let agrees = known.as_ref().is_none_or(|known| known.contains(&row));
        if result.is_complete && !agrees {
            println!("NOT AS THE TABLE SAYS: {row}");
            is_clean = false;
        }
        is_clean &= result.found.is_none();
        table.push_str(&row);
    }
    if let Some(path) = &order.table {
        fs::write(path, table).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(is_clean)
}

/// Goes where a search that ends at a number of states does not come.
fn walk_all(order: &Order, walks: u64) -> Result<bool, String> {
    println!(
        "{:<25} {:>10} {:>11} {:>6} {:>6} {:>8}",
        "world", "walks", "steps", "ends", "chosen", "seconds"
    );
    let mut is_clean = true;
    let only = order.only.as_deref().unwrap_or_default();
    for world in worlds().iter().filter(|world| world.name.contains(only)) {
        let begun = Instant::now();
        let (mut steps, mut chosen, mut ends) = (0, 0, HashSet::new());
        for seed in 0..walks {
            let walk = walk(world, &mut Seeded::new(seed), STEPS_MAX)
                .map_err(|error| format!("{}: {error}", world.name))?;
            steps += u64::from(walk.steps);
            chosen = chosen.max(walk.chosen);
            ends.insert(walk.end);
            if let Some(found) = &walk.found {
                tell_found(world, found);
                is_clean = false;
                break;
            }
        }
        let (name, ends, seconds) = (world.name, ends.len(), begun.elapsed().as_secs_f64());
        println!("{name:<25} {walks:>10} {steps:>11} {ends:>6} {chosen:>6} {seconds:>8.1}");
    }
    Ok(is_clean)
}

fn tell(world: &World, result: &Search, seconds: f64) {
    println!(
        "{:<25} {:>10} {:>11} {:>6} {:>6} {seconds:>8.1} {:>9}",
        world.name,
        result.states,
        result.steps,
        result.whole,
        result.chosen.0,
        if result.is_complete { "yes" } else { "no" },
    );
    if let Some(found) = &result.found {
        tell_found(world, found);
    }
}

fn tell_found(world: &World, found: &Found) {
    println!("VIOLATION in {}: {}", world.name, found.what);
    for (number, line) in (1..).zip(&found.story) {
        println!("{number:>4}. {line}");
    }
}

fn row(world: &World, result: &Search) -> String {
    let complete = if result.is_complete { "yes" } else { "no" };
    let Search { states, steps, whole, .. } = result;
    let World { name, about, .. } = world;
    format!("| `{name}` | {about} | {states} | {steps} | {whole} | {complete} |\n")
}
