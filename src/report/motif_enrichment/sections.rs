//! The sections of the page.

use std::collections::HashMap;

use super::pictures::{covariate_name, motif_label};
use super::{ENDPOINTS, MotifPage, RATE, Svg, controls, rows, tally, yardstick};
use crate::pipelines::motif_enrichment::{
    BalanceRow, ELEMENT_P, MotifRow, PERMUTED_MATRICES, SCORE_CALIPER_BITS, StatisticsRow,
    TSS_DISTANCE_BP, TSS_SLACK_BP, YARDSTICKS,
};
use crate::report::block::{downloads, link, paragraph};
use crate::report::format::{count, decimals};
use crate::report::table::table;
use crate::report::{Block, Cell, Column, Format, Level, Section, Table, columns};

/// The customary limit of a standardised mean difference.
const BALANCED: f64 = 0.1;

/// Significant motifs that the table of the result names.
const SHOWN: usize = 25;

/// Motifs in the table of all: a page stays under 8 MB whatever was asked.
const LISTED: usize = 3000;

/// Why a hit has no control, as the table unmatched has it and in words.
const REASONS: [(&str, &str); 5] = [
    ("no_candidate", "no candidate in the promoter"),
    ("outside_caliper", "none alike"),
    ("taken", "taken by other hits"),
    ("contig_end", "too near a contig’s end"),
    ("few_orders", "too few permuted matrices with hits"),
];

/// One row a comparison.
fn table(rows: &[&StatisticsRow], caption: String) -> Table {
    table! {
        caption;
        rows.iter();
        |r: &&StatisticsRow|
        "motif", Format::Text => motif_label(&r.motif_name, &r.motif_id);
        "control", Format::Text => r.control.clone();
        "endpoint", Format::Text => r.endpoint.clone();
        "pairs or hits", Format::Integer => r.n_pairs;
        "clusters", Format::Integer => r.n_clusters;
        "hits", Format::Decimals(3) => r.hit_mean;
        "controls", Format::Decimals(3) => r.control_mean;
        "difference", Format::Decimals(4) => r.difference;
        "95% CI", Format::Interval => (r.ci_low, r.ci_high);
        "d", Format::Decimals(2) => r.d;
        "AUROC", Format::Decimals(3) => r.auroc;
        "p", Format::PValue => Cell::p(r.p_value, Some(r.p_floor));
        "p, BH", Format::PValue => Cell::p(r.p_bh, None);
        "p, BY", Format::PValue => Cell::p(r.p_by, None);
        "least balanced (SMD)", Format::Text => match r.worst_covariate.as_str() {
                "" => Cell::Empty,
                covariate => {
                    format!("{} {}", covariate_name(covariate), decimals(r.worst_smd, 2)).into()
                }
            };
    }
}

