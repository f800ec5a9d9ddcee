//! How often the tests find what is not there, and what is: tracks of known making on the bundled
//! chromosome, with its donors, acceptors and their decoys.
//!
//! ```sh
//! cargo test --lib calibration -- --ignored --nocapture
//! ```
//!
//! Its figures are in `reports/discrimination-calibration.md`.

use super::*;
use crate::genome::Interval;
use crate::genome::sequence::model_letters;
use crate::pipelines::Stretch;
use crate::pipelines::comparison::baseline::Fit;
use crate::pipelines::comparison::matching::Matched;
use crate::pipelines::splice_profile::{SpliceProfileRequest, study};
use crate::stats::context::codes;
use std::io::Write;

/// Tracks of each making.
const TRACKS: usize = 200;
/// Tracks with a planted effect.
const PLANTED: usize = 50;
const LEVEL: f64 = 0.05;

/// The letters alone are read; tracks stand in for a source.
struct Nothing;

impl BoundarySource for Nothing {
    fn read(&self, _: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        Ok(Vec::new())
    }
}

fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.uniform()).ln()).sqrt() * (std::f64::consts::TAU * rng.uniform()).cos()
}

/// The chromosome as read on both strands.
struct Chromosome {
    sequence: Vec<u8>,
    /// 0 to 3 for A, C, G and T, in the orientation of each strand.
    codes: [Vec<u8>; 2],
    /// By strand, in its orientation: the number of the cluster of genes.
    clusters: [Vec<usize>; 2],
}

