use std::path::Path;

use super::*;
use crate::genome::promoters::Promoter;
use crate::genome::sequence::reverse_complement;
use crate::genome::{Interval, Strand};
use crate::pipelines::Stretch;
use crate::pipelines::comparison::discrimination::{CutRow, DiscriminationRow};
use crate::stats::permutation::sign_flip_clusters;
use crate::stats::rng::Rng;

const WORD: &[u8] = b"TTGACGCAAG";
const OTHER: &[u8] = b"CCATTGAGTC";

/// Fires at both edges of the word, and nowhere else.
struct Edges;

impl BoundarySource for Edges {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let fires =
            |s: &[u8], t: usize| t == 0 || s[t..].starts_with(WORD) || s[..t].ends_with(WORD);
        Ok(stretches
            .iter()
            .map(|s| &s.letters)
            .map(|s| {
                (0..s.len())
                    .map(|t| if fires(s, t) { 1.0 } else { 0.125 })
                    .collect()
            })
            .collect())
    }
}

/// Depends on the twelve bases around a position, half through their G+C, half at random.
struct Noise(u64);

impl BoundarySource for Noise {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let value = |s: &[u8], t: usize| {
            let around = &s[t.saturating_sub(6)..(t + 6).min(s.len())];
            let hash = around.iter().fold(0, |h: u64, b| {
                h.wrapping_mul(31).wrapping_add(u64::from(*b))
            });
            let gc = around.iter().filter(|b| matches!(b, b'G' | b'C')).count() as f64 / 24.0;
            (0.5 * Rng::new(self.0 ^ hash).uniform() + gc) as f32
        };
        Ok(stretches
            .iter()
            .map(|s| &s.letters)
            .map(|s| (0..s.len()).map(|t| value(s, t)).collect())
            .collect())
    }
}

fn motif(id: &str, word: &[u8]) -> Motif {
    let column =
        |letter: &u8| std::array::from_fn(|i| if b"ACGT"[i] == *letter { 20.0 } else { 0.0 });
    Motif::new(id, "", word.iter().map(column).collect(), 20.0).unwrap()
}

fn query(id: &str, word: &[u8]) -> Query {
    Query {
        motif: motif(id, word),
        element: None,
    }
}

/// Random motifs of eight columns.
fn random_queries(n: usize, rng: &mut Rng) -> Vec<Query> {
    let column = |rng: &mut Rng| {
        let mut counts = [1.0; 4];
        counts[rng.below(4)] += 14.0;
        counts[rng.below(4)] += 5.0;
        counts
    };
    let one = |index: usize, rng: &mut Rng| {
        let columns = (0..8).map(|_| column(rng)).collect();
        Query {
            motif: Motif::new(&format!("random{index}"), "", columns, 20.0).unwrap(),
            element: None,
        }
    };
    (0..n).map(|index| one(index, rng)).collect()
}

