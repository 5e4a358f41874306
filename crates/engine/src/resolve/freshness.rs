//! Is a snapshot that is read by its name still what its definition would give today?
//!
//! Its stored definition is planned again under its stored settings and identified; equal signatures mean fresh. A
//! snapshot that reads a stale one is stale itself. A checkpoint that reads its own earlier version is judged by its
//! other sources: each of its versions is a step, and the newest step is no staler for being the newest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::config::ConfigField;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::dialect::dialect_from_str;
use futures::future::BoxFuture;
use milepost_store::{CheckpointName, Definition, Snapshot, Version};
use parking_lot::Mutex;

use super::prepare::{Request, analyse, what_changed};
use super::resolver::{Mode, Resolved, Resolver};
use crate::config::OnStale;
use crate::context::{Milepost, settings};
use crate::error::Error;
use crate::identity::identify;
use crate::identity::settings::meaningful;
use crate::scan::{ReadBy, SNAPSHOT_KIND, SnapshotTable, named_snapshots_in, version_read};
use crate::sql::parse_query;

/// What is known of a snapshot's freshness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Its signature is today's.
    Fresh,
    /// It is not.
    Stale {
        /// What changed.
        why: Vec<String>,
        /// The stale checkpoints that it reads, in the order in which to refresh them.
        below: Vec<CheckpointName>,
    },
    /// It cannot be told here, for this reason.
    Unknown(String),
}

/// Judges a snapshot in this session.
pub(crate) async fn freshness(resolver: &Resolver<'_>, snapshot: &Snapshot) -> Result<Freshness> {
    Judge::new(Arc::clone(&resolver.milepost), resolver.state).judge(snapshot).await
}

/// Chains of checkpoints are followed this far; each link is another name, so real chains are short.
const DEPTH: usize = 64;

/// Judges snapshots at one moment, also many side by side: a checkpoint that many read is looked at for all of them.
pub(crate) struct Judge<'a> {
    milepost: Arc<Milepost>,
    /// The session's own, under which every definition's settings are laid.
    state: &'a SessionState,
    /// What most definitions share, made once: the state under their settings.
    states: Mutex<BTreeMap<BTreeMap<String, String>, Arc<SessionState>>>,
    known: Mutex<BTreeMap<(CheckpointName, Version), Freshness>>,
}

/// The checkpoints that are being judged, in the order of reading.
type Chain = Vec<CheckpointName>;

/// A verdict, and whose freshness it took for granted because they read each other.
struct Judged {
    freshness: Freshness,
    assumes: BTreeSet<CheckpointName>,
    /// The chain was too long to follow to its end.
    cut: bool,
}

impl From<Freshness> for Judged {
    fn from(freshness: Freshness) -> Self {
        Self { freshness, assumes: BTreeSet::new(), cut: false }
    }
}

impl<'a> Judge<'a> {
    pub(crate) fn new(milepost: Arc<Milepost>, state: &'a SessionState) -> Self {
        Self { milepost, state, states: Mutex::default(), known: Mutex::default() }
    }

    /// Judges a snapshot.
    ///
    /// # Errors
    /// The store's. A definition that cannot be planned is no error: then nobody knows.
    pub(crate) async fn judge(&self, snapshot: &Snapshot) -> Result<Freshness> {
        Ok(self.judge_in_chain(snapshot, &Chain::new()).await?.freshness)
    }

