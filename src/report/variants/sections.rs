//! The sections of the page.

use super::{Svg, VCF, VCF_INDEX, VariantsPage, measure, words};
use crate::pipelines::variants::{LEAST_OF_GROUP, ROUNDS, VariantRow, WIDTH};
use crate::report::block::{downloads, link, paragraph};
use crate::report::format::count;
use crate::report::table::table;
use crate::report::{Block, Cell, Format, Level, Section, Table, columns};

/// Alleles that the page lists.
const SHOWN: usize = 25;
/// Groups fewer than these make an interval that is not to be trusted.
const FEW_GROUPS: u64 = 10;

impl VariantsPage {
    pub(super) fn evaluation(&self, svg: &Svg) -> Option<Section> {
        let (found, drawn) = (&self.found, svg.evaluation.as_ref()?);
        let name = self.request.labels.as_deref().unwrap_or_default();
        let mut blocks = Vec::new();
        if let Some(few) = found
            .evaluation
            .iter()
            .map(|row| row.n_groups)
            .filter(|n| *n < FEW_GROUPS)
            .max()
        {
            let text = format!(
                "Intervals and p-values are over {few} groups: so few say little of others."
            );
            blocks.push(Block::Callout {
                level: Level::Warning,
                text,
            });
        }
        blocks.push(Block::Figure {
            svg: drawn.clone(),
            label: format!("Scores against {name}"),
            caption:
                "Each score is turned so that more of it should mean more of an effect: of likelihoods the drop. The black line is chance."
                    .into(),
            downloads: downloads("evaluation", "evaluation"),
        });
        blocks.push(Block::Table(table! {
            "Every score on the same alleles. Likelihoods of SNVs and of other alleles have different scales, but are ranked together here.";
            found.evaluation.iter();
            |r: &crate::pipelines::variants::EvaluationRow|
            "score", Format::Text => words(&r.score);
            "measure", Format::Text => measure(&r.measure);
            "alleles", Format::Integer => r.n;
            "groups", Format::Integer => r.n_groups;
            "value", Format::Decimals(3) => r.value;
            "95% CI", Format::Interval => (r.ci_low, r.ci_high);
        }));
        blocks.push(Block::Table(table! {
            "Scores against each other on the same groups. p: sign flips of groups, not adjusted for the number of comparisons.";
            found.differences.iter();
            |r: &crate::pipelines::variants::DifferenceRow|
            "scores", Format::Text => format!("{} less {}", words(&r.score), words(&r.other));
            "measure", Format::Text => measure(&r.measure);
            "groups", Format::Integer => r.n_groups;
            "difference", Format::Decimals(3) => r.difference;
            "95% CI", Format::Interval => (r.ci_low, r.ci_high);
            "p", Format::PValue => Cell::p(r.p_value, Some(r.p_floor).filter(|floor| floor.is_finite()));
        }));
        if !found.groups.is_empty() {
            blocks.push(Block::Table(self.groups()));
        }
        Some(Section {
            title: "Against what is known".into(),
            blocks,
        })
    }

    /// One row a group, one column a score.
    fn groups(&self) -> Table {
        let found = &self.found;
        let size = || found.groups.iter().filter(|row| row.measure == "size");
        let mut scores: Vec<&str> = size().map(|row| row.score.as_str()).collect();
        scores.dedup();
        let first = size().filter(|row| Some(row.score.as_str()) == scores.first().copied());
        let value = |group: &str, score: &str| {
            size()
                .find(|row| row.group == group && row.score == score)
                .map_or(f64::NAN, |row| row.value)
        };
        let row = |r: &crate::pipelines::variants::GroupRow| -> Vec<Cell> {
            let values = scores
                .iter()
                .map(|score| Cell::Number(value(&r.group, score)));
            [r.group.clone().into(), (r.n as usize).into()]
                .into_iter()
                .chain(values)
                .collect()
        };
        let mut head = vec![("group", Format::Text), ("alleles", Format::Integer)];
        head.extend(
            scores
                .iter()
                .map(|score| (words(score), Format::Decimals(3))),
        );
        let caption = format!(
            "Spearman’s correlation with the size of the effect, by group. Groups with fewer than {LEAST_OF_GROUP} alleles have none."
        );
        Table {
            caption,
            columns: columns(&head),
            rows: first.map(row).collect(),
        }
    }

    pub(super) fn scores(&self, svg: &Svg) -> Section {
        let mut blocks = vec![Block::Figure {
            svg: svg.scores.clone(),
            label: "Scores of all alleles".into(),
            caption: "Share of alleles with at most this score. Left: of SNVs the log-likelihood ratio of the alternative base, by the model and by the table of the nucleotides \
                      nearby. Right: how much the alternative allele changes boundary probabilities within reach."
                .into(),
            downloads: downloads("scores", "variants"),
        }];
        let mut rows: Vec<&VariantRow> = self
            .found
            .variants
            .iter()
            .filter(|row| row.reason.is_empty())
            .collect();
        rows.sort_by(|a, b| b.boundary_change.total_cmp(&a.boundary_change));
        blocks.push(Block::Table(listed(
            &rows,
            "Alleles that change boundaries most.",
        )));
        rows.retain(|row| row.kind == "snv");
        rows.sort_by(|a, b| a.llr.total_cmp(&b.llr));
        blocks.push(Block::Table(listed(
            &rows,
            "SNVs that the model finds least likely.",
        )));
        if let Some(indexed) = self.vcf {
            let index = indexed.then(|| link("its tabix index", VCF_INDEX.into()));
            let links =
                std::iter::once(link("the input’s VCF with INFO fields LDAR_*", VCF.into()))
                    .chain(index);
            blocks.push(Block::Links(links.collect()));
            if !indexed {
                let text = "There is no tabix index: the records of the input are not sorted, or lie beyond what such an index can tell.";
                blocks.push(Block::Callout {
                    level: Level::Note,
                    text: text.into(),
                });
            }
        }
        Section {
            title: "Scores".into(),
            blocks,
        }
    }

