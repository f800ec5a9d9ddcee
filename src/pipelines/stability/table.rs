//! What a function of the letters around a position would do: a table of them, fitted on what the
//! model said of unedited sequence of other genes.

use super::probes::Probe;
use crate::pipelines::comparison::Study;
use crate::pipelines::questions::oriented;
use crate::stats::context::{Context, ContextTable, Fold, Observations, WIDEST, codes};
use std::collections::HashSet;

/// Letters on either side that the table knows.
pub const LETTERS: usize = WIDEST;

/// Positions to fit on.
pub(super) struct Letters {
    folds: Vec<Fold>,
    observations: Observations,
    known: HashSet<(usize, usize, crate::genome::Strand)>,
}

/// A fitted table.
pub(super) struct Fitted {
    folds: Vec<Fold>,
    table: ContextTable,
}

impl Letters {
    /// Nothing learnt yet.
    pub fn new(study: &Study<'_>) -> Letters {
        let sizes: Vec<u64> = study
            .clusters
            .iter()
            .map(|(_, interval)| interval.len_bp() as u64)
            .collect();
        Letters {
            folds: Fold::deal(&sizes),
            observations: Observations::default(),
            known: HashSet::new(),
        }
    }

    /// Takes the values of a window before its edit, each window once, without the ends.
    pub fn learn(&mut self, probe: &Probe, values: &[f32]) {
        if self
            .known
            .insert((probe.contig, probe.before.0, probe.strand))
        {
            let letters = codes(&oriented(probe.before.1.clone(), probe.strand));
            let end = values.len().saturating_sub(LETTERS);
            for (t, value) in values.iter().enumerate().take(end).skip(LETTERS) {
                self.observations.push(
                    Context::around(&letters, t),
                    self.folds[probe.cluster],
                    *value,
                );
            }
        }
    }

    /// `None` where the windows lie in too few clusters.
    pub fn fit(self) -> Option<Fitted> {
        Some(Fitted {
            table: ContextTable::fit(self.observations).ok()?,
            folds: self.folds,
        })
    }
}

impl Fitted {
    /// What the table says of both windows, in the orientation of the strand. Only positions that
    /// see the edit are looked up; the others are 0 before and after.
    pub fn predict(&self, probe: &Probe) -> (Vec<f32>, Vec<f32>) {
        let fold = self.folds[probe.cluster];
        let of = |(first, window): &(usize, Vec<u8>), end: usize| -> Vec<f32> {
            let letters = codes(&oriented(window.clone(), probe.strand));
            let (start, end) = (probe.edit.bases.start - first, end - first);
            let (start, end) = match probe.strand {
                crate::genome::Strand::Plus => (start, end),
                crate::genome::Strand::Minus => (window.len() - end, window.len() - start),
            };
            let seen = start.saturating_sub(LETTERS)..=end + LETTERS;
            let value = |t: usize| {
                if seen.contains(&t) {
                    self.table.predict(Context::around(&letters, t), fold)[LETTERS]
                } else {
                    0.0
                }
            };
            (0..window.len()).map(value).collect()
        };
        let end = probe.edit.bases.end;
        (
            of(&probe.before, end),
            of(&probe.after, end.saturating_add_signed(probe.edit.shift())),
        )
    }
}
