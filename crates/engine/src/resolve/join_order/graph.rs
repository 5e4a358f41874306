//! Inner joins as a set of inputs and a set of conditions.

use std::collections::HashSet;

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{NullEquality, Result, internal_err};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator};

use super::estimate::{Relation, selectivity};

/// A set of inputs, one bit each.
type Inputs = u32;

/// A group of inner joins taken apart.
pub(super) struct JoinGraph {
    inputs: Vec<LogicalPlan>,
    conditions: Vec<Condition>,
    /// As the query has them.
    written: Tree,
}

struct Condition {
    expr: Expr,
    needs: Inputs,
    /// The two sides of a key, and the inputs that each needs.
    sides: Option<[(Expr, Inputs); 2]>,
}

/// Which inputs are joined with which.
#[derive(Debug, Clone)]
pub(super) enum Tree {
    Input(usize),
    Join(Box<Tree>, Box<Tree>),
}

/// A tree, and about how many rows there are between its joins.
pub(super) struct Order {
    tree: Tree,
    pub(super) cost: f64,
}

/// Whether this is an inner join that may change places with others.
pub(super) fn is_inner_join(plan: &LogicalPlan) -> bool {
    as_inner_join(plan).is_some()
}

fn as_inner_join(plan: &LogicalPlan) -> Option<&Join> {
    let LogicalPlan::Join(join) = plan else { return None };
    let conditions = || join.on.iter().flat_map(|(left, right)| [left, right]).chain(&join.filter);
    let plain = join.join_type == JoinType::Inner
        && join.null_equality == NullEquality::NullEqualsNothing
        // Other rows may be looked at, and in another order: no condition may fail, or say something else the next time.
        && conditions().all(cannot_fail);
    plain.then_some(join)
}

/// Comparisons of columns and constants, and what is made of them with AND, OR and NOT.
fn cannot_fail(expr: &Expr) -> bool {
    let compares = |op: &Operator| {
        use Operator::{And, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, Or};
        matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom | And | Or)
    };
    let harmless = |part: &Expr| match part {
        Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::Between(_)
        | Expr::InList(_)
        | Expr::Alias(_) => true,
        Expr::BinaryExpr(binary) => compares(&binary.op),
        _ => false,
    };
    let harmful = expr.exists(|part| Ok(!harmless(part)));
    !harmful.unwrap_or(true)
}

/// The join below projections that only leave columns out.
fn below_projections(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::Projection(projection)
            if projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_)))
                && is_inner_join(below_projections(&projection.input)) =>
        {
            below_projections(&projection.input)
        }
        other => other,
    }
}

/// The joins that belong to the same group as `root`, without itself.
pub(super) fn joins_below(root: &LogicalPlan) -> impl Iterator<Item = &LogicalPlan> {
    let mut waiting: Vec<&LogicalPlan> = vec![root];
    let mut found = Vec::new();
    while let Some(plan) = waiting.pop() {
        let Some(join) = as_inner_join(plan) else { continue };
        let inputs = [&join.left, &join.right].map(|input| below_projections(input));
        found.extend(inputs.into_iter().filter(|input| is_inner_join(input)));
        waiting.extend(inputs);
    }
    found.into_iter()
}

impl JoinGraph {
    /// `None` if the joins cannot be taken apart.
    pub(super) fn of(root: &LogicalPlan) -> Option<Self> {
        let mut graph = Self { inputs: vec![], conditions: vec![], written: Tree::Input(0) };
        let mut joins = Vec::new();
        graph.written = graph.take(root, &mut joins)?;
        for join in joins {
            for (left, right) in join.on {
                let sides = [(left.clone(), graph.needs(&left)?), (right.clone(), graph.needs(&right)?)];
                let needs = sides[0].1 | sides[1].1;
                graph.conditions.push(Condition { expr: left.eq(right), needs, sides: Some(sides) });
            }
            for expr in join.filter.iter().flat_map(split_conjunction) {
                let needs = graph.needs(expr)?;
                graph.conditions.push(Condition { expr: expr.clone(), needs, sides: None });
            }
        }
        Some(graph)
    }

    fn take(&mut self, plan: &LogicalPlan, joins: &mut Vec<Join>) -> Option<Tree> {
        let plan = below_projections(plan);
        let Some(join) = as_inner_join(plan) else {
            self.inputs.push(plan.clone());
            return (self.inputs.len() <= Inputs::BITS as usize).then(|| Tree::Input(self.inputs.len() - 1));
        };
        joins.push(join.clone());
        let left = self.take(&join.left, joins)?;
        let right = self.take(&join.right, joins)?;
        Some(Tree::Join(Box::new(left), Box::new(right)))
    }

    /// The inputs that a condition's columns come from; `None` where a column could be that of two inputs.
    fn needs(&self, expr: &Expr) -> Option<Inputs> {
        let mut needs = 0;
        for column in expr.column_refs() {
            let has = |input: &&LogicalPlan| input.schema().has_column(column);
            if self.inputs.iter().filter(has).count() != 1 {
                return None;
            }
            needs |= 1 << self.inputs.iter().position(|input| input.schema().has_column(column))?;
        }
        Some(needs)
    }

    pub(super) fn inputs(&self) -> &[LogicalPlan] {
        &self.inputs
    }

