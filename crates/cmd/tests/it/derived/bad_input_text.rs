//! Configurations that are no YAML, too much of it, or that reach out: refused
//! with file, line and column, nothing made.

use crate::program::{Place, Ran};

fn apply(place: &Place, text: &str) -> Ran {
    place.write("pond.yaml", text);
    place.run(["apply", "-f", "pond.yaml", "-v", "x=1"])
}

fn mknod(place: &Place, factory: &str, text: &str) -> Ran {
    place.write("config.yaml", text);
    place.run(["mknod", factory, "/x", "--config-path", "config.yaml", "-v", "x=1"])
}

const HEAD: &str = "version: v1\nkind: mknod\nmetadata: { path: /x }\nspec:\n";

#[test]
fn bombs_are_refused_before_they_grow() {
    let place = Place::with_pond();
    let deep = format!("x: {}1{}\n", "[".repeat(5_000), "]".repeat(5_000));
    let mut wide = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        wide.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let many = "- x\n".repeat(200_000);
    for (what, text) in [("depth", &deep), ("aliases", &wide), ("nodes", &many)] {
        let ran = apply(&place, text).fails(6).says("pond.yaml");
        assert!(ran.stderr.len() < 4_000, "{what}: the bomb is not told back");
        mknod(&place, "dynamic-dir", text).fails(6).says("config.yaml");
    }
    mknod(&place, "dynamic-dir", &"#".repeat(2 << 20)).fails(6).says("larger than 1 MiB");
    assert_eq!(place.txn(), 0);
}

#[test]
fn what_is_no_yaml_or_says_things_twice_is_named_with_its_place() {
    let place = Place::with_pond();
    let tab = format!("{HEAD}\tfactory: dynamic-dir\n");
    apply(&place, &tab).fails(6).says("pond.yaml:5:");
    let twice = format!("{HEAD}  factory: dynamic-dir\n  factory: dynamic-dir\n");
    apply(&place, &twice).fails(6).says("pond.yaml:6:").says("factory");
    apply(&place, "version: v1\nkind: [unclosed\n").fails(6).says("pond.yaml:");
    place.write("pond.yaml", b"version: \xff\xfe\n");
    place.run(["apply", "-f", "pond.yaml"]).fails(6).says("not UTF-8");
    for (text, says) in [
        ("version: v2\nkind: mkdir\nmetadata: { path: /x }\n", "v2"),
        ("version: v1\nkind: mknode\nmetadata: { path: /x }\n", "did you mean `mknod`?"),
        ("version: v1\nkind: mkdir\nmetadata: { pth: /x }\n", "metadata.pth"),
        ("version: v1\nkind: mkdir\nmetadata: { path: x }\n", "does not begin with `/`"),
        ("version: v1\nkind: mkdir\nmetadata: { path: /x }\nspec: { y: 1 }\n", "spec.y"),
    ] {
        apply(&place, text).fails(6).says("pond.yaml:").says(says);
    }
    assert_eq!(place.txn(), 0);
}

#[test]
fn a_place_in_a_configuration_is_named_the_same_however_it_is_wrong() {
    let place = Place::with_pond();
    let config = |inner: &str| {
        format!(
            "{HEAD}  factory: sql-derived-table\n  config:\n    patterns: {{ r: /a }}\n    {inner}\n"
        )
    };
    apply(&place, &config("query: '{{ nope }}'")).fails(6).says("pond.yaml:8:12: query: ");
    apply(&place, &config("query: 7")).fails(6).says("pond.yaml:8:12: query: ");
    apply(&place, &config("querry: SELECT 1")).fails(6).says("pond.yaml:8:5: querry: ");
    let config = |inner: &str| format!("patterns: {{ r: /a }}\n{inner}\n");
    let node = |inner: &str| mknod(&place, "sql-derived-table", &config(inner));
    node("query: '{{ nope }}'").fails(6).says("config.yaml:2:8: query: ");
    node("query: 7").fails(6).says("config.yaml:2:8: query: ");
    node("querry: SELECT 1").fails(6).says("config.yaml:2:1: querry: ");
}

#[test]
fn templates_neither_loop_nor_reach_out() {
    let place = Place::with_pond();
    for text in [
        "{% for i in range(end=1000000) %}x{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{% import '/etc/passwd' as p %}{{ x }}",
        "{{ __tera_context }}",
        "{{ get_env(name=\"HOME\") }}",
        "{{ x | replace(from=\"1\", to=x) | replace(from=\"1\", to=x) | replace(from=\"1\", to=x) | replace(from=\"1\", to=x) | replace(from=\"1\", to=x) }}",
        "{{ undefined_variable }}",
        "{{ x",
    ] {
        let quoted = text.replace('\'', "''");
        let document = format!(
            "{HEAD}  factory: sql-derived-table\n  config:\n    patterns: {{}}\n    query: '{quoted}'\n"
        );
        let ran = apply(&place, &document).fails(6).says("pond.yaml:8:12");
        assert!(!ran.stderr.contains("root:"), "{text}");
    }
    assert_eq!(place.txn(), 0);
}

#[test]
fn paths_do_not_lead_out_of_where_they_belong() {
    let place = Place::with_pond();
    place.write("rows.csv", "time,level\n2025-01-01T00:00:00Z,1\n");
    place.run(["copy", "host+csv+series:rows.csv", "/a.series", "--time-column", "time"]).ok();
    let before = place.run(["list", "-R", "/"]).ok().text().to_owned();
    for out in ["../x", "a/../../x", "a//b", ".", ""] {
        let config = format!(
            "in_pattern: /a.series\nout_pattern: '{out}'\nresolutions: [1h]\naggregations: [{{ type: avg }}]\n"
        );
        mknod(&place, "temporal-reduce", &config).fails(6);
    }
    for pattern in [
        "host:///etc/passwd",
        "host+csv:/etc/passwd",
        "csv:///etc/passwd",
        "etc/passwd",
        "file:///etc/passwd",
    ] {
        let config = format!("patterns: {{ r: '{pattern}' }}\nquery: SELECT * FROM r\n");
        let ran = mknod(&place, "sql-derived-table", &config);
        let code = ran.code;
        if code == 0 {
            // A path of the pond that is written so: there is no such file in it.
            assert!(ran.stderr.contains("note: "), "{pattern}: {}", ran.stderr);
            place.run(["cat", "/x"]).fails(3);
            place.run(["rm", "/x"]).ok();
        } else {
            ran.fails(6);
        }
    }
    for name in ["..", ".", "a/b", ""] {
        let config = format!(
            "entries: [{{ name: '{name}', factory: transform, config: {{ steps: [] }} }}]\n"
        );
        mknod(&place, "dynamic-dir", &config).fails(6).says("entries[0].name");
    }
    let query = "patterns: {}\nquery: SELECT * FROM '/a.series'\n";
    mknod(&place, "sql-derived-table", query).fails(6).says("/a.series");
    place.run(["sql", "SELECT * FROM '/a.series'"]).ok();
    // Of all this nothing is left.
    assert_eq!(place.run(["list", "-R", "/"]).ok().text(), before);
}
