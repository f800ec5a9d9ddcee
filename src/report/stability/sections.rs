//! The sections of the page.

use super::pictures::words;
use super::{StabilityPage, Svg};
use crate::pipelines::stability::{
    ComparisonRow, LETTERS, MODEL, SHARE, SummaryRow, TABLE, UNTRAINED,
};
use crate::report::block::{downloads, paragraph};
use crate::report::format::{count, percent};
use crate::report::table::table;
use crate::report::{Block, Cell, Format, Level, Section};

/// A model in words.
fn who(model: &str) -> &str {
    match model {
        TABLE => "nucleotides within 8 bases",
        UNTRAINED => "untrained model",
        other => other,
    }
}

fn place(group: &str) -> String {
    match group.strip_suffix("_control") {
        Some(kind) => format!("nucleotides of {kind} cores elsewhere"),
        None if group == "random" => "random places".into(),
        None => format!("{group} cores"),
    }
}

impl StabilityPage {
    pub(super) fn result(&self, svg: &Svg) -> Section {
        let mut blocks = Vec::new();
        if self.request.sites.comparison.negative_control {
            let text = "Splice cores are replaced by other controls of them: what is said of cores must be nothing. It checks the method, not the model.";
            blocks.push(Block::Callout {
                level: Level::Note,
                text: text.into(),
            });
        }
        blocks.push(Block::Figure {
            svg: svg.distances.clone(),
            label: "Response by distance".into(),
            caption: "Mean |change of boundary probability| and share of changed decisions at inter-base positions by their distance from the edit, at random places of genes; both \
                      sides together, positions matched across insertions and deletions."
                .into(),
            downloads: downloads("response", "distances"),
        });
        blocks.push(Block::Table(table! {
            "Means an edit. Change: sum of |change of probability| within reach; decisions: positions that become a boundary or cease to be one, share of all compared; \
                      tokens: gained or lost; the last column: the distance within which 95% of all change lies (from the middle where many bases change, and where none does).";
            self.found.summary.iter();
            |r: &SummaryRow|
            "edit", Format::Text => words(&r.kind);
            "where", Format::Text => place(&r.group);
            "who", Format::Text => who(&r.model);
            "edits", Format::Integer => r.n;
            "units", Format::Integer => r.n_clusters;
            "change", Format::Decimals(3) => r.change;
            "95% CI", Format::Interval => (r.change_low, r.change_high);
            "decisions", Format::Decimals(2) => r.decisions;
            "95% CI", Format::Interval => (r.decisions_low, r.decisions_high);
            "share", Format::Percent(1) => r.share;
            "tokens", Format::Decimals(2) => r.tokens;
            "95% within, bp", Format::Integer => r.reach_95;
        }));
        Section {
            title: "Result".into(),
            blocks,
        }
    }

    pub(super) fn against(&self, svg: &Svg) -> Section {
        let table = table! {
            "The same places or pairs, one edit less the other. p: sign flips of whole units; Holm: over the comparisons of a measure.";
            self.found.comparisons.iter();
            |r: &ComparisonRow|
            "comparison", Format::Text => r.comparison.clone();
            "measure", Format::Text => r.measure.clone();
            "pairs", Format::Integer => r.n;
            "units", Format::Integer => r.n_clusters;
            "first", Format::Decimals(3) => r.first;
            "second", Format::Decimals(3) => r.second;
            "difference", Format::Decimals(3) => r.difference;
            "95% CI", Format::Interval => (r.ci_low, r.ci_high);
            "p", Format::PValue => Cell::p(r.p_value, Some(r.p_floor));
            "p, Holm", Format::PValue => Cell::p(r.p_holm, None);
        };
        let figure =
            |svg: &str, label: &str, caption: &str, name: &str, table: &str| Block::Figure {
                svg: svg.into(),
                label: label.into(),
                caption: caption.into(),
                downloads: downloads(name, table),
            };
        let blocks = vec![
            figure(
                &svg.models,
                "A random base, to whom and where",
                "The model beside a table of the nucleotides within 8 bases (which cannot see further), an untrained model of the same shape, and donor cores beside the same nucleotides elsewhere.",
                "response_models",
                "distances",
            ),
            figure(
                &svg.comparisons,
                "Differences",
                "Mean differences with 95% intervals over draws of units.",
                "forest",
                "comparisons",
            ),
            Block::Table(table),
        ];
        Section {
            title: "Against what".into(),
            blocks,
        }
    }

    pub(super) fn mutation_map(&self, svg: &Svg) -> Option<Section> {
        let drawn = svg.map.as_ref()?;
        let figure = Block::Figure {
            svg: drawn.clone(),
            label: "Mutation map of one splice site".into(),
            caption: "Every substitution around the first site with a control, rows A, C, G and T in the orientation of its strand: how much it changes boundary probabilities within \
                      reach. The reference base is white. One place illustrates; it is no evidence."
                .into(),
            downloads: downloads("mutation_map", "mutation_map"),
        };
        Some(Section {
            title: "One place".into(),
            blocks: vec![figure],
        })
    }

    pub(super) fn methods(&self) -> Section {
        let (request, comparison) = (&self.request, &self.request.sites.comparison);
        let texts = [
            format!(
                "Each edit is read in a window of {} bases around it, before and after, on one strand; positions within {} bases are compared, matched across the change in length. \
                 Random places lie in genes, on a random strand. {} of {} bases within reach are masked, or replaced by another base, for the edits of 15%.",
                count(comparison.context),
                count(request.reach),
                percent(SHARE, 0),
                count(2 * request.reach)
            ),
            "Splice cores: one of the two core nucleotides of a donor (GT) or acceptor (AG) is replaced by a random other one, and the same nucleotide by the same other one at an unspliced \
             GT or AG of the same genes with matched flanks, as splice-profile matches them."
                .into(),
            format!(
                "Nucleotides within {LETTERS} bases: a table fitted on what the model said of the unedited windows, for each unit without it; its answer to an edit is the change of what it predicts. \
                 Untrained: a {MODEL} of the same configuration with fresh random weights (seed {}).",
                comparison.seed
            ),
            "Units of replication are clusters of overlapping genes. Intervals: BCa over draws of units. Tests: sign flips of units.".into(),
        ];
        Section {
            title: "How it was done".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }

    pub(super) fn caveats(&self) -> Section {
        let mut texts = vec![
            "A change of boundaries is not harm, and no change is no robustness of what the model computes with its tokens.".to_string(),
            "A difference between splice cores and the same nucleotides elsewhere may come from the nucleotides around them: see the rows “beyond letters”.".into(),
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
