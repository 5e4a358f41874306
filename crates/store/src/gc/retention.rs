//! Which versions are too many, or too old.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{DropReason, GcOptions, PostponedVersion, StoreTime};
use crate::ids::Version;
use crate::log::{LiveVersion, LogState};

/// What a snapshot's own options say about how long it stays.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    committed: StoreTime,
    keep_versions: Stated<u32>,
    ttl: Stated<Option<Duration>>,
}

/// An option of a statement, as it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stated<T> {
    Absent,
    As(T),
    /// Not for this program to understand: then nothing is dropped by it.
    Unreadable,
}

impl Policy {
    /// What the options of a snapshot say that was committed at `committed`.
    pub(super) fn new(committed: StoreTime, options: &BTreeMap<String, String>) -> Self {
        let keep = |text: &str| text.parse().ok().filter(|keep| *keep >= 1);
        Self {
            committed,
            keep_versions: stated(options.get("keep_versions"), keep),
            ttl: stated(options.get("ttl"), parse_age),
        }
    }

    fn keep_versions(&self, default: Option<u32>) -> Option<u32> {
        match self.keep_versions {
            Stated::Absent => default.map(|keep| keep.max(1)),
            Stated::As(keep) => Some(keep),
            Stated::Unreadable => None,
        }
    }

    fn ttl(&self, default: Option<Duration>) -> Option<Duration> {
        match self.ttl {
            Stated::Absent => default,
            Stated::As(ttl) => ttl,
            Stated::Unreadable => None,
        }
    }
}

/// The next version to drop, oldest first. Versions without a policy came after the collection began, and stay.
///
/// How many are kept is what the newest snapshot says; how old one gets is what it says itself. The newest is never
/// dropped for its number, and none is dropped that is younger than the grace period.
pub(super) fn next_drop(
    state: &LogState,
    policies: &BTreeMap<Version, Policy>,
    options: &GcOptions,
    now: StoreTime,
) -> Option<(Version, DropReason)> {
    let mut drops = drops(state, policies, options, now);
    drops.find(|drop| drop.until.is_none()).map(|drop| (drop.version, drop.reason))
}

/// The versions that are only too young to be dropped, oldest first.
pub(super) fn postponed(
    state: &LogState,
    policies: &BTreeMap<Version, Policy>,
    options: &GcOptions,
    now: StoreTime,
) -> Vec<PostponedVersion> {
    let later =
        |Due { version, reason, until }: Due| until.map(|until| PostponedVersion { version, reason, until });
    drops(state, policies, options, now).filter_map(later).collect()
}

/// What is to be dropped, and, if that is not now, from when on.
struct Due {
    version: Version,
    reason: DropReason,
    until: Option<StoreTime>,
}

/// All versions that are too many or too old, oldest first.
fn drops(
    state: &LogState,
    policies: &BTreeMap<Version, Policy>,
    options: &GcOptions,
    now: StoreTime,
) -> impl Iterator<Item = Due> {
    let newest = state.newest().and_then(|newest| policies.get(&newest.version));
    let keep = newest.and_then(|newest| newest.keep_versions(options.keep_versions));
    let excess =
        keep.map_or(0, |keep| state.live.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX)));
    let drop = move |(place, live): (usize, &LiveVersion)| {
        newest?;
        let policy = policies.get(&live.version)?;
        let age = now.since(policy.committed);
        let expired =
            policy.ttl(options.ttl).filter(|ttl| age >= *ttl).map(|ttl| DropReason::Expired { ttl });
        let superseded =
            keep.filter(|_| place < excess).map(|keep_versions| DropReason::Superseded { keep_versions });
        let until = (age < options.grace).then(|| policy.committed.after(options.grace));
        superseded.or(expired).map(|reason| Due { version: live.version, reason, until })
    };
    state.live.iter().enumerate().filter_map(drop)
}

fn stated<T>(text: Option<&String>, parse: impl Fn(&str) -> Option<T>) -> Stated<T> {
    match text {
        None => Stated::Absent,
        Some(text) => parse(text.trim()).map_or(Stated::Unreadable, Stated::As),
    }
}

/// Reads the age at which a version is dropped: `none`, or a whole number and a unit, such as `7 days`. `None` for
/// anything else.
///
/// Whoever records a `ttl` must ask here first: what a collection cannot read keeps its version for ever.
#[must_use]
pub fn parse_age(text: &str) -> Option<Option<Duration>> {
    let text = text.to_ascii_lowercase();
    if text == "none" {
        return Some(None);
    }
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let seconds: u64 = match unit.trim() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(seconds).filter(|seconds| *seconds > 0)?;
    Some(Some(Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit_or_none() {
        let seconds = |text| parse_age(text).flatten().map(|ttl| ttl.as_secs());
        assert_eq!(seconds("7 days"), Some(604_800));
        assert_eq!(seconds("90min"), Some(5_400));
        assert_eq!(seconds("7 s"), Some(7));
        assert_eq!(seconds("1 Week"), Some(604_800));
        assert_eq!(seconds("604800 seconds"), Some(604_800));
        assert_eq!(parse_age("NONE"), Some(None));
        for bad in [
            "",
            "7",
            "days",
            "0 days",
            "7 moons",
            "3 hs",
            "7 econds",
            "-1 days",
            "18446744073709551615 weeks",
        ] {
            assert_eq!(parse_age(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_understood_drops_nothing() {
        let options = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let policy = Policy::new(StoreTime(0), &options("ttl", "7 moons"));
        assert_eq!(policy.ttl(Some(Duration::from_secs(1))), None);
        let policy = Policy::new(StoreTime(0), &options("keep_versions", "few"));
        assert_eq!(policy.keep_versions(Some(1)), None);
        let policy = Policy::new(StoreTime(0), &BTreeMap::new());
        assert_eq!(policy.keep_versions(Some(0)), Some(1), "the newest is never too many");
    }
}
