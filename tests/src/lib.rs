//! What the tests over the whole engine share.
//!
//! - [`tpch`]: the 22 queries of `sql/tpch/` and their tables, generated into Parquet files.
//! - [`corpus`]: the queries of `tests/corpus/`, which cover what SQL can say beyond TPC-H.
//! - [`table`]: a result by value, and the comparison of two of them.
//!
//! The tests themselves are one binary in `tests/it/`, the SQL scripts stand in `tests/slt/`.

pub mod corpus;
pub mod table;
pub mod tpch;
