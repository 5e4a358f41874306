//! Which versions of checkpoints the steps of a job read.

use std::collections::BTreeMap;
use std::sync::Arc;

use milepost_store::{CheckpointName, Digest, LiveVersion, Origin, Version};

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

impl AsOf {
    pub(super) const fn new(reads: Arc<Reads>, name: CheckpointName) -> Self {
        Self { reads, name }
    }

    /// What the name stands for, given the versions that are there, oldest first.
    pub(crate) fn among(&self, live: &[LiveVersion]) -> Stood {
        let Reads { step, again, .. } = *self.reads;
        let makers: Vec<Maker> =
            live.iter().map(|live| maker(&self.reads.run, &self.reads.texts, &live.origin)).collect();
        if !again && self.reads.makes.as_ref() == Some(&self.name) {
            return match live.last().zip(makers.last()) {
                None => Stood::ForNothing,
                Some((newest, Maker::Gone)) => Stood::WentOn(newest.version),
                Some((newest, _)) => Stood::For(newest.version),
            };
        }
        let earlier = makers.iter().zip(live).filter_map(|(maker, live)| match maker {
            Maker::Step(maker) if *maker < step => Some((*maker, live.version)),
            _ => None,
        });
        if let Some((_, made)) = earlier.chain(self.made()).max() {
            let there = live.iter().any(|live| live.version == made);
            return if there { Stood::For(made) } else { Stood::Gone };
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

/// What tells a step apart in the origins of what it commits.
pub(super) fn text_of(identity: Digest) -> String {
    let identity = identity.hex();
    identity.get(..16).unwrap_or(&identity).to_string()
}
