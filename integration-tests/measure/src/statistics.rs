//! Whether two samples of times come from the same distribution: Welch's t-test, as dudect applies it.
//!
//! Times have a long tail on the right, of interrupts and of other programs, which hides what differs on the left. So the
//! samples are compared as they are, and again with everything above a quantile of both cut off, for many quantiles. Each
//! time the means are compared, and the variances: by a t-test of the squares of what lies between a value and the mean.
//!
//! A t beyond [`THRESHOLD`] is what dudect calls a leak for sure. By chance one comparison of two equal samples reaches it
//! about once in a hundred thousand times. Published: Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?",
//! DATE 2017.

/// From here on two samples are taken to be distinguishable.
pub const THRESHOLD: f64 = 4.5;

/// How many quantiles the samples are cut off at.
const CROPS: u32 = 30;

/// Mean and variance, gathered one value after the other (Welford).
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Of so many values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut moments = Self::default();
        for value in values {
            moments.count += 1.0;
            let distance = value - moments.mean;
            moments.mean += distance / moments.count;
            moments.squares += distance * (value - moments.mean);
        }
        moments
    }

    /// The mean.
    #[must_use]
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// The square of the mean's standard error.
    fn squared_error(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }

    fn error_of_difference(&self, other: &Self) -> f64 {
        (self.squared_error() + other.squared_error()).sqrt()
    }

    /// Welch's t: the difference of the means in units of its standard error; zero where there is nothing to compare.
    #[must_use]
    pub fn t(&self, other: &Self) -> f64 {
        let error = self.error_of_difference(other);
        let t = (other.mean - self.mean) / error;
        if t.is_finite() {
            t
        } else if self.mean == other.mean || self.count < 2.0 || other.count < 2.0 {
            0.0
        } else {
            // Two constants.
            f64::MAX.copysign(other.mean - self.mean)
        }
    }
}

/// What two samples were found to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The t that is the farthest from zero, of all that were computed; positive where the second sample is larger.
    pub t: f64,
    /// 1 if it compares means, 2 if it compares variances.
    pub order: u8,
    /// How much was kept below the cut, from 0 to 1.
    pub kept: f64,
    /// The difference of the means where it is known best, of half of the values or more: second less first.
    pub difference: f64,
    /// The least difference of the means that would have been found there.
    pub resolution: f64,
}

impl Comparison {
    /// Compares two samples.
    #[must_use]
    pub fn of(first: &[f64], second: &[f64]) -> Self {
        let mut found = Self { t: 0.0, order: 1, kept: 1.0, difference: f64::NAN, resolution: f64::INFINITY };
        for (kept, cut) in cuts(first, second) {
            found.take_in(kept, first, second, cut);
        }
        found
    }

    /// Whether the two samples can be told apart.
    #[must_use]
    pub const fn is_distinguishable(&self) -> bool {
        self.t.abs() >= THRESHOLD
    }

    fn take_in(&mut self, kept: f64, first: &[f64], second: &[f64], cut: f64) {
        let below = |values: &[f64]| -> Vec<f64> { values.iter().copied().filter(|&v| v <= cut).collect() };
        let (first, second) = (below(first), below(second));
        let of = |values: &[f64]| Moments::of(values.iter().copied());
        let spread = |values: &[f64], mean: f64| Moments::of(values.iter().map(|v| (v - mean).powi(2)));
        let (a, b) = (of(&first), of(&second));
        let of_variances = spread(&first, a.mean).t(&spread(&second, b.mean));
        for (order, t) in [(1, a.t(&b)), (2, of_variances)] {
            if t.abs() > self.t.abs() {
                (self.t, self.order, self.kept) = (t, order, kept);
            }
        }
        let resolution = THRESHOLD * a.error_of_difference(&b);
        if resolution < self.resolution && kept >= MOST_OF_A_SAMPLE {
            (self.resolution, self.difference) = (resolution, b.mean - a.mean);
        }
    }
}

/// A cut takes away some of a difference too, up to about half of it where half is kept; further down what is left says
/// little.
const MOST_OF_A_SAMPLE: f64 = 0.5;

