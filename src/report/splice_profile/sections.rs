//! The sections of the page.

use super::answer::{p_text, primary};
use super::pictures::covariate_name;
use super::{SplicePage, Svg, heatmap_name, told};
use crate::controls::Covariates;
use crate::genome::junctions::{CanonicalRule, TranscriptChoice};
use crate::pipelines::splice_profile::{
    BalanceRow, HeatmapRow, ProfileRow, ReplicateUnit, StatisticsRow,
};
use crate::report::block::{downloads, paragraph};
use crate::report::format::{MISSING, capital, count, decimals, interval, p_value};
use crate::report::table::table;
use crate::report::terms::Terms;
use crate::report::{Block, Card, Cell, Column, Format, Level, Section, Table};
use crate::stats::mean;

/// The customary limit of a standardised mean difference.
const BALANCED: f64 = 0.1;

/// Flips of fewer units than this, counted as units of one size, lean on the differences being
/// spread evenly around their mean.
const FEW_CLUSTERS: f64 = 10.0;

impl SplicePage {
    fn sites_word(&self) -> &'static str {
        if self.found.comparison.negative_control {
            "second controls"
        } else {
            "sites"
        }
    }

    pub(super) fn result(&self, svg: &Svg) -> Section {
        let quantity = self.about.terms().quantity();
        let found = &self.found;
        let mut blocks = Vec::new();
        if found.comparison.negative_control {
            let text = format!(
                "This run compares controls with controls, in every family: nothing but chance should differ. It checks the method, not the {}.",
                self.about.terms().reader()
            );
            blocks.push(Block::Callout {
                level: Level::Note,
                text,
            });
        } else {
            blocks.push(Block::Cards(told(found).cards()));
        }
        blocks.push(Block::Figure {
            svg: svg.profile.clone(),
            label: format!("Mean {quantity} around the junction"),
            caption: format!(
                "Offset 0 is exactly the junction, in transcript orientation: exon|intron for donors, intron|exon for acceptors. Upper row: \
                 all {} offsets either side; lower row: the ten nearest. Blue: {}; orange: their matched controls. Bands are pointwise 95% \
                 intervals of a bootstrap over clusters of overlapping genes; the grey window is the endpoint, fixed in advance. Logos: the nucleotides of all used sites, 2 bits high.{}",
                self.request.comparison.flank,
                self.sites_word(),
                self.peaks(),
            ),
            downloads: downloads("r1_splice", "profile"),
        });
        Section {
            title: "Result".into(),
            blocks,
        }
    }

    /// The secondary endpoint, and the sites one by one.
    pub(super) fn endpoint(&self, svg: &Svg) -> Section {
        let quantity = self.about.terms().quantity();
        let mut blocks = vec![Block::Cards(
            primary(&self.found, "probability")
                .flat_map(cards)
                .collect(),
        )];
        blocks.extend(primary(&self.found, "probability").filter_map(thin));
        blocks.push(Block::Table(self.statistics()));
        blocks.push(Block::Figure {
            svg: svg.differences.clone(),
            label: "The endpoint, pair by pair".into(),
            caption: format!("How far the mean {quantity} over offsets −2 to +2 differs within each pair. The marker above the bars is the mean \
                      difference with its 95% interval."),
            downloads: downloads("differences", "pairs"),
        });
        blocks.extend(
            svg.heatmaps
                .iter()
                .map(|(svg, kind)| self.heatmap(svg, kind)),
        );
        Section {
            title: "Secondary endpoint: the mean over offsets −2 to +2".into(),
            blocks,
        }
    }

    /// The sites of a kind one by one.
    fn heatmap(&self, svg: &str, kind: &str) -> Block {
        let reader = self.about.terms().reader();
        let bins: Vec<&HeatmapRow> = self
            .found
            .comparison
            .heatmap
            .iter()
            .filter(|row| row.site_kind == kind)
            .collect();
        let n = bins.iter().map(|row| row.n_sites).sum::<u64>();
        let all = primary(&self.found, "probability")
            .find(|row| row.site_kind == kind)
            .map_or(0, |row| row.n_pairs);
        let drawn = match all > n {
            true => format!(
                "{} {kind}s drawn at random (seed {}) from the {} of the test above",
                count(n as usize),
                self.request.comparison.seed,
                count(all as usize)
            ),
            false => format!("all {} {kind}s of the test above", count(n as usize)),
        };
        let sizes = || bins.iter().map(|row| row.n_sites);
        let binned = match (sizes().min(), sizes().max()) {
            (_, None | Some(1)) => "one row a site".into(),
            (Some(least), Some(most)) if least < most => {
                format!(
                    "a row is the mean of {least} to {most} sites next to each other, {} rows",
                    bins.len()
                )
            }
            (_, Some(most)) => format!(
                "a row is the mean of {most} sites next to each other, {} rows",
                bins.len()
            ),
        };
        Block::Figure {
            svg: svg.into(),
            label: format!(
                "{} at {kind}s, site by site",
                capital(self.about.terms().quantity())
            ),
            caption: format!(
                "{}, sorted by their endpoint (mean over offsets −2 to +2; highest on top): {binned}. One column an offset, in transcript orientation; the \
                 red mark is the junction, offset 0. Sorting alone makes the middle columns dark above and light below, whatever the {reader}: what may be \
                 read is what goes along with them further out. White and black are the 2nd and the 98th percentile of the values of donors and acceptors together, to two digits; values beyond \
                 are drawn as these. Logo: the nucleotides of all used sites.",
                capital(&drawn)
            ),
            downloads: downloads(&heatmap_name(kind), "heatmap"),
        }
    }

    /// Where the mean profile of the sites is highest near the junction: a description, not a test.
    fn peaks(&self) -> String {
        let mut text = String::new();
        for row in primary(&self.found, "probability") {
            let near = |group: &str| {
                let of_row = |p: &&ProfileRow| {
                    (&p.site_kind, &p.control, &p.measure)
                        == (&row.site_kind, &row.control, &row.measure)
                };
                let rows = self
                    .found
                    .comparison
                    .profile
                    .iter()
                    .filter(of_row)
                    .filter(|p| p.group == group && p.offset.abs() <= 10);
                rows.filter(|p| p.mean.is_finite()).collect::<Vec<_>>()
            };
            let (sites, controls) = (near("site"), near(&row.control));
            let Some(peak) = sites.iter().max_by(|a, b| a.mean.total_cmp(&b.mean)) else {
                continue;
            };
            let there = controls
                .iter()
                .find(|c| c.offset == peak.offset)
                .map_or(f64::NAN, |c| c.mean);
            let offset = crate::report::format::integer(peak.offset);
            let sign = if peak.offset > 0 { "+" } else { "" };
            text += &format!(
                " Within ten bases the {} mean of {} is highest at offset {sign}{offset} ({}; controls there {}).",
                row.site_kind,
                self.sites_word(),
                decimals(peak.mean, 3),
                decimals(there, 3)
            );
        }
        text
    }

    /// One column a kind of site: it fits a phone.
    fn statistics(&self) -> Table {
        let quantity = self.about.terms().quantity();
        let all: Vec<&StatisticsRow> = primary(&self.found, "probability").collect();
        let line = |name: &str, value: &dyn Fn(&StatisticsRow) -> String| -> Vec<Cell> {
            std::iter::once(name.into())
                .chain(all.iter().map(|r| Cell::Text(value(r))))
                .collect()
        };
        let rows = vec![
            line("pairs", &|r| count(r.n_pairs as usize)),
            line("units of replication (effective)", &|r| {
                format!(
                    "{} ({})",
                    count(r.n_clusters as usize),
                    decimals(r.n_effective, 1)
                )
            }),
            line("mean at sites", &|r| decimals(r.site_mean, 4)),
            line("mean at controls", &|r| decimals(r.control_mean, 4)),
            line("difference", &|r| decimals(r.difference, 4)),
            line("95% CI of the difference", &|r| {
                interval(r.ci_low, r.ci_high)
            }),
            line("permutation p", &|r| {
                if r.n_pairs == 0 {
                    MISSING.into()
                } else {
                    p_value(r.p_value, Some(r.p_floor))
                }
            }),
            line("p adjusted over kinds and families (BH; BY)", &|r| {
                let some = |p| {
                    if r.n_pairs == 0 {
                        MISSING.into()
                    } else {
                        p_value(p, None)
                    }
                };
                format!("{}; {}", some(r.p_bh), some(r.p_by))
            }),
            line("paired d", &|r| decimals(r.d, 2)),
            line("95% CI of the paired d", &|r| interval(r.d_low, r.d_high)),
            line("AUROC", &|r| decimals(r.auroc, 3)),
            line("95% CI of the AUROC", &|r| {
                interval(r.auroc_low, r.auroc_high)
            }),
            line("Cliff’s delta", &|r| decimals(r.cliffs_delta, 3)),
            line("95% CI of Cliff’s delta", &|r| {
                interval(r.cliffs_delta_low, r.cliffs_delta_high)
            }),
            line("log2 ratio of the means", &|r| decimals(r.log2_ratio, 3)),
            line("95% CI of the log2 ratio", &|r| {
                interval(r.log2_ratio_low, r.log2_ratio_high)
            }),
        ];
        let kinds = all
            .iter()
            .map(|r| Column::new(format!("{}s", r.site_kind), Format::Decimals(4)));
        Table {
            caption: format!(
                "The primary endpoint: mean {quantity} over inter-base positions −2 to +2, sites against their matched controls. \
                      Paired d: mean difference over the standard deviation of the differences. AUROC: probability that a site exceeds a control."
            ),
            columns: std::iter::once(Column::new("", Format::Text))
                .chain(kinds)
                .collect(),
            rows,
        }
    }

    pub(super) fn control(&self) -> Section {
        let mut blocks = self.described();
        if self.found.comparison.negative_control {
            let text = "In this run each site’s controls are dealt at random into two sets, one of which stands in the place of the site: nothing tells one from the other. Another seed deals them \
                        anew; the controls themselves are all but the same.";
            blocks.push(paragraph(text));
        }
        Section {
            title: "What sites are compared with".into(),
            blocks,
        }
    }

    pub(super) fn accounting(&self) -> Section {
        let found = &self.found;
        let n = |kind: &str, status: &str| {
            found
                .accounting
                .iter()
                .filter(|a| a.site_kind == kind && (status.is_empty() || a.status == status))
                .map(|a| a.n)
                .sum::<u64>()
        };
        let first = self
            .request
            .comparison
            .controls
            .families
            .first()
            .map_or("", |f| f.name());
        let used = if found.comparison.negative_control {
            "has two sets of controls"
        } else {
            "has a control"
        };
        let used = format!("used: {used} of family {first}");
        let reasons = [
            ("used", used),
            (
                "no_partner",
                format!("usable, but without a control of family {first}"),
            ),
            (
                "not_sampled",
                "usable, but not in the random subset of --max-sites".into(),
            ),
            (
                "no_signal",
                format!(
                    "a base without a value in the track within {} bases",
                    self.radius()
                ),
            ),
            (
                "window_not_acgt",
                format!(
                    "a base other than A, C, G, T within {} bases",
                    self.radius()
                ),
            ),
            (
                "window_off_contig",
                format!("the contig ends within {} bases", self.radius()),
            ),
            (
                "intron_not_gt_ag",
                "no chosen intron there reads GT-AG".into(),
            ),
            (
                "intron_too_short",
                format!(
                    "every chosen intron there is shorter than {} bases",
                    self.request.min_intron_bp
                ),
            ),
            (
                "intron_off_contig",
                "the intron reaches beyond the contig: annotation and genome differ".into(),
            ),
            (
                "transcript_not_chosen",
                "only transcripts other than the canonical one have it".into(),
            ),
            (
                "biotype_not_chosen",
                "no gene of an asked-for biotype has it".into(),
            ),
            (
                "region_not_chosen",
                "no gene that lies wholly in an asked-for region has it".into(),
            ),
            ("contig_not_chosen", "its contig was not asked for".into()),
            (
                "contig_not_in_genome",
                "its contig is not in the genome".into(),
            ),
        ];
        let mut rows: Vec<Vec<Cell>> = reasons
            .into_iter()
            .filter(|(status, _)| {
                *status == "used" || n("donor", status) + n("acceptor", status) > 0
            })
            .map(|(status, words)| {
                vec![
                    status.into(),
                    words.into(),
                    (n("donor", status) as usize).into(),
                    (n("acceptor", status) as usize).into(),
                ]
            })
            .collect();
        rows.push(vec![
            "all".into(),
            "unique sites of all transcripts".into(),
            (n("donor", "") as usize).into(),
            (n("acceptor", "") as usize).into(),
        ]);
        let columns = [
            ("status", Format::Text),
            ("meaning", Format::Text),
            ("donors", Format::Integer),
            ("acceptors", Format::Integer),
        ];
        let table = Table {
            caption: "What became of every annotated site. A site is a position and strand; each has exactly one status.".into(),
            columns: columns.map(|(name, format)| Column::new(name, format)).to_vec(),
            rows,
        };
        let mut blocks = vec![Block::Table(table)];
        blocks.extend(self.unpaired().map(paragraph));
        blocks.extend(self.annotation());
        Section {
            title: "Every annotated site accounted for".into(),
            blocks,
        }
    }

    pub(super) fn radius(&self) -> usize {
        self.request
            .comparison
            .flank
            .max(self.request.comparison.controls.gc_flank_bp)
    }

    /// Whether the sites without a partner look like those with one.
    fn unpaired(&self) -> Option<String> {
        let value = |kind: &str, status: &str| {
            let rows = self
                .found
                .sites
                .iter()
                .filter(|s| s.site_kind == kind && s.status == status);
            rows.filter_map(|s| s.site_value).collect::<Vec<_>>()
        };
        let parts: Vec<String> = ["donor", "acceptor"]
            .iter()
            .filter_map(|kind| {
                let (alone, paired) = (value(kind, "no_partner"), value(kind, "used"));
                (!alone.is_empty() && !paired.is_empty()).then(|| {
                    format!(
                        "{kind}s {} (paired ones {})",
                        decimals(mean(&alone), 4),
                        decimals(mean(&paired), 4)
                    )
                })
            })
            .collect();
        let start = "The sites without a partner were read too, to see whether matching selects; their mean endpoint is:";
        (!parts.is_empty()).then(|| format!("{start} {}.", parts.join(", ")))
    }

    fn annotation(&self) -> Vec<Block> {
        let a = &self.found.annotation;
        let mut text = format!(
            "The annotation ({}) holds {} genes with {} transcripts. Of its contigs, {} of {} are in the genome.",
            a.summary.format,
            count(a.summary.genes),
            count(a.summary.transcripts),
            a.contigs_matched,
            a.contigs_matched + a.contigs_unmatched
        );
        if a.contigs_unmatched > 0 {
            text += &format!(" Not found: {}.", a.unmatched_examples);
        }
        if let Some(regions) = self.regions() {
            text += &format!(" Asked about are genes that lie wholly in {regions}.");
        }
        match self.request.transcripts {
            TranscriptChoice::All => text += " All transcripts of a gene speak for it.",
            TranscriptChoice::Canonical => {
                let rules: Vec<String> = a
                    .canonical_rules
                    .iter()
                    .map(|(rule, n)| format!("{} ({} genes)", rule_words(*rule), count(*n)))
                    .collect();
                let genes = a.canonical_rules.values().sum();
                text += &format!(
                    " One transcript speaks for each of the {} genes asked about that have one, chosen because: {}.",
                    count(genes),
                    rules.join("; ")
                );
            }
        }
        let mut blocks = vec![paragraph(text)];
        if !a.summary.notes.is_empty() {
            let lines: Vec<String> = a
                .summary
                .notes
                .iter()
                .map(|(reason, n)| format!("{n:>10}  {reason}"))
                .collect();
            blocks.push(Block::Details {
                summary: "Lines of the annotation passed over or mended".into(),
                pre: lines.join("\n"),
            });
        }
        blocks
    }

    pub(super) fn balance(&self, svg: &Svg) -> Section {
        let mut blocks: Vec<Block> = self.matching();
        blocks.extend(self.unbalanced());
        blocks.push(Block::Figure {
            svg: svg.balance.clone(),
            label: "Balance of covariates".into(),
            caption:
                "Absolute standardised mean differences: all usable sites against all candidates (before), and the pairs (after). Left of the dashed line is \
                 customarily called balanced. Site strength is matched in family strength only, and nothing is in families shift and shuffle: there \
                 the plot shows what the control leaves open."
                    .into(),
            downloads: downloads("balance", "balance"),
        });
        let number = Format::Significant(3);
        blocks.push(Block::Table(table! {
            "Means before and after matching, standardised mean differences (SMD, signed; one denominator before and after: the root of the mean of \
                      the two variances before), and the ratio of variances after. The pool are all candidates, as counted above.";
            self.found.comparison.balance.iter();
            |b: &BalanceRow|
            "sites", Format::Text => b.site_kind.clone();
            "control", Format::Text => b.control.clone();
            "covariate", Format::Text => covariate_name(&b.covariate).replace(' ', "\u{A0}");
            "sites before", number => b.site_mean_before;
            "pool before", number => b.control_mean_before;
            "SMD before", Format::Decimals(3) => b.smd_before;
            "sites after", number => b.site_mean_after;
            "controls after", number => b.control_mean_after;
            "SMD after", Format::Decimals(3) => b.smd_after;
            "var. ratio", Format::Decimals(2) => b.variance_ratio_after;
        }));
        Section {
            title: "How well controls match".into(),
            blocks,
        }
    }

    /// Covariates that are apart after matching: a warning for each family, about those it matches
    /// and those it does not.
    fn unbalanced(&self) -> Vec<Block> {
        let quantity = self.about.terms().quantity();
        let mut blocks = Vec::new();
        for family in &self.request.comparison.controls.families {
            let compares = |b: &BalanceRow| {
                Covariates::NAMES
                    .iter()
                    .zip(family.compares())
                    .any(|(name, compared)| compared && *name == b.covariate)
            };
            let list = |matched: bool| {
                let rows = self
                    .found
                    .comparison
                    .balance
                    .iter()
                    .filter(|b| b.control == family.name() && compares(b) == matched);
                let off = rows.filter(|b| b.smd_after.abs() > BALANCED);
                off.map(|b| {
                    format!(
                        "{} of {}s ({})",
                        covariate_name(&b.covariate),
                        b.site_kind,
                        decimals(b.smd_after, 2)
                    )
                })
                .collect::<Vec<_>>()
            };
            let (matched, open) = (list(true), list(false));
            let mut parts = Vec::new();
            if !matched.is_empty() {
                parts.push(format!("although matched, {}", matched.join(", ")));
            }
            if !open.is_empty() {
                parts.push(format!("not matched in this family, {}", open.join(", ")));
            }
            if !parts.is_empty() {
                let text = format!(
                    "Family {}: sites and controls differ by more than {BALANCED} standard deviations in: {}. A difference in {quantity} could be owed \
                     to these.",
                    family.name(),
                    parts.join("; ")
                );
                let level = if matched.is_empty() {
                    Level::Note
                } else {
                    Level::Warning
                };
                blocks.push(Block::Callout { level, text });
            }
        }
        blocks
    }

    pub(super) fn methods(&self) -> Section {
        let terms = self.about.terms();
        let (quantity, given, first) = (terms.quantity(), terms.given(), terms.first());
        let minus = terms.either(
            "Sites of the minus strand are read from the reverse complement, in which inter-base position t of a tile of length L becomes L − t.",
            "On minus the order of the bases is reversed.",
        );
        let r = &self.request;
        let blocks = vec![
            paragraph(format!(
                "Endpoint, fixed before any result was seen and no option of the program: the paired difference, site minus control, of the mean \
                 {quantity} over inter-base positions −2 to +2. Donors, acceptors and families are tested separately; the tables give \
                 each p-value as it is and adjusted over all of them."
            )),
            paragraph(format!(
                "Unit of replication: {}. The two-sided permutation test flips the sign of all differences of a unit together, {} times: p = \
                 (b + 1)/(m + 1), and never under its floor; where there are fewer ways to flip, all are tried. The interval of a \
                 difference holds what that test does not reject; those of AUROC, d and log2 ratio are bias-corrected and accelerated (BCa), from {} \
                 bootstrap draws of whole units; bands of profiles are percentiles. A value counts in the unit it lies in: of a pair over two genes, as \
                 in family kmer, each in its own. Effective units are (sum n)²/sum n² over the pairs of units. Seed {}.",
                match r.comparison.cluster {
                    ReplicateUnit::Gene =>
                        "clusters of genes that overlap each other, on either strand",
                    ReplicateUnit::Contig => "contigs",
                    ReplicateUnit::Site =>
                        "single sites, which overstates the evidence wherever sites of a gene are alike",
                },
                count(r.comparison.permutations),
                count(r.comparison.bootstraps),
                r.comparison.seed
            )),
            paragraph(
                "What the calipers leave unequal is taken out by regression (Abadie & Imbens 2011): the value of each control is moved to the covariates of its site \
                 along a linear fit over the controls of the kind and family, and all differences, profiles and tests are of values so moved. The table pairs has each value as read and \
                 what was added to it.",
            ),
            paragraph(
                "Sentences at the head of the page are claims, and are adjusted together: the probability of any false difference among them is 5% (Holm), and so is that of any false \
                 equality. No difference of interest is claimed only where two one-sided sign-flip tests show it to be smaller than a fifth of the standard deviation of single \
                 controls (columns smallest_effect and p_equivalence); where neither is shown, the page says so.",
            ),
            paragraph(format!(
                "Reading: {given} {} bases; positions within {} bases of a tile’s end are not used, unless the contig ends there{first}. Sites near each other share a tile: {} tiles, {} \
                 bases. {minus}",
                count(r.comparison.context),
                count(r.comparison.margin),
                count(self.found.comparison.tiles_read as usize),
                count(self.found.comparison.bases_read as usize)
            )),
            paragraph(format!(
                "Sites: unique donors and acceptors of {}; introns under {} bases and introns that do not read GT-AG are left out, as are sites with \
                 another base than A, C, G, T within {} bases.",
                match r.transcripts {
                    TranscriptChoice::All => "all transcripts",
                    TranscriptChoice::Canonical => "each gene’s canonical transcript",
                },
                r.min_intron_bp,
                self.radius()
            )),
        ];
        Section {
            title: "Methods".into(),
            blocks,
        }
    }

    pub(super) fn caveats(&self) -> Section {
        let terms = self.about.terms();
        let that = terms.either(
            "that the model treats annotated sites otherwise than",
            "that the signal differs between annotated sites and",
        );
        let alone = terms.either(
            "sensitivity to that motif alone",
            "a signal of that motif alone",
        );
        let mut blocks = vec![paragraph(format!(
            "A difference says {that} look-alikes of the same gene, not why. Real sites carry an \
             extended consensus around their two nucleotides (GTAAGT at donors, a pyrimidine tract before acceptors) that most decoys lack: {alone} would show as a difference from decoys. Families strength and kmer ask what is left of it.",
        ))];
        if terms == Terms::Model {
            blocks.push(paragraph(
            "Even a model with random weights can show a difference here, since it too reacts to nucleotides near a position. What training added is \
             seen by running an untrained checkpoint beside a trained one.",
            ));
        }
        blocks.push(paragraph(
            "Annotations are incomplete: some controls may be splice sites nobody has seen yet, which pulls differences towards zero. Sites without a \
             control are not in the test.",
        ));
        if self.about.bundled {
            blocks.push(Block::Callout {
                level: Level::Note,
                text: "Bundled genome and bundled model: the model was trained on sequence of this chromosome but chr4:539253-741472, never on any \
                       annotation; --region asks about that stretch alone. What is shown is what training on nucleotides alone left behind, not \
                       how it carries over to unseen genomes; for that, run it on another genome."
                    .into(),
            });
        }
        Section {
            title: "What this does not show".into(),
            blocks,
        }
    }
}

