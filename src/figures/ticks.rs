//! Ticks: round numbers on an axis, and how they are written.

use super::theme;

/// The range itself if it can carry an axis, else one around its value; 0 to 1 for what is no
/// range.
pub(super) fn widened((low, high): (f64, f64)) -> (f64, f64) {
    if !(low.is_finite() && high.is_finite()) {
        return (0.0, 1.0);
    }
    let (low, high) = (low.clamp(-1e300, 1e300), high.clamp(-1e300, 1e300));
    // Below this, neighbouring ticks would not be distinct numbers.
    let least = low.abs().max(high.abs()) * 1e-12;
    if high - low > least && high > low {
        (low, high)
    } else {
        let pad = if low == 0.0 { 1.0 } else { low.abs() * 0.05 };
        (low - pad, high + pad)
    }
}

/// Smallest and largest finite value, or `None` where there is none.
pub fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|v| v.is_finite())
        .fold(None, |range, v| match range {
            None => Some((v, v)),
            Some((low, high)) => Some((low.min(v), high.max(v))),
        })
}

/// A step of 1, 2 or 5 times a power of ten that cuts `span` into at most about `count` parts.
fn nice_step(span: f64, count: usize) -> f64 {
    let rough = span / count.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let part = rough / power;
    power
        * [1.0, 2.0, 5.0]
            .into_iter()
            .find(|s| part <= s * 1.0001)
            .unwrap_or(10.0)
}

/// Round numbers inside `range`, at most about `count` of them, with their spacing. Zero is among
/// them if it is in the range.
pub fn nice_ticks(range: (f64, f64), count: usize) -> (Vec<f64>, f64) {
    let (low, high) = widened(range);
    let step = nice_step(high - low, count);
    if !(step.is_finite() && step > 0.0) {
        return (vec![], 1.0);
    }
    let first = (low / step - 1e-6).ceil();
    let steps = ((high / step + 1e-6).floor() - first).clamp(0.0, 100.0) as usize;
    (
        (0..=steps)
            .map(|i| (first + i as f64) * step + 0.0)
            .collect(),
        step,
    )
}

/// A range widened to round numbers, with the ticks that make it so.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticks {
    /// The widened range; both ends are ticks.
    pub range: (f64, f64),
    /// Where the ticks are.
    pub at: Vec<f64>,
    /// The spacing of the ticks.
    pub step: f64,
}

impl Ticks {
    /// Round numbers that enclose `range` in at most about `count` steps.
    pub fn around(range: (f64, f64), count: usize) -> Ticks {
        let (low, high) = widened(range);
        let step = nice_step(high - low, count);
        let (first, last) = ((low / step + 1e-6).floor(), (high / step - 1e-6).ceil());
        if !(step.is_finite() && step > 0.0 && last > first) {
            return Ticks {
                range: (low, high),
                at: vec![],
                step: 1.0,
            };
        }
        let steps = (last - first).clamp(1.0, 100.0) as usize;
        let at = (0..=steps)
            .map(|i| (first + i as f64) * step + 0.0)
            .collect();
        Ticks {
            range: (first * step, last * step),
            at,
            step,
        }
    }

    /// How far left of a vertical axis its title stands, clear of the labels.
    pub fn name_offset(&self) -> f64 {
        let widest = (self.labelled().iter())
            .map(|(_, label)| theme::text_width(label, theme::TICK_SIZE, false))
            .fold(0.0, f64::max);
        (widest + theme::TICK_LENGTH + 4.4).clamp(25.0, 30.0)
    }

    /// The ticks with their labels.
    pub fn labelled(&self) -> Vec<(f64, String)> {
        self.at
            .iter()
            .map(|&t| (t, tick_label(t, self.step)))
            .collect()
    }
}

/// Whole numbers inside `range` for an axis of offsets, at most `count`, zero among them if it is
/// inside, and both ends if a round step reaches them.
pub fn offset_ticks((low, high): (i32, i32), count: usize) -> Vec<i32> {
    let (low, high) = (i64::from(low.min(high)), i64::from(low.max(high)));
    let steps = (0..10).flat_map(|p| [1, 2, 4, 5].map(|m: i64| m * 10_i64.pow(p)));
    let few = |s: &i64| (high.div_euclid(*s) + (-low).div_euclid(*s) + 1) <= count.max(2) as i64;
    let fits: Vec<i64> = steps.filter(few).take(6).collect();
    let ends = fits
        .iter()
        .find(|&&s| low % s == 0 && high % s == 0 && (high - low) / s >= 3);
    // Fours look odd unless they reach the ends.
    let is_four = |s: i64| (0..10).any(|p| s == 4 * 10_i64.pow(p));
    let Some(&step) = ends.or(fits.iter().find(|&&s| !is_four(s))) else {
        return vec![0];
    };
    let first = -((-low).div_euclid(step));
    (first..=high.div_euclid(step))
        .map(|i| (i * step) as i32)
        .collect()
}

