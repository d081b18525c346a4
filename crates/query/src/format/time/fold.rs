//! Which pass of a repeated hour a row belongs to, told by the rows' order.
//!
//! When clocks fall back, an hour of local time happens twice. A *visit* is a
//! run of rows with such times that no other time interrupts. Within a visit
//! the second pass begins where time goes backwards (01:50, then 01:00); if it
//! never does, where a time repeats (01:00, 01:00); if none does, all rows are
//! of the first pass. A visit that comes from later times (newest row first) is
//! read in the other direction.
//!
//! What always holds: the first reading of the file ([`Survey`]) and the second
//! ([`Resolver`]) take every row for the same pass, whatever the chunks are.
//!
//! What is deliberately not here: a guess from missing data. A series of which
//! only the second pass was recorded is read as the first, and the report lists
//! its rows.

use crate::format::options::Ambiguous;
use crate::format::report::{DaylightSaving, DoubtfulTime, ReadReport};

use super::Time;

/// A row whose local time happened twice.
#[derive(Clone, Debug)]
pub(crate) struct DoubtfulRow {
    /// Its place in the chunk's rows.
    pub(crate) row: usize,
    pub(crate) line: u64,
    /// The local time as if it were UTC, in nanoseconds of the second too.
    pub(crate) local: (i64, u32),
    pub(crate) earlier: i64,
    pub(crate) later: i64,
    /// The time as it is written; kept by the first reading only.
    pub(crate) text: String,
    /// Whether rows with other times lie between it and the row before it.
    pub(crate) opens_visit: bool,
    /// The local time of the row before it, when that one is in no doubt.
    pub(crate) before: Option<i64>,
}

/// What a chunk's times say about daylight saving.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChunkTimes {
    pub(crate) doubtful: Vec<DoubtfulRow>,
    /// The local time of the last row, when that one is in no doubt.
    last: Option<i64>,
    /// Whether other times came since the last doubtful row, or the start.
    plain: bool,
}

impl ChunkTimes {
    /// Takes note of the next row's time. `text` is called for doubtful ones.
    pub(crate) fn add(
        &mut self,
        row: usize,
        line: u64,
        time: &Time,
        text: impl FnOnce() -> String,
    ) {
        let (Some(local), Some(later)) = (time.local, time.later) else {
            self.last = time.local;
            self.plain = true;
            return;
        };
        self.doubtful.push(DoubtfulRow {
            row,
            line,
            local: (local, time.nanos),
            earlier: time.secs,
            later,
            text: text(),
            opens_visit: self.plain,
            before: self.last.take(),
        });
        self.plain = false;
    }
}

/// What carries over from chunk to chunk.
#[derive(Clone, Debug, Default)]
struct Carry {
    last: Option<i64>,
    plain: bool,
}

impl Carry {
    /// Completes the first row of a chunk by what the chunks before it ended
    /// with, then remembers how this one ends.
    fn join(&mut self, times: &mut ChunkTimes) {
        if let Some(first) = times.doubtful.first_mut() {
            if !first.opens_visit {
                first.opens_visit = self.plain;
                first.before = self.last;
            }
            *self = Self { last: times.last, plain: times.plain };
        } else if times.plain {
            *self = Self { last: times.last, plain: true };
        }
    }
}

/// How the second pass of a visit shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Backwards,
    Repetition,
}

/// The walk through one visit under one rule.
#[derive(Clone, Copy, Debug)]
struct Walk {
    sign: Sign,
    descending: bool,
    last: (i64, u32),
    turned: bool,
}

impl Walk {
    fn begin(sign: Sign, row: &DoubtfulRow) -> Self {
        let descending = row.before.is_some_and(|before| before > row.local.0);
        Self { sign, descending, last: row.local, turned: false }
    }

    /// Takes the next row; whether it is of the second pass.
    fn step(&mut self, row: &DoubtfulRow) -> bool {
        self.turned |= match self.sign {
            Sign::Backwards if self.descending => row.local > self.last,
            Sign::Backwards => row.local < self.last,
            Sign::Repetition => row.local == self.last,
        };
        self.last = row.local;
        // Newest first, the second pass comes first.
        self.turned != self.descending
    }

    fn first(&self) -> bool {
        self.descending
    }
}

/// The visit that is under way, under both rules.
#[derive(Clone, Debug)]
struct Visit {
    walks: [Walk; 2],
    second: [u64; 2],
    /// Rows of the visit that are listed: their place in the list, the answer
    /// of each rule, and the instant of the second pass.
    listed: Vec<(usize, [bool; 2], i64)>,
}

