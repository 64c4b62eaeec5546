//! What has happened in a run, counted: a run in which nothing went wrong proves nothing.

use std::fmt;

macro_rules! marks {
    ($($(#[$doc:meta])* $name:ident = $words:literal,)*) => {
        /// Something worth counting: a fault that fired, or a rare branch that was taken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mark {
            $($(#[$doc])* $name,)*
        }

        impl Mark {
            /// All of them.
            pub const ALL: &'static [Mark] = &[$(Mark::$name),*];

            /// The mark in words.
            pub fn words(self) -> &'static str {
                match self { $(Mark::$name => $words,)* }
            }
        }
    };
}

marks! {
    /// A message was lost by chance.
    Lost = "messages lost",
    /// A message was lost at a cut link.
    CutOff = "messages cut off",
    /// A message was lost under way when its link was cut.
    CutInFlight = "messages cut off under way",
    /// A message came twice.
    Doubled = "messages doubled",
    /// An old message came again.
    Replayed = "old messages replayed",
    /// A message came to a node that was down.
    NobodyHome = "messages to a dead node",
    /// The links were redrawn.
    Partition = "partitions",
    /// They were redrawn in this shape.
    TwoSides = "partitions: two sides",
    /// They were redrawn in this shape.
    OneAlone = "partitions: one node alone",
    /// They were redrawn in this shape.
    OneDeaf = "partitions: one node deaf",
    /// They were redrawn in this shape.
    OneMute = "partitions: one node mute",
    /// They were redrawn in this shape.
    AnyLinks = "partitions: any links",
    /// They were redrawn in this shape.
    Hub = "partitions: links of a hub only",
    /// They were redrawn in this shape.
    FlappingLink = "partitions: a flapping link",
    /// They were redrawn in this shape.
    FlappingLinks = "partitions: flapping links",
    /// They were redrawn in this shape.
    Chain = "partitions: a chain",
    /// The links were mended.
    Mended = "partitions healed",
    /// A message came with turned bits, and was thrown away.
    Flipped = "messages with flipped bits",
    /// A node crashed.
    Crash = "crashes",
    /// A node crashed between two effects of a step.
    CrashMidStep = "crashes within a step",
    /// All nodes were down at once.
    AllDown = "moments with all nodes down",
    /// A node started again.
    Restart = "restarts",
    /// A node was paused.
    Pause = "pauses",
    /// A processor became slow.
    SlowHost = "slow processors",
    /// Something was handled late, because the processor was slow.
    HandledLate = "inputs handled late by a slow processor",
    /// A start brought in the next build.
    Upgraded = "starts with the next build",
    /// A start brought in the build before.
    Downgraded = "starts with the build before",
    /// A start left two nodes without a version that both speak.
    Strangers = "pairs left without a common version",
    /// A message was lost, because its sender and its receiver had parted for their versions.
    NotSpoken = "messages between nodes without a common version",
    /// A message was refused, because another version was agreed on when it came.
    OtherVersion = "messages refused for their version",
    /// A message came in this version.
    InVersion1 = "messages in version 1",
    /// A message came in this version.
    InVersion2 = "messages in version 2",
    /// A message came in this version.
    InVersion3 = "messages in version 3",
    /// A clock jumped or changed its rate.
    Clock = "clock disturbances",
    /// A node was told the truth about a peer.
    Hint = "hints about a peer",
    /// A node was told nonsense about a peer.
    WrongHint = "wrong hints about a peer",
    /// A node was asked to make way for another.
    Transfer = "transfers of leadership asked for",
    /// A leader made way for a node that is preferred.
    Preferred = "leaders that made way for a preferred node",
    /// Someone wanted other members.
    ChangeWanted = "changes of members asked for",
    /// A change of members was answered with its slot.
    ChangeChosen = "changes of members chosen",
    /// A replica took in a change of members.
    MembersChanged = "changes of members taken in",
    /// A leader made way for its successor.
    Yielded = "leaders that made way",
    /// A leader waited for its successor in vain.
    GivenUp = "transfers given up",
    /// A step was made while someone held a lease.
    Leased = "steps under a lease",
    /// A leader and those who gave it a lease were brought apart.
    Plot = "plots against a lease",
    /// A leader that has told its heir to stand, or the heir, was cut off at that moment.
    Betrayed = "leaders or heirs cut off at a handover",
    /// A candidate lost its disk as it asked for promises.
    Robbed = "candidates that lost their disks",
    /// A node was ticked for no reason.
    SpuriousTick = "spurious ticks",
    /// A disk became full.
    DiskFull = "full disks",
    /// A disk became full for longer than elections take.
    LongFull = "disks full for longer than an election",
    /// A disk had room again, and nobody had started anew.
    RoomAgain = "full disks with room again",
    /// A host took no command, because its disk was full.
    NoRoom = "commands refused by a full disk",
    /// A leader was asked to make way, because its disk was full.
    RoomWanted = "leaders with a full disk asked to make way",
    /// A batch was synced.
    Synced = "batches synced",
    /// A sync was very slow.
    SlowSync = "slow syncs",
    /// A sync failed.
    FailedSync = "failed syncs",
    /// A crash lost an unsynced batch.
    LostBatch = "unsynced batches lost",
    /// An unsynced batch survived a crash.
    SavedBatch = "unsynced batches that survived",
    /// A crash kept some sectors of a block and lost others.
    TornBlock = "torn blocks",
    /// A crash turned a bit of an old block.
    Rot = "rotten blocks",
    /// A crash showed that an old block was never written.
    LostWrite = "lost writes",
    /// A crash showed that an old block was written to the place of another.
    Misdirected = "misdirected writes",
    /// A crash showed that the file of an old segment is gone.
    LostSegment = "lost segments",
    /// A crash turned a bit in the header of a segment.
    HeaderRot = "rotten segment headers",
    /// A start read another block than it asked for, and noticed.
    MisdirectedRead = "misdirected reads",
    /// A crash took the disk, and an empty one was put in.
    DiskLost = "disks lost",
    /// Something that the former disk of a node has said came after the new one had spoken.
    LateWord = "late words of former disks",
    /// A crash put an older copy of a disk in its place.
    DiskCopied = "older copies of disks put in",
    /// A message was refused because its sender's life was followed by another, or forgot one.
    LifeRefused = "messages of former or forgetful lives",
    /// A node heard that it runs on an older copy of its disk, and began anew.
    CopyNoticed = "older copies of disks noticed",
    /// A start found its log damaged, and began anew with an empty disk.
    SetAside = "damaged logs put aside",
    /// A vault took very long.
    SlowVault = "slow vaults",
    /// An image was made.
    Captured = "images made",
    /// An image could not be made.
    CaptureFailed = "images that failed",
    /// A crash took an image that was being made.
    CaptureLost = "images lost in a crash",
    /// An image was whole before a crash, and nobody was told.
    CaptureSaved = "images whole before a crash",
    /// Someone wanted a checkpoint at once.
    CheckpointRequested = "checkpoints on request",
    /// A checkpoint was wanted and refused.
    NoCheckpoint = "checkpoints refused",
    /// A replica began, or went on, to pull an image.
    Pulling = "pulls of an image begun",
    /// A witness began, or went on, to pull an image.
    PulledByWitness = "pulls of an image begun by witnesses",
    /// Nobody had the image that a replica pulled.
    NoDonor = "pulls without a donor",
    /// A replica could not store the image that it pulled.
    PullNotStored = "pulls that were not stored",
    /// A replica could not install the image that it pulled.
    PullNotInstalled = "pulls that were not installed",
    /// A replica forgot what an image stands in for.
    Trimmed = "logs trimmed",
    /// A witness voted.
    WitnessVote = "votes of witnesses",
    /// A witness forgot what others hold.
    Relieved = "witnesses let go of slots",
    /// A segment that the log does not need any more was deleted.
    SegmentGone = "segments deleted",
    /// A replica offered an image instead of slots.
    Offered = "images offered",
    /// A replica asked for bytes of an image.
    Pulled = "pulls",
    /// Bytes of an image were read for a peer.
    Loaded = "pieces read",
    /// An image was gone when a peer asked for it.
    ImageGone = "images gone before they were read",
    /// A piece was stored.
    Stored = "pieces stored",
    /// A piece could not be stored.
    StoreFailed = "pieces that failed",
    /// An image took the place of a machine.
    Installed = "images installed",
    /// An image made a witness one that keeps a machine.
    InstalledByWitness = "images installed by witnesses",
    /// An image was not what its name says, or could not be written.
    InstallFailed = "installs that failed",
    /// A crash took an install.
    InstallLost = "installs lost in a crash",
    /// An install was durable before a crash, and nobody was told.
    InstallSaved = "installs done before a crash",
    /// A start found a part of a peer's image.
    Partial = "partial images found at a start",
    /// A transfer went on where a crash had cut it.
    Resumed = "transfers resumed",
    /// A machine was restored from an image.
    RestoredFromImage = "machines restored from an image",
    /// A bit of an image turned.
    ImageRot = "rotten images",
    /// A rotten image was noticed when a peer asked for it.
    RotNoticed = "rotten images noticed by a reader",
    /// A start found its newest image rotten and had an older one.
    FellBack = "starts from an older image",
    /// A start found no image for its log.
    Uncovered = "logs without an image",
    /// A command took effect in an image, and its answer with it.
    AnswerInImage = "answers lost in an image",
    /// A start misread a chosen value.
    Misread = "values misread at a start",
    /// A replica found that it has something else than the others, and halted.
    Diverged = "replicas halted for what they had misread",
    /// A node began to campaign.
    Campaign = "campaigns",
    /// A node outside of the core deposed its leader once.
    LateBallot = "leaders deposed by a late ballot",
    /// A node said how old what it has may be, and some slots were chosen long enough before.
    AgeTold = "ages told",
    /// In the second phase, links to and from somebody outside of the core worked.
    Tangle = "cores in a tangle",
    /// A leader outside of the core heard barely enough, some of them on new disks.
    Snare = "leaders that hear barely enough",
    /// One outside of the core came to lead in the second phase.
    LedFromOutside = "leaders outside of the core",
    /// A node began to lead.
    Leading = "leaderships begun",
    /// A leader stepped down.
    SteppedDown = "leaderships ended",
    /// A promise came in several pages.
    PagedPromise = "promises in pages",
    /// A node fetched what others had chosen.
    Fetched = "fetches answered",
    /// A proposal was handed on to the leader.
    Forwarded = "proposals handed on",
    /// A leader filled a hole.
    Noop = "no-ops chosen",
    /// A peer's ballot was refused.
    Rejected = "rejections",
    /// An input was ignored at a bound.
    Overload = "inputs ignored at a bound",
    /// A word came from a group that was founded without us, so far.
    Unfounded = "words of a group that was founded meanwhile",
    /// A founder came back on another disk, and joined.
    JoinedAnew = "founders that join on another disk",
    /// A deposed leader offered another value for a chosen slot.
    Overtaken = "values of deposed leaders refused",
    /// A proposal was answered "chosen".
    Chosen = "proposals chosen",
    /// A proposal was answered after its slot was delivered.
    LateAnswer = "answers after the delivery",
    /// A proposal was answered "redirected".
    Redirected = "proposals redirected",
    /// A proposal was answered "busy".
    Busy = "proposals refused as busy",
    /// A proposal was answered "too large".
    TooLarge = "proposals too large",
    /// A proposal was answered "unknown".
    Unknown = "proposals with unknown outcome",
    /// A query was served.
    Served = "queries served",
    /// A query was declined.
    Declined = "queries declined",
    /// A client lost its node.
    Hangup = "clients cut off by a crash",
    /// A client gave up waiting.
    Timeout = "client timeouts",
    /// A client tried again in its session.
    Retry = "retries in a session",
    /// A command was chosen again and its effect was not repeated.
    Deduplicated = "commands deduplicated",
    /// A write was acknowledged to its client.
    Written = "writes acknowledged",
    /// A read was answered to its client.
    Read = "reads answered",
    /// A step was repeated on a copy and gave the same.
    PureStep = "steps repeated on a copy",
    /// A history was found linearizable by search.
    Linearizable = "key histories linearizable by search",
    /// A search ran out of its budget.
    Inconclusive = "key histories too hard to search",
}

/// How often each mark was hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    counts: Vec<u64>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { counts: vec![0; Mark::ALL.len()] }
    }
}

