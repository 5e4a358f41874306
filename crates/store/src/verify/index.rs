//! Index hints: each should lead to a snapshot that has its signature.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};

use super::finding::Problem;
use super::report::Damage;
use super::run::Verifier;
use crate::ids::{CheckpointName, Signature, Version};
use crate::index::{Hints, LostCommit};
use crate::log::LogState;

impl Verifier<'_> {
    /// What lies where the hints are.
    pub(super) async fn list_hints(&self) -> Vec<ObjectMeta> {
        let inner = &self.store.inner;
        let directory = inner.layout.indexes();
        let listed = inner.objects.list(Some(&directory)).try_collect().await;
        listed.unwrap_or_else(|source| {
            self.note(&directory, Problem::storage("index hints", &source), None, &[]);
            vec![]
        })
    }

    /// The commits that hints prove to have been written, and that a log has lost whose last version ever is `last`.
    pub(super) async fn lost_commits(
        &self,
        name: &CheckpointName,
        hints: &Hints,
        last: Version,
    ) -> Vec<LostCommit> {
        let inner = &self.store.inner;
        match hints.lost_commits(inner, name, last).await {
            Ok(lost) => lost,
            Err(error) => {
                let directory = inner.layout.indexes();
                let problem = self.problem_of(&directory, error).await;
                self.note(&directory, problem, Some(name), &[]);
                vec![]
            }
        }
    }

    /// Looks at a hint, unless another checkpoint was asked for.
    pub(super) fn verify_hint(&self, meta: &ObjectMeta, states: &BTreeMap<CheckpointName, LogState>) {
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
        // Without a log it may lead to a checkpoint that could not be read.
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
        // If it proves anything, the log was told to have lost it.
        None if version > state.last_version => None,
        None => Some(Problem::new(Damage::Stale, expected, "it was dropped")),
    }
}
