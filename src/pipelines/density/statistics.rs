//! From readings to tables.

use super::matching::Matched;
use super::reading::{Lengths, Read, Reading};
use super::rows::{BalanceRow, LengthRow, PairRow, StatisticsRow};
use super::{BaselineRow, Density, DensityRequest, Pair, TOKEN_REACH};
use crate::genome::classes::Class;
use crate::genome::fasta::Genome;
use crate::pipelines::Values;
use crate::stats::effect::{paired_d, standardised_difference};
use crate::stats::multiplicity::{benjamini_hochberg, benjamini_yekutieli};
use crate::stats::permutation::ClusterSums;
use crate::stats::{mean, variance};

/// The level of every interval.
const LEVEL: f64 = 0.95;

/// What is compared: its name, and the value of a reading.
type Measure = (&'static str, fn(&Reading) -> f64);

const MEASURES: [Measure; 4] = [
    ("probability", Reading::probability),
    ("density", Reading::density),
    ("predicted", |reading| reading.predicted),
    ("residual", |reading| {
        reading.probability() - reading.predicted
    }),
];

const COVARIATES: [&str; 3] = ["gc", "cpg", "soft_masked"];

pub(super) fn outcome(
    genome: &Genome,
    matched: &Matched,
    read: Read,
    request: &DensityRequest,
) -> Density {
    let both = || matched.pairs.iter().zip(&read.pairs);
    let of = |class: Class| both().filter(move |(pair, _)| pair.class == class);
    let mut found = Density {
        tiles_read: read.tiles,
        bases_read: read.bases,
        ..Density::default()
    };
    for class in Class::ALL {
        found
            .pairs
            .extend(of(class).map(|(pair, readings)| row(genome, matched, pair, readings)));
        found.balance.extend(balance(
            class,
            &of(class).map(|(pair, _)| pair).collect::<Vec<_>>(),
        ));
        for (side, group) in ["class", "control"].into_iter().enumerate() {
            found.token_lengths.extend(lengths(
                class,
                group,
                of(class).filter_map(|(_, readings)| readings[side].lengths.as_ref()),
            ));
        }
    }
    for measure in MEASURES
        .into_iter()
        .filter(|(name, _)| read.kind == Values::Probabilities || *name != "density")
    {
        let mut rows: Vec<StatisticsRow> = Class::ALL
            .into_iter()
            .map(|class| statistics(class, measure, of(class), request))
            .collect();
        let p_values: Vec<f64> = rows
            .iter()
            .map(|row| {
                if row.n_pairs > 0 {
                    row.p_value
                } else {
                    f64::NAN
                }
            })
            .collect();
        let adjusted = benjamini_hochberg(&p_values)
            .into_iter()
            .zip(benjamini_yekutieli(&p_values));
        rows.iter_mut()
            .zip(adjusted)
            .for_each(|(row, (bh, by))| (row.p_bh, row.p_by) = (bh, by));
        found.statistics.extend(rows);
    }
    if let Some(explained) = &read.explained {
        found.baseline = BaselineRow::of(explained, request.bootstraps, LEVEL, request.seed);
    }
    found
}

fn row(
    genome: &Genome,
    matched: &Matched,
    pair: &Pair,
    [stretch, control]: &[Reading; 2],
) -> PairRow {
    let unit = &matched.units[pair.unit];
    let name = |contig: usize| genome.contigs()[contig].name.clone();
    let [
        [gc, cpg, soft_masked],
        [control_gc, control_cpg, control_soft_masked],
    ] = pair.covariates;
    PairRow {
        class: pair.class.name().into(),
        cluster: format!(
            "{}:{}-{}",
            name(unit.contig),
            unit.interval.start,
            unit.interval.end
        ),
        contig: name(pair.contig),
        strand: pair.strand.to_string(),
        start: pair.stretch.start as u64,
        end: pair.stretch.end as u64,
        control_start: pair.control.start as u64,
        gc,
        control_gc,
        cpg,
        control_cpg,
        soft_masked,
        control_soft_masked,
        probability: stretch.probability(),
        control_probability: control.probability(),
        density: stretch.density(),
        control_density: control.density(),
        predicted: stretch.predicted,
        control_predicted: control.predicted,
    }
}

fn statistics<'a>(
    class: Class,
    (measure, value): Measure,
    pairs: impl Iterator<Item = (&'a Pair, &'a [Reading; 2])>,
    request: &DensityRequest,
) -> StatisticsRow {
    let (mut units, mut values): (Vec<usize>, [Vec<f64>; 2]) = (Vec::new(), Default::default());
    for (pair, readings) in pairs {
        units.push(pair.unit);
        values
            .iter_mut()
            .zip(readings)
            .for_each(|(values, reading)| values.push(value(reading)));
    }
    let [stretches, controls] = &values;
    let differences: Vec<f64> = stretches.iter().zip(controls).map(|(a, b)| a - b).collect();
    let [of_class, of_control, sums] =
        [stretches, controls, &differences].map(|values| ClusterSums::of_pairs(values, &units));
    let test = sums.test(request.permutations, request.seed);
    // One table predicts all units: their differences are not independent.
    let tested = measure != "predicted";
    let [
        (class_low, class_high),
        (control_low, control_high),
        (ci_low, ci_high),
    ] = [&of_class, &of_control, &sums]
        .map(|sums| sums.interval(request.permutations, LEVEL, request.seed));
    StatisticsRow {
        class: class.name().into(),
        measure: measure.into(),
        n_pairs: differences.len() as u64,
        n_clusters: test.n_clusters as u64,
        class_mean: mean(stretches),
        class_low,
        class_high,
        control_mean: mean(controls),
        control_low,
        control_high,
        difference: test.statistic,
        ci_low,
        ci_high,
        d: paired_d(&differences),
        p_value: if tested { test.p_value } else { f64::NAN },
        p_floor: if tested { test.p_floor } else { f64::NAN },
        p_bh: f64::NAN,
        p_by: f64::NAN,
        n_effective: sums.effective(),
    }
}

fn balance(class: Class, pairs: &[&Pair]) -> Vec<BalanceRow> {
    let of = |covariate: usize| {
        let [own, control]: [Vec<f64>; 2] = [0, 1].map(|side: usize| {
            pairs
                .iter()
                .map(|pair| pair.covariates[side][covariate])
                .collect()
        });
        let pooled = ((variance(&own) + variance(&control)) / 2.0).sqrt();
        let (class_mean, control_mean) = (mean(&own), mean(&control));
        let smd = standardised_difference(class_mean, control_mean, pooled);
        BalanceRow {
            class: class.name().into(),
            covariate: COVARIATES[covariate].into(),
            class_mean,
            control_mean,
            smd,
        }
    };
    if pairs.is_empty() {
        Vec::new()
    } else {
        (0..COVARIATES.len()).map(of).collect()
    }
}

fn lengths<'a>(
    class: Class,
    group: &str,
    all: impl Iterator<Item = &'a Lengths>,
) -> Vec<LengthRow> {
    let mut total = [0u64; TOKEN_REACH + 2];
    for one in all {
        total.iter_mut().zip(one).for_each(|(sum, n)| *sum += n);
    }
    let row = |(length, n): (usize, &u64)| LengthRow {
        class: class.name().into(),
        group: group.into(),
        length_bp: length as u64,
        n_tokens: *n,
    };
    let any = total.iter().any(|n| *n > 0);
    total
        .iter()
        .enumerate()
        .skip(1)
        .filter(|_| any)
        .map(row)
        .collect()
}
