//! Which transcript speaks for a gene.

use serde::{Deserialize, Serialize};

use crate::genome::annotation::{CanonicalTag, Gene};

/// Which transcripts of a gene speak for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TranscriptChoice {
    /// One a gene: by tag (Ensembl_canonical, MANE Select), else longest CDS, then longest.
    Canonical,
    /// All of them.
    All,
}

/// What decided which transcript is canonical, in the order in which the rules are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanonicalRule {
    /// The gene has one transcript.
    OnlyTranscript,
    /// The annotation tags it `Ensembl_canonical`.
    EnsemblCanonical,
    /// The annotation tags it `MANE_Select`.
    ManeSelect,
    /// The longest coding sequence.
    LongestCds,
    /// Equal coding lengths (or none): the longest exonic length.
    LongestExons,
    /// Equal there too: the first identifier.
    FirstId,
}

/// The index of a gene's canonical transcript and the rule that named it. `None` for a gene without
/// transcripts.
pub fn canonical_transcript(gene: &Gene) -> Option<(usize, CanonicalRule)> {
    let all: Vec<usize> = (0..gene.transcripts.len()).collect();
    if let [only] = all[..] {
        return Some((only, CanonicalRule::OnlyTranscript));
    }
    let tagged = |tag| {
        all.iter()
            .copied()
            .filter(|t| gene.transcripts[*t].canonical == Some(tag))
            .collect::<Vec<_>>()
    };
    let by_tag = [
        (
            CanonicalTag::EnsemblCanonical,
            CanonicalRule::EnsemblCanonical,
        ),
        (CanonicalTag::ManeSelect, CanonicalRule::ManeSelect),
    ];
    let named = by_tag
        .into_iter()
        .map(|(tag, rule)| (tagged(tag), Some(rule)))
        .find(|(candidates, _)| !candidates.is_empty());
    let (mut candidates, tag_rule) = named.unwrap_or((all, None));
    candidates.sort_by(|a, b| {
        let (a, b) = (&gene.transcripts[*a], &gene.transcripts[*b]);
        (b.cds_bp(), b.exonic_bp(), &a.id).cmp(&(a.cds_bp(), a.exonic_bp(), &b.id))
    });
    let best = *candidates.first()?;
    let rule = tag_rule.unwrap_or_else(|| {
        let (first, second) = (
            &gene.transcripts[best],
            &gene.transcripts[*candidates.get(1).unwrap_or(&best)],
        );
        if first.cds_bp() > second.cds_bp() {
            CanonicalRule::LongestCds
        } else if first.exonic_bp() > second.exonic_bp() {
            CanonicalRule::LongestExons
        } else {
            CanonicalRule::FirstId
        }
    });
    Some((best, rule))
}
