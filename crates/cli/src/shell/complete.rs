//! What Tab offers, by where the cursor stands: files inside a LOCATION, checkpoints after CHECKPOINT, tables after
//! FROM, settings after SET, options in the list of a CHECKPOINT, columns elsewhere.

use std::collections::BTreeSet;

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::{Context, Result};

use super::highlight::OUR_WORDS;
use super::names::{Known, Names};

/// Words of statements, beside the names.
const WORDS: &[&str] = &[
    "ALTER",
    "ANALYZE",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COPY",
    "CREATE",
    "CROSS",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTERNAL",
    "FALSE",
    "FORCE",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IF",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCATION",
    "NOT",
    "NULL",
    "OF",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "RESET",
    "RIGHT",
    "SELECT",
    "SET",
    "SHOW",
    "STORED",
    "TABLE",
    "THEN",
    "TRUE",
    "UNION",
    "USING",
    "VACUUM",
    "VALUES",
    "VERIFY",
    "VERSION",
    "VIEW",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// What SHOW shows, beside settings.
const SHOWN: [&str; 6] = ["ALL", "CHECKPOINTS", "COLUMNS", "FUNCTIONS", "SNAPSHOTS", "TABLES"];

/// What our settings begin with.
const OURS: &str = "milepost.";

/// The backslash commands.
const COMMANDS: [&str; 10] =
    ["\\?", "\\c", "\\d", "\\h", "\\i", "\\o", "\\object_store_profiling", "\\pset", "\\q", "\\quiet"];

/// Completes words from the names of a session.
pub(crate) struct Completions {
    names: Names,
    files: FilenameCompleter,
}

/// What stands before the word at the cursor, as far as it decides what may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Commands,
    Files,
    Checkpoints,
    Tables,
    Settings,
    Shown,
    Options,
    Anything,
    Nothing,
}

impl Completions {
    /// Completions from these names.
    pub(crate) fn new(names: Names) -> Self {
        Self { names, files: FilenameCompleter::new() }
    }

    /// Names may have changed.
    pub(crate) fn forget_names(&self) {
        self.names.forget();
    }

    /// Where the word at the cursor begins, and what it may become.
    ///
    /// # Errors
    /// None of its own; the file completion has some.
    pub(crate) fn at(&self, line: &str, cursor: usize, context: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let before = &line[..cursor];
        let start = word_start(before);
        match wanted(before, start) {
            Wanted::Files => self.files.complete(line, cursor, context),
            Wanted::Nothing => Ok((cursor, Vec::new())),
            Wanted::Commands => Ok((0, pairs(COMMANDS.map(str::to_string), before))),
            wanted => Ok((start, candidates(wanted, line, &before[start..], &self.names.known()))),
        }
    }
}

/// The byte at which the word that ends `before` begins.
fn word_start(before: &str) -> usize {
    let part_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '"');
    before
        .char_indices()
        .rev()
        .take_while(|(_, c)| part_of_word(*c))
        .last()
        .map_or(before.len(), |(at, _)| at)
}

fn wanted(before: &str, start: usize) -> Wanted {
    if let Some(command) = before.strip_prefix('\\') {
        return match command.split_once(' ') {
            None => Wanted::Commands,
            Some(("i" | "o", _)) => Wanted::Files,
            Some(("d", _)) => Wanted::Tables,
            Some(("c", _)) => Wanted::Checkpoints,
            Some(_) => Wanted::Nothing,
        };
    }
    if let Some(quote) = open_quote(before) {
        return inside_quote(&before[..quote]);
    }
    let words: Vec<String> =
        before[..start].split_whitespace().rev().take(2).map(str::to_uppercase).collect();
    let last = words.first().map_or("", String::as_str);
    let is_end = |text: &str| before[..start].ends_with(text);
    match last {
        _ if in_options(&before[..start]) => Wanted::Options,
        _ if is_end(",") || is_end("(") => Wanted::Anything,
        "CHECKPOINT" => Wanted::Checkpoints,
        "OF" if words.get(1).is_some_and(|word| word == "SNAPSHOTS") => Wanted::Checkpoints,
        "EXISTS" if words.get(1).is_some_and(|word| word == "IF") => Wanted::Tables,
        "FROM" | "JOIN" | "TABLE" | "VIEW" | "INTO" | "DESCRIBE" => Wanted::Tables,
        "SET" | "RESET" => Wanted::Settings,
        "SHOW" => Wanted::Shown,
        _ => Wanted::Anything,
    }
}

