//! The command lines of `milepost bench` and of the runs that it starts.

use std::path::PathBuf;

use clap::{ArgAction, Args as Group, ValueEnum};

use crate::units::parse_limit;

/// `milepost bench`
#[derive(Debug, Clone, Group)]
pub(crate) struct BenchArgs {
    /// The script
    #[arg(value_name = "FILE.sql")]
    pub(crate) file: PathBuf,

    /// How often each mode is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,

    /// Value of a variable: the script writes ${name}; may be given again
    #[arg(id = "bench_var", long = "var", value_name = "NAME=VALUE", action = ArgAction::Append)]
    pub(crate) variables: Vec<String>,

    /// Folder for report.json and report.html, and for the stores while the benchmark runs
    #[arg(id = "bench_out", long = "out", value_name = "DIR", default_value = "milepost-bench")]
    pub(crate) out: PathBuf,

    /// Keep the stores of the last round
    #[arg(long)]
    pub(crate) keep_store: bool,

    /// Leave out the runs that are killed and started again
    #[arg(long)]
    pub(crate) no_resume: bool,

    /// Memory for the queries of each run, such as 512m or 10g
    #[arg(id = "bench_memory", long = "memory-limit", value_parser = parse_limit, value_name = "SIZE")]
    pub(crate) memory_limit: Option<usize>,
}

/// `milepost bench-run`
#[derive(Debug, Clone, Group)]
pub(crate) struct BenchRunArgs {
    /// The script
    pub(crate) file: PathBuf,

    /// Value of a variable
    #[arg(id = "bench_run_var", long = "var", action = ArgAction::Append)]
    pub(crate) variables: Vec<String>,

    /// How it is run
    #[arg(long, value_enum)]
    pub(crate) way: Way,
}

/// How one process runs the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Without checkpoints, and every statement is looked at for what may differ between two runs.
    Look,
    /// Without checkpoints.
    Off,
    /// With them.
    On,
    /// With them, and each one is also computed and read, so that its parts are known.
    Probe,
    /// As a job.
    Job,
}

impl Way {
    /// Whether a CHECKPOINT is only a view of its query.
    pub(super) const fn is_off(self) -> bool {
        matches!(self, Self::Look | Self::Off)
    }

    /// The word for it on the command line.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Off => "off",
            Self::On => "on",
            Self::Probe => "probe",
            Self::Job => "job",
        }
    }
}
