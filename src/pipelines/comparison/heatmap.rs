//! Site by site: the profiles of a bounded random sample of the sites compared, sorted by their
//! endpoint and averaged in bins.

use std::collections::BTreeMap;

use super::rows::HeatmapRow;
use crate::stats::mean;
use crate::stats::rng::Rng;

/// Sites of a kind whose profiles are kept, at most; a uniform sample where there are more.
pub const MOST_SITES: usize = 2000;

/// Bins of a kind, at most.
pub const MOST_BINS: usize = 200;

/// The sites drawn and, once they are read, their profiles. Drawn before anything is read: the
/// model, batches, threads and shards change nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// Subjects by kind.
    drawn: Vec<Vec<usize>>,
    /// By subject: values at offsets `-flank ..= flank`; empty until it is read.
    profiles: BTreeMap<usize, Vec<f32>>,
}

impl Sample {
    /// Draws from the subjects of each kind.
    pub fn draw(mut of_kind: Vec<Vec<usize>>, rng: &Rng) -> Sample {
        for (kind, subjects) in of_kind.iter_mut().enumerate() {
            rng.derive("heat map")
                .derive_number(kind as u64)
                .shuffle(subjects);
            subjects.truncate(MOST_SITES);
        }
        let profiles = of_kind
            .iter()
            .flatten()
            .map(|subject| (*subject, Vec::new()))
            .collect();
        Sample {
            drawn: of_kind,
            profiles,
        }
    }

    /// Takes a subject's profile where it was drawn.
    pub fn keep(&mut self, subject: usize, values: &[f32]) {
        if let Some(profile) = self.profiles.get_mut(&subject) {
            *profile = values.to_vec();
        }
    }

    /// The bins of a kind, highest endpoint first. Bins differ by one site at most in size.
    pub fn rows(
        &self,
        kind: usize,
        name: &str,
        endpoint: impl Fn(usize) -> f64,
    ) -> Vec<HeatmapRow> {
        let read = self.drawn[kind].iter().map(|subject| {
            (
                endpoint(*subject),
                *subject,
                self.profiles[subject].as_slice(),
            )
        });
        let mut sites: Vec<(f64, usize, &[f32])> =
            read.filter(|(_, _, profile)| !profile.is_empty()).collect();
        sites.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let (n, bins) = (sites.len(), sites.len().min(MOST_BINS));
        (0..bins)
            .map(|bin| {
                row(
                    name,
                    bin,
                    &sites[bin * n / bins..(bin + 1) * n / bins],
                    bin * n / bins,
                )
            })
            .collect()
    }
}

/// One bin, of the sites from rank `from` (0-based) on.
fn row(name: &str, bin: usize, sites: &[(f64, usize, &[f32])], from: usize) -> HeatmapRow {
    let width = sites[0].2.len();
    let at = |column: usize| {
        sites
            .iter()
            .map(|(_, _, profile)| f64::from(profile[column]))
            .sum::<f64>()
            / sites.len() as f64
    };
    HeatmapRow {
        site_kind: name.into(),
        bin: bin as u64 + 1,
        rank_first: from as u64 + 1,
        rank_last: (from + sites.len()) as u64,
        n_sites: sites.len() as u64,
        site_value: mean(&sites.iter().map(|site| site.0).collect::<Vec<_>>()),
        first_offset: -((width / 2) as i64),
        values: (0..width)
            .map(|column| rounded(at(column)))
            .collect::<Vec<_>>()
            .join(","),
    }
}

/// Five significant digits.
fn rounded(value: f64) -> String {
    format!("{value:.4e}")
        .parse::<f64>()
        .unwrap_or(value)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_sample_sorted_and_averaged() {
        let n = 5000;
        let value = |subject: usize| ((subject * 7919) % n) as f64 / n as f64;
        let sample = |rng: &Rng| {
            let mut sample = Sample::draw(vec![(0..n).collect(), vec![7, 3, 5]], rng);
            (0..n)
                .rev()
                .for_each(|s| sample.keep(s, &[0.0, value(s) as f32, 1.0]));
            sample
        };
        let found = sample(&Rng::new(1));
        let rows = found.rows(0, "donor", value);
        assert_eq!(
            (rows.len(), rows.iter().map(|row| row.n_sites).sum::<u64>()),
            (MOST_BINS, MOST_SITES as u64)
        );
        assert!(rows.windows(2).all(|w| w[0].site_value > w[1].site_value && w[0].rank_last + 1 == w[1].rank_first));
        for row in &rows {
            let values: Vec<f64> = row.values.split(',').map(|v| v.parse().unwrap()).collect();
            assert_eq!(
                (values[0], values[2], row.first_offset, row.n_sites),
                (0.0, 1.0, -1, 10)
            );
            assert!((values[1] - row.site_value).abs() < 1e-4);
        }
        // Uniform on 0..1: the mean of 2000 draws has a standard error of 0.0065.
        let mean = mean(&rows.iter().map(|row| row.site_value).collect::<Vec<_>>());
        assert!((mean - 0.5).abs() < 0.026, "{mean}");
        let others = found.rows(1, "acceptor", value);
        assert_eq!(
            others
                .iter()
                .map(|row| (row.rank_first, row.rank_last))
                .collect::<Vec<_>>(),
            [(1, 1), (2, 2), (3, 3)]
        );
        assert_eq!(rows, sample(&Rng::new(1)).rows(0, "donor", value));
        assert_ne!(rows, sample(&Rng::new(2)).rows(0, "donor", value));
    }

    #[test]
    fn sites_that_were_not_read_are_not_shown() {
        let mut sample = Sample::draw(vec![vec![0, 1], Vec::new()], &Rng::new(1));
        sample.keep(1, &[0.5]);
        sample.keep(9, &[0.5]);
        assert_eq!(sample.rows(0, "donor", |_| 0.5).len(), 1);
        assert!(sample.rows(1, "acceptor", |_| 0.5).is_empty());
    }
}
