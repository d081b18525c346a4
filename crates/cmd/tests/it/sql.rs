//! Questions.

use crate::program::{Place, json};

fn with_tables() -> Place {
    let place = Place::with_pond();
    place.run(["mkdir", "/t"]).ok();
    place.write("a.csv", "id,name\n1,one\n2,two\n");
    place.write("b.csv", "id,size\n1,10\n3,30\n");
    place.run(["copy", "host+csv+table:a.csv", "host+csv+table:b.csv", "/t"]).ok();
    place
}

#[test]
fn tables_are_joined_by_path() {
    let place = with_tables();
    place
        .run([
            "sql",
            "SELECT a.name, b.size FROM '/t/a.table' a JOIN '/t/b.table' b ON a.id = b.id",
        ])
        .ok()
        .prints("name,size\none,10\n");
}

#[test]
fn the_query_may_come_from_stdin_or_a_file() {
    let place = with_tables();
    place.run_with(b"SELECT 1 AS x", ["sql"]).ok().prints("x\n1\n");
    place.write("q.sql", "SELECT count(*) AS n FROM '/t/a.table'\n");
    place.run(["sql", "-f", "q.sql"]).ok().prints("n\n2\n");
    place.run(["sql", "-f", "missing.sql"]).fails(3);
    place.run_with(b"", ["sql"]).fails(2);
    place.run_with(b"\xff\xfe", ["sql"]).fails(6);
}

#[test]
fn the_pond_describes_itself() {
    let place = with_tables();
    place
        .run(["sql", "SELECT path FROM pond.entries ORDER BY path"])
        .ok()
        .prints("path\n/t\n/t/a.table\n/t/b.table\n");
    place.run(["sql", "SELECT count(*) AS n FROM pond.versions"]).ok().prints("n\n2\n");
    place.run(["sql", "SELECT count(*) AS n FROM pond.transactions"]).ok().prints("n\n2\n");
}

#[test]
fn sql_only_reads_and_only_the_pond() {
    let place = with_tables();
    place.write("secret.csv", "x\n1\n");
    for query in [
        "CREATE TABLE x (a INT)",
        "INSERT INTO '/t/a.table' VALUES (1, 'x')",
        "DROP TABLE \"/t/a.table\"",
        "COPY (SELECT 1) TO 'out.csv'",
        "CREATE EXTERNAL TABLE s STORED AS CSV LOCATION 'secret.csv'",
        "SET datafusion.execution.batch_size = 1",
        "SELECT 1; SELECT 2",
    ] {
        place.run(["sql", query]).fails(6);
    }
    place.run(["sql", "SELECT * FROM 'secret.csv'"]).fails(3);
    let path = format!("SELECT * FROM '{}'", place.path("secret.csv").display());
    place.run(["sql", &path]).fails(3);
    assert!(!place.path("out.csv").exists());
}

#[test]
fn host_files_are_seen_where_the_command_line_names_them() {
    let place = with_tables();
    place.write("c.csv", "id\n2\n");
    place
        .run([
            "sql",
            "--bind",
            "c=host+csv:c.csv",
            "SELECT name FROM '/t/a.table' JOIN c USING (id)",
        ])
        .ok()
        .prints("name\ntwo\n");
    place
        .run(["sql", "--bind", "a=/t/a.table", "SELECT count(*) AS n FROM a"])
        .ok()
        .prints("n\n2\n");
    place.run(["sql", "--bind", "c", "SELECT 1"]).fails(2);
    let empty = Place::empty();
    empty.write("c.csv", "id\n2\n");
    empty
        .run(["cat", "host+csv:c.csv", "--sql", "SELECT sum(id) AS s FROM source"])
        .ok()
        .prints("s\n2\n");
}

#[test]
fn what_is_misspelt_is_suggested() {
    let place = with_tables();
    place.run(["sql", "SELECT * FROM '/t/aa.table'"]).fails(3).says("/t/a.table");
    place.run(["sql", "SELECT nam FROM '/t/a.table'"]).fails(6).says("name");
    place.run(["sql", "SELEC 1"]).fails(6);
    place.run(["sql", "SELECT * FROM '/nope/*.table'"]).fails(3);
}

