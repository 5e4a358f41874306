//! What a driver has to do, given what the drivers before it have done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use milepost_store::{
    BegunStep, CheckpointName, Digest, Driver, Epoch, JobRun, SnapshotRef, StepKind, StepRecord, Store,
    Version,
};

use super::effect::keeps_names;
use super::reads::{Maker, Reads, maker, text_of};
use super::script::{JobScript, JobStep};
use crate::error::Error;

/// How many logs are looked at side by side.
const LOOKS: usize = 32;

/// What is to be done with a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Todo {
    /// Nothing: it is finished.
    Skip(Box<StepRecord>),
    /// It is done again, because it changes the session alone. It was recorded before.
    Replay,
    /// It is run.
    Run,
}

/// What is to be done with each step.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) todo: Vec<Todo>,
    /// How many steps are finished, those among them that are run again included.
    pub(super) finished: u64,
    /// The first step whose text is another one than the run has recorded.
    pub(super) edited: Option<u64>,
    /// What texts that are gone have put on top of what the script has made: it is dropped.
    pub(super) undone: Vec<SnapshotRef>,
    /// The snapshots that finished steps made or found under their names.
    snapshots: BTreeMap<u64, Vec<SnapshotRef>>,
    /// What checkpoints without a name were in finished steps.
    unnamed: BTreeMap<u64, Vec<SnapshotRef>>,
    /// What names stood for in finished steps.
    reads: BTreeMap<u64, Vec<SnapshotRef>>,
    /// The version on top of what a step made, which a text made that is gone; the step's own is gone too.
    over: BTreeMap<u64, Version>,
    /// What tells the steps apart in the origins of what they commit.
    texts: Arc<[String]>,
    run: String,
}

/// The live versions of each checkpoint that has some, oldest first.
type Live = BTreeMap<CheckpointName, Vec<Stands>>;

/// What the drivers before this one have left.
#[derive(Debug, Clone, Copy)]
struct Left<'a> {
    run: &'a str,
    /// What they have recorded.
    before: Option<&'a JobRun>,
    /// The step that the last of them began and did not finish.
    begun: Option<&'a BegunStep>,
    /// The epoch of this driver: the edition of what was edited since.
    epoch: Epoch,
}

/// A live version.
#[derive(Debug, Clone, Copy)]
struct Stands {
    version: Version,
    by: Maker,
}

impl Plan {
    /// Looks which checkpoints of finished steps are still there, and decides.
    ///
    /// # Errors
    /// [`Error::JobEdited`]; a log that cannot be read.
    pub(super) async fn of(store: &Store, script: &JobScript, driver: &Driver) -> Result<Self, Error> {
        let run = driver.run().to_string();
        let (before, begun, epoch) = (driver.before(), driver.interrupted(), driver.epoch());
        let left = Left { run: &run, before, begun, epoch };
        let known = Known::of(script, &left);
        let (texts, run) = (&known.texts, left.run);
        let live = futures::stream::iter(known.left.keys().cloned()).map(|name| async {
            let live = store.live(&name).await?;
            let stands =
                live.iter().map(|live| Stands { version: live.version, by: maker(run, texts, &live.origin) });
            Ok::<_, milepost_store::Error>((name, stands.collect()))
        });
        let live: Live = live.buffered(LOOKS).try_collect().await?;
        Self::decide(script, &left, &known, &live)
    }

