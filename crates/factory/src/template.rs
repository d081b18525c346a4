//! Templates that make files: rendered apart from everything else, and bounded.
//!
//! Always true: nothing is read but the values and the texts that are given; a
//! render ends within its limits, whatever the template says, or is given up;
//! what it holds at once is bounded by [`template_cost`](super::template_cost).
//!
//! Nothing is escaped unless the template says so (`| escape_html`).

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};
use tera::{Context, ErrorKind, Kwargs, State, Tera};

use crate::template_cost::{self, TooCostly};
use crate::{Error, Result};

/// The longest text of a template.
pub const MAX_TEMPLATE_BYTES: usize = 64 << 10;
/// The longest text that a filter may make.
const MAX_FILTERED_BYTES: usize = 1 << 20;
/// What a text is called that is looked at by itself.
const NAME: &str = "text";
/// Renders that were given up and still run; with so many, no more are begun.
const MAX_GIVEN_UP: usize = 2;

/// Renders of this process that were given up and still run.
static GIVEN_UP: AtomicUsize = AtomicUsize::new(0);

/// What a render may cost.
#[derive(Clone, Copy, Debug)]
pub struct RenderLimits {
    /// How long it may take.
    pub time: Duration,
    /// How long the text may be that it makes.
    pub output_bytes: u64,
}

impl Default for RenderLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(5), output_bytes: 16 << 20 }
    }
}

/// A template and those that it includes, checked.
#[derive(Debug)]
pub struct Template {
    tera: Tera,
    at: String,
}

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFault {
    /// What.
    pub message: String,
    /// The line, from 1, where known.
    pub line: Option<u64>,
}

/// The names of the templates that `text` includes.
///
/// # Errors
/// What is wrong with it, as far as it is known without those that it includes.
pub fn template_includes(text: &str) -> std::result::Result<Vec<String>, TemplateFault> {
    if text.len() > MAX_TEMPLATE_BYTES {
        let message = "is longer than 64 KiB".to_owned();
        return Err(TemplateFault { message, line: None });
    }
    let includes = template_cost::scan(text).map_err(fault)?.includes;
    template_cost::check(NAME, &[(NAME, text)]).map_err(|(_, refusal)| fault(refusal))?;
    // Empty texts stand for those that it includes.
    let mut tera = engine();
    let stubs = includes.iter().map(|name| (name.clone(), String::new()));
    let all = stubs.chain([(NAME.to_owned(), text.to_owned())]);
    match tera.add_raw_templates(all) {
        Ok(()) => Ok(includes),
        Err(error) => Err(told(&error)),
    }
}

impl Template {
    /// The template `text`, which is called `at`; `includes` are the texts by
    /// name that it and they include.
    ///
    /// # Errors
    /// [`Error::Template`].
    pub fn new(at: &str, text: &str, includes: &[(String, String)]) -> Result<Self> {
        let all: Vec<(&str, &str)> = includes
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .chain([(at, text)])
            .collect();
        template_cost::check(at, &all).map_err(|(at, fault_of)| {
            let TemplateFault { message, line } = fault(fault_of);
            Error::Template { at, message, line }
        })?;
        let mut tera = engine();
        tera.add_raw_templates(all).map_err(|error| of_engine(at, &error))?;
        Ok(Self { tera, at: at.to_owned() })
    }

    /// The text that it makes of `values`, an object.
    ///
    /// It runs on a thread of its own, because what a template does can not be
    /// broken off: one that takes too long is left behind.
    ///
    /// # Errors
    /// [`Error::Template`], [`Error::Deadline`], [`Error::StillRunning`],
    /// [`Error::TooLong`].
    pub async fn render(self, values: serde_json::Value, limits: RenderLimits) -> Result<Vec<u8>> {
        let Self { tera, at } = self;
        let given_up = GIVEN_UP.load(Ordering::SeqCst);
        if given_up >= MAX_GIVEN_UP {
            return Err(Error::StillRunning { at, running: given_up });
        }
        let (sender, receiver) = oneshot::channel();
        let (name, running) = (at.clone(), Arc::new(Running::new(&GIVEN_UP)));
        let ends = Ends(Arc::clone(&running));
        let work = move || {
            let _ends = ends;
            // Whoever waited may be gone.
            let _ = sender.send(render(&tera, &name, &values, limits.output_bytes));
        };
        let thread = std::thread::Builder::new().name("template".to_owned());
        thread.spawn(work).map_err(|source| Error::Run {
            doing: format!("the template `{at}` can not be rendered"),
            source: Box::new(source),
        })?;
        let timer = std::pin::pin!(tokio::time::sleep(limits.time));
        let ended = match select(receiver, timer).await {
            Either::Left((ended, _)) => ended,
            Either::Right(((), receiver)) => {
                if running.give_up() {
                    return Err(Error::Deadline { at, limit_s: limits.time.as_secs() });
                }
                // It ended just before, and what it made is there.
                receiver.await
            }
        };
        ended.unwrap_or_else(|_| {
            Err(Error::Template { at, message: "the engine broke off".to_owned(), line: None })
        })
    }
}

