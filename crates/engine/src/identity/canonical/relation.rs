//! Plan nodes, one by one.

use datafusion::common::{Column, UnnestOptions};
use datafusion::logical_expr::logical_plan::{
    Aggregate, ColumnUnnestList, Distinct, DistinctOn, EmptyRelation, Extension, Filter, Join, Limit,
    RecursiveQuery, Repartition, Sort, Statement, Subquery, Union, Unnest, Values, Window,
};
use datafusion::logical_expr::{DdlStatement, LogicalPlan, Partitioning, Projection};

use super::operator;
use super::plan::{PlanEncoder, inputs_scope};
use super::scope::Scope;
use crate::identity::error::{Error, Result};

impl PlanEncoder<'_> {
    /// Writes what a node itself computes, without its inputs.
    pub(super) fn node(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Result<()> {
        let scope = inputs_scope(plan, outer);
        match plan {
            LogicalPlan::Projection(Projection { expr, .. }) => {
                self.out.tag(0);
                self.exprs(expr, &scope)
            }
            LogicalPlan::Filter(Filter { predicate, .. }) => {
                self.out.tag(1);
                self.expr(predicate, &scope)
            }
            LogicalPlan::Window(Window { window_expr, input: _, schema: _ }) => {
                self.out.tag(2);
                self.exprs(window_expr, &scope)
            }
            LogicalPlan::Aggregate(Aggregate { group_expr, aggr_expr, .. }) => {
                self.out.tag(3);
                self.exprs(group_expr, &scope)?;
                self.exprs(aggr_expr, &scope)
            }
            LogicalPlan::Sort(Sort { expr, input: _, fetch }) => {
                self.out.tag(4);
                self.sorts(expr, &scope)?;
                self.out.option(*fetch, |out, fetch| out.len(fetch));
                Ok(())
            }
            LogicalPlan::Join(join) => self.join(join, &scope, outer),
            LogicalPlan::Repartition(Repartition { input: _, partitioning_scheme }) => {
                self.out.tag(6);
                self.partitioning(partitioning_scheme, &scope)
            }
            LogicalPlan::Union(Union { inputs: _, schema: _ }) => {
                self.out.tag(7);
                Ok(())
            }
            LogicalPlan::TableScan(scan) => self.table_scan(scan, outer),
            LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row, schema: _ }) => {
                self.out.tag(9);
                self.out.bool(*produce_one_row);
                Ok(())
            }
            LogicalPlan::Subquery(Subquery { subquery: _, outer_ref_columns: _, spans: _ }) => {
                self.out.tag(10);
                Ok(())
            }
            LogicalPlan::SubqueryAlias(_) => {
                self.out.tag(11);
                Ok(())
            }
            LogicalPlan::Limit(Limit { skip, fetch, input: _ }) => {
                self.out.tag(12);
                self.optional(skip.as_deref(), &scope)?;
                self.optional(fetch.as_deref(), &scope)
            }
            LogicalPlan::Values(Values { schema: _, values }) => {
                self.out.tag(13);
                self.out.len(values.len());
                values.iter().try_for_each(|row| self.exprs(row, &scope))
            }
            LogicalPlan::Extension(Extension { node }) => {
                self.out.tag(14);
                self.extension(node.as_ref(), &scope)
            }
            LogicalPlan::Distinct(distinct) => self.distinct(distinct, &scope),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest, &scope),
            LogicalPlan::RecursiveQuery(RecursiveQuery { name: _, is_distinct, .. }) => {
                self.out.tag(17);
                self.out.bool(*is_distinct);
                Ok(())
            }
            LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => Err(Error::NotAQuery { kind: statement_kind(plan) }),
        }
    }

    fn join(&mut self, join: &Join, both: &Scope<'_>, outer: Option<&Scope<'_>>) -> Result<()> {
        let Join {
            left,
            right,
            on,
            filter,
            join_type,
            join_constraint,
            schema: _,
            null_equality,
            null_aware,
        } = join;
        self.out.tag(5);
        self.out.tag(operator::join_type(*join_type));
        self.out.tag(operator::join_constraint(*join_constraint));
        self.out.tag(operator::null_equality(*null_equality));
        self.out.bool(*null_aware);
        self.out.len(on.len());
        let (left, right) =
            (Scope::new([left.schema().as_ref()], outer), Scope::new([right.schema().as_ref()], outer));
        for (left_key, right_key) in on {
            self.expr(left_key, &left)?;
            self.expr(right_key, &right)?;
        }
        self.optional(filter.as_ref(), both)
    }

    pub(super) fn partitioning(&mut self, partitioning: &Partitioning, scope: &Scope<'_>) -> Result<()> {
        match partitioning {
            Partitioning::RoundRobinBatch(count) => {
                self.out.tag(0);
                self.out.len(*count);
                Ok(())
            }
            Partitioning::Hash(exprs, count) => {
                self.out.tag(1);
                self.out.len(*count);
                self.exprs(exprs, scope)
            }
            Partitioning::Range(range) => {
                self.out.tag(2);
                self.sorts(range.ordering(), scope)?;
                self.out.len(range.split_points().len());
                for point in range.split_points() {
                    self.out.len(point.values().len());
                    point.values().iter().try_for_each(|value| self.scalar(value))?;
                }
                Ok(())
            }
            Partitioning::DistributeBy(exprs) => {
                self.out.tag(3);
                self.exprs(exprs, scope)
            }
        }
    }

    fn distinct(&mut self, distinct: &Distinct, scope: &Scope<'_>) -> Result<()> {
        self.out.tag(15);
        match distinct {
            Distinct::All(_) => {
                self.out.tag(0);
                Ok(())
            }
            Distinct::On(DistinctOn { on_expr, select_expr, sort_expr, input: _, schema: _ }) => {
                self.out.tag(1);
                self.exprs(on_expr, scope)?;
                self.exprs(select_expr, scope)?;
                self.out.bool(sort_expr.is_some());
                sort_expr.as_ref().map_or(Ok(()), |sorts| self.sorts(sorts, scope))
            }
        }
    }

    fn unnest(&mut self, unnest: &Unnest, scope: &Scope<'_>) -> Result<()> {
        let Unnest {
            input: _,
            exec_columns,
            list_type_columns,
            struct_type_columns,
            dependency_indices,
            schema,
            options: UnnestOptions { null_handling, recursions },
        } = unnest;
        self.out.tag(16);
        self.columns(exec_columns, scope);
        let output = Scope::new([schema.as_ref()], None);
        self.out.len(list_type_columns.len());
        for (position, ColumnUnnestList { output_column, depth }) in list_type_columns {
            self.out.len(*position);
            self.column(output_column, &output);
            self.out.len(*depth);
        }
        for positions in [struct_type_columns, dependency_indices] {
            self.out.len(positions.len());
            positions.iter().for_each(|position| self.out.len(*position));
        }
        self.out.tag(operator::null_handling(*null_handling));
        self.out.len(recursions.len());
        for recursion in recursions {
            self.column(&recursion.input_column, scope);
            self.column(&recursion.output_column, &output);
            self.out.len(recursion.depth);
        }
        Ok(())
    }

    fn columns(&mut self, columns: &[Column], scope: &Scope<'_>) {
        self.out.len(columns.len());
        columns.iter().for_each(|column| self.column(column, scope));
    }
}

