//! Which versions a collection drops.

use std::time::Duration;

use milepost_store::gc::{DropReason, DroppedVersion};
use milepost_store::{GcOptions, Version};
use milepost_testkit::Operation;

use crate::aged::*;
use crate::support::*;

fn dropped(report: &milepost_store::GcReport) -> Vec<u64> {
    garbage(report).dropped.iter().map(|dropped| dropped.version.0).collect()
}

#[tokio::test]
async fn the_two_newest_versions_are_kept() {
    let aged = aged().await;
    for round in 1..=4 {
        commit(&aged.store, &format!("{round}"), &[round]).await;
    }
    aged.clock.advance(DAY);
    let report = aged.collect().await;
    let reason = DropReason::Superseded { keep_versions: 2 };
    let expected = [1, 2].map(|version| DroppedVersion { version: Version(version), reason });
    assert_eq!(garbage(&report).dropped, expected);
    assert_eq!(versions(&aged.store).await, [3, 4]);
}

/// A program in a loop: its last versions are still read by whoever began with them.
#[tokio::test]
async fn a_version_younger_than_the_grace_period_is_not_dropped() {
    let aged = aged().await;
    commit(&aged.store, "1", &[1]).await;
    aged.clock.advance(MINUTE);
    for round in 2..=4 {
        commit(&aged.store, &format!("{round}"), &[round]).await;
    }
    aged.clock.advance(DAY - MINUTE);
    let report = aged.collect().await;
    assert_eq!(dropped(&report), [1], "only the first is a day old");
    // It says which one it would have dropped besides, and when the next collection will.
    let [later] = garbage(&report).postponed[..] else { panic!("{:?}", garbage(&report).postponed) };
    assert_eq!((later.version, later.reason), (Version(2), DropReason::Superseded { keep_versions: 2 }));
    let now = report.now.unwrap();
    assert!(later.until > now && later.until <= now.after(Duration::from_secs(61)), "{later:?}");
    aged.clock.advance(MINUTE);
    assert_eq!(dropped(&aged.collect().await), [2]);
}

#[tokio::test]
async fn a_checkpoint_says_how_many_of_its_versions_are_kept_and_the_newest_one_decides() {
    let aged = aged().await;
    commit_with(&aged.store, "1", &[("keep_versions", "9")]).await;
    commit_with(&aged.store, "2", &[]).await;
    commit_with(&aged.store, "3", &[("keep_versions", "1")]).await;
    aged.clock.advance(DAY);
    assert_eq!(dropped(&aged.collect().await), [1, 2]);
    commit_with(&aged.store, "4", &[("keep_versions", "3")]).await;
    commit_with(&aged.store, "5", &[("keep_versions", "3")]).await;
    aged.clock.advance(DAY);
    assert_eq!(dropped(&aged.collect().await), [0; 0]);
    assert_eq!(versions(&aged.store).await, [3, 4, 5]);
}

#[tokio::test]
async fn the_caller_decides_for_those_that_do_not_say() {
    for (keep_versions, left) in [(None, vec![1, 2, 3]), (Some(1), vec![3]), (Some(0), vec![3])] {
        let aged = aged().await;
        for text in ["1", "2", "3"] {
            commit_with(&aged.store, text, &[]).await;
        }
        aged.clock.advance(DAY);
        aged.collect_with(GcOptions { keep_versions, ..GcOptions::default() }).await;
        assert_eq!(versions(&aged.store).await, left, "{keep_versions:?}: the newest is never too many");
    }
}

