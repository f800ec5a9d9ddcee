use std::io::Write;

use super::*;

fn read_text(text: &str) -> Result<Annotation> {
    read::read(Path::new("test.gtf"), text.as_bytes())
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
    let [gene] = &set.genes[..] else {
        panic!("{:?}", set.genes)
    };
    assert_eq!(
        (gene.id.as_str(), gene.name.as_str(), gene.biotype.as_str()),
        ("G1", "ABC", "protein_coding")
    );
    assert_eq!(
        (gene.strand, gene.interval),
        (Strand::Minus, Interval::new(10, 90))
    );
    let [transcript] = &gene.transcripts[..] else {
        panic!("{gene:?}")
    };
    assert_eq!(
        (transcript.id.as_str(), transcript.biotype.as_str()),
        ("T1", "protein_coding")
    );
    assert_eq!(transcript.canonical, Some(CanonicalTag::EnsemblCanonical));
    assert_eq!(
        transcript.exons,
        [Interval::new(10, 40), Interval::new(70, 90)]
    );
    assert_eq!(
        transcript.cds,
        [Interval::new(20, 40), Interval::new(70, 80)]
    );
    assert_eq!(
        transcript.introns().collect::<Vec<_>>(),
        [Interval::new(40, 70)]
    );
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
            let mut writer =
                flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
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
        let cut = Annotation::open(&path).err().map(|error| error.to_string());
        assert_eq!(
            cut.is_some_and(|message| message.contains("x.bed: ") && message.contains("cut off")),
            format == "GTF"
        );
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
    assert_eq!(
        set.genes[0].transcripts[0].introns().collect::<Vec<_>>(),
        [Interval::new(20, 50)]
    );
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
    let seen: Vec<_> = set
        .genes
        .iter()
        .map(|g| {
            (
                g.id.as_str(),
                g.biotype.as_str(),
                g.transcripts[0].id.as_str(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("A", "protein_coding", "NM_1.1"),
            ("P", "pseudogene", "gene-P")
        ]
    );
    assert_eq!(set.genes[1].transcripts[0].exons.len(), 2);
    assert_eq!(
        set.summary.notes["exon or CDS whose Parent is not in the file: skipped"],
        1
    );
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
    let exons: Vec<_> = set
        .genes
        .iter()
        .map(|g| (g.contig, g.strand, g.transcripts[0].exons.len()))
        .collect();
    assert_eq!(
        exons,
        [
            (0, Strand::Plus, 2),
            (0, Strand::Minus, 1),
            (1, Strand::Plus, 1)
        ]
    );
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
    let introns: Vec<_> = set.genes[0]
        .transcripts
        .iter()
        .flat_map(Transcript::introns)
        .collect();
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
        (
            "1 R exon 5 1 . + . gene_id~\"A\";",
            "start 5 lies beyond end 1",
        ),
        ("1 R exon 0 1 . + . gene_id~\"A\";", "count from 1"),
        ("1 R exon x 1 . + . gene_id~\"A\";", "the start 'x'"),
        ("1 R exon 1 -1 . + . gene_id~\"A\";", "the end '-1'"),
        (
            "1 R exon 1 99999999999999999999999 . + . g~\"A\";",
            "is not a position",
        ),
        ("1 R exon 1 2 . * . gene_id~\"A\";", "the strand '*'"),
        ("1 R exon 1 2 . +", "found 7"),
        ("1~R~exon~1~2", "tabs, not spaces"),
    ];
    for (line, expected) in table {
        let message = read_text(&format!("{good}{}\n", tabs(line)))
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("test.gtf:8: ") && message.contains(expected),
            "{message}"
        );
    }
}

