//! What `site-profile` leaves behind: its tables, its figures and its page.

use serde_json::{Value, json};

use super::analysis::{self, Analysis, Tables as _, tables};
use super::block::{downloads, paragraph};
use super::comparison::{PanelWords, profile_panel};
use super::discrimination::{BY_OPTION, Told, Words, sides};
use super::format::{count, decimals, integer, interval, p_value};
use super::page::FigureFolder;
use super::record::{About, Record};
use super::splice_profile::pictures::covariate_name;
use super::{Block, Cell, Format, Level, Report, Section};
use crate::controls::decoys::APART_BP;
use crate::error::Result;
use crate::figures::ProfileFigure;
use crate::pipelines::comparison::discrimination::{Discrimination, MOST_ROWS};
use crate::pipelines::comparison::{BalanceRow, StatisticsRow};
use crate::pipelines::site_profile::{AccountingRow, SITE, SiteProfile, SiteProfileRequest};
use crate::report::table::table;

tables! {
    SiteProfile, with comparison.discrimination: Discrimination; "sites": sites, "controls": comparison.controls, "pairs": comparison.pairs (not read), "profile": comparison.profile, "statistics": comparison.statistics, "balance": comparison.balance, "accounting": accounting, "letters": letters, "matching": comparison.matching, "offsets": comparison.offsets (not read), "runs": comparison.runs (not read), "baseline": comparison.baseline
}

fn summary(found: &SiteProfile) -> String {
    let mut text = format!("{}\n", told(found).headline());
    for row in of_measure(found, "probability") {
        text += &format!(
            "mean over -2 to +2: {} at sites, {} at controls, difference {} (95% CI {}), p {}; {} pairs from {} blocks\n",
            decimals(row.site_mean, 4),
            decimals(row.control_mean, 4),
            decimals(row.difference, 4),
            interval(row.ci_low, row.ci_high),
            p_value(row.p_value, Some(row.p_floor)),
            row.n_pairs,
            row.n_clusters
        );
    }
    text.replace('\u{A0}', " ")
}

/// Sites told from controls.
fn told(found: &SiteProfile) -> Told<'_> {
    Told {
        found: &found.comparison.discrimination,
        letters: &found.letters,
        sides,
        every_control: false,
    }
}

fn of_measure<'a>(
    found: &'a SiteProfile,
    measure: &'a str,
) -> impl Iterator<Item = &'a StatisticsRow> {
    (found.comparison.statistics.iter()).filter(move |row| row.measure == measure)
}

impl Analysis for SiteProfile {
    const NAME: &'static str = "site-profile";
    const FIGURES: &'static [&'static str] = &["profile", "discrimination"];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        SitePage::open(record)?.report(to)
    }
}

impl analysis::Found for SiteProfile {
    fn bases_read(&self) -> u64 {
        self.comparison.bases_read
    }

    fn summary(&self) -> String {
        summary(self)
    }

    fn outcome(&self) -> Value {
        let found = self;
        json!({
            "tiles_read": found.comparison.tiles_read,
            "bases_read": found.comparison.bases_read,
            "unstranded": found.unstranded,
            "statistics": found.comparison.statistics,
            "matching": found.comparison.matching,
            "accounting": found.accounting,
        })
    }
}

/// The page.
pub(super) struct SitePage {
    found: SiteProfile,
    request: SiteProfileRequest,
    about: About,
}

