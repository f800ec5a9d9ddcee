//! What a model does at sites and at decoys, in plain numbers: how often it cuts at each offset, in
//! which patterns, and how the mean values differ.

use super::features::{Measured, is_cut};
use super::{CutRow, DecoyRow, DifferenceRow, Discrimination, EffectRow, only};
use crate::stats::discrimination::Cases;
use crate::stats::offsets::{OffsetTests, RUN_THRESHOLD, sign_flip_offsets};

/// The cuts of one kind of site and one set of controls.
pub(super) struct Cuts<'a> {
    pub row: &'a DecoyRow,
    pub cases: &'a Cases,
    pub measured: &'a Measured,
    pub window: (i64, i64),
}

impl Cuts<'_> {
    pub fn add(&self, found: &mut Discrimination, permutations: usize, seed: u64) {
        let values = &self.measured.values;
        let cuts: Vec<f64> = values.iter().map(|p| is_cut(*p)).collect();
        let (of_sites, of_controls) = (self.means(&cuts, true), self.means(&cuts, false));
        let n = self.cases.is_site.iter().filter(|is| **is).count() as f64;
        let tests = self.test(&self.sums(&cuts), permutations, seed);
        for (index, offset) in (self.window.0..=self.window.1).enumerate() {
            // Half an observation in each cell: a rate of 0 or 1 has odds too.
            let odds = |rate: f64| (rate * n + 0.5) / ((1.0 - rate) * n + 0.5);
            found.cuts.push(CutRow {
                site_kind: self.row.site_kind.clone(),
                control: self.row.control.clone(),
                offset,
                rate_sites: of_sites[index],
                rate_controls: of_controls[index],
                odds_ratio: odds(of_sites[index]) / odds(of_controls[index]),
                p_maxt: tests.offsets[index].p_max_t,
            });
        }
        self.differences(found, permutations, seed);
        self.patterns(found, &cuts);
    }

    /// Weighted means of columns over sites or controls.
    fn means(&self, values: &[f64], sites: bool) -> Vec<f64> {
        let (mut sums, mut total) = (vec![0.0; self.measured.width], 0.0);
        for (row, values) in values
            .chunks_exact(self.measured.width)
            .enumerate()
            .filter(|(row, _)| self.cases.is_site[*row] == sites)
        {
            let weight = self.cases.weights[row];
            total += weight;
            sums.iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += weight * value);
        }
        sums.into_iter().map(|sum| sum / total).collect()
    }

    /// By cluster, sums of sites less those of controls: `(clusters, width)`.
    fn sums(&self, values: &[f64]) -> Vec<f64> {
        let width = self.measured.width;
        let mut sums = vec![0.0; self.cases.n_clusters * width];
        for (row, values) in values.chunks_exact(width).enumerate() {
            let weight = if self.cases.is_site[row] {
                self.cases.weights[row]
            } else {
                -self.cases.weights[row]
            };
            let of_cluster = &mut sums[self.cases.clusters[row] * width..][..width];
            of_cluster
                .iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += weight * value);
        }
        sums
    }

    fn test(&self, sums: &[f64], permutations: usize, seed: u64) -> OffsetTests {
        sign_flip_offsets(
            sums,
            self.measured.width,
            self.row.n_sites as usize,
            RUN_THRESHOLD,
            permutations,
            seed,
        )
    }

    /// Mean differences with a band that holds all of them at once: flips of what is left of
    /// clusters once their mean is taken out say how far the largest of all deviations goes.
    fn differences(&self, found: &mut Discrimination, permutations: usize, seed: u64) {
        let width = self.measured.width;
        let sums = self.sums(&self.measured.values);
        let tests = self.test(&sums, permutations, seed);
        let mut sites = vec![0.0; self.cases.n_clusters];
        (0..self.cases.n())
            .filter(|row| self.cases.is_site[*row])
            .for_each(|row| sites[self.cases.clusters[row]] += 1.0);
        let centred: Vec<f64> = (sums.chunks_exact(width).zip(&sites))
            .flat_map(|(row, n)| {
                row.iter()
                    .zip(&tests.offsets)
                    .map(move |(sum, test)| sum - n * test.difference)
            })
            .collect();
        let reach = self.test(&centred, permutations, seed).max_t_95;
        let n: f64 = sites.iter().sum();
        for (index, offset) in (self.window.0..=self.window.1).enumerate() {
            let error = centred
                .iter()
                .skip(index)
                .step_by(width)
                .map(|sum| sum * sum)
                .sum::<f64>()
                .sqrt()
                / n;
            let test = &tests.offsets[index];
            found.difference.push(DifferenceRow {
                site_kind: self.row.site_kind.clone(),
                control: self.row.control.clone(),
                offset,
                difference: test.difference,
                low: test.difference - reach * error,
                high: test.difference + reach * error,
                p_maxt: test.p_max_t,
            });
        }
    }

    /// Cut or not at -1, 0 and +1, and where the nearest cut lies.
    fn patterns(&self, found: &mut Discrimination, cuts: &[f64]) {
        let (first, last) = self.window;
        let width = self.measured.width;
        let at = |row: usize, offset: i64| cuts[row * width + (offset - first) as usize] > 0.5;
        for (sites, name) in [(true, "sites"), (false, "controls")] {
            let members =
                || (0..self.cases.n()).filter(move |row| self.cases.is_site[*row] == sites);
            let weight = |row: usize| self.cases.weights[row];
            let total: f64 = members().map(weight).sum();
            let mut add = |statistic: &str, value: f64| {
                found
                    .effects
                    .push(EffectRow::new(self.row, name, statistic, only(value)))
            };
            if first <= -1 && last >= 1 {
                for pattern in 0..8u8 {
                    let bit = |offset: i64| pattern >> (1 - offset) & 1 == 1;
                    let like = |row: &usize| (-1..=1).all(|offset| at(*row, offset) == bit(offset));
                    add(
                        &format!("pattern_{pattern:03b}"),
                        members().filter(like).map(weight).sum::<f64>() / total,
                    );
                }
            }
            let nearest = |row: usize| {
                (first..=last)
                    .filter(|offset| at(row, *offset))
                    .min_by_key(|offset| (offset.abs(), *offset))
            };
            let (mut sum, mut n) = (0.0, 0.0);
            members()
                .filter_map(|row| Some((row, nearest(row)?)))
                .for_each(|(row, offset)| {
                    (sum, n) = (sum + weight(row) * offset as f64, n + weight(row))
                });
            add("nearest_cut_offset", sum / n);
            add("without_cut", 1.0 - n / total);
        }
    }
}
