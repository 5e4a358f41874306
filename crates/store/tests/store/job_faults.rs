//! A job's log under lost replies, late requests, stops and damage.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use milepost_store::verify::Damage;
use milepost_store::{
    BegunStep, Driver, Error, Finding, JobName, RunOutcome, RunStatus, StartOptions, StartOutcome, StepKind,
    Store, VerifyOptions,
};
use milepost_testkit::{Fault, FaultStore, Operation, Rule};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;

use crate::job_support::*;
use crate::support::*;

/// Every try of one append is struck.
const ALL_TRIES: usize = 7;

fn job_entry(slot: u64) -> Path {
    Path::from(format!("root/jobs/nightly/log/{slot:020}.json"))
}

async fn entries(store: &Store) -> usize {
    objects(store.object_store().as_ref(), "root/jobs/nightly/log").await.len()
}

fn sink(index: u64) -> BegunStep {
    BegunStep { index, identity: identity(index), kind: StepKind::Sink }
}

#[tokio::test]
async fn a_lost_reply_is_found_at_every_append() {
    let (store, faults) = faulty().await;
    let lose = || faults.add(Rule::on(Operation::Put, Fault::LoseReply).path("/log/").times(1));
    lose();
    let first = drive(&store).await;
    lose();
    recorded(first.step(step(0)).await);
    lose();
    recorded(first.step_begin(sink(1)).await);
    lose();
    let second = driving(start_with(&store, taking_over()).await);
    lose();
    recorded(second.finish(RunOutcome::Done, None).await);
    assert_eq!(entries(&store).await, 5, "each is there once");
}

/// Nobody knows whether the step is recorded. The same bytes go to the same slot before anything else does.
#[tokio::test]
async fn an_entry_of_unknown_outcome_is_settled_before_the_next() {
    for arrives in [true, false] {
        let (store, faults) = faulty().await;
        let driver = drive(&store).await;
        let fault = if arrives { Fault::LoseReply } else { Fault::Refuse };
        faults.add(Rule::on(Operation::Put, fault).path("/log/").times(ALL_TRIES));
        faults.add(Rule::on(Operation::Get, Fault::Refuse).path("/log/").times(ALL_TRIES));
        let told = driver.step(step(0)).await;
        assert!(matches!(told, Err(Error::UnknownOutcome { .. })), "{told:?}");
        faults.heal();
        if arrives {
            recorded(driver.step(step(0)).await); // the caller tries the same again
        }
        recorded(driver.step(step(1)).await);
        assert_eq!(finished(&store).await, [0, 1]);
        assert_eq!(entries(&store).await, 3, "arrived: {arrives}");
    }
}

/// The entry is in the log, and nobody told. A second try that is certainly not written says nothing of the first.
#[tokio::test]
async fn an_entry_of_unknown_outcome_stays_unknown_when_a_second_try_is_refused() {
    for refusal in [Fault::FillDisk, Fault::Forbid] {
        let (store, faults) = faulty().await;
        let driver = drive(&store).await;
        faults.add(Rule::on(Operation::Put, Fault::LoseReply).path("/log/").times(ALL_TRIES));
        faults.add(Rule::on(Operation::Get, Fault::Refuse).path("/log/").times(ALL_TRIES));
        let told = driver.step(step(0)).await;
        assert!(matches!(told, Err(Error::UnknownOutcome { .. })), "{told:?}");
        faults.heal();
        faults.add(Rule::on(Operation::Put, refusal).path("/log/").times(1));
        let told = driver.step(step(0)).await;
        assert!(matches!(told, Err(Error::UnknownOutcome { .. })), "{told:?}");
        recorded(driver.step(step(1)).await);
        assert_eq!(finished(&store).await, [0, 1]);
    }
}

/// Its requests are on their way while another takes over: they find their slot taken.
#[tokio::test]
async fn a_late_entry_of_a_fenced_driver_stays_out() {
    let (store, faults) = faulty().await;
    let old = drive(&store).await;
    faults.add(Rule::on(Operation::Put, Fault::ArriveLate).path("/log/").times(ALL_TRIES));
    assert!(old.step(step(0)).await.is_err());
    let new = driving(start_with(&on(&faults).await, taking_over()).await);
    let late = faults.arrive().await;
    assert_eq!(late.len(), ALL_TRIES);
    assert!(late.iter().all(Result::is_err));
    fenced(old.step(step(0)).await, &new);
    assert_eq!(finished(&store).await, [] as [u64; 0]);
}

