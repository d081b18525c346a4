//! What this crate may stand on.

use std::process::Command;

#[test]
fn the_dependency_tree_has_no_storage_arrow_or_sql() {
    let output = Command::new(std::env::var_os("CARGO").unwrap())
        .args(["tree", "--offline", "--package", "tinyfs", "--edges", "normal", "--prefix", "none"])
        .current_dir(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"tinyfs") && names.contains(&"tokio"), "the tree was read: {tree}");
    for name in names {
        let barred = ["arrow", "parquet", "datafusion", "delta", "object_store", "sqlparser"];
        assert!(!barred.iter().any(|bar| name.starts_with(bar)), "tinyfs stands on {name}");
        let ours = ["oplog", "tlogfs", "query", "steward", "cmd", "diagnostics", "testing"];
        assert!(!ours.contains(&name), "tinyfs stands on {name}");
    }
}
