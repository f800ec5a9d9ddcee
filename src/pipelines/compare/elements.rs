//! Windows and what lies in them: motifs in promoters, and splice junctions.

use std::collections::BTreeMap;

use super::CompareRequest;
use crate::error::Result;
use crate::genome::Strand;
use crate::genome::annotation::Annotation;
use crate::genome::fasta::Genome;
use crate::genome::junctions::{
    JunctionRequest, Junctions, SiteKind, SiteStatus, TranscriptChoice,
};
use crate::genome::promoters::{Promoter, Promoters, merged};
use crate::motifs::Motif;
use crate::motifs::background::Letters;
use crate::motifs::permute::permute_columns;
use crate::motifs::scan::{Encoded, ScanRequest, scan};
use crate::pipelines::comparison::ContigReader;
use crate::pipelines::{BoundarySource, Progress};
use crate::stats::rng::Rng;

/// Inter-base positions of a donor's consensus, -3|+6 bases, without its ends and the junction:
/// from, to.
const DONOR: (isize, isize) = (-2, 5);
/// The same of an acceptor's, -6|+3 bases.
const ACCEPTOR: (isize, isize) = (-5, 2);

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementKind {
    Motif,
    /// A word that a column-permuted version of a motif fits.
    Permuted,
    Site(SiteKind),
}

/// Something that a cut can respect or split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub kind: ElementKind,
    /// First edge of a motif, or the junction, as a position of the window in its orientation.
    pub at: usize,
    /// Bases of a motif; 0 for a junction.
    pub width: usize,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Motifs with a cut inside.
    MotifThrough,
    /// Share of the positions inside a motif that are cuts.
    MotifInside,
    /// Share of a motif's two edges that are cuts.
    MotifEdges,
    /// Motifs that are exactly one token: both edges cut, and nothing inside.
    MotifPerfect,
    /// The same four for words that column-permuted motifs fit.
    PermutedThrough,
    /// See [`Measure::PermutedThrough`].
    PermutedInside,
    /// See [`Measure::PermutedThrough`].
    PermutedEdges,
    /// See [`Measure::PermutedThrough`].
    PermutedPerfect,
    /// Donors with a cut exactly at the junction.
    DonorJunction,
    /// Donors with a cut inside their consensus, beside the junction.
    DonorThrough,
    /// The same two for acceptors.
    AcceptorJunction,
    /// See [`Measure::AcceptorJunction`].
    AcceptorThrough,
}

impl Measure {
    /// All, in the order of tables.
    pub const ALL: [Measure; 12] = [
        Measure::MotifThrough,
        Measure::MotifInside,
        Measure::MotifEdges,
        Measure::MotifPerfect,
        Measure::PermutedThrough,
        Measure::PermutedInside,
        Measure::PermutedEdges,
        Measure::PermutedPerfect,
        Measure::DonorJunction,
        Measure::DonorThrough,
        Measure::AcceptorJunction,
        Measure::AcceptorThrough,
    ];

    /// `motif`, `permuted motif`, `donor` or `acceptor`.
    pub fn element(self) -> &'static str {
        match self.kind() {
            ElementKind::Motif => "motif",
            ElementKind::Permuted => "permuted motif",
            ElementKind::Site(kind) => kind.name(),
        }
    }

    /// `cut through` (of motifs the fragmentation rate), `inside cut`, `edges cut`, `perfect match` or
    /// `cut at junction`.
    pub fn what(self) -> &'static str {
        match self {
            Measure::MotifThrough
            | Measure::PermutedThrough
            | Measure::DonorThrough
            | Measure::AcceptorThrough => "cut through",
            Measure::MotifInside | Measure::PermutedInside => "inside cut",
            Measure::MotifEdges | Measure::PermutedEdges => "edges cut",
            Measure::MotifPerfect | Measure::PermutedPerfect => "perfect match",
            Measure::DonorJunction | Measure::AcceptorJunction => "cut at junction",
        }
    }

    /// Element and measure.
    pub fn name(self) -> String {
        format!("{} {}", self.element(), self.what())
    }

    fn kind(self) -> ElementKind {
        match self {
            Measure::MotifThrough
            | Measure::MotifInside
            | Measure::MotifEdges
            | Measure::MotifPerfect => ElementKind::Motif,
            Measure::PermutedThrough
            | Measure::PermutedInside
            | Measure::PermutedEdges
            | Measure::PermutedPerfect => ElementKind::Permuted,
            Measure::DonorJunction | Measure::DonorThrough => ElementKind::Site(SiteKind::Donor),
            Measure::AcceptorJunction | Measure::AcceptorThrough => {
                ElementKind::Site(SiteKind::Acceptor)
            }
        }
    }
}

