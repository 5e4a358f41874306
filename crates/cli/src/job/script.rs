//! From a file to a job's script: variables filled in, and all of it parsed.

use std::path::Path;

use datafusion::config::ConfigOptions;
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use milepost::job::{JobName, JobScript, Variables};
use milepost::sql::{Statement, StatementKind};

use super::arguments::RunArgs;
use crate::failure::{Failure, Place};
use crate::run::{Script, Source, Step};

/// A job that is ready to start.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) name: JobName,
    pub(crate) script: JobScript,
    /// What errors call the script.
    pub(crate) script_name: String,
}

impl Ready {
    /// Reads and parses what the command line names. Nothing is run.
    ///
    /// # Errors
    /// A name that no job can have, a file that cannot be read, a variable too few or too many, the first statement that
    /// does not parse, a script without statements, with backslash commands or with functions to create.
    pub(super) fn read(args: &RunArgs, options: &ConfigOptions) -> Result<Self, Failure> {
        let name = match &args.job {
            Some(name) => JobName::parse(name).map_err(|error| Failure::Refused(error.to_string()))?,
            None => name_of(&args.file)?,
        };
        Self::of(name, &args.file, &args.variables, options)
    }

    /// The same, of a file and variables that are written as `name=value`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn of(
        name: JobName,
        file: &Path,
        values: &[String],
        options: &ConfigOptions,
    ) -> Result<Self, Failure> {
        let mut variables = Variables::default();
        for variable in values {
            let Some((name, value)) = variable.split_once('=') else {
                return Err(Failure::Usage(format!(
                    "--var {variable} is no variable: write --var name=value"
                )));
            };
            variables.set(name, value).map_err(|error| Failure::Refused(error.to_string()))?;
        }
        let mut source = read(file)?;
        let named = |error: milepost::Error| Failure::Refused(format!("{}: {error}", source.name));
        source.text = variables.fill_in(&source.text).map_err(named)?;
        let script = Script::parse_filled(options, &source);
        let script = script.map_err(|failure| Failure::Script(Box::new(failure)))?;
        let mut statements = Vec::with_capacity(script.steps.len());
        for step in script.steps {
            match step {
                Step::Statement(statement) if creates_a_function(&statement) => {
                    let what = "CREATE FUNCTION needs a language that the program does not have: take it out, or write what \
                                the function computes into the queries"
                        .to_string();
                    let place = Place { script: script.name, line: statement.line };
                    return Err(Failure::Script(Box::new(Failure::Command { place, what })));
                }
                Step::Statement(statement) => statements.push(*statement),
                Step::Command { line, .. } => {
                    let what = "a job's script holds SQL only, and this is a command of the shell: take it out, or run the \
                                script with -f"
                        .to_string();
                    let place = Place { script: script.name, line };
                    return Err(Failure::Script(Box::new(Failure::Command { place, what })));
                }
            }
        }
        let named = |error: milepost::Error| Failure::Refused(format!("{}: {error}", script.name));
        let job = JobScript::new(statements, &variables, options).map_err(named)?;
        Ok(Self { name, script: job, script_name: script.name })
    }

    /// Where a line of the script is.
    pub(crate) fn place(&self, line: usize) -> Place {
        Place { script: self.script_name.clone(), line }
    }
}

/// Whether a statement can only fail here, after the steps before it have run. A program that embeds the engine may have a
/// factory of functions.
fn creates_a_function(statement: &Statement) -> bool {
    let StatementKind::DataFusion(inner) = &statement.kind else { return false };
    matches!(inner.as_ref(), DFStatement::Statement(inner) if matches!(**inner, SqlStatement::CreateFunction(_)))
}

/// The name of a job whose script lies here, if none is given: the file's name as far as names allow it.
fn name_of(file: &Path) -> Result<JobName, Failure> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let fits = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' };
    let mut name: String = stem.chars().map(fits).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name.truncate(63);
    JobName::parse(&name).map_err(|_| {
        Failure::Refused(format!("{} gives no name for a job: give one with --job NAME", file.display()))
    })
}

/// A file that is not there is a mistake of the command line: running the same again cannot help.
fn read(file: &Path) -> Result<Source, Failure> {
    if file == Path::new("-") {
        return Err(Failure::Usage("a job's script is a file, so that it can be run again".to_string()));
    }
    Source::file(file).map_err(|failure| Failure::Refused(failure.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_after_its_file() {
        for (file, name) in [
            ("jobs/nightly.sql", "nightly"),
            ("By-Day 2.v3.sql", "by_day_2_v3"),
            ("2024.sql", "_2024"),
            ("straße.sql", "stra_e"),
            (".sql", "_sql"),
        ] {
            assert_eq!(name_of(Path::new(file)).unwrap().as_str(), name, "{file}");
        }
        assert_eq!(name_of(Path::new(&"x".repeat(99))).unwrap().as_str().len(), 63);
        assert!(name_of(Path::new("..")).unwrap_err().to_string().contains("--job"));
    }
}