/// `n` promoters on alternating strands with one of each word, 300 and 150 bases before the start
/// site; and the words between promoters.
fn world(n: usize) -> (tempfile::TempDir, Genome, Promoters) {
    let mut rng = Rng::new(20);
    let mut sequence: Vec<u8> = (0..n * 3000 + 3000)
        .map(|_| b"ACGT"[rng.below(4)])
        .collect();
    let mut promoters = Promoters {
        n_clusters: n,
        ..Promoters::default()
    };
    for index in 0..n {
        let tss = 1500 + index * 3000;
        let strand = if index % 2 == 0 {
            Strand::Plus
        } else {
            Strand::Minus
        };
        for (word, before) in [(WORD, 300), (OTHER, 150), (WORD, 1200), (OTHER, 1400)] {
            match strand {
                Strand::Plus => sequence[tss - before..tss - before + 10].copy_from_slice(word),
                Strand::Minus => sequence[tss + before - 10..tss + before]
                    .copy_from_slice(&reverse_complement(word)),
            }
        }
        let window = crate::genome::promoters::Window {
            upstream_bp: 500,
            downstream_bp: 100,
        }
        .around(tss, strand)
        .unwrap();
        let (id, gene) = (format!("t{index}"), format!("g{index}"));
        promoters.promoters.push(Promoter {
            id,
            gene,
            contig: 0,
            strand: Some(strand),
            tss: Some(tss),
            window,
            cluster: index,
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.fa");
    let lines: Vec<String> = sequence
        .chunks(60)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    std::fs::write(&path, format!(">chr1\n{}\n", lines.join("\n"))).unwrap();
    let genome = Genome::open(&path).unwrap();
    (folder, genome, promoters)
}

fn request() -> EnrichmentRequest {
    EnrichmentRequest {
        flank: 20,
        context: 700,
        margin: 40,
        controls: Control::ALL.to_vec(),
        permutations: 399,
        bootstraps: 100,
        caliper: 0.2,
        p: 1e-3,
        panels: vec!["word".into()],
        detail: vec!["word".into()],
        ..EnrichmentRequest::default()
    }
}

fn run_with(
    n: usize,
    queries: &[Query],
    model: &dyn BoundarySource,
    request: &EnrichmentRequest,
) -> Enrichment {
    let (_folder, genome, promoters) = world(n);
    run(&genome, None, &promoters, queries, model, request, &|_| {}).unwrap()
}

fn row<'a>(found: &'a Enrichment, motif: &str, control: &str, endpoint: &str) -> &'a StatisticsRow {
    let is_it = |row: &&StatisticsRow| {
        row.motif_id == motif && row.control == control && row.endpoint == endpoint
    };
    found
        .statistics
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("{motif} {control} {endpoint}"))
}

#[test]
fn hits_are_told_from_controls_of_the_same_promoters() {
    let queries = [query("word", WORD), query("other", OTHER)];
    let asked = EnrichmentRequest {
        p: 2e-5,
        ..request()
    };
    let found = run_with(40, &queries, &Edges, &asked).discrimination;
    let auroc = |features: &str| {
        let of =
            |row: &&DiscriminationRow| (&*row.control, &*row.features) == ("position", features);
        found.discrimination.iter().find(of).map(|row| row.auroc)
    };
    assert!(auroc("letters") > Some(0.9), "{:?}", found.decoys);
    assert!(auroc("boundaries") > Some(0.6), "{:?}", found.decoys);
    // Half of the hits have all of it at either edge of the word, and no control has.
    let cut = |row: &&CutRow| row.control == "position" && row.rate_sites > row.rate_controls + 0.2;
    let edges = found.cuts.iter().filter(cut).count();
    assert!((1..=2).contains(&edges), "{:?}", found.cuts);
}