#[test]
fn a_file_without_genes_says_so() {
    assert!(
        read_text("")
            .unwrap_err()
            .to_string()
            .contains("no feature lines")
    );
    assert!(
        read_text("# only comments\n\n")
            .unwrap_err()
            .to_string()
            .contains("no feature lines")
    );
    let match_only = tabs("1 R match 1 20 . + . ID=m1\n");
    assert!(
        read_text(&match_only)
            .unwrap_err()
            .to_string()
            .contains("no gene model in 1")
    );
    let cycle = tabs(
        "1 R mRNA 1 9 . + . ID=a;Parent=b\n1 R mRNA 1 9 . + . ID=b;Parent=a\n1 R exon 1 9 . + . Parent=a\n",
    );
    assert_eq!(read_text(&cycle).unwrap().genes.len(), 1);
}

/// Genes as `id contig:start-end strand`, each with its transcripts as `id exons|cds`.
fn shown(set: &Annotation) -> Vec<String> {
    let parts = |parts: &[Interval]| {
        parts
            .iter()
            .map(|part| format!("{}-{}", part.start, part.end))
            .collect::<Vec<_>>()
            .join(",")
    };
    let transcript = |t: &Transcript| format!(" {} {}|{}", t.id, parts(&t.exons), parts(&t.cds));
    let gene = |g: &Gene| {
        let place = format!(
            "{} {}:{}-{} {}",
            g.id, set.contigs[g.contig], g.interval.start, g.interval.end, g.strand
        );
        place + &g.transcripts.iter().map(transcript).collect::<String>()
    };
    set.genes.iter().map(gene).collect()
}

fn read_tabs(text: &str) -> Annotation {
    read_text(&tabs(text)).unwrap()
}

const LOCI: &str = "gene id at several loci, strands or contigs: a gene at each";

#[test]
fn one_gene_id_at_two_loci_is_two_genes() {
    let transcript = |id: &str, start: usize, end: usize| {
        format!("1 R exon {start} {end} . + . gene_id~\"A\";~transcript_id~\"{id}\";\n")
    };
    let text =
        transcript("t1", 1, 100) + &transcript("t2", 900, 1000) + &transcript("t3", 50_001, 50_100);
    let set = read_tabs(&text);
    assert_eq!(
        shown(&set),
        [
            "A 1:0-1000 + t1 0-100| t2 899-1000|",
            "A 1:50000-50100 + t3 50000-50100|"
        ]
    );
    assert_eq!(set.summary.notes[LOCI], 1);
    // A line of the gene that holds both says that it is one.
    let set = read_tabs(&(text.clone() + "1 R gene 1 50100 . + . gene_id~\"A\";\n"));
    assert_eq!((set.genes.len(), set.summary.notes.len()), (1, 0));
    // Two lines of it say that it is two; and one that holds one of them leaves the other by
    // itself.
    let lines = "1 R gene 1 1000 . + . gene_id~\"A\";~gene_name~\"a\";\n1 R gene 50001 50100 . + . gene_id~\"A\";\n";
    assert_eq!(read_tabs(&(text.clone() + lines)).genes.len(), 2);
    let set = read_tabs(&(text + lines.lines().next().unwrap() + "\n"));
    assert_eq!(
        set.genes
            .iter()
            .map(|gene| (gene.interval.start, gene.name.as_str()))
            .collect::<Vec<_>>(),
        [(0, "a"), (50_000, "a")]
    );
}

#[test]
fn one_transcript_id_at_several_places_has_no_intron_between_them() {
    let others = "1 R exon 401 500 . - . gene_id~\"B\";~transcript_id~\"u\";\n1 R exon 1401 1500 . - . gene_id~\"B\";~transcript_id~\"v\";\n";
    let copy = |start: usize| {
        format!(
            "1 R exon {start} {} . + . gene_id~\"M\";~transcript_id~\"NR_1\";\n",
            start + 67
        )
    };
    let set = read_tabs(&(copy(101) + &copy(1001) + &copy(2001) + others));
    let genes: Vec<_> = set.genes.iter().filter(|gene| gene.id == "M").collect();
    let exons = genes
        .iter()
        .flat_map(|gene| &gene.transcripts)
        .map(|t| t.exons.len())
        .collect::<Vec<_>>();
    assert_eq!(exons, [1, 1, 1]);
    assert_eq!(set.summary.notes[SEVERAL_TRANSCRIPTS], 2);
    let numbered = |start: usize, number: usize| {
        format!(
            "1 R exon {start} {} . - . gene_id~\"M\";~transcript_id~\"T\";~exon_number~\"{number}\";\n",
            start + 9 * number
        )
    };
    let set = read_tabs(
        &(numbered(101, 2) + &numbered(201, 1) + &numbered(5001, 2) + &numbered(5101, 1)),
    );
    assert_eq!(
        shown(&set),
        [
            "M 1:100-210 - T 100-119,200-210|",
            "M 1:5000-5110 - T 5000-5019,5100-5110|"
        ]
    );
}