impl Mark {
    /// What need not happen in a hunt of minutes: it takes more than one mishap at once.
    pub const RARE: &'static [Mark] = &[Mark::LateBallot, Mark::Overtaken, Mark::SetAside];
}

impl Tally {
    /// Counts one.
    pub fn hit(&mut self, mark: Mark) {
        self.add(mark, 1);
    }

    /// Counts several.
    pub fn add(&mut self, mark: Mark, count: u64) {
        self.counts[mark as usize] += count;
    }

    /// How often `mark` was hit.
    pub fn count(&self, mark: Mark) -> u64 {
        self.counts[mark as usize]
    }

    /// Adds all counts of another run.
    pub fn absorb(&mut self, other: &Tally) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    /// The marks that were never hit.
    pub fn missing(&self) -> impl Iterator<Item = Mark> {
        Mark::ALL.iter().copied().filter(|mark| self.count(*mark) == 0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hit = Mark::ALL.iter().filter(|mark| self.count(**mark) > 0);
        hit.into_iter()
            .try_for_each(|mark| writeln!(f, "{:>12}  {}", self.count(*mark), mark.words()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let (mut one, mut two) = (Tally::default(), Tally::default());
        one.hit(Mark::Crash);
        two.add(Mark::Crash, 2);
        two.hit(Mark::Lost);
        one.absorb(&two);
        assert_eq!((one.count(Mark::Crash), one.count(Mark::Lost)), (3, 1));
        assert_eq!(one.missing().count(), Mark::ALL.len() - 2);
        assert_eq!(one.to_string().lines().count(), 2);
    }
}
