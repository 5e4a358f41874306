//! What the demo prints after each run and at its end.

use std::time::Duration;

use super::tour::{RunOf, StepDone};
use crate::units::{bytes, count, counted, seconds};

/// A table of the steps of a run.
pub(super) fn table(title: &str, run: &RunOf) -> String {
    let head = ["step", "outcome", "rows", "bytes", "time", "time saved"].map(str::to_string);
    let mut rows = vec![head];
    rows.extend(run.steps.iter().map(line));
    let others = format!("({})", counted(run.others, "other statement"));
    rows.push([others, String::new(), String::new(), String::new(), seconds(run.others_time), String::new()]);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = format!("\n{title}");
    for row in &rows {
        text.push_str("\n ");
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            // Names to the left, numbers to the right.
            text.push_str(&if column < 2 {
                format!(" {cell:<width$} ")
            } else {
                format!(" {cell:>width$} ")
            });
        }
        text.truncate(text.trim_end().len());
    }
    text
}

fn line(step: &StepDone) -> [String; 6] {
    let saved = if step.saved.is_zero() { String::new() } else { seconds(step.saved) };
    [step.name.clone(), step.outcome.clone(), count(step.rows), bytes(step.bytes), seconds(step.time), saved]
}

/// The last line: what the second run gained over the first.
pub(super) fn summary(first: &RunOf, second: &RunOf, store: &str) -> String {
    let (before, after) = (reused(first), reused(second));
    let steps = counted(second.steps.len() as u64, "step");
    if before >= after && before > 0 {
        return format!(
            "\nBoth runs reused {after} of {steps}: the checkpoints were there before, in {store}. \
             Remove that folder to see them written."
        );
    }
    let (before, after_time) = (first.steps_time(), second.steps_time());
    format!(
        "\nThe second run reused {after} of {steps} and took {} for them instead of {}{}.",
        seconds(after_time),
        seconds(before),
        ratio(before, after_time),
    )
}

fn reused(run: &RunOf) -> usize {
    run.steps.iter().filter(|step| step.is_reused()).count()
}

fn ratio(before: Duration, after: Duration) -> String {
    let ratio = before.as_secs_f64() / after.as_secs_f64().max(1e-6);
    if ratio >= 1.5 { format!(": {ratio:.0} times faster") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(outcome: &str, milliseconds: u64) -> RunOf {
        let step = StepDone {
            name: "by_day".to_string(),
            outcome: outcome.to_string(),
            rows: 2_526,
            bytes: 40 << 10,
            time: Duration::from_millis(milliseconds),
            saved: Duration::ZERO,
        };
        RunOf { steps: vec![step], others: 3, others_time: Duration::from_millis(5) }
    }

    #[test]
    fn the_table_lines_up() {
        let text = table("first run", &run("written", 1_200));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[3].split_whitespace().collect::<Vec<_>>(),
            ["by_day", "written", "2,526", "40.00", "KiB", "1.200", "s"]
        );
        assert_eq!(lines[2].find("rows").map(|at| at + 4), lines[3].find("2,526").map(|at| at + 5));
    }

    #[test]
    fn the_summary_compares_the_runs() {
        let text = summary(&run("written", 2_000), &run("reused", 20), "d/.milepost");
        assert!(text.contains("1 of 1 step ") && text.contains("100 times faster"), "{text}");
        let again = summary(&run("reused", 20), &run("reused", 20), "d/.milepost");
        assert!(again.contains("Both runs") && again.contains("d/.milepost"), "{again}");
    }
}
