//! What is late is named, and what is fresh is not: `check-freshness`,
//! freshness in `status`, limits in `apply`.

use crate::program::{Place, json};

/// A time so many hours ago, as the program's own clock has it.
fn hours_ago(place: &Place, hours: u32) -> String {
    let sql = format!("SELECT date_trunc('second', now() - INTERVAL '{hours} hours') AS t");
    let ran = place.run(["sql", "--format", "csv", &sql]).ok();
    ran.text().lines().nth(1).unwrap().to_owned()
}

/// A series whose newest event is so many hours old.
fn series(place: &Place, path: &str, hours: u32) {
    let (old, new) = (hours_ago(place, hours + 40), hours_ago(place, hours));
    place.write("rows.csv", format!("time,level\n{old},9\n{new},1\n"));
    let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent);
    place.run(["mkdir", "-p", if parent.is_empty() { "/" } else { parent }]).ok();
    place.run(["copy", "host+csv+series:rows.csv", path, "--time-column", "time"]).ok();
}

fn apply(place: &Place, text: &str) {
    place.write("pond.yaml", text);
    place.run(["apply", "-f", "pond.yaml"]).ok();
}

fn limit(path: &str, limit: &str) -> String {
    format!(
        "---\nversion: v1\nkind: attributes\nmetadata: {{ path: {path}, freshness: {limit} }}\n"
    )
}

/// `/fresh.series` and `/late.series`, one and five hours old, both of which
/// may be three.
fn place() -> Place {
    let place = Place::with_pond();
    series(&place, "/fresh.series", 1);
    series(&place, "/late.series", 5);
    apply(&place, &(limit("/fresh.series", "3h") + &limit("/late.series", "3h")));
    place
}

#[test]
fn what_is_older_than_its_limit_is_printed_and_the_exit_code_says_so() {
    let place = place();
    let ran = place.run(["check-freshness"]).fails(1);
    assert!(ran.text().contains("/late.series"), "{}", ran.text());
    assert!(!ran.text().contains("/fresh.series"), "{}", ran.text());
    ran.says("1 of 2 nodes is late");
    place.run(["check-freshness", "/fresh.series"]).ok().prints("").says("none late");
    let quiet = place.run(["-q", "check-freshness", "/fresh.series"]).ok();
    assert_eq!(quiet.stderr, "");

    let ran = place.run(["check-freshness", "--format", "json"]).fails(1);
    let late = &json(ran.text())[0];
    assert_eq!((late["path"].as_str(), late["late"].as_bool()), (Some("/late.series"), Some(true)));
    assert_eq!(late["limit_seconds"], 10_800);
    let age = late["age_seconds"].as_i64().unwrap();
    assert!((18_000..18_600).contains(&age), "five hours and what the test takes: {age}");

    series(&place, "/late.series", 0);
    place.run(["check-freshness"]).ok();
}

#[test]
fn a_limit_on_the_command_line_is_of_every_series_it_names() {
    let place = Place::with_pond();
    place.run(["check-freshness"]).fails(3).says("declares how fresh").says("--limit 3h");
    series(&place, "/a/x.series", 1);
    series(&place, "/b/y.series", 5);
    place.run_with(b"bytes", ["copy", "-", "/a/notes.txt"]).ok();
    place.run(["check-freshness", "--limit", "6h"]).ok().says("2 nodes");
    let ran = place.run(["check-freshness", "--limit", "3h"]).fails(1);
    assert!(ran.text().contains("/b/y.series") && !ran.text().contains("/a/x.series"));
    place.run(["check-freshness", "/a", "--limit", "3h"]).ok().says("1 node, none late");
    place.run(["check-freshness", "/*/*.series", "--limit", "30m"]).fails(1).says("2 of 2");
    // A directory of computed series is as fresh as they are.
    apply(
        &place,
        "version: v1\nkind: mknod\nmetadata: { path: /reduced }\nspec:\n  factory: temporal-reduce\n\
         \x20 config: { in_pattern: /b/*.series, out_pattern: $0, resolutions: [1h], aggregations: [{ type: avg }] }\n",
    );
    let ran = place.run(["check-freshness", "/reduced", "--limit", "3h"]).fails(1);
    assert!(ran.text().contains("/reduced"), "{}", ran.text());
    place.run(["check-freshness", "/reduced", "--limit", "8h"]).ok().says("none late");
    place.run(["check-freshness", "/nope", "--limit", "3h"]).fails(3);
    place.run(["check-freshness", "--limit", "soon"]).fails(2);
}