/// A render on a thread of its own: it runs, was given up, or has ended.
struct Running {
    state: AtomicU8,
    /// Counts those that were given up and still run.
    given_up: &'static AtomicUsize,
}

const RUNS: u8 = 0;
const GIVEN: u8 = 1;
const ENDED: u8 = 2;

impl Running {
    const fn new(given_up: &'static AtomicUsize) -> Self {
        Self { state: AtomicU8::new(RUNS), given_up }
    }

    /// Gives it up, unless it has ended.
    fn give_up(&self) -> bool {
        // Counted first: it may end at once and count itself off.
        self.given_up.fetch_add(1, Ordering::SeqCst);
        let given =
            self.state.compare_exchange(RUNS, GIVEN, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if !given {
            self.given_up.fetch_sub(1, Ordering::SeqCst);
        }
        given
    }
}

/// Says that a render has ended when it is dropped, also by a panic.
struct Ends(Arc<Running>);

impl Drop for Ends {
    fn drop(&mut self) {
        if self.0.state.swap(ENDED, Ordering::SeqCst) == GIVEN {
            self.0.given_up.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

fn render(tera: &Tera, at: &str, values: &serde_json::Value, limit_bytes: u64) -> Result<Vec<u8>> {
    let mut out = Bounded { bytes: Vec::new(), limit_bytes };
    let context = Context::from_serialize(values).map_err(|error| of_engine(at, &error))?;
    match tera.render_to(at, &context, &mut out) {
        Ok(()) => Ok(out.bytes),
        Err(error) if matches!(error.kind(), ErrorKind::Io(_)) => {
            Err(Error::TooLong { what: format!("what `{at}` makes"), limit_bytes })
        }
        Err(error) => Err(of_engine(at, &error)),
    }
}

/// An engine without templates, whose filters can not multiply.
fn engine() -> Tera {
    let mut tera = Tera::new();
    tera.autoescape_on(Vec::<&str>::new());
    tera.register_filter("default", default);
    tera.register_filter("replace", replace);
    tera.register_filter("indent", indent);
    tera.register_filter("join", join);
    tera
}

fn too_much(filter: &str) -> tera::Error {
    tera::Error::message(format!("`{filter}` makes more than 1 MiB"))
}

/// The filter `default`, which also stands in for what is none: a table has a
/// value there, and it is missing.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn default(value: tera::Value, arguments: Kwargs, _: &State<'_>) -> tera::TeraResult<tera::Value> {
    let instead = arguments.must_get::<tera::Value>("value")?;
    Ok(if value.is_undefined() || value.is_none() { instead } else { value })
}

/// The filter `replace`, up to a length.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn replace(text: &str, arguments: Kwargs, _: &State<'_>) -> tera::TeraResult<String> {
    let from = arguments.must_get::<&str>("from")?;
    let to = arguments.must_get::<&str>("to")?;
    let times = text.matches(from).count();
    if text.len().saturating_add(times.saturating_mul(to.len())) > MAX_FILTERED_BYTES {
        return Err(too_much("replace"));
    }
    Ok(text.replace(from, to))
}

/// The filter `indent`, up to a length: every line but the first.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn indent(text: &str, arguments: Kwargs, _: &State<'_>) -> tera::TeraResult<String> {
    let width = arguments.get::<usize>("width")?.unwrap_or(4);
    let first = arguments.get::<bool>("first")?.unwrap_or(false);
    let blank = arguments.get::<bool>("blank")?.unwrap_or(false);
    let added = text.split('\n').count().saturating_mul(width);
    if text.len().saturating_add(added) > MAX_FILTERED_BYTES {
        return Err(too_much("indent"));
    }
    let margin = " ".repeat(width);
    let mut out = String::with_capacity(text.len() + added);
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        if (at > 0 || first) && (blank || !line.is_empty()) {
            out.push_str(&margin);
        }
        out.push_str(line);
    }
    Ok(out)
}