#[test]
fn copies_take_the_parts_that_lie_in_them_whatever_the_order_of_lines() {
    let line = |kind: &str, start: usize, end: usize| {
        format!("1 R {kind} {start} {end} . + . gene_id~\"A\";~transcript_id~\"T\";\n")
    };
    let text = [
        ("transcript", 1, 90),
        ("transcript", 5001, 5090),
        ("exon", 5001, 5020),
        ("exon", 1, 20),
        ("exon", 51, 90),
        ("exon", 5051, 5090),
    ]
    .map(|(kind, start, end)| line(kind, start, end))
    .concat();
    assert_eq!(
        shown(&read_tabs(&text)),
        [
            "A 1:0-90 + T 0-20,50-90|",
            "A 1:5000-5090 + T 5000-5020,5050-5090|"
        ]
    );
}

#[test]
fn coding_parts_and_utrs_are_exons_where_no_line_says_exon() {
    let gtf = "1 P transcript 1 100 . + . gene_id~\"A\";~transcript_id~\"T\";
1 P five_prime_UTR 1 20 . + . gene_id~\"A\";~transcript_id~\"T\";
1 P 5UTR 31 35 . + . gene_id~\"A\";~transcript_id~\"T\";
1 P CDS 36 50 . + 0 gene_id~\"A\";~transcript_id~\"T\";
1 P stop_codon 51 53 . + 0 gene_id~\"A\";~transcript_id~\"T\";
1 P UTR 54 60 . + . gene_id~\"A\";~transcript_id~\"T\";
1 P 3'-UTR 81 100 . + . gene_id~\"A\";~transcript_id~\"T\";
";
    let gff3 = "1 P gene 1 100 . + . ID=A
1 P mRNA 1 100 . + . ID=T;Parent=A
1 P five_prime_UTR 1 20 . + . ID=T.u1;Parent=T
1 P five_prime_UTR 31 35 . + . ID=T.u1;Parent=T
1 P CDS 36 53 . + 0 ID=T.c;Parent=T
1 P three_prime_UTR 54 60 . + . ID=T.u2;Parent=T
1 P three_prime_UTR 81 100 . + . ID=T.u2;Parent=T
";
    for text in [gtf, gff3] {
        assert_eq!(
            shown(&read_tabs(text)),
            ["A 1:0-100 + T 0-20,30-60,80-100|35-53"]
        );
    }
}

#[test]
fn stop_codons_are_coding_in_both_formats() {
    let gtf = "1 R exon 1 100 . - . gene_id~\"A\";~transcript_id~\"T\";
1 R exon 201 300 . - . gene_id~\"A\";~transcript_id~\"T\";
1 R CDS 202 300 . - 0 gene_id~\"A\";~transcript_id~\"T\";
1 R stop_codon 201 201 . - 0 gene_id~\"A\";~transcript_id~\"T\";
1 R stop_codon 99 100 . - 1 gene_id~\"A\";~transcript_id~\"T\";
1 R exon 1 100 . - . gene_id~\"A\";~transcript_id~\"noncoding\";
1 R stop_codon 99 100 . - 1 gene_id~\"A\";~transcript_id~\"noncoding\";
";
    let gff3 = "1 R gene 1 300 . - . ID=A
1 R mRNA 1 300 . - . ID=T;Parent=A
1 R ncRNA 1 100 . - . ID=noncoding;Parent=A
1 R exon 1 100 . - . Parent=T,noncoding
1 R exon 201 300 . - . Parent=T
1 R CDS 201 300 . - 0 ID=c;Parent=T
1 R CDS 99 100 . - 1 ID=c;Parent=T
";
    for text in [gtf, gff3] {
        let set = read_tabs(text);
        assert_eq!(
            shown(&set),
            ["A 1:0-300 - T 0-100,200-300|98-100,200-300 noncoding 0-100|"]
        );
    }
}