    fn decide(script: &JobScript, left: &Left<'_>, known: &Known<'_>, live: &Live) -> Result<Self, Error> {
        let (steps, done) = (script.steps(), &known.done);
        refuse_repeated_sinks(script, left.before.map_or(&[], |run| &run.sinks), done)?;
        let mut todo = vec![Todo::Run; steps.len()];
        for (todo, record) in todo.iter_mut().zip(done) {
            *todo = match record.kind {
                StepKind::State => Todo::Replay,
                _ => Todo::Skip(Box::new((*record).clone())),
            };
        }
        // A drop that was begun may have dropped.
        let begun =
            steps.get(done.len()).filter(|step| left.begun.is_some_and(|b| b.identity == step.identity));
        let reached = done.len() + usize::from(begun.is_some());
        let undone = known.undone(live);
        let newest = |name: &CheckpointName| {
            let stays = |live: &&Stands| {
                !undone.iter().any(|gone| gone.checkpoint == *name && gone.version == live.version)
            };
            live.get(name).and_then(|live| live.iter().rfind(stays))
        };
        // What is made again may need what was made before it.
        let mut over = BTreeMap::new();
        for (at, record) in done.iter().enumerate().rev().filter(|(_, r)| r.kind == StepKind::Checkpoint) {
            let Some(made) = &record.checkpoint else { continue };
            match newest(&made.checkpoint) {
                // Only the last one has to be the newest again.
                Some(newest) if newest.by == Maker::Gone && newest.version != made.version => {
                    if known.is_left_last(made) && make_again(&mut todo, &steps[..reached], at, record) {
                        over.insert(record.index, newest.version);
                    }
                }
                Some(newest) if holds(newest, made, record.index) => {
                    // Made again by a driver that died before it came to drop it again.
                    let dropped = (at + 1..reached).find(|later| steps[*later].drops(made));
                    if let Some(dropped) = dropped.filter(|_| newest.version == made.version) {
                        todo[dropped] = Todo::Run;
                    }
                }
                _ => _ = make_again(&mut todo, &steps[..reached], at, record),
            }
        }
        Ok(Self {
            todo,
            finished: done.len() as u64,
            edited: known.is_edited.then_some(done.len() as u64),
            snapshots: done.iter().map(|record| (record.index, snapshots_of(record))).collect(),
            unnamed: done.iter().map(|record| (record.index, record.unnamed.clone())).collect(),
            reads: done.iter().map(|record| (record.index, record.reads.clone())).collect(),
            over,
            undone,
            texts: Arc::clone(&known.texts),
            run: left.run.to_string(),
        })
    }

    /// Notes the snapshot of a step that was run now.
    pub(super) fn ran(&mut self, record: &StepRecord) {
        self.snapshots.insert(record.index, snapshots_of(record));
        self.unnamed.insert(record.index, record.unnamed.clone());
        self.reads.insert(record.index, record.reads.clone());
    }

    /// The checkpoints that finished steps after this one have made, found or dropped.
    fn covered(&self, steps: &[JobStep], step: &JobStep) -> BTreeSet<CheckpointName> {
        let made = self.snapshots.range(step.index + 1..).flat_map(|(_, made)| made);
        let is_finished = |later: &&JobStep| later.index > step.index && later.index < self.finished;
        let dropped = steps.iter().filter(is_finished).filter_map(JobStep::drops_all_of);
        made.map(|made| made.checkpoint.clone()).chain(dropped.cloned()).collect()
    }

