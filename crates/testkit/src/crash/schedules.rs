//! Faults at random: refused requests, lost replies, late arrivals, wrong "already exists", full disks, and ends of processes.

use std::ops::Range;
use std::sync::Arc;

use object_store::memory::InMemory;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{over_seeds, recover, run_process};
use crate::failure::Failure;
use crate::fault::FaultStore;
use crate::rule::{Fault, Operation, Rule};
use crate::scenario::{Script, check, open};
use crate::stop::Stop;

/// How many processes in a row have faults.
const PROCESSES: u64 = 4;

/// Runs the schedule of every seed; gives how many processes failed on the way.
///
/// # Errors
/// The first schedule that broke a promise, with the command that runs it alone.
pub fn run_schedules(seeds: Range<u64>) -> Result<usize, Failure> {
    over_seeds("schedules", seeds, run_schedule)
}

/// Runs a random script under random faults, process after process, and the rest of it without.
///
/// # Errors
/// What broke a promise.
pub async fn run_schedule(seed: u64) -> Result<usize, Failure> {
    let mut numbers = StdRng::seed_from_u64(seed);
    let script = Script::random(seed, 8);
    let faults = FaultStore::new(Arc::new(InMemory::new()));
    let (mut done, mut failed) = (0, 0);
    for process in 0..PROCESSES {
        misbehave(&faults, &mut numbers);
        let progress = run_process(Arc::new(faults.clone()), 2 * process, &script, done).await;
        faults.heal();
        done = progress.done;
        if let Some(failure) = progress.failure {
            if !failure.is_expected() {
                return Err(failure);
            }
            failed += 1;
        }
        if numbers.random_bool(0.5) {
            faults.arrive().await;
        }
        let witness = open(faults.inner(), 2 * process + 1).await?;
        check(&witness, script.between(done)).await?;
    }
    recover(faults.inner(), 2 * PROCESSES, &script, done).await?;
    // What was under way all the time finds its place taken.
    faults.arrive().await;
    check(&open(faults.inner(), 2 * PROCESSES + 2).await?, script.end()).await?;
    Ok(failed)
}

fn misbehave(faults: &FaultStore, numbers: &mut StdRng) {
    let probability = [0.02, 0.05, 0.1, 0.3][numbers.random_range(0..4)];
    faults.misbehave_at_random(numbers.random(), probability);
    if numbers.random_bool(0.3) {
        faults.stop_at(numbers.random_range(0..150), Stop::ALL[numbers.random_range(0..3)]);
    }
    if numbers.random_bool(0.3) {
        let rule = Rule::on(Operation::Put, Fault::ClaimExists).path("/log/");
        faults.add(rule.skip(numbers.random_range(0..4)).times(numbers.random_range(1..9)));
    }
    if numbers.random_bool(0.3) {
        let rule = Rule::on(Operation::Put, Fault::ArriveLate).path("/log/");
        faults.add(rule.skip(numbers.random_range(0..4)).times(numbers.random_range(1..9)));
    }
    if numbers.random_bool(0.2) {
        let operation = [Operation::Put, Operation::PutPart, Operation::Complete][numbers.random_range(0..3)];
        let rule = Rule::on(operation, Fault::FillDisk);
        faults.add(rule.skip(numbers.random_range(0..40)).times(numbers.random_range(1..20)));
    }
}
