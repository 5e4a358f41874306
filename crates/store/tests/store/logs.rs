//! A log by itself, with bodies of any kind.

use std::sync::Arc;

use milepost_store::{AppendOutcome, Clock, Entry, Error, Log, Slot};
use milepost_testkit::{Fault, FaultStore, Operation, Rule};
use object_store::memory::InMemory;
use object_store::path::Path;

use crate::support::*;

fn log(faults: &FaultStore) -> Log<String> {
    let clock: Arc<dyn Clock> = Arc::new(clock());
    Log::new(Arc::new(faults.clone()), Path::from("job/log"), Path::from("job/tail"), clock)
}

fn faults() -> FaultStore {
    FaultStore::new(Arc::new(InMemory::new()))
}

async fn append(log: &Log<String>, text: &str) -> Entry<String> {
    loop {
        let newest = log.newest().await.unwrap();
        let draft = log.draft(newest.as_ref(), text.to_owned()).unwrap();
        if let AppendOutcome::Appended(_) = log.append(&draft).await.unwrap() {
            log.write_tail(draft.entry()).await;
            return draft.entry().clone();
        }
    }
}

#[tokio::test]
async fn entries_come_back_as_they_were_written() {
    let faults = faults();
    let log = log(&faults);
    assert_eq!(log.newest().await.unwrap(), None);
    assert_eq!(log.entries_from(Slot(0)).await.unwrap(), []);
    let first = append(&log, "one").await;
    let second = append(&log, "two").await;
    assert_eq!((first.slot, first.previous), (Slot(0), None));
    assert_eq!((second.slot, second.previous), (Slot(1), Some(first.checksum)));
    assert_eq!(log.read(Slot(0)).await.unwrap().as_ref(), Some(&first));
    assert_eq!(log.newest().await.unwrap().as_ref(), Some(&second));
    assert_eq!(log.entries_from(Slot(1)).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(log.entries_from(Slot(2)).await.unwrap(), []);
    assert_eq!(log.entries_from(Slot(0)).await.unwrap(), [first, second]);
    assert_eq!(log.read(Slot(2)).await.unwrap(), None);
}

#[tokio::test]
async fn adding_the_same_entry_twice_is_a_no_op() {
    let faults = faults();
    let log = log(&faults);
    let draft = log.draft(None, "once".to_owned()).unwrap();
    assert!(matches!(log.append(&draft).await.unwrap(), AppendOutcome::Appended(Slot(0))));
    assert!(matches!(log.append(&draft).await.unwrap(), AppendOutcome::Appended(Slot(0))));
    assert_eq!(log.entries_from(Slot(0)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_loser_of_a_slot_gets_the_winners_entry() {
    let faults = faults();
    let (ours, theirs) = (log(&faults), log(&faults));
    let winner = append(&theirs, "theirs").await;
    let draft = ours.draft(None, "ours".to_owned()).unwrap();
    match ours.append(&draft).await.unwrap() {
        AppendOutcome::Conflict(entry) => assert_eq!(*entry, winner),
        AppendOutcome::Appended(slot) => panic!("appended at {slot}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_writers_end_with_one_order() {
    let faults = faults();
    let mut tasks = vec![];
    for writer in 0..5 {
        let log = log(&faults);
        tasks.push(tokio::spawn(async move {
            for round in 0..20 {
                append(&log, &format!("{writer} {round}")).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let entries = log(&faults).entries_from(Slot(0)).await.unwrap();
    assert_eq!(entries.len(), 100);
    for writer in 0..5 {
        let prefix = format!("{writer} ");
        let rounds: Vec<&str> = entries.iter().filter_map(|entry| entry.body.strip_prefix(&prefix)).collect();
        let expected: Vec<String> = (0..20).map(|round| round.to_string()).collect();
        assert_eq!(rounds, expected, "each writer's entries are all there, in its order");
    }
}

#[tokio::test]
async fn what_is_certainly_not_written_is_said_at_once() {
    let faults = faults();
    let log = log(&faults);
    let draft = log.draft(None, "x".to_owned()).unwrap();
    for (fault, expected) in [(Fault::Forbid, "cannot write to"), (Fault::FillDisk, "the disk is full")] {
        faults.add(Rule::on(Operation::Put, fault));
        let error = log.append(&draft).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!matches!(error, Error::UnknownOutcome { .. }));
        faults.heal();
    }
    assert_eq!(faults.count(Operation::Put, ""), 2, "no second try");
    assert_eq!(log.newest().await.unwrap(), None);
}

/// After a try of unknown outcome, a refusal proves nothing about that first try.
#[tokio::test]
async fn a_refusal_after_an_unknown_outcome_leaves_it_unknown() {
    let faults = faults();
    let log = log(&faults);
    let draft = log.draft(None, "x".to_owned()).unwrap();
    faults.add(Rule::on(Operation::Put, Fault::ArriveLate).times(1));
    faults.add(Rule::on(Operation::Put, Fault::Forbid));
    let error = log.append(&draft).await.unwrap_err();
    assert!(matches!(error, Error::UnknownOutcome { .. }), "{error}");
}

#[tokio::test]
async fn reading_the_newest_entry_costs_few_requests() {
    let faults = faults();
    let log = log(&faults);
    for round in 0..30 {
        append(&log, &format!("{round}")).await;
    }
    faults.forget_calls();
    log.newest().await.unwrap();
    assert_eq!(faults.count(Operation::Get, ""), 4, "hint, entry, and two looks past the end");
    assert_eq!(faults.count(Operation::List, ""), 0);
}
