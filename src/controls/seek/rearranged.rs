//! Shuffled copies of sites.

use super::{Found, Seeker};
use crate::controls::area::{Area, Ground, Wanted};
use crate::controls::shuffle::dinucleotide_shuffle;
use crate::controls::{Control, Covariates};
use crate::genome::composition::Composition;
use crate::genome::sequence::model_letters;
use crate::genome::{Interval, Strand};
use crate::stats::rng::Rng;

/// The random stream of one shuffle of one site.
fn shuffle_stream(ground: &Ground<'_>, position: usize, copy: usize, rng: &Rng) -> Rng {
    rng.derive(&format!(
        "shuffle {}:{position}:{} {} {copy}",
        ground.contig, ground.strand, ground.kind
    ))
}

/// The window `[position - radius_bp, position + radius_bp)` of a site as its strand reads it,
/// upper case, with the core letters in place and both flanks shuffled: first the `flank_bp` bases
/// nearest to the core, then what lies beyond, so that composition stays where it was. Neighbouring
/// stretches share a letter that stays in place, so that every dinucleotide of the window is kept.
pub fn shuffled_window(
    ground: &Ground<'_>,
    position: usize,
    copy: usize,
    flank_bp: usize,
    rng: &Rng,
) -> Vec<u8> {
    let radius = ground.radius_bp;
    let window = &ground.sequence
        [position.saturating_sub(radius)..(position + radius).min(ground.sequence.len())];
    let mut letters = model_letters(window, ground.strand);
    let mut rng = shuffle_stream(ground, position, copy, rng);
    let at = |offset: i64| {
        (radius as i64 + offset)
            .clamp(0, letters.len() as i64 - 1)
            .max(0) as usize
    };
    let flank = flank_bp as i64;
    let (core, after) = (at(ground.core.start), at(ground.core.end() - 1));
    let (left, right) = (at(-flank).min(core), at(flank - 1).max(after));
    let last = letters.len().saturating_sub(1);
    for (first, last) in [(0, left), (left, core), (after, right), (right, last)] {
        let shuffled = dinucleotide_shuffle(letters.get(first..=last).unwrap_or(&[]), &mut rng);
        letters[first..first + shuffled.len()].copy_from_slice(&shuffled);
    }
    letters
}

/// The control of a shuffled copy.
pub(super) fn shuffled(
    ground: &Ground<'_>,
    area: &Area<'_>,
    wanted: &Wanted,
    copy: usize,
    flank_bp: usize,
    rng: &Rng,
) -> Control {
    let letters = shuffled_window(ground, wanted.position, copy, flank_bp, rng);
    let composition = Composition::new(&letters, Interval::new(0, letters.len()));
    let site = area.covariates(wanted.position, Some(&wanted.genes));
    let mut covariates =
        Covariates::new(&composition, Strand::Plus, ground.radius_bp, flank_bp, &[]);
    covariates.soft_masked_fraction = site.soft_masked_fraction;
    covariates.gene_end_distance_bp = site.gene_end_distance_bp;
    covariates.strength_bits = area
        .matrix()
        .and_then(|m| m.score(&letters, Strand::Plus, ground.radius_bp))
        .unwrap_or(f64::NAN);
    Control {
        position: wanted.position,
        cluster: area.cluster,
        covariates,
        copy: Some(copy),
        near: false,
    }
}

impl Seeker<'_> {
    pub(super) fn by_shuffle(&self, area: &Area<'_>) -> Vec<Found> {
        let k = self.request.per_site;
        let copies = |wanted: &Wanted, from: usize| -> Vec<Control> {
            (from..from + k)
                .map(|copy| {
                    shuffled(
                        self.ground,
                        area,
                        wanted,
                        copy,
                        self.request.gc_flank_bp,
                        self.rng,
                    )
                })
                .collect()
        };
        let found = |wanted: &Wanted| Found {
            site: wanted.site,
            covariates: area.covariates(wanted.position, Some(&wanted.genes)),
            controls: Ok(copies(wanted, 0)),
            second: if self.second {
                copies(wanted, k)
            } else {
                Vec::new()
            },
            kmer: None,
        };
        area.wanted.iter().map(found).collect()
    }
}
