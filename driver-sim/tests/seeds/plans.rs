//! What is drawn for a run, also by older versions of the simulator.

use driver_sim::Report;
use driver_sim::swarm::Plan;

pub(crate) fn brief() -> Plan {
    Plan { safety_us: Some(2_000_000), ..roomy() }
}

/// What seeds drew before there were witnesses, preferred nodes, older copies of disks and flipped
/// bits: a seed that has shown a bug shows it only in that run.
pub(crate) fn plain() -> Plan {
    Plan { plain: true, ..roomy() }
}

/// What seeds drew before there were plots that wait for what a node says.
pub(crate) fn mild() -> Plan {
    Plan { mild: true, ..roomy() }
}

/// What seeds drew before disks were full or decayed, and processors slow.
pub(crate) fn kind() -> Plan {
    Plan { kind: true, ..roomy() }
}

/// What seeds drew before there was an end to the room in logs.
pub(crate) fn roomy() -> Plan {
    Plan { roomy: true, ..Plan::default() }
}

/// What seeds drew before there were links to those outside of the core.
pub(crate) fn apart() -> Plan {
    Plan { apart: true, ..Plan::default() }
}

/// What seeds drew before leaders outside of the core heard barely enough.
pub(crate) fn loose() -> Plan {
    Plan { loose: true, ..Plan::default() }
}

/// What seeds drew before builds spoke several versions of messages, and disks that are gone were
/// heard late.
pub(crate) fn alike() -> Plan {
    Plan { alike: true, ..Plan::default() }
}

pub(crate) fn sound(report: Report, what: &str) -> Report {
    let violation = report.violation.map(|v| v.to_string()).unwrap_or_default();
    assert!(violation.is_empty(), "{what}: {violation}\n{}", report.lines.join("\n"));
    Report { violation: None, ..report }
}
