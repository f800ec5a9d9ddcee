//! What the nucleotides around sites and controls explain of what the table of the nucleotides
//! nearby leaves. The table is fitted away from sites and has hardly seen their consensus: without
//! this second stage, values that are a function of the nucleotides nearby would differ beyond
//! them.

use super::{Group, Layer, Readings};
use crate::controls::Control;
use crate::pipelines::comparison::discrimination::features::{n_letters, scored};
use crate::pipelines::comparison::{ENDPOINT_REACH, Study};
use crate::stats::context::{WIDEST, codes};
use crate::stats::discrimination::Cases;
use crate::stats::discrimination::conditional::SecondStage;
use crate::stats::discrimination::letters::Letters;
use crate::stats::mean;

/// The values near every subject, less what the table predicts, and the nucleotides in reach of
/// them.
#[derive(Clone, Debug)]
pub(in super::super) struct Near {
    /// First offset.
    first: i64,
    /// Offsets.
    width: usize,
    /// `(subjects, width)`.
    values: Vec<f32>,
    /// `(subjects, width - 1 + 2 WIDEST)`: 0 to 3 for nucleotides.
    codes: Vec<u8>,
}

/// First and last offset of a kind: those that tell sites from decoys, and those of the endpoint.
fn window(study: &Study<'_>, kind: usize, flank: usize) -> (i64, i64) {
    let ((first, last), flank, reach) = (
        study.kinds[kind].window,
        flank as i64,
        ENDPOINT_REACH as i64,
    );
    (first.min(-reach).max(-flank), last.max(reach).min(flank))
}

impl Near {
    /// Of so many subjects, over the offsets of all kinds.
    pub fn new(study: &Study<'_>, flank: usize, subjects: usize) -> Near {
        let windows: Vec<(i64, i64)> = (0..study.kinds.len())
            .map(|kind| window(study, kind, flank))
            .collect();
        let first = windows.iter().map(|window| window.0).min().unwrap_or(0);
        let width = windows
            .iter()
            .map(|window| window.1 - first + 1)
            .max()
            .unwrap_or(1) as usize;
        Near {
            first,
            width,
            values: vec![0.0; subjects * width],
            codes: vec![4; subjects * n_letters(width)],
        }
    }

    /// Adds `factor` times a profile from `-flank` on.
    pub fn add(&mut self, subject: usize, factor: f32, profile: &[f32]) {
        let from = (profile.len() / 2) as i64 + self.first;
        let place = &mut self.values[subject * self.width..][..self.width];
        place
            .iter_mut()
            .zip(&profile[from as usize..])
            .for_each(|(sum, value)| *sum += factor * value);
    }

    /// Takes the nucleotides around a subject that lies at inter-base position `at` of them.
    pub fn read(&mut self, subject: usize, letters: &[u8], at: usize) {
        let n = n_letters(self.width);
        let from = at as i64 + self.first - WIDEST as i64;
        let known = |place: i64| {
            usize::try_from(place)
                .ok()
                .and_then(|place| letters.get(place..=place))
                .map_or(4, |letter| codes(letter)[0])
        };
        self.codes[subject * n..][..n]
            .iter_mut()
            .zip(from..)
            .for_each(|(code, place)| *code = known(place));
    }
}

impl Readings {
    /// Adds what the nucleotides explain, for each family and kind by regressions on the sites and
    /// controls of other genes. Call it once, when all is predicted. Where there are too few sites
    /// or genes for that, nothing is explained.
    pub fn explain(&mut self, study: &Study<'_>, families: usize) {
        for family in 0..families {
            for kind in 0..self.n_kinds {
                self.explain_one(study, family, kind);
            }
        }
    }

    fn explain_one(&mut self, study: &Study<'_>, family: usize, kind: usize) {
        let (mut subjects, mut is_site, mut weights, mut clusters) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for pair in self
            .pairs
            .iter()
            .filter(|pair| pair.family == family && study.sites[pair.site].kind == kind)
        {
            for group in [Group::Site, Group::Control] {
                for (subject, unit, share) in pair.members(group) {
                    let cluster = self.subjects[subject].cluster;
                    subjects.push(subject);
                    is_site.push(group == Group::Site);
                    weights.push(share);
                    clusters.push(if cluster == Control::NO_CLUSTER {
                        unit
                    } else {
                        cluster
                    });
                }
            }
        }
        let Ok(cases) = Cases::new(is_site, weights, &clusters) else {
            return;
        };
        let (first, last) = window(study, kind, self.flank);
        let (from, width) = (
            (first - self.near.first) as usize,
            (last - first + 1) as usize,
        );
        let cut = |all: usize, wanted: usize, subject: &usize| {
            subject * all + from..subject * all + from + wanted
        };
        let n = n_letters(width);
        let around = subjects
            .iter()
            .flat_map(|s| &self.near.codes[cut(n_letters(self.near.width), n, s)])
            .copied()
            .collect();
        let numbers: Vec<f64> = subjects
            .iter()
            .flat_map(|s| &self.near.values[cut(self.near.width, width, s)])
            .map(|value| f64::from(*value))
            .collect();
        let Ok(stage) = SecondStage::new(
            &Letters::new(around, n, scored(study.kinds[kind].span, first, width)),
            &cases,
        ) else {
            return;
        };
        let left = stage.residuals(&numbers, width);
        let start = (self.flank as i64 + first) as usize;
        let of = family * self.n_kinds + kind;
        for (row, subject) in subjects.into_iter().enumerate() {
            // A subject may be in several pairs, with the same nucleotides and in the same fold.
            let mut profile = vec![0.0; 2 * self.flank + 1];
            let rows = row * width..(row + 1) * width;
            profile[start..start + width]
                .iter_mut()
                .zip(numbers[rows.clone()].iter().zip(&left[rows]))
                .for_each(|(to, (a, b))| *to = a - b);
            let endpoint = mean(&profile[self.endpoint_offsets()]);
            if self.explained.insert((of, subject), endpoint).is_none() {
                self.add(subject, Layer::Explained, &profile, Some(of));
            }
        }
    }

    /// The endpoint of a member of a pair in one layer; `NaN` where it was not read.
    pub fn endpoint_of(
        &self,
        pair: &super::Pair,
        kind: usize,
        subject: usize,
        layer: Layer,
    ) -> f64 {
        match layer {
            Layer::Explained => self
                .explained
                .get(&(pair.family * self.n_kinds + kind, subject))
                .copied()
                .unwrap_or(0.0),
            _ => self.endpoint(subject, layer),
        }
    }
}
