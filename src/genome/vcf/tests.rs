use super::*;
use crate::genome::text::unpacked;
use noodles::bgzf;
use noodles::csi::BinningIndex as _;
use noodles::tabix;
use std::io::{BufRead, Read, Write};

const TOY: &str = "##fileformat=VCFv4.2\r\n##INFO=<ID=AF,Number=A,Type=Float,Description=\"x\">\r\n##INFO=<ID=S,Number=1,Type=Float,Description=\"old\">\r\n\
    #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tone\r\nchr1\t5\trs1\tA\tC,<DEL>\t.\tPASS\tAF=0.1,0.2;S=3;END=40;FLAG\tGT\t0|1\r\nchr1\t7\t.\tAC\tA\t9\t.\t.\tGT\t./.\r\n\
    \r\nchr2\t0\t.\tN\t.\t.\t.\tS=1\r\n";

fn written(text: &str, packed: bool) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.vcf");
    if packed {
        let mut out = flate2::write::GzEncoder::new(
            std::fs::File::create(&path).unwrap(),
            flate2::Compression::fast(),
        );
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap();
    } else {
        std::fs::write(&path, text).unwrap();
    }
    (folder, path)
}

/// Contig, first base, name, alleles and a field.
type Seen = (String, u64, String, String, Vec<String>, Option<String>);

fn records(path: &Path) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    read(path, &mut |r| {
        all.push((
            r.contig(),
            r.first(),
            r.id(),
            r.reference(),
            r.alternates(),
            r.info("AF"),
        ));
        Ok(())
    })?;
    Ok(all)
}

#[test]
fn records_are_read_whatever_the_line_ends() {
    for (text, packed) in [(TOY.to_string(), false), (TOY.replace('\r', ""), true)] {
        let (_folder, path) = written(&text, packed);
        let all = records(&path).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(
            all[0],
            (
                "chr1".into(),
                5,
                "rs1".into(),
                "A".into(),
                vec!["C".into(), "<DEL>".into()],
                Some("0.1,0.2".into())
            )
        );
        assert_eq!(
            (all[1].2.as_str(), &all[2].4[0], all[2].1),
            ("", &".".to_string(), 0)
        );
    }
}

#[test]
fn what_is_no_vcf_is_refused_with_its_line() {
    let head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n";
    for (text, part) in [
        ("", "no line of columns"),
        ("##fileformat=VCFv4.2\n", "no line of columns"),
        ("chr1\t5\t.\tA\tC\n", "x.vcf:1: a variant before"),
        (&format!("{head}chr1 5 . A C\n"), "x.vcf:3: 1 columns"),
        (
            &format!("{head}chr1\tfive\t.\tA\tC\n"),
            "x.vcf:3: POS 'five'",
        ),
        (&format!("{head}chr1\t-5\t.\tA\tC\n"), "x.vcf:3: POS '-5'"),
    ] {
        let (_folder, path) = written(text, false);
        let message = records(&path).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
}

fn fields() -> Vec<Field> {
    let field = |id| Field {
        id,
        number: "A",
        kind: "Float",
        description: "a \"score\"".into(),
    };
    vec![field("S"), field("T")]
}

/// The index, as others read it, finds the records of a region.
#[test]
fn a_copy_has_all_records_with_their_fields_and_an_index() {
    let (folder, path) = written(TOY, false);
    let (to, index) = (
        folder.path().join("y.vcf.gz"),
        folder.path().join("y.vcf.gz.tbi"),
    );
    let mut give = |n: u64| {
        if n < 2 {
            vec![("S", format!("{n}.5,.")), ("T", "1".into())]
        } else {
            vec![]
        }
    };
    assert!(annotate(&path, &to, &index, &fields(), &mut give).unwrap());
    let mut text = String::new();
    unpacked(std::fs::File::open(&to).unwrap())
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(
        text,
        "##fileformat=VCFv4.2\n##INFO=<ID=AF,Number=A,Type=Float,Description=\"x\">\n##INFO=<ID=S,Number=A,Type=Float,Description=\"a \\\"score\\\"\">\n\
         ##INFO=<ID=T,Number=A,Type=Float,Description=\"a \\\"score\\\"\">\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tone\n\
         chr1\t5\trs1\tA\tC,<DEL>\t.\tPASS\tAF=0.1,0.2;END=40;FLAG;S=0.5,.;T=1\tGT\t0|1\nchr1\t7\t.\tAC\tA\t9\t.\tS=1.5,.;T=1\tGT\t./.\nchr2\t0\t.\tN\t.\t.\t.\t.\n"
    );
    let read = tabix::fs::read(&index).unwrap();
    let names: Vec<String> = read
        .header()
        .unwrap()
        .reference_sequence_names()
        .iter()
        .map(|name| name.to_string())
        .collect();
    assert_eq!(names, ["chr1", "chr2"]);
    let region = noodles::core::Region::new(
        "chr1",
        noodles::core::Position::new(30).unwrap()..=noodles::core::Position::new(31).unwrap(),
    );
    let chunks = read.query(0, region.interval()).unwrap();
    assert!(!chunks.is_empty(), "END=40 reaches here");
    let mut reader = bgzf::io::Reader::new(std::fs::File::open(&to).unwrap());
    reader.seek(chunks[0].start()).unwrap();
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("chr1\t5\t"), "{line}");
    // Again: fields of these names are replaced.
    let again = folder.path().join("z.vcf.gz");
    assert!(
        annotate(
            &to,
            &again,
            &folder.path().join("z.tbi"),
            &fields(),
            &mut give
        )
        .unwrap()
    );
    assert_eq!(std::fs::read(&to).unwrap(), std::fs::read(&again).unwrap());
}

#[test]
fn records_out_of_order_have_no_index() {
    let head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n";
    for body in [
        "chr1\t5\t.\tA\tC\nchr1\t4\t.\tA\tC\n",
        "1\t5\t.\tA\tC\n2\t1\t.\tA\tC\n1\t6\t.\tA\tC\n",
        "1\t600000000\t.\tA\tC\n",
    ] {
        let (folder, path) = written(&format!("{head}{body}"), false);
        let (to, index) = (folder.path().join("y.vcf.gz"), folder.path().join("y.tbi"));
        assert!(
            !annotate(&path, &to, &index, &fields(), &mut |_| vec![(
                "S",
                "1".into()
            )])
            .unwrap(),
            "{body}"
        );
        assert!(!index.exists());
        assert_eq!(records(&to).unwrap().len(), body.lines().count());
    }
}