#[test]
fn a_model_that_fires_at_a_motif_is_found_out() {
    let queries = [
        query("word", WORD),
        query("other", OTHER),
        query("nowhere", b"AACCGGTTAACCGGTT"),
        query("short", b"ACG"),
    ];
    let found = run_with(
        40,
        &queries,
        &Edges,
        &EnrichmentRequest {
            p: 2e-5,
            ..request()
        },
    );
    let status: Vec<&str> = found.motifs.iter().map(|row| row.status.as_str()).collect();
    assert_eq!(status, ["tested", "tested", "no_hits", "not_scannable"]);
    for control in ["position", "outside", "shuffled"] {
        let (word, other) = (
            row(&found, "word", control, "edges"),
            row(&found, "other", control, "edges"),
        );
        // Few windows outside hold one of the 40 words there.
        let least = if control == "outside" { 12 } else { 35 };
        assert!(word.n_pairs >= least, "{control} {}", word.n_pairs);
        // One of three positions around each edge.
        assert!(
            (word.hit_mean - (1.0 + 2.0 * 0.125) / 3.0).abs() < 1e-6,
            "{control} {}",
            word.hit_mean
        );
        if control == "position" {
            assert!(
                word.difference > 0.25
                    && word.p_bh < 0.01
                    && word.ci_low > 0.2
                    && word.ci_high < 0.4,
                "{word:?}"
            );
        } else {
            // The word fires wherever it stands, and whatever surrounds it.
            assert!(
                word.difference.abs() < 1e-9 && word.p_value == 1.0,
                "{control} {word:?}"
            );
        }
        assert!(
            other.difference.abs() < 0.05 && other.p_value > 0.05,
            "{control} {other:?}"
        );
        assert_eq!(row(&found, "word", control, "inside").hit_mean, 0.125);
    }
    let hits: Vec<&HitRow> = found
        .hits
        .iter()
        .filter(|hit| hit.motif_id == "word")
        .collect();
    assert!(
        ["+", "-"]
            .iter()
            .all(|strand| hits.iter().filter(|hit| hit.strand == *strand).count() >= 15)
    );
    let edges: Vec<i64> = found
        .profile
        .iter()
        .filter(|p| p.group == "hit" && p.mean == 1.0 && p.control == "position")
        .map(|p| p.offset)
        .collect();
    assert_eq!(edges, [0, 10]);
    assert_eq!(found.detail.len(), hits.len() * (10 + 2 * 20 + 1));
    // Among the orders of its columns, with hits enough for twenty of these to have some: half of
    // the word's hits are then not the word.
    let found = run_with(40, &queries, &Edges, &request());
    let (word, other) = (
        row(&found, "word", "permuted", "edges"),
        row(&found, "other", "permuted", "edges"),
    );
    assert!(
        word.difference > 0.05 && word.ci_low > 0.0 && word.p_value < 0.01,
        "{word:?}"
    );
    assert!(other.p_value > 0.01, "{other:?}");
}

#[test]
fn controls_are_what_they_promise() {
    let queries = [query("word", WORD), query("other", OTHER)];
    let found = run_with(40, &queries, &Noise(3), &request());
    let place = |name: &str| {
        let (_, rest) = name.split_once(':').unwrap();
        let (range, strand) = rest.split_once(':').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        (
            Interval::new(start.parse().unwrap(), end.parse().unwrap()),
            strand.to_string(),
        )
    };
    let promoters: Vec<Interval> = found
        .promoters
        .iter()
        .map(|p| Interval::new(p.start as usize, p.end as usize))
        .collect();
    for pair in &found.pairs {
        let (hit, hit_strand) = place(&pair.hit);
        let (control, strand) = place(&pair.control_place);
        let home = promoters[pair.cluster as usize];
        assert!(home.contains(&hit));
        match pair.control.as_str() {
            "position" => {
                assert!(home.contains(&control) && strand == hit_strand, "{pair:?}");
                let of_motif = |row: &&HitRow| row.motif_id == pair.motif_id;
                assert!(
                    found.hits.iter().filter(of_motif).all(|h| !Interval::new(
                        h.start as usize,
                        h.end as usize
                    )
                    .overlaps(&control))
                );
            }
            "outside" => assert!(promoters.iter().all(|p| !p.overlaps(&control)), "{pair:?}"),
            _ => assert_eq!(pair.hit, pair.control_place),
        }
    }
    for control in ["permuted", "position", "outside"] {
        let worst = found
            .balance
            .iter()
            .filter(|b| b.control == control && b.covariate.starts_with("gc"))
            .map(|b| b.smd_after.abs());
        let worst = worst.fold(0.0, f64::max);
        assert!(worst < 0.3, "{control} {worst}");
    }
}

#[test]
fn every_test_can_be_redone_from_the_pairs() {
    let queries = [query("word", WORD), query("other", OTHER)];
    let found = run_with(24, &queries, &Noise(5), &request());
    assert_eq!(found.statistics.len(), 2 * 4 * 2);
    for row in found
        .statistics
        .iter()
        .filter(|row| row.control != "permuted")
    {
        let of: Vec<&PairRow> = found
            .pairs
            .iter()
            .filter(|p| p.motif_id == row.motif_id && p.control == row.control)
            .collect();
        let difference = |p: &&PairRow| match row.endpoint.as_str() {
            "edges" => p.hit_edges - p.control_edges,
            _ => p.hit_inside - p.control_inside,
        };
        let differences: Vec<f64> = of.iter().map(difference).collect();
        let clusters: Vec<usize> = of.iter().map(|p| p.cluster as usize).collect();
        let again = sign_flip_clusters(&differences, &clusters, 20_000, 99);
        assert!(
            (row.difference - again.statistic).abs() < 1e-12
                && row.n_pairs == differences.len() as u64
        );
        assert!(
            (row.p_value - again.p_value).abs() < 0.06,
            "{} {}",
            row.p_value,
            again.p_value
        );
    }
}

