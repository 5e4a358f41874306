//! Ctrl-C.
//!
//! One thread listens for as long as the program runs, so that no signal is lost between two statements. It is a thread of its
//! own, because a join may keep every thread of the program's runtime busy for minutes without giving way. The first press
//! asks for an orderly end. If that takes too long, the second one ends the process at once, which is safe: the next
//! run finds a store as a crash would have left it.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::notices;

/// How long a statement may take to end after a press before somebody says so.
const PATIENCE: Duration = Duration::from_secs(2);

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
        let listener = Listener { pressed: pressed.clone(), calm };
        let (runtime, own) = (Handle::current(), listener.clone());
        let thread = std::thread::Builder::new().name("milepost-interrupts".to_string()).spawn(move || {
            match Builder::new_current_thread().enable_all().build() {
                Ok(alone) => alone.block_on(own.listen()),
                Err(_) => drop(runtime.spawn(own.listen())),
            }
        });
        if thread.is_err() {
            tokio::spawn(listener.listen());
        }
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
            _ = self.presses.wait_for(|count| *count > seen) => {}
            result = work => return Ok(result),
        }
        Err(Failure::Interrupted)
    }
}

/// Hears the signals.
#[derive(Debug, Clone)]
struct Listener {
    pressed: watch::Sender<u64>,
    calm: watch::Receiver<u64>,
}

impl Listener {
    async fn listen(self) {
        // Without signals there is nothing to listen for.
        let Ok(mut signals) = signal(SignalKind::interrupt()) else { return };
        let mut patience = None;
        loop {
            tokio::select! {
                biased;
                signal = signals.recv() => {
                    if signal.is_none() {
                        return;
                    }
                    if *self.pressed.borrow() > *self.calm.borrow() {
                        std::process::exit(Exit::Interrupted.number().into());
                    }
                    self.pressed.send_modify(|count| *count += 1);
                    patience = Some(Instant::now() + PATIENCE);
                }
                () = until(patience) => {
                    patience = None;
                    if *self.pressed.borrow() > *self.calm.borrow() {
                        notices::tell(&[UNHEARD.to_string()]);
                    }
                }
            }
        }
    }
}

const UNHEARD: &str =
    "the statement does not give way yet; Ctrl-C again ends the program at once, which is as safe as a crash";

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