/// They arrive first: the takeover comes after them, and knows of them.
#[tokio::test]
async fn a_late_entry_that_arrives_before_the_takeover_counts() {
    let (store, faults) = faulty().await;
    let old = drive(&store).await;
    faults.add(Rule::on(Operation::Put, Fault::ArriveLate).path("/log/").times(ALL_TRIES));
    assert!(old.step(step(0)).await.is_err());
    assert!(faults.arrive().await[0].is_ok());
    let new = driving(start_with(&on(&faults).await, taking_over()).await);
    assert_eq!(new.finished_steps().len(), 1);
    fenced(old.step(step(1)).await, &new);
}

/// The statement is cancelled while its entry is written; the entry was there already.
#[tokio::test]
async fn a_cancelled_append_is_not_taken_for_another_drivers() {
    let (store, faults) = faulty().await;
    let driver = drive(&store).await;
    faults.add(Rule::on(Operation::Put, Fault::LoseReply).path("/log/").times(1));
    faults.add(Rule::on(Operation::Get, Fault::Delay(Duration::from_secs(60))).path("/log/").times(1));
    let cancelled = tokio::time::timeout(Duration::from_millis(50), driver.step(step(0))).await;
    assert!(cancelled.is_err(), "it was cancelled in the middle");
    recorded(driver.step(step(1)).await);
    assert_eq!(finished(&store).await, [0, 1]);
}

#[tokio::test]
async fn what_cannot_be_written_is_said_and_nothing_is_held() {
    let (store, faults) = faulty().await;
    drop(drive(&store).await.finish(RunOutcome::Failed, None).await);
    faults.add(Rule::on(Operation::Put, Fault::FillDisk).path("/log/"));
    let result = Driver::start(&store, &job(), start()).await;
    assert!(matches!(result, Err(Error::DiskFull { .. })), "{result:?}");
    faults.heal();
    let driver = drive(&store).await;
    faults.add(Rule::on(Operation::Put, Fault::Forbid).path("/log/").times(1));
    assert!(matches!(driver.step(step(0)).await, Err(Error::NotWritable { .. })));
    recorded(driver.step(step(1)).await);
    assert_eq!(finished(&store).await, [1], "the refused one was certainly not written");
}

/// Signs of life and hints may fail.
#[tokio::test]
async fn signs_of_life_may_fail() {
    let (store, faults) = faulty().await;
    faults.add(Rule::on(Operation::Put, Fault::Refuse).path("heartbeat-"));
    faults.add(Rule::on(Operation::Put, Fault::Refuse).path("/tail"));
    faults.add(Rule::on(Operation::Delete, Fault::Refuse).path("heartbeat-"));
    let driver = drive(&store).await;
    assert!(driver.heartbeat().await.is_err());
    recorded(driver.step(step(0)).await);
    recorded(driver.finish(RunOutcome::Done, None).await);
    assert_eq!(store.open_job(&job()).await.unwrap().unwrap().state.status, RunStatus::Done);
}

/// Whoever reads the job gets this error, and a start writes nothing.
async fn refused(faults: &FaultStore) -> Error {
    let store = beside(faults).await;
    let before = objects(faults.inner().as_ref(), "root/jobs").await;
    let error = Driver::start(&store, &job(), taking_over()).await.unwrap_err();
    assert_eq!(store.open_job(&job()).await.unwrap_err().to_string(), error.to_string());
    assert!(store.job_history(&job()).await.is_err());
    assert_eq!(objects(faults.inner().as_ref(), "root/jobs").await, before);
    error
}

async fn with_steps() -> FaultStore {
    let (store, faults) = faulty().await;
    let driver = drive(&store).await;
    for index in 0..4 {
        recorded(driver.step(step(index)).await);
    }
    faults
}

async fn edit(faults: &FaultStore, slot: u64, change: impl FnOnce(String) -> String) {
    let bytes = faults.inner().get(&job_entry(slot)).await.unwrap().bytes().await.unwrap();
    let text = change(String::from_utf8(bytes.to_vec()).unwrap());
    faults.inner().put(&job_entry(slot), Bytes::from(text).into()).await.unwrap();
}

