//! Which versions of checkpoints the steps of a job read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use milepost_store::{CheckpointName, Digest, Epoch, LiveVersion, Origin, SnapshotRef, Version};

/// Which versions names stand for in one step of a run.
///
/// A name that an earlier step of the script has made or found stands for that step's version, whatever others have committed
/// since: a run that stopped on the way reads what it would have read without the stop. What was made under a text that the
/// script does not have any more does not count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reads {
    /// The run, and the step's place in it.
    pub(super) run: String,
    pub(super) step: u64,
    /// What tells the script's steps apart in the origins of what they commit, by place.
    pub(super) texts: Arc<[String]>,
    /// What names stood for when the step was done first.
    pub(super) read: BTreeMap<CheckpointName, Version>,
    /// What checkpoints inside of its query were then, by the name that it gives them, and those without one.
    pub(super) found: BTreeMap<Option<CheckpointName>, Vec<SnapshotRef>>,
    /// The checkpoints that finished steps after it have made, found or dropped.
    pub(super) covered: BTreeSet<CheckpointName>,
    /// The last finished step before it that made or found a version, and that version.
    pub(super) made: BTreeMap<CheckpointName, (u64, Version)>,
    /// The version that the first finished step from it on made or found.
    pub(super) later: BTreeMap<CheckpointName, Version>,
    /// Whether the step was finished before, and is done again.
    pub(super) again: bool,
    /// Whether it reads no rows but keeps a plan, in which names go on to mean the newest version.
    pub(super) keeps_names: bool,
    /// What the step makes, where its text tells: such a step goes on from the newest version of its own.
    pub(super) makes: Option<CheckpointName>,
    /// The version on top of what the step has made, which a text that is gone has made: the step's own comes on top again.
    pub(super) over: Option<Version>,
}

/// Which version a name stands for in the current step.
#[derive(Debug, Clone)]
pub(crate) struct AsOf {
    reads: Arc<Reads>,
    name: CheckpointName,
    /// Whether what is read goes into the checkpoint's own next version.
    makes: bool,
}

/// A checkpoint inside of a query that is run again for the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Again {
    /// What nodes of this name, or without one, were in the statement, in the order in which they were met.
    pub(crate) snapshots: Vec<SnapshotRef>,
    /// How many nodes of this name and query were met before this one.
    pub(crate) place: usize,
    /// Whether later steps have made or dropped the checkpoint: another version would come on top of what they did.
    pub(crate) is_covered: bool,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stood {
    /// This version.
    For(Version),
    /// Nothing.
    ForNothing,
    /// A version that is gone.
    Gone,
    /// A step of a text that is gone went on to this version, and nobody can go on from the one before.
    WentOn(Version),
}

/// Who made a version, as far as a run is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    Others,
    Step(u64),
    /// A step of this run whose text is gone.
    Gone,
}

/// Who made what has this origin; `texts` are those of the script's steps.
pub(super) fn maker(run: &str, texts: &[String], origin: &Origin) -> Maker {
    let Some(text) = origin.run.strip_prefix(run).and_then(|rest| rest.strip_prefix('/')) else {
        return Maker::Others;
    };
    let known = usize::try_from(origin.step).ok().and_then(|step| texts.get(step));
    if known.is_some_and(|known| known == text) { Maker::Step(origin.step) } else { Maker::Gone }
}

impl Reads {
    /// What the origins of the step's commits call the run.
    pub(super) fn origin_run(&self) -> String {
        let text = usize::try_from(self.step).ok().and_then(|step| self.texts.get(step));
        format!("{}/{}", self.run, text.map_or("", String::as_str))
    }

    /// How the step, if it is done again, has a checkpoint that it is not the statement of.
    ///
    /// `asked` is the name that the query gives it, and `place` how many nodes of that name and query were met before.
    pub(super) fn again_of(
        &self,
        asked: Option<&CheckpointName>,
        name: &CheckpointName,
        place: usize,
    ) -> Option<Again> {
        let inside = self.again && self.makes.as_ref() != Some(name);
        inside.then(|| Again {
            snapshots: self.found.get(&asked.cloned()).cloned().unwrap_or_default(),
            place,
            is_covered: self.covered.contains(name),
        })
    }
}

impl AsOf {
    pub(super) fn new(reads: Arc<Reads>, name: CheckpointName) -> Self {
        let makes = reads.makes.as_ref() == Some(&name);
        Self { reads, name, makes }
    }

