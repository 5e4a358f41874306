//! Our statements: text in, [`Statement`] out.
//!
//! A script is cut at its top-level semicolons (`script`), `AS MATERIALIZED` becomes an inline checkpoint before
//! anything is parsed (`materialized`), our own statements are recognised by their first words (`parser`), and all
//! else goes to DataFusion's parser. `snapshot('name', n)` becomes a table name that the catalog can load
//! (`snapshot_fn`), URLs in the place of names lose their passwords (`secret_urls`), and `checkpoint((…))` is planned where the SQL planner meets it (`relation`). `lists_tables` knows the
//! statements for which all checkpoints are listed first.

mod lists_tables;
mod materialized;
mod parser;
mod relation;
mod script;
mod secret_urls;
mod snapshot_fn;
mod statement;
mod tokens;
mod values;

pub(crate) use lists_tables::lists_tables;
pub(crate) use parser::parse_query;
pub(crate) use relation::{InlineCheckpoint, is_closed};
pub(crate) use script::normal_form;
pub use script::parse;
pub(crate) use secret_urls::{text_without_secrets, without_secrets};
pub(crate) use snapshot_fn::SYSTEM_SCHEMA;
pub(crate) use statement::describe;
pub use statement::{CreateCheckpoint, Statement, StatementKind};
