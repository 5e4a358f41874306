//! The store does something else than it says: a reply is lost, a request comes late, a slot "exists" and is empty.

use milepost_store::{CommitOutcome, Error, Version};
use milepost_testkit::{Fault, Operation, Rule};

use crate::support::*;

/// Every try of one append is struck.
const ALL_TRIES: usize = 7;

#[tokio::test]
async fn an_append_whose_reply_was_lost_is_found_by_its_id() {
    let (store, faults) = faulty().await;
    faults.add(Rule::on(Operation::Put, Fault::LoseReply).path("/log/").times(1));
    let snapshot = commit(&store, "a", &[1]).await;
    assert_eq!(snapshot.version, Version(1));
    assert_eq!(store.history(&name()).await.unwrap().len(), 1, "it is there once");
}

/// Object stores map "conflict, try again" to "already exists".
#[tokio::test]
async fn a_slot_that_exists_and_is_empty_is_tried_again() {
    let (store, faults) = faulty().await;
    faults.add(Rule::on(Operation::Put, Fault::ClaimExists).path("/log/").times(2));
    let snapshot = commit(&store, "a", &[1]).await;
    assert_eq!(snapshot.slot.0, 0, "the slot was not given up");
    assert_eq!(faults.count(Operation::Put, "/log/"), 3);
}

/// The first create is slow, not lost. It must not become a second commit.
#[tokio::test]
async fn a_create_that_arrives_late_finds_its_slot_taken() {
    let (store, faults) = faulty().await;
    faults.add(Rule::on(Operation::Put, Fault::ArriveLate).path("/log/").times(1));
    commit(&store, "a", &[1]).await;
    let late = faults.arrive().await;
    assert!(matches!(late[..], [Err(object_store::Error::AlreadyExists { .. })]));
    assert_eq!(store.history(&name()).await.unwrap().len(), 1);
}

/// Nothing gets through. The writer closes its attempt from the same slot on, so that what comes late stays out.
#[tokio::test]
async fn a_commit_of_unknown_outcome_is_kept_out_for_good() {
    let (store, faults) = faulty().await;
    let (attempt, manifest) = staged(&store, "a", &[1]).await.unwrap();
    faults.add(Rule::on(Operation::Put, Fault::ArriveLate).path("/log/").times(ALL_TRIES));
    let result = attempt.commit(draft(manifest.clone()), &Unchanged).await;
    assert!(matches!(result, Err(Error::UnknownOutcome { .. })), "{result:?}");
    let late = faults.arrive().await;
    assert_eq!(late.len(), ALL_TRIES);
    assert!(late.iter().all(Result::is_err), "the close has the slot");
    assert_eq!(newest(&store).await, None);
    assert_eq!(attempt.commit(draft(manifest), &Unchanged).await.unwrap(), CommitOutcome::Closed);
    // The next attempt is not in the way of anything.
    assert_eq!(commit(&store, "a", &[1]).await.version, Version(1));
}

/// The commit was there all the time, but could not be read back. Closing the attempt finds it.
#[tokio::test]
async fn a_commit_that_could_not_be_read_back_is_found_when_the_attempt_is_closed() {
    let (store, faults) = faulty().await;
    let (attempt, manifest) = staged(&store, "a", &[1]).await.unwrap();
    faults.add(Rule::on(Operation::Put, Fault::LoseReply).path("/log/").times(1));
    // Looks before the append: tail, listing. Then every read-back of the slot fails.
    faults.add(Rule::on(Operation::Get, Fault::Refuse).path(&format!("{:020}.json", 0)).times(ALL_TRIES));
    match attempt.commit(draft(manifest), &Unchanged).await.unwrap() {
        CommitOutcome::Committed(snapshot) => assert_eq!(snapshot.version, Version(1)),
        other => panic!("{other:?}"),
    }
    assert_eq!(beside(&faults).await.history(&name()).await.unwrap().len(), 1);
}

/// A writer loses its slot to another in the same moment in which its own reply is lost.
#[tokio::test]
async fn a_lost_reply_of_a_lost_race_is_a_lost_race() {
    let (store, faults) = faulty().await;
    let (attempt, manifest) = staged(&store, "mine", &[1]).await.unwrap();
    faults.add(Rule::on(Operation::Put, Fault::ArriveLate).path("/log/").times(1));
    let other = beside(&faults).await;
    let theirs = tokio::spawn(async move { commit(&other, "theirs", &[2]).await });
    let mine = attempt.commit(draft(manifest), &Unchanged).await.unwrap();
    let theirs = theirs.await.unwrap();
    let CommitOutcome::Committed(mine) = mine else { panic!("{mine:?}") };
    assert_ne!(mine.slot, theirs.slot);
    assert!(faults.arrive().await.iter().all(Result::is_err));
    assert_eq!(versions(&store).await, [1, 2]);
}

#[tokio::test]
async fn a_lost_reply_to_the_begin_or_a_receipt_is_found() {
    let (store, faults) = faulty().await;
    faults.add(Rule::on(Operation::Put, Fault::LoseReply).path("attempt.json").times(1));
    faults.add(Rule::on(Operation::Put, Fault::LoseReply).path("unit-00000.json").times(1));
    faults.add(Rule::on(Operation::Put, Fault::LoseReply).path("milepost.json").times(1));
    commit(&store, "a", &[1]).await;
    assert_eq!(versions(&store).await, [1]);
}

#[tokio::test]
async fn hints_may_fail() {
    let (store, faults) = faulty().await;
    faults.add(Rule::on(Operation::Put, Fault::Refuse).path("/tail"));
    faults.add(Rule::on(Operation::Put, Fault::Refuse).path("/index/"));
    commit(&store, "a", &[1]).await;
    commit(&store, "b", &[2]).await;
    assert_eq!(versions(&store).await, [1, 2]);
    assert_eq!(
        store.find(signature("a")).await.unwrap(),
        None,
        "without a hint it is not found, which is safe"
    );
}

#[tokio::test]
async fn a_failed_read_is_an_error_and_not_an_empty_checkpoint() {
    let (store, faults) = faulty().await;
    commit(&store, "a", &[1]).await;
    for path in ["/log/", "/tail"] {
        faults.add(Rule::on(Operation::Get, Fault::Refuse).path(path));
        assert!(matches!(store.newest(&name()).await, Err(Error::Storage { .. })), "{path}");
        faults.heal();
    }
    assert_eq!(newest(&store).await, Some(Version(1)));
}
