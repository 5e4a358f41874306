//! A session: DataFusion's, with a checkpoint store and our statements.

mod builder;
mod hidden;
mod install;
pub mod maintenance;
mod rows;
mod run_time;
mod show;
mod statements;

use std::ops::Deref;
use std::sync::Arc;

use datafusion::catalog::listing_schema::ListingSchemaProvider;
use datafusion::common::{Result, plan_err};
use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;
use milepost_store::Store;

pub use builder::SessionBuilder;
pub use install::SessionStateBuilderExt;

use crate::context::Milepost;
use crate::sql::{Statement, parse};
use crate::stage::StageProgress;

/// A DataFusion session with checkpoints. Cheap to clone; clones share everything.
///
/// It dereferences to DataFusion's [`SessionContext`], so everything that one can do stays usable.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let session = milepost::Session::open("memory://").await?;
/// session.sql("CHECKPOINT squares AS SELECT i * i AS square FROM range(1, 4) AS t(i)").await?;
/// let rows = session.sql("SELECT sum(square) FROM squares").await?.collect().await?;
/// assert_eq!(rows[0].num_rows(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session {
    context: SessionContext,
    milepost: Arc<Milepost>,
}

impl Session {
    /// Opens a session over the store at `url`: a path, `file://…` or `memory://…`.
    ///
    /// # Errors
    /// The store cannot be opened: see [`milepost_store::Error`].
    pub async fn open(url: &str) -> Result<Self, crate::Error> {
        Self::builder().with_store_url(url).build().await
    }

    /// A session with other parts than the default ones.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// The DataFusion session.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// The checkpoint store.
    pub fn store(&self) -> &Store {
        self.milepost.store()
    }

    pub(crate) fn milepost(&self) -> &Arc<Milepost> {
        &self.milepost
    }

    /// Runs one statement, Milepost's or DataFusion's.
    ///
    /// Our statements and DataFusion's commands run at once, and the frame holds their result rows. A query runs when its
    /// frame is collected, as in DataFusion. Dropping the future stops what it started.
    ///
    /// # Errors
    /// A statement that does not parse, plan or run; more than one statement.
    pub async fn sql(&self, sql: &str) -> Result<DataFrame> {
        let statements = self.statements(sql)?;
        match statements.as_slice() {
            [statement] => self.execute(statement).await,
            [] => plan_err!("there is no statement in the text"),
            many => plan_err!("there are {} statements in the text: run them one by one", many.len()),
        }
    }

    /// Lists the tables of the schemas that stand for folders (`datafusion.catalog.location`) anew, also where checkpoints are
    /// laid over such a schema.
    ///
    /// # Errors
    /// A folder that cannot be listed, or a table in it that cannot be read.
    pub async fn refresh_catalogs(&self) -> Result<()> {
        let Some(catalogs) = self.milepost.beneath() else { return Ok(()) };
        let state = self.context.state();
        for catalog in catalogs.catalog_names().iter().filter_map(|name| catalogs.catalog(name)) {
            for schema in catalog.schema_names().iter().filter_map(|name| catalog.schema(name)) {
                if let Some(lister) = schema.downcast_ref::<ListingSchemaProvider>() {
                    lister.refresh(&state).await?;
                }
            }
        }
        Ok(())
    }

    /// Parses every statement of a script before any of them runs.
    ///
    /// # Errors
    /// The first statement that does not parse, with its line.
    pub fn statements(&self, script: &str) -> Result<Vec<Statement>> {
        let state = self.context.state_ref();
        let state = state.read();
        parse(script, state.config_options())
    }

    /// The stages of this session that run now.
    pub fn progress(&self) -> Vec<StageProgress> {
        self.milepost.progress.read()
    }

    /// Warnings for people since the last call, each once.
    pub fn take_notices(&self) -> Vec<String> {
        self.milepost.take_notices()
    }

    /// Waits until the attempts of cancelled statements are abandoned and what they had half written is gone. Call it after
    /// dropping a statement's future, and before a process ends that has dropped one.
    pub async fn settle(&self) {
        self.milepost.settle().await;
    }

    /// The names of the store's checkpoints, listed now; those known before where the store cannot be listed. A notice names
    /// those whose logs cannot be read.
    pub async fn checkpoint_names(&self) -> Vec<String> {
        match self.milepost.refresh_names().await {
            Ok(names) => names,
            Err(_) => self.milepost.known_names(),
        }
    }
}

impl Deref for Session {
    type Target = SessionContext;

    fn deref(&self) -> &SessionContext {
        &self.context
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("store", &self.store().url()).finish_non_exhaustive()
    }
}
