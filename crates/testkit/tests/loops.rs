//! Crashes, faults, flips and power cuts, as often as there is time in a test. More: `milepost-testkit soak`, or
//! `MILEPOST_LOOPS=50` for fifty times as many seeds here.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

use milepost_testkit::Failure;
use milepost_testkit::crash::{run_rivals, run_schedules};
use milepost_testkit::power::{Syncs, cut_power};
use milepost_testkit::soak::{LOOPS, Loop};

/// Runs a loop as often as a short soak does, or more.
fn run(name: &str) -> u64 {
    let known: &Loop = LOOPS.iter().find(|known| known.name == name).unwrap();
    let times: u64 = std::env::var("MILEPOST_LOOPS").map_or(1, |times| times.parse().unwrap());
    (known.run)(0..known.short * times).unwrap_or_else(|failure| panic!("{failure}"))
}

/// The process ends before, after and in the middle of every request of a script that does everything once; or its reply
/// is lost. What was reported is there, nothing is there by half, and another process goes on to the same end.
#[test]
fn a_process_may_end_at_every_request() {
    assert!(run("stops") > 400, "every request in four ways");
}

/// Requests are refused, replies lost, puts come late, slots are said to be taken; process after process.
#[test]
fn faults_at_random_change_nothing_in_the_end() {
    assert!(run("schedules") >= 200);
    assert!(run_schedules(0..50).unwrap() > 50, "most processes met a fault that they could not go on after");
}

/// Three writers of one checkpoint, each with faults of its own: every report is true, every step is there once.
#[test]
fn rivals_under_faults_agree() {
    assert!(run("rivals") >= 100);
    assert!(run_rivals(0..20).unwrap() > 20, "commits had to be tried again");
}

/// The power is cut at a random moment; what was not synced is lost, torn or kept.
#[test]
fn what_was_reported_survives_a_power_cut() {
    assert!(run("power") >= 200);
    assert!(cut_power(0..20, Syncs::All).unwrap() > 40, "something had been reported before most cuts");
}

/// The same loop over a disk that some syncs do not reach: each kind of sync is needed, and this loop would notice.
#[test]
fn a_disk_without_one_kind_of_sync_is_found_out() {
    for syncs in [Syncs::NotOfFiles, Syncs::NotOfDirectories, Syncs::NotOfParents] {
        let found = cut_power(0..200, syncs);
        let Err(Failure::Case { command, .. }) = &found else { panic!("{syncs:?}: {found:?}") };
        assert!(command.contains("--only power --seed"), "{command}");
    }
}

/// Every byte of a manifest, and many of data files: named as damage, never read around.
#[test]
fn every_flipped_byte_is_named() {
    assert!(run("manifest-flips") > 1_000);
    assert!(run("data-flips") >= 200);
}
