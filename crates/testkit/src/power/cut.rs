//! One cut, and what a store makes of it.

use std::ops::Range;

use milepost_store::Durability;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::disk::{Disk, Temper};
use super::recorder::{Event, ROOT, Record, Syncs, open, temporary};
use crate::crash::runtime;
use crate::failure::Failure;
use crate::scenario::check;

/// So many seeds in a row cut one and the same run at different moments.
pub const CUTS_OF_A_RECORD: u64 = 20;

/// Cuts the power once for each seed; gives how many steps of scripts had been reported before, in total.
///
/// # Errors
/// The first cut after which a promise was broken, with the command that makes it again.
pub fn cut_power(seeds: Range<u64>, syncs: Syncs) -> Result<usize, Failure> {
    let mut reported = 0;
    let mut record: Option<(u64, Record)> = None;
    for seed in seeds {
        let number = seed / CUTS_OF_A_RECORD;
        let case = |failure: Failure| failure.case(format!("seed {seed}"), "power", seed);
        let current = match record.take() {
            Some((known, record)) if known == number => record,
            _ => Record::of(number).map_err(case)?.with(syncs),
        };
        reported += cut_once(&current, seed).map_err(case)?;
        record = Some((number, current));
    }
    Ok(reported)
}

fn cut_once(record: &Record, seed: u64) -> Result<usize, Failure> {
    let mut numbers = StdRng::seed_from_u64(seed);
    let until = numbers.random_range(0..=record.events.len());
    let temper =
        [Temper::LosesAll, Temper::KeepsAll, Temper::Chance, Temper::Chance][numbers.random_range(0..4)];
    let mut disk = Disk::new(record.base.clone());
    let mut done = 0;
    for event in &record.events[..until] {
        match event {
            Event::Disk(step) => disk.replay(step),
            Event::Told(steps) => done = *steps,
        }
    }
    let target = temporary()?;
    let left = disk.leave(target.path(), temper, &mut numbers);
    left.map_err(Failure::io(target.path()))?;
    let case =
        format!("cut after {until} of {} events, {done} steps reported, {temper:?}", record.events.len());
    let root = target.path().join(ROOT);
    runtime()?.block_on(async {
        let looked = async {
            let store = open(&root, Durability::None, 1).await?;
            check(&store, record.script.between(done)).await?;
            if let Some(failure) = record.script.run(&store, done, |_| {}).await.failure {
                return Err(failure);
            }
            check(&open(&root, Durability::None, 2).await?, record.script.end()).await
        };
        looked.await.or_else(|failure: Failure| Failure::broken(format!("{case}: {failure}")))
    })?;
    Ok(done)
}
