//! Tiles: stretches of a contig that a model reads, laid so that every position asked for has
//! sequence enough on both sides and no base is read much oftener than once.

use crate::error::{Error, Result};
use crate::genome::{Interval, Strand};
use crate::pipelines::{BoundarySource, Stretch, Values};

/// How long tiles are and how much of them is context only.
#[derive(Clone, Copy, Debug)]
pub struct TileShape {
    /// Bases of a tile; a shorter contig is one tile.
    pub context_bp: usize,
    /// Least distance of a position from both ends of the tile that gives its value, unless the
    /// contig ends there.
    pub margin_bp: usize,
}

/// Inter-base positions `[low, high]` of which the values are wanted, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// First position.
    pub low: usize,
    /// Last position.
    pub high: usize,
}

/// One tile of one strand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// The bases it covers.
    pub bases: Interval,
    /// Indices of the windows it answers, ascending.
    pub windows: Vec<usize>,
}

/// Windows and the tiles that answer them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TilePlan {
    /// The windows, in the caller's order.
    pub windows: Vec<Window>,
    /// The tiles, in order of position.
    pub tiles: Vec<Tile>,
}

impl TilePlan {
    /// Bases a model reads for it.
    pub fn bases(&self) -> u64 {
        self.tiles
            .iter()
            .map(|tile| tile.bases.len_bp() as u64)
            .sum()
    }
}

/// Lays tiles over the windows of one strand of a contig of `contig_bp` bases: windows in order
/// join a tile while all of it fits between the margins, then the tile is centred on what it
/// covers. Each window belongs to exactly one tile.
///
/// # Errors
/// [`Error::Invalid`] for a window with its margins longer than the context, or one that reaches an
/// end of the contig (position 0 or `contig_bp`), which no model scores.
pub fn plan(windows: Vec<Window>, contig_bp: usize, shape: &TileShape) -> Result<TilePlan> {
    // Position 0 of a tile is a boundary by definition: at least one base of margin keeps it out of
    // every result.
    let margin = shape.margin_bp.max(1);
    let context = shape.context_bp.min(contig_bp);
    let mut order: Vec<usize> = (0..windows.len()).collect();
    order.sort_by_key(|index| (windows[*index], *index));
    let fits = |low: usize, high: usize| {
        contig_bp <= shape.context_bp || high - low + 2 * margin <= context
    };
    let mut groups: Vec<(Window, Vec<usize>)> = Vec::new();
    for index in order {
        let window = windows[index];
        if window.low > window.high || window.low == 0 || window.high >= contig_bp {
            return Err(Error::Invalid(format!(
                "positions {} to {} are not all inside a contig of {contig_bp} bases",
                window.low, window.high
            )));
        }
        if !fits(window.low, window.high) {
            return Err(Error::Invalid(format!(
                "a context of {} bases is too short for {} positions with a margin of {margin} bases on both sides; use a longer context or a smaller margin",
                shape.context_bp,
                window.high - window.low + 1
            )));
        }
        match groups.last_mut() {
            Some((covered, members)) if fits(covered.low, covered.high.max(window.high)) => {
                covered.high = covered.high.max(window.high);
                members.push(index);
            }
            _ => groups.push((window, vec![index])),
        }
    }
    let tile = |(covered, mut members): (Window, Vec<usize>)| {
        members.sort_unstable();
        let centre = (covered.low + covered.high) / 2;
        let start = centre.saturating_sub(context / 2).min(contig_bp - context);
        Tile {
            bases: Interval::new(start, start + context),
            windows: members,
        }
    };
    let tiles = groups.into_iter().map(tile).collect();
    Ok(TilePlan { windows, tiles })
}

/// One strand of a contig.
#[derive(Clone, Copy, Debug)]
pub struct ContigStrand<'a> {
    /// The contig, as the genome names it.
    pub contig: &'a str,
    /// Its letters, those of plus.
    pub sequence: &'a [u8],
    /// The strand to read.
    pub strand: Strand,
}

/// The values of some tiles of one strand, in its orientation.
///
/// # Errors
/// Those of the source; [`Error::Invalid`] for a tile beyond the sequence, and when the source
/// returns values of another shape.
pub fn ask(
    on: ContigStrand<'_>,
    tiles: &[Tile],
    source: &dyn BoundarySource,
) -> Result<Vec<Vec<f32>>> {
    let stretch = |tile: &Tile| Stretch::of_contig(on.contig, on.sequence, tile.bases, on.strand);
    let stretches: Option<Vec<Stretch<'_>>> = tiles.iter().map(stretch).collect();
    ask_stretches(
        &stretches.ok_or_else(|| Error::Invalid("a tile reaches beyond its contig".into()))?,
        source,
    )
}

