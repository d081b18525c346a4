//! Exports: files that hold what queries answer, and cost what has changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float32Type, Float64Type, Int64Type};
use derived::export::{ExportError, FileFormat, Report, Request, TableReport, What, Whole};
use diagnostics::Silent;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use steward::MaintainOptions;
use testing::{START_US, TestPond, data};
use tinyfs::TimeUnit;

use crate::world::World;

const S: i64 = 1_000_000;
const HOUR: i64 = 3_600 * S;
const DAY: i64 = 24 * HOUR;

/// Forty days, a row every ten minutes.
async fn dock() -> World {
    let world = World::new().await;
    world.pond.make_dir("/raw").await;
    let spec = data::spec(TimeUnit::Millisecond);
    let rows = data::sine(START_US, 600 * S, 6 * 24 * 40, TimeUnit::Millisecond);
    world.pond.append("/raw/dock.series", Some(spec), rows).await;
    world
}

async fn append(world: &World, rows: &[(i64, f64)]) {
    let rows = data::points(rows, TimeUnit::Millisecond);
    world.pond.append("/raw/dock.series", None, rows).await;
}

fn request(world: &World, pattern: &str, temporal: Option<&str>) -> Request {
    Request {
        patterns: vec![pattern.to_owned()],
        dir: world.pond.beside().join("out"),
        what: What::Rows {
            temporal: temporal.map(|temporal| temporal.parse().unwrap()),
            time_zone: "UTC".into(),
            start_us: None,
            end_us: None,
            format: FileFormat::Parquet,
        },
        manifest: false,
        dry_run: false,
    }
}

fn by_day(world: &World) -> Request {
    request(world, "/raw/*.series", Some("year,month,day"))
}

async fn try_export(world: &World, request: &Request) -> Result<Report, ExportError> {
    let (session, derived) = world.session_with(Some(world.cache())).await;
    derived.export(&session, request, &Silent).await
}

/// What was done for the one table that is exported.
async fn export(world: &World, request: &Request) -> TableReport {
    let mut report = try_export(world, request).await.unwrap();
    assert!(report.failures.is_empty(), "{report:?}");
    assert_eq!(report.tables.len(), 1, "{report:?}");
    report.tables.remove(0)
}

fn rows(file: &Path) -> Vec<RecordBatch> {
    let file = fs::File::open(file).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

/// The data files below a directory, by their paths in it.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn look(dir: &Path, at: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                look(dir, &path, found);
            } else if !name.starts_with('.') {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    look(dir, dir, &mut found);
    found
}

