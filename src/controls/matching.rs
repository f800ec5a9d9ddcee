//! The matcher: sites to candidates, within exact strata, nearest first, within calipers. It knows
//! no families: those say who may be a candidate and what counts as near.

use std::collections::HashMap;

use crate::controls::{Covariates, N_COVARIATES};
use crate::genome::Interval;
use crate::stats::logistic::Logistic;
use crate::stats::rng::Rng;

/// A site or a candidate.
#[derive(Clone, Debug)]
pub struct Member {
    /// Members of different strata are never matched.
    pub stratum: u64,
    /// Inter-base position.
    pub position: usize,
    /// What is compared.
    pub covariates: Covariates,
    /// A candidate that is taken only where no other is within the calipers.
    pub second_choice: bool,
}

/// What near means.
#[derive(Clone, Debug)]
pub struct Metric {
    /// One a covariate: differences are divided by it; 0 leaves the covariate out. Without any, all
    /// candidates are equally near.
    pub scale: [f64; N_COVARIATES],
    /// One a covariate: the largest difference allowed, in its own units; infinite for any.
    pub caliper: [f64; N_COVARIATES],
    /// A propensity score in place of distances, and the largest difference of its logit.
    pub propensity: Option<(Logistic, f64)>,
}

impl Metric {
    /// Everything is equally near.
    pub const ANY: Metric = Metric {
        scale: [0.0; N_COVARIATES],
        caliper: [f64::INFINITY; N_COVARIATES],
        propensity: None,
    };

    /// The covariates in standard units, those in use only (0 elsewhere).
    pub fn standard(&self, covariates: &Covariates) -> [f64; N_COVARIATES] {
        let values = covariates.values();
        std::array::from_fn(|i| {
            if self.scale[i] > 0.0 && values[i].is_finite() {
                values[i] / self.scale[i]
            } else {
                0.0
            }
        })
    }

    fn place(&self, covariates: &Covariates) -> Coordinates {
        let standard = self.standard(covariates);
        let logit = self
            .propensity
            .as_ref()
            .map_or(0.0, |(model, _)| model.logit(&standard));
        Coordinates {
            raw: covariates.values(),
            standard,
            logit,
        }
    }

    /// The squared distance; `None` beyond a caliper.
    fn distance(&self, a: &Coordinates, b: &Coordinates) -> Option<f64> {
        if let Some((_, caliper)) = &self.propensity {
            let difference = (a.logit - b.logit).abs();
            return (difference <= *caliper).then_some(difference * difference);
        }
        // A difference of exactly the caliper is allowed, whatever the last bit of the difference.
        let within = |i: usize| {
            self.caliper[i] == f64::INFINITY
                || (a.raw[i] - b.raw[i]).abs() <= self.caliper[i] + 1e-9
        };
        (0..N_COVARIATES).all(within).then(|| {
            a.standard
                .iter()
                .zip(&b.standard)
                .map(|(x, y)| (x - y) * (x - y))
                .sum()
        })
    }
}

struct Coordinates {
    raw: [f64; N_COVARIATES],
    standard: [f64; N_COVARIATES],
    logit: f64,
}

/// Why a site has no control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dropped {
    /// Its stratum holds no candidate.
    NoCandidate,
    /// None is within the calipers.
    OutsideCaliper,
    /// Those within the calipers all serve other sites.
    Taken,
}

impl Dropped {
    /// All, in order of tables.
    pub const ALL: [Dropped; 3] = [
        Dropped::NoCandidate,
        Dropped::OutsideCaliper,
        Dropped::Taken,
    ];
}

/// Candidates and who of them is taken.
pub struct Pool<'a> {
    members: &'a [Member],
    places: Vec<Coordinates>,
    /// By stratum, in order of position.
    strata: HashMap<u64, Vec<usize>>,
    taken: Vec<bool>,
    metric: &'a Metric,
    replacement: bool,
}

