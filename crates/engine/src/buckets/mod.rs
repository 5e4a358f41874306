//! Rows dealt out by the hash that DataFusion's exchange uses, so that a snapshot can stand where an exchange would.
//!
//! DataFusion takes two hash partitionings with equally many partitions for compatible without proof, and promises no
//! stable function. So a snapshot names the function that dealt its rows out, with what it gave for known values, and is
//! read as partitioned only where this program's function gives the same ([why](../../../../docs/adr/0017-partitioned-snapshots.md)).

mod dealer;
mod function;
mod probe;

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};
use milepost_store::HashPartitioning;

pub(crate) use dealer::Dealer;

use crate::error::Error;

/// The setting and option that asks for buckets.
const OPTION: &str = "partition_by";

/// The columns by whose values rows are dealt out, and into how many buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Buckets {
    columns: Vec<usize>,
    count: usize,
}

impl Buckets {
    /// `count` buckets by the columns that `names` names; none without names.
    ///
    /// # Errors
    /// A name that `schema` does not have exactly once, or that is a column of a type that cannot be a key.
    pub(crate) fn by(schema: &Schema, names: &[String], count: usize) -> Result<Option<Self>> {
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let mut named = (0..schema.fields().len()).filter(|index| schema.field(*index).name() == name);
            match (named.next(), named.next()) {
                (Some(index), None) if can_be_key(schema.field(index).data_type()) => {
                    if !columns.contains(&index) {
                        columns.push(index);
                    }
                }
                _ => return Err(no_key(schema, name).into()),
            }
        }
        Ok((!columns.is_empty()).then_some(Self { columns, count: count.max(1) }))
    }

    /// The buckets that a manifest tells of, if this program deals rows out in the same way.
    pub(crate) fn recorded(recorded: &HashPartitioning, schema: &Schema) -> Option<Self> {
        let columns = recorded.columns.clone();
        let fits =
            |index: &usize| schema.fields().get(*index).is_some_and(|field| can_be_key(field.data_type()));
        if columns.is_empty() || !columns.iter().all(fits) {
            return None;
        }
        let buckets = Self { columns, count: usize::try_from(recorded.buckets).ok()? };
        (buckets.to_manifest(schema).ok()? == *recorded).then_some(buckets)
    }

    /// What a manifest says of them.
    ///
    /// # Errors
    /// DataFusion cannot hash the columns.
    pub(crate) fn to_manifest(&self, schema: &Schema) -> Result<HashPartitioning> {
        let types: Vec<&DataType> =
            self.columns.iter().map(|index| schema.field(*index).data_type()).collect();
        let buckets = u32::try_from(self.count).unwrap_or(u32::MAX);
        let (function, probe) = (function::name(), probe::probe(&types, self.count)?);
        Ok(HashPartitioning { columns: self.columns.clone(), buckets, function, probe })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The same in DataFusion's terms.
    pub(crate) fn partitioning(&self, schema: &Schema) -> Partitioning {
        Partitioning::Hash(self.expressions(schema), self.count)
    }

    /// `plan` with its rows in one partition a bucket, as far as its own word can be taken.
    pub(crate) fn exchange(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = self.partitioning(&plan.schema());
        if self.count == 1 || *plan.output_partitioning() == wanted {
            return Ok(plan);
        }
        Ok(Arc::new(RepartitionExec::try_new(plan, wanted)?))
    }

    fn expressions(&self, schema: &Schema) -> Vec<Arc<dyn PhysicalExpr>> {
        let column = |index: &usize| -> Arc<dyn PhysicalExpr> {
            Arc::new(Column::new(schema.field(*index).name(), *index))
        };
        self.columns.iter().map(column).collect()
    }
}

/// Types whose equal values have equal hashes however they are stored. Not so floats, with their many NaNs; what is kept in
/// dictionaries or nested is left out because too much of its hash is a matter of how it is stored.
fn can_be_key(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Date32
                | DataType::Date64
                | DataType::Timestamp(..)
                | DataType::Decimal128(..)
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
        )
}

fn no_key(schema: &Schema, name: &str) -> Error {
    let fitting = schema.fields().iter().filter(|field| can_be_key(field.data_type()));
    let fitting: Vec<&str> = fitting.map(|field| field.name().as_str()).collect();
    Error::BadValue {
        key: OPTION.to_string(),
        value: name.to_string(),
        expected: format!(
            "none, or columns of integers, decimals, dates, times, text or bytes, each with a name of its own: {}",
            fitting.join(", ")
        ),
    }
}