impl MotifPage {
    pub(super) fn result(&self, svg: &Svg) -> Section {
        let terms = self.about.terms();
        let (quantity, reader) = (terms.quantity(), terms.reader());
        let found = &self.found;
        let mut blocks = Vec::new();
        if found.negative_control {
            let text = format!(
                "This run compares the hits of one column-permuted version of each matrix with those of others: nothing but chance should differ. It checks the method, not the {}.",
                self.about.terms().reader()
            );
            blocks.push(Block::Callout {
                level: Level::Note,
                text,
            });
        }
        let tallied = |control: &&str| -> Vec<Vec<Cell>> {
            let line = |endpoint: &str| -> Vec<Cell> {
                let (n, up, down) = tally(found, control, endpoint);
                let least = rows(found, control, endpoint)
                    .map(|row| row.p_floor)
                    .fold(f64::NAN, f64::min);
                let letters = yardstick(found, control, endpoint)
                    .map(|(middle, least, most)| format!("{middle} ({least} to {most})"));
                let letters = letters.map_or(Cell::Empty, Cell::from);
                vec![
                    (*control).into(),
                    endpoint.into(),
                    n.into(),
                    up.into(),
                    down.into(),
                    letters,
                    Cell::P {
                        value: least,
                        floor: None,
                    },
                ]
            };
            ENDPOINTS
                .iter()
                .map(|(endpoint, _)| line(endpoint))
                .collect()
        };
        let head = [
            ("control", Format::Text),
            ("endpoint", Format::Text),
            ("motifs tested", Format::Integer),
            ("higher", Format::Integer),
            ("lower", Format::Integer),
            ("differ by two nucleotides alone", Format::Text),
            ("least p any test could give", Format::PValue),
        ];
        blocks.push(Block::Table(Table {
            caption: format!(
                "Motifs whose hits differ from their controls at a false discovery rate of 5% (Benjamini-Hochberg over the motifs of each row; the rows are separate families). Two nucleotides \
                 alone: how many motifs differ where the {reader} is replaced by a random function of the two nucleotides around a position, median and range of {YARDSTICKS} functions; a count within \
                 that range needs no knowledge of motifs. p against permuted is that of a parametric law, without a floor."
            ),
            columns: columns(&head),
            rows: controls(found).iter().flat_map(tallied).collect(),
        }));
        if let Some(calibration) = &svg.calibration {
            blocks.push(Block::Figure {
                svg: calibration.clone(),
                label: "Calibration".into(),
                caption: "The p-values of all motifs in order, beside the line of uniform ones: what a valid test gives where there is nothing to find.".into(),
                downloads: downloads("calibration", "statistics"),
            });
        }
        blocks.push(Block::Figure {
            svg: svg.volcano.clone(),
            label: "All motifs".into(),
            caption: format!("Each point is a motif: how far the {quantity} around the edges of its hits, or inside them, differs from that of controls, and how sure that is. \
                      Difference and p are of the same comparison."),
            downloads: downloads("volcano", "statistics"),
        });
        blocks.push(Block::Figure {
            svg: svg.forest.clone(),
            label: "Groups of like motifs".into(),
            caption: "The groups with the smallest p-values, with 95% intervals (not adjusted for the choice). Near-identical matrices are one group; the member with most hits \
                      stands for it, whatever its result. Against permuted the interval is that of the test: it leaves 0 out where p is below 0.05, and pairs are the hits."
                .into(),
            downloads: downloads("forest", "statistics"),
        });
        let mut best: Vec<&StatisticsRow> = found
            .statistics
            .iter()
            .filter(|row| row.p_bh <= RATE)
            .collect();
        best.sort_by(|a, b| {
            a.p_value
                .total_cmp(&b.p_value)
                .then(b.d.abs().total_cmp(&a.d.abs()))
        });
        let all = best.len();
        best.truncate(SHOWN);
        if !best.is_empty() {
            let caption = format!(
                "Significant comparisons ({} of {} shown; all are in the table statistics). d: difference over the standard deviation of the paired differences, against permuted over \
                 that of hits of one order of columns. AUROC: probability that a hit exceeds a control. p: sign flips of clusters of promoters; against permuted, that the level of the motif is \
                 one more draw of the levels of the orders of its columns. SMD: standardised mean difference of hits and controls.",
                best.len(),
                count(all)
            );
            blocks.push(Block::Table(table(&best, caption)));
        }
        Section {
            title: "Result".into(),
            blocks,
        }
    }

