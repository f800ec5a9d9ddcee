//! What an analysis could not use, in one line.

use crate::error::{Error, Result};
use crate::report::format::count;

/// Of what could have been compared, what was.
#[derive(Clone, Debug, Default)]
pub struct LeftOut {
    /// What is counted, as `splice sites`.
    pub what: &'static str,
    /// How many were used.
    pub used: u64,
    /// How many were not, by reason; a reason may come several times.
    pub reasons: Vec<(String, u64)>,
}

impl LeftOut {
    /// The line; `None` where all were used.
    pub fn line(&self) -> Option<String> {
        let mut by_reason: Vec<(&str, u64)> = Vec::new();
        for (reason, n) in self.reasons.iter().filter(|(_, n)| *n > 0) {
            match by_reason.iter_mut().find(|(known, _)| known == reason) {
                Some((_, sum)) => *sum += n,
                None => by_reason.push((reason, *n)),
            }
        }
        let out: u64 = by_reason.iter().map(|(_, n)| n).sum();
        let reasons: Vec<String> = by_reason
            .iter()
            .map(|(reason, n)| format!("{} {}", count(*n as usize), reason.replace('_', " ")))
            .collect();
        let (out_of, all) = (count(out as usize), count((out + self.used) as usize));
        (out > 0).then(|| {
            format!(
                "left out {out_of} of {all} {}: {}",
                self.what,
                reasons.join(", ")
            )
        })
    }

    /// Refuses to go on where nothing is left.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the reasons.
    pub fn check(&self) -> Result<()> {
        match self.used {
            0 => Err(Error::Invalid(format!(
                "nothing could be compared: {}",
                self.line()
                    .unwrap_or_else(|| format!("the annotation gives no {}", self.what))
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_added_up_in_one_line() {
        let reasons = vec![
            ("not_gt_ag".into(), 3),
            ("too_short".into(), 0),
            ("off_contig".into(), 1),
            ("not_gt_ag".into(), 1000),
        ];
        let mut left_out = LeftOut {
            what: "splice sites",
            used: 5,
            reasons,
        };
        assert_eq!(
            left_out.line().unwrap(),
            "left out 1,004 of 1,009 splice sites: 1,003 not gt ag, 1 off contig"
        );
        assert!(left_out.check().is_ok());
        left_out.used = 0;
        assert!(
            left_out
                .check()
                .unwrap_err()
                .to_string()
                .contains("1 off contig")
        );
        let none = LeftOut {
            what: "promoters",
            ..LeftOut::default()
        };
        assert_eq!(none.line(), None);
        assert!(
            none.check()
                .unwrap_err()
                .to_string()
                .contains("gives no promoters")
        );
    }
}