    /// Which versions names stand for in a step. Where it is done again, later steps may have made newer ones, which it must not
    /// see.
    pub(super) fn reads<'s>(&'s self, script: &JobScript, step: &JobStep) -> Reads {
        let steps = script.steps();
        let drops: Vec<&JobStep> = steps[..steps.len().min(step.index as usize)]
            .iter()
            .filter(|step| step.drops_of().is_some())
            .collect();
        let is_dropped =
            |(at, made): &(u64, &SnapshotRef)| drops.iter().any(|drop| drop.index > *at && drop.drops(made));
        let of = |(at, made): (&'s u64, &'s Vec<SnapshotRef>)| made.iter().map(move |made| (*at, made));
        let made = self.snapshots.range(..step.index).flat_map(of).filter(|made| !is_dropped(made));
        let made = made.map(|(at, snapshot)| (snapshot.checkpoint.clone(), (at, snapshot.version)));
        let again = step.index < self.finished;
        let later = self.snapshots.range(step.index..).rev().filter(|_| again).flat_map(of);
        let later = later.map(|(_, snapshot)| (snapshot.checkpoint.clone(), snapshot.version));
        let own = |of: &'s BTreeMap<u64, Vec<SnapshotRef>>| {
            of.get(&step.index).filter(|_| again).into_iter().flatten()
        };
        let read = own(&self.reads).map(|read| (read.checkpoint.clone(), read.version));
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for snapshot in own(&self.snapshots) {
            found.entry(Some(snapshot.checkpoint.clone())).or_default().push(snapshot.clone());
        }
        found.insert(None, own(&self.unnamed).cloned().collect());
        Reads {
            read: read.collect(),
            found,
            covered: self.covered(steps, step),
            run: self.run.clone(),
            step: step.index,
            texts: Arc::clone(&self.texts),
            made: made.collect(),
            later: later.collect(),
            again,
            keeps_names: keeps_names(&step.statement.kind),
            makes: step.makes().cloned(),
            over: self.over.get(&step.index).copied(),
        }
    }
}

/// How a script compares with what its run has recorded.
#[derive(Debug)]
struct Known<'a> {
    /// The records of its first steps, up to the first one that is not finished or was edited.
    done: Vec<&'a StepRecord>,
    /// Whether the run has recorded some step under another text.
    is_edited: bool,
    /// What tells the steps apart in the origins of what they commit.
    texts: Arc<[String]>,
    /// The versions that finished steps have made or found of each name and have not dropped, in the order of the steps.
    left: BTreeMap<CheckpointName, Vec<Version>>,
}

impl<'a> Known<'a> {
    fn of(script: &JobScript, left: &Left<'a>) -> Self {
        let steps = script.steps();
        let done = done_already(steps, left.before);
        let is_edited = is_edited(steps, left.before);
        let edition = |step: &JobStep| {
            if is_edited && step.index >= done.len() as u64 {
                return Some(left.epoch);
            }
            left.before.and_then(|run| run.edition(step.index))
        };
        let texts = steps.iter().map(|step| text_of(step.identity, edition(step))).collect();
        let left = left_by(steps, &done);
        Self { done, is_edited, texts, left }
    }

    /// Whether a version is what the finished steps have come to.
    fn is_left_last(&self, made: &SnapshotRef) -> bool {
        self.left.get(&made.checkpoint).and_then(|left| left.last()) == Some(&made.version)
    }

    /// The versions that texts made that are gone, on top of what the finished steps have come to.
    fn undone(&self, live: &Live) -> Vec<SnapshotRef> {
        let of = |(name, left): (&CheckpointName, &Vec<Version>)| {
            let stands = live.get(name).map_or(&[][..], Vec::as_slice);
            let refer = |live: &Stands| SnapshotRef { checkpoint: name.clone(), version: live.version };
            on_top(left.last().copied(), stands).map(refer).collect::<Vec<_>>()
        };
        self.left.iter().flat_map(of).collect()
    }
}

/// The versions that finished steps have made or found of each name and have not dropped.
fn left_by(steps: &[JobStep], done: &[&StepRecord]) -> BTreeMap<CheckpointName, Vec<Version>> {
    let mut left: BTreeMap<CheckpointName, Vec<Version>> = BTreeMap::new();
    for (step, record) in steps.iter().zip(done) {
        for found in snapshots_of(record) {
            left.entry(found.checkpoint).or_default().push(found.version);
        }
        // What is state has dropped a view.
        if let Some(name) = step.drops_of().filter(|_| record.kind != StepKind::State) {
            let versions = left.entry(name.clone()).or_default();
            versions
                .retain(|version| !step.drops(&SnapshotRef { checkpoint: name.clone(), version: *version }));
        }
    }
    left
}