/// Where the samples are cut off: 1 - 2^(-10 i / n) of both together is kept, as in dudect, and at last all.
fn cuts(first: &[f64], second: &[f64]) -> Vec<(f64, f64)> {
    let mut all: Vec<f64> = first.iter().chain(second).copied().collect();
    all.sort_by(f64::total_cmp);
    let kept = (1..=CROPS).map(|i| 1.0 - 0.5_f64.powf(10.0 * f64::from(i) / f64::from(CROPS)));
    kept.map(|kept| (kept, quantile(&all, kept))).chain([(1.0, f64::INFINITY)]).collect()
}

/// Of values in order.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part between 0 and 1 of a length is an index"
)]
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let index = (sorted.len() as f64 * part) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::Order;

    /// Something like times: a bell of 1000 with a deviation of 20, and a tail.
    fn times(order: &mut Order, count: usize, shift: f64, factor: f64) -> Vec<f64> {
        let mut time = || {
            let bell: f64 = (0..12).map(|_| order.uniform()).sum::<f64>() - 6.0;
            let tail = if order.uniform() < 0.02 { 5000.0 * order.uniform() } else { 0.0 };
            1000.0 + shift + 20.0 * factor * bell + tail
        };
        (0..count).map(|_| time()).collect()
    }

    #[test]
    fn t_is_the_difference_of_means_in_standard_errors() {
        // By hand: means 2 and 4, variances 1 and 4, so the error is the root of 1/3 + 4/3.
        let (a, b) = (Moments::of([1.0, 2.0, 3.0]), Moments::of([2.0, 4.0, 6.0]));
        assert!((a.t(&b) - 2.0 / (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((b.t(&a) + a.t(&b)).abs() < 1e-12);
    }

    #[test]
    fn constants_are_equal_or_as_different_as_can_be() {
        let of = |value: f64| Moments::of([value; 5]);
        assert_eq!(of(3.0).t(&of(3.0)), 0.0);
        assert_eq!(of(3.0).t(&of(4.0)), f64::MAX);
        assert_eq!(of(4.0).t(&of(3.0)), f64::MIN);
        assert_eq!(Moments::of([]).t(&of(1.0)), 0.0);
    }

    #[test]
    fn samples_of_one_distribution_are_not_told_apart() {
        let mut order = Order::new(1);
        for _ in 0..20 {
            let comparison =
                Comparison::of(&times(&mut order, 5000, 0.0, 1.0), &times(&mut order, 5000, 0.0, 1.0));
            assert!(!comparison.is_distinguishable(), "{comparison:?}");
        }
    }

    #[test]
    fn a_difference_that_the_tail_hides_is_found_below_a_cut() {
        let mut order = Order::new(2);
        let (a, b) = (times(&mut order, 20_000, 0.0, 1.0), times(&mut order, 20_000, 3.0, 1.0));
        let comparison = Comparison::of(&a, &b);
        assert!(comparison.t > 2.0 * THRESHOLD, "{comparison:?}");
        assert!(comparison.kept < 1.0);
        let of = |values: &[f64]| Moments::of(values.iter().copied());
        assert!(of(&a).t(&of(&b)).abs() < THRESHOLD, "the tail does not hide it");
        assert!((0.8..4.0).contains(&comparison.difference), "{comparison:?}");
        assert!(comparison.resolution < comparison.difference);
    }

    #[test]
    fn a_difference_of_the_variance_alone_is_found() {
        let mut order = Order::new(3);
        let (a, b) = (times(&mut order, 20_000, 0.0, 1.0), times(&mut order, 20_000, 0.0, 1.2));
        assert!(Comparison::of(&a, &b).is_distinguishable());
    }

    #[test]
    fn cuts_go_from_a_fifth_to_everything() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let cuts = cuts(&values, &[]);
        assert!(cuts.is_sorted_by(|a, b| a.1 <= b.1));
        assert!(cuts[0].0 > 0.2 && cuts[0].1 < 250.0, "{:?}", cuts[0]);
        assert_eq!(cuts.last(), Some(&(1.0, f64::INFINITY)));
    }
}
