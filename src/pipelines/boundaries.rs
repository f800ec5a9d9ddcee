//! The boundary probability of every base of a sequence, whatever its length.

use crate::error::{Error, Result};
use crate::genome::Strand;
use crate::pipelines::BoundaryModel;
use crate::pipelines::tiles::{TileShape, Window, ask, plan};

/// How a sequence is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundariesRequest {
    /// Bases given to the model at once; a longer sequence is read in overlapping windows of this length. 0: always at once.
    pub context: usize,
    /// Bases trimmed from each end of a window, unless the sequence ends there.
    pub margin: usize,
    /// Windows per call of the model.
    pub batch: usize,
}

/// Reads one sequence from its first to its last base. `found` gets consecutive stretches: (position of the first, probabilities), together
/// one value a base; value `t` is that of inter-base position `t`, before base `t`. The first is 1 by definition; elsewhere the first
/// position of a window is never used. `NaN` stands where the model's stage never saw the base. Returns how many bases the model read.
///
/// # Errors
/// A context without room between its margins, and what the model or `found` report.
pub fn read(
    sequence: &[u8],
    model: &dyn BoundaryModel,
    request: &BoundariesRequest,
    found: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
) -> Result<u64> {
    let length = sequence.len();
    if length == 0 {
        return Ok(0);
    }
    found(0, &[1.0])?;
    let context = if request.context == 0 { length } else { request.context };
    let windows = if length <= context {
        vec![Window { low: 1, high: length - 1 }]
    } else {
        let margin = request.margin.max(1);
        let step = context
            .checked_sub(2 * margin)
            .filter(|step| *step > 0)
            .ok_or_else(|| Error::Invalid(format!("a context of {context} bases has no room between two margins of {margin}")))?;
        (1..length).step_by(step).map(|low| Window { low, high: (low + step - 1).min(length - 1) }).collect()
    };
    if length == 1 {
        return Ok(0);
    }
    let plan = plan(windows, length, &TileShape { context_bp: context, margin_bp: request.margin })?;
    let mut read = 0;
    for tiles in plan.tiles.chunks(request.batch.max(1)) {
        let probs = ask(sequence, Strand::Plus, tiles, model)?;
        for (tile, probs) in tiles.iter().zip(&probs) {
            for index in &tile.windows {
                let window = plan.windows[*index];
                found(window.low, &probs[window.low - tile.bases.start..=window.high - tile.bases.start])?;
            }
        }
        read += probs.iter().map(|p| p.len() as u64).sum::<u64>();
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says 1 at the start of what it is given, else a number that tells base and distance from the nearer end.
    struct Ends;

    impl BoundaryModel for Ends {
        fn boundary_probs(&self, sequences: &[Vec<u8>]) -> Result<Vec<Vec<f32>>> {
            let value = |s: &[u8], t: usize| match t {
                0 => 1.0,
                t => f32::from(s[t]) / 256.0 + t.min(s.len() - t).min(20) as f32 / 1024.0,
            };
            Ok(sequences.iter().map(|s| (0..s.len()).map(|t| value(s, t)).collect()).collect())
        }
    }

    fn all(sequence: &[u8], context: usize, margin: usize) -> Vec<f32> {
        let mut values = Vec::new();
        let request = BoundariesRequest { context, margin, batch: 3 };
        let mut found = |at: usize, some: &[f32]| {
            assert_eq!(at, values.len(), "stretches are consecutive");
            values.extend_from_slice(some);
            Ok(())
        };
        read(sequence, &Ends, &request, &mut found).unwrap();
        values
    }

    #[test]
    fn windows_join_without_a_seam() {
        let sequence: Vec<u8> = (0..1000).map(|i| b"ACGTN"[(i * i + i / 7) % 5]).collect();
        let whole = all(&sequence, 0, 0);
        assert_eq!((whole.len(), whole[0]), (1000, 1.0));
        for (context, margin) in [(60, 20), (100, 20), (101, 23), (999, 20), (1000, 20), (5000, 20)] {
            assert_eq!(all(&sequence, context, margin), whole, "{context} {margin}");
        }
        // No margin still keeps the artificial 1 of a window's start out.
        assert_eq!(all(&sequence, 50, 0).iter().filter(|v| **v == 1.0).count(), 1);
    }

    #[test]
    fn short_sequences_and_impossible_margins() {
        assert_eq!(all(b"", 50, 5), [0.0; 0]);
        assert_eq!(all(b"A", 50, 5), [1.0]);
        assert_eq!(all(b"AC", 50, 5).len(), 2);
        let request = BoundariesRequest { context: 10, margin: 5, batch: 1 };
        assert!(read(&[b'A'; 11], &Ends, &request, &mut |_, _| Ok(())).is_err());
    }
}
