//! One place of a sequence, track under track: boundary probability, boundaries that are kept,
//! tokens, letters, gene models, motif hits.

mod tracks;

use super::Figure;
use super::axis::{Frame, Scale};
use super::canvas::{Canvas, Surface};
use super::lettering::{Align, Type};
use super::theme::{self, BLACK, GREY, LABEL_SIZE, NOTE_SIZE, TICK_SIZE, TITLE_SIZE};
use super::ticks;
use crate::error::Result;
use tracks::Packed;

const LEFT: f64 = 58.0;
const RIGHT: f64 = 12.0;
const TITLE: f64 = 17.0;
/// Room for the anchor's name.
const ANCHOR: f64 = 8.0;
const CURVE: f64 = 54.0;
/// Room over each curve for the name of its series.
const NAME: f64 = 11.0;
/// Ticks of boundaries, with room over them for the axis above.
const KEPT: f64 = 11.0;
const TOKENS: f64 = 9.0;
const LETTERS: f64 = 11.0;
const GENE: f64 = 13.0;
const HIT: f64 = 9.5;
const AXIS: f64 = 33.0;
const OFFSETS: f64 = 10.0;
const GAP: f64 = 8.0;

/// Letters are written where a base is at least this wide, in points.
const LEAST_LETTER: f64 = 4.0;
/// Genes drawn at most, by start.
pub const MOST_GENES: usize = 8;
/// Hits drawn at most, those with the least p-values.
pub const MOST_HITS: usize = 40;

/// A window of a sequence, page-wide. Positions are inter-base: `t` lies before base `t`; base `i`
/// spans `t = i` to `i + 1`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LocusFigure {
    /// Title over the first panel.
    pub title: String,
    /// First base of the window.
    pub start: usize,
    /// Its letters on the plus strand, one a base.
    pub letters: Vec<u8>,
    /// Draw positions falling from left to right and letters complemented: the minus strand, read
    /// 5' to 3'.
    pub reversed: bool,
    /// What is known of every position.
    pub series: Vec<LocusSeries>,
    /// Gene models, by start.
    pub genes: Vec<LocusGene>,
    /// Marked stretches: motif hits.
    pub hits: Vec<LocusHit>,
    /// A position to count offsets from, and its name.
    pub anchor: Option<(usize, String)>,
    /// A part of the window, `[start, end)`, to be drawn again in a second panel, so wide that
    /// letters can be read.
    pub zoom: Option<(usize, usize)>,
    /// The sequence's name, for the axis.
    pub sequence: String,
}

/// Values at consecutive positions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LocusSeries {
    /// Its name.
    pub label: String,
    /// Position of the first value.
    pub first: usize,
    /// The values; those that are not finite leave gaps.
    pub values: Vec<f64>,
    /// Above this a position is a boundary: boundaries and the tokens between them are drawn.
    /// `None` for values that are no probabilities.
    pub threshold: Option<f64>,
}

/// A gene model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LocusGene {
    /// Its name.
    pub label: String,
    /// Whether it is read from the plus strand.
    pub plus: bool,
    /// First base and one past the last; may lie outside of the window.
    pub whole: (usize, usize),
    /// Exons, half-open.
    pub exons: Vec<(usize, usize)>,
    /// Coding parts, half-open.
    pub cds: Vec<(usize, usize)>,
}

/// A marked stretch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LocusHit {
    /// Its name.
    pub label: String,
    /// Whether it is read from the plus strand.
    pub plus: bool,
    /// First base and one past the last.
    pub whole: (usize, usize),
    /// Its p-value: the least are drawn where there are too many.
    pub p_value: f64,
}

/// One panel: a stretch of positions and where everything of it lies.
struct Panel<'a> {
    figure: &'a LocusFigure,
    from: usize,
    to: usize,
    x: Scale,
    genes: Vec<&'a LocusGene>,
    hits: Packed<'a>,
}

impl LocusFigure {
    fn end(&self) -> usize {
        self.start + self.letters.len()
    }

    /// How many bases a panel may have for its letters to be written.
    pub fn legible_bp() -> usize {
        ((theme::DOUBLE_WIDTH - LEFT - RIGHT) / LEAST_LETTER) as usize
    }

