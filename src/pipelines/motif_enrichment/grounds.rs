//! Where motifs are looked for: merged promoters, and windows outside of promoters and exons, with
//! their letters and what the model says of them.

use std::collections::BTreeMap;

use super::{EnrichmentRequest, NO_CLUSTER};
use crate::controls::Covariates;
use crate::error::Result;
use crate::genome::annotation::Annotation;
use crate::genome::composition::Composition;
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Genome;
use crate::genome::promoters::{Promoter, merged};
use crate::genome::sequence::{is_acgt, model_letters};
use crate::genome::{Interval, Strand, merge_intervals};
use crate::pipelines::tiles::{ContigStrand, TileShape, Window, plan, read_tiles};
use crate::pipelines::{BoundarySource, Progress, masked};
use crate::stats::rng::Rng;

/// Windows outside for each promoter.
const OUTSIDE_PER_PROMOTER: usize = 3;
/// Random windows among which those nearest in G+C are taken, for each promoter.
const OUTSIDE_DRAWS: usize = 400;
/// How far windows outside keep from every start site of the annotation and of the promoters (from
/// all of a promoter without one), in bases.
pub const TSS_DISTANCE_BP: usize = 1000;

/// One stretch that motifs are looked for in.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    /// Index of the genome's contig.
    pub contig: usize,
    /// Where hits may lie.
    pub interval: Interval,
    /// The unit of replication; [`NO_CLUSTER`] outside of promoters.
    pub cluster: usize,
    /// Its start sites and strands.
    pub starts: Vec<(usize, Strand)>,
    /// Start codons: the inter-base position before each, and its strand.
    pub codons: Vec<(usize, Strand)>,
    /// The letters around it, as the FASTA has them.
    pub letters: Vec<u8>,
    /// Where the first of them lies.
    pub letters_start: usize,
    composition: Composition,
    /// First inter-base position that was read.
    low: usize,
    /// What the model says on plus and on minus, by rising position.
    tracks: [Vec<f32>; 2],
}

impl Ground {
    fn new(
        contig: usize,
        interval: Interval,
        cluster: usize,
        sequence: &[u8],
        request: &EnrichmentRequest,
    ) -> Ground {
        let pad_bp =
            request.flank + request.margin + request.gc_flank_bp + crate::motifs::MOST_COLUMNS;
        let letters_start = interval.start.saturating_sub(pad_bp);
        let letters = sequence
            [letters_start..interval.end.saturating_add(pad_bp).min(sequence.len())]
            .to_vec();
        // Running counts are sixteen times as large as letters, and asked around hits alone.
        let from = interval.start.saturating_sub(reach(request)) - letters_start;
        let composition = Composition::new(
            &letters,
            Interval::new(from, interval.end + reach(request) - letters_start),
        );
        let (starts, codons, tracks) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        Ground {
            contig,
            interval,
            cluster,
            starts,
            codons,
            letters,
            letters_start,
            composition,
            low: 0,
            tracks,
        }
    }

    /// The letters that motifs are looked for in.
    pub fn inside(&self) -> &[u8] {
        &self.letters
            [self.interval.start - self.letters_start..self.interval.end - self.letters_start]
    }

    /// Whether the inter-base positions from `flank + 1` before a stretch to as many after it were
    /// read, and all letters there and in the `gc_flank_bp` bases on either side are held and are
    /// A, C, G and T.
    pub fn is_plain(&self, start: usize, end: usize, request: &EnrichmentRequest) -> bool {
        let (read, reach) = (request.flank + 1, reach(request));
        if start < self.low + read || end + read >= self.low + self.tracks[0].len() {
            return false;
        }
        let Some(from) = start
            .checked_sub(reach)
            .and_then(|from| from.checked_sub(self.letters_start))
        else {
            return false;
        };
        self.composition
            .is_acgt(from, end + reach - self.letters_start)
    }