/// The kind of a plan that is no query, as people write it.
fn statement_kind(plan: &LogicalPlan) -> &'static str {
    match plan {
        LogicalPlan::Statement(statement) => match statement {
            Statement::TransactionStart(_) => "BEGIN",
            Statement::TransactionEnd(_) => "COMMIT or ROLLBACK",
            Statement::SetVariable(_) => "SET",
            Statement::ResetVariable(_) => "RESET",
            Statement::Prepare(_) => "PREPARE",
            Statement::Execute(_) => "EXECUTE",
            Statement::Deallocate(_) => "DEALLOCATE",
        },
        LogicalPlan::Explain(_) => "EXPLAIN",
        LogicalPlan::Analyze(_) => "EXPLAIN ANALYZE",
        LogicalPlan::Dml(_) => "INSERT, UPDATE, DELETE or MERGE",
        LogicalPlan::Ddl(statement) => ddl_kind(statement),
        LogicalPlan::Copy(_) => "COPY",
        LogicalPlan::DescribeTable(_) => "DESCRIBE",
        _ => "this statement",
    }
}

fn ddl_kind(statement: &DdlStatement) -> &'static str {
    match statement {
        DdlStatement::CreateExternalTable(_) => "CREATE EXTERNAL TABLE",
        DdlStatement::CreateMemoryTable(_) => "CREATE TABLE",
        DdlStatement::CreateView(_) => "CREATE VIEW",
        DdlStatement::CreateCatalogSchema(_) => "CREATE SCHEMA",
        DdlStatement::CreateCatalog(_) => "CREATE DATABASE",
        DdlStatement::CreateIndex(_) => "CREATE INDEX",
        DdlStatement::DropTable(_) => "DROP TABLE",
        DdlStatement::DropView(_) => "DROP VIEW",
        DdlStatement::DropCatalogSchema(_) => "DROP SCHEMA",
        DdlStatement::CreateFunction(_) => "CREATE FUNCTION",
        DdlStatement::DropFunction(_) => "DROP FUNCTION",
    }
}
