//! The command line.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{
    ArgAction, ArgMatches, Args as Group, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
};
use datafusion_cli::object_storage::instrumented::InstrumentedObjectStoreMode;
use datafusion_cli::pool_type::PoolType;
use datafusion_cli::print_format::PrintFormat;
use datafusion_cli::print_options::MaxRows;

use crate::bench::{BenchArgs, BenchRunArgs};
use crate::failure::Failure;
use crate::job::{JobsArgs, RunArgs};
use crate::oneline::flatten;
use crate::units::{parse_limit, parse_size};

/// SQL on DataFusion that remembers how far it got: CHECKPOINT, crash, run again, go on.
///
/// Without -c, -f or a command: a shell on a terminal, else a script from standard input.
#[derive(Debug, Parser)]
#[command(name = "milepost", version, max_term_width = 110)]
pub(crate) struct Args {
    /// Where checkpoints are kept: a path or a URL [default: ./.milepost; of the demo DIR/.milepost]
    #[arg(long, env = "MILEPOST_STORE", hide_env_values = true, value_name = "URL", global = true)]
    pub(crate) store: Option<String>,

    /// Run these statements and exit, several one after the other; stops at the first error; all are parsed before the first
    /// runs
    #[arg(short, long, value_name = "SQL", action = ArgAction::Append, num_args = 1..)]
    command: Vec<String>,

    /// Run these scripts and exit ("-" is standard input); as -c otherwise
    #[arg(short, long, value_name = "FILE", action = ArgAction::Append, num_args = 1..)]
    file: Vec<PathBuf>,

    /// Whether the store comes from the environment and not from the command line
    #[arg(skip)]
    pub(crate) store_from_environment: bool,

    /// -c and -f in the order in which they were given
    #[arg(skip)]
    pub(crate) work: Vec<Work>,

    #[command(flatten)]
    pub(crate) shell: ShellArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(subcommand)]
    pub(crate) subcommand: Option<Subcommands>,
}

/// How the shell starts.
#[derive(Debug, Clone, Group)]
#[command(next_help_heading = "Shell")]
pub(crate) struct ShellArgs {
    /// Run these files when the shell starts, instead of ~/.milepostrc
    #[arg(short, long, value_name = "FILE", action = ArgAction::Append, num_args = 1..)]
    pub(crate) rc: Vec<PathBuf>,

    /// Run nothing when the shell starts
    #[arg(long, conflicts_with = "rc")]
    pub(crate) no_rc: bool,

    /// Colour what is typed
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto",
          num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    pub(crate) color: Color,
}

/// How results are shown.
#[derive(Debug, Clone, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// How results are printed (automatic: a table, or CSV while an endless source runs)
    #[arg(long, value_enum, default_value = "automatic")]
    pub(crate) format: PrintFormat,

    /// Print results only: no row counts, times, notices or progress
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Rows of a table that are shown: a number, or inf
    #[arg(long, default_value = "40", value_name = "ROWS")]
    pub(crate) maxrows: MaxRows,

    /// Report requests to object stores: disabled, summary or trace
    #[arg(long, value_name = "MODE", default_value = "disabled")]
    pub(crate) object_store_profiling: InstrumentedObjectStoreMode,
}

/// What a session may use.
#[derive(Debug, Clone, Group)]
#[command(next_help_heading = "Limits and data")]
pub(crate) struct LimitArgs {
    /// Memory for queries, such as 512m or 10g; beyond it they spill or fail
    #[arg(short, long, value_parser = parse_limit, value_name = "SIZE")]
    pub(crate) memory_limit: Option<usize>,

    /// How queries share that memory: greedy or fair
    #[arg(long, default_value_t = PoolType::Greedy, value_name = "TYPE")]
    pub(crate) mem_pool_type: PoolType,

    /// Largest users of memory that an out-of-memory error names; 0 does not track them
    #[arg(long, default_value_t = 3, value_name = "COUNT")]
    pub(crate) top_memory_consumers: usize,