    fn panels(&self) -> Vec<Panel<'_>> {
        let zoom = self
            .zoom
            .map(|(a, b)| (a.max(self.start), b.min(self.end())))
            .filter(|(a, b)| a < b);
        std::iter::once((self.start, self.end()))
            .chain(zoom)
            .map(|(from, to)| self.panel(from, to))
            .collect()
    }

    fn panel(&self, from: usize, to: usize) -> Panel<'_> {
        let (left, right) = (LEFT, theme::DOUBLE_WIDTH - RIGHT);
        let page = if self.reversed {
            (right, left)
        } else {
            (left, right)
        };
        let x = Scale::new((from as f64, to as f64), page);
        let overlaps = |whole: (usize, usize)| whole.0 < to && from < whole.1;
        let genes = self
            .genes
            .iter()
            .filter(|gene| overlaps(gene.whole))
            .take(MOST_GENES)
            .collect();
        let mut hits: Vec<&LocusHit> = self.hits.iter().filter(|hit| overlaps(hit.whole)).collect();
        hits.sort_by(|a, b| a.p_value.total_cmp(&b.p_value).then(a.whole.cmp(&b.whole)));
        hits.truncate(MOST_HITS);
        Panel {
            figure: self,
            from,
            to,
            genes,
            hits: Packed::new(hits, &x, (left, right)),
            x,
        }
    }

    /// What the capped tracks leave out, in words; empty where they show everything.
    fn left_out(&self) -> String {
        let more = |all: usize, most: usize, what: &str| match all.saturating_sub(most) {
            0 => None,
            n => Some(format!("{n} more {what}")),
        };
        let parts = [
            more(self.genes.len(), MOST_GENES, "genes"),
            more(self.hits.len(), MOST_HITS, "hits with larger p-values"),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl Panel<'_> {
    fn pitch(&self) -> f64 {
        (self.x.at(1.0) - self.x.at(0.0)).abs()
    }

    fn has_letters(&self) -> bool {
        self.pitch() >= LEAST_LETTER
    }

    fn head(&self) -> f64 {
        TITLE
            + if self.figure.anchor.is_some() {
                ANCHOR
            } else {
                0.0
            }
    }

    fn height(&self) -> f64 {
        let series = |s: &LocusSeries| {
            NAME + CURVE
                + if s.threshold.is_some() {
                    KEPT + TOKENS
                } else {
                    0.0
                }
                + GAP * 0.5
        };
        self.head()
            + self.figure.series.iter().map(series).sum::<f64>()
            + if self.has_letters() { LETTERS } else { 0.0 }
            + self.genes.len() as f64 * GENE
            + self.hits.rows() as f64 * HIT
            + GAP
            + AXIS
            + if self.figure.anchor.is_some() {
                OFFSETS
            } else {
                0.0
            }
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>, top: f64, title: &str) -> Result<()> {
        let (left, right) = (LEFT, theme::DOUBLE_WIDTH - RIGHT);
        let text = theme::fit(title, right - 4.0, TITLE_SIZE, true);
        canvas.text(
            &text,
            (4.0, top + TITLE_SIZE + 1.0),
            Type::new(TITLE_SIZE, BLACK).bold(),
        )?;
        let (body, mut y) = (top + self.head(), top + self.head());
        let bottom = top + self.height()
            - AXIS
            - if self.figure.anchor.is_some() {
                OFFSETS
            } else {
                0.0
            };
        if let Some((a, b)) = self
            .figure
            .zoom
            .filter(|zoom| (self.from, self.to) != *zoom)
        {
            canvas.rect(
                (self.x.at(a as f64), body),
                (self.x.at(b as f64), bottom),
                theme::SHADE,
            )?;
        }
        for series in &self.figure.series {
            let label = theme::fit(&series.label, right - left, NOTE_SIZE, false);
            canvas.text(
                &label,
                (left + 2.0, y + NOTE_SIZE),
                Type::new(NOTE_SIZE, GREY),
            )?;
            y += NAME;
            self.curve(
                canvas,
                series,
                Frame {
                    left,
                    right,
                    top: y,
                    bottom: y + CURVE,
                },
            )?;
            y += CURVE;
            if series.threshold.is_some() {
                self.tokens(canvas, series, y)?;
                y += KEPT + TOKENS;
            }
            y += GAP * 0.5;
        }
        if self.has_letters() {
            self.letters(canvas, y)?;
            y += LETTERS;
        }
        for gene in &self.genes {
            self.gene(canvas, gene, y)?;
            y += GENE;
        }
        let line = self
            .figure
            .anchor
            .as_ref()
            .map(|(position, name)| (self.x.at(*position as f64), name));
        if let Some((at, name)) = line.filter(|(at, _)| (left - 0.01..=right + 0.01).contains(at)) {
            canvas.dashes((at, body), (at, y), (3.0, 2.0), 0.8, theme::VERMILLION)?;
            let half = theme::text_width(name, NOTE_SIZE, false) / 2.0;
            let middle = at.clamp(left + half, (right - half).max(left + half));
            let style = Type::new(NOTE_SIZE, theme::VERMILLION).align(Align::Middle);
            canvas.text(name, (middle, body - 2.0), style)?;
        }
        self.hits.draw(canvas, self, y)?;
        self.axis(canvas, bottom)
    }

    fn axis<S: Surface>(&self, canvas: &mut Canvas<'_, S>, bottom: f64) -> Result<()> {
        let (left, right) = (LEFT, theme::DOUBLE_WIDTH - RIGHT);
        let frame = Frame {
            left,
            right,
            top: bottom,
            bottom,
        };
        // Bases are numbered from 1 and the number stands in the middle of the base.
        let (numbers, _) = ticks::nice_ticks(((self.from + 1) as f64, self.to as f64), 7);
        let marks: Vec<_> = numbers
            .into_iter()
            .filter(|n| n.fract() == 0.0)
            .map(|n| (n - 0.5, grouped(n as usize)))
            .collect();
        frame.x_axis(canvas, &self.x, &marks, 0.0)?;
        let mut y = bottom + theme::TICK_LENGTH + TICK_SIZE;
        for (end, at, align) in [
            ("5′", left - 4.0, Align::End),
            ("3′", right + 3.0, Align::Start),
        ] {
            canvas.text(
                end,
                (at, bottom + 2.5),
                Type::new(TICK_SIZE, BLACK).bold().align(align),
            )?;
        }
        if let Some((anchor, _)) = &self.figure.anchor {
            y += OFFSETS;
            let sign = if self.figure.reversed { -1 } else { 1 };
            let offset = |position: usize| sign * (position as i64 - *anchor as i64);
            let ends = (offset(self.from) as i32, offset(self.to) as i32);
            for mark in ticks::offset_ticks((ends.0.min(ends.1), ends.0.max(ends.1)), 9) {
                let at = self.x.at((*anchor as i64 + sign * i64::from(mark)) as f64);
                let style = Type::new(NOTE_SIZE, theme::VERMILLION).align(Align::Middle);
                canvas.text(&super::profile_panel::signed(mark), (at, y), style)?;
            }
            canvas.text(
                "offset",
                (left - 16.0, y),
                Type::new(NOTE_SIZE, theme::VERMILLION).align(Align::End),
            )?;
        }
        let strand = if self.figure.reversed {
            "minus strand, coordinates fall from left to right"
        } else {
            "plus strand"
        };
        let name = format!("{} ({strand}; bases counted from 1)", self.figure.sequence);
        let name = theme::fit(&name, right - left, LABEL_SIZE, false);
        canvas.text(
            &name,
            ((left + right) / 2.0, y + LABEL_SIZE + 4.0),
            Type::new(LABEL_SIZE, BLACK).align(Align::Middle),
        )
    }
}

/// Thousands separators.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = (0..digits.len().div_ceil(3))
        .rev()
        .map(|i| &digits[digits.len().saturating_sub(3 * i + 3)..digits.len() - 3 * i])
        .collect();
    groups.join(",")
}

