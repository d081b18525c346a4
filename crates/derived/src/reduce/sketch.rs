//! A sketch of many readings, of which quantiles are told.
//!
//! A reading counts in the bucket of its sign, its exponent and the first nine
//! bits of its mantissa, so that a bucket's middle is within 2^-10 (0.1%) of
//! any reading in it: the log-linear buckets of `HdrHistogram`. Above
//! [`MAX_BUCKETS`] neighbours are joined, one bit of the mantissa less, which
//! doubles the error, as `UDDSketch` does (Epicoco et al., 2020).
//!
//! Always true: a sketch is a function of the set of its readings, so merging
//! is exactly associative and commutative: the level is the least at which the
//! buckets of all readings are few enough, whatever went in first. Equal
//! sketches have equal bytes. It is bit arithmetic, so it is the same on every
//! machine.
//!
//! Deliberately not here: the least and the greatest reading, which tiles keep
//! beside it and which bound every answer.

use std::collections::BTreeMap;

/// The most buckets of a sketch.
const MAX_BUCKETS: usize = 4_096;
/// Bits of the mantissa that tell buckets apart, at level 0.
const MANTISSA_BITS: u32 = 9;
/// The coarsest level, of whole octaves. All octaves of both signs and zero are
/// fewer than [`MAX_BUCKETS`].
const MAX_LEVEL: u8 = MANTISSA_BITS as u8;

/// How many readings there are in each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sketch {
    /// How many bits of the mantissa do not count any more.
    level: u8,
    /// In the order of their values. Zero is 0; a bucket of positive values is
    /// one more than their leading bits, of negative ones the same below zero.
    buckets: BTreeMap<i32, u64>,
}

impl Sketch {
    /// The error of a quantile, relative to it.
    #[cfg(test)]
    pub(crate) fn relative_error(&self) -> f64 {
        0.5_f64.powi(i32::from(MAX_LEVEL - self.level) + 1)
    }

    /// Counts a finite reading.
    pub(crate) fn add(&mut self, value: f64) {
        *self.buckets.entry(bucket(value, self.level)).or_default() += 1;
        self.shrink();
    }

    /// Counts all readings of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.level > self.level {
            self.coarsen(other.level);
        }
        let levels = self.level - other.level;
        for (&at, &count) in &other.buckets {
            *self.buckets.entry(coarser(at, levels)).or_default() += count;
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.buckets.len() > MAX_BUCKETS && self.level < MAX_LEVEL {
            self.coarsen(self.level + 1);
        }
    }

    fn coarsen(&mut self, level: u8) {
        let levels = level - self.level;
        for (at, count) in std::mem::take(&mut self.buckets) {
            *self.buckets.entry(coarser(at, levels)).or_default() += count;
        }
        self.level = level;
    }

    /// How many readings there are.
    fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// The least reading that is not below a part `q` of all, from 0 to 1; the
    /// first and the last are `least` and `greatest`, any other is told to
    /// within 2^-10 of it at level 0, twice that at each next; `None` of no
    /// reading.
    pub(crate) fn quantile(&self, q: f64, least: f64, greatest: f64) -> Option<f64> {
        let count = self.count();
        // A product that is whole but for its rounding is taken for whole.
        let rank = (q * count as f64 * (1.0 - 1e-12)).ceil().max(1.0);
        match rank {
            _ if count == 0 => return None,
            first if first <= 1.0 => return Some(least),
            last if last >= count as f64 => return Some(greatest),
            _ => {}
        }
        let mut up_to = 0;
        for (&at, &count) in &self.buckets {
            up_to += count;
            if up_to as f64 >= rank {
                return Some(middle(at, self.level).max(least).min(greatest));
            }
        }
        Some(greatest)
    }

    /// As bytes: the level, then of each bucket, ascending, how far it is from
    /// the one before and its count, as LEB128.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 3 * self.buckets.len());
        bytes.push(self.level);
        let mut before = 0;
        for (&at, &count) in &self.buckets {
            let step = i64::from(at) - before;
            // The first may be below zero: its sign is the last bit.
            let step = if before == 0 { zigzag(step) } else { step.unsigned_abs() };
            put(&mut bytes, step);
            put(&mut bytes, count);
            before = i64::from(at);
        }
        bytes
    }
    /// The sketch of these bytes, when they are of one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&level, mut rest) = bytes.split_first()?;
        let mut buckets = BTreeMap::new();
        let mut before = 0_i64;
        while !rest.is_empty() {
            let step = get(&mut rest)?;
            let step = if before == 0 { unzigzag(step) } else { i64::try_from(step).ok()? };
            let at = before.checked_add(step)?;
            buckets.insert(i32::try_from(at).ok()?, get(&mut rest)?);
            before = at;
        }
        (level <= MAX_LEVEL).then_some(Self { level, buckets })
    }
}

/// The bits of a number without its sign that are below those of its bucket.
const fn shift(level: u8) -> u32 {
    f64::MANTISSA_DIGITS - 1 - MANTISSA_BITS + level as u32
}

/// The bucket of a value. What is too small for a whole mantissa counts as
/// zero.
fn bucket(value: f64, level: u8) -> i32 {
    if value.abs() < f64::MIN_POSITIVE {
        return 0;
    }
    // Twenty bits at most.
    let leading = (value.abs().to_bits() >> shift(level)) as i32 + 1;
    if value < 0.0 { -leading } else { leading }
}

