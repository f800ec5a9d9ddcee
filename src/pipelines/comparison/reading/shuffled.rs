//! Reading shuffled windows, each as a tile of its own.

use std::collections::BTreeSet;

use super::{Layer, Readings, Subject};
use crate::controls::Ground;
use crate::controls::seek::shuffled_window;
use crate::error::Result;
use crate::genome::Strand;
use crate::genome::sequence::{model_letters, reverse_complement};
use crate::pipelines::comparison::{ComparisonRequest, Study};
use crate::pipelines::tiles::{ask_stretches, check_values};
use crate::pipelines::{BoundarySource, Stretch};
use crate::stats::rng::Rng;

impl Readings {
    /// The letters given to the model for a shuffled window, in the orientation of its strand, and
    /// the site's place in them.
    pub(super) fn shuffled_letters(
        &self,
        subject: usize,
        study: &Study<'_>,
        sequence: &[u8],
        request: &ComparisonRequest,
        lone_bp: usize,
        rng: &Rng,
    ) -> (Vec<u8>, usize) {
        let Subject {
            contig,
            strand,
            position,
            copy,
            ..
        } = self.subjects[subject];
        let radius_bp = request.radius_bp();
        let half = (lone_bp / 2).max(radius_bp);
        let (start, end) = (
            position.saturating_sub(half),
            (position + half).min(sequence.len()),
        );
        let mut letters = model_letters(&sequence[start..end], strand);
        let at = match strand {
            Strand::Plus => position - start,
            Strand::Minus => end - position,
        };
        if let Some((kind, copy)) = copy {
            let about = &study.kinds[kind];
            let none = BTreeSet::new();
            let ground = Ground {
                sequence,
                contig: study.contig_name(contig),
                strand,
                kind: about.name,
                core: about.core.clone(),
                annotated: &none,
                radius_bp,
                missing: &[],
                read_bp: request.read_bp(strand),
            };
            let window =
                shuffled_window(&ground, position, copy, request.controls.gc_flank_bp, rng);
            letters[at - radius_bp..at + radius_bp].copy_from_slice(&window);
        }
        (letters, at)
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn read_shuffled(
        &mut self,
        subjects: &[usize],
        study: &Study<'_>,
        sequence: &[u8],
        source: &dyn BoundarySource,
        request: &ComparisonRequest,
        lone_bp: usize,
        rng: &Rng,
        report: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let both = subjects
            .first()
            .is_some_and(|s| self.both_strands.contains(s));
        for layer in if both {
            &[Layer::Own, Layer::Opposite][..]
        } else {
            &[Layer::Own]
        } {
            let shuffled = |s: &usize| {
                let (letters, at) =
                    self.shuffled_letters(*s, study, sequence, request, lone_bp, rng);
                let letters = if *layer == Layer::Opposite {
                    reverse_complement(&letters)
                } else {
                    letters
                };
                (Stretch::nowhere(letters), at)
            };
            let (stretches, places): (Vec<Stretch<'_>>, Vec<usize>) =
                subjects.iter().map(shuffled).unzip();
            // Windows at the ends of a contig are shorter: each length is a call of its own.
            let mut from = 0;
            while from < stretches.len() {
                let length = stretches[from].letters.len();
                let to = from
                    + stretches[from..]
                        .iter()
                        .take_while(|s| s.letters.len() == length)
                        .count();
                let probabilities = ask_stretches(&stretches[from..to], source)?;
                if source.is_part() {
                    report(((to - from) * length) as u64);
                    from = to;
                    continue;
                }
                probabilities
                    .iter()
                    .try_for_each(|p| check_values(p.get(1..).unwrap_or_default(), source))?;
                for (index, probabilities) in (from..to).zip(&probabilities) {
                    let at = places[index];
                    let values = match layer {
                        Layer::Opposite => {
                            let at = length - at;
                            probabilities[at - self.flank..=at + self.flank]
                                .iter()
                                .rev()
                                .copied()
                                .collect::<Vec<f32>>()
                        }
                        _ => probabilities[at - self.flank..=at + self.flank].to_vec(),
                    };
                    self.keep(subjects[index], *layer, &values);
                    (self.tiles, self.bases) = (self.tiles + 1, self.bases + length as u64);
                    report(length as u64);
                }
                from = to;
            }
        }
        Ok(())
    }
}
