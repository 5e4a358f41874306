//! Figures and findings in words, the same on the terminal and on the page.

use std::time::Duration;

use super::Report;
use crate::bench::mode::Mode;
use crate::bench::summary::ModeFigures;
use crate::units::{bytes, counted, seconds};

/// A time with its unit: fine where it is short.
pub(super) fn time(ms: f64) -> String {
    let sign = if ms < 0.0 { "−" } else { "" };
    let ms = ms.abs();
    match ms {
        ms if ms < 0.005 => "0 ms".to_string(),
        ms if ms < 10.0 => format!("{sign}{ms:.2} ms"),
        ms if ms < 999.5 => format!("{sign}{ms:.0} ms"),
        ms if ms < 10_000.0 => format!("{sign}{:.2} s", ms / 1e3),
        ms => format!("{sign}{}", seconds(Duration::from_secs_f64(ms / 1e3))),
    }
}

/// How many times as long: `0.45×`.
pub(super) fn ratio(ratio: f64) -> String {
    if ratio >= 10.0 { format!("{ratio:.0}×") } else { format!("{ratio:.2}×") }
}

/// How long something takes against something else: `76% of the time`.
fn share(ratio: f64) -> String {
    if ratio >= 10.0 {
        format!("{ratio:.0} times the time")
    } else {
        format!("{:.0}% of the time", ratio * 100.0)
    }
}

/// What a mode took: its name, the median, the shortest and the longest time, the ratio to no checkpoints, the bytes written to the
/// store, and the most memory, or `unknown`.
pub(super) fn mode_figures(of: &ModeFigures, unknown: &str) -> Vec<String> {
    vec![
        of.mode.word().to_string(),
        time(of.time_ms.median),
        time(of.time_ms.min),
        time(of.time_ms.max),
        ratio(of.ratio),
        bytes(of.store_bytes),
        of.peak_memory_bytes.map_or_else(|| unknown.to_string(), bytes),
    ]
}

/// What the benchmark says in the end, in sentences.
pub(super) fn verdict(report: &Report) -> Vec<String> {
    let summary = &report.summary;
    let mut said = Vec::new();
    let (cold, warm) = (summary.mode(Mode::Cold), summary.mode(Mode::Warm));
    let none = summary.checkpoints.is_empty();
    if let (Some(cold), Some(warm)) = (cold, warm) {
        if none {
            said.push(format!(
                "The script writes no CHECKPOINT. With checkpoints switched on it takes {}, and {} when it runs again: that is \
                 what Milepost itself costs, and noise.",
                share(cold.ratio),
                share(warm.ratio)
            ));
        } else {
            said.push(format!(
                "A run that finds its checkpoints takes {} without any; the run that writes them takes {}.",
                share(warm.ratio),
                share(cold.ratio)
            ));
        }
    }
    if let Some(script) = summary.script.filter(|_| !none) {
        said.push(match script.break_even {
            Some(0) => "They pay at once: even the run that writes them is faster.".to_string(),
            Some(_) => format!(
                "Writing them costs {} once, each reuse saves {}: they pay {}.",
                time(script.cost_ms),
                time(script.saved_ms),
                script.break_even_words()
            ),
            None => format!(
                "They do not pay for this script: writing them costs {}, and a reuse saves nothing ({}).",
                time(script.cost_ms),
                time(script.saved_ms)
            ),
        });
    }
    if let (Some(resumed), Some(cold)) = (summary.mode(Mode::Resumed), cold) {
        said.push(format!(
            "Killed in the middle and started again, it takes {} of a cold run.",
            share(resumed.time_ms.median / cold.time_ms.median)
        ));
    }
    said
}

/// What is in no figure, because there is nothing to hold it against, in a sentence.
pub(super) fn left_out(report: &Report) -> Option<String> {
    let left_out = report.summary.left_out?;
    Some(format!(
        "{} about checkpoints {} left out without them, and counted in no time: {} in a warm run.",
        counted(left_out.statements, "statement"),
        if left_out.statements == 1 { "is" } else { "are" },
        time(left_out.warm_ms)
    ))
}

/// A text cut so that it fits so many pixels in the bold letters of a chart, as the widest of the usual fonts has them.
pub(super) fn fitted(text: &str, pixels: f64) -> String {
    const MARK: f64 = 11.0;
    let all: f64 = text.chars().map(width).sum();
    if all <= pixels {
        return text.to_string();
    }
    let mut left = pixels - MARK;
    let kept = text.chars().take_while(|c| {
        left -= width(*c);
        left >= 0.0
    });
    let kept: String = kept.collect();
    format!("{}…", kept.trim_end())
}

/// About how many pixels a letter takes.
fn width(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 5.0,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '/' | '"' | '_' | '*' => 6.6,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 13.8,
        'a'..='z' | '0'..='9' => 9.0,
        'A'..='Z' | '=' | '<' | '>' | '+' => 10.6,
        // Whatever it is, it is no wider than a square.
        _ => 14.0,
    }
}

/// Where runs were killed, in a sentence.
pub(super) fn kill(report: &Report) -> Option<String> {
    let Some(kill) = &report.summary.kill else {
        return report
            .settings
            .resume
            .then(|| "No run could be killed in the middle: the script was through before.".to_string());
    };
    let mut text = format!(
        "Runs were killed with SIGKILL after {} (median), in the last round in statement {}; started again, {} skipped",
        time(kill.killed_ms),
        report.label(kill.statement),
        match kill.skipped {
            1 => "1 finished statement was".to_string(),
            many => format!("{many} finished statements were"),
        },
    );
    if kill.units > 0 {
        text.push_str(&format!(" and {} of {} units kept", kill.units_kept, kill.units));
    }
    text.push('.');
    if kill.missed > 0 {
        let rounds = counted(kill.missed as u64, "round");
        text.push_str(&format!(" In {rounds} the script was through before it could be killed."));
    }
    Some(text)
}

/// Whether all runs gave the same rows, in a sentence.
pub(super) fn equal(report: &Report) -> String {
    let found = &report.comparison;
    if !found.different.is_empty() {
        let many = counted(found.different.len() as u64, "statement");
        return format!(
            "DIFFERENT ROWS: {many} gave other rows in some run. The figures compare different things."
        );
    }
    match found.equal {
        0 => "There was nothing to compare: no statement gives rows that must be the same in every run."
            .to_string(),
        equal => format!("{} gave the same rows in every run.", counted(equal, "compared statement")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_cut_to_what_they_take() {
        assert_eq!(fitted("5 CHECKPOINT revenue", 300.0), "5 CHECKPOINT revenue");
        assert_eq!(fitted("WWWWWWWWWW", 60.0), "WWW…");
        assert_eq!(fitted("iiiiiiiiii", 60.0), "iiiiiiiiii");
    }

    #[test]
    fn short_times_are_fine_and_long_ones_are_not() {
        for (ms, shown) in [
            (0.0, "0 ms"),
            (0.126, "0.13 ms"),
            (12.4, "12 ms"),
            (-12.4, "−12 ms"),
            (1_234.0, "1.23 s"),
            (12_340.0, "12.3 s"),
            (125_000.0, "2 min 05 s"),
        ] {
            assert_eq!(time(ms), shown);
        }
        assert_eq!((ratio(0.456).as_str(), ratio(12.3).as_str()), ("0.46×", "12×"));
    }
}
