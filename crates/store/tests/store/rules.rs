//! The rules of a commit, each with the accident that it prevents.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use milepost_store::{
    Cause, CheckpointEntry, CommitDraft, CommitJudge, CommitOutcome, DropOutcome, Error, Origin,
    SourceChanged, Store, UnitNumber, Version,
};
use object_store::ObjectStoreExt;

use crate::support::*;

fn origin(step: u64) -> Origin {
    Origin { run: "run".to_owned(), step, node: 0 }
}

fn committed(outcome: CommitOutcome) -> Version {
    match outcome {
        CommitOutcome::Committed(snapshot) => snapshot.version,
        other => panic!("not committed: {other:?}"),
    }
}

/// A driver is taken for dead and its attempt closed, so that its files may go. Then it wakes up and commits.
#[tokio::test]
async fn rule_1_an_abandoned_attempt_cannot_commit() {
    let (store, _) = faulty().await;
    let (attempt, manifest) = staged(&store, "a", &[1]).await.unwrap();
    attempt.abandon().await.unwrap();
    let outcome = attempt.commit(draft(manifest), &Unchanged).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Closed);
    assert_eq!(newest(&store).await, None);
}

/// A checkpoint is dropped while someone still computes it. It must not come back on its own.
#[tokio::test]
async fn rule_1_dropping_a_checkpoint_closes_what_was_begun_before() {
    let (store, _) = faulty().await;
    commit(&store, "old", &[0]).await;
    let (before, manifest_before) = staged(&store, "before", &[1]).await.unwrap();
    assert!(
        matches!(store.drop_checkpoint(&name()).await.unwrap(), DropOutcome::Dropped(gone) if gone.len() == 1)
    );
    let (after, manifest_after) = staged(&store, "after", &[2]).await.unwrap();
    assert_eq!(before.commit(draft(manifest_before), &Unchanged).await.unwrap(), CommitOutcome::Closed);
    assert_eq!(committed(after.commit(draft(manifest_after), &Unchanged).await.unwrap()), Version(2));
}

/// The attempt is closed between a lost slot and the next try.
#[tokio::test]
async fn rule_1_is_judged_again_after_a_lost_slot() {
    let (store, faults) = faulty().await;
    let (attempt, manifest) = staged(&store, "a", &[1]).await.unwrap();
    let attempt = Arc::new(attempt);
    // While the sources are looked at, another process closes the attempt: the slot that was free is taken.
    struct CloseMeanwhile(Arc<milepost_store::Attempt>, AtomicUsize);
    #[async_trait]
    impl CommitJudge for CloseMeanwhile {
        async fn changed_source(&self) -> Result<Option<SourceChanged>, Cause> {
            if self.1.fetch_add(1, Ordering::SeqCst) == 0 {
                self.0.abandon().await.unwrap();
            }
            Ok(None)
        }
    }
    let judge = CloseMeanwhile(Arc::clone(&attempt), AtomicUsize::new(0));
    assert_eq!(attempt.commit(draft(manifest), &judge).await.unwrap(), CommitOutcome::Closed);
    assert_eq!(judge.1.load(Ordering::SeqCst), 1, "the closed attempt did not look at its sources again");
    assert_eq!(newest(&beside(&faults).await).await, None);
}

