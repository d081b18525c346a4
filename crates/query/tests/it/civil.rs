//! Civil time in SQL.

use crate::pond::{Pond, SECOND, failure, readings, rows, spec};

/// Hourly readings over the end of daylight saving of 2024 in Los Angeles:
/// from 2024-11-02T07:00Z, three civil days of 24, 25 and 24 hours.
async fn hourly() -> Pond {
    let pond = Pond::new();
    let first = (1_730_530_800 * SECOND - crate::pond::NEW_YEAR) / SECOND;
    let hours: Vec<(i64, f64)> = (0..73).map(|hour| (first + hour * 3600, 1.0)).collect();
    pond.append("/a.series", &spec(), &readings(&hours)).await;
    pond
}

#[tokio::test]
async fn days_are_those_of_the_zone() {
    let session = hourly().await.session();
    let sql = "SELECT civil_trunc('day', time, 'America/Los_Angeles') AS day, count(*) \
               FROM '/a.series' GROUP BY day ORDER BY day";
    assert_eq!(
        rows(&session, sql).await,
        [
            "2024-11-02T00:00:00-07:00 | 24",
            "2024-11-03T00:00:00-07:00 | 25",
            "2024-11-04T00:00:00-08:00 | 24",
        ]
    );
    // DataFusion's own way agrees where midnight happens once.
    let sql = "SELECT date_trunc('day', time AT TIME ZONE 'America/Los_Angeles') AS day, count(*) \
               FROM '/a.series' GROUP BY day ORDER BY day";
    assert_eq!(
        rows(&session, sql).await,
        [
            "2024-11-02T00:00:00-07:00 | 24",
            "2024-11-03T00:00:00-07:00 | 25",
            "2024-11-04T00:00:00-08:00 | 24",
        ]
    );
}

#[tokio::test]
async fn fixed_widths_are_cut_by_date_bin() {
    let session = hourly().await.session();
    let sql = "SELECT date_bin(INTERVAL '12 hours', time) AS half, count(*) FROM '/a.series' \
               GROUP BY half ORDER BY half LIMIT 2";
    assert_eq!(
        rows(&session, sql).await,
        ["2024-11-02T00:00:00Z | 5", "2024-11-02T12:00:00Z | 12"]
    );
}

#[tokio::test]
async fn dates_texts_and_nulls_are_times_too() {
    let session = Pond::new().session();
    let sql = "SELECT civil_trunc('month', '2024-07-15T10:00:00Z', 'Europe/Rome'), \
               civil_trunc('year', DATE '2024-07-15', 'UTC'), \
               civil_trunc('day', CAST(NULL AS TIMESTAMP), 'UTC')";
    assert_eq!(rows(&session, sql).await, ["2024-07-01T00:00:00+02:00 | 2024-01-01T00:00:00Z | -"]);
}

#[tokio::test]
async fn wrong_zone_and_unit_are_named() {
    let session = hourly().await.session();
    for (unit, zone, word) in
        [("day", "Europe/Roma", "Europe/Roma"), ("fortnight", "UTC", "fortnight")]
    {
        let sql = format!("SELECT civil_trunc('{unit}', time, '{zone}') FROM '/a.series'");
        let error = failure(&session, &sql).await;
        assert!(error.to_string().contains(word), "{error}");
    }
}