#[test]
fn tests_among_orders_can_be_redone_from_the_table() {
    let queries = [query("word", WORD), query("other", OTHER)];
    let found = run_with(24, &queries, &Noise(5), &request());
    let rows: Vec<&StatisticsRow> = found
        .statistics
        .iter()
        .filter(|row| row.control == "permuted" && row.endpoint == "edges")
        .collect();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let of: Vec<&OrderRow> = found
            .orders
            .iter()
            .filter(|order| order.motif_id == row.motif_id)
            .collect();
        let (own, others) = of.split_first().unwrap();
        assert!(
            own.order == 0
                && own.n_hits == row.n_pairs
                && others.len() as u64 == row.n_orders
                && own.edges == row.hit_mean
        );
        let hits: Vec<f64> = found
            .hits
            .iter()
            .filter(|hit| hit.motif_id == row.motif_id)
            .map(|hit| hit.edges)
            .collect();
        assert!(
            (crate::stats::mean(&hits) - own.edges).abs() < 1e-12
                && (crate::stats::variance(&hits) - own.edges_variance).abs() < 1e-12
        );
        let estimate = |order: &&OrderRow| crate::stats::prediction::Estimate {
            mean: order.edges,
            variance: order.edges_se.powi(2),
        };
        let others: Vec<_> = others.iter().map(estimate).collect();
        let again = crate::stats::prediction::predict(estimate(own), &others, 0.95).unwrap();
        assert!(
            (again.p_value / row.p_value - 1.0).abs() < 1e-6
                && (again.low - row.ci_low).abs() < 1e-9,
            "{row:?}"
        );
        assert!((row.hit_mean - row.control_mean - row.difference).abs() < 1e-12);
        assert_eq!(row.p_value <= 0.05, row.ci_low > 0.0 || row.ci_high < 0.0);
    }
}

#[test]
fn permuted_against_permuted_is_uniform() {
    let queries = random_queries(150, &mut Rng::new(8));
    let asked = EnrichmentRequest {
        controls: vec![Control::Permuted],
        negative_control: true,
        ..request()
    };
    let found = run_with(40, &queries, &Noise(11), &asked);
    for endpoint in ["edges", "inside"] {
        let mut p_values: Vec<f64> = found
            .statistics
            .iter()
            .filter(|row| row.endpoint == endpoint)
            .map(|row| row.p_value)
            .collect();
        let n = p_values.len() as f64;
        assert!(n > 120.0, "{n}");
        p_values.sort_by(f64::total_cmp);
        let distance = p_values
            .iter()
            .enumerate()
            .map(|(i, p)| (p - i as f64 / n).abs().max(((i + 1) as f64 / n - p).abs()))
            .fold(0.0, f64::max);
        assert!(
            distance < 1.63 / n.sqrt(),
            "{endpoint}: {distance} with {n}"
        ); // Kolmogorov's 1% point
        let small = p_values.iter().filter(|p| **p <= 0.05).count() as f64;
        assert!(
            small < n * 0.05 + 2.6 * (n * 0.05 * 0.95f64).sqrt(),
            "{endpoint}: {small} of {n}"
        );
    }
    assert!(found.statistics.iter().all(|row| row.p_by > 0.05));
}

/// Fires after certain pairs of letters: every word has a level of its own.
struct Pairs;

impl BoundarySource for Pairs {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let value = |s: &[u8], t: usize| {
            if t > 0 && [&b"CA"[..], b"GT", b"AG"].contains(&&s[t - 1..=t]) {
                0.9
            } else {
                0.1
            }
        };
        Ok(stretches
            .iter()
            .map(|s| &s.letters)
            .map(|s| (0..s.len()).map(|t| value(s, t)).collect())
            .collect())
    }
}