/// A resumer adopts a dead attempt's unit, and garbage collection closes that attempt before the commit.
#[tokio::test]
async fn rule_2_files_of_a_closed_attempt_cannot_be_named() {
    let (store, _) = faulty().await;
    let (dead, dead_manifest) = staged(&store, "a", &[1]).await.unwrap();
    let resumer = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let own = write_unit(&resumer, 1, &[2]).await.unwrap();
    let files = [dead_manifest.files.clone(), own.files].concat();
    dead.abandon().await.unwrap();
    match resumer.commit(draft(manifest(signature("a"), files)), &Unchanged).await {
        Err(Error::UnitsClosed { attempts, units, .. }) => {
            assert_eq!(attempts, [dead.id()]);
            assert_eq!(units, [UnitNumber(0)], "only the adopted unit is to be computed again");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(newest(&store).await, None);
}

#[tokio::test]
async fn rule_2_an_open_attempts_units_can_be_adopted() {
    let (store, _) = faulty().await;
    let (_dead, dead_manifest) = staged(&store, "a", &[1]).await.unwrap();
    let resumer = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let own = write_unit(&resumer, 1, &[2]).await.unwrap();
    let files = [dead_manifest.files, own.files].concat();
    let outcome = resumer.commit(draft(manifest(signature("a"), files)), &Unchanged).await.unwrap();
    assert_eq!(committed(outcome), Version(1));
    let snapshot = store.newest(&name()).await.unwrap().unwrap();
    store.check_files(&snapshot).await.unwrap();
    assert_eq!(read_ids(&store, &snapshot).await, [1, 2]);
}

/// An attempt that committed after all is not there to be adopted from: its files live and die with its commit.
#[tokio::test]
async fn rule_2_a_committed_attempts_units_cannot_be_adopted() {
    let (store, _) = faulty().await;
    let (first, first_manifest) = staged(&store, "a", &[1]).await.unwrap();
    let resumer = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let mut not_reusable = first_manifest.clone();
    not_reusable.identity.reusable = false;
    committed(first.commit(draft(not_reusable), &Unchanged).await.unwrap());
    let result = resumer.commit(draft(first_manifest), &Unchanged).await;
    assert!(matches!(result, Err(Error::UnitsClosed { .. })), "{result:?}");
}

#[tokio::test]
async fn rule_2_files_of_an_attempt_without_a_record_cannot_be_named() {
    let (store, faults) = faulty().await;
    let (dead, dead_manifest) = staged(&store, "a", &[1]).await.unwrap();
    let record = format!("root/checkpoints/trips/attempts/{}/attempt.json", dead.id());
    faults.inner().delete(&record.into()).await.unwrap();
    let resumer = store.begin(&name(), spec(signature("a"))).await.unwrap();
    let result = resumer.commit(draft(dead_manifest), &Unchanged).await;
    assert!(matches!(result, Err(Error::UnitsClosed { .. })), "{result:?}");
}

/// A driver dies after its commit and before it wrote that the step is done. The step is run again.
#[tokio::test]
async fn rule_3_a_step_commits_once() {
    let (store, _) = faulty().await;
    let (first, mut manifest) = staged(&store, "a", &[1]).await.unwrap();
    manifest.origin = origin(3);
    committed(first.commit(draft(manifest), &Unchanged).await.unwrap());
    // The inputs are others by now, so the signature alone would not tell.
    let (again, mut manifest) = staged(&store, "b", &[2]).await.unwrap();
    manifest.origin = origin(3);
    match again.commit(draft(manifest), &Unchanged).await.unwrap() {
        CommitOutcome::AlreadyCommitted(snapshot) => assert_eq!(read_ids(&store, &snapshot).await, [1]),
        other => panic!("{other:?}"),
    }
    assert_eq!(versions(&store).await, [1]);
}

/// A fenced driver wakes up after later steps have committed and the old ones were dropped.
#[tokio::test]
async fn rule_3_old_state_does_not_come_back_on_top() {
    let (store, _) = faulty().await;
    for step in 1..=3 {
        let (attempt, mut manifest) = staged(&store, &format!("{step}"), &[1]).await.unwrap();
        manifest.origin = origin(step);
        committed(attempt.commit(draft(manifest), &Unchanged).await.unwrap());
    }
    let _ = store.drop_version(&name(), Version(1)).await.unwrap();
    let (fenced, mut manifest) = staged(&store, "other", &[9]).await.unwrap();
    manifest.origin = origin(1);
    let outcome = fenced.commit(draft(manifest), &Unchanged).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded { newest: Some(Version(3)) });
}

/// The user drops what a step made: run again, the step makes it anew.
#[tokio::test]
async fn rule_3_a_dropped_newest_result_can_be_made_again() {
    let (store, _) = faulty().await;
    for round in 1..=2 {
        let (attempt, mut manifest) = staged(&store, "a", &[1]).await.unwrap();
        manifest.origin = origin(1);
        let version = committed(attempt.commit(draft(manifest), &Unchanged).await.unwrap());
        assert_eq!(version, Version(round));
        let _ = store.drop_version(&name(), version).await.unwrap();
    }
}

/// The user drops all that a run made of a name: its steps are gone through again, the first one too.
#[tokio::test]
async fn rule_3_a_run_goes_through_its_steps_again() {
    let (store, _) = faulty().await;
    for round in 0..2 {
        for step in 1..=2 {
            let (attempt, mut manifest) = staged(&store, &format!("{step}"), &[1]).await.unwrap();
            manifest.origin = Origin { run: format!("run/statement {step}"), ..origin(step) };
            let version = committed(attempt.commit(draft(manifest), &Unchanged).await.unwrap());
            assert_eq!(version, Version(2 * round + step));
        }
        let _ = store.drop_checkpoint(&name()).await.unwrap();
    }
}

/// One attempt commits once, also when it is asked twice.
#[tokio::test]
async fn rule_3_an_attempt_commits_once() {
    let (store, _) = faulty().await;
    let (attempt, manifest) = staged(&store, "a", &[1]).await.unwrap();
    committed(attempt.commit(draft(manifest.clone()), &Unchanged).await.unwrap());
    commit(&store, "b", &[2]).await;
    let outcome = attempt.commit(draft(manifest), &Unchanged).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::AlreadyCommitted(snapshot) if snapshot.version == Version(1)));
    assert_eq!(versions(&store).await, [1, 2]);
}

