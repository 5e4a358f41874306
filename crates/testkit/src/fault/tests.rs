use object_store::memory::InMemory;

use super::*;

fn store() -> (FaultStore, Path) {
    (FaultStore::new(Arc::new(InMemory::new())), Path::from("a/b"))
}

async fn create(store: &FaultStore, path: &Path, text: &'static str) -> Result<PutResult> {
    store.put_opts(path, text.into(), PutMode::Create.into()).await
}

async fn read(store: &FaultStore, path: &Path) -> Option<Bytes> {
    store.inner().get(path).await.ok()?.bytes().await.ok()
}

#[tokio::test]
async fn a_rule_strikes_only_what_it_names() {
    let (store, path) = store();
    store.add(Rule::on(Operation::Put, Fault::Refuse).path("a/").skip(1).times(1));
    assert!(create(&store, &path, "1").await.is_ok());
    assert!(create(&store, &Path::from("c"), "1").await.is_ok());
    assert!(create(&store, &Path::from("a/c"), "1").await.is_err());
    assert_eq!(read(&store, &Path::from("a/c")).await, None);
    assert!(create(&store, &Path::from("a/c"), "1").await.is_ok());
    assert_eq!(store.count(Operation::Put, "a/"), 3);
}

#[tokio::test]
async fn a_lost_reply_leaves_the_object_there() {
    let (store, path) = store();
    store.add(Rule::on(Operation::Put, Fault::LoseReply).times(1));
    assert!(create(&store, &path, "1").await.is_err());
    assert_eq!(read(&store, &path).await.as_deref(), Some(&b"1"[..]));
}

#[tokio::test]
async fn a_late_request_arrives_when_the_test_says_so() {
    let (store, path) = store();
    store.add(Rule::on(Operation::Put, Fault::ArriveLate).times(1));
    assert!(create(&store, &path, "1").await.is_err());
    assert!(create(&store, &path, "2").await.is_ok());
    assert!(matches!(store.arrive().await[..], [Err(Error::AlreadyExists { .. })]));
    assert_eq!(read(&store, &path).await.as_deref(), Some(&b"2"[..]));
}

#[tokio::test]
async fn a_stopped_store_does_nothing_more() {
    let (store, path) = store();
    store.stop_after(1, true);
    assert!(create(&store, &path, "1").await.is_ok());
    assert!(create(&store, &Path::from("lost"), "2").await.is_err());
    assert!(create(&store, &Path::from("never"), "3").await.is_err());
    assert!(store.get(&path).await.is_err());
    assert!(read(&store, &Path::from("lost")).await.is_some());
    assert!(read(&store, &Path::from("never")).await.is_none());
    store.heal();
    assert!(store.get(&path).await.is_ok());
}

/// What is read before the last write is read; with no write left the process is gone at once.
#[tokio::test]
async fn a_stop_after_writes_counts_no_reads() {
    let run = async |lose_last| {
        let (store, path) = store();
        store.stop_after(1, lose_last);
        let before = matches!(store.get(&path).await, Err(Error::NotFound { .. }));
        assert!(create(&store, &path, "1").await.is_ok());
        let between = store.get(&path).await.is_ok();
        assert!(create(&store, &Path::from("last"), "2").await.is_err());
        let after = store.get(&path).await.is_ok();
        (before, between, read(&store, &Path::from("last")).await.is_some(), after)
    };
    assert_eq!(run(true).await, (true, true, true, false));
    assert_eq!(run(false).await, (true, false, false, false));
}

#[tokio::test]
async fn random_faults_are_the_same_for_the_same_seed() {
    let run = async |seed| {
        let (store, _) = store();
        store.fail_at_random(seed, 0.5);
        let mut results = vec![];
        for index in 0..40 {
            results.push(create(&store, &Path::from(format!("{index}")), "1").await.is_ok());
        }
        results
    };
    assert_eq!(run(1).await, run(1).await);
    assert_ne!(run(1).await, run(2).await);
}

#[tokio::test]
async fn a_stop_counts_reads_too() {
    let run = async |how| {
        let (store, path) = store();
        store.stop_at(1, how);
        let read_first = store.get(&path).await;
        assert!(matches!(read_first, Err(Error::NotFound { .. })));
        let answered = create(&store, &path, "12").await.is_ok();
        let goes_on = create(&store, &Path::from("next"), "3").await.is_ok();
        (answered, read(&store, &path).await, goes_on, store.torn())
    };
    let whole = Some(Bytes::from("12"));
    assert_eq!(run(Stop::Before).await, (false, None, false, None));
    assert_eq!(run(Stop::After).await, (false, whole.clone(), false, None));
    assert_eq!(run(Stop::ReplyLost).await, (false, whole, true, None));
    assert_eq!(run(Stop::Torn).await, (false, Some(Bytes::from("1")), false, Some(Path::from("a/b"))));
}
