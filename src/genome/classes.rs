//! Classes of sequence that an annotation gives, as stretches of a contig.
//!
//! Each base is in exactly one of the classes of [`Class::PARTITION`], judged over all transcripts
//! of all genes of both strands: the first that any of them says, in this order: coding, 5' UTR, 3'
//! UTR, exon of a non-coding transcript, intron; what lies in no gene and no promoter is
//! intergenic. So an intron is never an exon of another transcript. The other classes lie over
//! these: all exons, windows around splice junctions, promoters, and repeats (lower case letters).
//!
//! A stretch of a stranded class is read on its gene's strand. Bases that genes of both strands put
//! in the same class have no such strand: they are in [`ContigClasses::all`] and in no list of
//! [`ContigClasses::stranded`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::genome::annotation::{Gene, Transcript};
use crate::genome::junctions::{SiteKind, canonical_transcript};
use crate::genome::promoters::Window;
use crate::genome::{Interval, Strand, merge_intervals};

/// A class of sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Windows around donors of canonical transcripts.
    Donor,
    /// Windows around acceptors of canonical transcripts.
    Acceptor,
    /// Windows around transcription starts of all transcripts.
    Promoter,
    /// All exons.
    Exon,
    /// Coding sequence.
    Cds,
    /// Exons before the coding sequence.
    Utr5,
    /// Exons after it.
    Utr3,
    /// Exons of transcripts without coding sequence.
    NoncodingExon,
    /// Introns.
    Intron,
    /// Outside of genes and promoters.
    Intergenic,
    /// Lower case letters: what the FASTA has soft-masked.
    Repeat,
}

impl Class {
    /// All, in the order of reports.
    pub const ALL: [Class; 11] = [
        Class::Donor,
        Class::Acceptor,
        Class::Promoter,
        Class::Exon,
        Class::Cds,
        Class::Utr5,
        Class::Utr3,
        Class::NoncodingExon,
        Class::Intron,
        Class::Intergenic,
        Class::Repeat,
    ];

    /// Those of which each base has one, by precedence; [`Class::Intergenic`] has what is left.
    pub const PARTITION: [Class; 5] = [
        Class::Cds,
        Class::Utr5,
        Class::Utr3,
        Class::NoncodingExon,
        Class::Intron,
    ];

    /// The name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Class::Donor => "donor",
            Class::Acceptor => "acceptor",
            Class::Promoter => "promoter",
            Class::Exon => "exon",
            Class::Cds => "cds",
            Class::Utr5 => "utr5",
            Class::Utr3 => "utr3",
            Class::NoncodingExon => "noncoding_exon",
            Class::Intron => "intron",
            Class::Intergenic => "intergenic",
            Class::Repeat => "repeat",
        }
    }

    /// The name in reports.
    pub fn words(self) -> &'static str {
        match self {
            Class::Donor => "donor",
            Class::Acceptor => "acceptor",
            Class::Promoter => "promoter",
            Class::Exon => "exon, all",
            Class::Cds => "coding (CDS)",
            Class::Utr5 => "5′ UTR",
            Class::Utr3 => "3′ UTR",
            Class::NoncodingExon => "non-coding exon",
            Class::Intron => "intron",
            Class::Intergenic => "intergenic",
            Class::Repeat => "repeat",
        }
    }

    /// Whether its stretches are read on the strand of a gene; the others are read on plus.
    pub fn is_stranded(self) -> bool {
        !matches!(self, Class::Intergenic | Class::Repeat)
    }
}

/// How wide the windows of classes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassWindows {
    /// Bases on either side of a splice junction.
    pub junction_bp: usize,
    /// Around a transcription start.
    pub promoter: Window,
}

/// The classes of one contig. All lists are sorted; those but the windows around junctions have no
/// overlaps.
#[derive(Clone, Debug, Default)]
pub struct ContigClasses {
    /// By class, in the order of [`Class::ALL`]: every base of it, on either strand.
    pub all: Vec<Vec<Interval>>,
    /// By class likewise: those with one strand, with it. Of an unstranded class all, on plus.
    pub stranded: Vec<Vec<(Interval, Strand)>>,
    /// Genes that overlap each other, on either strand, as one.
    pub clusters: Vec<Interval>,
}