impl Visit {
    /// Which of the two rules holds, now that all its rows were seen.
    fn rule(&self) -> usize {
        let [backwards, repetition] = self.walks;
        usize::from(!backwards.turned && repetition.turned)
    }
}

/// The first reading: counts, lists, and learns each visit's rule.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    choice: Ambiguous,
    carry: Carry,
    visit: Option<Visit>,
    plan: Plan,
    report: DaylightSaving,
}

/// Per visit, whether repetition is the sign of the second pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    choice: Ambiguous,
    by_repetition: Vec<bool>,
}

impl Survey {
    pub(crate) fn new(choice: Ambiguous) -> Self {
        Self {
            choice,
            carry: Carry::default(),
            visit: None,
            plan: Plan { choice, by_repetition: Vec::new() },
            report: DaylightSaving::default(),
        }
    }

    /// Takes the next chunk's times.
    pub(crate) fn add(&mut self, mut times: ChunkTimes) {
        self.carry.join(&mut times);
        for row in times.doubtful {
            self.add_row(row);
        }
    }

    fn add_row(&mut self, row: DoubtfulRow) {
        if row.opens_visit {
            self.end_visit();
        }
        let answers = match &mut self.visit {
            Some(visit) => visit.walks.each_mut().map(|walk| walk.step(&row)),
            None => {
                let walks = [Sign::Backwards, Sign::Repetition].map(|sign| Walk::begin(sign, &row));
                self.visit = Some(Visit { walks, second: [0; 2], listed: Vec::new() });
                walks.map(|walk| walk.first())
            }
        };
        self.report.ambiguous += 1;
        let Some(visit) = &mut self.visit else { return };
        for (count, second) in visit.second.iter_mut().zip(answers) {
            *count += u64::from(second);
        }
        let listed = &mut self.report.ambiguous_rows;
        if listed.len() < ReadReport::LISTED {
            let [earlier, later] =
                [row.earlier, row.later].map(|secs| Time::micros(secs, row.local.1));
            visit.listed.push((listed.len(), answers, later));
            let second_pass = self.choice == Ambiguous::Latest;
            let time_us = if second_pass { later } else { earlier };
            listed.push(DoubtfulTime { line: row.line, local: row.text, time_us, second_pass });
        }
    }

    fn end_visit(&mut self) {
        let Some(visit) = self.visit.take() else { return };
        let rule = visit.rule();
        self.plan.by_repetition.push(rule == 1);
        match self.choice {
            Ambiguous::Latest => self.report.second_pass = self.report.ambiguous,
            Ambiguous::Earliest | Ambiguous::Refuse => {}
            Ambiguous::Order => {
                self.report.second_pass += visit.second[rule];
                for (place, answers, later) in visit.listed {
                    if answers[rule] {
                        self.report.ambiguous_rows[place].second_pass = true;
                        self.report.ambiguous_rows[place].time_us = later;
                    }
                }
            }
        }
    }

    /// What was learnt, once all chunks were seen.
    pub(crate) fn finish(mut self) -> (Plan, DaylightSaving) {
        self.end_visit();
        (self.plan, self.report)
    }
}

/// The second reading: says for each doubtful row which pass it is.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    plan: &'a Plan,
    carry: Carry,
    visits: usize,
    walk: Option<Walk>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        Self { plan, carry: Carry::default(), visits: 0, walk: None }
    }

    /// The chunk's rows that are of the second pass, each with its instant.
    pub(crate) fn second_pass(&mut self, mut times: ChunkTimes) -> Vec<(usize, i64, u32)> {
        self.carry.join(&mut times);
        let mut second = Vec::new();
        for row in &times.doubtful {
            let by_order = self.step(row);
            let taken = match self.plan.choice {
                Ambiguous::Order => by_order,
                Ambiguous::Latest => true,
                Ambiguous::Earliest | Ambiguous::Refuse => false,
            };
            if taken {
                second.push((row.row, row.later, row.local.1));
            }
        }
        second
    }

    fn step(&mut self, row: &DoubtfulRow) -> bool {
        if row.opens_visit {
            self.walk = None;
        }
        if let Some(walk) = &mut self.walk {
            return walk.step(row);
        }
        // A visit that the first reading did not see has no rule: the file
        // changed, which its row counts will show.
        let by_repetition = self.plan.by_repetition.get(self.visits).copied().unwrap_or(false);
        self.visits += 1;
        let sign = if by_repetition { Sign::Repetition } else { Sign::Backwards };
        let walk = Walk::begin(sign, row);
        self.walk = Some(walk);
        walk.first()
    }
}