    pub(super) fn accounting(&self) -> Section {
        let row = |row: &crate::pipelines::variants::AccountingRow| -> Vec<Cell> {
            vec![explained(&row.outcome).into(), (row.n as usize).into()]
        };
        let table = Table {
            caption: format!(
                "What became of every allele. All are in the tables{}.",
                if self.vcf.is_some() {
                    ", and every record of the input is in the VCF"
                } else {
                    ""
                }
            ),
            columns: columns(&[("outcome", Format::Text), ("alleles", Format::Integer)]),
            rows: self.found.accounting.iter().map(row).collect(),
        };
        let noted = |note: &str| {
            self.found
                .variants
                .iter()
                .filter(|row| row.notes.split(',').any(|one| one == note))
                .count()
        };
        let text = format!(
            "Scored with less than a margin of sequence on a side: {}. With an unknown base within reach: {}.",
            count(noted("near_end")),
            count(noted("n_nearby"))
        );
        Section {
            title: "What was scored".into(),
            blocks: vec![Block::Table(table), paragraph(text)],
        }
    }

    pub(super) fn methods(&self) -> Section {
        let request = &self.request;
        let strands = if request.both_strands {
            "Scores are means over both strands"
        } else {
            "The plus strand is read"
        };
        let texts = [
            format!(
                "Windows of {} bases, laid so that every variant has at least {} bases to the ends of its window where the contig has them. Alleles are scored in the same window, \
                 with the same bases on both sides. {strands}.",
                count(request.context),
                count(request.margin)
            ),
            format!(
                "Likelihood of an SNV: its position alone is masked, and the score is ln P(alternative) − ln P(reference). Of all other alleles: the nucleotides of the allele and {} \
                 bases on either side are masked, one in {ROUNDS} at a time and each once, as in training, and the score is the sum of ln P of the true nucleotides with the alternative less \
                 that with the reference. It has another scale than that of SNVs.",
                count(request.reach)
            ),
            format!(
                "Boundaries: inter-base positions within {} bases, matched across the change in length; those inside of what is deleted or inserted count for tokens gained or lost alone. \
                 Hidden state: Euclidean distance of the means over the window of what the LM head reads.",
                count(request.reach)
            ),
            format!(
                "Local table: counts of the base between up to {WIDTH} nucleotides on either side, on {} bases of the same sequences and their reverse complements; the count of a variant’s own \
                 position is taken away. It is what any function of so few nucleotides could learn.",
                count(self.found.table_bases as usize)
            ),
            "Intervals: BCa over draws of whole groups.".into(),
        ];
        Section {
            title: "How it was done".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }

    pub(super) fn caveats(&self) -> Section {
        let mut texts = vec![
            "A score says what the model finds unlikely or cuts otherwise, not that an allele does harm.".to_string(),
            "Where the local table does as well, the model has shown nothing beyond the nucleotides nearby (CpG is the usual case).".into(),
        ];
        if self.about.bundled {
            texts.push(
                "Most of this chromosome was training sequence of the bundled model (without labels): it may know the reference by heart."
                    .into(),
            );
        }
        Section {
            title: "What this does not show".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }
}

/// The head of a list of alleles.
fn listed(rows: &[&VariantRow], caption: &str) -> Table {
    let short = |allele: &str| {
        if allele.len() > 12 {
            format!("{}…", allele.chars().take(11).collect::<String>())
        } else {
            allele.to_string()
        }
    };
    let shown = &rows[..rows.len().min(SHOWN)];
    let caption = format!("{caption} {} of {}.", count(shown.len()), count(rows.len()));
    table! {
        caption;
        shown.iter();
        |r: &&VariantRow|
        "place (from 1)", Format::Text => format!("{}:{}", r.contig, count((r.position + 1).max(0) as usize));
        "alleles", Format::Text => format!("{}→{}", short(&r.reference), short(&r.alternate));
        "likelihood", Format::Decimals(2) => r.llr;
        "local table", Format::Decimals(2) => r.table_llr;
        "boundary change", Format::Decimals(2) => r.boundary_change;
        "decisions", Format::Decimals(1) => r.decisions_changed;
        "tokens", Format::Decimals(1) => r.tokens_gained;
        "hidden state", Format::Significant(2) => r.hidden_distance;
    }
}

/// An outcome in words.
fn explained(outcome: &str) -> &str {
    match outcome {
        "unknown_contig" => "not scored: the genome has no such contig",
        "beyond_contig" => "not scored: beyond the ends of the contig",
        "reference_differs" => "not scored: the reference allele is not what the genome has",
        "over_n" => "not scored: the genome has unknown bases there",
        "not_acgt" => "not scored: an allele with other nucleotides than A, C, G and T",
        "symbolic" => "not scored: a symbolic allele (<DEL>, *, a breakend)",
        "no_alternate" => "not scored: no alternative allele",
        "no_change" => "not scored: both alleles are the same",
        "too_long" => "not scored: too long for the window",
        other => other,
    }
}
