//! How alike sites and controls are, before and after matching: standardised mean differences and
//! variance ratios (as in cobalt and MatchIt). Never a p-value: with many sites a trifling
//! imbalance is "significant", with few a gross one is not.

use serde::{Deserialize, Serialize};

use crate::controls::{Covariates, N_COVARIATES};
use crate::stats::Moments;
use crate::stats::effect::standardised_difference;
use crate::stats::rng::Rng;

/// Running moments of every covariate of one group.
#[derive(Clone, Debug, Default)]
pub struct Group([Moments; N_COVARIATES]);

impl Group {
    /// Takes one more member.
    pub fn push(&mut self, covariates: &Covariates) {
        self.0
            .iter_mut()
            .zip(covariates.values())
            .filter(|(_, value)| value.is_finite())
            .for_each(|(m, value)| m.push(value));
    }

    /// Takes all members of another group.
    pub fn merge(&mut self, other: &Group) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(m, more)| m.merge(more));
    }

    /// The variance of one covariate.
    pub fn variance(&self, covariate: usize) -> f64 {
        self.0[covariate].variance()
    }

    /// How many members there were, whether or not all their covariates were known.
    pub fn n(&self) -> u64 {
        self.0.iter().map(Moments::n).max().unwrap_or(0)
    }
}

/// A random sample of a stream, each member as likely (Vitter 1985, algorithm R).
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// What was kept.
    pub kept: Vec<Covariates>,
    seen: usize,
}

impl Sample {
    /// Enough for a regression on six covariates.
    const MOST: usize = 20_000;

    fn push(&mut self, covariates: &Covariates, rng: &mut Rng) {
        self.seen += 1;
        if self.kept.len() < Self::MOST {
            self.kept.push(*covariates);
        } else if let Some(place) = self.kept.get_mut(rng.below(self.seen)) {
            *place = *covariates;
        }
    }
}

/// All sites and all candidates of one source, before matching.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// Their moments; pairs are added as they are found.
    pub balance: Balance,
    /// Some of the sites, for a propensity score.
    pub some_sites: Sample,
    /// Some of the candidates.
    pub some_pool: Sample,
}

impl Census {
    /// Counts a site.
    pub fn site(&mut self, covariates: &Covariates, rng: &mut Rng) {
        self.balance.sites.push(covariates);
        self.some_sites.push(covariates, rng);
    }

    /// Counts a candidate.
    pub fn pool(&mut self, covariates: &Covariates, rng: &mut Rng) {
        self.balance.pool.push(covariates);
        self.some_pool.push(covariates, rng);
    }
}

/// The four groups that a balance compares.
#[derive(Clone, Debug, Default)]
pub struct Balance {
    /// All usable sites.
    pub sites: Group,
    /// All candidates for controls in the genes of those sites.
    pub pool: Group,
    /// The paired sites.
    pub paired_sites: Group,
    /// Their controls.
    pub controls: Group,
}

/// One covariate of the balance table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalanceRow {
    /// `donor` or `acceptor`.
    pub site_kind: String,
    /// The control's name.
    pub control: String,
    /// The covariate.
    pub covariate: String,
    /// Usable sites.
    pub n_sites: u64,
    /// Candidates for controls.
    pub n_pool: u64,
    /// Pairs.
    pub n_pairs: u64,
    /// Mean over usable sites.
    pub site_mean_before: f64,
    /// Mean over candidates.
    pub control_mean_before: f64,
    /// Mean over paired sites.
    pub site_mean_after: f64,
    /// Mean over their controls.
    pub control_mean_after: f64,
    /// Standardised mean difference of sites and candidates.
    pub smd_before: f64,
    /// Standardised mean difference of pairs, with the same denominator as before: the root of the
    /// mean of the two variances before matching.
    pub smd_after: f64,
    /// Variance of sites over variance of candidates.
    pub variance_ratio_before: f64,
    /// The same for pairs.
    pub variance_ratio_after: f64,
}

