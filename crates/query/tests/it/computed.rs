//! Computed nodes, over a toy that computes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::datasource::ViewTable;
use query::{
    ComputedTable, Computer, Error, Inputs, Lineage, Locality, Result, SessionOptions, TimeBounds,
};
use tinyfs::{ContentHash, EntryType, NewVersion, NodePath};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::pond::{NEW_YEAR, Pond, SECOND, readings, spec};

/// A node's configuration is `INPUT|QUERY`, the query over `x`; that of a file
/// is its text.
#[derive(Debug)]
struct Toy;

#[async_trait]
impl Computer for Toy {
    async fn table(&self, found: &NodePath, inputs: &Inputs) -> Result<ComputedTable> {
        let text = inputs.fs().read_to_end(&found.path, 1000).await?;
        let text = String::from_utf8(text).unwrap();
        let (input, query) = text.split_once('|').unwrap();
        let input = inputs.table(input).await?;
        let names = BTreeMap::from([("x".to_owned(), Arc::clone(&input.provider))]);
        let plan = inputs.sql(query, names).await?;
        Ok(ComputedTable {
            provider: Arc::new(ViewTable::new(plan, None)),
            time_column: input.time_column.clone(),
            time_unit: input.time_unit,
            lineage: Arc::new(Lineage::Computed {
                path: found.path.clone(),
                definition: ContentHash::of(text.as_bytes()),
                locality: Locality::Same,
                inputs: vec![input.lineage],
            }),
            notes: Vec::new(),
        })
    }

    async fn bytes(
        &self,
        _found: &NodePath,
        _inputs: &Inputs,
        out: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<u64> {
        out.write_all(b"made").await.map_err(|error| Error::Write(Arc::new(error)))?;
        Ok(4)
    }
}

impl Pond {
    async fn computed(&self, path: &str, entry_type: EntryType, config: &str) {
        let content = self.fs.content(config.as_bytes()).await.unwrap();
        let version = NewVersion::bytes(content);
        self.fs.create_dynamic(path, entry_type, "toy", version).await.unwrap();
    }
}

/// Ten rows a second apart from the new year on, and a mean of them.
async fn pond() -> Pond {
    let pond = Pond::new();
    let rows: Vec<(i64, f64)> = (0..10).map(|at| (at, at as f64)).collect();
    pond.append("/a.series", &spec(), &readings(&rows)).await;
    let config =
        "/a.series|SELECT date_trunc('minute', time) AS time, avg(value) AS v FROM x GROUP BY 1";
    pond.computed("/mean", EntryType::DynamicSeries, config).await;
    pond
}

async fn one(session: &query::Session, sql: &str) -> String {
    let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
    arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string()
}

#[tokio::test]
async fn what_is_to_be_seen_cuts_the_result_and_never_its_inputs() {
    let pond = pond().await;
    let seen = |start| SessionOptions {
        time_range: TimeBounds { start_us: Some(start), end_us: None },
        threads: 2,
        ..SessionOptions::default()
    };
    let session = pond.session_with(seen(NEW_YEAR)).with_computer(Arc::new(Toy));
    assert!(one(&session, "SELECT v FROM '/mean'").await.contains("| 4.5 |"));
    let session = pond.session_with(seen(NEW_YEAR + SECOND)).with_computer(Arc::new(Toy));
    assert!(one(&session, "SELECT count(*) AS n FROM '/mean'").await.contains("| 0 |"));
    assert!(one(&session, "SELECT count(*) AS n FROM '/a.series'").await.contains("| 9 |"));
}

#[tokio::test]
async fn without_a_computer_a_computed_node_has_no_rows() {
    let pond = pond().await;
    let error = pond.session().sql("SELECT * FROM '/mean'").await.unwrap_err();
    assert!(matches!(error, Error::NotATable { .. }), "{error:?}");
}

#[tokio::test]
async fn names_do_not_leak_between_nodes_and_the_query() {
    let pond = pond().await;
    let session = pond.session().with_computer(Arc::new(Toy));
    assert!(one(&session, "SELECT v FROM '/mean'").await.contains("4.5"));
    let error = session.sql("SELECT * FROM x").await.unwrap_err();
    assert!(matches!(error, Error::NoSuchTable { .. }), "{error:?}");
    pond.computed("/peek", EntryType::DynamicTable, "/mean|SELECT * FROM '/a.series'").await;
    let session = pond.session().with_computer(Arc::new(Toy));
    let error = session.sql("SELECT * FROM '/peek'").await.unwrap_err();
    assert!(matches!(error, Error::NoSuchTable { .. }), "{error:?}");
    pond.computed("/show", EntryType::DynamicTable, "/mean|EXPLAIN SELECT * FROM x").await;
    let session = pond.session().with_computer(Arc::new(Toy));
    let error = session.sql("SELECT * FROM '/show'").await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn depth_is_bounded_and_circles_are_named() {
    let pond = pond().await;
    pond.computed("/n0", EntryType::DynamicTable, "/mean|SELECT * FROM x").await;
    for at in 1..70 {
        let config = format!("/n{}|SELECT * FROM x", at - 1);
        pond.computed(&format!("/n{at}"), EntryType::DynamicTable, &config).await;
    }
    let session = pond.session().with_computer(Arc::new(Toy));
    assert!(one(&session, "SELECT v FROM '/n20'").await.contains("4.5"));
    let session = pond.session().with_computer(Arc::new(Toy));
    let error = session.sql("SELECT * FROM '/n69'").await.unwrap_err();
    assert!(matches!(error, Error::TooDeep { limit: 64, .. }), "{error:?}");
    // It is as deep where the levels below it were planned before.
    let session = pond.session().with_computer(Arc::new(Toy));
    for at in 0..=62 {
        session.table(&format!("/n{at}")).await.unwrap();
    }
    for path in ["/n63", "/n64", "/n63*"] {
        let error = session.table(path).await.unwrap_err();
        assert!(matches!(error, Error::TooDeep { limit: 64, .. }), "{path}: {error:?}");
    }
    pond.computed("/self", EntryType::DynamicTable, "/self|SELECT * FROM x").await;
    let session = pond.session().with_computer(Arc::new(Toy));
    let error = session.sql("SELECT * FROM '/self'").await.unwrap_err();
    assert!(matches!(&error, Error::Cycle { names } if names == &["/self", "/self"]), "{error:?}");
}

#[tokio::test]
async fn bytes_of_computed_nodes_are_their_rows_or_what_is_made() {
    let pond = pond().await;
    pond.computed("/text", EntryType::DynamicData, "anything").await;
    let session = pond.session().with_computer(Arc::new(Toy));
    let mut bytes = Vec::new();
    assert_eq!(query::write_bytes(&session, "/text", &mut bytes).await.unwrap(), 4);
    assert_eq!(bytes, b"made");
    let mut bytes = Vec::new();
    query::write_bytes(&session, "/mean", &mut bytes).await.unwrap();
    let rows = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(
        bytes::Bytes::from(bytes),
        1024,
    );
    let rows: usize = rows.unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 1);
}
