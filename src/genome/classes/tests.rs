use super::*;
use crate::stats::rng::Rng;

fn gene(strand: Strand, exons: &[(usize, usize)], cds: &[(usize, usize)]) -> Gene {
    let parts = |parts: &[(usize, usize)]| {
        parts
            .iter()
            .map(|(a, b)| Interval::new(*a, *b))
            .collect::<Vec<_>>()
    };
    let transcript = Transcript {
        exons: parts(exons),
        cds: parts(cds),
        ..Transcript::default()
    };
    let interval = transcript.exons[0].hull(&transcript.exons[exons.len() - 1]);
    Gene {
        id: "g".into(),
        name: String::new(),
        biotype: String::new(),
        contig: 0,
        strand,
        interval,
        transcripts: vec![transcript],
    }
}

fn windows() -> ClassWindows {
    ClassWindows {
        junction_bp: 5,
        promoter: Window {
            upstream_bp: 20,
            downstream_bp: 10,
        },
    }
}

fn of(found: &ContigClasses, class: Class) -> Vec<(usize, usize, char)> {
    found.stranded[class as usize]
        .iter()
        .map(|(part, strand)| (part.start, part.end, strand.symbol()))
        .collect()
}

#[test]
fn a_gene_and_its_mirror_image() {
    let mut sequence = vec![b'A'; 1000];
    sequence[700..720].fill(b'a');
    let plus = gene(
        Strand::Plus,
        &[(100, 200), (300, 400)],
        &[(150, 200), (300, 350)],
    );
    let minus = gene(
        Strand::Minus,
        &[(600, 700), (800, 900)],
        &[(650, 700), (800, 850)],
    );
    let found = ContigClasses::new(&sequence, &[&plus, &minus], &windows());
    for (class, expected) in [
        (
            Class::Cds,
            vec![
                (150, 200, '+'),
                (300, 350, '+'),
                (650, 700, '-'),
                (800, 850, '-'),
            ],
        ),
        (Class::Utr5, vec![(100, 150, '+'), (850, 900, '-')]),
        (Class::Utr3, vec![(350, 400, '+'), (600, 650, '-')]),
        (Class::Intron, vec![(200, 300, '+'), (700, 800, '-')]),
        (
            Class::Exon,
            vec![
                (100, 200, '+'),
                (300, 400, '+'),
                (600, 700, '-'),
                (800, 900, '-'),
            ],
        ),
        (Class::Donor, vec![(195, 205, '+'), (795, 805, '-')]),
        (Class::Acceptor, vec![(295, 305, '+'), (695, 705, '-')]),
        (Class::Promoter, vec![(80, 110, '+'), (890, 920, '-')]),
        (
            Class::Intergenic,
            vec![(0, 80, '+'), (400, 600, '+'), (920, 1000, '+')],
        ),
        (Class::Repeat, vec![(700, 720, '+')]),
        (Class::NoncodingExon, vec![]),
    ] {
        assert_eq!(of(&found, class), expected, "{}", class.name());
    }
    assert_eq!(
        found.clusters,
        [Interval::new(100, 400), Interval::new(600, 900)]
    );
}

#[test]
fn the_more_telling_class_has_a_base_and_two_strands_none() {
    // An intron of one gene holds a coding exon of another strand; introns of both strands overlap.
    let outer = gene(
        Strand::Plus,
        &[(100, 150), (400, 450)],
        &[(100, 150), (400, 450)],
    );
    let inner = gene(
        Strand::Minus,
        &[(200, 250), (300, 350)],
        &[(200, 250), (300, 350)],
    );
    let noncoding = gene(Strand::Plus, &[(225, 320)], &[]);
    let found = ContigClasses::new(&[b'A'; 600], &[&outer, &inner, &noncoding], &windows());
    assert_eq!(
        of(&found, Class::Cds),
        [
            (100, 150, '+'),
            (200, 250, '-'),
            (300, 350, '-'),
            (400, 450, '+')
        ]
    );
    assert_eq!(of(&found, Class::NoncodingExon), [(250, 300, '+')]);
    assert_eq!(
        of(&found, Class::Intron),
        [(150, 200, '+'), (350, 400, '+')]
    );
    let also = gene(Strand::Minus, &[(120, 160)], &[(120, 160)]);
    let found = ContigClasses::new(&[b'A'; 600], &[&outer, &also], &windows());
    assert_eq!(
        of(&found, Class::Cds),
        [(100, 120, '+'), (150, 160, '-'), (400, 450, '+')]
    );
    assert_eq!(
        found.all[Class::Cds as usize],
        [Interval::new(100, 160), Interval::new(400, 450)]
    );
}

