//! The one installer: everything that makes a DataFusion session remember how far it got.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProviderList, MemoryCatalogProviderList, Session};
use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use milepost_store::Store;

use crate::catalog::CheckpointCatalogs;
use crate::config::MilepostConfig;
use crate::context::Milepost;
use crate::error::Error;
use crate::identity::Registries;
use crate::logical::{
    TrueRelations, guard_conditions, guard_dependencies, guard_lists, hold_queries, keep_redefinitions,
    refuse_unclear_groups,
};
use crate::physical::guard_rules;
use crate::resolve::MilepostPlanner;
use crate::scan::SnapshotIdentity;
use crate::sql::InlineCheckpoint;

/// Adds checkpoints to a session that somebody else builds.
pub trait SessionStateBuilderExt: Sized {
    /// Installs checkpoints over `store`. Call it after a query planner, a catalog list and a configuration are set; it
    /// wraps those that it finds.
    ///
    /// [`CheckpointExt`](crate::CheckpointExt), inline checkpoints and reads by name work on such a session; the
    /// statements of [`Session`](crate::Session) need one of ours.
    ///
    /// # Errors
    /// None in practice; see [`Milepost::new`].
    fn with_milepost(self, store: Store) -> Result<Self, Error>;
}

impl SessionStateBuilderExt for SessionStateBuilder {
    fn with_milepost(self, store: Store) -> Result<Self, Error> {
        let milepost = Milepost::new(store, None, registries())?;
        Ok(install(self, &Arc::new(milepost)))
    }
}

/// Every source that we know how to identify.
pub(super) fn registries() -> Registries {
    let mut registries = Registries::default();
    registries.sources = registries.sources.with_first(Arc::new(SnapshotIdentity));
    registries
}

/// What a session gets, in one list: settings, shared state, catalog, inline operator, rules, planner.
pub(super) fn install(mut builder: SessionStateBuilder, milepost: &Arc<Milepost>) -> SessionStateBuilder {
    let config = builder.config().get_or_insert_default();
    config.set_extension(Arc::clone(milepost));
    let extensions = &mut config.options_mut().extensions;
    if extensions.get::<MilepostConfig>().is_none() {
        extensions.insert(MilepostConfig::default());
    }
    let (catalog, schema) =
        (config.options().catalog.default_catalog.clone(), config.options().catalog.default_schema.clone());

    let list = builder.catalog_list().take();
    let list: Arc<dyn CatalogProviderList> =
        list.unwrap_or_else(|| Arc::new(MemoryCatalogProviderList::new()));
    milepost.lay_over(&list);
    let list = Arc::new(CheckpointCatalogs::new(list, Arc::clone(milepost), catalog, schema));

    let planners = builder.relation_planners().get_or_insert_default();
    planners.insert(0, Arc::new(InlineCheckpoint));
    planners.insert(0, Arc::new(TrueRelations));

    hold_queries(builder.analyzer().get_or_insert_default());
    refuse_unclear_groups(builder.analyzer().get_or_insert_default());
    guard_dependencies(builder.optimizer().get_or_insert_default());
    guard_lists(builder.optimizer().get_or_insert_default());
    guard_conditions(builder.optimizer().get_or_insert_default());
    keep_redefinitions(builder.optimizer().get_or_insert_default());
    guard_rules(builder.physical_optimizers().get_or_insert_default());

    let planner = builder.query_planner().take().unwrap_or_else(|| Arc::new(PlainPlanner));
    builder.with_catalog_list(list).with_query_planner(Arc::new(MilepostPlanner::new(planner)))
}

/// DataFusion's own planner, whose type it does not export.
#[derive(Debug)]
struct PlainPlanner;

#[async_trait]
impl QueryPlanner for PlainPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::default().create_physical_plan(plan, session).await
    }
}
