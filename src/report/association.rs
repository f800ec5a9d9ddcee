//! What `association` leaves behind: its tables, its figures and its page.

mod pictures;
mod sections;

use serde_json::{Value, json};

use super::Report;
use super::analysis::{self, Analysis, Tables as _, tables};
use super::format::{count, decimals, number, p_value, with_interval};
use super::page::FigureFolder;
use super::record::{About, Record};
use crate::error::Result;
use crate::pipelines::association::{
    AroundRow, Association, AssociationRequest, COMPOSITION, CorrelationRow, DENSITY, NOTHING,
    TOKEN_LENGTH, TokenRow,
};

/// The level of claims.
const LEVEL: f64 = 0.05;

tables! {
    Association; "correlations": correlations, "contigs": contigs, "tokens": tokens, "token_lengths": token_lengths, "around_boundaries": around, "profile": profile, "blocks": blocks, "reading": reading
}

impl Analysis for Association {
    const NAME: &'static str = "association";
    const FIGURES: &'static [&'static str] = &[
        "correlations",
        "token_lengths",
        "profile",
        "profile_difference",
    ];

    fn report(record: &Record, to: &FigureFolder) -> Result<Report> {
        AssociationPage::open(record)?.report(to)
    }
}

impl analysis::Found for Association {
    fn bases_read(&self) -> u64 {
        self.bases_read
    }

    fn summary(&self) -> String {
        summary(self)
    }

    fn outcome(&self) -> Value {
        let found = self;
        json!({
            "bases_read": found.bases_read,
            "primary_bp": found.primary_bp,
            "correlations": found.correlations,
            "tokens": found.tokens,
            "around_boundaries": found.around,
        })
    }
}

/// The page.
pub(super) struct AssociationPage {
    found: Association,
    request: AssociationRequest,
    about: About,
}

/// The figures as SVG, for the page.
struct Svg {
    correlations: String,
    /// Of nothing without tokens enough.
    lengths: Option<String>,
    /// Of nothing where no boundary has a control.
    profile: Option<[String; 2]>,
}

impl AssociationPage {
    /// From a results folder.
    pub fn open(record: &Record) -> Result<AssociationPage> {
        let mut found = Association {
            bases_read: record.outcome("bases_read")?,
            primary_bp: record.outcome("primary_bp")?,
            ..Association::default()
        };
        found.read_tables(record)?;
        Ok(AssociationPage {
            found,
            request: record.parameters()?,
            about: record.about(),
        })
    }

    /// Draws and tells.
    pub fn report(&self, to: &FigureFolder) -> Result<Report> {
        let profile = match self.found.profile.is_empty() {
            true => None,
            false => Some([
                to.write_figure(&self.profiles(), "profile")?,
                to.write_figure(&self.differences(), "profile_difference")?,
            ]),
        };
        let svg = Svg {
            correlations: to.write_figure(&self.forest(), "correlations")?,
            lengths: match self.found.token_lengths.is_empty() {
                true => None,
                false => Some(to.write_figure(&self.lengths(), "token_lengths")?),
            },
            profile,
        };
        let sections = [
            self.result(&svg),
            self.tokens(&svg),
            self.around(&svg),
            self.by_contig(),
            self.methods(),
            self.caveats(),
        ];
        Ok(Report {
            title: match &tracks(&self.found)[..] {
                [one] => format!("Do boundaries follow {one} along the genome?"),
                _ => "Do boundaries follow other data along the genome?".into(),
            },
            subtitle: format!("{} · {}", self.about.model, self.about.genome),
            headline: headline(&self.found),
            answer: answer(&self.found),
            sections: sections
                .into_iter()
                .chain([self.about.section(&self.request, &Association::names())])
                .collect(),
            ..Report::default()
        })
    }
}

/// The tracks, in the order of the command.
fn tracks(found: &Association) -> Vec<&str> {
    let mut names: Vec<&str> = found
        .correlations
        .iter()
        .map(|r| r.track.as_str())
        .collect();
    names.dedup();
    names
}

/// The row of a track in windows of the primary size.
fn primary<'a>(
    found: &'a Association,
    track: &str,
    measure: &str,
    given: &str,
) -> Option<&'a CorrelationRow> {
    found.correlations.iter().find(|row| {
        row.track == track
            && row.measure == measure
            && row.given == given
            && row.window_bp == found.primary_bp
            && row.n_windows > 0
    })
}