#[test]
fn a_model_of_words_does_not_find_meaning_in_an_order() {
    let queries = random_queries(150, &mut Rng::new(9));
    let asked = EnrichmentRequest {
        controls: vec![Control::Permuted],
        negative_control: true,
        ..request()
    };
    let found = run_with(40, &queries, &Pairs, &asked);
    let rows: Vec<&StatisticsRow> = found
        .statistics
        .iter()
        .filter(|row| row.endpoint == "inside")
        .collect();
    let n = rows.len() as f64;
    // Hits of one order are alike: to count them as so many draws is to find differences
    // everywhere.
    let far = |row: &&&StatisticsRow| {
        let own = found
            .orders
            .iter()
            .find(|order| order.motif_id == row.motif_id && order.order == 0)
            .unwrap();
        row.difference.abs() > 1.96 * (own.inside_variance / own.n_hits as f64).sqrt()
    };
    assert!(rows.iter().filter(far).count() as f64 > 0.3 * n);
    let share = rows.iter().filter(|row| row.p_value <= 0.05).count() as f64 / n;
    assert!(
        share < 0.05 + 2.6 * (0.05 * 0.95 / n).sqrt(),
        "{share} of {n}"
    );
    assert!(rows.iter().filter(|row| row.order_sd > 0.05).count() as f64 > 0.9 * n);
}

#[test]
fn batches_change_nothing() {
    let queries = [query("word", WORD), query("other", OTHER)];
    let text = |request: &EnrichmentRequest| {
        let found = run_with(16, &queries, &Noise(2), request);
        serde_json::to_string(&(
            &found.pairs,
            &found.statistics,
            &found.profile,
            &found.motifs,
        ))
        .unwrap()
    };
    assert_eq!(
        text(&request()),
        text(&EnrichmentRequest {
            batch: 17,
            ..request()
        })
    );
    assert_ne!(
        text(&request()),
        text(&EnrichmentRequest {
            seed: 2,
            ..request()
        })
    );
}

#[test]
fn elements_count_where_they_may_lie() {
    let toml = |first: i64, last: i64| {
        let text = String::from_utf8_lossy(WORD);
        format!(
            "[[element]]\nid = 'word'\nname = 'Word'\ntaxon = 'metazoa'\nanchor = 'tss'\nfirst = {first}\nlast = {last}\nconsensus = '{text}'\nsource = 's'\n"
        )
    };
    // The word begins 300 bases before the start site.
    for (first, last, usable) in [
        (-300, -300, 30),
        (-306, -306, 0),
        (-295, -295, 30),
        (-280, -200, 0),
    ] {
        let element = crate::motifs::elements::from_toml(Path::new("x"), &toml(first, last))
            .unwrap()
            .remove(0);
        let queries = [Query {
            motif: element.motif.clone(),
            element: Some(element),
        }];
        let found = run_with(
            30,
            &queries,
            &Edges,
            &EnrichmentRequest {
                controls: vec![Control::Position],
                ..request()
            },
        );
        let row = &found.motifs[0];
        assert_eq!(
            (
                row.n_usable,
                row.n_usable + row.n_misplaced + row.n_not_plain
            ),
            (usable, row.n_hits),
            "{first}"
        );
        assert!(row.n_hits >= 30);
    }
}

