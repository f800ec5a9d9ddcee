//! Tracks from bigWig files where a model would stand: the same controls and statistics on any
//! signal by base.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::{BoundarySource, Stretch, Values};
use crate::error::{Error, Result};
use crate::genome::bigwig::BigWig;
use crate::genome::fasta::Contig;
use crate::genome::{Interval, Strand};

/// Bases looked through at once for missing values.
const LOOK_BP: usize = 1 << 20;

/// What a base without a value in the file stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Missing {
    /// Nothing is known of it: no window may hold it.
    Unknown,
    /// 0, as in tracks of coverage that leave out what was not covered.
    Zero,
}

/// One track for both strands, or one for each.
///
/// The value of base `b` belongs to the inter-base position before it in the orientation of the
/// strand that is read: position `b` on plus, `b + 1` on minus. At offset 0 of a site stands the
/// value of the first base downstream of it, as in deepTools with bins of one base.
pub struct Signal {
    contigs: Vec<Contig>,
    by_name: HashMap<String, usize>,
    plus: BigWig,
    minus: Option<BigWig>,
    missing: Missing,
    known: RefCell<BTreeMap<usize, Vec<Interval>>>,
}

impl Signal {
    /// Opens the files for a genome with these contigs. Without `minus` both strands are read from
    /// `plus`.
    ///
    /// # Errors
    /// Files that cannot be read or do not fit the genome.
    pub fn open(
        plus: &Path,
        minus: Option<&Path>,
        missing: Missing,
        contigs: &[Contig],
    ) -> Result<Signal> {
        let open = |path| BigWig::open(path, contigs);
        let (plus, minus) = (open(plus)?, minus.map(open).transpose()?);
        let by_name = contigs
            .iter()
            .enumerate()
            .map(|(number, contig)| (contig.name.clone(), number))
            .collect();
        Ok(Signal {
            contigs: contigs.to_vec(),
            by_name,
            plus,
            minus,
            missing,
            known: RefCell::default(),
        })
    }

    fn contig(&self, name: &str) -> Result<usize> {
        self.by_name.get(name).copied().ok_or_else(|| {
            Error::Invalid(format!(
                "a track was asked for {name}, which the genome lacks"
            ))
        })
    }

    fn file(&self, strand: Strand) -> &BigWig {
        match strand {
            Strand::Plus => &self.plus,
            Strand::Minus => self.minus.as_ref().unwrap_or(&self.plus),
        }
    }

    /// Bases with no value in one of the files.
    fn gaps(&self, contig: usize) -> Result<Vec<Interval>> {
        let mut gaps: Vec<Interval> = Vec::new();
        let (length, mut values) = (self.contigs[contig].length_bp, Vec::new());
        for start in (0..length).step_by(LOOK_BP) {
            let bases = Interval::new(start, length.min(start + LOOK_BP));
            values.clear();
            self.plus.values(contig, bases, &mut values)?;
            if let Some(minus) = &self.minus {
                let mut others = Vec::with_capacity(values.len());
                minus.values(contig, bases, &mut others)?;
                values
                    .iter_mut()
                    .zip(others)
                    .for_each(|(value, other)| *value += other);
            }
            for (base, _) in (start..).zip(&values).filter(|(_, value)| value.is_nan()) {
                match gaps.last_mut() {
                    Some(gap) if gap.end == base => gap.end += 1,
                    _ => gaps.push(Interval::new(base, base + 1)),
                }
            }
        }
        Ok(gaps)
    }
}

impl BoundarySource for Signal {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let one = |stretch: &Stretch<'_>| {
            let place = stretch.place.ok_or_else(|| {
                Error::Invalid("a track has no values for letters that stand nowhere".into())
            })?;
            let mut values = Vec::with_capacity(stretch.letters.len());
            self.file(place.strand)
                .values(self.contig(place.contig)?, place.bases, &mut values)?;
            if place.strand == Strand::Minus {
                values.reverse();
            }
            if self.missing == Missing::Zero {
                values
                    .iter_mut()
                    .filter(|value| value.is_nan())
                    .for_each(|value| *value = 0.0);
            }
            Ok(values)
        };
        stretches.iter().map(one).collect()
    }

    fn values(&self) -> Values {
        Values::Signal
    }

    fn missing(&self, contig: &str) -> Result<Vec<Interval>> {
        if self.missing == Missing::Zero {
            return Ok(Vec::new());
        }
        let contig = self.contig(contig)?;
        let mut known = self.known.borrow_mut();
        if let Some(gaps) = known.get(&contig) {
            return Ok(gaps.clone());
        }
        let gaps = self.gaps(contig)?;
        known.insert(contig, gaps.clone());
        Ok(gaps)
    }
}

#[cfg(test)]
mod tests;
