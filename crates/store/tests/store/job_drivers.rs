//! Two drivers for one job: one has it, whichever woke up late.

use std::io::{BufRead, BufReader};
use std::path::Path as FilePath;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use milepost_store::{
    Driver, Epoch, Owner, RunOutcome, SILENCE, Sign, StartOptions, StartOutcome, Store, StoreOptions,
};
use milepost_testkit::{Fault, FaultStore, Operation, Rule};
use object_store::ObjectStoreExt;
use tokio::task::JoinHandle;

use crate::job_support::*;
use crate::support::*;

const MILLISECOND: Duration = Duration::from_millis(1);

/// The result of a task that must end by itself.
async fn end_of<T>(task: JoinHandle<T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), task).await.unwrap().unwrap()
}

/// Waits until a start that runs beside has looked at the heartbeat again.
async fn looked(faults: &FaultStore) {
    let before = faults.count(Operation::Get, "heartbeat-");
    for _ in 0..20_000 {
        if faults.count(Operation::Get, "heartbeat-") >= before + 2 {
            return;
        }
        tokio::time::sleep(MILLISECOND).await;
    }
    panic!("nobody looks at the heartbeat");
}

/// Waits until an entry is on its way.
async fn sent(faults: &FaultStore) {
    for _ in 0..20_000 {
        if faults.count(Operation::Put, "/log/") > 0 {
            return;
        }
        tokio::time::sleep(MILLISECOND).await;
    }
    panic!("nobody appends");
}

#[tokio::test]
async fn a_lock_on_this_host_shows_a_living_driver_at_once() {
    let root = tempfile::tempdir().unwrap();
    let first = drive(&on_disk(root.path()).await).await;
    let (by, sign) = held(start_with(&on_disk(root.path()).await, start()).await);
    assert_eq!((by.driver, by.epoch, by.run, sign), (first.id(), first.epoch(), first.run(), Sign::Lock));
    recorded(first.step(step(0)).await);
    drop(first);
    assert_eq!(drive(&on_disk(root.path()).await).await.epoch(), Epoch(2));
}

#[tokio::test]
async fn elsewhere_a_heartbeat_shows_it() {
    let (store, faults) = faulty().await;
    let first = drive(&store).await;
    let other = on(&faults).await;
    let second = tokio::spawn(async move { held(start_with(&other, start()).await) });
    looked(&faults).await;
    first.heartbeat().await.unwrap();
    let (by, sign) = end_of(second).await;
    assert_eq!((by.driver, sign), (first.id(), Sign::Heartbeat));
    recorded(first.step(step(0)).await);
}

#[tokio::test]
async fn an_entry_shows_it_as_well() {
    let (store, faults) = faulty().await;
    let first = drive(&store).await;
    let other = on(&faults).await;
    let second = tokio::spawn(async move { held(start_with(&other, start()).await) });
    looked(&faults).await;
    recorded(first.step(step(0)).await);
    assert_eq!(end_of(second).await.1, Sign::Entry);
}

#[tokio::test]
async fn a_heartbeat_that_stands_still_is_taken_over_and_not_before() {
    let (store, faults) = faulty().await;
    let first = drive(&store).await;
    recorded(first.step(step(0)).await);
    let (other, clock) = timed(&faults).await;
    let second = tokio::spawn(async move { drive(&other).await });
    looked(&faults).await;
    clock.pass(SILENCE - MILLISECOND);
    clock.advance(86_400_000); // a wall clock that is set decides nothing
    looked(&faults).await;
    assert!(!second.is_finished());
    clock.pass(MILLISECOND);
    let second = end_of(second).await;
    assert_eq!((second.run(), second.epoch(), second.finished_steps().len()), (first.run(), Epoch(2), 1));
    fenced(first.step(step(1)).await, &second);
}

/// As at the end of a turn, or by the next driver's tidying.
#[tokio::test]
async fn a_heartbeat_that_is_removed_shows_no_life() {
    let (store, faults) = faulty().await;
    let first = drive(&store).await;
    let (other, clock) = timed(&faults).await;
    let second = tokio::spawn(async move { drive(&other).await });
    looked(&faults).await;
    faults.inner().delete(&format!("root/jobs/nightly/heartbeat-{}", first.id()).into()).await.unwrap();
    looked(&faults).await;
    clock.pass(SILENCE);
    assert_eq!(end_of(second).await.epoch(), Epoch(2));
}

