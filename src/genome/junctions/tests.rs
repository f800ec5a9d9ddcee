use super::*;
use crate::genome::region;
use crate::genome::sequence::reverse_complement;

fn annotation(lines: &[&str]) -> Annotation {
    let text: String = lines
        .iter()
        .map(|line| line.replace(' ', "\t").replace('~', " ") + "\n")
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Annotation::open(file.path()).unwrap()
}

fn exon(
    contig: &str,
    strand: char,
    transcript: &str,
    gene: &str,
    start: usize,
    end: usize,
) -> String {
    let attributes =
        format!("gene_id~\"{gene}\";~transcript_id~\"{transcript}\";~gene_biotype~\"coding\";");
    format!("{contig} t exon {start} {end} . {strand} . {attributes}")
}

fn request(transcripts: TranscriptChoice) -> JunctionRequest {
    JunctionRequest {
        transcripts,
        biotypes: Vec::new(),
        contigs: Vec::new(),
        regions: Vec::new(),
        min_intron_bp: 4,
    }
}

fn located(junctions: &Junctions) -> Vec<(&'static str, usize, char)> {
    junctions
        .sites
        .iter()
        .map(|s| (s.kind.name(), s.position, s.strand.symbol()))
        .collect()
}

#[test]
fn both_strands_have_their_sites_where_exon_and_intron_meet() {
    // 1-based closed exons 1-10 and 21-30: the intron is bases [10, 20).
    let set = annotation(&[
        &exon("1", '+', "t1", "a", 1, 10),
        &exon("1", '+', "t1", "a", 21, 30),
    ]);
    let junctions = Junctions::new(&set, &["chr1"], &request(TranscriptChoice::All)).unwrap();
    assert_eq!(
        located(&junctions),
        [("donor", 10, '+'), ("acceptor", 20, '+')]
    );
    let set = annotation(&[
        &exon("1", '-', "t1", "a", 1, 10),
        &exon("1", '-', "t1", "a", 21, 30),
    ]);
    let junctions = Junctions::new(&set, &["chr1"], &request(TranscriptChoice::All)).unwrap();
    assert_eq!(
        located(&junctions),
        [("acceptor", 10, '-'), ("donor", 20, '-')]
    );
}

