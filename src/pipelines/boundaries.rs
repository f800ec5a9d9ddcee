//! The boundary probability of every base of a sequence, whatever its length.

use crate::error::{Error, Result};
use crate::genome::{Interval, Strand};
use crate::pipelines::BoundarySource;
use crate::pipelines::tiles::{ContigStrand, Tile, TileShape, Window, ask, plan};
use serde::Serialize;

/// How a sequence is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BoundariesRequest {
    /// Bases given to the model at once; a longer sequence is read in overlapping windows of this
    /// length. 0: always at once.
    pub context: usize,
    /// Bases trimmed from each end of a window, unless the sequence ends there.
    pub margin: usize,
    /// Windows per call of the model.
    pub batch: usize,
    /// Seams looked at on each strand of a contig.
    pub seams: usize,
}

/// What a reading was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Reading {
    /// Bases the source read.
    pub bases_read: u64,
    /// Seams looked at: bases right after one.
    pub seams: usize,
    /// The largest difference between the value of such a base and that from a window centred on
    /// it.
    pub seam_difference: f32,
}

impl Reading {
    /// Both together.
    pub fn and(self, other: Reading) -> Reading {
        Reading {
            bases_read: self.bases_read + other.bases_read,
            seams: self.seams + other.seams,
            seam_difference: self.seam_difference.max(other.seam_difference),
        }
    }
}

/// Reads stretches of one strand of a contig: `regions`, in order and apart. `found` gets their
/// values by rising base: (first base, values), one value a base. The value of a base is that of
/// the inter-base position before it in the orientation of the strand: position `t` of base `t` on
/// plus, `t + 1` on minus. The first base of the strand reads 1 by definition; elsewhere the first
/// position of a window is never used. `NaN` stands where the model's stage never saw the base.
/// Windows lie on one grid of the contig: a base has the same value whatever the regions.
///
/// # Errors
/// A context without room between its margins, a region beyond the contig, and what the source or
/// `found` report.
pub fn read(
    on: ContigStrand<'_>,
    regions: &[Interval],
    source: &dyn BoundarySource,
    request: &BoundariesRequest,
    found: &mut dyn FnMut(usize, &[f32]) -> Result<()>,
) -> Result<Reading> {
    let length = on.sequence.len();
    if let Some(beyond) = regions
        .iter()
        .find(|region| region.end > length || region.start > region.end)
    {
        return Err(Error::Invalid(format!(
            "{}:{}-{} reaches beyond its {length} bases",
            on.contig, beyond.start, beyond.end
        )));
    }
    let holds = |base: usize| {
        regions
            .iter()
            .any(|region| region.start <= base && base < region.end)
    };
    let shape = TileShape {
        context_bp: if request.context == 0 {
            length
        } else {
            request.context
        },
        margin_bp: request.margin,
    };
    let plan = plan(windows(regions, length, on.strand, &shape)?, length, &shape)?;
    let mut reading = Reading::default();
    let (mut seams, every) = (
        Vec::new(),
        plan.windows.len().div_ceil(request.seams.max(1)).max(2),
    );
    let is_seam = |index: usize| {
        request.seams > 0 && plan.windows[index].low > 1 && index % every == every / 2
    };
    if on.strand == Strand::Plus && holds(0) {
        found(0, &[1.0])?;
    }
    for tiles in plan.tiles.chunks(request.batch.max(1)) {
        let answers = ask(on, tiles, source)?;
        if source.is_part() {
            let first = |tile: &Tile| tile.windows.iter().copied().find(|index| is_seam(*index));
            seams.extend(
                tiles
                    .iter()
                    .filter_map(first)
                    .map(|index| (plan.windows[index].low, f32::NAN)),
            );
            continue;
        }
        for (tile, mut values) in tiles.iter().zip(answers) {
            reading.bases_read += values.len() as u64;
            if on.strand == Strand::Minus {
                values.reverse(); // by rising base: that of base b is now at b - start
            }
            for index in &tile.windows {
                let Window { low, high } = plan.windows[*index];
                let first = first_base(low, on.strand);
                if is_seam(*index) {
                    seams.push((low, values[first - tile.bases.start]));
                }
                let end = first + high - low + 1;
                let from = regions.partition_point(|region| region.end <= first);
                for region in regions[from..]
                    .iter()
                    .take_while(|region| region.start < end)
                {
                    let (from, to) = (first.max(region.start), end.min(region.end));
                    found(
                        from,
                        &values[from - tile.bases.start..to - tile.bases.start],
                    )?;
                }
            }
        }
    }
    if on.strand == Strand::Minus && length > 0 && holds(length - 1) {
        found(length - 1, &[1.0])?;
    }
    if length > shape.context_bp {
        reading = reading.and(centred(on, &seams, source, &shape, request.batch)?);
    }
    Ok(reading)
}

