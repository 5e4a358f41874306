//! One checkpoint, identified and matched: may a snapshot serve it, and if not, why?

use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use futures::future::BoxFuture;
use milepost_store::{CheckpointName, Definition, Parent, Snapshot, Version, holds_password};

use super::resolver::Resolver;
use crate::config::{MilepostConfig, Reuse};
use crate::context::Home;
use crate::error::store_error;
use crate::identity::{PlanIdentity, describe_change, describe_plan_change, identify, settings};
use crate::logical::{released, with_true_dependencies};
use crate::scan::{named_snapshots_in, same_names, snapshots_in, version_read};

/// What a statement, a DataFrame or an inline node asks for.
pub(crate) struct Request<'a> {
    pub(crate) home: &'a Home,
    /// None: a name made of the signature.
    pub(crate) name: Option<CheckpointName>,
    /// The query, as written.
    pub(crate) plan: &'a LogicalPlan,
    pub(crate) definition: Option<Definition>,
    pub(crate) options: &'a [(String, String)],
    pub(crate) config: MilepostConfig,
    /// Written although a fresh snapshot exists.
    pub(crate) force: bool,
}

/// Whether a snapshot serves a request.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// This one does.
    Reuse(Snapshot),
    /// None does, for these reasons.
    Write(Vec<String>),
}

/// A request, ready to be served.
pub(crate) struct Prepared {
    pub(crate) name: CheckpointName,
    /// Inner checkpoints replaced by scans; what a stage runs. The analyzer changes some plans each time it sees them, so
    /// what runs is analysed once, when it is planned.
    pub(crate) plan: LogicalPlan,
    /// The same, analysed: what identity is taken from.
    pub(crate) analysed: LogicalPlan,
    pub(crate) identity: PlanIdentity,
    pub(crate) newest: Option<Snapshot>,
    pub(crate) verdict: Verdict,
    pub(crate) parents: Vec<Parent>,
    pub(crate) read_version: Option<Version>,
}

/// Analysed, not optimised: the form that identity is taken from.
pub(crate) fn analyse(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = with_true_dependencies(plan)?.data;
    state.analyzer().execute_and_check(plan, released(state).config_options(), |_, _| {})
}

impl Prepared {
    /// Identifies `request`, whose inner checkpoints are replaced already, and looks for a snapshot that serves it.
    pub(crate) fn of<'f>(
        resolver: &'f Resolver<'_>,
        request: &'f Request<'_>,
        resolved: LogicalPlan,
    ) -> BoxFuture<'f, Result<Self>> {
        Box::pin(async move {
            let analysed = analyse(resolver.state, resolved.clone())?;
            let plan = resolved;
            let milepost = &resolver.milepost;
            let identity = identify(&analysed, resolver.state, &milepost.registries, &milepost.run).await?;
            let name = match &request.name {
                Some(name) => name.clone(),
                None => automatic_name(&identity)?,
            };
            let read = snapshots_in(&plan)?;
            let newest = request.home.store.newest(&name).await.map_err(store_error)?;
            let read_version = version_read(&named_snapshots_in(&plan)?, &name);
            let verdict = match &newest {
                Some(newest) if read_version.is_some_and(|read| read != newest.version) => {
                    Verdict::Write(vec![format!(
                        "version {} came while the query was planned, which reads the one before it",
                        newest.version
                    )])
                }
                newest => verdict(request, &plan, &identity, newest.as_ref()).await?,
            };
            let parents = read
                .into_iter()
                .map(|s| Parent {
                    checkpoint: s.name.clone(),
                    version: s.version,
                    content: s.manifest.content,
                })
                .collect();
            Ok(Self { name, plan, analysed, identity, newest, verdict, parents, read_version })
        })
    }

    /// Whether it reads a version of its own checkpoint that is not the newest any more.
    pub(super) fn moved_on(&self) -> bool {
        let newest = self.newest.as_ref().map(|newest| newest.version);
        self.read_version.is_some_and(|read| newest != Some(read))
    }
}

