use std::cell::RefCell;
use std::fmt::Write;

use super::*;
use crate::genome::Strand;
use crate::genome::sequence::reverse_complement;

/// Fires at the start of GTAAGT.
struct Motif;

impl BoundaryModel for Motif {
    fn boundary_probs(&self, sequences: &[Vec<u8>]) -> Result<Vec<Vec<f32>>> {
        let fires = |s: &[u8], t: usize| t == 0 || s[t..].starts_with(b"GTAAGT");
        Ok(sequences.iter().map(|s| (0..s.len()).map(|t| if fires(s, t) { 1.0 } else { 0.125 }).collect()).collect())
    }
}

/// Depends on the twelve bases around a position, half through their G+C, half at random.
struct Noise(u64);

impl BoundaryModel for Noise {
    fn boundary_probs(&self, sequences: &[Vec<u8>]) -> Result<Vec<Vec<f32>>> {
        let value = |s: &[u8], t: usize| {
            let around = &s[t.saturating_sub(6)..(t + 6).min(s.len())];
            let hash = around.iter().fold(0, |h: u64, b| h.wrapping_mul(31).wrapping_add(u64::from(*b)));
            let gc = around.iter().filter(|b| matches!(b, b'G' | b'C')).count() as f64 / 24.0;
            (0.5 * Rng::new(self.0 ^ hash).uniform() + gc) as f32
        };
        Ok(sequences.iter().map(|s| (0..s.len()).map(|t| value(s, t)).collect()).collect())
    }
}

