//! Where edits are made, and what is read for them.

use crate::error::Result;
use crate::genome::sequence::{complement, is_acgt, model_letters};
use crate::genome::{Interval, Strand};
use crate::pipelines::MASKED;
use crate::pipelines::comparison::{ContigReader, SitePair, Study};
use crate::pipelines::edits::Edit;
use crate::pipelines::questions::{Questions, oriented};
use crate::stats::rng::Rng;

use super::StabilityRequest;

/// What is done at every random place, in the order of tables and figures.
pub const KINDS: [&str; 13] = [
    "snv",
    "mask",
    "insertion_1",
    "insertion_2",
    "insertion_3",
    "deletion_1",
    "deletion_2",
    "deletion_3",
    "mask_share",
    "random_share",
    "shift",
    "half_context",
    "other_strand",
];

/// The share of bases within reach that `mask_share` and `random_share` change, as masking does in
/// training.
pub const SHARE: f64 = 0.15;
/// Bases on either side of the place of the map.
pub const MAP_BP: usize = 20;
/// The group of the map's edits.
pub(super) const OF_MAP: &str = "map";
/// Bases by which `shift` moves the start of the window.
const SHIFT: usize = 17;

/// One edit and the windows it is read in.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// What is done: one of [`KINDS`].
    pub kind: &'static str,
    /// `random`; `donor`, `acceptor` and their `..._control`; or [`OF_MAP`].
    pub group: String,
    /// Number of the place or pair.
    pub number: usize,
    /// Contig, by number.
    pub contig: usize,
    /// The cluster of genes.
    pub cluster: usize,
    /// The strand that is read.
    pub strand: Strand,
    /// What is changed.
    pub edit: Edit,
    /// First base of the window before, and its letters of plus.
    pub before: (usize, Vec<u8>),
    /// The same after the edit.
    pub after: (usize, Vec<u8>),
    /// The strand that is read after.
    pub strand_after: Strand,
}

/// The numbers of answers.
pub(super) struct Asked {
    pub before: usize,
    pub after: usize,
}

impl Probe {
    /// Asks for both windows.
    pub fn ask(&self, questions: &mut Questions) -> Asked {
        Asked {
            before: questions.ask(oriented(self.before.1.clone(), self.strand)),
            after: questions.ask(oriented(self.after.1.clone(), self.strand_after)),
        }
    }

    /// Whether letters were put in the place of letters, in the same window.
    pub fn is_edit_of_letters(&self) -> bool {
        self.kind == "snv"
            || self.kind.starts_with("insertion")
            || self.kind.starts_with("deletion")
    }
}

/// A place to edit.
pub(super) struct EditSite {
    contig: usize,
    base: usize,
    strand: Strand,
    cluster: usize,
}

/// The window around a base.
fn window(base: usize, context: usize, length: usize) -> Interval {
    let context = context.min(length);
    let start = base.saturating_sub(context / 2).min(length - context);
    Interval::new(start, start + context)
}

/// Whether all that is looked at around a base lies inside of its window, and is plain.
fn is_usable(sequence: &[u8], base: usize, request: &StabilityRequest) -> bool {
    let (context, margin) = (
        request.sites.comparison.context,
        request.sites.comparison.margin.max(1),
    );
    let room = margin + request.reach + 4;
    base >= room
        && base + room <= sequence.len()
        && context >= 2 * room
        && is_acgt(&sequence[base - request.reach - 4..base + request.reach + 4])
}

