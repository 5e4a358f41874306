//! Keeps DataFusion 55.2 from merging lists into a condition that means something else.
//!
//! `a IN (…) AND a IN (…)` becomes one list of the items that are written in both. That is wrong for items that are no constants, since two
//! columns may be equal; for a null among them, which makes a condition unknown; and where nothing is left: the condition becomes
//! false or true, but for a null it is unknown. This rule stands before the simplifier. It takes such items out of lists,
//! and merges what is left itself. See docs/upstream/merged-lists.md.

use std::collections::HashSet;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, binary_expr, lit};
use datafusion::optimizer::optimizer::{ApplyOrder, Optimizer};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The rule of DataFusion that merges lists.
const MERGES: &str = "simplify_expressions";

/// The optimizer rule; see the module.
#[derive(Debug)]
struct TrueLists;

/// Puts the rule before the one that it guards against.
pub(crate) fn guard_lists(optimizer: &mut Optimizer) {
    super::put_before(optimizer, &[MERGES], TrueLists);
}

impl OptimizerRule for TrueLists {
    fn name(&self) -> &str {
        "true_lists"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expression| {
            if !expression.exists(|part| Ok(may_be_merged(part)))? {
                return Ok(Transformed::no(expression));
            }
            let name = names.save(&expression);
            let corrected = corrected(expression)?;
            Ok(if corrected.transformed { corrected.update_data(|it| name.restore(it)) } else { corrected })
        })
    }
}

/// Whether an expression is a list, or is made one: `a = 1 OR a = 2`.
fn may_be_merged(expression: &Expr) -> bool {
    matches!(expression, Expr::InList(_) | Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }))
}

fn corrected(expression: Expr) -> Result<Transformed<Expr>> {
    expression.transform_down(|part| match part {
        Expr::InList(list) => without_unclear_items(list),
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => {
            let mut changed = false;
            let mut terms = vec![];
            for term in terms_of(part, op) {
                let term = corrected(term)?;
                changed |= term.transformed;
                terms.push(term.data);
            }
            changed |= merge(&mut terms, op);
            let whole = terms.into_iter().reduce(|left, right| binary_expr(left, op, right));
            let whole = whole.unwrap_or_else(|| lit(op == Operator::And));
            Ok(Transformed::new(whole, changed, TreeNodeRecursion::Jump))
        }
        other => Ok(Transformed::no(other)),
    })
}

/// What is joined by `op`, without a recursion: such chains are long.
fn terms_of(mut expression: Expr, op: Operator) -> Vec<Expr> {
    let mut terms = vec![];
    loop {
        match expression {
            Expr::BinaryExpr(inner) if inner.op == op => {
                terms.push(*inner.right);
                expression = *inner.left;
            }
            first => {
                terms.push(first);
                terms.reverse();
                return terms;
            }
        }
    }
}

/// `a IN (1, b, NULL)` is `a IN (1) OR a = b OR NULL`.
fn without_unclear_items(list: InList) -> Result<Transformed<Expr>> {
    if list.expr.is_volatile() || list.list.iter().all(|item| kind(item) == Item::Constant) {
        return Ok(Transformed::no(Expr::InList(list)));
    }
    let InList { expr, list, negated } = list;
    let (op, compares) =
        if negated { (Operator::And, Operator::NotEq) } else { (Operator::Or, Operator::Eq) };
    let (mut constants, mut terms, mut nulls) = (vec![], vec![], false);
    for item in list {
        match kind(&item) {
            Item::Constant => constants.push(item),
            Item::Null => nulls = true,
            Item::Other => terms.push(binary_expr(expr.as_ref().clone(), compares, item)),
        }
    }
    if !constants.is_empty() {
        terms.insert(0, Expr::InList(InList { expr, list: constants, negated }));
    }
    if nulls {
        terms.push(unknown());
    }
    let whole = terms.into_iter().reduce(|left, right| binary_expr(left, op, right));
    Ok(Transformed::new(whole.unwrap_or_else(|| lit(negated)), true, TreeNodeRecursion::Jump))
}

#[derive(Debug, PartialEq, Eq)]
enum Item {
    /// Has a value that is known when the query is planned.
    Constant,
    Null,
    Other,
}

