//! Splice junctions: which introns of an annotation are asked about, as unique donor and acceptor
//! sites with one status each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

mod canonical;
mod site;

pub use canonical::{CanonicalRule, TranscriptChoice, canonical_transcript};
pub use site::{Site, SiteKind, SiteStatus, window_status};

use crate::error::{Error, Result};
use crate::genome::annotation::{Annotation, Gene};
use crate::genome::classes::overlaps_any;
use crate::genome::contig_names::ContigNames;
use crate::genome::region::Region;
use crate::genome::{Interval, Strand};

/// Genes that overlap each other, on either strand, directly or through others: the unit of
/// replication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Index into [`Junctions::contigs`].
    pub contig: usize,
    /// From the first to the last base of its genes.
    pub interval: Interval,
}

/// What is asked of an annotation.
#[derive(Clone, Debug)]
pub struct JunctionRequest {
    /// Which transcripts.
    pub transcripts: TranscriptChoice,
    /// Gene biotypes; empty for all.
    pub biotypes: Vec<String>,
    /// Contigs, by the genome's name or another of the same chromosome; empty for all.
    pub contigs: Vec<String>,
    /// Only genes that lie wholly in one of these, their contigs named likewise; empty for all.
    pub regions: Vec<Region>,
    /// Introns shorter than this are no introns (assembly errors, frameshifts written as gaps).
    pub min_intron_bp: usize,
}

/// The unique splice sites of an annotation.
#[derive(Clone, Debug)]
pub struct Junctions {
    /// The genome's contigs, then those of the annotation that the genome lacks.
    pub contigs: Vec<String>,
    /// How many of [`Self::contigs`] are the genome's.
    pub n_genome_contigs: usize,
    /// All annotated sites, by contig, position, strand and kind.
    pub sites: Vec<Site>,
    /// Clusters of overlapping genes, by contig and start.
    pub clusters: Vec<Cluster>,
    /// The cluster of each gene of the annotation.
    pub cluster_of_gene: Vec<usize>,
    /// Which rule named the canonical transcript, and of how many genes; empty when all transcripts
    /// are used.
    pub canonical_rules: BTreeMap<CanonicalRule, usize>,
    introns: Vec<(usize, Strand, Interval)>,
    min_intron_bp: usize,
}

/// Sites and introns while transcripts are gone through.
#[derive(Default)]
struct Found {
    /// By contig, position, strand and kind: the best status so far and the genes that gave it.
    sites: HashMap<SiteKey, (SiteStatus, Vec<usize>)>,
    /// Those of chosen transcripts.
    introns: BTreeSet<(usize, Strand, Interval)>,
}

type SiteKey = (usize, usize, Strand, SiteKind);

impl Found {
    fn add(
        &mut self,
        contig: usize,
        strand: Strand,
        intron: Interval,
        gene: usize,
        status: SiteStatus,
    ) {
        for kind in SiteKind::ALL {
            let key = (contig, kind.position(intron, strand), strand, kind);
            let (best, genes) = self.sites.entry(key).or_insert((status, Vec::new()));
            if status > *best {
                // Once a chosen transcript has the site, only the genes of chosen transcripts are
                // its genes; before, all are.
                if status == SiteStatus::Used {
                    genes.clear();
                }
                *best = status;
            }
            if (status == *best || *best != SiteStatus::Used) && genes.last() != Some(&gene) {
                genes.push(gene);
            }
        }
        if status == SiteStatus::Used {
            self.introns.insert((contig, strand, intron));
        }
    }
}

