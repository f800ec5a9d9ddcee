//! What does the model do at one place? Boundary probabilities, tokens, gene models and motif hits
//! over a window of a few kilobases: an illustration, not a test.

mod annotated;
mod hits;
mod rows;

use serde::{Deserialize, Serialize};

pub use rows::{GeneRow, HitRow, PositionRow, SeriesRow, SiteRow, TokenRow};

use crate::error::{Error, Result};
use crate::genome::anchor::{Anchor, find_gene};
use crate::genome::annotation::Annotation;
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Genome;
use crate::genome::junctions::canonical_transcript;
use crate::genome::sequence::reverse_complement;
use crate::genome::{Interval, Strand, region};
pub use crate::model::THRESHOLD;
use crate::pipelines::motif_enrichment::Query;
use crate::pipelines::tiles::{ContigStrand, TileShape, Window, read_span};
use crate::pipelines::{BoundarySource, Progress, Values};

/// The longest window, in bases: a longer one cannot be read in a figure.
pub const MOST_BP: usize = 5000;

/// The shortest, in bases.
pub const LEAST_BP: usize = 10;

/// A boundary this near a site falls on it, in bases.
pub const SITE_REACH: usize = 2;

/// What is to be seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A stretch of a contig.
    Region {
        /// The contig, by any of its names.
        contig: String,
        /// Its bases.
        interval: Interval,
        /// The strand that is read.
        strand: Strand,
    },
    /// A gene, read on its own strand, around a place of its canonical transcript.
    Gene {
        /// Symbol or identifier.
        name: String,
        /// The place, as [`Anchor`] reads it.
        around: String,
        /// Bases on either side of it.
        flank_bp: usize,
    },
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocusRequest {
    /// What is to be seen.
    pub place: Target,
    /// The motifs' name; empty for none.
    pub motifs: String,
    /// Largest p-value of a hit.
    pub p: f64,
    /// Tiles per call of a model.
    pub batch: usize,
}

/// A model, or a track, that reads the window.
pub struct NamedSource<'a> {
    /// Its name, of which each has one.
    pub name: String,
    /// What is read.
    pub source: &'a dyn BoundarySource,
    /// How much it is given at once.
    pub shape: TileShape,
}

/// Where the window lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The genome's name of the contig.
    pub contig: String,
    /// The bases.
    pub interval: Interval,
    /// The strand that is read.
    pub strand: Strand,
    /// The place it was laid around, an inter-base position; `None` for a region.
    pub anchor: Option<usize>,
    /// That place in words: `TSS of ci (NM_...)`; empty for a region.
    pub anchor_name: String,
    /// Its bases on the plus strand, as the FASTA has them.
    pub letters: String,
    /// Motifs that were looked for.
    pub n_motifs: usize,
    /// Motifs whose best word is more likely than the threshold, so that they could have no hit.
    pub n_unreachable: usize,
}

/// What was found: plain tables.
#[derive(Clone, Debug, Serialize)]
pub struct Locus {
    /// Where.
    pub frame: Frame,
    /// One row a model.
    pub series: Vec<SeriesRow>,
    /// By model and position.
    pub positions: Vec<PositionRow>,
    /// By model and start.
    pub tokens: Vec<TokenRow>,
    /// By gene and start.
    pub genes: Vec<GeneRow>,
    /// By model, position and kind.
    pub sites: Vec<SiteRow>,
    /// By start and motif.
    pub hits: Vec<HitRow>,
    /// Tracks, by name, in the order of the figure: their values are in the positions alone.
    pub tracks: Vec<String>,
    /// Bases that the models and tracks were asked for.
    pub bases_read: u64,
}

