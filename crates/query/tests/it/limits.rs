//! Memory, time and temporary space.

use std::time::Duration;

use query::{Error, SessionOptions};

use crate::pond::{Pond, failure, readings, rows, spec, try_rows};

fn options() -> SessionOptions {
    SessionOptions { threads: 2, ..SessionOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn sort_larger_than_memory_spills_to_the_directory_given() {
    let dir = tempfile::tempdir().unwrap();
    let session = Pond::new().session_with(SessionOptions {
        memory_limit_bytes: Some(12 << 20),
        temp_dir: Some(dir.path().to_owned()),
        ..options()
    });
    let sql = "SELECT count(*), min(n), max(r) FROM (SELECT value AS n, \
               row_number() OVER (ORDER BY value % 1000003, value) AS r \
               FROM generate_series(1, 1500000))";
    assert_eq!(rows(&session, sql).await, ["1500000 | 1 | 1500000"]);
    let analyzed = rows(&session, &format!("EXPLAIN ANALYZE {sql}")).await.join("\n");
    let spilled = analyzed.lines().any(|line| {
        line.contains("SortExec")
            && line.contains("spill_count=")
            && !line.contains("spill_count=0")
    });
    assert!(spilled, "{analyzed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn join_larger_than_memory_spills_and_gives_the_same_answer() {
    let limited = Pond::new()
        .session_with(SessionOptions { memory_limit_bytes: Some(12 << 20), ..options() });
    let unlimited = Pond::new().session_with(options());
    let side = "SELECT value % 400009 AS k, value AS n FROM generate_series(1, 600000)";
    for join in ["JOIN", "LEFT JOIN", "FULL OUTER JOIN"] {
        let sql = format!(
            "SELECT count(*), sum(a.n), sum(b.n), max(a.k) FROM ({side}) a {join} \
             (SELECT value * 3 AS k, value AS n FROM generate_series(1, 600000)) b ON a.k = b.k"
        );
        assert_eq!(rows(&limited, &sql).await, rows(&unlimited, &sql).await, "{join}");
        let plan = rows(&unlimited, &format!("EXPLAIN ANALYZE {sql}")).await.join("\n");
        assert!(plan.contains("HashJoin"), "{plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_of_unsorted_versions_keeps_within_memory() {
    let pond = Pond::new();
    for version in 0..3 {
        // Steps that are coprime to the count visit every second once.
        let data: Vec<(i64, f64)> = (0..60_000)
            .map(|at| (at * 7919 % 60_000 + version * 10, (version * 100_000 + at) as f64))
            .collect();
        pond.append("/a.series", &spec(), &readings(&data)).await;
    }
    let session =
        pond.session_with(SessionOptions { memory_limit_bytes: Some(6 << 20), ..options() });
    let sql = "SELECT count(*) FROM '/a.series'";
    assert_eq!(rows(&session, sql).await, ["60020"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn query_that_can_not_spill_fails_with_its_limit() {
    let session =
        Pond::new().session_with(SessionOptions { memory_limit_bytes: Some(2 << 20), ..options() });
    let sql = "SELECT array_agg(value) FROM generate_series(1, 5000000)";
    let error = failure(&session, sql).await;
    let Error::OutOfMemory { limit_bytes, .. } = error else { panic!("{error:?}") };
    assert_eq!(limit_bytes, Some(2 << 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn query_past_its_deadline_ends() {
    let session = Pond::new()
        .session_with(SessionOptions { deadline: Some(Duration::from_millis(1)), ..options() });
    // Long enough to be late, and short enough to end by itself.
    let sql = "SELECT count(*) FROM generate_series(1, 3000) a(x) \
               CROSS JOIN generate_series(1, 3000) b(y) WHERE x * y % 7 = 3";
    let error = failure(&session, sql).await;
    assert!(matches!(error, Error::Deadline { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_queries_use_one_name_at_once() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[(1, 1.0), (2, 2.0)])).await;
    pond.append("/a.series", &spec(), &readings(&[(2, 20.0)])).await;
    let session = pond.session();
    let queries = (0..16).map(|_| try_rows(&session, "SELECT sum(value) FROM '/a.series'"));
    for answer in futures::future::join_all(queries).await {
        assert_eq!(answer.unwrap(), ["21.0"]);
    }
}
