use super::*;
use crate::pipelines::Stretch;

/// 0.2 everywhere, and 0.8 one base after every place of a set, read on its strand.
struct Planted(BTreeSet<(usize, Strand)>);

impl BoundarySource for Planted {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let value = |stretch: &Stretch<'_>, t: usize| {
            let Some(place) = stretch.place else {
                return 0.2;
            };
            let at = match place.strand {
                Strand::Plus => place.bases.start + t,
                Strand::Minus => place.bases.end - t,
            };
            let planted = place
                .strand
                .downstream(at, -1)
                .map(|site| (site, place.strand));
            let noise = Rng::new(at as u64).uniform() as f32 * 0.1;
            match planted.is_some_and(|site| self.0.contains(&site)) {
                true => 0.8,
                false => 0.2 + noise,
            }
        };
        let read = |s: &Stretch<'_>| (0..s.letters.len()).map(|t| value(s, t)).collect();
        Ok(stretches.iter().map(read).collect())
    }
}

const BLOCK: usize = 4000;

/// Random letters, with two sites a block, on either strand, and records of as many other places.
fn world(blocks: usize) -> (tempfile::TempDir, Genome, [Vec<BedRecord>; 2]) {
    let mut rng = Rng::new(5);
    let sequence: Vec<u8> = (0..blocks * BLOCK).map(|_| b"ACGT"[rng.below(4)]).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.fa");
    std::fs::write(&path, [b">c\n", &sequence[..], b"\n"].concat()).unwrap();
    let mut line = 0;
    let mut records = |offset: usize| -> Vec<BedRecord> {
        let record = |i: usize| {
            line += 1;
            let position = i / 2 * BLOCK + offset + (i % 2) * 1500;
            let strand = if i.is_multiple_of(2) {
                Strand::Plus
            } else {
                Strand::Minus
            };
            BedRecord {
                line,
                contig: "c".into(),
                interval: Interval::new(position, position),
                name: String::new(),
                strand: Some(strand),
            }
        };
        (0..2 * blocks).map(record).collect()
    };
    let lists = [records(400), records(900)];
    (folder, Genome::open(&path).unwrap(), lists)
}

fn planted(sites: &[BedRecord]) -> Planted {
    let place = |r: &BedRecord| (r.interval.start, r.strand.unwrap());
    Planted(sites.iter().map(place).collect())
}

fn request(family: Family) -> SiteProfileRequest {
    let mut request = SiteProfileRequest {
        block_bp: BLOCK,
        ..SiteProfileRequest::default()
    };
    request.comparison.controls.families = vec![family];
    request.comparison.controls.caliper = 0.3;
    request.comparison.flank = 60;
    request.comparison.context = 512;
    request.comparison.margin = 32;
    request.comparison.permutations = 199;
    request.comparison.bootstraps = 50;
    request
}

fn auroc(found: &SiteProfile, control: &str, features: &str) -> (f64, f64) {
    let rows = &found.comparison.discrimination.discrimination;
    let row = rows
        .iter()
        .find(|r| r.control == control && r.features == features)
        .unwrap_or_else(|| panic!("{:?}", found.comparison.discrimination.decoys));
    (row.auroc, row.p_value)
}

#[test]
fn planted_boundaries_are_told_beyond_the_nucleotides() {
    let (_folder, genome, [sites, controls]) = world(30);
    let source = planted(&sites);
    for (family, given, name) in [
        (Family::Random, &[][..], "random"),
        (Family::Bed, &controls[..], "bed"),
    ] {
        let asked = request(family);
        let found = run(&genome, (&sites, given), (&source, None), &asked, &|_| ()).unwrap();
        assert!(auroc(&found, name, "boundaries").0 > 0.99, "{name}");
        assert!(auroc(&found, name, "letters").0 < 0.7, "{name}");
        assert!(
            auroc(&found, name, "letters+boundaries").1 <= 0.005,
            "{name}"
        );
        let named = found.comparison.discrimination.conditional.iter();
        let named: Vec<i64> = named
            .filter(|c| c.p_maxt <= 0.05)
            .map(|c| c.offset)
            .collect();
        assert_eq!(named, [1], "{name}");
        let row = &found.comparison.statistics[0];
        assert_eq!((row.n_pairs, row.n_clusters), (60, 30), "{name}");
        assert!((row.difference - 0.11).abs() < 0.02, "{}", row.difference);
    }
}

#[test]
fn every_record_has_a_status() {
    let (_folder, genome, [mut sites, mut controls]) = world(4);
    sites.push(sites[0].clone());
    sites[1].contig = "no".into();
    sites[2].interval = Interval::new(16, 16);
    sites[3].strand = None;
    controls.truncate(2);
    controls[0].interval = Interval::new(15_000, 15_001);
    controls[1].interval = Interval::new(20_000, 20_001);
    let source = planted(&sites[..1]);
    let asked = SiteProfileRequest {
        max_sites: Some(4),
        ..request(Family::Bed)
    };
    let found = run(
        &genome,
        (&sites, &controls),
        (&source, None),
        &asked,
        &|_| (),
    )
    .unwrap();
    let n: u64 = (found.accounting.iter())
        .filter(|r| r.kind == SITE)
        .map(|r| r.n)
        .sum();
    assert_eq!(n, sites.len() as u64);
    let status = |line: usize| &*found.sites[line].status;
    assert_eq!(
        [status(1), status(2), status(sites.len() - 1)],
        ["contig_not_in_genome", "window_off_contig", "duplicate"]
    );
    assert_eq!(found.unstranded, [1, 0]);
    let off =
        (found.accounting.iter()).find(|r| r.kind == CONTROL && r.status == "window_off_contig");
    assert_eq!(off.map(|r| r.n), Some(1));
    let nowhere = [BedRecord {
        contig: "no".into(),
        ..sites[0].clone()
    }];
    let error = run(&genome, (&nowhere, &[]), (&source, None), &asked, &|_| ()).unwrap_err();
    assert!(error.to_string().contains("no contig 'no'"), "{error}");
}

#[test]
fn anchors_follow_the_strand() {
    let of = Interval::new(10, 15);
    let all = |anchor: Anchor| [Strand::Plus, Strand::Minus].map(|s| anchor.position(of, s));
    assert_eq!(all(Anchor::Start), [10, 15]);
    assert_eq!(all(Anchor::Middle), [12, 12]);
    assert_eq!(all(Anchor::End), [15, 10]);
}
