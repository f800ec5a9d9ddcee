//! The sections of the page.

use super::{DensityPage, RATE, Svg, differs, rows, words};
use crate::pipelines::density::{
    AccountingRow, BalanceRow, LEAST_BP, LengthRow, NEIGHBOURHOOD_BP, PROMOTER, StatisticsRow,
    TOKEN_REACH,
};
use crate::report::block::{downloads, paragraph};
use crate::report::format::{MISSING, capital, count, decimals, integer};
use crate::report::table::table;
use crate::report::{Block, Cell, Column, Format, Level, Section, Table, columns};

/// The customary limit of a standardised mean difference.
const BALANCED: f64 = 0.1;

/// Flips of fewer units than this, counted as units of one size, lean on the differences being
/// spread evenly around their mean.
const FEW_UNITS: f64 = 10.0;

/// One row a class.
fn table(all: &[&StatisticsRow], caption: String) -> Table {
    table! {
        caption;
        all.iter();
        |r: &&StatisticsRow|
        "class", Format::Text => words(&r.class);
        "pairs", Format::Integer => r.n_pairs;
        "units", Format::Integer => r.n_clusters;
        "class mean", Format::Decimals(4) => r.class_mean;
        "control mean", Format::Decimals(4) => r.control_mean;
        "difference", Format::Decimals(4) => r.difference;
        "95% CI", Format::Interval => (r.ci_low, r.ci_high);
        "d", Format::Decimals(2) => r.d;
        "p", Format::PValue => Cell::p(r.p_value, Some(r.p_floor));
        "p, BH", Format::PValue => Cell::p(r.p_bh, None);
        "p, BY", Format::PValue => Cell::p(r.p_by, None);
    }
}

impl DensityPage {
    pub(super) fn result(&self, svg: &Svg) -> Section {
        let terms = self.about.terms();
        let (quantity, reader) = (terms.quantity(), terms.reader());
        let found = &self.found;
        let mut blocks = Vec::new();
        if found.negative_control {
            let text = format!(
                "This run sets two controls of each stretch against each other, in random order: nothing but chance should differ. It checks the method, not the {reader}."
            );
            blocks.push(Block::Callout {
                level: Level::Note,
                text,
            });
        }
        let few: Vec<String> = (rows(found, "probability")
            .filter(|row| row.n_effective < FEW_UNITS))
        .map(|row| {
            format!(
                "{} ({} units, worth {} of one size)",
                words(&row.class),
                row.n_clusters,
                decimals(row.n_effective, 1)
            )
        })
        .collect();
        if !few.is_empty() {
            let text = format!(
                "Fewer than {FEW_UNITS} effective units of replication for {}: test and interval hold only if differences are spread evenly around their mean.",
                few.join(", ")
            );
            blocks.push(Block::Callout {
                level: Level::Warning,
                text,
            });
        }
        blocks.push(Block::Figure {
            svg: svg.density.clone(),
            label: format!("{} by class", capital(quantity)),
            caption: "Left: means of units of replication (clusters of overlapping genes with half of the space to the next), in stretches of each class (blue) and in \
                      their matched controls (orange); boxes are quartiles, whiskers reach to the furthest unit within 1.5 interquartile ranges. Right: the mean \
                      difference within pairs with its 95% interval, as read (black) and less what a table of the nucleotides within 8 bases predicts (diamonds)."
                .into(),
            downloads: downloads("density", "pairs"),
        });
        let all: Vec<&StatisticsRow> = rows(found, "probability").collect();
        blocks.push(Block::Table(table(&all, format!("Mean {quantity} of stretches and of their controls. d: mean over standard deviation of the differences. p: sign flips of whole units."))));
        if self.about.signal {
            let text = "A track has no boundaries: the share of positions that are boundaries, and the lengths of tokens, are left out.";
            blocks.push(paragraph(text));
        } else {
            let all: Vec<&StatisticsRow> = rows(found, "density").collect();
            blocks.push(Block::Table(table(
                &all,
                "Share of positions that are boundaries (probability above 0.5).".into(),
            )));
        }
        let untrained: Vec<&StatisticsRow> = rows(found, "untrained").collect();
        if !untrained.is_empty() {
            let caption = format!(
                "Mean {quantity} of an untrained model of the same size (fresh weights, seed {}), at the same stretches and controls: what the architecture shows without training.",
                self.request.seed
            );
            blocks.push(Block::Table(table(&untrained, caption)));
        }
        Section {
            title: "Result".into(),
            blocks,
        }
    }