    /// The same inside of a query whose result goes into the checkpoint, although the statement's text does not tell.
    pub(crate) fn for_its_next(self) -> Self {
        Self { makes: true, ..self }
    }

    /// What the name stands for, given the versions that are there, oldest first.
    pub(crate) fn among(&self, live: &[LiveVersion]) -> Stood {
        match (self.stood(live), live.last()) {
            // What keeps a plan and reads no rows needs the columns alone: a later version tells them.
            (Stood::Gone, Some(newest)) if self.reads.again && self.reads.keeps_names => {
                Stood::For(newest.version)
            }
            (stood, _) => stood,
        }
    }

    fn stood(&self, live: &[LiveVersion]) -> Stood {
        let Reads { step, again, .. } = *self.reads;
        let is_there = |version: Version| live.iter().any(|live| live.version == version);
        let as_then = self.reads.read.get(&self.name).filter(|_| self.is_of_the_version());
        if let Some(then) = as_then {
            // Where it is gone, an earlier step of the script may have made it again.
            let made = self.made().map(|(_, made)| made);
            let there = [Some(*then), made].into_iter().flatten().find(|version| is_there(*version));
            return there.map_or(Stood::Gone, Stood::For);
        }
        let makers: Vec<Maker> =
            live.iter().map(|live| maker(&self.reads.run, &self.reads.texts, &live.origin)).collect();
        if !again && self.makes {
            // What it has committed itself, and not recorded, it has not read.
            let others = makers.iter().zip(live).rfind(|(maker, _)| **maker != Maker::Step(step));
            return match others.or_else(|| makers.last().zip(live.last())) {
                None => Stood::ForNothing,
                Some((Maker::Gone, newest)) if self.made().is_none_or(|(_, made)| made != newest.version) => {
                    Stood::WentOn(newest.version)
                }
                Some((_, newest)) => Stood::For(newest.version),
            };
        }
        let earlier = makers.iter().zip(live).filter_map(|(maker, live)| match maker {
            Maker::Step(maker) if *maker < step => Some((*maker, live.version)),
            _ => None,
        });
        if let Some((_, made)) = earlier.chain(self.made()).max() {
            return if is_there(made) { Stood::For(made) } else { Stood::Gone };
        }
        let later = self.reads.later.get(&self.name);
        let stood = |(maker, live): &(&Maker, &LiveVersion)| {
            matches!(maker, Maker::Others) && later.is_none_or(|later| live.version <= *later)
        };
        match makers.iter().zip(live).rfind(stood) {
            Some((_, live)) => Stood::For(live.version),
            None if later.is_some_and(|later| *later > Version(1)) => Stood::Gone,
            None => Stood::ForNothing,
        }
    }

    /// What a REFRESH begins from: the version that the run has made or found, whatever others have committed since.
    pub(crate) fn to_refresh(&self, live: &[LiveVersion]) -> Stood {
        match self.made() {
            Some((_, made)) if live.iter().any(|live| live.version == made) => Stood::For(made),
            _ => self.among(live),
        }
    }

    /// Whether the step is done again, and the run has made the name a checkpoint since: in a later step, or under a text that is gone.
    pub(crate) fn made_since(&self, live: &[LiveVersion]) -> bool {
        let since = |live: &LiveVersion| match maker(&self.reads.run, &self.reads.texts, &live.origin) {
            Maker::Step(maker) => maker >= self.reads.step,
            Maker::Gone => true,
            Maker::Others => false,
        };
        self.reads.again && (self.reads.later.contains_key(&self.name) || live.iter().any(since))
    }

    fn made(&self) -> Option<(u64, Version)> {
        self.reads.made.get(&self.name).copied()
    }

    /// Whether the step was finished before, and is done again.
    pub(crate) fn again(&self) -> bool {
        self.reads.again
    }

    /// Whether rows of the version are read now, as they were before: what it is called by does not count.
    pub(crate) fn is_of_the_version(&self) -> bool {
        self.reads.again && !self.reads.keeps_names
    }
}

/// What tells a step apart in the origins of what it commits: its text with all before it, and the edition of the script. A
/// statement that was edited and edited back is another step: what it reads may have been made anew meanwhile.
pub(super) fn text_of(identity: Digest, edition: Option<Epoch>) -> String {
    let identity = identity.hex();
    let text = identity.get(..16).unwrap_or(&identity);
    edition.map_or_else(|| text.to_string(), |edition| format!("{text}-{edition}"))
}
