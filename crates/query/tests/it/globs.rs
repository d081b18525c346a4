//! Globs as tables, and names that are not found.

use query::Error;

use crate::pond::{Pond, batch, explain, failure, ints, readings, rows, spec};

async fn two_sensors() -> Pond {
    let pond = Pond::new();
    pond.append("/sensors/a/temp.series", &spec(), &readings(&[(1, 1.0), (2, 2.0)])).await;
    pond.append("/sensors/a/temp.series", &spec(), &readings(&[(2, 20.0)])).await;
    pond.append("/sensors/b/temp.series", &spec(), &readings(&[(1, 5.0)])).await;
    pond.fs.create_dir("/sensors/c").await.unwrap();
    pond
}

#[tokio::test]
async fn glob_is_the_union_of_its_matches_each_with_its_own_precedence() {
    let session = two_sensors().await.session();
    let sql = "SELECT _path, value FROM '/sensors/*/temp.series' ORDER BY _path, time";
    assert_eq!(
        rows(&session, sql).await,
        [
            "/sensors/a/temp.series | 1.0",
            "/sensors/a/temp.series | 20.0",
            "/sensors/b/temp.series | 5.0",
        ]
    );
    assert_eq!(rows(&session, "SELECT count(*) FROM '/sensors/**'").await, ["3"]);
}

#[tokio::test]
async fn filter_on_the_path_prunes_members() {
    let session = two_sensors().await.session();
    let sql = "SELECT value FROM '/sensors/*/temp.series' WHERE _path LIKE '/sensors/b/%'";
    assert_eq!(rows(&session, sql).await, ["5.0"]);
    let sql = "SELECT value FROM '/sensors/*/temp.series' WHERE _path = '/sensors/b/temp.series'";
    assert_eq!(rows(&session, sql).await, ["5.0"]);
    let plan = explain(&session, sql).await;
    assert!(plan.contains("tables=2, versions=1 of 3"), "{plan}");
    let sql = "SELECT value FROM '/sensors/*/temp.series' WHERE _path = '/sensors/a/temp.series' \
               ORDER BY time";
    assert_eq!(rows(&session, sql).await, ["1.0", "20.0"]);
}

#[tokio::test]
async fn path_that_is_there_comes_before_what_it_would_match() {
    let pond = Pond::new();
    pond.table("/[ab].table", &batch(vec![("id", ints(&[7]), false)])).await;
    pond.table("/a.table", &batch(vec![("id", ints(&[1]), false)])).await;
    let session = pond.session();
    assert_eq!(rows(&session, "SELECT id FROM '/[ab].table'").await, ["7"]);
}

#[tokio::test]
async fn member_with_a_path_column_keeps_it() {
    let pond = Pond::new();
    pond.table("/t/a.table", &batch(vec![("_path", ints(&[7]), false)])).await;
    let session = pond.session();
    let sql = "SELECT _path, __path FROM '/t/*.table'";
    assert_eq!(rows(&session, sql).await, ["7 | /t/a.table"]);
}

#[tokio::test]
async fn symlinks_are_followed() {
    let pond = two_sensors().await;
    pond.fs.symlink("/sensors/b", "/here").await.unwrap();
    let session = pond.session();
    assert_eq!(rows(&session, "SELECT value FROM '/here/temp.series'").await, ["5.0"]);
}

#[tokio::test]
async fn missing_path_suggests_the_nearest_and_says_how_far_it_went() {
    let session = two_sensors().await.session();
    let error = failure(&session, "SELECT * FROM '/sensors/a/tmp.series'").await;
    let Error::NoSuchTable { name, nearest, deepest } = error else { panic!("{error}") };
    assert_eq!(name, "/sensors/a/tmp.series");
    assert_eq!(nearest, ["/sensors/a/temp.series"]);
    assert_eq!(deepest.as_deref(), Some("/sensors/a"));
}

#[tokio::test]
async fn name_without_slash_suggests_the_path() {
    let pond = Pond::new();
    pond.table("/sites", &batch(vec![("id", ints(&[7]), false)])).await;
    let error = failure(&pond.session(), "SELECT * FROM sites").await;
    let Error::NoSuchTable { name, nearest, .. } = error else { panic!("{error}") };
    assert_eq!((name.as_str(), nearest[0].as_str()), ("sites", "/sites"));
}

#[tokio::test]
async fn missing_column_suggests_the_nearest() {
    let session = two_sensors().await.session();
    let error = failure(&session, "SELECT valu FROM '/sensors/b/temp.series'").await;
    let Error::NoSuchColumn { name, nearest } = error else { panic!("{error:?}") };
    assert_eq!((name.as_str(), nearest[0].as_str()), ("valu", "value"));
}

#[tokio::test]
async fn directory_data_and_empty_glob_are_refused() {
    let pond = two_sensors().await;
    pond.fs.write("/notes.txt", b"hello").await.unwrap();
    let session = pond.session();
    for path in ["/sensors", "/notes.txt", "/"] {
        let error = failure(&session, &format!("SELECT * FROM '{path}'")).await;
        assert!(matches!(error, Error::NotATable { .. }), "{path}: {error}");
    }
    let error = failure(&session, "SELECT * FROM '/nothing/*.series'").await;
    assert!(matches!(error, Error::NoMatch { .. }), "{error}");
}
