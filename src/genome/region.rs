//! Regions as they are typed: `chr11:5226702-5227302`.

use serde::{Deserialize, Serialize};

use crate::genome::Interval;

/// A stretch of a contig; serialized as it is typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region {
    /// The contig, as typed.
    pub contig: String,
    /// Its bases, 0-based and half-open.
    pub interval: Interval,
}

impl From<Region> for String {
    fn from(region: Region) -> String {
        written(&region.contig, region.interval)
    }
}

impl TryFrom<String> for Region {
    type Error = String;

    fn try_from(text: String) -> Result<Region, String> {
        parse(&text)
    }
}

/// Reads `contig:first-last`, 1-based with both ends included, as samtools and the UCSC browser
/// have it; commas between digits are passed over. The name of the contig may hold colons itself.
///
/// # Errors
/// Words that say what is wrong with the text.
pub fn parse(text: &str) -> Result<Region, String> {
    let form = || {
        format!(
            "'{text}' is no region: CONTIG:FIRST-LAST, counted from 1, both ends included, as chr11:5226702-5227302"
        )
    };
    let (contig, range) = text
        .trim()
        .rsplit_once(':')
        .filter(|(contig, _)| !contig.is_empty())
        .ok_or_else(form)?;
    let (first, last) = range.split_once('-').ok_or_else(form)?;
    let number = |digits: &str| {
        let plain = digits.replace(',', "");
        let digits_only = !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit());
        digits_only
            .then(|| plain.parse::<usize>().ok())
            .flatten()
            .ok_or_else(form)
    };
    let (first, last) = (number(first)?, number(last)?);
    if first == 0 {
        return Err(format!(
            "'{text}': positions are counted from 1, so no region starts at 0 (BED counts from 0: add 1 to its start)"
        ));
    }
    if last < first {
        return Err(format!(
            "'{text}' ends before it starts; for the other strand add --strand -"
        ));
    }
    Ok(Region {
        contig: contig.into(),
        interval: Interval::new(first - 1, last),
    })
}

/// The region as [`parse`] reads it.
pub fn written(contig: &str, interval: Interval) -> String {
    format!("{contig}:{}-{}", interval.start + 1, interval.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    // samtools faidx genome.fa chr1:3-5 of ACGTACGT gives GTA: bases 2, 3 and 4 counted from 0.
    #[test]
    fn both_ends_are_included_and_counted_from_one() {
        let region = parse("chr1:3-5").unwrap();
        assert_eq!(
            (region.contig.as_str(), region.interval),
            ("chr1", Interval::new(2, 5))
        );
        assert_eq!(
            &b"ACGTACGT"[region.interval.start..region.interval.end],
            b"GTA"
        );
        assert_eq!(
            parse("chr11:5,226,702-5,227,302")
                .unwrap()
                .interval
                .len_bp(),
            601
        );
        assert_eq!(parse("HLA-A*01:01:7-7").unwrap().contig, "HLA-A*01:01");
        for text in ["chr1:3-5", "a:b:1-1"] {
            let region = parse(text).unwrap();
            assert_eq!(written(&region.contig, region.interval), text);
        }
    }

    #[test]
    fn what_is_no_region_is_refused_in_words() {
        for (text, part) in [
            ("chr1", "is no region"),
            ("chr1:5", "is no region"),
            ("chr1:a-5", "is no region"),
            (":1-5", "is no region"),
            ("chr1:-5-9", "is no region"),
            ("chr1:1-99999999999999999999", "is no region"),
            ("chr1:0-5", "counted from 1"),
            ("chr1:9-5", "ends before"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }
}
