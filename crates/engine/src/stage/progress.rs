//! What the stages of a session have read and written so far, for progress bars.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use datafusion::physical_plan::ExecutionPlan;
use milepost_store::{StepTimes, WriteTimes};
use parking_lot::Mutex;

/// A stage that runs now, or a wait before one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageProgress {
    /// The checkpoint that is written, or the files that are waited for.
    pub checkpoint: String,
    /// Rows written so far.
    pub rows: u64,
    /// Bytes written so far, compressed.
    pub bytes: u64,
    /// Rows that scans have read so far. A stage that sorts or aggregates reads all of them before it writes one.
    pub rows_read: u64,
    /// Bytes of files that scans have read so far.
    pub bytes_read: u64,
    /// Units that are complete.
    pub units_done: usize,
    /// All units; none before there is a stage.
    pub units: usize,
    /// Time since the stage began.
    pub elapsed: Duration,
    /// What it waits for: the end of another writer of the same result, or files to settle.
    pub waits_for: Option<String>,
}

/// The counters of one running stage.
#[derive(Debug)]
pub(crate) struct StageCounters {
    checkpoint: String,
    units: usize,
    started: Instant,
    rows: AtomicU64,
    bytes: AtomicU64,
    units_done: AtomicUsize,
    waits_for: Mutex<Option<String>>,
    plans: Mutex<Vec<Arc<dyn ExecutionPlan>>>,
    times: Mutex<StageTimes>,
    writing: Arc<WriteTimes>,
}

/// Where a stage's time went. Units run side by side, so what is theirs may add up to more than the stage took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StageTimes {
    /// Waiting for the query's rows, which is computing them where nothing else has to be waited for.
    pub(crate) compute: Duration,
    /// Encoding, hashing and measuring rows.
    pub(crate) encode: Duration,
    /// Sending bytes, as far as encoding had to wait for it.
    pub(crate) write: Duration,
    /// Ending the files, which a local disk syncs.
    pub(crate) sync: Duration,
    /// What makes units survive a crash: the last look at their sources, and their receipts. Heartbeats too.
    pub(crate) receipts: Duration,
    /// The judgement and the commit.
    pub(crate) commit: Duration,
}

impl StageTimes {
    /// What a job's log keeps of them.
    pub(crate) fn for_the_job(&self) -> StepTimes {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        StepTimes {
            compute_ms: ms(self.compute),
            encode_ms: ms(self.encode),
            write_ms: ms(self.write),
            sync_ms: ms(self.sync + self.receipts),
            commit_ms: ms(self.commit),
        }
    }
}

impl StageCounters {
    /// Adds to the times.
    pub(crate) fn took(&self, add: impl FnOnce(&mut StageTimes)) {
        add(&mut self.times.lock());
    }

    /// What the writers of the stage's files add their time to.
    pub(crate) fn writing(&self) -> Arc<WriteTimes> {
        Arc::clone(&self.writing)
    }

    pub(crate) fn times(&self) -> StageTimes {
        StageTimes {
            encode: self.writing.encode(),
            write: self.writing.write(),
            sync: self.writing.sync(),
            ..*self.times.lock()
        }
    }

    pub(crate) fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Shows what the scans of a plan read from now on.
    pub(crate) fn runs(&self, plan: &Arc<dyn ExecutionPlan>) {
        let mut plans = self.plans.lock();
        // A stage that is tried again has run it before.
        if !plans.iter().any(|known| Arc::ptr_eq(known, plan)) {
            plans.push(Arc::clone(plan));
        }
    }

    pub(crate) fn waits_for(&self, who: Option<String>) {
        *self.waits_for.lock() = who;
    }

    pub(crate) fn units_adopted(&self, units: usize) {
        self.units_done.fetch_add(units, Ordering::Relaxed);
    }

    pub(crate) fn unit_done(&self) {
        self.units_done.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn units_done(&self) -> usize {
        self.units_done.load(Ordering::Relaxed)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn read(&self) -> StageProgress {
        let mut input = Input::default();
        for plan in self.plans.lock().iter() {
            input.add(plan);
        }
        StageProgress {
            rows_read: input.rows,
            bytes_read: input.bytes,
            checkpoint: self.checkpoint.clone(),
            rows: self.rows.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            units_done: self.units_done.load(Ordering::Relaxed),
            units: self.units,
            elapsed: self.started.elapsed(),
            waits_for: self.waits_for.lock().clone(),
        }
    }
}

/// What the scans of plans have read.
#[derive(Default)]
struct Input {
    rows: u64,
    bytes: u64,
}

impl Input {
    fn add(&mut self, plan: &Arc<dyn ExecutionPlan>) {
        let inputs = plan.children();
        if inputs.is_empty()
            && let Some(metrics) = plan.metrics()
        {
            let sum = |name: &str| metrics.sum_by_name(name).map_or(0, |sum| sum.as_usize() as u64);
            self.rows += metrics.output_rows().unwrap_or_default() as u64;
            self.bytes += sum("bytes_scanned");
        }
        inputs.into_iter().for_each(|input| self.add(input));
    }
}

/// The stages of a session that run now. A stage leaves the board when its counters are dropped.
#[derive(Debug, Default)]
pub(crate) struct ProgressBoard(Mutex<Vec<Weak<StageCounters>>>);

impl ProgressBoard {
    pub(crate) fn begin(&self, checkpoint: String, units: usize) -> Arc<StageCounters> {
        let counters = Arc::new(StageCounters {
            checkpoint,
            units,
            started: Instant::now(),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            units_done: AtomicUsize::new(0),
            waits_for: Mutex::default(),
            plans: Mutex::default(),
            times: Mutex::default(),
            writing: Arc::default(),
        });
        let mut board = self.0.lock();
        board.retain(|stage| stage.strong_count() > 0);
        board.push(Arc::downgrade(&counters));
        counters
    }

    pub(crate) fn read(&self) -> Vec<StageProgress> {
        self.0.lock().iter().filter_map(Weak::upgrade).map(|stage| stage.read()).collect()
    }
}