/// The track token by token, composition accounted for.
fn by_token<'a>(found: &'a Association, track: &str) -> Option<&'a TokenRow> {
    let is = |row: &&TokenRow| row.track == track && row.given == COMPOSITION;
    found.tokens.iter().find(is)
}

/// The track around boundaries against the stricter control.
fn around<'a>(found: &'a Association, track: &str) -> Option<&'a AroundRow> {
    found.around.iter().rfind(|row| row.track == track)
}

/// A correlation with its interval and p.
fn told(row: &CorrelationRow) -> String {
    format!(
        "{}, p {}",
        with_interval(row.correlation, row.ci_low, row.ci_high),
        p_value(row.p_value, Some(row.p_floor))
    )
}

/// The answer in a sentence.
fn headline(found: &Association) -> String {
    let all = tracks(found);
    let of = |track: &str| primary(found, track, DENSITY, COMPOSITION);
    let windows = format!("{}-bp windows", count(found.primary_bp as usize));
    let said = |row: &CorrelationRow| {
        format!(
            "{} (95% CI {} to {}, p {})",
            decimals(row.correlation, 3),
            decimals(row.ci_low, 3),
            decimals(row.ci_high, 3),
            p_value(row.p_value, Some(row.p_floor))
        )
    };
    if let [one] = all[..] {
        return match of(one) {
            None => format!("Too few {windows} to correlate boundary density with {one}."),
            Some(row) if row.p_value <= LEVEL => format!(
                "Given composition, boundary density and {one} correlate by {} in {windows}.",
                said(row)
            ),
            Some(row) => format!(
                "Given composition, no correlation of boundary density with {one} is shown: {} in {windows}.",
                said(row)
            ),
        };
    }
    let rows: Vec<&CorrelationRow> = all.iter().filter_map(|track| of(track)).collect();
    let n = rows.iter().filter(|row| row.p_value <= LEVEL).count();
    let most = rows
        .iter()
        .max_by(|a, b| a.correlation.abs().total_cmp(&b.correlation.abs()));
    match most {
        None => format!("Too few {windows} to correlate boundary density with any track."),
        Some(most) => format!(
            "Given composition, boundary density correlates with {n} of {} tracks in {windows}; most with {}: {}.",
            all.len(),
            most.track,
            said(most)
        ),
    }
}

/// What an interval that holds 0 excludes.
fn excluded(row: &CorrelationRow) -> Option<String> {
    let bound = row.ci_low.abs().max(row.ci_high.abs());
    (row.p_value > LEVEL && row.ci_low <= 0.0 && row.ci_high >= 0.0).then(|| {
        format!(
            "correlations beyond ±{} are excluded at 95%",
            decimals(bound, 2)
        )
    })
}

/// The paragraph at the head of the page.
fn answer(found: &Association) -> String {
    let mut texts = Vec::new();
    let (n, boundaries) = found.reading.iter().fold((0, 0), |(n, b), row| {
        (n + row.n_positions, b + row.n_boundaries)
    });
    texts.push(format!(
        "{} boundaries at {} positions; contigs read: {}.",
        count(boundaries as usize),
        count(n as usize),
        count(
            found
                .reading
                .iter()
                .filter(|row| row.n_positions > 0)
                .count()
        )
    ));
    for track in tracks(found) {
        let row = |measure, given| primary(found, track, measure, given);
        let (Some(raw), Some(partial)) = (row(DENSITY, NOTHING), row(DENSITY, COMPOSITION)) else {
            continue;
        };
        let mut text = format!(
            "{track}, windows of {} bases: rank correlation with boundary density as read {}; composition accounted for {}",
            count(partial.window_bp as usize),
            told(raw),
            told(partial)
        );
        if let Some(excluded) = excluded(partial) {
            text += &format!(" ({excluded})");
        }
        if let Some(length) = row(TOKEN_LENGTH, COMPOSITION) {
            text += &format!("; with token length {}", told(length));
        }
        texts.push(text + ".");
        let family = found
            .correlations
            .iter()
            .filter(|row| row.track == track && row.measure == DENSITY && row.given == COMPOSITION);
        let sizes: Vec<String> = family
            .filter(|row| row.p_holm <= LEVEL)
            .map(|row| count(row.window_bp as usize))
            .collect();
        if !sizes.is_empty() {
            texts.push(format!(
                "Shown after Holm's adjustment in windows of {} bases.",
                sizes.join(", ")
            ));
        }
        if let Some(row) = by_token(found, track) {
            texts.push(format!(
                "Token by token, composition accounted for, length and the track’s rank correlate by {}, p {}.",
                with_interval(row.correlation, row.ci_low, row.ci_high),
                p_value(row.p_value, Some(row.p_floor))
            ));
        }
        if let Some(row) = around(found, track) {
            texts.push(format!(
                "Within 50 bases of boundaries the track is {}, of matched positions {}: difference {}, p {} ({} standard deviations of the track).",
                number(row.boundary_mean),
                number(row.control_mean),
                with_interval(row.difference, row.ci_low, row.ci_high),
                p_value(row.p_value, Some(row.p_floor)),
                decimals(row.d, 3)
            ));
        }
    }
    texts.join(" ")
}

