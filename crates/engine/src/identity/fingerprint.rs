//! The identity of a plan: one fingerprint, one signature, and what they were made from.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use milepost_store::clock::{Clock, SystemClock};
use milepost_store::ids::{Fingerprint, Signature};
use milepost_store::manifest::{Identity, PlanPart, SourceVersion};

use super::canonical::{self, Encoder, PlanContext};
use super::determinism::{Determinism, determinism, tells_where_rows_lie};
use super::error::Result;
use super::extension::ExtensionRegistry;
use super::functions::FunctionVersions;
use super::leaves::Leaves;
use super::settings;
use super::source_version::SourceRegistry;

/// What identity asks besides the plan: how to identify sources, user functions and foreign plan nodes.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    /// Who answers for tables.
    pub sources: SourceRegistry,
    /// Declared versions of user functions.
    pub functions: FunctionVersions,
    /// Who answers for extension nodes.
    pub extensions: ExtensionRegistry,
}

/// The run that results belong to when they hold within one run only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPin {
    /// The run's id. It is unique, and the same after a resume.
    pub id: String,
    /// What `now()` is within the run: nanoseconds since 1970, UTC. The id stands for it in signatures.
    pub now_ns: i64,
}

impl RunPin {
    /// What `now()` is within the run.
    pub(crate) const fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.now_ns)
    }
}

/// The identity of one analysed plan at one moment.
#[derive(Debug, Clone)]
#[must_use]
pub struct PlanIdentity {
    /// What is computed.
    pub fingerprint: Fingerprint,
    /// What is computed, from what, under which settings and, where it matters, in which run. Unique to this call
    /// when `reusable` is false, so that it equals no other signature.
    pub signature: Signature,
    /// The plan in preorder, for [`describe_plan_change`](super::describe_plan_change).
    pub parts: Vec<PlanPart>,
    /// Every source once, in the order in which the plan first reads it.
    pub sources: Vec<SourceVersion>,
    /// How far the result holds.
    pub determinism: Determinism,
    /// Whether a snapshot with this signature may be used at all (within its run, unless immutable).
    pub reusable: bool,
    /// The settings that bear meaning, by key; unset ones are left out, values of extensions are hashed.
    pub settings: BTreeMap<String, String>,
    /// Why it is not reusable, in a sentence for people.
    pub why_not_reusable: Option<String>,
}

impl PlanIdentity {
    /// The form in which a manifest keeps it.
    pub fn to_manifest(&self) -> Identity {
        Identity {
            fingerprint: self.fingerprint,
            signature: self.signature,
            determinism: self.determinism.as_str().to_owned(),
            reusable: self.reusable,
            parts: self.parts.clone(),
            sources: self.sources.clone(),
            settings: self.settings.clone(),
        }
    }
}

/// Identifies an analysed plan (`analyzer().execute_and_check`, not optimised).
///
/// Looks at every source anew: files are listed from their store, and DataFusion's cached listing of each table is
/// dropped, so that a scan planned after this call reads what was identified. It waits up to a few seconds for files
/// that were written this very moment.
///
/// # Errors
/// The plan is no query, has unbound parameters, or one of its sources cannot be looked at.
pub async fn identify(
    plan: &LogicalPlan,
    state: &SessionState,
    registries: &Registries,
    run: &RunPin,
) -> Result<PlanIdentity> {
    let leaves = Leaves::identify(plan, state, &registries.sources).await?;
    of_leaves(plan, &leaves, state, registries, run)
}

/// Identifies plans that stand in one query, and so read the same tables, by one look at each table.
///
/// # Errors
/// One of the sources cannot be looked at. A plan that has no identity, since it is no query or has unbound parameters, is
/// none in the result.
pub(crate) async fn identify_all(
    plans: &[&LogicalPlan],
    state: &SessionState,
    registries: &Registries,
    run: &RunPin,
) -> Result<Vec<Option<PlanIdentity>>> {
    let leaves = Leaves::identify_all(plans, state, &registries.sources).await?;
    let identities = plans.iter().map(|plan| of_leaves(plan, &leaves.within(plan)?, state, registries, run));
    Ok(identities.map(Result::ok).collect())
}

/// The identity of a plan whose sources have answered.
fn of_leaves(
    plan: &LogicalPlan,
    leaves: &Leaves,
    state: &SessionState,
    registries: &Registries,
    run: &RunPin,
) -> Result<PlanIdentity> {
    let config = state.config_options();
    let context = PlanContext {
        config,
        functions: &registries.functions,
        extensions: &registries.extensions,
        properties: state.execution_props(),
        leaves,
    };
    let canonical = canonical::encode_plan(plan, &context)?;
    let determinism = determinism(plan, config, &registries.functions)?;
    let settings = settings::recorded(config);
    let unknown = canonical.unknown.into_iter().next().or_else(|| leaves.why_unknown());
    let where_they_lie = tells_where_rows_lie(plan)?.map(|name| format!("{name}() tells where rows lie"));
    let why_not_reusable = unknown.or(where_they_lie);

    let mut out = Encoder::new();
    out.bytes(canonical.fingerprint.as_bytes());
    out.map(settings.iter());
    out.len(leaves.occurrences().len());
    for version in leaves.occurrences() {
        out.option(version.digest.as_ref(), |out, digest| out.bytes(digest.as_bytes()));
    }
    out.option((!determinism.is_immutable()).then_some(&run.id), |out, id| out.str(id));
    out.option(why_not_reusable.as_ref().map(|_| SystemClock.ulid().to_string()), |out, nonce| {
        out.str(&nonce)
    });

    Ok(PlanIdentity {
        fingerprint: canonical.fingerprint,
        signature: Signature::from_bytes(out.hash()),
        parts: canonical.parts,
        sources: leaves.distinct(),
        determinism,
        reusable: why_not_reusable.is_none(),
        settings,
        why_not_reusable,
    })
}

/// The versions that the plan's sources have now, in the order of [`PlanIdentity::sources`].
///
/// Compare them with those of an earlier [`identify`] through [`source_changes`](super::source_changes) before a
/// commit.
///
/// # Errors
/// One of the sources cannot be looked at.
pub async fn source_versions(
    plan: &LogicalPlan,
    state: &SessionState,
    registries: &Registries,
) -> Result<Vec<SourceVersion>> {
    Ok(Leaves::identify(plan, state, &registries.sources).await?.distinct())
}
