//! The boundary probability of every base of a sequence, whatever its length.

use crate::error::{Error, Result};
use crate::genome::Strand;
use crate::pipelines::BoundarySource;
use crate::pipelines::tiles::{ContigStrand, TileShape, Window, ask, plan};

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

/// Reads one strand of a contig from end to end. `found` gets consecutive stretches by rising base: (first base, values), together one value a
/// base. The value of a base is that of the inter-base position before it in the orientation of the strand: position `t` of base `t` on plus,
/// `t + 1` on minus. The first base of the strand reads 1 by definition; elsewhere the first position of a window is never used. `NaN` stands
/// where the model's stage never saw the base. Returns how many bases the model read.
///
/// # Errors
/// A context without room between its margins, and what the source or `found` report.
pub fn read(
    on: ContigStrand<'_>,
    source: &dyn BoundarySource,
    request: &BoundariesRequest,
    found: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
) -> Result<u64> {
    let length = on.sequence.len();
    let context = if request.context == 0 { length } else { request.context };
    let windows = match length {
        0 => return Ok(0),
        1 => Vec::new(),
        _ if length <= context => vec![Window { low: 1, high: length - 1 }],
        _ => {
            let margin = request.margin.max(1);
            let step = context
                .checked_sub(2 * margin)
                .filter(|step| *step > 0)
                .ok_or_else(|| Error::Invalid(format!("a context of {context} bases has no room between two margins of {margin}")))?;
            (1..length).step_by(step).map(|low| Window { low, high: (low + step - 1).min(length - 1) }).collect()
        }
    };
    if on.strand == Strand::Plus {
        found(0, &[1.0])?;
    }
    let plan = plan(windows, length, &TileShape { context_bp: context, margin_bp: request.margin })?;
    let mut read = 0;
    for tiles in plan.tiles.chunks(request.batch.max(1)) {
        for (tile, mut values) in tiles.iter().zip(ask(on, tiles, source)?) {
            read += values.len() as u64;
            if on.strand == Strand::Minus {
                values.reverse(); // by rising base: that of base b is now at b - start
            }
            for index in &tile.windows {
                let Window { low, high } = plan.windows[*index];
                let first = if on.strand == Strand::Plus { low } else { low - 1 };
                found(first, &values[first - tile.bases.start..=first + high - low - tile.bases.start])?;
            }
        }
    }
    if on.strand == Strand::Minus {
        found(length - 1, &[1.0])?;
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genome::sequence::reverse_complement;
    use crate::pipelines::Stretch;

    /// Says 1 at the start of what it is given, else a number that tells base and distance from the nearer end.
    struct Ends;

    impl BoundarySource for Ends {
        fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
            let value = |s: &[u8], t: usize| match t {
                0 => 1.0,
                t => f32::from(s[t]) / 256.0 + t.min(s.len() - t).min(20) as f32 / 1024.0,
            };
            Ok(stretches.iter().map(|s| (0..s.letters.len()).map(|t| value(&s.letters, t)).collect()).collect())
        }
    }

    fn all(sequence: &[u8], strand: Strand, context: usize, margin: usize) -> Vec<f32> {
        let mut values = Vec::new();
        let request = BoundariesRequest { context, margin, batch: 3 };
        let mut found = |at: usize, some: &[f32]| {
            assert_eq!(at, values.len(), "stretches are consecutive");
            values.extend_from_slice(some);
            Ok(())
        };
        read(ContigStrand { contig: "c", sequence, strand }, &Ends, &request, &mut found).unwrap();
        values
    }

    #[test]
    fn windows_join_without_a_seam() {
        let sequence: Vec<u8> = (0..1000).map(|i| b"ACGTN"[(i * i + i / 7) % 5]).collect();
        let whole = all(&sequence, Strand::Plus, 0, 0);
        assert_eq!((whole.len(), whole[0]), (1000, 1.0));
        for (context, margin) in [(60, 20), (100, 20), (101, 23), (999, 20), (1000, 20), (5000, 20)] {
            assert_eq!(all(&sequence, Strand::Plus, context, margin), whole, "{context} {margin}");
        }
        // No margin still keeps the artificial 1 of a window's start out.
        assert_eq!(all(&sequence, Strand::Plus, 50, 0).iter().filter(|v| **v == 1.0).count(), 1);
    }

    #[test]
    fn minus_is_plus_of_the_reverse_complement() {
        let sequence: Vec<u8> = (0..1000).map(|i| b"ACGTN"[(i * i + i / 7) % 5]).collect();
        let mut turned = all(&reverse_complement(&sequence), Strand::Plus, 0, 0);
        turned.reverse();
        for (context, margin) in [(0, 0), (60, 20), (101, 23), (999, 20)] {
            assert_eq!(all(&sequence, Strand::Minus, context, margin), turned, "{context} {margin}");
        }
    }

    #[test]
    fn short_sequences_and_impossible_margins() {
        for strand in [Strand::Plus, Strand::Minus] {
            assert_eq!(all(b"", strand, 50, 5), [0.0; 0]);
            assert_eq!(all(b"A", strand, 50, 5), [1.0]);
            assert_eq!(all(b"AC", strand, 50, 5).len(), 2);
        }
        let on = ContigStrand { contig: "c", sequence: &[b'A'; 11], strand: Strand::Plus };
        let request = BoundariesRequest { context: 10, margin: 5, batch: 1 };
        assert!(read(on, &Ends, &request, &mut |_, _| Ok(())).is_err());
    }
}
