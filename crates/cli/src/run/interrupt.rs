//! Ctrl-C.
//!
//! One task listens for as long as the program runs, so that no signal is lost between two statements. The first one
//! asks for an orderly end. If that takes too long, the second one ends the process at once, which is safe: the next
//! run finds a store as a crash would have left it.

use std::future::Future;

use tokio::sync::watch;

use crate::exit::Exit;
use crate::failure::Failure;

/// Counts the times that Ctrl-C was pressed.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts {
    presses: watch::Receiver<u64>,
    /// Presses that were dealt with.
    seen: u64,
    dealt_with: watch::Sender<u64>,
    pressed: watch::Sender<u64>,
}

impl Interrupts {
    /// Starts to listen. Call it inside a runtime.
    pub(crate) fn listen() -> Self {
        let (pressed, presses) = watch::channel(0);
        let (dealt_with, calm) = watch::channel(0);
        let press = pressed.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                let waiting = *press.borrow() > *calm.borrow();
                if waiting {
                    std::process::exit(Exit::Interrupted.number().into());
                }
                press.send_modify(|count| *count += 1);
            }
            // Without signals there is nothing to listen for, and nobody may take this for a press.
            std::future::pending::<()>().await;
        });
        Self { presses, seen: 0, dealt_with, pressed }
    }

    /// Does what pressing Ctrl-C does, from wherever it is called.
    pub(crate) fn presser(&self) -> impl Fn() + Send + 'static {
        let pressed = self.pressed.clone();
        move || pressed.send_modify(|count| *count += 1)
    }

    /// Forgets presses so far, as the shell does at its prompt.
    pub(crate) fn forget(&mut self) {
        self.seen = *self.presses.borrow();
        self.dealt_with.send_replace(self.seen);
    }

    /// The future's result, unless Ctrl-C comes first. Then the future is dropped.
    ///
    /// # Errors
    /// [`Failure::Interrupted`].
    pub(crate) async fn guard<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let seen = self.seen;
        tokio::select! {
            biased;
            _ = self.presses.wait_for(|count| *count > seen) => Err(Failure::Interrupted),
            result = work => Ok(result),
        }
    }
}
