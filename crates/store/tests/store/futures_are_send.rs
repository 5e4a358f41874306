//! Every operation can run on any thread of a runtime.

use milepost_store::{
    Attempt, AttemptWatch, CommitDraft, CommitJudge, DataFileWriter, Driver, GcOptions, Receipt, RunOutcome,
    Snapshot, Store, VerifyOptions, Version, Which,
};

use crate::job_support::*;
use crate::support::*;

fn sends<T: Send>(_: T) {}

/// Compiles, or does not: it is never run.
#[expect(dead_code, reason = "the compiler is the test")]
fn all(
    store: &Store,
    attempt: &Attempt,
    snapshot: &Snapshot,
    draft: CommitDraft,
    judge: &dyn CommitJudge,
    receipt: Receipt,
    mut writer: DataFileWriter,
) {
    let trips = name();
    sends(Store::open("memory://", options()));
    sends(store.checkpoints());
    sends(store.newest(&trips));
    sends(store.snapshot(&trips, Version(1)));
    sends(store.history(&trips));
    sends(store.live(&trips));
    sends(store.overview(Which::All));
    sends(store.find(signature("a")));
    sends(store.begin(&trips, spec(signature("a"))));
    sends(store.drop_version(&trips, Version(1)));
    sends(store.drop_checkpoint(&trips));
    sends(store.collect_garbage(GcOptions::default()));
    sends(store.verify(VerifyOptions::default()));
    sends(store.check_files(snapshot));
    sends(store.verify_file(&trips, &snapshot.manifest.files[0]));
    sends(attempt.write_receipt(receipt));
    sends(attempt.heartbeat());
    sends(attempt.commit(draft, judge));
    sends(attempt.abandon());
    sends(writer.write(&rows(&[1])));
    sends(writer.finish());
}

/// The same.
#[expect(dead_code, reason = "the compiler is the test")]
fn of_others_and_jobs(store: &Store, attempt: &Attempt, mut watch: AttemptWatch, driver: &Driver) {
    let trips = name();
    sends(attempt.earlier());
    sends(attempt.adoptable());
    sends(store.open_attempts(&trips));
    sends(store.receipts(&trips, attempt.id()));
    sends(watch.look());
    sends(watch.progress());
    sends(Driver::start(store, &job(), start()));
    sends(driver.step(step(0)));
    sends(driver.finish(RunOutcome::Done, None));
    sends(driver.heartbeat());
    sends(store.jobs());
    sends(store.open_job(&job()));
    sends(store.job_history(&job()));
}
