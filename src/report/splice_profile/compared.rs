//! The sections on families of controls, on the letters nearby, on single offsets and on the two
//! strands.

use super::answer::{beyond, controls_of, primary};
use super::{SplicePage, Svg};
use crate::controls::family::CALIPER_SD;
use crate::pipelines::comparison::strand_windows;
use crate::pipelines::splice_profile::{MatchingRow, RunRow, StatisticsRow, StrandRow, WidthRow};
use crate::report::block::{downloads, link, paragraph};
use crate::report::format::{MISSING, capital, count, decimals, integer};
use crate::report::table::table;
use crate::report::{Block, Cell, Format, Level, Section, Table, columns};

fn p_cell(row: &StatisticsRow, value: f64, floor: Option<f64>) -> Cell {
    if row.n_pairs == 0 {
        MISSING.into()
    } else {
        Cell::P { value, floor }
    }
}

/// One row a kind and family, of one measure.
fn table(rows: Vec<&StatisticsRow>, caption: &str) -> Table {
    table! {
        caption;
        rows.into_iter();
        |r: &StatisticsRow|
        "sites", Format::Text => r.site_kind.clone();
        "control", Format::Text => r.control.clone();
        "pairs", Format::Integer => r.n_pairs;
        "units", Format::Integer => r.n_clusters;
        "difference", Format::Decimals(4) => r.difference;
        "95% CI", Format::Interval => (r.ci_low, r.ci_high);
        "d", Format::Decimals(2) => r.d;
        "AUROC", Format::Decimals(3) => r.auroc;
        "95% CI", Format::Interval => (r.auroc_low, r.auroc_high);
        "p", Format::PValue => p_cell(r, r.p_value, Some(r.p_floor));
        "p, BH", Format::PValue => p_cell(r, r.p_bh, None);
        "p, BY", Format::PValue => p_cell(r, r.p_by, None);
    }
}

impl SplicePage {
    fn of_measure(&self, measure: &str) -> Vec<&StatisticsRow> {
        self.found
            .comparison
            .statistics
            .iter()
            .filter(|row| row.measure == measure)
            .collect()
    }

    pub(super) fn families(&self, svg: &Svg) -> Section {
        let quantity = self.about.terms().quantity();
        let mut blocks = vec![Block::Figure {
            svg: svg.families.clone(),
            label: "Every family of controls".into(),
            caption: "Site minus control, mean over offsets −2 to +2, with 95% intervals. Each family holds other things equal; what each one holds is \
                      said below. The lower groups repeat the comparison on what a table of the nucleotides within 8 bases leaves unexplained."
                .into(),
            downloads: downloads("families", "statistics"),
        }];
        blocks.extend(self.widths());
        blocks.push(Block::Table(table(
            self.of_measure("probability"),
            "The endpoint in every family. d: mean difference over the standard deviation of the differences. AUROC: probability that a site exceeds a \
             control. p: sign flips of whole units of replication. BH, BY: adjusted over all rows of this table (false discovery rate; BY holds \
             under any dependence between rows).",
        )));
        if let Some(calibration) = &svg.calibration {
            blocks.push(Block::Figure {
                svg: calibration.clone(),
                label: "Calibration".into(),
                caption: "The p-values of this negative control in order, beside the line of uniform ones: what a valid test gives where there is nothing to find. \
                          Rows share sites and genes, so that they scatter together; a lone low value is no alarm, a heap of them is."
                    .into(),
                downloads: downloads("calibration", "statistics"),
            });
        }
        if self.request.comparison.strand_average {
            blocks.push(Block::Table(table(
                self.of_measure("strand_average"),
                self.about.terms().either(
                    "The same with every probability averaged over both strands.",
                    "The same with every value averaged over both strands.",
                ),
            )));
        }
        if let Some(others) = &svg.others {
            blocks.push(Block::Figure {
                svg: others.clone(),
                label: format!("Mean {quantity} around the junction, by family"),
                caption:
                    "As the first figure, for the other families. The sites differ between panels: each shows those that found a control."
                        .into(),
                downloads: downloads("r1_splice_families", "profile"),
            });
        }
        Section {
            title: "Against every family of controls".into(),
            blocks,
        }
    }

