use statrs::distribution::{Binomial, DiscreteCDF};

use super::*;

/// Smooth noise: a moving sum of uniforms around 0.
fn smooth(rng: &mut Rng, width: usize) -> Vec<f64> {
    let raw: Vec<f64> = (0..width + 8).map(|_| rng.uniform() - 0.5).collect();
    raw.windows(9).map(|window| window.iter().sum()).collect()
}

/// Summed differences of genes of one to six sites whose sites share half of their noise; `(rows,
/// number of pairs)`.
fn genes(seed: u64, n: usize, width: usize, planted: impl Fn(usize) -> f64) -> (Vec<f64>, usize) {
    let mut rng = Rng::new(seed).derive("genes");
    let (mut rows, mut pairs) = (Vec::new(), 0);
    for gene in 0..n {
        let sites = 1 + gene % 6;
        pairs += sites;
        let mut row: Vec<f64> = smooth(&mut rng, width)
            .iter()
            .map(|shared| sites as f64 * shared)
            .collect();
        for _ in 0..sites {
            row.iter_mut()
                .zip(smooth(&mut rng, width))
                .for_each(|(sum, own)| *sum += own);
        }
        row.iter_mut()
            .enumerate()
            .for_each(|(offset, sum)| *sum += sites as f64 * planted(offset));
        rows.extend(row);
    }
    (rows, pairs)
}

/// All flips, one after the other, as the definitions say.
#[test]
fn all_flips_of_six_clusters_by_hand() {
    let (rows, pairs) = genes(4, 6, 7, |offset| if offset < 3 { 1.5 } else { 0.0 });
    let threshold = 1.2;
    let t = |mask: u32| -> Vec<f64> {
        (0..7)
            .map(|offset| {
                let column: Vec<f64> = (0..6).map(|gene| rows[gene * 7 + offset]).collect();
                let flipped = column
                    .iter()
                    .enumerate()
                    .map(|(gene, s)| if mask >> gene & 1 == 1 { -s } else { *s });
                flipped.sum::<f64>() / column.iter().map(|s| s * s).sum::<f64>().sqrt()
            })
            .collect()
    };
    let all: Vec<Vec<f64>> = (0..64).map(t).collect();
    let share =
        |far: &dyn Fn(&[f64]) -> bool| all.iter().filter(|row| far(row)).count() as f64 / 64.0;
    let found = sign_flip_offsets(&rows, 7, pairs, threshold, 64, 1);
    assert!(found.exact && found.n_clusters == 6 && found.p_floor == 2.0 / 64.0);
    for (offset, test) in found.offsets.iter().enumerate() {
        let least = all[0][offset].abs() - 1e-9;
        assert!((test.t - all[0][offset]).abs() < 1e-12);
        assert!(
            (test.difference - (0..6).map(|gene| rows[gene * 7 + offset]).sum::<f64>() / 21.0)
                .abs()
                < 1e-12
        );
        assert_eq!(test.p_value, share(&|row| row[offset].abs() >= least));
        assert_eq!(
            test.p_max_t,
            share(&|row| row.iter().any(|t| t.abs() >= least))
        );
    }
    let mass = |row: &[f64]| {
        let (mut most, mut sum) = (0.0f64, 0.0f64);
        for t in row {
            let kept = if t.abs() > threshold { *t } else { 0.0 };
            sum = if kept * sum < 0.0 || kept == 0.0 {
                kept
            } else {
                sum + kept
            };
            most = most.max(sum.abs());
        }
        most
    };
    assert!(!found.runs.is_empty() && found.runs[0].start == 0);
    for run in &found.runs {
        let expected: f64 = all[0][run.start..run.end].iter().sum();
        assert!((run.mass - expected).abs() < 1e-12);
        assert_eq!(
            run.p_value,
            share(&|row| mass(row) >= expected.abs() - 1e-9)
        );
    }
}

#[test]
fn random_flips_agree_with_all_of_them() {
    let (rows, pairs) = genes(2, 12, 9, |_| 0.5);
    let all = sign_flip_offsets(&rows, 9, pairs, RUN_THRESHOLD, 4096, 3);
    let random = sign_flip_offsets(&rows, 9, pairs, RUN_THRESHOLD, 4000, 3);
    assert!(all.exact && !random.exact);
    for (a, b) in all.offsets.iter().zip(&random.offsets) {
        let near =
            |p: f64, q: f64| (p - q).abs() < 4.0 * (p * (1.0 - p) / 4000.0).sqrt() + 1.0 / 4000.0;
        assert!(
            near(a.p_value, b.p_value) && near(a.p_max_t, b.p_max_t),
            "{a:?} {b:?}"
        );
    }
    // One offset alone is the test of one number.
    let one: Vec<f64> = rows.iter().step_by(9).copied().collect();
    let alone =
        crate::stats::permutation::sign_flip_clusters(&one, &(0..12).collect::<Vec<_>>(), 4096, 3);
    assert_eq!(alone.p_value, all.offsets[0].p_value);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| sign_flip_offsets(&rows, 9, pairs, RUN_THRESHOLD, 1000, 3))
    };
    assert_eq!(run(1), run(3));
}

