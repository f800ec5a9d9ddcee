//! A control for each stretch: of its neighbourhood, its length and its composition, and not of its
//! class.

use std::collections::HashMap;

use super::listing::is_plain;
use super::{DensityRequest, NEIGHBOURHOOD_BP, Pair, Stretch, Unit};
use crate::genome::Interval;
use crate::genome::classes::{Class, ContigClasses, overlaps_any};
use crate::genome::composition::Composition;
use crate::stats::rng::Rng;

/// Random places among which the nearest is taken.
const DRAWS: usize = 400;

/// Differences in G+C fraction, CpG a base and lower-case fraction that count alike.
const SCALES: [f64; 3] = [0.05, 0.02, 0.5];

/// Pairs and the units that they are in.
#[derive(Default)]
pub(super) struct Matched {
    pub units: Vec<Unit>,
    /// By contig, class and place.
    pub pairs: Vec<Pair>,
}

/// Each cluster of genes with half of the space to the next; together the whole contig.
pub(super) fn neighbourhoods(clusters: &[Interval], length: usize) -> Vec<Interval> {
    let mut starts: Vec<usize> = clusters
        .windows(2)
        .map(|pair| (pair[0].end + pair[1].start) / 2)
        .collect();
    starts.insert(0, 0);
    let ends = starts[1..]
        .iter()
        .copied()
        .chain([length])
        .collect::<Vec<_>>();
    starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| Interval::new(start, end))
        .collect()
}

/// G+C fraction, CpG a base, lower-case fraction.
fn covariates(composition: &Composition, part: Interval) -> [f64; 3] {
    let share = |count: usize| count as f64 / part.len_bp() as f64;
    [
        composition.gc(part.start, part.end),
        composition.cpg(part.start, part.end),
        composition.soft_masked(part.start, part.end),
    ]
    .map(share)
}

/// What a control is looked for in.
struct Ground<'a> {
    sequence: &'a [u8],
    composition: &'a Composition,
    region: Interval,
    /// The bases of the class.
    barred: &'a [Interval],
    /// Whether being soft-masked is compared.
    masked: bool,
    caliper: f64,
}

impl Ground<'_> {
    /// The nearest of random places to a stretch with these covariates that shares no base with
    /// `used`.
    fn nearest(
        &self,
        length: usize,
        wanted: &[f64; 3],
        used: &[Interval],
        rng: &mut Rng,
    ) -> Option<Interval> {
        let starts = (self.region.len_bp() + 1)
            .checked_sub(length)
            .filter(|starts| *starts > 0)?;
        let mut best: Option<(f64, Interval)> = None;
        for _ in 0..DRAWS {
            let start = self.region.start + rng.below(starts);
            let place = Interval::new(start, start + length);
            if overlaps_any(self.barred, &place)
                || used.iter().any(|other| other.overlaps(&place))
                || !is_plain(self.sequence, place)
            {
                continue;
            }
            let found = covariates(self.composition, place);
            if (found[0] - wanted[0]).abs() > self.caliper + 1e-12 {
                continue;
            }
            let compared = if self.masked { 3 } else { 2 };
            let distance: f64 = (0..compared)
                .map(|i| ((found[i] - wanted[i]) / SCALES[i]).powi(2))
                .sum();
            if best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, place));
            }
        }
        best.map(|(_, place)| place)
    }
}

impl Matched {
    /// Finds the controls of the stretches of one contig.
    pub fn contig(
        &mut self,
        contig: usize,
        sequence: &[u8],
        classes: &ContigClasses,
        stretches: &[Stretch],
        request: &DensityRequest,
        rng: &Rng,
    ) {
        let first_unit = self.units.len();
        let places = neighbourhoods(&classes.clusters, sequence.len());
        self.units.extend(places.iter().map(|interval| Unit {
            contig,
            interval: *interval,
        }));
        let mut used: HashMap<(Class, usize), Vec<Interval>> = HashMap::new();
        for stretch in stretches {
            let Stretch {
                class,
                part,
                strand,
                ..
            } = *stretch;
            let middle = (part.start + part.end) / 2;
            let number = places
                .partition_point(|place| place.end <= middle)
                .min(places.len() - 1);
            let near = Interval::new(
                middle.saturating_sub(NEIGHBOURHOOD_BP),
                middle + NEIGHBOURHOOD_BP,
            );
            let place = places[number];
            let region = Interval::new(near.start.max(place.start), near.end.min(place.end));
            let composition = Composition::new(sequence, region.hull(&part));
            let barred = &classes.all[class as usize];
            let ground = Ground {
                sequence,
                composition: &composition,
                region,
                barred,
                masked: class != Class::Repeat,
                caliper: request.caliper,
            };
            let mut rng = rng.derive(&format!("control {} {contig}:{}", class.name(), part.start));
            let used = used.entry((class, number)).or_default();
            let own = covariates(&composition, part);
            let Some(control) = ground.nearest(part.len_bp(), &own, used, &mut rng) else {
                continue;
            };
            used.push(control);
            let (stretch, control) = if request.negative_control {
                // The two nearest places in random order: nothing tells one from the other.
                let Some(second) = ground.nearest(part.len_bp(), &own, used, &mut rng) else {
                    continue;
                };
                used.push(second);
                if rng.below(2) == 0 {
                    (control, second)
                } else {
                    (second, control)
                }
            } else {
                (part, control)
            };
            let covariates = [stretch, control].map(|place| covariates(&composition, place));
            self.pairs.push(Pair {
                class,
                contig,
                strand,
                unit: first_unit + number,
                stretch,
                control,
                covariates,
            });
        }
    }
}