fn kind(item: &Expr) -> Item {
    match item {
        Expr::Literal(value, _) if value.is_null() => Item::Null,
        Expr::Literal(..) => Item::Constant,
        Expr::Cast(cast) => kind(&cast.expr),
        Expr::TryCast(cast) => kind(&cast.expr),
        item if item.exists(|part| Ok(part.is_volatile_node() || is_known_later(part))).unwrap_or(true) => {
            Item::Other
        }
        _ => Item::Constant,
    }
}

/// Whether an expression has its value only when the query runs.
fn is_known_later(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::Column(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::LambdaVariable(_)
            | Expr::ScalarSubquery(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::SetComparison(_)
            | Expr::Placeholder(_)
    )
}

/// Merges lists of constants that are for one expression.
fn merge(terms: &mut Vec<Expr>, op: Operator) -> bool {
    let lists: Vec<Option<List>> = terms.iter().map(|term| list_of(term).filter(|it| it.is_list)).collect();
    let mut seen = HashSet::new();
    let expressions: Vec<Expr> = lists.iter().flatten().map(|list| list.expr.clone()).collect();
    let mut gone: HashSet<usize> = HashSet::new();
    for expr in expressions.into_iter().filter(|expr| seen.insert(expr.clone())) {
        let places: Vec<usize> = (0..lists.len())
            .filter(|place| lists[*place].as_ref().is_some_and(|list| list.expr == expr))
            .collect();
        let of_these = places.iter().filter_map(|place| lists[*place].as_ref());
        // By de Morgan's laws, what IN is to AND is NOT IN to OR.
        let negated = op == Operator::Or;
        let (common, taken): (Vec<&List>, Vec<&List>) = of_these.partition(|list| list.negated == negated);
        let Some((first, others)) = common.split_first().filter(|_| places.len() > 1) else { continue };
        let mut stay: HashSet<&Expr> = first.items.iter().collect();
        for list in others {
            let items: HashSet<&Expr> = list.items.iter().collect();
            stay.retain(|item| items.contains(item));
        }
        for item in taken.iter().flat_map(|list| &list.items) {
            stay.remove(item);
        }
        let items: Vec<Expr> = first.items.iter().filter(|item| stay.contains(item)).cloned().collect();
        terms[places[0]] = if !items.is_empty() {
            Expr::InList(InList { expr: Box::new(expr), list: items, negated })
        } else if negated {
            binary_expr(Expr::IsNotNull(Box::new(expr)), Operator::Or, unknown())
        } else {
            binary_expr(Expr::IsNull(Box::new(expr)), Operator::And, unknown())
        };
        gone.extend(&places[1..]);
    }
    let changed = !gone.is_empty();
    let mut places = 0..;
    terms.retain(|_| places.next().is_none_or(|place| !gone.contains(&place)));
    changed
}

/// A condition that an expression is one of some constants, or none of them.
struct List {
    expr: Expr,
    items: Vec<Expr>,
    negated: bool,
    /// Whether the simplifier takes it for a list: it does not where there is a single `=`.
    is_list: bool,
}

fn list_of(term: &Expr) -> Option<List> {
    match term {
        Expr::InList(list)
            if !list.expr.is_volatile() && list.list.iter().all(|item| matches!(item, Expr::Literal(..))) =>
        {
            let (expr, items) = (list.expr.as_ref().clone(), list.list.clone());
            Some(List { expr, items, negated: list.negated, is_list: true })
        }
        Expr::Not(inner) => list_of(inner).map(|list| List { negated: !list.negated, ..list }),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let (expr, item) = match (left.as_ref(), right.as_ref()) {
                (expr @ Expr::Column(_), item @ Expr::Literal(..))
                | (item @ Expr::Literal(..), expr @ Expr::Column(_)) => (expr.clone(), item.clone()),
                _ => return None,
            };
            let known = kind(&item) == Item::Constant;
            known.then(|| List { expr, items: vec![item], negated: false, is_list: false })
        }
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let (mut left, right) = (list_of(left)?, list_of(right)?);
            let negated = *op == Operator::And;
            let union = left.expr == right.expr && left.negated == negated && right.negated == negated;
            left.items.extend(right.items);
            union.then_some(List { is_list: true, ..left })
        }
        _ => None,
    }
}

/// Neither true nor false.
fn unknown() -> Expr {
    lit(ScalarValue::Boolean(None))
}
