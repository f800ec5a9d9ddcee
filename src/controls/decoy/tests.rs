use std::collections::HashSet;

use super::*;
use crate::genome::sequence::{gc_fraction, reverse_complement};

const REQUEST: DecoyRequest = DecoyRequest { radius_bp: 20, gc_flank_bp: 10, caliper: 0.1, min_site_distance_bp: 1, second: false };

fn random_sequence(len: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| b"ACGTacgt"[rng.below(8)]).collect()
}

fn wanted(positions: &[usize], gene: Interval) -> Vec<Wanted> {
    positions.iter().enumerate().map(|(site, position)| Wanted { site, position: *position, genes: vec![gene] }).collect()
}

fn run(sequence: &[u8], kind: SiteKind, strand: Strand, wanted: &[Wanted], request: &DecoyRequest) -> (Vec<Match>, Balance) {
    let annotated: BTreeSet<usize> = wanted.iter().map(|w| w.position).collect();
    let mut balance = Balance::default();
    let mut found =
        match_decoys(&Search { sequence, kind, strand, annotated: &annotated }, wanted, request, &mut Rng::new(1), &mut balance);
    found.sort_by_key(|m| m.site);
    (found, balance)
}

#[test]
fn decoys_are_what_was_asked_for_on_both_strands() {
    let sequence = random_sequence(6000, 3);
    let gene = Interval::new(500, 5500);
    let positions: Vec<usize> = (0..40).map(|i| 600 + 110 * i).collect();
    for kind in SiteKind::ALL {
        for strand in [Strand::Plus, Strand::Minus] {
            let (found, balance) = run(&sequence, kind, strand, &wanted(&positions, gene), &REQUEST);
            let flanks = |position: usize| {
                let (left, right) = (gc_fraction(&sequence[position - 10..position]), gc_fraction(&sequence[position..position + 10]));
                if strand == Strand::Plus { (left, right) } else { (right, left) }
            };
            let mut seen = HashSet::new();
            for m in &found {
                let decoy = m.decoy.expect("a random sequence has enough");
                assert!(kind.has_dinucleotide(&sequence, strand, decoy.position));
                assert!(seen.insert(decoy.position) && !positions.contains(&decoy.position));
                let (site, control) = (flanks(positions[m.site]), flanks(decoy.position));
                assert!((site.0 - control.0).abs() < 0.1 + 1e-9 && (site.1 - control.1).abs() < 0.1 + 1e-9);
                assert!((decoy.covariates.gc_upstream - control.0).abs() < 1e-12);
                assert!((m.covariates.gc_downstream - site.1).abs() < 1e-12);
                let distance = (decoy.position - 500).min(5500 - decoy.position) as f64;
                assert_eq!(decoy.covariates.gene_end_distance_bp, distance);
            }
            let all = (521..5480).filter(|p| kind.has_dinucleotide(&sequence, strand, *p) && !positions.contains(p)).count();
            let near_ends = (501..5500).filter(|p| kind.has_dinucleotide(&sequence, strand, *p) && !positions.contains(p)).count();
            let pool = balance.rows("", "")[0].n_pool as usize;
            assert!(all <= pool && pool <= near_ends, "{all} {pool} {near_ends}");
        }
    }
}

#[test]
fn the_mirror_image_has_the_mirrored_pool() {
    let sequence = random_sequence(3000, 4);
    let mirrored = reverse_complement(&sequence);
    let positions = [700, 900, 1100];
    let mirror = |p: &usize| 3000 - p;
    for kind in SiteKind::ALL {
        let (_, plus) = run(&sequence, kind, Strand::Plus, &wanted(&positions, Interval::new(500, 2500)), &REQUEST);
        let there: Vec<usize> = positions.iter().map(mirror).collect();
        let (_, minus) = run(&mirrored, kind, Strand::Minus, &wanted(&there, Interval::new(500, 2500)), &REQUEST);
        for (a, b) in plus.rows("", "").iter().zip(minus.rows("", "")) {
            assert_eq!((a.n_sites, a.n_pool), (b.n_sites, b.n_pool));
            assert!((a.control_mean_before - b.control_mean_before).abs() < 1e-9, "{}", a.covariate);
            assert!((a.site_mean_before - b.site_mean_before).abs() < 1e-9, "{}", a.covariate);
        }
    }
}

