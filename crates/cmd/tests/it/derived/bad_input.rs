//! Inputs that are missing or wrong: named with their path, others unaffected,
//! a status, no panic.

use std::fmt::Write as _;

use crate::program::{Place, Ran};

/// A series of a number, a text and a flag; the same in feet; a table.
fn place() -> Place {
    let place = Place::with_pond();
    place.run(["mkdir", "/raw"]).ok();
    let rows =
        "time,level,word,level.flag\n2025-01-01T00:00:00Z,1,a,1\n2025-01-01T01:00:00Z,3,b,4\n";
    place.write("rows.csv", rows);
    place.run(["copy", "host+csv+series:rows.csv", "/raw/a.series", "--time-column", "time"]).ok();
    place.write("other.csv", "time,word\n2025-01-01T00:00:00Z,7\n");
    place.run(["copy", "host+csv+series:other.csv", "/raw/b.series", "--time-column", "time"]).ok();
    place
}

/// Makes one node.
fn node(place: &Place, factory: &str, path: &str, config: &str) -> Ran {
    place.write("config.yaml", config);
    place.run(["mknod", factory, path, "--config-path", "config.yaml", "--overwrite"])
}

/// What still has to work beside what does not.
fn others_work(place: &Place) {
    let sql = "SELECT count(*) AS n FROM '/raw/a.series'";
    place.run(["sql", "--format", "csv", sql]).ok().prints("n\n2\n");
    place.run(["list", "-R", "/"]).ok();
}

/// Factories with one input, and a configuration that reads it.
fn readers(input: &str) -> Vec<(&'static str, String)> {
    vec![
        ("sql-derived-table", format!("patterns: {{ r: '{input}' }}\nquery: SELECT * FROM r\n")),
        ("sql-derived-series", format!("patterns: {{ r: '{input}' }}\nquery: SELECT * FROM r\n")),
        ("timeseries-join", format!("inputs: [{{ pattern: '{input}', scope: S }}]\n")),
    ]
}

#[test]
fn an_input_that_is_missing_is_named_by_every_factory_that_reads_it() {
    let place = place();
    for input in ["/gone.series", "/gone/*.series"] {
        for (factory, config) in readers(input) {
            node(&place, factory, "/x", &config).ok().says("note: /x: ").says("/gone");
            place.run(["cat", "/x"]).fails(3).says("`/x` can not be computed").says("/gone");
            place.run(["describe", "/x"]).fails(3).says("/gone");
            others_work(&place);
            place.run(["rm", "/x"]).ok();
        }
    }
    // An empty glob is nothing yet for a pivot and a reduction.
    let pivot = "pattern: '/gone/*.series'\ncolumns: [level]\n";
    node(&place, "timeseries-pivot", "/pivot", pivot).ok();
    let ran = place.run(["describe", "/pivot"]).ok();
    assert!(ran.text().contains("note: no series matches `/gone/*.series`"), "{}", ran.text());
    place.run(["cat", "/pivot"]).ok().says("no series matches");
    let reduce = "in_pattern: '/gone/*.series'\nout_pattern: $0\nresolutions: [1h]\naggregations: [{ type: avg }]\n";
    node(&place, "temporal-reduce", "/reduced", reduce).ok().says("nothing is in it yet");
    place.run(["list", "/reduced"]).ok().prints("");
}

#[test]
fn a_wrong_column_is_named_with_the_near_ones_and_with_no_far_one() {
    let place = place();
    let refused = |factory: &str, config: &str, says: &[&str]| {
        let mut ran = node(&place, factory, "/x", config).fails(6);
        for text in says {
            ran = ran.says(text);
        }
        assert!(!place.run(["list", "/"]).ok().text().contains("/x"), "nothing was made");
        ran
    };
    let reduce = |columns: &str| {
        format!(
            "in_pattern: /raw/a.series\nout_pattern: a\nresolutions: [1h]\naggregations: [{{ type: avg, columns: [{columns}] }}]\n"
        )
    };
    refused("temporal-reduce", &reduce("levle"), &["there is no column `levle`", "`level`"]);
    let ran = refused("temporal-reduce", &reduce("pressure"), &["there is no column `pressure`"]);
    assert!(!ran.stderr.contains("did you mean"), "{}", ran.stderr);
    refused("temporal-reduce", &reduce("word"), &["`word` holds", "no avg"]);
    let pivot = "pattern: '/raw/*.series'\ncolumns: [levle]\n";
    refused("timeseries-pivot", pivot, &["there is no column `levle`", "`level`"]);
    let sql = "patterns: { r: /raw/a.series }\nquery: SELECT time, levle FROM r\n";
    refused("sql-derived-series", sql, &["levle", "level"]);
    let drop = "inputs: [{ pattern: /raw/a.series, scope: S, transforms: [{ drop: { columns: [levle] } }] }]\n";
    refused("timeseries-join", drop, &["there is no column `levle`", "`level`"]);
    others_work(&place);
}

