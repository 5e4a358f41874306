//! A bar for each stage that runs: units done, rows, bytes, rate; what it has read before it writes. On stderr, and only where a person looks. Elsewhere one
//! line says that a stage waits for another writer: nothing else would tell why nothing happens.
//!
//! A thread of its own looks at the stages: what they do may keep every thread of the runtime busy for minutes.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle, TermLike};
use milepost::{Session, StageProgress};

use crate::notices;
use crate::units::{bytes, count, seconds};

/// How often the bars move.
const EVERY: Duration = Duration::from_millis(100);
/// Stages that end sooner are not worth a flicker.
const PATIENCE: Duration = Duration::from_millis(400);

/// A wait for another writer that is shorter is none to tell of.
const WORTH_A_LINE: Duration = Duration::from_secs(1);

/// Watches a session until this is dropped.
pub(crate) struct Progress {
    watcher: Option<Watcher>,
    bars: Option<MultiProgress>,
}

impl Progress {
    /// Watches the stages of a session: with bars where stderr is a terminal, not at all when `quiet`.
    pub(crate) fn watch(session: &Session, quiet: bool) -> Self {
        if quiet {
            return Self { watcher: None, bars: None };
        }
        let session = session.clone();
        if !io::stderr().is_terminal() {
            let mut told = BTreeSet::new();
            return Self { watcher: Watcher::start(move || tell_of_waits(&session, &mut told)), bars: None };
        }
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(
            Box::new(Margin(Term::buffered_stderr())),
            10,
        ));
        let drawn = bars.clone();
        let mut shown = HashMap::new();
        let watcher = Watcher::start(move || draw(&session, &drawn, &mut shown));
        Self { watcher, bars: Some(bars) }
    }

    /// Takes the bars off the screen.
    pub(crate) fn finish(self) {
        drop(self);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // Whoever draws takes its bars along, so that nothing is drawn after they are cleared.
        drop(self.watcher.take());
        if let Some(bars) = self.bars.take() {
            // Only a broken terminal refuses, and then there is nothing on it to clear.
            let _ = bars.clear();
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
    }
}

/// A thread that looks every now and then, until this is dropped.
struct Watcher {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// None where there can be no other thread: progress is not worth failing for.
    fn start(mut look: impl FnMut() + Send + 'static) -> Option<Self> {
        let (stop, stopped): (_, Receiver<()>) = mpsc::channel();
        let watch = move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                look();
            }
        };
        let thread = thread::Builder::new().name("milepost-progress".to_string()).spawn(watch).ok()?;
        Some(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has ended as well.
            let _ = thread.join();
        }
    }
}

/// A terminal whose right edge stays free. Bars fill their line, and the `^C` that the terminal itself writes behind
/// them would begin another line, so that the bars could not be cleared.
#[derive(Debug)]
struct Margin(Term);

impl TermLike for Margin {
    fn width(&self) -> u16 {
        self.0.size().1.saturating_sub(4).max(20)
    }
    fn height(&self) -> u16 {
        self.0.size().0
    }
    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }
    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }
    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }
    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }
    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }
    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

/// One line for each stage that waits for another writer. Whatever else it waits for is over soon.
fn tell_of_waits(session: &Session, told: &mut BTreeSet<String>) {
    for stage in session.progress() {
        let waits = stage.units > 0 && stage.elapsed >= WORTH_A_LINE;
        if let Some(other) = stage.waits_for.filter(|_| waits)
            && told.insert(stage.checkpoint.clone())
        {
            notices::tell(&[format!("{} waits for {other}, which computes the same", stage.checkpoint)]);
        }
    }
}

fn draw(session: &Session, bars: &MultiProgress, shown: &mut HashMap<String, ProgressBar>) {
    let running = session.progress();
    shown.retain(|name, bar| {
        let still_running = running.iter().any(|stage| stage.checkpoint == *name);
        if !still_running {
            bar.finish_and_clear();
        }
        still_running
    });
    for stage in running.iter().filter(|stage| stage.elapsed >= PATIENCE) {
        let bar = shown.entry(stage.checkpoint.clone()).or_insert_with(|| bars.add(bar(stage)));
        bar.set_length(stage.units as u64);
        bar.set_position(stage.units_done as u64);
        bar.set_message(message(stage));
    }
}

fn bar(stage: &StageProgress) -> ProgressBar {
    let bar =
        ProgressBar::hidden().with_prefix(stage.checkpoint.clone()).with_finish(ProgressFinish::AndClear);
    let template = "{prefix} {spinner} {bar:20} {pos}/{len}  {wide_msg}";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("━╸┈")),
        Err(_) => bar,
    }
}

fn message(stage: &StageProgress) -> String {
    let time = stage.elapsed.as_secs_f64().max(0.001);
    let clock = if stage.elapsed.as_secs() < 120 { format!("{time:.1} s") } else { seconds(stage.elapsed) };
    if let Some(other) = &stage.waits_for {
        return format!("waiting for {other}, {clock}");
    }
    let done = |rows: u64, size: u64| {
        let rate = bytes((size as f64 / time) as u64);
        format!("{} rows, {}, {rate}/s, {clock}", count(rows), bytes(size))
    };
    if stage.rows > 0 {
        return done(stage.rows, stage.bytes);
    }
    // A stage that sorts or aggregates reads all of its input before it has a row to write.
    match (stage.rows_read, stage.bytes_read) {
        (0, _) => format!("computing, {clock}"),
        (rows, 0) => format!("has read {} rows, {clock}", count(rows)),
        (rows, size) => format!("has read {}", done(rows, size)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_shows_rows_bytes_rate_and_time() {
        let stage = StageProgress {
            checkpoint: "by_day".to_string(),
            rows: 1_234_567,
            bytes: 3 << 20,
            rows_read: 2_000_000,
            bytes_read: 8 << 20,
            units_done: 1,
            units: 8,
            elapsed: Duration::from_secs(2),
            waits_for: None,
        };
        let other = Some("process 7 on here, 3 of 9 units".to_string());
        assert_eq!(
            message(&StageProgress { waits_for: other, ..stage.clone() }),
            "waiting for process 7 on here, 3 of 9 units, 2.0 s"
        );
        let reading = StageProgress { rows: 0, ..stage.clone() };
        assert_eq!(message(&reading), "has read 2,000,000 rows, 8.00 MiB, 4.00 MiB/s, 2.0 s");
        let in_memory = StageProgress { bytes_read: 0, ..reading.clone() };
        assert_eq!(message(&in_memory), "has read 2,000,000 rows, 2.0 s");
        assert_eq!(message(&StageProgress { rows_read: 0, ..reading }), "computing, 2.0 s");
        assert_eq!(message(&stage), "1,234,567 rows, 3.00 MiB, 1.50 MiB/s, 2.0 s");
    }
}
