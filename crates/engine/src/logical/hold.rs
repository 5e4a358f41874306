//! Under `milepost.reuse = transparent` a query is held back from the optimizer until the store was looked through.
//!
//! A checkpoint is known by its analysed plan, and an optimised one is no such plan any more: its filters and columns have
//! moved. Rules that could look before are synchronous, and a store is not. So the first analyzer rule puts the query, as
//! it is written, into a leaf that no rule looks into; our query planner takes it out, looks, and optimises what remains.
//!
//! ```text
//! Projection          →   HeldQuery   (a leaf)   →   Projection
//!   Aggregate                                          TableScan: by_day   (a snapshot of the Aggregate)
//!     TableScan: t
//! ```

use std::any::Any;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchemaRef, Result, internal_err, not_impl_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{
    DmlStatement, Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore, WriteOp,
};
use datafusion::optimizer::{Analyzer, AnalyzerRule};

use super::NodeId;
use crate::config::{MilepostConfig, Reuse};

/// A whole query, as it was written.
#[derive(Clone)]
struct HeldQuery {
    id: NodeId,
    query: Arc<LogicalPlan>,
}

/// The analyzer rule; see the module.
#[derive(Debug)]
struct HoldQueries;

/// Puts the rule before all others.
pub(crate) fn hold_queries(analyzer: &mut Analyzer) {
    analyzer.rules.insert(0, Arc::new(HoldQueries));
}

impl AnalyzerRule for HoldQueries {
    fn name(&self) -> &str {
        "hold_queries"
    }

    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        if holds(config) { hold(plan) } else { Ok(plan) }
    }
}

fn holds(config: &ConfigOptions) -> bool {
    let ours = config.extensions.get::<MilepostConfig>();
    ours.is_some_and(|ours| ours.enabled && ours.reuse == Reuse::Transparent)
        && config.extensions.get::<Released>().is_none()
}

/// Holds the query of a statement back; what the rows of an UPDATE or DELETE are found by is no query.
fn hold(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(match plan {
        LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::Dml(DmlStatement { op: WriteOp::Insert(_), .. }) => {
            plan.map_children(|query| hold(query).map(Transformed::yes))?.data
        }
        LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::DescribeTable(_) => plan,
        query => {
            let node = HeldQuery { id: NodeId::next(), query: Arc::new(query) };
            LogicalPlan::Extension(Extension { node: Arc::new(node) })
        }
    })
}

fn held(plan: &LogicalPlan) -> Option<&HeldQuery> {
    match plan {
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
        _ => None,
    }
}

/// Whether a plan holds a query back.
pub(crate) fn is_held(plan: &LogicalPlan) -> bool {
    held(plan).is_some()
}

/// The plan with every query that it holds back; none if it holds none.
///
/// # Errors
/// None in practice: see DataFusion's tree walks.
pub(crate) fn released_queries(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let released = plan.clone().transform_down_with_subqueries(|node| {
        let Some(mut found) = held(&node) else { return Ok(Transformed::no(node)) };
        // A plan that is optimised twice is held twice.
        while let Some(inner) = held(&found.query) {
            found = inner;
        }
        Ok(Transformed::yes(LogicalPlan::clone(&found.query)))
    })?;
    Ok(released.transformed.then_some(released.data))
}

/// Marks settings under which queries are not held: those of our own plans.
#[derive(Debug, Clone, Copy, Default)]
struct Released;

impl ConfigExtension for Released {
    const PREFIX: &'static str = "milepost_released";
}

impl ExtensionOptions for Released {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(*self)
    }
    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        not_impl_err!("milepost_released.{key} is no setting")
    }
    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

/// The state of a session for plans that are to be optimised as they stand.
pub(crate) fn released(state: &SessionState) -> Cow<'_, SessionState> {
    if !holds(state.config_options()) {
        return Cow::Borrowed(state);
    }
    let mut state = state.clone();
    release(&mut state);
    Cow::Owned(state)
}

/// From here on, plans are optimised as they stand.
pub(crate) fn release(state: &mut SessionState) {
    state.config_mut().options_mut().extensions.insert(Released);
}

impl fmt::Debug for HeldQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        UserDefinedLogicalNodeCore::fmt_for_explain(self, f)
    }
}

impl PartialEq for HeldQuery {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for HeldQuery {}

impl Hash for HeldQuery {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl PartialOrd for HeldQuery {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.id.partial_cmp(&other.id)
    }
}

impl UserDefinedLogicalNodeCore for HeldQuery {
    fn name(&self) -> &str {
        "HeldQuery"
    }
    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![]
    }
    fn schema(&self) -> &DFSchemaRef {
        self.query.schema()
    }
    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }
    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldQuery: looked up in the checkpoint store before it is optimised")
    }
    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        if inputs.is_empty() { Ok(self.clone()) } else { internal_err!("a held query has no inputs") }
    }
}
