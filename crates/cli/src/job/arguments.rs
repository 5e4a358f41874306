//! The command lines of `milepost run` and `milepost jobs`.

use std::path::PathBuf;

use clap::{ArgAction, Args as Group};
use datafusion_cli::print_format::PrintFormat;

/// `milepost run`
#[derive(Debug, Clone, Group)]
pub(crate) struct RunArgs {
    /// The script
    #[arg(value_name = "FILE.sql")]
    pub(crate) file: PathBuf,

    /// Name of the job: lower-case letters, digits and underscores [default: made of the script's file name]
    #[arg(long, value_name = "NAME")]
    pub(crate) job: Option<String>,

    /// Begin a new run, although one is unfinished
    #[arg(long)]
    pub(crate) restart: bool,

    /// Take the job from another process that has it
    #[arg(long)]
    pub(crate) takeover: bool,

    /// Start again after a crash or a failed statement, at most N times
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "5")]
    pub(crate) supervise: Option<u32>,

    /// Value of a variable: the script writes ${name}; may be given again
    #[arg(long = "var", value_name = "NAME=VALUE", action = ArgAction::Append)]
    pub(crate) variables: Vec<String>,

    /// How results are printed
    #[arg(id = "run_format", long = "format", value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<PrintFormat>,
}

/// `milepost jobs`
#[derive(Debug, Clone, Group)]
pub(crate) struct JobsArgs {
    /// A job, to see its runs and their steps
    pub(crate) name: Option<String>,

    /// How they are printed
    #[arg(id = "jobs_format", long = "format", value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<PrintFormat>,
}