impl Balance {
    /// Adds the groups of another balance to its own.
    pub fn merge(&mut self, other: &Balance) {
        self.sites.merge(&other.sites);
        self.pool.merge(&other.pool);
        self.paired_sites.merge(&other.paired_sites);
        self.controls.merge(&other.controls);
    }

    /// The denominator of every standardised mean difference, before and after: the root of the
    /// mean of the two variances before matching. Where one of the groups is too small to vary, the
    /// other's.
    pub fn denominators(&self) -> [f64; N_COVARIATES] {
        std::array::from_fn(|i| match (self.sites.variance(i), self.pool.variance(i)) {
            (sites, pool) if pool.is_nan() => sites.sqrt(),
            (sites, pool) if sites.is_nan() => pool.sqrt(),
            (sites, pool) => ((sites + pool) / 2.0).sqrt(),
        })
    }

    /// One row a covariate. Where nothing varies or a group is empty, the number concerned is
    /// `NaN`.
    pub fn rows(&self, site_kind: &str, control: &str) -> Vec<BalanceRow> {
        let row = |index: usize| {
            let (sites, pool) = (&self.sites.0[index], &self.pool.0[index]);
            let (paired, controls) = (&self.paired_sites.0[index], &self.controls.0[index]);
            let denominator = self.denominators()[index];
            BalanceRow {
                site_kind: site_kind.into(),
                control: control.into(),
                covariate: Covariates::NAMES[index].into(),
                n_sites: sites.n(),
                n_pool: pool.n(),
                n_pairs: paired.n(),
                site_mean_before: sites.mean(),
                control_mean_before: pool.mean(),
                site_mean_after: paired.mean(),
                control_mean_after: controls.mean(),
                smd_before: standardised_difference(sites.mean(), pool.mean(), denominator),
                smd_after: standardised_difference(paired.mean(), controls.mean(), denominator),
                variance_ratio_before: sites.variance() / pool.variance(),
                variance_ratio_after: paired.variance() / controls.variance(),
            }
        };
        (0..Covariates::NAMES.len()).map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covariates(gc: f64) -> Covariates {
        Covariates {
            gc_upstream: gc,
            gc_downstream: 0.5,
            cpg_count: 1.0,
            soft_masked_fraction: 0.0,
            gene_end_distance_bp: f64::NAN,
            strength_bits: f64::NAN,
        }
    }

    // import numpy as np; s=np.array([.2,.4,.6]); p=np.array([.1,.5,.9,.7]);
    // d=np.sqrt((s.var(ddof=1)+p.var(ddof=1))/2) (s.mean()-p.mean())/d -> -0.5359422007578721;
    // s.var(ddof=1)/p.var(ddof=1) -> 0.34285714285714275
    #[test]
    fn one_denominator_before_and_after() {
        let mut balance = Balance::default();
        [0.2, 0.4, 0.6]
            .iter()
            .for_each(|gc| balance.sites.push(&covariates(*gc)));
        [0.1, 0.5, 0.9, 0.7]
            .iter()
            .for_each(|gc| balance.pool.push(&covariates(*gc)));
        [0.2, 0.4]
            .iter()
            .for_each(|gc| balance.paired_sites.push(&covariates(*gc)));
        [0.1, 0.5]
            .iter()
            .for_each(|gc| balance.controls.push(&covariates(*gc)));
        let rows = balance.rows("donor", "decoy");
        assert!(
            (rows[0].smd_before - -0.5359422007578721).abs() < 1e-12,
            "{}",
            rows[0].smd_before
        );
        assert!(rows[0].smd_after.abs() < 1e-12);
        assert!((rows[0].variance_ratio_before - 0.34285714285714275).abs() < 1e-12);
        assert_eq!((rows[1].smd_before, rows[1].smd_after), (0.0, 0.0));
        assert!(rows[4].smd_before.is_nan() && rows[4].n_sites == 0);
    }
}
