//! Do boundaries tell hits from their controls, and do they beyond the nucleotides? Hits of all
//! tested motifs together, of each group of like matrices the one that stands for it.

use std::collections::{HashMap, HashSet};

use super::grounds::Grounds;
use super::hits::Occurrence;
use super::{Control, EnrichmentRequest, MotifRow, NO_CLUSTER, Studied};
use crate::error::Result;
use crate::genome::Strand;
use crate::pipelines::Values;
use crate::pipelines::comparison::baseline::{Baseline, MOST};
use crate::pipelines::comparison::discrimination::{
    Asked, DecoyRow, Group, MOST_SITES, Member, Rows, Seen, Spot, SpotValues,
};
use crate::pipelines::comparison::{ContigReader, Discrimination};
use crate::stats::context::{Context, Fold, Observations, codes};
use crate::stats::rng::Rng;

/// The kind of site, in tables.
const HIT: &str = "motif hit";
/// First and last offset from the middle of a hit whose values are to tell.
pub const HIT_WINDOW: (i64, i64) = (-10, 10);

/// A hit and the control that it is told from.
type Pair<'a> = [&'a Occurrence; 2];

/// Tells hits from each of their controls but the shuffled ones, whose sequence is made up.
///
/// # Errors
/// Unreadable contigs.
pub(super) fn find(
    studied: &[Studied],
    motifs: &[MotifRow],
    grounds: &Grounds,
    contigs: &mut ContigReader<'_>,
    kind: Values,
    request: &EnrichmentRequest,
) -> Result<Discrimination> {
    let mut found = Discrimination::default();
    let units = Units::new(grounds);
    let baseline = units.baseline(grounds);
    let rng = Rng::new(request.seed).derive("discrimination");
    let chosen: Vec<&Studied> = (motifs.iter().zip(studied))
        .filter(|(motif, _)| motif.status == "tested" && motif.represents_group)
        .map(|(_, studied)| studied)
        .collect();
    let reach = request.flank.min(HIT_WINDOW.1 as usize);
    for control in &request.controls {
        let seeds = rng.derive(control.name());
        let mut pairs: Vec<Pair<'_>> = chosen.iter().flat_map(|s| pairs(s, *control)).collect();
        if pairs.is_empty() {
            continue;
        }
        seeds.derive("sample").shuffle(&mut pairs);
        // Hits of two motifs with one middle are one.
        let mut known = HashSet::new();
        pairs.retain(|pair| {
            let spots = pair.map(|place| spot(place, grounds));
            !spots.iter().any(|spot| known.contains(spot)) && {
                known.extend(spots);
                true
            }
        });
        let n_usable = pairs.len() as u64;
        pairs.truncate(MOST_SITES);
        let groups: Vec<Group> = pairs
            .iter()
            .map(|pair| units.group(pair, grounds))
            .collect();
        let row = DecoyRow {
            site_kind: HIT.into(),
            control: control.name().into(),
            n_usable,
            n_drawn: pairs.len() as u64,
            n_sites: pairs.len() as u64,
            n_controls: pairs.len() as u64,
            n_near: 0,
            per_site: 1,
            least_bp: 1,
            note: String::new(),
        };
        let places = || pairs.iter().flatten();
        let numbers: HashMap<Spot, usize> = places().map(|p| spot(p, grounds)).zip(0..).collect();
        let read = |place: &&Occurrence| -> Vec<f32> {
            let ground = &grounds.all[place.ground];
            let at = middle(place);
            (ground.profile(at - reach, at + reach, place.strand)).collect()
        };
        let values = SpotValues {
            values: places().map(read).collect(),
            kind,
        };
        let asked = Asked {
            window: HIT_WINDOW,
            span: None,
            flank: reach,
            permutations: request.permutations,
            bootstraps: request.bootstraps,
            seeds,
        };
        let rows = Rows::new(&groups, &numbers);
        let seen = Seen::of(&rows, contigs, baseline.as_ref(), &asked)?;
        found.tell(row, &rows, seen, (&values, None), &asked);
    }
    Ok(found)
}

/// The hits of one motif with their controls.
fn pairs(studied: &Studied, control: Control) -> Vec<Pair<'_>> {
    let found = match (control, &studied.orders) {
        (Control::Permuted, Some(orders)) => &orders.partners[..],
        _ => (studied.matched_to(control)).map_or(&[][..], |matched| &matched.pairs),
    };
    (found.iter())
        .map(|(hit, place)| [&studied.hits.usable[*hit], place])
        .collect()
}

/// The middle of a place, rounded towards its 5' end.
fn middle(place: &Occurrence) -> usize {
    let half = (place.end - place.start) / 2;
    match place.strand {
        Strand::Plus => place.start + half,
        Strand::Minus => place.end - half,
    }
}

fn spot(place: &Occurrence, grounds: &Grounds) -> Spot {
    Spot {
        contig: grounds.all[place.ground].contig,
        strand: place.strand,
        position: middle(place),
    }
}

/// Units of replication: clusters of promoters, and each window outside on its own.
struct Units {
    of_ground: Vec<usize>,
    folds: Vec<Fold>,
}

impl Units {
    fn new(grounds: &Grounds) -> Units {
        let clusters = (grounds.all.iter().map(|ground| ground.cluster))
            .filter(|cluster| *cluster != NO_CLUSTER)
            .max();
        let (mut of_ground, mut sizes) = (Vec::new(), vec![0; clusters.map_or(0, |last| last + 1)]);
        for ground in &grounds.all {
            let unit = match ground.cluster {
                NO_CLUSTER => sizes.len(),
                cluster => cluster,
            };
            sizes.resize(sizes.len().max(unit + 1), 0);
            sizes[unit] += ground.interval.len_bp() as u64;
            of_ground.push(unit);
        }
        let folds = Fold::deal(&sizes);
        Units { of_ground, folds }
    }

    fn group(&self, pair: &Pair<'_>, grounds: &Grounds) -> Group {
        let [site, control] = pair.map(|place| Member {
            spot: spot(place, grounds),
            cluster: self.of_ground[place.ground],
            unit: self.of_ground[place.ground],
        });
        Group {
            site,
            controls: vec![control],
        }
    }

    /// What the nucleotides within a few bases of a position say, fitted on all that was read.
    fn baseline(&self, grounds: &Grounds) -> Option<Baseline> {
        let n_positions: usize = (grounds.all.iter())
            .map(|ground| 2 * ground.interval.len_bp())
            .sum();
        let every = n_positions.div_ceil(MOST).max(1);
        let mut observations = Observations::default();
        let read = (grounds.all.iter().zip(&self.of_ground)).filter(|(ground, _)| ground.is_read());
        for (ground, unit) in read {
            for strand in [Strand::Plus, Strand::Minus] {
                let (letters, values) = ground.read_on(strand);
                let codes = codes(&letters);
                for (t, value) in values.step_by(every) {
                    observations.push(Context::around(&codes, t), self.folds[*unit], value);
                }
            }
        }
        Baseline::of(observations, self.folds.clone())
    }
}
