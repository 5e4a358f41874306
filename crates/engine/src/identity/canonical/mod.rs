//! The canonical form of plans: equal bytes, equal meaning.
//!
//! The form is our own. Rust's `Hash`, debug and display text, protobuf and Substrait are no keys: one ignores what a
//! scan reads, the next drops paths and options, the last have no fixed order. Here every variant of every DataFusion
//! enum is matched by name, so a new variant fails to compile instead of being left out.
//!
//! - Every value is tagged and length-prefixed ([`Encoder`]); maps are sorted.
//! - Column references are positions in the inputs of their node.
//! - Relation aliases, and projections that give back their input as it is, are passed over.
//! - [`FORMAT`] and DataFusion's version come first: another version of either gives other fingerprints.

mod column;
mod encoder;
mod expr;
mod function;
mod operator;
mod plan;
mod relation;
mod scalar;
mod scope;
mod simplify;
mod table;
mod types;

pub use encoder::Encoder;
pub(super) use plan::{PlanContext, encode_plan};
pub use scalar::encode_scalar;
pub(super) use simplify::{renamed, skip_renaming};
pub(super) use table::{encode_constraints, encode_table_partitioning, encode_table_sorts};
pub use types::{encode_data_type, encode_field, encode_schema};

/// The number of the canonical form. Raise it with every change of what is written, so that no old fingerprint is
/// taken for a new one.
pub const FORMAT: u64 = 5;
