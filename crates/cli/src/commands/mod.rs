//! Backslash commands: what people type at the prompt when SQL is too long.

mod help;
mod parse;

use datafusion_cli::print_options::MaxRows;

pub(crate) use parse::{Command, Setting};

use crate::failure::{Failure, Place};
use crate::output::Output;
use crate::registry;
use crate::run::{Flow, Runner};

impl Command {
    /// Does what the command says.
    ///
    /// # Errors
    /// SQL that fails, a file that cannot be opened, or output that cannot be written.
    pub(crate) async fn run(&self, runner: &mut Runner, place: Place) -> Result<Flow, Failure> {
        match self {
            Self::Quit => return Ok(Flow::Quit),
            Self::Include(path) => return runner.file(path).await,
            Self::Tables => {
                let sql = list_tables(runner).await;
                runner.sql(&sql, place).await?;
            }
            Self::Describe(name) => describe(runner, name, place).await?,
            Self::Checkpoints => runner.sql("SHOW CHECKPOINTS", place).await?,
            Self::Snapshots(name) => runner.sql(&format!("SHOW SNAPSHOTS OF {name}"), place).await?,
            Self::Commands => runner.printer.output.line(&help::commands())?,
            Self::Topics => runner.printer.output.line(&help::topics())?,
            Self::Help(topic) => {
                let text =
                    help::topic(topic).or_else(|| help::function(&runner.session.context().state(), topic));
                let what = || format!("there is no help on {topic}: \\h lists the topics");
                runner.printer.output.line(&text.ok_or_else(|| Failure::Command { place, what: what() })?)?;
            }
            Self::Output(None) => runner.printer.output = Output::stdout(),
            Self::Output(Some(path)) => runner.printer.output = Output::file(path)?,
            Self::Set(setting) => set(runner, setting)?,
            Self::Settings => {
                let text = settings(runner);
                runner.printer.output.line(&text)?;
            }
        }
        Ok(Flow::Continue)
    }
}

/// Tables, views and checkpoints, without the schema that describes schemas. DataFusion calls a checkpoint a table.
async fn list_tables(runner: &Runner) -> String {
    // Names of checkpoints are letters, digits and underscores.
    let checkpoints: Vec<String> =
        runner.session.checkpoint_names().await.iter().map(|name| format!("'{name}'")).collect();
    let default_schema =
        runner.session.context().copied_config().options().catalog.default_schema.replace('\'', "''");
    let kind = if checkpoints.is_empty() {
        String::new()
    } else {
        format!(
            "WHEN table_schema = '{default_schema}' AND table_name IN ({}) THEN 'checkpoint' ",
            checkpoints.join(", ")
        )
    };
    format!(
        "SELECT table_schema AS schema, table_name AS name, \
                CASE {kind}WHEN table_type = 'BASE TABLE' THEN 'table' ELSE lower(table_type) END AS type \
         FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY schema, name"
    )
}

/// A checkpoint and a table answer to different statements.
async fn describe(runner: &mut Runner, name: &str, place: Place) -> Result<(), Failure> {
    let is_checkpoint = runner.session.checkpoint_names().await.iter().any(|known| known == name);
    let kind = if is_checkpoint { "CHECKPOINT " } else { "" };
    runner.sql(&format!("DESCRIBE {kind}{name}"), place).await
}

fn set(runner: &mut Runner, setting: &Setting) -> Result<(), Failure> {
    match setting {
        Setting::Format(format) => runner.printer.format = *format,
        Setting::MaxRows(rows) => runner.printer.maxrows = *rows,
        Setting::Quiet(quiet) => runner.printer.quiet = *quiet,
        Setting::Profiling(mode) => registry::set_mode(&runner.stores, *mode),
    }
    if runner.printer.quiet {
        return Ok(());
    }
    let text = settings(runner);
    runner.printer.output.line(&text)
}

fn settings(runner: &Runner) -> String {
    let printer = &runner.printer;
    let maxrows = match printer.maxrows {
        MaxRows::Unlimited => "inf".to_string(),
        MaxRows::Limited(rows) => rows.to_string(),
    };
    format!(
        "format {}, maxrows {maxrows}, quiet {}, object_store_profiling {}",
        format!("{:?}", printer.format).to_lowercase(),
        if printer.quiet { "on" } else { "off" },
        runner.stores.instrument_mode().to_string().to_lowercase(),
    )
}
