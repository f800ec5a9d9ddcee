//! The sections of the page.

use super::pictures::bases;
use super::{AssociationPage, Svg, around, by_token, primary, told, tracks};
use crate::pipelines::association::{
    AroundRow, BIN_BP, COMPOSITION, ContigRow, CorrelationRow, DENSITY, ERROR, FLANK, GC_FLANK,
    GC_REACHES, KNOWN, LEAST_WINDOWS, NOTHING, OTHER_REACHES, READ, ReadingRow, TokenLengthRow,
    TokenRow,
};
use crate::report::block::{downloads, paragraph};
use crate::report::format::{count, decimals, interval, p_value, percent};
use crate::report::table::table;
use crate::report::{Block, Card, Cell, Format, Level, Section};

/// Fewer blocks than this carry no interval that is worth its name.
const FEW_BLOCKS: u64 = 20;

/// Numbers in a row, the last after "and".
fn listed(numbers: &[usize]) -> String {
    let mut texts: Vec<String> = numbers.iter().map(|n| count(*n)).collect();
    match texts.pop() {
        Some(last) if texts.is_empty() => last,
        Some(last) => format!("{} and {last}", texts.join(", ")),
        None => String::new(),
    }
}

impl AssociationPage {
    pub(super) fn result(&self, svg: &Svg) -> Section {
        let found = &self.found;
        let mut cards = Vec::new();
        for track in tracks(found) {
            let names = [
                (NOTHING, "as read"),
                (COMPOSITION, "composition accounted for"),
            ];
            for (given, words) in names {
                if let Some(row) = primary(found, track, DENSITY, given) {
                    cards.push(Card {
                        label: format!("{track}: correlation with boundary density, {words}"),
                        value: decimals(row.correlation, 3),
                        uncertainty: format!(
                            "95% CI {}, p {}",
                            interval(row.ci_low, row.ci_high),
                            p_value(row.p_value, Some(row.p_floor))
                        ),
                    });
                }
            }
            if let Some(row) = by_token(found, track) {
                cards.push(Card {
                    label: format!(
                        "{track}: correlation with the length of a token, token by token, composition accounted for"
                    ),
                    value: decimals(row.correlation, 3),
                    uncertainty: format!(
                        "95% CI {}, p {}",
                        interval(row.ci_low, row.ci_high),
                        p_value(row.p_value, Some(row.p_floor))
                    ),
                });
            }
            if let Some(row) = around(found, track) {
                cards.push(Card {
                    label: format!(
                        "{track}: at boundaries less at matched positions, in standard deviations of the track"
                    ),
                    value: decimals(row.d, 3),
                    uncertainty: format!(
                        "95% CI {}, p {}",
                        interval(row.ci_low / row.track_sd, row.ci_high / row.track_sd),
                        p_value(row.p_value, Some(row.p_floor))
                    ),
                });
            }
        }
        let mut blocks = vec![Block::Cards(cards)];
        let few = (found.correlations.iter())
            .filter(|row| row.n_windows > 0 && row.n_blocks < FEW_BLOCKS)
            .map(|row| row.n_blocks);
        if let Some(least) = few.min() {
            blocks.push(Block::Callout {
                level: Level::Warning,
                text: format!(
                    "Intervals of some rows rest on {least} blocks of {} bases: read them as rough, and read more sequence or choose a shorter --block.",
                    count(self.request.block_bp)
                ),
            });
        }
        blocks.push(Block::Figure {
            svg: svg.correlations.clone(),
            label: "Correlation by size of window".into(),
            caption: format!(
                "Spearman’s correlation of boundary density and token length with the track, as read and with composition accounted for, with 95% intervals over draws of blocks. \
                 The primary question is that of density in windows of {} bases, composition accounted for.",
                count(found.primary_bp as usize)
            ),
            downloads: downloads("correlations", "correlations"),
        });
        blocks.push(Block::Table(table! {
            "p: circular shifts of the track along each contig. Holm: over the sizes of windows of a track, measure and what is accounted for.";
            found.correlations.iter();
            |r: &CorrelationRow|
            "track", Format::Text => r.track.clone();
            "measure", Format::Text => r.measure.clone();
            "window, bp", Format::Integer => r.window_bp;
            "accounted for", Format::Text => r.given.clone();
            "windows", Format::Integer => r.n_windows;
            "blocks", Format::Integer => r.n_blocks;
            "contigs", Format::Integer => r.n_contigs;
            "correlation", Format::Decimals(3) => r.correlation;
            "95% CI", Format::Interval => (r.ci_low, r.ci_high);
            "p", Format::PValue => Cell::p(r.p_value, Some(r.p_floor));
            "p, Holm", Format::PValue => Cell::p(r.p_holm, None);
        }));
        Section {
            title: "Result".into(),
            blocks,
        }
    }

