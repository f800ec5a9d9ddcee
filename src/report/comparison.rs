//! Sites against matched controls, whatever the sites: tables and mean profiles.

use std::path::Path;

use super::{discrimination, tables};
use crate::error::Result;
use crate::figures::{ProfilePanel, ProfileSeries, Side};
use crate::pipelines::comparison::{Comparison, ENDPOINT_REACH, LetterRow, StatisticsRow};

/// Writes the tables that all such analyses leave.
///
/// # Errors
/// What keeps a file from being written.
pub(super) fn write_tables(found: &Comparison, at: &Path) -> Result<()> {
    discrimination::write_tables(&found.discrimination, at)?;
    tables::write(at, "controls", &found.controls)?;
    tables::write(at, "pairs", &found.pairs)?;
    tables::write(at, "profile", &found.profile)?;
    tables::write(at, "statistics", &found.statistics)?;
    tables::write(at, "balance", &found.balance)?;
    tables::write(at, "matching", &found.matching)?;
    tables::write(at, "offsets", &found.offsets)?;
    tables::write(at, "runs", &found.runs)?;
    tables::write(at, "baseline", &found.baseline)
}

/// What a panel of mean profiles says in words.
pub(super) struct PanelWords {
    /// Title; empty for none.
    pub title: String,
    /// What lies before and after a site.
    pub sides: (Side, Side),
    /// Names of the sites and of the controls.
    pub names: [String; 2],
    /// Units of replication.
    pub units: &'static str,
}

/// The mean profiles of a row's sites and controls over the logo of `letters`, those of its kind.
pub(super) fn profile_panel<'a>(
    found: &Comparison,
    letters: impl Iterator<Item = &'a LetterRow>,
    row: &StatisticsRow,
    words: PanelWords,
) -> ProfilePanel {
    let series = |group: &str, name: &str| {
        let rows = (found.profile.iter())
            .filter(|p| p.site_kind == row.site_kind && p.control == row.control);
        let rows: Vec<_> = rows
            .filter(|p| p.measure == row.measure && p.group == group)
            .collect();
        ProfileSeries {
            label: format!(
                "{name} (n = {}, {} {})",
                row.n_pairs, row.n_clusters, words.units
            ),
            offsets: rows.iter().map(|p| p.offset as i32).collect(),
            mean: rows.iter().map(|p| p.mean).collect(),
            ci_low: rows.iter().map(|p| p.ci_low).collect(),
            ci_high: rows.iter().map(|p| p.ci_high).collect(),
        }
    };
    let [sites, controls] = &words.names;
    let series = vec![series("site", sites), series(&row.control, controls)];
    let letters: Vec<_> = letters.collect();
    let reach = ENDPOINT_REACH as i32;
    let (left, right) = words.sides;
    ProfilePanel {
        title: words.title,
        left,
        right,
        series,
        endpoint: Some((-reach, reach)),
        logo: letters.iter().map(|l| [l.a, l.c, l.g, l.t]).collect(),
        logo_first: letters.first().map_or(0, |l| l.offset as i32),
    }
}
