//! Expressions.

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::{
    Alias, Between, BinaryExpr, Case, Cast, Exists, GroupingSet, HigherOrderFunction, InList, InSubquery,
    Lambda, LambdaVariable, Like, Placeholder, ScalarFunction, SetComparison, Sort, TryCast, Unnest,
};
use datafusion::logical_expr::{Expr, Subquery};

use super::column;
use super::operator;
use super::plan::PlanEncoder;
use super::scalar::encode_scalar;
use super::scope::Scope;
use super::types::{self, encode_field};
use crate::identity::error::{Error, Result};
use crate::identity::functions::Function;

impl PlanEncoder<'_> {
    pub(super) fn exprs<'e>(
        &mut self,
        exprs: impl IntoIterator<Item = &'e Expr, IntoIter: ExactSizeIterator>,
        scope: &Scope<'_>,
    ) -> Result<()> {
        let mut exprs = exprs.into_iter();
        self.out.len(exprs.len());
        exprs.try_for_each(|expr| self.expr(expr, scope))
    }

    pub(super) fn optional(&mut self, expr: Option<&Expr>, scope: &Scope<'_>) -> Result<()> {
        self.out.bool(expr.is_some());
        expr.map_or(Ok(()), |expr| self.expr(expr, scope))
    }

    pub(super) fn sorts(&mut self, sorts: &[Sort], scope: &Scope<'_>) -> Result<()> {
        self.out.len(sorts.len());
        for Sort { expr, asc, nulls_first } in sorts {
            self.expr(expr, scope)?;
            self.out.bool(*asc);
            self.out.bool(*nulls_first);
        }
        Ok(())
    }

    /// Writes one expression. Every variant has a tag of its own; output names are left out, since what refers to
    /// an output does so by its position.
    #[recursive::recursive]
    pub(super) fn expr(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<()> {
        match expr {
            Expr::Alias(Alias { expr, relation: _, name: _, metadata }) => {
                if let Some(metadata) = metadata.as_ref().filter(|metadata| !metadata.is_empty()) {
                    self.out.tag(0);
                    self.out.map(metadata.inner().iter());
                }
                self.expr(expr, scope)
            }
            Expr::Column(reference) => {
                self.out.tag(1);
                column::column(reference, scope, self.references, &mut self.out);
                Ok(())
            }
            Expr::ScalarVariable(field, names) => {
                self.out.tag(2);
                types::unnamed_field(field, &mut self.out);
                self.variable(names)
            }
            Expr::Literal(value, metadata) => {
                self.out.tag(3);
                self.scalar(value)?;
                let metadata = metadata.as_ref().filter(|metadata| !metadata.is_empty());
                self.out.option(metadata, |out, metadata| out.map(metadata.inner().iter()));
                Ok(())
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                self.out.tag(4);
                self.out.tag(operator::operator(*op));
                self.expr(left, scope)?;
                self.expr(right, scope)
            }
            Expr::Like(like) => self.like(5, like, scope),
            Expr::SimilarTo(like) => self.like(6, like, scope),
            Expr::Not(inner) => self.unary(7, inner, scope),
            Expr::IsNotNull(inner) => self.unary(8, inner, scope),
            Expr::IsNull(inner) => self.unary(9, inner, scope),
            Expr::IsTrue(inner) => self.unary(10, inner, scope),
            Expr::IsFalse(inner) => self.unary(11, inner, scope),
            Expr::IsUnknown(inner) => self.unary(12, inner, scope),
            Expr::IsNotTrue(inner) => self.unary(13, inner, scope),
            Expr::IsNotFalse(inner) => self.unary(14, inner, scope),
            Expr::IsNotUnknown(inner) => self.unary(15, inner, scope),
            Expr::Negative(inner) => self.unary(16, inner, scope),
            Expr::Between(Between { expr, negated, low, high }) => {
                self.out.tag(17);
                self.out.bool(*negated);
                [expr, low, high].into_iter().try_for_each(|expr| self.expr(expr, scope))
            }
            Expr::Case(case) => self.case(case, scope),
            Expr::Cast(Cast { expr, field }) => {
                self.out.tag(19);
                types::unnamed_field(field, &mut self.out);
                self.expr(expr, scope)
            }
            Expr::TryCast(TryCast { expr, field }) => {
                self.out.tag(20);
                types::unnamed_field(field, &mut self.out);
                self.expr(expr, scope)
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) => {
                self.out.tag(21);
                self.function(Function::Scalar(func), args, scope)
            }
            Expr::AggregateFunction(call) => self.aggregate_function(call, scope),
            Expr::WindowFunction(call) => self.window_function(call, scope),
            Expr::InList(InList { expr, list, negated }) => {
                self.out.tag(24);
                self.out.bool(*negated);
                self.expr(expr, scope)?;
                self.exprs(list, scope)
            }
            Expr::Exists(Exists { subquery, negated }) => {
                self.out.tag(25);
                self.out.bool(*negated);
                self.subquery(subquery, scope)
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                self.out.tag(26);
                self.out.bool(*negated);
                self.expr(expr, scope)?;
                self.subquery(subquery, scope)
            }
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
                self.out.tag(27);
                self.out.tag(operator::operator(*op));
                self.out.tag(operator::quantifier(*quantifier));
                self.expr(expr, scope)?;
                self.subquery(subquery, scope)
            }
            Expr::ScalarSubquery(subquery) => {
                self.out.tag(28);
                self.subquery(subquery, scope)
            }
            #[expect(deprecated, reason = "the variant exists, and every variant is named here")]
            Expr::Wildcard { .. } => Err(Error::NotAnalysed),
            Expr::GroupingSet(set) => self.grouping_set(set, scope),
            Expr::Placeholder(Placeholder { id, field: _ }) => {
                Err(Error::UnboundParameter { id: id.clone() })
            }
            Expr::OuterReferenceColumn(field, reference) => {
                self.out.tag(30);
                types::unnamed_field(field, &mut self.out);
                column::outer(reference, scope, self.references, &mut self.out);
                Ok(())
            }
            Expr::Unnest(Unnest { expr, outer }) => {
                self.out.tag(31);
                self.out.bool(*outer);
                self.expr(expr, scope)
            }
            Expr::HigherOrderFunction(HigherOrderFunction { func, args }) => {
                self.out.tag(32);
                self.function(Function::HigherOrder(func), args, scope)
            }
            Expr::Lambda(Lambda { params, body }) => {
                self.out.tag(33);
                self.out.len(params.len());
                params.iter().for_each(|param| self.out.str(param));
                self.expr(body, scope)
            }
            Expr::LambdaVariable(LambdaVariable { name, field, spans: _ }) => {
                self.out.tag(34);
                self.out.str(name);
                self.out.option(field.as_deref(), |out, field| encode_field(field, out));
                Ok(())
            }
        }
    }

    pub(super) fn column(&mut self, reference: &Column, scope: &Scope<'_>) {
        column::column(reference, scope, self.references, &mut self.out);
    }

    pub(super) fn scalar(&mut self, value: &ScalarValue) -> Result<()> {
        Ok(encode_scalar(value, &mut self.out)?)
    }

    fn unary(&mut self, tag: u8, inner: &Expr, scope: &Scope<'_>) -> Result<()> {
        self.out.tag(tag);
        self.expr(inner, scope)
    }

    fn like(&mut self, tag: u8, like: &Like, scope: &Scope<'_>) -> Result<()> {
        let Like { negated, expr, pattern, escape_char, case_insensitive } = like;
        self.out.tag(tag);
        self.out.bool(*negated);
        self.out.bool(*case_insensitive);
        self.out.option(*escape_char, |out, escape| out.u64(u64::from(u32::from(escape))));
        self.expr(expr, scope)?;
        self.expr(pattern, scope)
    }

    fn case(&mut self, case: &Case, scope: &Scope<'_>) -> Result<()> {
        let Case { expr, when_then_expr, else_expr } = case;
        self.out.tag(18);
        self.optional(expr.as_deref(), scope)?;
        self.out.len(when_then_expr.len());
        for (when, then) in when_then_expr {
            self.expr(when, scope)?;
            self.expr(then, scope)?;
        }
        self.optional(else_expr.as_deref(), scope)
    }

    fn grouping_set(&mut self, set: &GroupingSet, scope: &Scope<'_>) -> Result<()> {
        self.out.tag(29);
        match set {
            GroupingSet::Rollup(exprs) => {
                self.out.tag(0);
                self.exprs(exprs, scope)
            }
            GroupingSet::Cube(exprs) => {
                self.out.tag(1);
                self.exprs(exprs, scope)
            }
            GroupingSet::GroupingSets(sets) => {
                self.out.tag(2);
                self.out.len(sets.len());
                sets.iter().try_for_each(|exprs| self.exprs(exprs, scope))
            }
        }
    }

    /// Writes the plan of a subquery, inside the scope of the node that holds it. The list of its outer references
    /// is derived from the plan.
    fn subquery(&mut self, subquery: &Subquery, scope: &Scope<'_>) -> Result<()> {
        let Subquery { subquery, outer_ref_columns: _, spans: _ } = subquery;
        if self.with_subqueries { self.tree(subquery, Some(scope)) } else { Ok(()) }
    }
}