/// It finishes while another one waits to see whether it is dead.
#[tokio::test]
async fn a_driver_that_ends_meanwhile_leaves_the_job_free() {
    let (store, faults) = faulty().await;
    let first = drive(&store).await;
    let other = on(&faults).await;
    let second = tokio::spawn(async move { drive(&other).await });
    looked(&faults).await;
    recorded(first.finish(RunOutcome::Done, None).await);
    assert!(!end_of(second).await.resumed());
}

#[tokio::test]
async fn a_fenced_driver_can_never_write_again() {
    let (store, faults) = faulty().await;
    let old = drive(&store).await;
    recorded(old.step(step(0)).await);
    let new = driving(start_with(&on(&faults).await, taking_over()).await);
    for _ in 0..2 {
        fenced(old.step(step(1)).await, &new);
    }
    recorded(new.step(step(1)).await);
    fenced(old.step(step(2)).await, &new);
    fenced(old.finish(RunOutcome::Done, None).await, &new);
    recorded(new.finish(RunOutcome::Failed, None).await);
    assert_eq!(finished(&store).await, [0, 1]);
    let runs = store.job_history(&job()).await.unwrap();
    assert_eq!(runs[0].steps.iter().map(|step| step.epoch).collect::<Vec<_>>(), [Epoch(1), Epoch(2)]);
}

/// The other order: the old driver writes between the look of the new one and its takeover.
#[tokio::test]
async fn what_the_old_driver_wrote_before_the_takeover_counts() {
    let (store, faults) = faulty().await;
    let old = drive(&beside(&faults).await).await;
    faults.add(Rule::on(Operation::Put, Fault::Delay(Duration::from_millis(100))).path("/log/").times(1));
    faults.forget_calls();
    let taking = tokio::spawn(async move { driving(start_with(&store, taking_over()).await) });
    sent(&faults).await;
    recorded(old.step(step(0)).await);
    let new = end_of(taking).await;
    assert_eq!(new.finished_steps().len(), 1);
    fenced(old.step(step(1)).await, &new);
    recorded(new.step(step(1)).await);
}

/// The same, but nobody asked for a takeover: a silent driver that writes after all is alive.
#[tokio::test]
async fn a_silent_driver_that_writes_after_all_keeps_the_job() {
    let (_, faults) = faulty().await;
    let old = drive(&beside(&faults).await).await;
    let (store, clock) = timed(&faults).await;
    faults.add(Rule::on(Operation::Put, Fault::Delay(Duration::from_millis(100))).path("/log/").times(1));
    let starting = tokio::spawn(async move { held(start_with(&store, start()).await) });
    looked(&faults).await;
    clock.pass(SILENCE);
    sent(&faults).await;
    recorded(old.step(step(0)).await);
    let (by, sign) = end_of(starting).await;
    assert_eq!((by.driver, sign), (old.id(), Sign::Entry));
    recorded(old.step(step(1)).await);
}