    /// What the model says at inter-base positions `low..=high` as read on a strand, in the
    /// orientation of that strand.
    pub fn profile(
        &self,
        low: usize,
        high: usize,
        strand: Strand,
    ) -> impl DoubleEndedIterator<Item = f32> + '_ {
        let track = &self.tracks[usize::from(strand == Strand::Minus)];
        let values = &track[low - self.low..=high - self.low];
        let count = values.len();
        (0..count).map(move |i| {
            if strand == Strand::Plus {
                values[i]
            } else {
                values[count - 1 - i]
            }
        })
    }

    /// Whether the model said anything here: not of a contig too short for it.
    pub fn is_read(&self) -> bool {
        !self.tracks[0].is_empty()
    }

    /// The letters as the model is given them on a strand, and what it says inside of the interval:
    /// inter-base positions of these letters with their values. It must have been read.
    pub fn read_on(&self, strand: Strand) -> (Vec<u8>, impl Iterator<Item = (usize, f32)>) {
        let letters = model_letters(&self.letters, strand);
        let Interval { start, end } = self.interval;
        let (low, high) = (
            start.max(self.low),
            end.min(self.low + self.tracks[0].len() - 1),
        );
        let first = match strand {
            Strand::Plus => low - self.letters_start,
            Strand::Minus => self.letters_start + letters.len() - high,
        };
        (letters, (first..).zip(self.profile(low, high, strand)))
    }

    /// What matching compares: composition of `flank_bp` bases on either side of the middle of a
    /// stretch, the distance to the nearest start site (in the place of a gene's end, which it is),
    /// and the score.
    pub fn covariates(
        &self,
        start: usize,
        end: usize,
        strand: Strand,
        score: f64,
        flank_bp: usize,
    ) -> Covariates {
        let middle = (start + end) / 2;
        let mut found = Covariates::new(
            &self.composition,
            strand,
            middle - self.letters_start,
            flank_bp,
            &[],
        );
        let distance = self
            .starts
            .iter()
            .map(|(tss, _)| tss.abs_diff(middle))
            .min();
        found.gene_end_distance_bp = distance.map_or(f64::NAN, |bp| bp as f64);
        found.strength_bits = score;
        found
    }
}

/// Bases on either side of a hit that must be plain letters.
fn reach(request: &EnrichmentRequest) -> usize {
    (request.flank + 1).max(request.gc_flank_bp)
}

/// All grounds, promoters first.
#[derive(Clone, Debug, Default)]
pub(super) struct Grounds {
    pub all: Vec<Ground>,
    /// How many of them are promoters.
    pub n_promoters: usize,
    pub tiles: u64,
    pub bases: u64,
}

/// Cuts the letters of merged promoters and of windows outside, and reads the model over them on
/// both strands.
pub(super) fn read(
    genome: &Genome,
    annotation: Option<&Annotation>,
    promoters: &[Promoter],
    source: &dyn BoundarySource,
    request: &EnrichmentRequest,
    progress: &dyn Fn(Progress),
) -> Result<Grounds> {
    let mut of_contig: BTreeMap<usize, Vec<&Promoter>> = BTreeMap::new();
    promoters
        .iter()
        .for_each(|p| of_contig.entry(p.contig).or_default().push(p));
    let known = annotation
        .map(|annotation| Known::new(genome, annotation))
        .transpose()?
        .unwrap_or_default();
    let (mut inside, mut outside, mut found) = (Vec::new(), Vec::new(), Grounds::default());
    let total: u64 = of_contig
        .keys()
        .map(|contig| genome.contigs()[*contig].length_bp as u64)
        .sum();
    let mut done = 0;
    for (contig, promoters) in of_contig {
        progress(Progress {
            stage: "reading promoters",
            done,
            total,
        });
        let name = &genome.contigs()[contig].name;
        let sequence = masked(genome.read_contig(name)?, &source.missing(name)?);
        let mut here = promoter_grounds(contig, &promoters, &sequence, request);
        for (tss, strand) in known.codons.get(&contig).into_iter().flatten() {
            let at = here.partition_point(|ground| ground.interval.end <= *tss);
            here.get_mut(at)
                .into_iter()
                .filter(|g| g.interval.start < *tss)
                .for_each(|g| g.codons.push((*tss, *strand)));
        }
        let n = here.len();
        if request.needs_outside() {
            let mut rng = Rng::new(request.seed).derive(&format!("outside {name}"));
            here.extend(windows_outside(
                contig, &promoters, &known, &sequence, request, &mut rng,
            ));
        }
        for strand in [Strand::Plus, Strand::Minus] {
            let read = tracks(
                &mut here,
                ContigStrand {
                    contig: name,
                    sequence: &sequence,
                    strand,
                },
                source,
                request,
            )?;
            (found.tiles, found.bases) = (found.tiles + read.0, found.bases + read.1);
        }
        outside.extend(here.split_off(n));
        inside.append(&mut here);
        done += sequence.len() as u64;
    }
    found.n_promoters = inside.len();
    found.all = inside;
    found.all.append(&mut outside);
    Ok(found)
}