    pub(super) fn letters(&self) -> Section {
        let quantity = self.about.terms().quantity();
        let found = &self.found;
        let mut blocks = Vec::new();
        let Some(widest) = found.baseline.last() else {
            let text = "Stretches lie in too few units to fit a table of the nucleotides nearby without the unit it predicts.";
            return Section {
                title: "Beyond the nucleotides nearby".into(),
                blocks: vec![paragraph(text)],
            };
        };
        blocks.push(paragraph(format!(
            "A table of the nucleotides around a position, up to {} on either side, fitted on the stretches and controls of other units, explains {} of the variance of \
             the {quantity} over {} positions (R², 95% CI {} to {}). What it predicts for a class is what a model that reads nucleotides alone, and knows \
             nothing of classes, would show; the residual is what is left.",
            widest.k,
            decimals(widest.r2, 3),
            count(widest.n_positions as usize),
            decimals(widest.r2_low, 3),
            decimals(widest.r2_high, 3)
        )));
        let left = rows(found, "residual").filter(|row| differs(row)).count();
        let of = rows(found, "probability")
            .filter(|row| differs(row))
            .count();
        blocks.push(paragraph(format!(
            "At a false discovery rate of {}% {of} classes differ as read, and {left} in the residual.",
            RATE * 100.0
        )));
        for (measure, caption) in [
            (
                "predicted",
                format!(
                    "What the nucleotides nearby predict of the mean {quantity}: differences that need no knowledge of classes. Without p: the predictions of all units come from one table, so that \
                 units are not independent and flips of their signs would reject too often."
                ),
            ),
            (
                "residual",
                format!(
                    "{} less prediction: what this table does not tell.",
                    self.about.terms().either("Probability", "Signal")
                ),
            ),
            (
                "untrained_residual",
                "The same of the untrained model, less what a table of its own predicts.".into(),
            ),
        ] {
            let all: Vec<&StatisticsRow> = rows(found, measure).collect();
            if !all.is_empty() {
                blocks.push(Block::Table(table(&all, caption)));
            }
        }
        Section {
            title: "Beyond the nucleotides nearby".into(),
            blocks,
        }
    }

    pub(super) fn token_section(&self, svg: &str) -> Section {
        let mut blocks = vec![Block::Figure {
            svg: svg.into(),
            label: "Token lengths by class".into(),
            caption: format!(
                "Share of tokens at most so long, of the tokens that start inside of the stretches of a class (blue) and of its controls (orange). Tokens are \
                 followed {TOKEN_REACH} bases; longer ones lie beyond the right end."
            ),
            downloads: downloads("token_lengths", "token_lengths"),
        }];
        let of = |class: &str, group: &str| -> Vec<&LengthRow> {
            self.found
                .token_lengths
                .iter()
                .filter(|row| row.class == class && row.group == group)
                .collect()
        };
        let facts = |rows: &[&LengthRow]| -> Vec<Cell> {
            let n: u64 = rows.iter().map(|row| row.n_tokens).sum();
            if n == 0 {
                return vec![
                    0usize.into(),
                    MISSING.into(),
                    MISSING.into(),
                    MISSING.into(),
                    MISSING.into(),
                ];
            }
            let quantile = |share: f64| {
                let mut below = 0;
                let at = rows.iter().find(|row| {
                    below += row.n_tokens;
                    below as f64 >= share * n as f64
                });
                at.map_or(MISSING.to_string(), |row| {
                    if row.length_bp as usize > TOKEN_REACH {
                        format!(">{TOKEN_REACH}")
                    } else {
                        integer(row.length_bp as i64)
                    }
                })
            };
            // Those that were not followed to their end count as one base more than was followed.
            let mean = rows
                .iter()
                .map(|row| row.length_bp as f64 * row.n_tokens as f64)
                .sum::<f64>()
                / n as f64;
            let one = rows
                .iter()
                .filter(|row| row.length_bp == 1)
                .map(|row| row.n_tokens)
                .sum::<u64>() as f64
                / n as f64;
            vec![
                (n as usize).into(),
                decimals(mean, 2).into(),
                quantile(0.5).into(),
                quantile(0.95).into(),
                crate::report::format::percent(one, 1).into(),
            ]
        };
        let row = |row: &AccountingRow| -> Vec<Cell> {
            let (class, control) = (
                facts(&of(&row.class, "class")),
                facts(&of(&row.class, "control")),
            );
            std::iter::once(words(&row.class).into())
                .chain(class)
                .chain(control)
                .collect()
        };
        let head = [
            ("class", Format::Text),
            ("tokens", Format::Integer),
            ("mean, bp", Format::Text),
            ("median", Format::Text),
            ("95th percentile", Format::Text),
            ("of one base", Format::Text),
            ("tokens, controls", Format::Integer),
            ("mean, controls", Format::Text),
            ("median, controls", Format::Text),
            ("95th percentile, controls", Format::Text),
            ("of one base, controls", Format::Text),
        ];
        blocks.push(Block::Table(Table {
            caption: "Tokens that start in stretches of a class and in their controls. The difference in their number is that in density, which is tested above; \
                      lengths are described, not tested."
                .into(),
            columns: columns(&head),
            rows: self.found.accounting.iter().filter(|row| row.n_used > 0).map(row).collect(),
        }));
        Section {
            title: "Token lengths".into(),
            blocks,
        }
    }

