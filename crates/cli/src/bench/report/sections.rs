//! The sections of the page: a heading, a sentence, a chart, and its figures.

use super::Report;
use super::bars::{Bar, Group, Look, bars, legend};
use super::figures;
use super::html::{escape, figures as number, table, words};
use super::lines::Growth;
use super::words::{fitted, kill, left_out, ratio, time};
use crate::bench::mode::Mode;
use crate::bench::summary::StatementFigures;

/// Statements that the chart shows, and the part of the longest that they take at least; the others are in the table.
const SHOWN: usize = 8;
const LEAST: f64 = 0.01;
/// Pixels for a label on a narrow screen, and for one beside a note.
const LABEL: f64 = 300.0;
const SHORT: f64 = 165.0;
/// Runs that the chart of their sum shows.
const RUNS: u64 = 12;

fn section(id: &str, heading: &str, says: &str, body: &str) -> String {
    format!(
        "<section id=\"{id}\">\n<h2>{}</h2>\n<p class=\"says\">{}</p>\n{body}</section>\n",
        escape(heading),
        escape(says)
    )
}

fn figure(chart: &str, table: &str) -> String {
    format!(
        "<figure>\n{chart}</figure>\n<details>\n<summary>The figures of this chart</summary>\n{table}</details>\n"
    )
}

/// The whole script by mode.
pub(super) fn totals(report: &Report) -> String {
    let groups: Vec<Group> = report
        .summary
        .modes
        .iter()
        .map(|of| {
            let spread = of.time_ms;
            let (min, max) = (time(spread.min), time(spread.max));
            Group {
                label: of.mode.word().to_string(),
                note: format!("{} · {}", time(spread.median), ratio(of.ratio)),
                bars: vec![Bar {
                    class: of.mode.word(),
                    value: Some(spread.median),
                    whiskers: Some((spread.min, spread.max)),
                    text: String::new(),
                    title: format!("{}: {} ({min} to {max})", of.mode.word(), time(spread.median)),
                }],
            }
        })
        .collect();
    let look = Look { thick: 18, widest: 98.0 };
    let said: Vec<String> = report
        .summary
        .modes
        .iter()
        .map(|of| format!("{} {}", of.mode.word(), time(of.time_ms.median)))
        .collect();
    let chart = bars("totals-chart", "Time of the whole script", &said.join(", "), &look, &groups);
    let meanings: Vec<String> =
        report.summary.modes.iter().map(|of| format!("{} {}", of.mode.word(), of.mode.meaning())).collect();
    let says = format!(
        "The median time of the whole process, and a line from the fastest run to the slowest. The modes: {}.",
        meanings.join("; ")
    );
    let mut body = format!("<figure>\n{chart}</figure>\n{}", figures::modes(report));
    for line in kill(report).into_iter().chain(left_out(report)) {
        body.push_str(&format!("<p>{}</p>\n", escape(&line)));
    }
    section("totals", "The whole script", &says, &body)
}

/// How the time of several runs adds up.
pub(super) fn growth(report: &Report) -> String {
    let median = |mode| report.summary.mode(mode).map(|of| of.time_ms.median);
    let (Some(off), Some(cold), Some(warm)) = (median(Mode::Off), median(Mode::Cold), median(Mode::Warm))
    else {
        return String::new();
    };
    let Some(script) = report.summary.script else { return String::new() };
    let runs = script.break_even.map_or(5, |reuses| reuses + 3).clamp(5, RUNS);
    let growth = Growth { off, cold, warm, runs };
    let says = match script.break_even {
        Some(0) => "With checkpoints the first run is faster already, and every later one.".to_string(),
        Some(1) => "From the second run on, all runs together are faster with checkpoints.".to_string(),
        Some(reuses) if reuses < runs => {
            format!("From run {} on, all runs together are faster with checkpoints.", reuses + 1)
        }
        Some(reuses) => {
            format!("It takes {reuses} reuses until all runs together are faster with checkpoints.")
        }
        None => "However often it runs, checkpoints do not make this script faster.".to_string(),
    };
    let names = [("off", "without checkpoints"), ("warm", "with checkpoints: cold once, then warm")];
    let chart = growth.chart("growth-chart", "Time of several runs together", &says);
    let columns = [words("runs"), number("without checkpoints"), number("with checkpoints")];
    let figures = table("Time of several runs together", &columns, &growth.rows());
    section("growth", "Several runs", &says, &format!("{}{}", legend(&names), figure(&chart, &figures)))
}