/// One stretch of one strand, with its elements and where each contender cuts.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub contig: usize,
    pub strand: Strand,
    /// First inter-base position, on plus.
    pub low: usize,
    /// Inter-base positions.
    pub length: usize,
    /// The unit of replication.
    pub cluster: usize,
    pub elements: Vec<Element>,
    /// By contender, in the window's orientation.
    pub cuts: Vec<Vec<bool>>,
}

impl Window {
    /// The number of elements of a measure, and the sum of its values over them at every shift of
    /// the cuts.
    pub fn curve(&self, contender: usize, measure: Measure) -> (usize, Vec<f64>) {
        let cuts = &self.cuts[contender];
        let mut before = vec![0u32; 2 * self.length + 1];
        for i in 0..2 * self.length {
            before[i + 1] = before[i] + u32::from(cuts[i % self.length]);
        }
        let among = |from: usize, to: usize| before[to + 1] - before[from];
        let mut curve = vec![0.0; self.length];
        let mut n = 0;
        for element in self
            .elements
            .iter()
            .filter(|element| element.kind == measure.kind())
        {
            n += 1;
            let Element { at, width, .. } = *element;
            let near = |(from, to): (isize, isize)| {
                (at.wrapping_add_signed(from), at.wrapping_add_signed(to))
            };
            for (shift, sum) in curve.iter_mut().enumerate() {
                let any = |(from, to): (usize, usize)| among(from + shift, to + shift);
                let one = |position: usize| among(position + shift, position + shift);
                *sum += match measure {
                    Measure::MotifThrough | Measure::PermutedThrough => {
                        f64::from(u8::from(any((at + 1, at + width - 1)) > 0))
                    }
                    Measure::MotifInside | Measure::PermutedInside => {
                        f64::from(any((at + 1, at + width - 1))) / (width - 1) as f64
                    }
                    Measure::MotifEdges | Measure::PermutedEdges => {
                        f64::from(one(at) + one(at + width)) / 2.0
                    }
                    Measure::MotifPerfect | Measure::PermutedPerfect => {
                        let edges = one(at) + one(at + width);
                        f64::from(u8::from(edges == 2 && any((at, at + width)) == 2))
                    }
                    Measure::DonorJunction | Measure::AcceptorJunction => f64::from(one(at)),
                    Measure::DonorThrough => f64::from(u8::from(any(near(DONOR)) > one(at))),
                    Measure::AcceptorThrough => f64::from(u8::from(any(near(ACCEPTOR)) > one(at))),
                };
            }
        }
        (n, curve)
    }
}

/// All windows, those of a cluster side by side, and what became of splice sites. A motif of one
/// column has no inside and is passed over. Windows of junctions hold no base that the first
/// contender has no value for.
pub(super) fn windows(
    genome: &Genome,
    annotation: Option<&Annotation>,
    promoters: &Promoters,
    motifs: &[Motif],
    first: &dyn BoundarySource,
    request: &CompareRequest,
    progress: &dyn Fn(Progress),
) -> Result<(Vec<Window>, BTreeMap<SiteStatus, usize>)> {
    let mut contigs = ContigReader::new(genome, first);
    let (mut all, statuses) =
        junction_windows(genome, annotation, &mut contigs, request, progress)?;
    let after = all
        .iter()
        .map(|window| window.cluster + 1)
        .max()
        .unwrap_or(0);
    all.extend(promoter_windows(
        genome,
        promoters,
        &mut contigs,
        motifs,
        after,
        request,
        progress,
    )?);
    // Stable: by contig and position within a cluster.
    all.sort_by_key(|window| window.cluster);
    Ok((all, statuses))
}

