//! Keeps DataFusion 55.2 from taking columns for determined by others that are not.
//!
//! A plan's schema says which columns determine which. Groups, sort keys, joins and DISTINCT that seem to follow from that are dropped.
//! But an aggregation says that one of its keys determines all its columns, where a join below says so of a part of them; an
//! unnested column is said to be determined by what determined its list; and a key that is unique but for its nulls is taken for
//! one without. This rule stands before each one that drops something and takes such claims back; see
//! docs/upstream/functional-dependencies.md. The planner of relations does so before a query groups by such columns.

use std::cell::Cell;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{
    DFSchema, DFSchemaRef, Dependency, FunctionalDependence, FunctionalDependencies, Result, plan_err,
};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, LogicalPlan};
use datafusion::optimizer::optimizer::Optimizer;
use datafusion::optimizer::{Analyzer, AnalyzerRule, OptimizerConfig, OptimizerRule};
use datafusion::sql::sqlparser::ast::TableFactor;

use super::walk::any_node;

/// The rules of DataFusion that drop what seems to be determined.
const DROP: [&str; 4] =
    ["eliminate_duplicated_expr", "eliminate_join", "optimize_projections", "replace_distinct_aggregate"];

/// The optimizer rule; see the module.
#[derive(Debug)]
pub(crate) struct TrueDependencies;

/// Puts the rule before each rule that it guards against.
pub(crate) fn guard_dependencies(optimizer: &mut Optimizer) {
    super::put_before(optimizer, &DROP, TrueDependencies);
}

impl OptimizerRule for TrueDependencies {
    fn name(&self) -> &str {
        "true_dependencies"
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        with_true_dependencies(plan)
    }
}

/// Refuses groups of which nobody can tell any more what they are by.
///
/// The methods of a DataFrame add columns to the keys that seem to be determined by them, and no planner of ours stands before that.
#[derive(Debug)]
struct RefuseUnclearGroups;

/// Puts the rule before all others.
pub(crate) fn refuse_unclear_groups(analyzer: &mut Analyzer) {
    analyzer.rules.insert(0, Arc::new(RefuseUnclearGroups));
}

impl AnalyzerRule for RefuseUnclearGroups {
    fn name(&self) -> &str {
        "refuse_unclear_groups"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        refuse(&plan)?;
        Ok(plan)
    }
}

fn refuse(plan: &LogicalPlan) -> Result<()> {
    if !any_node(plan, misleads)? {
        return Ok(());
    }
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::Aggregate(aggregate) = node else { return Ok(TreeNodeRecursion::Continue) };
        if is_unclear(aggregate)? {
            return plan_err!(
                "DataFusion 55.2 has added columns to the keys of an aggregation, by which others seemed to be determined: {}. \
                 Write the query in SQL without parameters, or make a checkpoint of what is grouped",
                node.display()
            );
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// The plan of a DataFrame without false claims.
///
/// # Errors
/// What it groups by is unclear.
pub(crate) fn without_false_claims(plan: LogicalPlan) -> Result<LogicalPlan> {
    refuse(&plan)?;
    Ok(with_true_dependencies(plan)?.data)
}

/// Whether the keys of an aggregation are all that some of them are falsely said to determine.
fn is_unclear(aggregate: &Aggregate) -> Result<bool> {
    let input = with_true_dependencies(LogicalPlan::clone(&aggregate.input))?;
    let (claimed, known) = (aggregate.input.schema(), input.data.schema());
    if !input.transformed {
        return Ok(false);
    }
    let columns = claimed.field_names();
    let keys: Vec<String> = aggregate.group_expr.iter().map(|key| key.schema_name().to_string()).collect();
    let is_key = |column: &usize| columns.get(*column).is_some_and(|name| keys.contains(name));
    Ok(claimed.functional_dependencies().iter().any(|claim| {
        !known.functional_dependencies().contains(claim)
            && claim.target_indices.iter().any(|column| !claim.source_indices.contains(column))
            && claim.source_indices.iter().chain(&claim.target_indices).all(is_key)
    }))
}

/// Plans each relation of a FROM clause as DataFusion does, and takes false claims back from what it gives.
#[derive(Debug)]
pub(crate) struct TrueRelations;

thread_local! {
    /// Whether the next relation that is planned on this thread is to be left to the planners after this one.
    static PASSES: Cell<bool> = const { Cell::new(false) };
}

impl RelationPlanner for TrueRelations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if PASSES.replace(false) {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        }
        PASSES.set(true);
        let plan = context.plan(relation);
        PASSES.set(false);
        let plan = with_true_dependencies(plan?)?.data;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
    }
}

/// The same plan, whose schemas claim no more than what is so.
///
/// # Errors
/// None in practice: see DataFusion's tree walks.
pub(crate) fn with_true_dependencies(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if !any_node(&plan, misleads)? {
        return Ok(Transformed::no(plan));
    }
    Ok(Transformed::yes(corrected(plan)?.plan))
}

