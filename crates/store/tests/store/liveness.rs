//! Is the other writer still alive?

use std::io::{BufRead, BufReader};
use std::path::Path as FilePath;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use milepost_store::{
    Attempt, AttemptSpec, AttemptWatch, Death, Ending, Life, Owner, SILENCE, Store, Version,
};
use milepost_testkit::{Fault, Operation, Rule};

use crate::support::*;

const SECOND: Duration = Duration::from_secs(1);

fn me(host: &str) -> Owner {
    Owner { host: host.to_owned(), pid: 99, run: "mine".to_owned() }
}

async fn watch(store: &Store, attempt: &Attempt, host: &str) -> AttemptWatch {
    let record = store.attempt_record(&name(), attempt.id()).await.unwrap().unwrap();
    AttemptWatch::new(store, record, &me(host))
}

fn silent() -> Life {
    Life::Dead { why: Death::Silent(SILENCE) }
}

#[tokio::test]
async fn an_owner_is_alive_until_its_heartbeat_stands_still() {
    let (writer, faults) = faulty().await;
    let (store, clock) = timed(&faults).await;
    let attempt = writer.begin(&name(), spec(signature("a"))).await.unwrap();
    let mut watch = watch(&store, &attempt, "host").await;
    for _ in 0..5 {
        attempt.heartbeat().await.unwrap();
        assert_eq!(watch.look().await.unwrap(), Life::Alive { quiet: Duration::ZERO });
        clock.pass(SILENCE - SECOND);
        assert_eq!(watch.look().await.unwrap(), Life::Alive { quiet: SILENCE - SECOND });
    }
    clock.pass(SECOND);
    assert_eq!(watch.look().await.unwrap(), silent());
    // It was only slow. Nothing that is right depended on its death.
    attempt.heartbeat().await.unwrap();
    assert_eq!(watch.look().await.unwrap(), Life::Alive { quiet: Duration::ZERO });
}

/// An owner that stops before its first heartbeat.
#[tokio::test]
async fn silence_counts_from_the_first_look() {
    let (writer, faults) = faulty().await;
    let (store, clock) = timed(&faults).await;
    let attempt = writer.begin(&name(), spec(signature("a"))).await.unwrap();
    clock.pass(SILENCE * 10);
    let mut watch = watch(&store, &attempt, "host").await;
    assert_eq!(watch.look().await.unwrap(), Life::Alive { quiet: Duration::ZERO });
    clock.pass(SILENCE);
    assert_eq!(watch.look().await.unwrap(), silent());
}

/// Time is set on either host, by hours and back.
#[tokio::test]
async fn no_wall_clock_says_who_is_dead() {
    let (writer, faults) = faulty().await;
    let (store, clock) = timed(&faults).await;
    let attempt = writer.begin(&name(), spec(signature("a"))).await.unwrap();
    let mut watch = watch(&store, &attempt, "host").await;
    for ms in [7_200_000, -14_400_000] {
        clock.advance(ms);
        assert_eq!(watch.look().await.unwrap(), Life::Alive { quiet: Duration::ZERO });
    }
    clock.pass(SILENCE);
    clock.advance(-7_200_000);
    assert_eq!(watch.look().await.unwrap(), silent());
}

#[tokio::test]
async fn a_look_that_fails_is_no_sign_of_anything() {
    let (writer, faults) = faulty().await;
    let (store, clock) = timed(&faults).await;
    let attempt = writer.begin(&name(), spec(signature("a"))).await.unwrap();
    attempt.heartbeat().await.unwrap();
    let mut watch = watch(&store, &attempt, "host").await;
    let _ = watch.look().await.unwrap();
    clock.pass(SILENCE - SECOND);
    faults.add(Rule::on(Operation::Get, Fault::Refuse).path("heartbeat").times(1));
    assert!(watch.look().await.is_err());
    assert_eq!(watch.look().await.unwrap(), Life::Alive { quiet: SILENCE - SECOND });
}

#[tokio::test]
async fn what_the_log_ends_is_neither_alive_nor_dead() {
    let (store, _) = faulty().await;
    let (committed, manifest) = staged(&store, "a", &[1]).await.unwrap();
    let abandoned = store.begin(&name(), spec(signature("b"))).await.unwrap();
    let dropped = store.begin(&name(), spec(signature("c"))).await.unwrap();
    let mut watches = vec![];
    for attempt in [&committed, &abandoned, &dropped] {
        let mut watch = watch(&store, attempt, "host").await;
        assert!(matches!(watch.look().await.unwrap(), Life::Alive { .. }));
        watches.push(watch);
    }
    let _ = committed.commit(draft(manifest), &Unchanged).await.unwrap();
    assert!(
        matches!(watches[2].look().await.unwrap(), Life::Alive { .. }),
        "a commit ends its own attempt only"
    );
    abandoned.abandon().await.unwrap();
    let _ = store.drop_checkpoint(&name()).await.unwrap();
    let endings = [Ending::Committed(Version(1)), Ending::Closed, Ending::Closed];
    for (watch, ending) in watches.iter_mut().zip(endings) {
        for _ in 0..2 {
            assert_eq!(
                watch.look().await.unwrap(),
                Life::Ended(ending),
                "{:?}",
                watch.record().spec.signature
            );
        }
    }
}