    /// Disk space for spilled data, such as 10g [DataFusion's default: 100g]
    #[arg(short, long, value_parser = parse_size, value_name = "SIZE")]
    pub(crate) disk_limit: Option<usize>,

    /// Rows in a batch
    #[arg(short, long, value_name = "ROWS")]
    pub(crate) batch_size: Option<usize>,

    /// Folder in which relative paths of statements begin [default: the current one]
    #[arg(short = 'p', long, value_name = "DIR")]
    pub(crate) data_path: Option<PathBuf>,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// One piece of work of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// `-c`
    Command(String),
    /// `-f`
    File(PathBuf),
}

/// What the program does besides SQL.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Subcommands {
    /// Run a script as a job: run again after a crash, it goes on where it stopped
    Run(RunArgs),
    /// List the runs of jobs, or the runs and steps of one
    Jobs(JobsArgs),
    /// Make a benchmark's tables as Parquet files
    Datagen(DatagenArgs),
    /// Read every byte of the store and name what is not what was written
    Verify(VerifyArgs),
    /// Drop versions that are too many or too old, and delete what nothing can need any more
    Gc(GcArgs),
    /// Make a little data, run the tour over it twice, and show what the second run did not have to compute
    Demo(DemoArgs),
    /// Measure what checkpoints cost and save a script: off, cold, warm, and resumed after a kill
    Bench(BenchArgs),
    /// One measured run, which `milepost bench` starts
    #[command(hide = true)]
    BenchRun(BenchRunArgs),
}

/// `milepost verify`
#[derive(Debug, Clone, Group)]
pub(crate) struct VerifyArgs {
    /// The checkpoint [default: all of them]
    pub(crate) name: Option<String>,

    /// One version of it [default: all that are there]
    #[arg(long, requires = "name", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) version: Option<u64>,
}

/// `milepost gc`
#[derive(Debug, Clone, Group)]
pub(crate) struct GcArgs {
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Hours for which files stay after they were freed, so that whoever reads them can end; 0 while nobody reads
    #[arg(long, default_value_t = 24, value_name = "HOURS")]
    pub(crate) grace: u32,
}

/// `milepost datagen`
#[derive(Debug, Clone, Group)]
pub(crate) struct DatagenArgs {
    /// The benchmark
    #[arg(value_enum)]
    pub(crate) dataset: Dataset,

    /// Scale factor; 1 is about a gigabyte as text
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    pub(crate) scale: f64,

    /// Folder for the tables: each becomes a folder DIR/TABLE with files part-0.parquet, part-1.parquet, …
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Files in a table [default: one for each million rows]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) parts: Option<u16>,

    /// File format
    #[arg(
        id = "datagen_format",
        long = "format",
        value_enum,
        value_name = "FORMAT",
        default_value = "parquet"
    )]
    pub(crate) format: FileFormat,
}

/// The benchmarks whose data can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dataset {
    /// TPC-H, 8 tables
    Tpch,
}

/// The file formats that data can be made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    /// Parquet
    Parquet,
}

/// `milepost demo`
#[derive(Debug, Clone, Group)]
pub(crate) struct DemoArgs {
    /// Folder for the data and, unless --store is given, the checkpoints
    #[arg(long, value_name = "DIR", default_value = "./milepost-demo")]
    pub(crate) dir: PathBuf,

    /// Scale factor of the data; 1 is about a gigabyte as text
    #[arg(long, default_value_t = 0.1, value_name = "N")]
    pub(crate) scale: f64,

    /// Run the tour once over data that is there, and tell about it in JSON: what the demo starts
    #[arg(long, hide = true)]
    pub(crate) only_tour: bool,
}

