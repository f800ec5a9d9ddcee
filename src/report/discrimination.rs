//! Sites told from controls: the sentence at the head of the page, the section, and its figure.

use super::analysis::{Tables as _, tables};
use super::terms::Terms;
use super::{Block, Card, Cell, Format, Level, Section, Table, columns};
use crate::figures::{
    DiscriminationFigure, DiscriminationModel, DiscriminationPanel, ProfilePanel, ProfileSeries,
    Side,
};
use crate::pipelines::comparison::LetterRow;
use crate::pipelines::comparison::discrimination::{
    DecoyRow, Discrimination, DiscriminationRow, EffectRow,
};
use crate::report::block::{downloads, link, paragraph};
use crate::report::format::{
    MISSING, capital, count, decimals, integer, interval, p_value, percent,
};
use crate::stats::context::{FOLDS, WIDEST};
use crate::stats::discrimination::conditional::ERROR;
use crate::stats::multiplicity::holm;

/// The probability of any false sentence.
const ALPHA: f64 = 0.05;

tables! {
    Discrimination; "discrimination": discrimination, "conditional": conditional, "cuts": cuts, "effects": effects, "roc": roc, "difference": difference, "decoys": decoys
}

/// What lies before and after a site of any kind.
pub(super) fn sides(_: &str) -> (Side, Side) {
    (Side::line("upstream"), Side::line("downstream"))
}

/// What is told: tables, and what the page knows beside them.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub found: &'a Discrimination,
    /// The letters around the sites, for the logo.
    pub letters: &'a [LetterRow],
    /// What lies before and after a site of a kind.
    pub sides: fn(&str) -> (Side, Side),
    /// Whether sentences and figure show every set of controls, or the first of a kind of site.
    pub every_control: bool,
}

/// Controls in words, by their name in tables.
pub(super) fn controls_word(control: &str) -> &'static str {
    match control {
        "decoy" => "decoys",
        "strength" => "decoys of equal strength",
        "random" => "random positions",
        "shuffled" => "themselves in shuffled flanks",
        "permuted" => "hits of permuted matrices",
        "position" => "other promoter positions",
        "outside" => "hits outside of promoters",
        _ => "the given controls",
    }
}

impl<'a> Told<'a> {
    fn row(&self, kind: &str, control: &str, features: &str) -> Option<&'a DiscriminationRow> {
        (self.found.discrimination.iter()).find(|row| {
            (&*row.site_kind, &*row.control, &*row.features) == (kind, control, features)
        })
    }

    fn effect(&self, of: &DecoyRow, features: &str, statistic: &str) -> Option<&'a EffectRow> {
        (self.found.effects.iter())
            .filter(|row| (&row.site_kind, &row.control) == (&of.site_kind, &of.control))
            .find(|row| (&*row.features, &*row.statistic) == (features, statistic))
    }

    /// The sets of controls that the sentences are about.
    fn primary(&self) -> impl Iterator<Item = &'a DecoyRow> {
        let all = &self.found.decoys;
        let is_first = |row: &&DecoyRow| {
            let first = all.iter().find(|first| first.site_kind == row.site_kind);
            self.every_control || first.is_some_and(|first| first == *row)
        };
        all.iter().filter(is_first).collect::<Vec<_>>().into_iter()
    }

    /// The p-value of a printed claim, adjusted for all of them (Holm): whether boundaries tell
    /// each kind at all, and whether they do beyond the nucleotides.
    fn adjusted(&self, of: &DecoyRow, features: &str) -> f64 {
        let claims: Vec<&DiscriminationRow> = (self.primary())
            .flat_map(|of| {
                ["boundaries", "letters+boundaries"]
                    .map(|features| self.row(&of.site_kind, &of.control, features))
            })
            .flatten()
            .collect();
        let p = holm(&claims.iter().map(|row| row.p_value).collect::<Vec<_>>());
        let at = claims.iter().position(|row| {
            (&row.site_kind, &row.control) == (&of.site_kind, &of.control)
                && row.features == features
        });
        at.map_or(f64::NAN, |at| p[at])
    }
}

