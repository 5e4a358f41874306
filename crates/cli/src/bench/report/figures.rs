//! The tables that stand beside the charts.

use super::Report;
use super::html::{Column, figures, table, words};
use super::words::{mode_figures, ratio, time};
use crate::bench::mode::Mode;
use crate::bench::statements::shortened;
use crate::units::{bytes, count};

/// The modes.
pub(super) fn modes(report: &Report) -> String {
    let columns = [
        words("mode"),
        figures("median"),
        figures("min"),
        figures("max"),
        figures("against off"),
        figures("written to the store"),
        figures("peak memory"),
    ];
    let rows: Vec<Vec<String>> = report.summary.modes.iter().map(|of| mode_figures(of, "unknown")).collect();
    table("Time of the whole script by mode", &columns, &rows)
}

/// The statements.
pub(super) fn statements(report: &Report) -> String {
    let modes: Vec<Mode> = report.summary.modes.iter().map(|of| of.mode).collect();
    let mut columns: Vec<Column> = vec![words("statement"), figures("line")];
    columns.extend(modes.iter().map(|mode| figures(mode.word())));
    let rows: Vec<Vec<String>> = report
        .summary
        .statements
        .iter()
        .map(|of| {
            let line = report.statement(of.number).map_or(0, |statement| statement.line);
            let mut row = vec![shortened(&report.label(of.number), 48), line.to_string()];
            row.extend(modes.iter().map(|mode| {
                let outcome = of.outcomes.get(mode).map_or("", String::as_str);
                match (of.times_ms.get(mode), outcome) {
                    (None, outcome) => outcome.to_string(),
                    (Some(ms), "done" | "") => time(*ms),
                    (Some(ms), outcome) => format!("{outcome}, {}", time(*ms)),
                }
            }));
            row
        })
        .collect();
    table("Median time of each statement by mode", &columns, &rows)
}

/// The checkpoints.
pub(super) fn checkpoints(report: &Report) -> String {
    let columns = [
        words("checkpoint"),
        figures("computing"),
        figures("computing and writing"),
        figures("writing costs"),
        figures("finding"),
        figures("reading all"),
        figures("a reuse saves"),
        figures("pays"),
        figures("rows"),
        figures("bytes"),
        figures("units"),
    ];
    let rows: Vec<Vec<String>> = report
        .summary
        .checkpoints
        .iter()
        .map(|of| {
            vec![
                of.name.clone(),
                time(of.compute_ms),
                time(of.cold_ms),
                time(of.worth.cost_ms),
                time(of.warm_ms),
                time(of.read_ms),
                time(of.worth.saved_ms),
                of.worth.break_even_words(),
                count(of.rows),
                bytes(of.bytes),
                count(of.units),
            ]
        })
        .collect();
    table("What each checkpoint costs and saves", &columns, &rows)
}

/// Every measured run.
pub(super) fn rounds(report: &Report) -> String {
    let columns = [
        words("run"),
        figures("time"),
        figures("against off"),
        figures("written to the store"),
        figures("peak memory"),
    ];
    let off = report.summary.mode(Mode::Off).map_or(f64::NAN, |of| of.time_ms.median);
    let mut rows = Vec::new();
    for round in &report.measured.rounds {
        for run in &round.runs {
            rows.push(vec![
                format!("{}, {}", round.number, run.mode.word()),
                time(run.time_ms),
                ratio(run.time_ms / off),
                bytes(run.store_bytes),
                run.ran.peak_memory_bytes.map_or_else(|| "unknown".to_string(), bytes),
            ]);
        }
    }
    table("Every run, in the order in which they were made", &columns, &rows)
}