impl ContigClasses {
    /// The classes of a contig with these letters and genes.
    pub fn new(sequence: &[u8], genes: &[&Gene], windows: &ClassWindows) -> ContigClasses {
        let mut raw: Vec<[Vec<Interval>; 2]> = vec![Default::default(); Class::ALL.len()];
        let mut junctions: [BTreeSet<(usize, Strand)>; 2] = Default::default();
        let mut clusters: Vec<Interval> = Vec::new();
        for gene in genes {
            let strand = usize::from(gene.strand == Strand::Minus);
            clusters.push(cut(gene.interval, sequence.len()));
            for transcript in &gene.transcripts {
                let mut put = |class: Class, part: Interval| {
                    raw[class as usize][strand].push(cut(part, sequence.len()))
                };
                parts(transcript, gene.strand, &mut put);
                let start = match gene.strand {
                    Strand::Plus => transcript.exons.first().map(|exon| exon.start),
                    Strand::Minus => transcript.exons.last().map(|exon| exon.end),
                };
                start
                    .and_then(|start| windows.promoter.around(start, gene.strand))
                    .into_iter()
                    .for_each(|part| put(Class::Promoter, part));
            }
            let canonical = canonical_transcript(gene).map(|(index, _)| &gene.transcripts[index]);
            for intron in canonical.into_iter().flat_map(Transcript::introns) {
                for (kind, places) in SiteKind::ALL.iter().zip(&mut junctions) {
                    places.insert((kind.position(intron, gene.strand), gene.strand));
                }
            }
        }
        for lists in &mut raw {
            lists.iter_mut().for_each(clean);
        }
        clean(&mut clusters);
        let mut found = ContigClasses {
            all: vec![Vec::new(); Class::ALL.len()],
            stranded: vec![Vec::new(); Class::ALL.len()],
            clusters,
        };
        found.partition(&raw);
        found.set(Class::Promoter, &raw[Class::Promoter as usize]);
        let exons = [0, 1].map(|strand: usize| {
            let classes = [Class::Cds, Class::Utr5, Class::Utr3, Class::NoncodingExon];
            let mut all: Vec<Interval> = classes
                .iter()
                .flat_map(|class| raw[*class as usize][strand].clone())
                .collect();
            merge_intervals(&mut all);
            all
        });
        found.set(Class::Exon, &exons);
        for (class, places) in [Class::Donor, Class::Acceptor].into_iter().zip(&junctions) {
            found.junctions(class, places, windows.junction_bp, sequence.len());
        }
        let mut outside = found.clusters.clone();
        outside.extend(&found.all[Class::Promoter as usize]);
        merge_intervals(&mut outside);
        found.unstranded(
            Class::Intergenic,
            subtract(&[Interval::new(0, sequence.len())], &outside),
        );
        found.unstranded(Class::Repeat, soft_masked(sequence));
        found
    }

    /// Of the stranded classes only what some of the genes give, whose classes are `some`;
    /// [`ContigClasses::all`] stays that of all genes.
    pub fn only(mut self, some: &ContigClasses) -> ContigClasses {
        let of = |list: &[(Interval, Strand)], strand: Strand| -> Vec<Interval> {
            list.iter()
                .filter(|(_, s)| *s == strand)
                .map(|(part, _)| *part)
                .collect()
        };
        for class in Class::ALL.into_iter().filter(|class| class.is_stranded()) {
            let (own, asked) = (
                &mut self.stranded[class as usize],
                &some.stranded[class as usize],
            );
            if matches!(class, Class::Donor | Class::Acceptor) {
                own.retain(|window| {
                    asked
                        .binary_search_by_key(&(window.0.start, window.1), |(part, strand)| {
                            (part.start, *strand)
                        })
                        .is_ok()
                });
                continue;
            }
            let mut shared: Vec<(Interval, Strand)> = Vec::new();
            for strand in [Strand::Plus, Strand::Minus] {
                let mine = of(own, strand);
                let others = subtract(&mine, &of(asked, strand));
                shared.extend(
                    subtract(&mine, &others)
                        .into_iter()
                        .map(|part| (part, strand)),
                );
            }
            shared.sort_unstable();
            *own = shared;
        }
        self
    }

    fn set(&mut self, class: Class, by_strand: &[Vec<Interval>; 2]) {
        let mut all = by_strand.concat();
        merge_intervals(&mut all);
        self.all[class as usize] = all;
        let of = |strand: Strand, own: &[Interval], other: &[Interval]| {
            subtract(own, other)
                .into_iter()
                .map(move |part| (part, strand))
                .collect::<Vec<_>>()
        };
        let [plus, minus] = by_strand;
        let mut one = [
            of(Strand::Plus, plus, minus),
            of(Strand::Minus, minus, plus),
        ]
        .concat();
        one.sort_unstable();
        self.stranded[class as usize] = one;
    }

