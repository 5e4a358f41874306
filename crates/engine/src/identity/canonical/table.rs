//! Leaves: table scans, and the parts of a table's definition that are expressions.

use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::{Constraint, Constraints, DFSchema};
use datafusion::config::ConfigOptions;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::logical_plan::TableScan;
use datafusion::logical_expr::{Partitioning, SortExpr, UserDefinedLogicalNode};

use super::Encoder;
use super::column::References;
use super::plan::{PlanContext, PlanEncoder};
use super::scope::Scope;
use crate::identity::error::Result;
use crate::identity::extension::ExtensionRegistry;
use crate::identity::functions::FunctionVersions;
use crate::identity::leaves::Leaves;

impl PlanEncoder<'_> {
    /// Writes what is read and how. The table's name is left out: the source says what it is.
    pub(super) fn table_scan(&mut self, scan: &TableScan, outer: Option<&Scope<'_>>) -> Result<()> {
        let TableScan {
            table_name,
            source,
            projection,
            projected_schema: _,
            filters,
            fetch,
            // A hint about which statistics the planner would like to see.
            statistics_requests: _,
        } = scan;
        self.out.tag(8);
        match self.context.leaves.canonical(source) {
            Some(canonical) => {
                self.out.tag(0);
                self.out.bytes(canonical);
            }
            None => self.work_table(scan),
        }
        self.out.bool(projection.is_some());
        if let Some(projection) = projection {
            self.out.len(projection.len());
            projection.iter().for_each(|position| self.out.len(*position));
        }
        let table = DFSchema::try_from_qualified_schema(table_name.clone(), &source.schema())?;
        self.exprs(filters, &Scope::new([&table], outer))?;
        self.out.option(*fetch, |out, fetch| out.len(fetch));
        Ok(())
    }

    /// Writes a reference to an enclosing recursive query, as the number of recursive queries between.
    fn work_table(&mut self, scan: &TableScan) {
        let provider = source_as_provider(&scan.source).ok();
        let work_table = provider.as_ref().and_then(|provider| provider.downcast_ref::<CteWorkTable>());
        let distance =
            work_table.and_then(|table| self.recursive.iter().rev().position(|name| name == table.name()));
        match (work_table, distance) {
            (Some(_), Some(distance)) => {
                self.out.tag(1);
                self.out.len(distance);
            }
            // Without the recursive query around it there is only the name.
            (Some(table), None) => {
                self.out.tag(2);
                self.out.str(table.name());
            }
            (None, _) => {
                self.out.tag(3);
                self.out.str(&scan.table_name.to_string());
                self.unknown.push(format!("table {} was not asked for its version", scan.table_name));
            }
        }
    }

    /// Writes an extension node: its own part if someone knows it, else a reason for having no identity.
    pub(super) fn extension(&mut self, node: &dyn UserDefinedLogicalNode, scope: &Scope<'_>) -> Result<()> {
        self.out.str(node.name());
        let known = self.context.extensions.encode(node, &mut self.out);
        self.out.bool(known);
        if !known {
            self.unknown.push(format!(
                "plan node {} is an extension that cannot be identified; register an ExtensionEncoder for it",
                node.name()
            ));
        }
        self.exprs(&node.expressions(), scope)
    }
}

/// Writes the declared orders of a table.
pub(in crate::identity) fn encode_table_sorts(
    orders: &[Vec<SortExpr>],
    schema: &Schema,
    config: &ConfigOptions,
    out: &mut Encoder,
) -> Result<()> {
    with_table(schema, config, out, |encoder, scope| {
        encoder.out.len(orders.len());
        orders.iter().try_for_each(|order| encoder.sorts(order, scope))
    })
}

/// Writes the declared partitioning of a table.
pub(in crate::identity) fn encode_table_partitioning(
    partitioning: Option<&Partitioning>,
    schema: &Schema,
    config: &ConfigOptions,
    out: &mut Encoder,
) -> Result<()> {
    with_table(schema, config, out, |encoder, scope| {
        encoder.out.bool(partitioning.is_some());
        partitioning.map_or(Ok(()), |partitioning| encoder.partitioning(partitioning, scope))
    })
}

/// Writes the keys of a table, which the optimizer relies on.
pub(in crate::identity) fn encode_constraints(constraints: Option<&Constraints>, out: &mut Encoder) {
    let constraints = constraints.map_or(&[][..], |constraints| constraints);
    out.len(constraints.len());
    for constraint in constraints {
        let (tag, columns) = match constraint {
            Constraint::PrimaryKey(columns) => (0, columns),
            Constraint::Unique(columns) => (1, columns),
        };
        out.tag(tag);
        out.len(columns.len());
        columns.iter().for_each(|column| out.len(*column));
    }
}

fn with_table(
    schema: &Schema,
    config: &ConfigOptions,
    out: &mut Encoder,
    write: impl FnOnce(&mut PlanEncoder<'_>, &Scope<'_>) -> Result<()>,
) -> Result<()> {
    let (functions, extensions) = (FunctionVersions::default(), ExtensionRegistry::default());
    let (properties, leaves) = (ExecutionProps::new(), Leaves::default());
    let context = PlanContext {
        config,
        functions: &functions,
        extensions: &extensions,
        properties: &properties,
        leaves: &leaves,
    };
    let table = DFSchema::try_from(schema.clone())?;
    let mut encoder = PlanEncoder::new(context, References::ByPosition, true);
    write(&mut encoder, &Scope::new([&table], None))?;
    out.bytes(&encoder.out.finish());
    Ok(())
}