#[test]
fn columns_that_do_not_go_together_are_named_with_both_sides() {
    let place = place();
    let join = "inputs:\n  - { pattern: /raw/a.series, scope: S }\n  - { pattern: /raw/b.series, scope: S }\n";
    let ran = node(&place, "timeseries-join", "/x", join).fails(6);
    ran.says("word").says("/raw/a.series").says("/raw/b.series");
    let in_feet = "start: 2025-01-01T00:00:00Z\nend: 2025-01-01T01:00:00Z\ninterval: 1h\n\
                   points: [{ name: level, unit: ft, components: [{ type: line, slope: 1 }] }]\n";
    node(&place, "synthetic-timeseries", "/feet", in_feet).ok();
    node(&place, "synthetic-timeseries", "/metres", &in_feet.replace("ft", "m")).ok();
    let join = "inputs:\n  - { pattern: /feet, scope: S }\n  - { pattern: /metres, scope: S }\n";
    let ran = node(&place, "timeseries-join", "/x", join).fails(6);
    ran.says("measured in ft in").says("in m in").says("convert one of them");
    let union = "patterns: { r: '/raw/*.series' }\nquery: SELECT time, word FROM r\n";
    node(&place, "sql-derived-series", "/x", union).fails(6).says("word").says("/raw/b.series");
    others_work(&place);
}

#[test]
fn one_series_without_the_column_fails_alone() {
    let place = place();
    let reduce = "in_pattern: '/raw/*.series'\nout_pattern: $0\nresolutions: [1h, day]\n\
                  aggregations: [{ type: avg, columns: [level] }]\n";
    let ran = node(&place, "temporal-reduce", "/reduced", reduce).ok();
    let ran = ran.says("note: `/reduced/b/res=1h.series` can not be computed");
    assert!(!ran.stderr.contains("res=day"), "once a series: {}", ran.stderr);
    let listed = place.run(["list", "-R", "/reduced"]).ok();
    assert!(listed.text().contains("/reduced/a/res=1h.series"), "{}", listed.text());
    let sql = "SELECT sum(\"level.avg\") AS s FROM '/reduced/a/res=1h.series'";
    place.run(["sql", "--format", "csv", sql]).ok().prints("s\n4.0\n");
    place.run(["cat", "/reduced/b/res=1h.series"]).fails(6).says("there is no column `level`");
    place.run(["run", "/reduced"]).fails(1).says("/raw/b.series");
    // The other one's tiles are made all the same.
    place.run(["cat", "/reduced/a/res=day.series"]).ok();
}

#[test]
fn flags_are_left_out_of_what_is_reduced_when_they_choose_it() {
    let place = place();
    let reduce = |more: &str| {
        format!(
            "in_pattern: /raw/a.series\nout_pattern: a\nresolutions: [day]\naggregations: [{{ type: max }}]\n{more}"
        )
    };
    node(&place, "temporal-reduce", "/reduced", &reduce("exclude_flags: [4]\n")).ok();
    let day = ["cat", "/reduced/a/res=day.series", "--format", "csv"];
    place.run(day).ok().prints("time,level.max\n2025-01-01T00:00:00Z,1.0\n");
    node(&place, "temporal-reduce", "/reduced", &reduce("")).ok();
    place.run(day).ok().prints("time,level.max,level.flag.max\n2025-01-01T00:00:00Z,3.0,4.0\n");
}