    /// One row a motif, all controls side by side.
    pub(super) fn all_motifs(&self) -> Section {
        let controls = controls(&self.found);
        let mut head = vec![
            ("motif".to_string(), Format::Text),
            ("identifier".into(), Format::Text),
            ("family".into(), Format::Text),
            ("usable hits".into(), Format::Integer),
        ];
        let comparisons = || {
            controls
                .iter()
                .flat_map(|control| ENDPOINTS.map(|(endpoint, _)| (*control, endpoint)))
        };
        for (control, endpoint) in comparisons() {
            head.extend([
                (format!("{control}, {endpoint}"), Format::Decimals(4)),
                ("p BH".to_string(), Format::PValue),
            ]);
        }
        let of: HashMap<(&str, &str, &str), &StatisticsRow> = self
            .found
            .statistics
            .iter()
            .map(|row| {
                (
                    (
                        row.motif_id.as_str(),
                        row.control.as_str(),
                        row.endpoint.as_str(),
                    ),
                    row,
                )
            })
            .collect();
        let line = |motif: &&MotifRow| -> Vec<Cell> {
            let mut cells: Vec<Cell> = vec![
                motif.motif_name.clone().into(),
                motif.motif_id.clone().into(),
                motif.structural_family.clone().into(),
                (motif.n_usable as usize).into(),
            ];
            for (control, endpoint) in comparisons() {
                let row = of
                    .get(&(motif.motif_id.as_str(), control, endpoint))
                    .filter(|row| row.p_value.is_finite());
                cells.extend(row.map_or([Cell::Empty, Cell::Empty], |row| {
                    [
                        row.difference.into(),
                        Cell::P {
                            value: row.p_bh,
                            floor: None,
                        },
                    ]
                }));
            }
            cells
        };
        let mut tested: Vec<&MotifRow> = self
            .found
            .motifs
            .iter()
            .filter(|row| row.status == "tested")
            .collect();
        tested.sort_by(|a, b| {
            b.n_usable
                .cmp(&a.n_usable)
                .then(a.motif_id.cmp(&b.motif_id))
        });
        let all = tested.len();
        tested.truncate(LISTED);
        let shown = if all > tested.len() {
            format!(
                " The {} with most hits are shown; the table statistics has all.",
                count(LISTED)
            )
        } else {
            String::new()
        };
        let caption = format!(
            "All {} motifs tested: difference from each control at edges and inside, and p adjusted over the motifs (Benjamini-Hochberg).{shown}",
            count(all)
        );
        let columns = head
            .into_iter()
            .map(|(name, format)| Column::new(name, format))
            .collect();
        let table = Table {
            caption,
            columns,
            rows: tested.iter().map(line).collect(),
        };
        let links = vec![link(
            "All numbers (statistics.tsv)",
            "tables/statistics.tsv".into(),
        )];
        Section {
            title: "Every motif".into(),
            blocks: vec![Block::Table(table), Block::Links(links)],
        }
    }

    pub(super) fn panel_section(&self, svg: &Svg) -> Section {
        let quantity = self.about.terms().quantity();
        let of: Vec<&StatisticsRow> = self
            .found
            .statistics
            .iter()
            .filter(|row| self.request.panels.contains(&row.motif_id))
            .collect();
        let mut blocks = vec![
            Block::Figure {
                svg: svg.motifs.clone(),
                label: "Core promoter elements".into(),
                caption: format!(
                    "Mean {quantity} around hits of core promoter elements, where they are known to lie (within {TSS_SLACK_BP} bases of the start site the annotation gives), and around their controls. \
                     Offset 0 is the first edge of the motif, in its orientation; the logo stands under the nucleotides it describes."
                ),
                downloads: downloads("r2_motifs", "profile"),
            },
            Block::Table(self.elements()),
            Block::Table(table(
                &of,
                "The same elements in numbers, where there are hits enough. Against permuted: all usable hits, beside those of other orders of the columns in the same place.".into(),
            )),
            paragraph(
                "Start codons count where they lie in the promoters that were read, which end soon after the start site: Kozak sequences further downstream are not looked at.",
            ),
        ];
        if !self.found.promoters.is_empty()
            && self
                .found
                .promoters
                .iter()
                .all(|promoter| promoter.tss.is_none())
        {
            let text = "The promoters of the file have no start sites, so no element can be placed. With --regions-are starts or thick they have.";
            blocks.insert(
                0,
                Block::Callout {
                    level: Level::Warning,
                    text: text.into(),
                },
            );
        }
        Section {
            title: "Core promoter elements".into(),
            blocks,
        }
    }

    /// Hits of the elements of the panels, beside what chance gives.
    fn elements(&self) -> Table {
        let row = |m: &MotifRow| -> Vec<Cell> {
            vec![
                motif_label(&m.motif_name, &m.motif_id).into(),
                (m.n_usable as usize).into(),
                ((m.n_hits - m.n_misplaced) as usize).into(),
                m.n_expected.into(),
                Cell::P {
                    value: m.p_threshold,
                    floor: None,
                },
                Cell::P {
                    value: m.best_p,
                    floor: None,
                },
            ]
        };
        let head = [
            ("element", Format::Text),
            ("usable hits", Format::Integer),
            ("hits in place", Format::Integer),
            ("by chance", Format::Decimals(1)),
            ("largest p of a hit", Format::PValue),
            ("p of the best k-mer", Format::PValue),
        ];
        let caption = "Hits of core promoter elements where they may lie, and how many independent nucleotides of the promoters’ composition would give there (overlaps not resolved). \
                       Where both are alike, most hits are k-mers that happen to stand there.";
        let rows = self
            .request
            .panels
            .iter()
            .filter_map(|id| self.motif(id))
            .map(row)
            .collect();
        Table {
            caption: caption.into(),
            columns: columns(&head),
            rows,
        }
    }

