use std::io::Write;

use super::*;

fn read_text(text: &str) -> Result<Annotation> {
    read(Path::new("test.gtf"), &mut BufReader::new(text.as_bytes()))
}

/// Spaces separate columns, `~` is a space within one.
fn tabs(text: &str) -> String {
    text.replace(' ', "\t").replace('~', " ")
}

const GTF: &str = "#!genome-build x
1 ensembl gene 11 90 . - . gene_id~\"G1\";~gene_name~\"ABC\";~gene_biotype~\"protein_coding\";
1 ensembl transcript 11 90 . - . gene_id~\"G1\";~transcript_id~\"T1\";~transcript_biotype~\"protein_coding\";~tag~\"basic\";~tag~\"Ensembl_canonical\";
1 ensembl exon 71 90 . - . gene_id~\"G1\";~transcript_id~\"T1\";
1 ensembl CDS 71 80 . - 0 gene_id~\"G1\";~transcript_id~\"T1\";
1 ensembl exon 11 40 . - -1 gene_id~\"G1\";~transcript_id~\"T1\";
1 ensembl CDS 21 40 . - -1 gene_id~\"G1\";~transcript_id~\"T1\";
";

const GFF3: &str = "##gff-version~3
1 ensembl exon 71 90 . - . Parent=transcript:T1
1 ensembl exon 11 40 . - . Parent=transcript:T1
1 ensembl CDS 21 40 . - 0 ID=CDS:P1;Parent=transcript:T1
1 ensembl CDS 71 80 . - 0 ID=CDS:P1;Parent=transcript:T1
1 ensembl mRNA 11 90 . - . ID=transcript:T1;Parent=gene:G1;biotype=protein_coding;tag=basic,Ensembl_canonical
1 ensembl gene 11 90 . - . ID=gene:G1;Name=ABC;biotype=protein_coding
##FASTA
>1
ACGT
";

fn expect(set: &Annotation) {
    assert_eq!(set.contigs, ["1"]);
    let [gene] = &set.genes[..] else { panic!("{:?}", set.genes) };
    assert_eq!((gene.id.as_str(), gene.name.as_str(), gene.biotype.as_str()), ("G1", "ABC", "protein_coding"));
    assert_eq!((gene.strand, gene.interval), (Strand::Minus, Interval::new(10, 90)));
    let [transcript] = &gene.transcripts[..] else { panic!("{gene:?}") };
    assert_eq!((transcript.id.as_str(), transcript.biotype.as_str()), ("T1", "protein_coding"));
    assert_eq!(transcript.canonical, Some(CanonicalTag::EnsemblCanonical));
    assert_eq!(transcript.exons, [Interval::new(10, 40), Interval::new(70, 90)]);
    assert_eq!(transcript.cds, [Interval::new(20, 40), Interval::new(70, 80)]);
    assert_eq!(transcript.introns().collect::<Vec<_>>(), [Interval::new(40, 70)]);
    assert_eq!((transcript.exonic_bp(), transcript.cds_bp()), (50, 30));
}

#[test]
fn both_formats_in_every_packing_say_the_same() {
    for (text, format) in [(tabs(GTF), "GTF"), (tabs(GFF3), "GFF3")] {
        let set = read_text(&text).unwrap();
        expect(&set);
        assert_eq!(set.summary.format, format);
        expect(&read_text(&text.replace('\n', "\r\n")).unwrap());
        expect(&read_text(&format!("\u{feff}{text}")).unwrap());
        // Several gzip members, cut anywhere.
        let mut packed = Vec::new();
        for half in [&text.as_bytes()[..100], &text.as_bytes()[100..]] {
            let mut writer = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
            writer.write_all(half).unwrap();
            writer.finish().unwrap();
        }
        expect(&Annotation::from_gz_bytes("x", &packed).unwrap());
        let folder = tempfile::tempdir().unwrap();
        // The name lies about format and packing.
        let path = folder.path().join("x.bed");
        std::fs::write(&path, &packed).unwrap();
        expect(&Annotation::open(&path).unwrap());
        std::fs::write(&path, &packed[..packed.len() - 12]).unwrap();
        // The GFF3 is over at its ##FASTA: what was cut off there is of no interest.
        assert_eq!(matches!(Annotation::open(&path), Err(Error::Io { .. })), format == "GTF");
    }
}

#[test]
fn refseq_gtf_has_biotypes_on_genes_and_empty_transcript_ids() {
    let set = read_text(&tabs(
        "NC_1.1 R gene 1 90 . + . gene_id~\"A\";~transcript_id~\"\";~gene~\"a\";~gene_biotype~\"lncRNA\";~note~\"x;~y\";~
NC_1.1 R transcript 1 90 . + . gene_id~\"A\";~transcript_id~\"XR_1.1\";~gene~\"a\";~transcript_biotype~\"lnc_RNA\";~
NC_1.1 R exon 1 20 . + . gene_id~\"A\";~transcript_id~\"XR_1.1\";~note~\"odd~\"quote\"~here\";~exon_number~\"1\";~
NC_1.1 R exon 51 90 . + . gene_id~\"A\";~transcript_id~\"XR_1.1\";~
",
    ))
    .unwrap();
    assert_eq!(set.genes[0].biotype, "lncRNA");
    assert_eq!(set.genes[0].transcripts[0].introns().collect::<Vec<_>>(), [Interval::new(20, 50)]);
    assert!(set.summary.notes.is_empty(), "{:?}", set.summary.notes);
}