fn out(world: &World, name: &str) -> PathBuf {
    world.pond.beside().join("out").join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_hold_what_a_query_of_the_same_civil_days_answers() {
    let world = dock().await;
    let mut wanted = by_day(&world);
    if let What::Rows { time_zone, .. } = &mut wanted.what {
        *time_zone = "America/Los_Angeles".into();
    }
    let done = export(&world, &wanted).await;
    assert_eq!((done.whole, done.rows_read), (Some(Whole::First), 5_760));
    assert_eq!(done.written.len(), 41);

    let mut exported = Vec::new();
    for name in files(&out(&world, "raw/dock")).keys() {
        let (mut count, mut sum) = (0, 0.0);
        for batch in rows(&out(&world, "raw/dock").join(name)) {
            assert_eq!(batch.schema().fields().len(), 2, "partitions are no columns");
            count += batch.num_rows();
            sum += batch.column(1).as_primitive::<Float64Type>().iter().flatten().sum::<f64>();
        }
        exported.push(format!("{name} {count} {sum:.6}"));
    }
    let sql = "SELECT concat('year=', to_char(d, '%Y'), '/month=', to_char(d, '%m'), '/day=', to_char(d, '%d'), '/data.parquet ', n, ' ') AS name, s
        FROM (SELECT civil_trunc('day', time, 'America/Los_Angeles') AS d, count(*) AS n, sum(value) AS s FROM '/raw/dock.series' GROUP BY d) ORDER BY d";
    let (session, _) = world.session_with(None).await;
    let mut asked = Vec::new();
    for batch in session.sql(sql).await.unwrap().collect().await.unwrap() {
        let names =
            arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
        let names = names.as_string::<i32>().clone();
        let sums = batch.column(1).as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            asked.push(format!("{}{:.6}", names.value(row), sums.value(row)));
        }
    }
    let exact = |text: &String| text.replace("-0.000000", "0.000000");
    assert_eq!(
        exported.iter().map(exact).collect::<Vec<_>>(),
        asked.iter().map(exact).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_partitions_that_rows_have_come_for_are_written_again() {
    let world = dock().await;
    export(&world, &by_day(&world)).await;
    let before = files(&out(&world, ""));
    let again = export(&world, &by_day(&world)).await;
    assert_eq!((again.dirty, again.rows_read, again.kept), (false, 0, 40));

    // A late row, and one of a day that is new.
    append(&world, &[(START_US + 3 * DAY + S, 7.0), (START_US + 50 * DAY, 8.0)]).await;
    let plan = export(&world, &Request { dry_run: true, ..by_day(&world) }).await;
    assert!(
        plan.written.contains(&"year=2024/month=01/day=04/data.parquet".to_owned()),
        "{plan:?}"
    );
    assert_eq!(files(&out(&world, "")), before, "a dry run changes nothing");

    let world = dock().await;
    export(&world, &by_day(&world)).await;
    append(&world, &[(START_US + 3 * DAY + S, 7.0), (START_US + 3 * DAY + 2 * S, 7.0)]).await;
    append(&world, &[(START_US + 50 * DAY, 8.0)]).await;
    let done = export(&world, &by_day(&world)).await;
    let written =
        ["year=2024/month=01/day=04/data.parquet", "year=2024/month=02/day=20/data.parquet"];
    assert_eq!(done.written, written);
    assert_eq!((done.rows_read, done.kept, done.whole), (144 + 2 + 1, 39, None));

    // What merging does is nothing new.
    let intent = TestPond::intent("pond maintain");
    let plan = world.pond.pond.plan_maintenance(MaintainOptions::default()).await.unwrap();
    world.pond.pond.perform_maintenance(&plan, &intent).await.unwrap();
    assert!(!export(&world, &by_day(&world)).await.dirty);

    // The same files as an export of all at once.
    let elsewhere = Request { dir: world.pond.beside().join("else"), ..by_day(&world) };
    export(&world, &elsewhere).await;
    assert_eq!(files(&out(&world, "")), files(&world.pond.beside().join("else")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_others_changed_are_made_good_and_their_own_are_left() {
    let world = dock().await;
    export(&world, &by_day(&world)).await;
    let before = files(&out(&world, ""));
    let day = |day: u32| out(&world, &format!("raw/dock/year=2024/month=01/day={day:02}"));
    fs::write(day(2).join("data.parquet"), "not Parquet").unwrap();
    fs::remove_file(day(3).join("data.parquet")).unwrap();
    fs::write(day(4).join("notes.txt"), "mine").unwrap();
    let done = export(&world, &by_day(&world)).await;
    assert_eq!((done.written.len(), done.rows_read, done.removed.len()), (2, 288, 0));
    let mut after = files(&out(&world, ""));
    let notes = after.remove("raw/dock/year=2024/month=01/day=04/notes.txt");
    assert_eq!(notes.as_deref(), Some(b"mine".as_slice()));
    assert_eq!(after, before);

    // A file of others where one of the export's is to be.
    let place = out(&world, "raw/dock/year=2024/month=02/day=20");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("data.parquet"), "mine").unwrap();
    append(&world, &[(START_US + 50 * DAY, 8.0)]).await;
    let report = try_export(&world, &by_day(&world)).await.unwrap();
    assert!(matches!(&report.failures[..], [(_, ExportError::InTheWay { .. })]), "{report:?}");
    assert_eq!(fs::read(place.join("data.parquet")).unwrap(), b"mine");
    fs::remove_file(place.join("data.parquet")).unwrap();
    let done = export(&world, &by_day(&world)).await;
    assert!(
        done.written.contains(&"year=2024/month=02/day=20/data.parquet".to_owned()),
        "{done:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directories_of_others_are_left_alone() {
    let world = dock().await;
    let wanted = by_day(&world);
    fs::create_dir(&wanted.dir).unwrap();
    fs::write(wanted.dir.join("thesis.tex"), "mine").unwrap();
    let refused = try_export(&world, &wanted).await;
    assert!(matches!(refused, Err(ExportError::NotAnExport { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(&wanted.dir).unwrap().count(), 1);
    fs::remove_file(wanted.dir.join("thesis.tex")).unwrap();
    export(&world, &wanted).await;

    let state = wanted.dir.join(".pond-export.json");
    let mut said: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&state).unwrap()).unwrap();
    said["pond"] = "another".into();
    fs::write(&state, said.to_string()).unwrap();
    let refused = try_export(&world, &wanted).await;
    assert!(matches!(refused, Err(ExportError::OtherPond { .. })), "{refused:?}");

    fs::write(&state, "{").unwrap();
    let refused = try_export(&world, &wanted).await;
    assert!(matches!(refused, Err(ExportError::State { .. })), "{refused:?}");
    fs::write(&state, "{\"format\": 99}").unwrap();
    let refused = try_export(&world, &wanted).await;
    assert!(matches!(refused, Err(ExportError::Newer { found: 99, .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_that_was_cut_short_is_done_again_as_a_whole() {
    let world = dock().await;
    export(&world, &by_day(&world)).await;
    let whole = files(&out(&world, ""));
    // As a run leaves it that ends between two files.
    alter(&world, "/raw/dock.series", cut_short);
    let left = out(&world, "raw/dock/year=2023/month=12/day=31");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("data.parquet"), "of rows that are gone since").unwrap();
    fs::write(out(&world, "raw/dock/.pond-x1.part"), "half a file").unwrap();

    let done = export(&world, &by_day(&world)).await;
    assert_eq!(done.whole, Some(Whole::CutShort));
    assert_eq!(done.removed, ["year=2023/month=12/day=31/data.parquet"]);
    assert_eq!(files(&out(&world, "")), whole);
    assert!(!left.exists() && !out(&world, "raw/dock/.pond-x1.part").exists());
    assert!(!export(&world, &by_day(&world)).await.dirty);
}

/// Changes what an export says of a table.
fn alter(world: &World, path: &str, alter: impl FnOnce(&mut serde_json::Value)) {
    let state = out(world, ".pond-export.json");
    let mut said: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&state).unwrap()).unwrap();
    alter(&mut said["tables"][path]);
    fs::write(&state, said.to_string()).unwrap();
}

/// As a run leaves it that ends before it knows of a file.
fn cut_short(table: &mut serde_json::Value) {
    table["begun"] = true.into();
    table["stamp"] = serde_json::Value::Null;
    table["files"] = serde_json::json!({});
}

async fn remove(world: &World, path: &str) {
    let intent = TestPond::intent("pond rm");
    let removed = world
        .pond
        .pond
        .write(intent, async |txn| txn.fs().remove(path).await.map_err(steward::Error::from));
    removed.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_that_is_cut_short_twice_leaves_nothing_of_either_layout() {
    let world = dock().await;
    export(&world, &by_day(&world)).await;
    alter(&world, "/raw/dock.series", cut_short);
    // The next is of another layout, and ends at a file of others.
    let by_month = request(&world, "/raw/*.series", Some("year,month"));
    let in_the_way = out(&world, "raw/dock/year=2024/month=02/data.parquet");
    fs::write(&in_the_way, "mine").unwrap();
    let report = try_export(&world, &by_month).await.unwrap();
    assert!(matches!(&report.failures[..], [(_, ExportError::InTheWay { .. })]), "{report:?}");
    fs::remove_file(&in_the_way).unwrap();

    assert_eq!(export(&world, &by_month).await.removed.len(), 40);
    let elsewhere = Request { dir: world.pond.beside().join("else"), ..by_month };
    export(&world, &elsewhere).await;
    assert_eq!(files(&out(&world, "")), files(&elsewhere.dir));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn table_that_goes_after_a_run_was_cut_short_leaves_nothing() {
    let world = dock().await;
    export(&world, &by_day(&world)).await;
    alter(&world, "/raw/dock.series", cut_short);
    remove(&world, "/raw/dock.series").await;
    // It was all that the pattern means.
    let done = export(&world, &by_day(&world)).await;
    assert!(done.gone && done.removed.len() == 40, "{done:?}");
    assert!(!out(&world, "raw").exists());
    let again = try_export(&world, &by_day(&world)).await;
    assert!(matches!(again, Err(ExportError::NoMatch { .. })), "{again:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_in_an_export_are_not_followed() {
    let world = dock().await;
    export(&world, &by_day(&world)).await;
    let mine = world.pond.beside().join("mine");
    fs::rename(out(&world, "raw"), &mine).unwrap();
    std::os::unix::fs::symlink(&mine, out(&world, "raw")).unwrap();
    let before = files(&mine);
    let report = try_export(&world, &by_day(&world)).await.unwrap();
    assert!(matches!(&report.failures[..], [(_, ExportError::InTheWay { .. })]), "{report:?}");
    remove(&world, "/raw/dock.series").await;
    assert!(export(&world, &by_day(&world)).await.gone);
    assert_eq!(files(&mine), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directory_that_can_not_be_computed_stops_no_other_and_loses_nothing() {
    let world = dock().await;
    let config = REDUCED.replace("/raw/*.series", "/raw/**/*.series").replace("$0", "all");
    world.node("/reduced", "temporal-reduce", &config).await;
    let both = Request {
        patterns: vec!["/raw/*.series".into(), "/reduced/**".into()],
        ..request(&world, "", None)
    };
    assert_eq!(try_export(&world, &both).await.unwrap().tables.len(), 3);
    let before = files(&out(&world, "reduced"));

    // Both are to be called `all`.
    let spec = data::spec(TimeUnit::Millisecond);
    let rows = data::points(&[(START_US, 1.0)], TimeUnit::Millisecond);
    world.pond.append("/raw/other.series", Some(spec), rows).await;
    let report = try_export(&world, &both).await.unwrap();
    assert!(matches!(&report.failures[..], [(path, _)] if path == "/reduced"), "{report:?}");
    let done: Vec<&str> = report.tables.iter().map(|table| table.path.as_str()).collect();
    assert_eq!(done, ["/raw/dock.series", "/raw/other.series"]);
    assert_eq!(files(&out(&world, "reduced")), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_call_as_an_export_would_is_not_replaced() {
    let world = dock().await;
    let wanted = by_day(&world);
    // What a run had under way that ended before its first file.
    fs::create_dir(&wanted.dir).unwrap();
    fs::write(out(&world, ".pond-x1.part"), "half a file").unwrap();
    export(&world, &wanted).await;
    assert!(!out(&world, ".pond-x1.part").exists());

    world.node("/reduced", "temporal-reduce", REDUCED).await;
    for (name, wanted) in
        [("manifest.json", Request { manifest: true, ..wanted }), ("tiles.json", tiles(&world))]
    {
        fs::write(out(&world, name), "mine").unwrap();
        let refused = try_export(&world, &wanted).await;
        assert!(matches!(refused, Err(ExportError::InTheWay { .. })), "{name}: {refused:?}");
        assert_eq!(fs::read(out(&world, name)).unwrap(), b"mine");
        fs::remove_file(out(&world, name)).unwrap();
        for _ in 0..2 {
            let report = try_export(&world, &wanted).await.unwrap();
            assert!(report.failures.is_empty() && out(&world, name).exists(), "{report:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_from_the_pond_goes_from_the_directory() {
    let world = dock().await;
    let view = |limit: &str| {
        format!(
            "{{ patterns: {{ dock: /raw/dock.series }}, query: \"SELECT time, value FROM dock WHERE time < '{limit}'\" }}"
        )
    };
    world.pond.make_dir("/views").await;
    world.node("/views/early.series", "sql-derived-series", &view("2024-01-03T00:00:00Z")).await;
    world.node("/views/other.series", "sql-derived-series", &view("2024-01-02T00:00:00Z")).await;
    let wanted = request(&world, "/views/*", Some("year,month,day"));
    assert_eq!(try_export(&world, &wanted).await.unwrap().tables.len(), 2);

    // Fewer days, and one view less.
    world.node("/views/early.series", "sql-derived-series", &view("2024-01-02T00:00:00Z")).await;
    remove(&world, "/views/other.series").await;
    let report = try_export(&world, &wanted).await.unwrap();
    let [early, other] = &report.tables[..] else { panic!("{report:?}") };
    // Its definition is another, and the day that is left has the same rows.
    assert_eq!((early.whole, early.written.len(), early.kept), (Some(Whole::Unknown), 0, 1));
    assert_eq!(early.removed, ["year=2024/month=01/day=02/data.parquet"]);
    assert!(other.gone && other.removed.len() == 1, "{other:?}");
    let left: Vec<String> = files(&out(&world, "")).into_keys().collect();
    assert_eq!(left, ["views/early/year=2024/month=01/day=01/data.parquet"]);
    assert!(!out(&world, "views/other").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_options_and_other_columns_write_all_anew() {
    let world = dock().await;
    export(&world, &by_day(&world)).await;
    let by_month = request(&world, "/raw/*.series", Some("year,month"));
    let done = export(&world, &by_month).await;
    assert_eq!((done.whole, done.written.len(), done.removed.len()), (Some(Whole::Options), 2, 40));

    let mut few = by_month.clone();
    if let What::Rows { start_us, end_us, format, .. } = &mut few.what {
        (*start_us, *end_us) = (Some(START_US + DAY), Some(START_US + DAY + HOUR));
        *format = FileFormat::Csv;
    }
    let done = export(&world, &few).await;
    assert_eq!(
        (done.rows_read, &done.written[..]),
        (7, &["year=2024/month=01/data.csv".to_owned()][..])
    );
    let text = fs::read_to_string(out(&world, "raw/dock/year=2024/month=01/data.csv")).unwrap();
    assert!(text.starts_with("time,value\n2024-01-02T00:00:00Z,"), "{text}");
    // What comes outside of the window is not looked at.
    append(&world, &[(START_US + 50 * DAY, 8.0)]).await;
    assert!(!export(&world, &few).await.dirty);

    let whole = request(&world, "/raw/dock.series", None);
    let done = export(&world, &whole).await;
    assert_eq!((&done.written[..], done.rows_read), (&["data.parquet".to_owned()][..], 5_761));
    let count: usize =
        rows(&out(&world, "raw/dock/data.parquet")).iter().map(RecordBatch::num_rows).sum();
    assert_eq!(count, 5_761);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_exported_so_is_named() {
    let world = dock().await;
    let table = "{ patterns: { d: /raw/dock.series }, query: 'SELECT 1 AS one, 2 AS Year' }";
    world.node("/t.table", "sql-derived-table", table).await;
    let cut = request(&world, "/t.table", Some("year"));
    let report = try_export(&world, &cut).await.unwrap();
    assert!(matches!(&report.failures[..], [(_, ExportError::NoTimes { .. })]), "{report:?}");
    assert_eq!(export(&world, &request(&world, "/t.table", None)).await.rows_read, 1);

    let series =
        "{ patterns: { d: /raw/dock.series }, query: 'SELECT time, value AS \"Month\" FROM d' }";
    world.node("/months.series", "sql-derived-series", series).await;
    let cut = request(&world, "/months.series", Some("year,month"));
    let report = try_export(&world, &cut).await.unwrap();
    match &report.failures[..] {
        [(_, ExportError::PartitionColumn { column, .. })] => assert_eq!(column, "Month"),
        _ => panic!("{report:?}"),
    }
    // The others are exported all the same.
    let all = Request { patterns: vec!["/months.series".into(), "/raw/*".into()], ..cut };
    let report = try_export(&world, &all).await.unwrap();
    assert_eq!((report.tables.len(), report.failures.len()), (1, 1));

    for (pattern, dir) in [("/nothing/*", "n"), ("/raw/dokc.series", "d"), ("/raw", "r")] {
        let wanted = Request {
            dir: world.pond.beside().join(dir),
            ..request(&world, pattern, Some("year"))
        };
        assert!(try_export(&world, &wanted).await.is_err(), "{pattern}");
        assert!(!wanted.dir.exists(), "{pattern}: nothing was begun");
    }
    world.node("/raw/dock", "sql-derived-series", series).await;
    let same = try_export(&world, &request(&world, "/raw/*", None)).await;
    assert!(matches!(same, Err(ExportError::SameDirectory { .. })), "{same:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifest_tells_the_times_of_all_files_and_stays_current() {
    let world = dock().await;
    let wanted = request(&world, "/raw/*.series", Some("year,month"));
    export(&world, &Request { manifest: true, ..wanted.clone() }).await;
    append(&world, &[(START_US + 50 * DAY, 8.0)]).await;
    export(&world, &wanted).await;
    let text = fs::read_to_string(out(&world, "manifest.json")).unwrap();
    let said: serde_json::Value = serde_json::from_str(&text).unwrap();
    let table = &said["tables"][0];
    assert_eq!(table["path"], "/raw/dock.series");
    assert_eq!((&table["rows"], &table["end"]), (&5_761.into(), &"2024-02-20T00:00:00Z".into()));
    let file = &table["files"][1];
    assert_eq!(file["file"], "year=2024/month=02/data.parquet");
    assert_eq!(file["partition"], serde_json::json!({ "year": 2024, "month": 2 }));
    assert_eq!((&file["rows"], &file["start"]), (&1_297.into(), &"2024-02-01T00:00:00Z".into()));
    let bytes = fs::read(out(&world, "raw/dock/year=2024/month=02/data.parquet")).unwrap();
    assert_eq!(file["bytes"], bytes.len() as u64);
    assert_eq!(file["blake3"], tinyfs::ContentHash::of(&bytes).to_string());
}

const REDUCED: &str = "
in_pattern: /raw/*.series
out_pattern: $0
time_zone: America/Los_Angeles
resolutions: [1h, day]
aggregations:
  - { type: count }
  - { type: avg }
  - { type: stddev }
";

fn tiles(world: &World) -> Request {
    Request { what: What::Tiles, ..request(world, "/reduced/**", None) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exported_tiles_are_the_reduction_rounded() {
    let world = dock().await;
    append(&world, &[(START_US + 200 * DAY, 8.0)]).await;
    world.node("/reduced", "temporal-reduce", REDUCED).await;
    let report = try_export(&world, &tiles(&world)).await.unwrap();
    assert!(report.failures.is_empty(), "{report:?}");
    let text = fs::read_to_string(out(&world, "tiles.json")).unwrap();
    let said: serde_json::Value = serde_json::from_str(&text).unwrap();
    let hours = &said["series"][0];
    assert_eq!(
        (&hours["path"], &hours["resolution"]),
        (&"/reduced/dock/res=1h.series".into(), &"1h".into())
    );
    assert_eq!(hours["columns"].as_array().unwrap().len(), 4);
    let named = hours["tiles"].as_array().unwrap();
    assert_eq!(named.len(), 2, "a quarter of a year each: {named:?}");

    let (session, _) = world.session_with(None).await;
    let sql = "SELECT arrow_cast(time, 'Int64') / 1000 AS t, * FROM '/reduced/dock/res=1h.series' ORDER BY time";
    let asked = session.sql(sql).await.unwrap().collect().await.unwrap();
    let asked = arrow::compute::concat_batches(&asked[0].schema(), &asked).unwrap();
    let mut at = 0;
    for tile in named {
        let file = format!("reduced/dock/res=1h/{}", tile["file"].as_str().unwrap());
        for batch in rows(&out(&world, &file)) {
            let times = batch.column(0).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let wanted = asked.column(0).as_primitive::<Int64Type>().value(at);
                assert_eq!(times.value(row), wanted);
                assert!(tile["start_ms"].as_i64().unwrap() <= wanted);
                assert!(wanted < tile["end_ms"].as_i64().unwrap());
                let count = batch.column(1).as_primitive::<Float32Type>().value(row);
                assert_eq!(count, asked.column(2).as_primitive::<Int64Type>().value(at) as f32);
                for column in [2, 3] {
                    let rounded = batch.column(column).as_primitive::<Float32Type>();
                    assert_eq!(rounded.null_count(), 0);
                    let exact = asked.column(column + 1).as_primitive::<Float64Type>();
                    let exact = exact.iter().nth(at).flatten();
                    let wanted = exact.map_or(f32::NAN, |exact| exact as f32);
                    assert_eq!(rounded.value(row).to_bits(), wanted.to_bits(), "row {at}");
                }
                at += 1;
            }
        }
    }
    assert_eq!(at, asked.num_rows());

    // Where no tiles are kept, the same files come from the rows.
    let elsewhere = Request { dir: world.pond.beside().join("else"), ..tiles(&world) };
    let (session, derived) = world.session_with(None).await;
    derived.export(&session, &elsewhere, &Silent).await.unwrap();
    assert_eq!(files(&out(&world, "")), files(&world.pond.beside().join("else")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exported_tiles_are_replaced_one_by_one() {
    let world = dock().await;
    append(&world, &[(START_US + 200 * DAY, 8.0)]).await;
    world.node("/reduced", "temporal-reduce", REDUCED).await;
    try_export(&world, &tiles(&world)).await.unwrap();
    let again = try_export(&world, &tiles(&world)).await.unwrap();
    assert!(again.tables.iter().all(|table| !table.dirty && table.rows_read == 0), "{again:?}");

    append(&world, &[(START_US + 200 * DAY + HOUR, 9.0)]).await;
    let done = try_export(&world, &tiles(&world)).await.unwrap();
    let [hours, days] = &done.tables[..] else { panic!("{done:?}") };
    assert_eq!((hours.written.len(), hours.removed.len(), hours.kept), (1, 1, 1), "{hours:?}");
    assert_eq!((days.written.len(), days.removed.len(), days.kept), (1, 1, 0), "{days:?}");
    let named = fs::read_to_string(out(&world, "tiles.json")).unwrap();
    for name in files(&out(&world, "reduced")).keys() {
        let (_, file) = name.rsplit_once('/').unwrap();
        assert!(named.contains(file), "{file}");
    }

    // Where the index can not be replaced, what it names stays.
    append(&world, &[(START_US + 200 * DAY + HOUR, 10.0)]).await;
    fs::remove_file(out(&world, "tiles.json")).unwrap();
    fs::create_dir(out(&world, "tiles.json")).unwrap();
    let before = files(&out(&world, "reduced"));
    assert!(try_export(&world, &tiles(&world)).await.is_err());
    let after = files(&out(&world, "reduced"));
    assert!(before.keys().all(|name| after.contains_key(name)), "{:?}", after.keys());
    assert_eq!(after.len(), before.len() + 2);
    fs::remove_dir(out(&world, "tiles.json")).unwrap();
    try_export(&world, &tiles(&world)).await.unwrap();
    let named = fs::read_to_string(out(&world, "tiles.json")).unwrap();
    let left = files(&out(&world, "reduced"));
    assert_eq!(left.len(), before.len());
    assert!(left.keys().all(|name| named.contains(name.rsplit_once('/').unwrap().1)));

    let only_rows = Request { what: What::Tiles, ..request(&world, "/raw/dock.series", None) };
    let refused = try_export(&world, &only_rows).await;
    assert!(matches!(refused, Err(ExportError::NoTiles { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweep_removes_the_tiles_that_no_configuration_names() {
    let world = dock().await;
    world.node("/reduced", "temporal-reduce", REDUCED).await;
    world.refresh("/reduced").await;
    let keys = || fs::read_dir(world.cache().join("tiles")).unwrap().count();
    assert_eq!(keys(), 1);
    world.node("/reduced", "temporal-reduce", &REDUCED.replace("stddev", "max")).await;
    world.refresh("/reduced").await;
    assert_eq!(keys(), 2);
    let sum = "SELECT sum(\"value.count\") AS n FROM '/reduced/dock/res=day.series'";
    let right = world.ask(sum).await;

    // Nothing is old yet: the files are of the machine's clock, ours stands in
    // the past.
    let (session, derived) = world.session_with(Some(world.cache())).await;
    assert_eq!(derived.sweep_tiles(&session, false).await.unwrap(), derived::Swept::default());
    world.pond.clock.advance(30 * 365 * DAY);
    let plan = derived.sweep_tiles(&session, true).await.unwrap();
    assert_eq!((plan.reductions, keys()), (1, 2));
    assert_eq!(derived.sweep_tiles(&session, false).await.unwrap(), plan);
    assert_eq!(keys(), 1);
    assert_eq!(derived.sweep_tiles(&session, false).await.unwrap(), derived::Swept::default());
    assert_eq!(world.refresh("/reduced").await.lines, ["/raw/dock.series: up to date"]);
    assert_eq!(world.ask(sum).await, right);
}
