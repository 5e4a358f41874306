//! Identity: when are two results the same result?
//!
//! A snapshot may stand in for a query only if the query would give the same rows. These rules decide it; each is
//! made so that a doubt costs a computation and never a wrong row.
//!
//! - **What is computed** is the *fingerprint*: a hash of the analysed plan in a canonical form of our own
//!   ([`canonical`]), prefixed with our format number and DataFusion's version. Spaces, comments, the names of
//!   relations and the names of output columns are no part of it. Literals, operators, types, nullability, field
//!   metadata, orderings and limits are.
//! - **From what** is a list of [source versions](source_version), one for each table that is read. Every leaf
//!   answers through a [`SourceIdentity`]: files by what the store says of them now, tables in memory by their
//!   content. A table of an unknown kind has no version; its snapshot is written and never reused.
//! - **Under which settings**: those that bear meaning ([`settings`]), such as the time zone. A setting that we do
//!   not know counts; only settings known to tune are left out.
//! - **How far it holds** is its [determinism](Determinism): immutable results hold anywhere, those that use `now()`,
//!   `random()` or an undeclared user function hold within one run.
//!
//! The *signature* is the hash of all of that. Equal signatures mean equal results, with one freedom: where a query
//! leaves the choice of rows or their order open (`LIMIT` without `ORDER BY`, `array_agg` without `ORDER BY`), any
//! result is a right result, and the stored one is given again.
//!
//! Functions of DataFusion are known by their type and not by their name, so a user function that takes the name
//! of a built-in one is a user function. User functions count as volatile until [`FunctionVersions`] declares a
//! version for them; that version is part of the fingerprint.

pub mod canonical;
mod determinism;
mod error;
mod explain;
mod extension;
mod fingerprint;
mod functions;
mod instances;
mod leaves;
mod outline;
pub mod settings;
pub mod source_version;
#[cfg(test)]
mod tests;

pub(crate) use determinism::tells_where_rows_lie;
pub use determinism::{Determinism, determinism};
pub use error::{Error, Result};
pub use explain::describe_plan_change;
pub use extension::{ExtensionEncoder, ExtensionRegistry};
pub(crate) use fingerprint::identify_all;
pub use fingerprint::{PlanIdentity, Registries, RunPin, identify, source_versions};
pub use functions::{FunctionKind, FunctionVersions};
pub(crate) use outline::{Shape, Spot, outline};
pub use source_version::{
    SourceAnswer, SourceChange, SourceIdentity, SourceRegistry, describe_change, source_changes,
};