/// Whether the run has recorded some step under another text than the script has.
fn is_edited(steps: &[JobStep], before: Option<&JobRun>) -> bool {
    let differs = |index: u64, identity: Digest| {
        let step = usize::try_from(index).ok().and_then(|index| steps.get(index));
        step.is_none_or(|step| step.identity != identity)
    };
    before.is_some_and(|run| {
        run.steps.iter().any(|done| differs(done.step.index, done.step.identity))
            || run.begun.iter().any(|(index, identity)| differs(*index, *identity))
    })
}

/// What a step made or found under its name. Records of earlier programs name the last one alone.
pub(super) fn snapshots_of(record: &StepRecord) -> Vec<SnapshotRef> {
    if record.snapshots.is_empty() {
        record.checkpoint.iter().cloned().collect()
    } else {
        record.snapshots.clone()
    }
}

/// The versions above `own` that texts made that are gone, as far as none of others is on top of them. A step may have found its own,
/// which such a text has made too. Where that is not there any more, it is made again on top of all.
fn on_top(own: Option<Version>, live: &[Stands]) -> impl Iterator<Item = &Stands> {
    let is_there = own.is_none_or(|own| live.iter().any(|live| live.version == own));
    let is_above = move |live: &&Stands| is_there && own.is_none_or(|own| live.version > own);
    live.iter().rev().take_while(|live| live.by == Maker::Gone).take_while(is_above)
}

/// The records of the script's first steps, up to the first one that is not finished or was edited.
fn done_already<'a>(steps: &[JobStep], before: Option<&'a JobRun>) -> Vec<&'a StepRecord> {
    let records: BTreeMap<u64, &StepRecord> =
        before.iter().flat_map(|run| &run.steps).map(|done| (done.step.index, &done.step)).collect();
    let record = |step: &JobStep| records.get(&step.index).copied();
    steps.iter().map_while(|step| record(step).filter(|record| record.identity == step.identity)).collect()
}

/// Where an edit would repeat a finished COPY or INSERT, nothing may run. The log has no statement by itself, only with all
/// before it, so that any COPY or INSERT from the edit on may be the finished one; where there is none, none is repeated.
///
/// `finished` are those that the run has finished under any of its texts, and `done` the finished steps that the script still has.
pub(super) fn refuse_repeated_sinks(
    script: &JobScript,
    finished: &[StepRecord],
    done: &[&StepRecord],
) -> Result<(), Error> {
    let Some(edited) = script.steps().get(done.len()) else { return Ok(()) };
    let is_kept = |sink: &StepRecord| done.iter().any(|done| done.identity == sink.identity);
    let sink = finished
        .iter()
        .find(|sink| !is_kept(sink))
        .filter(|_| script.steps()[done.len()..].iter().any(|step| step.kind() == StepKind::Sink));
    match sink {
        Some(sink) => Err(Error::JobEdited {
            edited: edited.number(),
            line: edited.statement.line,
            finished: sink.index + 1,
        }),
        None => Ok(()),
    }
}

/// Whether a name still stands for what a step made, or for something later. An earlier step that is newer was made again, and the
/// driver that did died on the way to this one.
fn holds(newest: &Stands, made: &SnapshotRef, step: u64) -> bool {
    newest.version == made.version
        || (newest.version > made.version && !matches!(newest.by, Maker::Step(newest) if newest < step))
}

/// A finished step whose checkpoint is gone is run again; unless the script itself dropped it later, and nothing that is
/// done again for the session stands between. If something does, the drop is run again too. Tells whether it is run again.
fn make_again(todo: &mut [Todo], reached: &[JobStep], at: usize, record: &StepRecord) -> bool {
    let made = record.checkpoint.as_ref();
    let dropped = (at + 1..reached.len()).find(|later| made.is_some_and(|made| reached[*later].drops(made)));
    if let Some(dropped) = dropped {
        let needs_it = |step: usize| match &todo[step] {
            Todo::Skip(_) => false,
            Todo::Replay => reached[step].reads_tables(),
            Todo::Run => true,
        };
        if !(at + 1..dropped).any(needs_it) {
            return false;
        }
        todo[dropped] = Todo::Run;
    }
    todo[at] = Todo::Run;
    true
}