impl Args {
    /// Reads the process' command line. `None` means that help or the version was asked for and printed.
    ///
    /// # Errors
    /// A command line that is wrong, in one line.
    pub(crate) fn read() -> Result<Option<Self>, Failure> {
        Self::read_from(std::env::args_os())
    }

    fn read_from<T>(words: impl IntoIterator<Item = T>) -> Result<Option<Self>, Failure>
    where
        T: Into<std::ffi::OsString> + Clone,
    {
        let parsed = Self::command().try_get_matches_from(words).and_then(|matches| {
            let mut args = Self::from_arg_matches(&matches)?;
            args.work = in_order(&matches, &args);
            args.store_from_environment = matches.value_source("store") == Some(ValueSource::EnvVariable);
            Ok((args, matches))
        });
        match parsed {
            Ok((args, matches)) => args.check(&matches).map(Some),
            Err(error) if !error.use_stderr() => {
                // Whoever asked for help and closed the pipe has seen enough of it.
                let _ = error.print();
                Ok(None)
            }
            Err(error) => Err(Failure::Usage(usage_line(&error))),
        }
    }

    fn check(self, matches: &ArgMatches) -> Result<Self, Failure> {
        let named = self.subcommand.as_ref().and_then(|_| matches.subcommand_name().map(str::to_string));
        if let Some(name) = named.or_else(|| swallowed(matches)).filter(|_| !self.work.is_empty()) {
            return Err(Failure::Usage(format!("-c and -f do not go with the command {name}")));
        }
        if self.store.as_ref().is_some_and(|store| store.trim().is_empty()) {
            let what = if self.store_from_environment { "MILEPOST_STORE" } else { "--store" };
            return Err(Failure::Usage(format!("{what} is empty: give the place of a store")));
        }
        if let Some(store) = self.store.as_deref().filter(|store| is_half_a_url(store)) {
            let what = if self.store_from_environment { "MILEPOST_STORE" } else { "--store" };
            return Err(Failure::Usage(format!(
                "{what} {store} is no URL: write memory://name for a store in memory, or ./{store} for a folder of that name"
            )));
        }
        if self.limits.batch_size == Some(0) {
            return Err(Failure::Usage("--batch-size must be at least 1".to_string()));
        }
        if let Some(dir) = self.limits.data_path.as_ref().filter(|dir| !dir.is_dir()) {
            return Err(Failure::Usage(format!("--data-path {} is no folder", dir.display())));
        }
        if let Some(blank) = self.command.iter().position(|sql| sql.trim().is_empty()) {
            return Err(Failure::Usage(format!("-c number {} is empty", blank + 1)));
        }
        Ok(self)
    }
}

/// Whether somebody meant a store in memory, and would get a folder of that name.
fn is_half_a_url(store: &str) -> bool {
    let scheme = store.split_once(':').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("memory"));
    scheme.is_some_and(|(_, rest)| !rest.starts_with("//"))
}

/// The name of a command that -c or -f has taken for one more of its values.
fn swallowed(matches: &ArgMatches) -> Option<String> {
    let further = |id: &str| -> Vec<String> {
        let occurrences = matches.get_raw_occurrences(id).into_iter().flatten();
        occurrences
            .flat_map(|values| values.skip(1).map(|value| value.to_string_lossy().into_owned()))
            .collect()
    };
    let is_command = |word: &String| Args::command().get_subcommands().any(|known| known.get_name() == word);
    further("command").into_iter().chain(further("file")).find(is_command)
}

fn in_order(matches: &ArgMatches, args: &Args) -> Vec<Work> {
    let places = |id: &str| matches.indices_of(id).into_iter().flatten().collect::<Vec<_>>();
    let commands = args.command.iter().cloned().map(Work::Command).zip(places("command"));
    let files = args.file.iter().cloned().map(Work::File).zip(places("file"));
    let mut placed: Vec<(Work, usize)> = commands.chain(files).collect();
    placed.sort_by_key(|(_, place)| *place);
    placed.into_iter().map(|(work, _)| work).collect()
}

