//! Collectors beside each other, beside writers and readers.

use futures::future::join_all;
use milepost_store::{Attempt, GcOptions, Manifest, VerifyOptions, Version};
use milepost_testkit::Operation;

use crate::aged::*;
use crate::support::*;

async fn assert_sound(aged: &Aged, case: &str) {
    let report = beside(&aged.faults).await.verify(VerifyOptions::default()).await.unwrap();
    assert!(report.is_sound(), "{case}: {:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_collectors_at_once_do_what_one_does() {
    for round in 0..20 {
        let aged = aged().await;
        for text in ["1", "2", "3", "4"] {
            commit(&aged.store, text, &[1]).await;
        }
        for text in ["5", "6"] {
            let (dead, _) = staged(&aged.store, text, &[1]).await.unwrap();
            write_unit(&dead, 1, &[2]).await.unwrap();
        }
        aged.clock.advance(2 * DAY);
        let collect = |store: milepost_store::Store| {
            tokio::spawn(async move { store.collect_garbage(no_grace()).await })
        };
        let mut collectors = vec![];
        for _ in 0..4 {
            collectors.push(collect(beside(&aged.faults).await));
        }
        for report in join_all(collectors).await {
            let report = report.unwrap().unwrap();
            assert!(report.is_complete(), "round {round}: {report:?}");
        }
        assert_sound(&aged, "after four collectors").await;
        // What one appended while another looked may be left to the next.
        assert!(aged.collect_with(no_grace()).await.is_complete());
        assert_eq!(versions(&aged.store).await, [3, 4]);
        let left = objects(aged.faults.inner().as_ref(), "root/checkpoints/trips/attempts").await;
        assert_eq!(left.len(), 6, "round {round}: two attempts with rows, receipt and record: {left:?}");
        let entries = aged.store.history(&name()).await.unwrap();
        assert_eq!(entries.len(), 4 + 2 + 4, "round {round}: every drop and every close once");
    }
}

/// One collector reads the list of a version that was dropped long ago while another one deletes it.
#[tokio::test]
async fn a_list_that_another_collector_deleted_is_not_missed() {
    let aged = aged().await;
    commit_long(&aged.store).await;
    let _ = aged.store.drop_version(&name(), Version(1)).await.unwrap();
    aged.clock.advance(DAY);
    let collecting = beside_slow(&aged.faults, Operation::Get, "/sources-", |store| async move {
        store.collect_garbage(GcOptions::default()).await
    })
    .await;
    assert!(aged.collect().await.deleted().count() > 0);
    let report = collecting.await.unwrap().unwrap();
    assert!(report.is_complete(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_go_on_beside_collectors() {
    let aged = aged().await;
    let mut tasks = vec![];
    for writer in 0..2 {
        let store = beside(&aged.faults).await;
        tasks.push(tokio::spawn(async move {
            for round in 0..20 {
                commit(&store, &format!("{writer}.{round}"), &[writer, round]).await;
            }
        }));
    }
    for _ in 0..2 {
        let store = beside(&aged.faults).await;
        tasks.push(tokio::spawn(async move {
            for _ in 0..20 {
                let report = store.collect_garbage(no_grace()).await.unwrap();
                assert!(report.is_complete(), "{report:?}");
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_sound(&aged, "after writers and collectors").await;
    let newest = aged.store.newest(&name()).await.unwrap().unwrap();
    assert_eq!((newest.version, newest.manifest.rows), (Version(40), 2));
}

/// Begins, units, adoptions, commits, drops, silences and collections in any order.
struct Story {
    aged: Aged,
    numbers: Numbers,
    open: Vec<(Attempt, Manifest)>,
}

impl Story {
    async fn step(&mut self) {
        match self.numbers.below(10) {
            0..3 => self.begin().await,
            3 | 4 => self.adopt().await,
            5 | 6 => self.commit().await,
            7 => self.drop_something().await,
            8 => {
                let steps = [SECOND, 10 * MINUTE, HOUR, DAY];
                self.aged.clock.advance(steps[self.numbers.below(steps.len())]);
            }
            _ => self.collect().await,
        }
    }

    async fn begin(&mut self) {
        let text = format!("{}", self.numbers.below(3));
        self.open.push(staged(&self.aged.store, &text, &[1, 2]).await.unwrap());
    }

    /// A new attempt takes over every unit of an open one, which may be closed by now, and adds its own.
    async fn adopt(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let (dead, theirs) = &self.open[self.numbers.below(self.open.len())];
        let attempt = self.aged.store.begin(&name(), dead.spec().clone()).await.unwrap();
        let unit = u32::try_from(theirs.files.len()).unwrap();
        let own = write_unit(&attempt, unit, &[3]).await.unwrap();
        let files = [theirs.files.clone(), own.files].concat();
        let manifest = manifest(dead.spec().signature, files);
        self.open.push((attempt, manifest));
    }

    async fn commit(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let index = self.numbers.below(self.open.len());
        let (attempt, manifest) = self.open.swap_remove(index);
        // Whatever the outcome: it may be closed, adopt another's, or have to compute units again.
        let _ = attempt.commit(draft(manifest), &Unchanged).await;
    }

    async fn drop_something(&mut self) {
        let live = versions(&self.aged.store).await;
        if live.is_empty() || self.numbers.below(4) == 0 {
            let _ = self.aged.store.drop_checkpoint(&name()).await.unwrap();
        } else {
            let version = Version(live[self.numbers.below(live.len())]);
            let _ = self.aged.store.drop_version(&name(), version).await.unwrap();
        }
    }

    async fn collect(&mut self) {
        let options = if self.numbers.below(2) == 0 { no_grace() } else { GcOptions::default() };
        assert!(self.aged.collect_with(options).await.is_complete());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_snapshots_stay_whole_and_garbage_goes() {
    let stories = (1..=60).map(|seed| {
        tokio::spawn(async move {
            let numbers = Numbers(seed * 0x9E37_79B9);
            let mut story = Story { aged: aged().await, numbers, open: vec![] };
            for step in 0..60 {
                story.step().await;
                assert_sound(&story.aged, &format!("seed {seed}, step {step}")).await;
            }
            let _ = story.aged.store.drop_checkpoint(&name()).await.unwrap();
            for _ in 0..3 {
                story.aged.clock.advance(DAY);
                story.collect().await;
            }
            let left = objects(story.aged.faults.inner().as_ref(), "root/checkpoints/trips/attempts").await;
            assert_eq!(left, [""; 0], "seed {seed}");
            let left = objects(story.aged.faults.inner().as_ref(), "root/index").await;
            assert_eq!(left, [""; 0], "seed {seed}");
        })
    });
    for story in join_all(stories).await {
        story.unwrap();
    }
}