/// `0.953 (95% CI 0.938 to 0.966)`.
fn with_ci(value: f64, low: f64, high: f64, places: usize) -> String {
    let limits = if low.is_finite() {
        format!(
            " (95% CI {} to {})",
            decimals(low, places),
            decimals(high, places)
        )
    } else {
        String::new()
    };
    format!("{}{limits}", decimals(value, places))
}

impl Told<'_> {
    /// What the page says first: one sentence a kind of site on boundaries alone, one on what they add.
    pub fn headline(&self) -> String {
        self.claims().join(" ")
    }

    /// The two sentences of each kind of site and set of controls.
    pub fn claims(&self) -> Vec<String> {
        (self.primary()).map(|of| self.sentences(of)).collect()
    }

    /// A track has no cuts.
    fn terms(&self) -> Terms {
        let told = (self.found.discrimination.iter()).any(|row| row.auroc.is_finite());
        match told && self.found.cuts.is_empty() {
            true => Terms::Track,
            false => Terms::Model,
        }
    }

    fn sentences(&self, of: &DecoyRow) -> String {
        let (kind, controls) = (&of.site_kind, controls_word(&of.control));
        let all = ["boundaries", "letters", "letters+boundaries"]
            .map(|features| self.row(kind, &of.control, features));
        let gain = self.effect(of, "letters+boundaries", "gain_bits");
        let ([Some(alone), Some(letters), Some(_)], Some(gain), true) =
            (all, gain, of.note.is_empty())
        else {
            return format!(
                "Whether {kind}s are told from {controls} could not be estimated: {}.",
                if of.note.is_empty() {
                    "no data"
                } else {
                    &of.note
                }
            );
        };
        let terms = self.terms();
        let (what, tell, they) = terms.either(
            ("Boundaries", "tell", "they"),
            ("The signal", "tells", "it"),
        );
        let untrained = self
            .row(kind, &of.control, "untrained")
            .map_or(String::new(), |row| {
                format!("; untrained model {}", decimals(row.auroc, 3))
            });
        let auroc = with_ci(alone.auroc, alone.auroc_low, alone.auroc_high, 3);
        let beside = format!(
            "nucleotides alone {}{untrained}",
            decimals(letters.auroc, 3)
        );
        let p_alone = self.adjusted(of, "boundaries");
        let first = match p_alone <= ALPHA {
            true => format!("{what} {tell} {kind}s from {controls} with AUROC {auroc}; {beside}."),
            false => format!(
                "{what} {} not shown to tell {kind}s from {controls}: AUROC {auroc}; {beside}; p = {}.",
                terms.either("are", "is"),
                p_value(p_alone, None)
            ),
        };
        let bits = with_ci(gain.value, gain.low, gain.high, 3);
        let p = self.adjusted(of, "letters+boundaries");
        let shown = gain.low > 0.0;
        // What is found beyond the nucleotides is not yet what training found.
        let untrained =
            self.effect(of, "letters+untrained", "gain_bits")
                .map_or(String::new(), |row| {
                    format!(
                        "; untrained model {}",
                        with_ci(row.value, row.low, row.high, 3)
                    )
                });
        let second = match p <= ALPHA {
            true if shown => format!(
                "Beyond the nucleotides {they} add{} {bits} bits; p {}{untrained}.",
                terms.either("", "s"),
                p_words(p)
            ),
            true => format!(
                "Given the nucleotides {they} still var{} with {kind}s (p {}), but information added is not shown: {bits} bits{untrained}.",
                terms.either("y", "ies"),
                p_words(p)
            ),
            false => format!(
                "Beyond the nucleotides nothing is shown: {bits} bits; p {}.",
                p_words(p)
            ),
        };
        format!("{first} {second}")
    }
}

fn p_words(p: f64) -> String {
    let text = p_value(p, None);
    if text.starts_with(['≤', '<']) {
        text
    } else {
        format!("= {text}")
    }
}

/// The name of a model in tables and figures.
fn model_name(features: &str) -> &str {
    match features {
        "letters" => "nucleotides",
        "boundaries" => "boundaries",
        "letters+boundaries" => "both",
        "untrained" => "untrained",
        _ => "nucleotides + untrained",
    }
}