    /// Family `kmer` by the letters shared.
    fn widths(&self) -> Option<Block> {
        let row = |r: &WidthRow| -> Vec<Cell> {
            vec![
                r.site_kind.clone().into(),
                (r.kmer as usize).into(),
                (r.n_pairs as usize).into(),
                (r.n_clusters as usize).into(),
                r.site_mean.into(),
                r.control_mean.into(),
                r.difference.into(),
                Cell::Interval {
                    low: r.ci_low,
                    high: r.ci_high,
                },
                Cell::P {
                    value: r.p_value,
                    floor: Some(r.p_floor),
                },
            ]
        };
        let head = [
            ("sites", Format::Text),
            ("nucleotides shared", Format::Integer),
            ("pairs", Format::Integer),
            ("units", Format::Integer),
            ("sites", Format::Decimals(4)),
            ("controls", Format::Decimals(4)),
            ("difference", Format::Decimals(4)),
            ("95% CI", Format::Interval),
            ("p", Format::PValue),
        ];
        let rows: Vec<Vec<Cell>> = self
            .found
            .comparison
            .widths
            .iter()
            .filter(|r| r.measure == "probability")
            .map(row)
            .collect();
        let caption = "Family kmer by the number of nucleotides that site and control share. Only the full width, the first row of each kind, holds those nucleotides equal and is in the other tables: \
                       with fewer, the rest of the nucleotides differ too. p is not adjusted.";
        (!rows.is_empty()).then(|| {
            Block::Table(Table {
                caption: caption.into(),
                columns: columns(&head),
                rows,
            })
        })
    }

    pub(super) fn discussion(&self, svg: &Svg) -> Section {
        let quantity = self.about.terms().quantity();
        let as_expected = self.about.terms().either(
            "that the model treats as its nucleotides let expect",
            "with the signal that its nucleotides let expect",
        );
        let baseline = &self.found.comparison.baseline;
        let Some(widest) = baseline.last() else {
            let text = format!(
                "Too few genes were read to say how much of the {quantity} the nucleotides nearby explain."
            );
            return Section {
                title: "Discussion: how much of it is the nucleotides nearby?".into(),
                blocks: vec![paragraph(text)],
            };
        };
        let best = baseline
            .iter()
            .max_by(|a, b| a.r2.total_cmp(&b.r2))
            .unwrap_or(widest);
        let mut blocks = vec![Block::Figure {
            svg: svg.baseline.clone(),
            label: "What the nucleotides nearby explain".into(),
            caption: format!(
                "Share of the variance of the {quantity} that a back-off table of the nucleotides within k bases on either side predicts, in genes \
                 that the table was not fitted on: {} positions of {} clusters of genes, none within {} bases of an annotated site of their \
                 strand. Bars: 95% intervals of a bootstrap over clusters. The best width, k = {}, explains {}.",
                count(widest.n_positions as usize),
                widest.n_clusters,
                crate::pipelines::comparison::baseline::SITE_REACH,
                best.k,
                decimals(best.r2, 3)
            ),
            downloads: downloads("r2_by_k", "baseline"),
        }];
        blocks.extend(
            beyond(&self.found, true)
                .into_iter()
                .filter(|_| !self.found.comparison.negative_control)
                .map(paragraph),
        );
        if let Some(residual) = &svg.residual {
            blocks.push(Block::Figure {
                svg: residual.clone(),
                label: "What is left at functional sites once the nucleotides nearby are accounted for".into(),
                caption: format!("As the first figure, but of the {quantity} less what the nucleotides nearby explain, in both stages. A site {as_expected} lies at zero."),
                downloads: downloads("r1_splice_residual", "profile"),
            });
            blocks.push(Block::Table(table(
                self.of_measure("residual"),
                "The endpoint of the residual in every family.",
            )));
        }
        blocks.push(paragraph(
            "The table is fitted away from sites and has hardly seen their consensus. So what it leaves is regressed on the nucleotides of the sites and controls themselves, in other \
             genes, and the residual is less both, where there are 40 sites in ten genes or more. A residual difference can be owed to nucleotides further off as well as to \
             knowledge of splicing. No residual difference means that the nucleotides nearby suffice: what sites alone have and their nucleotides foretell is theirs.",
        ));
        Section {
            title: "Discussion: how much of it is the nucleotides nearby?".into(),
            blocks,
        }
    }

