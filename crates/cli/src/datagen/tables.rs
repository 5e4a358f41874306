//! The eight tables of TPC-H.

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::arrow::record_batch::RecordBatchReader;
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow,
    SupplierArrow,
};

/// Rows for which one file is enough.
const ROWS_IN_A_FILE: f64 = 1_000_000.0;

/// A table of TPC-H.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Lineitem,
    Orders,
    Partsupp,
    Part,
    Customer,
    Supplier,
    Nation,
    Region,
}

impl Table {
    /// All tables, the largest first.
    pub(super) const ALL: [Self; 8] = [
        Self::Lineitem,
        Self::Orders,
        Self::Partsupp,
        Self::Part,
        Self::Customer,
        Self::Supplier,
        Self::Nation,
        Self::Region,
    ];

    /// The name that queries use.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lineitem => "lineitem",
            Self::Orders => "orders",
            Self::Partsupp => "partsupp",
            Self::Part => "part",
            Self::Customer => "customer",
            Self::Supplier => "supplier",
            Self::Nation => "nation",
            Self::Region => "region",
        }
    }

    /// Rows at scale 1, nearly; `None` for the two tables that have the same rows at every scale.
    const fn rows_at_scale_one(self) -> Option<f64> {
        match self {
            Self::Lineitem => Some(6_000_000.0),
            Self::Orders => Some(1_500_000.0),
            Self::Partsupp => Some(800_000.0),
            Self::Part => Some(200_000.0),
            Self::Customer => Some(150_000.0),
            Self::Supplier => Some(10_000.0),
            Self::Nation | Self::Region => None,
        }
    }

    /// How many files the table gets.
    pub(super) fn parts(self, scale: f64, wanted: Option<u16>) -> u16 {
        match (self.rows_at_scale_one(), wanted) {
            (None, _) => 1,
            (Some(_), Some(parts)) => parts,
            (Some(rows), None) => {
                (rows * scale / ROWS_IN_A_FILE).ceil().clamp(1.0, f64::from(u16::MAX)) as u16
            }
        }
    }

    /// The rows of one part, in batches.
    pub(super) fn batches(self, scale: f64, part: u16, parts: u16) -> Box<dyn RecordBatchReader> {
        let (part, parts) = (i32::from(part) + 1, i32::from(parts));
        match self {
            Self::Lineitem => Box::new(LineItemArrow::new(LineItemGenerator::new(scale, part, parts))),
            Self::Orders => Box::new(OrderArrow::new(OrderGenerator::new(scale, part, parts))),
            Self::Partsupp => Box::new(PartSuppArrow::new(PartSuppGenerator::new(scale, part, parts))),
            Self::Part => Box::new(PartArrow::new(PartGenerator::new(scale, part, parts))),
            Self::Customer => Box::new(CustomerArrow::new(CustomerGenerator::new(scale, part, parts))),
            Self::Supplier => Box::new(SupplierArrow::new(SupplierGenerator::new(scale, part, parts))),
            Self::Nation => Box::new(NationArrow::new(NationGenerator::new(scale, part, parts))),
            Self::Region => Box::new(RegionArrow::new(RegionGenerator::new(scale, part, parts))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_file_for_each_million_rows() {
        assert_eq!(Table::Lineitem.parts(0.1, None), 1);
        assert_eq!(Table::Lineitem.parts(1.0, None), 6);
        assert_eq!(Table::Orders.parts(1.0, None), 2);
        assert_eq!(Table::Supplier.parts(1.0, Some(4)), 4);
    }

    #[test]
    fn the_smallest_tables_are_never_cut() {
        // Their generators give all rows for every part.
        assert_eq!(Table::Nation.parts(100.0, Some(4)), 1);
        assert_eq!(Table::Region.parts(100.0, None), 1);
    }

    #[test]
    fn parts_together_are_the_table() {
        let rows = |part, parts| -> usize {
            Table::Customer.batches(0.01, part, parts).map(|batch| batch.unwrap().num_rows()).sum()
        };
        assert_eq!(rows(0, 1), 1_500);
        assert_eq!((0..4).map(|part| rows(part, 4)).sum::<usize>(), 1_500);
    }
}