    fn unstranded(&mut self, class: Class, all: Vec<Interval>) {
        self.stranded[class as usize] = all.iter().map(|part| (*part, Strand::Plus)).collect();
        self.all[class as usize] = all;
    }

    fn partition(&mut self, raw: &[[Vec<Interval>; 2]]) {
        let mut taken: Vec<Interval> = Vec::new();
        for class in Class::PARTITION {
            let left = [0, 1].map(|strand: usize| subtract(&raw[class as usize][strand], &taken));
            self.set(class, &left);
            taken.extend(&self.all[class as usize]);
            merge_intervals(&mut taken);
        }
    }

    /// One window a junction: they may overlap each other, as those of a short exon do.
    fn junctions(
        &mut self,
        class: Class,
        places: &BTreeSet<(usize, Strand)>,
        reach: usize,
        length: usize,
    ) {
        let window = |place: usize| {
            place
                .checked_sub(reach)
                .map(|start| Interval::new(start, place + reach))
                .filter(|w| w.end <= length)
        };
        let one: Vec<(Interval, Strand)> = places
            .iter()
            .filter_map(|(place, strand)| Some((window(*place)?, *strand)))
            .collect();
        let mut all: Vec<Interval> = one.iter().map(|(part, _)| *part).collect();
        merge_intervals(&mut all);
        (self.stranded[class as usize], self.all[class as usize]) = (one, all);
    }
}

/// The parts of one transcript.
fn parts(transcript: &Transcript, strand: Strand, put: &mut impl FnMut(Class, Interval)) {
    transcript
        .introns()
        .for_each(|intron| put(Class::Intron, intron));
    let (Some(first), Some(last)) = (transcript.cds.first(), transcript.cds.last()) else {
        return transcript
            .exons
            .iter()
            .for_each(|exon| put(Class::NoncodingExon, *exon));
    };
    transcript
        .cds
        .iter()
        .for_each(|part| put(Class::Cds, *part));
    let (before, after) = if strand == Strand::Plus {
        (Class::Utr5, Class::Utr3)
    } else {
        (Class::Utr3, Class::Utr5)
    };
    for exon in &transcript.exons {
        put(before, Interval::new(exon.start, exon.end.min(first.start)));
        put(after, Interval::new(exon.start.max(last.end), exon.end));
    }
}

fn cut(part: Interval, length: usize) -> Interval {
    Interval::new(part.start.min(length), part.end.min(length))
}

/// Drops what is empty and merges the rest.
fn clean(parts: &mut Vec<Interval>) {
    parts.retain(|part| part.len_bp() > 0);
    merge_intervals(parts);
}

/// The bases of `from` that are not in `what`; both sorted and without overlaps.
pub fn subtract(from: &[Interval], what: &[Interval]) -> Vec<Interval> {
    let (mut left, mut next) = (Vec::new(), 0);
    for part in from {
        let mut start = part.start;
        while next < what.len() && what[next].end <= part.start {
            next += 1;
        }
        // What reaches beyond this part may reach into the one after it.
        for hole in what[next..].iter().take_while(|hole| hole.start < part.end) {
            if start < hole.start {
                left.push(Interval::new(start, hole.start));
            }
            start = start.max(hole.end);
        }
        if start < part.end {
            left.push(Interval::new(start, part.end));
        }
    }
    left
}

/// Whether a stretch shares a base with one of sorted intervals without overlaps.
pub fn overlaps_any(sorted: &[Interval], part: &Interval) -> bool {
    let at = sorted.partition_point(|other| other.end <= part.start);
    sorted.get(at).is_some_and(|other| other.start < part.end)
}

fn soft_masked(sequence: &[u8]) -> Vec<Interval> {
    let (mut found, mut start): (Vec<Interval>, Option<usize>) = (Vec::new(), None);
    for (at, base) in sequence.iter().enumerate() {
        match (start, base.is_ascii_lowercase()) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                found.push(Interval::new(from, at));
                start = None;
            }
            _ => {}
        }
    }
    found.extend(start.map(|from| Interval::new(from, sequence.len())));
    found
}

#[cfg(test)]
mod tests;