#[cfg(test)]
mod tests {
    use datafusion::config::ConfigOptions;
    use milepost_store::{FinishedStep, LiveVersion, Origin, RunId, RunStatus, StepOutcome};

    use super::*;
    use crate::job::reads::Stood;
    use crate::job::{Turn, Variables};

    fn script(text: &str) -> JobScript {
        JobScript::parse(text, &Variables::default(), &ConfigOptions::default()).unwrap()
    }

    fn name(name: &str) -> CheckpointName {
        CheckpointName::parse(name).unwrap()
    }

    /// The first `count` steps of a script as a log has them; each CHECKPOINT wrote the next version of its name.
    fn finished(script: &JobScript, count: usize) -> JobRun {
        let mut versions: BTreeMap<CheckpointName, u64> = BTreeMap::new();
        let record = |step: &JobStep| {
            let checkpoint = step.what().strip_prefix("CHECKPOINT ").map(|made| {
                let version = versions.entry(name(made)).or_default();
                *version += 1;
                SnapshotRef { checkpoint: name(made), version: Version(*version) }
            });
            let outcome = if checkpoint.is_some() { StepOutcome::Written } else { StepOutcome::Done };
            StepRecord {
                index: step.index,
                identity: step.identity,
                kind: step.kind(),
                outcome,
                checkpoint,
                snapshots: vec![],
                unnamed: vec![],
                reads: vec![],
                rows: None,
                elapsed_ms: 5,
                saved_ms: 0,
                times: None,
            }
        };
        let records: Vec<StepRecord> = script.steps().iter().take(count).map(record).collect();
        let steps = records.iter().cloned().map(|step| FinishedStep { step, epoch: Epoch(1), written_ms: 0 });
        JobRun {
            run: RunId(ulid::Ulid::nil()),
            now_ms: 0,
            status: RunStatus::Failed,
            drivers: vec![],
            steps: steps.collect(),
            begun: BTreeMap::new(),
            sinks: records.into_iter().filter(|step| step.kind == StepKind::Sink).collect(),
            editions: BTreeMap::new(),
            ended_ms: None,
            error: None,
        }
    }

    /// What a driver in its second epoch decides.
    fn decide(
        script: &JobScript,
        before: &JobRun,
        begun: Option<&BegunStep>,
        live: &Live,
    ) -> Result<Plan, Error> {
        let left = Left { run: "run", before: Some(before), begun, epoch: Epoch(2) };
        Plan::decide(script, &left, &Known::of(script, &left), live)
    }

    fn newest(versions: &[(&str, u64)]) -> Live {
        versions.iter().map(|(n, version)| (name(n), vec![stands(*version, Maker::Others)])).collect()
    }

    fn stands(version: u64, by: Maker) -> Stands {
        Stands { version: Version(version), by }
    }

    /// The plan in letters: skip, replay, run.
    fn plan(text: &str, done: usize, live: &[(&str, u64)]) -> String {
        let script = script(text);
        let plan = decide(&script, &finished(&script, done), None, &newest(live)).unwrap();
        let letter = |todo: &Todo| match todo {
            Todo::Skip(_) => 's',
            Todo::Replay => 'p',
            Todo::Run => 'r',
        };
        plan.todo.iter().map(letter).collect()
    }

    #[test]
    fn state_is_replayed_and_what_is_finished_is_skipped() {
        let text = "SET datafusion.execution.batch_size = 9; CHECKPOINT a AS SELECT 1; SELECT 2; COPY a TO 'x'; SELECT 3";
        assert_eq!(plan(text, 0, &[]), "rrrrr");
        assert_eq!(plan(text, 4, &[("a", 1)]), "psssr");
        assert_eq!(plan(text, 5, &[("a", 7)]), "pssss");
    }