#[test]
fn no_partner_where_there_is_none() {
    // GTs only in G+C-rich surroundings, and a site in A+T-rich ones.
    let sequence: Vec<u8> = [b"AATAATAATA".repeat(20), b"GCCGTGCCGG".repeat(20)].concat();
    let gene = Interval::new(30, 370);
    let (found, _) = run(&sequence, SiteKind::Donor, Strand::Plus, &wanted(&[100], gene), &REQUEST);
    assert_eq!(found[0].decoy, None);
    let (found, _) = run(&sequence, SiteKind::Donor, Strand::Plus, &wanted(&[303], gene), &REQUEST);
    assert!(found[0].decoy.is_some());
    // N within the window, or everything annotated.
    let masked: Vec<u8> = sequence.iter().enumerate().map(|(i, b)| if i % 15 == 0 { b'N' } else { *b }).collect();
    let (found, balance) = run(&masked, SiteKind::Donor, Strand::Plus, &wanted(&[303], gene), &REQUEST);
    assert!(found[0].decoy.is_none() && balance.rows("", "")[0].n_pool == 0);
    assert!(run(&sequence, SiteKind::Donor, Strand::Plus, &[], &REQUEST).0.is_empty());
    assert!(run(b"", SiteKind::Donor, Strand::Plus, &wanted(&[30], gene), &REQUEST).0[0].decoy.is_none());
}

#[test]
fn one_decoy_serves_one_site() {
    let sequence: Vec<u8> = [b"ACATACATAC".repeat(20), b"GT".to_vec(), b"ACATACATAC".repeat(20)].concat();
    let (found, _) = run(
        &sequence,
        SiteKind::Donor,
        Strand::Plus,
        &wanted(&[100, 110, 120], Interval::new(30, 380)),
        &DecoyRequest { caliper: 1.0, ..REQUEST },
    );
    assert_eq!(found.iter().filter_map(|m| m.decoy).map(|d| d.position).collect::<Vec<_>>(), [200]);
}

#[test]
fn decoys_keep_their_distance_from_sites() {
    // Every donor reads GTAAGT, so that a GT lies four bases on.
    let mut sequence = random_sequence(6000, 6);
    let positions: Vec<usize> = (0..40).map(|i| 600 + 110 * i).collect();
    positions.iter().for_each(|p| sequence[*p..*p + 6].copy_from_slice(b"GTAAGT"));
    let nearest = |min_site_distance_bp| {
        let request = DecoyRequest { min_site_distance_bp, ..REQUEST };
        let sites = wanted(&positions, Interval::new(500, 5500));
        let (found, _) = run(&sequence, SiteKind::Donor, Strand::Plus, &sites, &request);
        let distances = found.iter().filter_map(|m| m.decoy).map(|d| positions.iter().map(|p| p.abs_diff(d.position)).min());
        distances.flatten().min().unwrap()
    };
    assert!(nearest(1) <= 4);
    assert!(nearest(5) >= 5);
    assert!(nearest(30) >= 30);
}

#[test]
fn second_decoys_are_others() {
    let sequence = random_sequence(6000, 8);
    let positions: Vec<usize> = (0..40).map(|i| 600 + 110 * i).collect();
    let (found, _) = run(
        &sequence,
        SiteKind::Acceptor,
        Strand::Minus,
        &wanted(&positions, Interval::new(500, 5500)),
        &DecoyRequest { second: true, ..REQUEST },
    );
    let all: Vec<usize> = found.iter().flat_map(|m| [m.decoy, m.second]).flatten().map(|d| d.position).collect();
    assert!(all.len() > 70 && all.iter().collect::<HashSet<_>>().len() == all.len());
}

#[test]
fn a_long_gene_is_fast() {
    let sequence = random_sequence(4_000_000, 5);
    let positions: Vec<usize> = (0..400).map(|i| 1000 + 9000 * i).collect();
    let start = std::time::Instant::now();
    let request = DecoyRequest { radius_bp: 120, gc_flank_bp: 50, caliper: 0.05, min_site_distance_bp: 1, second: false };
    let (found, balance) = run(&sequence, SiteKind::Donor, Strand::Plus, &wanted(&positions, Interval::new(0, 4_000_000)), &request);
    assert!(found.iter().all(|m| m.decoy.is_some()) && balance.rows("", "")[0].n_pool > 240_000);
    assert!(start.elapsed().as_secs() < 10);
}
