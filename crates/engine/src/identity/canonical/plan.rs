//! Plans: the walk over nodes, inputs and subqueries.

use datafusion::common::DFSchema;
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::execution_props::ExecutionProps;
use milepost_store::ids::{Digest, Fingerprint};
use milepost_store::manifest::PlanPart;

use super::column::References;
use super::scope::Scope;
use super::simplify::skip_renaming;
use super::{Encoder, FORMAT, types};
use crate::identity::error::Result;
use crate::identity::explain;
use crate::identity::extension::ExtensionRegistry;
use crate::identity::functions::FunctionVersions;
use crate::identity::leaves::Leaves;

/// What the canonical form of a plan depends on besides the plan.
#[derive(Debug, Clone, Copy)]
pub(in crate::identity) struct PlanContext<'a> {
    pub(in crate::identity) config: &'a ConfigOptions,
    pub(in crate::identity) functions: &'a FunctionVersions,
    pub(in crate::identity) extensions: &'a ExtensionRegistry,
    pub(in crate::identity) properties: &'a ExecutionProps,
    pub(in crate::identity) leaves: &'a Leaves,
}

/// A plan in canonical form.
#[derive(Debug)]
pub(in crate::identity) struct CanonicalPlan {
    pub(in crate::identity) fingerprint: Fingerprint,
    pub(in crate::identity) parts: Vec<PlanPart>,
    /// What could not be put into canonical form, in sentences. Not empty: the fingerprint identifies nothing.
    pub(in crate::identity) unknown: Vec<String>,
}

/// Puts an analysed query plan into canonical form.
pub(in crate::identity) fn encode_plan(
    plan: &LogicalPlan,
    context: &PlanContext<'_>,
) -> Result<CanonicalPlan> {
    let mut encoder = PlanEncoder::new(*context, References::ByPosition, true);
    encoder.out.str("milepost plan");
    encoder.out.u64(FORMAT);
    encoder.out.str(datafusion::DATAFUSION_VERSION);
    types::output(plan.schema(), &mut encoder.out);
    encoder.tree(plan, None)?;
    Ok(CanonicalPlan {
        fingerprint: Fingerprint::from_bytes(encoder.out.hash()),
        parts: parts(plan, context)?,
        unknown: encoder.unknown,
    })
}

/// Writes plans into one run of bytes.
#[derive(Debug)]
pub(super) struct PlanEncoder<'a> {
    pub(super) context: PlanContext<'a>,
    pub(super) references: References,
    /// Whether the plans of subqueries are written where they stand.
    pub(super) with_subqueries: bool,
    /// Names of the recursive queries around the current node, innermost last.
    pub(super) recursive: Vec<String>,
    pub(super) unknown: Vec<String>,
    pub(super) out: Encoder,
}

impl<'a> PlanEncoder<'a> {
    pub(super) fn new(context: PlanContext<'a>, references: References, with_subqueries: bool) -> Self {
        let (recursive, unknown) = (Vec::new(), Vec::new());
        Self { context, references, with_subqueries, recursive, unknown, out: Encoder::new() }
    }

    /// Writes a node, then its inputs.
    #[recursive::recursive]
    pub(super) fn tree(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Result<()> {
        let plan = skip_renaming(plan);
        self.node(plan, outer)?;
        types::output(plan.schema(), &mut self.out);
        let inputs = plan.inputs();
        self.out.len(inputs.len());
        match plan {
            // A lateral subquery on the right refers to columns of the left.
            LogicalPlan::Join(join) => {
                self.tree(&join.left, outer)?;
                self.tree(&join.right, Some(&Scope::new([join.left.schema().as_ref()], outer)))
            }
            LogicalPlan::RecursiveQuery(query) => {
                self.tree(&query.static_term, outer)?;
                self.recursive.push(query.name.clone());
                let written = self.tree(&query.recursive_term, outer);
                self.recursive.pop();
                written
            }
            _ => inputs.into_iter().try_for_each(|input| self.tree(input, outer)),
        }
    }
}

/// The plan in preorder, subqueries before inputs, each node hashed alone and by names.
fn parts(plan: &LogicalPlan, context: &PlanContext<'_>) -> Result<Vec<PlanPart>> {
    let mut parts = Vec::new();
    part(plan, 0, context, &mut parts)?;
    Ok(parts)
}

#[recursive::recursive]
fn part(plan: &LogicalPlan, depth: u32, context: &PlanContext<'_>, parts: &mut Vec<PlanPart>) -> Result<()> {
    let plan = skip_renaming(plan);
    let mut encoder = PlanEncoder::new(*context, References::ByName, false);
    encoder.node(plan, None)?;
    parts.push(PlanPart { depth, label: explain::label(plan), hash: Digest::from_bytes(encoder.out.hash()) });
    for subquery in explain::subqueries(plan)? {
        part(&subquery, depth + 1, context, parts)?;
    }
    plan.inputs().into_iter().try_for_each(|input| part(input, depth + 1, context, parts))
}

/// The scope of a node's expressions.
pub(super) fn inputs_scope<'s>(plan: &'s LogicalPlan, outer: Option<&'s Scope<'s>>) -> Scope<'s> {
    Scope::new(plan.inputs().into_iter().map(|input| -> &DFSchema { input.schema() }), outer)
}
