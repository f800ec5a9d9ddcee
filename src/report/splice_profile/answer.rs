//! The answer in plain words. It follows the numbers: every sentence is a claim, and claims are
//! held to the probability of any false one among them (Holm).

use crate::pipelines::splice_profile::{SpliceProfile, StatisticsRow};
use crate::report::format::{capital, decimals, p_value, with_interval};
use crate::report::terms::Terms;
use crate::stats::multiplicity::holm;

/// The probability of any false sentence: of any false difference, and likewise of any false
/// equality.
const ALPHA: f64 = 0.05;

/// What one kind of site says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The test shows that sites have more.
    Higher,
    /// The test shows that sites have less.
    Lower,
    /// The test of equivalence shows that a difference, if any, is smaller than any of interest.
    Same,
    /// Neither is shown.
    NotShown,
    /// Nothing could be compared.
    NoData,
}

impl Verdict {
    /// Of rows that are told together, in their order.
    pub fn of(rows: &[&StatisticsRow]) -> Vec<Verdict> {
        let told = |row: &StatisticsRow| row.n_pairs > 0 && row.difference.is_finite();
        let adjusted = |p: fn(&StatisticsRow) -> f64| {
            holm(
                &rows
                    .iter()
                    .map(|row| if told(row) { p(row) } else { f64::NAN })
                    .collect::<Vec<_>>(),
            )
        };
        let (differs, same) = (
            adjusted(|row| row.p_value),
            adjusted(|row| row.p_equivalence),
        );
        let verdict = |(row, (differs, same)): (&&StatisticsRow, (f64, f64))| match row {
            row if !told(row) => Verdict::NoData,
            row if differs <= ALPHA && row.difference > 0.0 => Verdict::Higher,
            _ if differs <= ALPHA => Verdict::Lower,
            _ if same <= ALPHA => Verdict::Same,
            _ => Verdict::NotShown,
        };
        rows.iter()
            .zip(differs.into_iter().zip(same))
            .map(verdict)
            .collect()
    }

    fn short(self, control: &str) -> String {
        match self {
            Verdict::Higher => format!("a higher mean over −2 to +2 than at {control} controls"),
            Verdict::Lower => format!("a lower mean over −2 to +2 than at {control} controls"),
            Verdict::Same => format!(
                "no difference of interest from {control} controls in the mean over −2 to +2"
            ),
            Verdict::NotShown => format!(
                "a difference from {control} controls in the mean over −2 to +2 is not shown"
            ),
            Verdict::NoData => "could not be asked".into(),
        }
    }
}

/// `p = 0.031`, `p ≤ 0.00010`.
pub fn p_text(row: &StatisticsRow) -> String {
    let p = p_value(row.p_value, Some(row.p_floor));
    if p.starts_with(['≤', '<']) {
        format!("p\u{A0}{p}")
    } else {
        format!("p\u{A0}=\u{A0}{p}")
    }
}

/// The dinucleotide of a kind of site.
pub fn dinucleotide(site_kind: &str) -> &'static str {
    if site_kind == "donor" { "GT" } else { "AG" }
}

/// The controls of a family, in words.
pub fn controls_of(row: &StatisticsRow) -> String {
    let letters = dinucleotide(&row.site_kind);
    match row.control.as_str() {
        "decoy" => format!("{letters} decoys of the same genes"),
        "strength" => format!("{letters} decoys of the same genes and of like strength"),
        "kmer" => "positions with the same nucleotides around them".into(),
        "random" => "random positions of the same genes".into(),
        "shift" => "the same windows, moved by 30 to 200 bases".into(),
        "shuffle" => "the same sites with shuffled flanks".into(),
        _ => "the given controls".into(),
    }
}

/// The rows that the page tells in sentences, so that they share one adjustment: the primary
/// comparison, and what is left once more of the sequence is held equal.
fn told(found: &SpliceProfile) -> Vec<&StatisticsRow> {
    let mut rows: Vec<&StatisticsRow> = primary(found, "probability").collect();
    for (control, measure, _) in questions(found) {
        let of = found
            .comparison
            .statistics
            .iter()
            .filter(|row| row.control == control && row.measure == measure);
        rows.extend(of.filter(|row| {
            row.n_pairs > 0 && !(row.measure == "probability" && row.control == first(found))
        }));
    }
    rows
}

/// The verdict on a row that is told.
fn verdict(found: &SpliceProfile, row: &StatisticsRow) -> Verdict {
    let rows = told(found);
    let index = rows.iter().position(|other| {
        (&other.site_kind, &other.control, &other.measure)
            == (&row.site_kind, &row.control, &row.measure)
    });
    index.map_or(Verdict::NoData, |index| Verdict::of(&rows)[index])
}