    #[test]
    fn a_checkpoint_that_is_gone_is_made_again_alone() {
        let text = "CHECKPOINT a AS SELECT 1; CHECKPOINT b AS SELECT 2; COPY a TO 'x'; SELECT 3";
        assert_eq!(plan(text, 3, &[("b", 1)]), "rssr");
    }

    /// Both steps were made again from the first one on, and the driver that did died between them.
    #[test]
    fn what_stands_for_an_earlier_step_is_not_there() {
        let script = script("CHECKPOINT a AS SELECT 1; CHECKPOINT a AS SELECT 2; SELECT 3");
        let again = |by| {
            let newest = Live::from([(name("a"), vec![stands(3, by)])]);
            decide(&script, &finished(&script, 2), None, &newest).unwrap().todo
        };
        assert!(matches!(again(Maker::Step(0))[..], [Todo::Skip(_), Todo::Run, Todo::Run]));
        assert!(matches!(again(Maker::Step(1))[..], [Todo::Skip(_), Todo::Skip(_), Todo::Run]));
        assert!(matches!(again(Maker::Others)[..], [Todo::Skip(_), Todo::Skip(_), Todo::Run]));
    }

    #[test]
    fn a_checkpoint_that_the_script_dropped_itself_is_not_missed() {
        let text = "CHECKPOINT a AS SELECT 1; CHECKPOINT b AS SELECT * FROM a; DROP CHECKPOINT a; SELECT 3";
        assert_eq!(plan(text, 3, &[("b", 1)]), "sssr");
        assert_eq!(plan(text, 2, &[("b", 1)]), "rsrr", "it was not the script that dropped it");
    }

    #[test]
    fn what_was_made_again_and_not_dropped_again_is_dropped() {
        let text = "CHECKPOINT a AS SELECT 1; CREATE TABLE t AS SELECT * FROM a; DROP CHECKPOINT a; SELECT 3";
        assert_eq!(plan(text, 3, &[("a", 1)]), "sprr");
    }

    #[test]
    fn a_drop_that_was_begun_may_have_dropped() {
        let text = "CHECKPOINT a AS SELECT 1; DROP CHECKPOINT a; SELECT 3";
        let script = script(text);
        let step = &script.steps()[1];
        let begun = BegunStep { index: 1, identity: step.identity, kind: StepKind::OtherEffect };
        let plan = |begun| decide(&script, &finished(&script, 1), begun, &newest(&[])).unwrap().todo;
        assert!(matches!(plan(Some(&begun))[..], [Todo::Skip(_), Todo::Run, Todo::Run]));
        assert!(matches!(plan(None)[..], [Todo::Run, Todo::Run, Todo::Run]));
    }

    #[test]
    fn a_dropped_checkpoint_that_the_session_needs_is_made_and_dropped_again() {
        let text =
            "CHECKPOINT a AS SELECT 1 AS n; CREATE TABLE t AS SELECT * FROM a; DROP CHECKPOINT a; SELECT 3";
        assert_eq!(plan(text, 3, &[]), "rprr");
    }

    #[test]
    fn skipping_ends_at_the_first_edit() {
        let before = script("SELECT 1; CHECKPOINT a AS SELECT 2; SELECT 3");
        let after = script("SELECT 1; CHECKPOINT a AS SELECT 20; SELECT 3");
        let plan = decide(&after, &finished(&before, 3), None, &newest(&[("a", 1)])).unwrap();
        assert!(matches!(plan.todo[..], [Todo::Skip(_), Todo::Run, Todo::Run]));
    }

