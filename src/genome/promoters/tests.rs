use std::io::Write;

use super::*;
use crate::genome::annotation::{Gene, Transcript};

fn contigs() -> Vec<Contig> {
    [("chr1", 1000), ("chr2", 500)]
        .map(|(name, length_bp)| Contig {
            name: name.into(),
            length_bp,
        })
        .to_vec()
}

const WINDOW: Window = Window {
    upstream_bp: 50,
    downstream_bp: 10,
};

fn gene(
    id: &str,
    biotype: &str,
    contig: usize,
    strand: Strand,
    transcripts: &[(&str, usize, usize)],
) -> Gene {
    let transcripts: Vec<Transcript> = transcripts
        .iter()
        .map(|(id, start, end)| Transcript {
            id: id.to_string(),
            exons: vec![Interval::new(*start, *end)],
            ..Transcript::default()
        })
        .collect();
    let interval = Interval::new(0, 1000);
    Gene {
        id: id.into(),
        name: String::new(),
        biotype: biotype.into(),
        contig,
        strand,
        interval,
        transcripts,
    }
}

fn annotation() -> Annotation {
    let genes = vec![
        gene(
            "a",
            "protein_coding",
            0,
            Strand::Plus,
            &[("a1", 100, 300), ("a2", 100, 200), ("a3", 600, 700)],
        ),
        gene("b", "protein_coding", 0, Strand::Minus, &[("b1", 20, 80)]),
        gene("c", "lncRNA", 0, Strand::Plus, &[("c1", 400, 500)]),
        gene("d", "protein_coding", 0, Strand::Minus, &[("d1", 900, 951)]),
        gene("e", "protein_coding", 1, Strand::Plus, &[("e1", 400, 500)]),
        gene("f", "protein_coding", 0, Strand::Plus, &[("f1", 49, 60)]),
    ];
    Annotation {
        contigs: vec!["1".into(), "other".into()],
        genes,
        ..Annotation::default()
    }
}

fn of(tss: TssChoice, biotypes: &[&str]) -> Promoters {
    let biotypes = biotypes.iter().map(|b| b.to_string()).collect();
    Promoters::of_annotation(
        &annotation(),
        &contigs(),
        &PromoterRequest {
            tss,
            biotypes,
            window: WINDOW,
        },
    )
    .unwrap()
}

fn seen(promoters: &Promoters) -> Vec<(&str, usize, usize, Option<usize>, usize)> {
    promoters
        .promoters
        .iter()
        .map(|p| {
            (
                p.id.as_str(),
                p.window.start,
                p.window.end,
                p.tss,
                p.cluster,
            )
        })
        .collect()
}

#[test]
fn windows_lie_upstream_of_either_strand() {
    let found = of(TssChoice::Unique, &["protein_coding"]);
    // a (plus) and b (minus) share bases; a3 belongs to the same gene as a1. d starts at the far
    // end of its exon.
    let expected = [
        ("a1", 50, 110, Some(100), 0),
        ("b1", 70, 130, Some(80), 0),
        ("a3", 550, 610, Some(600), 0),
    ];
    assert_eq!(seen(&found), expected);
    assert_eq!(
        (
            found.n_clusters,
            found.promoters[1].strand,
            found.promoters[0].gene.as_str()
        ),
        (1, Some(Strand::Minus), "a")
    );
    // d's window ends at 1001, f's would start before 0.
    let dropped = [
        (Dropped::ContigNotInGenome, 1),
        (Dropped::BiotypeNotChosen, 1),
        (Dropped::SamePosition, 1),
        (Dropped::WindowOffContig, 2),
    ];
    assert_eq!(found.dropped, BTreeMap::from(dropped));
}