/// `auto_` and half of the signature: 128 bits name a result well enough, and its match is by the whole.
fn automatic_name(identity: &PlanIdentity) -> Result<CheckpointName> {
    let hex = identity.signature.to_string();
    CheckpointName::parse(&format!("auto_{}", hex.get(..32).unwrap_or(&hex))).map_err(store_error)
}

async fn verdict(
    request: &Request<'_>,
    plan: &LogicalPlan,
    identity: &PlanIdentity,
    newest: Option<&Snapshot>,
) -> Result<Verdict> {
    let mut why = Vec::new();
    if request.force {
        why.push("FORCE was asked for".to_string());
    } else if request.config.reuse == Reuse::Off {
        why.push("milepost.reuse is off".to_string());
    } else if !identity.reusable {
        why.extend(identity.why_not_reusable.clone());
    } else {
        match newest {
            Some(newest) if newest.manifest.identity.signature == identity.signature => {
                // An inline checkpoint takes its names from the query around it; a named one is read by them.
                if request.name.is_none() || same_names(plan.schema(), newest) {
                    return Ok(Verdict::Reuse(newest.clone()));
                }
                why.push("its columns have other names".to_string());
            }
            Some(newest) => {
                if let Some(other) = transparent(request, identity).await? {
                    return Ok(Verdict::Reuse(other));
                }
                why = what_changed(newest, identity);
            }
            None => {
                if let Some(other) = transparent(request, identity).await? {
                    return Ok(Verdict::Reuse(other));
                }
                why.push("it does not exist yet".to_string());
            }
        }
    }
    Ok(Verdict::Write(why))
}

/// A snapshot under another name, where the settings let it serve.
async fn transparent(request: &Request<'_>, identity: &PlanIdentity) -> Result<Option<Snapshot>> {
    // Whoever names a checkpoint reads its newest version by that name afterwards: an older one cannot stand in for it.
    if request.config.reuse != Reuse::Transparent || request.name.is_some() {
        return Ok(None);
    }
    let found = request.home.store.find(identity.signature).await.map_err(store_error)?;
    Ok(found)
}

/// Why a snapshot's signature is not today's: the query, a setting, a source or the run.
pub(crate) fn what_changed(snapshot: &Snapshot, today: &PlanIdentity) -> Vec<String> {
    let then = &snapshot.manifest.identity;
    let mut why = Vec::new();
    if then.fingerprint != today.fingerprint {
        why.extend(describe_plan_change(&then.parts, &today.parts));
        if why.is_empty() {
            why.push(format!("it was made by {}", snapshot.manifest.producer));
        }
    }
    let settings = settings::describe_change(&then.settings, &today.settings);
    why.extend(settings.into_iter().map(|change| format!("setting {change}")));
    for (position, source) in today.sources.iter().enumerate() {
        let before = then.sources.get(position).filter(|before| before.name == source.name);
        let before = before.or_else(|| then.sources.iter().find(|before| before.name == source.name));
        match before {
            Some(before) if before.digest == source.digest && source.digest.is_some() => {}
            Some(before) => why.extend(describe_change(before, source)),
            None => why.push(format!("{} is a new source", source.name)),
        }
    }
    if why.is_empty() {
        why.push(match today.determinism.reason() {
            Some(reason) => format!("it holds within one run only: {reason}"),
            None => "its sources are read in another order".to_string(),
        });
    }
    why
}

/// The definition of a checkpoint that SQL made: its text, and the settings under which the text means what it means. None
/// is kept of a text that holds the password of a URL.
pub(crate) fn definition(state: &SessionState, sql: &str) -> Option<Definition> {
    if holds_password(sql) {
        return None;
    }
    let options = state.config_options();
    let mut settings = settings::meaningful(options);
    // A plan has its tables; a text has their names.
    let defaults = &options.catalog;
    settings.insert("datafusion.catalog.default_catalog".to_string(), defaults.default_catalog.clone());
    settings.insert("datafusion.catalog.default_schema".to_string(), defaults.default_schema.clone());
    Some(Definition { sql: sql.to_string(), settings })
}
