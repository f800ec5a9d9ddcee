//! Sites told from decoys: the sentence at the head of the page, the section, and its figure.

use super::answer::capital;
use super::{SplicePage, Svg};
use crate::controls::decoys::APART_BP;
use crate::figures::{
    DiscriminationFigure, DiscriminationModel, DiscriminationPanel, ProfilePanel, ProfileSeries,
    Side,
};
use crate::pipelines::comparison::discrimination::{
    CONTROLS, DecoyRow, Discrimination, DiscriminationRow, EffectRow, MOST_ROWS,
};
use crate::pipelines::splice_profile::SpliceProfile;
use crate::report::block::{downloads, link, paragraph};
use crate::report::format::{MISSING, count, decimals, integer, interval, p_value, percent};
use crate::report::{Block, Card, Cell, Format, Level, Section, Table, columns};
use crate::stats::context::{FOLDS, WIDEST};
use crate::stats::discrimination::conditional::ERROR;
use crate::stats::multiplicity::holm;

/// The probability of any false sentence.
const ALPHA: f64 = 0.05;

fn told(found: &SpliceProfile) -> &Discrimination {
    &found.comparison.discrimination
}

fn row<'a>(
    found: &'a SpliceProfile,
    kind: &str,
    control: &str,
    features: &str,
) -> Option<&'a DiscriminationRow> {
    told(found)
        .discrimination
        .iter()
        .find(|row| (&*row.site_kind, &*row.control, &*row.features) == (kind, control, features))
}

fn effect<'a>(
    found: &'a SpliceProfile,
    of: &DecoyRow,
    features: &str,
    statistic: &str,
) -> Option<&'a EffectRow> {
    let all = told(found)
        .effects
        .iter()
        .filter(|row| (&row.site_kind, &row.control) == (&of.site_kind, &of.control));
    all.into_iter()
        .find(|row| (&*row.features, &*row.statistic) == (features, statistic))
}

/// Kinds of sites against decoys of any strength: what the sentences are about.
fn primary(found: &SpliceProfile) -> impl Iterator<Item = &DecoyRow> {
    told(found)
        .decoys
        .iter()
        .filter(|row| row.control == CONTROLS[0])
}