/// Random usable bases of clusters of genes, on a random strand.
pub(super) fn places(
    study: &Study<'_>,
    contigs: &mut ContigReader<'_>,
    request: &StabilityRequest,
) -> Result<Vec<EditSite>> {
    let mut rng = Rng::new(request.sites.comparison.seed).derive("places");
    let lengths: Vec<usize> = study
        .clusters
        .iter()
        .map(|(_, interval)| interval.len_bp())
        .collect();
    let total: usize = lengths.iter().sum();
    let mut drawn: Vec<(usize, usize, Strand)> = Vec::new();
    // More than are needed, as some are not usable.
    for _ in 0..if total == 0 { 0 } else { 4 * request.places } {
        let mut at = rng.below(total);
        let cluster = lengths
            .iter()
            .position(|length| match at.checked_sub(*length) {
                Some(rest) => {
                    at = rest;
                    false
                }
                None => true,
            });
        let strand = if rng.below(2) == 0 {
            Strand::Plus
        } else {
            Strand::Minus
        };
        drawn.extend(cluster.map(|cluster| (cluster, at, strand)));
    }
    let mut usable: Vec<(usize, EditSite)> = Vec::new();
    let mut order: Vec<usize> = (0..drawn.len()).collect();
    order.sort_by_key(|index| study.clusters[drawn[*index].0].0);
    for index in order {
        let (cluster, at, strand) = drawn[index];
        let (contig, interval) = study.clusters[cluster];
        let base = interval.start + at;
        if is_usable(contigs.get(contig)?, base, request) {
            usable.push((
                index,
                EditSite {
                    contig,
                    base,
                    strand,
                    cluster,
                },
            ));
        }
    }
    usable.sort_by_key(|(index, _)| *index);
    usable.truncate(request.places);
    usable.sort_by_key(|(_, place)| (place.contig, place.base));
    Ok(usable.into_iter().map(|(_, place)| place).collect())
}

/// Another letter than `old`.
fn other(old: u8, rng: &mut Rng) -> u8 {
    let others: Vec<u8> = b"ACGT".iter().copied().filter(|b| *b != old).collect();
    others[rng.below(others.len())]
}

/// All kinds of edits at every place.
pub(super) fn at_places(
    places: &[EditSite],
    contigs: &mut ContigReader<'_>,
    request: &StabilityRequest,
) -> Result<Vec<Probe>> {
    let (context, rng) = (
        request.sites.comparison.context,
        Rng::new(request.sites.comparison.seed).derive("edits"),
    );
    let mut all = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let mut rng = rng.derive_number(number as u64);
        let sequence = contigs.get(place.contig)?;
        let letters = |bases: Interval| {
            (
                bases.start,
                model_letters(&sequence[bases.start..bases.end], Strand::Plus),
            )
        };
        let base = place.base;
        let whole = window(base, context, sequence.len());
        let before = letters(whole);
        let new = other(before.1[base - whole.start], &mut rng);
        let inserted: Vec<u8> = (0..3).map(|_| b"ACGT"[rng.below(4)]).collect();
        let span = Interval::new(base - request.reach, base + request.reach);
        let chosen: Vec<usize> = (span.start..span.end)
            .filter(|_| rng.uniform() < SHARE)
            .collect();
        let mut shared = |letter: &mut dyn FnMut(u8, &mut Rng) -> u8| {
            let mut letters = before.1[span.start - whole.start..span.end - whole.start].to_vec();
            chosen.iter().for_each(|at| {
                letters[at - span.start] = letter(letters[at - span.start], &mut rng)
            });
            Edit {
                bases: span,
                letters,
            }
        };
        let (masked, changed) = (shared(&mut |_, _| MASKED), shared(&mut other));
        let nothing = Edit {
            bases: Interval::new(base, base),
            letters: Vec::new(),
        };
        for kind in KINDS {
            let edit = match kind {
                "snv" => Edit {
                    bases: Interval::new(base, base + 1),
                    letters: vec![new],
                },
                "mask" => Edit {
                    bases: Interval::new(base, base + 1),
                    letters: vec![MASKED],
                },
                "insertion_1" | "insertion_2" | "insertion_3" => Edit {
                    bases: Interval::new(base, base),
                    letters: inserted[..usize::from(kind.as_bytes()[10] - b'0')].to_vec(),
                },
                "deletion_1" | "deletion_2" | "deletion_3" => Edit {
                    bases: Interval::new(base, base + usize::from(kind.as_bytes()[9] - b'0')),
                    letters: Vec::new(),
                },
                "mask_share" => masked.clone(),
                "random_share" => changed.clone(),
                _ => nothing.clone(),
            };
            let after = match kind {
                "shift" if whole.end + SHIFT <= sequence.len() => {
                    letters(Interval::new(whole.start + SHIFT, whole.end + SHIFT))
                }
                "shift" => letters(Interval::new(
                    whole.start.saturating_sub(SHIFT),
                    whole.end - SHIFT,
                )),
                "half_context" => letters(window(
                    base,
                    (context / 2).max(2 * (request.reach + 2)),
                    sequence.len(),
                )),
                _ => (whole.start, edit.applied(&before.1, whole.start)),
            };
            let strand_after = match (kind, place.strand) {
                ("other_strand", Strand::Plus) => Strand::Minus,
                ("other_strand", Strand::Minus) => Strand::Plus,
                (_, strand) => strand,
            };
            all.push(Probe {
                kind,
                group: "random".into(),
                number,
                contig: place.contig,
                cluster: place.cluster,
                strand: place.strand,
                edit,
                before: before.clone(),
                after,
                strand_after,
            });
        }
    }
    Ok(all)
}

