//! Adopting the complete units of other attempts.

use std::collections::btree_map::Entry;

use milepost_store::{
    Adoptable, Attempt, AttemptSpec, CommitOutcome, Digest, Durability, Error, Manifest, Receipt, Snapshot,
    Store, UnitNumber, choose_units,
};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::support::*;

/// Three units, one for each slice of one file.
fn split(text: &str) -> AttemptSpec {
    let mut spec = spec(signature(text));
    spec.unit_plan.units = (0..3).map(|unit| serde_json::json!({ "unit": unit })).collect();
    spec
}

async fn begin(store: &Store) -> Attempt {
    store.begin(&name(), split("a")).await.unwrap()
}

/// What a unit's slice holds, whoever reads it.
fn slice(unit: u32) -> Vec<i64> {
    let first = i64::from(unit) * 10;
    vec![first, first + 1]
}

/// All rows, as the snapshot must have them.
const ALL: [i64; 6] = [0, 1, 10, 11, 20, 21];

async fn write(attempt: &Attempt, unit: u32) -> Receipt {
    write_unit(attempt, unit, &slice(unit)).await.unwrap()
}

fn sources(found: &[Adoptable]) -> Vec<(milepost_store::AttemptId, Vec<u32>)> {
    let units = |from: &Adoptable| from.receipts.iter().map(|receipt| receipt.unit.0).collect();
    found.iter().map(|from| (from.record.attempt, units(from))).collect()
}

/// Adopts what there is, computes the rest, and gives what is to be committed.
async fn resume(attempt: &Attempt) -> (Manifest, Vec<u32>) {
    let mut receipts = choose_units(&attempt.adoptable().await.unwrap());
    let mut computed = vec![];
    for unit in 0..3 {
        if let Entry::Vacant(missing) = receipts.entry(UnitNumber(unit)) {
            missing.insert(write(attempt, unit).await);
            computed.push(unit);
        }
    }
    let files = receipts.into_values().flat_map(|receipt| receipt.files).collect();
    (manifest(signature("a"), files), computed)
}

async fn commit_it(attempt: &Attempt, manifest: Manifest) -> Snapshot {
    match attempt.commit(draft(manifest), &Unchanged).await.unwrap() {
        CommitOutcome::Committed(snapshot) => snapshot,
        other => panic!("not committed: {other:?}"),
    }
}

async fn assert_whole(store: &Store) {
    let snapshot = store.newest(&name()).await.unwrap().unwrap();
    store.check_files(&snapshot).await.unwrap();
    assert_eq!(read_ids(store, &snapshot).await, ALL);
}

#[tokio::test]
async fn a_resumer_computes_only_what_is_missing() {
    let (store, faults) = faulty().await;
    let dead = begin(&store).await;
    write(&dead, 0).await;
    write(&dead, 2).await;
    write_file(&dead, 1, &[99]).await.unwrap(); // without a receipt: it never counts
    let other = beside(&faults).await;
    let resumer = begin(&other).await;
    assert_eq!(sources(&resumer.adoptable().await.unwrap()), [(dead.id(), vec![0, 2])]);
    let (manifest, computed) = resume(&resumer).await;
    assert_eq!(computed, [1]);
    commit_it(&resumer, manifest).await;
    assert_whole(&store).await;
}

/// A power cut may tear what the dead attempt wrote, also after another one committed it.
#[tokio::test]
async fn what_was_not_synced_is_adopted_only_by_those_who_do_not_sync() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path().to_str().unwrap(), options()).await.unwrap();
    let quick = store.with_durability(Durability::None);
    let dead = begin(&quick).await;
    write(&dead, 0).await;
    let careful = begin(&store).await;
    assert_eq!(sources(&careful.adoptable().await.unwrap()), []);
    write(&careful, 1).await;
    let careless = begin(&quick).await;
    let found = sources(&careless.adoptable().await.unwrap());
    assert_eq!(found, [(dead.id(), vec![0]), (careful.id(), vec![1])]);
    let text = |attempt: &Attempt| {
        let path = format!("checkpoints/trips/attempts/{}/attempt.json", attempt.id());
        std::fs::read_to_string(root.path().join(path)).unwrap()
    };
    assert!(text(&dead).contains("\"durability\": \"none\""));
    assert!(!text(&careful).contains("durability"), "as it always was");
}

/// Garbage collection closes the dead attempt after its units were adopted and before the commit.
#[tokio::test]
async fn units_that_are_lost_before_the_commit_are_computed_again() {
    let (store, faults) = faulty().await;
    let dead = begin(&store).await;
    write(&dead, 0).await;
    let resumer = begin(&beside(&faults).await).await;
    let (manifest, computed) = resume(&resumer).await;
    assert_eq!(computed, [1, 2]);
    dead.abandon().await.unwrap();
    match resumer.commit(draft(manifest), &Unchanged).await {
        Err(Error::UnitsClosed { units, attempts, .. }) => {
            assert_eq!((units, attempts), (vec![UnitNumber(0)], vec![dead.id()]));
        }
        other => panic!("{other:?}"),
    }
    write(&resumer, 0).await;
    let own = store.receipts(&name(), resumer.id()).await.unwrap();
    let files = own.into_iter().flat_map(|receipt| receipt.files).collect();
    commit_it(&resumer, crate::support::manifest(signature("a"), files)).await;
    assert_whole(&store).await;
}

