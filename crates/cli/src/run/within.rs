//! A limit of time that holds while all threads of the runtime are busy.

use std::future::Future;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// The result of `work`, if it is there in time.
///
/// The clock is a thread of its own: joins may keep every thread of the runtime busy for minutes, and its own timers stand still then.
pub(crate) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let (late, over) = oneshot::channel();
    let (done, waits) = mpsc::channel::<()>();
    let clock = move || {
        if waits.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            // Nobody listens where the work was done in the same moment.
            let _ = late.send(());
        }
    };
    if thread::Builder::new().name("milepost-limit".to_string()).spawn(clock).is_err() {
        return Some(work.await);
    }
    let result = tokio::select! {
        biased;
        result = work => Some(result),
        _ = over => None,
    };
    drop(done);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_runtime_does_not_stop_the_clock() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (end, ended) = mpsc::channel::<()>();
        runtime.spawn(async move {
            let _ = ended.recv();
        });
        let late = runtime.block_on(within(Duration::from_millis(50), std::future::pending::<()>()));
        assert_eq!(late, None);
        assert_eq!(runtime.block_on(within(Duration::from_secs(60), async { 7 })), Some(7));
        drop(end);
    }
}
