use super::*;
use crate::genome::sequence::{complement, reverse_complement};
use crate::pipelines::{MASKED, Stretch, Values};
use crate::stats::context::codes;
use std::path::Path;

/// Knows letters alone: their probabilities whatever the neighbours, a boundary by the letters on
/// both sides (another one on the other strand), and as hidden state the share of each letter.
struct Toy;

const SHARES: [f32; 4] = [0.4, 0.3, 0.2, 0.1];

impl BoundarySource for Toy {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let one = |stretch: &Stretch<'_>| -> Vec<f32> {
            let letters = &stretch.letters;
            let masked = letters.iter().filter(|b| **b == MASKED).count();
            if masked > 0 {
                return SHARES.map(f32::ln).repeat(masked);
            }
            let code = |b: u8| f32::from(codes(&[b.to_ascii_uppercase()])[0]);
            let asked = (0..letters.len()).filter(|t| letters[*t].is_ascii_lowercase());
            let probs = asked.map(|t| {
                if t == 0 {
                    1.0
                } else {
                    (code(letters[t]) + 4.0 * code(letters[t - 1])) / 24.0
                }
            });
            let share = |base: u8| {
                letters
                    .iter()
                    .filter(|b| b.to_ascii_uppercase() == base)
                    .count() as f32
                    / letters.len() as f32
            };
            probs.chain(b"ACGT".map(share)).collect()
        };
        let shape = |s: &Stretch<'_>| (s.letters.len(), one(s).len());
        assert!(
            stretches.iter().all(|s| shape(s) == shape(&stretches[0])),
            "calls are of one shape"
        );
        Ok(stretches.iter().map(one).collect())
    }

    fn values(&self) -> Values {
        Values::Scores
    }
}

fn letters(n: usize) -> Vec<u8> {
    (0..n as u64)
        .map(|i| b"ACGT"[((i * 2_654_435_761) >> 7) as usize % 4])
        .collect()
}

fn genome(sequence: &[u8]) -> Genome {
    Genome::of_sequences(
        Path::new("toy"),
        vec![
            ("chr1".into(), sequence.to_vec()),
            ("n".into(), vec![b'N'; 40]),
        ],
    )
    .unwrap()
}

fn request() -> VariantsRequest {
    VariantsRequest {
        context: 200,
        margin: 20,
        batch: 3,
        reach: 12,
        both_strands: false,
        labels: None,
        group: None,
        bootstraps: 200,
        permutations: 200,
        seed: 1,
    }
}

fn allele(contig: &str, first: u64, reference: &str, alternate: &str) -> Allele {
    Allele {
        contig: contig.into(),
        first,
        reference: reference.into(),
        alternate: alternate.into(),
        number: 1,
        label: f64::NAN,
        ..Allele::default()
    }
}

fn scores(genome: &Genome, alleles: &[Allele], request: &VariantsRequest) -> Vec<VariantRow> {
    run(genome, alleles, &Toy, None, request, &|_| ())
        .unwrap()
        .variants
}

/// Alleles of every kind: (first base from 0, bases taken away, letters put in).
const EDITS: [(usize, usize, &str); 9] = [
    (0, 1, "?"),
    (3, 1, "?"),
    (250, 1, "?"),
    (251, 1, "?"),
    (300, 0, "GATTA"),
    (400, 3, ""),
    (500, 2, "??"),
    (600, 3, "TT"),
    (998, 2, ""),
];

/// `?` is another letter than what is there.
fn edits(sequence: &[u8]) -> Vec<Allele> {
    let other = |b: u8| if b == b'A' { b'C' } else { b'A' };
    let make = |(start, length, new): (usize, usize, &str)| {
        let old = &sequence[start..start + length];
        let new: Vec<u8> = new
            .bytes()
            .enumerate()
            .map(|(i, b)| if b == b'?' { other(old[i]) } else { b })
            .collect();
        let text = |letters: &[u8]| {
            if letters.is_empty() {
                "-".to_string()
            } else {
                String::from_utf8(letters.to_vec()).unwrap()
            }
        };
        allele("1", start as u64 + 1, &text(old), &text(&new))
    };
    EDITS.into_iter().map(make).collect()
}

