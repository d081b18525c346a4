//! Files of the pond in a format, as inputs.

use std::fs;

use crate::world::World;

const ROWS: &str = "time,level\n2025-01-01T00:00:00Z,1\n2025-01-01T01:00:00Z,2\n";

async fn world() -> World {
    let world = World::new().await;
    world.pond.make_dir("/logs").await;
    world.pond.write_file("/logs/a.csv", ROWS.as_bytes()).await;
    let later = "time,level,extra\n2025-01-02T00:00:00Z,3,x\n";
    world.pond.write_file("/logs/b.csv", later.as_bytes()).await;
    let all =
        "{ patterns: { logs: 'csv:///logs/*.csv' }, query: SELECT * FROM logs, time_column: time }";
    world.node("/all", "sql-derived-series", all).await;
    world
}

fn kept(world: &World) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for dir in fs::read_dir(world.cache().join("formats")).unwrap() {
        for file in fs::read_dir(dir.unwrap().path()).unwrap() {
            found.push(file.unwrap().path());
        }
    }
    found.sort();
    found
}

async fn refusal(world: &World, path: &str) -> String {
    let error = world.try_ask(&format!("SELECT * FROM '{path}'")).await.expect_err("a refusal");
    let mut told = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = next {
        told.push_str(&format!("{error}\n"));
        next = error.source();
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_tables_and_are_read_again_only_when_they_change() {
    let world = world().await;
    let sum = "SELECT count(*) AS n, sum(level) AS s FROM '/all'";
    let answer = world.ask(sum).await;
    assert!(answer.contains("| 3 | 6 |"), "{answer}");
    let first = kept(&world);
    assert_eq!(first.len(), 2);
    assert_eq!(world.ask(sum).await, answer);
    assert_eq!(kept(&world), first);
    assert_eq!(world.ask_without_cache(sum).await, answer);

    world
        .pond
        .write_file("/logs/a.csv", format!("{ROWS}2025-01-01T02:00:00Z,10\n").as_bytes())
        .await;
    let answer = world.ask(sum).await;
    assert!(answer.contains("| 4 | 16 |"), "{answer}");
    assert_eq!(kept(&world).len(), 3);

    // A bit of what is kept turns.
    for path in kept(&world) {
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(world.ask(sum).await, answer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_tests_and_reductions_read_files() {
    let world = world().await;
    let join = "inputs: [{ pattern: 'csv:///logs/a.csv', scope: A, time_column: time }]";
    world.node("/joined", "timeseries-join", join).await;
    let shown = world.ask("SELECT \"A.level\" FROM '/joined' ORDER BY timestamp").await;
    assert!(shown.contains("| 1 ") && shown.contains("| 2 "), "{shown}");
    let tests = "{ input: 'csv:///logs/a.csv', time_column: time, tests: [{ columns: [level], range: { fail: [0, 1] } }] }";
    world.node("/tested", "quality", tests).await;
    let shown = world.ask("SELECT \"level.flag\" AS f FROM '/tested' ORDER BY time").await;
    assert!(shown.contains("| 1 |\n| 4 |"), "{shown}");
    let reduce = "
in_pattern: csv:///logs/*.csv
out_pattern: $0
time_column: time
resolutions: [day]
aggregations: [{ type: sum, columns: [level] }]
";
    world.node("/reduced", "temporal-reduce", reduce).await;
    let sum = "SELECT \"level.sum\" AS s FROM '/reduced/a/res=day.series'";
    assert!(world.ask(sum).await.contains("| 3.0 |"));
    world
        .pond
        .write_file("/logs/a.csv", format!("{ROWS}2025-01-01T02:00:00Z,10\n").as_bytes())
        .await;
    assert!(world.ask(sum).await.contains("| 13.0 |"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_file_is_told_by_its_path_in_the_pond() {
    let world = world().await;
    world.pond.write_file("/logs/bad.json", b"{ nothing").await;
    let view = |input: &str| format!("{{ patterns: {{ a: '{input}' }}, query: SELECT * FROM a }}");
    world.node("/bad", "sql-derived-table", &view("json:///logs/bad.json")).await;
    let told = refusal(&world, "/bad").await;
    assert!(told.contains("/logs/bad.json"), "{told}");
    world.node("/lost", "sql-derived-table", &view("csv:///logs/none.csv")).await;
    let told = refusal(&world, "/lost").await;
    assert!(told.contains("/logs/none.csv"), "{told}");
    world.node("/series", "sql-derived-table", &view("csv:///all")).await;
    let told = refusal(&world, "/series").await;
    assert!(told.contains("no stored file"), "{told}");
    world.node("/packed", "sql-derived-table", &view("csv+gzip:///logs/a.csv")).await;
    let told = refusal(&world, "/packed").await;
    assert!(told.contains("/logs/a.csv"), "{told}");
}