/// The values of stretches of one length, each in its orientation.
///
/// # Errors
/// Those of the source; [`Error::Invalid`] when it returns values of another shape.
pub fn ask_stretches(
    stretches: &[Stretch<'_>],
    source: &dyn BoundarySource,
) -> Result<Vec<Vec<f32>>> {
    let values = source.read(stretches)?;
    if !source.is_part()
        && (values.len() != stretches.len()
            || values
                .iter()
                .zip(stretches)
                .any(|(v, s)| v.len() != s.letters.len()))
    {
        return Err(Error::Invalid(
            "the model gave not one boundary probability for each base".into(),
        ));
    }
    Ok(values)
}

/// What is sound among values of a kind, and what they are called.
pub(super) fn sound(values: Values) -> (fn(&f32) -> bool, &'static str) {
    match values {
        Values::Probabilities => (
            |value| (0.0..=1.0).contains(value),
            "a boundary probability",
        ),
        Values::Scores => (|value| value.is_finite(), "a score"),
        Values::Signal => (|value| value.is_finite(), "a value of the signal"),
    }
}

/// Refuses values that are not what the source says they are.
///
/// # Errors
/// [`Error::Invalid`] names the first.
pub fn check_values(values: &[f32], source: &dyn BoundarySource) -> Result<()> {
    let (sound, what) = sound(source.values());
    match values.iter().find(|value| !sound(value)) {
        Some(value) => Err(Error::Invalid(format!("the model gave {value} for {what}"))),
        None => Ok(()),
    }
}

/// Reads tiles of one strand, `batch` at a time, and hands over the values of each window as soon
/// as they are there: (index of the window, values in transcript orientation, `high - low + 1` of
/// them). On minus the tile is reverse-complemented, so that inter-base position `t` becomes
/// `length - t`, and the first value is that of `high`.
///
/// `read` is handed each finished tile with the model's value for each of its bases, in the model's
/// orientation; of a source that answers a part only, tiles without values, and no window is handed
/// over.
///
/// # Errors
/// Those of the model; [`Error::Invalid`] when it returns values of another shape or ones that are
/// no probabilities.
pub fn read_tiles(
    on: ContigStrand<'_>,
    plan: &TilePlan,
    batch: usize,
    source: &dyn BoundarySource,
    read: &mut dyn FnMut(&Tile, &[f32]),
    found: &mut dyn FnMut(usize, &[f32]),
) -> Result<()> {
    let mut values = Vec::new();
    for tiles in plan.tiles.chunks(batch.max(1)) {
        let probabilities = ask(on, tiles, source)?;
        if source.is_part() {
            tiles.iter().for_each(|tile| read(tile, &[]));
            continue;
        }
        for (tile, probabilities) in tiles.iter().zip(&probabilities) {
            for index in &tile.windows {
                let window = plan.windows[*index];
                values.clear();
                match on.strand {
                    Strand::Plus => values.extend_from_slice(
                        &probabilities
                            [window.low - tile.bases.start..=window.high - tile.bases.start],
                    ),
                    Strand::Minus => values.extend_from_slice(
                        &probabilities[tile.bases.end - window.high..=tile.bases.end - window.low],
                    ),
                }
                check_values(&values, source)?;
                found(*index, &values);
            }
            read(tile, probabilities);
        }
    }
    Ok(())
}

/// The values of consecutive inter-base positions as read on a strand, in the order of the genome
/// whichever the strand, and how many bases were read for them. The span may be longer than a tile.
///
/// # Errors
/// As [`plan`] and [`read_tiles`].
pub fn read_span(
    on: ContigStrand<'_>,
    span: Window,
    shape: &TileShape,
    batch: usize,
    source: &dyn BoundarySource,
) -> Result<(Vec<f32>, u64)> {
    let step = if on.sequence.len() <= shape.context_bp {
        span.high.saturating_sub(span.low) + 1
    } else {
        (shape.context_bp + 1)
            .saturating_sub(2 * shape.margin_bp.max(1))
            .max(1)
    };
    let windows = (span.low..=span.high)
        .step_by(step)
        .map(|low| Window {
            low,
            high: (low + step - 1).min(span.high),
        })
        .collect();
    let plan = plan(windows, on.sequence.len(), shape)?;
    let mut all = vec![0.0; (span.high + 1).saturating_sub(span.low)];
    read_tiles(
        on,
        &plan,
        batch,
        source,
        &mut |_, _| (),
        &mut |index, values| {
            let window = plan.windows[index];
            let place = &mut all[window.low - span.low..=window.high - span.low];
            place.copy_from_slice(values);
            if on.strand == Strand::Minus {
                place.reverse();
            }
        },
    )?;
    Ok((all, plan.bases()))
}

#[cfg(test)]
mod tests;