/// Orders of the columns and places without a hit lie where the element may, on its strand; hits by
/// chance are counted.
#[test]
fn controls_of_an_element_lie_where_it_may() {
    let text = "[[element]]\nid = 'e'\nname = 'E'\ntaxon = 'metazoa'\nanchor = 'tss'\nfirst = -310\nlast = -260\nconsensus = 'TTGAS'\nsource = 's'\n";
    for either in [false, true] {
        let text = format!("{text}either_strand = {either}\n");
        let element = crate::motifs::elements::from_toml(Path::new("x"), &text)
            .unwrap()
            .remove(0);
        let queries = [Query {
            motif: element.motif.clone(),
            element: Some(element),
        }];
        let asked = EnrichmentRequest {
            controls: vec![Control::Permuted, Control::Position],
            panels: vec!["e".into()],
            ..request()
        };
        let found = run_with(40, &queries, &Noise(9), &asked);
        let row = &found.motifs[0];
        // 61 places and the slack of 5 bases at each end on one strand of 40 promoters, words of
        // chance 2 / 4^5; and 40 were put there.
        let expected = 40.0 * 61.0 * 2.0 / 1024.0 * if either { 2.0 } else { 1.0 };
        assert!(
            (row.n_expected / expected - 1.0).abs() < 0.15,
            "{} {expected}",
            row.n_expected
        );
        assert!(row.n_usable >= 38, "{row:?}");
        let offset = |name: &str| {
            let fields: Vec<&str> = name.split([':', '-']).collect();
            let (start, end): (i64, i64) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
            let tss = found
                .promoters
                .iter()
                .map(|p| p.tss.unwrap() as i64)
                .min_by_key(|tss| (tss - start).abs())
                .unwrap();
            if (tss - 1500) / 3000 % 2 == 0 {
                start - tss
            } else {
                tss - end
            }
        };
        let pairs: Vec<&PairRow> = found.pairs.iter().collect();
        assert!(
            pairs.len() > 25
                && pairs.iter().all(|p| [&p.hit, &p.control_place]
                    .iter()
                    .all(|name| (-315..=-255).contains(&offset(name))))
        );
        // Permuted words are as rare: some two hits a matrix, not the forty of whole promoters.
        let orders: Vec<u64> = found
            .orders
            .iter()
            .filter(|order| order.order > 0)
            .map(|order| order.n_hits)
            .collect();
        let mean = orders.iter().sum::<u64>() as f64 / orders.len() as f64;
        assert!(
            mean > 0.4 * expected && mean < 4.0 * expected,
            "{mean} {expected}"
        );
        assert!(
            found
                .statistics
                .iter()
                .any(|row| row.control == "permuted" && row.n_orders >= 20)
        );
    }
}

/// Windows outside keep away from promoters given without an annotation; unmatched hits are told.
#[test]
fn what_lies_outside_is_far_from_every_start_site() {
    let found = run_with(
        40,
        &[query("word", WORD)],
        &Noise(1),
        &EnrichmentRequest {
            controls: vec![Control::Outside],
            ..request()
        },
    );
    let tss: Vec<u64> = found.promoters.iter().filter_map(|p| p.tss).collect();
    assert!(!found.pairs.is_empty());
    for pair in found.pairs.iter().filter(|pair| pair.control == "outside") {
        let range = pair.control_place.split(':').nth(1).unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let (start, end): (u64, u64) = (start.parse().unwrap(), end.parse().unwrap());
        assert!(
            tss.iter()
                .all(|tss| end + TSS_DISTANCE_BP as u64 <= *tss
                    || start >= tss + TSS_DISTANCE_BP as u64),
            "{pair:?}"
        );
    }
    let lost: u64 = found
        .unmatched
        .iter()
        .filter(|row| row.control == "outside")
        .map(|row| row.n_hits)
        .sum();
    assert_eq!(
        lost + found
            .pairs
            .iter()
            .filter(|p| p.control == "outside")
            .count() as u64,
        found.motifs[0].n_usable
    );
}

/// Without a wish, every hit is shown of the first of the panels, or where it has too few, of the
/// motif with most.
#[test]
fn some_motif_is_always_shown_in_detail() {
    let queries = [query("nowhere", b"AACCGGTTAACCGGTT"), query("word", WORD)];
    for (panel, shown) in [("nowhere", "word"), ("word", "word")] {
        let asked = EnrichmentRequest {
            panels: vec![panel.into()],
            detail: vec![],
            controls: vec![Control::Position],
            ..request()
        };
        let found = run_with(20, &queries, &Edges, &asked);
        assert!(!found.detail.is_empty() && found.detail.iter().all(|row| row.motif_id == shown));
    }
}

