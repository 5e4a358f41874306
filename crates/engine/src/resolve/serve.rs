//! `milepost.reuse = transparent`: the parts of a plain query whose results the store holds are read and not computed.
//!
//! ```text
//! Sort                                      Sort
//!   Join                                      Join
//!     Aggregate                                 Projection: by_day.day AS day, …
//!       TableScan: sales           →              TableScan: by_day   (its signature is the Aggregate's)
//!     TableScan: days                           TableScan: days
//! ```
//!
//! From the root down: a part that is served is not looked into. A part is served only by a snapshot with its signature,
//! so by one that the part itself would have written here and now, and only where the result holds beyond its run.

use std::collections::BTreeMap;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::LogicalPlan;
use milepost_store::{Signature, Snapshot, Which};

use super::prepare::analyse;
use super::resolver::Resolver;
use crate::context::settings;
use crate::identity::{Determinism, Shape, Spot, identify_all, outline, tells_where_rows_lie};
use crate::scan::scan_as;
use crate::sql::is_closed;

/// How many plan nodes are hashed for one query at most. A query of a hundred nodes over a store of a hundred checkpoints
/// comes nowhere near it.
const NODES: usize = 100_000;

/// The snapshots that may serve parts of other queries: the newest of each checkpoint, if they hold beyond their run.
struct Offers {
    by_signature: BTreeMap<Signature, Vec<Snapshot>>,
    shapes: BTreeMap<usize, Vec<Shape>>,
}

/// A part of the query that may be served.
struct Part {
    at: usize,
    spot: Spot,
    plan: LogicalPlan,
}

/// A part that is served.
struct Served {
    part: Part,
    by: Snapshot,
    scan: LogicalPlan,
}

/// Puts what `show` makes of a snapshot and its scan in the place of every part that the store holds. Gives the plan
/// analysed, not optimised; none where nothing is served.
pub(super) async fn serve(
    resolver: &Resolver<'_>,
    plan: &LogicalPlan,
    show: impl Fn(&Snapshot, LogicalPlan) -> LogicalPlan,
) -> Result<Option<LogicalPlan>> {
    let analysed = analyse(resolver.state, plan.clone())?;
    let spots = outline(&analysed)?;
    // Most statements of a shell read a table or the catalog, and need no look at the store.
    if !spots.iter().any(may_be_served) {
        return Ok(None);
    }
    // It would tell where the snapshot's rows lie.
    if tells_where_rows_lie(&analysed).map_err(DataFusionError::from)?.is_some() {
        return Ok(None);
    }
    let Some(offers) = Offers::of_the_store(resolver).await else { return Ok(None) };
    let parts = offers.parts(&analysed, &spots)?;
    let served = offers.serve(resolver, parts).await?;
    if served.is_empty() {
        return Ok(None);
    }
    for Served { by, .. } in &served {
        resolver.outcomes.add(format!("{}: serves a part of the query, version {}", by.name, by.version));
    }
    replaced(analysed, &spots, &served, show).map(Some)
}

/// Whether a part does work that a snapshot may save, and reads what can have a version.
const fn may_be_served(spot: &Spot) -> bool {
    spot.works && !spot.describes
}

impl Offers {
    /// A store that cannot be listed serves nothing; the query needs none of it.
    async fn of_the_store(resolver: &Resolver<'_>) -> Option<Self> {
        let found = match resolver.milepost.overview(Which::Newest).await {
            Ok(found) => found,
            Err(error) => {
                let notice = format!("no checkpoint was looked for, all of the query is computed: {error}");
                resolver.milepost.notify(notice);
                return None;
            }
        };
        let (mut by_signature, mut shapes) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for snapshot in found.into_iter().flat_map(|checkpoint| checkpoint.snapshots) {
            let identity = &snapshot.manifest.identity;
            if !identity.reusable || identity.determinism != Determinism::Immutable.as_str() {
                continue;
            }
            let Some(shape) = Shape::of_stored(identity) else { continue };
            let shapes = shapes.entry(shape.size()).or_default();
            if !shapes.contains(&shape) {
                shapes.push(shape);
            }
            by_signature.entry(identity.signature).or_default().push(snapshot);
        }
        (!by_signature.is_empty()).then_some(Self { by_signature, shapes })
    }

