//! Who may talk to this node, judged by the first frame of a connection.
//!
//! Who says hello is believed about its name: peers are told apart by the network
//! they are on, if at all. So this guards against mistakes, not against malice:
//! another cluster, another port, a stale address, another version.

use paxos_core::codec::frame::{self, Frame, FrameError, Hello, VERSION, Versions};
use paxos_core::types::{Heard, Incarnation, Life, Lives, NodeId};

use bytes::{Bytes, BytesMut};

/// Who this node says it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Introduction {
    /// What it speaks.
    pub(crate) versions: Versions,
    /// The cluster.
    pub(crate) cluster: u64,
    /// This node.
    pub(crate) node: NodeId,
    /// This life of it, and its disk.
    pub(crate) life: Life,
    /// Its lease in microseconds; zero for none.
    pub(crate) lease_us: u64,
}

/// Why a hello is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// What came was no frame, or none that this version knows.
    Unreadable(FrameError),
    /// What came was a frame, but no hello.
    Rude,
    /// The connection ended, or nothing came in time.
    Silent,
    /// Another cluster.
    Cluster(u64),
    /// Meant for another node.
    NotMe(NodeId),
    /// Not a member, or not the one that was dialled.
    Stranger(NodeId),
    /// It runs on an older copy of its disk: this is a life that it has forgotten. Or it
    /// is a life that was followed by this one.
    Outdated(Incarnation),
    /// It has heard of a life of ours that we have forgotten.
    KnowsBetter(Incarnation),
    /// It speaks these versions (first), and none of ours.
    Versions(Versions, Versions),
    /// It keeps and counts on another lease (first), in microseconds, than we do.
    Lease(u64, u64),
}

/// What follows from a hello that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// The version of messages to and from the sender, as long as the connection lasts.
    pub(crate) version: u8,
    /// Whether it is of a life that was not heard of before.
    pub(crate) is_new_life: bool,
}

impl Introduction {
    /// The hello for one peer, as a frame; with what was `heard` of it.
    pub(crate) fn hello_to(&self, to: NodeId, heard: Option<(u64, Incarnation)>) -> Bytes {
        let Introduction { versions, cluster, node, life, lease_us } = *self;
        let (heard_disk, heard_life) = heard.unwrap_or_default();
        let mut out = BytesMut::new();
        let hello = Hello { versions, cluster, node, to, life, heard_disk, heard_life, lease_us };
        frame::put_hello(&mut out, &hello);
        out.freeze()
    }

    /// Whether the sender of `hello` may talk to this node, for all that is known of its
    /// lives and of ours, which are added to `lives`.
    pub(crate) fn admit(&self, hello: &Hello, lives: &mut Lives) -> Result<Admitted, Refusal> {
        let version = self.check(hello)?;
        let life = hello.heard_life;
        if self.life.has_forgotten(hello.heard_disk, life) {
            return Err(Refusal::KnowsBetter(life));
        }
        let is_new_life = match lives.hear(hello.node, &hello.life) {
            Heard::Known => false,
            Heard::New => true,
            Heard::Refused(heard) => return Err(Refusal::Outdated(heard)),
        };
        Ok(Admitted { version, is_new_life })
    }

    /// Whether the sender of `hello` may talk to this node, and in which version.
    ///
    /// What the two can never agree on comes first: a node that is turned away for it is
    /// told who we are, in a hello to nobody, and is to find the same reason.
    pub(crate) fn check(&self, hello: &Hello) -> Result<u8, Refusal> {
        if hello.cluster != self.cluster {
            return Err(Refusal::Cluster(hello.cluster));
        }
        let Some(version) = self.versions.common(hello.versions) else {
            return Err(Refusal::Versions(hello.versions, self.versions));
        };
        if hello.lease_us != self.lease_us {
            return Err(Refusal::Lease(hello.lease_us, self.lease_us));
        }
        if hello.to != self.node {
            return Err(Refusal::NotMe(hello.to));
        }
        if hello.node == self.node || !hello.node.can_vote() {
            return Err(Refusal::Stranger(hello.node));
        }
        Ok(version)
    }
}

impl Refusal {
    /// Whether the other side is a node that can be told who it has reached.
    pub(crate) fn deserves_an_answer(&self) -> bool {
        use Refusal::{Cluster, Lease, NotMe, Outdated, Stranger, Versions};
        matches!(self, Cluster(_) | Versions(..) | NotMe(_) | Stranger(_) | Lease(..) | Outdated(_))
    }
}

/// Takes a hello from the front of `input`; nothing while it is not all there.
pub(crate) fn read_hello(input: &mut BytesMut) -> Result<Option<Hello>, Refusal> {
    match frame::take(input, HELLO_BYTES_MAX, VERSION) {
        Ok(Some(Frame::Hello(hello))) => Ok(Some(hello)),
        Ok(Some(Frame::Messages(_))) => Err(Refusal::Rude),
        Ok(None) => Ok(None),
        Err(error) => Err(Refusal::Unreadable(error)),
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Unreadable(error) => error.fmt(f),
            Refusal::Rude => f.write_str("it does not say hello"),
            Refusal::Silent => f.write_str("it says nothing"),
            Refusal::Cluster(id) => write!(f, "it belongs to cluster {id}"),
            Refusal::NotMe(node) => write!(f, "it takes this node for {node}"),
            Refusal::Stranger(node) => write!(f, "it calls itself {node}"),
            Refusal::Outdated(life) => {
                write!(
                    f,
                    "it runs on an older copy of its disk, and does not know its life {}",
                    life.0
                )
            }
            Refusal::KnowsBetter(life) => {
                write!(f, "it has heard of this node's life {}, which we do not know of", life.0)
            }
            Refusal::Versions(its, ours) => write!(
                f,
                "it speaks {its} of the protocol between nodes, and we speak {ours}: they have \
                 none in common"
            ),
            Refusal::Lease(its, ours) => write!(
                f,
                "its lease is of {} ms and ours of {} ms (0 is off); all nodes must have the same",
                its / 1000,
                ours / 1000
            ),
        }
    }
}

