//! Hits in their place with shuffled flanks, beside the same hits in their native flanks. Both are
//! read in tiles of the same length, cut at the same bases, so that nothing differs between them
//! but the order of the letters in the flanks.

use super::grounds::Grounds;
use super::hits::Occurrence;
use super::{Control, EnrichmentRequest, Query, Studied, endpoints};
use crate::controls::shuffle::dinucleotide_shuffle;
use crate::error::Result;
use crate::genome::sequence::model_letters;
use crate::pipelines::tiles::{ask_stretches, check_values};
use crate::pipelines::{BoundarySource, Progress, Stretch, Values};
use crate::stats::rng::Rng;

/// One hit, read twice.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    /// Index into [`super::hits::Hits::usable`].
    pub hit: usize,
    /// (edges, inside) in native flanks, and in shuffled ones.
    pub values: [(f64, f64); 2],
    /// The profiles of both.
    pub profiles: [Vec<f32>; 2],
}

struct Job {
    query: usize,
    hit: usize,
    /// Before its tile, in the orientation of the hit.
    letters: Vec<u8>,
}

/// The pairs of each query. Read are all usable hits of the motifs of panels and details, and with
/// [`Control::Shuffled`] those of every tested motif.
pub(super) fn read(
    queries: &[Query],
    studied: &[Studied],
    grounds: &mut Grounds,
    source: &dyn BoundarySource,
    request: &EnrichmentRequest,
    progress: &dyn Fn(Progress),
) -> Result<Vec<Vec<Pair>>> {
    let mut pairs: Vec<Vec<Pair>> = vec![Vec::new(); queries.len()];
    if request.negative_control || source.values() == Values::Signal {
        return Ok(pairs);
    }
    let all = request.controls.contains(&Control::Shuffled);
    let mut jobs: Vec<(usize, usize, usize)> = Vec::new(); // width, query, hit
    for (index, (query, studied)) in queries.iter().zip(studied).enumerate() {
        if request.shows(&query.motif.id) || (all && studied.hits.usable.len() >= request.min_hits)
        {
            jobs.extend((0..studied.hits.usable.len()).map(|hit| (studied.hits.width, index, hit)));
        }
    }
    jobs.sort_unstable(); // tiles of one length together
    let half = request.flank + request.margin.max(1);
    let total: u64 = jobs
        .iter()
        .map(|(width, ..)| 2 * (width + 2 * half) as u64)
        .sum();
    let mut done = 0;
    for chunk in jobs
        .chunk_by(|a, b| a.0 == b.0)
        .flat_map(|same| same.chunks((2 * request.batch).max(1)))
    {
        progress(Progress {
            stage: "reading shuffled flanks",
            done,
            total,
        });
        let mut asked: Vec<Job> = Vec::new();
        for (_, query, hit) in chunk {
            let place = &studied[*query].hits.usable[*hit];
            if let Some(letters) = native(place, grounds, half) {
                asked.push(Job {
                    query: *query,
                    hit: *hit,
                    letters,
                });
            }
        }
        let width = chunk.first().map_or(0, |job| job.0);
        let mut tiles: Vec<Stretch<'_>> = asked
            .iter()
            .map(|job| Stretch::nowhere(job.letters.clone()))
            .collect();
        for job in &asked {
            let place = &studied[job.query].hits.usable[job.hit];
            let name = format!(
                "shuffled {}:{}:{}:{}",
                grounds.all[place.ground].contig, place.start, place.end, place.strand
            );
            let letters = rearranged(
                &job.letters,
                half,
                width,
                request.flank,
                &mut Rng::new(request.seed).derive(&name),
            );
            tiles.push(Stretch::nowhere(letters));
        }
        if tiles.is_empty() {
            continue;
        }
        let probabilities = ask_stretches(&tiles, source)?;
        let bases = tiles.iter().map(|t| t.letters.len() as u64).sum::<u64>();
        if source.is_part() {
            done += bases;
            continue;
        }
        probabilities
            .iter()
            .try_for_each(|p| check_values(p, source))?;
        (grounds.tiles, grounds.bases) =
            (grounds.tiles + tiles.len() as u64, grounds.bases + bases);
        done += bases;
        for (index, job) in asked.iter().enumerate() {
            let cut = |tile: usize| {
                probabilities[tile][half - request.flank..=half + width + request.flank].to_vec()
            };
            let profiles = [cut(index), cut(asked.len() + index)];
            let values = [0, 1].map(|i| endpoints(&profiles[i], request.flank, width));
            pairs[job.query].push(Pair {
                hit: job.hit,
                values,
                profiles,
            });
        }
    }
    Ok(pairs)
}

/// The letters from `half` bases before a hit to `half` after it, in its orientation; `None` where
/// the contig ends before.
fn native(place: &Occurrence, grounds: &Grounds, half: usize) -> Option<Vec<u8>> {
    let ground = &grounds.all[place.ground];
    let from = place
        .start
        .checked_sub(half)?
        .checked_sub(ground.letters_start)?;
    let letters = ground
        .letters
        .get(from..place.end + half - ground.letters_start)?;
    Some(model_letters(letters, place.strand))
}

/// The same letters with `flank` bases on each side of the hit shuffled; every dinucleotide of a
/// flank and the letters at its two ends stay.
fn rearranged(letters: &[u8], half: usize, width: usize, flank: usize, rng: &mut Rng) -> Vec<u8> {
    let mut shuffled = letters.to_vec();
    for (from, to) in [(half - flank, half), (half + width, half + width + flank)] {
        shuffled[from..to].copy_from_slice(&dinucleotide_shuffle(&letters[from..to], rng));
    }
    shuffled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hit_and_what_lies_beyond_the_flanks_stay() {
        let mut rng = Rng::new(4);
        let letters: Vec<u8> = (0..90).map(|_| b"ACGT"[rng.below(4)]).collect();
        let shuffled = rearranged(&letters, 40, 10, 30, &mut rng);
        assert_eq!(
            (&shuffled[..11], &shuffled[39..51], &shuffled[79..]),
            (&letters[..11], &letters[39..51], &letters[79..])
        );
        assert_ne!(shuffled, letters);
        let sorted = |part: &[u8]| {
            let mut pairs: Vec<Vec<u8>> = part.windows(2).map(<[u8]>::to_vec).collect();
            pairs.sort();
            pairs
        };
        assert_eq!(
            (sorted(&shuffled[10..40]), sorted(&shuffled[50..80])),
            (sorted(&letters[10..40]), sorted(&letters[50..80]))
        );
    }
}