    fn judge_in_chain<'f>(
        &'f self,
        snapshot: &'f Snapshot,
        chain: &'f Chain,
    ) -> BoxFuture<'f, Result<Judged>> {
        Box::pin(async move {
            let key = (snapshot.name.clone(), snapshot.version);
            if let Some(known) = self.known.lock().get(&key) {
                return Ok(known.clone().into());
            }
            if chain.contains(&snapshot.name) {
                // They read each other: all are fresh unless one of them has a reason of its own.
                let assumes = BTreeSet::from([snapshot.name.clone()]);
                return Ok(Judged { freshness: Freshness::Fresh, assumes, cut: false });
            }
            if chain.len() >= DEPTH {
                let why = "its chain of checkpoints is too long to follow".to_string();
                return Ok(Judged { cut: true, ..Freshness::Unknown(why).into() });
            }
            let longer = chain.iter().chain([&snapshot.name]).cloned().collect();
            let mut judged = self.look(snapshot, &longer).await?;
            judged.assumes.remove(&snapshot.name);
            // What was taken for granted may turn out otherwise, and a chain that begins here is shorter.
            if judged.assumes.is_empty() && !judged.cut {
                self.known.lock().insert(key, judged.freshness.clone());
            }
            Ok(judged)
        })
    }

    async fn look(&self, snapshot: &Snapshot, chain: &Chain) -> Result<Judged> {
        let stored = &snapshot.manifest.identity;
        let Some(definition) = &snapshot.manifest.definition else {
            let why = format!("{WITHOUT_DEFINITION}, and no definition is stored");
            return Ok(Freshness::Unknown(why).into());
        };
        let state = match self.state_of(definition) {
            Ok(state) => state,
            Err(error) => return Ok(Freshness::Unknown(error.to_string()).into()),
        };
        let within = Resolver::new(Arc::clone(&self.milepost), &state, Mode::Peek);
        let plan = match plan_definition(&state, &definition.sql).await {
            Ok(plan) => plan,
            Err(error) => {
                return Ok(
                    Freshness::Unknown(format!("its definition cannot be planned here: {error}")).into()
                );
            }
        };
        let plan = match within.resolve(&plan).await? {
            Resolved::Plan(plan) => analyse(&state, *plan)?,
            Resolved::WouldWrite(inner) => {
                return Ok(Freshness::Stale { why: vec![format!("below it, {inner}")], below: vec![] }.into());
            }
        };
        let today = identify(&plan, &state, &self.milepost.registries, &self.milepost.run).await?;
        let read = named_snapshots_in(&plan)?;
        let reads_itself = version_read(&read, &snapshot.name).is_some();
        let same = if reads_itself {
            same_but_for_itself(snapshot, &today)
        } else {
            stored.signature == today.signature
        };
        if !same {
            if !today.determinism.is_immutable() {
                let reason =
                    today.determinism.reason().unwrap_or("its result differs from run to run").to_string();
                return Ok(Freshness::Unknown(format!("it holds for one run only: {reason}")).into());
            }
            if let (false, Some(reason)) = (today.reusable, today.why_not_reusable.clone()) {
                return Ok(Freshness::Unknown(reason).into());
            }
            return Ok(Freshness::Stale { why: what_changed(snapshot, &today), below: vec![] }.into());
        }
        let (mut assumes, mut cut, mut unknown) = (BTreeSet::new(), false, None);
        for parent in read.iter().filter(|parent| parent.name != snapshot.name) {
            let judged = self.judge_in_chain(parent, chain).await?;
            match judged.freshness {
                Freshness::Fresh => {}
                Freshness::Stale { why, mut below } => {
                    below.push(parent.name.clone());
                    let why = vec![format!("it reads {}, which is stale: {}", parent.name, why.join("; "))];
                    return Ok(Freshness::Stale { why, below }.into());
                }
                Freshness::Unknown(why) => {
                    let why = format!("it reads {}, of which nobody can tell: {why}", parent.name);
                    unknown.get_or_insert(Freshness::Unknown(why));
                }
            }
            assumes.extend(judged.assumes);
            cut |= judged.cut;
        }
        Ok(Judged { freshness: unknown.unwrap_or(Freshness::Fresh), assumes, cut })
    }

    fn state_of(&self, definition: &Definition) -> Result<Arc<SessionState>> {
        if let Some(known) = self.states.lock().get(&definition.settings) {
            return Ok(Arc::clone(known));
        }
        let state = Arc::new(state_of_definition(self.state, definition)?);
        self.states.lock().insert(definition.settings.clone(), Arc::clone(&state));
        Ok(state)
    }
}

