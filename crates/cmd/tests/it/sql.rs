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
