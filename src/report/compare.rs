//! What `compare` leaves behind: its tables, its figures and its page.

use serde_json::{Value, json};

use super::analysis::{self, Analysis, Tables as _, tables};
use super::block::{downloads, paragraph};
use super::format::{count, decimals, p_value, with_interval};
use super::page::FigureFolder;
use super::record::{About, Record};
use super::{Block, Cell, Format, Report, Section};
use crate::error::Result;
use crate::figures::{Bar, BarPanel, BarsFigure, CurvePanel, CurveSeries, CurvesFigure};
use crate::pipelines::compare::{CompareRequest, Compared, CutRow};
use crate::report::table::table;

/// Longer tokens are not drawn.
const LONGEST_BP: u64 = 40;

tables! {
    Compared; "cuts": cuts, "clusters": clusters (not read), "tokenizers": tokenizers, "lengths": lengths
}

fn summary(found: &Compared) -> String {
    let mut text = format!(
        "{:<22} {:<14} {:<16} {:>8} {:>9} {:>9}  {:<40} p\n",
        "tokenizer", "element", "measure", "elements", "observed", "expected", "difference"
    );
    for row in &found.cuts {
        text += &format!(
            "{:<22} {:<14} {:<16} {:>8} {:>9} {:>9}  {:<40} {}\n",
            row.tokenizer,
            row.element,
            row.measure,
            row.n_elements,
            decimals(row.observed, 4),
            decimals(row.expected, 4),
            with_interval(row.difference, row.ci_low, row.ci_high),
            p_value(row.p_value, Some(row.p_floor)).replace('\u{A0}', " "),
        );
    }
    text
}

impl Analysis for Compared {
    const NAME: &'static str = "compare";
    const FIGURES: &'static [&'static str] = &["cuts", "token_lengths"];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        ComparePage::open(record)?.report(to)
    }
}

impl analysis::Found for Compared {
    fn bases_read(&self) -> u64 {
        self.bases_read
    }

    fn summary(&self) -> String {
        summary(self)
    }

    fn outcome(&self) -> Value {
        let found = self;
        json!({"windows": found.n_windows, "positions": found.n_positions, "bases_read": found.bases_read})
    }
}

/// The page.
pub(super) struct ComparePage {
    found: Compared,
    request: CompareRequest,
    about: About,
}

