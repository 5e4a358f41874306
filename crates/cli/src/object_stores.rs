//! Statements that bring their own object store: `CREATE EXTERNAL TABLE … LOCATION 's3://…'` and `COPY … TO 's3://…'`.
//!
//! datafusion-cli knows how to build a store from a location and the statement's options, how to find out a bucket's
//! region, and how to turn piped input into a table. It offers this through [`exec_from_commands`] over a
//! [`CliSessionContext`]; ours lets it do all that and runs the statement itself where datafusion-cli would run its
//! plan.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::dataframe::DataFrame;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{DdlStatement, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::parser::{CopyToStatement, Statement as DFStatement};
use datafusion_cli::cli_context::CliSessionContext;
use datafusion_cli::exec::exec_from_commands;
use datafusion_cli::object_storage::instrumented::InstrumentedObjectStoreRegistry;
use datafusion_cli::print_format::PrintFormat;
use datafusion_cli::print_options::{MaxRows, PrintOptions};
use milepost::Session;
use milepost::scan::name_place;
use milepost::sql::{Statement, StatementKind};
use object_store::ObjectStore;
use parking_lot::Mutex;
use url::Url;

/// Runs a statement as [`Session::execute`] does, after the object stores it names are there.
///
/// # Errors
/// The statement's error, or a location whose store cannot be built.
pub(crate) async fn execute(session: &Session, statement: &Statement) -> Result<DataFrame> {
    let Some(sql) = announcing_text(statement)? else {
        return session.execute(statement).await;
    };
    let context = StoreContext { session, statement, result: Mutex::new(None) };
    let run = exec_from_commands(&context, vec![sql], &silent()).await;
    run.map_err(|error| name_place(error, &locations(statement)))?;
    let result = context.result.lock().take();
    result.ok_or_else(|| DataFusionError::Internal("the statement was not run".to_string()))
}

/// The SQL that tells datafusion-cli which stores the statement needs, or nothing if it needs none of its own.
fn announcing_text(statement: &Statement) -> Result<Option<String>> {
    let StatementKind::DataFusion(inner) = &statement.kind else { return Ok(None) };
    match inner.as_ref() {
        DFStatement::CreateExternalTable(_) => Ok(Some(statement.text.clone())),
        DFStatement::CopyTo(copy) => Ok(Some(copy_of_nothing(copy))),
        _ => Ok(None),
    }
}

/// The same COPY of another query: the real one may hold words that only Milepost knows, and no store depends on it.
fn copy_of_nothing(copy: &CopyToStatement) -> String {
    let target = copy.target.replace('\'', "''");
    let options: Vec<String> = copy.options.iter().map(|(key, value)| format!("'{key}' {value}")).collect();
    let stored_as = copy.stored_as.iter().map(|format| format!(" STORED AS {format}")).collect::<String>();
    let options =
        if options.is_empty() { String::new() } else { format!(" OPTIONS ({})", options.join(", ")) };
    format!("COPY (SELECT 1) TO '{target}'{stored_as}{options}")
}

/// Where the files of an external table are to be.
fn locations(statement: &Statement) -> String {
    let StatementKind::DataFusion(inner) = &statement.kind else { return String::new() };
    match inner.as_ref() {
        DFStatement::CreateExternalTable(create) => create.locations.join(" or "),
        _ => String::new(),
    }
}

fn silent() -> PrintOptions {
    PrintOptions {
        format: PrintFormat::Csv,
        quiet: true,
        maxrows: MaxRows::Limited(0),
        color: false,
        instrumented_registry: Arc::new(InstrumentedObjectStoreRegistry::new()),
    }
}

struct StoreContext<'a> {
    session: &'a Session,
    statement: &'a Statement,
    result: Mutex<Option<DataFrame>>,
}

impl StoreContext<'_> {
    /// The statement, reading from where datafusion-cli says that its locations really are.
    fn relocated(&self, plan: &LogicalPlan) -> Statement {
        let mut statement = self.statement.clone();
        if let LogicalPlan::Ddl(DdlStatement::CreateExternalTable(planned)) = plan
            && let StatementKind::DataFusion(inner) = &mut statement.kind
            && let DFStatement::CreateExternalTable(create) = inner.as_mut()
        {
            create.locations.clone_from(&planned.locations);
        }
        statement
    }
}

#[async_trait]
impl CliSessionContext for StoreContext<'_> {
    fn task_ctx(&self) -> Arc<TaskContext> {
        self.session.context().task_ctx()
    }

    fn session_state(&self) -> SessionState {
        self.session.context().state()
    }

    fn register_object_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.session.context().register_object_store(url, store)
    }

    fn register_table_options_extension_from_scheme(&self, scheme: &str) {
        CliSessionContext::register_table_options_extension_from_scheme(self.session.context(), scheme);
    }

    async fn execute_logical_plan(&self, plan: LogicalPlan) -> Result<DataFrame> {
        let result = self.session.execute(&self.relocated(&plan)).await?;
        *self.result.lock() = Some(result);
        let nothing = LogicalPlanBuilder::empty(false).build()?;
        Ok(DataFrame::new(self.session_state(), nothing))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;

    use super::*;

    #[test]
    fn a_copy_announces_its_target_and_options_but_not_its_query() {
        let sql = "COPY (SELECT * FROM checkpoint((SELECT 1))) TO 's3://b/it''s.csv' STORED AS CSV \
                   PARTITIONED BY (a) OPTIONS ('aws.region' 'eu-1', 'format.has_header' true)";
        let Some(DFStatement::CopyTo(copy)) = DFParser::parse_sql(sql).unwrap().into_iter().next() else {
            panic!("not a COPY")
        };
        let announced = copy_of_nothing(&copy);
        assert!(!announced.contains("checkpoint"));
        let Some(DFStatement::CopyTo(again)) = DFParser::parse_sql(&announced).unwrap().into_iter().next()
        else {
            panic!("not a COPY: {announced}")
        };
        assert_eq!(
            (again.target, again.stored_as, again.options),
            (copy.target, copy.stored_as, copy.options)
        );
    }
}
