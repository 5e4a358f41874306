//! What a driver has to do, given what the drivers before it have done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use milepost_store::{
    BegunStep, CheckpointName, FinishedStep, SnapshotRef, StepKind, StepOutcome, StepRecord, Store, Version,
};

use super::effect::keeps_names;
use super::reads::{Maker, Reads, maker, text_of};
use super::script::{JobScript, JobStep};
use super::turn::Found;
use crate::error::Error;

/// How many logs are looked at side by side.
const LOOKS: usize = 32;

/// What is to be done with a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Todo {
    /// Nothing: it is finished.
    Skip(StepRecord),
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
    /// The snapshots that finished steps made or found.
    snapshots: BTreeMap<u64, SnapshotRef>,
    /// The version on top of what a step made, which a text made that is gone.
    over: BTreeMap<u64, Version>,
    /// What steps that were done again have written anew: checkpoints inside of their queries.
    brought_back: BTreeSet<CheckpointName>,
    /// What tells the steps apart in the origins of what they commit.
    texts: Arc<[String]>,
    run: String,
}

/// The newest live version of each checkpoint that has one.
type Newest = BTreeMap<CheckpointName, Stands>;

/// A live version.
#[derive(Debug, Clone, Copy)]
struct Stands {
    version: Version,
    by: Maker,
}

impl Plan {
    /// Looks which checkpoints of finished steps are still there, and decides. `begun` was begun, and perhaps done.
    ///
    /// # Errors
    /// [`Error::JobEdited`]; a log that cannot be read.
    pub(super) async fn of(
        store: &Store,
        script: &JobScript,
        finished: &[FinishedStep],
        begun: Option<&BegunStep>,
        run: &str,
    ) -> Result<Self, Error> {
        let made = finished.iter().filter_map(|done| done.step.checkpoint.as_ref());
        let names: BTreeSet<_> = made.map(|made| made.checkpoint.clone()).collect();
        let texts = texts(script);
        let newest = futures::stream::iter(names).map(|name| async {
            let live = store.live(&name).await?;
            let stands = live
                .last()
                .map(|newest| Stands { version: newest.version, by: maker(run, &texts, &newest.origin) });
            Ok::<_, milepost_store::Error>(stands.map(|stands| (name, stands)))
        });
        let newest: Vec<_> = newest.buffered(LOOKS).try_collect().await?;
        Self::decide(script, finished, begun, &newest.into_iter().flatten().collect(), run)
    }

    fn decide(
        script: &JobScript,
        finished: &[FinishedStep],
        begun: Option<&BegunStep>,
        newest: &Newest,
        run: &str,
    ) -> Result<Self, Error> {
        let steps = script.steps();
        let done = done_already(steps, finished);
        refuse_repeated_sinks(script, finished, done.len())?;
        let mut todo = vec![Todo::Run; steps.len()];
        for (todo, record) in todo.iter_mut().zip(&done) {
            *todo = match record.kind {
                StepKind::State => Todo::Replay,
                _ => Todo::Skip((*record).clone()),
            };
        }
        // A drop that was begun may have dropped.
        let begun = steps.get(done.len()).filter(|step| begun.is_some_and(|b| b.identity == step.identity));
        let reached = done.len() + usize::from(begun.is_some());
        // What is made again may need what was made before it.
        let (mut over, mut made_later) = (BTreeMap::new(), BTreeSet::new());
        for (at, record) in done.iter().enumerate().rev().filter(|(_, r)| r.kind == StepKind::Checkpoint) {
            let Some(made) = &record.checkpoint else { continue };
            let stands = newest.get(&made.checkpoint);
            let is_last = made_later.insert(&made.checkpoint);
            match stands {
                Some(stands) if stands.by == Maker::Gone && stands.version != made.version => {
                    // Only the last one has to come on top.
                    let again = is_last && make_again(&mut todo, &steps[..reached], at, record);
                    over.extend(again.then_some((record.index, stands.version)));
                }
                Some(stands) if holds(stands, made, record.index) => {}
                _ => _ = make_again(&mut todo, &steps[..reached], at, record),
            }
        }
        let snapshots = done.iter().filter_map(|record| Some((record.index, record.checkpoint.clone()?)));
        Ok(Self {
            todo,
            finished: done.len() as u64,
            snapshots: snapshots.collect(),
            over,
            brought_back: BTreeSet::new(),
            texts: texts(script),
            run: run.to_string(),
        })
    }

    /// Notes the snapshot of a step that was run now.
    pub(super) fn ran(&mut self, record: &StepRecord) {
        self.snapshots.remove(&record.index);
        if let Some(snapshot) = &record.checkpoint {
            self.snapshots.insert(record.index, snapshot.clone());
        }
    }

    /// Notes the snapshots of a step that was done again for the session.
    pub(super) fn replayed(&mut self, found: &[Found]) {
        let written = found.iter().filter(|found| found.outcome != StepOutcome::Reused);
        self.brought_back.extend(written.map(|found| found.snapshot.checkpoint.clone()));
    }