fn summary(found: &Association) -> String {
    let mut text = headline(found) + "\n\n";
    text += &format!(
        "{:<30} {:<13} {:>8} {:<12} {:>9} {:>7}  correlation\n",
        "track", "measure", "window", "given", "windows", "blocks"
    );
    for row in &found.correlations {
        text += &format!(
            "{:<30} {:<13} {:>8} {:<12} {:>9} {:>7}  {}\n",
            row.track,
            row.measure,
            row.window_bp,
            row.given,
            row.n_windows,
            row.n_blocks,
            match row.n_windows {
                0 => "too few windows".into(),
                _ => told(row),
            }
        );
    }
    for row in &found.tokens {
        text += &format!(
            "{:<30} token by token, length, given {:<14} {}, p {}\n",
            row.track,
            row.given,
            with_interval(row.correlation, row.ci_low, row.ci_high),
            p_value(row.p_value, Some(row.p_floor))
        );
    }
    for row in &found.around {
        text += &format!(
            "{:<30} around boundaries, {:<27} {}, p {}\n",
            row.track,
            row.control,
            with_interval(row.difference, row.ci_low, row.ci_high),
            p_value(row.p_value, Some(row.p_floor))
        );
    }
    text.replace('\u{A0}', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(track: &str, correlation: f64, half: f64, p: f64) -> CorrelationRow {
        CorrelationRow {
            track: track.into(),
            measure: DENSITY.into(),
            window_bp: 1000,
            given: COMPOSITION.into(),
            n_windows: 9000,
            n_blocks: 90,
            n_contigs: 1,
            correlation,
            ci_low: correlation - half,
            ci_high: correlation + half,
            p_value: p,
            p_floor: 1e-4,
            p_holm: p,
        }
    }

    #[test]
    fn headlines_are_short_and_follow_the_numbers() {
        let found = |rows: Vec<CorrelationRow>| Association {
            correlations: rows,
            primary_bp: 1000,
            ..Association::default()
        };
        let some = found(vec![row("a.bw", 0.123, 0.04, 1e-4)]);
        let none = found(vec![row("a.bw", 0.01, 0.04, 0.6)]);
        let two = found(vec![
            row("a.bw", 0.1, 0.04, 1e-4),
            row("b.bw", -0.3, 0.1, 0.2),
        ]);
        for (found, part) in [
            (&some, "correlate by 0.123"),
            (
                &none,
                "no correlation of boundary density with a.bw is shown: 0.010",
            ),
            (&two, "1 of 2 tracks"),
        ] {
            let said = headline(found);
            assert!(said.contains(part), "{said}");
            let words = said.split_whitespace().count();
            assert!(words <= 25, "{words}: {said}");
        }
        assert!(headline(&two).contains("most with b.bw: −0.300"));
        assert_eq!(
            excluded(&none.correlations[0]).unwrap(),
            "correlations beyond ±0.05 are excluded at 95%"
        );
        assert!(excluded(&some.correlations[0]).is_none());
        assert!(headline(&found(vec![row("a", 0.0, 0.0, 1.0)])).contains("no correlation"));
    }
}
