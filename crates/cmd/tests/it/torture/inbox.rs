//! A run of an inbox, killed at its system calls.

use super::strace;
use crate::program::Place;

#[test]
fn a_run_that_is_killed_leaves_each_file_read_once_or_not_at_all() {
    if !strace::is_there() {
        return;
    }
    let place = Place::with_pond();
    let pattern = place.path("in");
    place.write(
        "inbox.yaml",
        // With `append`, rows that came twice would be there twice.
        format!(
            "pattern: {}/*.csv\ninto: /all.series\nas: series\ntime_column: time\nappend: true\n",
            pattern.display()
        ),
    );
    place.run(["mknod", "inbox", "/inbox", "--config-path", "inbox.yaml"]).ok();
    let count = |from: &str| {
        let sql = format!("SELECT count(*) FROM {from}");
        let ran = place.run(["sql", "--format", "csv", &sql]);
        if ran.code == 3 { 0 } else { ran.ok().text().lines().nth(1).unwrap().parse().unwrap() }
    };
    let (mut files, mut nth) = (0_u64, 1);
    for _ in 0..super::rounds(8) {
        for _ in 0..2 {
            let row = format!("time,level\n2025-01-01T00:00:00Z,{files}\n");
            place.write(&format!("in/{files:04}.csv"), row);
            files += 1;
        }
        let before = count("'/all.series'");
        let killed = strace::kill_at(&place, nth, &["run", "/inbox"]);
        let now = count("'/all.series'");
        assert!(now == before || now == files, "{now} of {files} after a kill at {}", killed.call);
        assert_eq!(
            now,
            count("'/system/inbox/*.series' WHERE event = 'read'"),
            "the ledger knows what came in"
        );
        nth = if killed.code.is_some() { 1 } else { nth + 5 };
    }
    place.run(["run", "/inbox"]).ok();
    assert_eq!(count("'/all.series'"), files);
    place.run(["run", "/inbox"]).ok();
    assert_eq!(count("'/all.series'"), files);
    place.run(["fsck"]).ok();
}
