//! What is told of a benchmark: a [`table`] for the terminal, JSON (the [`Report`] itself), and a [`page`].
//!
//! The page is one file that needs nothing else: a style sheet, charts as SVG ([`bars`], [`lines`]), each with
//! its figures as a table beside it ([`figures`]). Everything that comes from the script goes through [`html`].

mod bars;
mod figures;
mod html;
mod lines;
mod page;
mod sections;
mod table;
mod words;

use arrow::temporal_conversions::timestamp_ms_to_datetime;
use serde::Serialize;

pub(super) use page::page;
pub(super) use table::table;

use super::arguments::BenchArgs;
use super::compare::{Comparison, compare};
use super::machine::Machine;
use super::rounds::Measured;
use super::statements::StatementInfo;
use super::summary::Summary;
use crate::args::Args;
use crate::job::Ready;

/// The version of the JSON. It grows when a field is taken away or changes its meaning.
const FORMAT: u32 = 1;

/// All that is known after a benchmark.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    format: u32,
    /// When the first run began, as a date in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    measured_at: Option<String>,
    program: Program,
    machine: Machine,
    script: ScriptInfo,
    settings: Settings,
    pub(super) statements: Vec<StatementInfo>,
    pub(super) summary: Summary,
    pub(super) comparison: Comparison,
    pub(super) measured: Measured,
}

/// What was measured with.
#[derive(Debug, Serialize)]
struct Program {
    milepost: &'static str,
    datafusion: &'static str,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct ScriptInfo {
    file: String,
    /// The hash of its statements and variables; spaces and comments do not count.
    hash: String,
    /// The names of its variables. Their values may be secret.
    variables: Vec<String>,
}

/// How it was measured.
#[derive(Debug, Serialize)]
struct Settings {
    rounds: u32,
    resume: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_limit_bytes: Option<usize>,
}

impl Report {
    /// Of these measurements.
    pub(super) fn of(
        args: &Args,
        bench: &BenchArgs,
        ready: &Ready,
        statements: Vec<StatementInfo>,
        measured: Measured,
    ) -> Self {
        let name = |variable: &String| {
            variable.split_once('=').map_or_else(|| variable.clone(), |(name, _)| name.to_string())
        };
        Self {
            format: FORMAT,
            measured_at: timestamp_ms_to_datetime(measured.first.began_at_ms)
                .map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string()),
            program: Program {
                milepost: env!("CARGO_PKG_VERSION"),
                datafusion: datafusion::DATAFUSION_VERSION,
            },
            machine: Machine::here(),
            script: ScriptInfo {
                file: ready.script_name.clone(),
                hash: ready.script.digest().to_string(),
                variables: bench.variables.iter().map(name).collect(),
            },
            settings: Settings {
                rounds: bench.rounds,
                resume: !bench.no_resume,
                memory_limit_bytes: bench.memory_limit.or(args.limits.memory_limit),
            },
            summary: Summary::of(&statements, &measured),
            comparison: compare(&statements, &measured),
            statements,
            measured,
        }
    }

    /// A statement by its number.
    fn statement(&self, number: u64) -> Option<&StatementInfo> {
        self.statements.iter().find(|statement| statement.number == number)
    }

    /// A statement as lists name it: its number and its first words.
    fn label(&self, number: u64) -> String {
        let text = self.statement(number).map_or("", |statement| statement.text.as_str());
        format!("{number} {text}")
    }
}
