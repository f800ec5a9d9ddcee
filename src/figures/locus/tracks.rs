//! The tracks of a panel.

use super::{HIT, KEPT, LEFT, LocusGene, LocusHit, LocusSeries, Panel, RIGHT, TOKENS};
use crate::error::Result;
use crate::figures::axis::{Frame, Scale};
use crate::figures::canvas::{Canvas, Surface};
use crate::figures::hover;
use crate::figures::lettering::{Align, Type};
use crate::figures::logo;
use crate::figures::theme::{self, BLACK, BLUE, GREY, Ink, Marker, NOTE_SIZE, TICK_SIZE};
use crate::figures::ticks::{self, Ticks};

/// Where positions are at least this far apart each gets its own stem, in points.
const STEMS: f64 = 2.2;
/// Between the names of neighbouring hits.
const HIT_GAP: f64 = 4.0;
const TOKEN_INKS: [Ink; 2] = [theme::ink(86, 180, 233), theme::ink(0, 90, 141)];
const SAME: Ink = theme::ink(0, 158, 115);
const OPPOSITE: Ink = theme::ink(204, 121, 167);

fn track_name<S: Surface>(canvas: &mut Canvas<'_, S>, name: &str, y: f64) -> Result<()> {
    let name = theme::fit(name, LEFT - 8.0, NOTE_SIZE, false);
    canvas.text(
        &name,
        (LEFT - 5.0, y),
        Type::new(NOTE_SIZE, BLACK).align(Align::End),
    )
}