    pub(super) fn shuffled_section(&self, svg: &Svg) -> Option<Section> {
        let figure = Block::Figure {
            svg: svg.shuffled.clone()?,
            label: "Native and shuffled flanks".into(),
            caption: "The same hits, read in their own flanks and with the flanks shuffled so that every dinucleotide stays. Where the curves agree, the nucleotides of the motif \
                      suffice for what is seen; where they differ, its surroundings have a part in it (nucleotides beyond the flanks, which stay, may too). Both are read in tiles cut at the same bases."
                .into(),
            downloads: downloads("native_vs_shuffled", "profile"),
        };
        Some(Section {
            title: "With shuffled flanks".into(),
            blocks: vec![figure],
        })
    }

    pub(super) fn detail_section(&self, svg: &Svg) -> Section {
        let figure = |(index, (id, svg)): (usize, &(String, String))| Block::Figure {
            svg: svg.clone(),
            label: format!("Every hit of {id}"),
            caption: "One row a hit, in the orientation of the motif, whose edges are dashed."
                .into(),
            downloads: downloads(
                &if index == 0 {
                    "heatmap".to_string()
                } else {
                    format!("heatmap_{}", index + 1)
                },
                "detail",
            ),
        };
        Section {
            title: "Hit by hit".into(),
            blocks: svg.heatmaps.iter().enumerate().map(figure).collect(),
        }
    }

    pub(super) fn balance_section(&self, svg: &Svg) -> Section {
        let mut blocks = vec![Block::Figure {
            svg: svg.balance.clone(),
            label: "Balance".into(),
            caption: "Standardised mean differences of hits and controls, all tested motifs together, before and after matching. Within a motif they may be larger: the table \
                      statistics names the worst covariate of each comparison."
                .into(),
            downloads: downloads("balance", "balance"),
        }];
        let far = |row: &&BalanceRow| row.smd_after.abs() > BALANCED;
        let far: Vec<String> = (self.found.balance.iter().filter(far))
            .map(|row| {
                format!(
                    "{} against {} ({})",
                    covariate_name(&row.covariate),
                    row.control,
                    decimals(row.smd_after, 2)
                )
            })
            .collect();
        if !far.is_empty() {
            let text = format!(
                "Beyond 0.1 after matching: {}. Differences against these controls may be due to that.",
                far.join(", ")
            );
            blocks.push(Block::Callout {
                level: Level::Warning,
                text,
            });
        }
        let row = |r: &BalanceRow| -> Vec<Cell> {
            vec![
                r.control.clone().into(),
                covariate_name(&r.covariate).into(),
                (r.n_sites as usize).into(),
                (r.n_pool as usize).into(),
                (r.n_pairs as usize).into(),
                r.site_mean_after.into(),
                r.control_mean_after.into(),
                r.smd_before.into(),
                r.smd_after.into(),
                r.variance_ratio_after.into(),
            ]
        };
        let head = [
            ("control", Format::Text),
            ("covariate", Format::Text),
            ("hits", Format::Integer),
            ("candidates", Format::Integer),
            ("pairs", Format::Integer),
            ("hit mean", Format::Significant(3)),
            ("control mean", Format::Significant(3)),
            ("SMD before", Format::Decimals(3)),
            ("SMD after", Format::Decimals(3)),
            ("variance ratio after", Format::Decimals(2)),
        ];
        let rows = self.found.balance.iter().map(row).collect();
        blocks.push(Block::Table(Table {
            caption: "Balance over all tested motifs.".into(),
            columns: columns(&head),
            rows,
        }));
        Section {
            title: "How alike hits and controls are".into(),
            blocks,
        }
    }

