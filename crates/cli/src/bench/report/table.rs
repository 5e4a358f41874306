//! What the terminal shows.

use super::Report;
use super::words::{equal, kill, left_out, mode_figures, time, verdict};
use crate::units::bytes;

/// The figures of the modes and of the checkpoints, and what follows from them.
pub(in crate::bench) fn table(report: &Report) -> String {
    let mut text = aligned(&modes(report), 1);
    let checkpoints = checkpoints(report);
    if checkpoints.len() > 1 {
        text.push_str(&format!("\n{}", aligned(&checkpoints, 1)));
    }
    text.push('\n');
    let mut lines = verdict(report);
    lines.extend(kill(report));
    lines.extend(left_out(report));
    lines.push(equal(report));
    let found = &report.comparison;
    let labelled = |number: u64, what: &str| format!("  {}: {what}", report.label(number));
    lines.extend(found.different.iter().map(|one| labelled(one.statement, &one.what)));
    if !found.open.is_empty() {
        lines.push("Rows differ, as SQL allows:".to_string());
        lines.extend(found.open.iter().map(|one| labelled(one.statement, &one.what)));
    }
    if !found.exempt.is_empty() {
        lines.push("Not compared:".to_string());
        lines.extend(found.exempt.iter().map(|one| labelled(one.statement, &one.why)));
    }
    text.push_str(&lines.join("\n"));
    text
}

fn modes(report: &Report) -> Vec<Vec<String>> {
    let mut rows = vec![words(&["", "median", "min", "max", "against off", "written", "peak memory"])];
    rows.extend(report.summary.modes.iter().map(|of| mode_figures(of, "?")));
    rows
}

fn checkpoints(report: &Report) -> Vec<Vec<String>> {
    let head = ["checkpoint", "computing", "writing it costs", "a reuse saves", "bytes", "pays"];
    let mut rows = vec![words(&head)];
    rows.extend(report.summary.checkpoints.iter().map(|of| {
        vec![
            of.name.clone(),
            time(of.compute_ms),
            time(of.worth.cost_ms),
            time(of.worth.saved_ms),
            bytes(of.bytes),
            of.worth.break_even_words(),
        ]
    }));
    rows
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_string()).collect()
}

/// Rows in columns: the first `names` to the left, figures to the right.
fn aligned(rows: &[Vec<String>], names: usize) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            line.push_str(&if column < names {
                format!("{cell:<width$}")
            } else {
                format!("   {cell:>width$}")
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
