//! Reads a backslash command.

use std::path::PathBuf;
use std::str::FromStr;

use datafusion_cli::object_storage::instrumented::InstrumentedObjectStoreMode;
use datafusion_cli::print_format::PrintFormat;
use datafusion_cli::print_options::MaxRows;

/// A backslash command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// `\q`
    Quit,
    /// `\?`
    Commands,
    /// `\d`
    Tables,
    /// `\d name`
    Describe(String),
    /// `\c`
    Checkpoints,
    /// `\c name`
    Snapshots(String),
    /// `\h`
    Topics,
    /// `\h topic`
    Help(String),
    /// `\i file`
    Include(PathBuf),
    /// `\o [file]`: standard output without one.
    Output(Option<PathBuf>),
    /// `\pset`, `\quiet`, `\object_store_profiling`
    Settings,
    /// `\pset name value`, `\quiet on`, `\object_store_profiling mode`
    Set(Setting),
}

/// A setting of the output and its new value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Setting {
    /// How results are printed.
    Format(PrintFormat),
    /// Rows of a table that are shown.
    MaxRows(MaxRows),
    /// Results only.
    Quiet(bool),
    /// Reports of requests to object stores.
    Profiling(InstrumentedObjectStoreMode),
}

impl FromStr for Command {
    type Err = String;

    /// Reads a line that begins with a backslash.
    fn from_str(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim().trim_end_matches(';').trim_end();
        let argument = (!rest.is_empty()).then_some(rest);
        match (word.trim_end_matches(';'), argument) {
            ("\\q", None) => Ok(Self::Quit),
            ("\\?", None) => Ok(Self::Commands),
            ("\\d", None) => Ok(Self::Tables),
            ("\\d", Some(name)) => Ok(Self::Describe(name.to_string())),
            ("\\c", None) => Ok(Self::Checkpoints),
            ("\\c", Some(name)) => Ok(Self::Snapshots(name.to_string())),
            ("\\h", None) => Ok(Self::Topics),
            ("\\h", Some(topic)) => Ok(Self::Help(topic.to_string())),
            ("\\i", None) => Err("\\i needs a file: write \\i script.sql".to_string()),
            ("\\i", Some(path)) => Ok(Self::Include(unquoted(path).into())),
            ("\\o", path) => Ok(Self::Output(path.map(|path| unquoted(path).into()))),
            ("\\pset" | "\\quiet" | "\\object_store_profiling", None) => Ok(Self::Settings),
            ("\\pset", Some(pair)) => {
                let (name, value) = pair.split_once(char::is_whitespace).unwrap_or((pair, ""));
                setting(name, value.trim()).map(Self::Set)
            }
            ("\\quiet", Some(value)) => setting("quiet", value).map(Self::Set),
            ("\\object_store_profiling", Some(mode)) => {
                setting("object_store_profiling", mode).map(Self::Set)
            }
            (word @ ("\\q" | "\\?"), Some(_)) => Err(format!("{word} stands alone")),
            (word, _) => Err(format!("there is no command {word}: \\? lists those that exist")),
        }
    }
}

fn setting(name: &str, value: &str) -> Result<Setting, String> {
    let expected = |values: &str| format!("'{value}' is no value of {name}: use {values}");
    match name {
        "format" => value
            .parse()
            .map(Setting::Format)
            .map_err(|_| expected("automatic, table, csv, tsv, json or nd-json")),
        "maxrows" => value.parse().map(Setting::MaxRows).map_err(|_| expected("a number, or inf")),
        "quiet" => match value {
            "true" | "t" | "yes" | "y" | "on" => Ok(Setting::Quiet(true)),
            "false" | "f" | "no" | "n" | "off" => Ok(Setting::Quiet(false)),
            _ => Err(expected("on or off")),
        },
        "object_store_profiling" => {
            value.parse().map(Setting::Profiling).map_err(|_| expected("disabled, summary or trace"))
        }
        _ => Err(format!("there is no setting {name}: use format, maxrows, quiet or object_store_profiling")),
    }
}

/// A file name may stand in single quotes.
fn unquoted(path: &str) -> &str {
    path.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_read_with_and_without_what_people_add() {
        for (line, command) in [
            ("\\q", Command::Quit),
            ("\\q;", Command::Quit),
            ("\\d  lineitem ;", Command::Describe("lineitem".to_string())),
            ("\\c by_day", Command::Snapshots("by_day".to_string())),
            ("\\i 'a b.sql'", Command::Include("a b.sql".into())),
            ("\\o", Command::Output(None)),
            ("\\h create table", Command::Help("create table".to_string())),
            ("\\pset format json", Command::Set(Setting::Format(PrintFormat::Json))),
            ("\\pset maxrows inf", Command::Set(Setting::MaxRows(MaxRows::Unlimited))),
            ("\\quiet on", Command::Set(Setting::Quiet(true))),
        ] {
            assert_eq!(line.parse(), Ok(command), "{line}");
        }
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        for (line, hint) in [
            ("\\x", "\\?"),
            ("\\i", "\\i script.sql"),
            ("\\pset format xml", "nd-json"),
            ("\\pset colour blue", "maxrows"),
            ("\\quiet maybe", "on or off"),
            ("\\q now", "alone"),
        ] {
            let error = line.parse::<Command>().unwrap_err();
            assert!(error.contains(hint), "{line}: {error}");
        }
    }
}