    pub(super) fn accounting(&self) -> Section {
        let quantity = self.about.terms().quantity();
        let found = &self.found;
        let words = [
            ("tested", "tested"),
            ("few_hits", "fewer usable hits than asked for"),
            ("no_hits", "no usable hit"),
            (
                "not_scannable",
                "best k-mer more likely than the threshold: no hit possible",
            ),
        ];
        let line = |(status, words): &(&str, &str)| -> Vec<Cell> {
            let of: Vec<&MotifRow> = found
                .motifs
                .iter()
                .filter(|row| row.status == *status)
                .collect();
            let mut names: Vec<String> = of
                .iter()
                .take(8)
                .map(|row| row.motif_name.clone())
                .collect();
            if of.len() > names.len() {
                names.push("…".into());
            }
            vec![(*words).into(), of.len().into(), names.join(", ").into()]
        };
        let head = [
            ("motifs", Format::Text),
            ("number", Format::Integer),
            ("", Format::Text),
        ];
        let dropped = |(why, n): (&crate::genome::promoters::Dropped, &usize)| -> Vec<Cell> {
            let why = serde_json::to_value(why)
                .ok()
                .and_then(|value| value.as_str().map(|text| text.replace('_', " ")));
            vec![why.unwrap_or_default().into(), (*n).into()]
        };
        let mut promoters: Vec<Vec<Cell>> = vec![vec!["used".into(), found.promoters.len().into()]];
        promoters.extend(found.dropped.iter().map(dropped));
        let sum = |value: fn(&MotifRow) -> u64| {
            count(found.motifs.iter().map(value).sum::<u64>() as usize)
        };
        let informative: Vec<f64> = found
            .motifs
            .iter()
            .filter(|row| row.status == "tested")
            .map(|row| row.information_r)
            .filter(|r| r.is_finite())
            .collect();
        let mut sorted = informative.clone();
        sorted.sort_by(f64::total_cmp);
        let mut blocks = vec![
            Block::Table(Table {
                caption: "What became of every motif.".into(),
                columns: columns(&head),
                rows: words.iter().map(line).collect(),
            }),
            Block::Table(Table {
                caption: format!(
                    "What became of every start site. Those used make {} regions of {} bases once overlaps are merged.",
                    count(found.n_regions),
                    count(found.region_bp as usize)
                ),
                columns: columns(&[("start sites", Format::Text), ("number", Format::Integer)]),
                rows: promoters,
            }),
            Block::Table(self.unmatched()),
            paragraph(format!(
                "Hits: {} in all, {} of core promoter elements where those do not lie, {} without a whole window of A, C, G and T, {} usable.",
                sum(|row| row.n_hits),
                sum(|row| row.n_misplaced),
                sum(|row| row.n_not_plain),
                sum(|row| row.n_usable)
            )),
        ];
        if !informative.is_empty() {
            blocks.push(paragraph(format!(
                "Over the columns of a motif, information correlates with the mean {quantity} beside the column’s base by a median of {} (a quarter of the motifs \
                 below {}, a quarter above {}): a description, not a test. The column information_r of the table motifs has each.",
                decimals(crate::stats::quantile_sorted(&sorted, 0.5), 2),
                decimals(crate::stats::quantile_sorted(&sorted, 0.25), 2),
                decimals(crate::stats::quantile_sorted(&sorted, 0.75), 2)
            )));
        }
        Section {
            title: "What was and was not used".into(),
            blocks,
        }
    }

    /// What became of the hits of tested motifs, control by control.
    fn unmatched(&self) -> Table {
        let found = &self.found;
        let tested: HashMap<&str, u64> = found
            .motifs
            .iter()
            .filter(|row| row.status == "tested")
            .map(|row| (row.motif_id.as_str(), row.n_usable))
            .collect();
        let row = |control: &str| -> Vec<Cell> {
            let lost = |reason: &str| -> u64 {
                let of = found
                    .unmatched
                    .iter()
                    .filter(|row| row.control == control && row.reason == reason);
                of.filter(|row| tested.contains_key(row.motif_id.as_str()))
                    .map(|row| row.n_hits)
                    .sum()
            };
            let compared = rows(found, control, "edges").count();
            let mut cells: Vec<Cell> = vec![
                control.into(),
                compared.into(),
                (tested.len() - compared).into(),
            ];
            cells.extend(REASONS.map(|(reason, _)| Cell::from(lost(reason) as usize)));
            cells
        };
        let mut head = vec![
            ("control", Format::Text),
            ("motifs compared", Format::Integer),
            ("too few left", Format::Integer),
        ];
        head.extend(REASONS.map(|(_, words)| (words, Format::Integer)));
        let caption = format!(
            "Hits without a control, over the {} tested motifs and their {} usable hits. Too few left: motifs with fewer pairs than asked for, not tested against that control. Each motif is \
             in the table unmatched.",
            count(tested.len()),
            count(tested.values().sum::<u64>() as usize)
        );
        Table {
            caption,
            columns: columns(&head),
            rows: controls(found).into_iter().map(row).collect(),
        }
    }

