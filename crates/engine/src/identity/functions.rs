//! Whose function is it? DataFusion's own, a declared user function, or an unknown one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use datafusion::config::ConfigOptions;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{
    AggregateUDF, HigherOrderUDF, ScalarUDF, Volatility, WindowFunctionDefinition, WindowUDF,
};

use super::instances::{self, Instance};

/// The four kinds of function; each has names of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FunctionKind {
    /// One value for each row.
    Scalar,
    /// One value for each group.
    Aggregate,
    /// One value for each row of a window.
    Window,
    /// A function that takes a lambda.
    HigherOrder,
}

/// Versions of user functions, declared by whoever registers them.
///
/// A declared function counts as what its own volatility says, and its version is part of every fingerprint that
/// uses it. Give it another version whenever the function could return another value for the same arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionVersions {
    versions: BTreeMap<(FunctionKind, String), String>,
}

impl FunctionVersions {
    /// No function declared.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares `version` for the user function `name`, in place of an earlier version.
    pub fn declare(&mut self, kind: FunctionKind, name: impl Into<String>, version: impl Into<String>) {
        self.versions.insert((kind, name.into()), version.into());
    }

    /// The declared version of a user function.
    pub fn version(&self, kind: FunctionKind, name: &str) -> Option<&str> {
        self.versions.get(&(kind, name.to_owned())).map(String::as_str)
    }
}

/// Who stands behind a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin<'a> {
    /// DataFusion itself, so that its version covers the function.
    BuiltIn,
    /// A user, who declared this version.
    Declared(&'a str),
    /// A user, who declared nothing.
    Undeclared,
}

/// A function as a plan calls it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Function<'a> {
    Scalar(&'a Arc<ScalarUDF>),
    Aggregate(&'a Arc<AggregateUDF>),
    Window(&'a Arc<WindowUDF>),
    HigherOrder(&'a Arc<HigherOrderUDF>),
}

impl<'a> Function<'a> {
    pub(super) fn of_window(definition: &'a WindowFunctionDefinition) -> Self {
        match definition {
            WindowFunctionDefinition::AggregateUDF(func) => Self::Aggregate(func),
            WindowFunctionDefinition::WindowUDF(func) => Self::Window(func),
        }
    }

    pub(super) fn kind(self) -> FunctionKind {
        match self {
            Self::Scalar(_) => FunctionKind::Scalar,
            Self::Aggregate(_) => FunctionKind::Aggregate,
            Self::Window(_) => FunctionKind::Window,
            Self::HigherOrder(_) => FunctionKind::HigherOrder,
        }
    }

    pub(super) fn name(self) -> &'a str {
        match self {
            Self::Scalar(func) => func.name(),
            Self::Aggregate(func) => func.name(),
            Self::Window(func) => func.name(),
            Self::HigherOrder(func) => func.name(),
        }
    }

    pub(super) fn volatility(self) -> Volatility {
        match self {
            Self::Scalar(func) => func.signature().volatility,
            Self::Aggregate(func) => func.signature().volatility,
            Self::Window(func) => func.signature().volatility,
            Self::HigherOrder(func) => func.signature().volatility,
        }
    }

    pub(super) fn origin<'v>(self, config: &ConfigOptions, versions: &'v FunctionVersions) -> Origin<'v> {
        if self.is_built_in(config) {
            return Origin::BuiltIn;
        }
        versions.version(self.kind(), self.name()).map_or(Origin::Undeclared, Origin::Declared)
    }

    /// Tells two functions of one name apart that were registered one after the other in this process.
    pub(super) fn instance(self) -> u64 {
        let instance = match self {
            Self::Scalar(func) => Instance::Scalar(Arc::downgrade(func.inner())),
            Self::Aggregate(func) => Instance::Aggregate(Arc::downgrade(func.inner())),
            Self::Window(func) => Instance::Window(Arc::downgrade(func.inner())),
            Self::HigherOrder(func) => Instance::HigherOrder(Arc::downgrade(func.inner())),
        };
        instances::number(self.kind(), self.name(), instance)
    }

    /// Equality of functions compares their Rust types first, so no function of another crate passes for one of
    /// DataFusion's, whatever its name. A function that follows the settings is made anew for today's before it is
    /// compared: settings that bear meaning are part of a signature, those baked into a plan earlier are not.
    fn is_built_in(self, config: &ConfigOptions) -> bool {
        match self {
            Self::Scalar(func) => BUILT_INS.scalar.get(func.name()).is_some_and(|ours| {
                match ours.inner().with_updated_config(config) {
                    Some(todays) => todays == **func,
                    None => ours == func,
                }
            }),
            Self::Aggregate(func) => BUILT_INS.aggregate.get(func.name()).is_some_and(|ours| ours == func),
            Self::Window(func) => BUILT_INS.window.get(func.name()).is_some_and(|ours| ours == func),
            Self::HigherOrder(func) => {
                BUILT_INS.higher_order.get(func.name()).is_some_and(|ours| ours == func)
            }
        }
    }
}

/// DataFusion's functions by name.
struct BuiltIns {
    scalar: HashMap<String, Arc<ScalarUDF>>,
    aggregate: HashMap<String, Arc<AggregateUDF>>,
    window: HashMap<String, Arc<WindowUDF>>,
    higher_order: HashMap<String, Arc<HigherOrderUDF>>,
}

static BUILT_INS: LazyLock<BuiltIns> = LazyLock::new(|| BuiltIns {
    scalar: by_name(SessionStateDefaults::default_scalar_functions(), |func| func.name()),
    aggregate: by_name(SessionStateDefaults::default_aggregate_functions(), |func| func.name()),
    window: by_name(SessionStateDefaults::default_window_functions(), |func| func.name()),
    higher_order: by_name(SessionStateDefaults::default_higher_order_functions(), |func| func.name()),
});

fn by_name<F>(functions: Vec<Arc<F>>, name: impl Fn(&F) -> &str) -> HashMap<String, Arc<F>> {
    functions.into_iter().map(|func| (name(&func).to_owned(), func)).collect()
}
