//! Settings of DataFusion that the environment gives: `DATAFUSION_EXECUTION_BATCH_SIZE=1000`.

use std::env;

use datafusion::common::plan_datafusion_err;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use object_store::path::Path;
use url::Url;

/// DataFusion's settings with those of the environment.
///
/// # Errors
/// A variable with a value that its setting cannot have, by name.
pub(crate) fn options() -> Result<ConfigOptions> {
    let options = ConfigOptions::from_env().map_err(|error| culprit().unwrap_or(error))?;
    if let Some(location) = &options.catalog.location {
        check_location(location)?;
    }
    Ok(options)
}

/// The first variable whose value cannot be. DataFusion's error does not name it.
fn culprit() -> Option<DataFusionError> {
    ConfigOptions::default().entries().into_iter().find_map(|entry| {
        let name = entry.key.to_uppercase().replace('.', "_");
        let value = env::var_os(&name)?;
        let value = value.to_string_lossy();
        let error = ConfigOptions::default().set(&entry.key, &value).err()?;
        Some(plan_datafusion_err!(
            "the environment has {name}={value}, which {} cannot be ({}): give it another value, or unset it",
            entry.key,
            error.find_root().strip_backtrace()
        ))
    })
}

/// DataFusion ends the process over a location that it cannot read.
fn check_location(location: &str) -> Result<()> {
    let refuse = |why: &str| {
        plan_datafusion_err!(
            "the environment has DATAFUSION_CATALOG_LOCATION={location}, which {why}: write a URL such as file:///data/tables"
        )
    };
    let url = Url::parse(location).map_err(|_| refuse("is no URL"))?;
    let host = url
        .host_str()
        .map_or_else(|| format!("{}://", url.scheme()), |host| format!("{}://{host}", url.scheme()));
    // As DataFusion itself takes it apart: what stands between scheme and path must be the host alone.
    match url.as_str().strip_prefix(&host).map(Path::parse) {
        Some(Ok(_)) => Ok(()),
        _ => Err(refuse("has more than a scheme, a host and a path")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_url_that_datafusion_can_take_apart() {
        for location in ["file:///data/tables", "file:///data/tables/", "s3://bucket/tables"] {
            assert!(check_location(location).is_ok(), "{location}");
        }
        for location in ["/data/tables", "tables", "mailto:me", "file:///data//tables", "s3://u:p@bucket/x"] {
            let error = check_location(location).unwrap_err().to_string();
            assert!(error.contains("DATAFUSION_CATALOG_LOCATION") && error.contains("file:///"), "{error}");
        }
    }
}
