//! Promoters: windows around transcription start sites, or regions of a file, each with what it is
//! replicated by.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

mod files;

pub use files::{BedAnchor, read_bed, read_fps};

use crate::error::Result;
use crate::genome::annotation::Annotation;
use crate::genome::contig_names::ContigNames;
use crate::genome::fasta::Contig;
use crate::genome::junctions::canonical_transcript;
use crate::genome::{Interval, Strand};

/// Which transcription starts of an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TssChoice {
    /// Each position and strand once, whichever transcripts start there.
    Unique,
    /// One a gene: that of its canonical transcript.
    Canonical,
    /// One a transcript, also where several start at one position.
    All,
}

/// What is asked of an annotation.
#[derive(Clone, Debug)]
pub struct PromoterRequest {
    /// Which transcription starts.
    pub tss: TssChoice,
    /// Gene biotypes; empty for all.
    pub biotypes: Vec<String>,
    /// Bases of the window.
    pub window: Window,
}

/// A window around a transcription start site, in transcript orientation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Bases before the site.
    pub upstream_bp: usize,
    /// Bases after it, the first transcribed base among them.
    pub downstream_bp: usize,
}

impl Window {
    /// The window around a site on a strand; `None` where it would start before base 0.
    pub fn around(&self, tss: usize, strand: Strand) -> Option<Interval> {
        let (before, after) = match strand {
            Strand::Plus => (self.upstream_bp, self.downstream_bp),
            Strand::Minus => (self.downstream_bp, self.upstream_bp),
        };
        Some(Interval::new(
            tss.checked_sub(before)?,
            tss.checked_add(after)?,
        ))
    }
}

/// A promoter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promoter {
    /// The transcript, or the name in the file; `contig:start-end` where the file has none.
    pub id: String,
    /// The gene's identifier; empty for a promoter of a file.
    pub gene: String,
    /// Index of the genome's contig.
    pub contig: usize,
    /// The strand; `None` for a region without one.
    pub strand: Option<Strand>,
    /// The inter-base position before the first transcribed base, on the plus strand's count;
    /// `None` for a region that is taken as it is.
    pub tss: Option<usize>,
    /// Its bases.
    pub window: Interval,
    /// The unit of replication: promoters whose windows share a base, on either strand and through
    /// others, and promoters of one gene.
    pub cluster: usize,
}

/// Promoters whose windows share a base together, each group with the hull of its windows. They
/// come by contig and window, as in [`Promoters`].
pub fn merged<'a>(
    promoters: impl IntoIterator<Item = &'a Promoter>,
) -> Vec<(Interval, Vec<&'a Promoter>)> {
    let mut groups: Vec<(Interval, Vec<&Promoter>)> = Vec::new();
    for promoter in promoters {
        let joins = |(interval, members): &&mut (Interval, Vec<&Promoter>)| {
            members[0].contig == promoter.contig && promoter.window.start < interval.end
        };
        match groups.last_mut().filter(joins) {
            Some((interval, members)) => {
                *interval = interval.hull(&promoter.window);
                members.push(promoter);
            }
            None => groups.push((promoter.window, vec![promoter])),
        }
    }
    groups
}

/// Why a start site or a region is no promoter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// Its contig is not in the genome.
    ContigNotInGenome,
    /// Its gene has another biotype.
    BiotypeNotChosen,
    /// Another transcript speaks for its gene.
    TranscriptNotChosen,
    /// Another transcript starts there, or the file has the region twice.
    SamePosition,
    /// The file gives it no strand, and a start site needs one.
    NoStrand,
    /// Its window does not lie wholly on the contig.
    WindowOffContig,
}

/// Promoters and what did not become one.
#[derive(Clone, Debug, Default)]
pub struct Promoters {
    /// By contig, window, strand and identifier.
    pub promoters: Vec<Promoter>,
    /// How many clusters there are.
    pub n_clusters: usize,
    /// Starts or regions that were passed over, by reason.
    pub dropped: BTreeMap<Dropped, usize>,
}

/// What may become a promoter: a place on a genome's contig, or why it has none, and a window that
/// may lie off it.
struct Candidate<'a> {
    id: &'a str,
    gene: &'a str,
    /// The number of the gene among those of the annotation: one identifier may be that of several.
    owner: usize,
    contig: std::result::Result<usize, Dropped>,
    strand: Option<Strand>,
    tss: Option<usize>,
    window: Option<Interval>,
}