#[test]
fn explain_shows_a_plan() {
    let place = with_tables();
    let plan = place.run(["sql", "EXPLAIN SELECT * FROM '/t/a.table' WHERE id = 1"]).ok();
    assert!(plan.text().contains("plan"), "{}", plan.text());
}

#[test]
fn earlier_states_answer_too() {
    let place = with_tables();
    place.write("a.csv", "id,name\n1,changed\n");
    place.run(["copy", "host+csv+table:a.csv", "/t/a.table"]).ok();
    place
        .run(["sql", "--as-of", "2", "SELECT count(*) AS n FROM '/t/a.table'"])
        .ok()
        .prints("n\n2\n");
    place.run(["sql", "SELECT count(*) AS n FROM '/t/a.table'"]).ok().prints("n\n1\n");
    let rows = place.run(["sql", "--format", "json", "SELECT * FROM '/t/a.table'"]).ok();
    assert_eq!(json(rows.text())[0]["name"], "changed");
    place.run(["sql", "--as-of", "99", "SELECT 1"]).fails(3).says("pond log");
    place.run(["sql", "--as-of", "never", "SELECT 1"]).fails(2);
}

#[test]
fn empty_answers_are_whole_documents() {
    let place = with_tables();
    let run = |format: &str| {
        place.run(["sql", "--format", format, "SELECT * FROM '/t/a.table' WHERE id > 9"]).ok()
    };
    assert_eq!(run("csv").text(), "id,name\n");
    assert_eq!(json(run("json").text()), json("[]"));
    assert_eq!(run("ndjson").text(), "");
    assert!(run("table").text().ends_with("(0 rows)\n"));
    assert_eq!(&run("parquet").stdout[..4], b"PAR1");
}

#[test]
fn a_question_without_an_answer_for_its_data_is_refused_input() {
    let place = with_tables();
    place.run(["sql", "SELECT 1/0"]).fails(6).says("division by zero").says("nullif");
    place.run(["sql", "SELECT size / (id - 1) FROM '/t/b.table'"]).fails(6);
    place.run(["sql", "SELECT id % 0 FROM '/t/a.table'"]).fails(6).says("division by zero");
    place.run(["sql", "SELECT CAST('x' AS INT)"]).fails(6).says("Cannot cast string 'x'");
    place
        .run(["sql", "SELECT CAST(name AS INT) FROM '/t/a.table'"])
        .fails(6)
        .says("'one'")
        .says("try_cast");
    for query in [
        "SELECT arrow_cast(id * 1000, 'Int8') FROM '/t/a.table'",
        "SELECT to_timestamp(name) FROM '/t/a.table'",
        "SELECT (SELECT id FROM '/t/a.table')",
        "SELECT regexp_match(name, '(') FROM '/t/a.table'",
        "SELECT date_trunc('fortnight', now())",
    ] {
        place.run(["sql", query]).fails(6).says("has no answer for its data");
    }
    let long = "SELECT repeat(name, 9000000000) FROM '/t/a.table'";
    place.run(["sql", long]).fails(1).says("more memory than its limit");
}