#[test]
fn nothing_to_ask_about_is_no_error() {
    let (_folder, genome, promoters) = world(3);
    let none = run(
        &genome,
        None,
        &Promoters::default(),
        &[query("word", WORD)],
        &Edges,
        &request(),
        &|_| {},
    )
    .unwrap();
    assert_eq!(
        (
            none.motifs[0].status.as_str(),
            none.statistics.len(),
            none.hits.len()
        ),
        ("no_hits", 0, 0)
    );
    let few = run(
        &genome,
        None,
        &promoters,
        &[query("word", WORD)],
        &Edges,
        &request(),
        &|_| {},
    )
    .unwrap();
    assert_eq!(
        (few.motifs[0].status.as_str(), few.statistics.len()),
        ("few_hits", 0)
    );
    assert!(
        !few.profile.is_empty() && !few.detail.is_empty(),
        "panels show what there is"
    );
    for wrong in [
        EnrichmentRequest {
            flank: 0,
            ..request()
        },
        EnrichmentRequest {
            margin: 400,
            ..request()
        },
        EnrichmentRequest {
            p: 0.5,
            ..request()
        },
        EnrichmentRequest {
            controls: vec![],
            ..request()
        },
        EnrichmentRequest {
            negative_control: true,
            ..request()
        },
    ] {
        assert!(run(&genome, None, &promoters, &[], &Edges, &wrong, &|_| {}).is_err());
    }
}

#[test]
fn endpoints_by_hand() {
    // Width 6, flank 2: edges at 2 and 8.
    let profile: Vec<f32> = (0..11).map(|i| i as f32).collect();
    assert_eq!(endpoints(&profile, 2, 6), ((2.0 + 8.0) / 2.0, 5.0));
    assert_eq!(endpoints(&profile, 2, 4).1, 4.0);
    assert_eq!(endpoints(&profile, 2, 2), (3.0, 3.0));
    assert!(endpoints(&profile, 2, 1).1.is_nan());
}

/// The first of the random functions of two letters that stand beside the model, as a model.
struct TwoLetters([f32; 16]);

impl BoundarySource for TwoLetters {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let code = |letter: u8| b"ACGT".iter().position(|b| *b == letter).unwrap_or(0);
        let value = |s: &[u8], t: usize| {
            if t == 0 {
                1.0
            } else {
                self.0[code(s[t - 1]) * 4 + code(s[t])]
            }
        };
        Ok(stretches
            .iter()
            .map(|s| &s.letters)
            .map(|s| (0..s.len()).map(|t| value(s, t)).collect())
            .collect())
    }
}

#[test]
fn two_letters_alone_single_out_motifs_and_are_counted_beside_the_model() {
    let asked = EnrichmentRequest {
        controls: vec![Control::Position, Control::Outside],
        panels: Vec::new(),
        detail: Vec::new(),
        ..request()
    };
    let mut draws = Rng::new(asked.seed).derive("yardsticks").derive_number(0);
    let model = TwoLetters(std::array::from_fn(|_| draws.uniform() as f32));
    let found = run_with(120, &random_queries(40, &mut Rng::new(5)), &model, &asked);
    assert_eq!(found.yardsticks.len(), 2 * 2 * YARDSTICKS);
    let mut singled_out = 0;
    for row in found.yardsticks.iter().filter(|row| row.track == 1) {
        let of: Vec<_> = found
            .statistics
            .iter()
            .filter(|s| s.control == row.control && s.endpoint == row.endpoint)
            .collect();
        let significant = |up: bool| {
            of.iter()
                .filter(|s| s.p_bh <= 0.05 && (s.difference > 0.0) == up)
                .count() as u64
        };
        assert_eq!(row.n_tested, of.len() as u64);
        assert!(
            row.n_higher.abs_diff(significant(true)) + row.n_lower.abs_diff(significant(false))
                <= 2,
            "{row:?}"
        );
        singled_out += row.n_higher + row.n_lower;
    }
    println!("{singled_out} comparisons differ by two letters alone");
    assert!(singled_out > 20);
}