impl Panel<'_> {
    fn page(&self) -> (f64, f64) {
        (LEFT, theme::DOUBLE_WIDTH - RIGHT)
    }

    /// The two ends of a stretch on the page, left to right, cut to the panel.
    fn ends(&self, (start, end): (usize, usize)) -> (f64, f64) {
        let at = |position: usize| self.x.at(position.clamp(self.from, self.to) as f64);
        (at(start).min(at(end)), at(start).max(at(end)))
    }

    /// Positions of the panel and their values.
    fn values<'s>(&self, series: &'s LocusSeries) -> impl Iterator<Item = (usize, f64)> + 's {
        let (from, to) = (self.from, self.to);
        (series.first..)
            .zip(series.values.iter().copied())
            .filter(move |(t, _)| (from..=to).contains(t))
    }

    pub(super) fn curve<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        series: &LocusSeries,
        frame: Frame,
    ) -> Result<()> {
        // A probability has its own scale; anything else that of its values, zero among them.
        let range = match series.threshold {
            Some(_) => (0.0, 1.0),
            None => ticks::extent(series.values.iter().copied().chain([0.0])).unwrap_or((0.0, 1.0)),
        };
        let marks = Ticks::around(range, 2);
        let y = Scale::new(marks.range, (frame.bottom, frame.top));
        frame.y_axis(canvas, &y, &marks, false)?;
        if let Some(threshold) = series.threshold {
            canvas.dashes(
                (frame.left, y.at(threshold)),
                (frame.right, y.at(threshold)),
                (2.5, 2.0),
                0.6,
                GREY,
            )?;
        }
        let name = if series.threshold.is_some() {
            "Probability"
        } else {
            "Value"
        };
        frame.names(canvas, ("", 0.0), (name, marks.name_offset()))?;
        let shown: Vec<(usize, f64)> = self.values(series).collect();
        if self.pitch() >= STEMS {
            let mut told = Vec::new();
            for (t, value) in shown.iter().filter(|(_, value)| value.is_finite()) {
                let (x, kept) = (
                    self.x.at(*t as f64),
                    series.threshold.is_none_or(|threshold| *value > threshold),
                );
                let ink = if kept { BLUE } else { theme::pale(BLUE) };
                canvas.line(&[(x, y.at(0.0)), (x, y.at(*value))], 0.9, ink)?;
                canvas.marker(Marker::Circle, (x, y.at(*value)), 1.4, ink)?;
                told.push((
                    x,
                    y.at(*value),
                    format!(
                        "before base {}: {value:.3}, {}",
                        super::grouped(t + 1),
                        series.label
                    ),
                ));
            }
            canvas.hovers.push(hover::points(&frame, &told));
            return Ok(());
        }
        let width = if self.pitch() > 0.5 { 0.8 } else { 0.45 };
        for run in shown.chunk_by(|a, b| a.1.is_finite() && b.1.is_finite()) {
            let line: Vec<(f64, f64)> = run
                .iter()
                .map(|(t, value)| (self.x.at(*t as f64), y.at(*value)))
                .collect();
            canvas.line(&line, width, BLUE)?;
        }
        Ok(())
    }

    /// Ticks where boundaries are kept, and the tokens between them, shaded in turn.
    pub(super) fn tokens<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        series: &LocusSeries,
        top: f64,
    ) -> Result<()> {
        let threshold = series.threshold.unwrap_or(f64::INFINITY);
        let kept: Vec<usize> = (series.first..)
            .zip(&series.values)
            .filter(|(_, v)| **v > threshold)
            .map(|(t, _)| t)
            .collect();
        track_name(canvas, "boundaries", top + 8.8)?;
        track_name(canvas, "tokens", top + KEPT + 6.3)?;
        let width = (self.pitch() * 0.6).clamp(0.25, 0.9);
        for t in kept.iter().filter(|t| (self.from..=self.to).contains(t)) {
            let x = self.x.at(*t as f64);
            canvas.line(&[(x, top + 4.0), (x, top + KEPT - 1.0)], width, BLACK)?;
        }
        // Numbered over the whole window, so that a token has one shade in both panels.
        let mut edges = vec![self.figure.start];
        edges.extend(
            kept.iter()
                .copied()
                .filter(|t| *t > self.figure.start && *t < self.figure.end()),
        );
        edges.push(self.figure.end());
        for (number, pair) in edges.windows(2).enumerate() {
            if pair[0] < self.to && self.from < pair[1] {
                let (a, b) = self.ends((pair[0], pair[1]));
                let gap = if self.pitch() >= STEMS { 0.3 } else { 0.0 };
                canvas.rect(
                    (a + gap, top + KEPT),
                    (b - gap, top + KEPT + TOKENS - 2.0),
                    TOKEN_INKS[number % 2],
                )?;
            }
        }
        Ok(())
    }

    pub(super) fn letters<S: Surface>(&self, canvas: &mut Canvas<'_, S>, top: f64) -> Result<()> {
        track_name(canvas, "sequence", top + 7.6)?;
        for base in self.from..self.to {
            let letter = self.figure.letters[base - self.figure.start].to_ascii_uppercase();
            let letter = if self.figure.reversed {
                complement(letter)
            } else {
                letter
            };
            let (name, ink) = logo::letter(letter).unwrap_or((char::from(letter), GREY));
            let at = (self.x.at(base as f64 + 0.5), top + 8.0);
            canvas.text(
                &name.to_string(),
                at,
                Type::new((self.pitch() * 1.5).min(TICK_SIZE + 0.5), ink)
                    .bold()
                    .align(Align::Middle),
            )?;
        }
        Ok(())
    }

    pub(super) fn gene<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        gene: &LocusGene,
        top: f64,
    ) -> Result<()> {
        let middle = top + 6.0;
        track_name(canvas, &gene.label, middle + 2.3)?;
        let (a, b) = self.ends(gene.whole);
        canvas.line(&[(a, middle), (b, middle)], 0.7, BLACK)?;
        let ahead = if gene.plus == self.figure.reversed {
            -1.0
        } else {
            1.0
        };
        let mut at = a + 9.0;
        while at < b - 4.0 {
            canvas.line(
                &[
                    (at - 1.8 * ahead, middle - 2.0),
                    (at, middle),
                    (at - 1.8 * ahead, middle + 2.0),
                ],
                0.6,
                BLACK,
            )?;
            at += 18.0;
        }
        for (parts, half) in [(&gene.exons, 2.4), (&gene.cds, 4.6)] {
            for part in parts
                .iter()
                .filter(|part| part.0 < self.to && self.from < part.1)
            {
                let (a, b) = self.ends(*part);
                canvas.rect((a, middle - half), (b, middle + half), BLACK)?;
            }
        }
        // White arrows on wide boxes: they hide those of the line.
        let within = |at: f64| {
            gene.exons
                .iter()
                .map(|part| self.ends(*part))
                .any(|(a, b)| at > a + 3.0 && at < b - 3.0)
        };
        let mut at = a + 9.0;
        while at < b - 4.0 {
            if within(at) {
                let arrow = [
                    (at - 1.4 * ahead, middle - 1.6),
                    (at, middle),
                    (at - 1.4 * ahead, middle + 1.6),
                ];
                canvas.line(&arrow, 0.6, theme::WHITE)?;
            }
            at += 18.0;
        }
        Ok(())
    }
}