/// A is dead; B adopted from A and died; C adopts from both.
#[tokio::test]
async fn units_are_adopted_along_a_chain() {
    let (store, faults) = faulty().await;
    let a = begin(&store).await;
    write(&a, 0).await;
    let b = begin(&beside(&faults).await).await;
    assert_eq!(sources(&b.adoptable().await.unwrap()), [(a.id(), vec![0])]);
    write(&b, 1).await;
    let c = begin(&beside(&faults).await).await;
    assert_eq!(sources(&c.adoptable().await.unwrap()), [(a.id(), vec![0]), (b.id(), vec![1])]);
    let (manifest, computed) = resume(&c).await;
    assert_eq!(computed, [2]);
    commit_it(&c, manifest).await;
    assert_whole(&store).await;
}

/// A writer that is only slow, while another adopts its units.
#[tokio::test]
async fn adopting_beside_a_living_writer_ends_with_one_snapshot_whoever_is_first() {
    for owner_first in [true, false] {
        let (store, faults) = faulty().await;
        let owner = begin(&store).await;
        write(&owner, 0).await;
        let adopter = begin(&beside(&faults).await).await;
        let (theirs, computed) = resume(&adopter).await;
        assert_eq!(computed, [1, 2]);
        // The owner goes on by itself: it looked for units to adopt at its begin, when there were none.
        let (first, second) = (write(&owner, 1).await, write(&owner, 2).await);
        let known = store.receipt(&name(), owner.id(), UnitNumber(0)).await.unwrap().unwrap();
        let mine = manifest(signature("a"), [known.files, first.files, second.files].concat());
        let (first, second) = if owner_first {
            ((&owner, mine), (&adopter, theirs))
        } else {
            ((&adopter, theirs), (&owner, mine))
        };
        let winner = commit_it(first.0, first.1).await;
        match second.0.commit(draft(second.1), &Unchanged).await.unwrap() {
            CommitOutcome::Adopted(snapshot) => assert_eq!(snapshot, winner),
            other => panic!("owner first: {owner_first}: {other:?}"),
        }
        // Closing the loser takes nothing away from a commit that stands before it.
        second.0.abandon().await.unwrap();
        assert_eq!(versions(&store).await, [1]);
        assert_whole(&store).await;
    }
}

/// Its files live and die with its commit, dropped or not.
#[tokio::test]
async fn nothing_is_adopted_from_an_attempt_that_committed_or_was_closed() {
    let (store, _) = faulty().await;
    let (committed, closed) = (begin(&store).await, begin(&store).await);
    let (manifest, _) = resume(&committed).await;
    write(&closed, 0).await;
    closed.abandon().await.unwrap();
    let version = commit_it(&committed, manifest).await.version;
    assert_eq!(begin(&store).await.adoptable().await.unwrap(), []);
    let _ = store.drop_version(&name(), version).await.unwrap();
    assert_eq!(begin(&store).await.adoptable().await.unwrap(), []);
}

/// Rows of other work, of other slices, or of slices that do not stand for themselves.
#[tokio::test]
async fn only_units_of_the_same_pure_plan_are_adopted() {
    let (store, _) = faulty().await;
    let same = split("a");
    let mut others = vec![split("b")];
    for change in 0..3 {
        let mut spec = same.clone();
        match change {
            0 => spec.unit_plan.plan_hash = Digest::of(b"another plan"),
            1 => spec.unit_plan.units.reverse(),
            _ => spec.unit_plan.pure = false,
        }
        others.push(spec);
    }
    for spec in &others {
        let attempt = store.begin(&name(), spec.clone()).await.unwrap();
        write(&attempt, 1).await;
    }
    let attempt = begin(&store).await;
    write(&attempt, 0).await;
    assert_eq!(attempt.adoptable().await.unwrap(), [], "neither from these nor from itself");
    let impure = others.pop().unwrap();
    assert_eq!(store.begin(&name(), impure).await.unwrap().adoptable().await.unwrap(), []);
    let reworded = {
        let mut spec = same.clone();
        spec.unit_plan.reason = "the same in other words".to_owned();
        store.begin(&name(), spec).await.unwrap()
    };
    assert_eq!(sources(&reworded.adoptable().await.unwrap()), [(attempt.id(), vec![0])]);
    let found = store.adoptable(&name(), same.signature, &same.unit_plan).await.unwrap();
    assert_eq!(sources(&found), [(attempt.id(), vec![0])], "also before anything is begun");
}

