//! Names of jobs.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::ids::broken_rule;

/// The name of a job: `[a-z_][a-z0-9_]{0,62}`, as for checkpoints.
///
/// Only a parsed name can become part of an object path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(String);

impl JobName {
    /// Checks `name` and takes it over.
    ///
    /// # Errors
    /// [`Error::InvalidJobName`] says which rule the name breaks.
    pub fn parse(name: &str) -> Result<Self, Error> {
        match broken_rule(name) {
            Some(reason) => Err(Error::InvalidJobName { name: name.chars().take(80).collect(), reason }),
            None => Ok(Self(name.to_owned())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for JobName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::parse(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_name_is_called_that_of_a_job() {
        assert_eq!(JobName::parse("nightly_2").unwrap().as_str(), "nightly_2");
        for bad in ["", "Nightly", "a-b", "../x", "a/b", &"a".repeat(64)] {
            let error = JobName::parse(bad).unwrap_err();
            assert!(error.to_string().starts_with("job name"), "{error}");
        }
    }
}
