//! What editors are told of transforms is what is read.

use factory::Config;

fn refusal(factory: &str, text: &str) -> String {
    let registry = derived::registry();
    let config = Config::parse("/c", text).unwrap();
    registry.get(factory).unwrap().check(&config).expect_err("a refusal").to_string()
}

#[test]
fn an_item_is_one_transform() {
    for (text, expected) in [
        (
            "steps: [{ drop: { columns: [a] }, keep: { columns: [b] } }]",
            "steps[0]: takes exactly one of",
        ),
        ("steps: [{ drp: { columns: [a] } }]", "steps[0].drp: there is no such field"),
        ("steps: [[a]]", "steps[0]: is a list"),
        ("steps: [{ convert: { columns: { a: metre, b: metres } } }]", "there is no unit `metres`"),
        (
            "steps: [{ rename: { rules: [{ type: direct, from: a }] } }]",
            "rules[0]: `to` is missing",
        ),
        (
            "steps: [{ rename: { rules: [{ type: pattern, pattern: '(', replacement: x }] } }]",
            "rules[0].pattern: regex parse error",
        ),
        (
            "steps: [{ floor: { time: yesterday } }]",
            "steps[0].floor.time: `yesterday` is no moment",
        ),
    ] {
        let told = refusal("transform", text);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn every_schema_is_an_object_of_fields_that_the_factory_reads() {
    for about in derived::registry().list() {
        let properties = about.schema["properties"].as_object().expect(about.name);
        for field in properties.keys() {
            // A list is no value of any field's sort that is not a list, and
            // an unknown field is told before any value is looked at.
            let told = match Config::parse("/c", &format!("{field}: {{ }}\n")) {
                Ok(config) => derived::registry().get(about.name).unwrap().check(&config),
                Err(error) => panic!("{error}"),
            };
            let told = told.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(!told.contains("there is no such field"), "{}: {told}", about.name);
        }
    }
}
