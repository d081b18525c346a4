//! Files made by templates.

use testing::{START_US, data};
use tinyfs::TimeUnit;

use crate::world::World;

const S: i64 = 1_000_000;

async fn world() -> World {
    let world = World::new().await;
    world.pond.make_dir("/raw").await;
    let rows: Vec<(i64, f64)> = (0..5_i64)
        .map(|at| (START_US + at * S, if at == 3 { f64::NAN } else { at as f64 }))
        .collect();
    for name in ["north", "south"] {
        let spec = data::spec(TimeUnit::Millisecond);
        let rows = data::points(&rows, TimeUnit::Millisecond);
        world.pond.append(&format!("/raw/{name}.series"), Some(spec), rows).await;
    }
    world
}

async fn text(world: &World, path: &str) -> query::Result<String> {
    let (session, _) = world.session_with(None).await;
    let mut bytes = Vec::new();
    query::write_bytes(&session, path, &mut bytes).await?;
    Ok(String::from_utf8(bytes).unwrap())
}

async fn refusal(world: &World, path: &str) -> String {
    let error = text(world, path).await.expect_err("a refusal");
    let mut told = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = next {
        told.push_str(&format!("{error}\n"));
        next = error.source();
    }
    told
}

#[tokio::test]
async fn a_file_is_made_of_the_rows_of_a_table() {
    let world = world().await;
    let config = "
input: /raw/north.series
rows: 3
take: last
values: { title: Dock, wanted: [1, 2] }
template: |
  {{ values.title }} {{ name }} {{ path }} {{ columns[1].name }}:{{ columns[1].type }} {{ more }}
  {% for row in rows -%}
  {{ row.time }} {{ row.value | default(value='-') }}
  {% endfor -%}
";
    world.node("/page.txt", "template", config).await;
    let expected = "\
Dock north.series /raw/north.series value:Float64 true
2024-01-01T00:00:02Z 2.0
2024-01-01T00:00:03Z -
2024-01-01T00:00:04Z 4.0
";
    let made = text(&world, "/page.txt").await.unwrap();
    assert_eq!(made.trim_end(), expected.trim_end());
}

#[tokio::test]
async fn a_pattern_makes_a_file_for_each_name_and_matches_of_one_name_are_a_list() {
    let world = world().await;
    world.pond.write_file("/part", b"[{{ match.name }}]").await;
    world
        .pond
        .write_file("/text", b"{% for match in matches %}{% include \"/part\" %}{% endfor %}")
        .await;
    let each =
        "{ in_pattern: '/raw/*.series', out_pattern: $0.txt, template: '{{ captures[0] }}' }";
    world.node("/each", "template", each).await;
    let all = "{ in_pattern: '/raw/*', out_pattern: all.txt, template_file: /text }";
    world.node("/all", "template", all).await;
    assert_eq!(text(&world, "/each/north.txt").await.unwrap(), "north");
    assert_eq!(text(&world, "/each/south.txt").await.unwrap(), "south");
    assert_eq!(text(&world, "/all/all.txt").await.unwrap(), "[north.series][south.series]");
}

#[tokio::test]
async fn as_many_rows_as_are_asked_for_are_seen_though_there_are_more() {
    let world = world().await;
    let rows: Vec<(i64, f64)> = (0..100_001).map(|at| (START_US + at * S, 1.0)).collect();
    let spec = data::spec(TimeUnit::Millisecond);
    world
        .pond
        .append("/raw/many.series", Some(spec), data::points(&rows, TimeUnit::Millisecond))
        .await;
    let config = |input: &str, rows: u32| {
        format!("{input}\nrows: {rows}\ntemplate: '{{{{ rows | length }}}} {{{{ more }}}}'\n")
    };
    world.node("/all.txt", "template", &config("input: /raw/many.series", 100_000)).await;
    assert_eq!(text(&world, "/all.txt").await.unwrap(), "100000 true");
    world.node("/five.txt", "template", &config("input: /raw/north.series", 5)).await;
    assert_eq!(text(&world, "/five.txt").await.unwrap(), "5 false");
    world.node("/none.txt", "template", &config("input: /raw/north.series", 0)).await;
    assert_eq!(text(&world, "/none.txt").await.unwrap(), "0 true");
    // So many are of all tables together.
    let both = "in_pattern: '/raw/*.series'\nout_pattern: page";
    world.node("/both", "template", &config(both, 100_000)).await;
    let told = refusal(&world, "/both/page").await;
    assert!(told.contains("more than 100000 over all tables"), "{told}");
}

#[tokio::test]
async fn what_a_template_may_not_do_is_refused_by_line() {
    let world = world().await;
    for (name, template, told) in [
        ("a", "a\\n{{ nowhere }}", "line 2"),
        ("b", "{% include \\\"/nowhere\\\" %}", "/nowhere"),
        (
            "c",
            &format!("{{% for a in range(end=99999) %}}{}{{% endfor %}}", "words ".repeat(500)),
            "16777216 bytes",
        ),
        (
            "d",
            "{{ 'aaaaaaaa' | replace(from='', to=name) | indent(width=90000000) }}",
            "more than 1 MiB",
        ),
    ] {
        let config = format!("{{ input: /raw/north.series, template: \"{template}\" }}");
        let path = format!("/{name}");
        world.node(&path, "template", &config).await;
        let got = refusal(&world, &path).await;
        assert!(got.contains(told), "{name}: {got}");
        assert!(got.contains(&format!("`{path}` can not be computed")), "{got}");
    }
    world.pond.write_file("/bad", b"a\n{% extends \"/etc/passwd\" %}").await;
    world.node("/e", "template", "{ template: '{% include \"/bad\" %}' }").await;
    let got = refusal(&world, "/e").await;
    assert!(got.contains("`/bad`") && got.contains("line 2"), "{got}");
    world.node("/f", "template", "{ template_file: /raw/north.series }").await;
    assert!(refusal(&world, "/f").await.contains("a stored file of text"));
    let up = "{ in_pattern: '/raw/*', out_pattern: '../$0', template: a }";
    world.node("/up", "template", up).await;
    assert!(refusal(&world, "/up/x").await.contains("not a path to write to"));
}
