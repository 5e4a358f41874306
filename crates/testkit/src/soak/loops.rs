//! The loops and their counts.

use std::ops::Range;

use crate::crash::{flip_data_files, flip_manifest, run_rivals, run_schedules, stop_at_every_request};
use crate::failure::Failure;
use crate::power::{CUTS_OF_A_RECORD, Syncs, cut_power};
use crate::processes::{Program, run_crowds, run_kills};
use crate::stop::Stop;

/// A kind of accident, as often as there are seeds.
#[derive(Clone, Copy, Debug)]
pub struct Loop {
    /// Its name on the command line.
    pub name: &'static str,
    /// What a case is.
    pub unit: &'static str,
    /// Seeds of a short run, as in the tests.
    pub short: u64,
    /// Seeds of a full run.
    pub full: u64,
    /// Cases of a full run: where its seeds make fewer, because a process had ended before it was killed, more seeds follow.
    pub cases: u64,
    /// Seeds between two looks at the time.
    pub batch: u64,
    /// Runs the seeds; gives how many cases they made.
    pub run: fn(Range<u64>) -> Result<u64, Failure>,
}

/// How many flips one seed makes.
const FLIPS: usize = 100;

/// All loops.
pub const LOOPS: &[Loop] = &[
    Loop {
        name: "schedules",
        unit: "schedules of random faults",
        short: 200,
        full: 10_000,
        cases: 0,
        batch: 1_000,
        run: |seeds| each(seeds, run_schedules),
    },
    Loop {
        name: "rivals",
        unit: "races of three writers under random faults",
        short: 100,
        full: 5_000,
        cases: 0,
        batch: 1_000,
        run: |seeds| each(seeds, run_rivals),
    },
    Loop {
        name: "power",
        unit: "power cuts",
        short: 200,
        full: 5_000,
        cases: 0,
        batch: CUTS_OF_A_RECORD,
        run: |seeds| each(seeds, |seeds| cut_power(seeds, Syncs::All)),
    },
    Loop {
        name: "stops",
        unit: "ends of a process, at every request",
        short: 1,
        full: 5,
        cases: 0,
        batch: 1,
        run: |seeds| seeds.map(stops).sum(),
    },
    Loop {
        name: "manifest-flips",
        unit: "flips, of every byte of a manifest",
        short: 1,
        full: 8,
        cases: 0,
        batch: 1,
        run: |seeds| seeds.map(|seed| flip_manifest(seed).map(|bytes| bytes as u64)).sum(),
    },
    Loop {
        name: "data-flips",
        unit: "flips in data files",
        short: 2,
        full: 10,
        cases: 0,
        batch: 1,
        run: |seeds| seeds.map(|seed| flip_data_files(seed, FLIPS).map(|flips| flips as u64)).sum(),
    },
    Loop {
        name: "kills",
        unit: "kills of a job's process",
        short: 12,
        full: 600,
        cases: 1_000,
        batch: PROCESSES,
        run: |seeds| run_kills(&Program::beside()?, seeds),
    },
    Loop {
        name: "crowds",
        unit: "processes on one name, in crowds",
        short: 20,
        full: 500,
        cases: 0,
        batch: PROCESSES,
        run: |seeds| run_crowds(&Program::beside()?, seeds),
    },
];

/// How many seeds fall on the program between two looks at the time.
const PROCESSES: u64 = 10;

/// Each seed is one case, whatever else the loop counts.
fn each(seeds: Range<u64>, run: impl FnOnce(Range<u64>) -> Result<usize, Failure>) -> Result<u64, Failure> {
    let cases = seeds.end - seeds.start;
    run(seeds).map(|_| cases)
}

fn stops(seed: u64) -> Result<u64, Failure> {
    Stop::ALL.iter().map(|how| stop_at_every_request(seed, *how).map(|cases| cases as u64)).sum()
}
