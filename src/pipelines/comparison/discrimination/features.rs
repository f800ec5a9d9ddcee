//! What models see of a place: its nucleotides, and the values that a source gives around it.

use std::ops::Range;

use super::{Member, Rows, SpotValues};
use crate::controls::strength::Span;
use crate::error::Result;
use crate::genome::Strand;
use crate::genome::sequence::model_letters;
use crate::pipelines::Values;
use crate::pipelines::comparison::ContigReader;
use crate::pipelines::comparison::baseline::Baseline;
use crate::stats::context::{WIDEST, codes};
use crate::stats::discrimination::letters::Letters;

/// Probabilities are kept this far from 0 and 1 on the logit scale.
const LEAST: f64 = 1e-4;

/// What the sequence says of all rows.
pub(super) struct Around {
    /// The nucleotides in reach of any value of the window: [`WIDEST`] beyond it on either side.
    pub letters: Letters,
    /// First offset of the window.
    pub first: i64,
    /// What the table of the nucleotides nearby predicts, `(rows, offsets)`; 0 without a table.
    pub predicted: Vec<f64>,
}

/// Nucleotides in reach of so many offsets: [`WIDEST`] beyond them on either side.
pub(in super::super) fn n_letters(width: usize) -> usize {
    width - 1 + 2 * WIDEST
}

/// Which of the nucleotides in reach of `width` offsets from `first` on a weight matrix scores;
/// all, where no span is given.
pub(in super::super) fn scored(span: Option<Span>, first: i64, width: usize) -> Range<usize> {
    let n = n_letters(width);
    let column = |base: i64| (base - first + WIDEST as i64).clamp(0, n as i64) as usize;
    span.map_or(0..n, |span| column(span.start)..column(span.end))
}

/// Reads the sequence around all rows: of a window of offsets, with the bases that a weight matrix
/// scores (all, where none are given).
pub(super) fn around(
    contigs: &mut ContigReader<'_>,
    rows: &Rows,
    ((first, last), span): ((i64, i64), Option<Span>),
    baseline: Option<&Baseline>,
) -> Result<Around> {
    let reach = first.unsigned_abs().max(last.unsigned_abs()) as usize + WIDEST;
    let mut order: Vec<usize> = (0..rows.members.len()).collect();
    order.sort_by_key(|row| rows.members[*row].spot.contig); // stable: a contig is loaded once
    let width = (last - first + 1) as usize;
    let n_letters = n_letters(width);
    let (mut all_codes, mut asked) = (vec![4; rows.members.len() * n_letters], Vec::new());
    for row in &order {
        let Member { spot, cluster, .. } = rows.members[*row];
        let (sequence, _) = contigs.letters(spot.contig)?;
        let (start, end) = (
            spot.position.saturating_sub(reach),
            (spot.position + reach).min(sequence.len()),
        );
        let letters = model_letters(&sequence[start..end], spot.strand);
        let at = match spot.strand {
            Strand::Plus => spot.position - start,
            Strand::Minus => end - spot.position,
        };
        let known = codes(&letters);
        let place = &mut all_codes[row * n_letters..(row + 1) * n_letters];
        for (code, offset) in place.iter_mut().zip(first - WIDEST as i64..) {
            *code = usize::try_from(at as i64 + offset)
                .ok()
                .and_then(|i| known.get(i))
                .copied()
                .unwrap_or(4);
        }
        if let Some(baseline) = baseline {
            let at = |offset: i64| (at as i64 + offset).max(0) as usize;
            baseline.ask(&letters, at(first)..=at(last), cluster, &mut asked);
        }
    }
    let mut predicted = vec![0.0; rows.members.len() * width];
    if let Some(baseline) = baseline {
        for (row, values) in order
            .iter()
            .zip(baseline.predict(&asked).chunks_exact(width))
        {
            predicted[row * width..(row + 1) * width]
                .iter_mut()
                .zip(values)
                .for_each(|(to, value)| *to = f64::from(*value));
        }
    }
    Ok(Around {
        letters: Letters::new(all_codes, n_letters, scored(span, first, width)),
        first,
        predicted,
    })
}

/// What a source says of all rows.
pub(super) struct Measured {
    /// `(rows, width)`: its values at the offsets of the window.
    pub values: Vec<f64>,
    /// Offsets.
    pub width: usize,
    /// `(rows, n_features)`: what models see. Of probabilities the log-odds and whether they are a
    /// cut, of a track the values.
    pub features: Vec<f64>,
    /// Columns of the features.
    pub n_features: usize,
}

impl Measured {
    pub fn new(rows: &Rows, of: &SpotValues, (first, last): (i64, i64), flank: i64) -> Measured {
        let (from, to) = ((flank + first) as usize, (flank + last) as usize);
        let values: Vec<f64> = rows
            .numbers
            .iter()
            .flat_map(|number| &of.values[*number][from..=to])
            .map(|v| f64::from(*v))
            .collect();
        let width = to - from + 1;
        let (features, n_features) = match of.kind {
            Values::Signal | Values::Scores => (values.clone(), width),
            Values::Probabilities => {
                let both = |p: &f64| {
                    let inside = p.clamp(LEAST, 1.0 - LEAST);
                    [(inside / (1.0 - inside)).ln(), is_cut(*p)]
                };
                (values.iter().flat_map(both).collect(), 2 * width)
            }
        };
        Measured {
            values,
            width,
            features,
            n_features,
        }
    }
}

/// 1 where a probability is a cut, else 0.
pub(super) fn is_cut(p: f64) -> f64 {
    f64::from(u8::from(p > 0.5))
}
