//! Numbers as text: enough digits and no more, a true minus sign, thousands separators, and
//! p-values that are never zero. Spaces inside a number do not break across lines.

/// Shown where a value is missing or not defined.
pub const MISSING: &str = "–";

/// A whole number with thousands separators: `12,345`.
pub fn integer(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(&digits))
}

/// A word with a capital.
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// A count with thousands separators.
pub fn count(value: usize) -> String {
    grouped(&value.to_string())
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// A fixed number of decimals, with thousands separators and a true minus sign; a rounded zero
/// carries no sign.
pub fn decimals(value: f64, places: usize) -> String {
    if let Some(text) = not_finite(value) {
        return text;
    }
    let text = format!("{:.*}", places.min(17), value.abs());
    let negative = value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    let (whole, rest) = text
        .find('.')
        .map_or((text.as_str(), ""), |dot| text.split_at(dot));
    format!(
        "{}{}{rest}",
        if negative { "−" } else { "" },
        grouped(whole)
    )
}

/// `digits` significant digits. From a thousand on all whole digits are kept; below 0.0001 and from
/// 10^15 on the number is written as a power of ten.
pub fn significant(value: f64, digits: usize) -> String {
    if let Some(text) = not_finite(value) {
        return text;
    }
    let digits = digits.clamp(1, 15);
    if value == 0.0 {
        return "0".into();
    }
    // Rounding first: 0.9996 has its leading digit at 1, not at 0.1.
    let scientific = format!("{:.*e}", digits - 1, value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&exponent) {
        return decimals(value, (digits as i32 - 1 - exponent).max(0) as usize);
    }
    format!(
        "{}{mantissa}\u{A0}×\u{A0}10{}",
        if value < 0.0 { "−" } else { "" },
        superscript(exponent)
    )
}

/// The usual three significant digits.
pub fn number(value: f64) -> String {
    significant(value, 3)
}

/// A share as a percentage: `percent(0.123, 1)` is `12.3%`.
pub fn percent(share: f64, places: usize) -> String {
    match not_finite(share) {
        Some(text) => text,
        None => decimals(share * 100.0, places) + "%",
    }
}

/// A p-value with two or three digits, and never "0". `floor` is the smallest value the test could
/// give (1/(m+1) for m permutations): a p at the floor is written `≤ floor`, one below it `<
/// floor`. Without a floor, values under 10^-16 are written as a bound, since no double-precision
/// tail is good to more. What is no probability is written as missing.
pub fn p_value(p: f64, floor: Option<f64>) -> String {
    if !(0.0..=1.0).contains(&p) {
        return MISSING.into();
    }
    if let Some(floor) = floor.filter(|f| *f > 0.0 && f.is_finite()) {
        if p < floor * (1.0 - 1e-9) {
            return format!("<\u{A0}{}", probability(floor));
        }
        if p <= floor * (1.0 + 1e-9) {
            return format!("≤\u{A0}{}", probability(floor));
        }
    } else if p < 1e-16 {
        return format!("<\u{A0}10{}", superscript(-16));
    }
    probability(p)
}

fn probability(p: f64) -> String {
    match p {
        p if p >= 0.9995 => "1.00".into(),
        p if p >= 0.01 => significant(p, if p < 0.1 { 2 } else { 3 }),
        p => significant(p, 2),
    }
}

/// An interval in words: `0.012 to 0.034`, both ends with the same decimals.
pub fn interval(low: f64, high: f64) -> String {
    if low.is_nan() && high.is_nan() {
        return MISSING.into();
    }
    let places = shared_places(&[low, high]);
    format!("{} to {}", decimals(low, places), decimals(high, places))
}

/// A value with its 95% confidence interval, all with the same decimals: `0.023 (95% CI 0.012 to
/// 0.034)`.
pub fn with_interval(value: f64, low: f64, high: f64) -> String {
    let places = shared_places(&[value, low, high]);
    let [value, low, high] = [value, low, high].map(|v| decimals(v, places));
    format!("{value} (95% CI {low} to {high})")
}

/// Decimals that give the largest of the values three significant digits.
fn shared_places(values: &[f64]) -> usize {
    let largest = values
        .iter()
        .filter(|v| v.is_finite())
        .fold(0.0_f64, |a, v| a.max(v.abs()));
    if largest == 0.0 {
        return 2;
    }
    (2 - largest.log10().floor() as i32).clamp(0, 9) as usize
}

fn not_finite(value: f64) -> Option<String> {
    match value {
        v if v.is_nan() => Some(MISSING.into()),
        f64::INFINITY => Some("∞".into()),
        f64::NEG_INFINITY => Some("−∞".into()),
        _ => None,
    }
}

fn superscript(exponent: i32) -> String {
    exponent
        .to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            c => c
                .to_digit(10)
                .and_then(|d| char::from_u32(0x2070 + d))
                .unwrap_or(c),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (-1234567, "−1,234,567"),
        ] {
            assert_eq!(integer(value), text);
        }
        assert_eq!(integer(i64::MIN), "−9,223,372,036,854,775,808");
        assert_eq!(count(110_687_296), "110,687,296");
    }

    #[test]
    fn significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.023456, "0.0235"),
            (-0.3, "−0.300"),
            (0.9996, "1.00"),
            (12.345, "12.3"),
            (12345.6, "12,346"),
            (0.0001234, "0.000123"),
            (0.00001234, "1.23 × 10⁻⁵"),
            (-4.5e20, "−4.50 × 10²⁰"),
            (f64::NAN, "–"),
            (f64::NEG_INFINITY, "−∞"),
        ] {
            assert_eq!(number(value).replace('\u{A0}', " "), text, "{value}");
        }
        assert_eq!(decimals(-0.0004, 2), "0.00");
        assert_eq!(decimals(-1234.5, 1), "−1,234.5");
        assert_eq!(percent(0.1234, 1), "12.3%");
        assert!(!number(f64::MAX).is_empty() && !number(f64::MIN_POSITIVE).is_empty());
    }

    #[test]
    fn p_values_are_never_zero() {
        for (p, floor, text) in [
            (0.0, None, "< 10⁻¹⁶"),
            (0.0, Some(1e-4), "< 0.00010"),
            (1.0 / 10_001.0, Some(1.0 / 10_001.0), "≤ 0.00010"),
            (0.0002, Some(1e-4), "0.00020"),
            (0.0312, Some(1e-4), "0.031"),
            (0.4567, None, "0.457"),
            (1.0, None, "1.00"),
            (3.2e-9, None, "3.2 × 10⁻⁹"),
            (f64::NAN, None, "–"),
            (-0.1, None, "–"),
        ] {
            assert_eq!(p_value(p, floor).replace('\u{A0}', " "), text, "{p}");
        }
    }

    #[test]
    fn intervals_share_their_decimals() {
        assert_eq!(
            with_interval(0.0234, -0.0012, 0.0345),
            "0.0234 (95% CI −0.0012 to 0.0345)"
        );
        assert_eq!(interval(1.0, 12.34), "1.0 to 12.3");
        assert_eq!(interval(f64::NAN, f64::INFINITY), "– to ∞");
        assert_eq!(interval(f64::NAN, f64::NAN), "–");
        assert_eq!(interval(0.0, 0.0), "0.00 to 0.00");
    }
}
