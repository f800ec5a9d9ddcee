//! The rows of the tables. Field names are column names. Positions are 0-based, of the plus strand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Allele;

/// One allele. Scores of one that could not be scored are missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VariantRow {
    /// Number of the record in the file, from 0.
    pub record: u64,
    /// Number among the record's alternative alleles, from 1.
    pub allele: u64,
    /// The contig, as the file names it.
    pub contig: String,
    /// First base of the reference allele, 0-based; -1 for VCF's place before the first base.
    pub position: i64,
    /// Name of the record; empty for none.
    pub id: String,
    /// The reference allele.
    pub reference: String,
    /// The alternative allele.
    pub alternate: String,
    /// `snv`, `substitution`, `insertion`, `deletion` or `indel`; empty where it was not scored.
    pub kind: String,
    /// Why it was not scored; empty where it was: `unknown_contig`, `beyond_contig`,
    /// `reference_differs`, `over_n` (the reference allele), `not_acgt`, `symbolic`,
    /// `no_alternate`, `no_change`, `too_long`.
    pub reason: String,
    /// What to know of a score: `near_end` (less than a margin of sequence on a side), `n_nearby`
    /// (an unknown base within reach); with a comma between them.
    pub notes: String,
    /// Logarithm of how much likelier the alternative allele is than the reference. An SNV: at its
    /// position, masked. Else: sum over both alleles and the bases within reach, masked one in
    /// seven at a time; it has another scale.
    pub llr: f64,
    /// The same by a table of the letters nearby, counted on the genome without the position
    /// itself.
    pub table_llr: f64,
    /// Sum of |change of boundary probability| over positions within reach.
    pub boundary_change: f64,
    /// How many of these become a boundary or cease to be one.
    pub decisions_changed: f64,
    /// Boundaries within reach after less before.
    pub tokens_gained: f64,
    /// Euclidean distance between the mean hidden states of the two windows.
    pub hidden_distance: f64,
    /// Mean of the track over the bases of the reference allele that change.
    pub track: f64,
    /// The label or measured effect.
    pub label: f64,
    /// The group.
    pub group: String,
}

impl VariantRow {
    /// An allele before it is scored.
    pub(super) fn new(allele: &Allele) -> VariantRow {
        let nan = f64::NAN;
        VariantRow {
            record: allele.record,
            allele: allele.number,
            contig: allele.contig.clone(),
            position: i64::try_from(allele.first).unwrap_or(i64::MAX) - 1,
            id: allele.id.clone(),
            reference: allele.reference.clone(),
            alternate: allele.alternate.clone(),
            llr: nan,
            table_llr: nan,
            boundary_change: nan,
            decisions_changed: nan,
            tokens_gained: nan,
            hidden_distance: nan,
            track: nan,
            label: allele.label,
            group: if allele.group.is_empty() {
                allele.contig.clone()
            } else {
                allele.group.clone()
            },
            ..VariantRow::default()
        }
    }
}

/// Alleles by what became of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountingRow {
    /// `scored`, or the reason.
    pub outcome: String,
    /// Alleles.
    pub n: u64,
}

/// The scored first, then the reasons, commonest first.
pub(super) fn accounting(rows: &[VariantRow]) -> Vec<AccountingRow> {
    let mut by_reason: BTreeMap<&str, u64> = BTreeMap::new();
    rows.iter()
        .for_each(|row| *by_reason.entry(&row.reason).or_default() += 1);
    let scored = by_reason.remove("").unwrap_or(0);
    let mut reasons: Vec<(&str, u64)> = by_reason.into_iter().collect();
    reasons.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    std::iter::once(("scored", scored))
        .chain(reasons)
        .map(|(outcome, n)| AccountingRow {
            outcome: outcome.into(),
            n,
        })
        .collect()
}

/// How well a score tells labels, or follows effects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// The score.
    pub score: String,
    /// `auroc` of labels over all variants; `size`: mean over groups of Spearman's correlation with
    /// the size of the effect, `signed`: with the effect itself.
    pub measure: String,
    /// Variants.
    pub n: u64,
    /// Groups.
    pub n_groups: u64,
    /// The value.
    pub value: f64,
    /// Lower end of its 95 % interval over draws of groups.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
}

/// The same in one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRow {
    /// The score.
    pub score: String,
    /// The measure.
    pub measure: String,
    /// The group.
    pub group: String,
    /// Variants.
    pub n: u64,
    /// The value.
    pub value: f64,
}

/// Two scores on the same variants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceRow {
    /// A score.
    pub score: String,
    /// The other.
    pub other: String,
    /// The measure.
    pub measure: String,
    /// Groups.
    pub n_groups: u64,
    /// The first's value less the other's.
    pub difference: f64,
    /// Lower end of its 95 % interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Two-sided p of flipping the signs of groups' differences; missing for AUROCs, which are of
    /// all groups together.
    pub p_value: f64,
    /// The least it could be.
    pub p_floor: f64,
}
