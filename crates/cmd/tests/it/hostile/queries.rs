//! SQL that reaches for this machine or for all of its memory.

use super::{BEYOND_LIMIT_KIB, measured, refused};
use crate::program::Place;

#[test]
fn no_query_reaches_a_file_of_this_machine_or_changes_anything() {
    let place = Place::with_pond();
    let secret = place.write("secret.csv", "a\nhidden\n");
    let secret = secret.to_str().unwrap();
    place.write("t.csv", "a\n1\n");
    place.run(["copy", "host+csv+table:t.csv", "/t.table"]).ok();
    place.run(["ln", "-s", secret, "/link"]).ok();
    let up = "/..".repeat(12);
    for query in [
        format!("SELECT * FROM '{secret}'"),
        format!("SELECT * FROM 'file://{secret}'"),
        format!("SELECT * FROM '{up}{secret}'"),
        format!("SELECT * FROM 'host+csv:{secret}'"),
        format!("SELECT * FROM 'csv://{secret}'"),
        format!("SELECT * FROM \"{secret}\""),
        "SELECT * FROM '/link'".to_owned(),
        format!("SELECT * FROM read_csv('{secret}')"),
        format!("SELECT * FROM parquet_metadata('{secret}')"),
        "SELECT * FROM 'http://127.0.0.1:1/x.csv'".to_owned(),
        "SELECT * FROM 's3://bucket/x.parquet'".to_owned(),
        format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{secret}'"),
        format!("COPY (SELECT 1) TO '{}/out.csv'", place.dir().display()),
        format!("EXPLAIN ANALYZE COPY (SELECT 1) TO '{}/out.csv'", place.dir().display()),
        "COPY '/t.table' TO 'out.csv'".to_owned(),
        "INSERT INTO '/t.table' VALUES (2)".to_owned(),
        "DROP TABLE '/t.table'".to_owned(),
        "CREATE TABLE x AS SELECT 1".to_owned(),
        "CREATE FUNCTION f() RETURNS INT RETURN 1".to_owned(),
        "SET datafusion.execution.target_partitions = 1000000".to_owned(),
        "SET datafusion.catalog.location = '/'".to_owned(),
        "PREPARE p AS SELECT 1".to_owned(),
        "SELECT 1; SELECT 2".to_owned(),
        format!("LOAD '{secret}'"),
    ] {
        let ran = place.run(["sql", &query]);
        assert!(matches!(ran.code, 3 | 6), "{query}: {} {}", ran.code, ran.stderr);
        let code = ran.code;
        let ran = ran.fails(code);
        assert!(!ran.text().contains("hidden") && !ran.stderr.contains("hidden"), "{query}");
    }
    assert!(!place.path("out.csv").exists());
    place.run(["sql", "SELECT count(*) AS n FROM '/t.table'"]).ok().prints("n\n1\n");
}

#[test]
fn no_query_takes_much_more_memory_than_its_limit() {
    let place = Place::with_pond();
    for query in [
        "SELECT length(repeat('x', 1000000000))",
        "SELECT length(repeat(repeat('x', 100000), value)) FROM generate_series(1, 1000000)",
        "SELECT length(lpad('x', 1000000000))",
        "SELECT length(rpad('x', value, 'y')) FROM generate_series(1000000, 2000000) ",
        "SELECT array_length(array_repeat(1, 1000000000))",
        "SELECT array_length(array_repeat(array_repeat('x', 1000), 1000000))",
        "SELECT array_length(array_resize([1], 1000000000, 1))",
        "SELECT array_length(range(1, 1000000000))",
        "SELECT array_length(generate_series(timestamp '1970-01-01', timestamp '2030-01-01', \
         interval '1 second'))",
        "SELECT length(replace(repeat('x', 1000000), 'x', repeat('y', 1000000)))",
        "SELECT length(regexp_replace(repeat('x', 1000000), 'x', repeat('y', 1000000), 'g'))",
        "SELECT array_length(array_agg(value)) FROM generate_series(1, 20000000)",
        "SELECT length(string_agg(CAST(value AS VARCHAR), ',')) FROM generate_series(1, 9000000)",
    ] {
        let args = ["sql", query, "--memory-limit", "64MiB"];
        refused(&place, &args, 64).says("needs more memory than its limit");
    }
}

#[test]
fn what_is_within_the_limit_is_answered() {
    let place = Place::with_pond();
    for (query, answer) in [
        ("SELECT sum(length(repeat('ab', 10))) AS n FROM generate_series(1, 20000)", "400000"),
        ("SELECT lpad('7', 3, '0') AS n", "007"),
        ("SELECT sum(length(replace('a-b-c', '-', '...'))) AS n FROM generate_series(1, 9)", "81"),
        ("SELECT regexp_replace('abc', '[ab]', 'x', 'g') AS n", "xxc"),
        ("SELECT array_length(range(0, 10, 3)) AS n", "4"),
        ("SELECT array_length(array_repeat('x', 5)) AS n", "5"),
        (
            "SELECT array_length(generate_series(timestamp '2024-01-01', \
             timestamp '2024-01-02', interval '1 hour')) AS n",
            "25",
        ),
        // A batch whose worst is far beyond the share and whose result is not.
        (
            "SELECT sum(length(replace(repeat(CAST(value % 10 AS VARCHAR), 500), '3', \
             '0123456789'))) AS n FROM generate_series(0, 9999)",
            "9500000",
        ),
        ("SELECT count(*) AS n FROM generate_series(1, 300000) a", "300000"),
    ] {
        let ran = place.run(["sql", query, "--memory-limit", "64MiB"]).ok();
        assert_eq!(ran.text(), format!("n\n{answer}\n"), "{query}");
    }
}

#[test]
fn a_query_over_an_equal_query_is_computed_as_often_as_it_is_written() {
    let place = Place::with_pond();
    place.write("t.csv", "a,b\n1,x\n3,y\n");
    place.run(["copy", "host+csv+table:t.csv", "/t.table"]).ok();
    for (step, once, levels, answer) in [
        ("a * 2 AS a", "'/t.table'", 3, "a\n8\n24\n"),
        ("a * 2 AS a", "'/t.table'", 6, "a\n64\n192\n"),
        ("a + a AS a", "'/t.table'", 4, "a\n16\n48\n"),
        ("b || b AS b, a", "'/t.table'", 3, "b,a\nxxxxxxxx,1\nyyyyyyyy,3\n"),
        ("a - 1 AS a, a + 1 AS b", "'/t.table'", 3, "a,b\n-2,0\n0,2\n"),
    ] {
        let query =
            (0..levels).fold(once.to_owned(), |from, _| format!("(SELECT {step} FROM {from})"));
        let query = format!("SELECT * FROM {query} ORDER BY a");
        let ran = place.run(["sql", &query]).ok();
        assert_eq!(ran.text(), answer, "{query}");
    }
}

#[test]
fn queries_too_deep_or_too_wide_are_refused() {
    let place = Place::with_pond();
    for query in [
        format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("SELECT {}", vec!["1"; 100_000].join("+")),
        vec!["SELECT 1"; 5_000].join(" UNION ALL "),
        format!("SELECT {}1", "NOT ".repeat(20_000)),
        format!("SELECT {}", "a.".repeat(50_000)),
        format!("SELECT '{}'", "x".repeat(20)).repeat(3),
    ] {
        place.write("query", &query);
        refused(&place, &["sql", "-f", "query"], 128).fails(6);
    }
    let (ran, peak) = measured(&place, &["sql", "SELECT 1"]);
    ran.ok();
    assert!(peak.is_none_or(|peak| peak < BEYOND_LIMIT_KIB), "{peak:?}");
}