fn cards(row: &StatisticsRow) -> [Card; 2] {
    let sign = if row.difference > 0.0 { "+" } else { "" };
    let some = row.n_pairs > 0;
    let p = if some { p_text(row) } else { String::new() };
    [
        Card {
            label: format!(
                "{}s: difference to {} controls",
                capital(&row.site_kind),
                row.control
            ),
            value: format!("{sign}{}", decimals(row.difference, 4)),
            uncertainty: if some {
                format!("95% CI {}; {p}", interval(row.ci_low, row.ci_high))
            } else {
                "no pairs".into()
            },
        },
        Card {
            label: format!(
                "{}s: probability to exceed a control (AUROC)",
                capital(&row.site_kind)
            ),
            value: decimals(row.auroc, 3),
            uncertainty: format!(
                "95% CI {}; {} pairs",
                interval(row.auroc_low, row.auroc_high),
                count(row.n_pairs as usize)
            ),
        },
    ]
}

/// A warning where there is too little to lean on.
fn thin(row: &StatisticsRow) -> Option<Block> {
    let text = if row.n_pairs == 0 {
        format!(
            "No {} could be compared; the table of sites below says why.",
            row.site_kind
        )
    } else if row.p_floor > 0.05 {
        format!(
            "{}s come from {} gene clusters only: the test could not give a p-value under {}.",
            capital(&row.site_kind),
            row.n_clusters,
            decimals(row.p_floor, 3)
        )
    } else if row.n_effective < FEW_CLUSTERS {
        format!(
            "{}s come from {} units of replication, worth {} of one size: test and interval hold only if differences are spread evenly around their mean, and \
             intervals of AUROC and d are too narrow.",
            capital(&row.site_kind),
            row.n_clusters,
            decimals(row.n_effective, 1)
        )
    } else {
        return None;
    };
    let level = if row.n_pairs == 0 {
        Level::Problem
    } else {
        Level::Warning
    };
    Some(Block::Callout { level, text })
}

fn rule_words(rule: CanonicalRule) -> &'static str {
    match rule {
        CanonicalRule::OnlyTranscript => "it is the only one",
        CanonicalRule::EnsemblCanonical => "tagged Ensembl_canonical",
        CanonicalRule::ManeSelect => "tagged MANE Select",
        CanonicalRule::LongestCds => "no tag, longest coding sequence",
        CanonicalRule::LongestExons => "coding sequences alike, most exonic bases",
        CanonicalRule::FirstId => "alike in both, first identifier",
    }
}