/// Shares of A, C, G and T at bases -3..+6 of 737 human donors (Ensembl, hg38 chr1:1-10,000,000).
const HUMAN_DONORS: [[f64; 4]; 9] = [
    [0.316, 0.406, 0.197, 0.081],
    [0.636, 0.134, 0.134, 0.095],
    [0.068, 0.035, 0.834, 0.062],
    [0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
    [0.427, 0.039, 0.510, 0.023],
    [0.658, 0.096, 0.167, 0.079],
    [0.071, 0.068, 0.824, 0.038],
    [0.148, 0.214, 0.214, 0.423],
];

const STRANDS: [Strand; 2] = [Strand::Plus, Strand::Minus];

impl Chromosome {
    fn new(study: &Study<'_>, sequence: &[u8]) -> Chromosome {
        let turned = |strand| codes(&model_letters(sequence, strand));
        let mut plus = vec![study.clusters.len(); sequence.len()];
        for (number, (_, interval)) in study.clusters.iter().enumerate() {
            plus[interval.start..interval.end].fill(number);
        }
        let minus: Vec<usize> = (0..sequence.len())
            .map(|t| plus[(sequence.len() - t).min(sequence.len() - 1)])
            .collect();
        Chromosome {
            sequence: sequence.to_vec(),
            codes: STRANDS.map(turned),
            clusters: [plus, minus],
        }
    }

    fn place(&self, spot: &Spot) -> (usize, usize) {
        match spot.strand {
            Strand::Plus => (0, spot.position),
            Strand::Minus => (1, self.sequence.len() - spot.position),
        }
    }

    /// Values at each position of both strands, of the letters within `reach` on either side.
    fn of_letters(&self, reach: usize, value: impl Fn(&[u8]) -> f64) -> [Vec<f32>; 2] {
        let one = |codes: &Vec<u8>| {
            let at = |t: usize| {
                if t < reach || t + reach > codes.len() {
                    0.0
                } else {
                    value(&codes[t - reach..t + reach]) as f32
                }
            };
            (0..codes.len()).map(at).collect()
        };
        [one(&self.codes[0]), one(&self.codes[1])]
    }

    /// Noise: a level of each cluster of genes, one of the region (some 300 bases), and one of the
    /// position.
    fn noise(&self, rng: &mut Rng) -> [Vec<f32>; 2] {
        let levels: Vec<f64> = (0..=self.clusters[0].iter().max().copied().unwrap_or(0))
            .map(|_| 0.1 * normal(rng))
            .collect();
        [0, 1].map(|strand| {
            let mut region = 0.0;
            let mut at = |cluster: &usize| {
                region = 0.997 * region + 0.1 * (1.0f64 - 0.997 * 0.997).sqrt() * normal(rng);
                (0.4 + levels[*cluster] + region + 0.1 * normal(rng)).clamp(0.0, 1.0) as f32
            };
            self.clusters[strand].iter().map(&mut at).collect()
        })
    }

    /// The log-odds of a random weight matrix of donors, through a logistic curve. Its columns are
    /// scattered about those of human donors: a matrix of the donors on trial would know which of
    /// the places are among them, and that is more than their nucleotides say.
    fn donor_matrix(&self, rng: &mut Rng) -> [Vec<f32>; 2] {
        let (sharpness, middle) = (0.5 + rng.uniform(), 2.0 + 4.0 * rng.uniform());
        let mut weights = |column: &[f64; 4]| {
            let mut scattered = column
                .map(|share| ((share + 0.005) / 1.02).powf(sharpness) * (0.3 * normal(rng)).exp());
            let sum: f64 = scattered.iter().sum();
            scattered
                .iter_mut()
                .for_each(|share| *share = (4.0 * *share / sum).log2());
            scattered
        };
        let matrix: Vec<[f64; 4]> = HUMAN_DONORS.iter().map(&mut weights).collect();
        self.of_letters(6, |letters| {
            let of = letters[3..]
                .iter()
                .zip(&matrix)
                .map(|(code, column)| column.get(usize::from(*code)).copied().unwrap_or(0.0));
            1.0 / (1.0 + (middle - of.sum::<f64>()).exp())
        })
    }

    /// A random function of the letters within `reach`.
    fn random_function(&self, reach: usize, rng: &mut Rng) -> [Vec<f32>; 2] {
        let table: Vec<f64> = (0..1usize << (4 * reach)).map(|_| rng.uniform()).collect();
        self.of_letters(reach, |letters| {
            table[letters
                .iter()
                .fold(0, |number, code| number << 2 | usize::from(*code & 3))]
        })
    }
}

/// What one track gave.
struct Outcome {
    p_beyond: f64,
    /// The offset with the largest `|t|`.
    offset: i64,
    p_swap: f64,
    auroc: Option<Estimate>,
}

#[test]
#[ignore = "an hour: cargo test --lib calibration -- --ignored --nocapture"]
fn calibration() {
    let (genome, annotation) = (
        crate::bundled::genome().unwrap(),
        crate::bundled::annotation().unwrap(),
    );
    let asked = SpliceProfileRequest::default();
    let request = &asked.comparison;
    let rng = Rng::new(1);
    let mut contigs = ContigReader::new(&genome, &Nothing);
    let (study, _) = study(&annotation, &[], &mut contigs, &asked, &|_| ()).unwrap();
    let matched = Matched::new(&study, &mut contigs, request, &rng, &|_| ()).unwrap();
    let spots = matched.sets.spots(&study);
    let numbers: HashMap<Spot, usize> = spots.iter().copied().zip(0..).collect();
    let chromosome = Chromosome::new(&study, contigs.get(study.sites[0].contig).unwrap());
    let kinds: Vec<(Rows, Cases, Vec<f64>)> = (0..2)
        .map(|kind| {
            let all = matched.sets.of(kind, 0).unwrap();
            let rows = Rows::new(&groups(&study, all, request.cluster), &numbers);
            let cases = rows.cases().unwrap();
            let letters = features::around(
                &mut contigs,
                &rows,
                (study.kinds[kind].window, study.kinds[kind].span),
                None,
            )
            .unwrap()
            .letters;
            let logits = SequenceModel::fit(&letters, &cases).unwrap().logits;
            (rows, cases, logits)
        })
        .collect();
    let letters: Vec<_> = (0..2)
        .map(|kind| {
            features::around(
                &mut contigs,
                &kinds[kind].0,
                (study.kinds[kind].window, study.kinds[kind].span),
                None,
            )
            .unwrap()
            .letters
        })
        .collect();
    let stages: Vec<SecondStage<'_>> = (0..2)
        .map(|kind| SecondStage::new(&letters[kind], &kinds[kind].1).unwrap())
        .collect();
    let flank = request.flank;
    let mut judge =
        |mut track: [Vec<f32>; 2], planted: f32, noise: bool, seed: u64| -> Vec<Outcome> {
            for site in study.sites.iter().filter(|_| planted > 0.0) {
                let (strand, at) = chromosome.place(&Spot {
                    contig: site.contig,
                    strand: site.strand,
                    position: site.position,
                });
                track[strand][at + 4] += planted;
            }
            let mut fit = Fit::default();
            for (strand, values) in STRANDS.into_iter().zip(&track) {
                let whole = Interval::new(0, chromosome.sequence.len());
                fit.on(
                    &study,
                    &chromosome.sequence,
                    study.sites[0].contig,
                    strand,
                    request.margin,
                )
                .tile(whole, values);
            }
            let baseline = Baseline::fit(&study, &fit).unwrap();
            let of_spot = |spot: &Spot| {
                let (strand, at) = chromosome.place(spot);
                track[strand][at - flank..=at + flank].to_vec()
            };
            let values = SpotValues {
                values: spots.iter().map(of_spot).collect(),
                kind: Values::Signal,
            };
            let mut one = |kind: usize| {
                let (rows, cases, logits) = &kinds[kind];
                let window = study.kinds[kind].window;
                let around = features::around(
                    &mut contigs,
                    rows,
                    (window, study.kinds[kind].span),
                    Some(&baseline),
                )
                .unwrap();
                let measured = Measured::new(rows, &values, window, flank as i64);
                let tests = beyond(
                    cases,
                    (logits, &stages[kind]),
                    &around,
                    &measured,
                    999,
                    seed,
                );
                let largest = (0..measured.width)
                    .max_by(|a, b| {
                        tests.offsets[*a]
                            .t
                            .abs()
                            .total_cmp(&tests.offsets[*b].t.abs())
                    })
                    .unwrap();
                let features =
                    standardised(&measured.features, measured.n_features, &cases.weights);
                let scored = Scored {
                    positive: &cases.is_site,
                    weights: &cases.weights,
                    clusters: &cases.clusters,
                    n_clusters: cases.n_clusters,
                };
                Outcome {
                    p_beyond: tests.offsets[largest].p_max_t,
                    offset: window.0 + largest as i64,
                    p_swap: swap_test(
                        cases,
                        &features,
                        measured.n_features,
                        &rows.pairs,
                        199,
                        seed,
                    )
                    .unwrap()
                    .p_value,
                    auroc: noise.then(|| {
                        let scores =
                            fit_scores(cases, &features, measured.n_features, None).unwrap();
                        scored.auroc(&scores.logits, 1000, seed)
                    }),
                }
            };
            vec![one(0), one(1)]
        };
    type Making<'a> = Box<dyn Fn(&mut Rng) -> [Vec<f32>; 2] + 'a>;
    let makings: [(&str, usize, f32, Making<'_>); 5] = [
        (
            "donor weight matrix",
            TRACKS,
            0.0,
            Box::new(|rng| chromosome.donor_matrix(rng)),
        ),
        ("noise", TRACKS, 0.0, Box::new(|rng| chromosome.noise(rng))),
        (
            "2+2 nucleotides",
            TRACKS,
            0.0,
            Box::new(|rng| chromosome.random_function(2, rng)),
        ),
        (
            "4+4 nucleotides",
            TRACKS,
            0.0,
            Box::new(|rng| chromosome.random_function(4, rng)),
        ),
        (
            "noise and 0.1 at +4 of sites",
            PLANTED,
            0.1,
            Box::new(|rng| chromosome.noise(rng)),
        ),
    ];
    println!("| tracks | n | sites | B rejected | at +4 | A rejected | AUROC intervals with 0.5 |");
    for (name, n, planted, make) in makings {
        let mut all: Vec<Vec<Outcome>> = Vec::new();
        for number in 0..n {
            let mut rng = rng.derive(name).derive_number(number as u64);
            let track = make(&mut rng);
            all.push(judge(track, planted, name == "noise", number as u64));
            if number % 20 == 19 {
                eprintln!("{name} {number}");
            }
            if (number + 1) % 50 == 0 {
                for kind in 0..2 {
                    let of = || all.iter().map(|two| &two[kind]);
                    let share = |yes: &dyn Fn(&Outcome) -> bool| {
                        of().filter(|one| yes(one)).count() as f64 / all.len() as f64
                    };
                    let covered = of()
                        .filter_map(|one| one.auroc)
                        .map(|e| f64::from(u8::from(e.low <= 0.5 && 0.5 <= e.high)));
                    let covered: Vec<f64> = covered.collect();
                    println!(
                        "| {name} | {} | {}s | {:.3} | {:.3} | {:.3} | {:.3} |",
                        all.len(),
                        study.kinds[kind].name,
                        share(&|one| one.p_beyond <= LEVEL),
                        share(&|one| one.p_beyond <= LEVEL && one.offset == 4),
                        share(&|one| one.p_swap <= LEVEL),
                        crate::stats::mean(&covered)
                    );
                }
                std::io::stdout().flush().unwrap();
            }
        }
    }
}
