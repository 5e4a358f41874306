//! Index hints: each should lead to a snapshot that has its signature.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};

use super::finding::Problem;
use super::report::Damage;
use super::run::Verifier;
use crate::ids::{CheckpointName, Signature, Version};
use crate::log::LogState;

impl Verifier<'_> {
    /// Looks at all hints, or at those to the checkpoint that was asked for.
    pub(super) async fn verify_index(&self, states: &BTreeMap<CheckpointName, LogState>) {
        let inner = &self.store.inner;
        let directory = inner.layout.indexes();
        let mut listed = inner.objects.list(Some(&directory));
        loop {
            match listed.try_next().await {
                Ok(Some(meta)) => self.verify_hint(&meta, states).await,
                Ok(None) => return,
                Err(source) => {
                    self.note(&directory, Problem::storage("index hints", &source), None, &[]);
                    return;
                }
            }
        }
    }

    async fn verify_hint(&self, meta: &ObjectMeta, states: &BTreeMap<CheckpointName, LogState>) {
        let Some((signature, name, version)) = self.store.inner.layout.parse_hint(&meta.location) else {
            if self.options.name.is_none() {
                let problem = Problem::new(Damage::Foreign, "an index hint's name", "another name");
                self.note(&meta.location, problem, None, &[]);
            }
            return;
        };
        if self.options.name.as_ref().is_some_and(|wanted| *wanted != name) {
            return;
        }
        self.count(|checked| checked.hints += 1);
        let Some(problem) = judge(&signature, &name, version, states) else { return };
        // Without a log it may lead to a checkpoint that could not be read; and a version may be newer than the look.
        self.note(&meta.location, problem, Some(&name), &[]);
    }
}

fn judge(
    signature: &Signature,
    name: &CheckpointName,
    version: Version,
    states: &BTreeMap<CheckpointName, LogState>,
) -> Option<Problem> {
    let expected = format!("version {version} of {name}");
    let Some(state) = states.get(name) else {
        return Some(Problem::new(Damage::Stale, expected, "no log that can be read"));
    };
    match state.find(version) {
        Some(live) if live.signature == *signature => None,
        Some(live) => {
            let found = format!("one with signature {}", live.signature);
            Some(Problem::new(Damage::Foreign, format!("{expected} with signature {signature}"), found))
        }
        // Committed since the log was read.
        None if version > state.last_version => None,
        None => Some(Problem::new(Damage::Stale, expected, "it was dropped")),
    }
}