/// The base `offset` letters after an inter-base position, in the orientation of a strand.
fn base_after(position: usize, offset: isize, strand: Strand) -> Option<usize> {
    match strand {
        Strand::Plus => position.checked_add_signed(offset),
        Strand::Minus => position.checked_add_signed(-offset - 1),
    }
}

/// A substitution of one letter in the orientation of `strand`.
fn substitution(base: usize, new: u8, strand: Strand) -> Edit {
    let letter = if strand == Strand::Plus {
        new
    } else {
        complement(new)
    };
    Edit {
        bases: Interval::new(base, base + 1),
        letters: vec![letter],
    }
}

/// The same substitution of a random core letter at sites and at their controls.
pub(super) fn of_pairs(
    study: &Study<'_>,
    pairs: &[SitePair],
    contigs: &mut ContigReader<'_>,
    request: &StabilityRequest,
) -> Result<Vec<Probe>> {
    let (context, rng) = (
        request.sites.comparison.context,
        Rng::new(request.sites.comparison.seed).derive("cores"),
    );
    let mut all = Vec::new();
    for (number, pair) in pairs.iter().enumerate() {
        let site = &study.sites[pair.site];
        let kind = &study.kinds[site.kind];
        let mut rng = rng.derive_number(number as u64);
        let which = rng.below(kind.core.letters.len().max(1));
        let Some(old) = kind.core.letters.get(which) else {
            continue;
        };
        let new = other(*old, &mut rng);
        let sequence = contigs.get(site.contig)?;
        let mut probes = Vec::new();
        for (position, name) in [(pair.position, ""), (pair.control, "_control")] {
            let offset = kind.core.start as isize + which as isize;
            let Some(base) = base_after(position, offset, site.strand)
                .filter(|base| is_usable(sequence, *base, request))
            else {
                continue;
            };
            let whole = window(base, context, sequence.len());
            let before = model_letters(&sequence[whole.start..whole.end], Strand::Plus);
            let edit = substitution(base, new, site.strand);
            probes.push(Probe {
                kind: "snv",
                group: format!("{}{name}", kind.name),
                number,
                contig: site.contig,
                cluster: site.cluster,
                strand: site.strand,
                after: (whole.start, edit.applied(&before, whole.start)),
                before: (whole.start, before),
                edit,
                strand_after: site.strand,
            });
        }
        if probes.len() == 2 {
            all.extend(probes);
        }
    }
    Ok(all)
}

/// All substitutions around the first site that has a pair.
pub(super) fn map(
    study: &Study<'_>,
    pairs: &[SitePair],
    contigs: &mut ContigReader<'_>,
    request: &StabilityRequest,
) -> Result<Vec<Probe>> {
    let (context, mut all) = (request.sites.comparison.context, Vec::new());
    for pair in pairs {
        let site = &study.sites[pair.site];
        let sequence = contigs.get(site.contig)?;
        if !is_usable(sequence, site.position, request) {
            continue;
        }
        let whole = window(site.position, context, sequence.len());
        let before = model_letters(&sequence[whole.start..whole.end], Strand::Plus);
        for offset in -(MAP_BP as isize)..MAP_BP as isize {
            let Some(base) = base_after(site.position, offset, site.strand) else {
                continue;
            };
            let old = before[base - whole.start];
            for new in b"ACGT".iter().filter(|new| **new != old) {
                let edit = Edit {
                    bases: Interval::new(base, base + 1),
                    letters: vec![*new],
                };
                all.push(Probe {
                    kind: "snv",
                    group: OF_MAP.into(),
                    number: (offset + MAP_BP as isize) as usize,
                    contig: site.contig,
                    cluster: site.cluster,
                    strand: site.strand,
                    after: (whole.start, edit.applied(&before, whole.start)),
                    before: (whole.start, before.clone()),
                    edit,
                    strand_after: site.strand,
                });
            }
        }
        break;
    }
    Ok(all)
}
