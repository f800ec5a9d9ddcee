//! The families of controls. Each is a source of candidates and a metric for the one matcher.

use serde::{Deserialize, Serialize};

use crate::controls::balance::Census;
use crate::controls::matching::Metric;
use crate::controls::{ControlRequest, Covariates, Method, N_COVARIATES};
use crate::stats::logistic::Logistic;
use crate::stats::variance;

/// A family of controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// The same core letters in the same gene.
    Decoy,
    /// As a decoy, and as strong a site.
    Strength,
    /// The identical k-mer around the position, in any gene of the contig.
    Kmer,
    /// Any letters in the same gene.
    Random,
    /// The site's own window, moved.
    Shift,
    /// The site itself with its flanks shuffled.
    Shuffle,
    /// Positions that the user gives.
    Bed,
}

/// Where candidates come from. Families of one source share a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CandidateSource {
    /// Wherever the core letters stand.
    Core,
    /// A random sample of all positions.
    Anywhere,
    /// Near the site.
    Near,
    /// The site's own letters, rearranged.
    Rearranged,
    /// A list.
    Given,
}

/// The customary caliper, in standard deviations (Austin 2011), of site strength and of the logit
/// of a propensity score.
pub const CALIPER_SD: f64 = 0.2;

impl Family {
    /// All, in the order of reports.
    pub const ALL: [Family; 7] = [
        Family::Decoy,
        Family::Strength,
        Family::Kmer,
        Family::Random,
        Family::Shift,
        Family::Shuffle,
        Family::Bed,
    ];

    /// The name in tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Family::Decoy => "decoy",
            Family::Strength => "strength",
            Family::Kmer => "kmer",
            Family::Random => "random",
            Family::Shift => "shift",
            Family::Shuffle => "shuffle",
            Family::Bed => "bed",
        }
    }

    /// Where its candidates come from.
    pub fn source(self) -> CandidateSource {
        match self {
            Family::Decoy | Family::Strength | Family::Kmer => CandidateSource::Core,
            Family::Random => CandidateSource::Anywhere,
            Family::Shift => CandidateSource::Near,
            Family::Shuffle => CandidateSource::Rearranged,
            Family::Bed => CandidateSource::Given,
        }
    }

    /// Which covariates its matching compares, by the order of [`Covariates::NAMES`].
    pub fn compares(self) -> [bool; N_COVARIATES] {
        match self {
            Family::Decoy | Family::Kmer | Family::Random | Family::Bed => {
                [true, true, true, true, true, false]
            }
            Family::Strength => [true; N_COVARIATES],
            Family::Shift | Family::Shuffle => [false; N_COVARIATES],
        }
    }

    /// What near means for it, from the covariates of all sites and candidates of a kind.
    pub fn metric(self, census: &Census, request: &ControlRequest) -> Metric {
        let compares = self.compares();
        if !compares.contains(&true) {
            return Metric::ANY;
        }
        let spread = census.balance.denominators();
        let mut metric = Metric::ANY;
        metric.scale = std::array::from_fn(|i| {
            if compares[i] && spread[i].is_finite() {
                spread[i]
            } else {
                0.0
            }
        });
        (metric.caliper[0], metric.caliper[1]) = (request.caliper, request.caliper);
        if compares[5] {
            metric.caliper[5] = CALIPER_SD * census.balance.sites.variance(5).sqrt();
        }
        if request.method == Method::Propensity {
            metric.propensity = propensity(&metric, census);
        }
        metric
    }
}

/// The propensity score of being a site and its caliper. `None` where it cannot be fitted.
fn propensity(metric: &Metric, census: &Census) -> Option<(Logistic, f64)> {
    let rows = |some: &[Covariates]| some.iter().map(|c| metric.standard(c)).collect::<Vec<_>>();
    let (sites, pool) = (rows(&census.some_sites.kept), rows(&census.some_pool.kept));
    let all: Vec<&[f64]> = sites.iter().chain(&pool).map(|row| &row[..]).collect();
    let labels: Vec<bool> = (0..all.len()).map(|i| i < sites.len()).collect();
    let model = Logistic::fit(&all, &labels)?;
    let logits: Vec<f64> = all.iter().map(|row| model.logit(row)).collect();
    let sd = variance(&logits).sqrt();
    Some((model, CALIPER_SD * sd))
}
