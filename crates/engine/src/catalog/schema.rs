//! The default schema with checkpoints beside its tables. Tables come first: a checkpoint never hides one.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{DdlStatement, LogicalPlan, TableType};
use milepost_store::{CheckpointName, Snapshot};

use crate::context::Milepost;
use crate::error::{Error, store_error};
use crate::job::{AsOf, Stood};
use crate::scan::{ReadBy, SnapshotTable, named_scan};

#[derive(Debug)]
pub(super) struct CheckpointSchema {
    inner: Arc<dyn SchemaProvider>,
    milepost: Arc<Milepost>,
}

impl CheckpointSchema {
    pub(super) fn new(inner: Arc<dyn SchemaProvider>, milepost: Arc<Milepost>) -> Self {
        Self { inner, milepost }
    }

    async fn newest(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        // A word that is no checkpoint's name was never meant as one.
        let Ok(name) = CheckpointName::parse(name) else { return Ok(None) };
        let home = &self.milepost.home;
        if let Some(as_of) = self.milepost.turn.as_of(&name) {
            return self.as_it_was(&name, &as_of).await;
        }
        match home.store.newest(&name).await.map_err(store_error)? {
            Some(snapshot) => {
                self.milepost.remember(name.as_str());
                Ok(Some(named_scan(SnapshotTable::new(home.clone(), snapshot, ReadBy::Name))?))
            }
            None => Ok(None),
        }
    }

    /// The version that a name stands for in a step of a job. One that is done again must read the same rows as before, so
    /// whether these are stale is not asked.
    async fn as_it_was(&self, name: &CheckpointName, as_of: &AsOf) -> Result<Option<Arc<dyn TableProvider>>> {
        let home = &self.milepost.home;
        let Some(snapshot) = snapshot_as_of(&self.milepost, name, as_of).await? else { return Ok(None) };
        self.milepost.remember(name.as_str());
        let by = if as_of.is_of_the_version() { ReadBy::Version } else { ReadBy::Name };
        named_scan(SnapshotTable::new(home.clone(), snapshot, by)).map(Some)
    }
}

/// The version that a name stands for in a step of a job; `None` if it stands for none.
///
/// # Errors
/// [`Error::JobVersionGone`], [`Error::JobWentOn`].
pub(crate) async fn snapshot_as_of(
    milepost: &Milepost,
    name: &CheckpointName,
    as_of: &AsOf,
) -> Result<Option<Snapshot>> {
    let live = milepost.store().live(name).await.map_err(store_error)?;
    snapshot_that(milepost, name, as_of.among(&live)).await
}

/// The version of a checkpoint that a REFRESH in a job begins from; `None` if there is none.
///
/// # Errors
/// As [`snapshot_as_of`].
pub(crate) async fn snapshot_to_refresh(
    milepost: &Milepost,
    name: &CheckpointName,
    as_of: &AsOf,
) -> Result<Option<Snapshot>> {
    let live = milepost.store().live(name).await.map_err(store_error)?;
    snapshot_that(milepost, name, as_of.to_refresh(&live)).await
}

async fn snapshot_that(milepost: &Milepost, name: &CheckpointName, stood: Stood) -> Result<Option<Snapshot>> {
    let store = milepost.store();
    let gone = || Error::JobVersionGone { name: name.to_string() };
    match stood {
        Stood::For(version) => {
            let found = store.snapshot(name, version).await.map_err(store_error)?;
            milepost.turn.note_read(name, version);
            found.map(Some).ok_or_else(|| gone().into())
        }
        Stood::ForNothing => Ok(None),
        Stood::Gone => Err(gone().into()),
        Stood::WentOn(version) => Err(Error::JobWentOn { name: name.to_string(), version: version.0 }.into()),
    }
}

#[async_trait]
impl SchemaProvider for CheckpointSchema {
    fn owner_name(&self) -> Option<&str> {
        self.inner.owner_name()
    }

