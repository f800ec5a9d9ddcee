//! From tables to figures.

use std::collections::BTreeMap;

use super::{DensityPage, words};
use crate::figures::{BoxesClass, BoxesFigure, LengthsFigure, LengthsPanel};
use crate::pipelines::density::{AccountingRow, TOKEN_REACH};
use crate::report::format::count;

impl DensityPage {
    /// Means of units by class, and the differences.
    pub(super) fn boxes(&self) -> BoxesFigure {
        let class = |row: &AccountingRow| {
            let mut units: BTreeMap<&str, (f64, f64, f64)> = BTreeMap::new();
            for pair in self
                .found
                .pairs
                .iter()
                .filter(|pair| pair.class == row.class)
            {
                let sums = units.entry(&pair.cluster).or_default();
                *sums = (
                    sums.0 + pair.probability,
                    sums.1 + pair.control_probability,
                    sums.2 + 1.0,
                );
            }
            let differences = ["probability", "residual"].map(|measure| {
                let statistics = self
                    .found
                    .statistics
                    .iter()
                    .find(|r| r.class == row.class && r.measure == measure && r.n_pairs > 0);
                statistics.map_or((f64::NAN, f64::NAN, f64::NAN), |r| {
                    (r.difference, r.ci_low, r.ci_high)
                })
            });
            BoxesClass {
                label: words(&row.class).into(),
                note: format!(
                    "{} in {} units",
                    count(row.n_used as usize),
                    count(units.len())
                ),
                values: units.values().map(|(own, _, n)| own / n).collect(),
                controls: units.values().map(|(_, control, n)| control / n).collect(),
                differences: differences.to_vec(),
            }
        };
        BoxesFigure {
            classes: self.found.accounting.iter().map(class).collect(),
            x_label: format!("Mean {}", self.about.terms().quantity()),
            difference_label: format!("Difference in mean {}", self.about.terms().quantity()),
            differences: vec!["as read".into(), "less what nucleotides predict".into()],
            point: "point: mean of a unit; box: quartiles".into(),
        }
    }

    /// Token lengths of classes that have any.
    pub(super) fn lengths(&self) -> LengthsFigure {
        let panel = |row: &AccountingRow| {
            let counts = |group: &str| {
                let mut counts = vec![0; TOKEN_REACH + 2];
                let of = self
                    .found
                    .token_lengths
                    .iter()
                    .filter(|length| length.class == row.class && length.group == group);
                for length in of {
                    // A table that was edited must not make a page impossible.
                    counts
                        .get_mut(length.length_bp as usize)
                        .into_iter()
                        .for_each(|n| *n = length.n_tokens);
                }
                counts
            };
            LengthsPanel {
                title: words(&row.class).into(),
                class: counts("class"),
                control: counts("control"),
            }
        };
        let panels = self
            .found
            .accounting
            .iter()
            .filter(|row| row.n_used > 0)
            .map(panel)
            .collect();
        LengthsFigure {
            panels,
            longest: TOKEN_REACH,
        }
    }
}
