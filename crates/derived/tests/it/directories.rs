//! Computed directories as part of the tree.

use std::sync::Arc;

use factory::ComputedStore;
use tinyfs::{Error, Fs, Store};

use crate::world::World;

const DIR: &str = "\
entries:
  - { name: b, factory: sql-derived-table, config: { patterns: {}, query: SELECT 2 AS x } }
  - { name: a, factory: sql-derived-table, config: { patterns: {}, query: SELECT 1 AS x } }
  - name: inner
    factory: dynamic-dir
    config:
      entries: [{ name: c, factory: sql-derived-table, config: { patterns: {}, query: SELECT 3 AS x } }]
";

async fn fs(world: &World) -> Fs {
    let inner: Arc<dyn Store> = Arc::clone(world.pond.read().await.fs().store());
    Fs::new(ComputedStore::new(inner, derived::registry()))
}

#[tokio::test]
async fn entries_are_listed_matched_and_queried_like_any_other() {
    let world = World::new().await;
    world.node("/dir", "dynamic-dir", DIR).await;
    let fs = fs(&world).await;
    let names: Vec<String> =
        fs.list("/dir").await.unwrap().into_iter().map(|found| found.path).collect();
    assert_eq!(names, ["/dir/a", "/dir/b", "/dir/inner"]);
    let found = fs.glob("/dir/**").await.unwrap();
    let paths: Vec<&str> = found.iter().map(|found| found.path.path.as_str()).collect();
    assert!(paths.contains(&"/dir/inner/c"), "{paths:?}");
    let shown = world.ask("SELECT sum(x) AS x FROM '/dir/**'").await;
    assert!(shown.contains("| 6 |"), "{shown}");
    let again = self::fs(&world).await;
    assert_eq!(
        fs.resolve("/dir/inner/c").await.unwrap(),
        again.resolve("/dir/inner/c").await.unwrap(),
        "ids do not change"
    );
    assert!(matches!(fs.resolve("/dir/z").await, Err(Error::NotFound { .. })));
    assert_eq!(fs.versions("/dir/a").await.unwrap().len(), 1);
    tinyfs::contract::consistent(Arc::clone(fs.store())).await;
}

#[tokio::test]
async fn directories_that_look_into_each_other_are_a_circle_by_name() {
    let world = World::new().await;
    let reduce = |pattern: &str| {
        format!(
            "in_pattern: {pattern}\nout_pattern: $0\nresolutions: [1h]\naggregations: [{{ type: avg }}]\n"
        )
    };
    world.node("/one", "temporal-reduce", &reduce("\"/two/*/*.series\"")).await;
    world.node("/two", "temporal-reduce", &reduce("\"/one/*/*.series\"")).await;
    let error = fs(&world).await.list("/one").await.unwrap_err();
    let Error::Cycle { names } = &error else { panic!("{error:?}") };
    assert_eq!(names, &["/one", "/two", "/one"]);
}

#[tokio::test]
async fn what_is_wrong_inside_a_directory_is_refused_with_its_place() {
    let check = |config: &str| {
        let config = factory::Config::parse("x.yaml", config).unwrap();
        let registry = derived::registry();
        registry.get("dynamic-dir").unwrap().check(&config).unwrap_err().to_string()
    };
    let wrong = check("entries:\n  - name: a\n    factory: sql-derived-tabel\n    config: {}\n");
    assert!(wrong.contains("x.yaml:3:14: entries[0].factory: there is no factory"), "{wrong}");
    let wrong = check(
        "entries:\n  - name: a\n    factory: sql-derived-table\n    config: { patterns: {}, query: SELEC }\n",
    );
    assert!(wrong.contains("entries[0].config.query: this is not SQL"), "{wrong}");
    let twice = "{ name: a, factory: dynamic-dir, config: { entries: [] } }";
    let wrong = check(&format!("entries: [{twice}, {twice}]\n"));
    assert!(wrong.contains("entries: has `a` twice"), "{wrong}");
}
