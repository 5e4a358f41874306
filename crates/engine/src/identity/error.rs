//! What can keep a plan from being identified.

use datafusion::error::DataFusionError;
use thiserror::Error;

/// Result of the identity module.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a plan has no identity at all. A plan that merely must not be reused is no error: see
/// [`PlanIdentity::reusable`](super::PlanIdentity::reusable).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The plan is a command (DDL, DML, EXPLAIN, COPY, SET, …), so there is no result to remember.
    #[error("a checkpoint holds the result of a query, and {kind} is no query; write a SELECT")]
    NotAQuery {
        /// The kind of statement, as people write it.
        kind: &'static str,
    },
    /// A parameter has no value yet.
    #[error("parameter {id} has no value; bind it before the query is checkpointed")]
    UnboundParameter {
        /// The parameter as written, such as `$1`.
        id: String,
    },
    /// A `SELECT *` was not expanded: the plan was not analysed.
    #[error("the plan still holds an unexpanded wildcard; analyse it before it is identified")]
    NotAnalysed,
    /// A `@variable` could not be read.
    #[error("variable {name} cannot be read; register a provider for it in this session")]
    Variable {
        /// The variable as written.
        name: String,
        /// What its provider said, if there is one.
        source: Option<DataFusionError>,
    },
    /// A table could not say what state it is in.
    #[error("cannot tell the version of table {table}; check that its files can be listed")]
    Source {
        /// The table as the query names it.
        table: String,
        /// What the store or the provider said.
        source: DataFusionError,
    },
    /// DataFusion could not walk or type the plan.
    #[error("cannot read the plan to identify it")]
    Plan(#[from] DataFusionError),
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        match error {
            Error::Plan(source) => source,
            other => DataFusionError::External(Box::new(other)),
        }
    }
}
