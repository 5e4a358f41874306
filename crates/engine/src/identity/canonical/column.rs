//! Column references.
//!
//! A reference is written as the position of the column in the inputs of its node, so that names and aliases of
//! relations and of inner columns do not matter. Where a name could mean several columns, or none that we see, the
//! name is written as well: then only the very same spelling is the same reference.

use datafusion::common::Column;

use super::Encoder;
use super::scope::Scope;

/// How references are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum References {
    /// By position: for the fingerprint.
    ByPosition,
    /// By name: for telling people which part of a query changed. Positions shift when a part below changes.
    ByName,
}

pub(super) fn column(column: &Column, scope: &Scope<'_>, references: References, out: &mut Encoder) {
    match references {
        References::ByName => named(column, out),
        References::ByPosition => positioned(column, &scope.candidates(column), out),
    }
}

/// A reference out of a subquery: the positions in every enclosing query that has such a column, innermost first.
pub(super) fn outer(column: &Column, scope: &Scope<'_>, references: References, out: &mut Encoder) {
    if references == References::ByName {
        return named(column, out);
    }
    let mut found = Vec::new();
    let mut enclosing = scope.outer();
    let mut distance = 0;
    while let Some(scope) = enclosing {
        found.extend(scope.candidates(column).into_iter().map(|position| (distance, position)));
        enclosing = scope.outer();
        distance += 1;
    }
    out.len(found.len());
    for (distance, position) in &found {
        out.u64(*distance);
        out.len(*position);
    }
    if found.len() != 1 {
        named(column, out);
    }
}

fn positioned(column: &Column, candidates: &[usize], out: &mut Encoder) {
    out.len(candidates.len());
    for position in candidates {
        out.len(*position);
    }
    if candidates.len() != 1 {
        named(column, out);
    }
}

fn named(column: &Column, out: &mut Encoder) {
    out.option(column.relation.as_ref(), |out, relation| out.str(&relation.to_quoted_string()));
    out.str(&column.name);
}