/// Whether the name of an option comes next: in `CHECKPOINT name WITH (` and after each comma of that list.
fn in_options(before: &str) -> bool {
    let Some((head, list)) = before.rsplit_once('(') else { return false };
    let words: Vec<String> = head.split_whitespace().rev().take(3).map(str::to_uppercase).collect();
    let is_list =
        matches!(words.as_slice(), [with, _, checkpoint] if with == "WITH" && checkpoint == "CHECKPOINT");
    let list = list.trim_end();
    is_list && !list.contains(')') && (list.is_empty() || list.ends_with(','))
}

/// The byte at which an open single quote begins.
fn open_quote(before: &str) -> Option<usize> {
    let quotes: Vec<usize> = before.match_indices('\'').map(|(at, _)| at).collect();
    if quotes.len() % 2 == 1 { quotes.last().copied() } else { None }
}

fn inside_quote(before: &str) -> Wanted {
    let before = before.trim_end().to_uppercase();
    let ends = |word: &str| before.ends_with(word);
    match () {
        () if ends("SNAPSHOT(") => Wanted::Checkpoints,
        () if ends("LOCATION") || ends("FROM") || ends("JOIN") || ends("TO") || ends("PARQUET_METADATA(") => {
            Wanted::Files
        }
        () => Wanted::Nothing,
    }
}

fn candidates(wanted: Wanted, line: &str, word: &str, known: &Known) -> Vec<Pair> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    match wanted {
        Wanted::Checkpoints => found.extend(known.checkpoints.iter().cloned()),
        Wanted::Tables => {
            found.extend(known.tables.iter().chain(&known.checkpoints).cloned());
            found.extend(["checkpoint((".to_string(), "snapshot('".to_string()]);
        }
        Wanted::Settings => found.extend(settings(word, known)),
        Wanted::Shown => {
            found.extend(SHOWN.iter().map(|shown| in_case_of(word, shown)));
            found.extend(settings(word, known).filter(|_| !word.is_empty()));
        }
        Wanted::Options => found.extend(options(known)),
        _ => anything(&mut found, line, word, known),
    }
    pairs(found, word)
}

/// Keys of settings; ours alone before anything is typed, for DataFusion has many.
fn settings<'k>(word: &str, known: &'k Known) -> impl Iterator<Item = String> + 'k {
    let all = !word.is_empty();
    known.settings.iter().filter(move |key| all || key.starts_with(OURS)).cloned()
}

/// What may stand in the list of a CHECKPOINT: every setting of ours but the one of the session.
fn options(known: &Known) -> impl Iterator<Item = String> {
    let names = known.settings.iter().filter_map(|key| key.strip_prefix(OURS));
    names.filter(|name| *name != "enabled").map(str::to_string)
}

/// A keyword as whoever typed `word` writes them.
fn in_case_of(word: &str, keyword: &str) -> String {
    if word.chars().any(char::is_uppercase) || word.is_empty() {
        keyword.to_string()
    } else {
        keyword.to_lowercase()
    }
}

/// Columns of the tables that the statement names, or of all tables while it names none; then tables, words and
/// functions. Nothing is offered for an empty word but columns: everything would be no help.
fn anything(found: &mut BTreeSet<String>, line: &str, word: &str, known: &Known) {
    let spoken: BTreeSet<String> = words_of(line);
    let named = |table: &String| spoken.contains(&table.to_lowercase());
    let any_named = known.columns.iter().any(|(table, _)| named(table));
    for (table, columns) in known.columns.iter().filter(|(table, _)| !any_named || named(table)) {
        if word.contains('.') {
            for name in std::iter::once(table).chain(&aliases(line, table)) {
                found.extend(columns.iter().map(|column| format!("{name}.{column}")));
            }
        } else if any_named || !word.is_empty() {
            found.extend(columns.iter().cloned());
        }
    }
    if word.is_empty() {
        return;
    }
    let keywords = WORDS.iter().chain(&OUR_WORDS).filter(|keyword| begins_with(keyword, word));
    let keywords: Vec<String> = keywords.map(|keyword| in_case_of(word, keyword)).collect();
    if word.chars().any(char::is_uppercase) && !keywords.is_empty() {
        // Names are written in small letters: among them, what was typed could not be completed to what all have in common.
        found.clear();
    } else {
        found.extend(known.tables.iter().chain(&known.checkpoints).cloned());
        found.extend(known.functions.iter().map(|function| format!("{function}(")));
    }
    found.extend(keywords);
}