    /// About how many rows there are between the joins as they are written.
    pub(super) fn written_cost(&self, relations: &[Relation]) -> f64 {
        self.cost(&self.written, relations)
    }

    fn cost(&self, tree: &Tree, relations: &[Relation]) -> f64 {
        match tree {
            Tree::Input(_) => 0.0,
            Tree::Join(left, right) => {
                self.rows(tree.inputs(), relations) + self.cost(left, relations) + self.cost(right, relations)
            }
        }
    }

    /// About how many rows the join of these inputs has, in whatever order.
    fn rows(&self, inputs: Inputs, relations: &[Relation]) -> f64 {
        let all: f64 = relations
            .iter()
            .enumerate()
            .filter(|(at, _)| inputs & (1 << at) != 0)
            .map(|(_, one)| one.rows)
            .product();
        let met = self.conditions.iter().filter(|condition| condition.needs & !inputs == 0);
        met.fold(all, |rows, condition| rows * selectivity(&condition.expr, relations))
    }

    /// Joins the two parts with the fewest rows together, again and again. `None` if some inputs have no condition in common.
    pub(super) fn greedy(&self, relations: &[Relation]) -> Option<Order> {
        let mut parts: Vec<Tree> = (0..self.inputs.len()).map(Tree::Input).collect();
        let mut cost = 0.0;
        while parts.len() > 1 {
            let pairs = (0..parts.len()).flat_map(|right| (0..right).map(move |left| (left, right)));
            let joined = pairs.filter_map(|(left, right)| {
                let (a, b) = (parts.get(left)?.inputs(), parts.get(right)?.inputs());
                self.connects(a, b).then(|| (left, right, self.rows(a | b, relations)))
            });
            let (left, right, rows) = joined.min_by(|(.., a), (.., b)| a.total_cmp(b))?;
            let second = parts.swap_remove(right);
            let first = parts.swap_remove(left);
            parts.push(Tree::Join(Box::new(first), Box::new(second)));
            cost += rows;
        }
        Some(Order { tree: parts.pop()?, cost })
    }

    fn connects(&self, a: Inputs, b: Inputs) -> bool {
        self.conditions.iter().any(|condition| {
            condition.needs & a != 0 && condition.needs & b != 0 && condition.needs & !(a | b) == 0
        })
    }

    /// The joins in `order`, with the columns of `root`.
    pub(super) fn rebuild(&self, order: &Order, root: &LogicalPlan) -> Result<LogicalPlan> {
        let mut used = HashSet::new();
        let joined = self.join(&order.tree, &mut used)?;
        if used.len() != self.conditions.len() {
            return internal_err!("a condition of a join has found no place");
        }
        let columns = root.schema().columns().into_iter().map(Expr::Column);
        let rebuilt = LogicalPlanBuilder::from(joined).project(columns)?.build()?;
        let same = rebuilt.schema().columns() == root.schema().columns();
        let types = |plan: &LogicalPlan| -> Vec<_> {
            plan.schema()
                .fields()
                .iter()
                .map(|field| (field.data_type().clone(), field.is_nullable()))
                .collect()
        };
        if !same || types(&rebuilt) != types(root) {
            return internal_err!("joins in another order have other columns");
        }
        Ok(rebuilt)
    }

    fn join(&self, tree: &Tree, used: &mut HashSet<usize>) -> Result<LogicalPlan> {
        match tree {
            Tree::Input(at) => match self.inputs.get(*at) {
                Some(input) => Ok(input.clone()),
                None => internal_err!("a join has no input {at}"),
            },
            Tree::Join(left, right) => {
                let (first, second) = (self.join(left, used)?, self.join(right, used)?);
                let inputs = tree.inputs();
                // Each condition at the first join that has all of its columns.
                let ready = self.conditions.iter().enumerate().filter(|(_, one)| one.needs & !inputs == 0);
                let here = ready.filter(|(at, _)| used.insert(*at)).map(|(_, one)| one);
                let (mut keys, mut filters) = ((Vec::new(), Vec::new()), Vec::new());
                for condition in here {
                    match condition.key(left.inputs(), right.inputs()) {
                        Some((left, right)) => {
                            keys.0.push(left);
                            keys.1.push(right);
                        }
                        None => filters.push(condition.expr.clone()),
                    }
                }
                let filter = filters.into_iter().reduce(Expr::and);
                LogicalPlanBuilder::from(first)
                    .join_with_expr_keys(second, JoinType::Inner, keys, filter)?
                    .build()
            }
        }
    }
}

impl Condition {
    /// The key's sides where one belongs to the left inputs and one to the right ones.
    fn key(&self, left: Inputs, right: Inputs) -> Option<(Expr, Expr)> {
        let [(a, needs_a), (b, needs_b)] = self.sides.as_ref()?;
        let within = |needs: &Inputs, inputs: Inputs| needs & !inputs == 0;
        if within(needs_a, left) && within(needs_b, right) {
            Some((a.clone(), b.clone()))
        } else if within(needs_b, left) && within(needs_a, right) {
            Some((b.clone(), a.clone()))
        } else {
            None
        }
    }
}

impl Tree {
    fn inputs(&self) -> Inputs {
        match self {
            Self::Input(at) => 1 << at,
            Self::Join(left, right) => left.inputs() | right.inputs(),
        }
    }
}