impl Told<'_> {
    /// The numbers of the sentences, two cards a kind of site.
    pub fn cards(&self) -> Vec<Card> {
        let of_kind = |of: &DecoyRow| -> Option<[Card; 2]> {
            let alone = self.row(&of.site_kind, &of.control, "boundaries")?;
            let letters = self.row(&of.site_kind, &of.control, "letters")?;
            let gain = self.effect(of, "letters+boundaries", "gain_bits")?;
            let p = self.adjusted(of, "letters+boundaries");
            Some([
                Card {
                    label: format!(
                        "{}s told from {} by boundaries (AUROC)",
                        capital(&of.site_kind),
                        controls_word(&of.control)
                    ),
                    value: decimals(alone.auroc, 3),
                    uncertainty: format!(
                        "95% CI {}; nucleotides alone {}",
                        interval(alone.auroc_low, alone.auroc_high),
                        decimals(letters.auroc, 3)
                    ),
                },
                Card {
                    label: format!(
                        "{}s and {}: bits that boundaries add to the nucleotides",
                        capital(&of.site_kind),
                        controls_word(&of.control)
                    ),
                    value: decimals(gain.value, 3),
                    uncertainty: format!(
                        "95% CI {}; p\u{A0}{}",
                        interval(gain.low, gain.high),
                        p_words(p)
                    ),
                },
            ])
        };
        self.primary().filter_map(of_kind).flatten().collect()
    }

    /// The figure, against the first set of controls.
    pub fn figure(&self) -> DiscriminationFigure {
        let panel = |of: &DecoyRow| {
            let rows = self
                .found
                .discrimination
                .iter()
                .filter(|row| (&row.site_kind, &row.control) == (&of.site_kind, &of.control));
            let model = |row: &DiscriminationRow| DiscriminationModel {
                label: format!(
                    "{}: AUROC {}",
                    model_name(&row.features),
                    decimals(row.auroc, 3)
                ),
                name: model_name(&row.features).into(),
                curve: (self.found.roc.iter().filter(|p| {
                    (&p.site_kind, &p.control, &p.features)
                        == (&row.site_kind, &row.control, &row.features)
                }))
                .map(|p| (p.false_positive_rate, p.true_positive_rate))
                .collect(),
                bits: row.bits,
                low: row.bits_low,
                high: row.bits_high,
            };
            let difference: Vec<_> = self
                .found
                .difference
                .iter()
                .filter(|d| (&d.site_kind, &d.control) == (&of.site_kind, &of.control))
                .collect();
            let letters: Vec<_> = self
                .letters
                .iter()
                .filter(|l| l.site_kind == of.site_kind)
                .collect();
            let (left, right) = (self.sides)(&of.site_kind);
            DiscriminationPanel {
                title: match self.every_control {
                    true => format!(
                        "{} {}s, {}",
                        count(of.n_sites as usize),
                        of.site_kind,
                        controls_word(&of.control)
                    ),
                    false => format!(
                        "{}s: {} sites, {} controls",
                        capital(&of.site_kind),
                        count(of.n_sites as usize),
                        count(of.n_controls as usize)
                    ),
                },
                models: rows
                    .filter(|row| row.features != "letters+untrained")
                    .map(model)
                    .collect(),
                difference: ProfilePanel {
                    title: String::new(),
                    left,
                    right,
                    series: vec![ProfileSeries {
                        label: "sites less controls".into(),
                        offsets: difference.iter().map(|d| d.offset as i32).collect(),
                        mean: difference.iter().map(|d| d.difference).collect(),
                        ci_low: difference.iter().map(|d| d.low).collect(),
                        ci_high: difference.iter().map(|d| d.high).collect(),
                    }],
                    endpoint: None,
                    logo: letters.iter().map(|l| [l.a, l.c, l.g, l.t]).collect(),
                    logo_first: letters.first().map_or(0, |l| l.offset as i32),
                },
                statistics: (self
                    .found
                    .conditional
                    .iter()
                    .filter(|c| (&c.site_kind, &c.control) == (&of.site_kind, &of.control)))
                .map(|c| (c.offset as i32, c.statistic))
                .collect(),
                line: self
                    .effect(of, "letters+boundaries", "max_t_95")
                    .map_or(f64::NAN, |row| row.value),
            }
        };
        DiscriminationFigure {
            panels: self.primary().map(panel).collect(),
            difference_label: "Difference of means".into(),
        }
    }
}