#[test]
fn a_node_without_any_event_is_late() {
    let place = Place::with_pond();
    apply(
        &place,
        "version: v1\nkind: mknod\nmetadata: { path: /pivot, freshness: 1d }\nspec:\n  \
         factory: timeseries-pivot\n  config: { pattern: '/sites/*.series', columns: [level] }\n---\n\
         version: v1\nkind: mkdir\nmetadata: { path: /empty, freshness: 1d }\n",
    );
    let ran = place.run(["check-freshness"]).fails(1).says("2 of 2");
    assert!(ran.text().contains("none"), "{}", ran.text());
    series(&place, "/sites/a.series", 1);
    series(&place, "/empty/a.series", 1);
    place.run(["check-freshness"]).ok();
}

#[test]
fn what_is_computed_is_as_fresh_as_its_own_rows() {
    let place = place();
    apply(
        &place,
        "version: v1\nkind: mknod\nmetadata: { path: /all, freshness: 3h }\nspec:\n  \
         factory: sql-derived-series\n  config: { patterns: { r: /fresh.series }, query: 'SELECT time, level FROM r' }\n---\n\
         version: v1\nkind: mknod\nmetadata: { path: /high, freshness: 3h }\nspec:\n  \
         factory: sql-derived-series\n  config: { patterns: { r: /fresh.series }, query: 'SELECT time, level FROM r WHERE level > 5' }\n---\n\
         version: v1\nkind: mknod\nmetadata: { path: /day, freshness: 3h }\nspec:\n  \
         factory: sql-derived-series\n  config: { patterns: { r: /fresh.series }, query: \"SELECT date_trunc('minute', time) AS time, max(level) AS level FROM r GROUP BY 1\" }\n",
    );
    place.run(["check-freshness", "/all"]).ok();
    place.run(["check-freshness", "/day"]).ok();
    let ran = place.run(["check-freshness", "/high", "--format", "json"]).fails(1);
    let late = &json(ran.text())[0];
    let age = late["age_seconds"].as_i64().unwrap();
    assert!(age >= 41 * 3_600, "the row of the filter, not the newest of the input: {age}");
}

#[test]
fn a_reduction_is_as_fresh_as_what_it_reduces_and_no_tile_is_made_to_tell() {
    let place = place();
    apply(
        &place,
        "version: v1\nkind: mknod\nmetadata: { path: /reduced, freshness: 3h }\nspec:\n  \
         factory: temporal-reduce\n  config:\n    in_pattern: /fresh.series\n    out_pattern: fresh\n    \
         resolutions: [1h, month]\n    aggregations: [{ type: avg }]\n",
    );
    place.run(["check-freshness", "/reduced"]).ok();
    assert!(!place.path("pond/cache/tiles").exists(), "nothing was computed");
    apply(
        &place,
        "version: v1\nkind: mknod\nmetadata: { path: /reduced }\nspec:\n  \
         factory: temporal-reduce\n  config:\n    in_pattern: '/*.series'\n    out_pattern: $0\n    \
         resolutions: [1h, month]\n    aggregations: [{ type: avg }]\n",
    );
    // Of the two the one that lags counts, and it is named. Each of the inputs
    // has a limit of its own, what is computed from it has none.
    let ran = place.run(["check-freshness", "/reduced"]).fails(1);
    assert!(ran.text().contains("/reduced/late/"), "{}", ran.text());
}

#[test]
fn what_can_not_be_computed_is_late_and_does_not_stop_the_others() {
    let place = place();
    apply(
        &place,
        &("version: v1\nkind: mknod\nmetadata: { path: /broken, freshness: 3h }\nspec:\n  \
         factory: sql-derived-series\n  config: { patterns: { r: /gone.series }, query: SELECT * FROM r }\n"
            .to_owned()
            + &limit("/late.series", "9h")),
    );
    let ran = place.run(["check-freshness"]).fails(1).says("1 of 3");
    assert!(ran.text().contains("/gone.series"), "the cause is told: {}", ran.text());
    let ran = place.run(["status", "--format", "json"]).ok();
    let all = json(ran.text())["freshness"].clone();
    let broken = all.as_array().unwrap().iter().find(|one| one["path"] == "/broken").unwrap();
    assert_eq!(broken["late"], true);
    assert!(broken["last_error"].as_str().unwrap().contains("/gone.series"), "{broken}");
}

