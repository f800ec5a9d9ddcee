use std::collections::BTreeSet;

use super::*;
use crate::bundled;
use crate::genome::Strand;
use crate::genome::promoters::{PromoterRequest, TssChoice, Window as Span};
use crate::pipelines::Stretch;
use crate::pipelines::tokenizers::Tokenizer;

/// Cuts at given positions of the contig and strand, and nowhere else.
struct Given(BTreeSet<(Strand, usize)>);

impl BoundarySource for Given {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let cuts = |stretch: &Stretch<'_>| {
            let place = stretch.place.unwrap();
            let at = |t: usize| {
                if place.strand == Strand::Plus {
                    place.bases.start + t
                } else {
                    place.bases.end - t
                }
            };
            (0..stretch.letters.len())
                .map(|t| f32::from(u8::from(self.0.contains(&(place.strand, at(t))))))
                .collect()
        };
        Ok(stretches.iter().map(cuts).collect())
    }
}

fn compared(contenders: &[Contender<'_>], request: &CompareRequest) -> Compared {
    let (genome, annotation) = (bundled::genome().unwrap(), bundled::annotation().unwrap());
    let asked = PromoterRequest {
        tss: TssChoice::Canonical,
        biotypes: vec!["protein_coding".into()],
        window: Span {
            upstream_bp: 500,
            downstream_bp: 100,
        },
    };
    let promoters = Promoters::of_annotation(&annotation, genome.contigs(), &asked).unwrap();
    let mut motifs = bundled::motifs(bundled::MOTIFS_INSECTS).unwrap();
    motifs.truncate(40);
    run(
        &genome,
        Some(&annotation),
        &promoters,
        &motifs,
        contenders,
        request,
        &|_| (),
    )
    .unwrap()
}

fn find<'a>(found: &'a Compared, tokenizer: &str, element: &str, measure: &str) -> &'a CutRow {
    found
        .cuts
        .iter()
        .find(|row| row.tokenizer == tokenizer && row.element == element && row.measure == measure)
        .unwrap()
}

/// Every junction that one of the test's windows is about.
fn junctions(request: &CompareRequest) -> BTreeSet<(Strand, usize)> {
    let (genome, annotation) = (bundled::genome().unwrap(), bundled::annotation().unwrap());
    let none = Promoters::default();
    let (windows, _) = elements::windows(
        &genome,
        Some(&annotation),
        &none,
        &[],
        &Tokenizer::Fixed(4),
        request,
        &|_| (),
    )
    .unwrap();
    let at = |window: &Window| {
        if window.strand == Strand::Plus {
            window.low + request.flank
        } else {
            window.low + window.length - 1 - request.flank
        }
    };
    windows
        .iter()
        .map(|window| (window.strand, at(window)))
        .collect()
}

#[test]
fn cuts_at_junctions_are_found_there_and_grids_fall_anywhere() {
    let request = CompareRequest {
        context: 700,
        margin: 60,
        permutations: 999,
        ..CompareRequest::default()
    };
    let (given, fixed, random) = (
        Given(junctions(&request)),
        Tokenizer::Fixed(4),
        Tokenizer::Random(4, Rng::new(5)),
    );
    let contender = |name: &str, source| Contender {
        name: name.into(),
        source,
    };
    let contenders = [
        contender("given", &given as &dyn BoundarySource),
        contender("fixed:4", &fixed),
        contender("random:4", &random),
    ];
    let found = compared(&contenders, &request);
    for element in ["donor", "acceptor"] {
        let row = find(&found, "given", element, "cut at junction");
        assert_eq!((row.observed, row.p_value), (1.0, row.p_floor));
        assert!(
            row.expected < 0.02 && row.ci_low > 0.97 && row.first_p_value.is_nan(),
            "{row:?}"
        );
        for grid in ["fixed:4", "random:4"] {
            let row = find(&found, grid, element, "cut at junction");
            assert!(
                (row.expected - 0.25).abs() < 0.02
                    && row.difference.abs() < 0.08
                    && row.p_value > 0.01,
                "{row:?}"
            );
            assert!(
                row.first_difference < -0.9 && row.first_high < -0.8 && row.first_p_value <= 0.002,
                "{row:?}"
            );
            // Eight positions, seven without the junction: a grid of four is in each.
            let through = find(&found, grid, element, "cut through");
            assert!(grid == "random:4" || through.observed == 1.0, "{through:?}");
        }
    }
    // A word of w bases has w - 1 positions inside: a grid of four is in each word of five.
    let fixed = find(&found, "fixed:4", "motif", "cut through");
    assert!(fixed.observed > 0.99 && fixed.n_elements > 100, "{fixed:?}");
    let random = find(&found, "random:4", "motif", "cut through");
    assert!(
        random.observed < 0.99 && random.difference.abs() < 0.06 && random.p_value > 0.01,
        "{random:?}"
    );
    let lengths = |name: &str| {
        found
            .tokenizers
            .iter()
            .find(|row| row.tokenizer == name)
            .unwrap()
    };
    assert_eq!(
        (lengths("fixed:4").mean_bp, lengths("fixed:4").sd_bp),
        (4.0, 0.0)
    );
    assert!(
        (lengths("random:4").mean_bp - 4.0).abs() < 0.1
            && (lengths("random:4").density - 0.25).abs() < 0.01
    );
    // What else is compared changes no adjusted p-value.
    for row in &compared(&contenders[..1], &request).cuts {
        assert_eq!(
            row.p_bh,
            find(&found, "given", &row.element, &row.measure).p_bh,
            "{row:?}"
        );
    }
    // Sums by cluster give back the rows.
    for row in &found.cuts {
        let of = found.clusters.iter().filter(|c| {
            (&c.tokenizer, &c.element, &c.measure) == (&row.tokenizer, &row.element, &row.measure)
        });
        let (n, observed, expected) = of.fold((0, 0.0, 0.0), |sum, c| {
            (sum.0 + c.n_elements, sum.1 + c.observed, sum.2 + c.expected)
        });
        assert_eq!(n, row.n_elements);
        assert!(
            (observed / n as f64 - row.observed).abs() < 1e-9
                && (expected / n as f64 - row.expected).abs() < 1e-9
        );
    }
}