/// What the section says of one analysis.
pub(super) struct Words {
    /// Its title.
    pub title: &'static str,
    /// The name of the figure's files.
    pub figure: &'static str,
    /// Units of replication.
    pub clusters: &'static str,
    /// How controls were found.
    pub controls: String,
    /// The offsets that models see.
    pub windows: String,
    /// What was read.
    pub terms: Terms,
    /// What weight matrices score.
    pub matrix: &'static str,
    /// What is said of the untrained model where there is none.
    pub without_reference: &'static str,
}

/// Of analyses that ask an untrained model by option.
pub(super) const BY_OPTION: &str = " Untrained: the same architecture with fresh weights, where --reference untrained asks for it.";

impl Told<'_> {
    /// The section; `svg` is [`Told::figure`] drawn.
    pub fn section(&self, svg: &str, words: &Words) -> Section {
        let terms = words.terms;
        let quantity = terms.quantity();
        let values = terms.either("boundary probabilities covary", "the signal covaries");
        let boundaries = terms.either(
            "Boundaries: the log-odds of the boundary probability and whether it is a cut (above one half),",
            "The signal (in tables: boundaries): its values",
        );
        let mut blocks = vec![Block::Figure {
            svg: svg.into(),
            label: terms
                .either(
                    "Sites from controls, by boundaries and by nucleotides",
                    "Sites from controls, by the signal and by nucleotides",
                )
                .into(),
            caption: format!(
                "Top: of controls and of sites, the shares that score above each threshold, in {0} that the models have not seen. Second row: information on which of the two a \
                 position is (1 bit would be all), with 95% intervals over {0}. Third row: mean {quantity} at sites less that at controls; the band \
                 holds all offsets at once in 95% of repetitions{2}. Bottom: how {values} with being a site once the \
                 nucleotides are accounted for; above the dashed line an offset is named (5% for the largest of all).{1}",
                words.clusters,
                if self
                    .found
                    .discrimination
                    .iter()
                    .any(|row| row.features == "untrained")
                {
                    " Untrained: the same architecture with fresh weights."
                } else {
                    words.without_reference
                },
                if self.letters.is_empty() {
                    ""
                } else {
                    "; logo: the nucleotides of all used sites"
                }
            ),
            downloads: downloads(words.figure, "discrimination"),
        }];
        for of in self.found.decoys.iter().filter(|of| !of.note.is_empty()) {
            let text = format!(
                "{}s against {} controls could not be estimated: {}.",
                capital(&of.site_kind),
                of.control,
                of.note
            );
            blocks.push(Block::Callout {
                level: Level::Warning,
                text,
            });
        }
        if self.every_control {
            blocks.extend(self.claims().into_iter().map(paragraph));
        }
        blocks.push(Block::Table(self.models(words)));
        blocks.push(Block::Table(self.gains(words.terms)));
        blocks.extend(
            self.primary()
                .filter_map(|of| self.named(of))
                .map(paragraph),
        );
        blocks.push(Block::Table(self.decoys()));
        blocks.push(paragraph(words.controls.clone()));
        blocks.push(paragraph(format!(
            "Models are ridge logistic regressions. {boundaries} at offsets {}. Nucleotides: each nucleotide, \
             each pair of neighbours, and the score of a weight matrix ({}) with ten knots, in a window {WIDEST} bases wider on either side. Both: the score of the nucleotides and the boundaries; to \
             leave the boundaries out is among the penalties. {FOLDS} folds of whole clusters; penalties, weight matrices and knots are chosen on the training folds. Intervals draw whole \
             clusters and condition on the fitted models. p of boundaries: labels of each site and one decoy exchanged cluster by cluster, with the discriminant fitted \
             anew. p of both: the generalised covariance measure, its largest value over offsets, by sign flips of clusters; what a table of the nucleotides nearby predicts, and \
             what a second, cross-fitted regression on the nucleotides does, is taken out first, and values count as measured with an error of {} of their standard deviation: \
             what the nucleotides explain but for that is explained. The p-values of the sentences are adjusted for each other (Holm).",
            words.windows,
            words.matrix,
            percent(ERROR, 0)
        )));
        blocks.push(Block::Links(
            Discrimination::names()
                .into_iter()
                .map(|t| link(&format!("{t}.tsv"), format!("tables/{t}.tsv")))
                .collect(),
        ));
        Section {
            title: words.title.into(),
            blocks,
        }
    }

    fn models(&self, words: &Words) -> Table {
        let line = |row: &DiscriminationRow| -> Vec<Cell> {
            let of = self
                .found
                .decoys
                .iter()
                .find(|of| (&of.site_kind, &of.control) == (&row.site_kind, &row.control));
            let extra = |statistic: &str| {
                of.and_then(|of| self.effect(of, &row.features, statistic))
                    .map_or(f64::NAN, |e| e.value)
            };
            vec![
                row.site_kind.clone().into(),
                row.control.clone().into(),
                model_name(&row.features).into(),
                row.auroc.into(),
                Cell::Interval {
                    low: row.auroc_low,
                    high: row.auroc_high,
                },
                extra("auroc_within_clusters").into(),
                extra("average_precision").into(),
                row.bits.into(),
                Cell::Interval {
                    low: row.bits_low,
                    high: row.bits_high,
                },
                if row.p_value.is_nan() {
                    MISSING.into()
                } else {
                    Cell::P {
                        value: row.p_value,
                        floor: None,
                    }
                },
            ]
        };
        let head = [
            ("sites", Format::Text),
            ("controls", Format::Text),
            ("model", Format::Text),
            ("AUROC", Format::Decimals(3)),
            ("95% CI", Format::Interval),
            ("within clusters", Format::Decimals(3)),
            ("average precision", Format::Decimals(3)),
            ("bits", Format::Decimals(3)),
            ("95% CI", Format::Interval),
            ("p", Format::PValue),
        ];
        Table {
            caption: format!(
                "How well sites are told from controls, out of fold. AUROC: probability that a site outscores a control; within clusters: of one of the {}. Average precision at equal \
                 weights of sites and controls. p of boundaries: do they tell at all; p of both: do they beyond the nucleotides. Not adjusted.",
                words.clusters
            ),
            columns: columns(&head),
            rows: self.found.discrimination.iter().map(line).collect(),
        }
    }

    fn gains(&self, terms: Terms) -> Table {
        let line = |row: &EffectRow| -> Vec<Cell> {
            vec![
                row.site_kind.clone().into(),
                row.control.clone().into(),
                (if row.features == "letters+boundaries" {
                    "boundaries"
                } else {
                    "untrained"
                })
                .into(),
                (if row.statistic == "gain_bits" {
                    "bits"
                } else {
                    "AUROC"
                })
                .into(),
                decimals(row.value, 4).into(),
                interval(row.low, row.high).into(),
            ]
        };
        let text = Format::Text;
        Table {
            caption: format!(
                "{} to the nucleotides: the model of both less that of the nucleotides. Zero where no fold found them of use. A gain alone is no knowledge beyond the \
                      nucleotides: boundaries that follow nucleotides may say better what the model of the nucleotides learned poorly. The p-value of both decides.",
                terms.either("What boundaries add", "What the signal adds")
            ),
            columns: columns(&[
                ("sites", text),
                ("controls", text),
                ("added", text),
                ("gain in", text),
                ("gain", Format::Decimals(4)),
                ("95% CI", Format::Interval),
            ]),
            rows: self
                .found
                .effects
                .iter()
                .filter(|row| row.statistic.starts_with("gain_"))
                .map(line)
                .collect(),
        }
    }

    /// The offsets that the largest covariance names.
    fn named(&self, of: &DecoyRow) -> Option<String> {
        let all = self
            .found
            .conditional
            .iter()
            .filter(|c| (&c.site_kind, &c.control) == (&of.site_kind, &of.control));
        let sign = |offset: i64| {
            if offset > 0 {
                format!("+{offset}")
            } else {
                integer(offset)
            }
        };
        let named: Vec<String> = (all.filter(|c| c.p_maxt <= ALPHA))
            .map(|c| {
                format!(
                    "{} ({}; p {})",
                    sign(c.offset),
                    if c.statistic > 0.0 {
                        "more at sites"
                    } else {
                        "less at sites"
                    },
                    p_words(c.p_maxt)
                )
            })
            .collect();
        (!named.is_empty()).then(|| {
            format!(
                "Beyond the nucleotides, at {}s the largest covariance names the offsets {}.",
                of.site_kind,
                named.join(", ")
            )
        })
    }

    fn decoys(&self) -> Table {
        let line = |of: &DecoyRow| -> Vec<Cell> {
            let mut cells: Vec<Cell> = vec![of.site_kind.clone().into(), of.control.clone().into()];
            cells.extend(
                [
                    of.n_usable,
                    of.n_drawn,
                    of.n_sites,
                    of.n_controls,
                    of.n_near,
                ]
                .map(|n| Cell::from(n as usize)),
            );
            cells
        };
        let number = Format::Integer;
        let head = [
            ("sites", Format::Text),
            ("controls", Format::Text),
            ("usable", number),
            ("drawn", number),
            ("with controls", number),
            ("controls found", number),
            ("with a near one", number),
        ];
        Table {
            caption: "Sites and the controls found for them. With a near one: sites without a control 120 bases from all sites and other controls.".into(),
            columns: columns(&head),
            rows: self.found.decoys.iter().map(line).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    /// One kind of site, told by boundaries; `p` is that of what they add to the nucleotides.
    fn headline(p: f64, untrained: bool) -> String {
        let row = |features: &str, auroc: f64, p: f64| -> DiscriminationRow {
            from_value(json!({
                "site_kind": "donor", "control": "decoy", "features": features,
                "n_sites": 9, "n_controls": 9, "n_clusters": 5,
                "auroc": auroc, "auroc_low": auroc - 0.1, "auroc_high": auroc + 0.1,
                "bits": 0.1, "bits_low": 0.0, "bits_high": 0.2, "p_value": p
            }))
            .unwrap()
        };
        let effect = |features: &str, value: f64| -> EffectRow {
            from_value(json!({
                "site_kind": "donor", "control": "decoy", "features": features,
                "statistic": "gain_bits", "value": value, "low": value / 2.0, "high": value * 2.0
            }))
            .unwrap()
        };
        let mut found = Discrimination {
            discrimination: vec![
                row("letters", 0.9, f64::MAX),
                row("boundaries", 0.8, 0.001),
                row("letters+boundaries", 0.9, p),
            ],
            effects: vec![effect("letters+boundaries", 0.002)],
            decoys: vec![
                from_value(json!({
                    "site_kind": "donor", "control": "decoy", "n_usable": 9, "n_drawn": 9,
                    "n_sites": 9, "n_controls": 9, "n_near": 0, "per_site": 1, "least_bp": 120,
                    "note": ""
                }))
                .unwrap(),
            ],
            ..Discrimination::default()
        };
        if untrained {
            found.discrimination.push(row("untrained", 0.85, 0.001));
            found.effects.push(effect("letters+untrained", 0.004));
        }
        let told = Told {
            found: &found,
            letters: &[],
            sides,
            every_control: false,
        };
        told.headline()
    }

    /// What boundaries add to the nucleotides is said beside what an untrained model adds.
    #[test]
    fn what_is_found_stands_beside_an_untrained_model() {
        let beside = "; untrained model 0.004 (95% CI 0.002 to 0.008).";
        let found = headline(0.001, true);
        assert!(
            found.contains("it adds 0.002 (95% CI 0.001 to 0.004) bits; p = 0.0020")
                && found.ends_with(beside),
            "{found}"
        );
        assert!(!headline(0.001, false).contains("ntrained"));
        let nothing = headline(0.4, true);
        assert!(
            nothing.contains("untrained model 0.850")
                && nothing.contains("Beyond the nucleotides nothing is shown")
                && nothing.ends_with("bits; p = 0.400."),
            "{nothing}"
        );
    }
}
