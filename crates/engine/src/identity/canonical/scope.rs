//! Which column a name means.

use std::collections::HashMap;

use datafusion::common::TableReference;
use datafusion::common::{Column, DFSchema};

/// The columns that the expressions of one plan node see: those of its inputs, side by side, and around a subquery
/// those of the queries that enclose it.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    columns: Vec<(Option<&'a TableReference>, &'a str)>,
    by_name: HashMap<&'a str, Vec<usize>>,
    outer: Option<&'a Scope<'a>>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(schemas: impl IntoIterator<Item = &'a DFSchema>, outer: Option<&'a Scope<'a>>) -> Self {
        let mut columns = Vec::new();
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        for (relation, field) in schemas.into_iter().flat_map(DFSchema::iter) {
            by_name.entry(field.name().as_str()).or_default().push(columns.len());
            columns.push((relation, field.name().as_str()));
        }
        Self { columns, by_name, outer }
    }

    pub(super) fn outer(&self) -> Option<&'a Scope<'a>> {
        self.outer
    }

    /// Every position that `column` could mean, by DataFusion's rule: a bare name means any column of that name, a
    /// qualified one only columns of that relation.
    pub(super) fn candidates(&self, column: &Column) -> Vec<usize> {
        let Some(named) = self.by_name.get(column.name.as_str()) else { return Vec::new() };
        let Some(wanted) = &column.relation else { return named.clone() };
        let fits = |at: &usize| self.columns[*at].0.is_some_and(|relation| wanted.resolved_eq(relation));
        named.iter().copied().filter(fits).collect()
    }
}