impl<'a> Pool<'a> {
    /// A pool of which nobody is taken. With `replacement`, a candidate may serve any number of
    /// sites, each once.
    pub fn new(members: &'a [Member], metric: &'a Metric, replacement: bool) -> Pool<'a> {
        let mut strata: HashMap<u64, Vec<usize>> = HashMap::new();
        for (index, member) in members.iter().enumerate() {
            strata.entry(member.stratum).or_default().push(index);
        }
        strata
            .values_mut()
            .for_each(|stratum| stratum.sort_by_key(|index| members[*index].position));
        let places = members
            .iter()
            .map(|m| metric.place(&m.covariates))
            .collect();
        Pool {
            members,
            places,
            strata,
            taken: vec![false; members.len()],
            metric,
            replacement,
        }
    }

    /// Of the first choices, or where none is left of the others, the candidate nearest to `site`
    /// that lies strictly inside one of `inside` (anywhere, where that is `None`) and is not among
    /// `not`; a random one of several equally near. It is then taken.
    ///
    /// # Errors
    /// Why there is none.
    pub fn take(
        &mut self,
        site: &Member,
        inside: Option<&[Interval]>,
        not: &[usize],
        rng: &mut Rng,
    ) -> Result<usize, Dropped> {
        let stratum = self
            .strata
            .get(&site.stratum)
            .map_or(&[][..], Vec::as_slice);
        let at = |position: usize| {
            stratum.partition_point(|index| self.members[*index].position < position)
        };
        let ranges: Vec<std::ops::Range<usize>> = match inside {
            None => std::iter::once(0..stratum.len()).collect(),
            Some(intervals) => intervals
                .iter()
                .map(|i| at(i.start + 1)..at(i.end).max(at(i.start + 1)))
                .collect(),
        };
        let place = self.metric.place(&site.covariates);
        let (mut best, mut ties, mut why) = (None::<((bool, f64), usize)>, 0, Dropped::NoCandidate);
        for index in ranges.into_iter().flat_map(|range| &stratum[range]) {
            if not.contains(index) {
                continue;
            }
            why = why.max(Dropped::OutsideCaliper);
            let Some(distance) = self.metric.distance(&place, &self.places[*index]) else {
                continue;
            };
            if self.taken[*index] {
                why = Dropped::Taken;
                continue;
            }
            let rank = (self.members[*index].second_choice, distance);
            match best {
                Some((least, _)) if rank > least => {}
                Some((least, _)) if rank == least => {
                    ties += 1;
                    if rng.below(ties) == 0 {
                        best = Some((rank, *index));
                    }
                }
                _ => (best, ties) = (Some((rank, *index)), 1),
            }
        }
        let (_, index) = best.ok_or(why)?;
        self.taken[index] = !self.replacement;
        Ok(index)
    }
}

/// Gives every site up to `per_site` candidates: all sites their first, in random order, then all
/// their second, and so on, so that no site's second choice costs another its first. One entry a
/// site: indices into the pool, or why there is none.
pub fn serve(
    pool: &mut Pool<'_>,
    sites: &[Member],
    inside: &[Option<Vec<Interval>>],
    per_site: usize,
    rng: &mut Rng,
) -> Vec<Result<Vec<usize>, Dropped>> {
    let mut order: Vec<usize> = (0..sites.len()).collect();
    order.sort_by_key(|site| (sites[*site].position, *site));
    rng.shuffle(&mut order);
    let mut found: Vec<Result<Vec<usize>, Dropped>> = vec![Ok(Vec::new()); sites.len()];
    for round in 0..per_site {
        for site in &order {
            let so_far = match &found[*site] {
                Ok(so_far) if so_far.len() == round => so_far.clone(),
                _ => continue,
            };
            match pool.take(&sites[*site], inside[*site].as_deref(), &so_far, rng) {
                Ok(index) => found[*site] = Ok([so_far, vec![index]].concat()),
                Err(why) if round == 0 => found[*site] = Err(why),
                Err(_) => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