#[test]
fn proteins_are_no_transcripts() {
    let expected = ["g 1:0-100 + g.1 0-40,60-100|10-40,60-90"];
    let model = "1 T gene 1 100 . + . ID=g;Note=protein_coding_gene
1 T mRNA 1 100 . + . ID=g.1;Parent=g
1 T protein 11 90 . + . ID=g.1-P;Derives_from=g.1
1 T exon 1 40 . + . Parent=g.1
1 T exon 61 100 . + . Parent=g.1
";
    for parents in ["g.1,g.1-P", "g.1-P", "g.1-P,g.1", "g,g.1"] {
        let cds = format!(
            "1 T CDS 11 40 . + 0 Parent={parents};\n1 T CDS 61 90 . + 0 Parent={parents};\n"
        );
        assert_eq!(
            shown(&read_tabs(&(model.to_string() + &cds))),
            expected,
            "{parents}"
        );
    }
}

#[test]
fn exons_are_believed_where_their_gene_says_another_strand() {
    const STRAND: &str = "gene on another strand than its exons: the exons decide";
    let gff3 = "1 R gene 501 700 . - . ID=rps12;part=1
1 R gene 1 100 . - . ID=rps12;part=2
1 R CDS 501 700 . - 0 ID=c;Parent=rps12
1 R CDS 1 40 . + 0 ID=c;Parent=rps12
1 R CDS 61 100 . + 0 ID=c;Parent=rps12
";
    let set = read_tabs(gff3);
    assert_eq!(
        shown(&set),
        [
            "rps12 1:0-100 + rps12 0-40,60-100|0-40,60-100",
            "rps12 1:500-700 - rps12 500-700|500-700"
        ]
    );
    assert_eq!((set.summary.notes[STRAND], set.summary.notes[LOCI]), (1, 1));
    let gtf = "1 R gene 1 100 . - . gene_id~\"A\";
1 R exon 1 40 . + . gene_id~\"A\";~transcript_id~\"T\";
1 R exon 61 100 . + . gene_id~\"A\";~transcript_id~\"T\";
";
    let set = read_tabs(gtf);
    assert_eq!(shown(&set), ["A 1:0-100 + T 0-40,60-100|"]);
    assert_eq!(set.summary.notes[STRAND], 1);
}

#[test]
fn a_missing_semicolon_does_not_cost_the_identifiers() {
    for attributes in [
        "gene_id~\"A\"~transcript_id~\"T\";~class~\"L\";",
        "gene_id~\"A\";~transcript_id~\"T\"~family~\"F\";~class~\"L\";",
    ] {
        let set = read_tabs(&format!(
            "1 R exon 1 40 . + . {attributes}\n1 R exon 61 100 . + . {attributes}\n"
        ));
        assert_eq!(shown(&set), ["A 1:0-100 + T 0-40,60-100|"], "{attributes}");
    }
}

#[test]
fn free_text_in_the_first_lines_does_not_make_a_gff3_a_gtf() {
    let text = "##gff-version~3\n".to_string()
        + &tabs("1 R region 1 900 . . . some~note;ID=1\n1 R region 1 900 . . . a~note\n");
    let set = read_text(&(text + &tabs(GFF3))).unwrap();
    expect(&set);
    assert_eq!(set.summary.format, "GFF3");
}

