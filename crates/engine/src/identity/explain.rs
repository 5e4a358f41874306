//! Which part of a query changed, in words.

use std::fmt::{self, Write};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::logical_expr::logical_plan::Values;
use datafusion::logical_expr::{Expr, LogicalPlan};
use milepost_store::manifest::PlanPart;
use milepost_store::redact;

use super::error::Result;

/// Labels are for people; a longer one is cut.
const LABEL_CHARS: usize = 200;

/// Deeper expressions are not shown.
const MAX_DEPTH: usize = 200;

/// Above this many pairs of parts that may belong together, only what stands in order is matched.
const MAX_PAIRS: usize = 1_000_000;

/// A line about a plan node, such as `Filter: l_quantity > Int64(25)`.
pub(super) fn label(plan: &LogicalPlan) -> String {
    if let LogicalPlan::Values(Values { values, .. }) = plan {
        return format!("Values: {} rows", values.len());
    }
    if depth(plan).is_none_or(|depth| depth > MAX_DEPTH) {
        return "Expressions: too deep to show".to_owned();
    }
    let mut line = Line { text: String::new(), left: LABEL_CHARS };
    if write!(line, "{}", plan.display()).is_err() {
        line.text.push('…');
    }
    redact(&line.text).into_owned()
}

/// What kind of node a plan is, as it stands in the first of its parts.
pub(super) fn root_kind(plan: &LogicalPlan) -> String {
    kind(&label(plan)).to_owned()
}

/// What kind of node the plan is whose parts these are.
pub(super) fn kind_of(parts: &[PlanPart]) -> Option<&str> {
    parts.first().map(|root| kind(&root.label))
}

/// How deep the expressions of a node are. DataFusion's display text takes stack for every level.
fn depth(plan: &LogicalPlan) -> Option<usize> {
    let mut deepest = 0;
    let walked = plan.apply_expressions(|expr| {
        let mut levels = Levels::default();
        expr.visit(&mut levels)?;
        deepest = deepest.max(levels.deepest);
        Ok(TreeNodeRecursion::Continue)
    });
    walked.is_ok().then_some(deepest)
}

#[derive(Default)]
struct Levels {
    now: usize,
    deepest: usize,
}

impl<'n> TreeNodeVisitor<'n> for Levels {
    type Node = Expr;

    fn f_down(&mut self, _: &'n Expr) -> datafusion::error::Result<TreeNodeRecursion> {
        self.now += 1;
        self.deepest = self.deepest.max(self.now);
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, _: &'n Expr) -> datafusion::error::Result<TreeNodeRecursion> {
        self.now -= 1;
        Ok(TreeNodeRecursion::Continue)
    }
}

/// The plans of the subqueries in a node's expressions, in order.
pub(super) fn subqueries(plan: &LogicalPlan) -> Result<Vec<LogicalPlan>> {
    let mut found = Vec::new();
    plan.apply_subqueries(|subquery| {
        found.push(subquery.clone());
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// A line that takes no more than so many characters.
struct Line {
    text: String,
    left: usize,
}

impl Write for Line {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for char in more.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(if char.is_control() { ' ' } else { char });
        }
        Ok(())
    }
}

/// Says which parts of a query changed between two versions of its plan, one line for each:
/// `Filter: l_quantity > 25  ->  l_quantity > 30`, `added: Sort: …`, `removed: Limit: …`.
///
/// Call it for two plans with different fingerprints; it always has something to say then.
#[must_use]
pub fn describe_plan_change(old: &[PlanPart], new: &[PlanPart]) -> Vec<String> {
    let (old, new) = without_common_ends(old, new);
    let mut lines = Vec::new();
    let (mut old_at, mut new_at) = (0, 0);
    for (old_same, new_same) in common(old, new).into_iter().chain([(old.len(), new.len())]) {
        gap(&old[old_at..old_same], &new[new_at..new_same], &mut lines);
        (old_at, new_at) = (old_same + 1, new_same + 1);
    }
    if lines.is_empty() {
        lines.push("the types of its columns, or the version of DataFusion or Milepost, changed".to_owned());
    }
    lines
}

fn without_common_ends<'p>(old: &'p [PlanPart], new: &'p [PlanPart]) -> (&'p [PlanPart], &'p [PlanPart]) {
    let same = |(a, b): &(&PlanPart, &PlanPart)| a.hash == b.hash;
    let start = old.iter().zip(new).take_while(same).count();
    let (old, new) = (&old[start..], &new[start..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
    (&old[..old.len() - end], &new[..new.len() - end])
}

/// The longest common subsequence of equal parts, as pairs of positions.
fn common(old: &[PlanPart], new: &[PlanPart]) -> Vec<(usize, usize)> {
    if old.len().saturating_mul(new.len()) > MAX_PAIRS {
        return Vec::new();
    }
    let width = new.len() + 1;
    let mut longest = vec![0_usize; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = if old[i].hash == new[j].hash {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i].hash == new[j].hash {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Describes parts that stand between two unchanged ones: nodes of one kind are versions of each other.
fn gap(old: &[PlanPart], new: &[PlanPart], lines: &mut Vec<String>) {
    let mut unmatched: Vec<&PlanPart> = new.iter().collect();
    for part in old {
        match unmatched.iter().position(|other| kind(&other.label) == kind(&part.label)) {
            Some(at) => lines.push(changed(&part.label, &unmatched.remove(at).label)),
            None => lines.push(format!("removed: {}", part.label)),
        }
    }
    lines.extend(unmatched.into_iter().map(|part| format!("added: {}", part.label)));
}

fn changed(old: &str, new: &str) -> String {
    if old == new {
        let what = match kind(old) {
            "TableScan" => "its columns, their types, or where and how the table is read changed",
            _ if old.contains("***") => "changed in what is not shown",
            _ if old.ends_with('…') => "changed further on than is shown",
            _ => "changed in a type or a function behind a name",
        };
        return format!("{old} ({what})");
    }
    format!("{old}  ->  {}", new.split_once(": ").map_or(new, |(_, rest)| rest))
}

fn kind(label: &str) -> &str {
    label.split(':').next().unwrap_or(label)
}