/// Promoters whose windows share a base are one ground.
fn promoter_grounds(
    contig: usize,
    promoters: &[&Promoter],
    sequence: &[u8],
    request: &EnrichmentRequest,
) -> Vec<Ground> {
    let ground = |(interval, members): (Interval, Vec<&Promoter>)| {
        let mut ground = Ground::new(contig, interval, members[0].cluster, sequence, request);
        ground.starts = members.iter().filter_map(|p| p.tss.zip(p.strand)).collect();
        ground
    };
    merged(promoters.iter().copied())
        .into_iter()
        .map(ground)
        .collect()
}

/// What of the annotation windows outside keep away from, and start codons, by contig.
#[derive(Default)]
struct Known {
    barred: BTreeMap<usize, Vec<Interval>>,
    codons: BTreeMap<usize, Vec<(usize, Strand)>>,
}

impl Known {
    fn new(genome: &Genome, annotation: &Annotation) -> Result<Known> {
        let names = ContigNames::new(genome.contigs().iter().map(|contig| &contig.name));
        let map = names.map_annotation(&annotation.contigs)?;
        let mut known = Known::default();
        for gene in &annotation.genes {
            let Some(contig) = map[gene.contig] else {
                continue;
            };
            let barred = known.barred.entry(contig).or_default();
            for transcript in &gene.transcripts {
                barred.extend(&transcript.exons);
                let ends = transcript.exons.first().zip(transcript.exons.last());
                let tss = ends.map(|(first, last)| {
                    if gene.strand == Strand::Plus {
                        first.start
                    } else {
                        last.end
                    }
                });
                barred.extend(tss.map(|tss| {
                    Interval::new(tss.saturating_sub(TSS_DISTANCE_BP), tss + TSS_DISTANCE_BP)
                }));
                let codon = match gene.strand {
                    Strand::Plus => transcript.cds.first().map(|cds| cds.start),
                    Strand::Minus => transcript.cds.last().map(|cds| cds.end),
                };
                known
                    .codons
                    .entry(contig)
                    .or_default()
                    .extend(codon.map(|codon| (codon, gene.strand)));
            }
        }
        known.barred.values_mut().for_each(merge_intervals);
        known.codons.values_mut().for_each(|codons| {
            codons.sort_unstable();
            codons.dedup();
        });
        Ok(known)
    }
}

