//! Structs go into record batches and come back.

use bytes::Bytes;
use oplog::ForArrow;
use oplog::for_arrow::{
    Date32, Date64, Decimal, Duration, Micros, Millis, Nanos, NoZone, Seconds, Time32, Time64,
    Timestamp, Utc, YearMonths, Zone,
};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pacific;

impl Zone for Pacific {
    const NAME: Option<&'static str> = Some("America/Los_Angeles");
}

oplog::for_arrow! {
    /// One field of every type.
    #[derive(Clone, Debug, PartialEq)]
    struct Everything {
        i8: i8, i16: i16, i32: i32, i64: i64,
        u8: u8, u16: u16, u32: u32, u64: u64,
        half: half::f16, single: f32, double: f64,
        flag: bool, text: String, bytes: Bytes, wide: [u8; 16],
        day: Date32, day_ms: Date64, months: YearMonths,
        time_s: Time32<Seconds>, time_ms: Time32<Millis>,
        time_us: Time64<Micros>, time_ns: Time64<Nanos>,
        at_s: Timestamp<Seconds, Utc>, at_ms: Timestamp<Millis, NoZone>,
        at_us: Timestamp<Micros, Pacific>, at_ns: Timestamp<Nanos, Utc>,
        took_s: Duration<Seconds>, took_ns: Duration<Nanos>,
        price: Decimal<10, 2>,
        perhaps: Option<i64>, perhaps_text: Option<String>,
        perhaps_at: Option<Timestamp<Millis, Utc>>,
        list: Vec<f64>, holes: Vec<Option<i32>>, perhaps_list: Option<Vec<String>>,
        nested: Vec<Vec<u8>>, r#type: u8,
    }
}

fn everything(n: i64, text: String, list: Vec<f64>, holes: Vec<Option<i32>>) -> Everything {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "any value will do"
    )]
    Everything {
        i8: n as i8,
        i16: n as i16,
        i32: n as i32,
        i64: n,
        u8: n as u8,
        u16: n as u16,
        u32: n as u32,
        u64: n as u64,
        half: half::f16::from_f32(f32::from(n as i8)),
        single: n as f32,
        double: n as f64,
        flag: n % 2 == 0,
        bytes: Bytes::from(text.clone()),
        wide: i128::from(n).to_le_bytes(),
        day: Date32::new(n as i32),
        day_ms: Date64::new(n),
        months: YearMonths::new(n as i32),
        time_s: Time32::new(n as i32),
        time_ms: Time32::new(n as i32),
        time_us: Time64::new(n),
        time_ns: Time64::new(n),
        at_s: Timestamp::new(n),
        at_ms: Timestamp::new(n),
        at_us: Timestamp::new(n),
        at_ns: Timestamp::new(n),
        took_s: Duration::new(n),
        took_ns: Duration::new(n),
        price: Decimal(i128::from(n as i32)),
        perhaps: (n % 3 != 0).then_some(n),
        perhaps_text: (n % 5 != 0).then(|| text.clone()),
        perhaps_at: (n % 7 != 0).then_some(Timestamp::new(n)),
        perhaps_list: (n % 2 != 0).then(|| vec![text.clone(); 2]),
        nested: vec![vec![], text.clone().into_bytes()],
        r#type: 1,
        text,
        list,
        holes,
    }
}

proptest! {
    #[test]
    fn rows_survive_a_batch(
        rows in prop::collection::vec(
            (any::<i64>(), ".*", prop::collection::vec(-1e9..1e9f64, 0..4),
             prop::collection::vec(any::<Option<i32>>(), 0..4)),
            0..8,
        ),
    ) {
        let rows: Vec<_> =
            rows.into_iter().map(|(n, text, list, holes)| everything(n, text, list, holes)).collect();
        let batch = Everything::to_batch(&rows).unwrap();
        prop_assert_eq!(batch.schema(), Everything::schema());
        prop_assert_eq!(Everything::from_batch(&batch).unwrap(), rows);
    }
}

oplog::for_arrow! {
    #[derive(Clone, Debug, PartialEq)]
    struct Needs { value: i64 }
}

oplog::for_arrow! {
    #[derive(Clone, Debug, PartialEq)]
    struct Takes { value: Option<i64> }
}

oplog::for_arrow! {
    #[derive(Clone, Debug, PartialEq)]
    struct Other { value: String }
}

#[test]
fn null_where_none_is_taken_is_refused_by_name() {
    let batch = Takes::to_batch(&[Takes { value: None }]).unwrap();
    let error = Needs::from_batch(&batch).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column `value` does not fit: it has nulls, which the field does not take"
    );
}

#[test]
fn other_type_is_refused_by_name() {
    let batch = Takes::to_batch(&[Takes { value: Some(1) }]).unwrap();
    let error = Other::from_batch(&batch).unwrap_err();
    assert_eq!(error.to_string(), "column `value` does not fit: it is Int64, not Utf8");
    assert!(Takes::from_batch(&batch.project(&[]).unwrap()).is_err());
}

#[test]
fn keywords_are_columns_without_their_mark() {
    assert!(Everything::schema().field_with_name("type").is_ok());
    assert_eq!(
        Everything::schema().field_with_name("at_us").unwrap().data_type().to_string(),
        "Timestamp(µs, \"America/Los_Angeles\")"
    );
}
