//! The names that Tab can complete: tables, their columns, and checkpoints.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::catalog::SchemaProvider;
use milepost::Session;
use tokio::runtime::Handle;

/// Names older than this are asked for again, because other programs make checkpoints too.
const FRESH_FOR: Duration = Duration::from_secs(10);
/// Tab must answer at once. A slow store gets this long, then it is left out.
const PATIENCE: Duration = Duration::from_millis(700);
/// Tables whose columns are looked up; a catalog may hold thousands.
const MOST_TABLES: usize = 200;

/// Names, as they are typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// Tables and views; those outside the default schema with their schema's name.
    pub(crate) tables: BTreeSet<String>,
    /// Checkpoints of the store.
    pub(crate) checkpoints: BTreeSet<String>,
    /// Each table that was looked up, with its columns.
    pub(crate) columns: Vec<(String, Vec<String>)>,
    /// Functions of SQL.
    pub(crate) functions: BTreeSet<String>,
    /// Keys of settings, whole.
    pub(crate) settings: BTreeSet<String>,
}

/// Asks a session for names and keeps the answer for a while.
pub(crate) struct Names {
    handle: Handle,
    session: Session,
    known: RefCell<Option<(Instant, Arc<Known>)>>,
}

impl Names {
    /// Names of a session, asked for through `handle`.
    pub(crate) fn new(handle: Handle, session: Session) -> Self {
        Self { handle, session, known: RefCell::new(None) }
    }

    /// The names now. Must not be called from inside the runtime.
    pub(crate) fn known(&self) -> Arc<Known> {
        if let Some((asked, known)) = &*self.known.borrow()
            && asked.elapsed() < FRESH_FOR
        {
            return Arc::clone(known);
        }
        let found = Arc::new(self.handle.block_on(look_up(&self.session)));
        *self.known.borrow_mut() = Some((Instant::now(), Arc::clone(&found)));
        found
    }

    /// Asks again next time.
    pub(crate) fn forget(&self) {
        self.known.borrow_mut().take();
    }
}

/// Everything that can be found in time.
async fn look_up(session: &Session) -> Known {
    let checkpoints = tokio::time::timeout(PATIENCE, session.checkpoint_names()).await.unwrap_or_default();
    let mut known = Known { checkpoints: checkpoints.into_iter().collect(), ..Known::default() };
    known.functions = functions(session);
    let entries = session.context().copied_config().options().entries();
    known.settings = entries.into_iter().map(|entry| entry.key).collect();
    let deadline = Instant::now() + PATIENCE;
    for (prefix, schema) in schemas(session) {
        for table in schema.table_names() {
            let name = format!("{prefix}{}", typed(&table));
            let left = deadline.saturating_duration_since(Instant::now());
            if known.columns.len() < MOST_TABLES && !left.is_zero() {
                // A table that cannot be looked up still has a name to complete.
                if let Ok(Ok(Some(provider))) = tokio::time::timeout(left, schema.table(&table)).await {
                    let fields = provider.schema();
                    let columns = fields.fields().iter().map(|field| typed(field.name())).collect();
                    known.columns.push((name.clone(), columns));
                }
            }
            known.tables.insert(name);
        }
    }
    known
}

/// Schemas with the prefix that their tables need. The default schema needs none.
fn schemas(session: &Session) -> Vec<(String, Arc<dyn SchemaProvider>)> {
    let config = session.context().copied_config();
    let defaults = &config.options().catalog;
    let Some(catalog) = session.context().catalog(&defaults.default_catalog) else { return Vec::new() };
    let mut found: Vec<_> = catalog
        .schema_names()
        .into_iter()
        .filter_map(|name| {
            let is_default = name == defaults.default_schema;
            let prefix = if is_default { String::new() } else { format!("{}.", typed(&name)) };
            catalog.schema(&name).map(|schema| (prefix, schema))
        })
        .collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

fn functions(session: &Session) -> BTreeSet<String> {
    let state = session.context().state_ref();
    let state = state.read();
    let scalar = state.scalar_functions().keys();
    let aggregate = state.aggregate_functions().keys();
    let window = state.window_functions().keys();
    let table = state.table_functions().keys();
    scalar.chain(aggregate).chain(window).chain(table).filter(|name| is_plain(name)).cloned().collect()
}

/// A name as it has to be typed: in double quotes unless it is lower-case letters, digits and underscores.
fn typed(name: &str) -> String {
    if is_plain(name) { name.to_string() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn is_plain(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_')
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_sql_would_fold_or_split_them() {
        for (name, shown) in [
            ("l_orderkey", "l_orderkey"),
            ("OrderKey", "\"OrderKey\""),
            ("a b", "\"a b\""),
            ("1st", "\"1st\""),
        ] {
            assert_eq!(typed(name), shown);
        }
    }
}