/// clap's message without usage and hints: the first paragraph, in one line.
fn usage_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = text.find("\n\nUsage:").or_else(|| text.find("\n\nFor more")).unwrap_or(text.len());
    flatten(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Args {
        Args::read_from(words).unwrap().unwrap()
    }

    fn refused(words: &[&str]) -> String {
        Args::read_from(words).unwrap_err().to_string()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn commands_and_files_keep_their_order() {
        let args =
            read(&["milepost", "-c", "SELECT 1", "-f", "a.sql", "--command", "SELECT 2", "-f", "b.sql"]);
        let command = |sql: &str| Work::Command(sql.to_string());
        let file = |path: &str| Work::File(PathBuf::from(path));
        assert_eq!(args.work, [command("SELECT 1"), file("a.sql"), command("SELECT 2"), file("b.sql")]);
    }

    #[test]
    fn one_option_may_have_several_values() {
        let args = read(&["milepost", "-c", "SELECT 1", "SELECT 2", "--quiet", "-f", "a.sql", "b.sql"]);
        let command = |sql: &str| Work::Command(sql.to_string());
        let file = |path: &str| Work::File(PathBuf::from(path));
        assert_eq!(args.work, [command("SELECT 1"), command("SELECT 2"), file("a.sql"), file("b.sql")]);
        assert_eq!(read(&["milepost", "-r", "a.sql", "b.sql"]).shell.rc.len(), 2);
    }

    #[test]
    fn an_empty_store_is_no_place() {
        assert!(refused(&["milepost", "--store", "", "-c", "SELECT 1"]).starts_with("--store is empty"));
    }

    #[test]
    fn half_a_url_is_no_folder() {
        for store in ["memory:", "memory:jobs", "Memory:/jobs"] {
            let line = refused(&["milepost", "--store", store, "-c", "SELECT 1"]);
            assert!(line.contains(store) && line.contains("memory://name"), "{line}");
        }
        for store in ["memory://", "memory://jobs", "./memory:", "memory", "in/memory:"] {
            assert_eq!(read(&["milepost", "--store", store]).store.as_deref(), Some(store));
        }
    }

    #[test]
    fn the_demo_says_where_its_store_is_and_how_much_data_it_makes() {
        let mut command = Args::command();
        command.build();
        let help = command.find_subcommand_mut("demo").unwrap().render_long_help().to_string();
        assert!(help.contains("DIR/.milepost") && help.contains("--scale"), "{help}");
    }

    #[test]
    fn the_store_may_be_named_after_the_command() {
        let args = read(&["milepost", "demo", "--store", "memory://", "--dir", "d"]);
        assert_eq!(args.store.as_deref(), Some("memory://"));
    }

    #[test]
    fn mistakes_are_one_line() {
        for words in [
            &["milepost", "--no-such-option"][..],
            &["milepost", "-m", "lots"],
            &["milepost", "--format", "xml"],
            &["milepost", "--mem-pool-type", "unfair"],
            &["milepost", "-b", "0"],
            &["milepost", "-c", " "],
            &["milepost", "-c", "SELECT 1", "demo"],
            &["milepost", "datagen", "tpch"],
            &["milepost", "datagen", "tpch", "--out", "x", "--parts", "0"],
            &["milepost", "-p", "/no/such/folder"],
            &["milepost", "run"],
            &["milepost", "bench"],
            &["milepost", "bench", "a.sql", "--rounds", "0"],
            &["milepost", "run", "a.sql", "--supervise", "3"],
            &["milepost", "run", "a.sql", "--supervise=often"],
            &["milepost", "-c", "SELECT 1", "run", "a.sql"],
            &["milepost", "-f", "a.sql", "run", "b.sql"],
        ] {
            let line = refused(words);
            assert!(!line.contains('\n') && line.contains("--help"), "{words:?}: {line}");
        }
    }
}
