//! Hits that no control was found for, by reason.

use super::rows::UnmatchedRow;
use super::{Control, EnrichmentRequest, Studied};
use crate::controls::matching::Dropped;

/// The rows of one motif; `n_shuffled` of its hits were read in shuffled flanks.
pub(super) fn rows(
    motif_id: &str,
    studied: &Studied,
    n_shuffled: usize,
    request: &EnrichmentRequest,
) -> Vec<UnmatchedRow> {
    let usable = studied.hits.usable.len();
    let row = |control: Control, reason: &str, n_hits: usize| UnmatchedRow {
        motif_id: motif_id.into(),
        control: control.name().into(),
        reason: reason.into(),
        n_hits: n_hits as u64,
    };
    let mut found = Vec::new();
    for (control, matched) in &studied.matched {
        found.extend(
            Dropped::ALL
                .iter()
                .zip(matched.dropped)
                .map(|(why, n)| row(*control, reason(*why), n)),
        );
    }
    let alone = studied
        .orders
        .as_ref()
        .is_some_and(|orders| orders.compare(0).is_none());
    found.push(row(
        Control::Permuted,
        "few_orders",
        if alone { usable } else { 0 },
    ));
    if n_shuffled > 0
        || (request.controls.contains(&Control::Shuffled) && usable >= request.min_hits)
    {
        found.push(row(Control::Shuffled, "contig_end", usable - n_shuffled));
    }
    found.retain(|row| row.n_hits > 0);
    found
}

fn reason(why: Dropped) -> &'static str {
    match why {
        Dropped::NoCandidate => "no_candidate",
        Dropped::OutsideCaliper => "outside_caliper",
        Dropped::Taken => "taken",
    }
}
