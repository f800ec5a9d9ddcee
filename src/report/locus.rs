//! What `locus` leaves behind: its tables, its figure and its page.

use serde_json::{Value, json};

use super::analysis::{self, Analysis, Tables as _, tables};
use super::block::{downloads, paragraph};
use super::format::{MISSING, capital, count, decimals, percent};
use super::page::FigureFolder;
use super::record::{About, Record};
use super::{Block, Card, Cell, Column, Format, Level, Report, Section, Table, columns};
use crate::error::Result;
use crate::figures::{LocusFigure, LocusGene, LocusHit, LocusSeries};
use crate::genome::{Interval, Strand, region};
use crate::pipelines::locus::{
    HitRow, Locus, LocusRequest, SITE_REACH, SeriesRow, SiteRow, THRESHOLD,
};

tables! {
    Locus; "series": series, "positions": positions, "tokens": tokens, "genes": genes, "annotated": sites, "hits": hits
}

/// Hits that the page lists, by p-value.
const SHOWN: usize = 25;

impl Analysis for Locus {
    const NAME: &'static str = "locus";
    const FIGURES: &'static [&'static str] = &["locus"];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        LocusPage::open(record)?.report(to)
    }
}

impl analysis::Found for Locus {
    fn bases_read(&self) -> u64 {
        self.bases_read
    }

    fn summary(&self) -> String {
        summary(self)
    }

    fn outcome(&self) -> Value {
        let found = self;
        json!({"bases_read": found.bases_read, "frame": found.frame, "series": found.series, "tracks": found.tracks})
    }
}

/// The page.
pub(super) struct LocusPage {
    found: Locus,
    request: LocusRequest,
    about: About,
}