/// Whoever drives gives signs of life until all others have heard of it.
async fn exactly_one_starts(stores: Vec<Store>, options: StartOptions) {
    let all = stores.len();
    let refused = Arc::new(AtomicUsize::new(0));
    let mut tasks = vec![];
    for store in stores {
        let (refused, options) = (Arc::clone(&refused), options.clone());
        tasks.push(tokio::spawn(async move {
            let driver = match start_with(&store, options).await {
                StartOutcome::Driving(driver) => driver,
                StartOutcome::Held { by, .. } => {
                    refused.fetch_add(1, Ordering::SeqCst);
                    return Err(by.driver);
                }
            };
            while refused.load(Ordering::SeqCst) < all - 1 {
                driver.heartbeat().await.unwrap();
                tokio::time::sleep(MILLISECOND).await;
            }
            recorded(driver.step(step(0)).await);
            Ok(driver.id())
        }));
    }
    let (mut drives, mut told) = (vec![], vec![]);
    for task in tasks {
        match end_of(task).await {
            Ok(driver) => drives.push(driver),
            Err(holder) => told.push(holder),
        }
    }
    assert_eq!(drives.len(), 1);
    assert!(told.iter().all(|holder| *holder == drives[0]), "all others name the one that drives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_start_at_once_exactly_one_drives() {
    let (_, faults) = faulty().await;
    let root = tempfile::tempdir().unwrap();
    let (mut in_memory, mut on_one_disk) = (vec![], vec![]);
    for _ in 0..6 {
        in_memory.push(on(&faults).await);
        on_one_disk.push(on_disk(root.path()).await);
    }
    exactly_one_starts(in_memory, start()).await;
    exactly_one_starts(on_one_disk, start()).await;
}

/// All have looked before the first one writes.
#[tokio::test]
async fn of_many_that_take_over_at_once_exactly_one_drives() {
    let (store, faults) = faulty().await;
    let old = drive(&store).await;
    let mut stores = vec![];
    for _ in 0..4 {
        let store = on(&faults).await;
        store.prepare_write().await.unwrap();
        stores.push(store);
    }
    faults.add(Rule::on(Operation::Put, Fault::Delay(Duration::from_millis(100))).path("/log/").times(4));
    exactly_one_starts(stores, taking_over()).await;
    assert!(matches!(old.step(step(0)).await.unwrap(), milepost_store::DriveOutcome::Fenced(_)));
}

/// A stopped driver was taken over; it still holds its lock, and later it wakes up and beats again.
#[tokio::test]
async fn the_signs_of_a_fenced_driver_are_not_those_of_its_successor() {
    let root = tempfile::tempdir().unwrap();
    let clock = clock();
    let options = StoreOptions { clock: Arc::new(clock.clone()), ..options() };
    let watching = Store::open(root.path().to_str().unwrap(), options).await.unwrap();
    let old = drive(&on_disk(root.path()).await).await;
    let new = driving(start_with(&on_disk(root.path()).await, taking_over()).await);
    let (by, sign) = held(start_with(&watching, start()).await);
    assert_eq!((by.driver, sign), (new.id(), Sign::Lock), "the successor lives");
    old.heartbeat().await.unwrap();
    drop(new);
    // From this host its free lock shows that the successor is dead, from another one its silence does.
    let elsewhere = Owner { host: "other".to_owned(), pid: 1, run: String::new() };
    let options = StartOptions { owner: elsewhere, ..start() };
    let waiting = tokio::spawn(async move { driving(start_with(&watching, options).await) });
    for _ in 0..10 {
        old.heartbeat().await.unwrap();
        tokio::time::sleep(MILLISECOND * 5).await;
    }
    assert!(!waiting.is_finished());
    clock.pass(SILENCE);
    let third = end_of(waiting).await;
    assert_eq!(third.epoch(), Epoch(3));
    assert!(matches!(old.step(step(0)).await.unwrap(), milepost_store::DriveOutcome::Fenced(_)));
}

const ROOT: &str = "MILEPOST_TEST_ROOT";

/// The other process of the test below.
#[tokio::test]
#[ignore = "run by a_killed_driver_is_taken_over_at_once, in a process of its own"]
async fn driver_that_will_be_killed() {
    let store = on_disk(FilePath::new(&std::env::var(ROOT).unwrap())).await;
    let driver: Driver = drive(&store).await;
    recorded(driver.step(step(0)).await);
    println!("begun");
    tokio::time::sleep(Duration::from_secs(600)).await;
}

#[tokio::test]
async fn a_killed_driver_is_taken_over_at_once() {
    let root = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "job_drivers::driver_that_will_be_killed", "--ignored", "--nocapture"])
        .env(ROOT, root.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("begun")), "the child drives");
    let store = on_disk(root.path()).await;
    let while_it_lives = start_with(&store, start()).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(held(while_it_lives).1, Sign::Lock);
    assert_eq!(drive(&store).await.finished_steps().len(), 1);
}