/// Same query and same other sources; its own earlier version does not count.
fn same_but_for_itself(snapshot: &Snapshot, today: &crate::identity::PlanIdentity) -> bool {
    let stored = &snapshot.manifest.identity;
    let own = |source: &milepost_store::SourceVersion| {
        source.kind == SNAPSHOT_KIND && source.name == snapshot.name.as_str()
    };
    let others = |sources: &[milepost_store::SourceVersion]| -> Vec<_> {
        sources.iter().filter(|source| !own(source)).map(|source| source.digest).collect()
    };
    let (then, now) = (others(&stored.sources), others(&today.sources));
    stored.fingerprint == today.fingerprint
        && stored.settings == today.settings
        && then == now
        && now.iter().all(Option::is_some)
}

/// The session's state under the settings that a definition was written under.
pub(crate) fn state_of_definition(state: &SessionState, definition: &Definition) -> Result<SessionState> {
    let mut state = state.clone();
    let options = state.config_mut().options_mut();
    for key in meaningful(options).into_keys().filter(|key| !definition.settings.contains_key(key)) {
        options.reset(&key)?;
    }
    for (key, value) in &definition.settings {
        options.set(key, value)?;
    }
    // Functions that depend on a setting have taken it in when they were registered.
    let options = Arc::clone(state.config().options());
    let functions = state.scalar_functions().values();
    let depending = functions.filter_map(|function| function.inner().with_updated_config(&options));
    for function in depending.collect::<Vec<_>>() {
        state.register_udf(Arc::new(function))?;
    }
    Ok(state)
}

/// Plans a stored definition.
pub(crate) async fn plan_definition(state: &SessionState, sql: &str) -> Result<LogicalPlan> {
    let query = parse_definition(state, sql)?;
    state.statement_to_plan(query).await
}

fn parse_definition(state: &SessionState, sql: &str) -> Result<DFStatement> {
    let parser = &state.config_options().sql_parser;
    let dialect = dialect_from_str(parser.dialect)
        .ok_or_else(|| DataFusionError::Plan(format!("there is no SQL dialect '{}'", parser.dialect)))?;
    parse_query(sql, dialect.as_ref(), parser.recursion_limit.get())
}

/// Does what `on_stale` says for every snapshot that a plan reads by name. Returns the plan to use instead, where
/// refreshed versions took the place of stale ones.
pub(crate) async fn mind_staleness(
    resolver: &Resolver<'_>,
    plan: &LogicalPlan,
) -> Result<Option<LogicalPlan>> {
    let mut refreshed: Vec<Snapshot> = Vec::new();
    for snapshot in to_refresh(resolver, plan).await? {
        refreshed.push(refresh(resolver, &snapshot, false).await?.snapshot);
    }
    if refreshed.is_empty() { Ok(None) } else { read_instead(plan, &refreshed, resolver).map(Some) }
}

