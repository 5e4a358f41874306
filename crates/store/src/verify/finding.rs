//! From errors to findings.

use object_store::path::Path;

use super::report::{Damage, Finding};
use super::run::Verifier;
use crate::error::Error;
use crate::ids::{CheckpointName, Version};
use crate::log::read_object;

/// What is the matter with an object.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) what: Damage,
    pub(super) expected: String,
    pub(super) found: String,
}

impl Problem {
    pub(super) fn new(what: Damage, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what, expected: expected.into(), found: found.into() }
    }

    pub(super) fn missing(expected: impl Into<String>) -> Self {
        Self::new(Damage::Missing, expected, "nothing")
    }

    /// It could not be read, or is not there.
    pub(super) fn storage(expected: impl Into<String>, source: &object_store::Error) -> Self {
        match source {
            object_store::Error::NotFound { .. } => Self::missing(expected),
            error => Self::new(Damage::Unreadable, expected, error.to_string()),
        }
    }
}

impl Verifier<'_> {
    /// Notes a problem of an object.
    pub(super) fn note(
        &self,
        object: impl std::fmt::Display,
        problem: Problem,
        checkpoint: Option<&CheckpointName>,
        versions: &[Version],
    ) {
        let Problem { what, expected, found } = problem;
        let (object, versions) = (object.to_string(), versions.to_vec());
        let mut report = self.report.lock();
        // Two snapshots may rely on one object.
        let known =
            report.findings.iter_mut().find(|finding| finding.object == object && finding.what == what);
        if let Some(known) = known {
            known.versions.extend(versions);
            known.versions.sort_unstable();
            known.versions.dedup();
            return;
        }
        let checkpoint = checkpoint.cloned();
        report.findings.push(Finding { object, what, expected, found, checkpoint, versions });
    }

    /// What an error says about a document: one that ends with its checksum.
    pub(super) async fn problem_of(&self, path: &Path, error: Error) -> Problem {
        let known = "a document that this program knows";
        match error {
            Error::Damaged { expected, found, .. } => {
                let what = self.how_damaged(path).await;
                Problem::new(what, expected, found)
            }
            Error::NewerFormat { found, supported, .. } => {
                Problem::new(Damage::Newer, format!("format {supported} or older"), format!("format {found}"))
            }
            Error::UnknownFeature { feature, .. } => {
                Problem::new(Damage::Newer, known, format!("one that needs the feature {feature:?}"))
            }
            Error::ForeignObject { detail, .. } => Problem::new(Damage::Foreign, known, detail),
            Error::Storage { source, .. } => Problem::storage(known, &source),
            Error::Invariant { name, detail } => Problem::new(Damage::Disagrees, name, detail),
            other => Problem::new(Damage::Unreadable, known, other.to_string()),
        }
    }

    async fn how_damaged(&self, path: &Path) -> Damage {
        match read_object(self.store.inner.objects.as_ref(), path).await {
            Ok(None) => Damage::Missing,
            // Every document ends so.
            Ok(Some(bytes)) if !bytes.ends_with(b"}\n") => Damage::Short,
            _ => Damage::Flipped,
        }
    }
}