/// The complement of a letter; figures know no genomics, but the other strand's letters have to be
/// written.
fn complement(letter: u8) -> u8 {
    match letter {
        b'A' => b'T',
        b'C' => b'G',
        b'G' => b'C',
        b'T' => b'A',
        other => other,
    }
}

/// Hits in rows in which none runs into another's name.
pub(super) struct Packed<'a> {
    rows: Vec<Vec<&'a LocusHit>>,
}

impl<'a> Packed<'a> {
    /// Packs hits, from the left of the page, each into the first row with room for it and its
    /// name.
    pub fn new(mut hits: Vec<&'a LocusHit>, x: &Scale, page: (f64, f64)) -> Packed<'a> {
        let left = |hit: &LocusHit| x.at(hit.whole.0 as f64).min(x.at(hit.whole.1 as f64));
        hits.sort_by(|a, b| left(a).total_cmp(&left(b)).then(a.label.cmp(&b.label)));
        let (mut rows, mut ends): (Vec<Vec<&LocusHit>>, Vec<f64>) = (Vec::new(), Vec::new());
        for hit in hits {
            let (from, to) = extent(hit, x, page);
            let row = ends
                .iter()
                .position(|end| *end + HIT_GAP <= from)
                .unwrap_or_else(|| {
                    rows.push(Vec::new());
                    ends.push(f64::NEG_INFINITY);
                    rows.len() - 1
                });
            rows[row].push(hit);
            ends[row] = to;
        }
        Packed { rows }
    }

    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    pub fn draw<S: Surface>(
        &self,
        canvas: &mut Canvas<'_, S>,
        panel: &Panel<'_>,
        top: f64,
    ) -> Result<()> {
        if !self.rows.is_empty() {
            track_name(canvas, "motifs", top + 6.3)?;
        }
        for (row, hits) in self.rows.iter().enumerate() {
            let y = top + row as f64 * HIT;
            for hit in hits {
                hit_box(canvas, hit, panel, y)?;
            }
        }
        Ok(())
    }
}

/// Left and right of a hit with its name, which stands right of it, or left where the page ends.
fn extent(hit: &LocusHit, x: &Scale, (left, right): (f64, f64)) -> (f64, f64) {
    let at = |position: usize| x.at(position as f64).clamp(left, right);
    let (a, b) = (
        at(hit.whole.0).min(at(hit.whole.1)),
        at(hit.whole.0).max(at(hit.whole.1)),
    );
    let name = theme::text_width(&hit.label, NOTE_SIZE, false) + 2.0;
    if b + name <= right {
        (a, b + name)
    } else {
        (a - name, b)
    }
}

/// A box with a point at the motif's 3' end.
fn hit_box<S: Surface>(
    canvas: &mut Canvas<'_, S>,
    hit: &LocusHit,
    panel: &Panel<'_>,
    top: f64,
) -> Result<()> {
    let (a, b) = panel.ends(hit.whole);
    let ahead = hit.plus != panel.figure.reversed;
    let ink = if ahead { SAME } else { OPPOSITE };
    let (up, down, middle) = (top + 1.2, top + HIT - 2.0, top + (HIT - 0.8) / 2.0);
    let tip = ((b - a) * 0.4).min(3.0);
    let points = match ahead {
        true => [
            (a, up),
            (b - tip, up),
            (b, middle),
            (b - tip, down),
            (a, down),
        ],
        false => [
            (b, up),
            (a + tip, up),
            (a, middle),
            (a + tip, down),
            (b, down),
        ],
    };
    canvas.polygon(&points, ink)?;
    let (from, _) = extent(hit, &panel.x, panel.page());
    let (at, align) = if from < a - 0.01 {
        (a - 1.5, Align::End)
    } else {
        (b + 1.5, Align::Start)
    };
    canvas.text(
        &hit.label,
        (at, top + 6.4),
        Type::new(NOTE_SIZE, BLACK).align(align),
    )
}