/// A plan without false claims.
struct Corrected {
    plan: LogicalPlan,
    /// Whether its own schema claims less than before: what is above it has built upon that.
    claims_less: bool,
}

fn corrected(plan: LogicalPlan) -> Result<Corrected> {
    let plan = plan.map_subqueries(|query| Ok(Transformed::yes(corrected(query)?.plan)))?.data;
    let mut claims_less = false;
    let plan = plan.map_children(|input| {
        let input = corrected(input)?;
        claims_less |= input.claims_less;
        Ok(Transformed::yes(input.plan))
    })?;
    let mut plan = plan.data;
    claims_less |= misleads(&plan);
    if claims_less {
        let claims = own_claims(&plan);
        if let Some(schema) = schema_of(&mut plan) {
            *schema = Arc::new(schema.as_ref().clone().with_functional_dependencies(claims)?);
        }
    }
    Ok(Corrected { plan, claims_less })
}

/// Whether a node's schema claims what does not follow from the claims of its inputs.
fn misleads(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::Aggregate(aggregate) => takes_a_part_for_all(aggregate),
        LogicalPlan::Unnest(unnest) => !unnest.schema.functional_dependencies().is_empty(),
        LogicalPlan::TableScan(scan) => {
            let schema = &scan.projected_schema;
            schema.functional_dependencies().iter().any(|claim| forgets_nulls(schema, claim))
        }
        _ => false,
    }
}

/// Whether some keys of an aggregation are said to determine it all, of which the input only says that they determine some columns.
fn takes_a_part_for_all(aggregate: &Aggregate) -> bool {
    if aggregate.schema.functional_dependencies().is_empty() {
        return false;
    }
    let input = aggregate.input.schema();
    let columns = input.field_names();
    let keys: Vec<String> = aggregate.group_expr.iter().map(|key| key.schema_name().to_string()).collect();
    let is_key = |column: &usize| columns.get(*column).is_some_and(|name| keys.contains(name));
    input.functional_dependencies().iter().any(|claim| {
        let known = || claim.source_indices.iter().chain(&claim.target_indices);
        let is_known = |key: &String| known().any(|column| columns.get(*column) == Some(key));
        claim.mode == Dependency::Multi
            && claim.source_indices.iter().all(is_key)
            && !keys.iter().all(is_known)
    })
}

/// Whether a key that is unique but for its nulls is said to be there once.
fn forgets_nulls(schema: &DFSchema, claim: &FunctionalDependence) -> bool {
    claim.nullable && claim.source_indices.iter().any(|column| schema.field(*column).is_nullable())
}

/// What a node's schema may claim, whatever its inputs do: the keys of an aggregation are there once.
fn own_claims(node: &LogicalPlan) -> FunctionalDependencies {
    let claims = match node {
        LogicalPlan::Aggregate(aggregate) if !groups_by_sets(aggregate) => {
            let keys: Vec<usize> = (0..aggregate.group_expr.len()).collect();
            let all = (0..aggregate.schema.fields().len()).collect();
            let nullable = keys.iter().any(|key| aggregate.schema.field(*key).is_nullable());
            let claim = FunctionalDependence::new(keys, all, nullable).with_mode(Dependency::Single);
            if aggregate.group_expr.is_empty() { vec![] } else { vec![claim] }
        }
        LogicalPlan::TableScan(scan) => {
            let schema = &scan.projected_schema;
            let claims = schema.functional_dependencies().iter();
            claims.filter(|claim| !forgets_nulls(schema, claim)).cloned().collect()
        }
        _ => vec![],
    };
    FunctionalDependencies::new(claims)
}

fn groups_by_sets(aggregate: &Aggregate) -> bool {
    aggregate.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_)))
}

/// The schema of a node that has one of its own; others show their input's.
fn schema_of(node: &mut LogicalPlan) -> Option<&mut DFSchemaRef> {
    match node {
        LogicalPlan::Projection(node) => Some(&mut node.schema),
        LogicalPlan::Window(node) => Some(&mut node.schema),
        LogicalPlan::Aggregate(node) => Some(&mut node.schema),
        LogicalPlan::Join(node) => Some(&mut node.schema),
        LogicalPlan::Union(node) => Some(&mut node.schema),
        LogicalPlan::TableScan(node) => Some(&mut node.projected_schema),
        LogicalPlan::SubqueryAlias(node) => Some(&mut node.schema),
        LogicalPlan::Distinct(Distinct::On(node)) => Some(&mut node.schema),
        LogicalPlan::Unnest(node) => Some(&mut node.schema),
        LogicalPlan::RecursiveQuery(node) => Some(&mut node.schema),
        _ => None,
    }
}