#[test]
fn the_result_depends_on_neither_batch_nor_pieces() {
    let request = CompareRequest {
        context: 700,
        margin: 60,
        permutations: 99,
        ..CompareRequest::default()
    };
    let fixed = Tokenizer::Fixed(5);
    let ask = |request: &CompareRequest| {
        let found = compared(
            &[Contender {
                name: "fixed:5".into(),
                source: &fixed,
            }],
            request,
        );
        serde_json::to_string(&found.cuts).unwrap()
    };
    let whole = ask(&request);
    assert_eq!(
        ask(&CompareRequest {
            batch: 7,
            ..request.clone()
        }),
        whole
    );
    // 80 positions fit between the margins: every window is read in pieces.
    assert_eq!(
        ask(&CompareRequest {
            context: 200,
            ..request.clone()
        }),
        whole
    );
    assert!(
        run(
            &bundled::genome().unwrap(),
            None,
            &Promoters::default(),
            &[],
            &[],
            &CompareRequest {
                margin: 2048,
                ..request
            },
            &|_| ()
        )
        .is_err()
    );
}

#[test]
fn shifts_turn_cuts_around_the_window() {
    let mut cuts = vec![false; 10];
    cuts[3] = true;
    cuts[7] = true;
    let kind = elements::ElementKind::Motif;
    let window = Window {
        contig: 0,
        strand: Strand::Plus,
        low: 1,
        length: 10,
        cluster: 0,
        elements: vec![elements::Element {
            kind,
            at: 2,
            width: 4,
        }],
        cuts: vec![cuts],
    };
    // Inside are positions 3, 4 and 5; edges 2 and 6; after a shift of s the cut that was at p + s
    // stands at p.
    let inside = |s: usize| [3, 4, 5].iter().any(|p| [3, 7].contains(&((p + s) % 10)));
    let edges = |s: usize| {
        [2, 6]
            .iter()
            .filter(|p| [3, 7].contains(&((*p + s) % 10)))
            .count() as f64
            / 2.0
    };
    let through = window.curve(0, Measure::MotifThrough);
    assert_eq!(
        through,
        (1, (0..10).map(|s| f64::from(u8::from(inside(s)))).collect())
    );
    assert_eq!(
        window.curve(0, Measure::MotifEdges),
        (1, (0..10).map(edges).collect())
    );
    let perfect = |s: usize| f64::from(u8::from(edges(s) == 1.0 && !inside(s)));
    assert!((0..10).any(|s| perfect(s) > 0.0));
    assert_eq!(
        window.curve(0, Measure::MotifPerfect),
        (1, (0..10).map(perfect).collect())
    );
    let share = |s: usize| {
        [3, 4, 5]
            .iter()
            .filter(|p| [3, 7].contains(&((*p + s) % 10)))
            .count() as f64
            / 3.0
    };
    assert_eq!(
        window.curve(0, Measure::MotifInside),
        (1, (0..10).map(share).collect())
    );
    assert_eq!(window.curve(0, Measure::DonorThrough).0, 0);
}
