//! How large each part of a plan is in canonical form, from one walk: two parts of different size or kind are never the same.

use datafusion::common::tree_node::{TreeNodeRecursion, TreeNodeVisitor};
use datafusion::logical_expr::LogicalPlan;
use milepost_store::manifest::{Identity, PlanPart};

use super::canonical::{renamed, skip_renaming};
use super::error::Result;
use super::explain::{kind_of, root_kind};

/// What can be told of a plan at a glance. Plans with equal fingerprints have equal shapes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    size: usize,
    kind: String,
}

impl Shape {
    /// The shape of the plan behind a snapshot.
    pub(crate) fn of_stored(identity: &Identity) -> Option<Self> {
        let parts: &[PlanPart] = &identity.parts;
        Some(Self { size: parts.len(), kind: kind_of(parts)?.to_owned() })
    }

    /// How many nodes the plan has, without those that only rename.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }

    /// Whether a plan of this size has this shape.
    pub(crate) fn fits(&self, plan: &LogicalPlan, size: usize) -> bool {
        self.size == size && self.kind == root_kind(skip_renaming(plan))
    }
}

/// One node of an outline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The place of the first node, in preorder, that is no part of this one.
    pub(crate) end: usize,
    /// How many nodes it has, without those that only rename.
    pub(crate) size: usize,
    /// Whether it does more than to read a table's columns.
    pub(crate) works: bool,
    /// Whether it reads a table that only describes the session or the store.
    pub(crate) describes: bool,
}

/// The nodes of a plan and its subqueries in the order of DataFusion's walks.
///
/// # Errors
/// DataFusion cannot walk the plan.
pub(crate) fn outline(plan: &LogicalPlan) -> Result<Vec<Spot>> {
    let mut walk = Walk::default();
    plan.visit_with_subqueries(&mut walk)?;
    Ok(walk.spots)
}

#[derive(Default)]
struct Walk {
    spots: Vec<Spot>,
    /// The nodes that are being walked, and what was counted before each.
    open: Vec<(usize, usize, usize)>,
    counted: usize,
    describing: usize,
    /// The node whose walk ended last: of a node with one input, the input.
    last: Spot,
}

impl<'n> TreeNodeVisitor<'n> for Walk {
    type Node = LogicalPlan;

    fn f_down(&mut self, node: &'n LogicalPlan) -> datafusion::error::Result<TreeNodeRecursion> {
        self.open.push((self.spots.len(), self.counted, self.describing));
        self.spots.push(Spot::default());
        self.counted += usize::from(renamed(node).is_none());
        self.describing += usize::from(describes(node));
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, node: &'n LogicalPlan) -> datafusion::error::Result<TreeNodeRecursion> {
        let Some((at, counted, describing)) = self.open.pop() else { return Ok(TreeNodeRecursion::Stop) };
        let works = match node {
            LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => self.last.works,
            LogicalPlan::TableScan(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::Extension(_) => false,
            _ => true,
        };
        let end = self.spots.len();
        let describes = self.describing > describing;
        self.last = Spot { end, size: self.counted - counted, works, describes };
        self.spots[at] = self.last;
        Ok(TreeNodeRecursion::Continue)
    }
}

fn describes(node: &LogicalPlan) -> bool {
    let LogicalPlan::TableScan(scan) = node else { return false };
    matches!(scan.table_name.schema(), Some("information_schema" | "milepost"))
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    /// The size, and whether it works, of each node of a query; the outermost first.
    async fn sizes(sql: &str) -> Vec<(usize, bool)> {
        let context = SessionContext::new();
        context.sql("CREATE TABLE t AS VALUES (1, 2)").await.unwrap();
        let frame = context.sql(sql).await.unwrap();
        let spots = outline(frame.logical_plan()).unwrap();
        spots.iter().map(|spot| (spot.size, spot.works)).collect()
    }

    #[tokio::test]
    async fn nodes_that_only_rename_do_not_count_and_reading_is_no_work() {
        // Projection, TableScan.
        assert_eq!(sizes("SELECT column1 + 1 AS x FROM t").await, [(2, false), (1, false)]);
        // Projection, SubqueryAlias, Projection, Filter, TableScan.
        let renamed = "SELECT a.x FROM (SELECT column1 AS x, column2 AS y FROM t WHERE column1 > 0) AS a";
        assert_eq!(sizes(renamed).await, [(3, true), (2, true), (2, true), (2, true), (1, false)]);
    }

    #[tokio::test]
    async fn a_subquery_counts_as_what_it_stands_in() {
        let spots = sizes("SELECT column1 FROM t WHERE column1 IN (SELECT column2 FROM t)").await;
        // Projection, Filter, Subquery, Projection, TableScan, TableScan.
        assert_eq!(spots, [(6, true), (5, true), (3, false), (2, false), (1, false), (1, false)]);
    }
}