/// The filter `join`, up to a length.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn join(items: &[tera::Value], arguments: Kwargs, _: &State<'_>) -> tera::TeraResult<String> {
    let between = arguments.get::<&str>("sep")?.unwrap_or_default();
    let mut out = Bounded { bytes: Vec::new(), limit_bytes: MAX_FILTERED_BYTES as u64 };
    for (at, item) in items.iter().enumerate() {
        let begin = if at > 0 { between } else { "" };
        write!(out, "{begin}{item}").map_err(|_| too_much("join"))?;
    }
    String::from_utf8(out.bytes).map_err(|_| tera::Error::message("`join` makes no text"))
}

fn of_engine(at: &str, error: &tera::Error) -> Error {
    let at = match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report)
            if !report.filename().is_empty() =>
        {
            report.filename()
        }
        _ => at,
    };
    let TemplateFault { message, line } = told(error);
    Error::Template { at: at.to_owned(), message, line }
}

fn told(error: &tera::Error) -> TemplateFault {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => TemplateFault {
            message: report.message().trim_start_matches("error: ").to_owned(),
            line: u64::try_from(report.span().start_line).ok().filter(|line| *line > 0),
        },
        kind => {
            let text = kind.to_string();
            let message = text.lines().next().unwrap_or_default();
            let message = message.trim_start_matches("error: ").to_owned();
            TemplateFault { message, line: None }
        }
    }
}

fn fault(TooCostly { message, line }: TooCostly) -> TemplateFault {
    TemplateFault { message, line: Some(line) }
}

/// A buffer that refuses to grow beyond a limit.
struct Bounded {
    bytes: Vec<u8>,
    limit_bytes: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > self.limit_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn made(text: &str, limits: RenderLimits) -> Result<String> {
        let values = json!({ "v": "a<b", "rows": [{ "x": 1.5, "y.z": null }, { "x": 2 }] });
        let made = Template::new("t", text, &[])?.render(values, limits).await?;
        Ok(String::from_utf8(made).unwrap())
    }

    #[tokio::test]
    async fn a_template_makes_a_text_of_its_values() {
        let text = "{{ v }} {{ v | escape_html }} {% for r in rows %}{{ r.x }}{{ r['y.z'] | default(value='-') }};{% endfor %}{{ [1, 2] | join(sep=', ') }}\n{{ 'a\nb' | indent(width=2) }}";
        let made = made(text, RenderLimits::default()).await.unwrap();
        assert_eq!(made, "a<b a&lt;b 1.5-;2-;1, 2\na\n  b");
    }

    #[tokio::test]
    async fn what_goes_wrong_names_the_line() {
        for (text, line) in
            [("a\n{{ nowhere }}", 2), ("{{ v }}\n\n{{ v + 1 }}", 3), ("{% if %}", 1)]
        {
            match made(text, RenderLimits::default()).await {
                Err(Error::Template { at, line: Some(found), .. }) => {
                    assert_eq!((at.as_str(), found), ("t", line), "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn what_a_filter_makes_is_bounded_also_of_an_empty_text() {
        for text in [
            "{{ '' | indent(width=9000000000000000000, first=true, blank=true) }}",
            "{{ 'a' | indent(width=2000000) }}",
            "{{ '\n' | indent(width=600000, blank=true) }}",
        ] {
            match made(text, RenderLimits::default()).await {
                Err(Error::Template { message, .. }) => {
                    assert!(message.contains("more than 1 MiB"), "{text}: {message}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_render_that_was_given_up_counts_until_it_ends() {
        static GIVEN_UP: AtomicUsize = AtomicUsize::new(0);
        let given_up = || GIVEN_UP.load(Ordering::SeqCst);
        let render = || {
            let running = Arc::new(Running::new(&GIVEN_UP));
            (Arc::clone(&running), Ends(running))
        };
        let (running, ends) = render();
        assert!(running.give_up());
        assert_eq!(given_up(), 1);
        drop(ends);
        assert_eq!(given_up(), 0);
        let (running, ends) = render();
        drop(ends);
        assert!(!running.give_up(), "it has ended");
        assert_eq!(given_up(), 0);
    }

    #[tokio::test]
    async fn a_render_ends_by_its_length_and_by_its_time() {
        let many = "{% for a in range(end=99999) %}{% for b in range(end=99999) %}{{ v }}{% endfor %}{% endfor %}";
        let limits = RenderLimits { output_bytes: 1_000, ..RenderLimits::default() };
        assert!(matches!(made(many, limits).await, Err(Error::TooLong { limit_bytes: 1_000, .. })));
        // Without a word of output only its time ends it.
        let silent = "{% for a in range(end=99999) %}{% for b in range(end=2000) %}{% if a == b %}{% endif %}{% endfor %}{% endfor %}";
        let limits = RenderLimits { time: Duration::ZERO, ..RenderLimits::default() };
        assert!(matches!(made(silent, limits).await, Err(Error::Deadline { .. })));
    }
}