/// A tick's number: as many decimals as its step needs, and a true minus sign. Large steps are
/// shortened with k, M or G.
pub fn tick_label(value: f64, step: f64) -> String {
    let (divisor, suffix) = match step.abs() {
        s if s >= 1e14 || value.abs() >= 1e15 => return format!("{value:.1e}").replace('-', "−"),
        s if s >= 2e8 => (1e9, " G"),
        s if s >= 2e5 => (1e6, " M"),
        s if s >= 2e3 => (1e3, " k"),
        _ => (1.0, ""),
    };
    let step = (step / divisor).abs();
    // More than four decimals take more room than a margin has.
    let decimals = (0..=4).find(|&d| {
        let scaled = step * 10_f64.powi(d);
        (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1e-9)
    });
    let Some(decimals) = decimals else {
        // As many digits as tell a tick from its neighbour.
        let power = |v: f64| v.abs().log10().floor();
        let digits = (power(value) - power(step)).clamp(0.0, 4.0);
        return match value.abs() < step / 2.0 {
            true => "0".into(),
            false => format!("{value:.*e}", digits as usize).replace('-', "−"),
        };
    };
    let text = format!("{:.*}", decimals as usize, value / divisor);
    let zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
    match text.strip_prefix('-') {
        Some(digits) if zero => digits.to_owned(),
        Some(digits) => format!("−{digits}{suffix}"),
        None if zero => text,
        None => text + suffix,
    }
}

/// A number of three significant digits, as short as it can be.
pub fn short(value: f64) -> String {
    let places = (2.0 - value.abs().max(1e-12).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0')
            .trim_end_matches('.')
            .replace('-', "−")
    } else {
        text.replace('-', "−")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_inside_and_hold_zero() {
        assert_eq!(
            nice_ticks((-0.13, 0.42), 6).0,
            [-0.1, 0.0, 0.1, 0.2, 0.30000000000000004, 0.4]
        );
        let around = Ticks::around((0.18, 0.63), 5);
        assert_eq!(
            (around.at.len(), around.labelled()[0].1.as_str()),
            (7, "0.1")
        );
        assert!(around.range.0 <= 0.18 && around.range.1 >= 0.63);
        for range in [
            (0.0, 0.0),
            (1e9, 1e9 + 1.0),
            (f64::NAN, f64::NAN),
            (-1e-300, 1e-300),
            (-1e300, 1e300),
        ] {
            let (ticks, _) = nice_ticks(range, 6);
            assert!(
                ticks.len() <= 101 && ticks.iter().all(|t| t.is_finite()),
                "{range:?}"
            );
            let around = Ticks::around(range, 5);
            assert!(
                around.range.0 < around.range.1 && around.at.len() <= 101,
                "{range:?}"
            );
        }
    }

    #[test]
    fn offset_ticks_hold_zero_and_reach_the_ends() {
        assert_eq!(
            offset_ticks((-120, 120), 7),
            [-120, -80, -40, 0, 40, 80, 120]
        );
        assert_eq!(offset_ticks((-10, 10), 7), [-10, -5, 0, 5, 10]);
        assert_eq!(
            offset_ticks((-40, 40), 9),
            [-40, -30, -20, -10, 0, 10, 20, 30, 40]
        );
        assert_eq!(offset_ticks((-250, 250), 9), [-200, -100, 0, 100, 200]);
        assert_eq!(offset_ticks((0, 0), 7), [0]);
        assert!(offset_ticks((-37, 61), 7).contains(&0));
        assert!(offset_ticks((i32::MIN, i32::MAX), 7).len() <= 7);
    }

    #[test]
    fn tick_labels() {
        assert_eq!(tick_label(-0.1, 0.05), "−0.10");
        assert_eq!(tick_label(-0.0, 0.1), "0.0");
        assert_eq!(tick_label(2e7, 1e7), "20 M");
        assert_eq!(tick_label(0.0, 1e7), "0");
        assert_eq!(tick_label(1500.0, 500.0), "1500");
        assert_eq!(tick_label(0.0005, 0.0005), "0.0005");
        assert_eq!(tick_label(-2e-6, 1e-6), "−2e−6");
        assert_eq!(tick_label(1.5e-5, 5e-6), "1.5e−5");
        assert_eq!(tick_label(0.0, 1e-6), "0");
        assert!(!tick_label(f64::NAN, f64::NAN).is_empty());
    }
}