/// The statements that take longest.
pub(super) fn statements(report: &Report) -> String {
    let modes: Vec<Mode> = report.summary.modes.iter().map(|of| of.mode).collect();
    let shown = slowest(&report.summary.statements);
    let groups: Vec<Group> = shown
        .iter()
        .map(|of| Group {
            label: fitted(&report.label(of.number), LABEL),
            note: String::new(),
            bars: modes.iter().map(|mode| statement_bar(report, of, *mode)).collect(),
        })
        .collect();
    let says = format!(
        "The {} longest, in the order of the script. Without checkpoints a CHECKPOINT is only a view: its work is \
         done where its rows are read, or at once if nothing reads them.",
        match shown.len() {
            1 => "statement that takes".to_string(),
            many => format!("{many} statements that take"),
        }
    );
    let look = Look { thick: 11, widest: 74.0 };
    let description = "For each statement, one bar for each mode. All figures stand in the table below.";
    let chart = bars("steps-chart", "Median time by statement", description, &look, &groups);
    let names: Vec<(&str, &str)> = modes.iter().map(|mode| (mode.word(), mode.word())).collect();
    let body = format!("{}{}", legend(&names), figure(&chart, &figures::statements(report)));
    section("steps", "Statement by statement", &says, &body)
}

fn statement_bar(report: &Report, of: &StatementFigures, mode: Mode) -> Bar {
    let outcome = of.outcomes.get(&mode).map_or("", String::as_str);
    let value = of.times_ms.get(&mode).copied();
    let text = value.map_or_else(|| format!("{}: {outcome}", mode.word()), time);
    let title = format!(
        "{}, {}: {outcome} {}",
        report.label(of.number),
        mode.word(),
        value.map_or_else(String::new, time)
    );
    Bar { class: mode.word(), value, whiskers: None, text, title }
}

/// The slowest statements, in the order of the script.
fn slowest(all: &[StatementFigures]) -> Vec<&StatementFigures> {
    let longest = |of: &StatementFigures| of.times_ms.values().copied().fold(0.0, f64::max);
    let mut sorted: Vec<&StatementFigures> = all.iter().collect();
    sorted.sort_by(|one, other| longest(other).total_cmp(&longest(one)));
    let least = sorted.first().map_or(0.0, |first| longest(first) * LEAST);
    sorted.truncate(SHOWN);
    sorted.retain(|of| longest(of) >= least);
    sorted.sort_by_key(|of| of.number);
    sorted
}

/// What each checkpoint costs and saves.
pub(super) fn checkpoints(report: &Report) -> String {
    let all = &report.summary.checkpoints;
    if all.is_empty() {
        let says =
            "The script writes no checkpoint with a CHECKPOINT statement, so there is nothing to weigh.";
        return section("checkpoints", "Each checkpoint", says, "");
    }
    let groups: Vec<Group> = all
        .iter()
        .map(|of| {
            let bar = |class, what: &str, ms: f64| Bar {
                class,
                value: Some(ms.max(0.0)),
                whiskers: None,
                text: time(ms),
                title: format!("{}: {what} {}", of.name, time(ms)),
            };
            Group {
                label: fitted(&of.name, SHORT),
                note: match of.worth.break_even {
                    None => "never pays".to_string(),
                    Some(_) => format!("pays {}", of.worth.break_even_words()),
                },
                bars: vec![
                    bar("cold", "writing it costs, once,", of.worth.cost_ms),
                    bar("warm", "each reuse saves", of.worth.saved_ms),
                ],
            }
        })
        .collect();
    let paying = all.iter().filter(|of| of.worth.break_even.is_some()).count();
    let says = format!("{paying} of {} pay: what a reuse saves makes up for what writing costs.", all.len());
    let look = Look { thick: 13, widest: 74.0 };
    let description = "For each checkpoint, what writing it costs once and what each reuse saves. All figures stand in the table below.";
    let chart = bars("checkpoints-chart", "Cost and saving of each checkpoint", description, &look, &groups);
    let names = [("cold", "writing costs, once"), ("warm", "each reuse saves")];
    let meaning = "<p>Writing costs what the step takes in a cold run beyond computing its query and throwing the rows away. \
                   A reuse saves the computing, less finding the snapshot and reading all of it.</p>\n";
    let body = format!("{}{}{meaning}", legend(&names), figure(&chart, &figures::checkpoints(report)));
    section("checkpoints", "Each checkpoint", &says, &body)
}