#[tokio::test]
async fn a_damaged_entry_is_named_whether_it_is_the_newest_or_not() {
    for slot in [4, 2, 0] {
        let faults = with_steps().await;
        edit(&faults, slot, |text| text.replacen("\"written_ms\": 1", "\"written_ms\": 2", 1)).await;
        let error = refused(&faults).await;
        assert!(error.is_damage() && matches!(error, Error::Damaged { .. }) == (slot == 4), "{error}");
        for word in [job_entry(slot).as_ref(), "put it back from a backup", "--job", "COPY and INSERT"] {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
    }
}

/// Where the newest entry is whole, a new run follows it, whatever was lost of the one before.
#[tokio::test]
async fn a_new_run_begins_after_one_that_cannot_be_read() {
    let faults = with_steps().await;
    edit(&faults, 2, |text| text.replacen("\"written_ms\": 1", "\"written_ms\": 2", 1)).await;
    let error = refused(&faults).await;
    assert!(matches!(error, Error::RunDamaged { .. }) && error.to_string().contains("--restart"), "{error}");
    let store = beside(&faults).await;
    let options = StartOptions { restart: true, ..taking_over() };
    let driver = driving(start_with(&store, options).await);
    assert!(!driver.resumed() && driver.finished_steps().is_empty());
    recorded(driver.step(step(0)).await);
    recorded(driver.finish(RunOutcome::Failed, None).await);
    assert_eq!(finished(&store).await, [0], "the next start goes on with the new run");
}

/// Nothing can follow an entry that says nothing: there is no way but another name.
#[tokio::test]
async fn no_run_begins_after_a_newest_entry_that_cannot_be_read() {
    let faults = with_steps().await;
    edit(&faults, 4, |text| text.replacen("\"written_ms\": 1", "\"written_ms\": 2", 1)).await;
    let options = StartOptions { restart: true, ..taking_over() };
    let error = Driver::start(&beside(&faults).await, &job(), options).await.unwrap_err();
    assert!(error.is_damage() && error.to_string().contains("another name with --job"), "{error}");
}

/// The last step that was reported as done must not be done again without a word.
#[tokio::test]
async fn a_lost_newest_entry_is_noticed() {
    let faults = with_steps().await;
    faults.inner().delete(&job_entry(4)).await.unwrap();
    let error = refused(&faults).await;
    assert!(matches!(error, Error::LogCut { missing, .. } if missing.0 == 4), "{error}");
    for word in ["root/jobs/nightly/log", "root/jobs/nightly/tail"] {
        assert!(error.to_string().contains(word), "{error}");
    }
}

/// What is done to an entry's text.
type Edit = fn(String) -> String;

/// VERIFY reads the logs of jobs, and no job hides another.
#[tokio::test]
async fn a_damaged_log_is_found_and_hides_no_other_job() {
    let damages: [(u64, Edit, Damage); 4] = [
        (2, |text| text.replacen("\"written_ms\": 1", "\"written_ms\": 2", 1), Damage::Flipped),
        (4, |text| text[..text.len() / 2].to_owned(), Damage::Short),
        (4, |text| text.replacen("\"format\": 1", "\"format\": 9", 1), Damage::Newer),
        (0, |_| "{}".to_owned(), Damage::Short),
    ];
    for (slot, change, what) in damages {
        let faults = with_steps().await;
        let store = beside(&faults).await;
        let other = JobName::parse("other").unwrap();
        let StartOutcome::Driving(driver) = Driver::start(&store, &other, start()).await.unwrap() else {
            panic!()
        };
        recorded(driver.finish(RunOutcome::Done, None).await);
        let sound = store.verify(VerifyOptions::default()).await.unwrap();
        assert!(sound.is_sound() && (sound.checked.jobs, sound.checked.entries) == (2, 7), "{sound:?}");

        edit(&faults, slot, change).await;
        let report = store.verify(VerifyOptions::default()).await.unwrap();
        let [found] = &report.findings[..] else { panic!("{report:?}") };
        assert_eq!((found.what, found.object.as_str()), (what, job_entry(slot).as_ref()));
        assert!(!report.is_sound() && found.checkpoint.is_none());

        assert_eq!(store.jobs().await.unwrap(), [job(), other.clone()]);
        let told = store.job_histories().await.unwrap();
        assert_eq!(told.jobs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), [other]);
        let [(name, error)] = &told.unreadable[..] else { panic!("{:?}", told.unreadable) };
        assert!(*name == job() && error.to_string().contains(job_entry(slot).as_ref()), "{error}");
    }
}

#[tokio::test]
async fn verification_misses_what_a_job_log_has_lost() {
    for slots in [&[2][..], &[4], &[0, 1, 2, 3, 4]] {
        let faults = with_steps().await;
        for slot in slots {
            faults.inner().delete(&job_entry(*slot)).await.unwrap();
        }
        let report = beside(&faults).await.verify(VerifyOptions::default()).await.unwrap();
        let lost = slots.last().unwrap();
        let found =
            |found: &Finding| found.what == Damage::Missing && found.object == job_entry(*lost).as_ref();
        assert!(report.findings.iter().any(found), "{slots:?}: {report:?}");
    }
}

#[tokio::test]
async fn a_newer_format_is_named() {
    let faults = with_steps().await;
    edit(&faults, 4, |text| text.replacen("\"format\": 1", "\"format\": 9", 1)).await;
    let error = refused(&faults).await;
    assert!(matches!(error, Error::NewerFormat { found: 9, .. }), "{error}");
}

