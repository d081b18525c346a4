//! What the first reading of a file tells of how far it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use diagnostics::{Monitor, Progress, Unit};

use super::{Sample, block_on, options, rows};

/// What it is called, and how much it is in all.
type Task = (String, Option<u64>);

/// Writes down what it is told.
#[derive(Clone, Debug, Default)]
struct Recorder {
    tasks: Arc<Mutex<Vec<Task>>>,
    advanced: Arc<AtomicU64>,
}

impl Monitor for Recorder {
    fn begin(&self, task: &str, total: Option<u64>, unit: Unit) -> Box<dyn Progress> {
        assert_eq!(unit, Unit::Bytes);
        self.tasks.lock().unwrap().push((task.to_owned(), total));
        Box::new(self.clone())
    }

    fn warn(&self, message: &str) {
        panic!("{message}");
    }
}

impl Progress for Recorder {
    fn advance(&self, amount: u64) {
        self.advanced.fetch_add(amount, Ordering::Relaxed);
    }
}

#[test]
fn the_first_reading_tells_of_each_byte_once_and_later_ones_of_none() {
    let lines = |line: fn(u32) -> String| (0..50_000).map(line).collect::<String>();
    let samples = [
        ("csv", format!("a,b\n{}", lines(|row| format!("{row},x\n")))),
        ("ndjson", lines(|row| format!("{{\"a\":{row}}}\n"))),
        ("json", format!("[{}1]", lines(|row| format!("{{\"a\":{row}}},"))).replace(",1]", "]")),
        ("weblog", lines(|_| "h - - [29/Feb/2024:00:00:00 +0000] \"GET /x H\" 1 2\n".to_owned())),
    ];
    for (format, text) in samples {
        let bytes = text.len() as u64;
        let sample = Sample::new("x", text);
        let told = Recorder::default();
        let source = sample.named(format, "").with_monitor(Arc::new(told.clone()));
        let opened = block_on(query::format::open(source, options(|_| {}))).unwrap();
        let tasks = [("looking through `x`".to_owned(), Some(bytes))];
        assert_eq!(*told.tasks.lock().unwrap(), tasks, "{format}");
        assert_eq!(told.advanced.load(Ordering::Relaxed), bytes, "{format}");
        assert_eq!(rows(&opened, None).unwrap().num_rows(), 50_000);
        assert_eq!(told.advanced.load(Ordering::Relaxed), bytes, "{format}");
    }
}