/// Reads a window.
///
/// # Errors
/// A place that is not there, a window too long to be seen, and what the models report.
pub fn run(
    genome: &Genome,
    annotation: Option<&Annotation>,
    queries: &[Query],
    readers: &[NamedSource<'_>],
    request: &LocusRequest,
    progress: &dyn Fn(Progress),
) -> Result<Locus> {
    progress(Progress {
        stage: "finding the place",
        done: 0,
        total: 1,
    });
    let names = ContigNames::new(genome.contigs().iter().map(|contig| &contig.name));
    let map = annotation
        .map(|annotation| names.map_annotation(&annotation.contigs))
        .transpose()?
        .unwrap_or_default();
    let (contig, mut frame) = place(
        genome,
        &names,
        annotation.map(|annotation| (annotation, &map[..])),
        &request.place,
    )?;
    let sequence = genome.read_contig(&frame.contig)?;
    frame.letters =
        String::from_utf8_lossy(&sequence[frame.interval.start..frame.interval.end]).into_owned();
    let near = annotation.map_or_else(Default::default, |annotation| {
        annotated::Near::new(annotation, &map, contig, frame.interval)
    });
    // The ends of a contig are no positions that a model scores.
    let span = Window {
        low: frame.interval.start.max(1),
        high: frame.interval.end.min(sequence.len().saturating_sub(1)),
    };
    let mut found = Locus {
        genes: near.rows.clone(),
        series: Vec::new(),
        positions: Vec::new(),
        tokens: Vec::new(),
        sites: Vec::new(),
        hits: Vec::new(),
        tracks: Vec::new(),
        bases_read: 0,
        frame,
    };
    progress(Progress {
        stage: "seeking motifs",
        done: 0,
        total: 1,
    });
    let scanned = hits::find(queries, &sequence, found.frame.interval, &near, request.p);
    (found.hits, found.frame.n_motifs, found.frame.n_unreachable) =
        (scanned.rows, queries.len(), scanned.n_unreachable);
    let total = (readers.len() * (span.high - span.low + 1)) as u64;
    for (index, reader) in readers.iter().enumerate() {
        progress(Progress {
            stage: "reading the model",
            done: total * index as u64 / readers.len() as u64,
            total,
        });
        let on = ContigStrand {
            contig: &found.frame.contig,
            sequence: &sequence,
            strand: found.frame.strand,
        };
        let (values, bases) = read_span(on, span, &reader.shape, request.batch, reader.source)?;
        found.bases_read += bases;
        found.take(reader, &sequence, span, &values, &near);
    }
    Ok(found)
}

/// The contig's number and the window.
fn place(
    genome: &Genome,
    names: &ContigNames,
    annotation: Option<(&Annotation, &[Option<usize>])>,
    place: &Target,
) -> Result<(usize, Frame)> {
    let (contig, interval, strand, anchor, anchor_name) = match place {
        Target::Region {
            contig,
            interval,
            strand,
        } => {
            let of_annotation = || {
                annotation
                    .and_then(|(a, map)| map[a.contigs.iter().position(|name| name == contig)?])
            };
            let index = names.find(contig).or_else(of_annotation);
            let index = index.ok_or_else(|| {
                Error::Invalid(format!(
                    "no contig '{contig}' in the genome; it has {}",
                    names.examples()
                ))
            })?;
            let length = genome.contigs()[index].length_bp;
            if interval.end > length {
                let written = region::written(contig, *interval);
                return Err(Error::Invalid(format!(
                    "{written} reaches beyond the end of {contig}, which has {length} bases"
                )));
            }
            (index, *interval, *strand, None, String::new())
        }
        Target::Gene {
            name,
            around,
            flank_bp,
        } => {
            let (annotation, map) = annotation.ok_or_else(|| {
                Error::Invalid(format!(
                    "the gene '{name}' cannot be found without an annotation"
                ))
            })?;
            let gene = &annotation.genes[find_gene(annotation, name)?];
            let anchor: Anchor = around.parse().map_err(Error::Invalid)?;
            let index = map[gene.contig];
            let index = index.ok_or_else(|| {
                Error::Invalid(format!(
                    "the contig {} of {name} is not in the genome",
                    annotation.contigs[gene.contig]
                ))
            })?;
            let transcript = canonical_transcript(gene).map(|(index, _)| &gene.transcripts[index]);
            let transcript = transcript.ok_or_else(|| {
                Error::Invalid(format!(
                    "the gene '{name}' has no transcript; give --region"
                ))
            })?;
            let position = anchor
                .position(transcript, gene.strand)
                .map_err(|message| Error::Invalid(format!("{name}: {message}")))?;
            let length = genome.contigs()[index].length_bp;
            if position > length {
                let message = format!(
                    "{anchor} of {name} lies beyond the end of its contig ({length} bases): the annotation is of another genome"
                );
                return Err(Error::Invalid(message));
            }
            let interval = Interval::new(
                position.saturating_sub(*flank_bp),
                position.saturating_add(*flank_bp).min(length),
            );
            let symbol = if gene.name.is_empty() {
                &gene.id
            } else {
                &gene.name
            };
            (
                index,
                interval,
                gene.strand,
                Some(position),
                format!("{anchor} of {symbol} ({})", transcript.id),
            )
        }
    };
    if !(LEAST_BP..=MOST_BP).contains(&interval.len_bp()) {
        return Err(Error::Invalid(format!(
            "a window of {} bases: {LEAST_BP} to {MOST_BP} can be shown. For longer stretches `boundaries` gives every probability as a table, and \
             `density` compares classes of sequence",
            interval.len_bp()
        )));
    }
    let contig_name = genome.contigs()[contig].name.clone();
    let frame = Frame {
        contig: contig_name,
        interval,
        strand,
        anchor,
        anchor_name,
        letters: String::new(),
        n_motifs: 0,
        n_unreachable: 0,
    };
    Ok((contig, frame))
}

impl Locus {
    /// Adds what one model says; of a track, its values. `values[i]` is that of position `span.low +
    /// i`.
    fn take(
        &mut self,
        reader: &NamedSource<'_>,
        sequence: &[u8],
        span: Window,
        values: &[f32],
        near: &annotated::Near,
    ) {
        let name = &reader.name;
        let is_track = reader.source.values() == Values::Signal;
        let kept = |p: f32| !is_track && p > THRESHOLD;
        let boundaries: Vec<usize> = (span.low..)
            .zip(values)
            .filter(|(_, p)| kept(**p))
            .map(|(t, _)| t)
            .collect();
        self.positions
            .extend((span.low..).zip(values).map(|(t, p)| PositionRow {
                series: name.clone(),
                position: t as u64,
                base: char::from(sequence[t]).to_string(),
                boundary_prob: f64::from(*p),
                is_boundary: kept(*p),
            }));
        if is_track {
            self.tracks.push(name.clone());
            return;
        }
        let mut ends = vec![self.frame.interval.start];
        ends.extend(
            boundaries
                .iter()
                .copied()
                .filter(|t| (self.frame.interval.start + 1..self.frame.interval.end).contains(t)),
        );
        ends.push(self.frame.interval.end);
        let is_end = |t: usize| boundaries.binary_search(&t).is_ok();
        let token = |pair: &[usize]| {
            let letters = &sequence[pair[0]..pair[1]];
            let letters = if self.frame.strand == Strand::Plus {
                letters.to_vec()
            } else {
                reverse_complement(letters)
            };
            TokenRow {
                series: name.clone(),
                start: pair[0] as u64,
                end: pair[1] as u64,
                length_bp: (pair[1] - pair[0]) as u64,
                complete: is_end(pair[0]) && is_end(pair[1]),
                letters: String::from_utf8_lossy(&letters).into_owned(),
            }
        };
        self.tokens.extend(ends.windows(2).map(token));
        let inside = span.low + SITE_REACH..=span.high.saturating_sub(SITE_REACH);
        let distance = |t: usize| boundaries.iter().map(|b| b.abs_diff(t)).min();
        let hit = |t: usize| distance(t).is_some_and(|bp| bp <= SITE_REACH);
        let sites: Vec<SiteRow> = (near
            .sites(self.frame.strand)
            .into_iter()
            .filter(|site| inside.contains(&site.position)))
        .map(|site| SiteRow {
            series: name.clone(),
            site_kind: site.kind.into(),
            position: site.position as u64,
            gene: site.genes.join(","),
            boundary_distance_bp: distance(site.position).map(|bp| bp as u64),
            hit: hit(site.position),
        })
        .collect();
        let near_one =
            inside.clone().filter(|t| hit(*t)).count() as f64 / inside.count().max(1) as f64;
        let (n, n_boundaries) = (values.len() as f64, boundaries.len() as f64);
        self.series.push(SeriesRow {
            series: name.clone(),
            context_bp: reader.shape.context_bp as u64,
            margin_bp: reader.shape.margin_bp as u64,
            n_positions: values.len() as u64,
            n_boundaries: boundaries.len() as u64,
            density: n_boundaries / n,
            mean_probability: values.iter().copied().map(f64::from).sum::<f64>() / n,
            mean_token_bp: if boundaries.is_empty() {
                f64::NAN
            } else {
                n / n_boundaries
            },
            n_sites: sites.len() as u64,
            n_sites_hit: sites.iter().filter(|site| site.hit).count() as u64,
            expected_sites_hit: near_one * sites.len() as f64,
        });
        self.sites.extend(sites);
    }
}

#[cfg(test)]
mod tests;