fn log_share(letters: &str) -> f64 {
    letters
        .bytes()
        .filter(|b| *b != b'-')
        .map(|b| f64::from(SHARES[usize::from(codes(&[b])[0])]).ln())
        .sum()
}

#[test]
fn likelihoods_are_those_of_the_letters() {
    let sequence = letters(1000);
    let alleles = edits(&sequence);
    for both_strands in [false, true] {
        let rows = scores(
            &genome(&sequence),
            &alleles,
            &VariantsRequest {
                both_strands,
                ..request()
            },
        );
        for (row, allele) in rows.iter().zip(&alleles) {
            assert_eq!(row.reason, "", "{row:?}");
            let other = |text: &str| {
                text.bytes()
                    .filter(|b| *b != b'-')
                    .map(|b| char::from(complement(b)))
                    .collect::<String>()
            };
            let plus = log_share(&allele.alternate) - log_share(&allele.reference);
            let minus = log_share(&other(&allele.alternate)) - log_share(&other(&allele.reference));
            let expected = if both_strands {
                (plus + minus) / 2.0
            } else {
                plus
            };
            assert!((row.llr - expected).abs() < 1e-5, "{row:?} {expected}");
        }
        let kinds: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
        assert_eq!(
            kinds[3..8],
            ["snv", "insertion", "deletion", "substitution", "indel"]
        );
        assert_eq!(rows[0].notes, "near_end");
        assert_eq!(rows[2].notes, "");
    }
}

/// On minus the model reads the reverse complement: the scores there are those of plus of the
/// reversed contig.
#[test]
fn both_strands_are_the_mean_of_each() {
    let sequence = letters(1000);
    let alleles = edits(&sequence);
    let turned = |allele: &Allele| {
        let turn = |text: &str| {
            if text == "-" {
                text.to_string()
            } else {
                String::from_utf8(reverse_complement(text.as_bytes())).unwrap()
            }
        };
        let bases = if allele.reference == "-" {
            0
        } else {
            allele.reference.len() as u64
        };
        Allele {
            first: 1000 - (allele.first - 1 + bases) + 1,
            reference: turn(&allele.reference),
            alternate: turn(&allele.alternate),
            ..allele.clone()
        }
    };
    // The whole contig is one window: that of the other strand is the same bases.
    let request = VariantsRequest {
        context: 1000,
        ..request()
    };
    let plus = scores(&genome(&sequence), &alleles, &request);
    let minus = scores(
        &genome(&reverse_complement(&sequence)),
        &alleles.iter().map(turned).collect::<Vec<_>>(),
        &request,
    );
    let both = scores(
        &genome(&sequence),
        &alleles,
        &VariantsRequest {
            both_strands: true,
            ..request
        },
    );
    for ((plus, minus), both) in plus.iter().zip(&minus).zip(&both).skip(1).take(7) {
        let of = |row: &VariantRow| {
            [
                row.llr,
                row.hidden_distance,
                row.decisions_changed,
                row.boundary_change,
                row.tokens_gained,
            ]
        };
        let measures = if both.kind == "snv" || both.kind == "substitution" {
            5
        } else {
            2
        };
        for (i, ((a, b), mean)) in of(plus)
            .into_iter()
            .zip(of(minus))
            .zip(of(both))
            .enumerate()
            .take(measures)
        {
            assert!(
                ((a + b) / 2.0 - mean).abs() < 1e-5,
                "{i}: {plus:?} {minus:?} {both:?}"
            );
        }
    }
}