    pub(super) fn accounting(&self) -> Section {
        let row = |r: &AccountingRow| -> Vec<Cell> {
            let numbers = [
                r.bases,
                r.n_short,
                r.n_stretches,
                r.n_not_plain,
                r.n_sampled,
                r.n_no_control,
                r.n_used,
            ];
            std::iter::once(words(&r.class).into())
                .chain(numbers.map(|n| (n as usize).into()))
                .collect()
        };
        let head = [
            ("class", Format::Text),
            ("bases", Format::Integer),
            ("parts too short", Format::Integer),
            ("stretches", Format::Integer),
            ("not A, C, G and T", Format::Integer),
            ("drawn", Format::Integer),
            ("without a control", Format::Integer),
            ("compared", Format::Integer),
        ];
        let unknown = self.about.terms().either("", ", or one without a value,");
        let table = Table {
            caption: format!(
                "What became of every class. Parts under {LEAST_BP} bases are left out, and so are stretches with another base than A, C, G and T{unknown} in or near them."
            ),
            columns: columns(&head),
            rows: self.found.accounting.iter().map(row).collect(),
        };
        let mut blocks = vec![Block::Table(table)];
        let lost: Vec<&str> = (self.found.accounting.iter())
            .filter(|r| 2 * r.n_no_control > r.n_sampled)
            .map(|r| words(&r.class))
            .collect();
        if !lost.is_empty() {
            let text = format!(
                "More than half of the stretches found no control: {}. What is said of these classes holds for the rest alone.",
                lost.join(", ")
            );
            blocks.push(Block::Callout {
                level: Level::Warning,
                text,
            });
        }
        if self.found.contigs_unmatched > 0 {
            let text = format!(
                "Annotation contigs that are not in the genome: {}. Their genes are not used.",
                count(self.found.contigs_unmatched)
            );
            blocks.push(Block::Callout {
                level: Level::Note,
                text,
            });
        }
        Section {
            title: "What was compared".into(),
            blocks,
        }
    }

    pub(super) fn balance(&self) -> Section {
        let quantity = self.about.terms().quantity();
        let of = |class: &str, covariate: &str| {
            self.found
                .balance
                .iter()
                .find(|row| row.class == class && row.covariate == covariate)
        };
        let cells = |row: Option<&BalanceRow>| -> [Cell; 3] {
            row.map_or([Cell::Empty, Cell::Empty, Cell::Empty], |r| {
                [r.class_mean.into(), r.control_mean.into(), r.smd.into()]
            })
        };
        let row = |r: &AccountingRow| -> Vec<Cell> {
            let covariates = ["gc", "cpg", "soft_masked"]
                .into_iter()
                .flat_map(|covariate| cells(of(&r.class, covariate)));
            std::iter::once(words(&r.class).into())
                .chain(covariates)
                .collect()
        };
        let mut head = vec![Column::new("class", Format::Text)];
        for name in ["G+C", "CpG a base", "lower case"] {
            head.extend([
                Column::new(name, Format::Decimals(3)),
                Column::new("controls", Format::Decimals(3)),
                Column::new("SMD", Format::Decimals(2)),
            ]);
        }
        let table = Table {
            caption: "Composition of stretches and controls, with standardised mean differences (difference over the pooled standard deviation). Lower case is \
                      not matched for repeats, which it defines."
                .into(),
            columns: head,
            rows: self.found.accounting.iter().filter(|row| row.n_used > 0).map(row).collect(),
        };
        let mut blocks = vec![Block::Table(table)];
        let open = |row: &&BalanceRow| {
            row.smd.abs() > BALANCED && !(row.class == "repeat" && row.covariate == "soft_masked")
        };
        let open: Vec<String> = (self.found.balance.iter().filter(open))
            .map(|row| {
                format!(
                    "{} of {} ({})",
                    row.covariate.replace("gc", "G+C").replace('_', " "),
                    words(&row.class),
                    decimals(row.smd, 2)
                )
            })
            .collect();
        if !open.is_empty() {
            let text = format!(
                "More than {BALANCED} standard deviations apart: {}. A difference in {quantity} may be owed to these; the residual accounts for nucleotides nearby.",
                open.join(", ")
            );
            blocks.push(Block::Callout {
                level: Level::Warning,
                text,
            });
        }
        Section {
            title: "How alike the controls are".into(),
            blocks,
        }
    }

