//! The tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Measure;
use super::elements::Window;
use crate::stats::quantile_sorted;

/// How often one contender does one thing to one kind of element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutRow {
    /// The contender.
    pub tokenizer: String,
    /// `motif`, `permuted motif`, `donor` or `acceptor`.
    pub element: String,
    /// `cut through` (of motifs the fragmentation rate), `inside cut`, `edges cut`, `perfect match` or
    /// `cut at junction`.
    pub measure: String,
    /// Elements.
    pub n_elements: u64,
    /// Clusters of windows they lie in.
    pub n_clusters: u64,
    /// Share of elements.
    pub observed: f64,
    /// The mean of that share over all shifts of the same cuts.
    pub expected: f64,
    /// Observed less expected.
    pub difference: f64,
    /// Lower end of its 95% interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Two-sided p-value of the circular shifts.
    pub p_value: f64,
    /// The least it could be.
    pub p_floor: f64,
    /// Adjusted over the rows of the contender (Benjamini-Hochberg).
    pub p_bh: f64,
    /// `difference` less that of the first contender; missing for itself.
    pub first_difference: f64,
    /// Lower end of its 95% interval.
    pub first_low: f64,
    /// Upper end.
    pub first_high: f64,
    /// Two-sided p-value of sign flips of clusters.
    pub first_p_value: f64,
    /// The least it could be.
    pub first_p_floor: f64,
    /// Adjusted over the rows of the contender (Benjamini-Hochberg).
    pub first_p_bh: f64,
}

/// One cluster's share in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterRow {
    /// The contender.
    pub tokenizer: String,
    /// As in the table cuts.
    pub element: String,
    /// As in the table cuts.
    pub measure: String,
    /// Number of the cluster.
    pub cluster: u64,
    /// Elements in it.
    pub n_elements: u64,
    /// Sum of the measure over them.
    pub observed: f64,
    /// Its mean over all shifts.
    pub expected: f64,
}

impl ClusterRow {
    pub(super) fn new(
        tokenizer: &str,
        measure: Measure,
        cluster: usize,
        n: f64,
        observed: f64,
        excess: f64,
    ) -> ClusterRow {
        ClusterRow {
            tokenizer: tokenizer.into(),
            element: measure.element().into(),
            measure: measure.what().into(),
            cluster: cluster as u64,
            n_elements: n as u64,
            observed,
            expected: observed - excess,
        }
    }
}

/// How a contender cuts, whatever lies there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenizerRow {
    /// The contender.
    pub tokenizer: String,
    /// Share of positions that are cuts.
    pub density: f64,
    /// Whole tokens: those with both ends in a window.
    pub n_tokens: u64,
    /// Mean length of these, in bases.
    pub mean_bp: f64,
    /// Their standard deviation.
    pub sd_bp: f64,
    /// Median.
    pub median_bp: f64,
    /// Ninth decile.
    pub q90_bp: f64,
}

/// How many tokens of a length there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LengthRow {
    /// The contender.
    pub tokenizer: String,
    /// Length in bases.
    pub length_bp: u64,
    /// Whole tokens of that length.
    pub n_tokens: u64,
}

/// Density and token lengths of a contender. Tokens cut off by the end of a window are left out, so
/// that long tokens are somewhat too few.
pub(super) fn lengths(
    name: &str,
    windows: &[Window],
    contender: usize,
) -> (TokenizerRow, Vec<LengthRow>) {
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    let (mut positions, mut cuts) = (0, 0);
    for window in windows {
        let at: Vec<usize> = window.cuts[contender]
            .iter()
            .enumerate()
            .filter(|(_, cut)| **cut)
            .map(|(at, _)| at)
            .collect();
        positions += window.length;
        cuts += at.len();
        at.windows(2)
            .for_each(|ends| *counts.entry((ends[1] - ends[0]) as u64).or_insert(0) += 1);
    }
    let all: Vec<f64> = counts
        .iter()
        .flat_map(|(length, n)| std::iter::repeat_n(*length as f64, *n as usize))
        .collect();
    let row = TokenizerRow {
        tokenizer: name.into(),
        density: cuts as f64 / positions as f64,
        n_tokens: all.len() as u64,
        mean_bp: crate::stats::mean(&all),
        sd_bp: crate::stats::variance(&all).sqrt(),
        median_bp: quantile_sorted(&all, 0.5),
        q90_bp: quantile_sorted(&all, 0.9),
    };
    let rows = counts.into_iter().map(|(length_bp, n_tokens)| LengthRow {
        tokenizer: name.into(),
        length_bp,
        n_tokens,
    });
    (row, rows.collect())
}