/// One sentence for one kind of site.
fn sentence(
    row: &StatisticsRow,
    verdict: Verdict,
    negative_control: bool,
    quantity: &str,
) -> String {
    let controls = controls_of(row);
    let (what, other) = match negative_control {
        false => (
            format!("annotated {}s", row.site_kind),
            format!("matched {controls}"),
        ),
        true => (
            format!("one set of controls ({controls})"),
            "a second, matched set".to_string(),
        ),
    };
    if verdict == Verdict::NoData {
        return format!("No pair of {what} and {other} was left to compare.");
    }
    let numbers = format!(
        "{} against {}, a difference of {}; permutation {}; {} pairs from {} units of replication",
        decimals(row.site_mean, 4),
        decimals(row.control_mean, 4),
        with_interval(row.difference, row.ci_low, row.ci_high),
        p_text(row),
        row.n_pairs,
        row.n_clusters
    );
    let start = match verdict {
        Verdict::Higher => {
            format!("At {what} the mean {quantity} over offsets −2 to +2 is higher than at {other}")
        }
        Verdict::Lower => {
            format!("At {what} the mean {quantity} over offsets −2 to +2 is lower than at {other}")
        }
        Verdict::Same => format!(
            "At {what} the mean {quantity} over offsets −2 to +2 does not differ from {other} by as much as {}, the smallest effect of interest (a fifth of the \
             standard deviation of controls; equivalence p {})",
            decimals(row.smallest_effect, 4),
            p_value(row.p_equivalence, None)
        ),
        _ => format!("At {what} a difference from {other} is not shown"),
    };
    format!("{start}: {numbers}.")
}

/// The rows of one measure and the family asked for first, one a kind of site.
pub fn primary<'a>(
    found: &'a SpliceProfile,
    measure: &'a str,
) -> impl Iterator<Item = &'a StatisticsRow> {
    let first = found
        .comparison
        .statistics
        .first()
        .map_or("", |row| &row.control);
    found
        .comparison
        .statistics
        .iter()
        .filter(move |row| row.measure == measure && row.control == first)
}