#[test]
fn boundaries_are_those_of_both_sequences() {
    let sequence = letters(1000);
    let rows = scores(&genome(&sequence), &edits(&sequence), &request());
    let probs = |letters: &[u8]| -> Vec<f32> {
        let asked = Stretch::nowhere(letters.to_ascii_lowercase());
        Toy.read(&[asked]).unwrap()[0][..letters.len()].to_vec()
    };
    for (row, allele) in rows.iter().zip(edits(&sequence)) {
        let part = |text: &str| {
            if text == "-" {
                Vec::new()
            } else {
                text.as_bytes().to_vec()
            }
        };
        let edit = crate::pipelines::edits::Edit::between(
            allele.first as usize - 1,
            &part(&allele.reference),
            &part(&allele.alternate),
        );
        let (before, after) = (probs(&sequence), probs(&edit.applied(&sequence, 0)));
        let (low, high) = (
            edit.bases.start.saturating_sub(12).max(1),
            (edit.bases.end + 12).min(999),
        );
        let expected = edit.response(
            low,
            &before[low..=high],
            &after[low..=high.checked_add_signed(edit.shift()).unwrap()],
        );
        assert!(
            (row.boundary_change - expected.change).abs() < 1e-6,
            "{row:?} {expected:?}"
        );
        assert_eq!(
            (row.decisions_changed, row.tokens_gained),
            (f64::from(expected.decisions), f64::from(expected.tokens)),
            "{row:?}"
        );
    }
    assert!(rows.iter().filter(|row| row.boundary_change > 0.0).count() > 6);
}

/// Near variants share a tile; what they are given does not depend on that, nor on the batch.
#[test]
fn company_changes_nothing() {
    let sequence = letters(1000);
    let alleles = edits(&sequence);
    let together = scores(&genome(&sequence), &alleles, &request());
    let other = scores(
        &genome(&sequence),
        &alleles,
        &VariantsRequest {
            batch: 1,
            context: 900,
            ..request()
        },
    );
    for (index, allele) in alleles.iter().enumerate() {
        let alone = &scores(&genome(&sequence), std::slice::from_ref(allele), &request())[0];
        for row in [alone, &other[index]] {
            let near = |a: f64, b: f64| (a - b).abs() < 1e-5;
            let same = &together[index];
            assert!(
                near(row.llr, same.llr) && near(row.boundary_change, same.boundary_change),
                "{row:?} {same:?}"
            );
            assert_eq!(row.tokens_gained, same.tokens_gained);
        }
    }
}

#[test]
fn every_allele_comes_back_with_its_reason() {
    let mut sequence = letters(1000);
    sequence[100] = b'N';
    let at = |first: usize| String::from_utf8(vec![sequence[first - 1]]).unwrap();
    let wrong = if sequence[49] == b'A' { "C" } else { "A" };
    let long = "ACGT".repeat(60);
    let cases = [
        ("chr9", 5, at(5), "A", "unknown_contig"),
        ("1", 0, at(1), "A", "beyond_contig"),
        ("1", 1001, "A".into(), "C", "beyond_contig"),
        ("1", u64::MAX, "A".into(), "C", "beyond_contig"),
        ("1", 50, wrong.into(), "G", "reference_differs"),
        ("1", 101, "A".into(), "C", "over_n"),
        ("1", 60, at(60), "N", "not_acgt"),
        ("1", 60, at(60), "<DEL>", "symbolic"),
        ("1", 60, at(60), "*", "symbolic"),
        ("1", 60, at(60), "G]17:198982]", "symbolic"),
        ("1", 60, at(60), ".", "no_alternate"),
        ("1", 60, at(60), &at(60).to_lowercase(), "no_change"),
        ("1", 60, at(60), &long, "too_long"),
        ("n", 5, "N".into(), "C", "not_acgt"),
    ];
    let mut alleles: Vec<Allele> = cases
        .iter()
        .map(|(contig, first, reference, alternate, _)| {
            allele(contig, *first, reference, alternate)
        })
        .collect();
    let good = if at(105) == "A" { "C" } else { "A" };
    alleles.push(allele("1", 105, &at(105).to_lowercase(), good));
    let found = run(
        &genome(&sequence),
        &alleles,
        &Toy,
        None,
        &request(),
        &|_| (),
    )
    .unwrap();
    for (row, (.., reason)) in found.variants.iter().zip(&cases) {
        assert_eq!(row.reason, *reason, "{row:?}");
        assert!(row.llr.is_nan() && row.kind.is_empty());
    }
    assert_eq!(
        (
            found.variants[14].reason.as_str(),
            found.variants[14].notes.as_str()
        ),
        ("", "n_nearby")
    );
    assert_eq!(
        found.accounting[0],
        AccountingRow {
            outcome: "scored".into(),
            n: 1
        }
    );
    assert_eq!(found.accounting.iter().map(|row| row.n).sum::<u64>(), 15);
}

