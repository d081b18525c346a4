//! Random tables: written, cut at every byte, read again.

use proptest::prelude::*;
use query::format::OnError;

use super::{Sample, cells, options};

/// Values that need quotes, look like other types, or are nothing.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z \",\n\r;é]{0,6}",
        Just(String::new()),
        "-?[0-9]{1,3}(\\.[0-9]{1,2})?",
        prop::sample::select(vec!["true", "007", "nan", "2024-01-01", "\"", "\n", "a\r\nb"])
            .prop_map(str::to_owned),
    ]
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\"\""))
}

fn written(table: &[Vec<String>], crlf: bool) -> String {
    let end = if crlf { "\r\n" } else { "\n" };
    let mut text = format!("a,b,c{end}");
    for row in table {
        let row: Vec<String> = row
            .iter()
            .map(|value| {
                let bare = value.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
                if bare && !value.is_empty() { value.clone() } else { quoted(value) }
            })
            .collect();
        text.push_str(&row.join(","));
        text.push_str(end);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_table_of_texts_comes_back(
        table in prop::collection::vec(prop::collection::vec(value(), 3), 0..8),
        crlf in any::<bool>(),
        chunk in 1_usize..64,
    ) {
        let text = written(&table, crlf);
        let sample = Sample::new("x.csv", text);
        let wanted = options(|options| {
            options.chunk_bytes = Some(chunk);
            for name in ["a", "b", "c"] {
                options.declare_type(&format!("{name}=utf8")).unwrap();
            }
        });
        let (batch, opened) = sample.read(&wanted).unwrap();
        prop_assert_eq!(cells(&batch), table.clone());
        prop_assert_eq!(opened.report().rows, table.len() as u64);
    }

    #[test]
    fn numbers_come_back_to_the_bit(
        table in prop::collection::vec((any::<i64>(), any::<f64>(), any::<bool>()), 1..20),
        chunk in 1_usize..200,
    ) {
        use arrow::array::{AsArray as _};
        use arrow::datatypes::{Float64Type, Int64Type};
        let mut text = String::from("i,f,b\n");
        for (int, float, boolean) in &table {
            text.push_str(&format!("{int},{float:?},{boolean}\n"));
        }
        let sample = Sample::new("x.csv", text);
        let wanted = options(|options| options.chunk_bytes = Some(chunk));
        let (batch, _) = sample.read(&wanted).unwrap();
        let ints = batch.column(0).as_primitive::<Int64Type>();
        let floats = batch.column(1).as_primitive::<Float64Type>();
        let booleans = batch.column(2).as_boolean();
        for (row, (int, float, boolean)) in table.iter().enumerate() {
            prop_assert_eq!(ints.value(row), *int);
            prop_assert!(floats.value(row) == *float || float.is_nan());
            prop_assert_eq!(booleans.value(row), *boolean);
        }
    }

    /// Any bytes: our records are those of the `csv` crate where both accept.
    #[test]
    fn records_are_those_of_the_csv_crate(
        text in "[ab\",\n\r]{0,40}",
        chunk in 1_usize..20,
    ) {
        let text = format!("x,y\n{text}\n");
        let sample = Sample::new("x.csv", &text);
        let wanted = options(|options| {
            options.chunk_bytes = Some(chunk);
            options.declare_type("x=utf8").unwrap();
            options.declare_type("y=utf8").unwrap();
        });
        // What is strict here (text after quotes, open quotes, bare carriage
        // returns) is lenient there.
        let Ok((batch, _)) = sample.read(&wanted) else { return Ok(()) };
        let mut reader = csv::ReaderBuilder::new()
            .terminator(csv::Terminator::Any(b'\n'))
            .flexible(true)
            .from_reader(text.as_bytes());
        let expected: Vec<Vec<String>> = reader
            .records()
            .map(|record| record.unwrap().iter().map(|v| v.trim_end_matches('\r').to_owned()).collect::<Vec<_>>())
            .filter(|row: &Vec<String>| row.len() == 2)
            .collect();
        let ours: Vec<Vec<String>> = cells(&batch)
            .into_iter()
            .map(|row| {
                row.into_iter()
                    .map(|v| if v == "-" { String::new() } else { v.trim_end_matches('\r').to_owned() })
                    .collect()
            })
            .collect();
        prop_assert_eq!(ours, expected);
    }

    /// Neither chunks nor threads change what is read, skipped or noted.
    #[test]
    fn chunks_change_nothing(
        text in "[0-9a.\",\n]{0,120}",
        chunk in 1_usize..40,
        threads in 1_usize..4,
    ) {
        let text = format!("x,y\n{text}\n");
        let sample = Sample::new("x.csv", text);
        let read = |chunk: Option<usize>, threads| {
            let wanted = options(|options| {
                options.on_error = OnError::Skip;
                options.chunk_bytes = chunk;
                options.threads = Some(threads);
            });
            sample.read(&wanted).map(|(batch, opened)| {
                (batch.schema(), cells(&batch), opened.report().clone())
            }).map_err(|error| error.to_string())
        };
        prop_assert_eq!(read(Some(chunk), threads), read(None, 1));
    }
}
