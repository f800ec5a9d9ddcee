//! The masked-base loss of a model on held-out sequence, beside that of context tables on the same
//! positions.

use super::data::{Corpus, mask};
use super::ranks::Ranks;
use super::recipe::Recipe;
use crate::kernels::loss::nats;
use crate::model::LdarNet;
use crate::model::flops::forward_flops;
use crate::stats::base_table::BaseTables;
use crate::stats::rng::Rng;
use crate::{Error, Result};
use serde::Serialize;

/// Widest context tables, bases on either side.
pub const WIDEST_TABLE: usize = 10;

/// Rounds of masks over the tested windows, drawn independently: about half of the positions are
/// scored, some more than once.
const ROUNDS: u64 = 4;

/// Held-out windows outside the tested part on which the tables' weights are fitted.
const TUNING_WINDOWS: usize = 100;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Positions scored, all rounds counted.
    pub positions: usize,
    /// Windows of the tested part.
    pub windows: usize,
    /// Mean loss of the model, in nats.
    pub mlm_nats: f64,
    /// Standard error over windows.
    pub mlm_se: f64,
    /// Share of positions whose base the model gives the highest probability.
    pub accuracy: f64,
    /// Bases per boundary on the windows.
    pub compression: f64,
    /// Operations of a forward pass per base, from the positions that were kept
    /// ([`crate::model::flops`]).
    pub flops_per_base: f64,
    /// Mean loss of the tables with 0, 1, .. bases on either side, on the same positions with the
    /// true neighbours.
    pub table_nats: Vec<f64>,
}

/// Mean masked loss and compression over windows that the ranks of a run share; the loss is `NaN`
/// where no position was masked.
pub fn masked_loss(
    model: &LdarNet,
    windows: &[Vec<u8>],
    recipe: &Recipe,
    rng: &mut Rng,
    ranks: &Ranks,
) -> Result<(f64, f64)> {
    let (mut sum, mut count, mut kept, mut bases) = (0.0, 0_u32, 0_u32, 0);
    for (i, windows) in windows.chunks(4).enumerate() {
        let batch = mask(windows.to_vec(), &recipe.masking, rng);
        if i % ranks.size() != ranks.rank() {
            continue;
        }
        let output = model.forward(&batch.inputs)?;
        let logits = output.logits.to_vec2::<f32>()?;
        sum += batch
            .targets
            .iter()
            .map(|&(row, base)| nats(&logits[row], usize::from(base)))
            .sum::<f64>();
        count += batch.targets.len() as u32;
        if let Some(stage) = output.stages.first() {
            kept += stage.mask.iter().filter(|&&b| b).count() as u32;
            bases += stage.mask.len();
        }
    }
    let all = ranks.sum(vec![sum, f64::from(count), f64::from(kept), bases as f64])?;
    Ok((all[0] / all[1], all[3] / all[2].max(1.0)))
}

/// Measures a model on the tested part of a recipe's data. `report` is told the rounds done of all.
///
/// # Errors
/// The tested part holds no window, or none of its positions was masked.
pub fn evaluate(
    model: &LdarNet,
    recipe: &Recipe,
    corpus: &Corpus,
    report: &mut dyn FnMut(u64, u64),
) -> Result<Evaluation> {
    let windows = corpus.test_windows();
    if windows.is_empty() {
        return Err(Error::Invalid(
            "the tested part of the data holds no window without N".into(),
        ));
    }
    let tables = BaseTables::fit(
        corpus.training_runs(),
        WIDEST_TABLE,
        &corpus.tuning_windows(TUNING_WINDOWS),
        Some(&windows),
    );
    let mut table_sums = [0.0; WIDEST_TABLE + 1];
    let (mut positions, mut right, mut kept, mut bases, mut flops, mut read) = (0, 0, 0, 0, 0.0, 0);
    let mut by_window = vec![(0.0, 0_usize); windows.len()];
    let total = ROUNDS * windows.len() as u64;
    for round in 0..ROUNDS {
        for (w, window) in windows.iter().enumerate() {
            let mut rng = Rng::new(recipe.seed)
                .derive("evaluation")
                .derive_number(round * windows.len() as u64 + w as u64);
            let batch = mask(vec![window.clone()], &recipe.masking, &mut rng);
            let output = model.forward(&batch.inputs)?;
            let logits = output.logits.to_vec2::<f32>()?;
            for &(t, base) in batch.targets.iter() {
                by_window[w].0 += nats(&logits[t], usize::from(base));
                by_window[w].1 += 1;
                let best = (0..4_u8).max_by(|&a, &b| {
                    logits[t][usize::from(a)].total_cmp(&logits[t][usize::from(b)])
                });
                right += usize::from(best == Some(base));
                for (sum, nats) in table_sums.iter_mut().zip(tables.nats(window, t)) {
                    *sum += nats;
                }
                positions += 1;
            }
            if let Some(stage) = output.stages.first() {
                kept += stage.mask.iter().filter(|&&b| b).count();
                bases += stage.mask.len();
            }
            flops += forward_flops(model.config(), &batch.inputs, &output.stages);
            read += window.len();
            report(round * windows.len() as u64 + w as u64 + 1, total);
        }
    }
    if positions == 0 {
        let what = format!(
            "no position of the {} tested windows was masked",
            windows.len()
        );
        return Err(Error::Invalid(format!(
            "{what}: there is no loss to measure; make masking.fraction larger, or the tested part longer"
        )));
    }
    let means: Vec<f64> = by_window
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(sum, n)| sum / *n as f64)
        .collect();
    let count = positions as f64;
    Ok(Evaluation {
        positions,
        windows: windows.len(),
        mlm_nats: by_window.iter().map(|(sum, _)| sum).sum::<f64>() / count,
        mlm_se: (crate::stats::variance(&means) / means.len() as f64).sqrt(),
        accuracy: right as f64 / count,
        compression: bases as f64 / kept.max(1) as f64,
        flops_per_base: flops / read as f64,
        table_nats: table_sums.iter().map(|sum| sum / count).collect(),
    })
}
