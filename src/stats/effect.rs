//! Effect sizes: how large a difference is, apart from whether it is there.

/// The paired standardised effect: mean difference over the standard deviation (`n - 1`) of the
/// differences (Cohen's d_z). `NaN` below two pairs or where all differences are equal.
pub fn paired_d(differences: &[f64]) -> f64 {
    let sd = super::variance(differences).sqrt();
    if sd > 0.0 {
        super::mean(differences) / sd
    } else {
        f64::NAN
    }
}

/// The standardised mean difference `(mean_a - mean_b) / denominator`; `NaN` where the denominator
/// is 0 and the means differ, 0 where they are equal.
pub fn standardised_difference(mean_a: f64, mean_b: f64, denominator: f64) -> f64 {
    if mean_a == mean_b {
        0.0
    } else if denominator > 0.0 {
        (mean_a - mean_b) / denominator
    } else {
        f64::NAN
    }
}

/// The probability that a random positive value exceeds a random negative one, ties counting half
/// (the Mann-Whitney statistic over the number of pairs of values). `NaN` where a side is empty.
pub fn auroc(positives: &[f64], negatives: &[f64]) -> f64 {
    Ranked::new(positives, negatives).auroc(|_| 1.0)
}

/// Cliff's delta: the probability that a random positive value exceeds a random negative one, minus
/// that of the reverse; `2 AUROC - 1` (Cliff 1993). `NaN` where a side is empty.
pub fn cliffs_delta(positives: &[f64], negatives: &[f64]) -> f64 {
    2.0 * auroc(positives, negatives) - 1.0
}

/// The base-2 logarithm of the ratio of two means. `NaN` where a side is empty or a mean is not
/// above 0.
pub fn log2_ratio(numerators: &[f64], denominators: &[f64]) -> f64 {
    log2_of_ratio(super::mean(numerators), super::mean(denominators))
}

pub(crate) fn log2_of_ratio(numerator: f64, denominator: f64) -> f64 {
    if numerator > 0.0 && denominator > 0.0 {
        (numerator / denominator).log2()
    } else {
        f64::NAN
    }
}

/// Both samples in one sorted order, for AUROCs under many weightings of the same values.
pub(crate) struct Ranked {
    /// (value, index into its sample, whether it is a positive), by value.
    order: Vec<(f64, usize, bool)>,
    /// The same without the values, small enough for the near caches: the index, two bits up, and
    /// [`POSITIVE`] and [`LAST_OF_TIES`].
    packed: Vec<u32>,
}

/// The entry is of the positives.
const POSITIVE: u32 = 1;
/// The next entry has another value.
const LAST_OF_TIES: u32 = 2;

impl Ranked {
    pub(crate) fn new(positives: &[f64], negatives: &[f64]) -> Ranked {
        let side = |values: &[f64], positive| {
            values
                .iter()
                .copied()
                .enumerate()
                .map(move |(i, v)| (v, i, positive))
                .collect::<Vec<_>>()
        };
        let mut order = side(positives, true);
        order.extend(side(negatives, false));
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut packed: Vec<u32> = order
            .iter()
            .map(|(_, index, positive)| (*index as u32) << 2 | u32::from(*positive))
            .collect();
        let mut end = 0;
        for ties in order.chunk_by(|a, b| a.0 == b.0) {
            end += ties.len();
            packed[end - 1] |= LAST_OF_TIES;
        }
        Ranked { order, packed }
    }

    /// Values that tie with each other, lowest first.
    fn ties(&self) -> impl Iterator<Item = &[(f64, usize, bool)]> {
        self.order.chunk_by(|a, b| a.0 == b.0)
    }