/// For each promoter, windows of its length nearest to it in G+C among random ones of its contig;
/// no two share a base.
fn windows_outside(
    contig: usize,
    promoters: &[&Promoter],
    known: &Known,
    sequence: &[u8],
    request: &EnrichmentRequest,
    rng: &mut Rng,
) -> Vec<Ground> {
    let mut barred: Vec<Interval> = known.barred.get(&contig).cloned().unwrap_or_default();
    for promoter in promoters {
        let near = promoter
            .tss
            .map_or(promoter.window, |tss| Interval::new(tss, tss));
        barred.extend([
            promoter.window,
            Interval::new(
                near.start.saturating_sub(TSS_DISTANCE_BP),
                near.end + TSS_DISTANCE_BP,
            ),
        ]);
    }
    merge_intervals(&mut barred);
    let reach = request.flank.max(request.gc_flank_bp) + 1;
    let gc = |window: Interval| {
        crate::genome::sequence::gc_fraction(&sequence[window.start..window.end])
    };
    let free = |window: &Interval| {
        let after = barred.partition_point(|b| b.end <= window.start);
        barred.get(after).is_none_or(|b| !b.overlaps(window))
            && is_acgt(&sequence[window.start - reach..window.end + reach])
    };
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new(); // start to end
    let mut found = Vec::new();
    for promoter in promoters {
        let length = promoter.window.len_bp();
        let Some(room) = sequence
            .len()
            .checked_sub(length + 2 * reach)
            .filter(|room| *room > 0)
        else {
            continue;
        };
        let wanted = gc(promoter.window);
        let mut near: Vec<(f64, usize)> = Vec::new();
        for _ in 0..OUTSIDE_DRAWS {
            let window = Interval::new(reach + rng.below(room), 0);
            let window = Interval::new(window.start, window.start + length);
            if free(&window) {
                near.push(((gc(window) - wanted).abs(), window.start));
            }
        }
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut served = 0;
        for (_, start) in near {
            let apart = taken
                .range(..start + length)
                .next_back()
                .is_none_or(|(_, end)| *end <= start);
            if apart && served < OUTSIDE_PER_PROMOTER {
                taken.insert(start, start + length);
                found.push(Ground::new(
                    contig,
                    Interval::new(start, start + length),
                    NO_CLUSTER,
                    sequence,
                    request,
                ));
                served += 1;
            }
        }
    }
    found
}

/// Reads one strand of the grounds of a contig; returns tiles and bases read.
fn tracks(
    grounds: &mut [Ground],
    on: ContigStrand<'_>,
    source: &dyn BoundarySource,
    request: &EnrichmentRequest,
) -> Result<(u64, u64)> {
    let ContigStrand {
        sequence, strand, ..
    } = on;
    let shape = TileShape {
        context_bp: request.context,
        margin_bp: request.margin,
    };
    let most = if sequence.len() <= request.context {
        sequence.len()
    } else {
        request.context - 2 * request.margin.max(1)
    };
    let (mut windows, mut owners) = (Vec::new(), Vec::new());
    for (index, ground) in grounds.iter_mut().enumerate() {
        ground.low = ground
            .interval
            .start
            .saturating_sub(request.flank + 1)
            .max(1);
        let high = (ground.interval.end + request.flank + 1).min(sequence.len() - 1);
        let track = &mut ground.tracks[usize::from(strand == Strand::Minus)];
        *track = vec![f32::NAN; (high + 1).saturating_sub(ground.low)];
        let mut low = ground.low;
        while low <= high {
            let to = high.min(low + most - 1);
            windows.push(Window { low, high: to });
            owners.push(index);
            low = to + 1;
        }
    }
    let tiles = plan(windows, sequence.len(), &shape)?;
    read_tiles(
        on,
        &tiles,
        request.batch,
        source,
        &mut |_, _| {},
        &mut |index, values| {
            let (window, ground) = (tiles.windows[index], &mut grounds[owners[index]]);
            let from = window.low - ground.low;
            let place =
                &mut ground.tracks[usize::from(strand == Strand::Minus)][from..from + values.len()];
            match strand {
                Strand::Plus => place.copy_from_slice(values),
                Strand::Minus => place
                    .iter_mut()
                    .zip(values.iter().rev())
                    .for_each(|(to, value)| *to = *value),
            }
        },
    )?;
    Ok((tiles.tiles.len() as u64, tiles.bases()))
}
