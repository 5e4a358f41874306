//! `(VALUES (1, 'a'), (2, 'b'))` where the parser expects an expression: it takes the first row for the call of a function
//! and the others for the rest of a tuple.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Parens, Query, SetExpr, Statement,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// The query that such an expression is meant to be.
pub(super) fn values_query(expression: &Expr) -> Option<Box<Query>> {
    let rows = match expression {
        Expr::Tuple(rows) => rows.as_slice(),
        one => std::slice::from_ref(one),
    };
    let (first, others) = rows.split_first()?;
    let mut found = vec![first_row(first)?];
    for other in others {
        found.push(next_row(other)?);
    }
    with_rows(found)
}

/// `VALUES (1, 'a')`, read as a call.
fn first_row(call: &Expr) -> Option<Vec<Expr>> {
    let Expr::Function(call) = call else { return None };
    let FunctionArguments::List(list) = &call.args else { return None };
    let is_plain = call.over.is_none() && call.filter.is_none() && list.clauses.is_empty();
    if !is_plain || !call.name.to_string().eq_ignore_ascii_case("values") {
        return None;
    }
    let value = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
        _ => None,
    };
    list.args.iter().map(value).collect()
}

fn next_row(row: &Expr) -> Option<Vec<Expr>> {
    match row {
        Expr::Tuple(values) => Some(values.clone()),
        Expr::Nested(value) => Some(vec![value.as_ref().clone()]),
        _ => None,
    }
}

fn with_rows(rows: Vec<Vec<Expr>>) -> Option<Box<Query>> {
    let Statement::Query(mut query) = Parser::parse_sql(&GenericDialect {}, "VALUES (0)").ok()?.pop()? else {
        return None;
    };
    let SetExpr::Values(values) = query.body.as_mut() else { return None };
    let Parens { opening_token, closing_token, .. } = values.rows.pop()?;
    let row = |content| Parens {
        opening_token: opening_token.clone(),
        content,
        closing_token: closing_token.clone(),
    };
    values.rows = rows.into_iter().map(row).collect();
    Some(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Option<String> {
        let expression = Parser::new(&GenericDialect {}).try_with_sql(sql).unwrap().parse_expr().unwrap();
        let inner = match expression {
            Expr::Nested(inner) => *inner,
            other => other,
        };
        values_query(&inner).map(|query| query.to_string())
    }

    #[test]
    fn rows_come_back_as_they_were_written() {
        for sql in ["VALUES (1), (2)", "VALUES (1, 'a'), (2, 'b'), (3, NULL)", "VALUES (1 + 1)"] {
            assert_eq!(read(&format!("({sql})")).as_deref(), Some(sql));
        }
    }

    #[test]
    fn other_expressions_are_no_rows() {
        for sql in ["(1, 2)", "(lower('a'))", "(values('a') OVER ())", "(VALUES (1), 2)"] {
            assert_eq!(read(sql), None, "{sql}");
        }
    }
}