#[tokio::test]
async fn a_missing_entry_is_a_gap() {
    let faults = with_steps().await;
    faults.inner().delete(&job_entry(3)).await.unwrap();
    faults.inner().delete(&Path::from("root/jobs/nightly/tail")).await.unwrap();
    let error = refused(&faults).await;
    assert!(matches!(error, Error::LogGap { missing, .. } if missing.0 == 3), "{error}");
}

/// The entry of another job's log, whole but not of this chain.
#[tokio::test]
async fn a_moved_entry_is_noticed() {
    let faults = with_steps().await;
    let other = with_steps().await;
    let bytes = other.inner().get(&job_entry(2)).await.unwrap().bytes().await.unwrap();
    faults.inner().put(&job_entry(2), bytes.into()).await.unwrap();
    assert!(matches!(refused(&faults).await, Error::RunDamaged { .. }));
}

#[tokio::test]
async fn jobs_without_the_stores_identity_are_no_empty_store() {
    let faults = with_steps().await;
    faults.inner().delete(&Path::from("root/milepost.json")).await.unwrap();
    let store = beside(&faults).await;
    let error = store.open_job(&job()).await.unwrap_err();
    assert!(matches!(error, Error::MissingIdentity { .. }), "{error}");
    let error = store.jobs().await.unwrap_err();
    assert!(matches!(error, Error::MissingIdentity { .. }), "{error}");
    let report = store.verify(VerifyOptions::default()).await.unwrap();
    let found: Vec<_> = report.findings.iter().map(|finding| finding.object.as_str()).collect();
    assert_eq!(found, ["root/milepost.json"]);
    let error = store.begin(&name(), spec(signature("a"))).await.unwrap_err();
    assert!(matches!(error, Error::MissingIdentity { .. }), "{error}");
}

/// A whole job: what was told to be recorded.
async fn run_job(store: &Store) -> Result<Vec<u64>, (Vec<u64>, Error)> {
    let mut told = vec![];
    let mut drive = async || {
        let driver = match Driver::start(store, &job(), taking_over()).await? {
            milepost_store::StartOutcome::Driving(driver) => driver,
            other => panic!("{other:?}"),
        };
        let known: Vec<u64> = driver.finished_steps().iter().map(|finished| finished.step.index).collect();
        told.extend(&known);
        for index in (0..3).filter(|index| !known.contains(index)) {
            if index == 1 {
                let _ = driver.step_begin(sink(1)).await?;
            }
            let _ = driver.step(step(index)).await?;
            told.push(index);
        }
        let _ = driver.finish(RunOutcome::Done, None).await?;
        Ok::<_, Error>(())
    };
    match drive().await {
        Ok(()) => Ok(told),
        Err(error) => Err((told, error)),
    }
}

/// The driver stops before or after each of its writes; another process goes on.
async fn stopped_after(writes: usize, lose_last: bool) -> bool {
    let faults = FaultStore::new(Arc::new(InMemory::new()));
    let store = on(&faults).await;
    faults.stop_after(writes, lose_last);
    let told = run_job(&store).await;
    faults.heal();
    let case = format!("stopped after {writes} writes, last reply lost: {lose_last}");

    let next = beside(&faults).await;
    let before = next.open_job(&job()).await.unwrap();
    if let Some(before) = &before {
        let there: Vec<u64> = before.run.steps.iter().map(|finished| finished.step.index).collect();
        let claimed = told.as_ref().unwrap_or_else(|(told, _)| told);
        assert!(claimed.iter().all(|index| there.contains(index)), "{case}: a step was reported and is lost");
    }
    assert_eq!(run_job(&next).await.map_err(|(_, error)| error).unwrap(), [0, 1, 2], "{case}");
    let runs = next.job_history(&job()).await.unwrap();
    let was_done = before.is_some_and(|before| before.state.status == RunStatus::Done);
    assert_eq!(
        runs.len(),
        if was_done { 2 } else { 1 },
        "{case}: an unfinished run went on, a finished one did not"
    );
    assert!(told.is_err() || was_done, "{case}: an end was reported and is lost");
    for run in &runs {
        assert_eq!((run.status, run.steps.len(), run.begun.len()), (RunStatus::Done, 3, 0), "{case}");
    }
    told.is_ok()
}

#[tokio::test]
async fn at_every_write_of_a_job() {
    let (store, faults) = faulty().await;
    assert_eq!(run_job(&store).await.map_err(|(_, error)| error).unwrap(), [0, 1, 2]);
    let writes = faults.calls().iter().filter(|call| call.operation.writes()).count();
    assert!(writes > 12, "{writes} writes");
    let cases = (0..=writes).flat_map(|n| [(n, false), (n, true)]);
    let whole = futures::future::join_all(cases.map(|(n, lose)| stopped_after(n, lose))).await;
    assert!(whole.iter().any(|whole| *whole) && whole.iter().any(|whole| !*whole));
}
