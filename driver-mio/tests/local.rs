//! `paxos-node local`: a cluster of child processes, and how it ends.

mod support;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use driver_mio::resp::Reply;

use support::client::ask;
use support::eventually;
use support::load::lock;
use support::node::{free_address, info_of};

#[test]
fn a_local_cluster_serves_at_every_port_and_ends_with_a_signal() {
    let mut local = Local::start();
    local.await_service();
    let set = ask(local.client(1), &["SET", "k", "v"]).expect("serves");
    assert_eq!(set, Reply::Simple("OK".into()));
    for node in 1..=3 {
        assert_eq!(ask(local.client(node), &["GET", "k"]).expect("serves"), Reply::bulk("v"));
    }
    local.signal("INT");
    let status = eventually("it ends", || local.parent.try_wait().expect("is our child"));
    assert_eq!(status.code(), Some(0), "{}", local.said());
    assert!((1..=3).all(|node| !local.listens(node)), "all nodes are gone before it is");
}

#[test]
fn a_node_that_is_killed_is_reported_with_the_line_that_restarts_it() {
    let local = Local::start();
    local.await_service();
    kill(local.process(2));
    let line = eventually("it is reported", || {
        let said = local.said();
        let after = said.split("n2 has ended").nth(1)?;
        after.lines().nth(1).map(|line| line.trim().to_string())
    });
    assert!(line.contains(" run --id 2 "), "{line}");
    for node in [1, 3] {
        ask(local.client(node), &["SET", "k", "w"]).expect("the others serve");
    }
    let mut restarted = Command::new("sh")
        .args(["-c", &format!("exec {line}")])
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let value = eventually("it serves again", || ask(local.client(2), &["GET", "k"]).ok());
    assert_eq!(value, Reply::bulk("w"));
    restarted.kill().expect("may be killed");
    restarted.wait().expect("ends");
}

/// It is a witness from the first slot on: any one of the three may go.
#[test]
fn a_group_is_founded_with_a_witness_and_a_node_that_is_preferred() {
    let (client_port, peer_port) = free_ports();
    let flags = ["--witness", "3", "--priority", "2=200"];
    let local = Local::start_at(client_port, peer_port, &flags);
    let leader = |node| info_of(local.client(node))?.get("leader_id").cloned();
    eventually("the preferred one leads", || (leader(1)? == "2").then_some(()));
    let role = |node| info_of(local.client(node)).expect("it answers")["role"].clone();
    assert_eq!(role(3), "witness");
    eventually("it serves", || ask(local.client(1), &["SET", "k", "v"]).ok());
    let why = ask(local.client(3), &["GET", "k"]).expect_err("keeps no data").to_string();
    assert!(why.starts_with("WITNESS "), "{why}");
    assert!(local.said().contains("a witness"), "{}", local.said());
    kill(local.process(2));
    eventually("the other main serves", || ask(local.client(1), &["SET", "k", "w"]).ok());
    assert_eq!(ask(local.client(1), &["GET", "k"]).expect("serves"), Reply::bulk("w"));
}

#[test]
fn no_node_outlives_the_process_that_started_it() {
    let mut local = Local::start();
    local.await_service();
    local.parent.kill().expect("may be killed");
    local.parent.wait().expect("ends");
    eventually("all nodes are gone", || (1..=3).all(|node| !local.listens(node)).then_some(()));
}

#[test]
fn a_cluster_whose_port_is_taken_does_not_start() {
    let (client_port, peer_port) = free_ports();
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, client_port + 1)).expect("is free");
    let mut local = Local::start_at(client_port, peer_port, &[]);
    let status = eventually("it ends", || local.parent.try_wait().expect("is our child"));
    assert_eq!(status.code(), Some(1));
    eventually("the reason is told", || {
        let said = local.said();
        let reason = format!("cannot listen at 127.0.0.1:{}", client_port + 1);
        (said.contains(&reason) && said.contains("node 2 cannot run")).then_some(())
    });
}

struct Local {
    parent: Child,
    client_port: u16,
    said: Arc<Mutex<String>>,
}

impl Local {
    fn start() -> Local {
        let (client_port, peer_port) = free_ports();
        Local::start_at(client_port, peer_port, &[])
    }

    fn start_at(client_port: u16, peer_port: u16, flags: &[&str]) -> Local {
        let mut parent = Command::new(env!("CARGO_BIN_EXE_paxos-node"))
            .args(["local", "--nodes", "3", "--client-port", &client_port.to_string()])
            .args(["--peer-port", &peer_port.to_string()])
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let stderr = BufReader::new(parent.stderr.take().expect("piped"));
        let said = Arc::new(Mutex::new(String::new()));
        let into = said.clone();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                *lock(&into) += &(line + "\n");
            }
        });
        Local { parent, client_port, said }
    }

    fn client(&self, node: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.client_port + node - 1))
    }

    fn await_service(&self) {
        for node in 1..=3 {
            eventually("the node serves", || ask(self.client(node), &["GET", "some key"]).ok());
        }
    }

    fn listens(&self, node: u16) -> bool {
        std::net::TcpStream::connect(self.client(node)).is_ok()
    }

    fn process(&self, node: u16) -> u32 {
        let info = info_of(self.client(node)).expect("it serves");
        info["process_id"].parse().expect("a number")
    }

    fn said(&self) -> String {
        lock(&self.said).clone()
    }

    fn signal(&self, name: &str) {
        let pid = self.parent.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().expect("runs").success());
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // Its nodes end with it.
        let _ = self.parent.kill();
        let _ = self.parent.wait();
        if thread::panicking() {
            eprintln!("{}", self.said());
        }
    }
}

fn kill(pid: u32) {
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill runs");
    assert!(killed.success());
}

/// Two ports that begin a range of three free ones each.
fn free_ports() -> (u16, u16) {
    let range = || {
        eventually("three free ports in a row", || {
            let ports = [free_address(), free_address(), free_address()].map(|at| at.port());
            (ports[1] == ports[0] + 1 && ports[2] == ports[0] + 2).then_some(ports[0])
        })
    };
    (range(), range())
}
