//! The simulated world: nodes, their disks and clocks, the network between them, clients, and
//! whatever goes wrong, as one loop over events in simulated time.
//!
//! | file | what it does |
//! |---|---|
//! | `agenda` | which event is next |
//! | `step` | gives an input to a node, and carries out what it orders |
//! | `notices` | what a node tells of itself, up to why it halts |
//! | `sample` | checks that cost more than a step |
//! | `enough` | which hosts the groups cannot do without |
//! | `fate` | syncs, crashes, starts |
//! | `former` | late words of disks that are gone |
//! | `copies` | disks of which an older copy comes back |
//! | `room` | disks that are full for a while |
//! | `decay` | disks that lose what they had |
//! | `slow` | processors that are slow for a while |
//! | `upgrade` | builds that speak other versions of messages |
//! | `vaulting` | images: made, moved, installed |
//! | `nemesis` | draws what goes wrong next |
//! | `plot` | what goes wrong on purpose, at the worst moment |
//! | `traffic` | the clients' side: what they bring to which host, and when they give up |
//! | `answers` | what hosts answer them |
//! | `lease` | at no moment two leases |
//! | `age` | how old nodes say that is what they have |
//! | `heal` | the second phase: a core that works must make progress |
//! | `tangle` | the same, while others still reach some of it |
//!
//! Invariant: a run is a function of its [`Choice`] and its [`Swarm`] alone. Nothing here asks
//! for the time, an address, or the order of a hash map.

mod age;
mod agenda;
mod answers;
mod copies;
mod decay;
mod enough;
mod fate;
mod former;
mod heal;
mod lease;
mod nemesis;
mod notices;
mod plot;
mod room;
mod sample;
mod slow;
mod step;
mod tangle;
mod traffic;
mod upgrade;
mod vaulting;

use bytes::BytesMut;
use paxos_core::effect::Effects;
use paxos_core::types::{GroupId, NodeId};

use self::agenda::{Agenda, Event};
pub(crate) use self::copies::Stamp;
pub(crate) use self::former::Words;
use self::heal::Core;
pub(crate) use self::slow::Slow;
use crate::check::{Bounds, Checked, GroupGhost, ensure};
use crate::choice::Choice;
use crate::client::Crowd;
use crate::disk::Disk;
use crate::host::{Clock, Host};
use crate::network::{Network, Post};
use crate::picture::Film;
use crate::swarm::Swarm;
use crate::tally::{Mark, Tally};
use crate::transcript::{Story, Telling};
use crate::vault::Vault;

/// One run.
#[derive(Debug)]
pub struct World<C> {
    choice: C,
    swarm: Swarm,
    agenda: Agenda,
    hosts: Vec<Host>,
    network: Network,
    post: Post,
    crowd: Crowd,
    ghost: Vec<GroupGhost>,
    scratch: Scratch,
    story: Story,
    tally: Tally,
    core: Option<Core>,
    /// How many disks were put in for others.
    spares: u64,
    stop: Stop,
}

/// Where a run ends before its end.
#[derive(Clone, Copy, Debug, Default)]
struct Stop {
    /// When this has happened.
    goal: Option<Mark>,
    /// After so many events.
    events_max: Option<u64>,
}

/// What every step needs and no step keeps.
#[derive(Debug)]
struct Scratch {
    effects: Effects,
    bounds: Bounds,
    counts: Counts,
    /// A message in its frame.
    bytes: BytesMut,
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events taken from the agenda.
    pub events: u64,
    /// Steps of nodes.
    pub steps: u64,
    /// Simulated time (µs).
    pub simulated_us: u64,
    /// The highest slot that was chosen, over all groups.
    pub slots: u64,
}

/// What a run without violation was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The sum over everything that happened.
    pub trace: u64,
    /// How much happened.
    pub counts: Counts,
    /// What happened.
    pub tally: Tally,
}

impl<C: Choice> World<C> {
    /// More events than any sound run needs.
    const EVENTS_MAX: u64 = 20_000_000;

    /// A world in which nothing has happened yet.
    pub fn new(mut choice: C, swarm: Swarm, telling: Telling) -> World<C> {
        let hosts = (1..=u16::from(swarm.nodes))
            .map(|id| {
                let said = choice.range(0..=10_000_000_000);
                let clock = Clock::new(said, skew(&mut choice, swarm.host.skew));
                let disk = Disk::new(NodeId(id), swarm.disk.segment_bytes);
                let vault = Vault::new(swarm.groups, usize::from(swarm.vault.keep));
                let name = swarm.changes.as_ref().map_or(0, |c| c.disk + u64::from(id));
                Host::new(NodeId(id), clock, (disk, name), vault)
            })
            .collect();
        let crowd = Crowd::new(
            &mut choice,
            swarm.clients.clone(),
            swarm.groups,
            swarm.limits.value_bytes_max,
        );
        World {
            agenda: Agenda::default(),
            hosts,
            network: Network::new(swarm.nodes, swarm.net.clone()),
            post: Post::default(),
            crowd,
            ghost: (0..swarm.groups).map(|_| GroupGhost::new(&swarm)).collect(),
            scratch: Scratch {
                effects: Effects::new(),
                bounds: Bounds::new(&swarm.limits, swarm.groups),
                counts: Counts::default(),
                bytes: BytesMut::new(),
            },
            story: Story::new(telling, (1..=u16::from(swarm.nodes)).map(NodeId)),
            tally: Tally::default(),
            core: None,
            spares: 0,
            stop: Stop::default(),
            choice,
            swarm,
        }
    }

