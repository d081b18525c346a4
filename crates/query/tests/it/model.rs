//! Random histories against a model that keeps everything in a map.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tinyfs::SeriesSpec;

use crate::pond::{NEW_YEAR, Pond, SECOND, rows, spec, stations};
use query::{SessionOptions, TimeBounds};

type Row = (i64, &'static str, f64);

fn version() -> impl Strategy<Value = Vec<Row>> {
    let row = (0i64..40, prop::sample::select(vec!["n", "s"]), 0u32..1000);
    (prop::collection::vec(row, 0..25), any::<u8>(), 0i64..3).prop_map(|(mut rows, sort, shift)| {
        if sort % 3 > 0 {
            rows.sort_by_key(|row| row.0);
        }
        if sort % 3 > 1 {
            rows.dedup_by_key(|row| row.0);
        }
        let shift = shift * 15;
        rows.into_iter().map(|(at, name, value)| (at + shift, name, f64::from(value))).collect()
    })
}

#[derive(Clone, Debug)]
struct Query {
    from: Option<i64>,
    to: Option<i64>,
    above: Option<f64>,
    station: Option<&'static str>,
    limit: Option<usize>,
    descending: bool,
}

fn query() -> impl Strategy<Value = Query> {
    (
        prop::option::of(0i64..70),
        prop::option::of(0i64..70),
        prop::option::of((0u32..1000).prop_map(f64::from)),
        prop::option::of(prop::sample::select(vec!["n", "s"])),
        prop::option::of(1usize..20),
        any::<bool>(),
    )
        .prop_map(|(from, to, above, station, limit, descending)| Query {
            from,
            to,
            above,
            station,
            limit,
            descending,
        })
}

fn time(at: i64) -> String {
    let us = NEW_YEAR + at * SECOND;
    format!("TIMESTAMP '{}'", jiff::Timestamp::from_microsecond(us).unwrap())
}

impl Query {
    fn sql(&self) -> String {
        let mut conditions = Vec::new();
        conditions.extend(self.from.map(|at| format!("time >= {}", time(at))));
        conditions.extend(self.to.map(|at| format!("time <= {}", time(at))));
        conditions.extend(self.above.map(|value| format!("value > {value}")));
        conditions.extend(self.station.map(|name| format!("station = '{name}'")));
        let filter = if conditions.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", conditions.join(" AND "))
        };
        let order = if self.descending { "DESC" } else { "ASC" };
        let limit = self.limit.map(|count| format!("LIMIT {count}")).unwrap_or_default();
        format!(
            "SELECT CAST(date_part('epoch', time) AS BIGINT) - {}, station, value \
             FROM '/a.series' {filter} ORDER BY time {order}, station, value {limit}",
            NEW_YEAR / SECOND
        )
    }

    fn answer(&self, rows: &[Row]) -> Vec<String> {
        let mut rows: Vec<Row> = rows
            .iter()
            .filter(|row| self.from.is_none_or(|at| row.0 >= at))
            .filter(|row| self.to.is_none_or(|at| row.0 <= at))
            .filter(|row| self.above.is_none_or(|value| row.2 > value))
            .filter(|row| self.station.is_none_or(|name| row.1 == name))
            .copied()
            .collect();
        rows.sort_by(|a, b| {
            let time = if self.descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
            time.then(a.1.cmp(b.1)).then(a.2.total_cmp(&b.2))
        });
        rows.truncate(self.limit.unwrap_or(usize::MAX));
        rows.iter().map(|(at, name, value)| format!("{at} | {name} | {value:?}")).collect()
    }
}

/// The rows of a series by the rules, said in the shortest way.
fn model(versions: &[Vec<Row>], by_station: bool, append: bool) -> Vec<Row> {
    let all = versions.iter().flatten().copied();
    if append {
        return all.collect();
    }
    let mut newest: BTreeMap<(i64, &str), Row> = BTreeMap::new();
    for row in all {
        newest.insert((row.0, if by_station { row.1 } else { "" }), row);
    }
    newest.into_values().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn series_answers_as_the_model(
        versions in prop::collection::vec(version(), 1..6),
        queries in prop::collection::vec(query(), 1..4),
        by_station in any::<bool>(),
        append in prop::bool::weighted(0.2),
        floor in prop::option::weighted(0.3, 0i64..30),
        end in prop::option::weighted(0.3, 20i64..70),
        first in prop::option::weighted(0.2, 0i64..40),
        last in prop::option::weighted(0.2, 10i64..70),
        batch_rows in prop::sample::select(vec![1usize, 3, 8192]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let key: &[&str] = if by_station { &["time", "station"] } else { &["time"] };
            let spec = SeriesSpec {
                key: key.iter().map(|&name| name.to_owned()).collect(),
                append,
                floor_us: floor.map(|at| NEW_YEAR + at * SECOND),
                start_us: first.map(|at| NEW_YEAR + at * SECOND),
                end_us: last.map(|at| NEW_YEAR + at * SECOND),
                ..spec()
            };
            let pond = Pond::new();
            for rows in &versions {
                pond.append("/a.series", &spec, &stations(rows)).await;
            }
            let time_range =
                TimeBounds { start_us: None, end_us: end.map(|at| NEW_YEAR + at * SECOND) };
            let options =
                SessionOptions { threads: 2, batch_rows, time_range, ..SessionOptions::default() };
            let session = pond.session_with(options);
            let mut expected = model(&versions, by_station, append);
            expected.retain(|row| floor.is_none_or(|at| row.0 >= at));
            expected.retain(|row| first.is_none_or(|at| row.0 >= at));
            expected.retain(|row| last.is_none_or(|at| row.0 <= at));
            expected.retain(|row| end.is_none_or(|at| row.0 <= at));
            for query in &queries {
                let sql = query.sql();
                prop_assert_eq!(rows(&session, &sql).await, query.answer(&expected), "{}", sql);
            }
            let count = rows(&session, "SELECT count(*) FROM '/a.series'").await;
            prop_assert_eq!(count, vec![expected.len().to_string()]);
            Ok(())
        })?;
    }
}