    pub(super) fn methods(&self) -> Section {
        let terms = self.about.terms();
        let quantity = terms.quantity();
        let share = terms.either("the share above 0.5, ", "");
        let minus = terms.either(
            "Minus-strand stretches are read from the reverse complement.",
            "On minus the order of the bases is reversed.",
        );
        let r = &self.request;
        let texts = [
            "Classes: each base is coding, 5′ UTR, 3′ UTR, exon of a non-coding transcript or intron, by the first of these that any transcript of any gene says of it; \
             outside of genes and promoters it is intergenic. An intron is thus no exon of another transcript. Over these lie all exons; windows around the donors and acceptors of \
             canonical transcripts; promoters; and repeats, which are the lower-case nucleotides of the FASTA. Stop codons are coding."
                .to_string(),
            format!(
                "Stretches: parts of a class cut evenly into at most {} bases (around junctions, {} on either side; promoters reach from {} before to {} after each \
                 start); at most {} a class, drawn at random (seed {}). Those of genes are read on the gene’s strand, and left out where genes of both strands put a base in \
                 the same class; intergenic and repeat stretches are read on plus.",
                r.stretch_bp,
                r.stretch_bp / 2,
                PROMOTER.upstream_bp,
                PROMOTER.downstream_bp,
                count(r.max_per_class),
                r.seed
            ),
            format!(
                "Controls: one for each stretch, of the same length and read on the same strand, with no base of the class on either strand, in the same unit and within {} bases, G+C within {} of the \
                 stretch’s; of 400 random places that nearest in G+C, CpG and (but for repeats) lower-case share. A place serves once a class.",
                count(NEIGHBOURHOOD_BP),
                r.caliper
            ),
            format!(
                "Unit of replication: a cluster of overlapping genes with half of the space to the next on either side. Stretch and control lie in one unit, so that units are \
                 what may be exchanged and drawn: the two-sided test flips the sign of all differences of a unit together, {} times; intervals hold what that test does not reject. \
                 p-values are adjusted over the classes of a measure (Benjamini-Hochberg; BY holds under any dependence, as classes overlap).",
                count(r.permutations)
            ),
            format!("The endpoint, fixed before any result was seen, is the mean {quantity} over the positions of a stretch (one before each base, on its strand); {share}the prediction from nucleotides and the residual are secondary."),
            format!(
                "Reading: tiles of {} bases, positions within {} bases of a tile’s end unused; {} tiles, {} bases{}. {minus}",
                count(r.context),
                count(r.margin),
                count(self.found.tiles_read as usize),
                count(self.found.bases_read as usize),
                if r.untrained { ", those of the untrained model included" } else { "" }
            ),
        ];
        Section {
            title: "How it was done".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }

    pub(super) fn caveats(&self) -> Section {
        let mut texts = vec![
            "Classes overlap (a donor window is half exon, half intron; coding sequence is in all exons), so their tests are not independent.".to_string(),
            "Controls share length, G+C and neighbourhood, not the nucleotides themselves: codons, poly-pyrimidine tracts or repeats of a class are differences in nucleotides too. The residual asks what is left when \
             nucleotides within 8 bases are accounted for; a difference there may still be owed to nucleotides further away, or to combinations of them that the table saw too seldom."
                .into(),
            "A control is whatever is not of the class: those of coding sequence lie mostly in introns and between genes, those of introns in exons and between genes.".into(),
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