/// The base whose value is that of an inter-base position.
fn first_base(position: usize, strand: Strand) -> usize {
    if strand == Strand::Plus {
        position
    } else {
        position - 1
    }
}

/// The windows of the contig's grid that hold a base of a region.
fn windows(
    regions: &[Interval],
    length: usize,
    strand: Strand,
    shape: &TileShape,
) -> Result<Vec<Window>> {
    let (context, margin) = (shape.context_bp, shape.margin_bp.max(1));
    let step = if length <= context {
        Some(length.max(1))
    } else {
        context.checked_sub(2 * margin).filter(|step| *step > 0)
    };
    let step = step.ok_or_else(|| {
        Error::Invalid(format!(
            "a context of {context} bases has no room between two margins of {margin}"
        ))
    })?;
    let mut numbers: Vec<usize> = Vec::new();
    for region in regions.iter().filter(|region| region.len_bp() > 0) {
        // Its inter-base positions; the first of the strand is in no window.
        let (low, high) = if strand == Strand::Plus {
            (region.start, region.end - 1)
        } else {
            (region.start + 1, region.end)
        };
        let (low, high) = (low.max(1), high.min(length - 1));
        if low <= high {
            numbers.extend((low - 1) / step..=(high - 1) / step);
        }
    }
    numbers.dedup();
    Ok(numbers
        .into_iter()
        .map(|n| Window {
            low: 1 + n * step,
            high: ((n + 1) * step).min(length - 1),
        })
        .collect())
}