    #[test]
    fn an_edit_that_would_repeat_a_finished_sink_is_refused() {
        let before = script("SELECT 1; CHECKPOINT a AS SELECT 2; COPY a TO 'x'; SELECT 3");
        let after = script("SELECT 1;\nCHECKPOINT a AS SELECT 20;\nCOPY a TO 'x'; SELECT 3");
        let refused = |done| decide(&after, &finished(&before, done), None, &newest(&[("a", 1)]));
        refused(2).unwrap();
        let refused = refused(3).unwrap_err();
        assert!(matches!(refused, Error::JobEdited { edited: 2, line: 2, finished: 3 }), "{refused}");
        let text = refused.to_string();
        assert!(text.contains("step 3") && text.contains("--restart"), "{text}");
        // Cut off behind it, or edited behind it, the script repeats nothing.
        let shorter = script("SELECT 1; CHECKPOINT a AS SELECT 2");
        decide(&shorter, &finished(&before, 4), None, &newest(&[("a", 1)])).unwrap();
        // So does one that has no sink any more.
        let without = script("SELECT 1; CHECKPOINT a AS SELECT 2; SELECT 3");
        let plan = decide(&without, &finished(&before, 3), None, &newest(&[("a", 1)])).unwrap();
        assert!(matches!(plan.todo[..], [Todo::Skip(_), Todo::Skip(_), Todo::Run]));
        let longer = script("SELECT 1; CHECKPOINT a AS SELECT 2; COPY a TO 'x'; SELECT 30; SELECT 4");
        decide(&longer, &finished(&before, 4), None, &newest(&[("a", 1)])).unwrap();
    }

    #[test]
    fn a_replay_reads_the_versions_that_it_read_first() {
        let text = "CREATE TABLE s AS SELECT * FROM a; CHECKPOINT a AS SELECT 1; CREATE TABLE t AS SELECT * FROM a; \
                    CHECKPOINT a AS SELECT 2; SELECT 3";
        let script = script(text);
        let mut plan = decide(&script, &finished(&script, 4), None, &newest(&[("a", 2)])).unwrap();
        let read = |plan: &Plan, index: usize, live: &[LiveVersion]| {
            stood(&plan.reads(&script, &script.steps()[index]), live)
        };
        let live = [live(1, by(&script, 1)), live(2, by(&script, 3))];
        assert_eq!(
            [0, 2, 4].map(|index| read(&plan, index, &live)),
            [Stood::ForNothing, Stood::For(Version(1)), Stood::For(Version(2))]
        );
        // Made again under a new number, that one is what it read.
        let mut again = finished(&script, 2).steps.remove(1).step;
        again.checkpoint = Some(SnapshotRef { checkpoint: name("a"), version: Version(3) });
        plan.ran(&again);
        let live = [live[1].clone(), self::live(3, by(&script, 1))];
        assert_eq!(read(&plan, 2, &live), Stood::For(Version(3)));
    }

    /// What `a` stands for.
    fn stood(reads: &Reads, live: &[LiveVersion]) -> Stood {
        let turn = Turn::default();
        turn.begin_step(reads.clone());
        turn.as_of(&name("a")).unwrap().among(live)
    }

    /// The origin of what a step of a script makes.
    fn by(script: &JobScript, index: usize) -> (String, u64) {
        (format!("run/{}", text_of(script.steps()[index].identity, None)), index as u64)
    }

    fn live(version: u64, (run, step): (String, u64)) -> LiveVersion {
        LiveVersion {
            version: Version(version),
            slot: milepost_store::Slot(version - 1),
            attempt: milepost_store::AttemptId(ulid::Ulid::nil()),
            signature: milepost_store::Signature::from(milepost_store::Digest::of(b"s")),
            origin: Origin { run, step, node: 0 },
        }
    }

    fn others() -> (String, u64) {
        ("runner/x".to_string(), 9)
    }

