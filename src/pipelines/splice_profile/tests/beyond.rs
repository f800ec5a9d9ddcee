//! Beyond the nucleotides nearby: functions of them leave nothing, what they do not tell is left.

use std::collections::BTreeSet;

use super::*;

/// Frequencies of A, C, G and T at three exonic and six intronic bases of donors.
const DONOR: [[f64; 4]; 9] = [
    [0.35, 0.35, 0.19, 0.11],
    [0.6, 0.13, 0.12, 0.15],
    [0.09, 0.03, 0.8, 0.08],
    [0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
    [0.55, 0.03, 0.4, 0.02],
    [0.7, 0.08, 0.12, 0.1],
    [0.08, 0.06, 0.8, 0.06],
    [0.16, 0.17, 0.2, 0.47],
];

fn a_donor(rng: &mut Rng) -> Vec<u8> {
    let letter = |frequencies: &[f64; 4], rng: &mut Rng| {
        let mut left = rng.uniform();
        let at = frequencies.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        b"ACGT"[at.unwrap_or(0)]
    };
    DONOR
        .iter()
        .map(|frequencies| letter(frequencies, rng))
        .collect()
}

/// A sigmoid of the log-odds of nine letters: those of donors, each in some other way.
struct Matrix {
    bits: [[f64; 4]; 9],
    middle: f64,
}

impl Matrix {
    fn new(seed: u64) -> Matrix {
        let mut rng = Rng::new(seed).derive("matrix");
        let mut cell = |share: f64| ((share + 0.01) / 0.25).log2() + 2.0 * rng.uniform() - 1.0;
        let bits = DONOR.map(|frequencies| frequencies.map(&mut cell));
        Matrix {
            bits,
            middle: 2.0 + 4.0 * rng.uniform(),
        }
    }
}

impl BoundarySource for Matrix {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let letter = |s: &[u8], at: Option<usize>| {
            at.and_then(|at| s.get(at))
                .and_then(|base| b"ACGT".iter().position(|b| b == base))
        };
        let value = |s: &[u8], t: usize| {
            let bits = self
                .bits
                .iter()
                .enumerate()
                .filter_map(|(i, column)| Some(column[letter(s, (t + i).checked_sub(3))?]));
            1.0 / (1.0 + (self.middle - bits.sum::<f64>()).exp())
        };
        Ok(stretches
            .iter()
            .map(|s| {
                (0..s.letters.len())
                    .map(|t| value(&s.letters, t) as f32)
                    .collect()
            })
            .collect())
    }
}

#[test]
fn functions_of_the_nucleotides_leave_nothing() {
    let (_folder, genome, annotation) = a_world(36, 5, 0.5, Some(&a_donor));
    let (mut found, n) = ([0, 0], 20);
    for seed in 0..n {
        let asked = with(|c| {
            (
                c.seed,
                c.flank,
                c.permutations,
                c.bootstraps,
                c.controls.caliper,
            ) = (seed, 20, 199, 1, 0.15)
        });
        let rows = run(&genome, &annotation, &Matrix::new(seed), &asked, &|_| ())
            .unwrap()
            .comparison
            .statistics;
        for (count, measure) in found.iter_mut().zip(["probability", "residual"]) {
            let donor = rows
                .iter()
                .find(|row| row.measure == measure && row.site_kind == "donor")
                .unwrap();
            *count += u64::from(donor.p_value <= 0.05);
        }
    }
    println!(
        "of {n} matrices {} differ, {} beyond the nucleotides",
        found[0], found[1]
    );
    assert!(found[0] > n * 9 / 10 && found[1] <= 2, "{found:?} of {n}");
}

/// Noise by the place, and more of it at some places.
struct Planted(BTreeSet<usize>);

impl BoundarySource for Planted {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let value = |s: &Stretch<'_>, t: usize| {
            let place = s.place.unwrap();
            let position = if place.strand == Strand::Plus {
                place.bases.start + t
            } else {
                place.bases.end - t
            };
            let noise = 0.2
                * Rng::new(3)
                    .derive_number(2 * position as u64 + u64::from(place.strand == Strand::Plus))
                    .uniform();
            let more = self
                .0
                .range(position.saturating_sub(2)..=position + 2)
                .next()
                .map_or(0.0, |_| 0.1);
            (0.3 + noise + more) as f32
        };
        Ok(stretches
            .iter()
            .map(|s| (0..s.letters.len()).map(|t| value(s, t)).collect())
            .collect())
    }
}

#[test]
fn what_the_nucleotides_do_not_tell_is_left() {
    let (_folder, genome, annotation) = world(36);
    let ends = annotation.genes.iter().flat_map(|gene| {
        let introns = gene.transcripts[0]
            .exons
            .windows(2)
            .map(|two| (two[0].end, two[1].start));
        introns
            .map(|(start, end)| {
                if gene.strand == Strand::Plus {
                    end
                } else {
                    start
                }
            })
            .collect::<Vec<_>>()
    });
    let asked = with(|c| (c.flank, c.controls.caliper) = (20, 0.15));
    let found = run(
        &genome,
        &annotation,
        &Planted(ends.collect()),
        &asked,
        &|_| (),
    )
    .unwrap()
    .comparison;
    let acceptor = found
        .statistics
        .iter()
        .find(|row| row.measure == "residual" && row.site_kind == "acceptor")
        .unwrap();
    assert!(
        (0.06..0.12).contains(&acceptor.difference) && acceptor.p_value < 0.01,
        "{acceptor:?}"
    );
    // Profiles, pairs and statistics are one.
    let pairs = found
        .pairs
        .iter()
        .filter(|pair| pair.site_kind == "acceptor");
    let differences: Vec<f64> = pairs
        .map(|p| p.site_residual - p.control_residual - p.control_residual_correction)
        .collect();
    assert!((crate::stats::mean(&differences) - acceptor.difference).abs() < 1e-9);
}