    pub(super) fn tokens(&self, svg: &Svg) -> Section {
        let title = "Token by token".to_string();
        let Some(lengths) = &svg.lengths else {
            let text = "Too few whole tokens lie where the track is known.";
            let blocks = vec![paragraph(text)];
            return Section { title, blocks };
        };
        let correlations = table! {
            "Length of a token (logarithm) and the mean rank of the track over its bases, over tokens. p: circular shifts of the track along each contig.";
            self.found.tokens.iter();
            |r: &TokenRow|
            "track", Format::Text => r.track.clone();
            "accounted for", Format::Text => r.given.clone();
            "tokens", Format::Integer => r.n_tokens;
            "track unknown", Format::Integer => r.n_without_track;
            "blocks", Format::Integer => r.n_blocks;
            "contigs", Format::Integer => r.n_contigs;
            "correlation", Format::Decimals(3) => r.correlation;
            "95% CI", Format::Interval => (r.ci_low, r.ci_high);
            "p", Format::PValue => Cell::p(r.p_value, Some(r.p_floor));
        };
        let by_length = table! {
            "The mean of the track over a token, by length. Expected: of tokens of this composition.";
            self.found.token_lengths.iter();
            |r: &TokenLengthRow|
            "track", Format::Text => r.track.clone();
            "length", Format::Text => bases(r);
            "tokens", Format::Integer => r.n_tokens;
            "blocks", Format::Integer => r.n_blocks;
            "mean of the track", Format::Significant(4) => r.mean;
            "95% CI", Format::Interval => (r.mean_low, r.mean_high);
            "percentile less expected, points", Format::Decimals(2) => r.percentile;
            "95% CI", Format::Interval => (r.percentile_low, r.percentile_high);
        };
        let blocks = vec![
            Block::Figure {
                svg: lengths.clone(),
                label: "The track by length of tokens".into(),
                caption: "Mean percentile of the track over a token’s bases, less what least squares expect of tokens of this composition, with 95% intervals over draws of blocks.".into(),
                downloads: downloads("token_lengths", "token_lengths"),
            },
            Block::Table(correlations),
            Block::Table(by_length),
        ];
        Section { title, blocks }
    }

    pub(super) fn around(&self, svg: &Svg) -> Section {
        let Some([profile, difference]) = &svg.profile else {
            return Section {
                title: "Around boundaries".into(),
                blocks: vec![paragraph(
                    "No boundary lies far enough from gaps and has a control.",
                )],
            };
        };
        let blocks = vec![
            Block::Figure {
                svg: profile.clone(),
                label: "The track around boundaries".into(),
                caption: "Mean of the track around boundaries (blue) and around positions of the same contig that are none and have the same nucleotides around them (orange), which count as often as \
                          boundaries with these nucleotides."
                    .into(),
                downloads: downloads("profile", "profile"),
            },
            Block::Figure {
                svg: difference.clone(),
                label: "Difference".into(),
                caption: "Boundaries less controls. What is left with composition matched too is not that boundaries are frequent where G+C is high or low.".into(),
                downloads: downloads("profile_difference", "profile"),
            },
            Block::Table(table! {
                "The track within 50 bases. d: the difference in standard deviations of the track. p: circular shifts of the track along each contig; at any distance: adjusted over the profile (max-T).";
                self.found.around.iter();
                |r: &AroundRow|
                "track", Format::Text => r.track.clone();
                "control", Format::Text => r.control.clone();
                "boundaries", Format::Integer => r.n_used;
                "near a gap", Format::Integer => r.n_near_gap;
                "no control", Format::Integer => r.n_unmatched;
                "blocks", Format::Integer => r.n_blocks;
                "boundaries", Format::Significant(4) => r.boundary_mean;
                "controls", Format::Significant(4) => r.control_mean;
                "difference", Format::Significant(3) => r.difference;
                "95% CI", Format::Interval => (r.ci_low, r.ci_high);
                "d", Format::Decimals(3) => r.d;
                "p", Format::PValue => Cell::p(r.p_value, Some(r.p_floor));
                "p, any distance", Format::PValue => Cell::p(r.p_any, Some(r.p_floor));
            }),
        ];
        Section {
            title: "Around boundaries".into(),
            blocks,
        }
    }

