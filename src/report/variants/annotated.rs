//! The input's VCF with the scores.

use std::path::Path;

use super::{VCF, VCF_INDEX};
use crate::error::Result;
use crate::genome::vcf::{Field, annotate};
use crate::pipelines::variants::VariantRow;

/// A score in the VCF.
struct Score {
    id: &'static str,
    what: &'static str,
    of: fn(&VariantRow) -> f64,
}

const SCORES: [Score; 7] = [
    Score {
        id: "LDAR_LLR",
        what: "ln P(alternative) - ln P(reference) of the model, masked; of other than SNVs over all bases within reach",
        of: |row| row.llr,
    },
    Score {
        id: "LDAR_TABLE_LLR",
        what: "The same by a table of the nucleotides nearby",
        of: |row| row.table_llr,
    },
    Score {
        id: "LDAR_BOUNDARY",
        what: "Sum of |change of boundary probability| within reach",
        of: |row| row.boundary_change,
    },
    Score {
        id: "LDAR_DECISIONS",
        what: "Positions within reach that become a boundary or cease to be one",
        of: |row| row.decisions_changed,
    },
    Score {
        id: "LDAR_TOKENS",
        what: "Boundaries within reach, after less before",
        of: |row| row.tokens_gained,
    },
    Score {
        id: "LDAR_HIDDEN",
        what: "Distance between the mean hidden states",
        of: |row| row.hidden_distance,
    },
    Score {
        id: "LDAR_TRACK",
        what: "Mean of the track over the bases that change",
        of: |row| row.track,
    },
];

/// A list of one value an allele, where any has one.
fn list<T>(rows: &[VariantRow], of: impl Fn(&VariantRow) -> Option<T>) -> Option<String>
where
    T: std::fmt::Display,
{
    let values: Vec<Option<T>> = rows.iter().map(of).collect();
    let text = |value: &Option<T>| value.as_ref().map_or(".".to_string(), T::to_string);
    values
        .iter()
        .any(Option::is_some)
        .then(|| values.iter().map(text).collect::<Vec<_>>().join(","))
}

/// Writes the copy and its index; without an index where the records are in no order.
pub(super) fn write(vcf: &Path, rows: &[VariantRow], folder: &Path) -> Result<()> {
    let field = |id, kind, description: &str| Field {
        id,
        number: "A",
        kind,
        description: format!("ldar-analyze: {description}"),
    };
    let mut fields: Vec<Field> = SCORES
        .iter()
        .map(|score| field(score.id, "Float", score.what))
        .collect();
    fields.push(field(
        "LDAR_REASON",
        "String",
        "Why the allele was not scored",
    ));
    fields.push(field(
        "LDAR_NOTES",
        "String",
        "near_end: less than a margin of sequence on a side; n_nearby: an unknown base within reach",
    ));
    let mut rest = rows;
    annotate(
        vcf,
        &folder.join(VCF),
        &folder.join(VCF_INDEX),
        &fields,
        &mut |record| {
            let (own, later) =
                rest.split_at(rest.iter().take_while(|row| row.record == record).count());
            rest = later;
            let number = |score: &Score| {
                list(own, |row| {
                    Some((score.of)(row) as f32).filter(|value| value.is_finite())
                })
                .map(|text| (score.id, text))
            };
            let word = |text: &str| Some(text.replace(',', "&")).filter(|text| !text.is_empty());
            let words = [
                ("LDAR_REASON", list(own, |row| word(&row.reason))),
                ("LDAR_NOTES", list(own, |row| word(&row.notes))),
            ];
            let words = words.into_iter().filter_map(|(id, text)| Some((id, text?)));
            SCORES.iter().filter_map(number).chain(words).collect()
        },
    )
    .map(drop)
}
