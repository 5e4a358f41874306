//! Signs of life, from a thread of their own: operators such as joins may keep every thread of a query's runtime busy for minutes
//! without giving way, and whoever is not heard of for half a minute counts as dead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// How often: so that a few may be lost before anybody takes their owner for dead.
const BEAT: Duration = Duration::from_secs(5);

/// Beats until it is stopped or dropped.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    spent_us: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Calls `beat` at once and every five seconds. `owner` is held only while it beats, so that what goes with it, such as a lock,
    /// is free as soon as it goes.
    pub(crate) fn of<T, B>(owner: &Arc<T>, beat: impl Fn(Arc<T>) -> B + Send + Sync + 'static) -> Self
    where
        T: Send + Sync + 'static,
        B: Future<Output = ()> + Send,
    {
        let owner = Arc::downgrade(owner);
        let (stop, mut stopped) = oneshot::channel();
        let spent_us = Arc::<AtomicU64>::default();
        let spent = Arc::clone(&spent_us);
        let task = own_thread().spawn(async move {
            let mut beats = tokio::time::interval(BEAT);
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    _ = &mut stopped => return,
                    _ = beats.tick() => {}
                }
                let Some(owner) = owner.upgrade() else { return };
                let began = Instant::now();
                beat(owner).await;
                let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                spent.fetch_add(took, Ordering::Relaxed);
            }
        });
        Self { stop: Some(stop), task, spent_us }
    }

    /// How long all beats took so far.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_micros(self.spent_us.load(Ordering::Relaxed))
    }

    /// Ends it: no beat is under way any more when this returns.
    pub(crate) async fn stop(mut self) {
        self.stop = None;
        // A beat that panicked has ended as well.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The runtime of the process' heartbeats; the caller's own one, if there can be no other thread.
fn own_thread() -> Handle {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("milepost-heartbeat")
            .enable_all()
            .build()
            .ok()
    });
    runtime.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A runtime of one thread, which is busy all the time.
    #[tokio::test]
    async fn hearts_beat_while_a_query_keeps_its_runtime_busy() {
        let beats = Arc::new(AtomicU64::new(0));
        let heartbeat = Heartbeat::of(&beats, |beats| async move {
            beats.fetch_add(1, Ordering::Relaxed);
        });
        let began = Instant::now();
        while beats.load(Ordering::Relaxed) == 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing was heard");
            std::thread::sleep(Duration::from_millis(1));
        }
        heartbeat.stop().await;
        assert_eq!(Arc::strong_count(&beats), 1);
    }
}