#[test]
fn bacteria_have_coding_sequences_without_parents() {
    let set = read_tabs(
        "##gff-version~3
c Prodigal CDS 1 90 . + 0 ID=P_1;gene=dnaA;locus_tag=P_1
c Prodigal CDS 101 190 . - 0 ID=P_2;locus_tag=P_2
c Prodigal CDS 201 240 . + 0 ID=P_3;Note=slips
c Prodigal CDS 240 290 . + 0 ID=P_3;Note=slips
c Aragorn tRNA 301 370 . + . ID=P_4
",
    );
    assert_eq!(
        shown(&set),
        [
            "P_1 c:0-90 + P_1 0-90|0-90",
            "P_2 c:100-190 - P_2 100-190|100-190",
            "P_3 c:200-290 + P_3 200-290|200-290"
        ]
    );
    assert_eq!(set.genes[0].name, "dnaA");
}

#[test]
fn biotypes_are_found_where_files_put_them() {
    let gene = |text: &str| read_tabs(text).genes[0].biotype.clone();
    for attributes in [
        "gene_type~\"x\"",
        "gene_biotype~\"x\"",
        "transcript_biotype~\"x\"",
        "transcript_type~\"x\"",
        "biotype~\"x\"",
    ] {
        assert_eq!(
            gene(&format!(
                "1 R exon 1 9 . + . gene_id~\"A\";~transcript_id~\"T\";~{attributes};\n"
            )),
            "x",
            "{attributes}"
        );
    }
    let model = |kind: &str, of_gene: &str, of_transcript: &str| {
        gene(&format!(
            "1 R {kind} 1 9 . + . ID=A{of_gene}\n1 R mRNA 1 9 . + . ID=T;Parent=A{of_transcript}\n1 R exon 1 9 . + . Parent=T\n"
        ))
    };
    assert_eq!(model("gene", ";biotype=x", ";biotype=y"), "x");
    assert_eq!(model("gene", "", ";biotype=y"), "y");
    assert_eq!(model("protein_coding_gene", "", ""), "protein_coding");
    assert_eq!(model("gene", "", ""), "");
}

#[test]
fn biotypes_that_no_gene_has_are_refused_with_those_there_are() {
    let wanted = ["lncRNA".to_string()];
    let line = "1 R exon 1 9 . + . gene_id~\"A\";~transcript_id~\"T\";";
    let message = read_tabs(line)
        .check_biotypes(&wanted)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("test.gtf: ")
            && message.contains("names no biotypes")
            && message.contains("--biotype all"),
        "{message}"
    );
    let set = read_tabs(&format!("{line}~gene_biotype~\"x\";"));
    let message = set.check_biotypes(&wanted).unwrap_err().to_string();
    assert!(
        message.contains("there are x;") && message.contains("--biotype all"),
        "{message}"
    );
    assert!(set.check_biotypes(&[]).is_ok() && set.check_biotypes(&["x".into()]).is_ok());
}

#[test]
fn nothing_that_moves_a_cursor_or_breaks_a_table_gets_into_names() {
    let set = read_tabs(
        "1%09x R gene 1 9 . + . ID=a;Name=b%0Ac%1B[31m\n1%09x R exon 1 9 . + . Parent=a\n",
    );
    assert!(
        !format!("{}{}{}", set.genes[0].name, set.genes[0].id, set.contigs[0])
            .contains(char::is_control)
    );
}

/// So many that a search through all for each would take minutes.
#[test]
fn one_id_on_many_contigs_takes_no_longer_than_many_ids() {
    const N: usize = 200_000;
    let exon = |contig: &str, gene: &str, start: usize| {
        format!(
            "{contig} R exon {start} {} . + . gene_id~\"{gene}\";~transcript_id~\"T\";\n",
            start + 4
        )
    };
    let on_contigs = (0..N).map(|i| exon(&format!("c{i}"), "A", 1));
    let gtf: String = on_contigs
        .chain((0..N).map(|i| exon("c", &i.to_string(), 9 * i + 1)))
        .collect();
    let gff3: String = (0..N)
        .map(|i| format!("c{i} R mRNA 1 20 . + . ID=T\nc{i} R exon 1 20 . + . Parent=T\n"))
        .collect();
    let started = std::time::Instant::now();
    let set = read_tabs(&gtf);
    assert_eq!((set.genes.len(), set.summary.notes[LOCI]), (2 * N, 1));
    assert_eq!(read_tabs(&gff3).genes.len(), N);
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}
