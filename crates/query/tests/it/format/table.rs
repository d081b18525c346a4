//! A host file as a table of the engine.

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use query::format::HostTable;

use super::{Sample, block_on, cells, options};

fn sql(sample: &Sample, text: &str) -> Vec<Vec<String>> {
    let opened = sample.open(&options(|options| options.chunk_bytes = Some(64))).unwrap();
    block_on(async {
        let context = SessionContext::new();
        context.register_table("source", Arc::new(HostTable::new(opened))).unwrap();
        let batches = context.sql(text).await.unwrap().collect().await.unwrap();
        batches.iter().flat_map(cells).collect()
    })
}

#[test]
fn a_csv_file_is_queried_by_projection_filter_and_limit() {
    let mut text = String::from("t,station,v\n");
    for row in 0..1000 {
        text.push_str(&format!("{row},s{},{}\n", row % 3, row * 2));
    }
    let sample = Sample::new("x.csv", text);
    assert_eq!(
        sql(&sample, "SELECT station, sum(v) FROM source WHERE t < 10 GROUP BY station ORDER BY 1"),
        [["s0", "36"], ["s1", "24"], ["s2", "30"]]
    );
    assert_eq!(sql(&sample, "SELECT count(*) FROM source"), [["1000"]]);
    assert_eq!(sql(&sample, "SELECT v, t FROM source LIMIT 1"), [["0", "0"]]);
    assert_eq!(sql(&sample, "SELECT count(*) FROM source a JOIN source b ON a.t = b.v"), [["500"]]);
}