/// The answer in one sentence a kind of site; of a negative control, over all that was compared.
pub fn headline(found: &SpliceProfile) -> String {
    let all = found
        .comparison
        .statistics
        .iter()
        .filter(|row| row.measure == "probability" && row.n_pairs > 0);
    if found.comparison.negative_control {
        let n = all.clone().count();
        let low = all.clone().filter(|row| row.p_value <= ALPHA).count();
        let least = all.map(|row| row.p_bh).fold(f64::NAN, f64::min);
        return format!(
            "Of {n} comparisons of controls with controls {low} have p ≤ {ALPHA}, where chance gives {} on average; the smallest p, adjusted over all, is {}.",
            decimals(n as f64 * ALPHA, 1),
            p_value(least, None)
        );
    }
    let one = |row: &StatisticsRow| {
        let verdict = verdict(found, row);
        let numbers = format!(
            " (difference {}; {})",
            with_interval(row.difference, row.ci_low, row.ci_high),
            p_text(row)
        );
        let numbers = if verdict == Verdict::NoData {
            String::new()
        } else {
            numbers
        };
        format!(
            "{}s: {}{numbers}.",
            capital(&row.site_kind),
            verdict.short(&row.control)
        )
    };
    primary(found, "probability")
        .map(one)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The paragraph under it.
pub fn answer(found: &SpliceProfile, terms: Terms) -> String {
    let negative = found.comparison.negative_control;
    let long: Vec<String> = primary(found, "probability")
        .map(|row| sentence(row, verdict(found, row), negative, terms.quantity()))
        .collect();
    let beyond = if negative {
        String::new()
    } else {
        beyond(found, false)
            .into_iter()
            .map(|text| format!(" {text}"))
            .collect()
    };
    format!("{}{beyond}", long.join(" "))
}

/// The family asked for first.
fn first(found: &SpliceProfile) -> &str {
    found
        .comparison
        .statistics
        .first()
        .map_or("", |row| &row.control)
}

/// Control, measure, and in words what is held equal.
fn questions(found: &SpliceProfile) -> [(&str, &'static str, String); 3] {
    let first = first(found);
    [
        (
            "strength",
            "probability",
            "Beyond site strength (controls as strong by a weight matrix)".to_string(),
        ),
        (
            "kmer",
            "probability",
            "Beyond the nucleotides right around the position (controls with the same k-mer)"
                .to_string(),
        ),
        (
            first,
            "residual",
            format!("Beyond what the nucleotides nearby explain ({first} controls)"),
        ),
    ]
}

/// What is left once more of the sequence is held equal: one sentence a family that holds more than
/// the dinucleotide, and one for the local letters; with its numbers, or without.
pub fn beyond(found: &SpliceProfile, numbers: bool) -> Vec<String> {
    let of = |control: &str, measure: &str| {
        let rows = found
            .comparison
            .statistics
            .iter()
            .filter(|r| r.control == control && r.measure == measure && r.n_pairs > 0);
        rows.map(|r| {
            format!(
                "{}s {}",
                r.site_kind,
                in_short(r, verdict(found, r), numbers)
            )
        })
        .collect::<Vec<_>>()
    };
    let answered = questions(found).map(|(control, measure, words)| (words, of(control, measure)));
    answered
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(words, rows)| format!("{words}: {}.", rows.join("; ")))
        .collect()
}

/// `not shown`, and with numbers `(0.0008 (95% CI -0.0221 to 0.0241); p = 0.95; 148 pairs)`.
fn in_short(row: &StatisticsRow, verdict: Verdict, numbers: bool) -> String {
    let verdict = match verdict {
        Verdict::Higher => "higher",
        Verdict::Lower => "lower",
        Verdict::Same => "no difference of interest",
        Verdict::NotShown => "a difference is not shown",
        Verdict::NoData => "not to be asked",
    };
    let shown = format!(
        " ({}; {}; {} pairs)",
        with_interval(row.difference, row.ci_low, row.ci_high),
        p_text(row),
        row.n_pairs
    );
    format!("{verdict}{}", if numbers { shown } else { String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(difference: f64, ci: (f64, f64), p_value: f64) -> StatisticsRow {
        StatisticsRow {
            site_kind: "donor".into(),
            control: "decoy".into(),
            n_pairs: 300,
            n_clusters: 40,
            site_mean: 0.25 + difference,
            control_mean: 0.25,
            difference,
            ci_low: ci.0,
            ci_high: ci.1,
            d: 0.2,
            auroc: 0.55,
            auroc_low: 0.5,
            auroc_high: 0.6,
            p_value,
            p_floor: 1e-4,
            measure: "probability".into(),
            p_bh: p_value,
            p_by: p_value,
            p_labels: None,
            d_low: 0.1,
            d_high: 0.3,
            log2_ratio: 0.1,
            log2_ratio_low: 0.0,
            log2_ratio_high: 0.2,
            cliffs_delta: 0.1,
            cliffs_delta_low: 0.0,
            cliffs_delta_high: 0.2,
            n_effective: 30.0,
            smallest_effect: 0.04,
            p_equivalence: 1.0,
        }
    }

    #[test]
    fn words_follow_the_numbers() {
        let nothing = StatisticsRow {
            n_pairs: 0,
            ..row(f64::NAN, (f64::NAN, f64::NAN), 1.0)
        };
        let equal = StatisticsRow {
            p_equivalence: 0.01,
            ..row(0.002, (-0.01, 0.012), 0.7)
        };
        for (row, verdict, words) in [
            (
                row(0.02, (0.01, 0.03), 1e-4),
                Verdict::Higher,
                "is higher than at matched GT decoys",
            ),
            (
                row(-0.02, (-0.03, -0.01), 0.01),
                Verdict::Lower,
                "is lower than",
            ),
            (
                row(0.02, (-0.01, 0.05), 0.2),
                Verdict::NotShown,
                "is not shown",
            ),
            (row(0.0, (0.0, 0.0), 1.0), Verdict::NotShown, "is not shown"),
            (equal.clone(), Verdict::Same, "does not differ"),
            (nothing, Verdict::NoData, "No pair"),
        ] {
            assert_eq!(Verdict::of(&[&row]), [verdict]);
            assert!(
                sentence(&row, verdict, false, "signal").contains(words),
                "{}",
                sentence(&row, verdict, false, "signal")
            );
        }
        // One of several sentences takes a smaller p; of those, too, that say "no".
        let (weak, strong) = (
            row(0.02, (0.001, 0.03), 0.03),
            row(0.02, (0.01, 0.03), 1e-4),
        );
        assert_eq!(
            Verdict::of(&[&weak, &weak, &strong]),
            [Verdict::NotShown, Verdict::NotShown, Verdict::Higher]
        );
        assert_eq!(Verdict::of(&[&weak, &strong]), [Verdict::Higher; 2]);
        assert_eq!(Verdict::of(&[&equal; 6]), [Verdict::NotShown; 6]);
        let text = sentence(
            &row(0.02, (0.01, 0.03), 1e-4),
            Verdict::Higher,
            false,
            "signal",
        )
        .replace('\u{A0}', " ");
        assert!(
            text.contains("0.2700 against 0.2500")
                && text.contains("p ≤ 0.00010")
                && text.contains("0.0200 (95% CI 0.0100 to 0.0300)"),
            "{text}"
        );
    }
}
