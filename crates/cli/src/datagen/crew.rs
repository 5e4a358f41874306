//! The threads that write parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::tables::Table;
use super::writer::Part;
use crate::failure::Failure;

/// One thread for each processor, and the parts that they have finished.
pub(super) struct Crew {
    threads: JoinSet<()>,
    finished: UnboundedReceiver<Result<Table, Failure>>,
    stop: Arc<AtomicBool>,
}

impl Crew {
    /// Starts to write the parts, the last of the queue first.
    pub(super) fn start(queue: Vec<Part>) -> Self {
        let wanted = std::thread::available_parallelism().map_or(1, usize::from).min(queue.len());
        let queue = Arc::new(Mutex::new(queue));
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, finished) = unbounded_channel();
        let mut threads = JoinSet::new();
        for _ in 0..wanted {
            let (queue, stop, sender) = (Arc::clone(&queue), Arc::clone(&stop), sender.clone());
            threads.spawn_blocking(move || work(&queue, &stop, &sender));
        }
        Self { threads, finished, stop }
    }

    /// The next part that is finished, by its table. `None` when there is nothing left to write.
    pub(super) async fn next(&mut self) -> Option<Result<Table, Failure>> {
        self.finished.recv().await
    }

    /// Stops the threads and waits until the last one holds no file any more.
    pub(super) async fn dismiss(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while self.threads.join_next().await.is_some() {}
    }
}

/// Writes parts until none is left, one fails, or somebody says stop.
fn work(queue: &Mutex<Vec<Part>>, stop: &AtomicBool, finished: &UnboundedSender<Result<Table, Failure>>) {
    loop {
        let Some(part) = queue.lock().pop() else { return };
        let written = match part.write(stop) {
            Ok(true) => Ok(part.table),
            Ok(false) => return,
            Err(failure) => Err(failure),
        };
        let failed = written.is_err();
        // Nobody listens any more after a failure or Ctrl-C.
        if finished.send(written).is_err() || failed {
            return;
        }
    }
}