/// A hello is much shorter, and the hello of a later version may be longer.
const HELLO_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use paxos_core::types::Past;

    use super::*;

    fn me() -> Introduction {
        let before = Past::of([7, 5].map(Incarnation));
        let life = Life { disk: 4, this: Incarnation(9), before };
        let versions = Versions::SPOKEN;
        Introduction { versions, cluster: 7, node: NodeId(1), life, lease_us: 5 }
    }

    fn hello(cluster: u64, node: u16, to: u16) -> Hello {
        let (node, to) = (NodeId(node), NodeId(to));
        let life = Life { disk: 3, this: Incarnation(20), before: Past::of([Incarnation(10)]) };
        let heard_life = Incarnation(0);
        let versions = Versions::SPOKEN;
        Hello { versions, cluster, node, to, life, heard_disk: 0, heard_life, lease_us: 5 }
    }

    #[test]
    fn a_hello_must_come_from_a_peer_and_mean_this_node() {
        assert_eq!(me().check(&hello(7, 3, 1)), Ok(VERSION));
        assert_eq!(me().check(&hello(8, 3, 1)), Err(Refusal::Cluster(8)));
        assert_eq!(me().check(&hello(7, 3, 2)), Err(Refusal::NotMe(NodeId(2))));
        for from in [0, 1, 128] {
            assert_eq!(me().check(&hello(7, from, 1)), Err(Refusal::Stranger(NodeId(from))));
        }
    }

    #[test]
    fn two_versions_speak_the_highest_that_both_know_or_part() {
        let of = |lowest, highest| Versions::new(lowest, highest).expect("in order");
        let me = Introduction { versions: of(2, 4), ..me() };
        for (its, spoken) in [(of(1, 2), 2), (of(2, 9), 4), (of(3, 3), 3), (of(4, 5), 4)] {
            assert_eq!(me.check(&Hello { versions: its, ..hello(7, 3, 1) }), Ok(spoken));
        }
        for its in [of(1, 1), of(5, 5), of(5, 255)] {
            // Also in the answer to one that was turned away, which is to nobody.
            let refusal = me.check(&Hello { versions: its, ..hello(7, 3, 0) });
            assert_eq!(refusal, Err(Refusal::Versions(its, of(2, 4))));
            assert!(refusal.is_err_and(|refusal| refusal.deserves_an_answer()));
        }
        let line = Refusal::Versions(of(5, 5), of(2, 4)).to_string();
        assert!(line.starts_with("it speaks version 5 of the protocol between nodes, and we"));
        assert!(line.contains("we speak versions 2 to 4"), "{line}");
    }

    #[test]
    fn nodes_with_different_leases_do_not_talk() {
        let hello = Hello { lease_us: 4, ..hello(7, 3, 1) };
        assert_eq!(me().check(&hello), Err(Refusal::Lease(4, 5)));
    }

    #[test]
    fn a_node_on_an_older_copy_of_its_disk_is_refused_and_told() {
        let mut lives = Lives::default();
        let hello = hello(7, 3, 1);
        for is_new_life in [true, false] {
            let admitted = Admitted { version: VERSION, is_new_life };
            assert_eq!(me().admit(&hello, &mut lives), Ok(admitted));
        }
        let life = Life { this: Incarnation(30), ..hello.life };
        let copy = Hello { life, ..hello };
        let refusal = me().admit(&copy, &mut lives);
        assert_eq!(refusal, Err(Refusal::Outdated(Incarnation(20))));
        assert!(refusal.is_err_and(|refusal| refusal.deserves_an_answer()));
    }

    #[test]
    fn a_node_on_an_older_copy_of_its_disk_understands_what_it_is_told() {
        let mut lives = Lives::default();
        let told = |heard_disk, life| Hello {
            heard_disk,
            heard_life: Incarnation(life),
            ..hello(7, 3, 1)
        };
        for (disk, heard) in [(4, 9), (4, 7), (4, 5), (5, 8), (0, 0)] {
            assert!(me().admit(&told(disk, heard), &mut lives).is_ok(), "{disk} {heard}");
        }
        for heard in [8, 10] {
            let refusal = Refusal::KnowsBetter(Incarnation(heard));
            assert_eq!(me().admit(&told(4, heard), &mut lives), Err(refusal));
        }
    }

    #[test]
    fn what_is_said_is_heard() {
        let known = Some((6, Incarnation(8)));
        let mut input = BytesMut::from(&me().hello_to(NodeId(3), known)[..]);
        let heard = read_hello(&mut input).expect("valid").expect("whole");
        assert_eq!((heard.node, heard.to, heard.cluster), (NodeId(1), NodeId(3), 7));
        assert_eq!((heard.life, Some((heard.heard_disk, heard.heard_life))), (me().life, known));
    }

    #[test]
    fn a_redis_client_on_the_peer_port_is_told_from_a_node() {
        let mut input = BytesMut::from("*1\r\n$4\r\nPING\r\n");
        let refusal = read_hello(&mut input).expect_err("no frame");
        assert!(matches!(refusal, Refusal::Unreadable(_)));
    }

    #[test]
    fn messages_before_a_hello_are_refused() {
        let mut input = BytesMut::new();
        frame::put_messages(&mut input, VERSION, []);
        assert_eq!(read_hello(&mut input), Err(Refusal::Rude));
    }
}
