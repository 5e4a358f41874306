//! Function calls and session variables.

use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, WindowFunction, WindowFunctionParams,
};
use datafusion::logical_expr::var_provider::{VarType, is_system_variables};
use datafusion::logical_expr::{Expr, WindowFrame, WindowFrameBound};

use super::operator;
use super::plan::PlanEncoder;
use super::scope::Scope;
use crate::identity::error::{Error, Result};
use crate::identity::functions::{Function, FunctionKind, Origin};

impl PlanEncoder<'_> {
    /// Writes who stands behind a function, its name and its arguments.
    pub(super) fn function(
        &mut self,
        function: Function<'_>,
        args: &[Expr],
        scope: &Scope<'_>,
    ) -> Result<()> {
        self.out.tag(match function.kind() {
            FunctionKind::Scalar => 0,
            FunctionKind::Aggregate => 1,
            FunctionKind::Window => 2,
            FunctionKind::HigherOrder => 3,
        });
        self.out.str(function.name());
        let origin = function.origin(self.context.config, self.context.functions);
        match &origin {
            Origin::BuiltIn => self.out.tag(0),
            Origin::Declared(version) => {
                self.out.tag(1);
                self.out.str(version);
            }
            Origin::Undeclared => {
                self.out.tag(2);
                self.out.u64(function.instance());
            }
        }
        let sees_names = match origin {
            Origin::BuiltIn => READS_ARGUMENT_NAMES.contains(&function.name()),
            Origin::Declared(_) | Origin::Undeclared => true,
        };
        self.exprs(args, scope)?;
        self.out.bool(sees_names);
        if sees_names {
            args.iter().for_each(|arg| self.out.str(&arg.schema_name().to_string()));
        }
        Ok(())
    }

    pub(super) fn aggregate_function(&mut self, call: &AggregateFunction, scope: &Scope<'_>) -> Result<()> {
        let AggregateFunction { func, params } = call;
        let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
        self.out.tag(22);
        self.function(Function::Aggregate(func), args, scope)?;
        self.out.bool(*distinct);
        self.optional(filter.as_deref(), scope)?;
        self.sorts(order_by, scope)?;
        self.out.tag(operator::null_treatment(*null_treatment));
        Ok(())
    }

    pub(super) fn window_function(&mut self, call: &WindowFunction, scope: &Scope<'_>) -> Result<()> {
        let WindowFunction { fun, params } = call;
        let WindowFunctionParams {
            args,
            partition_by,
            order_by,
            window_frame,
            filter,
            null_treatment,
            distinct,
        } = params;
        self.out.tag(23);
        self.function(Function::of_window(fun), args, scope)?;
        self.exprs(partition_by, scope)?;
        self.sorts(order_by, scope)?;
        self.window_frame(window_frame)?;
        self.optional(filter.as_deref(), scope)?;
        self.out.tag(operator::null_treatment(*null_treatment));
        self.out.bool(*distinct);
        Ok(())
    }

    fn window_frame(&mut self, frame: &WindowFrame) -> Result<()> {
        self.out.tag(operator::frame_units(frame.units));
        for bound in [&frame.start_bound, &frame.end_bound] {
            match bound {
                WindowFrameBound::Preceding(value) => {
                    self.out.tag(0);
                    self.scalar(value)?;
                }
                WindowFrameBound::CurrentRow => self.out.tag(1),
                WindowFrameBound::Following(value) => {
                    self.out.tag(2);
                    self.scalar(value)?;
                }
            }
        }
        self.out.bool(frame.is_causal());
        Ok(())
    }

    /// Writes the value that a `@variable` has now, since it is read again whenever the plan is run.
    pub(super) fn variable(&mut self, names: &[String]) -> Result<()> {
        let kind = if is_system_variables(names) { VarType::System } else { VarType::UserDefined };
        let unreadable = |source| Error::Variable { name: names.join("."), source };
        let provider = self.context.properties.get_var_provider(kind).ok_or_else(|| unreadable(None))?;
        let value = provider.get_value(names.to_vec()).map_err(|source| unreadable(Some(source)))?;
        names.iter().for_each(|name| self.out.str(name));
        self.scalar(&value)
    }
}

/// The built-in functions whose result holds the names of their arguments, and not their values and types alone.
const READS_ARGUMENT_NAMES: [&str; 1] = ["arrow_field"];