    pub(super) fn offsets(&self) -> Section {
        let first = self
            .request
            .comparison
            .controls
            .families
            .first()
            .map_or("", |family| family.name());
        let runs: Vec<&RunRow> = self
            .found
            .comparison
            .runs
            .iter()
            .filter(|run| run.p_value <= 0.05 && run.control == first)
            .collect();
        let signed = |offset: i64| {
            if offset > 0 {
                format!("+{offset}")
            } else {
                integer(offset)
            }
        };
        let row = |run: &RunRow| -> Vec<Cell> {
            let inside = self.found.comparison.offsets.iter().filter(|o| {
                (&o.site_kind, &o.control, &o.measure)
                    == (&run.site_kind, &run.control, &run.measure)
                    && (run.first..=run.last).contains(&o.offset)
            });
            let named: Vec<String> = inside
                .filter(|o| o.p_max_t <= 0.05)
                .map(|o| signed(o.offset))
                .collect();
            vec![
                run.site_kind.clone().into(),
                run.control.clone().into(),
                run.measure.clone().into(),
                format!("{} to {}", signed(run.first), signed(run.last)).into(),
                run.mass.into(),
                Cell::P {
                    value: run.p_value,
                    floor: Some(run.p_floor),
                },
                named.join(", ").into(),
            ]
        };
        let head = [
            ("sites", Format::Text),
            ("control", Format::Text),
            ("measure", Format::Text),
            ("run of offsets", Format::Text),
            ("mass", Format::Decimals(1)),
            ("p", Format::PValue),
            ("offsets by max-T", Format::Text),
        ];
        let mut blocks = vec![
            paragraph(
                "Beside the endpoint, every offset of the profile is tested, with the same sign flips. Single offsets may be named where p is at most 0.05 \
                 after the max-T adjustment over all offsets. A run of neighbouring offsets with |t| above 1.96 and one sign is tested by its \
                 mass against the heaviest run of each flip: a small p says that the profiles differ somewhere, not where the difference begins or \
                 ends, nor that each offset of the run differs (Maris & Oostenveld 2007; Sassenhagen & Draschkow 2019).",
            ),
            Block::Table(Table {
                caption: format!(
                    "Runs of offsets with p at most 0.05, against {first} controls. Those of other families are in runs.tsv."
                ),
                columns: columns(&head),
                rows: runs.into_iter().map(row).collect(),
            }),
        ];
        blocks.push(Block::Links(
            ["offsets", "runs"]
                .map(|t| link(&format!("{t}.tsv"), format!("tables/{t}.tsv")))
                .to_vec(),
        ));
        Section {
            title: "Which offsets differ".into(),
            blocks,
        }
    }

    /// What became of the sites in every family.
    pub(super) fn matching(&self) -> Vec<Block> {
        let rows = &self.found.comparison.matching;
        let row = |m: &MatchingRow| -> Vec<Cell> {
            let mut cells: Vec<Cell> = vec![m.site_kind.clone().into(), m.control.clone().into()];
            let counts = [
                m.n_sites,
                m.n_pool,
                m.n_pairs,
                m.n_controls,
                m.no_candidate,
                m.outside_caliper,
                m.taken,
                m.no_second,
                m.n_near,
            ];
            cells.extend(counts.map(|n| Cell::from(n as usize)));
            cells.push(m.kmer_widths.replace(',', " ").into());
            cells
        };
        let number = Format::Integer;
        let nearer = format!(
            "nearer than {} bp",
            self.request.comparison.controls.site_distance_bp
        );
        let head = [
            ("sites", Format::Text),
            ("control", Format::Text),
            ("usable", number),
            ("pool", number),
            ("matched", number),
            ("controls", number),
            ("no candidate", number),
            ("outside caliper", number),
            ("taken", number),
            ("no second", number),
            (nearer.as_str(), number),
            ("k-mer: sites", Format::Text),
        ];
        let mut blocks = vec![Block::Table(Table {
            caption: "Sites, candidates and matches. A site is dropped because its stratum holds no candidate, because none is within the calipers, because all \
                      of those serve other sites, or (in a negative control) because a second set is lacking."
                .into(),
            columns: columns(&head),
            rows: rows.iter().map(row).collect(),
        })];
        for m in rows.iter().filter(|m| m.n_sites > 0) {
            let share = m.n_pairs as f64 / m.n_sites as f64;
            if share < 0.8 {
                blocks.push(Block::Callout {
                    level: Level::Warning,
                    text: format!(
                        "Family {}: only {} of {} {}s found a control. The pool is too thin where these sites lie (positivity): the result speaks of the \
                         matched sites only.",
                        m.control, m.n_pairs, m.n_sites, m.site_kind
                    ),
                });
            }
        }
        blocks
    }

