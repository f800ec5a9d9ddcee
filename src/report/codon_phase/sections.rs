//! The sections of the page.

use super::{CodonPhasePage, Svg, clearest, words};
use crate::pipelines::codon_phase::{ComparisonRow, EDGE_BP, FLANK_BP, GeneRow, K_HALF, PhaseRow};
use crate::report::block::{downloads, paragraph};
use crate::report::format::{count, decimals, interval, p_value};
use crate::report::table::table;
use crate::report::{Block, Card, Cell, Format, Section, Table, columns};

impl CodonPhasePage {
    pub(super) fn result(&self, svg: &Svg) -> Section {
        let card = |stage: u64| {
            let row = clearest(&self.found, stage)?;
            Some(Card {
                label: format!(
                    "Stage {stage}, clearest difference between frames: {}, in points",
                    words(row.phase)
                ),
                value: decimals(100.0 * row.difference, 2),
                uncertainty: format!(
                    "95% CI {}, Holm p {}",
                    interval(100.0 * row.ci_low, 100.0 * row.ci_high),
                    p_value(row.p_holm, None)
                ),
            })
        };
        let cards = super::stages(&self.found).into_iter().filter_map(card);
        let blocks = vec![
            Block::Cards(cards.collect()),
            Block::Figure {
                svg: svg.shares.clone(),
                label: "Boundaries by position of the codon".into(),
                caption: "Where the boundaries in coding sequence fall, stage by stage. A third each is no fair expectation, since codon positions differ in their nucleotides: black lines show the shares \
                          that follow if each k-mer is cut alike in all frames."
                    .into(),
                downloads: downloads("shares", "phases"),
            },
            Block::Table(table! {
                "Share cut: of the positions. Share of boundaries: of those in coding sequence.";
                self.found.phases.iter();
                |r: &PhaseRow|
                "stage", Format::Integer => r.stage;
                "position", Format::Text => words(r.phase).to_string();
                "positions", Format::Integer => r.n_positions;
                "boundaries", Format::Integer => r.n_boundaries;
                "clusters", Format::Integer => r.n_clusters;
                "share cut", Format::Decimals(4) => r.rate;
                "share of boundaries", Format::Decimals(4) => r.share;
                "95% CI", Format::Interval => (r.share_low, r.share_high);
                "by k-mers", Format::Decimals(4) => r.expected;
            }),
        ];
        Section {
            title: "Result".into(),
            blocks,
        }
    }

    pub(super) fn against(&self, svg: &Svg) -> Section {
        let genes = |r: &GeneRow| -> Vec<Cell> {
            vec![r.status.clone().into(), (r.n_genes as usize).into()]
        };
        let blocks = vec![
            Block::Figure {
                svg: svg.differences.clone(),
                label: "Against the same k-mers elsewhere".into(),
                caption: "Share of positions that are cut, less that of positions with the same k-mer at the other two positions of codons, and outside of coding sequence.".into(),
                downloads: downloads("differences", "comparisons"),
            },
            Block::Table(table! {
                "Against other frames asks for codons; against positions outside of coding sequence a position can differ because coding sequence does. Holm: over the three positions.";
                self.found.comparisons.iter();
                |r: &ComparisonRow|
                "stage", Format::Integer => r.stage;
                "position", Format::Text => words(r.phase).to_string();
                "control", Format::Text => r.control.clone();
                "positions", Format::Integer => r.n_positions;
                "controls", Format::Integer => r.n_controls;
                "no control", Format::Integer => r.n_unmatched;
                "clusters", Format::Integer => r.n_clusters;
                "cut", Format::Decimals(4) => r.rate;
                "control cut", Format::Decimals(4) => r.control_rate;
                "difference", Format::Decimals(4) => r.difference;
                "95% CI", Format::Interval => (r.ci_low, r.ci_high);
                "p", Format::PValue => Cell::p(r.p_value, Some(r.p_floor));
                "p, Holm", Format::PValue => Cell::p(r.p_holm, None);
            }),
            Block::Table(Table {
                caption: "Genes with a coding sequence.".into(),
                columns: columns(&[("status", Format::Text), ("genes", Format::Integer)]),
                rows: self.found.genes.iter().map(genes).collect(),
            }),
        ];
        Section {
            title: "Against what".into(),
            blocks,
        }
    }

    pub(super) fn methods(&self) -> Section {
        let request = &self.request;
        let texts = [
            format!(
                "One transcript a gene: the canonical one, else that with the longest coding sequence; its length must be a multiple of three, without a stop codon before the last (standard code). Exons and {} \
                 bases on either side are read on the gene’s strand, in tiles of {} bases with margins of {}.",
                count(FLANK_BP),
                count(request.context),
                count(request.margin)
            ),
            format!(
                "Left out are positions within {EDGE_BP} bases of an end of an exon or a coding segment (splice sites and start codons), bases that transcripts read in several frames, and bases with coding \
                 sequence of the other strand. A boundary is a position with a probability above one half; a base that a deeper stage never sees is none of its boundaries.",
            ),
            format!(
                "Controls have the same {} nucleotides around the position. Differences of shares within k-mers weigh n1 n0 / (n1 + n0) (Mantel–Haenszel); what each cluster adds is taken less what the pooled \
                 share of its k-mers lets expect.",
                2 * K_HALF
            ),
            "Units of replication are clusters of overlapping genes. Tests: sign flips of clusters; intervals invert them. Intervals of shares: BCa over draws of clusters.".into(),
        ];
        Section {
            title: "How it was done".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }

    pub(super) fn caveats(&self) -> Section {
        let mut texts = vec![format!(
            "Frames differ in more than {} nucleotides: a difference that is left may be one of longer k-mers that are frequent in one frame, and needs no notion of a codon. A model with random weights can show one too: run an untrained checkpoint beside a trained one.",
            2 * K_HALF
        )];
        if self.about.bundled {
            texts.push("Most of this chromosome was training sequence of the bundled model (without labels).".into());
        }
        Section {
            title: "What this does not show".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }
}