/// Labels and effects that are a score: it is found without an error, and the others are not.
#[test]
fn scores_are_judged() {
    let sequence = letters(4000);
    let mut alleles: Vec<Allele> = (0..360)
        .map(|i| {
            let first = 30 + 11 * i;
            let old = sequence[first - 1];
            let new = b"ACGT"
                .iter()
                .find(|b| **b != old && !(**b as usize + i).is_multiple_of(3))
                .copied()
                .unwrap_or(if old == b'A' { b'C' } else { b'A' });
            let group = format!("g{}", i % 12);
            Allele {
                group,
                ..allele(
                    "1",
                    first as u64,
                    std::str::from_utf8(&[old]).unwrap(),
                    std::str::from_utf8(&[new]).unwrap(),
                )
            }
        })
        .collect();
    let request = VariantsRequest {
        labels: Some("x".into()),
        ..request()
    };
    let genome = genome(&sequence);
    let changes: Vec<f64> = scores(&genome, &alleles, &request)
        .iter()
        .map(|row| row.boundary_change)
        .collect();
    let middle = crate::stats::mean(&changes);
    for (measure, of) in [
        (
            "auroc",
            (|change, middle| f64::from(u8::from(change > middle))) as fn(f64, f64) -> f64,
        ),
        ("size", |change, _| -change),
    ] {
        alleles
            .iter_mut()
            .zip(&changes)
            .for_each(|(allele, change)| allele.label = of(*change, middle));
        let found = run(&genome, &alleles, &Toy, None, &request, &|_| ()).unwrap();
        let row = |name: &str| {
            found
                .evaluation
                .iter()
                .find(|row| row.score == name && row.measure == measure)
                .unwrap()
        };
        assert!(
            (row("boundary_change").value - 1.0).abs() < 1e-9,
            "{:?}",
            found.evaluation
        );
        assert_eq!(
            (row("boundary_change").n, row("boundary_change").n_groups),
            (360, 12)
        );
        assert!(row("table_llr").value < 0.8);
        assert!(
            found.evaluation.iter().all(|row| row.score != "track"),
            "there was none"
        );
        let against = found
            .differences
            .iter()
            .find(|d| {
                d.score == "boundary_change" && d.other == "table_llr" && d.measure == measure
            })
            .unwrap();
        assert!(
            against.ci_low > 0.1 && against.difference > 0.1,
            "{against:?}"
        );
        if measure == "size" {
            let signed = found
                .evaluation
                .iter()
                .find(|row| row.score == "boundary_change" && row.measure == "signed")
                .unwrap();
            assert!((signed.value + 1.0).abs() < 1e-9);
            assert_eq!(
                found
                    .groups
                    .iter()
                    .filter(|row| row.score == "llr" && row.measure == "size")
                    .count(),
                12
            );
        }
    }
}

/// A table that was counted on the variant's own place must not know it: in letters without any
/// order the ratio is small for reference and alternative alike.
#[test]
fn the_local_table_does_not_know_the_reference() {
    let mut rng = crate::stats::rng::Rng::new(5);
    let sequence: Vec<u8> = (0..40_000).map(|_| b"ACGT"[rng.below(4)]).collect();
    let alleles: Vec<Allele> = (0..300)
        .map(|i| {
            let first = 100 + 131 * i;
            let old = sequence[first - 1];
            allele(
                "1",
                first as u64,
                std::str::from_utf8(&[old]).unwrap(),
                if old == b'G' { "T" } else { "G" },
            )
        })
        .collect();
    let rows = scores(&genome(&sequence), &alleles, &request());
    let mean = crate::stats::mean(&rows.iter().map(|row| row.table_llr).collect::<Vec<f64>>());
    assert!(mean.abs() < 0.05, "{mean}");
}