#[test]
fn the_mirror_image_gives_the_same_verdicts() {
    let plus = b"TTTTTTTTTTgtAAAAAAagCCCCCCCCCCCCCCGTTTTTAGGGGGGGGGGGGGGG".to_vec();
    let (mut verdicts, len) = (Vec::new(), plus.len());
    for strand in ['+', '-'] {
        let sequence = if strand == '+' {
            plus.clone()
        } else {
            reverse_complement(&plus)
        };
        let place = |start: usize, end: usize| {
            if strand == '+' {
                (start, end)
            } else {
                (len + 1 - end, len + 1 - start)
            }
        };
        let lines: Vec<String> = [(5, 10), (21, 34), (43, 50)]
            .map(|(s, e)| {
                let (s, e) = place(s, e);
                exon("c", strand, "t", "g", s, e)
            })
            .into();
        let set = annotation(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let mut junctions = Junctions::new(&set, &["c"], &request(TranscriptChoice::All)).unwrap();
        junctions.check_sequence(0, &sequence, 5);
        let mut found: Vec<_> = junctions
            .sites
            .iter()
            .map(|s| {
                (
                    s.kind,
                    if strand == '+' {
                        s.position
                    } else {
                        len - s.position
                    },
                    s.status,
                )
            })
            .collect();
        found.sort();
        verdicts.push(found);
    }
    assert_eq!(verdicts[0], verdicts[1]);
    let expected = [
        (SiteKind::Donor, 10),
        (SiteKind::Donor, 34),
        (SiteKind::Acceptor, 20),
        (SiteKind::Acceptor, 42),
    ];
    assert_eq!(
        verdicts[0],
        expected.map(|(kind, position)| (kind, position, SiteStatus::Used))
    );
}

#[test]
fn every_site_has_one_status_and_all_are_counted() {
    //                  1         11        21        31        41        51
    let sequence = b"TTTTTTTTTTGTAAAAAAAGCCCCCCCCCCGCAAAAAAAGTTTTTTTTTTGTNAAAAAAGTTTTTTTTTT";
    let exons = [(2, 10), (21, 30), (41, 50), (61, 63), (65, 66), (101, 110)];
    let lines: Vec<String> = exons
        .iter()
        .map(|(s, e)| exon("c", '+', "t", "g", *s, *e))
        .collect();
    let mut all: Vec<&str> = lines.iter().map(String::as_str).collect();
    let elsewhere = [
        exon("lost", '+', "x", "y", 1, 10),
        exon("lost", '+', "x", "y", 21, 30),
    ];
    all.extend(elsewhere.iter().map(String::as_str));
    let mut junctions =
        Junctions::new(&annotation(&all), &["c"], &request(TranscriptChoice::All)).unwrap();
    junctions.check_sequence(0, sequence, 5);
    let status = |kind, position| {
        junctions
            .sites
            .iter()
            .find(|s| s.kind == kind && s.position == position && s.contig == 0)
            .unwrap()
            .status
    };
    assert_eq!(status(SiteKind::Donor, 10), SiteStatus::Used);
    assert_eq!(status(SiteKind::Donor, 30), SiteStatus::IntronNotGtAg);
    assert_eq!(status(SiteKind::Donor, 50), SiteStatus::WindowNotAcgt);
    assert_eq!(status(SiteKind::Acceptor, 60), SiteStatus::Used);
    assert_eq!(status(SiteKind::Donor, 63), SiteStatus::IntronTooShort);
    assert_eq!(status(SiteKind::Donor, 66), SiteStatus::IntronOffContig);
    assert_eq!(
        junctions.count(SiteKind::Donor)[&SiteStatus::ContigNotInGenome],
        1
    );
    assert_eq!(junctions.count(SiteKind::Donor).values().sum::<usize>(), 6);
    assert_eq!(window_status(sequence, 5, 5), SiteStatus::WindowOffContig);
    assert_eq!(window_status(sequence, 6, 5), SiteStatus::Used);
    assert_eq!(
        window_status(sequence, sequence.len() - 5, 5),
        SiteStatus::WindowOffContig
    );
    assert_eq!(
        window_status(sequence, usize::MAX, 5),
        SiteStatus::WindowOffContig
    );
}

#[test]
fn a_site_of_two_introns_is_judged_by_the_better() {
    let sequence = b"TTTTTTTTTTGTAAAAAAACCCCCCCCCAGTTTTTTTTTT";
    let set = annotation(&[
        &exon("c", '+', "t1", "g", 2, 10),
        &exon("c", '+', "t1", "g", 20, 25),
        &exon("c", '+', "t2", "g", 2, 10),
        &exon("c", '+', "t2", "g", 31, 35),
    ]);
    let mut junctions = Junctions::new(&set, &["c"], &request(TranscriptChoice::All)).unwrap();
    junctions.check_sequence(0, sequence, 3);
    let statuses: Vec<_> = junctions
        .sites
        .iter()
        .map(|s| (s.position, s.status))
        .collect();
    assert_eq!(
        statuses,
        [
            (10, SiteStatus::Used),
            (19, SiteStatus::IntronNotGtAg),
            (30, SiteStatus::Used)
        ]
    );
}

#[test]
fn canonical_rules_in_their_order() {
    let line = |kind: &str, transcript: &str, start: usize, end: usize, more: &str| {
        format!(
            "1 t {kind} {start} {end} . + . gene_id~\"g\";~transcript_id~\"{transcript}\";{more}"
        )
    };
    let base = [
        line("exon", "b", 1, 50, ""),
        line("exon", "b", 61, 90, ""),
        line("exon", "c", 1, 50, ""),
        line("exon", "a", 1, 50, ""),
        line("exon", "a", 61, 90, ""),
    ];
    let canonical = |extra: &[String]| {
        let lines: Vec<&str> = base.iter().chain(extra).map(String::as_str).collect();
        let set = annotation(&lines);
        let (index, rule) = canonical_transcript(&set.genes[0]).unwrap();
        (set.genes[0].transcripts[index].id.clone(), rule)
    };
    assert_eq!(canonical(&[]), ("a".into(), CanonicalRule::FirstId));
    assert_eq!(
        canonical(&[line("exon", "b", 101, 120, "")]),
        ("b".into(), CanonicalRule::LongestExons)
    );
    let cds = line("CDS", "c", 1, 9, "");
    assert_eq!(
        canonical(std::slice::from_ref(&cds)),
        ("c".into(), CanonicalRule::LongestCds)
    );
    let mane = line(
        "transcript",
        "b",
        1,
        90,
        "~tag~\"basic\";~tag~\"MANE~Select\";",
    );
    assert_eq!(
        canonical(&[cds.clone(), mane.clone()]),
        ("b".into(), CanonicalRule::ManeSelect)
    );
    let tag = line("transcript", "a", 1, 90, "~tag~\"Ensembl_canonical\";");
    assert_eq!(
        canonical(&[cds, mane, tag]),
        ("a".into(), CanonicalRule::EnsemblCanonical)
    );
    let alone = annotation(&[&base[0]]);
    assert_eq!(
        canonical_transcript(&alone.genes[0]),
        Some((0, CanonicalRule::OnlyTranscript))
    );
}

// Genes [0, 30) and [40, 90); bases 41-90, counted from 1, are those of the second.
#[test]
fn a_gene_is_asked_about_where_a_region_holds_the_whole_of_it() {
    let set = annotation(&[
        &exon("1", '+', "t1", "a", 1, 10),
        &exon("1", '+', "t1", "a", 21, 30),
        &exon("1", '+', "u1", "b", 41, 60),
        &exon("1", '+', "u1", "b", 71, 90),
    ]);
    let used = |regions: &[&str]| {
        let asked = JunctionRequest {
            regions: regions.iter().map(|r| region::parse(r).unwrap()).collect(),
            ..request(TranscriptChoice::All)
        };
        let found = Junctions::new(&set, &["chr1", "chr2"], &asked)?;
        let all = found.count(SiteKind::Donor);
        let outside = all.get(&SiteStatus::RegionNotChosen).copied();
        let used = all.get(&SiteStatus::Used).copied().unwrap_or(0);
        assert_eq!(used + outside.unwrap_or(0), 2);
        Ok::<usize, Error>(used)
    };
    assert_eq!(used(&[]).unwrap(), 2);
    assert_eq!(used(&["chr1:41-90"]).unwrap(), 1);
    assert_eq!(used(&["1:42-90"]).unwrap(), 0);
    assert_eq!(used(&["1:41-89"]).unwrap(), 0);
    assert_eq!(used(&["1:1-30", "1:35-1000"]).unwrap(), 2);
    assert_eq!(used(&["chr2:1-90"]).unwrap(), 0);
    let error = used(&["chr7:1-90"]).unwrap_err().to_string();
    assert!(error.contains("chr7") && error.contains("chr1"), "{error}");
}

#[test]
fn unchosen_transcripts_and_biotypes_are_counted() {
    let set = annotation(&[
        &exon("1", '+', "t1", "a", 1, 10),
        &exon("1", '+', "t1", "a", 21, 30),
        &exon("1", '+', "t2", "a", 1, 10),
        &exon("1", '+', "t2", "a", 25, 29),
        &exon("1", '-', "u1", "b", 28, 40),
        &exon("1", '-', "u1", "b", 51, 60),
        &exon("1", '+', "v1", "c", 61, 70),
        &exon("1", '+', "v1", "c", 81, 90),
    ]);
    let junctions = Junctions::new(&set, &["chr1"], &request(TranscriptChoice::Canonical)).unwrap();
    assert_eq!(
        junctions.count(SiteKind::Acceptor)[&SiteStatus::TranscriptNotChosen],
        1
    );
    assert_eq!(junctions.canonical_rules[&CanonicalRule::LongestExons], 1);
    assert_eq!(junctions.canonical_rules[&CanonicalRule::OnlyTranscript], 2);
    // a and b overlap on opposite strands; c only touches b.
    let intervals: Vec<_> = junctions.clusters.iter().map(|c| c.interval).collect();
    assert_eq!(intervals, [Interval::new(0, 60), Interval::new(60, 90)]);
    let mut asked = request(TranscriptChoice::All);
    asked.biotypes = vec!["lncRNA".into()];
    let error = Junctions::new(&set, &["chr1"], &asked)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("lncRNA") && error.contains("coding"),
        "{error}"
    );
    asked.biotypes = vec!["coding".into()];
    asked.contigs = vec!["7".into()];
    assert!(
        Junctions::new(&set, &["chr1"], &asked)
            .unwrap_err()
            .to_string()
            .contains("chr1")
    );
    asked.contigs = vec!["1".into()];
    assert_eq!(
        Junctions::new(&set, &["chr1", "chr2"], &asked)
            .unwrap()
            .count(SiteKind::Donor)[&SiteStatus::Used],
        3
    );
    asked.contigs = vec!["chr2".into()];
    assert_eq!(
        Junctions::new(&set, &["chr1", "chr2"], &asked)
            .unwrap()
            .count(SiteKind::Donor)[&SiteStatus::ContigNotChosen],
        3
    );
}
