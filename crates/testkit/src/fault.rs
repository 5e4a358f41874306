//! An object store that fails on purpose.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::rule::{Fault, Operation, Rule};
use crate::stop::{Stop, Stopping};
use crate::upload::FaultUpload;

/// A request that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its kind.
    pub operation: Operation,
    /// The object, or the prefix of a listing.
    pub path: String,
}

/// Wraps an object store, writes down every request, and fails those that its rules name. Clones share all.
#[derive(Clone, Debug)]
pub struct FaultStore {
    inner: Arc<dyn ObjectStore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    calls: Vec<Call>,
    late: Vec<(Path, PutPayload, PutOptions)>,
    random: Option<Random>,
    stopping: Option<Stopping>,
}

#[derive(Debug)]
struct Random {
    numbers: StdRng,
    probability: f64,
    /// Whether requests may come late, or be told that the object exists.
    wild: bool,
}

/// What is to happen to a request.
pub(crate) enum Verdict {
    Pass,
    Fail(Error),
    /// Do it, then fail.
    Lose,
    Late,
    /// Do half of it, then fail.
    Tear,
    Overwrite,
    Wait(std::time::Duration),
}

impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultStore({})", self.inner)
    }
}

impl FaultStore {
    /// A store that fails at nothing yet.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, state: Arc::default() }
    }

    /// Adds a rule. The first one that strikes decides.
    pub fn add(&self, rule: Rule) {
        self.state.lock().rules.push(rule);
    }

    /// Takes all rules, random faults and stops away.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.rules.clear();
        (state.random, state.stopping) = (None, None);
    }

    /// From now on requests are refused, and replies of writes lost, with this probability: the same ones for
    /// the same seed and the same order of requests.
    pub fn fail_at_random(&self, seed: u64, probability: f64) {
        let numbers = StdRng::seed_from_u64(seed);
        self.state.lock().random = Some(Random { numbers, probability, wild: false });
    }

    /// As [`Self::fail_at_random`]; and puts may come late, when [`Self::arrive`] says so, or hear wrongly that
    /// the object exists; and everything may take a few turns of other tasks.
    pub fn misbehave_at_random(&self, seed: u64, probability: f64) {
        let numbers = StdRng::seed_from_u64(seed);
        self.state.lock().random = Some(Random { numbers, probability, wild: true });
    }

    /// Stops at one request, counted from now and from 0, reads too.
    pub fn stop_at(&self, request: usize, how: Stop) {
        self.state.lock().stopping = Some(Stopping::new(request, how));
    }

    /// The object that [`Stop::Torn`] has left half written, if it has.
    #[must_use]
    pub fn torn(&self) -> Option<Path> {
        self.state.lock().stopping.as_ref().and_then(|stopping| stopping.torn.clone())
    }

    /// From now on `writes` more writes succeed; then every request fails, as if the process were gone.
    ///
    /// With `lose_last` one more write is done, but its caller hears of a failure.
    pub fn stop_after(&self, writes: usize, lose_last: bool) {
        let how = if lose_last { Stop::After } else { Stop::Before };
        self.state.lock().stopping = Some(Stopping::after_writes(writes, how));
    }

    /// Every request since the start, or since the last [`Self::forget_calls`], in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state.lock().calls.clone()
    }

    /// How many requests of this kind had `text` in their paths.
    #[must_use]
    pub fn count(&self, operation: Operation, text: &str) -> usize {
        let state = self.state.lock();
        state.calls.iter().filter(|call| call.operation == operation && call.path.contains(text)).count()
    }

    /// Starts counting anew.
    pub fn forget_calls(&self) {
        self.state.lock().calls.clear();
    }

    /// Lets the puts that were held back by [`Fault::ArriveLate`] arrive, in order, and gives their results.
    pub async fn arrive(&self) -> Vec<Result<PutResult>> {
        let late = std::mem::take(&mut self.state.lock().late);
        let mut results = vec![];
        for (path, payload, options) in late {
            results.push(self.inner.put_opts(&path, payload, options).await);
        }
        results
    }

    /// The store behind, which fails at nothing.
    #[must_use]
    pub fn inner(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.inner)
    }

    /// Lets others go first, at random: a store in memory never waits by itself.
    async fn dawdle(&self) {
        let turns = match &mut self.state.lock().random {
            Some(random) if random.wild => random.numbers.random_range(0..4),
            _ => 0,
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn judge(&self, operation: Operation, path: &str) -> Verdict {
        let mut state = self.state.lock();
        state.calls.push(Call { operation, path: path.to_owned() });
        if let Some(verdict) = state.stopping.as_mut().and_then(|stopping| stopping.judge(operation, path)) {
            return verdict;
        }
        let struck =
            state.rules.iter_mut().find_map(|rule| rule.strikes(operation, path).then(|| rule.fault.clone()));
        match struck {
            Some(fault) => verdict_of(&fault, path),
            None => state.random_verdict(operation),
        }
    }

    async fn pass(&self, operation: Operation, path: &str) -> Result<bool> {
        self.dawdle().await;
        match self.judge(operation, path) {
            Verdict::Pass | Verdict::Overwrite => Ok(false),
            Verdict::Lose | Verdict::Late | Verdict::Tear => Ok(true),
            Verdict::Fail(error) => Err(error),
            Verdict::Wait(time) => {
                tokio::time::sleep(time).await;
                Ok(false)
            }
        }
    }
}

impl State {
    fn random_verdict(&mut self, operation: Operation) -> Verdict {
        let Some(random) = &mut self.random else { return Verdict::Pass };
        if !random.numbers.random_bool(random.probability) {
            return Verdict::Pass;
        }
        if random.wild && operation == Operation::Put && random.numbers.random_bool(0.3) {
            return Verdict::Late;
        }
        if operation.writes() && random.numbers.random_bool(0.5) {
            return Verdict::Lose;
        }
        Verdict::Fail(failure("a random fault"))
    }
}

fn verdict_of(fault: &Fault, path: &str) -> Verdict {
    let path = path.to_owned();
    Verdict::Fail(match fault {
        Fault::Refuse => failure("an injected fault"),
        Fault::LoseReply => return Verdict::Lose,
        Fault::ArriveLate => return Verdict::Late,
        Fault::IgnoreCondition => return Verdict::Overwrite,
        Fault::Delay(time) => return Verdict::Wait(*time),
        Fault::ClaimExists => Error::AlreadyExists { path, source: "an injected fault".into() },
        Fault::Forbid => Error::PermissionDenied { path, source: "an injected fault".into() },
        Fault::FillDisk => {
            let source = std::io::Error::new(std::io::ErrorKind::StorageFull, "No space left on device");
            Error::Generic { store: "fault store", source: Box::new(source) }
        }
    })
}

pub(crate) fn failure(text: &'static str) -> Error {
    Error::Generic { store: "fault store", source: text.into() }
}

/// The first half of a payload.
fn half(payload: &PutPayload) -> PutPayload {
    let bytes: Vec<u8> = payload.iter().flatten().copied().collect();
    Bytes::from(bytes).slice(..payload.content_length() / 2).into()
}

/// The result of something that was done, unless its reply is lost.
fn reply<T>(result: Result<T>, lost: bool) -> Result<T> {
    if lost { Err(failure("the reply was lost")) } else { result }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        self.dawdle().await;
        match self.judge(Operation::Put, path.as_ref()) {
            Verdict::Fail(error) => return Err(error),
            Verdict::Late => {
                self.state.lock().late.push((path.clone(), payload, options));
                return Err(failure("the request is late"));
            }
            Verdict::Lose => return reply(self.inner.put_opts(path, payload, options).await, true),
            Verdict::Tear => {
                let half = half(&payload);
                return reply(self.inner.put_opts(path, half, options).await, true);
            }
            Verdict::Overwrite => options.mode = PutMode::Overwrite,
            Verdict::Wait(time) => tokio::time::sleep(time).await,
            Verdict::Pass => {}
        }
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let upload = self.inner.put_multipart_opts(path, options).await?;
        Ok(Box::new(FaultUpload::new(self.clone(), path.to_string(), upload)))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.pass(Operation::Get, path.as_ref()).await?;
        self.inner.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.pass(Operation::Get, path.as_ref()).await?;
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |path: Path| {
            let store = store.clone();
            async move {
                let lost = store.pass(Operation::Delete, path.as_ref()).await?;
                reply(store.inner.delete(&path).await.map(|()| path), lost)
            }
        };
        paths.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let prefix = prefix.cloned();
        let listed = async move {
            store.pass(Operation::List, prefix.as_ref().map_or("", Path::as_ref)).await?;
            Ok::<_, Error>(store.inner.list(prefix.as_ref()))
        };
        futures::stream::once(listed).try_flatten().boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let (prefix, offset) = (prefix.cloned(), offset.clone());
        let listed = async move {
            store.pass(Operation::List, prefix.as_ref().map_or("", Path::as_ref)).await?;
            Ok::<_, Error>(store.inner.list_with_offset(prefix.as_ref(), &offset))
        };
        futures::stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.pass(Operation::List, prefix.map_or("", Path::as_ref)).await?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let lost = self.pass(Operation::Copy, to.as_ref()).await?;
        reply(self.inner.copy_opts(from, to, options).await, lost)
    }
}

#[cfg(test)]
mod tests;