    /// A step that committed and was not recorded made its version after the replay's, and so did steps of other names.
    #[test]
    fn a_replay_does_not_read_what_an_unrecorded_step_made() {
        let script = script("CREATE TABLE t AS SELECT * FROM a; CHECKPOINT a AS SELECT 2; COPY t TO 'x'");
        let plan = decide(&script, &finished(&script, 1), None, &newest(&[])).unwrap();
        let reads = plan.reads(&script, &script.steps()[0]);
        assert_eq!(stood(&reads, &[live(1, others()), live(2, by(&script, 1))]), Stood::For(Version(1)));
        assert_eq!(stood(&reads, &[live(2, by(&script, 1))]), Stood::ForNothing);
    }

    /// What others commit under a name that the run has made is not what its later steps read; nor is what a text made that
    /// the script does not have any more.
    #[test]
    fn a_name_stands_for_what_the_script_has_made_of_it() {
        let before = script("CHECKPOINT a AS SELECT 1; CHECKPOINT a AS SELECT 2; SELECT 3");
        let after = script("CHECKPOINT a AS SELECT 1; SELECT * FROM a; CHECKPOINT a AS SELECT n + 1 FROM a");
        let live_now = vec![stands(1, Maker::Step(0)), stands(2, Maker::Gone)];
        let stands = Live::from([(name("a"), live_now)]);
        let plan = decide(&after, &finished(&before, 2), None, &stands).unwrap();
        assert!(matches!(plan.todo[0], Todo::Skip(_)));
        let undone = SnapshotRef { checkpoint: name("a"), version: Version(2) };
        assert_eq!(plan.undone, [undone], "its own is the newest again");
        let reads = |index: usize| plan.reads(&after, &after.steps()[index]);
        let (first, old) = (live(1, by(&after, 0)), live(2, by(&before, 1)));
        assert_eq!(stood(&reads(1), &[first.clone(), old.clone()]), Stood::For(Version(1)));
        assert_eq!(stood(&reads(1), &[first.clone(), live(2, others())]), Stood::For(Version(1)));
        assert_eq!(stood(&reads(1), &[live(2, others())]), Stood::Gone);
        // One that goes on from its own goes on from the newest.
        assert_eq!(stood(&reads(2), &[first.clone(), live(2, others())]), Stood::For(Version(2)));
        assert_eq!(stood(&reads(2), &[first, old]), Stood::WentOn(Version(2)));
        // Of a name that the script has not made, what others have made is there.
        let late = script("SELECT 1; SELECT * FROM a");
        let plan = decide(&late, &finished(&late, 1), None, &newest(&[])).unwrap();
        let reads = plan.reads(&late, &late.steps()[1]);
        assert_eq!(stood(&reads, &[live(4, others()), live(5, by(&before, 1))]), Stood::For(Version(4)));
        assert_eq!(stood(&reads, &[]), Stood::ForNothing);
    }

    /// A name that the script has dropped stands for nothing that it made before.
    #[test]
    fn a_name_that_was_dropped_stands_for_nothing() {
        let script = script("CHECKPOINT a AS SELECT 1; DROP CHECKPOINT a; SELECT * FROM a");
        let plan = decide(&script, &finished(&script, 2), None, &newest(&[])).unwrap();
        assert_eq!(stood(&plan.reads(&script, &script.steps()[2]), &[]), Stood::ForNothing);
    }

    #[test]
    fn what_is_made_again_has_what_it_reads_made_again() {
        let text = "CHECKPOINT a AS SELECT 1; CHECKPOINT b AS SELECT * FROM a; DROP CHECKPOINT a; SELECT 3";
        assert_eq!(plan(text, 3, &[]), "rrrr");
        let text = "CHECKPOINT a AS SELECT 1; DROP CHECKPOINT a VERSION 1; SELECT 3";
        assert_eq!(plan(text, 2, &[]), "ssr", "the script dropped it itself");
        let text = "CHECKPOINT a AS SELECT 1; DROP CHECKPOINT a VERSION 7; SELECT 3";
        assert_eq!(plan(text, 2, &[]), "rsr", "that was another one");
    }
}
