//! Jobs: what a run is, what is recorded of it, and what the next start finds.

use std::time::Duration;

use milepost_store::{BegunStep, Driver, Epoch, Error, RunOutcome, RunStatus, StartOptions, StepKind};
use milepost_testkit::Operation;

use crate::job_support::*;
use crate::support::*;

#[tokio::test]
async fn a_run_that_came_to_its_end_is_followed_by_a_new_one() {
    let (_, faults) = faulty().await;
    let (store, clock) = timed(&faults).await;
    let first = drive(&store).await;
    assert!(!first.resumed());
    assert_eq!((first.epoch(), first.now_ms()), (Epoch(1), clock.now_ms()));
    recorded(first.step(step(0)).await);
    recorded(first.finish(RunOutcome::Done, None).await);
    clock.pass(Duration::from_secs(3600));
    let second = drive(&store).await;
    assert!(!second.resumed());
    assert_ne!(second.run(), first.run());
    assert_eq!((second.epoch(), second.now_ms()), (Epoch(2), clock.now_ms()));
    assert_eq!(second.finished_steps(), []);
}

/// The process dies between two steps. On its own host that is known at once.
#[tokio::test]
async fn an_unfinished_run_goes_on_under_its_id_and_its_now() {
    let root = tempfile::tempdir().unwrap();
    let first = drive(&on_disk(root.path()).await).await;
    for index in 0..3 {
        recorded(first.step(step(index)).await);
    }
    let (run, now_ms) = (first.run(), first.now_ms());
    drop(first);
    let second = drive(&on_disk(root.path()).await).await;
    assert!(second.resumed());
    assert_eq!((second.run(), second.now_ms(), second.epoch()), (run, now_ms, Epoch(2)));
    let finished: Vec<_> = second.finished_steps().iter().map(|finished| finished.step.clone()).collect();
    assert_eq!(finished, [step(0), step(1), step(2)]);
    assert!(second.finished_steps().iter().all(|finished| finished.epoch == Epoch(1)));
}

#[tokio::test]
async fn a_failed_run_goes_on_without_waiting_for_anyone() {
    let (store, _) = faulty().await;
    let first = drive(&store).await;
    recorded(first.step(step(0)).await);
    recorded(first.finish(RunOutcome::Failed, Some("division by zero in step 1".to_owned())).await);
    let second = drive(&store).await;
    assert_eq!((second.run(), second.epoch()), (first.run(), Epoch(2)));
    assert_eq!(second.finished_steps().len(), 1);
}

#[tokio::test]
async fn a_restart_gives_an_unfinished_run_up() {
    let (store, _) = faulty().await;
    let first = drive(&store).await;
    recorded(first.step(step(0)).await);
    recorded(first.finish(RunOutcome::Failed, None).await);
    let mut options = start();
    options.restart = true;
    let second = driving(start_with(&store, options).await);
    assert_ne!(second.run(), first.run());
    assert!(!second.resumed() && second.finished_steps().is_empty());
}

/// A COPY is cut off in the middle: whoever goes on must know that it may have written something.
#[tokio::test]
async fn a_sink_that_was_cut_off_is_known() {
    let (store, _) = faulty().await;
    let begun = BegunStep { index: 1, identity: identity(1), kind: StepKind::Sink };
    let first = drive(&store).await;
    recorded(first.step(step(0)).await);
    recorded(first.step_begin(begun.clone()).await);
    recorded(first.finish(RunOutcome::Failed, None).await);
    let second = drive(&store).await;
    assert_eq!(second.interrupted(), Some(&begun));
    assert_eq!(store.open_job(&job()).await.unwrap().unwrap().state.begun, Some(begun));
    recorded(second.step(step(1)).await);
    recorded(second.finish(RunOutcome::Failed, None).await);
    assert_eq!(drive(&store).await.interrupted(), None, "it is finished now");
}

/// Others begin after it, the script is edited, the run is given up: what it has written is written all the same.
#[tokio::test]
async fn a_sink_that_was_cut_off_is_known_until_it_is_finished() {
    let (store, _) = faulty().await;
    let sink = |index| BegunStep { index, identity: identity(index), kind: StepKind::Sink };
    let drive_on = async |restart| driving(start_with(&store, StartOptions { restart, ..start() }).await);
    let begin = async |driver: &Driver, steps: Vec<BegunStep>| {
        for step in steps {
            recorded(driver.step_begin(step).await);
        }
        recorded(driver.finish(RunOutcome::Failed, None).await);
    };
    let query = BegunStep { kind: StepKind::Query, ..sink(0) };
    begin(&drive_on(false).await, vec![sink(1)]).await;
    begin(&drive_on(false).await, vec![query.clone(), sink(2), sink(1)]).await;
    let edits = drive_on(false).await;
    assert_eq!(edits.open_sinks(), [sink(1), sink(2)]);
    recorded(edits.edited(0).await);
    begin(&edits, vec![query]).await;
    let restarts = drive_on(true).await;
    assert!(!restarts.resumed());
    assert_eq!(restarts.open_sinks(), [sink(1), sink(2)]);
    recorded(restarts.step(step(1)).await);
    begin(&restarts, vec![]).await;
    let last = drive_on(false).await;
    assert_eq!(last.open_sinks(), [sink(2)]);
    recorded(last.finish(RunOutcome::Done, None).await);
    assert_eq!(drive_on(false).await.open_sinks(), [], "a run came to its end since");
}

