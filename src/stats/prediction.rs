//! Is a group one more draw of what other groups were drawn from? Each group has a level of its
//! own, known by a mean with sampling error.
//!
//! The levels are taken as normal with variance `t`, the means as normal around them with known
//! variances `v_j`: a random-effects meta-analysis, and the question is that of its prediction
//! interval. `t` is not known; its whole confidence distribution is used, that of Cochran's `Q(t) =
//! sum (x_j - mean)^2 / (t + v_j)`, which has chi-squared law with `k - 1` degrees of freedom at
//! the true `t` (Viechtbauer 2007, Stat. Med. 26:37; for prediction Nagashima, Noma & Furukawa
//! 2019, Stat. Methods Med. Res. 28:1689). Where all `v_j` are equal to that of the group in
//! question the result is Student's t with `k - 1` degrees of freedom, whatever they are, but that
//! `t` cannot be below 0.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

/// A mean and its sampling variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The variance of its error, not below 0.
    pub variance: f64,
}

/// Where a group lies among others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Mean of the others, each weighted by `1 / (between + variance)`.
    pub center: f64,
    /// The group's mean less `center`.
    pub difference: f64,
    /// Lower end of the interval of `difference` that has 0 outside exactly where `p_value` is at
    /// most 1 less its level.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Two-sided: that the group's level is one more draw of the others'.
    pub p_value: f64,
    /// Variance between the levels of the others (Paule & Mandel 1982, J. Res. Natl. Bur. Stand.
    /// 87:377).
    pub between: f64,
}

/// Points of the confidence distribution.
const POINTS: usize = 600;

/// Share of it left out beyond the largest variance looked at.
const LEFT_OUT: f64 = 1e-15;

struct Others<'a>(&'a [Estimate]);

impl Others<'_> {
    fn weighted(&self, between: f64) -> (f64, f64) {
        let weight = |other: &Estimate| 1.0 / (between + other.variance);
        let sum: f64 = self.0.iter().map(weight).sum();
        (
            self.0
                .iter()
                .map(|other| weight(other) * other.mean)
                .sum::<f64>()
                / sum,
            sum,
        )
    }

    /// Cochran's Q; infinite where a variance is 0 and the means differ.
    fn q(&self, between: f64) -> f64 {
        if self.0.iter().any(|other| between + other.variance <= 0.0) {
            return f64::INFINITY;
        }
        let (center, _) = self.weighted(between);
        self.0
            .iter()
            .map(|other| (other.mean - center).powi(2) / (between + other.variance))
            .sum()
    }

    /// The variance between levels at which Q is `wanted`; 0 where it is less for any. `Q(most)`
    /// must be less.
    fn between(&self, wanted: f64, most: f64) -> f64 {
        if self.q(0.0) <= wanted {
            return 0.0;
        }
        let (mut low, mut high) = (0.0, most);
        for _ in 0..100 {
            let middle = (low + high) / 2.0;
            if self.q(middle) > wanted {
                low = middle
            } else {
                high = middle
            }
        }
        high
    }

    /// Values of the variance between levels and the probability of each: a point at 0, then a
    /// geometric grid with the mass of each step at its two ends.
    fn distribution(&self, law: &ChiSquared, scale: f64, most: f64) -> Vec<(f64, f64)> {
        let least = scale * 1e-7;
        let step = (most / least).powf(1.0 / (POINTS - 1) as f64);
        let grid: Vec<f64> = (0..POINTS).map(|i| least * step.powi(i as i32)).collect();
        let below: Vec<f64> = grid.iter().map(|t| law.cdf(self.q(*t))).collect();
        let mut found: Vec<(f64, f64)> = grid.iter().map(|t| (*t, 0.0)).collect();
        for i in 1..POINTS {
            let half = (below[i - 1] - below[i]).max(0.0) / 2.0;
            found[i - 1].1 += half;
            found[i].1 += half;
        }
        // Below the grid nothing depends on the variance between levels any more.
        found.push((0.0, 1.0 - below[0]));
        found[POINTS - 1].1 += below[POINTS - 1];
        found
    }
}

/// Where a group lies among `others`, with an interval of `level`. `None` below three others, where
/// nothing varies, or where a number is not finite.
pub fn predict(group: Estimate, others: &[Estimate], level: f64) -> Option<Prediction> {
    let fine = |e: &Estimate| e.mean.is_finite() && e.variance.is_finite() && e.variance >= 0.0;
    if others.len() < 3 || !fine(&group) || !others.iter().all(fine) {
        return None;
    }
    let freedom = (others.len() - 1) as f64;
    let means: Vec<f64> = others.iter().map(|other| other.mean).collect();
    let scale = super::variance(&means)
        .max(others.iter().map(|other| other.variance).sum::<f64>() / others.len() as f64);
    let (law, normal) = (ChiSquared::new(freedom).ok()?, Normal::new(0.0, 1.0).ok()?);
    if scale < 1e-24 {
        return None;
    }
    let others = Others(others);
    let mut most = scale;
    while law.cdf(others.q(most)) > LEFT_OUT || others.q(most) >= freedom {
        most *= 2.0;
    }
    let between = others.between(freedom, most);
    let (center, weights) = others.weighted(between.max(scale * 1e-12));
    // The error of the center at another variance between levels, its weights being what they are.
    let squared: Vec<(f64, f64)> = others
        .0
        .iter()
        .map(|o| {
            (
                (1.0 / (between.max(scale * 1e-12) + o.variance) / weights).powi(2),
                o.variance,
            )
        })
        .collect();
    let (first, second) = squared
        .iter()
        .fold((0.0, 0.0), |(a, b), (w, v)| (a + w, b + w * v));
    let mixture: Vec<(f64, f64)> = (others.distribution(&law, scale, most).into_iter())
        .map(|(t, mass)| ((t * (1.0 + first) + second + group.variance).sqrt(), mass))
        .filter(|(sd, mass)| *sd > 0.0 && *mass > 0.0)
        .collect();
    let beyond = |distance: f64| {
        mixture
            .iter()
            .map(|(sd, mass)| mass * normal.sf(distance / sd))
            .sum::<f64>()
    };
    let difference = group.mean - center;
    let half = half_width(beyond, (1.0 - level) / 2.0, scale.sqrt());
    Some(Prediction {
        center,
        difference,
        low: difference - half,
        high: difference + half,
        p_value: (2.0 * beyond(difference.abs())).clamp(0.0, 1.0),
        between,
    })
}

/// The distance beyond which lies `tail`.
fn half_width(beyond: impl Fn(f64) -> f64, tail: f64, start: f64) -> f64 {
    let (mut low, mut high) = (0.0, start);
    while beyond(high) > tail {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if beyond(middle) > tail {
            low = middle
        } else {
            high = middle
        }
    }
    high
}

#[cfg(test)]
mod tests;