impl LocusPage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<LocusPage> {
        let mut found = Locus {
            frame: record.outcome("frame")?,
            tracks: record.outcome("tracks")?,
            bases_read: record.outcome("bases_read")?,
            series: Vec::new(),
            positions: Vec::new(),
            tokens: Vec::new(),
            genes: Vec::new(),
            sites: Vec::new(),
            hits: Vec::new(),
        };
        found.read_tables(record)?;
        Ok(LocusPage {
            found,
            request: record.parameters()?,
            about: record.about(),
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let svg = to.write_figure(&self.figure(), "locus")?;
        let models: Vec<&str> = self
            .found
            .series
            .iter()
            .map(|row| row.series.as_str())
            .collect();
        Ok(Report {
            title: format!("One locus: {}", place(&self.found)),
            subtitle: format!(
                "{} · {} · {}",
                models.join(" and "),
                self.about.genome,
                self.about.annotation
            ),
            headline: "One locus illustrates; it is no evidence.".into(),
            answer: answer(&self.found),
            sections: vec![
                self.locus(&svg),
                self.sites(),
                self.motifs(),
                self.methods(),
                self.caveats(),
                self.about.section(&self.request, &Locus::names()),
            ],
            ..Report::default()
        })
    }

    /// The figure, from the tables.
    fn figure(&self) -> LocusFigure {
        let (found, frame) = (&self.found, &self.found.frame);
        let series = |name: &String, threshold: Option<f64>| {
            let of_series = || {
                found
                    .positions
                    .iter()
                    .filter(|position| position.series == *name)
            };
            LocusSeries {
                label: name.clone(),
                first: of_series()
                    .next()
                    .map_or(0, |position| position.position as usize),
                values: of_series().map(|position| position.boundary_prob).collect(),
                threshold,
            }
        };
        let models = found
            .series
            .iter()
            .map(|row| series(&row.series, Some(f64::from(THRESHOLD))));
        let tracks = found.tracks.iter().map(|name| series(name, None));
        let hit = |row: &HitRow| LocusHit {
            label: row.motif_name.clone(),
            plus: row.strand == "+",
            whole: (row.start as usize, row.end as usize),
            p_value: row.p_value,
        };
        LocusFigure {
            title: format!(
                "{} ({} bases)",
                capital(&place(found)),
                count(frame.interval.len_bp())
            ),
            start: frame.interval.start,
            letters: frame.letters.bytes().collect(),
            reversed: frame.strand == Strand::Minus,
            series: models.chain(tracks).collect(),
            genes: genes(found),
            hits: found.hits.iter().map(hit).collect(),
            anchor: frame.anchor.map(|position| {
                (
                    position,
                    frame
                        .anchor_name
                        .split(" of ")
                        .next()
                        .unwrap_or_default()
                        .to_string(),
                )
            }),
            zoom: zoom(found),
            sequence: frame.contig.clone(),
        }
    }

    fn locus(&self, svg: &str) -> Section {
        let found = &self.found;
        let mut blocks = vec![Block::Cards(
            found
                .series
                .iter()
                .flat_map(|row| cards(row, found.series.len() > 1))
                .collect(),
        )];
        blocks.push(Block::Callout {
            level: Level::Note,
            text: "One place, chosen by hand, is an illustration and no evidence. Whether boundaries fall on such elements is what splice-profile, \
                   motif-enrichment and density ask, with controls."
                .into(),
        });
        let minus = found.frame.strand == Strand::Minus;
        blocks.push(Block::Figure {
            svg: svg.into(),
            label: "The locus".into(),
            caption: format!(
                "Boundary probability at every inter-base position as the model reads the {} strand{}; the dashed line is the threshold of 0.5, above which a \
                 boundary is kept. Below: kept boundaries, the tokens between them (shaded in turn), gene models (canonical transcripts: boxes are exons, \
                 tall boxes coding; arrows point 3′), motif hits (green: on this strand, pink: on the other){}.{} {}",
                if minus { "minus" } else { "plus" },
                if minus { ", drawn 5′ to 3′, so that coordinates fall from left to right" } else { "" },
                if found.frame.anchor.is_some() { "; the vertical line is the place the window was laid around, and offsets count from it" } else { "" },
                if found.tracks.is_empty() { "" } else { " Tracks are drawn as they are: the value of a base stands at the position before it on this strand." },
                if zoom(found).is_some() { "The grey stretch is drawn again below, with its nucleotides." } else { "" },
            ),
            downloads: downloads("locus", "positions"),
        });
        blocks.push(Block::Table(self.numbers()));
        Section {
            title: "The locus".into(),
            blocks,
        }
    }

    /// One column a model: it fits a phone.
    fn numbers(&self) -> Table {
        let line = |name: &str, value: &dyn Fn(&SeriesRow) -> String| -> Vec<Cell> {
            std::iter::once(name.into())
                .chain(self.found.series.iter().map(|row| Cell::Text(value(row))))
                .collect()
        };
        let rows = vec![
            line("inter-base positions", &|r| count(r.n_positions as usize)),
            line("boundaries (probability above 0.5)", &|r| {
                format!(
                    "{} ({})",
                    count(r.n_boundaries as usize),
                    percent(r.density, 1)
                )
            }),
            line("mean probability", &|r| decimals(r.mean_probability, 3)),
            line("bases a token", &per_token),
            line("annotated sites of the strand", &|r| {
                count(r.n_sites as usize)
            }),
            line("those with a boundary within 2 bp", &|r| {
                count(r.n_sites_hit as usize)
            }),
            line("expected from the density", &|r| {
                decimals(r.expected_sites_hit, 1)
            }),
        ];
        let names = self
            .found
            .series
            .iter()
            .map(|row| Column::new(row.series.clone(), Format::Text));
        Table {
            caption: "The window in numbers. Bases a token: positions over boundaries. Expected: annotated sites times the share of the window’s positions \
                      that have a boundary as near."
                .into(),
            columns: std::iter::once(Column::new("", Format::Text)).chain(names).collect(),
            rows,
        }
    }

    fn sites(&self) -> Section {
        let found = &self.found;
        let head = [
            ("site", Format::Text),
            ("position (after base, from 1)", Format::Integer),
            ("gene", Format::Text),
            ("model", Format::Text),
            ("nearest boundary, bp", Format::Integer),
        ];
        let row = |site: &SiteRow| -> Vec<Cell> {
            let distance = site
                .boundary_distance_bp
                .map_or(Cell::Empty, |bp| (bp as usize).into());
            vec![
                site.site_kind.clone().into(),
                (site.position as usize).into(),
                site.gene.clone().into(),
                site.series.clone().into(),
                distance,
            ]
        };
        let caption = format!(
            "Transcription starts and splice junctions of all transcripts on the strand that is read, with {SITE_REACH} positions of the window on either \
             side, and the bases to the nearest kept boundary."
        );
        let table = Table {
            caption,
            columns: columns(&head),
            rows: found.sites.iter().map(row).collect(),
        };
        Section {
            title: "Annotated sites".into(),
            blocks: vec![Block::Table(table)],
        }
    }

    fn motifs(&self) -> Section {
        let (found, frame) = (&self.found, &self.found.frame);
        if self.request.motifs.is_empty() {
            return Section {
                title: "Motif hits".into(),
                blocks: vec![paragraph("No motifs were scanned for.")],
            };
        }
        let mut best: Vec<_> = found.hits.iter().collect();
        best.sort_by(|a, b| a.p_value.total_cmp(&b.p_value).then(a.start.cmp(&b.start)));
        best.truncate(SHOWN);
        let head = [
            ("motif", Format::Text),
            ("bases (from 1)", Format::Text),
            ("strand", Format::Text),
            ("sequence", Format::Text),
            ("bits", Format::Decimals(1)),
            ("p of the place", Format::PValue),
        ];
        let row = |hit: &&HitRow| -> Vec<Cell> {
            let bases = format!(
                "{}–{}",
                count(hit.start as usize + 1),
                count(hit.end as usize)
            );
            vec![
                format!("{} ({})", hit.motif_name, hit.motif_id).into(),
                bases.into(),
                hit.strand.clone().into(),
                hit.matched.clone().into(),
                hit.score.into(),
                Cell::P {
                    value: hit.p_value,
                    floor: None,
                },
            ]
        };
        let unreachable = match frame.n_unreachable {
            0 => String::new(),
            n => format!(
                " {} motifs could have no hit: their best k-mer is more likely than the threshold.",
                count(n)
            ),
        };
        let caption = format!(
            "Hits of {} motifs ({}) on both strands: {} of {} by p-value. The p-value is that of one place and counts no other.{unreachable}",
            count(frame.n_motifs),
            self.request.motifs,
            count(best.len()),
            count(found.hits.len())
        );
        let table = Table {
            caption,
            columns: columns(&head),
            rows: best.iter().map(row).collect(),
        };
        Section {
            title: "Motif hits".into(),
            blocks: vec![Block::Table(table)],
        }
    }

    fn methods(&self) -> Section {
        let found = &self.found;
        let reading = |row: &SeriesRow| {
            format!(
                "{}: tiles of {} bases, {} trimmed from each end",
                row.series,
                count(row.context_bp as usize),
                count(row.margin_bp as usize)
            )
        };
        let readings: Vec<String> = found.series.iter().map(reading).collect();
        let texts = [
            format!(
                "The window is {} of {}, read on the {} strand. Regions are written as samtools and the UCSC browser write them: counted from 1, both ends included. \
                 In the tables bases are 0-based and intervals half-open, and inter-base position t lies before base t of the plus strand.",
                region::written("", found.frame.interval).trim_start_matches(':'),
                found.frame.contig,
                if found.frame.strand == Strand::Minus {
                    "minus"
                } else {
                    "plus"
                },
            ),
            format!(
                "Reading: {}; {} bases in all. On the minus strand the model is given the reverse complement, in which position t of a tile of length L becomes L − t.",
                readings.join("; "),
                count(found.bases_read as usize)
            ),
            format!(
                "A token reaches from one kept boundary to the next. Motif hits have p ≤ {:e} for a random k-mer of the contig’s nucleotides; core promoter elements are taken \
                 where they may lie of an annotated start, at p ≤ 0.001; of overlapping hits of a motif the best is kept.",
                self.request.p
            ),
        ];
        Section {
            title: "How it was done".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }

    fn caveats(&self) -> Section {
        let mut texts = vec![
            "One window has too few sites to tell chance from anything else, and it was chosen by someone: the numbers above describe it and test nothing."
                .to_string(),
            "A boundary every few bases has one within two bases of nearly any site: compare with what the density alone gives.".into(),
            "A motif hit is a k-mer that fits, not a site that a factor binds.".into(),
        ];
        if self.about.bundled {
            texts.push("Most of this chromosome was training sequence of the bundled model (without labels).".into());
        }
        Section {
            title: "What this does not show".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }
}

/// `TSS of ci (NM_...), chr4:...`, or the region alone; with the strand.
fn place(found: &Locus) -> String {
    let frame = &found.frame;
    let written = format!(
        "{}, {} strand",
        region::written(&frame.contig, frame.interval),
        if frame.strand == Strand::Minus {
            "minus"
        } else {
            "plus"
        }
    );
    if frame.anchor_name.is_empty() {
        written
    } else {
        format!("{}, {written}", frame.anchor_name)
    }
}

/// Gene models, put together from the rows of their parts.
fn genes(found: &Locus) -> Vec<LocusGene> {
    let mut genes: Vec<LocusGene> = Vec::new();
    for row in &found.genes {
        let part = (row.start as usize, row.end as usize);
        match (row.feature.as_str(), genes.last_mut()) {
            ("exon", Some(gene)) => gene.exons.push(part),
            ("cds", Some(gene)) => gene.cds.push(part),
            _ => genes.push(LocusGene {
                label: row.gene.clone(),
                plus: row.strand == "+",
                whole: part,
                ..LocusGene::default()
            }),
        }
    }
    genes
}

/// The stretch that is drawn again with its letters: around the anchor, or the annotated site
/// nearest the middle, or the middle. `None` where the letters of the whole window can be read.
fn zoom(found: &Locus) -> Option<(usize, usize)> {
    let Interval { start, end } = found.frame.interval;
    let width = LocusFigure::legible_bp().saturating_sub(2) / 2 * 2;
    let middle = (start + end) / 2;
    let site = found
        .sites
        .iter()
        .map(|site| site.position as usize)
        .min_by_key(|position| position.abs_diff(middle));
    let centre = found.frame.anchor.or(site).unwrap_or(middle);
    let from = centre
        .saturating_sub(width / 2)
        .clamp(start, end.saturating_sub(width).max(start));
    (end - start > LocusFigure::legible_bp()).then_some((from, from + width))
}

fn cards(row: &SeriesRow, several: bool) -> [Card; 2] {
    let of = if several {
        format!(", {}", row.series)
    } else {
        String::new()
    };
    [
        Card {
            label: format!("Boundaries{of}"),
            value: count(row.n_boundaries as usize),
            uncertainty: format!(
                "of {} positions ({}); {} bases a token",
                count(row.n_positions as usize),
                percent(row.density, 1),
                per_token(row)
            ),
        },
        Card {
            label: format!("Annotated sites with a boundary within {SITE_REACH} bp{of}"),
            value: format!("{} of {}", row.n_sites_hit, row.n_sites),
            uncertainty: format!(
                "{} expected by the density of boundaries",
                decimals(row.expected_sites_hit, 1)
            ),
        },
    ]
}

fn per_token(row: &SeriesRow) -> String {
    if row.mean_token_bp.is_nan() {
        MISSING.into()
    } else {
        decimals(row.mean_token_bp, 1)
    }
}

/// The paragraph at the head of the page.
fn answer(found: &Locus) -> String {
    let of_series = |row: &SeriesRow| {
        let who = if found.series.len() > 1 {
            format!("{} cuts", row.series)
        } else {
            "The model cuts".into()
        };
        let sites = match row.n_sites {
            0 => "No annotated transcription start or junction of this strand lies inside.".into(),
            n => format!(
                "{} of {n} annotated starts and junctions {} a boundary within {SITE_REACH} bp, where {} are expected from the density of boundaries alone.",
                row.n_sites_hit,
                if row.n_sites_hit == 1 { "has" } else { "have" },
                decimals(row.expected_sites_hit, 1)
            ),
        };
        format!(
            "{who} these {} bases at {} of {} positions, {} bases a token on average. {sites}",
            count(found.frame.interval.len_bp()),
            count(row.n_boundaries as usize),
            count(row.n_positions as usize),
            per_token(row)
        )
    };
    let series: Vec<String> = found.series.iter().map(of_series).collect();
    series.join(" ")
}

fn summary(found: &Locus) -> String {
    format!(
        "{}\n{} One locus illustrates; it is no evidence.\nmotif hits: {}, genes: {}",
        place(found),
        answer(found),
        found.hits.len(),
        genes(found).len()
    )
    .replace('\u{A0}', " ")
}