impl Junctions {
    /// Lists the sites of every transcript and settles what needs no sequence: contig, biotype and
    /// transcript.
    ///
    /// # Errors
    /// No contig of the annotation is in the genome; an unknown contig, also as that of a region, or
    /// a biotype that no gene has was asked for.
    pub fn new<S: AsRef<str>>(
        annotation: &Annotation,
        genome_contigs: &[S],
        request: &JunctionRequest,
    ) -> Result<Junctions> {
        let names = ContigNames::new(genome_contigs);
        let map = names.map_annotation(&annotation.contigs)?;
        let mut contigs: Vec<String> = genome_contigs
            .iter()
            .map(|name| name.as_ref().to_string())
            .collect();
        let n_genome_contigs = contigs.len();
        let contig_of: Vec<usize> = map
            .iter()
            .zip(&annotation.contigs)
            .map(|(mapped, name)| {
                mapped.unwrap_or_else(|| {
                    contigs.push(name.clone());
                    contigs.len() - 1
                })
            })
            .collect();
        let number = |name: &String| number(&names, annotation, &map, name);
        let chosen_contigs = request.contigs.iter().map(number);
        let chosen_contigs: BTreeSet<usize> = chosen_contigs.collect::<Result<_>>()?;
        let regions = request.regions.iter();
        let regions = regions.map(|region| Ok((number(&region.contig)?, region.interval)));
        let regions: Vec<(usize, Interval)> = regions.collect::<Result<_>>()?;
        annotation.check_biotypes(&request.biotypes)?;
        let (mut canonical_rules, mut found) = (BTreeMap::new(), Found::default());
        for (gene_index, gene) in annotation.genes.iter().enumerate() {
            let contig = contig_of[gene.contig];
            let gene_status = if contig >= n_genome_contigs {
                SiteStatus::ContigNotInGenome
            } else if !chosen_contigs.is_empty() && !chosen_contigs.contains(&contig) {
                SiteStatus::ContigNotChosen
            } else if !regions.is_empty()
                && !regions
                    .iter()
                    .any(|(of, region)| *of == contig && region.contains(&gene.interval))
            {
                SiteStatus::RegionNotChosen
            } else if !request.biotypes.is_empty() && !request.biotypes.contains(&gene.biotype) {
                SiteStatus::BiotypeNotChosen
            } else {
                SiteStatus::Used
            };
            let canonical = match request.transcripts {
                TranscriptChoice::All => None,
                TranscriptChoice::Canonical => canonical_transcript(gene),
            };
            if let (SiteStatus::Used, Some((_, rule))) = (gene_status, canonical) {
                *canonical_rules.entry(rule).or_insert(0) += 1;
            }
            for (transcript_index, transcript) in gene.transcripts.iter().enumerate() {
                let mut status = gene_status;
                if status == SiteStatus::Used
                    && canonical.is_some_and(|(chosen, _)| chosen != transcript_index)
                {
                    status = SiteStatus::TranscriptNotChosen;
                }
                transcript
                    .introns()
                    .for_each(|intron| found.add(contig, gene.strand, intron, gene_index, status));
            }
        }
        let (clusters, cluster_of_gene) = cluster_genes(&annotation.genes, &contig_of);
        let mut sites: Vec<Site> = found
            .sites
            .into_iter()
            .map(|((contig, position, strand, kind), (status, genes))| {
                let cluster = genes.first().map_or(0, |gene| cluster_of_gene[*gene]);
                Site {
                    kind,
                    contig,
                    position,
                    strand,
                    genes,
                    cluster,
                    status,
                }
            })
            .collect();
        sites.sort_unstable_by_key(|s| (s.contig, s.position, s.strand, s.kind));
        let introns = found.introns.into_iter().collect();
        Ok(Junctions {
            contigs,
            n_genome_contigs,
            sites,
            clusters,
            cluster_of_gene,
            canonical_rules,
            introns,
            min_intron_bp: request.min_intron_bp,
        })
    }