/// One window a usable junction of a canonical transcript; clusters are overlapping genes.
fn junction_windows(
    genome: &Genome,
    annotation: Option<&Annotation>,
    contigs: &mut ContigReader<'_>,
    request: &CompareRequest,
    progress: &dyn Fn(Progress),
) -> Result<(Vec<Window>, BTreeMap<SiteStatus, usize>)> {
    let mut statuses = BTreeMap::new();
    let Some(annotation) = annotation else {
        return Ok((Vec::new(), statuses));
    };
    let names: Vec<&str> = genome
        .contigs()
        .iter()
        .map(|contig| contig.name.as_str())
        .collect();
    let (transcripts, biotypes) = (TranscriptChoice::Canonical, request.biotypes.clone());
    let asked = JunctionRequest {
        transcripts,
        biotypes,
        contigs: Vec::new(),
        regions: Vec::new(),
        min_intron_bp: 30,
    };
    let mut junctions = Junctions::new(annotation, &names, &asked)?;
    for contig in 0..names.len() {
        progress(Progress {
            stage: "checking sites",
            done: contig as u64,
            total: names.len() as u64,
        });
        if junctions.sites[junctions.site_range(contig)]
            .iter()
            .any(|site| site.status == SiteStatus::Used)
        {
            junctions.check_sequence(contig, contigs.get(contig)?, request.flank + 1);
        }
    }
    junctions
        .sites
        .iter()
        .for_each(|site| *statuses.entry(site.status).or_insert(0) += 1);
    let usable = junctions
        .sites
        .iter()
        .filter(|site| site.status == SiteStatus::Used);
    let windows = usable
        .map(|site| Window {
            contig: site.contig,
            strand: site.strand,
            low: site.position - request.flank,
            length: 2 * request.flank + 1,
            cluster: site.cluster,
            elements: vec![Element {
                kind: ElementKind::Site(site.kind),
                at: request.flank,
                width: 0,
            }],
            cuts: Vec::new(),
        })
        .collect();
    Ok((windows, statuses))
}

/// One window a promoter, those that share a base merged; on the strand of the first start site.
fn promoter_windows(
    genome: &Genome,
    promoters: &Promoters,
    contigs: &mut ContigReader<'_>,
    motifs: &[Motif],
    first_cluster: usize,
    request: &CompareRequest,
    progress: &dyn Fn(Progress),
) -> Result<Vec<Window>> {
    let (mut windows, mut sequences, mut letters) = (Vec::new(), Vec::new(), Letters::default());
    for (interval, members) in merged(&promoters.promoters) {
        let Promoter {
            contig,
            strand,
            cluster,
            ..
        } = members[0];
        let sequence = contigs.get(*contig)?;
        // The first and the last inter-base position of a contig are never scored.
        let (low, high) = (
            interval.start.max(1),
            interval
                .end
                .min(genome.contigs()[*contig].length_bp.saturating_sub(1)),
        );
        if low >= high {
            continue;
        }
        letters.add(&sequence[low..high]);
        sequences.push(sequence[low..high].to_vec());
        let (strand, length, cluster) = (
            strand.unwrap_or(Strand::Plus),
            high - low + 1,
            first_cluster + cluster,
        );
        windows.push(Window {
            contig: *contig,
            strand,
            low,
            length,
            cluster,
            elements: Vec::new(),
            cuts: Vec::new(),
        });
    }
    progress(Progress {
        stage: "scanning",
        done: 0,
        total: 1,
    });
    let encoded = Encoded::new(sequences.iter().map(Vec::as_slice));
    let motifs: Vec<Motif> = motifs
        .iter()
        .filter(|motif| motif.width() > 1)
        .cloned()
        .collect();
    let permuted: Vec<Motif> = motifs
        .iter()
        .map(|motif| {
            permute_columns(
                motif,
                &mut Rng::new(request.seed).derive(&format!("permuted {}", motif.id)),
            )
        })
        .collect();
    let asked = ScanRequest {
        p: request.p,
        ..ScanRequest::new(letters.background())
    };
    for (kind, motifs) in [
        (ElementKind::Motif, &motifs),
        (ElementKind::Permuted, &permuted),
    ] {
        for hit in scan(motifs, &encoded, &asked).hits {
            let window = &mut windows[hit.sequence];
            let at = if window.strand == Strand::Plus {
                hit.start
            } else {
                window.length - 1 - hit.end
            };
            window.elements.push(Element {
                kind,
                at,
                width: hit.end - hit.start,
            });
        }
    }
    windows.retain(|window| !window.elements.is_empty());
    Ok(windows)
}