/// The names that the statement gives a table: `o` in `FROM orders AS o` and in `FROM orders o`.
fn aliases(line: &str, table: &str) -> Vec<String> {
    let spaced = line.replace(',', " , ").replace('(', " ( ").replace(')', " ) ").replace(';', " ; ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let is_keyword =
        |word: &str| WORDS.iter().chain(&OUR_WORDS).any(|known| known.eq_ignore_ascii_case(word));
    let is_name =
        |word: &str| !is_keyword(word) && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '"'));
    let follows = |(at, word): (usize, &&str)| {
        let next = *words.get(at + 1).filter(|_| word.eq_ignore_ascii_case(table))?;
        let alias = if next.eq_ignore_ascii_case("as") { *words.get(at + 2)? } else { next };
        is_name(alias).then(|| alias.to_string())
    };
    words.iter().enumerate().filter_map(follows).collect()
}

fn words_of(line: &str) -> BTreeSet<String> {
    line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '"')))
        .map(str::to_lowercase)
        .collect()
}

fn pairs(names: impl IntoIterator<Item = String>, word: &str) -> Vec<Pair> {
    names
        .into_iter()
        .filter(|name| begins_with(name, word))
        .map(|name| Pair { display: name.clone(), replacement: name })
        .collect()
}

fn begins_with(name: &str, word: &str) -> bool {
    name.get(..word.len()).is_some_and(|front| front.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_string()).collect::<BTreeSet<_>>();
        let columns = |table: &str, list: &[&str]| {
            (table.to_string(), list.iter().map(|name| (*name).to_string()).collect::<Vec<_>>())
        };
        Known {
            tables: names(&["lineitem", "orders", "milepost.files"]),
            checkpoints: names(&["by_day", "by_month"]),
            columns: vec![
                columns("lineitem", &["l_orderkey", "l_quantity"]),
                columns("orders", &["o_orderkey", "o_orderdate"]),
            ],
            functions: names(&["sum", "lower", "checksum"]),
            settings: names(&[
                "datafusion.execution.batch_size",
                "milepost.enabled",
                "milepost.reuse",
                "milepost.unit_bytes",
            ]),
        }
    }

    /// What Tab offers at the end of `line`.
    fn offered(line: &str) -> Vec<String> {
        let start = word_start(line);
        let wanted = wanted(line, start);
        candidates(wanted, line, &line[start..], &known()).into_iter().map(|pair| pair.replacement).collect()
    }

    #[test]
    fn tables_and_checkpoints_follow_from() {
        assert_eq!(offered("SELECT * FROM li"), ["lineitem"]);
        assert_eq!(offered("SELECT * FROM by_"), ["by_day", "by_month"]);
        assert_eq!(offered("select * from orders join line"), ["lineitem"]);
        assert_eq!(offered("SELECT * FROM milepost.f"), ["milepost.files"]);
        assert_eq!(offered("SELECT * FROM ch"), ["checkpoint(("]);
    }

    #[test]
    fn checkpoints_follow_their_statements() {
        for line in ["REFRESH CHECKPOINT by_d", "drop checkpoint by_d", "SHOW SNAPSHOTS OF by_d", "\\c by_d"]
        {
            assert_eq!(offered(line), ["by_day"], "{line}");
        }
        assert_eq!(offered("SELECT * FROM snapshot('by_m"), ["by_month"]);
    }

    #[test]
    fn columns_are_those_of_the_tables_that_are_named() {
        assert_eq!(offered("SELECT * FROM orders WHERE o_"), ["o_orderdate", "o_orderkey"]);
        assert_eq!(offered("SELECT * FROM orders WHERE l_"), Vec::<String>::new());
        assert_eq!(offered("SELECT l_q"), ["l_quantity"]);
        assert_eq!(offered("SELECT orders.o_orderd"), ["orders.o_orderdate"]);
        assert_eq!(offered("SELECT * FROM orders WHERE "), ["o_orderdate", "o_orderkey"]);
    }

    #[test]
    fn an_alias_of_a_table_completes_to_its_columns() {
        assert_eq!(offered("SELECT * FROM orders AS o WHERE o.o_orderd"), ["o.o_orderdate"]);
        assert_eq!(offered("SELECT * FROM lineitem l, orders o WHERE l."), ["l.l_orderkey", "l.l_quantity"]);
        assert_eq!(offered("SELECT * FROM orders WHERE WHERE."), Vec::<String>::new());
        assert_eq!(offered("SELECT * FROM orders, o WHERE o."), Vec::<String>::new());
        assert_eq!(offered("SELECT * FROM (SELECT * FROM orders) AS o WHERE o."), Vec::<String>::new());
    }

    #[test]
    fn words_keep_the_case_in_which_they_are_begun() {
        assert_eq!(offered("CHECKP"), ["CHECKPOINT", "CHECKPOINTS"]);
        assert_eq!(offered("selec"), ["select"]);
        assert_eq!(offered("SELECT su"), ["sum("]);
        assert_eq!(offered("VAC"), ["VACUUM"]);
        assert_eq!(offered("vac"), ["vacuum"]);
    }

    /// What all candidates begin with is completed at once: it must go on from what was typed.
    #[test]
    fn keywords_in_capitals_stand_alone() {
        assert_eq!(offered("CHECK"), ["CHECKPOINT", "CHECKPOINTS"]);
        assert_eq!(offered("SHOW CHE"), ["CHECKPOINTS"]);
        assert_eq!(offered("show sn"), ["snapshots"]);
        assert_eq!(offered("check"), ["checkpoint", "checkpoints", "checksum("]);
        assert_eq!(offered("SELECT SU"), ["sum("], "there is no such keyword");
        assert_eq!(offered("SELECT L_Q"), ["l_quantity"]);
    }

    #[test]
    fn settings_follow_set_and_options_stand_in_the_list_of_a_checkpoint() {
        let ours = ["milepost.enabled", "milepost.reuse", "milepost.unit_bytes"];
        for line in ["SET milepost.", "reset ", "SET MILEPOST.", "SHOW milepost."] {
            assert_eq!(offered(line), ours, "{line}");
        }
        assert_eq!(offered("SET datafusion.e"), ["datafusion.execution.batch_size"]);
        for line in [
            "CHECKPOINT a WITH (",
            "checkpoint a with (ttl = '1 day', ",
            "CHECKPOINT\n a WITH(compression = x,",
        ] {
            assert_eq!(offered(line), ["reuse", "unit_bytes"], "{line}");
        }
        assert_eq!(offered("CHECKPOINT a WITH (un"), ["unit_bytes"]);
        for line in ["CHECKPOINT a WITH (reuse = ", "CHECKPOINT a AS WITH (", "CREATE TABLE a WITH ("] {
            assert!(!offered(line).contains(&"unit_bytes".to_string()), "{line}");
        }
    }

    #[test]
    fn files_stand_in_quotes_and_other_text_is_left_alone() {
        let at_end = |line: &str| wanted(line, word_start(line));
        assert_eq!(at_end("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'da"), Wanted::Files);
        assert_eq!(at_end("SELECT * FROM 'da"), Wanted::Files);
        assert_eq!(at_end("\\i scr"), Wanted::Files);
        assert_eq!(at_end("SELECT 'FROM li"), Wanted::Nothing);
        assert_eq!(at_end("\\pse"), Wanted::Commands);
        assert_eq!(at_end("SELECT 'a' FROM li"), Wanted::Tables);
    }

    #[test]
    fn letters_of_any_script_are_cut_between_characters() {
        assert_eq!(offered("SELECT 'ü' FROM ü"), Vec::<String>::new());
    }
}