/// 500 nulls of genes with shared noise: max-T and run mass are wrong anywhere in 5% of them,
/// single offsets in far more.
#[test]
fn any_false_offset_in_one_null_of_twenty() {
    const SEEDS: u64 = 500;
    let (mut alone, mut max_t, mut run) = (0, 0, 0);
    for seed in 0..SEEDS {
        let (rows, pairs) = genes(seed, 25, 41, |_| 0.0);
        let found = sign_flip_offsets(&rows, 41, pairs, RUN_THRESHOLD, 199, seed);
        alone += u64::from(found.offsets.iter().any(|o| o.p_value <= 0.05));
        max_t += u64::from(found.offsets.iter().any(|o| o.p_max_t <= 0.05));
        run += u64::from(found.runs.iter().any(|r| r.p_value <= 0.05));
    }
    let null = Binomial::new(0.05, SEEDS).unwrap();
    let band = null.inverse_cdf(0.005)..=null.inverse_cdf(0.995);
    assert!(
        band.contains(&max_t) && band.contains(&run),
        "{max_t} {run}"
    );
    assert!(alone > 3 * band.end(), "{alone}");
}

#[test]
fn planted_offsets_are_found_and_no_others() {
    let (mut found, mut false_offsets) = (0, 0);
    for seed in 0..60 {
        let (rows, pairs) = genes(seed, 60, 41, |offset| {
            if (18..23).contains(&offset) { 0.8 } else { 0.0 }
        });
        let tests = sign_flip_offsets(&rows, 41, pairs, RUN_THRESHOLD, 499, seed);
        let hits: Vec<usize> = (0..41)
            .filter(|o| tests.offsets[*o].p_max_t <= 0.05)
            .collect();
        found += usize::from((18..23).all(|offset| hits.contains(&offset)));
        false_offsets += usize::from(hits.iter().any(|o| !(18..23).contains(o)));
        let run = tests
            .runs
            .iter()
            .find(|r| r.start <= 20 && r.end > 20)
            .unwrap();
        assert!(run.p_value <= 0.05 && run.mass > 0.0, "{run:?}");
    }
    assert!(found >= 54 && false_offsets <= 8, "{found} {false_offsets}");
}

#[test]
fn odd_input() {
    let empty = sign_flip_offsets(&[], 3, 0, 2.0, 10, 0);
    assert!(empty.offsets.len() == 3 && empty.offsets[0].p_max_t == 1.0 && empty.runs.is_empty());
    assert!(
        sign_flip_offsets(&[1.0], 0, 1, 2.0, 10, 0)
            .offsets
            .is_empty()
    );
    let rows = [1.0, 0.0, f64::NAN, 2.0, 0.0, 1.0, 3.0, 0.0, 1.0];
    let found = sign_flip_offsets(&rows, 3, 3, 0.5, 8, 0);
    assert_eq!(
        (
            found.offsets[0].p_value,
            found.offsets[0].p_max_t,
            found.offsets[0].difference
        ),
        (0.25, 0.25, 2.0)
    );
    assert_eq!((found.offsets[1].p_value, found.offsets[1].t), (1.0, 0.0));
    assert!(found.offsets[2].p_max_t.is_nan() && found.offsets[2].t.is_nan());
    assert_eq!(
        found
            .runs
            .iter()
            .map(|r| (r.start, r.end))
            .collect::<Vec<_>>(),
        [(0, 1)]
    );
}

/// `cargo test --lib offsets -- --ignored --nocapture`: 10 000 flips of 241 offsets, of as many
/// clusters as a genome has genes, and of 70 000 (every site its own cluster).
#[test]
#[ignore = "a timing"]
fn ten_thousand_flips_of_a_genome() {
    for n in [15_000, 70_000] {
        let mut rng = Rng::new(1);
        let rows: Vec<f64> = (0..n * 241).map(|_| rng.uniform() - 0.5).collect();
        let start = std::time::Instant::now();
        let found = sign_flip_offsets(&rows, 241, 70_000, RUN_THRESHOLD, 10_000, 1);
        println!(
            "{n} clusters: {:.1} s, {} runs",
            start.elapsed().as_secs_f64(),
            found.runs.len()
        );
    }
}