    /// What each family that was asked for holds equal.
    pub(super) fn described(&self) -> Vec<Block> {
        let c = &self.request.comparison.controls;
        let composition = format!(
            "G+C of the {0} bases before and after within {1} of each other, and nearest in G+C, CpG, soft-masked share and distance to the \
             end of the gene",
            c.gc_flank_bp, c.caliper
        );
        let words = |family: &str| -> String {
            match family {
                "decoy" => format!(
                    "decoy: the same two nucleotides (GT for donors, AG for acceptors) on the same strand inside the same gene, where no transcript of the \
                     annotation splices; {composition}. Varies: function."
                ),
                "strength" => format!(
                    "strength: as decoy, and as strong a site: the log-odds of a weight matrix over −3..+6 (donors) or −20..+3 (acceptors) differs by at most \
                     {CALIPER_SD} standard deviations of the sites’. The matrix is fitted on sites of other contigs, or of other folds of genes \
                     where one contig holds most."
                ),
                "kmer" => format!(
                    "kmer: the identical {} nucleotides around the position (half of them before it) in any gene with sites of the contig. Sites without such a control get one with \
                     fewer equal nucleotides, down to the fewest that still hold the two: those are listed apart, by width, and are in no other table but pairs and controls. {}. With --caliper 1, equal nucleotides go \
                     before equal composition. A control may lie in another gene than its site: each value counts in its own gene, and whole genes flip.",
                    c.kmer,
                    capital(&composition)
                ),
                "random" => format!("random: any position of the same gene, whatever its nucleotides; {composition}."),
                "shift" => {
                    "shift: the site’s own window moved by a random 30 to 200 bases either way inside the gene. Nothing is matched.".into()
                }
                "shuffle" => format!(
                    "shuffle: the site itself, its two nucleotides in place and the {} bases around it shuffled so that every dinucleotide count is kept exactly (a \
                     uniform draw among all such sequences; the {} bases nearest to the site and those beyond are shuffled apart). Varies: context.",
                    self.radius(),
                    c.gc_flank_bp
                ),
                _ => {
                    "bed: the positions given, paired by name where a record is named after a site, else matched as random ones are.".into()
                }
            }
        };
        let mut blocks: Vec<Block> = c
            .families
            .iter()
            .map(|family| paragraph(capital(&words(family.name()))))
            .collect();
        blocks.push(paragraph(format!(
            "Sites and controls are of the same stratum: contig, strand, gene (but in families kmer and bed), and whether a base beside the position is \
             soft-masked. Controls keep {} bases away from every annotated site of their strand, so that no control’s endpoint reads the \
             positions of a real one, and {} bases where their gene allows, so that their outer offsets do not either: how many are nearer is in the table of matches. The matching is one draw: \
             the nearest controls are the same whatever the seed, but for ties. Each site gets up to {} control{}{}; {}.",
            c.min_site_distance_bp,
            c.site_distance_bp,
            c.per_site,
            if c.per_site == 1 { "" } else { "s, whose values are averaged before pairing" },
            if c.replacement { ", which may serve several sites" } else { ", and each control serves one site" },
            match c.method {
                crate::controls::Method::Nearest => "the nearest by standardised covariates, sites being served in random order",
                crate::controls::Method::Propensity =>
                    "the nearest by the logit of a logistic propensity score of these covariates, within 0.2 standard deviations of it; the \
                     G+C limits do not apply then",
            }
        )));
        let first: Vec<String> = primary(&self.found, "probability")
            .map(|r| format!("{}s with {}", r.site_kind, controls_of(r)))
            .collect();
        blocks.push(paragraph(format!(
            "The primary comparison, named first in the command, is that of {}.",
            first.join(" and ")
        )));
        blocks
    }

    pub(super) fn strands(&self) -> Section {
        let terms = self.about.terms();
        let (value, at) = terms.either(("probability", "of"), ("signal", "at"));
        let strands = terms.either(
            "A model whose cuts mark a place on the molecule would agree with itself; one that cuts after certain nucleotides need not.",
            "One track for both strands differs between them by one base.",
        );
        let rows = &self.found.comparison.strands;
        let title = "Do the two strands agree?".to_string();
        let Some(first) = rows.first() else {
            return Section {
                title,
                blocks: vec![paragraph("No window was read on both strands.")],
            };
        };
        let row = |r: &StrandRow| -> Vec<Cell> {
            let words = match r.statistic.as_str() {
                "pearson" => "Pearson correlation".to_string(),
                "spearman" => "Spearman correlation".to_string(),
                "same_decision" => "share of positions decided alike (boundary or not)".to_string(),
                "kappa" => "Cohen’s kappa of these decisions".to_string(),
                "mean_difference" => "mean difference, own strand minus other".to_string(),
                other => format!(
                    "difference, {}% quantile",
                    other
                        .trim_start_matches("difference_q")
                        .trim_start_matches('0')
                ),
            };
            let interval = Cell::Interval {
                low: r.ci_low.unwrap_or(f64::NAN),
                high: r.ci_high.unwrap_or(f64::NAN),
            };
            vec![
                words.into(),
                r.value.into(),
                if r.ci_low.is_some() {
                    interval
                } else {
                    Cell::Empty
                },
            ]
        };
        let blocks = vec![
            paragraph(format!(
                "The {value} {at} the same inter-base position, read once on the strand of its gene and once on the other: {} positions of {} windows, at most {} drawn at random. {strands}",
                count(first.n_positions as usize),
                first.n_windows,
                count(strand_windows(self.request.comparison.strand_average, self.request.comparison.flank))
            )),
            Block::Table(Table {
                caption: "Agreement of the two strands, with 95% intervals of a bootstrap over clusters of genes.".into(),
                columns: columns(&[("", Format::Text), ("value", Format::Decimals(3)), ("95% CI", Format::Interval)]),
                rows: rows.iter().map(row).collect(),
            }),
        ];
        Section { title, blocks }
    }
}
