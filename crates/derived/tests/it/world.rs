//! A pond with computed nodes, and sessions that compute them.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use derived::{Derived, Place, registry};
use factory::{ComputedStore, Config, RunReport};
use query::{Session, SessionOptions};
use testing::TestPond;
use tinyfs::{Attributes, NewVersion, Store};

/// A pond whose cache lies beside it.
pub(crate) struct World {
    pub(crate) pond: TestPond,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self { pond: TestPond::new().await }
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.pond.beside().join("cache")
    }

    /// Makes a computed node, or gives it another configuration.
    pub(crate) async fn node(&self, path: &str, factory: &str, config: &str) {
        let config = Config::parse(path, config).unwrap();
        let entry_type = registry().get(factory).unwrap().check(&config).unwrap();
        self.pond.clock.advance(1_000_000);
        self.pond
            .pond
            .write(TestPond::intent(&format!("pond mknod {factory} {path}")), async |txn| {
                let fs = txn.fs();
                let content = fs.content(config.bytes()).await?;
                let version = NewVersion::bytes(content);
                fs.configure(path, entry_type, factory, Attributes::new(), version).await?;
                Ok::<_, steward::Error>(())
            })
            .await
            .unwrap();
    }

    /// A session over the newest state, and what computes its nodes.
    pub(crate) async fn session_with(&self, cache: Option<PathBuf>) -> (Session, Arc<Derived>) {
        let inner: Arc<dyn Store> = Arc::clone(self.pond.read().await.fs().store());
        let store = ComputedStore::new(inner, registry());
        let clock = Arc::clone(&self.pond.clock);
        let place = Place {
            formats: cache.as_ref().map(|cache| cache.join("formats")),
            cache,
            temp_dir: std::env::temp_dir(),
            pond: self.pond.pond.identity().pond_id,
            now_us: Arc::new(move || steward::Clock::now_us(clock.as_ref())),
        };
        let derived = Derived::new(registry(), place);
        let options = SessionOptions { threads: 2, ..SessionOptions::default() };
        let session = Session::new(store, options).unwrap();
        (session.with_computer(Arc::<Derived>::clone(&derived)), derived)
    }

    /// The answer of a query, as a table of text.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        self.try_ask(sql).await.unwrap()
    }

    pub(crate) async fn try_ask(&self, sql: &str) -> query::Result<String> {
        let (session, _) = self.session_with(Some(self.cache())).await;
        answer(&session, sql).await
    }

    /// The answer where nothing is kept.
    pub(crate) async fn ask_without_cache(&self, sql: &str) -> String {
        let (session, _) = self.session_with(None).await;
        answer(&session, sql).await.unwrap()
    }

    /// What a run of a reduction reports.
    pub(crate) async fn refresh(&self, path: &str) -> RunReport {
        let (session, derived) = self.session_with(Some(self.cache())).await;
        derived.refresh(&session, path).await.unwrap()
    }
}

async fn answer(session: &Session, sql: &str) -> query::Result<String> {
    let batches = session.sql(sql).await?.collect().await?;
    Ok(pretty_format_batches(&batches).unwrap().to_string())
}
