//! The local-sequence baseline: what the letters within a few bases of a position say of its
//! boundary probability, fitted on positions that the run has read anyway, away from annotated
//! sites, and never on the genes it predicts.

use std::collections::BTreeSet;

use super::rows::BaselineRow;
use super::statistics::LEVEL;
use super::{ComparisonRequest, Study};
use crate::genome::sequence::model_letters;
use crate::genome::{Interval, Strand};
use crate::stats::context::{Context, ContextTable, Explained, Fold, Observations, WIDEST, codes};

/// Positions this near an annotated site of their strand are left out: their endpoints and their
/// letters would be those of the site.
pub const SITE_REACH: usize = WIDEST + super::ENDPOINT_REACH;

/// No more positions are kept; where there are more, every second one is dropped, again and again.
pub const MOST: usize = 10_000_000;

/// Positions that are predicted together: some 40 bytes each.
pub const AT_ONCE: usize = 1 << 22;
/// Positions whose estimates of all widths are held together.
const ALL_WIDTHS_AT_ONCE: usize = 1 << 20;

/// A position to fit on.
#[derive(Clone, Copy, Debug)]
struct Position {
    context: Context,
    value: f32,
    cluster: u32,
    soft_masked: bool,
}

/// Positions to fit on.
#[derive(Clone, Debug, Default)]
pub struct Fit {
    positions: Vec<Position>,
    stride: usize,
    seen: usize,
}

/// Takes the tiles of one strand of a contig.
pub struct Taker<'a> {
    fit: &'a mut Fit,
    study: &'a Study<'a>,
    sequence: &'a [u8],
    contig: usize,
    strand: Strand,
    margin: usize,
    annotated: Option<&'a BTreeSet<usize>>,
    done_to: usize,
}

impl Fit {
    /// Ready for the tiles of one strand of a contig, in order.
    pub fn on<'a>(
        &'a mut self,
        study: &'a Study<'a>,
        sequence: &'a [u8],
        contig: usize,
        strand: Strand,
        margin: usize,
    ) -> Taker<'a> {
        let annotated = study.annotated.get(&(contig, strand));
        Taker {
            fit: self,
            study,
            sequence,
            contig,
            strand,
            margin: margin.max(1),
            annotated,
            done_to: 0,
        }
    }

    fn push(&mut self, position: Position) {
        self.seen += 1;
        if !self.seen.is_multiple_of(self.stride.max(1)) {
            return;
        }
        self.positions.push(position);
        if self.positions.len() >= MOST {
            self.stride = 2 * self.stride.max(1);
            let mut odd = false;
            self.positions.retain(|_| {
                odd = !odd;
                !odd
            });
        }
    }
}

impl Taker<'_> {
    /// Takes the positions of a tile that lie between its margins, in a gene, away from annotated
    /// sites, and were in no tile before. `values` are in the model's orientation.
    pub fn tile(&mut self, bases: Interval, values: &[f32]) {
        let codes = codes(&model_letters(
            &self.sequence[bases.start..bases.end],
            self.strand,
        ));
        for (t, value) in values
            .iter()
            .enumerate()
            .take(codes.len().saturating_sub(self.margin))
            .skip(self.margin)
        {
            let position = match self.strand {
                Strand::Plus => bases.start + t,
                Strand::Minus => bases.end - t,
            };
            let near = position.saturating_sub(SITE_REACH)..=position + SITE_REACH;
            if !value.is_finite()
                || position < self.done_to
                || self
                    .annotated
                    .is_some_and(|sites| sites.range(near).next().is_some())
            {
                continue;
            }
            if let Some(cluster) = self.study.cluster_at(self.contig, position) {
                let soft_masked = self
                    .sequence
                    .get(position)
                    .is_some_and(u8::is_ascii_lowercase);
                self.fit.push(Position {
                    context: Context::around(&codes, t),
                    value: *value,
                    cluster: cluster as u32,
                    soft_masked,
                });
            }
        }
        self.done_to = self.done_to.max(bases.end.saturating_sub(self.margin) + 1);
    }
}

/// The fitted baseline.
pub struct Baseline {
    table: ContextTable,
    folds: Vec<Fold>,
}

impl Baseline {
    /// Fits the table. `None` where the positions come from too few genes to leave any out.
    pub fn fit(study: &Study<'_>, fit: &Fit) -> Option<Baseline> {
        let sizes: Vec<u64> = study
            .clusters
            .iter()
            .map(|(_, interval)| interval.len_bp() as u64)
            .collect();
        let folds = Fold::deal(&sizes);
        let mut observations = Observations::default();
        fit.positions
            .iter()
            .for_each(|p| observations.push(p.context, folds[p.cluster as usize], p.value));
        Baseline::of(observations, folds)
    }

    /// Fits the table to observations of clusters in these folds. `None` as in [`Baseline::fit`].
    pub fn of(observations: Observations, folds: Vec<Fold>) -> Option<Baseline> {
        let table = ContextTable::fit(observations).ok()?;
        Some(Baseline { table, folds })
    }

    /// Fits the table, and says how much of the values it explains in genes it has not seen. `None`
    /// as in [`Baseline::fit`].
    pub fn new(
        study: &Study<'_>,
        fit: &Fit,
        request: &ComparisonRequest,
        seed: u64,
    ) -> Option<(Baseline, Vec<BaselineRow>)> {
        let Baseline { table, folds } = Baseline::fit(study, fit)?;
        let mut explained = [Explained::default(), Explained::default()];
        for some in fit.positions.chunks(ALL_WIDTHS_AT_ONCE) {
            let asked: Vec<(Context, Fold)> = some
                .iter()
                .map(|p| (p.context, folds[p.cluster as usize]))
                .collect();
            for (p, estimates) in some
                .iter()
                .zip(table.predict_all(&asked, |estimates| estimates))
            {
                explained[usize::from(p.soft_masked)].add(p.cluster as usize, p.value, &estimates);
            }
        }
        let rows = BaselineRow::of(&explained, request.bootstraps, LEVEL, seed);
        Some((Baseline { table, folds }, rows))
    }

    /// Adds the contexts of the inter-base positions `at` in `letters`, for a gene that the
    /// baseline has not seen, to those that are to be predicted.
    pub fn ask(
        &self,
        letters: &[u8],
        at: std::ops::RangeInclusive<usize>,
        cluster: usize,
        asked: &mut Vec<(Context, Fold)>,
    ) {
        let codes = codes(letters);
        // A position in no gene is in no fold: any fold's table has not seen it.
        let fold = self
            .folds
            .get(cluster)
            .or(self.folds.first())
            .copied()
            .unwrap_or_default();
        asked.extend(at.map(|t| (Context::around(&codes, t), fold)));
    }

    /// What the widest table predicts for each of them.
    pub fn predict(&self, asked: &[(Context, Fold)]) -> Vec<f32> {
        self.table.predict_all(asked, |estimates| estimates[WIDEST])
    }
}
