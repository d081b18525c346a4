//! The tests of one column, reading by reading in the order of time.
//!
//! Always true: a flag depends on the readings no longer ago than
//! [`Test::looks_back_us`], and on all readings of its own instant, whatever
//! their order; what is held is these.
//!
//! NaN and infinities are no readings, as in reductions.

use std::collections::VecDeque;

/// Passed.
pub(super) const PASS: i8 = 1;
/// No test could be evaluated.
pub(super) const NOT_EVALUATED: i8 = 2;
/// Of interest, or suspect.
pub(super) const SUSPECT: i8 = 3;
/// Failed.
pub(super) const FAIL: i8 = 4;
/// There is no reading.
pub(super) const MISSING: i8 = 9;

const NS_PER_US: i128 = 1_000;

/// A range of values, both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Bounds {
    /// Any value.
    pub(super) const OPEN: Self = Self { least: f64::NEG_INFINITY, greatest: f64::INFINITY };

    fn contains(self, value: f64) -> bool {
        (self.least..=self.greatest).contains(&value)
    }
}

/// One test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Test {
    /// A value outside is suspect, or fails.
    Range { fail: Bounds, suspect: Bounds },
    /// A change since the readings of the instant before, when that is no
    /// longer ago than `within_us`: the greatest there is between the two. More
    /// than so much in `per_us` is suspect, or fails.
    Rate { per_us: i64, within_us: i64, fail: f64, suspect: f64 },
    /// The readings differ by `tolerance` at most, from the last instant that
    /// is at least `after_us` ago, and no more than twice that, to this one.
    Flat { tolerance: f64, after_us: i64, flag: i8 },
    /// No reading in so long before: suspect. The first of all counts as one.
    Gap { longer_than_us: i64 },
}

impl Test {
    /// How long before a reading the readings are that decide its flag.
    pub(super) const fn looks_back_us(&self) -> i64 {
        match self {
            Self::Range { .. } => 0,
            Self::Rate { within_us, .. } => *within_us,
            Self::Flat { after_us, .. } => after_us.saturating_mul(2),
            Self::Gap { longer_than_us } => *longer_than_us,
        }
    }
}

/// An instant, and the least and the greatest reading of it.
#[derive(Clone, Copy, Debug)]
struct Readings {
    ns: i128,
    least: f64,
    greatest: f64,
}

/// The tests of one column on their way through its readings.
#[derive(Debug)]
pub(super) struct Flags {
    tests: Vec<(Test, Window)>,
    /// The last instant with a reading.
    before: Option<Readings>,
}

impl Flags {
    pub(super) fn new(tests: &[Test]) -> Self {
        let tests = tests.iter().map(|&test| (test, Window::default())).collect();
        Self { tests, before: None }
    }

    /// Flags the values of the next instant, which is later than all before.
    pub(super) fn instant(&mut self, ns: i128, values: &[Option<f64>], flags: &mut Vec<i8>) {
        let mut readings = values.iter().flatten().copied();
        let Some(first) = readings.next() else {
            return flags.extend(values.iter().map(|_| MISSING));
        };
        let (least, greatest) = readings.fold((first, first), |(least, greatest), value| {
            (least.min(value), greatest.max(value))
        });
        let now = Readings { ns, least, greatest };
        for (test, window) in &mut self.tests {
            if let Test::Flat { after_us, .. } = test {
                window.push(now, i128::from(*after_us) * NS_PER_US);
            }
        }
        for value in values {
            flags.push(value.map_or(MISSING, |value| self.flag(ns, value)));
        }
        self.before = Some(now);
    }

    fn flag(&self, ns: i128, value: f64) -> i8 {
        // The flags of evaluated tests are in the order of their severity.
        let evaluated = self.tests.iter().filter_map(|(test, window)| match *test {
            Test::Range { fail, suspect } => {
                Some(worse(!fail.contains(value), !suspect.contains(value)))
            }
            Test::Rate { per_us, within_us, fail, suspect } => {
                let before = self.before_within(ns, within_us)?;
                let change = (value - before.least).abs().max((value - before.greatest).abs());
                let per = (i128::from(per_us) * NS_PER_US) as f64;
                let rate = change * per / (ns - before.ns) as f64;
                Some(worse(rate > fail, rate > suspect))
            }
            Test::Flat { tolerance, after_us, flag } => {
                let is_flat = window.is_flat(ns, i128::from(after_us) * NS_PER_US, tolerance)?;
                Some(if is_flat { flag } else { PASS })
            }
            Test::Gap { longer_than_us } => {
                Some(worse(false, self.before_within(ns, longer_than_us).is_none()))
            }
        });
        evaluated.max().unwrap_or(NOT_EVALUATED)
    }

    fn before_within(&self, ns: i128, within_us: i64) -> Option<Readings> {
        self.before.filter(|before| ns - before.ns <= i128::from(within_us) * NS_PER_US)
    }
}

const fn worse(fails: bool, is_suspect: bool) -> i8 {
    match (fails, is_suspect) {
        (true, _) => FAIL,
        (false, true) => SUSPECT,
        (false, false) => PASS,
    }
}

/// The readings that tell whether a line is flat, with their extremes at the
/// front.
#[derive(Debug, Default)]
struct Window {
    instants: VecDeque<i128>,
    /// Values that ascend, each the least from its instant on.
    least: VecDeque<(i128, f64)>,
    /// Values that descend, each the greatest from its instant on.
    greatest: VecDeque<(i128, f64)>,
}

impl Window {
    fn push(&mut self, now: Readings, after_ns: i128) {
        self.instants.push_back(now.ns);
        // One that is old enough stays, unless it is too old.
        while let Some(second) = self.instants.get(1) {
            let is_too_old = self.instants[0] < now.ns - 2 * after_ns;
            if *second > now.ns - after_ns && !is_too_old {
                break;
            }
            self.instants.pop_front();
        }
        let from = self.instants[0];
        while self.least.back().is_some_and(|last| last.1 >= now.least) {
            self.least.pop_back();
        }
        while self.greatest.back().is_some_and(|last| last.1 <= now.greatest) {
            self.greatest.pop_back();
        }
        self.least.push_back((now.ns, now.least));
        self.greatest.push_back((now.ns, now.greatest));
        for extremes in [&mut self.least, &mut self.greatest] {
            while extremes.front().is_some_and(|first| first.0 < from) {
                extremes.pop_front();
            }
        }
    }

    /// Whether the values are the same since long enough; `None` where they are
    /// the same and it is not known since when.
    fn is_flat(&self, ns: i128, after_ns: i128, tolerance: f64) -> Option<bool> {
        let (least, greatest) = (self.least.front()?.1, self.greatest.front()?.1);
        if greatest - least > tolerance {
            return Some(false);
        }
        (*self.instants.front()? <= ns - after_ns).then_some(true)
    }
}