/// The bucket so many levels up that holds a bucket.
const fn coarser(at: i32, levels: u8) -> i32 {
    match at {
        0 => 0,
        1.. => ((at - 1) >> levels) + 1,
        _ => -(((-at - 1) >> levels) + 1),
    }
}

/// The middle of a bucket.
fn middle(at: i32, level: u8) -> f64 {
    if at == 0 {
        return 0.0;
    }
    let leading = u64::from(at.unsigned_abs() - 1);
    let half = 1_u64 << (shift(level) - 1);
    let value = f64::from_bits((leading << shift(level)) + half);
    if at < 0 { -value } else { value }
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Writes a number as LEB128.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads a number as LEB128.
fn get(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|&value| sketch.add(value));
        sketch
    }

    fn readings() -> impl Strategy<Value = Vec<f64>> {
        let any = prop_oneof![
            4 => -40.0..40.0_f64,
            1 => (0..10_i32).prop_map(f64::from),
            1 => prop::num::f64::NORMAL | prop::num::f64::ZERO,
        ];
        prop_oneof![
            4 => prop::collection::vec(any, 0..300),
            // So many different ones that buckets have to be joined.
            1 => prop::collection::vec(prop::num::f64::NORMAL, 4_000..9_000),
        ]
    }

    /// The reading that a quantile is about.
    fn exact(sorted: &[f64], q: f64) -> f64 {
        let rank = (0..sorted.len()).find(|at| (at + 1) as f64 >= q * sorted.len() as f64 - 1e-9);
        sorted[rank.unwrap()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn in_whatever_pieces_and_order_the_bytes_are_the_same(
            readings in readings(), cut in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()
        ) {
            let whole = of(&readings);
            let mut reversed = readings.clone();
            reversed.reverse();
            prop_assert_eq!(of(&reversed).to_bytes(), whole.to_bytes());
            let (a, b) = (cut.index(readings.len() + 1), other.index(readings.len() + 1));
            let (a, b) = (a.min(b), a.max(b));
            let parts = [of(&readings[..a]), of(&readings[a..b]), of(&readings[b..])];
            let merged = |order: [usize; 3]| {
                let mut all = parts[order[0]].clone();
                all.merge(&parts[order[1]]);
                all.merge(&parts[order[2]]);
                all
            };
            for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
                prop_assert_eq!(merged(order).to_bytes(), whole.to_bytes());
            }
            let mut nested = parts[2].clone();
            nested.merge(&parts[1]);
            let mut first = parts[0].clone();
            first.merge(&nested);
            prop_assert_eq!(first.to_bytes(), whole.to_bytes());
            prop_assert!(whole.buckets.len() <= MAX_BUCKETS);
            prop_assert_eq!(Sketch::from_bytes(&whole.to_bytes()), Some(whole));
        }

        #[test]
        fn a_quantile_is_within_the_stated_error(mut readings in readings(), q in 0.0..=1.0_f64) {
            let sketch = of(&readings);
            readings.sort_by(f64::total_cmp);
            for q in [q, 0.0, 0.5, 0.95, 1.0] {
                let (least, greatest) = match readings.as_slice() {
                    [] => (0.0, 0.0),
                    all => (all[0], all[all.len() - 1]),
                };
                match sketch.quantile(q, least, greatest) {
                    None => prop_assert!(readings.is_empty()),
                    Some(told) => {
                        let exact = exact(&readings, q);
                        let error = (told - exact).abs();
                        prop_assert!(error <= sketch.relative_error() * exact.abs(), "{told} {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_error_is_a_thousandth_and_doubles_with_each_level() {
        let mut sketch = Sketch::default();
        assert!(sketch.relative_error() <= 0.001);
        let finest = sketch.relative_error();
        for at in 0..5_000_u32 {
            sketch.add(1.0 + f64::from(at) / 8.0);
        }
        assert_eq!(sketch.level, 0);
        for at in 0..200_000_u32 {
            sketch.add(1.001_f64.powi(i32::try_from(at % 10_000).unwrap() - 5_000));
        }
        assert_eq!(sketch.relative_error(), finest * f64::from(1_u32 << sketch.level));
        assert!((1..=3).contains(&sketch.level), "{}", sketch.level);
        // All that a number can be.
        for exponent in -1_022..=1_023 {
            for sign in [1.0, -1.0] {
                for part in 0..8 {
                    sketch.add(sign * 2.0_f64.powi(exponent) * (1.0 + f64::from(part) / 8.0));
                }
            }
        }
        assert_eq!(sketch.level, MAX_LEVEL);
        assert!(sketch.buckets.len() <= MAX_BUCKETS);
    }

    #[test]
    fn bytes_that_are_cut_are_no_sketch() {
        let bytes = of(&[-3.0, 0.0, 1e300]).to_bytes();
        assert_eq!(Sketch::from_bytes(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Sketch::from_bytes(&[]), None);
        assert_eq!(Sketch::from_bytes(&[10]), None);
        assert_eq!(Sketch::from_bytes(&[0; 1]), Some(Sketch::default()));
    }
}