impl ComparePage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<ComparePage> {
        let mut found = Compared {
            n_windows: record.outcome("windows")?,
            n_positions: record.outcome("positions")?,
            bases_read: record.outcome("bases_read")?,
            ..Compared::default()
        };
        found.read_tables(record)?;
        Ok(ComparePage {
            found,
            request: record.parameters()?,
            about: record.about(),
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let bars = to.write_figure(&self.bars(), "cuts")?;
        let lengths = to.write_figure(&self.lengths(), "token_lengths")?;
        let names: Vec<&str> = self
            .found
            .tokenizers
            .iter()
            .map(|row| row.tokenizer.as_str())
            .collect();
        Ok(Report {
            title: "Do cuts respect motifs and splice sites?".into(),
            subtitle: format!(
                "{} · {} · {}",
                names.join(", "),
                self.about.genome,
                self.about.annotation
            ),
            headline: self.headline(),
            answer: self.answer(),
            sections: vec![
                self.result(bars),
                self.tokens(lengths),
                self.against_first(),
                self.methods(),
                self.about.section(&self.request, &Compared::names()),
            ],
            chapters: Vec::new(),
            appendix: Vec::new(),
        })
    }

    fn row(&self, tokenizer: &str, element: &str, measure: &str) -> Option<&CutRow> {
        self.found.cuts.iter().find(|row| {
            row.tokenizer == tokenizer && row.element == element && row.measure == measure
        })
    }

    fn first(&self) -> &str {
        self.found
            .tokenizers
            .first()
            .map_or("", |row| &row.tokenizer)
    }

    fn headline(&self) -> String {
        let name = self.first();
        let part = |element: &str, measure: &str, words: &str| {
            let row = self.row(name, element, measure)?;
            let p = p_value(row.p_value, Some(row.p_floor));
            let numbers = with_interval(row.difference, row.ci_low, row.ci_high);
            Some(format!(
                "{words}: {} ({} expected of the same cuts elsewhere; difference {numbers}, p {p})",
                decimals(row.observed, 3),
                decimals(row.expected, 3)
            ))
        };
        let parts = [
            part(
                "donor",
                "cut at junction",
                "donors cut exactly at the junction",
            ),
            part("acceptor", "cut at junction", "acceptors"),
            part("motif", "inside cut", "positions inside motifs cut"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            "Nothing was there to be cut.".into()
        } else {
            format!("{name}, share of {}.", parts.join("; "))
        }
    }

    fn answer(&self) -> String {
        let density: Vec<String> = self
            .found
            .tokenizers
            .iter()
            .map(|row| {
                format!(
                    "{} cuts {} of positions (mean token {} bases)",
                    row.tokenizer,
                    decimals(row.density, 3),
                    decimals(row.mean_bp, 1)
                )
            })
            .collect();
        format!(
            "Whoever cuts more often cuts through more; so each is set against its own cuts, circularly shifted within every window by a random distance. In {} windows with {} inter-base \
             positions {}. Hits of column-permuted motifs show what any k-mer of such nucleotides would give.",
            count(self.found.n_windows),
            count(self.found.n_positions as usize),
            density.join("; ")
        )
    }

    fn bars(&self) -> BarsFigure {
        let panel = |(element, measure, title): (&str, &str, &str)| {
            let rows = self
                .found
                .cuts
                .iter()
                .filter(|row| row.element == element && row.measure == measure);
            let bar = |row: &CutRow| Bar {
                label: row.tokenizer.clone(),
                value: row.observed,
                low: row.expected + row.ci_low,
                high: row.expected + row.ci_high,
                expected: row.expected,
                points: Vec::new(),
            };
            let n = rows.clone().next().map_or(0, |row| row.n_elements);
            BarPanel {
                title: format!("{title} (n = {})", count(n as usize)),
                bars: rows.map(bar).collect(),
            }
        };
        BarsFigure {
            panels: [
                ("donor", "cut at junction", "Donors cut exactly at the junction"),
                ("acceptor", "cut at junction", "Acceptors cut exactly at the junction"),
                ("donor", "cut through", "Donor consensus cut through"),
                ("acceptor", "cut through", "Acceptor consensus cut through"),
                ("motif", "inside cut", "Positions inside motifs cut"),
                ("permuted motif", "inside cut", "The same, column-permuted motifs"),
                ("motif", "edges cut", "Motif edges cut"),
                ("motif", "cut through", "Motifs cut through (fragmentation rate)"),
                ("motif", "perfect match", "Motifs that are one token (perfect match)"),
                ("permuted motif", "perfect match", "The same, column-permuted motifs"),
            ]
            .map(panel)
            .to_vec(),
            y_label: "Share".into(),
            line: "by chance".into(),
            note: "Black lines: expected of the same cuts anywhere else in their windows. Whiskers: 95% intervals of the difference from that, by flipping the signs of clusters of genes or \
                   promoters. Blue: the one that others are compared with."
                .into(),
        }
    }

    fn lengths(&self) -> CurvesFigure {
        let series = |row: &crate::pipelines::compare::TokenizerRow| {
            let of = self.found.lengths.iter().filter(|length| {
                length.tokenizer == row.tokenizer && length.length_bp <= LONGEST_BP
            });
            let mut sum = 0;
            let mut points = vec![(0.0, 0.0)];
            for length in of {
                let share = |n: u64| n as f64 / row.n_tokens as f64;
                points.push((length.length_bp as f64, share(sum)));
                sum += length.n_tokens;
                points.push((length.length_bp as f64, share(sum)));
            }
            points.push((LONGEST_BP as f64, sum as f64 / row.n_tokens as f64));
            CurveSeries {
                label: format!("{} (n = {})", row.tokenizer, count(row.n_tokens as usize)),
                points,
            }
        };
        CurvesFigure {
            panels: vec![CurvePanel {
                title: "Lengths of tokens".into(),
                y_label: "Share of tokens up to this length".into(),
                series: self.found.tokenizers.iter().map(series).collect(),
                references: Vec::new(),
            }],
            x_label: "Length (bases)".into(),
        }
    }

    fn result(&self, bars: String) -> Section {
        let table = table! {
            "Observed: mean over elements. Expected: the mean of that over all shifts of the same cuts within their windows.";
            self.found.cuts.iter();
            |row: &CutRow|
            "tokenizer", Format::Text => row.tokenizer.clone();
            "element", Format::Text => row.element.clone();
            "measure", Format::Text => row.measure.clone();
            "elements", Format::Integer => row.n_elements;
            "clusters", Format::Integer => row.n_clusters;
            "observed", Format::Decimals(4) => row.observed;
            "expected", Format::Decimals(4) => row.expected;
            "difference", Format::Decimals(4) => row.difference;
            "95% CI", Format::Interval => (row.ci_low, row.ci_high);
            "p", Format::PValue => Cell::p(row.p_value, Some(row.p_floor));
            "p, BH", Format::PValue => Cell::p(row.p_bh, None);
        };
        let figure = Block::Figure {
            svg: bars,
            label: "What is cut".into(),
            caption: "Cut through: at least one cut inside the motif, or inside the consensus of a splice site (3 bases of exon and 6 of intron at donors, 6 and 3 at acceptors) beside \
                      the junction. Where tokens are shorter than motifs nearly all motifs are cut through by anyone; the share of inside positions cut says more. \
                      Of motifs this share is the fragmentation rate of EvoLen and DNAMotifTokenizer; a perfect match is a motif that is exactly one token."
                .into(),
            downloads: downloads("cuts", "cuts"),
        };
        Section {
            title: "Result".into(),
            blocks: vec![figure, Block::Table(table)],
        }
    }

    fn tokens(&self, lengths: String) -> Section {
        let table = table! {
            "Tokens with both ends in a window; lengths in bases.";
            self.found.tokenizers.iter();
            |row: &crate::pipelines::compare::TokenizerRow|
            "tokenizer", Format::Text => row.tokenizer.clone();
            "cuts a position", Format::Decimals(4) => row.density;
            "whole tokens", Format::Integer => row.n_tokens;
            "mean length", Format::Decimals(2) => row.mean_bp;
            "standard deviation", Format::Decimals(2) => row.sd_bp;
            "median", Format::Decimals(1) => row.median_bp;
            "90% up to", Format::Decimals(1) => row.q90_bp;
        };
        let figure = Block::Figure {
            svg: lengths,
            label: "Token lengths".into(),
            caption: format!(
                "How many of the tokens are up to so many bases long; longer ones than {LONGEST_BP} are not drawn."
            ),
            downloads: downloads("token_lengths", "lengths"),
        };
        Section {
            title: "How each cuts".into(),
            blocks: vec![figure, Block::Table(table)],
        }
    }

    fn against_first(&self) -> Section {
        let table = table! {
            format!(
                "Observed less expected, less the same of {}; paired by cluster.",
                self.first()
            );
            self
                .found
                .cuts
                .iter()
                .filter(|row| row.tokenizer != self.first());
            |row: &CutRow|
            "tokenizer", Format::Text => row.tokenizer.clone();
            "element", Format::Text => row.element.clone();
            "measure", Format::Text => row.measure.clone();
            "difference from the first", Format::Decimals(4) => row.first_difference;
            "95% CI", Format::Interval => (row.first_low, row.first_high);
            "p", Format::PValue => Cell::p(row.first_p_value, Some(row.first_p_floor));
            "p, BH", Format::PValue => Cell::p(row.first_p_bh, None);
        };
        Section {
            title: "Against the first".into(),
            blocks: vec![Block::Table(table)],
        }
    }

    fn methods(&self) -> Section {
        let r = &self.request;
        let texts = [
            format!(
                "Windows are {} inter-base positions on either side of every junction of canonical transcripts (GT-AG introns), on the strand of the gene, and promoters, those that share \
                 a base merged, on the strand of their first start site. Sources are given {} bases at a time, and positions within {} of an end are not used. A position is a cut \
                 where the boundary probability is above one half.",
                r.flank, r.context, r.margin
            ),
            format!(
                "Motifs are hits with p at most {} on either strand of the promoters, by log-odds against their nucleotides; of overlapping hits of one motif the best. Permuted motifs are the hits \
                 of one column-permuted version of each.",
                r.p
            ),
            format!(
                "Expected values and p are those of {} circular shifts: the cuts of each window are shifted by a random distance, together in all windows of a cluster, which keeps their \
                 number and spacing. Clusters are overlapping genes for junctions, and for promoters those that share a base or a gene. Differences from the first are tested by flipping the signs of clusters. Intervals: \
                 the differences that such flips do not reject. p-values are adjusted over the rows of each contender (Benjamini-Hochberg): what else is compared changes nothing.",
                count(r.permutations)
            ),
            "Cuts that follow nucleotides fall into step with anything that depends on nucleotides: that is no sign of function. Matched controls are the matter of the pages on splice sites and motifs.".into(),
        ];
        Section {
            title: "Methods".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }
}
