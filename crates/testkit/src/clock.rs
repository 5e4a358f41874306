//! A clock that moves only when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// Time and ids under the test's control. Clones share both.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now_ms: Arc<AtomicI64>,
    ticks_ms: Arc<AtomicU64>,
    ids: Arc<AtomicU64>,
    seed: u64,
}

impl ManualClock {
    /// Starts at `now_ms` milliseconds since the Unix epoch. Clocks of different seeds never give the same id.
    #[must_use]
    pub fn new(now_ms: i64, seed: u64) -> Self {
        Self { now_ms: Arc::new(AtomicI64::new(now_ms)), ticks_ms: Arc::default(), ids: Arc::default(), seed }
    }

    /// The time.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    /// Time since the start, which [`Self::advance`] does not touch.
    #[must_use]
    pub fn ticks(&self) -> Duration {
        Duration::from_millis(self.ticks_ms.load(Ordering::SeqCst))
    }

    /// Lets time pass: both the time and the ticks go on.
    pub fn pass(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.ticks_ms.fetch_add(ms, Ordering::SeqCst);
        self.advance(i64::try_from(ms).unwrap_or(i64::MAX));
    }

    /// Sets the time by `ms`, which may be negative, as an administrator does.
    pub fn advance(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// 128 bits that are larger than all before them: 48 bits of time, 32 of seed, 48 of a count.
    fn next_id(&self) -> u128 {
        let time = u128::try_from(self.now_ms()).unwrap_or(0) & 0xFFFF_FFFF_FFFF;
        let count = u128::from(self.ids.fetch_add(1, Ordering::SeqCst)) & 0xFFFF_FFFF_FFFF;
        (time << 80) | (u128::from(self.seed & 0xFFFF_FFFF) << 48) | count
    }
}

impl milepost_store::Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        Self::now_ms(self)
    }

    fn ulid(&self) -> ulid::Ulid {
        ulid::Ulid::from(self.next_id())
    }

    fn ticks(&self) -> Duration {
        Self::ticks(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_the_time_lets_no_time_pass() {
        let clock = ManualClock::new(1_000, 1);
        clock.advance(-500);
        assert_eq!((clock.now_ms(), clock.ticks()), (500, Duration::ZERO));
        clock.pass(Duration::from_millis(20));
        assert_eq!((clock.now_ms(), clock.ticks()), (520, Duration::from_millis(20)));
    }

    #[test]
    fn a_store_goes_by_its_ticks() {
        let clock = ManualClock::new(1_000, 1);
        let of_store: &dyn milepost_store::Clock = &clock;
        clock.pass(Duration::from_millis(20));
        assert_eq!(of_store.ticks(), Duration::from_millis(20));
    }

    #[test]
    fn ids_of_one_clock_rise_and_those_of_two_differ() {
        let (a, b) = (ManualClock::new(1_000, 1), ManualClock::new(1_000, 2));
        let ids: Vec<_> = (0..3).map(|_| a.next_id()).collect();
        assert!(ids.is_sorted_by(|x, y| x < y));
        assert!(!ids.contains(&b.next_id()));
        a.advance(1);
        assert!(a.next_id() > ids[2]);
    }
}