#[test]
fn a_query_that_goes_on_ends_with_its_time_and_leaves_nothing() {
    let place = with_tables();
    place.write("c.csv", "id\n2\n");
    std::fs::create_dir(place.path("spill")).unwrap();
    // A step that never yields, on this thread and on others, and a sort that
    // spills for ever.
    let cross = "SELECT count(*) FROM generate_series(1, 100000) a(x) \
                 CROSS JOIN generate_series(1, 1000000000) b(y) WHERE x * y % 7 = 9";
    let spilling = "SELECT a.x * b.y AS v FROM generate_series(1, 100000) a(x) \
                    CROSS JOIN generate_series(1, 1000000000) b(y) ORDER BY v";
    for query in [cross, spilling] {
        place
            .run([
                "sql",
                "--timeout",
                "2s",
                "--memory-limit",
                "16MiB",
                "--temp-dir",
                "spill",
                query,
            ])
            .fails(1)
            .says("no answer after 2s")
            .says("--timeout");
        place
            .run([
                "cat",
                "host+csv:c.csv",
                "--timeout",
                "1s",
                "--temp-dir",
                "spill",
                "--sql",
                query,
            ])
            .fails(1)
            .says("no answer after 1s");
        let left: Vec<_> = std::fs::read_dir(place.path("spill")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
    // What is done in time is not disturbed.
    place.run(["sql", "--timeout", "1h", "SELECT 1 AS x"]).ok().prints("x\n1\n");
    place.run(["sql", "--timeout", "soon", "SELECT 1"]).fails(2);
    // Without a query there is nothing that it could end.
    place.run(["cat", "/t/a.table", "--timeout", "1s"]).fails(2).says("--sql");
}

#[test]
fn a_pipe_that_nobody_writes_to_ends_with_the_time() {
    use std::process::Stdio;
    let place = Place::empty();
    let mut child = place
        .command()
        .args(["cat", "host+csv:-", "--timeout", "1s", "--sql", "SELECT * FROM source"])
        .args(["--temp-dir", "."])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let held = child.stdin.take().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no answer after 1s"), "{said}");
    assert_eq!(std::fs::read_dir(place.dir()).unwrap().count(), 0);
    drop(held);
}

#[test]
fn a_parquet_file_of_this_machine_is_pruned_and_projected() {
    let place = with_tables();
    let query = "SELECT x AS n, 'row ' || x AS s FROM generate_series(1, 300000) t(x)";
    let file = place.run(["sql", "--format", "parquet", query]).ok().stdout;
    place.write("big.parquet", file);
    let where_late = "SELECT count(*) AS n, max(s) AS s FROM source WHERE n > 299998";
    let cat = |query: &str| place.run(["cat", "host+parquet:big.parquet", "--sql", query]).ok();
    assert_eq!(cat(where_late).text(), "n,s\n2,row 300000\n");
    let plan = cat(&format!("EXPLAIN {where_late}"));
    let plan = plan.text();
    assert!(plan.contains("DataSourceExec") && plan.contains("predicate=n@0 > 299998"), "{plan}");
    assert!(!plan.contains("StreamingTableExec"), "{plan}");
    let ran = cat(&format!("EXPLAIN ANALYZE {where_late}"));
    assert!(ran.text().contains("row_groups_pruned_statistics"), "{}", ran.text());
    // By a name, beside tables of the pond; compressed too.
    place
        .run([
            "sql",
            "--bind",
            "big=host+parquet:big.parquet",
            "SELECT a.name, big.s FROM big JOIN '/t/a.table' a ON a.id = big.n ORDER BY 1",
        ])
        .ok()
        .prints("name,s\none,row 1\ntwo,row 2\n");
    // The location that the plan shows is no name, nor is the file's own.
    let path = place.path("big.parquet");
    let file = format!("/{}", path.display());
    for name in ["host/0", "/host/0", "pond://content/host/0", path.to_str().unwrap(), &file] {
        let query = format!("SELECT * FROM '{name}'");
        place
            .run(["sql", "--bind", "big=host+parquet:big.parquet", &query])
            .fails(3)
            .says("no table");
    }
}

#[test]
fn a_damaged_parquet_file_of_this_machine_is_refused_input() {
    let place = Place::empty();
    let query = "SELECT x AS n, 'row ' || x AS s FROM generate_series(1, 3000) t(x)";
    let from = Place::with_pond();
    let file = from.run(["sql", "--format", "parquet", query]).ok().stdout;
    let mut codes = std::collections::BTreeSet::new();
    for at in (4..file.len() - 8).step_by(file.len() / 23) {
        let mut damaged = file.clone();
        for byte in &mut damaged[at..(at + 40).min(file.len() - 8)] {
            *byte ^= 0xa5;
        }
        place.write("x.parquet", damaged);
        let ran = place.run([
            "cat",
            "host+parquet:x.parquet",
            "--sql",
            "SELECT sum(n), max(s) FROM source",
        ]);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        codes.insert(ran.code);
    }
    assert!(codes.contains(&6), "{codes:?}");
    assert!(codes.is_subset(&[0, 6].into()), "{codes:?}");
}

#[test]
fn logs_and_metrics_of_this_machine_are_tables() {
    let place = Place::empty();
    let zstd = |name: &str, text: &str| {
        place.write(name, text);
        place.write(&format!("{name}.zst"), zstd::encode_all(text.as_bytes(), 3).unwrap());
    };
    zstd(
        "access.log",
        "10.0.0.1 - - [29/Feb/2024:00:00:00 +0000] \"GET /x HTTP/1.1\" 200 7\n\
         10.0.0.2 - - [29/Feb/2024:00:00:01 +0100] \"GET /y HTTP/1.1\" 404 -\n",
    );
    zstd("app.log", "starting\n{\"level\":\"info\",\"n\":1}\n{\"level\":\"warn\",\"n\":2}\n");
    zstd(
        "table.xls",
        "<table><tr><th>t</th><th>v</th></tr><tr><td>2024-01-01</td><td>2</td></tr></table>",
    );
    zstd(
        "m.jsonl",
        concat!(
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"load","gauge":"#,
            r#"{"dataPoints":[{"timeUnixNano":"1700000000000000000","asInt":"3"}]}}]}]}]}"#,
            "\n"
        ),
    );
    for (format, file, query, answer) in [
        (
            "weblog",
            "access.log",
            "SELECT path, status, bytes FROM source ORDER BY time",
            "path,status,bytes\n/y,404,\n/x,200,7\n",
        ),
        ("jsonlogs", "app.log", "SELECT level, n FROM source", "level,n\ninfo,1\nwarn,2\n"),
        ("excelhtml", "table.xls", "SELECT sum(v) AS v FROM source", "v\n2\n"),
        (
            "oteljson",
            "m.jsonl",
            "SELECT time, metric, value FROM source",
            "time,metric,value\n2023-11-14T22:13:20Z,load,3.0\n",
        ),
    ] {
        for url in [
            format!("host+{format}:{file}"),
            format!("host+{format}+zstd:{file}.zst"),
            format!("{format}:{file}.zst"),
        ] {
            place.run(["cat", &url, "--sql", query]).ok().prints(answer);
        }
    }
    // And as series of a pond.
    place.run(["init"]).ok();
    place.run(["copy", "host+weblog+series:access.log", "/w.series", "--time-column", "time"]).ok();
    place
        .run([
            "copy",
            "host+oteljson+series:m.jsonl",
            "/m.series",
            "--time-column",
            "time",
            "--key",
            "metric",
            "--key",
            "attributes",
            "--key",
            "resource",
        ])
        .ok();
    place.run(["copy", "host+oteljson+series:m.jsonl", "/m.series"]).ok();
    place
        .run(["sql", "SELECT count(*) AS n, min(value) AS v FROM '/m.series'"])
        .ok()
        .prints("n,v\n1,3.0\n");
    place.run(["sql", "SELECT count(*) AS n FROM '/w.series'"]).ok().prints("n\n2\n");
}

/// No operator holds what these make, so the engine's own limit never sees it.
#[cfg(target_os = "linux")]
#[test]
fn what_a_query_makes_is_held_to_the_limit_whatever_makes_it() {
    let place = Place::with_pond();
    let copies = vec!["a"; 300].join(", ");
    let wide = format!("SELECT length(concat({copies})) FROM (SELECT repeat('x', 4000000) AS a)");
    let doubling = "WITH RECURSIVE t AS (SELECT 'x' AS s UNION ALL \
                    SELECT s || s FROM t WHERE length(s) < 1000000000) \
                    SELECT max(length(s)) AS n FROM t";
    for query in [&*wide, doubling] {
        place
            .run(["--memory-limit", "16MiB", "sql", query])
            .fails(1)
            .says("the query needs more memory than its limit")
            .says("--memory-limit");
    }
    place.run(["sql", "SELECT length(repeat('x', 4000000)) AS n"]).ok().prints("n\n4000000\n");
}