impl SitePage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<SitePage> {
        let mut found = SiteProfile {
            unstranded: record.outcome("unstranded")?,
            ..SiteProfile::default()
        };
        found.read_tables(record)?;
        found.comparison.tiles_read = record.outcome("tiles_read")?;
        found.comparison.bases_read = record.outcome("bases_read")?;
        Ok(SitePage {
            found,
            request: record.parameters()?,
            about: record.about(),
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let told = told(&self.found);
        let profile = to.write_figure(&self.profile(), "profile")?;
        let discrimination = to.write_figure(&told.figure(), "discrimination")?;
        let report = Report {
            title: self
                .about
                .terms()
                .either(
                    "Do the model’s boundaries mark the given sites?",
                    "Does the signal differ at the given sites?",
                )
                .into(),
            subtitle: format!("{} · {}", self.about.model, self.about.genome),
            headline: told.headline(),
            answer: self.answer(),
            sections: vec![
                self.result(&profile),
                told.section(&discrimination, &self.words()),
                self.endpoint(),
                self.accounting(),
                self.balance(),
                self.methods(),
                self.about.section(&self.request, &SiteProfile::names()),
            ],
            chapters: Vec::new(),
            appendix: Vec::new(),
        };
        Ok(report)
    }

    fn n(&self, kind: &str, status: &str) -> usize {
        let rows = self.found.accounting.iter();
        rows.filter(|row| row.kind == kind && row.status == status)
            .map(|row| row.n as usize)
            .sum()
    }

    fn answer(&self) -> String {
        let quantity = self.about.terms().quantity();
        let all = of_measure(&self.found, "probability").next();
        all.filter(|row| row.n_pairs > 0).map_or_else(
            || "No site could be compared; the table of records says why.".into(),
            |row| {
                format!(
                    "{} of {} records are used, in {} blocks. The mean {quantity} over offsets −2 to +2 is {} at sites and {} at their matched controls: a difference of {} (95% CI {}; p {}).",
                    count(self.n(SITE, "used")),
                    count(self.found.sites.len()),
                    count(row.n_clusters as usize),
                    decimals(row.site_mean, 4),
                    decimals(row.control_mean, 4),
                    decimals(row.difference, 4),
                    interval(row.ci_low, row.ci_high),
                    p_value(row.p_value, Some(row.p_floor))
                )
            },
        )
    }

    fn profile(&self) -> ProfileFigure {
        let panel = |row: &StatisticsRow| {
            let words = PanelWords {
                title: String::new(),
                sides: sides(SITE),
                names: ["sites".into(), format!("{} controls", row.control)],
                units: "blocks",
            };
            let found = &self.found;
            profile_panel(&found.comparison, found.letters.iter(), row, words)
        };
        let panels = of_measure(&self.found, "probability").map(panel).collect();
        ProfileFigure {
            x_label: "Offset from the site (bases, 5′ to 3′)".into(),
            y_label: format!("Mean {}", self.about.terms().quantity()),
            ..ProfileFigure::new(panels)
        }
    }

    fn result(&self, svg: &str) -> Section {
        let mut blocks = vec![Block::Cards(told(&self.found).cards())];
        if self.found.unstranded.iter().sum::<u64>() > 0 {
            let [sites, controls] = self.found.unstranded;
            let text = format!(
                "{sites} sites and {controls} controls have no strand in their list and were read on plus."
            );
            let level = Level::Note;
            blocks.push(Block::Callout { level, text });
        }
        blocks.push(Block::Figure {
            svg: svg.into(),
            label: format!("Mean {} around the sites", self.about.terms().quantity()),
            caption: format!(
                "Offset 0 is exactly the site, the {} of its record, in the orientation of its strand. Upper row: all {} offsets either side; lower row: the ten nearest. Blue: sites; \
                 orange: one matched control each. Bands are pointwise 95% intervals of a bootstrap over blocks; the grey window is the secondary endpoint, fixed in advance. Logo: the nucleotides of all \
                 used sites, 2 bits high.",
                self.request.anchor.name(),
                self.request.comparison.flank
            ),
            downloads: downloads("profile", "profile"),
        });
        Section {
            title: "Result".into(),
            blocks,
        }
    }

    fn is_given(&self) -> bool {
        use crate::controls::Family;
        (self.request.comparison.controls.families).contains(&Family::Bed)
    }

    fn words(&self) -> Words {
        let (first, last) = self.request.window;
        let blocks = format!("blocks of {} bases", count(self.request.block_bp));
        let controls = match self.is_given() {
            true => format!(
                "Every site has up to 10 controls of the list, from its own block and strand; each serves one site, and all but a site’s first keep {APART_BP} bases from every site and \
                 from each other."
            ),
            false => format!(
                "Every site has up to 10 random positions of its own block and strand, at least {APART_BP} bases from every site of the list on that strand and from each other. Where a block \
                 has no room its sites have one nearer position, never so near that the windows of the two overlap."
            ),
        };
        Words {
            terms: self.about.terms(),
            title: self.about.terms().either(
                "Do boundaries tell sites from controls, and beyond the nucleotides?",
                "Does the signal tell sites from controls, and beyond the nucleotides?",
            ),
            figure: "discrimination",
            clusters: "blocks",
            controls: format!(
                "Units of replication are {blocks}. {controls} Controls of a site weigh as much together as the site. With more sites than the models need, a random sample is used: at \
                 most {} sites and controls.",
                count(MOST_ROWS)
            ),
            windows: format!("{} to +{last}", integer(first)),
            matrix: "over the whole window",
            without_reference: BY_OPTION,
        }
    }

    fn endpoint(&self) -> Section {
        let quantity = self.about.terms().quantity();
        let table = table! {
            format!(
                "Mean {quantity} over inter-base positions −2 to +2, each site less one matched control; and the same of what a table of the nucleotides nearby leaves \
                      unexplained (residual). d: mean difference over the standard deviation of the differences. p: sign flips of whole blocks, not adjusted."
            );
            self.found.comparison.statistics.iter();
            |row: &StatisticsRow|
            "measure", Format::Text => row.measure.clone();
            "control", Format::Text => row.control.clone();
            "pairs", Format::Integer => row.n_pairs;
            "blocks", Format::Integer => row.n_clusters;
            "sites", Format::Decimals(4) => row.site_mean;
            "controls", Format::Decimals(4) => row.control_mean;
            "difference", Format::Decimals(4) => row.difference;
            "95% CI", Format::Interval => (row.ci_low, row.ci_high);
            "d", Format::Decimals(2) => row.d;
            "AUROC", Format::Decimals(3) => row.auroc;
            "p", Format::PValue => Cell::p(row.p_value, Some(row.p_floor));
        };
        Section {
            title: "Secondary endpoint: the mean over offsets −2 to +2".into(),
            blocks: vec![Block::Table(table)],
        }
    }

    fn accounting(&self) -> Section {
        let radius = count(self.request.comparison.radius_bp());
        let words = |row: &AccountingRow| match row.status.as_str() {
            "used" => "used: has a matched control".into(),
            "usable" => "in a block with sites, with a whole window".into(),
            "no_partner" => "usable, but without a matched control".into(),
            "no_site_in_block" => {
                "usable, but no site lies in its block: a larger --block holds more".into()
            }
            "duplicate" => "the same position and strand as an earlier line".into(),
            "not_sampled" => "usable, but not in the random subset of --max-sites".into(),
            "no_signal" => format!("a base without a value in the track within {radius} bases"),
            "window_not_acgt" => format!("a base other than A, C, G, T within {radius} bases"),
            "window_off_contig" => format!("the contig ends within {radius} bases"),
            "contig_not_chosen" => "its contig was not asked for".into(),
            "contig_not_in_genome" => "its contig is not in the genome".into(),
            other => other.replace('_', " "),
        };
        let table = table! {
            "What became of every record of the lists.";
            self.found.accounting.iter();
            |row: &AccountingRow|
            "records", Format::Text => row.kind.clone();
            "status", Format::Text => row.status.clone();
            "meaning", Format::Text => words(row);
            "n", Format::Integer => row.n;
        };
        Section {
            title: "Records".into(),
            blocks: vec![Block::Table(table)],
        }
    }

    fn balance(&self) -> Section {
        let number = Format::Significant(3);
        let measured = |row: &&BalanceRow| {
            row.site_mean_after.is_finite() && row.covariate != "gene_end_distance_bp"
        };
        let table = table! {
            "Means of sites and their matched controls, and standardised mean differences (SMD) before and after matching. Matched is what profiles and the secondary \
                      endpoint compare; the models above see controls of any composition, and nucleotides beside them.";
            (self.found.comparison.balance.iter()).filter(measured);
            |row: &BalanceRow|
            "control", Format::Text => row.control.clone();
            "covariate", Format::Text => covariate_name(&row.covariate);
            "sites", number => row.site_mean_after;
            "controls", number => row.control_mean_after;
            "SMD before", Format::Decimals(3) => row.smd_before;
            "SMD after", Format::Decimals(3) => row.smd_after;
        };
        Section {
            title: "How well matched controls match".into(),
            blocks: vec![Block::Table(table)],
        }
    }

    fn methods(&self) -> Section {
        let (given, first) = (self.about.terms().given(), self.about.terms().first());
        let r = &self.request.comparison;
        let control = match self.is_given() {
            true => {
                "the one of the list that is nearest in composition, on the same contig and strand"
            }
            false => "the position of the same block and strand that is nearest in composition",
        };
        let blocks = vec![
            paragraph(format!(
                "A site is the {} of its record, in the orientation of its strand. Units of replication are blocks of {} bases of the genome: folds, bootstrap draws and sign flips are of \
                 whole blocks. Seed {}.",
                self.request.anchor.name(),
                count(self.request.block_bp),
                r.seed
            )),
            paragraph(format!(
                "Matched controls: {control} (G+C of the {} bases on either side, each within {}, CpG and soft-masking). What matching leaves unequal is taken out by \
                 regression (Abadie & Imbens 2011). The two-sided permutation test flips whole blocks, {} times; the interval holds what it does not reject.",
                r.controls.gc_flank_bp,
                r.controls.caliper,
                count(r.permutations)
            )),
            paragraph(format!(
                "Reading: {given} {} bases; positions within {} bases of a tile’s end are not used, unless the contig ends there{first}. {} tiles, {} bases.",
                count(r.context),
                count(r.margin),
                count(self.found.comparison.tiles_read as usize),
                count(self.found.comparison.bases_read as usize)
            )),
            paragraph(
                "That boundaries tell sites from controls says that they follow something that the two differ in, which may be composition alone. What they tell beyond the nucleotides \
                 around a position is the test that the models of nucleotides and of both give.",
            ),
        ];
        Section {
            title: "Methods".into(),
            blocks,
        }
    }
}