impl Promoters {
    /// The promoters of an annotation.
    ///
    /// # Errors
    /// No contig of the annotation is in the genome; a biotype that no gene has.
    pub fn of_annotation(
        annotation: &Annotation,
        contigs: &[Contig],
        request: &PromoterRequest,
    ) -> Result<Promoters> {
        let map = ContigNames::new(contigs.iter().map(|contig| &contig.name))
            .map_annotation(&annotation.contigs)?;
        annotation.check_biotypes(&request.biotypes)?;
        let mut found = Promoters::default();
        for (owner, gene) in annotation.genes.iter().enumerate() {
            let canonical = canonical_transcript(gene).map(|(index, _)| index);
            for (index, transcript) in gene.transcripts.iter().enumerate() {
                let (Some(first), Some(last)) = (transcript.exons.first(), transcript.exons.last())
                else {
                    continue;
                };
                let contig = match map[gene.contig] {
                    None => Err(Dropped::ContigNotInGenome),
                    Some(_)
                        if !request.biotypes.is_empty()
                            && !request.biotypes.contains(&gene.biotype) =>
                    {
                        Err(Dropped::BiotypeNotChosen)
                    }
                    Some(_) if request.tss == TssChoice::Canonical && canonical != Some(index) => {
                        Err(Dropped::TranscriptNotChosen)
                    }
                    Some(contig) => Ok(contig),
                };
                let tss = match gene.strand {
                    Strand::Plus => first.start,
                    Strand::Minus => last.end,
                };
                let window = request.window.around(tss, gene.strand);
                let (strand, tss, id, gene) = (
                    Some(gene.strand),
                    Some(tss),
                    transcript.id.as_str(),
                    gene.id.as_str(),
                );
                found.take(
                    contigs,
                    Candidate {
                        id,
                        gene,
                        owner,
                        contig,
                        strand,
                        tss,
                        window,
                    },
                );
            }
        }
        found.finish(request.tss != TssChoice::All);
        Ok(found)
    }

    /// Takes a candidate, or counts why not.
    fn take(&mut self, contigs: &[Contig], candidate: Candidate) {
        let placed = candidate.contig.and_then(|contig| {
            let window = candidate
                .window
                .filter(|window| window.end <= contigs[contig].length_bp && window.len_bp() > 0);
            window
                .map(|window| (contig, window))
                .ok_or(Dropped::WindowOffContig)
        });
        match placed {
            Err(reason) => *self.dropped.entry(reason).or_insert(0) += 1,
            Ok((contig, window)) => {
                let Candidate {
                    id,
                    gene,
                    owner,
                    strand,
                    tss,
                    ..
                } = candidate;
                // Its gene stands for the cluster until the clusters are numbered.
                self.promoters.push(Promoter {
                    id: id.into(),
                    gene: gene.into(),
                    contig,
                    strand,
                    tss,
                    window,
                    cluster: owner,
                });
            }
        }
    }

    /// Sorts, numbers the clusters, and takes each place once if asked to.
    fn finish(&mut self, unique: bool) {
        self.promoters.sort_by(|a, b| {
            (a.contig, a.window, a.strand, &a.id).cmp(&(b.contig, b.window, b.strand, &b.id))
        });
        // Windows in order: each joins the stretch of those before that reaches into it. Then
        // stretches that share a gene are one.
        let (mut stretch, mut end) = (Vec::with_capacity(self.promoters.len()), None);
        for promoter in &self.promoters {
            let here = match end {
                Some((contig, end)) if contig == promoter.contig && promoter.window.start < end => {
                    stretch.last().copied().unwrap_or(0)
                }
                _ => stretch.last().map_or(0, |last| last + 1),
            };
            let reach = if stretch.last() == Some(&here) {
                end.map_or(0, |(_, end)| end)
            } else {
                0
            };
            end = Some((promoter.contig, reach.max(promoter.window.end)));
            stretch.push(here);
        }
        let mut joined: Vec<usize> = (0..stretch.last().map_or(0, |last| last + 1)).collect();
        let root = |joined: &[usize], mut one: usize| {
            while joined[one] != one {
                one = joined[one];
            }
            one
        };
        let mut of_gene: HashMap<usize, usize> = HashMap::new();
        for (promoter, here) in self
            .promoters
            .iter()
            .zip(&stretch)
            .filter(|(promoter, _)| !promoter.gene.is_empty())
        {
            let other = *of_gene.entry(promoter.cluster).or_insert(*here);
            let (a, b) = (root(&joined, other), root(&joined, *here));
            joined[a.max(b)] = a.min(b);
        }
        let mut numbers = HashMap::new();
        for (promoter, here) in self.promoters.iter_mut().zip(&stretch) {
            let next = numbers.len();
            promoter.cluster = *numbers.entry(root(&joined, *here)).or_insert(next);
        }
        self.n_clusters = numbers.len();
        // Last, so that a gene whose start is another's too still ties its other starts to it.
        if unique {
            let before = self.promoters.len();
            self.promoters
                .dedup_by_key(|p| (p.contig, p.window, p.strand, p.tss));
            if before > self.promoters.len() {
                *self.dropped.entry(Dropped::SamePosition).or_insert(0) +=
                    before - self.promoters.len();
            }
        }
    }
}

#[cfg(test)]
mod tests;