/// What `on_stale` wants refreshed before a plan is run. Stale snapshots that are read as they are leave a notice.
///
/// # Errors
/// [`Error::Stale`] and [`Error::Unjudged`] under `on_stale = error`.
pub(super) async fn to_refresh(resolver: &Resolver<'_>, plan: &LogicalPlan) -> Result<Vec<Snapshot>> {
    let policy = settings(resolver.state).on_stale;
    let mut stale = Vec::new();
    if policy == OnStale::Use {
        return Ok(stale);
    }
    let judge = Judge::new(Arc::clone(&resolver.milepost), resolver.state);
    for snapshot in named_snapshots_in(plan)? {
        // A step of a job that is done again reads what it read first.
        let as_of = resolver.milepost.turn.as_of(&snapshot.name);
        if resolver.is_making(&snapshot.name) || as_of.is_some_and(|as_of| as_of.again()) {
            continue;
        }
        let (name, version) = (snapshot.name.to_string(), snapshot.version.0);
        let (why, below) = match judge.judge(&snapshot).await? {
            Freshness::Fresh => continue,
            Freshness::Stale { why, below } => (why.join("; "), below),
            // Nobody may take for fresh what nobody can judge.
            Freshness::Unknown(why) if policy == OnStale::Error => {
                return Err(Error::Unjudged { name, version, why }.into());
            }
            // The session that reads it need not have the tables that it was made from.
            Freshness::Unknown(_) => continue,
        };
        match policy {
            OnStale::Error => {
                return Err(Error::Stale { refresh: refreshes(&below, &name), name, version, why }.into());
            }
            OnStale::Refresh => stale.push(snapshot),
            OnStale::Warn | OnStale::Use => resolver.milepost.notify(format!(
                "checkpoint {name} version {version} is stale: {why}; run {}",
                refreshes(&below, &name)
            )),
        }
    }
    Ok(stale)
}

/// The statements that bring a checkpoint up to date: what it reads comes first.
fn refreshes(below: &[CheckpointName], name: &str) -> String {
    let names = below.iter().map(CheckpointName::as_str).chain([name]);
    names.map(|name| format!("REFRESH CHECKPOINT {name}")).collect::<Vec<_>>().join(", then ")
}

/// Why there is no definition.
const WITHOUT_DEFINITION: &str = "a program made it, or a query around it, or its text holds a password";

/// Runs the stored definition of a snapshot's checkpoint and makes sure that its result is the newest version.
pub(crate) async fn refresh(
    resolver: &Resolver<'_>,
    snapshot: &Snapshot,
    force: bool,
) -> Result<super::Ensured> {
    let name = &snapshot.name;
    let Some(definition) = snapshot.manifest.definition.clone() else {
        let reason = WITHOUT_DEFINITION.to_string();
        return Err(Error::NoDefinition { name: name.to_string(), reason }.into());
    };
    let state = state_of_definition(resolver.state, &definition)?;
    let plan = plan_definition(&state, &definition.sql).await?;
    let options: Vec<_> = snapshot.manifest.options.clone().into_iter().collect();
    let config = settings(resolver.state).with_options(&options)?;
    let request = Request {
        home: &resolver.milepost.home,
        name: Some(name.clone()),
        plan: &plan,
        definition: Some(definition),
        options: &options,
        config,
        force,
    };
    resolver.under(&state).ensure(&request).await
}

/// The plan with each named scan of an old version turned into one of the new.
pub(super) fn read_instead(
    plan: &LogicalPlan,
    snapshots: &[Snapshot],
    resolver: &Resolver<'_>,
) -> Result<LogicalPlan> {
    let home = &resolver.milepost.home;
    let replaced = plan.clone().transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        let provider = source_as_provider(&scan.source)?;
        let old = provider
            .downcast_ref::<SnapshotTable>()
            .filter(|table| table.is_named())
            .map(SnapshotTable::snapshot);
        let new = old.and_then(|old| Some((old, snapshots.iter().find(|new| new.name == old.name)?)));
        Ok(match new {
            Some((old, new)) => {
                let table = SnapshotTable::new(home.clone(), new.clone(), ReadBy::Name);
                // Files call repeated columns by their places: their names stand in the manifest.
                if TableProvider::schema(&table) != provider.schema() || !new.manifest.has_names(old.manifest.column_names()) {
                    return plan_err!(
                        "checkpoint {} has other columns by now: run the statement again, and make views and prepared statements over it anew",
                        new.name
                    );
                }
                scan.source = provider_as_source(Arc::new(table));
                Transformed::yes(LogicalPlan::TableScan(scan))
            }
            None => Transformed::no(LogicalPlan::TableScan(scan)),
        })
    })?;
    Ok(replaced.data)
}