    /// Whether a finished step has dropped what a step before it has written anew since, and no later step made it.
    pub(super) fn brought_back(&self, step: &JobStep) -> bool {
        let made_later = |name: &CheckpointName| {
            self.snapshots.range(step.index..).any(|(_, made)| made.checkpoint == *name)
        };
        step.drops_all_of().is_some_and(|name| self.brought_back.contains(name) && !made_later(name))
    }

    /// Which versions names stand for in a step. Where it is done again, later steps may have made newer ones, which it must not
    /// see.
    pub(super) fn reads(&self, script: &JobScript, step: &JobStep) -> Reads {
        let steps = script.steps();
        let drops: Vec<&JobStep> = steps[..steps.len().min(step.index as usize)]
            .iter()
            .filter(|step| step.drops_checkpoints())
            .collect();
        let is_dropped = |(at, made): &(&u64, &SnapshotRef)| {
            drops.iter().any(|drop| drop.index > **at && drop.drops(made))
        };
        let made = self.snapshots.range(..step.index).filter(|made| !is_dropped(made));
        let made = made.map(|(at, snapshot)| (snapshot.checkpoint.clone(), (*at, snapshot.version)));
        let again = step.index < self.finished;
        let later = self.snapshots.range(step.index..).rev().filter(|_| again);
        let later = later.map(|(_, snapshot)| (snapshot.checkpoint.clone(), snapshot.version));
        Reads {
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

fn texts(script: &JobScript) -> Arc<[String]> {
    script.steps().iter().map(|step| text_of(step.identity)).collect()
}

/// The records of the script's first steps, up to the first one that is not finished or was edited.
fn done_already<'a>(steps: &[JobStep], finished: &'a [FinishedStep]) -> Vec<&'a StepRecord> {
    let records: BTreeMap<u64, &StepRecord> =
        finished.iter().map(|done| (done.step.index, &done.step)).collect();
    let record = |step: &JobStep| records.get(&step.index).copied();
    steps.iter().map_while(|step| record(step).filter(|record| record.identity == step.identity)).collect()
}

/// Where an edit would repeat a finished COPY or INSERT, nothing may run. The log has no statement by itself, only with all
/// before it, so that any COPY or INSERT from the edit on may be the finished one; where there is none, none is repeated.
pub(super) fn refuse_repeated_sinks(
    script: &JobScript,
    finished: &[FinishedStep],
    same: usize,
) -> Result<(), Error> {
    let Some(edited) = script.steps().get(same) else { return Ok(()) };
    let sink = finished
        .iter()
        .map(|done| &done.step)
        .find(|record| record.kind == StepKind::Sink && record.index >= edited.index)
        .filter(|_| script.steps()[same..].iter().any(|step| step.kind() == StepKind::Sink));
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
    use milepost_store::{Digest, Epoch, LiveVersion, Origin};

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
    fn finished(script: &JobScript, count: usize) -> Vec<FinishedStep> {
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
                rows: None,
                elapsed_ms: 5,
                saved_ms: 0,
                times: None,
            }
        };
        let records = script.steps().iter().take(count).map(record);
        records.map(|step| FinishedStep { step, epoch: Epoch(1), written_ms: 0 }).collect()
    }

    fn newest(versions: &[(&str, u64)]) -> Newest {
        let stands = |version| Stands { version: Version(version), by: Maker::Others };
        versions.iter().map(|(n, version)| (name(n), stands(*version))).collect()
    }

    /// The plan in letters: skip, replay, run.
    fn plan(text: &str, done: usize, live: &[(&str, u64)]) -> String {
        let script = script(text);
        let plan = Plan::decide(&script, &finished(&script, done), None, &newest(live), "run").unwrap();
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
            let newest = Newest::from([(name("a"), Stands { version: Version(3), by })]);
            Plan::decide(&script, &finished(&script, 2), None, &newest, "run").unwrap().todo
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
    fn a_drop_that_was_begun_may_have_dropped() {
        let text = "CHECKPOINT a AS SELECT 1; DROP CHECKPOINT a; SELECT 3";
        let script = script(text);
        let step = &script.steps()[1];
        let begun = BegunStep { index: 1, identity: step.identity, kind: StepKind::OtherEffect };
        let plan =
            |begun| Plan::decide(&script, &finished(&script, 1), begun, &newest(&[]), "run").unwrap().todo;
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
        let plan = Plan::decide(&after, &finished(&before, 3), None, &newest(&[("a", 1)]), "run").unwrap();
        assert!(matches!(plan.todo[..], [Todo::Skip(_), Todo::Run, Todo::Run]));
    }

    #[test]
    fn an_edit_that_would_repeat_a_finished_sink_is_refused() {
        let before = script("SELECT 1; CHECKPOINT a AS SELECT 2; COPY a TO 'x'; SELECT 3");
        let after = script("SELECT 1;\nCHECKPOINT a AS SELECT 20;\nCOPY a TO 'x'; SELECT 3");
        let decide = |done| Plan::decide(&after, &finished(&before, done), None, &newest(&[("a", 1)]), "run");
        decide(2).unwrap();
        let refused = decide(3).unwrap_err();
        assert!(matches!(refused, Error::JobEdited { edited: 2, line: 2, finished: 3 }), "{refused}");
        let text = refused.to_string();
        assert!(text.contains("step 3") && text.contains("--restart"), "{text}");
        // Cut off behind it, or edited behind it, the script repeats nothing.
        let shorter = script("SELECT 1; CHECKPOINT a AS SELECT 2");
        Plan::decide(&shorter, &finished(&before, 4), None, &newest(&[("a", 1)]), "run").unwrap();
        // So does one that has no sink any more.
        let without = script("SELECT 1; CHECKPOINT a AS SELECT 2; SELECT 3");
        let plan = Plan::decide(&without, &finished(&before, 3), None, &newest(&[("a", 1)]), "run").unwrap();
        assert!(matches!(plan.todo[..], [Todo::Skip(_), Todo::Skip(_), Todo::Run]));
        let longer = script("SELECT 1; CHECKPOINT a AS SELECT 2; COPY a TO 'x'; SELECT 30; SELECT 4");
        Plan::decide(&longer, &finished(&before, 4), None, &newest(&[("a", 1)]), "run").unwrap();
    }

    #[test]
    fn a_replay_reads_the_versions_that_it_read_first() {
        let text = "CREATE TABLE s AS SELECT * FROM a; CHECKPOINT a AS SELECT 1; CREATE TABLE t AS SELECT * FROM a; \
                    CHECKPOINT a AS SELECT 2; SELECT 3";
        let script = script(text);
        let mut plan =
            Plan::decide(&script, &finished(&script, 4), None, &newest(&[("a", 2)]), "run").unwrap();
        let read = |plan: &Plan, index: usize, live: &[LiveVersion]| {
            stood(&plan.reads(&script, &script.steps()[index]), live)
        };
        let live = [live(1, by(&script, 1)), live(2, by(&script, 3))];
        assert_eq!(
            [0, 2, 4].map(|index| read(&plan, index, &live)),
            [Stood::ForNothing, Stood::For(Version(1)), Stood::For(Version(2))]
        );
        // Made again under a new number, that one is what it read.
        let mut again = finished(&script, 2).remove(1).step;
        again.checkpoint = Some(SnapshotRef { checkpoint: name("a"), version: Version(3) });
        plan.ran(&again);
        let live = [live[1].clone(), self::live(3, by(&script, 1))];
        assert_eq!(read(&plan, 2, &live), Stood::For(Version(3)));
    }

    /// What `a` stands for.
    fn stood(reads: &Reads, live: &[LiveVersion]) -> Stood {
        let turn = Turn::default();
        turn.begin_step(Digest::of(b"any"), reads.clone());
        turn.as_of(&name("a")).unwrap().among(live)
    }

    /// The origin of what a step of a script makes.
    fn by(script: &JobScript, index: usize) -> (String, u64) {
        (format!("run/{}", text_of(script.steps()[index].identity)), index as u64)
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
        let plan = Plan::decide(&script, &finished(&script, 1), None, &newest(&[]), "run").unwrap();
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
        let gone = Stands { version: Version(2), by: Maker::Gone };
        let stands = Newest::from([(name("a"), gone)]);
        let plan = Plan::decide(&after, &finished(&before, 2), None, &stands, "run").unwrap();
        assert!(matches!(plan.todo[0], Todo::Run), "its own comes on top again");
        let reads = |index: usize| plan.reads(&after, &after.steps()[index]);
        assert_eq!((reads(0).over, reads(1).over), (Some(Version(2)), None));
        let (first, old) = (live(1, by(&after, 0)), live(2, by(&before, 1)));
        assert_eq!(stood(&reads(1), &[first.clone(), old.clone()]), Stood::For(Version(1)));
        assert_eq!(stood(&reads(1), &[first.clone(), live(2, others())]), Stood::For(Version(1)));
        assert_eq!(stood(&reads(1), &[live(2, others())]), Stood::Gone);
        // One that goes on from its own goes on from the newest.
        assert_eq!(stood(&reads(2), &[first.clone(), live(2, others())]), Stood::For(Version(2)));
        assert_eq!(stood(&reads(2), &[first, old]), Stood::WentOn(Version(2)));
        // Of a name that the script has not made, what others have made is there.
        let late = script("SELECT 1; SELECT * FROM a");
        let plan = Plan::decide(&late, &finished(&late, 1), None, &newest(&[]), "run").unwrap();
        let reads = plan.reads(&late, &late.steps()[1]);
        assert_eq!(stood(&reads, &[live(4, others()), live(5, by(&before, 1))]), Stood::For(Version(4)));
        assert_eq!(stood(&reads, &[]), Stood::ForNothing);
    }

    /// A name that the script has dropped stands for nothing that it made before.
    #[test]
    fn a_name_that_was_dropped_stands_for_nothing() {
        let script = script("CHECKPOINT a AS SELECT 1; DROP CHECKPOINT a; SELECT * FROM a");
        let plan = Plan::decide(&script, &finished(&script, 2), None, &newest(&[]), "run").unwrap();
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