    /// The parts that have the shape of a snapshot, the outermost first. Parts of one size do not stand in each other, so
    /// that all parts of one shape together have no more nodes than the query.
    fn parts(&self, plan: &LogicalPlan, spots: &[Spot]) -> Result<Vec<Part>> {
        let (mut parts, mut at, mut nodes) = (Vec::new(), 0, 0);
        plan.apply_with_subqueries(|node| {
            let spot = spots.get(at).copied().unwrap_or_default();
            let shapes = self.shapes.get(&spot.size).filter(|_| may_be_served(&spot));
            if shapes.is_some_and(|shapes| shapes.iter().any(|shape| shape.fits(node, spot.size))) {
                nodes += spot.size;
                if nodes > NODES {
                    return Ok(TreeNodeRecursion::Stop);
                }
                parts.push(Part { at, spot, plan: node.clone() });
            }
            at += 1;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(parts)
    }

    async fn serve(&self, resolver: &Resolver<'_>, parts: Vec<Part>) -> Result<Vec<Served>> {
        let plans: Vec<&LogicalPlan> = parts.iter().map(|part| &part.plan).collect();
        let milepost = &resolver.milepost;
        let identities = identify_all(&plans, resolver.state, &milepost.registries, &milepost.run).await;
        // The query itself says better what is wrong with a source.
        let Ok(identities) = identities else { return Ok(vec![]) };
        let (mut served, mut end) = (Vec::new(), 0);
        for (part, identity) in parts.into_iter().zip(identities) {
            let Some(identity) = identity.filter(|_| part.at >= end) else { continue };
            if !identity.reusable || !identity.determinism.is_immutable() || !is_closed(&part.plan)? {
                continue;
            }
            for snapshot in self.by_signature.get(&identity.signature).into_iter().flatten() {
                let scan = scan_as(&milepost.home, snapshot, part.plan.schema())?;
                if same_columns(scan.schema(), part.plan.schema()) && is_whole(resolver, snapshot).await {
                    end = part.spot.end;
                    served.push(Served { part, by: snapshot.clone(), scan });
                    break;
                }
            }
        }
        Ok(served)
    }
}

/// What a query did not ask for does not fail it: it is computed as if the snapshot were not there.
async fn is_whole(resolver: &Resolver<'_>, snapshot: &Snapshot) -> bool {
    let verify_reads = settings(resolver.state).verify_reads;
    match resolver.milepost.home.check(snapshot, verify_reads).await {
        Ok(()) => true,
        Err(error) => {
            let name = &snapshot.name;
            resolver.milepost.notify(format!("{name} does not serve this query, which is computed: {error}"));
            false
        }
    }
}

/// Names, relations, types, nullability and metadata: what the nodes above were planned with.
fn same_columns(one: &DFSchema, other: &DFSchema) -> bool {
    one.metadata() == other.metadata() && one.iter().eq(other.iter())
}

fn replaced(
    plan: LogicalPlan,
    spots: &[Spot],
    served: &[Served],
    show: impl Fn(&Snapshot, LogicalPlan) -> LogicalPlan,
) -> Result<LogicalPlan> {
    let mut at = 0;
    let replaced = plan.transform_down_with_subqueries(|node| {
        let this = served.iter().find(|served| served.part.at == at);
        let Some(Served { by, scan, part }) = this.filter(|served| served.part.plan == node) else {
            at += 1;
            return Ok(Transformed::no(node));
        };
        at = spots.get(part.at).map_or(at + 1, |spot| spot.end);
        Ok(Transformed::new(show(by, scan.clone()), true, TreeNodeRecursion::Jump))
    })?;
    Ok(replaced.data)
}