impl Figure for LocusFigure {
    fn size_pt(&self) -> (f64, f64) {
        let tall: f64 = self.panels().iter().map(Panel::height).sum();
        (
            theme::DOUBLE_WIDTH,
            tall + if self.left_out().is_empty() {
                4.0
            } else {
                12.0
            },
        )
    }

    fn description(&self) -> String {
        let mut text = format!(
            "{}. {} bases of {}.",
            self.title,
            self.letters.len(),
            self.sequence
        );
        for series in &self.series {
            let above = series
                .threshold
                .map(|t| series.values.iter().filter(|v| **v > t).count());
            text += &match above {
                Some(n) => format!(
                    " {}: {n} boundaries among {} positions.",
                    series.label,
                    series.values.len()
                ),
                None => format!(" {}: {} values.", series.label, series.values.len()),
            };
        }
        text + &format!(
            " {} genes, {} motif hits.",
            self.genes.len(),
            self.hits.len()
        )
    }

    fn draw<S: Surface>(&self, canvas: &mut Canvas<'_, S>) -> Result<()> {
        if self.letters.is_empty() {
            return Frame {
                left: 0.0,
                right: theme::DOUBLE_WIDTH,
                top: 0.0,
                bottom: CURVE,
            }
            .say(canvas, "no data");
        }
        let mut top = 0.0;
        for (index, panel) in self.panels().iter().enumerate() {
            let title = if index == 0 {
                self.title.clone()
            } else {
                format!("The shaded {} bases", panel.to - panel.from)
            };
            panel.draw(canvas, top, &title)?;
            top += panel.height();
        }
        let left_out = self.left_out();
        if !left_out.is_empty() {
            canvas.text(
                &format!("Not drawn: {left_out} (in the tables)."),
                (LEFT, top + NOTE_SIZE),
                Type::new(NOTE_SIZE, GREY),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