#[test]
fn one_a_gene_or_one_a_transcript() {
    let all = of(TssChoice::All, &[]);
    assert_eq!(
        seen(&all).iter().map(|p| p.0).collect::<Vec<_>>(),
        ["a1", "a2", "b1", "c1", "a3"]
    );
    assert_eq!(
        seen(&all).iter().map(|p| p.4).collect::<Vec<_>>(),
        [0, 0, 0, 1, 0]
    );
    let canonical = of(TssChoice::Canonical, &[]);
    assert_eq!(
        seen(&canonical).iter().map(|p| p.0).collect::<Vec<_>>(),
        ["a1", "b1", "c1"]
    );
    assert_eq!(
        (
            canonical.n_clusters,
            canonical.dropped[&Dropped::TranscriptNotChosen]
        ),
        (2, 2)
    );
    let request = PromoterRequest {
        tss: TssChoice::All,
        biotypes: vec!["tRNA".into()],
        window: WINDOW,
    };
    let message = Promoters::of_annotation(&annotation(), &contigs(), &request)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("'tRNA'") && message.contains("lncRNA, protein_coding"),
        "{message}"
    );
    // A transcript is accounted for whatever is asked.
    for found in [&all, &canonical, &of(TssChoice::Unique, &["lncRNA"])] {
        assert_eq!(
            found.promoters.len() + found.dropped.values().sum::<usize>(),
            8
        );
    }
}

#[test]
fn a_shared_start_ties_both_genes() {
    let genes = vec![
        gene("a", "", 0, Strand::Plus, &[("a1", 100, 300)]),
        gene(
            "b",
            "",
            0,
            Strand::Plus,
            &[("b1", 100, 300), ("b2", 700, 800)],
        ),
        gene("c", "", 0, Strand::Plus, &[("c1", 400, 500)]),
    ];
    let annotation = Annotation {
        contigs: vec!["1".into()],
        genes,
        ..Annotation::default()
    };
    let request = PromoterRequest {
        tss: TssChoice::Unique,
        biotypes: Vec::new(),
        window: WINDOW,
    };
    let found = Promoters::of_annotation(&annotation, &contigs(), &request).unwrap();
    assert_eq!(
        seen(&found).iter().map(|p| (p.0, p.4)).collect::<Vec<_>>(),
        [("a1", 0), ("c1", 1), ("b2", 0)]
    );
}

fn bed(text: &str, anchor: BedAnchor) -> Result<Promoters> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.bed");
    std::fs::write(&path, text).unwrap();
    let plain = read_bed(&path, &contigs(), anchor);
    let mut gz = flate2::write::GzEncoder::new(
        std::fs::File::create(&path).unwrap(),
        flate2::Compression::fast(),
    );
    gz.write_all(text.replace('\n', "\r\n").as_bytes()).unwrap();
    gz.finish().unwrap();
    let packed = read_bed(&path, &contigs(), anchor);
    assert_eq!(
        plain.as_ref().ok().map(seen),
        packed.as_ref().ok().map(seen)
    );
    plain
}