    pub(super) fn methods(&self) -> Section {
        let reader = self.about.terms().reader();
        let k_mers = self.about.terms().either(
            "a model that responds to k-mers",
            "a signal that follows k-mers",
        );
        let request = &self.request;
        let [a, c, ..] = self.found.background;
        let texts = [
            format!(
                "Motifs are scanned for on both strands by log-odds against the nucleotides of the promoters (A and T {}, C and G {} each), with exact p-values of at most {}; of \
                 overlapping hits of a motif the best is kept. Core promoter elements have p at most {ELEMENT_P}, or hits as good as their best k-mer where that is more likely, and \
                 count only on the strand of the gene (CCAAT and GC boxes, which work in either orientation, on both) and where they are known to lie, within {TSS_SLACK_BP} bases. Elements given \
                 as a consensus fit every k-mer it stands for, all equally well; their p is the chance of any of these.",
                decimals(a, 3),
                decimals(c, 3),
                request.p
            ),
            format!(
                "Promoters that share a base are merged, and the {reader} is read once over each strand. The endpoints were fixed before any result was seen: edges, the mean over the \
             inter-base positions within one of the two edges of the hit; inside, the mean over the positions between those."
            ),
            format!(
                "permuted: hits of {PERMUTED_MATRICES} column-permuted versions of the matrix in the same promoters. The other controls are one for each hit. position: places without a hit in the \
                 same cluster of promoters, on the same strand. outside: hits of the same motif whose score differs by at most {SCORE_CALIPER_BITS} bits, in {} \
                 windows like the promoters in G+C that keep {TSS_DISTANCE_BP} bases off the start sites of the promoters{}. These two are matched on G+C within {} on either side of the \
                 middle ({} bases), then on nearness in G+C, CpG, repeats, distance to the start site and score. Hits of permuted matrices and places of a core promoter element lie where the element \
                 may. shuffled: the hit in its place, {} bases on either side shuffled uniformly among all orders that keep every dinucleotide.",
                count(self.found.n_outside),
                if self.has_annotation() {
                    ", of all those of the annotation, and out of exons"
                } else {
                    "; without an annotation, other start sites and exons are not known"
                },
                request.caliper,
                request.gc_flank_bp,
                request.flank
            ),
            format!(
                "Against position, outside and shuffled, p-values flip the signs of whole clusters of promoters: those that share a base or a gene. A test that fewer than ten of {} flips reach is \
                 done anew with so many that its floor is a tenth of the least Benjamini-Hochberg threshold; intervals hold what the flips do not reject. A motif left with fewer than {} \
                 pairs is not tested. Against permuted the unit is the order of the columns, as {k_mers} gives every order a level of its own: the difference is \
                 the mean over all usable hits less the mean over the orders of their mean hit, and p asks whether the motif’s level is one more draw of theirs. A level is normal between orders, and known \
                 by a mean whose sampling variance follows from the number of hits and of clusters of promoters (variance components by moments over all orders). The variance between orders has the \
                 confidence distribution of Cochran’s Q (Viechtbauer 2007; Nagashima, Noma & Furukawa 2019); difference, interval and p are of this one model. The table orders has every mean with its error.",
                count(request.permutations),
                request.min_hits
            ),
        ];
        Section {
            title: "How it was done".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }

    fn has_annotation(&self) -> bool {
        self.about
            .inputs
            .iter()
            .any(|input| input.role == "annotation")
    }

    pub(super) fn caveats(&self) -> Section {
        let dinucleotides = self.about.terms().either(
            "a router that responds to dinucleotides responds to",
            "a signal that follows dinucleotides follows",
        );
        let mut texts = vec![
            "A hit is a k-mer that fits, not a site that a factor binds.".to_string(),
            "Motifs of one family share hits, and tests of different motifs share promoters: numbers of significant motifs count families more than once.".into(),
            format!("Permuted matrices keep nucleotides but not their order: {dinucleotides} the motif’s own, so a difference to permuted hits need not mean more than that. Their hits are not matched to the motif’s in composition. Random places differ in nucleotides too."),
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
