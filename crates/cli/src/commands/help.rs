//! What `\?` and `\h` print.

use datafusion::common::config::ExtensionOptions;
use datafusion::execution::SessionState;
use datafusion_cli::functions::Function;
use milepost::MilepostConfig;

/// The commands, for `\?`.
pub(crate) fn commands() -> String {
    let rows = [
        ("\\d", "list tables, views and checkpoints"),
        ("\\d NAME", "describe a table or a checkpoint"),
        ("\\c", "list checkpoints"),
        ("\\c NAME", "list the snapshots of a checkpoint"),
        ("\\h", "list help topics"),
        ("\\h TOPIC", "help on a statement or a function"),
        ("\\i FILE", "run a script, up to its first error"),
        ("\\o [FILE]", "send results to a file, or back to the screen"),
        ("\\pset [NAME VALUE]", "show or set: format, maxrows, quiet, object_store_profiling"),
        ("\\quiet on|off", "print results only, or row counts and times too"),
        ("\\object_store_profiling MODE", "report requests to object stores: disabled, summary, trace"),
        ("\\q", "leave; so do exit, quit and Ctrl-D"),
    ];
    let lines: Vec<String> = rows.iter().map(|(name, what)| format!("{name:30} {what}")).collect();
    let keys = "Ctrl-C abandons a statement, Tab completes names, Ctrl-R searches what was typed before.";
    format!("{}\n\n{keys}", lines.join("\n"))
}

/// Our statements: the words that ask for help, what they do, and how they are written.
const OURS: [(&str, &str, &str); 12] = [
    (
        "CHECKPOINT",
        "make sure that a fresh snapshot of a query is stored, and give it a name",
        "CHECKPOINT name [WITH (option = value, ...)] AS query",
    ),
    (
        "INLINE CHECKPOINT",
        "the same inside a query, at any depth",
        "SELECT ... FROM checkpoint((SELECT ...) [, 'name']) AS t",
    ),
    (
        "AS MATERIALIZED",
        "the same in standard words, without a name",
        "WITH t AS MATERIALIZED (SELECT ...) SELECT ... FROM t",
    ),
    ("SNAPSHOT", "read an older version of a checkpoint", "SELECT ... FROM snapshot('name', version)"),
    (
        "REFRESH CHECKPOINT",
        "run the stored query again if what it reads has changed",
        "REFRESH CHECKPOINT name [FORCE]",
    ),
    ("DROP CHECKPOINT", "forget a checkpoint or one version", "DROP CHECKPOINT [IF EXISTS] name [VERSION n]"),
    ("SHOW CHECKPOINTS", "list checkpoints, and whether they are fresh", "SHOW CHECKPOINTS [LIKE 'pattern']"),
    ("SHOW SNAPSHOTS", "list the versions of a checkpoint", "SHOW SNAPSHOTS OF name"),
    (
        "DESCRIBE CHECKPOINT",
        "show the columns of a version, and what is known of their values",
        "DESCRIBE CHECKPOINT name [VERSION n]",
    ),
    (
        "EXPLAIN CHECKPOINT",
        "say what would be written or reused, and why",
        "EXPLAIN [ANALYZE] [VERBOSE] [FORMAT format] CHECKPOINT name AS query",
    ),
    (
        "VERIFY CHECKPOINT",
        "read everything that is stored and name what is not as it was written",
        "VERIFY CHECKPOINT name [VERSION n]\nVERIFY CHECKPOINTS",
    ),
    ("VACUUM CHECKPOINTS", "delete what nothing can need any more", "VACUUM CHECKPOINTS [DRY RUN]"),
];

/// Statements that DataFusion's shell has help on.
const DATAFUSION: [&str; 7] =
    ["SELECT", "INSERT", "CREATE TABLE", "CREATE TABLE AS", "DROP TABLE", "EXPLAIN", "SHOW"];

/// The topics, for `\h`.
pub(crate) fn topics() -> String {
    let ours = OURS.map(|(words, what, _)| format!("{words:20} {what}")).join("\n");
    format!("{ours}\n{}\nand the name of any function, such as \\h date_bin", DATAFUSION.join(", "))
}

/// Help on a statement, if there is any.
pub(crate) fn topic(words: &str) -> Option<String> {
    let wanted = words.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    if let Some((name, what, syntax)) = OURS.iter().find(|(name, _, _)| *name == wanted) {
        let options = if *name == "CHECKPOINT" { options() } else { String::new() };
        return Some(format!("Command:     {name}\nDescription: {what}\nSyntax:\n{syntax}{options}"));
    }
    let details = wanted.parse::<Function>().ok()?.function_details().map(str::to_string).ok()?;
    Some(details.trim().to_string())
}

/// What may stand in the WITH list of a CHECKPOINT: every setting of Milepost but the one of the session.
fn options() -> String {
    let entries = MilepostConfig::default().entries().into_iter();
    let named = entries.filter_map(|entry| {
        let name = entry.key.strip_prefix("milepost.").filter(|name| *name != "enabled")?;
        Some(format!("\n  {name:18} {}", entry.description))
    });
    format!("\noptions:{}", named.collect::<String>())
}

/// What DataFusion says about a function of SQL, if it has one of that name.
pub(crate) fn function(state: &SessionState, name: &str) -> Option<String> {
    let name = name.trim().to_lowercase();
    let scalar = state.scalar_functions().get(&name).map(|function| function.documentation());
    let aggregate = || state.aggregate_functions().get(&name).map(|function| function.documentation());
    let window = || state.window_functions().get(&name).map(|function| function.documentation());
    let Some(about) = scalar.or_else(aggregate).or_else(window)? else {
        return Some(format!("Function:    {name}\nDescription: none is written"));
    };
    let mut text =
        format!("Function:    {name}\nSyntax:      {}\n\n{}", about.syntax_example, about.description.trim());
    for (argument, meaning) in about.arguments.iter().flatten() {
        text.push_str(&format!("\n- {argument}: {}", meaning.trim()));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::Command;

    #[test]
    fn every_topic_that_is_listed_has_help() {
        for name in OURS.iter().map(|(name, _, _)| *name).chain(DATAFUSION) {
            let text = topic(&name.to_lowercase()).unwrap();
            assert!(text.contains("Syntax"), "{name}");
        }
        assert_eq!(topic("date_bin"), None);
    }

    /// The help and the engine know the same options.
    #[test]
    fn every_option_of_a_checkpoint_is_listed() {
        let text = topic("checkpoint").unwrap();
        for option in ["reuse", "verify_reads", "join_order", "bloom_filters"] {
            assert!(text.contains(option), "{text}");
        }
        assert!(!text.contains("enabled"), "{text}");
    }

    #[test]
    fn functions_of_every_kind_have_help() {
        let state = datafusion::prelude::SessionContext::new().state();
        for (name, syntax) in
            [("date_bin", "date_bin("), ("COVAR_POP", "covar_"), ("row_number", "row_number()")]
        {
            let text = function(&state, name).unwrap();
            assert!(text.contains(syntax), "{text}");
        }
        assert_eq!(function(&state, "no_such_function"), None);
    }

    #[test]
    fn every_command_that_is_listed_exists() {
        for line in commands().lines().take_while(|line| !line.is_empty()) {
            let command = line.split_whitespace().next().unwrap();
            let reply = command.parse::<Command>().err().unwrap_or_default();
            assert!(!reply.contains("no command"), "{line}: {reply}");
        }
    }
}
