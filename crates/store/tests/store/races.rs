//! Many writers at once: what wins is one order that all agree on.

use std::collections::BTreeSet;

use milepost_store::{CommitOutcome, Durability, Error, Origin, Store, StoreOptions, Version};

use crate::support::*;

const WRITERS: usize = 5;
const COMMITS: usize = 6;

async fn open_all(url: &str) -> Vec<Store> {
    let mut stores = vec![];
    for _ in 0..WRITERS {
        stores.push(Store::open(url, options()).await.unwrap());
    }
    stores
}

/// Five writers, each with its own store handle, commit different results to one checkpoint.
async fn writers_agree(stores: Vec<Store>) {
    let reader = stores[0].clone();
    let mut tasks = vec![];
    for (writer, store) in stores.into_iter().enumerate() {
        tasks.push(tokio::spawn(async move {
            let mut versions = vec![];
            for round in 0..COMMITS {
                let id = i64::try_from(writer * 100 + round).unwrap();
                versions.push(commit(&store, &format!("{writer} {round}"), &[id]).await);
            }
            versions
        }));
    }
    let mut committed = vec![];
    for task in tasks {
        let mine = task.await.unwrap();
        assert!(
            mine.is_sorted_by(|a, b| a.version < b.version),
            "a writer's later commit has a later version"
        );
        committed.extend(mine);
    }
    let all: BTreeSet<u64> = committed.iter().map(|snapshot| snapshot.version.0).collect();
    assert_eq!(all, (1..=(WRITERS * COMMITS) as u64).collect(), "every version is given once");
    assert_eq!(versions(&reader).await, all.iter().copied().collect::<Vec<_>>());
    assert_eq!(reader.history(&name()).await.unwrap().len(), WRITERS * COMMITS);
    for snapshot in committed {
        let stored = reader.snapshot(&name(), snapshot.version).await.unwrap().unwrap();
        assert_eq!(stored, snapshot, "what the writer was told is what a reader sees");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_writers_in_memory() {
    writers_agree(open_all("memory://races/five").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_writers_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let url = directory.path().join("store");
    writers_agree(open_all(url.to_str().unwrap()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_writers_beside_random_faults() {
    let (first, faults) = faulty().await;
    commit(&first, "first", &[0]).await;
    faults.fail_at_random(7, 0.05);
    let mut tasks = vec![];
    for writer in 0..WRITERS {
        let store = first.clone();
        tasks.push(tokio::spawn(async move {
            let mut told = vec![];
            for round in 0..10 {
                let outcome = try_commit(&store, &format!("{writer} {round}"), &[1]).await;
                told.push((format!("{writer} {round}"), outcome));
            }
            told
        }));
    }
    let mut told = vec![];
    for task in tasks {
        told.extend(task.await.unwrap());
    }
    faults.heal();
    let store = beside(&faults).await;
    let live = store.live(&name()).await.unwrap();
    for (text, outcome) in &told {
        let there = live.iter().filter(|live| live.signature == signature(text)).count();
        match outcome {
            Ok(CommitOutcome::Committed(_)) => assert_eq!(there, 1, "{text} was said to be committed"),
            Ok(other) => panic!("{text} ended as {other:?}"),
            // Whoever hears of a failure may still have committed, but never twice.
            Err(_) => assert!(there <= 1, "{text} was committed twice"),
        }
    }
    assert!(told.iter().any(|(_, outcome)| outcome.is_err()), "the faults did strike");
    let entries = store.history(&name()).await.unwrap();
    assert!(entries.windows(2).all(|pair| pair[1].previous == Some(pair[0].checksum)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_result_is_committed_once() {
    let stores = open_all("memory://races/same").await;
    let mut tasks = vec![];
    for store in stores.clone() {
        tasks.push(tokio::spawn(async move { try_commit(&store, "same", &[1, 2, 3]).await.unwrap() }));
    }
    let (mut committed, mut adopted) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            CommitOutcome::Committed(_) => committed += 1,
            CommitOutcome::Adopted(snapshot) => {
                adopted += 1;
                assert_eq!(snapshot.version, Version(1));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((committed, adopted), (1, WRITERS - 1));
    assert_eq!(versions(&stores[0]).await, [1]);
}

/// A counter that is its own input: each writer reads the newest value and commits one more.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_increment_is_lost() {
    let stores = open_all("memory://races/counter").await;
    commit(&stores[0], "0", &[0]).await;
    let mut tasks = vec![];
    for (writer, store) in stores.clone().into_iter().enumerate() {
        tasks.push(tokio::spawn(async move {
            for step in 0..4 {
                increment(&store, writer, step).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let last = stores[0].newest(&name()).await.unwrap().unwrap();
    assert_eq!(read_ids(&stores[0], &last).await, [20]);
}

async fn increment(store: &Store, writer: usize, step: u64) {
    loop {
        let read = store.newest(&name()).await.unwrap().unwrap();
        let value = read_ids(store, &read).await[0] + 1;
        let (attempt, mut manifest) =
            staged(store, &format!("{writer} {step} {value}"), &[value]).await.unwrap();
        manifest.read_version = Some(read.version);
        manifest.origin = Origin { run: format!("run {writer}"), step, node: 0 };
        match attempt.commit(draft(manifest), &Unchanged).await.unwrap() {
            CommitOutcome::Committed(_) => return,
            CommitOutcome::Superseded { newest } => assert!(newest > Some(read.version)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn drops_and_commits_race_without_losing_either() {
    let stores = open_all("memory://races/drops").await;
    let dropper = stores[0].clone();
    let drops = tokio::spawn(async move {
        let mut dropped = 0;
        while dropped < 10 {
            if let Some(oldest) = dropper.live(&name()).await.unwrap().first() {
                let outcome = dropper.drop_version(&name(), oldest.version).await.unwrap();
                assert!(matches!(outcome, milepost_store::DropOutcome::Dropped(_)));
                dropped += 1;
            }
            tokio::task::yield_now().await;
        }
    });
    let mut tasks = vec![];
    for (writer, store) in stores.clone().into_iter().enumerate().skip(1) {
        tasks.push(tokio::spawn(async move {
            for round in 0..5 {
                commit(&store, &format!("{writer} {round}"), &[1]).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    drops.await.unwrap();
    assert_eq!(versions(&stores[0]).await, (11..=20).collect::<Vec<_>>());
}

/// The directory of the first write may be made by several processes at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_first_writers_create_one_store() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("a/b/store");
    let mut tasks = vec![];
    for writer in 0..8 {
        let url = root.to_str().unwrap().to_owned();
        tasks.push(tokio::spawn(async move {
            let options = StoreOptions { durability: Durability::None, ..options() };
            let store = Store::open(&url, options).await?;
            commit(&store, &format!("{writer}"), &[writer]).await;
            Ok::<_, Error>(store.id())
        }));
    }
    let mut ids = BTreeSet::new();
    for task in tasks {
        ids.insert(task.await.unwrap().unwrap());
    }
    assert_eq!(ids.len(), 1, "all writers see the same store id");
    assert!(ids.first().unwrap().is_some());
}