#[test]
fn bed_regions_as_they_are_or_by_their_starts() {
    let text = "track name=x\n# c\nchr1\t200\t260\tp1\t0\t+\t249\t260\n1\t300\t360\tp2\t0\t-\t300\t311\nchrX\t1\t2\tp3\t0\t+\t1\t2\n\
                chr1\t200\t260\tp1\t0\t+\t249\t260\n2\t0\t40\t.\t0\t.\t0\t40\n";
    let regions = bed(text, BedAnchor::Region).unwrap();
    assert_eq!(
        seen(&regions),
        [
            ("p1", 200, 260, None, 0),
            ("p2", 300, 360, None, 1),
            ("2:0-40", 0, 40, None, 2)
        ]
    );
    assert_eq!(
        regions.dropped,
        BTreeMap::from([(Dropped::ContigNotInGenome, 1), (Dropped::SamePosition, 1)])
    );
    assert_eq!(
        regions
            .promoters
            .iter()
            .map(|p| p.strand)
            .collect::<Vec<_>>(),
        [Some(Strand::Plus), Some(Strand::Minus), None]
    );
    let starts = bed(text, BedAnchor::FivePrime(WINDOW)).unwrap();
    assert_eq!(
        seen(&starts),
        [
            ("p1", 150, 210, Some(200), 0),
            ("p2", 350, 410, Some(360), 1)
        ]
    );
    assert_eq!(starts.dropped[&Dropped::NoStrand], 1);
    // EPDnew: the thick part starts at the start site, 49 bases into the region.
    let thick = bed(text, BedAnchor::Thick(WINDOW)).unwrap();
    assert_eq!(
        seen(&thick),
        [
            ("p1", 199, 259, Some(249), 0),
            ("p2", 301, 361, Some(311), 1)
        ]
    );
    assert_eq!(
        bed("chr1 5 9\n", BedAnchor::Region).unwrap().promoters[0].window,
        Interval::new(5, 9)
    );
    // A byte-order mark is no part of the first contig's name.
    assert!(
        bed(&format!("\u{feff}{}", &text[17..]), BedAnchor::Region)
            .unwrap()
            .dropped
            == regions.dropped
    );
    for (text, anchor, part) in [
        (
            "chr1\t5\n",
            BedAnchor::Region,
            "x.bed:1: a BED line has at least three columns",
        ),
        (
            "#\nchr1\t9\t5\n",
            BedAnchor::Region,
            ":2: the end 5 lies before the start 9",
        ),
        (
            "#\nchr1\t5\t5\n",
            BedAnchor::Region,
            ":2: the region 5-5 is empty",
        ),
        ("chr1\t5\t-6\n", BedAnchor::Region, "'-6' is no position"),
        (
            "chr1\t5\t6\tn\t0\t*\n",
            BedAnchor::Region,
            "'*' is no strand",
        ),
        (
            "chr1\t5\t6\tn\t0\t+\n",
            BedAnchor::Thick(WINDOW),
            "a thick part takes 8",
        ),
        (
            "chrQ\t5\t6\n",
            BedAnchor::Region,
            "(chrQ) is in the genome (chr1, chr2)",
        ),
        ("", BedAnchor::Region, "no regions"),
    ] {
        let message = bed(text, anchor).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn epd_counts_from_1_and_names_the_first_transcribed_base() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.fps");
    let text = "FP   UP_1                :+U  EU:NC_000001.11      1+       101;     1.\n\
                FP   DOWN_1              :+U  EU:NC_000001.11      1-       101;     2.\n\
                FP   OFF_1               :+U  EU:NC_000001.11      1-         5;     3.\nXX\n";
    std::fs::write(&path, text).unwrap();
    let found = read_fps(&path, &contigs(), WINDOW).unwrap();
    // Base 101 is base 100 counted from 0: on plus between 99 and 100, on minus between 100 and
    // 101.
    assert_eq!(
        seen(&found),
        [
            ("UP_1", 50, 110, Some(100), 0),
            ("DOWN_1", 91, 151, Some(101), 0)
        ]
    );
    assert_eq!(
        found.dropped,
        BTreeMap::from([(Dropped::WindowOffContig, 1)])
    );
    for (line, part) in [
        ("FP   A :+U  EU:NC_000001.11 1? 5; 1.", "'1?' does not end"),
        ("FP   A :+U  EU:NC_000001.11 1+ 0; 1.", "count from 1"),
        ("FP   A", "no sequence"),
    ] {
        std::fs::write(&path, line).unwrap();
        let message = read_fps(&path, &contigs(), WINDOW).unwrap_err().to_string();
        assert!(
            message.contains(part) && message.contains("x.fps:1"),
            "{message}"
        );
    }
}

#[test]
fn genes_of_one_identifier_are_replicated_by_themselves() {
    let two = [
        gene(
            "a",
            "x",
            0,
            Strand::Plus,
            &[("a1", 100, 200), ("a2", 300, 400)],
        ),
        gene("a", "x", 0, Strand::Plus, &[("a1", 800, 900)]),
    ];
    let annotation = Annotation {
        contigs: vec!["1".into()],
        genes: two.to_vec(),
        ..Annotation::default()
    };
    let asked = PromoterRequest {
        tss: TssChoice::All,
        biotypes: Vec::new(),
        window: WINDOW,
    };
    let found = Promoters::of_annotation(&annotation, &contigs(), &asked).unwrap();
    assert_eq!(
        found
            .promoters
            .iter()
            .map(|promoter| promoter.cluster)
            .collect::<Vec<_>>(),
        [0, 0, 1]
    );
}