#[test]
fn status_shows_how_fresh_sources_and_computed_nodes_are() {
    let place = place();
    series(&place, "/plain.series", 2);
    apply(
        &place,
        "version: v1\nkind: mknod\nmetadata: { path: /view }\nspec:\n  factory: sql-derived-series\n  \
         config: { patterns: { r: /fresh.series }, query: 'SELECT time, level FROM r' }\n---\n\
         version: v1\nkind: mknod\nmetadata: { path: /reduced }\nspec:\n  \
         factory: temporal-reduce\n  config:\n    in_pattern: /fresh.series\n    out_pattern: fresh\n    \
         resolutions: [1h]\n    aggregations: [{ type: avg }]\n",
    );
    place.run(["run", "/reduced"]).ok();
    let ran = place.run(["status", "--format", "json"]).ok();
    let status = json(ran.text());
    let of = |path: &str| {
        let all = status["freshness"].as_array().unwrap();
        all.iter().find(|one| one["path"] == path).unwrap_or_else(|| panic!("no {path}")).clone()
    };
    assert_eq!(of("/late.series")["late"], true);
    assert_eq!(of("/fresh.series")["late"], false);
    assert_eq!(of("/fresh.series")["limit_seconds"], 10_800);
    assert_eq!(of("/plain.series")["last_event_exact"], true);
    assert!(of("/plain.series").get("late").is_none(), "there is no limit");
    // Told from what it is computed from.
    assert_eq!(of("/view")["last_event"], of("/fresh.series")["last_event"]);
    assert_eq!(of("/view")["last_event_exact"], false);
    assert!(of("/reduced")["last_ok"].is_string(), "{}", of("/reduced"));
    assert!(of("/reduced").get("last_error").is_none());

    let text = place.run(["status"]).ok();
    for shown in ["late", "/plain.series", "/view", "/reduced", "5h"] {
        assert!(text.text().contains(shown), "no {shown} in {}", text.text());
    }
    let without = place.run(["status", "--no-freshness", "--format", "json"]).ok();
    assert!(json(without.text()).get("freshness").is_none());
}

#[test]
fn a_limit_is_declared_once_and_taken_away_by_name() {
    let place = place();
    let before = place.txn();
    place.write("limit.yaml", limit("/fresh.series", "3h"));
    place.run(["apply", "-f", "limit.yaml"]).ok().says("1 unchanged");
    assert_eq!(place.txn(), before);
    let ran = place.run(["describe", "/fresh.series"]).ok();
    assert!(ran.text().contains("late after 3h"), "{}", ran.text());
    place.write("limit.yaml", limit("/fresh.series", "90m"));
    let ran = place.run(["apply", "-f", "limit.yaml"]).ok().says("~ /fresh.series (attributes)");
    ran.says("- freshness: 3h").says("+ freshness: 1h30m");
    place.write("limit.yaml", limit("/fresh.series", "none"));
    place.run(["apply", "-f", "limit.yaml"]).ok().says("1 updated");
    place.run(["check-freshness", "/fresh.series"]).fails(3);

    // More rows, and a copy over it, leave the limits alone.
    series(&place, "/late.series", 4);
    place.run(["check-freshness"]).fails(1).says("1 of 1");
    place.write("limit.yaml", limit("/nope.series", "3h"));
    place.run(["apply", "-f", "limit.yaml"]).fails(3).says("/nope.series");
    place.write("limit.yaml", limit("/late.series", "soon"));
    place.run(["apply", "-f", "limit.yaml"]).fails(6).says("limit.yaml:4:").says("soon");
    place.write("limit.yaml", "version: v1\nkind: attributes\nmetadata: { path: /late.series }\n");
    place.run(["apply", "-f", "limit.yaml"]).fails(6).says("says nothing");
}
