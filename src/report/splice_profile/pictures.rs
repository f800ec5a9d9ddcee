//! From tables to figures.

use super::Figures;
use super::answer::dinucleotide;
use crate::controls::Covariates;
use crate::figures::{
    BalanceFigure, BalancePanel, BalanceRow, DistributionFigure, DistributionPanel, ProfileFigure, ProfilePanel, ProfileSeries, Side,
};
use crate::pipelines::splice_profile::{ENDPOINT_REACH, SpliceProfile, StatisticsRow};

/// A covariate's name in words.
pub fn covariate_name(covariate: &str) -> String {
    // In the order of the table's names, so that a new covariate cannot be forgotten without a test noticing.
    const WORDS: [&str; 5] = ["G+C upstream", "G+C downstream", "CpG count", "soft-masked share", "distance to gene end"];
    let known = Covariates::NAMES.iter().position(|name| *name == covariate).and_then(|i| WORDS.get(i));
    known.map_or_else(|| covariate.replace('_', " "), |words| (*words).to_string())
}

/// A panel's title.
fn title(row: &StatisticsRow) -> String {
    if row.site_kind == "donor" { "Donors".into() } else { "Acceptors".into() }
}

impl Figures {
    /// The figures of an outcome.
    pub fn new(found: &SpliceProfile) -> Figures {
        let differences = |row: &StatisticsRow| DistributionPanel {
            title: title(row),
            differences: found
                .comparison
                .pairs
                .iter()
                .filter(|p| p.site_kind == row.site_kind)
                .map(|p| p.site_value - p.control_value)
                .collect(),
            mean: row.difference,
            ci_low: row.ci_low,
            ci_high: row.ci_high,
        };
        let balance = |row: &StatisticsRow| BalancePanel {
            title: title(row),
            rows: (found.comparison.balance.iter().filter(|b| b.site_kind == row.site_kind))
                .map(|b| BalanceRow { label: covariate_name(&b.covariate), before: b.smd_before, after: b.smd_after })
                .collect(),
        };
        Figures {
            profile: ProfileFigure::new(found.comparison.statistics.iter().map(|row| profile(found, row)).collect()),
            balance: BalanceFigure::new(found.comparison.statistics.iter().map(balance).collect()),
            differences: DistributionFigure::new(found.comparison.statistics.iter().map(differences).collect()),
        }
    }
}

fn profile(found: &SpliceProfile, row: &StatisticsRow) -> ProfilePanel {
    let (exon, intron) = (Side::block("exon"), Side::line("intron"));
    let (left, right) = if row.site_kind == "donor" { (exon, intron) } else { (intron, exon) };
    let decoys = format!("{} decoys", dinucleotide(&row.site_kind));
    let sites = if found.comparison.negative_control { format!("second {decoys}") } else { format!("{} sites", row.site_kind) };
    let series = |group: &str, name: String| {
        let rows: Vec<_> = found.comparison.profile.iter().filter(|p| p.site_kind == row.site_kind && p.group == group).collect();
        ProfileSeries {
            label: format!("{name} (n = {}, {} gene clusters)", row.n_pairs, row.n_clusters),
            offsets: rows.iter().map(|p| p.offset as i32).collect(),
            mean: rows.iter().map(|p| p.mean).collect(),
            ci_low: rows.iter().map(|p| p.ci_low).collect(),
            ci_high: rows.iter().map(|p| p.ci_high).collect(),
        }
    };
    let reach = ENDPOINT_REACH as i32;
    ProfilePanel {
        title: title(row),
        left,
        right,
        series: vec![series("site", sites), series(&row.control, format!("matched {decoys}"))],
        endpoint: Some((-reach, reach)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_covariate_has_words() {
        for name in Covariates::NAMES {
            assert_ne!(covariate_name(name), name.replace('_', " "), "{name}");
        }
        assert_eq!(covariate_name("new_one"), "new one");
    }
}