#[tokio::test]
async fn progress_is_the_receipts_of_the_other() {
    let (writer, faults) = faulty().await;
    let mut spec = spec(signature("a"));
    spec.unit_plan.units = (0..4).map(|unit| serde_json::json!({ "unit": unit })).collect();
    let attempt = writer.begin(&name(), spec).await.unwrap();
    let watch = watch(&beside(&faults).await, &attempt, "host").await;
    assert_eq!(watch.progress().await.unwrap(), (0, 4));
    write_unit(&attempt, 2, &[1]).await.unwrap();
    write_unit(&attempt, 0, &[1]).await.unwrap();
    write_file(&attempt, 1, &[1]).await.unwrap();
    assert_eq!(watch.progress().await.unwrap(), (2, 4));
}

async fn on_disk(root: &FilePath) -> Store {
    Store::open(root.to_str().unwrap(), options()).await.unwrap()
}

#[tokio::test]
async fn on_this_host_a_dead_owner_is_known_at_once() {
    let root = tempfile::tempdir().unwrap();
    let attempt = on_disk(root.path()).await.begin(&name(), spec(signature("a"))).await.unwrap();
    let attempt = Arc::new(attempt);
    let store = on_disk(root.path()).await;
    let (mut here, mut elsewhere) =
        (watch(&store, &attempt, "host").await, watch(&store, &attempt, "other").await);
    // Neither looks, nor the end of one user of the attempt, free the lock.
    for _ in 0..3 {
        drop(Arc::clone(&attempt));
        drop(attempt.store().clone());
        assert!(matches!(here.look().await.unwrap(), Life::Alive { .. }));
    }
    drop(attempt);
    assert_eq!(here.look().await.unwrap(), Life::Dead { why: Death::LockFree });
    assert!(
        matches!(elsewhere.look().await.unwrap(), Life::Alive { .. }),
        "a lock tells nothing to another host"
    );
}

/// A process that is stopped holds its lock. Its units can be adopted all the same.
#[tokio::test]
async fn a_held_lock_does_not_outlast_silence() {
    let root = tempfile::tempdir().unwrap();
    let clock = clock();
    let options = milepost_store::StoreOptions { clock: Arc::new(clock.clone()), ..options() };
    let store = Store::open(root.path().to_str().unwrap(), options).await.unwrap();
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let mut watch = watch(&store, &attempt, "host").await;
    let _ = watch.look().await.unwrap();
    clock.pass(SILENCE);
    assert_eq!(watch.look().await.unwrap(), silent());
}

/// A disk without locks, or a lock file that somebody removed: silence decides.
#[tokio::test]
async fn without_a_lock_file_nobody_is_dead_at_once() {
    let root = tempfile::tempdir().unwrap();
    let store = on_disk(root.path()).await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let mut watch = watch(&store, &attempt, "host").await;
    let directory = root.path().join(format!("checkpoints/trips/attempts/{}", attempt.id()));
    std::fs::remove_file(directory.join("lock")).unwrap();
    drop(attempt);
    assert!(matches!(watch.look().await.unwrap(), Life::Alive { .. }));
}

#[tokio::test]
async fn the_lock_is_an_object_of_the_attempt_and_only_on_disk() {
    let root = tempfile::tempdir().unwrap();
    let store = on_disk(root.path()).await;
    let attempt = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let directory = format!("checkpoints/trips/attempts/{}", attempt.id());
    let found = objects(store.object_store().as_ref(), &directory).await;
    assert_eq!(found, [format!("{directory}/attempt.json"), format!("{directory}/lock")]);
    let (memory, _) = faulty().await;
    let _attempt = memory.begin(&name(), spec(signature("a"))).await.unwrap();
    let found = objects(memory.object_store().as_ref(), "root/checkpoints/trips/attempts").await;
    assert!(found.iter().all(|path| !path.ends_with("/lock")), "{found:?}");
}

const ROOT: &str = "MILEPOST_TEST_ROOT";

/// The other process of the test below.
#[tokio::test]
#[ignore = "run by a_killed_process_leaves_its_lock_free, in a process of its own"]
async fn owner_that_will_be_killed() {
    let store = on_disk(FilePath::new(&std::env::var(ROOT).unwrap())).await;
    let spec = AttemptSpec { owner: Owner::here("child"), ..spec(signature("a")) };
    let _attempt = store.begin(&name(), spec).await.unwrap();
    println!("begun");
    tokio::time::sleep(Duration::from_secs(600)).await;
}

#[tokio::test]
async fn a_killed_process_leaves_its_lock_free() {
    let root = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "liveness::owner_that_will_be_killed", "--ignored", "--nocapture"])
        .env(ROOT, root.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("begun")), "the child begins an attempt");
    let store = on_disk(root.path()).await;
    let records = store.open_attempts(&name()).await.unwrap();
    let mut watch = AttemptWatch::new(&store, records[0].clone(), &Owner::here("parent"));
    let alive = watch.look().await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(alive, Life::Alive { .. }), "{alive:?}");
    assert_eq!(watch.look().await.unwrap(), Life::Dead { why: Death::LockFree });
}