/// A step's checkpoint was dropped, and the step ran again.
#[tokio::test]
async fn a_step_counts_as_it_was_done_last() {
    let (store, _) = faulty().await;
    let driver = drive(&store).await;
    recorded(driver.step(step(0)).await);
    recorded(driver.step(step(1)).await);
    let mut again = step(0);
    again.rows = Some(77);
    recorded(driver.step(again.clone()).await);
    let job = store.open_job(&job()).await.unwrap().unwrap();
    assert_eq!(job.run.steps.into_iter().map(|finished| finished.step).collect::<Vec<_>>(), [again, step(1)]);
}

#[tokio::test]
async fn nothing_follows_the_end_of_a_turn() {
    let (store, faults) = faulty().await;
    let driver = drive(&store).await;
    recorded(driver.finish(RunOutcome::Done, None).await);
    faults.forget_calls();
    assert!(matches!(driver.step(step(0)).await, Err(Error::Invariant { .. })));
    assert!(matches!(driver.finish(RunOutcome::Failed, None).await, Err(Error::Invariant { .. })));
    assert_eq!(faults.count(Operation::Put, "/log/"), 0);
}

#[tokio::test]
async fn the_newest_entry_tells_where_a_job_stands() {
    let (store, faults) = faulty().await;
    assert_eq!(store.open_job(&job()).await.unwrap(), None);
    let driver = drive(&store).await;
    for index in 0..5 {
        recorded(driver.step(step(index)).await);
    }
    let reader = on(&faults).await;
    let job = reader.open_job(&job()).await.unwrap().unwrap();
    assert_eq!((job.state.run, job.state.epoch), (driver.run(), driver.epoch()));
    assert_eq!((job.state.status, job.state.last_step), (RunStatus::Running, Some(4)));
    assert_eq!(job.state.owner.run, driver.run().to_string());
    assert_eq!(job.run.steps.len(), 5);
    recorded(driver.finish(RunOutcome::Done, None).await);
    assert_eq!(reader.open_job(&job.name).await.unwrap().unwrap().state.status, RunStatus::Done);
}

#[tokio::test]
async fn a_history_tells_runs_drivers_and_steps() {
    let (store, _) = faulty().await;
    assert_eq!(store.jobs().await.unwrap(), []);
    let first = drive(&store).await;
    recorded(first.step(step(0)).await);
    recorded(first.finish(RunOutcome::Failed, Some("no such table".to_owned())).await);
    let failed = store.job_history(&job()).await.unwrap();
    assert_eq!((failed[0].status, failed[0].error.as_deref()), (RunStatus::Failed, Some("no such table")));
    let second = drive(&store).await;
    recorded(second.step(step(1)).await);
    recorded(second.finish(RunOutcome::Done, None).await);
    let third = drive(&store).await;
    let runs = store.job_history(&job()).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.run).collect::<Vec<_>>(), [first.run(), third.run()]);
    let epochs: Vec<_> = runs[0].drivers.iter().map(|driver| driver.epoch).collect();
    assert_eq!(epochs, [Epoch(1), Epoch(2)]);
    let steps: Vec<_> = runs[0].steps.iter().map(|step| (step.step.index, step.epoch)).collect();
    assert_eq!(steps, [(0, Epoch(1)), (1, Epoch(2))]);
    assert_eq!((runs[0].status, runs[0].error.as_ref()), (RunStatus::Done, None), "the error was overcome");
    assert_eq!((runs[1].status, runs[1].ended_ms), (RunStatus::Running, None));
    assert_eq!(store.jobs().await.unwrap(), [job()]);
}

/// Recovery reads what is finished many entries at a time, and each one once.
#[tokio::test]
async fn a_thousand_finished_steps_are_read_once() {
    let (store, faults) = faulty().await;
    let driver = drive(&store).await;
    for index in 0..1_000 {
        recorded(driver.step(step(index)).await);
    }
    recorded(driver.finish(RunOutcome::Failed, None).await);
    faults.forget_calls();
    let next = drive(&store).await;
    assert_eq!(next.finished_steps().len(), 1_000);
    let reads = faults.count(Operation::Get, "/log/");
    assert!((1_002..1_010).contains(&reads), "{reads} reads of 1,002 entries");
}

/// Every process that died leaves some behind; the next driver clears them away.
#[tokio::test]
async fn only_drivers_with_signs_of_life_leave_files_beside_the_log() {
    let root = tempfile::tempdir().unwrap();
    let store = on_disk(root.path()).await;
    for _ in 0..3 {
        drop(drive(&store).await);
    }
    let last = drive(&store).await;
    let signs = || signs_of_life(root.path());
    assert_eq!(signs(), [format!("heartbeat-{}", last.id()), format!("lock-{}", last.id())]);
    recorded(last.finish(RunOutcome::Done, None).await);
    assert_eq!(signs(), [] as [String; 0]);
}