#[test]
fn a_circle_is_named_however_it_is_closed_and_does_not_hide_the_rest() {
    let place = place();
    let view = |of: &str| format!("patterns: {{ r: '{of}' }}\nquery: SELECT * FROM r\n");
    node(&place, "sql-derived-table", "/self", &view("/self")).fails(6).says("/self -> /self");

    // Of three, through a glob; the last closes it.
    node(&place, "sql-derived-table", "/ring/a", &view("/ring/b*")).ok();
    node(&place, "sql-derived-table", "/ring/b", &view("/ring/c*")).ok();
    let ran = node(&place, "sql-derived-table", "/ring/c", &view("/ring/a*")).fails(6);
    let ran = ran.says("/ring/a").says("/ring/b").says("/ring/c");
    assert!(ran.stderr.contains("computed from itself"), "{}", ran.stderr);

    // A directory that has to look into itself to say what is in it.
    let reduce = "in_pattern: '/loop/**/*.series'\nout_pattern: x\nresolutions: [1h]\naggregations: [{ type: avg }]\n";
    node(&place, "temporal-reduce", "/loop", reduce).fails(6).says("/loop");
    others_work(&place);
}

#[test]
fn sixty_five_levels_are_too_many_and_sixty_four_are_not() {
    let place = place();
    let levels = |levels: u32| {
        let mut all = String::new();
        for level in 0..levels {
            let of = match level {
                0 => "/raw/a.series".to_owned(),
                _ => format!("/level{}", level - 1),
            };
            let _ = write!(
                all,
                "version: v1\nkind: mknod\nmetadata: {{ path: /level{level} }}\nspec:\n  factory: sql-derived-table\n  \
                 config: {{ patterns: {{ r: {of} }}, query: SELECT level FROM r }}\n---\n"
            );
        }
        place.write("deep.yaml", all);
    };
    // Also where the levels below are declared in the same breath.
    levels(65);
    let ran = place.run(["apply", "-f", "deep.yaml"]).fails(6);
    ran.says("deep.yaml:451:").says("more than 64 levels of computed tables");
    levels(64);
    place.run(["apply", "-f", "deep.yaml"]).ok();
    place.run(["cat", "/level63", "--format", "csv"]).ok().prints("level\n1\n3\n");
    // Nor is it made on top of what is there.
    let lower = "patterns: { r: /level63 }\nquery: SELECT level FROM r\n";
    node(&place, "sql-derived-table", "/level64", lower).fails(6).says("more than 64 levels");
    levels(65);
    place.run(["apply", "-f", "deep.yaml"]).fails(6).says("deep.yaml:451:");
    others_work(&place);
}

#[test]
fn very_many_columns_are_joined_and_reduced_and_too_many_are_refused() {
    let place = Place::with_pond();
    let wide = |columns: usize| {
        let mut header = String::from("time");
        let mut row = String::from("2025-01-01T00:00:00Z");
        for column in 0..columns {
            let _ = write!(header, ",c{column}");
            let _ = write!(row, ",{column}");
        }
        place.write("wide.csv", format!("{header}\n{row}\n"));
        let copy = ["copy", "host+csv+series:wide.csv", "/wide.series", "--time-column", "time"];
        place.run([&["--memory-limit", "1GiB"], &copy[..]].concat())
    };
    wide(10_000).fails(6).says("10001 columns");
    wide(2_000).ok();
    node(&place, "timeseries-join", "/join", "inputs: [{ pattern: /wide.series, scope: S }]\n")
        .ok();
    let sql = "SELECT \"S.c1999\" AS last FROM '/join'";
    place.run(["sql", "--format", "csv", sql]).ok().prints("last\n1999\n");
    let reduce = "in_pattern: /wide.series\nout_pattern: wide\nresolutions: [1h]\naggregations: [{ type: max }]\n";
    node(&place, "temporal-reduce", "/reduced", reduce).ok();
    let sql = "SELECT \"c1999.max\" AS last FROM '/reduced/wide/res=1h.series'";
    place.run(["sql", "--format", "csv", sql]).ok().prints("last\n1999.0\n");
}