/// Subtraction and overlap against base-by-base sets; and the partition holds each base once,
/// whatever the genes.
#[test]
fn as_counted_base_by_base() {
    let mut rng = Rng::new(5);
    let random = |rng: &mut Rng| {
        let mut parts: Vec<Interval> = (0..6)
            .map(|_| (rng.below(90), 1 + rng.below(12)))
            .map(|(a, n)| Interval::new(a, a + n))
            .collect();
        merge_intervals(&mut parts);
        parts
    };
    let has = |parts: &[Interval], base: usize| {
        parts
            .iter()
            .any(|part| (part.start..part.end).contains(&base))
    };
    for _ in 0..300 {
        let (a, b) = (random(&mut rng), random(&mut rng));
        let left = subtract(&a, &b);
        assert!(
            (0..110).all(|base| has(&left, base) == (has(&a, base) && !has(&b, base))),
            "{a:?} {b:?} {left:?}"
        );
        let (at, n) = (rng.below(100), 1 + rng.below(9));
        let probe = Interval::new(at, at + n);
        assert_eq!(
            overlaps_any(&a, &probe),
            a.iter().any(|part| part.overlaps(&probe))
        );
    }
    for _ in 0..50 {
        let genes: Vec<Gene> = (0..5)
            .map(|_| {
                let at = rng.below(800);
                let strand = if rng.below(2) == 0 {
                    Strand::Plus
                } else {
                    Strand::Minus
                };
                let exons = [(at, at + 50), (at + 80, at + 150)];
                gene(
                    strand,
                    &exons,
                    if rng.below(3) == 0 { &[] } else { &exons[..1] },
                )
            })
            .collect();
        let found =
            ContigClasses::new(&[b'C'; 1000], &genes.iter().collect::<Vec<_>>(), &windows());
        let classes = Class::PARTITION.into_iter().chain([Class::Intergenic]);
        let times = |base| {
            classes
                .clone()
                .filter(|class| has(&found.all[*class as usize], base))
                .count()
        };
        let promoters = &found.all[Class::Promoter as usize];
        assert!((0..1000).all(|base| times(base) == 1 || times(base) == 0 && has(promoters, base)));
        for lists in &found.stranded[..] {
            assert!(lists.iter().all(|(part, _)| part.len_bp() > 0));
        }
    }
}

#[test]
fn only_the_classes_of_some_genes() {
    let asked = gene(Strand::Plus, &[(100, 200), (300, 400)], &[(150, 200)]);
    let other = gene(Strand::Plus, &[(180, 190), (340, 500)], &[(180, 190)]);
    let classes = |genes: &[&Gene]| ContigClasses::new(&[b'A'; 600], genes, &windows());
    let both = classes(&[&asked, &other]);
    let found = classes(&[&asked, &other]).only(&classes(&[&asked]));
    assert_eq!(of(&found, Class::Donor), [(195, 205, '+')]);
    assert_eq!(of(&found, Class::Cds), [(150, 200, '+')]);
    assert_eq!(of(&found, Class::Utr3), [(300, 400, '+')]);
    assert_eq!(of(&found, Class::Intron), [(200, 300, '+')]);
    assert_eq!(of(&found, Class::Promoter), [(80, 110, '+')]);
    assert_eq!(
        (found.all, found.clusters, of(&both, Class::Intergenic)),
        (
            both.all.clone(),
            both.clusters.clone(),
            vec![(0, 80, '+'), (500, 600, '+')]
        )
    );
}
