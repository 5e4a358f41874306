//! All loops, as often as one likes, with a table of what was run. A loop is a row of [`LOOPS`].

mod arguments;
mod loops;
mod table;

use std::ops::Range;
use std::time::{Duration, Instant};

pub use arguments::{Arguments, Command, Extent, USAGE};
pub use loops::{LOOPS, Loop};
pub use table::table;

use crate::failure::Failure;

/// What a loop did.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The loop.
    pub name: &'static str,
    /// The seeds that were run.
    pub seeds: Range<u64>,
    /// How many cases they made.
    pub cases: u64,
    /// What a case is.
    pub unit: &'static str,
    /// How long it took.
    pub time: Duration,
    /// Why it ended early.
    pub failure: Option<String>,
}

impl Tally {
    /// Whether it ended well because there was no accident at all: a process that was to be killed had ended already.
    #[must_use]
    pub const fn showed_nothing(&self) -> bool {
        self.cases == 0 && self.failure.is_none()
    }
}

/// Runs the chosen loops one after the other, and calls `done` after each.
///
/// # Errors
/// [`Failure::Broken`] if no loop has the wanted name. What the loops find is in their tallies.
pub fn soak(arguments: &Arguments, mut done: impl FnMut(&Tally)) -> Result<Vec<Tally>, Failure> {
    let wanted = |known: &&Loop| arguments.only.as_ref().is_none_or(|name| name == known.name);
    let chosen: Vec<&Loop> = LOOPS.iter().filter(wanted).collect();
    if chosen.is_empty() {
        let names: Vec<_> = LOOPS.iter().map(|known| known.name).collect();
        return Failure::broken(format!("there is no such loop; there are: {}", names.join(", ")));
    }
    let share = u32::try_from(chosen.len()).unwrap_or(1);
    let mut tallies = vec![];
    for known in chosen {
        let tally = match (arguments.seed, arguments.extent) {
            (Some(seed), _) => run(known, seed..seed + 1, 0, None),
            (None, Extent::Short) => run(known, 0..known.short, 0, None),
            (None, Extent::Full) => run(known, 0..known.full, known.cases, None),
            (None, Extent::Time(time)) => run(known, 0..u64::MAX, 0, Some(time / share)),
        };
        done(&tally);
        tallies.push(tally);
    }
    Ok(tallies)
}

/// Runs batch after batch, until the seeds are at their end and there are `enough` cases, or the time is over, or until a failure.
fn run(known: &Loop, seeds: Range<u64>, enough: u64, limit: Option<Duration>) -> Tally {
    let begun = Instant::now();
    let (mut next, mut cases, mut failure) = (seeds.start, 0, None);
    let is_over = |next, cases| next >= seeds.end && cases >= enough;
    while !is_over(next, cases) && limit.is_none_or(|limit| begun.elapsed() < limit) {
        let last = if next < seeds.end { seeds.end } else { u64::MAX };
        let batch = next..last.min(next.saturating_add(known.batch));
        next = batch.end;
        match (known.run)(batch) {
            Ok(count) => cases += count,
            Err(found) => {
                failure = Some(found.to_string());
                break;
            }
        }
    }
    let (time, seeds) = (begun.elapsed(), seeds.start..next);
    Tally { name: known.name, seeds, cases, unit: known.unit, time, failure }
}
