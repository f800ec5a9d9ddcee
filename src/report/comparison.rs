//! Sites against matched controls, whatever the sites: tables and mean profiles.

use crate::figures::{ProfilePanel, ProfileSeries, Side};
use crate::pipelines::comparison::{Comparison, ENDPOINT_REACH, LetterRow, StatisticsRow};

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
