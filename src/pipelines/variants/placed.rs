//! Where alleles lie, and why some cannot be scored.

use std::collections::BTreeMap;

use super::{Allele, VariantRow, VariantsRequest};
use crate::error::Result;
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Genome;
use crate::genome::sequence::is_acgt;
use crate::genome::{Interval, Strand};
use crate::pipelines::edits::Edit;
use crate::pipelines::signal::Signal;
use crate::pipelines::tiles::Window;
use crate::pipelines::{BoundarySource, Stretch};

/// An allele that can be scored.
pub(super) struct Placed {
    /// Its number among all.
    pub index: usize,
    /// What it changes.
    pub edit: Edit,
    /// The inter-base positions within reach.
    pub window: Window,
}

/// The alleles of each contig of the genome, in its order; the others are given their reason.
pub(super) fn by_contig(
    genome: &Genome,
    alleles: &[Allele],
    rows: &mut [VariantRow],
) -> Vec<(usize, Vec<usize>)> {
    let names = ContigNames::new(genome.contigs().iter().map(|contig| &contig.name));
    let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, allele) in alleles.iter().enumerate() {
        match (unreadable(allele), names.find(&allele.contig)) {
            (Some(reason), _) => rows[index].reason = reason.into(),
            (None, None) => rows[index].reason = "unknown_contig".into(),
            (None, Some(contig)) => found.entry(contig).or_default().push(index),
        }
    }
    found.into_iter().collect()
}

/// Why the letters of an allele are none to be scored.
fn unreadable(allele: &Allele) -> Option<&'static str> {
    let alternate = allele.alternate.as_str();
    let is_symbolic = alternate == "*"
        || alternate.contains(['<', '>', '[', ']'])
        || (alternate.contains('.') && alternate != ".");
    match () {
        () if alternate == "." || alternate.is_empty() => Some("no_alternate"),
        () if is_symbolic => Some("symbolic"),
        () if !is_acgt(letters(&allele.reference)) || !is_acgt(letters(alternate)) => {
            Some("not_acgt")
        }
        () => None,
    }
}

/// The letters of an allele; `-` stands for none.
fn letters(allele: &str) -> &[u8] {
    if allele == "-" {
        b""
    } else {
        allele.as_bytes()
    }
}

/// Lays an allele on its contig; one that cannot be scored is given its reason.
pub(super) fn place(
    sequence: &[u8],
    index: usize,
    alleles: &[Allele],
    request: &VariantsRequest,
    rows: &mut [VariantRow],
) -> Option<Placed> {
    let (allele, row) = (&alleles[index], &mut rows[index]);
    let mut refuse = |reason: &str| {
        row.reason = reason.into();
        None
    };
    let [reference, alternate] =
        [&allele.reference, &allele.alternate].map(|allele| letters(allele).to_ascii_uppercase());
    let bases = usize::try_from(allele.first)
        .ok()
        .and_then(|first| first.checked_sub(1))
        .and_then(|start| Some(Interval::new(start, start.checked_add(reference.len())?)));
    let Some(bases) = bases.filter(|bases| bases.end <= sequence.len() && sequence.len() > 1)
    else {
        return refuse("beyond_contig");
    };
    let there = sequence[bases.start..bases.end].to_ascii_uppercase();
    if !is_acgt(&there) {
        return refuse("over_n");
    }
    if there != reference {
        return refuse("reference_differs");
    }
    let edit = Edit::between(bases.start, &reference, &alternate);
    if edit.is_nothing() {
        return refuse("no_change");
    }
    let (low, high) = (
        edit.bases.start.saturating_sub(request.reach).max(1),
        (edit.bases.end + request.reach).min(sequence.len() - 1),
    );
    // Room for both alleles with what is looked at and the margins.
    let longest = request
        .context
        .saturating_sub(2 * (request.margin.max(1) + request.reach));
    if edit.bases.len_bp().max(edit.letters.len()) > longest.max(1) || low > high {
        return refuse(if low > high {
            "beyond_contig"
        } else {
            "too_long"
        });
    }
    row.kind = edit.kind().into();
    row.notes = notes(sequence, &edit, request);
    Some(Placed {
        index,
        edit,
        window: Window { low, high },
    })
}

/// What a user should know of a score.
fn notes(sequence: &[u8], edit: &Edit, request: &VariantsRequest) -> String {
    let near = |reach: usize| {
        edit.bases.start.saturating_sub(reach)..(edit.bases.end + reach).min(sequence.len())
    };
    let is_near_end =
        edit.bases.start < request.margin || edit.bases.end + request.margin > sequence.len();
    let notes = [
        (is_near_end, "near_end"),
        (!is_acgt(&sequence[near(request.reach)]), "n_nearby"),
    ];
    notes
        .iter()
        .filter(|(is_so, _)| *is_so)
        .map(|(_, note)| *note)
        .collect::<Vec<_>>()
        .join(",")
}

/// The mean of a track over the bases that are taken away, of an insertion over the two bases
/// beside it; `NaN` where it has no value.
pub(super) fn track_value(
    track: &Signal,
    contig: &str,
    sequence: &[u8],
    edit: &Edit,
) -> Result<f64> {
    let bases = match edit.bases.len_bp() {
        0 => Interval::new(
            edit.bases.start.saturating_sub(1),
            (edit.bases.end + 1).min(sequence.len()),
        ),
        _ => edit.bases,
    };
    let stretch = Stretch::of_contig(contig, sequence, bases, Strand::Plus);
    let values = track.read(&stretch.into_iter().collect::<Vec<_>>())?;
    let known: Vec<f64> = values
        .iter()
        .flatten()
        .filter(|value| !value.is_nan())
        .map(|value| f64::from(*value))
        .collect();
    Ok(crate::stats::mean(&known))
}
