//! The corpus: small queries over small tables, by topic, in files that read like a tour of SQL.
//!
//! A file is a list of queries. Each begins with a comment line that says what it shows and ends with a semicolon
//! before an empty line. A title that ends in `(approx)` allows the last digits of floats to differ.

/// Statements that create the tables of the corpus, in order.
pub fn setup() -> Vec<String> {
    split(include_str!("../corpus/setup.sql"))
}

/// One query of the corpus.
#[derive(Debug, Clone)]
pub struct Query {
    /// File and title, such as `joins: left semi join`.
    pub title: String,
    /// The query, without a semicolon.
    pub sql: String,
    /// Whether the last digits of floats may depend on the order in which rows are added up.
    pub approximate: bool,
}

/// Every query of the corpus, in the order of its files.
pub fn queries() -> Vec<Query> {
    let files = [
        ("joins", include_str!("../corpus/joins.sql")),
        ("aggregates", include_str!("../corpus/aggregates.sql")),
        ("windows", include_str!("../corpus/windows.sql")),
        ("order_and_limit", include_str!("../corpus/order_and_limit.sql")),
        ("sets", include_str!("../corpus/sets.sql")),
        ("subqueries", include_str!("../corpus/subqueries.sql")),
        ("ctes", include_str!("../corpus/ctes.sql")),
        ("nested", include_str!("../corpus/nested.sql")),
        ("scalars", include_str!("../corpus/scalars.sql")),
    ];
    files.iter().flat_map(|(file, text)| split(text).into_iter().map(|block| query(file, &block))).collect()
}

fn query(file: &str, block: &str) -> Query {
    let (title, sql) = block.split_once('\n').unwrap_or((block, ""));
    let title = title.trim_start_matches("-- ");
    Query {
        title: format!("{file}: {title}"),
        sql: sql.to_string(),
        approximate: title.ends_with("(approx)"),
    }
}

fn split(text: &str) -> Vec<String> {
    let blocks = text.split("\n\n").map(str::trim).filter(|block| !block.is_empty());
    blocks.map(|block| block.trim_end_matches(';').to_string()).collect()
}
