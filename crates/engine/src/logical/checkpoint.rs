//! The `Checkpoint` node: a leaf that holds its subplan privately.
//!
//! ```text
//! Projection                         Projection
//!   Filter                             Filter
//!     Join                     →         Checkpoint: clean      (a leaf: no rule looks below it)
//!       …                                  ┆ Join
//! ```
//!
//! Were the subplan its child, the optimizer would push filters and limits of the query around it into the subplan,
//! and the snapshot would hold what one query happened to need. As a leaf it is planned by itself, as it stands.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as Atomic};

use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchemaRef, ParamValues, Result};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use milepost_store::{CheckpointName, Snapshot};
use tokio::sync::OnceCell;

/// Identity of a node inside one process. Clones of a node share it: they are one checkpoint, staged once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u64);

impl NodeId {
    pub(super) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Atomic::Relaxed))
    }
}

/// Ties a lazy DataFrame checkpoint to the first snapshot that it got, for all later readers.
pub(crate) type Pin = Arc<OnceCell<Snapshot>>;

/// A plan subtree that is to be a snapshot.
#[derive(Clone)]
pub struct Checkpoint {
    id: NodeId,
    name: Option<CheckpointName>,
    input: Arc<LogicalPlan>,
    /// The placeholders of the subplan, in order of appearance, or what they were bound to.
    parameters: Vec<Expr>,
    options: Vec<(String, String)>,
    pin: Option<Pin>,
}

impl Checkpoint {
    /// A checkpoint of `input`, under `name` or under one made of its signature.
    pub fn new(input: LogicalPlan, name: Option<CheckpointName>) -> Self {
        let parameters = placeholders(&input);
        Self { id: NodeId::next(), name, input: Arc::new(input), parameters, options: Vec::new(), pin: None }
    }

    /// The same node with options of a `WITH` list.
    #[must_use]
    pub fn with_options(self, options: Vec<(String, String)>) -> Self {
        Self { options, ..self }
    }

    /// The same node, which keeps the first snapshot that it gets.
    #[must_use]
    pub(crate) fn pinned(self) -> Self {
        Self { pin: Some(Pin::default()), ..self }
    }

    /// This node as a plan.
    pub fn into_plan(self) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(self) })
    }

    /// The node's identity in this process.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// The name, if the query gave one.
    pub fn name(&self) -> Option<&CheckpointName> {
        self.name.as_ref()
    }

    /// The subplan, as written: not analysed, not optimised.
    pub fn input(&self) -> &Arc<LogicalPlan> {
        &self.input
    }

    /// What its placeholders are bound to; part of the key under which one query stages a node once.
    pub fn parameters(&self) -> &[Expr] {
        &self.parameters
    }

    /// Options of its `WITH` list.
    pub fn options(&self) -> &[(String, String)] {
        &self.options
    }

    pub(crate) fn pin(&self) -> Option<&Pin> {
        self.pin.as_ref()
    }

    /// Puts literal values in the place of placeholders. Other expressions wait for a later call.
    fn bind(&self, expressions: Vec<Expr>) -> Result<Self> {
        // DataFusion keeps the placeholder's name as an alias of the value.
        let expressions: Vec<Expr> = expressions.into_iter().map(Expr::unalias).collect();
        let mut values = HashMap::new();
        for (old, new) in self.parameters.iter().zip(&expressions) {
            if let (Expr::Placeholder(placeholder), Expr::Literal(value, metadata)) = (old, new) {
                let value = ScalarAndMetadata::new(value.clone(), metadata.clone());
                values.insert(placeholder.id.trim_start_matches('$').to_string(), value);
            }
        }
        if values.is_empty() {
            return Ok(Self { parameters: expressions, ..self.clone() });
        }
        let bound = LogicalPlan::clone(&self.input).replace_params_with_values(&ParamValues::Map(values))?;
        // A bound node is another checkpoint than the prepared one, and than those bound to other values.
        Ok(Self { input: Arc::new(bound), parameters: expressions, pin: None, ..self.clone() })
    }
}