    /// Settles the status of the sites of one genome contig that needs its sequence: where the
    /// intron lies, its length and dinucleotides, then the window of `radius_bp` bases on either
    /// side. A site of several chosen introns is judged by its best one.
    pub fn check_sequence(&mut self, contig: usize, sequence: &[u8], radius_bp: usize) {
        let range = self.site_range(contig);
        let mut best: HashMap<(usize, Strand, SiteKind), SiteStatus> = HashMap::new();
        let from = self.introns.partition_point(|(c, _, _)| *c < contig);
        for (_, strand, intron) in self.introns[from..]
            .iter()
            .take_while(|(c, _, _)| *c == contig)
        {
            let outcome = if intron.end >= sequence.len() {
                SiteStatus::IntronOffContig
            } else if intron.len_bp() < self.min_intron_bp {
                SiteStatus::IntronTooShort
            } else if !SiteKind::ALL
                .iter()
                .all(|k| k.has_dinucleotide(sequence, *strand, k.position(*intron, *strand)))
            {
                SiteStatus::IntronNotGtAg
            } else {
                SiteStatus::Used
            };
            for kind in SiteKind::ALL {
                let entry = best
                    .entry((kind.position(*intron, *strand), *strand, kind))
                    .or_insert(outcome);
                *entry = outcome.max(*entry);
            }
        }
        for site in self.sites[range]
            .iter_mut()
            .filter(|site| site.status == SiteStatus::Used)
        {
            let by_intron = best
                .get(&(site.position, site.strand, site.kind))
                .copied()
                .unwrap_or(site.status);
            site.status = match by_intron {
                SiteStatus::Used => window_status(sequence, site.position, radius_bp),
                dropped => dropped,
            };
        }
    }

    /// Drops the sites of one genome contig that lack values: `missing` are the bases without one,
    /// in order and apart, `read` the bases that the values around a position of a strand are read
    /// from.
    pub fn check_signal(
        &mut self,
        contig: usize,
        missing: &[Interval],
        read: impl Fn(usize, Strand) -> Interval,
    ) {
        let range = self.site_range(contig);
        for site in self.sites[range]
            .iter_mut()
            .filter(|site| site.status == SiteStatus::Used)
        {
            if overlaps_any(missing, &read(site.position, site.strand)) {
                site.status = SiteStatus::NoSignal;
            }
        }
    }

    /// The sites of one contig, as a range of [`Self::sites`].
    pub fn site_range(&self, contig: usize) -> std::ops::Range<usize> {
        self.sites.partition_point(|s| s.contig < contig)
            ..self.sites.partition_point(|s| s.contig <= contig)
    }

    /// How many sites of a kind have each status; the values add up to all annotated sites of that
    /// kind.
    pub fn count(&self, kind: SiteKind) -> BTreeMap<SiteStatus, usize> {
        let mut counts = BTreeMap::new();
        for site in self.sites.iter().filter(|site| site.kind == kind) {
            *counts.entry(site.status).or_insert(0) += 1;
        }
        counts
    }
}

/// The genome's contig of a name, which may be the annotation's for it.
fn number(
    names: &ContigNames,
    annotation: &Annotation,
    map: &[Option<usize>],
    name: &str,
) -> Result<usize> {
    let by_annotation = || {
        let index = annotation.contigs.iter().position(|c| c == name)?;
        map[index]
    };
    names.find(name).or_else(by_annotation).ok_or_else(|| {
        Error::Invalid(format!(
            "no contig '{name}' in the genome; it has {}",
            names.examples()
        ))
    })
}

/// Connected components of genes that share a base, whatever their strands.
fn cluster_genes(genes: &[Gene], contig_of: &[usize]) -> (Vec<Cluster>, Vec<usize>) {
    let mut order: Vec<usize> = (0..genes.len()).collect();
    order.sort_by_key(|g| (contig_of[genes[*g].contig], genes[*g].interval));
    let (mut clusters, mut cluster_of): (Vec<Cluster>, Vec<usize>) =
        (Vec::new(), vec![0; genes.len()]);
    for gene in order {
        let (contig, interval) = (contig_of[genes[gene].contig], genes[gene].interval);
        match clusters.last_mut() {
            Some(last) if last.contig == contig && interval.start < last.interval.end => {
                last.interval = last.interval.hull(&interval)
            }
            _ => clusters.push(Cluster { contig, interval }),
        }
        cluster_of[gene] = clusters.len() - 1;
    }
    (clusters, cluster_of)
}

#[cfg(test)]
mod tests;
