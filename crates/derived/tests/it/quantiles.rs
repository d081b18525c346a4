//! Quantiles and transforms of reductions.

use testing::{START_US, data};
use tinyfs::TimeUnit;

use crate::world::World;

const S: i64 = 1_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quantiles_are_within_a_thousandth_and_the_same_in_tiles_and_without() {
    let world = World::new().await;
    let rows: Vec<(i64, f64)> = (0..5_000_i64)
        .map(|at| (START_US + at * 60 * S, (at * 7_919 % 5_003) as f64 - 900.0))
        .collect();
    let spec = data::spec(TimeUnit::Millisecond);
    let points = |rows: &[(i64, f64)]| data::points(rows, TimeUnit::Millisecond);
    world.pond.append("/raw.series", Some(spec), points(&rows[..4_000])).await;
    let config = "
in_pattern: /raw.series
out_pattern: raw
resolutions: [1h, day]
aggregations: [{ type: quantile, q: [0, 0.5, 0.95, 1] }, { type: count }]
";
    world.node("/reduced", "temporal-reduce", config).await;
    let all = "SELECT * FROM '/reduced/raw/res=day.series' ORDER BY time";
    world.ask(all).await;
    world.pond.append("/raw.series", None, points(&rows[4_000..])).await;
    let shown = world.ask(all).await;
    assert_eq!(shown, world.ask_without_cache(all).await);
    for name in ["value.q0 ", "value.q0.5 ", "value.q0.95 ", "value.q1 "] {
        assert!(shown.contains(name), "{shown}");
    }
    for (q, name) in [(0.0, "q0"), (0.5, "q0.5"), (0.95, "q0.95"), (1.0, "q1")] {
        let sql =
            format!("SELECT \"value.{name}\" FROM '/reduced/raw/res=day.series' ORDER BY time");
        let told = world.ask(&sql).await;
        let told: Vec<f64> =
            told.lines().filter_map(|line| line.trim_matches(['|', ' ']).parse().ok()).collect();
        let days: Vec<Vec<f64>> = rows
            .chunk_by(|a, b| a.0.div_euclid(86_400 * S) == b.0.div_euclid(86_400 * S))
            .map(|day| {
                let mut day: Vec<f64> = day.iter().map(|row| row.1).collect();
                day.sort_by(f64::total_cmp);
                day
            })
            .collect();
        assert_eq!(told.len(), days.len(), "{sql}");
        for (told, day) in told.iter().zip(&days) {
            let rank = ((q * day.len() as f64).ceil() as usize).max(1);
            let exact = day[rank - 1];
            let allowed = if q == 0.0 || q == 1.0 { 0.0 } else { exact.abs() / 1_000.0 };
            assert!((told - exact).abs() <= allowed, "{name}: {told} {exact}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_series_goes_through_the_transforms_before_it_is_reduced() {
    let world = World::new().await;
    let spec = data::spec(TimeUnit::Millisecond);
    let rows = data::points(&[(START_US, 1.0), (START_US + S, 3.0)], TimeUnit::Millisecond);
    world.pond.append("/raw.series", Some(spec), rows).await;
    world
        .node(
            "/cm",
            "transform",
            "steps: [{ convert: { columns: { value: { from: m, to: cm } } } }]",
        )
        .await;
    let config = |transforms: &str| {
        format!(
            "in_pattern: /raw.series\nout_pattern: raw\nresolutions: [day]\naggregations: [{{ type: sum }}]\n{transforms}\n"
        )
    };
    let sql = "SELECT * EXCEPT (time) FROM '/reduced/raw/res=day.series'";
    world.node("/reduced", "temporal-reduce", &config("")).await;
    let shown = world.ask(sql).await;
    assert!(shown.contains("value.sum") && shown.contains("| 4.0"), "{shown}");
    world.node("/reduced", "temporal-reduce", &config("transforms: [/cm, { rename: { rules: [{ type: direct, from: value, to: level }] } }]")).await;
    let shown = world.ask(sql).await;
    assert!(shown.contains("level.sum") && shown.contains("| 400.0"), "{shown}");
    // What a named transform does is part of what the tiles are of.
    world
        .node(
            "/cm",
            "transform",
            "steps: [{ convert: { columns: { value: { from: m, to: mm } } } }]",
        )
        .await;
    let shown = world.ask(sql).await;
    assert!(shown.contains("| 4000.0"), "{shown}");
}

#[test]
fn which_quantiles_goes_with_the_type() {
    let refusal = |aggregation: &str| {
        let text = format!(
            "in_pattern: /a\nout_pattern: b\nresolutions: [1h]\naggregations: [{aggregation}]\n"
        );
        let config = factory::Config::parse("/c", &text).unwrap();
        let registry = derived::registry();
        let checked = registry.get("temporal-reduce").unwrap().check(&config);
        checked.expect_err(aggregation).to_string()
    };
    for (aggregation, told) in [
        ("{ type: quantile }", "aggregations[0]: names no quantile"),
        ("{ type: quantile, q: [] }", "names no quantile"),
        ("{ type: quantile, q: [0.5, 2] }", "aggregations[0].q[1]: lies outside 0 to 1"),
        ("{ type: quantile, q: [0.5, 0.5] }", "aggregations[0].q[1]: 0.5 is there already"),
        ("{ type: max, q: [0.5] }", "aggregations[0].q: is for `type: quantile`"),
    ] {
        let got = refusal(aggregation);
        assert!(got.contains(told), "{got}");
    }
}