#[test]
fn a_directory_that_fails_is_named_and_does_not_stop_the_others() {
    let place = place();
    let dir = "entries:\n  - name: good\n    factory: sql-derived-series\n    \
               config: { patterns: { r: /raw/a.series }, query: SELECT * FROM r }\n";
    node(&place, "dynamic-dir", "/zgood", dir).ok();
    let reduce = "in_pattern: '/raw/{a,b}.series'\nout_pattern: $0\nresolutions: [1h]\naggregations: [{ type: count }]\n";
    node(&place, "temporal-reduce", "/bad", reduce).ok();
    // Two series that go to one directory, since one came later.
    let twice = "in_pattern: '/late/**/*.series'\nout_pattern: $1\nresolutions: [1h]\naggregations: [{ type: count }]\n";
    node(&place, "temporal-reduce", "/twice", twice).ok();
    place.run(["mkdir", "-p", "/late/x", "/late/y"]).ok();
    place.run(["copy", "/raw/a.series", "/late/x/s.series"]).ok();
    place.run(["list", "-R", "/"]).ok();
    place.run(["copy", "/raw/a.series", "/late/y/s.series"]).ok();

    for words in [
        &["list", "-R", "/"][..],
        &["list", "-R", "-l"],
        &["list", "-R", "--format", "json"],
        &["list", "/**"],
    ] {
        let ran = place.run(words);
        let code = ran.code;
        let ran = ran.fails(code).says("/twice").says("/late/x/s.series");
        assert_ne!(code, 0, "{words:?}");
        assert!(ran.text().contains("/zgood/good"), "{words:?}: {}", ran.text());
    }
    for query in [
        "SHOW TABLES",
        "SELECT path FROM pond.entries",
        "SELECT table_name FROM information_schema.tables",
    ] {
        let ran = place.run(["sql", "--format", "csv", query]);
        let code = ran.code;
        let ran = ran.fails(code).says("/twice");
        assert_ne!(code, 0, "{query}");
        assert!(ran.text().contains("/zgood/good"), "{query}: {}", ran.text());
    }
    let sql = "SELECT count(*) AS n FROM '/zgood/good'";
    place.run(["sql", "--format", "csv", sql]).ok().prints("n\n2\n");
    place.run(["status"]).ok();
}

#[test]
fn what_is_computed_is_not_removed_by_itself() {
    let place = place();
    let reduce = "in_pattern: /raw/a.series\nout_pattern: a\nresolutions: [1h]\naggregations: [{ type: count }]\n";
    node(&place, "temporal-reduce", "/reduced", reduce).ok();
    for path in ["/reduced/a", "/reduced/a/res=1h.series"] {
        let ran = place.run(["rm", "-r", path]).fails(1).says("is computed by `/reduced`");
        ran.says("pond cat --config /reduced");
        place.run(["rm", "-r", "--dry-run", path]).fails(1).says("is computed by `/reduced`");
    }
    place.run(["rm", "-r", "/reduced"]).ok();
    others_work(&place);
}

#[test]
fn units_and_words_are_checked_and_what_is_proposed_is_near() {
    let place = place();
    let synthetic = |unit: &str| {
        format!(
            "start: 2025-01-01T00:00:00Z\nend: 2025-01-01T01:00:00Z\ninterval: 1h\n\
             points: [{{ name: x, unit: '{unit}', components: [{{ type: line, slope: 1 }}] }}]\n"
        )
    };
    let ran = node(&place, "synthetic-timeseries", "/x", &synthetic("degX")).fails(6);
    let ran =
        ran.says("config.yaml:4:").says("points[0].unit").says("no unit `degX`").says("degC, degF");
    assert!(!ran.stderr.contains("did you mean"), "{}", ran.stderr);
    node(&place, "synthetic-timeseries", "/x", &synthetic("psii")).fails(6).says("`psi`");
    node(&place, "synthetic-timeseries", "/x", &synthetic("degC")).ok();
    let reduce = |kind: &str| {
        format!(
            "in_pattern: /raw/a.series\nout_pattern: a\nresolutions: [1h]\naggregations: [{{ type: {kind} }}]\n"
        )
    };
    node(&place, "temporal-reduce", "/r", &reduce("mean")).fails(6).says("did you mean `avg`?");
    let ran =
        node(&place, "temporal-reduce", "/r", &reduce("harmonic")).fails(6).says("is none of");
    assert!(!ran.stderr.contains("did you mean"), "{}", ran.stderr);
    let upper = "time,Time2\n2025-01-01T00:00:00Z,1\n";
    place.write("upper.csv", upper.replace("time,", "Time,"));
    place.run(["copy", "host+csv+series:upper.csv", "/upper.series", "--time-column", "Time"]).ok();
    let sql = "SELECT * FROM '/upper.series' ORDER BY time";
    place.run(["sql", sql]).fails(6).says("did you mean \"Time\"");
}