/// The p-value of a printed claim, adjusted for all of them (Holm): whether boundaries tell each
/// kind at all, and whether they do beyond the nucleotides.
fn adjusted(found: &SpliceProfile, kind: &str, features: &str) -> f64 {
    let claims: Vec<&DiscriminationRow> = (primary(found))
        .flat_map(|of| {
            ["boundaries", "letters+boundaries"]
                .map(|features| row(found, &of.site_kind, &of.control, features))
        })
        .flatten()
        .collect();
    let p = holm(&claims.iter().map(|row| row.p_value).collect::<Vec<_>>());
    let at = claims
        .iter()
        .position(|row| row.site_kind == kind && row.features == features);
    at.map_or(f64::NAN, |at| p[at])
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

/// What the page says first: one sentence a kind of site on boundaries alone, one on what they add.
pub(super) fn headline(found: &SpliceProfile) -> String {
    let signal = told(found).cuts.is_empty()
        && told(found)
            .discrimination
            .iter()
            .any(|row| row.auroc.is_finite());
    primary(found)
        .map(|of| sentences(found, of, signal))
        .collect::<Vec<_>>()
        .join(" ")
}

fn sentences(found: &SpliceProfile, of: &DecoyRow, signal: bool) -> String {
    let kind = &of.site_kind;
    let all = ["boundaries", "letters", "letters+boundaries"]
        .map(|features| row(found, kind, &of.control, features));
    let gain = effect(found, of, "letters+boundaries", "gain_bits");
    let ([Some(alone), Some(letters), Some(_)], Some(gain), true) = (all, gain, of.note.is_empty())
    else {
        return format!(
            "Whether {kind}s are told from decoys could not be estimated: {}.",
            if of.note.is_empty() {
                "no data"
            } else {
                &of.note
            }
        );
    };
    let (what, tell, they) = if signal {
        ("The signal", "tells", "it")
    } else {
        ("Boundaries", "tell", "they")
    };
    let untrained = row(found, kind, &of.control, "untrained").map_or(String::new(), |row| {
        format!("; untrained model {}", decimals(row.auroc, 3))
    });
    let auroc = with_ci(alone.auroc, alone.auroc_low, alone.auroc_high, 3);
    let beside = format!(
        "nucleotides alone {}{untrained}",
        decimals(letters.auroc, 3)
    );
    let p_alone = adjusted(found, kind, "boundaries");
    let first = match p_alone <= ALPHA {
        true => format!("{what} {tell} {kind}s from decoys with AUROC {auroc}; {beside}."),
        false => format!(
            "{what} {} not shown to tell {kind}s from decoys: AUROC {auroc}; {beside}; p = {}.",
            if signal { "is" } else { "are" },
            p_value(p_alone, None)
        ),
    };
    let bits = with_ci(gain.value, gain.low, gain.high, 3);
    let p = adjusted(found, kind, "letters+boundaries");
    let shown = gain.low > 0.0;
    let second = match p <= ALPHA {
        true if shown => format!(
            "Beyond the nucleotides {they} add{} {bits} bits; p {}.",
            if signal { "s" } else { "" },
            p_words(p)
        ),
        true => format!(
            "Given the nucleotides {they} still var{} with {kind}s (p {}), but information added is not shown: {bits} bits.",
            if signal { "ies" } else { "y" },
            p_words(p)
        ),
        false => format!(
            "Beyond the nucleotides nothing is shown: {bits} bits; p {}.",
            p_words(p)
        ),
    };
    format!("{first} {second}")
}

fn p_words(p: f64) -> String {
    let text = p_value(p, None);
    if text.starts_with(['≤', '<']) {
        text
    } else {
        format!("= {text}")
    }
}

/// The numbers of the sentences, two cards a kind of site.
pub(super) fn cards(found: &SpliceProfile) -> Vec<Card> {
    let of_kind = |of: &DecoyRow| -> Option<[Card; 2]> {
        let alone = row(found, &of.site_kind, &of.control, "boundaries")?;
        let letters = row(found, &of.site_kind, &of.control, "letters")?;
        let gain = effect(found, of, "letters+boundaries", "gain_bits")?;
        let p = adjusted(found, &of.site_kind, "letters+boundaries");
        Some([
            Card {
                label: format!(
                    "{}s told from decoys by boundaries (AUROC)",
                    capital(&of.site_kind)
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
                    "{}s: bits that boundaries add to the nucleotides",
                    capital(&of.site_kind)
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
    primary(found).filter_map(of_kind).flatten().collect()
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

/// The figure, against decoys of any strength.
pub(super) fn figure(found: &SpliceProfile) -> DiscriminationFigure {
    let panel = |of: &DecoyRow| {
        let rows = told(found)
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
            curve: (told(found).roc.iter().filter(|p| {
                (&p.site_kind, &p.control, &p.features)
                    == (&row.site_kind, &row.control, &row.features)
            }))
            .map(|p| (p.false_positive_rate, p.true_positive_rate))
            .collect(),
            bits: row.bits,
            low: row.bits_low,
            high: row.bits_high,
        };
        let difference: Vec<_> = told(found)
            .difference
            .iter()
            .filter(|d| (&d.site_kind, &d.control) == (&of.site_kind, &of.control))
            .collect();
        let letters: Vec<_> = found
            .letters
            .iter()
            .filter(|l| l.site_kind == of.site_kind)
            .collect();
        let (exon, intron) = (Side::block("exon"), Side::line("intron"));
        let (left, right) = if of.site_kind == "donor" {
            (exon, intron)
        } else {
            (intron, exon)
        };
        DiscriminationPanel {
            title: format!(
                "{}s from decoys ({} sites, {} decoys)",
                capital(&of.site_kind),
                count(of.n_sites as usize),
                count(of.n_controls as usize)
            ),
            models: rows
                .filter(|row| row.features != "letters+untrained")
                .map(model)
                .collect(),
            difference: ProfilePanel {
                title: String::new(),
                left,
                right,
                series: vec![ProfileSeries {
                    label: "sites less decoys".into(),
                    offsets: difference.iter().map(|d| d.offset as i32).collect(),
                    mean: difference.iter().map(|d| d.difference).collect(),
                    ci_low: difference.iter().map(|d| d.low).collect(),
                    ci_high: difference.iter().map(|d| d.high).collect(),
                }],
                endpoint: None,
                logo: letters.iter().map(|l| [l.a, l.c, l.g, l.t]).collect(),
                logo_first: letters.first().map_or(0, |l| l.offset as i32),
            },
            statistics: (told(found)
                .conditional
                .iter()
                .filter(|c| (&c.site_kind, &c.control) == (&of.site_kind, &of.control)))
            .map(|c| (c.offset as i32, c.statistic))
            .collect(),
            line: effect(found, of, "letters+boundaries", "max_t_95")
                .map_or(f64::NAN, |row| row.value),
        }
    };
    DiscriminationFigure {
        panels: primary(found).map(panel).collect(),
        difference_label: "Difference of means".into(),
    }
}

impl SplicePage {
    pub(super) fn discrimination(&self, svg: &Svg) -> Section {
        let found = &self.found;
        let mut blocks = vec![Block::Figure {
            svg: svg.discrimination.clone(),
            label: "Sites from decoys, by boundaries and by nucleotides".into(),
            caption: format!(
                "Top: of decoys and of sites, the shares that score above each threshold, in genes that the models have not seen. Second row: information on which of the two a \
                 position is (1 bit would be all), with 95% intervals over clusters of genes. Third row: mean boundary probability at sites less that at decoys; the band \
                 holds all offsets at once in 95% of repetitions; logo: the letters of all used sites. Bottom: how boundary probabilities covary with being a site once the \
                 nucleotides are accounted for; above the dashed line an offset is named (5% for the largest of all). Untrained: the same architecture with fresh weights{}.",
                if found
                    .comparison
                    .discrimination
                    .discrimination
                    .iter()
                    .any(|row| row.features == "untrained")
                {
                    ""
                } else {
                    ", where --reference untrained asks for it"
                }
            ),
            downloads: downloads("r1_discrimination", "discrimination"),
        }];
        for of in told(found).decoys.iter().filter(|of| !of.note.is_empty()) {
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
        blocks.push(Block::Table(self.models()));
        blocks.push(Block::Table(self.gains()));
        blocks.extend(
            primary(found)
                .filter_map(|of| self.named(of))
                .map(paragraph),
        );
        blocks.push(Block::Table(self.decoys()));
        blocks.push(paragraph(format!(
            "Every site has up to 10 decoys: positions of the same cluster of genes and strand with the same two core letters, at least {APART_BP} bases from any annotated site of the \
             strand and from each other. Where a gene has no room its site has one nearer decoy, never so near that the windows of the two overlap. Decoys of a site weigh as \
             much together as the site, so that sites and decoys weigh the same in every gene. With more sites than the models need, a random sample is used: at most {} \
             sites and decoys of a kind. Strength: only decoys whose weight-matrix score is within 0.2 standard deviations of their site’s.",
            count(MOST_ROWS)
        )));
        blocks.push(paragraph(format!(
            "Models are ridge logistic regressions. Boundaries: the log-odds of the boundary probability and whether it is a cut (above one half), at offsets {}. Nucleotides: each nucleotide, \
             each pair of neighbours, and the score of a weight matrix (donors −3..+6, acceptors −20..+3) with ten knots, in a window {WIDEST} bases wider on either side. Both: the score of the nucleotides and the boundaries; to \
             leave the boundaries out is among the penalties. {FOLDS} folds of whole clusters; penalties, weight matrices and knots are chosen on the training folds. Intervals draw whole \
             clusters and condition on the fitted models. p of boundaries: labels of each site and one decoy exchanged cluster by cluster, with the discriminant fitted \
             anew. p of both: the generalised covariance measure, its largest value over offsets, by sign flips of clusters; what a table of the nucleotides nearby predicts, and \
             what a second, cross-fitted regression on the nucleotides does, is taken out first, and values count as measured with an error of {} of their standard deviation: \
             what the nucleotides explain but for that is explained. The p-values of the sentences are adjusted for each other (Holm).",
            self.windows(),
            percent(ERROR, 0)
        )));
        blocks.push(Block::Links(
            [
                "discrimination",
                "conditional",
                "cuts",
                "effects",
                "difference",
                "roc",
                "decoys",
            ]
            .map(|t| link(&format!("{t}.tsv"), format!("tables/{t}.tsv")))
            .to_vec(),
        ));
        Section {
            title: "Do boundaries tell sites from decoys, and beyond the nucleotides?".into(),
            blocks,
        }
    }

    fn windows(&self) -> String {
        let words = |(first, last): (i64, i64)| format!("{} to +{last}", integer(first));
        format!(
            "{} (donors) and {} (acceptors)",
            words(self.request.donor_window),
            words(self.request.acceptor_window)
        )
    }

    fn models(&self) -> Table {
        let line = |row: &DiscriminationRow| -> Vec<Cell> {
            let of = told(&self.found)
                .decoys
                .iter()
                .find(|of| (&of.site_kind, &of.control) == (&row.site_kind, &row.control));
            let extra = |statistic: &str| {
                of.and_then(|of| effect(&self.found, of, &row.features, statistic))
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
            ("decoys", Format::Text),
            ("model", Format::Text),
            ("AUROC", Format::Decimals(3)),
            ("95% CI", Format::Interval),
            ("within genes", Format::Decimals(3)),
            ("average precision", Format::Decimals(3)),
            ("bits", Format::Decimals(3)),
            ("95% CI", Format::Interval),
            ("p", Format::PValue),
        ];
        Table {
            caption: "How well sites are told from decoys, out of fold. AUROC: probability that a site outscores a decoy; within genes: of one cluster of genes. Average precision at equal \
                      weights of sites and decoys. p of boundaries: do they tell at all; p of both: do they beyond the nucleotides. Not adjusted."
                .into(),
            columns: columns(&head),
            rows: told(&self.found).discrimination.iter().map(line).collect(),
        }
    }

    fn gains(&self) -> Table {
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
            caption: "What boundaries add to the nucleotides: the model of both less that of the nucleotides. Zero where no fold found them of use. A gain alone is no knowledge beyond the \
                      nucleotides: boundaries that follow nucleotides may say better what the model of the nucleotides learned poorly. The p-value of both decides."
                .into(),
            columns: columns(&[("sites", text), ("decoys", text), ("added", text), ("gain in", text), ("gain", Format::Decimals(4)), ("95% CI", Format::Interval)]),
            rows: told(&self.found).effects.iter().filter(|row| row.statistic.starts_with("gain_")).map(line).collect(),
        }
    }

    /// The offsets that the largest covariance names.
    fn named(&self, of: &DecoyRow) -> Option<String> {
        let all = told(&self.found)
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
            ("decoys", Format::Text),
            ("usable", number),
            ("drawn", number),
            ("with decoys", number),
            ("decoys found", number),
            ("with a near decoy", number),
        ];
        Table {
            caption: "Sites and the decoys found for them. With a near decoy: sites whose gene has no room for one 120 bases from everything annotated.".into(),
            columns: columns(&head),
            rows: told(&self.found).decoys.iter().map(line).collect(),
        }
    }
}
