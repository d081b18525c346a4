//! Sums of floating-point numbers without error until they are rounded.
//!
//! A sum is kept as an expansion: numbers that do not overlap and together are
//! the exact value (Shewchuk, *Adaptive Precision Floating-Point Arithmetic and
//! Fast Robust Geometric Predicates*, 1997; Python's `math.fsum` is the same).
//!
//! Always true: the result depends on which numbers were added, not on their
//! order. Numbers near the end of the range are kept scaled down and apart, so
//! that nothing overflows on the way; what leaves the range at the end is
//! infinite.
//!
//! Deliberately not here: NaN and infinities. They are no readings; callers
//! leave them out.

/// From here on numbers are kept scaled: 2^960.
const HUGE: f64 = f64::from_bits((1023 + 960) << 52);
/// By so much: 2^-128.
const SCALE: f64 = f64::from_bits((1023 - 128) << 52);
/// And back: 2^128.
const UNSCALE: f64 = f64::from_bits((1023 + 128) << 52);

/// An exact sum.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExactSum {
    /// Ascending by size; they do not overlap.
    parts: Vec<f64>,
    /// The same for numbers from [`HUGE`] on, times [`SCALE`].
    huge: Vec<f64>,
    /// A product left the range; what the sum is then is not known.
    overflowed: bool,
}

impl ExactSum {
    /// Nothing has been added.
    pub(crate) fn clear(&mut self) {
        self.parts.clear();
        self.huge.clear();
        self.overflowed = false;
    }

    /// Adds a finite number.
    pub(crate) fn add(&mut self, x: f64) {
        if x.abs() < HUGE {
            grow(&mut self.parts, x);
        } else if x.is_finite() {
            grow(&mut self.huge, x * SCALE);
        } else {
            self.overflowed = true;
        }
    }

    /// Adds `x * x`, with what rounding the product leaves out. The rest of
    /// products below 2^-960 is lost, which is far below what rounding keeps.
    pub(crate) fn add_square(&mut self, x: f64) {
        let product = x * x;
        self.add(product);
        if product.is_finite() {
            self.add(x.mul_add(x, -product));
        }
    }

    /// The sum, rounded once, to the nearest and ties to even.
    pub(crate) fn rounded(&self) -> f64 {
        if self.overflowed {
            return f64::INFINITY;
        }
        if self.huge.is_empty() {
            return round(&self.parts);
        }
        let (scaled, exact) = self.scaled();
        let sum = round(&scaled);
        // Unscaling rounds again only below the normal range, where nothing
        // was scaled down without loss: there the parts alone remain.
        if scaled.is_empty() && exact { 0.0 } else { sum * UNSCALE }
    }

    /// The sum as two numbers: rounded, and what that leaves, rounded.
    pub(crate) fn pair(&self) -> (f64, f64) {
        let high = self.rounded();
        if !high.is_finite() {
            return (high, 0.0);
        }
        let mut rest = self.clone();
        rest.add(-high);
        (high, rest.rounded())
    }

    /// All parts in the scale of the huge ones, and whether none lost a bit.
    fn scaled(&self) -> (Vec<f64>, bool) {
        let mut scaled = self.huge.clone();
        let mut exact = true;
        for &part in &self.parts {
            let small = part * SCALE;
            exact &= small * UNSCALE == part;
            // What scaling cuts off can only decide a tie; its sign does.
            let small = if small == 0.0 { f64::from_bits(1).copysign(part) } else { small };
            grow(&mut scaled, small);
        }
        (scaled, exact)
    }
}

/// Adds `x` to an expansion.
fn grow(parts: &mut Vec<f64>, x: f64) {
    let mut x = x;
    let mut kept = 0;
    for at in 0..parts.len() {
        let mut y = parts[at];
        if x.abs() < y.abs() {
            std::mem::swap(&mut x, &mut y);
        }
        let high = x + y;
        let low = y - (high - x);
        if low != 0.0 {
            parts[kept] = low;
            kept += 1;
        }
        x = high;
    }
    parts.truncate(kept);
    if x != 0.0 {
        parts.push(x);
    }
}

/// An expansion's value, rounded once.
fn round(parts: &[f64]) -> f64 {
    let Some((&last, mut rest)) = parts.split_last() else { return 0.0 };
    let mut high = last;
    let mut low = 0.0;
    while let Some((&next, before)) = rest.split_last() {
        let x = high;
        high = x + next;
        low = next - (high - x);
        rest = before;
        if low != 0.0 {
            break;
        }
    }
    // Half-way cases go by what comes below.
    if let Some(&below) = rest.last()
        && ((low < 0.0 && below < 0.0) || (low > 0.0 && below > 0.0))
    {
        let twice = low * 2.0;
        let nudged = high + twice;
        if twice == nudged - high {
            high = nudged;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        for &value in values {
            sum.add(value);
        }
        sum.rounded()
    }

    #[test]
    fn rounding_happens_once() {
        assert_eq!(sum(&[1e16, 1.0, -1e16]), 1.0);
        assert_eq!(sum(&[1e100, 1.0, -1e100, 1e-100, 1e50, -1.0, -1e50]), 1e-100);
        // Half an ulp, and a little more.
        assert_eq!(sum(&[1.0, f64::EPSILON / 2.0]), 1.0);
        assert_eq!(sum(&[1.0, f64::EPSILON / 2.0, 1e-300]), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[]).to_bits(), 0.0_f64.to_bits());
        assert_eq!(sum(&[-0.0]).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn nothing_overflows_on_the_way() {
        assert_eq!(sum(&[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, 1.5]), 1.5);
        assert_eq!(sum(&[f64::MAX, 1.0, -f64::MAX]), 1.0);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum(&[-f64::MAX, -f64::MAX]), f64::NEG_INFINITY);
        assert_eq!(sum(&[f64::MAX, -1.0]), f64::MAX);
    }

    #[test]
    fn pair_holds_what_rounding_leaves() {
        let mut exact = ExactSum::default();
        for value in [1e16, 1.0, 1e-3] {
            exact.add(value);
        }
        // Doubles are two apart there.
        assert_eq!(exact.pair(), (1e16 + 2.0, -0.999));
    }

    proptest! {
        #[test]
        fn sum_equals_fixed_point(values in prop::collection::vec(-(1_i64 << 50)..1_i64 << 50, 0..200)) {
            // In 1/1024, each is a double, and their sum an i128.
            let floats: Vec<f64> = values.iter().map(|&value| value as f64 / 1024.0).collect();
            let total: i128 = values.iter().map(|&value| i128::from(value)).sum();
            // i128 to f64 rounds to nearest, ties to even.
            prop_assert_eq!(sum(&floats), total as f64 / 1024.0);
        }

        #[test]
        fn order_does_not_matter(
            values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL, 0..60),
            seed in any::<u64>(),
        ) {
            let mut exact = ExactSum::default();
            values.iter().for_each(|&value| exact.add(value));
            let mut shuffled = values.clone();
            let mut state = seed | 1;
            for at in (1..shuffled.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(at, (state >> 33) as usize % (at + 1));
            }
            let mut other = ExactSum::default();
            shuffled.iter().for_each(|&value| other.add(value));
            prop_assert_eq!(exact.rounded().to_bits(), other.rounded().to_bits());
            let (a, b) = (exact.pair(), other.pair());
            prop_assert_eq!((a.0.to_bits(), a.1.to_bits()), (b.0.to_bits(), b.1.to_bits()));
        }
    }
}
