//! The command line, held against what people type.

use std::time::Duration;

use paxos_core::types::{Lease, NodeId, Timing};

use super::tuning::CLOCK_DRIFT_PPM;
use super::*;

const CLUSTER: &str = "1=127.0.0.1:7101,2=127.0.0.1:7102,3=[::1]:7103";

#[test]
fn a_node_is_run_from_flags() {
    let node = run_node(&["--heartbeat-ms", "10", "--election-ms", "70"]).expect("valid");
    assert_eq!((node.id, node.cluster_id), (NodeId(2), 1));
    assert_eq!(node.data, Path::new("d"));
    assert_eq!(node.cluster.len(), 3);
    assert_eq!(node.cluster[&NodeId(3)], "[::1]:7103".parse().expect("an address"));
    assert_eq!(node.client, "127.0.0.1:6379".parse().expect("an address"));
    assert_eq!(node.timing.heartbeat, Duration::from_millis(10));
    assert_eq!(node.timing.patience, Duration::from_millis(70));
    assert_eq!(node.timing.resend, Timing::default().resend);
}

#[test]
fn leases_are_off_unless_asked_for() {
    assert_eq!(run_node(&["--id", "1"]).expect("valid").timing.lease, None);
    for flag in ["--lease-ms", "--lease"] {
        let lease = run_node(&[flag, "500"]).expect("valid").timing.lease;
        let asked = Lease { duration: Duration::from_millis(500), drift_ppm: CLOCK_DRIFT_PPM };
        assert_eq!(lease, Some(asked));
    }
    let words = ["--lease-ms", "500", "--clock-drift-ppm", "7"];
    let lease = run_node(&words).expect("valid").timing.lease;
    assert_eq!(lease, Some(Lease { duration: Duration::from_millis(500), drift_ppm: 7 }));
    for (words, line) in [
        (&["--lease-ms", "0"][..], "--lease-ms 0 is not in 1..="),
        (&["--lease-ms", "60"], "--lease-ms, less the drift, must be at least twice"),
        (&["--clock-drift-ppm", "7"], "--clock-drift-ppm means something with --lease-ms only"),
        (&["--lease-ms", "900", "--clock-drift-ppm", "500001"], "--clock-drift-ppm 500001 is not"),
    ] {
        let text = run_node(words).expect_err(line);
        assert!(text.starts_with(line), "{text}");
    }
}

#[test]
fn checkpoints_are_as_large_as_is_said() {
    let node = run_node(&["--id", "1"]).expect("valid");
    assert_eq!(node.checkpoints, Checkpoints::default());
    let words = ["--checkpoint-slots", "500", "--segment-bytes", "65536"];
    let more = ["--checkpoint-stretch", "8", "--catch-up-bytes", "1048576"];
    let node = run_node(&[words, more].concat()).expect("valid");
    let asked = Checkpoints {
        slots: 500,
        stretch_max: 8,
        segment_bytes: 65_536,
        catch_up_bytes_per_s: 1 << 20,
        ..Checkpoints::default()
    };
    assert_eq!(node.checkpoints, asked);
    for (flag, size) in [
        ("--checkpoint-slots", "0"),
        ("--checkpoint-bytes", "1"),
        ("--checkpoint-stretch", "65"),
        ("--segment-bytes", "1"),
        ("--catch-up-bytes", "1048575"),
    ] {
        let line = run_node(&[flag, size]).expect_err("no such size");
        assert!(line.starts_with(&format!("{flag} {size} is not in ")), "{line}");
    }
}

