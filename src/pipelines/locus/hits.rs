//! Motif hits in a window.

use super::annotated::Near;
use super::rows::HitRow;
use crate::genome::sequence::reverse_complement;
use crate::genome::{Interval, Strand};
use crate::motifs::background::{Background, Letters};
use crate::motifs::elements::{Anchor, Element};
use crate::motifs::overlap::best_of_overlapping;
use crate::motifs::scan::{Encoded, Hit, ScanRequest, scan};
use crate::pipelines::motif_enrichment::{ELEMENT_P, Query, TSS_SLACK_BP, best_word_p};

/// What a scan of a window found.
pub(super) struct Scanned {
    pub rows: Vec<HitRow>,
    pub n_unreachable: usize,
}

/// Scans a window of a contig on both strands, against the letters of the whole contig. Core
/// promoter elements are taken where they may lie of an annotated start, at their own threshold; of
/// overlapping hits of a motif the best is taken.
pub(super) fn find(
    queries: &[Query],
    sequence: &[u8],
    window: Interval,
    near: &Near,
    p: f64,
) -> Scanned {
    let mut letters = Letters::default();
    letters.add(sequence);
    let background = letters.background();
    let encoded = Encoded::new([&sequence[window.start..window.end]]);
    let mut found = Scanned {
        rows: Vec::new(),
        n_unreachable: 0,
    };
    for query in queries {
        let hits = match &query.element {
            Some(element) => of_element(query, element, &encoded, window, background, near),
            None => {
                let scanned = scan(
                    std::slice::from_ref(&query.motif),
                    &encoded,
                    &ScanRequest {
                        p,
                        ..ScanRequest::new(background)
                    },
                );
                found.n_unreachable += scanned.unreachable.len();
                scanned.hits
            }
        };
        found.rows.extend(
            hits.into_iter()
                .map(|hit| row(query, hit, sequence, window)),
        );
    }
    found.rows.sort_by(|a, b| {
        (a.start, a.end, &a.motif_id, &a.strand).cmp(&(b.start, b.end, &b.motif_id, &b.strand))
    });
    found
}

fn of_element(
    query: &Query,
    element: &Element,
    encoded: &Encoded,
    window: Interval,
    background: Background,
    near: &Near,
) -> Vec<Hit> {
    // Rounding in the exact distribution moves a p-value by a thousandth of itself.
    let p = ELEMENT_P.max(best_word_p(&query.motif, background) * 1.01);
    let scanned = scan(
        std::slice::from_ref(&query.motif),
        encoded,
        &ScanRequest {
            p,
            all_hits: true,
            ..ScanRequest::new(background)
        },
    );
    let (anchors, slack) = match element.anchor {
        Anchor::Tss => (&near.starts, TSS_SLACK_BP),
        Anchor::StartCodon => (&near.codons, 0),
    };
    let at_home = |hit: &Hit| {
        let place = Interval::new(window.start + hit.start, window.start + hit.end);
        let allowed = |(anchor, strand): &(usize, Strand)| {
            element
                .places(*anchor, *strand, slack)
                .any(|one| one == (place, hit.strand))
        };
        anchors.iter().any(allowed)
    };
    best_of_overlapping(&scanned.hits.into_iter().filter(at_home).collect::<Vec<_>>())
}

fn row(query: &Query, hit: Hit, sequence: &[u8], window: Interval) -> HitRow {
    let (start, end) = (window.start + hit.start, window.start + hit.end);
    let matched = match hit.strand {
        Strand::Plus => sequence[start..end].to_vec(),
        Strand::Minus => reverse_complement(&sequence[start..end]),
    };
    HitRow {
        motif_id: query.motif.id.clone(),
        motif_name: query.motif.name.clone(),
        start: start as u64,
        end: end as u64,
        strand: hit.strand.to_string(),
        score: hit.score,
        p_value: hit.p_value,
        matched: String::from_utf8_lossy(&matched).into_owned(),
    }
}