struct ChangedAfter {
    looks: AtomicUsize,
    good: usize,
}

#[async_trait]
impl CommitJudge for ChangedAfter {
    async fn changed_source(&self) -> Result<Option<SourceChanged>, Cause> {
        if self.looks.fetch_add(1, Ordering::SeqCst) < self.good {
            return Ok(None);
        }
        Ok(Some(SourceChanged { source_name: "raw".to_owned(), what: "b.csv has another size".to_owned() }))
    }
}

/// A source is overwritten while it is read: the rows belong to no version of it.
#[tokio::test]
async fn rule_4_a_changed_source_ends_the_attempt() {
    let (store, _) = faulty().await;
    let (attempt, manifest) = staged(&store, "a", &[1]).await.unwrap();
    let judge = ChangedAfter { looks: AtomicUsize::new(0), good: 0 };
    match attempt.commit(draft(manifest.clone()), &judge).await {
        Err(error @ Error::SourceChanged { .. }) => {
            let text = error.to_string();
            assert!(text.contains("raw") && text.contains("b.csv") && text.contains("trips"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(newest(&store).await, None);
    let closed = attempt.commit(draft(manifest), &Unchanged).await.unwrap();
    assert_eq!(closed, CommitOutcome::Closed, "the attempt is closed, not only refused");
}

/// The listing fails at the last moment: hours of units are not thrown away for it.
#[tokio::test]
async fn rule_4_sources_that_do_not_answer_leave_the_attempt_open() {
    struct Silent(AtomicBool);
    #[async_trait]
    impl CommitJudge for Silent {
        async fn changed_source(&self) -> Result<Option<SourceChanged>, Cause> {
            if self.0.swap(true, Ordering::SeqCst) { Ok(None) } else { Err("slow down".into()) }
        }
    }
    let (store, _) = faulty().await;
    let (attempt, manifest) = staged(&store, "a", &[1]).await.unwrap();
    let judge = Silent(AtomicBool::new(false));
    let error = attempt.commit(draft(manifest.clone()), &judge).await.unwrap_err();
    assert!(
        matches!(error, Error::SourcesUnknown { .. }) && error.to_string().contains("slow down"),
        "{error}"
    );
    assert!(versions(&store).await.is_empty());
    assert_eq!(committed(attempt.commit(draft(manifest), &judge).await.unwrap()), Version(1));
}

/// The source changes while the writer loses a slot.
#[tokio::test]
async fn rule_4_is_judged_again_after_a_lost_slot() {
    struct CommitMeanwhile(Store, AtomicBool, ChangedAfter);
    #[async_trait]
    impl CommitJudge for CommitMeanwhile {
        async fn changed_source(&self) -> Result<Option<SourceChanged>, Cause> {
            let seen = self.2.changed_source().await;
            if !self.1.swap(true, Ordering::SeqCst) {
                commit(&self.0, "theirs", &[5]).await;
            }
            seen
        }
    }
    let (store, _) = faulty().await;
    let (attempt, manifest) = staged(&store, "a", &[1]).await.unwrap();
    let changed = ChangedAfter { looks: AtomicUsize::new(0), good: 1 };
    let judge = CommitMeanwhile(store.clone(), AtomicBool::new(false), changed);
    let result = attempt.commit(draft(manifest), &judge).await;
    assert!(matches!(result, Err(Error::SourceChanged { .. })), "{result:?}");
    assert_eq!(judge.2.looks.load(Ordering::SeqCst), 2);
    let newest = store.newest(&name()).await.unwrap().unwrap();
    assert_eq!(newest.manifest.identity.signature, signature("theirs"));
}

/// Two sessions add to a running total at once: the second would overwrite what the first added.
#[tokio::test]
async fn rule_5_a_checkpoint_that_reads_itself_commits_on_what_it_read() {
    let (store, _) = faulty().await;
    commit(&store, "v1", &[1]).await;
    let (slow, mut slow_manifest) = staged(&store, "slow", &[2]).await.unwrap();
    slow_manifest.read_version = Some(Version(1));
    let (quick, mut quick_manifest) = staged(&store, "quick", &[3]).await.unwrap();
    quick_manifest.read_version = Some(Version(1));
    assert_eq!(committed(quick.commit(draft(quick_manifest), &Unchanged).await.unwrap()), Version(2));
    let outcome = slow.commit(draft(slow_manifest), &Unchanged).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded { newest: Some(Version(2)) });
}

/// Two processes take the same step from the same version: equal signatures, and yet two steps.
#[tokio::test]
async fn rule_5_comes_before_the_adoption_of_an_equal_result() {
    let (store, _) = faulty().await;
    commit(&store, "v1", &[1]).await;
    let (slow, mut slow_manifest) = staged(&store, "step", &[2]).await.unwrap();
    slow_manifest.read_version = Some(Version(1));
    let (quick, mut quick_manifest) = staged(&store, "step", &[2]).await.unwrap();
    quick_manifest.read_version = Some(Version(1));
    assert_eq!(committed(quick.commit(draft(quick_manifest), &Unchanged).await.unwrap()), Version(2));
    let outcome = slow.commit(draft(slow_manifest), &Unchanged).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded { newest: Some(Version(2)) });
}

#[tokio::test]
async fn rule_5_what_was_read_may_be_dropped_meanwhile() {
    let (store, _) = faulty().await;
    commit(&store, "v1", &[1]).await;
    let (attempt, mut manifest) = staged(&store, "next", &[2]).await.unwrap();
    manifest.read_version = Some(Version(1));
    let _ = store.drop_version(&name(), Version(1)).await.unwrap();
    let outcome = attempt.commit(draft(manifest), &Unchanged).await.unwrap();
    assert_eq!(outcome, CommitOutcome::Superseded { newest: None });
}

#[tokio::test]
async fn rule_6_the_same_result_is_adopted() {
    let (store, _) = faulty().await;
    let (mine, manifest) = staged(&store, "same", &[1]).await.unwrap();
    commit(&store, "same", &[1]).await;
    match mine.commit(draft(manifest), &Unchanged).await.unwrap() {
        CommitOutcome::Adopted(snapshot) => assert_ne!(snapshot.attempt, mine.id()),
        other => panic!("{other:?}"),
    }
    assert_eq!(versions(&store).await, [1]);
}

/// Inputs changed and changed back: the newest snapshot is not the one with our signature.
#[tokio::test]
async fn rule_6_an_older_snapshot_is_not_adopted() {
    let (store, _) = faulty().await;
    let (mine, manifest) = staged(&store, "same", &[1]).await.unwrap();
    commit(&store, "same", &[1]).await;
    commit(&store, "other", &[2]).await;
    assert_eq!(committed(mine.commit(draft(manifest), &Unchanged).await.unwrap()), Version(3));
}

#[tokio::test]
async fn rule_6_the_same_rows_under_other_names_are_not_adopted() {
    let (store, _) = faulty().await;
    let (mine, mut manifest) = staged(&store, "same", &[1]).await.unwrap();
    commit(&store, "same", &[1]).await;
    let fields: Vec<_> =
        manifest.schema.fields().iter().map(|field| field.as_ref().clone().with_name("x")).collect();
    manifest.schema = Arc::new(arrow::datatypes::Schema::new(fields));
    assert_eq!(committed(mine.commit(draft(manifest), &Unchanged).await.unwrap()), Version(2));
}

/// Unknown inputs: equal signatures do not mean equal results.
#[tokio::test]
async fn rule_6_what_is_not_reusable_is_not_adopted() {
    let (store, _) = faulty().await;
    let (mine, mut manifest) = staged(&store, "same", &[1]).await.unwrap();
    commit(&store, "same", &[1]).await;
    manifest.identity.reusable = false;
    assert_eq!(committed(mine.commit(draft(manifest), &Unchanged).await.unwrap()), Version(2));
}

/// A forced run, or one that replaces a damaged snapshot, must not end with the very thing it replaces.
#[tokio::test]
async fn rule_6_a_forced_run_accepts_only_later_commits() {
    let (store, _) = faulty().await;
    commit(&store, "same", &[1]).await;
    let (first, first_manifest) = staged(&store, "same", &[1]).await.unwrap();
    let (second, second_manifest) = staged(&store, "same", &[1]).await.unwrap();
    let forced = |manifest| CommitDraft { manifest, replaces: Some(Version(1)) };
    assert_eq!(committed(first.commit(forced(first_manifest), &Unchanged).await.unwrap()), Version(2));
    match second.commit(forced(second_manifest), &Unchanged).await.unwrap() {
        CommitOutcome::Adopted(snapshot) => assert_eq!(snapshot.version, Version(2)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rule_3_a_forced_run_replaces_what_its_own_step_made() {
    let (store, _) = faulty().await;
    for replaces in [None, Some(Version(1))] {
        let (attempt, mut manifest) = staged(&store, "a", &[1]).await.unwrap();
        manifest.origin = origin(1);
        committed(attempt.commit(CommitDraft { manifest, replaces }, &Unchanged).await.unwrap());
    }
    assert_eq!(versions(&store).await, [1, 2]);
}

/// A resumer may abandon an attempt whose owner committed at the last moment: the snapshot stays.
#[tokio::test]
async fn abandoning_a_committed_attempt_changes_nothing() {
    let (store, _) = faulty().await;
    let (attempt, manifest) = staged(&store, "a", &[1]).await.unwrap();
    committed(attempt.commit(draft(manifest), &Unchanged).await.unwrap());
    attempt.abandon().await.unwrap();
    attempt.abandon().await.unwrap();
    let history = store.history(&name()).await.unwrap();
    assert_eq!(history.len(), 1);
    assert!(matches!(&history[0].body.entry, CheckpointEntry::Commit { version: Version(1), .. }));
}

#[tokio::test]
async fn an_attempt_that_is_dropped_leaves_nothing_visible() {
    let (store, _) = faulty().await;
    drop(staged(&store, "a", &[1]).await.unwrap());
    assert_eq!(store.checkpoints().await.unwrap(), []);
    assert_eq!(newest(&store).await, None);
}