#[test]
fn a_node_is_run_from_a_file_and_flags_outrank_it() {
    let file = format!(
        "# node 2\nid = 2\ndata = \"d\"\ncluster = \"{CLUSTER}\"\nclient = \"127.0.0.1:6379\"\n\
         cluster-id = 7\nheartbeat-ms = 20\nelection-ms = 100\nlease-ms = 250\n\
         clock-drift-ppm = 90\ncatch-up-bytes = 2097152\ncheckpoint-stretch = 2\n"
    );
    let read = |words: &[&str]| parse_with(&[&["run", "--config", "f"], words].concat(), &file);
    let Ok(Task::Run(node)) = read(&[]) else { panic!("the file is valid") };
    assert_eq!((node.id, node.cluster_id), (NodeId(2), 7));
    assert_eq!(node.timing.heartbeat, Duration::from_millis(20));
    assert_eq!((node.checkpoints.catch_up_bytes_per_s, node.checkpoints.stretch_max), (2 << 20, 2));
    let lease = Lease { duration: Duration::from_millis(250), drift_ppm: 90 };
    assert_eq!(node.timing.lease, Some(lease));

    let Ok(Task::Run(node)) = read(&["--id", "1", "--heartbeat-ms", "30"]) else {
        panic!("the flags are valid")
    };
    assert_eq!((node.id, node.cluster_id), (NodeId(1), 7));
    assert_eq!(node.timing.heartbeat, Duration::from_millis(30));
}