    /// Ends the run, with a violation of that name, when `goal` has happened ([`GOAL`](Self::GOAL))
    /// or after `events_max` events ([`CUT_OFF`](Self::CUT_OFF)).
    pub fn stop_at(&mut self, goal: Option<Mark>, events_max: Option<u64>) {
        self.stop = Stop { goal, events_max };
    }

    /// The violation of a run that has reached what it was to reach.
    pub const GOAL: &'static str = "the goal is reached";

    /// The violation of a run that was not let go on.
    pub const CUT_OFF: &'static str = "the run is cut off";

    /// Runs both phases.
    ///
    /// # Errors
    ///
    /// The first [`Violation`](crate::check::Violation).
    pub fn run(&mut self) -> Checked {
        self.begin();
        while let Some(event) = self.agenda.pop(self.swarm.safety_us) {
            self.happen(event)?;
        }
        self.agenda.pass(self.swarm.safety_us);
        self.heal()?;
        self.live()?;
        self.finish()
    }

    /// What the run was, so far.
    pub fn summary(&self) -> Summary {
        let frontier = self.ghost.iter().map(|group| group.slots.frontier().0 - 1);
        let counts = Counts {
            simulated_us: self.agenda.now(),
            slots: frontier.sum(),
            ..self.scratch.counts
        };
        Summary { trace: self.story.sum(), counts, tally: self.tally.clone() }
    }

    /// Simulated time (µs).
    pub fn now(&self) -> u64 {
        self.agenda.now()
    }

    /// What was told so far, and the film.
    pub fn into_story(self) -> (Vec<String>, Option<Film>) {
        self.story.into_parts()
    }

    fn begin(&mut self) {
        self.story.tell(0, format_args!("{:?}", self.swarm));
        for host in 0..self.swarm.nodes {
            self.agenda.at(0, Event::Start { host });
        }
        for client in 0..self.swarm.clients.clients {
            let wait = self.choice.range(0..=500_000);
            self.agenda.after(wait, Event::Act { client, op: 0 });
        }
        self.agenda.after(self.swarm.host.nemesis_us.1, Event::Nemesis);
    }

    fn happen(&mut self, event: Event) -> Checked {
        self.scratch.counts.events += 1;
        self.take_place(event)?;
        self.may_go_on()
    }

    /// A run is one of success only if it was not to stop before its end.
    fn may_go_on(&self) -> Checked {
        let Stop { goal, events_max } = self.stop;
        if let Some(goal) = goal {
            ensure!(self.tally.count(goal) == 0, Self::GOAL, "{}", goal.words());
        }
        let events = self.scratch.counts.events;
        ensure!(
            events_max.is_none_or(|most| events < most),
            Self::CUT_OFF,
            "{events} events were all that it was to have"
        );
        Ok(())
    }

    fn take_place(&mut self, event: Event) -> Checked {
        ensure!(
            self.scratch.counts.events < Self::EVENTS_MAX,
            "I17 bounds",
            "a run does not come to an end"
        );
        match event {
            Event::Arrive { to, letter } => self.arrive(to, letter),
            Event::Wake { host, life } => self.wake(host, life),
            Event::Synced { host, life } => self.synced(host, life),
            Event::Vaulted { host, life, job } => self.vaulted(host, life, job),
            Event::Turn { host, life } => self.turn(host, life),
            Event::Hint { host, about, up } => self.hint(host, about, up),
            Event::Start { host } => self.start(host),
            Event::Room { host } => self.look_for_room(host),
            Event::Late { host } => self.get_to(host),
            Event::Nemesis => self.nemesis(),
            Event::Plot(scheme) => self.scheme(scheme),
            Event::Act { client, op } => self.act(client, op),
            Event::Deadline { client, op } => self.deadline(client, op),
        }
    }

    fn finish(&mut self) -> Checked {
        for host in &self.hosts {
            if let Some(life) = &host.life {
                self.story.note(&life.node.state_hash());
            }
        }
        let record = std::mem::take(&mut self.crowd.record);
        let searched = record.search(Self::SEARCH_NODES_MAX)?;
        self.tally.add(Mark::Linearizable, searched.linearizable);
        self.tally.add(Mark::Inconclusive, searched.inconclusive);
        Ok(())
    }

    /// The budget of the search for one key's order: the witness by slots is exact, this is a
    /// second opinion.
    const SEARCH_NODES_MAX: u64 = 3_000;

    /// If the host does not move now, or is slow, plans `event` for when it does again.
    fn postponed(&mut self, host: u8, event: Event) -> bool {
        let until = self.hosts[usize::from(host)].paused_until;
        let waits = until > self.agenda.now();
        if waits {
            self.agenda.at(until, event);
        }
        waits || self.is_behind(host, event)
    }
}

/// How far a clock is off, up to `most` parts in a million to either side.
fn skew<C: Choice>(choice: &mut C, most: u32) -> i64 {
    if most == 0 {
        return 0;
    }
    let drawn = i64::from(choice.below(2 * most + 1));
    // Zero is the quiet answer: fold 0, 1, 2, 3, .. to 0, 1, -1, 2, ..
    if drawn % 2 == 0 { -drawn / 2 } else { drawn / 2 + 1 }
}

fn group_id(group: usize) -> GroupId {
    GroupId(group as u64)
}