#[test]
fn refseq_gff3_links_through_prefixed_ids() {
    let set = read_text(&tabs(
        "NC_1.1 R gene 1 90 . + . ID=gene-A;Name=a;gbkey=Gene;gene=a;gene_biotype=protein_coding
NC_1.1 R mRNA 1 90 . + . ID=rna-NM_1.1;Parent=gene-A;Name=NM_1.1;transcript_id=NM_1.1
NC_1.1 R exon 1 20 . + . ID=exon-NM_1.1-1;Parent=rna-NM_1.1;transcript_id=NM_1.1
NC_1.1 R exon 51 90 . + . ID=exon-NM_1.1-2;Parent=rna-NM_1.1,rna-lost;transcript_id=NM_1.1
NC_1.1 R pseudogene 100 190 . + . ID=gene-P
NC_1.1 R exon 100 120 . + . ID=id-P;Parent=gene-P
NC_1.1 R exon 150 190 . + . ID=id-P-2;Parent=gene-P
NC_1.1 R region 1 1000 . + . ID=NC_1.1:1..1000
",
    ))
    .unwrap();
    let seen: Vec<_> = set.genes.iter().map(|g| (g.id.as_str(), g.biotype.as_str(), g.transcripts[0].id.as_str())).collect();
    assert_eq!(seen, [("A", "protein_coding", "NM_1.1"), ("P", "", "gene-P")]);
    assert_eq!(set.genes[1].transcripts[0].exons.len(), 2);
    assert_eq!(set.summary.notes["exon or CDS whose Parent is not in the file: skipped"], 1);
}

#[test]
fn one_id_on_two_contigs_or_strands_is_two_transcripts() {
    let set = read_text(&tabs(
        "X R exon 1 20 . + . gene_id~\"A\";~transcript_id~\"T\";
Y R exon 101 120 . + . gene_id~\"A\";~transcript_id~\"T\";
X R exon 51 60 . + . gene_id~\"A\";~transcript_id~\"T\";
X R exon 81 90 . - . gene_id~\"A\";~transcript_id~\"T\";
",
    ))
    .unwrap();
    let exons: Vec<_> = set.genes.iter().map(|g| (g.contig, g.strand, g.transcripts[0].exons.len())).collect();
    assert_eq!(exons, [(0, Strand::Plus, 2), (0, Strand::Minus, 1), (1, Strand::Plus, 1)]);
}

#[test]
fn a_second_copy_on_the_contig_does_not_make_an_intron_between_the_two() {
    let set = read_text(&tabs(
        "1 R transcript 1 90 . + . gene_id~\"A\";~transcript_id~\"T\";
1 R exon 1 20 . + . gene_id~\"A\";~transcript_id~\"T\";
1 R exon 51 90 . + . gene_id~\"A\";~transcript_id~\"T\";
1 R transcript 1001 1090 . + . gene_id~\"A\";~transcript_id~\"T\";
1 R exon 1001 1090 . + . gene_id~\"A\";~transcript_id~\"T\";
",
    ))
    .unwrap();
    let introns: Vec<_> = set.genes[0].transcripts.iter().flat_map(Transcript::introns).collect();
    assert_eq!(introns, [Interval::new(20, 50)]);
}

#[test]
fn sound_but_unusable_lines_are_counted() {
    let set = read_text(&tabs(
        "1 R exon 1 20 . . . gene_id~\"A\";~transcript_id~\"T\";
1 R exon 1 20 . + . gene_id~\"A\";
1 R CDS 1 20 . + . gene_id~\"A\";~transcript_id~\"T\";
1 R CDS 21 30 . + . gene_id~\"A\";~transcript_id~\"T\";
",
    ))
    .unwrap();
    assert_eq!(set.genes[0].transcripts[0].exons, [Interval::new(0, 30)]);
    assert_eq!(set.summary.notes.len(), 3, "{:?}", set.summary.notes);
}

#[test]
fn broken_lines_name_file_and_line() {
    let good = tabs(GTF);
    let table = [
        ("1 R exon 5 1 . + . gene_id~\"A\";", "start 5 lies beyond end 1"),
        ("1 R exon 0 1 . + . gene_id~\"A\";", "count from 1"),
        ("1 R exon x 1 . + . gene_id~\"A\";", "the start 'x'"),
        ("1 R exon 1 -1 . + . gene_id~\"A\";", "the end '-1'"),
        ("1 R exon 1 99999999999999999999999 . + . g~\"A\";", "is not a position"),
        ("1 R exon 1 2 . * . gene_id~\"A\";", "the strand '*'"),
        ("1 R exon 1 2 . +", "found 7"),
        ("1~R~exon~1~2", "tabs, not spaces"),
    ];
    for (line, expected) in table {
        let message = read_text(&format!("{good}{}\n", tabs(line))).unwrap_err().to_string();
        assert!(message.starts_with("test.gtf:8: ") && message.contains(expected), "{message}");
    }
}

#[test]
fn a_file_without_genes_says_so() {
    assert!(read_text("").unwrap_err().to_string().contains("no feature lines"));
    assert!(read_text("# only comments\n\n").unwrap_err().to_string().contains("no feature lines"));
    let match_only = tabs("1 R match 1 20 . + . ID=m1\n");
    assert!(read_text(&match_only).unwrap_err().to_string().contains("no gene model in 1"));
    let cycle = tabs("1 R mRNA 1 9 . + . ID=a;Parent=b\n1 R mRNA 1 9 . + . ID=b;Parent=a\n1 R exon 1 9 . + . Parent=a\n");
    assert_eq!(read_text(&cycle).unwrap().genes.len(), 1);
}