    /// The AUROC where value `i` of either sample counts `weight(i)` times.
    pub(crate) fn auroc(&self, weight: impl Fn(usize) -> f64) -> f64 {
        let (mut below, mut won, mut positives) = (0.0, 0.0, 0.0);
        let (mut tied_positives, mut tied_negatives) = (0.0, 0.0);
        for packed in &self.packed {
            // A branch on the side would be mispredicted every second time.
            let (weight, positive) = (weight((packed >> 2) as usize), f64::from(packed & POSITIVE));
            tied_positives += weight * positive;
            tied_negatives += weight * (1.0 - positive);
            if packed & LAST_OF_TIES != 0 {
                won += tied_positives * (below + 0.5 * tied_negatives);
                below += tied_negatives;
                positives += tied_positives;
                (tied_positives, tied_negatives) = (0.0, 0.0);
            }
        }
        won / (positives * below)
    }

    /// How many negatives lie below each positive, and how many positives above each negative, ties
    /// counting half.
    pub(crate) fn won_and_lost(&self, positives: usize, negatives: usize) -> (Vec<f64>, Vec<f64>) {
        let (mut won, mut lost) = (vec![0.0; positives], vec![0.0; negatives]);
        let (mut negatives_below, mut positives_below) = (0.0, 0.0);
        for ties in self.ties() {
            let tied_positives = ties.iter().filter(|(_, _, positive)| *positive).count() as f64;
            let tied_negatives = ties.len() as f64 - tied_positives;
            for (_, index, positive) in ties {
                if *positive {
                    won[*index] = negatives_below + 0.5 * tied_negatives;
                } else {
                    lost[*index] = positives as f64 - positives_below - 0.5 * tied_positives;
                }
            }
            negatives_below += tied_negatives;
            positives_below += tied_positives;
        }
        (won, lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 7] = [0.9, 0.4, 0.4, 0.7, 0.1, 0.35, 0.8];
    const B: [f64; 7] = [0.2, 0.4, 0.1, 0.6, 0.1, 0.35, 0.3];

    // import numpy as np, scipy.stats as st
    // a = np.array([.9,.4,.4,.7,.1,.35,.8]); b = np.array([.2,.4,.1,.6,.1,.35,.3])
    // st.mannwhitneyu(a, b).statistic / 49 -> 0.7653061224489796; d = a - b; d.mean() /
    // d.std(ddof=1) -> 0.8129756650809232
    #[test]
    fn as_scipy() {
        assert!((auroc(&A, &B) - 0.7653061224489796).abs() < 1e-12);
        let differences: Vec<f64> = A.iter().zip(B).map(|(a, b)| a - b).collect();
        assert!((paired_d(&differences) - 0.8129756650809232).abs() < 1e-12);
    }

    // 2 * 0.7653061224489796 - 1 -> 0.5306122448979591
    #[test]
    fn delta_and_ratio() {
        assert!((cliffs_delta(&A, &B) - 0.5306122448979591).abs() < 1e-12);
        let (a, b) = (3.65f64, 2.05f64); // the sums
        assert!(
            (log2_ratio(&A, &B) - (a / b).log2()).abs() < 1e-12
                && log2_ratio(&[2.0], &[0.5]) == 2.0
        );
        for (a, b) in [
            (&[0.0][..], &[1.0][..]),
            (&[1.0], &[0.0]),
            (&[-1.0], &[-2.0]),
            (&[], &[1.0]),
        ] {
            assert!(log2_ratio(a, b).is_nan());
        }
    }

    #[test]
    fn limits() {
        assert_eq!(auroc(&[2.0, 3.0], &[0.0, 1.0]), 1.0);
        assert_eq!(auroc(&[1.0, 1.0], &[1.0]), 0.5);
        assert!(auroc(&[], &[1.0]).is_nan() && auroc(&[f64::NAN], &[1.0]).is_finite());
        assert!(paired_d(&[0.5, 0.5]).is_nan() && paired_d(&[]).is_nan());
        assert_eq!(standardised_difference(1.0, 1.0, 0.0), 0.0);
        assert!(standardised_difference(1.0, 2.0, 0.0).is_nan());
        assert_eq!(standardised_difference(3.0, 2.0, 2.0), 0.5);
    }
}