/// The distinct placeholders of a plan and its subqueries, in order of appearance.
fn placeholders(plan: &LogicalPlan) -> Vec<Expr> {
    let mut found: Vec<Expr> = Vec::new();
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::Placeholder(this) = part
                    && !found.iter().any(|seen| matches!(seen, Expr::Placeholder(p) if p.id == this.id))
                {
                    found.push(part.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    // The closures above never fail, and a walk fails only where they do.
    debug_assert!(walked.is_ok());
    found
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        UserDefinedLogicalNodeCore::fmt_for_explain(self, f)
    }
}

impl PartialEq for Checkpoint {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.parameters == other.parameters
    }
}

impl Eq for Checkpoint {}

impl Hash for Checkpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
        self.parameters.hash(state);
    }
}

impl PartialOrd for Checkpoint {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.id.cmp(&other.id) {
            Ordering::Equal => self.parameters.partial_cmp(&other.parameters),
            different => Some(different),
        }
    }
}

impl UserDefinedLogicalNodeCore for Checkpoint {
    fn name(&self) -> &str {
        "Checkpoint"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        self.parameters.clone()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "Checkpoint: {name}"),
            None => f.write_str("Checkpoint"),
        }
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, _inputs: Vec<LogicalPlan>) -> Result<Self> {
        if exprs == self.parameters { Ok(self.clone()) } else { self.bind(exprs) }
    }
}

/// The checkpoint that `plan` is, if it is one.
pub(crate) fn is_checkpoint(plan: &LogicalPlan) -> Option<&Checkpoint> {
    match plan {
        LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
        _ => None,
    }
}

/// Every checkpoint in a plan and its subqueries; not those below another checkpoint.
pub(crate) fn checkpoints_in(plan: &LogicalPlan) -> Result<Vec<Checkpoint>> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        found.extend(is_checkpoint(node).cloned());
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};
    use datafusion::prelude::*;

    use super::*;

    #[test]
    fn clones_are_one_checkpoint_and_equal_subplans_are_two() {
        let plan = LogicalPlanBuilder::empty(true).project(vec![lit(1)]).unwrap().build().unwrap();
        let first = Checkpoint::new(plan.clone(), None);
        assert_eq!(first, first.clone());
        assert_ne!(first, Checkpoint::new(plan, None));
    }

    #[tokio::test]
    async fn no_filter_or_limit_reaches_the_subplan() {
        let context = SessionContext::new();
        let inner = context.sql("SELECT * FROM (VALUES (1), (2)) AS t(x)").await.unwrap();
        let node = Checkpoint::new(inner.logical_plan().clone(), None);
        let before = node.input().to_string();
        let outer = LogicalPlanBuilder::from(node.into_plan())
            .filter(col("x").gt(lit(1)).and(random().lt(lit(0.5))))
            .unwrap()
            .limit(0, Some(1))
            .unwrap()
            .build()
            .unwrap();
        let optimised = context.state().optimize(&outer).unwrap();
        let found = checkpoints_in(&optimised).unwrap();
        assert_eq!(found[0].input().to_string(), before);
        assert!(optimised.to_string().contains("random()"), "{optimised}");
    }

    #[tokio::test]
    async fn parameters_are_bound_below_the_node() {
        let context = SessionContext::new();
        let inner = context.sql("SELECT * FROM (VALUES (1), (2)) AS t(x) WHERE x > $2").await.unwrap();
        let node = Checkpoint::new(inner.logical_plan().clone(), None);
        assert_eq!(node.parameters().len(), 1);
        let outer =
            LogicalPlanBuilder::from(node.clone().into_plan()).limit(0, Some(1)).unwrap().build().unwrap();
        let values = ParamValues::from(vec![("2", datafusion::common::ScalarValue::from(7_i64))]);
        let bound = outer.replace_params_with_values(&values).unwrap();
        let found = checkpoints_in(&bound).unwrap();
        assert!(found[0].input().to_string().contains("Int64(7)"), "{}", found[0].input());
        assert_ne!(found[0], node);
    }
}
