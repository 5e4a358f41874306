//! Time and new ids, injected so that tests own both.

use std::fmt::Debug;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use ulid::Ulid;

/// The moment that [`Clock::ticks`] counts from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Where the store gets the time and new ids from.
///
/// Nothing that must be right depends on the time: it is written down for people and for liveness only.
pub trait Clock: Send + Sync + Debug {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;

    /// A new id that nobody else has or will get.
    fn ulid(&self) -> Ulid;

    /// Time since some moment of this process, by a clock that nobody can set and that never goes back.
    ///
    /// For how long something has been quiet. Default: tokio's clock.
    fn ticks(&self) -> Duration {
        START.elapsed()
    }
}

/// The machine's clock and random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that makes ids from the machine's randomness"
    )]
    fn ulid(&self) -> Ulid {
        Ulid::new()
    }
}