#[test]
fn a_bad_file_is_refused_with_its_line() {
    for (file, line) in [
        ("id = 1\nnodes = 3\n", "f, line 2: unknown field `nodes`"),
        ("id = 1\nid = 2\n", "f, line 2: duplicate key"),
        ("id = \"one\"\n", "f, line 1: invalid type"),
        ("id = 70000\n", "f, line 1: invalid value"),
        ("\n\nclient = 127.0.0.1:6379\n", "f, line 3:"),
    ] {
        let Err(Refusal::Usage(text)) = parse_with(&["run", "--config", "f"], file) else {
            panic!("not refused: {file}")
        };
        assert!(text.starts_with(line), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
    let gone = parse(os(&["run", "--config", "f"]), |_| Err(io::ErrorKind::NotFound.into()));
    assert_eq!(gone, Err(Refusal::Usage("cannot read f: entity not found".into())));
}

#[test]
fn a_node_that_cannot_be_is_refused() {
    for (words, line) in [
        (["--id", "4"], "--id 4 is not in --cluster"),
        (["--id", "0"], "node id 0 is not in 1..=127"),
        (["--id", "128"], "node id 128 is not in 1..=127"),
        (["--cluster", "2=127.0.0.1:1,2=127.0.0.1:2"], "--cluster: two nodes with id 2"),
        (["--cluster", "2=127.0.0.1:1,3=127.0.0.1:1"], "--cluster: two nodes at 127.0.0.1:1"),
        (["--cluster", "2=127.0.0.1:1,"], "--cluster: '' is not ID=HOST:PORT"),
        (["--cluster", "two=127.0.0.1:1"], "--cluster: 'two' is not a node id"),
        (["--cluster", "2=localhost"], "--cluster: 'localhost' is not IP:PORT"),
        (["--cluster", "200=127.0.0.1:1"], "node id 200 is not in 1..=127"),
        (["--client", "127.0.0.1"], "--client: '127.0.0.1' is not IP:PORT"),
        (["--client", "127.0.0.1:0"], "--client: '127.0.0.1:0' has no port"),
        (["--client", "127.0.0.1:7102"], "--client 127.0.0.1:7102 is where the node listens"),
        (["--heartbeat-ms", "0"], "--heartbeat-ms 0 is not in 1..=600000"),
        (["--heartbeat-ms", "200"], "--election-ms must be at least twice --heartbeat-ms"),
    ] {
        let text = run_node(&words).expect_err(line);
        assert!(text.starts_with(line), "{text}");
    }
}

#[test]
fn founders_are_told_who_of_them_is_a_witness() {
    let node = run_node(&["--witness", "3"]).expect("valid");
    assert_eq!(node.witnesses, [NodeId(3)].into());
    assert_eq!(run_node(&["--witness", "1,3"]).expect("valid").witnesses.len(), 2);
    assert!(run_node(&["--id", "1"]).expect("valid").witnesses.is_empty());
    for (words, line) in [
        (&["--witness", "4"][..], "--witness 4 is no member"),
        (&["--witness", "1,2,3"], "--witness: somebody has to keep the data"),
        (&["--witness", "3", "--join"], "--witness is for founders"),
        (&["--witness", "three"], "invalid value 'three' for '--witness <IDS>'"),
    ] {
        let text = run_node(words).expect_err(line);
        assert!(text.starts_with(line), "{text}");
    }
    let file = format!(
        "id = 2\ndata = \"d\"\ncluster = \"{CLUSTER}\"\nclient = \"127.0.0.1:6379\"\n\
         witness = [3]\n"
    );
    let Ok(Task::Run(node)) = parse_with(&["run", "--config", "f"], &file) else {
        panic!("the file is valid")
    };
    assert_eq!(node.witnesses, [NodeId(3)].into());
}

#[test]
fn a_local_cluster_has_witnesses_and_nodes_that_are_preferred() {
    let words = ["local", "--nodes", "5", "--witness", "4,5", "--priority", "1=200,2=0"];
    let Ok(Task::Local(local)) = parse_with(&words, "") else { panic!("valid") };
    let nodes = local.node_options(Path::new("d"));
    let priorities: Vec<u8> = nodes.iter().map(|node| node.priority).collect();
    assert_eq!(priorities, [200, 0, 100, 100, 100]);
    assert!(nodes.iter().all(|node| node.witnesses == [NodeId(4), NodeId(5)].into()));
    for (words, line) in [
        (["--witness", "4"], "--witness 4 is no member"),
        (["--priority", "1"], "--priority: '1' is not ID=N, N up to 255"),
        (["--priority", "1=256"], "--priority: '1=256' is not ID=N, N up to 255"),
        (["--priority", "4=1"], "--priority: 4 is no member"),
        (["--priority", "1=1,1=2"], "--priority: two for 1"),
    ] {
        let text = usage(&[&["local"][..], &words].concat());
        assert!(text.starts_with(line), "{text}");
    }
}

#[test]
fn a_recording_is_as_large_as_is_said() {
    let node = run_node(&["--record", "r"]).expect("valid");
    assert_eq!((node.record.as_deref(), node.record_bytes), (Some(Path::new("r")), 512 << 20));
    assert_eq!(node.record_minutes, 10);
    let flags = ["--record", "r", "--record-bytes", "2000000", "--record-minutes", "90"];
    let node = run_node(&flags).expect("valid");
    assert_eq!((node.record_bytes, node.record_minutes), (2_000_000, 90));
    for (words, line) in [
        (&["--record-bytes", "2000000"][..], "--record-bytes means something with --record only"),
        (&["--record", "r", "--record-bytes", "1000"], "--record-bytes 1000 is not in "),
        (&["--record-minutes", "5"], "--record-minutes means something with --record only"),
        (&["--record", "r", "--record-minutes", "0"], "--record-minutes 0 is not in "),
    ] {
        let text = run_node(words).expect_err(line);
        assert!(text.starts_with(line), "{text}");
    }
}

#[test]
fn what_a_node_cannot_do_without_is_asked_for() {
    let all = ["--id", "1", "--cluster", CLUSTER, "--client", "127.0.0.1:1", "--data", "d"];
    for missing in (0..all.len()).step_by(2) {
        let mut words = vec!["run"];
        words.extend([&all[..missing], &all[missing + 2..]].concat());
        let text = usage(&words);
        assert!(text.starts_with(&format!("{} is missing", all[missing])), "{text}");
    }
}

#[test]
fn wrong_words_are_refused_in_one_line() {
    for (words, line) in [
        (&["run", "--idd", "1"][..], "unexpected argument '--idd' found"),
        (&["run", "--id", "x"], "invalid value 'x' for '--id <ID>'"),
        (&["run", "--id", "1", "--id", "2"], "the argument '--id <ID>' cannot be used multiple"),
        (&["inspect"], "the following required arguments were not provided: <DIR>"),
        (&["fly"], "unrecognized subcommand 'fly'"),
        (&[], "say what to do"),
        (&["local", "--nodes", "128"], "invalid value '128' for '--nodes <NODES>'"),
        (&["local", "--nodes", "0"], "invalid value '0' for '--nodes <NODES>'"),
        (&["local", "--client-port", "60000"], "--peer-port is needed"),
        (&["local", "--client-port", "65535", "--peer-port", "1"], "--client-port 65535 leaves"),
        (&["local", "--client-port", "70", "--peer-port", "72"], "--client-port and --peer-port"),
        (&["bench", "--reads", "1.1"], "--reads 1.1 is not between 0 and 1"),
        (&["bench", "--reads", "nan"], "--reads NaN is not between 0 and 1"),
        (&["bench", "-c", "5000", "-d", "8388608"], "--clients, --size and --pipeline together"),
        (&["bench", "--also", "there"], "invalid value 'there' for '--also <HOST:PORT>'"),
        (&["bench", "--also", "[::1]:0"], "invalid value '[::1]:0' for '--also <HOST:PORT>'"),
        (&["bench", "--clients", "0"], "invalid value '0' for '--clients <CLIENTS>'"),
    ] {
        let text = usage(words);
        assert!(text.starts_with(line), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn a_local_cluster_is_laid_out_port_by_port() {
    let Ok(Task::Local(local)) = parse_with(&["local", "--client-port", "7000"], "") else {
        panic!("valid")
    };
    let nodes = local.node_options(Path::new("d"));
    assert_eq!(nodes.len(), 3);
    assert_eq!(nodes[2].id, NodeId(3));
    assert_eq!(nodes[2].data, Path::new("d/n3"));
    assert_eq!(nodes[2].client.port(), 7002);
    assert_eq!(nodes[0].cluster[&NodeId(3)].port(), 17002);
}

#[test]
fn a_command_keeps_its_dashes_and_its_blanks() {
    let Ok(Task::Cli(cli)) = parse_with(&["cli", "-p", "7", "set", "-k", "-h", "a b", ""], "")
    else {
        panic!("valid")
    };
    assert_eq!((&cli.server.host[..], cli.server.port), ("127.0.0.1", 7));
    assert_eq!(cli.command, ["set", "-k", "-h", "a b", ""]);
}

#[test]
fn a_timeout_of_zero_is_none() {
    let Ok(Task::Cli(cli)) = parse_with(&["cli", "-h", "db", "-t", "0"], "") else {
        panic!("valid")
    };
    assert_eq!((&cli.server.host[..], cli.server.silence_max), ("db", None));
    assert!(cli.command.is_empty());
}

#[test]
fn help_is_an_answer_and_not_a_fault() {
    for words in [&["--help"][..], &["run", "--help"], &["cli", "--help"], &["--version"]] {
        assert!(matches!(parse_with(words, ""), Err(Refusal::Text(_))), "{words:?}");
    }
}

/// Node 2 of [`CLUSTER`], with these words instead of or beside the usual ones.
fn run_node(words: &[&str]) -> Result<NodeOptions, String> {
    let mut all = vec!["run"];
    let usual = ["--id", "2", "--data", "d", "--cluster", CLUSTER, "--client", "127.0.0.1:6379"];
    for pair in usual.chunks(2).filter(|pair| pair[0] != words[0]) {
        all.extend(pair);
    }
    all.extend(words);
    match parse_with(&all, "") {
        Ok(Task::Run(node)) => Ok(node),
        Err(Refusal::Usage(text)) => Err(text),
        other => panic!("{other:?}"),
    }
}

fn usage(words: &[&str]) -> String {
    match parse_with(words, "") {
        Err(Refusal::Usage(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

fn parse_with(words: &[&str], file: &str) -> Result<Task, Refusal> {
    parse(os(words), |_| Ok(file.into()))
}

fn os(words: &[&str]) -> Vec<OsString> {
    std::iter::once("paxos-node").chain(words.iter().copied()).map(OsString::from).collect()
}