#[tokio::test]
async fn of_a_unit_that_is_there_twice_the_oldest_attempt_wins() {
    let (store, _) = faulty().await;
    let (old, young) = (begin(&store).await, begin(&store).await);
    let (younger, older) = (write(&young, 0).await, write(&old, 0).await);
    let last = write(&young, 1).await;
    let mut found = begin(&store).await.adoptable().await.unwrap();
    for _ in 0..2 {
        let chosen = choose_units(&found);
        assert_eq!(chosen.into_values().collect::<Vec<_>>(), [older.clone(), last.clone()]);
        found.reverse();
    }
    // Both at once would be the same rows twice.
    let resumer = begin(&store).await;
    let both = manifest(signature("a"), [older.files, younger.files].concat());
    let result = resumer.commit(draft(both), &Unchanged).await;
    assert!(
        matches!(&result, Err(Error::Invariant { detail, .. }) if detail.contains("unit 0")),
        "{result:?}"
    );
}

/// What cannot be relied on costs a computation, and no more.
#[tokio::test]
async fn a_unit_that_is_not_whole_is_passed_over() {
    let (store, faults) = faulty().await;
    let dead = begin(&store).await;
    let objects = faults.inner();
    let directory = format!("root/checkpoints/trips/attempts/{}", dead.id());
    let receipt = |unit: u32| Path::from(format!("{directory}/unit-{unit:05}.json"));

    let good = write(&dead, 0).await;
    let data = store.path_of(&name(), &good.files[0]);
    let bytes = objects.get(&data).await.unwrap().bytes().await.unwrap();
    let resumer = begin(&store).await;
    let adopted = async || sources(&resumer.adoptable().await.unwrap());
    assert_eq!(adopted().await, [(dead.id(), vec![0])]);

    objects.put(&data, bytes.slice(1..).into()).await.unwrap();
    assert_eq!(adopted().await, [], "the file is short");
    objects.delete(&data).await.unwrap();
    assert_eq!(adopted().await, [], "the file is gone");
    objects.put(&data, bytes.into()).await.unwrap();
    assert_eq!(adopted().await, [(dead.id(), vec![0])]);

    objects.put(&receipt(1), "{}".into()).await.unwrap();
    objects.copy(&receipt(0), &receipt(2)).await.unwrap();
    assert_eq!(adopted().await, [(dead.id(), vec![0])], "one receipt is damaged, one is of another unit");
    objects.delete(&receipt(1)).await.unwrap();
    let file = write_file(&dead, 1, &slice(1)).await.unwrap();
    let wrong = serde_json::json!({ "unit": 2 });
    let wrong = Receipt::new(dead.id(), UnitNumber(1), signature("a"), wrong, vec![file], 1);
    dead.write_receipt(wrong).await.unwrap();
    assert_eq!(adopted().await, [(dead.id(), vec![0])], "one receipt is of another slice");
}

/// One byte is another, and the file is as long as it was: only reading it tells.
#[tokio::test]
async fn a_unit_with_a_flipped_byte_is_not_chosen() {
    let (store, faults) = faulty().await;
    let (dead, younger) = (begin(&store).await, begin(&store).await);
    let flipped = [write(&dead, 0).await, write(&dead, 1).await];
    let whole = write(&dead, 2).await;
    let twin = write(&younger, 1).await;
    for receipt in &flipped {
        let path = store.path_of(&name(), &receipt.files[0]);
        let mut bytes = faults.inner().get(&path).await.unwrap().bytes().await.unwrap().to_vec();
        bytes[6] ^= 1;
        faults.inner().put(&path, bytes.into()).await.unwrap();
    }
    let found = begin(&store).await.adoptable().await.unwrap();
    assert_eq!(sources(&found), [(dead.id(), vec![0, 1, 2]), (younger.id(), vec![1])]);
    let (chosen, unsound) = store.choose_sound_units(&name(), found).await;
    assert_eq!(
        chosen.into_values().collect::<Vec<_>>(),
        [twin, whole],
        "a twin stands in where there is one"
    );
    let mut told: Vec<_> =
        unsound.iter().map(|bad| (bad.attempt, bad.unit.0, bad.error.is_damage())).collect();
    told.sort_unstable();
    assert_eq!(told, [(dead.id(), 0, true), (dead.id(), 1, true)]);
}

/// On a disk, where files are read on threads of their own.
#[tokio::test]
async fn a_file_of_a_disk_is_read_to_its_last_byte() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path().to_str().unwrap(), options()).await.unwrap();
    let receipt = write(&begin(&store).await, 0).await;
    let file = &receipt.files[0];
    store.verify_file(&name(), file).await.unwrap();
    let path = root.path().join("checkpoints/trips").join(&file.path);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = store.verify_file(&name(), file).await.unwrap_err();
    assert!(error.is_damage() && error.to_string().contains(&file.path), "{error}");
}