    fn table_names(&self) -> Vec<String> {
        let mut names = self.inner.table_names();
        names.extend(self.milepost.known_names());
        names.extend(self.milepost.view_names());
        names.sort();
        names.dedup();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if let Some(table) = self.inner.table(name).await? {
            return Ok(Some(table));
        }
        match self.milepost.view(name) {
            Some(view) => Ok(Some(view)),
            None => self.newest(name).await,
        }
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        match self.inner.table_type(name).await? {
            Some(kind) => Ok(Some(kind)),
            // A list of all tables asks for each: their names were just read from the logs.
            None if self.milepost.knows(name) && self.milepost.view(name).is_none() => {
                Ok(Some(TableType::Base))
            }
            None => Ok(self.table(name).await?.map(|table| table.table_type())),
        }
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        self.inner.register_table(name, table)
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if !self.inner.table_exist(name) && self.milepost.knows(name) {
            return Err(Error::IsNoTable { name: name.to_string() }.into());
        }
        self.inner.deregister_table(name)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.inner.table_exist(name) || self.milepost.view(name).is_some() || self.milepost.knows(name)
    }
}

/// A checkpoint may not hide a table or view of the session's default schema.
///
/// # Errors
/// [`Error::NameTaken`].
pub(crate) fn refuse_taken(milepost: &Milepost, state: &SessionState, name: &CheckpointName) -> Result<()> {
    match table_beneath(milepost, state, name.as_str()) {
        Some(kind) => Err(Error::NameTaken { name: name.to_string(), kind }.into()),
        None => Ok(()),
    }
}

/// What the default schema itself holds under a name, checkpoints aside: "table" or "view".
fn table_beneath(milepost: &Milepost, state: &SessionState, name: &str) -> Option<String> {
    let catalog = &state.config_options().catalog;
    let schema = milepost.beneath()?.catalog(&catalog.default_catalog)?.schema(&catalog.default_schema)?;
    if !schema.table_exist(name) {
        return None;
    }
    let is_view = futures::FutureExt::now_or_never(schema.table_type(name))
        .is_some_and(|kind| matches!(kind, Ok(Some(TableType::View))));
    Some(if is_view { "view" } else { "table" }.to_string())
}

/// What a statement of DataFusion's would do to the checkpoint that it names.
enum Misuse {
    /// With `IF NOT EXISTS` nothing would be made, and the name would silently mean the checkpoint.
    Hide,
    Drop,
    Change,
}

/// A table or view of the default schema may not be made under the name of a checkpoint, and a checkpoint is neither dropped nor
/// changed like a table. What a step of a job did before the run made the checkpoint, it may do again.
///
/// # Errors
/// [`Error::IsCheckpoint`], [`Error::IsNoTable`], [`Error::ReadOnly`].
pub(crate) async fn refuse_misuse(
    milepost: &Milepost,
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<()> {
    let (name, misuse) = match plan {
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => (&create.name, Misuse::Hide),
        LogicalPlan::Ddl(DdlStatement::CreateExternalTable(create)) => (&create.name, Misuse::Hide),
        LogicalPlan::Ddl(DdlStatement::CreateView(create)) => (&create.name, Misuse::Hide),
        LogicalPlan::Ddl(DdlStatement::DropTable(drop)) if !drop.if_exists => (&drop.name, Misuse::Drop),
        LogicalPlan::Ddl(DdlStatement::DropView(drop)) if !drop.if_exists => (&drop.name, Misuse::Drop),
        LogicalPlan::Dml(dml) => (&dml.table_name, Misuse::Change),
        _ => return Ok(()),
    };
    let defaults = &state.config_options().catalog;
    let in_default_schema = name.catalog().is_none_or(|catalog| catalog == defaults.default_catalog)
        && name.schema().is_none_or(|schema| schema == defaults.default_schema);
    let Ok(checkpoint) = CheckpointName::parse(name.table()) else { return Ok(()) };
    if !in_default_schema || table_beneath(milepost, state, checkpoint.as_str()).is_some() {
        return Ok(());
    }
    let live = milepost.store().live(&checkpoint).await.map_err(store_error)?;
    let made_since = milepost.turn.as_of(&checkpoint).is_some_and(|as_of| as_of.made_since(&live));
    if live.is_empty() || made_since {
        return Ok(());
    }
    let name = checkpoint.to_string();
    Err(match misuse {
        Misuse::Hide => Error::IsCheckpoint { name },
        Misuse::Drop => Error::IsNoTable { name },
        Misuse::Change => Error::ReadOnly { name },
    }
    .into())
}