/// Genes of three exons on alternating strands, every second pair of genes overlapping; donors read GTAAGT, which stands nowhere else.
fn world(genes: usize) -> (tempfile::TempDir, Genome, Annotation) {
    let mut rng = Rng::new(77);
    let mut sequence: Vec<u8> = (0..genes * 4000 + 1000).map(|_| b"ACGT"[rng.below(4)]).collect();
    for motif in [b"GTAAGT", b"ACTTAC"] {
        while let Some(at) = sequence.windows(6).position(|w| w == motif) {
            sequence[at + 2] = b'G';
        }
    }
    let mut gtf = String::new();
    for gene in 0..genes {
        let strand = if gene % 2 == 0 { Strand::Plus } else { Strand::Minus };
        let start = 500 + gene * 4000 - if gene % 4 == 1 { 1200 } else { 0 };
        let exons = [(0, 1000), (1400, 2000), (2500, 3000)].map(|(s, e)| (start + s, start + e));
        for intron in [(exons[0].1, exons[1].0), (exons[1].1, exons[2].0)] {
            let mut place = |at: usize, letters: &[u8]| sequence[at..at + letters.len()].copy_from_slice(letters);
            match strand {
                Strand::Plus => {
                    place(intron.0, b"GTAAGT");
                    place(intron.1 - 2, b"AG");
                }
                Strand::Minus => {
                    place(intron.1 - 6, &reverse_complement(b"GTAAGT"));
                    place(intron.0, &reverse_complement(b"AG"));
                }
            }
        }
        for (s, e) in exons {
            writeln!(gtf, "1\tt\texon\t{}\t{e}\t.\t{strand}\t.\tgene_id \"g{gene}\"; transcript_id \"t{gene}\";", s + 1).unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (fasta, annotation) = (folder.path().join("g.fa"), folder.path().join("a.gtf"));
    let lines: Vec<String> = sequence.chunks(60).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    std::fs::write(&fasta, format!(">chr1\n{}\n", lines.join("\n"))).unwrap();
    std::fs::write(&annotation, gtf).unwrap();
    let (genome, annotation) = (Genome::open(&fasta).unwrap(), Annotation::open(&annotation).unwrap());
    (folder, genome, annotation)
}

fn request() -> SpliceProfileRequest {
    SpliceProfileRequest { flank: 60, context: 700, margin: 50, permutations: 499, bootstraps: 200, ..SpliceProfileRequest::default() }
}

#[test]
fn the_spike_is_at_offset_zero_on_both_strands() {
    let (_folder, genome, annotation) = world(24);
    let stages = RefCell::new(Vec::new());
    let found = run(&genome, &annotation, &Motif, &request(), &|p| stages.borrow_mut().push(p)).unwrap();
    assert!(found.pairs.len() > 80, "{}", found.pairs.len());
    for strand in ["+", "-"] {
        assert!(found.sites.iter().any(|s| s.strand == strand && s.status == "used" && s.site_value == Some((1.0 + 4.0 * 0.125) / 5.0)));
    }
    for row in &found.profile {
        let spike = row.site_kind == "donor" && row.group == "site" && row.offset == 0;
        if spike {
            assert_eq!((row.mean, row.ci_low, row.ci_high), (1.0, 1.0, 1.0));
        } else if row.group == "site" && (row.site_kind == "donor" || row.offset.abs() <= 2) {
            assert_eq!(row.mean, 0.125, "{row:?}");
        }
        assert!(row.mean < 0.2 || spike);
    }
    let [donor, acceptor] = &found.statistics[..] else { panic!() };
    assert_eq!((donor.site_kind.as_str(), donor.control.as_str()), ("donor", "decoy"));
    assert!((donor.difference - 0.175).abs() < 1e-9 && donor.auroc == 1.0 && donor.p_value == 1.0 / 500.0, "{donor:?}");
    assert!((donor.ci_low - donor.difference).abs() < 1e-12 && donor.n_clusters == 18);
    assert!(donor.d.is_nan() || donor.d > 1e6); // every pair has the same difference
    assert_eq!((acceptor.difference, acceptor.p_value, acceptor.auroc), (0.0, 1.0, 0.5));
    let last = *stages.borrow().last().unwrap();
    assert_eq!((last.done, last.total, last.stage), (found.bases_read, found.bases_read, "reading sequence"));
    assert_eq!(found.annotation.canonical_rules[&CanonicalRule::OnlyTranscript], 24);
}

#[test]
fn tables_agree_with_each_other() {
    let (_folder, genome, annotation) = world(12);
    let mut asked = request();
    asked.max_sites = Some(15);
    let found = run(&genome, &annotation, &Noise(1), &asked, &|_| ()).unwrap();
    for kind in ["donor", "acceptor"] {
        let total: u64 = found.accounting.iter().filter(|a| a.site_kind == kind).map(|a| a.n).sum();
        let count = |status: &str| found.accounting.iter().find(|a| a.site_kind == kind && a.status == status).unwrap().n;
        assert_eq!((total, count("used") + count("no_partner"), count("not_sampled")), (24, 15, 9));
        let rows: Vec<_> = found.sites.iter().filter(|s| s.site_kind == kind).collect();
        assert_eq!(rows.len(), 24);
        let statistics = found.statistics.iter().find(|s| s.site_kind == kind).unwrap();
        let pairs: Vec<_> = found.pairs.iter().filter(|p| p.site_kind == kind).collect();
        assert_eq!((statistics.n_pairs, pairs.len() as u64), (count("used"), count("used")));
        let difference = pairs.iter().map(|p| p.site_value - p.control_value).sum::<f64>() / pairs.len() as f64;
        assert!((statistics.difference - difference).abs() < 1e-12);
        for pair in pairs {
            let site = rows.iter().find(|s| s.site == pair.site).unwrap();
            assert_eq!((site.status.as_str(), site.site_value), ("used", Some(pair.site_value)));
            assert_eq!(site.control_site.as_ref(), Some(&pair.control_site));
            let control = found.controls.iter().find(|c| c.control_site == pair.control_site && c.site_kind == kind).unwrap();
            assert_eq!((control.control_value, &control.site), (pair.control_value, &pair.site));
            assert!((control.gc_upstream - site.gc_upstream.unwrap()).abs() < 0.05 + 1e-9);
        }
        // The mean profile over the endpoint's offsets is the mean endpoint.
        for (group, value) in [("site", statistics.site_mean), ("decoy", statistics.control_mean)] {
            let rows = found.profile.iter().filter(|p| p.site_kind == kind && p.group == group);
            let middle: f64 = rows.filter(|p| p.offset.abs() <= 2).map(|p| p.mean / 5.0).sum();
            assert!((middle - value).abs() < 1e-9);
        }
    }
    let balance = found.balance.iter().find(|b| b.covariate == "gc_upstream" && b.site_kind == "donor").unwrap();
    assert!(balance.smd_after.abs() <= balance.smd_before.abs() + 0.1 && balance.n_sites == 15);
}

#[test]
fn batches_and_threads_change_nothing_and_seeds_do() {
    let (_folder, genome, annotation) = world(8);
    let with = |batch, seed, threads| {
        let asked = SpliceProfileRequest { batch, seed, ..request() };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| format!("{:?}", run(&genome, &annotation, &Noise(1), &asked, &|_| ()).unwrap()))
    };
    let first = with(4, 1, 1);
    assert_eq!(first, with(1, 1, 3));
    assert_ne!(first, with(4, 2, 1));
}

#[test]
fn decoys_against_decoys_are_null() {
    let (_folder, genome, annotation) = world(16);
    let mut p_values = Vec::new();
    for seed in 0..150 {
        let asked = SpliceProfileRequest { seed, negative_control: true, permutations: 199, bootstraps: 1, ..request() };
        let found = run(&genome, &annotation, &Noise(seed), &asked, &|_| ()).unwrap();
        if seed == 0 {
            let ids = |rows: &[PairRow]| {
                rows.iter()
                    .flat_map(|p| [format!("{}{}", p.site_kind, p.site), format!("{}{}", p.site_kind, p.control_site)])
                    .collect::<Vec<_>>()
            };
            let (all, annotated): (Vec<_>, Vec<_>) =
                (ids(&found.pairs), found.sites.iter().map(|s| format!("{}{}", s.site_kind, s.site)).collect());
            let unique: std::collections::HashSet<_> = all.iter().collect();
            assert!(unique.len() == all.len() && all.len() > 80 && !annotated.iter().any(|s| unique.contains(s)));
            assert!(found.sites.iter().all(|s| s.site_value.is_none()));
        }
        p_values.extend(found.statistics.iter().map(|s| s.p_value));
    }
    p_values.sort_by(f64::total_cmp);
    let n = p_values.len() as f64;
    let distance =
        p_values.iter().enumerate().map(|(i, p)| ((i as f64 + 1.0) / n - p).abs().max((i as f64 / n - p).abs())).fold(0.0, f64::max);
    assert!(distance < 1.63 / n.sqrt(), "Kolmogorov-Smirnov distance to uniform {distance} of {n}");
}

#[test]
fn nothing_usable_is_an_outcome_and_nonsense_an_error() {
    let (_folder, genome, annotation) = world(2);
    let run = |asked: SpliceProfileRequest| run(&genome, &annotation, &Motif, &asked, &|_| ());
    let found = run(SpliceProfileRequest { min_intron_bp: 1_000_000, ..request() }).unwrap();
    assert_eq!(found.accounting.iter().map(|a| a.n).sum::<u64>(), 8);
    assert!(found.pairs.is_empty() && found.profile.is_empty() && found.statistics[0].difference.is_nan());
    assert_eq!((found.statistics[0].n_pairs, found.statistics[0].p_value, found.bases_read), (0, 1.0, 0));
    let table: [(SpliceProfileRequest, &str); 6] = [
        (SpliceProfileRequest { context: 100, ..request() }, "too short"),
        (SpliceProfileRequest { flank: usize::MAX, ..request() }, "too short"),
        (SpliceProfileRequest { flank: 1, ..request() }, "endpoint"),
        (SpliceProfileRequest { caliper: f64::NAN, ..request() }, "caliper"),
        (SpliceProfileRequest { contigs: vec!["chr7".into()], ..request() }, "it has chr1"),
        (SpliceProfileRequest { biotypes: vec!["x".into()], ..request() }, "no gene biotypes"),
    ];
    for (asked, expected) in table {
        let message = run(asked).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    assert_eq!(run(SpliceProfileRequest { contigs: vec!["1".into()], batch: 0, margin: 0, ..request() }).unwrap().sites.len(), 8);
}
