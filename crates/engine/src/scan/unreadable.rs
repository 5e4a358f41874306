//! Says which file it was that could not be decoded. DataFusion's readers say what is wrong with the bytes, and not of which
//! file they are.

use arrow::error::ArrowError;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::{ListingTable, ListingTableUrl};
use datafusion::datasource::source_as_provider;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use milepost_store::redact;

use crate::error::Error;

/// How many places are named.
const MOST: usize = 3;

/// An error of a reader with the place of the files that `plan` reads, which is as near as can be told. Other errors stay as
/// they are.
#[must_use]
pub fn name_source(error: DataFusionError, plan: &LogicalPlan) -> DataFusionError {
    if !is_of_a_reader(&error) {
        return error;
    }
    match places(plan) {
        Ok(places) if !places.is_empty() && places.len() <= MOST => name_place(error, &places.join(" or ")),
        _ => error,
    }
}

/// An error of a reader with the place of what it read: a path or URL, of which no secret is shown. Other errors stay as they
/// are.
#[must_use]
pub fn name_place(error: DataFusionError, place: &str) -> DataFusionError {
    if place.is_empty() || !is_of_a_reader(&error) {
        return error;
    }
    Error::Unreadable { place: redact(place).into_owned(), source: Box::new(error) }.into()
}

/// Whether a reader of files could not decode what it read. What we say ourselves names the file.
fn is_of_a_reader(error: &DataFusionError) -> bool {
    if Error::find(error).is_some() {
        return false;
    }
    match error.find_root() {
        DataFusionError::ParquetError(_) => true,
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::CsvError(_)
            | ArrowError::JsonError(_)
            | ArrowError::IpcError(_)
            | ArrowError::ParquetError(_) => true,
            // The CSV reader's. A cast in the query says something else.
            ArrowError::ParseError(text) => text.starts_with("Error while parsing value"),
            ArrowError::ExternalError(error) => error.is::<parquet::errors::ParquetError>(),
            _ => false,
        },
        _ => false,
    }
}

/// Where the files of a plan's tables are, each once.
fn places(plan: &LogicalPlan) -> Result<Vec<String>> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = node else { return Ok(TreeNodeRecursion::Continue) };
        if let Some(view) = scan.source.get_logical_plan() {
            found.extend(places(&view)?);
        } else if let Ok(provider) = source_as_provider(&scan.source)
            && let Some(table) = provider.downcast_ref::<ListingTable>()
        {
            found.extend(table.table_paths().iter().map(place));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn place(url: &ListingTableUrl) -> String {
    let path = url.get_url().to_file_path().map(|path| path.display().to_string());
    let place = path.unwrap_or_else(|()| redact(url.as_str()).into_owned());
    match (url.get_glob(), url.is_collection()) {
        (Some(glob), _) => format!("a file {glob} of {place}"),
        (None, true) => format!("a file of {place}"),
        (None, false) => place,
    }
}