#[tokio::test]
async fn a_version_ends_at_its_own_age_also_the_newest() {
    let aged = aged().await;
    commit_with(&aged.store, "1", &[("ttl", "none")]).await;
    commit_with(&aged.store, "2", &[("ttl", "2 days")]).await;
    aged.clock.advance(2 * DAY - 1);
    assert_eq!(dropped(&aged.collect().await), [0; 0]);
    aged.clock.advance(1);
    let report = aged.collect().await;
    let reason = DropReason::Expired { ttl: Duration::from_secs(2 * 86_400) };
    assert_eq!(garbage(&report).dropped, [DroppedVersion { version: Version(2), reason }]);
    let ttl = Some(Duration::from_secs(86_400));
    let report = aged.collect_with(GcOptions { ttl, ..GcOptions::default() }).await;
    assert_eq!(dropped(&report), [0; 0], "the first one says that it has no end");
    assert_eq!(commit(&aged.store, "3", &[3]).await.version, Version(3), "no number is given twice");
}

#[tokio::test]
async fn the_callers_age_holds_for_versions_that_say_nothing() {
    let aged = aged().await;
    commit(&aged.store, "1", &[1]).await;
    aged.clock.advance(3 * DAY);
    assert_eq!(dropped(&aged.collect().await), [0; 0], "without any age nothing ends");
    let ttl = Some(Duration::from_secs(3 * 86_400));
    let report = aged.collect_with(GcOptions { ttl, ..GcOptions::default() }).await;
    assert_eq!(dropped(&report), [1]);
    assert_eq!(newest(&aged.store).await, None);
}

/// The clock of the process that collects is years behind the store's, or years ahead: neither counts.
#[tokio::test]
async fn ages_are_by_the_stores_own_time() {
    for skew in [-10 * 365 * DAY, 10 * 365 * DAY] {
        let aged = aged().await;
        commit_with(&aged.store, "1", &[("ttl", "2 days")]).await;
        let clock = clock();
        clock.advance(skew);
        let options = milepost_store::StoreOptions { clock: std::sync::Arc::new(clock), ..options() };
        let root = object_store::path::Path::from("root");
        let objects = aged.faults.inner();
        let store =
            milepost_store::Store::with_object_store(objects, root, "test://skewed", options).await.unwrap();
        let report = store.collect_garbage(GcOptions::default()).await.unwrap();
        assert_eq!(dropped(&report), [0; 0], "skewed by {skew}");
        aged.clock.advance(2 * DAY);
        let report = store.collect_garbage(GcOptions::default()).await.unwrap();
        assert_eq!(dropped(&report), [1], "skewed by {skew}");
    }
}

/// While the collection is about to drop the first version, another process drops a newer one.
#[tokio::test]
async fn what_is_too_many_is_judged_again_after_a_lost_slot() {
    let aged = aged().await;
    for text in ["1", "2", "3"] {
        commit_with(&aged.store, text, &[]).await;
    }
    aged.clock.advance(DAY);
    let collecting = beside_slow(&aged.faults, Operation::Put, "/log/", |store| async move {
        store.collect_garbage(GcOptions::default()).await
    })
    .await;
    let other = beside(&aged.faults).await;
    assert!(matches!(
        other.drop_version(&name(), Version(3)).await.unwrap(),
        milepost_store::DropOutcome::Dropped(_)
    ));
    let report = collecting.await.unwrap().unwrap();
    assert_eq!(dropped(&report), [0; 0]);
    assert_eq!(versions(&aged.store).await, [1, 2], "two are left, and two are kept");
}

/// A commit that the collection has not seen may say that more versions are kept.
#[tokio::test]
async fn nothing_is_dropped_below_a_newer_commit_than_the_one_that_was_looked_at() {
    let aged = aged().await;
    for text in ["1", "2", "3"] {
        commit_with(&aged.store, text, &[]).await;
    }
    aged.clock.advance(DAY);
    let collecting = beside_slow(&aged.faults, Operation::Put, "/log/", |store| async move {
        store.collect_garbage(GcOptions::default()).await
    })
    .await;
    commit_with(&beside(&aged.faults).await, "4", &[("keep_versions", "9")]).await;
    let report = collecting.await.unwrap().unwrap();
    assert_eq!(dropped(&report), [0; 0]);
    assert_eq!(versions(&aged.store).await, [1, 2, 3, 4]);
}