/// Reads positions in windows centred on them, and compares with the values they were given.
fn centred(
    on: ContigStrand<'_>,
    seams: &[(usize, f32)],
    source: &dyn BoundarySource,
    shape: &TileShape,
    batch: usize,
) -> Result<Reading> {
    let mut reading = Reading::default();
    // One by one: neighbours would share a window, which is centred on neither.
    let tiles: Vec<(Tile, usize, f32)> = seams
        .iter()
        .map(|(position, value)| {
            let mut plan = plan(
                vec![Window {
                    low: *position,
                    high: *position,
                }],
                on.sequence.len(),
                shape,
            )?;
            Ok((plan.tiles.remove(0), *position, *value))
        })
        .collect::<Result<_>>()?;
    for some in tiles.chunks(batch.max(1)) {
        let asked: Vec<Tile> = some.iter().map(|(tile, ..)| tile.clone()).collect();
        let answers = ask(on, &asked, source)?;
        if source.is_part() {
            continue;
        }
        for ((tile, position, value), values) in some.iter().zip(answers) {
            let at = if on.strand == Strand::Plus {
                position - tile.bases.start
            } else {
                tile.bases.end - position
            };
            reading.bases_read += values.len() as u64;
            let difference = (values[at] - value).abs();
            if difference.is_finite() {
                reading = reading.and(Reading {
                    bases_read: 0,
                    seams: 1,
                    seam_difference: difference,
                });
            }
        }
    }
    Ok(reading)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genome::sequence::reverse_complement;
    use crate::pipelines::Stretch;

    /// Says 1 at the start of what it is given, else a number that tells base and distance from the
    /// nearer end.
    struct Ends;

    impl BoundarySource for Ends {
        fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
            let value = |s: &[u8], t: usize| match t {
                0 => 1.0,
                t => f32::from(s[t]) / 256.0 + t.min(s.len() - t).min(20) as f32 / 1024.0,
            };
            Ok(stretches
                .iter()
                .map(|s| (0..s.letters.len()).map(|t| value(&s.letters, t)).collect())
                .collect())
        }
    }

    fn on(sequence: &[u8], strand: Strand) -> ContigStrand<'_> {
        ContigStrand {
            contig: "c",
            sequence,
            strand,
        }
    }

    fn all(sequence: &[u8], strand: Strand, context: usize, margin: usize) -> Vec<f32> {
        let mut values = Vec::new();
        let request = BoundariesRequest {
            context,
            margin,
            batch: 3,
            seams: 5,
        };
        let mut found = |at: usize, some: &[f32]| {
            assert_eq!(at, values.len(), "stretches are consecutive");
            values.extend_from_slice(some);
            Ok(())
        };
        let whole = [Interval::new(0, sequence.len())];
        let reading = read(on(sequence, strand), &whole, &Ends, &request, &mut found).unwrap();
        if context > 0 && sequence.len() > context {
            assert!(reading.seams >= 1);
            assert_eq!(reading.seam_difference == 0.0, margin >= 20, "{reading:?}");
        }
        values
    }

    #[test]
    fn regions_have_the_values_of_the_whole() {
        let sequence: Vec<u8> = (0..1000).map(|i| b"ACGTN"[(i * i + i / 7) % 5]).collect();
        let regions = [
            Interval::new(0, 3),
            Interval::new(10, 10),
            Interval::new(57, 59),
            Interval::new(60, 340),
            Interval::new(990, 1000),
        ];
        for strand in [Strand::Plus, Strand::Minus] {
            for (context, margin) in [(60, 20), (101, 23), (400, 20), (5000, 1), (60, 0)] {
                let whole = all(&sequence, strand, context, margin);
                let request = BoundariesRequest {
                    context,
                    margin,
                    batch: 2,
                    seams: 0,
                };
                let mut values = vec![f32::NAN; 1000];
                let mut found = |at: usize, some: &[f32]| {
                    values[at..at + some.len()].copy_from_slice(some);
                    Ok(())
                };
                let reading =
                    read(on(&sequence, strand), &regions, &Ends, &request, &mut found).unwrap();
                assert_eq!(reading.seams, 0);
                for (base, value) in values.iter().enumerate() {
                    let within = regions.iter().any(|r| r.start <= base && base < r.end);
                    assert!(
                        if within {
                            *value == whole[base]
                        } else {
                            value.is_nan()
                        },
                        "{strand} {context} {base}"
                    );
                }
            }
        }
        let beyond = [Interval::new(0, 1001)];
        let request = BoundariesRequest {
            context: 0,
            margin: 0,
            batch: 1,
            seams: 0,
        };
        assert!(
            read(
                on(&sequence, Strand::Plus),
                &beyond,
                &Ends,
                &request,
                &mut |_, _| Ok(())
            )
            .is_err()
        );
    }

    #[test]
    fn windows_join_without_a_seam() {
        let sequence: Vec<u8> = (0..1000).map(|i| b"ACGTN"[(i * i + i / 7) % 5]).collect();
        let whole = all(&sequence, Strand::Plus, 0, 0);
        assert_eq!((whole.len(), whole[0]), (1000, 1.0));
        for (context, margin) in [
            (60, 20),
            (100, 20),
            (101, 23),
            (999, 20),
            (1000, 20),
            (5000, 20),
        ] {
            assert_eq!(
                all(&sequence, Strand::Plus, context, margin),
                whole,
                "{context} {margin}"
            );
        }
        // No margin still keeps the artificial 1 of a window's start out.
        assert_eq!(
            all(&sequence, Strand::Plus, 50, 0)
                .iter()
                .filter(|v| **v == 1.0)
                .count(),
            1
        );
    }

    #[test]
    fn minus_is_plus_of_the_reverse_complement() {
        let sequence: Vec<u8> = (0..1000).map(|i| b"ACGTN"[(i * i + i / 7) % 5]).collect();
        let mut turned = all(&reverse_complement(&sequence), Strand::Plus, 0, 0);
        turned.reverse();
        for (context, margin) in [(0, 0), (60, 20), (101, 23), (999, 20)] {
            assert_eq!(
                all(&sequence, Strand::Minus, context, margin),
                turned,
                "{context} {margin}"
            );
        }
    }

    #[test]
    fn short_sequences_and_impossible_margins() {
        for strand in [Strand::Plus, Strand::Minus] {
            assert_eq!(all(b"", strand, 50, 5), [0.0; 0]);
            assert_eq!(all(b"A", strand, 50, 5), [1.0]);
            assert_eq!(all(b"AC", strand, 50, 5).len(), 2);
        }
        let request = BoundariesRequest {
            context: 10,
            margin: 5,
            batch: 1,
            seams: 0,
        };
        assert!(
            read(
                on(&[b'A'; 11], Strand::Plus),
                &[Interval::new(0, 11)],
                &Ends,
                &request,
                &mut |_, _| Ok(())
            )
            .is_err()
        );
    }
}