    pub(super) fn by_contig(&self) -> Section {
        let density = table! {
            format!(
                "Boundary density and the track, contig by contig. Contigs with fewer than {LEAST_WINDOWS} windows, or where nothing varies, have no correlation."
            );
            (self.found.contigs.iter())
                .filter(|row| row.measure == DENSITY);
            |r: &ContigRow|
            "contig", Format::Text => r.contig.clone();
            "track", Format::Text => r.track.clone();
            "window, bp", Format::Integer => r.window_bp;
            "windows", Format::Integer => r.n_windows;
            "not read", Format::Integer => r.n_unread;
            "track unknown", Format::Integer => r.n_without_track;
            "correlation", Format::Decimals(3) => r.correlation;
            "given composition", Format::Decimals(3) => r.partial_correlation;
        };
        let reading = table! {
            "What was read.";
            self.found.reading.iter();
            |r: &ReadingRow|
            "contig", Format::Text => r.contig.clone();
            "bases", Format::Integer => r.length_bp;
            "positions read", Format::Integer => r.n_positions;
            "boundaries", Format::Integer => r.n_boundaries;
            "boundaries a base", Format::Decimals(4) => r.density;
        };
        Section {
            title: "By contig".into(),
            blocks: vec![Block::Table(density), Block::Table(reading)],
        }
    }

    pub(super) fn methods(&self) -> Section {
        let request = &self.request;
        let texts = [
            format!(
                "Plus is read in tiles of {} bases with margins of {}; boundaries are positions with a probability above one half. Windows lie on a grid from the start of each contig; \
                 used are those of which {} of the positions were read and the track knows {} of the bases. Density: boundaries over positions read. Token length: mean over the tokens that start \
                 in a window.",
                count(request.context),
                count(request.margin),
                percent(READ, 0),
                percent(KNOWN, 0)
            ),
            format!(
                "Measures and track are ranked within each contig; the track is taken as measured with an error of {} of the standard deviation of its ranks, so that what follows from composition \
                 exactly is not found by the misfit of the fit. Accounted for by least squares, contig by contig: G+C of the window and of five windows around it, CpG of both, and the soft-masked share, \
                 each as a bent line through its ranks; the shares of the sixteen dinucleotides, and of N. The last two groups and soft-masking stand in for mappability.",
                percent(ERROR, 0)
            ),
            "Tests: the track's rest is circularly shifted along each contig by a random number of windows, composition accounted for anew at every shift; two-sided. Over contigs, correlations are averaged by windows. \
             The unit of replication of the test is the whole track of a contig, shifted as one, which keeps its autocorrelation."
                .into(),
            format!(
                "Intervals: BCa over draws of blocks of {} bases, with ranks and fit as they are. They take blocks as independent; a track that drifts over longer distances \
                 varies more than they tell. The test shifts such a track as a whole: where interval and test disagree, go by the test.",
                count(request.block_bp)
            ),
            format!(
                "Token by token: tokens lie between two boundaries, with nothing unread between them; used are those of which the track knows {} of the bases. Bases are ranked along the contig. \
                 Accounted for by least squares, contig by contig: the dinucleotides at both ends, the nucleotides of the token, G+C within {} bases of its middle as bent lines through its ranks, \
                 CpG and soft-masking within {} bases. The test compares covariances: what composition leaves of the length, with the track circularly shifted by bases. \
                 The error of the track is taken for windows only, so that an interval here may exclude 0 for what is left of composition: go by the test.",
                percent(KNOWN, 0),
                listed(&GC_REACHES),
                listed(&OTHER_REACHES)
            ),
            format!(
                "Around boundaries, the track is averaged in bins of {BIN_BP} bases up to {} on either side. Controls are all positions of the contig that are no boundary and share the {} nucleotides \
                 around the position, weighted to the k-mers of the boundaries; the second kind shares fifths of G+C within {GC_FLANK} bases and soft-masking of the base too. Positions with a gap of \
                 sequence or track within reach are not used, and gaps are closed before the track is shifted.",
                count(request.reach_bp),
                2 * FLANK
            ),
        ];
        Section {
            title: "How it was done".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }

    pub(super) fn caveats(&self) -> Section {
        let mut texts = vec![
            "Correlation given composition is no cause: longer k-mers of the sequence, repeats and gene structure can drive both a track and boundaries. `density` tells classes of sequence apart.".to_string(),
            "N and soft-masking only stand in for mappability: give a mappability track as one more --track to see whether boundaries follow it.".into(),
        ];
        let several = tracks(&self.found).len();
        if several > 1 {
            texts.push(format!(
                "p-values are not adjusted over the {several} tracks."
            ));
        }
        if self.about.bundled {
            texts.push(
                "Most of this chromosome was training sequence of the bundled model (without labels)."
                    .into(),
            );
        }
        let lengths: Vec<String> = (tracks(&self.found).into_iter())
            .filter_map(|track| {
                let row = primary(&self.found, track, super::TOKEN_LENGTH, COMPOSITION)?;
                Some(format!("{track}: {}", told(row)))
            })
            .collect();
        if !lengths.is_empty() {
            texts.push(format!(
                "Token length is density seen from the other side, and no second piece of evidence ({}).",
                lengths.join("; ")
            ));
        }
        Section {
            title: "What this does not show".into(),
            blocks: texts.into_iter().map(paragraph).collect(),
        }
    }
}
