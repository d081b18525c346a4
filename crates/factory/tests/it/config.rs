//! Configurations: places, types, limits, canonical bytes.

use factory::config::{
    Config, ConfigError, Document, Freshness, Instant, Interval, Kind, Node, Value, Values, expand,
    fields_of, parse_documents, typed,
};
use serde::Deserialize;

fn one(text: &str) -> Node {
    let mut documents = parse_documents("pond.yaml", text).expect("documents");
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn refusal<T: serde::de::DeserializeOwned + std::fmt::Debug>(text: &str) -> ConfigError {
    typed::<T>(&one(text)).expect_err("a refusal")
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Join {
    #[serde(default)]
    time_column: Option<String>,
    inputs: Vec<Input>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    scale: Option<f64>,
    #[serde(default)]
    kind: Option<Shape>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Input {
    pattern: String,
    #[serde(default)]
    every: Option<Interval>,
    #[serde(default)]
    begin: Option<Instant>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Sine,
    Convert { to: String },
}

#[test]
fn values_are_read_with_their_types() {
    let node = one("inputs:\n  - { pattern: /raw/*, every: 1h30m, begin: 2025-06-01T00:00:00Z }\n\
                    limit: 3\nscale: 2\nkind: { convert: { to: degC } }\n");
    let read: Join = typed(&node).expect("typed");
    assert_eq!(read.limit, Some(3));
    assert_eq!(read.scale, Some(2.0));
    assert_eq!(read.kind, Some(Shape::Convert { to: "degC".to_owned() }));
    assert_eq!(read.inputs[0].every, Some(Interval { us: 5_400_000_000 }));
    assert_eq!(read.inputs[0].begin, Some(Instant { us: 1_748_736_000_000_000 }));
}

#[test]
fn an_unknown_field_is_named_with_its_place_and_the_nearest_one() {
    let error = refusal::<Join>("inputs:\n  - pattern: /a\n  - patern: /b\n");
    assert_eq!(error.to_string(), "pond.yaml:3:5: inputs[1].patern: there is no such field");
    assert_eq!(error.nearest.as_deref(), Some("pattern"));
}

#[test]
fn a_missing_field_is_placed_at_the_map_that_lacks_it() {
    let error = refusal::<Join>("inputs:\n  - every: 1h\n");
    assert_eq!(error.to_string(), "pond.yaml:2:5: inputs[0]: `pattern` is missing");
}

#[test]
fn wrong_types_are_told_in_plain_words() {
    for (text, expected) in [
        (
            "inputs: [[/a]]\n",
            "pond.yaml:1:10: inputs[0]: is a list, not a map of pattern, every, begin",
        ),
        ("inputs: 3\n", "pond.yaml:1:9: inputs: is the number 3, not a list"),
        (
            "inputs: []\nlimit: \"3\"\n",
            "pond.yaml:2:8: limit: is the text `3`, not a whole number from 0 on",
        ),
        (
            "inputs: []\ntime_column: 5\n",
            "pond.yaml:2:14: time_column: is a number or a boolean, not text: put it in quotes",
        ),
        (
            "inputs: [{pattern: a, every: soon}]\n",
            "pond.yaml:1:30: inputs[0].every: `soon` is no length of time such as 90s, 15m, 2h or 3d",
        ),
        ("inputs: []\nkind: sinus\n", "pond.yaml:2:7: kind: `sinus` is none of sine, convert"),
    ] {
        assert_eq!(refusal::<Join>(text).to_string(), expected);
    }
}

#[test]
fn a_text_that_came_out_of_a_template_may_be_a_number() {
    let mut values = Values::default();
    values.set("n", "7").expect("a value");
    let node = expand(one("inputs: []\nlimit: \"{{ n }}\"\n"), &values, &|_| false).expect("text");
    assert_eq!(typed::<Join>(&node).expect("typed").limit, Some(7));
    // And so it may when it is read back from where it is kept.
    let config = Config::from_node(node).expect("a configuration");
    let text = std::str::from_utf8(config.bytes()).expect("UTF-8");
    let again = Config::parse("/n", text).expect("a configuration");
    assert_eq!(again.read::<Join>().expect("typed").limit, Some(7));
    assert_eq!(again.hash(), config.hash());
}

#[test]
fn equal_configurations_have_equal_bytes() {
    let yaml = Config::from_node(one("b: 1\na: { y: [1.5, null], x: on }\n")).expect("one");
    let json = Config::from_node(one("{\"a\": {\"x\": \"on\", \"y\": [1.5, null]}, \"b\": 1}"));
    let json = json.expect("another");
    assert_eq!(yaml.bytes(), json.bytes());
    assert_eq!(yaml.hash(), json.hash());
    let expected = "{\n  \"a\": {\n    \"x\": \"on\",\n    \"y\": [\n      1.5,\n      null\n    ]\n  },\n  \"b\": 1\n}\n";
    assert_eq!(std::str::from_utf8(yaml.bytes()).expect("UTF-8"), expected);
    let again = Config::parse("/n", expected).expect("what is kept reads back");
    assert_eq!(again.hash(), yaml.hash());
}

#[test]
fn an_alias_is_placed_where_it_is_used() {
    let error = refusal::<Join>("inputs: [&a { pattern: 1 }]\n");
    assert_eq!(error.place.line, 1);
    let node = one("a: &x [1]\nb: *x\n");
    assert_eq!(node.find("b").place.line, 2);
}

#[test]
fn what_costs_too_much_is_refused_by_its_limit() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let fits = format!("a: {}{}", "[".repeat(38), "]".repeat(38));
    assert_eq!(parse_documents("deep.yaml", &fits).expect("not too deep").len(), 1);
    let deep = format!("a: {}{}", "[".repeat(200), "]".repeat(200));
    let large = format!("a: {}", "x".repeat(2 << 20));
    let many = (0..120_000).map(|n| format!("- {n}\n")).collect::<String>();
    for (text, expected) in [
        (bomb, "holds more than 100000 values"),
        (deep, "nests deeper than 40"),
        (large, "has 2097155 bytes"),
        (many, "holds more than 100000 values"),
    ] {
        let error = parse_documents("bomb.yaml", &text).expect_err("a refusal");
        assert_eq!(&*error.place.file, "bomb.yaml");
        assert!(error.what.starts_with(expected), "{error}");
    }
}

#[test]
fn what_is_no_yaml_is_named_with_its_place() {
    for (text, line) in [("a: 1\na: 2\n", 2), ("a:\n\t- b\n", 2), ("a: [1, 2\nb: 3\n", 2)] {
        let error = parse_documents("bad.yaml", text).expect_err("a refusal");
        assert_eq!(error.place.line, line, "{error}");
    }
}

#[test]
fn an_unknown_variable_is_named_with_the_nearest_one() {
    let mut values = Values::default();
    values.set("base_dir", "/x").expect("a value");
    let node = one("a:\n  - \"{{ basedir }}/y\"\n");
    let error = expand(node, &values, &|_| false).expect_err("a refusal");
    assert_eq!(
        error.to_string(),
        "pond.yaml:2:5: a[0]: the variable `basedir` is not given; `-v basedir=VALUE` gives it"
    );
    assert_eq!(error.nearest.as_deref(), Some("base_dir"));
}

#[test]
fn a_value_can_not_change_the_shape_of_what_is_around_it() {
    let mut values = Values::default();
    values.set("v", "x\", injected: \"{{ v }}").expect("a value");
    let node = expand(one("a: \"{{ v }}\"\n"), &values, &|_| false).expect("text");
    assert_eq!(node.get("a").and_then(Node::text), Some("x\", injected: \"{{ v }}"));
    assert!(matches!(&node.value, Value::Map(entries) if entries.len() == 1));
}

#[test]
fn templates_that_reach_out_or_multiply_are_refused() {
    let mut values = Values::default();
    values.set("v", &"x".repeat(60_000)).expect("a value");
    for text in [
        "{{ v }}{% for i in range(end=9) %}{% endfor %}",
        "{{ v }}{% include \"/etc/passwd\" %}",
        "{{ __tera_context }}",
        "{{ v | replace(from=\"x\", to=v) }}",
        "{{ range(end=100000) }}",
        "{{ v | indent(width=1000000000) }}",
        "{{ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v ~ v }}",
        "{{ v ",
        "{{ throw(message=\"boo\") }}",
    ] {
        let node = one(&format!("a: '{text}'\n"));
        assert!(expand(node, &values, &|_| false).is_err(), "{text}");
    }
}

#[test]
fn an_absent_variable_may_have_a_default() {
    let node = one("a: '{{ x | default(value=\"y\") }}'\n");
    let node = expand(node, &Values::default(), &|_| false).expect("text");
    assert_eq!(node.get("a").and_then(Node::text), Some("y"));
}

#[test]
fn a_secret_is_kept_as_its_reference() {
    let text = "a: ${env:TOKEN}\nb: '{{ env(name=\"TOKEN\") }}'\nc: ${env:T:-none}\n";
    let node = expand(one(text), &Values::default(), &|_| false).expect("text");
    let config = Config::from_node(node).expect("a configuration");
    let kept = std::str::from_utf8(config.bytes()).expect("UTF-8");
    assert_eq!(kept.matches("\"${env:TOKEN}\"").count(), 2);
    assert!(kept.contains("${env:T:-none}"));
}

#[test]
fn what_is_a_template_of_its_own_is_left_alone() {
    let node = one("spec: { template: '{{ rows }}' }\n");
    let node = expand(node, &Values::default(), &|path| path == "spec.template").expect("text");
    assert_eq!(node.find("spec.template").text(), Some("{{ rows }}"));
}

#[test]
fn a_document_says_what_is_wrong_with_it() {
    let good = "version: v1\nkind: mknod\nmetadata: { path: /a }\nspec: { factory: f, config: { q: 1 } }\n";
    let document = Document::read(&one(good)).expect("a document");
    assert_eq!(document.path, "/a");
    assert!(matches!(document.kind, Kind::Mknod(node) if node.factory == "f"));
    for (text, expected) in [
        (
            "version: v2\nkind: mkdir\nmetadata: { path: /a }\n",
            "pond.yaml:1:10: version: `v2` is none of v1",
        ),
        (
            "version: v1\nkind: mkdirs\nmetadata: { path: /a }\n",
            "pond.yaml:2:7: kind: `mkdirs` is none of mkdir, mknod, attributes, copy",
        ),
        (
            "version: v1\nkind: mkdir\nmetadata: { pth: /a }\n",
            "pond.yaml:3:13: metadata.pth: there is no such field",
        ),
        (
            "version: v1\nkind: mknod\nmetadata: { path: /a }\nspec:\n  factori: f\n",
            "pond.yaml:5:3: spec.factori: there is no such field",
        ),
        (
            "version: v1\nkind: attributes\nmetadata: { path: /a }\n",
            "pond.yaml:1:1: spec: says nothing: it takes `freshness` and `temporal_bounds`",
        ),
        (
            "version: v1\nkind: mkdir\nmetadata: { path: /a, freshness: soon }\n",
            "pond.yaml:3:34: metadata.freshness: `soon` is no length of time such as 90s, 15m, 2h or 3d",
        ),
    ] {
        assert_eq!(Document::read(&one(text)).expect_err("a refusal").to_string(), expected);
    }
    let limit = |text: &str| {
        let text = format!("version: v1\nkind: mkdir\nmetadata: {{ path: /a{text} }}\n");
        Document::read(&one(&text)).expect("a document").freshness
    };
    assert_eq!(limit(""), None);
    assert_eq!(limit(", freshness: 90m"), Some(Freshness::Within(5_400)));
    assert_eq!(limit(", freshness: 1500ms"), Some(Freshness::Within(2)));
    assert_eq!(limit(", freshness: none"), Some(Freshness::Any));
}

#[test]
fn a_configuration_inside_another_keeps_its_places() {
    #[derive(Debug, Deserialize)]
    struct Entry {
        config: Node,
    }
    let entry: Entry = typed(&one("config:\n  inputs:\n    - patern: x\n")).expect("typed");
    let error = typed::<Join>(&entry.config).expect_err("a refusal").inside("config");
    assert_eq!(error.to_string(), "pond.yaml:3:7: config.inputs[0].patern: there is no such field");
}

#[test]
fn the_fields_of_a_struct_are_those_that_serde_reads() {
    assert_eq!(fields_of::<Join>(), ["time_column", "inputs", "limit", "scale", "kind"]);
    assert!(fields_of::<u32>().is_empty());
}

#[test]
fn lengths_of_time_read_back_as_they_are_shown() {
    for text in ["90s", "15m", "1h30m", "3d", "2w", "250ms", "1us"] {
        let interval: Interval = text.parse().expect("an interval");
        assert_eq!(interval.to_string().parse::<Interval>(), Ok(interval));
    }
    for text in ["", "0s", "5", "h", "-1h", "1.5h", "1 h", "999999w", "99999999999999999999s"] {
        assert!(text.parse::<Interval>().is_err(), "{text}");
    }
}
