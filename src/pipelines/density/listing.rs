//! Which stretches of a class are studied.

use std::collections::BinaryHeap;

use super::rows::AccountingRow;
use super::{DensityRequest, LEAST_BP, Stretch, TOKEN_REACH};
use crate::genome::classes::{Class, ContigClasses};
use crate::genome::sequence::is_acgt;
use crate::genome::{Interval, Strand};
use crate::stats::context::WIDEST;
use crate::stats::rng::Rng;

/// Stretches of all classes, contig by contig, each class thinned to as many as are asked for while
/// they are listed.
pub(super) struct Listing<'a> {
    request: &'a DensityRequest,
    rng: &'a Rng,
    accounting: Vec<AccountingRow>,
    /// By class: those with the least random keys.
    drawn: Vec<BinaryHeap<(u64, Stretch)>>,
}

/// Cuts a part of a class into stretches of about equal length, at most `most` bases each.
pub(super) fn cut(part: Interval, most: usize) -> impl Iterator<Item = Interval> {
    let (length, n) = (part.len_bp(), part.len_bp().div_ceil(most));
    (0..n).map(move |i| {
        Interval::new(
            part.start + i * length / n,
            part.start + (i + 1) * length / n,
        )
    })
}

/// Whether a stretch and the letters around it are plain, and tokens can be followed beyond it
/// inside of the contig.
pub(super) fn is_plain(sequence: &[u8], part: Interval) -> bool {
    part.start > TOKEN_REACH
        && part.end + TOKEN_REACH < sequence.len()
        && is_acgt(&sequence[part.start - WIDEST..part.end + WIDEST])
}

impl<'a> Listing<'a> {
    pub fn new(request: &'a DensityRequest, rng: &'a Rng) -> Listing<'a> {
        let row = |class: &Class| AccountingRow {
            class: class.name().into(),
            ..AccountingRow::default()
        };
        Listing {
            request,
            rng,
            accounting: Class::ALL.iter().map(row).collect(),
            drawn: vec![BinaryHeap::new(); Class::ALL.len()],
        }
    }

    /// Takes the stretches of a contig.
    pub fn contig(&mut self, contig: usize, name: &str, sequence: &[u8], classes: &ContigClasses) {
        for class in Class::ALL {
            let mut keys = self
                .rng
                .derive(&format!("stretches {} {name}", class.name()));
            let row = &mut self.accounting[class as usize];
            row.bases += classes.all[class as usize]
                .iter()
                .map(|part| part.len_bp() as u64)
                .sum::<u64>();
            for (part, strand) in &classes.stranded[class as usize] {
                if part.len_bp() < LEAST_BP {
                    row.n_short += 1;
                    continue;
                }
                for part in cut(*part, self.request.stretch_bp) {
                    row.n_stretches += 1;
                    if !is_plain(sequence, part) {
                        row.n_not_plain += 1;
                        continue;
                    }
                    let strand = if class.is_stranded() {
                        *strand
                    } else {
                        Strand::Plus
                    };
                    let drawn = &mut self.drawn[class as usize];
                    drawn.push((
                        keys.next_u64(),
                        Stretch {
                            contig,
                            class,
                            part,
                            strand,
                        },
                    ));
                    if drawn.len() > self.request.max_per_class {
                        drawn.pop();
                    }
                }
            }
        }
    }

    /// The accounts, and the stretches by contig, class and place.
    pub fn finish(mut self) -> (Vec<AccountingRow>, Vec<Stretch>) {
        let mut all: Vec<Stretch> = Vec::new();
        for (row, drawn) in self.accounting.iter_mut().zip(self.drawn) {
            row.n_sampled = drawn.len() as u64;
            all.extend(drawn.into_iter().map(|(_, stretch)| stretch));
        }
        all.sort_unstable();
        (self.accounting, all)
    }
}
