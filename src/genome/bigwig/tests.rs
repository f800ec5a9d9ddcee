use super::write::BigWigWriter;
use std::fs::File;

use super::*;

fn contigs() -> Vec<Contig> {
    [("chr1", 600_000), ("chr10", 40), ("chr2", 1000)]
        .map(|(name, length_bp)| Contig {
            name: name.into(),
            length_bp,
        })
        .to_vec()
}

fn value(contig: usize, base: usize) -> f32 {
    match base % 7 {
        3 => f32::NAN,
        _ => ((base * 31 + contig * 17) % 1009) as f32 / 1009.0 - 0.25,
    }
}

fn written(path: &Path) {
    let mut file = BigWigWriter::create(File::create(path).unwrap(), path, &contigs()).unwrap();
    for (number, contig) in contigs()
        .iter()
        .enumerate()
        .filter(|(number, _)| *number != 1)
    {
        for first in (0..contig.length_bp).step_by(4321) {
            let values: Vec<f32> = (first..contig.length_bp.min(first + 4321))
                .map(|base| value(number, base))
                .collect();
            file.add(&contig.name, first, &values).unwrap();
        }
    }
    file.finish().unwrap();
}

#[test]
fn what_was_written_is_read_under_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.bw");
    written(&path);
    let mut named = contigs();
    named[2].name = "2".into();
    let file = BigWig::open(&path, &named).unwrap();
    for (contig, from, to) in [
        (0, 0, 50),
        (0, 262_100, 262_200),
        (0, 599_990, 600_000),
        (2, 0, 1000),
        (0, 5, 5),
        (0, 100_000, 590_000),
    ] {
        let mut values = vec![9.0];
        file.values(contig, Interval::new(from, to), &mut values)
            .unwrap();
        let expected: Vec<f32> = std::iter::once(9.0)
            .chain((from..to).map(|base| value(contig, base)))
            .collect();
        assert_eq!(
            values.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            expected.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        );
    }
    let mut nothing = Vec::new();
    file.values(1, Interval::new(0, 40), &mut nothing).unwrap();
    assert!(
        nothing.len() == 40 && nothing.iter().all(|v| v.is_nan()),
        "a contig without values"
    );
    assert!(
        file.values(0, Interval::new(599_990, 600_001), &mut nothing)
            .is_err()
    );
}

#[test]
fn other_assemblies_and_other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.bw");
    written(&path);
    let mut other = contigs();
    other[0].length_bp = 600_001;
    let message = BigWig::open(&path, &other).err().unwrap().to_string();
    assert!(
        message.contains("chr1 has 600000 bases here and 600001 in the genome"),
        "{message}"
    );
    let foreign = [Contig {
        name: "ctg".into(),
        length_bp: 5,
    }];
    let message = BigWig::open(&path, &foreign).err().unwrap().to_string();
    assert!(
        message.contains("chr1, chr2") && message.contains("ctg"),
        "{message}"
    );
    assert!(BigWig::open(&folder.path().join("none.bw"), &contigs()).is_err());
    std::fs::write(
        folder.path().join("text.bw"),
        "fixedStep chrom=chr1 start=1\n1\n2\n",
    )
    .unwrap();
    let message = BigWig::open(&folder.path().join("text.bw"), &contigs())
        .err()
        .unwrap()
        .to_string();
    assert!(message.contains("not a bigWig"), "{message}");
    std::fs::write(
        folder.path().join("x.bb"),
        [&0x8789_f2eb_u32.to_le_bytes()[..], &[0; 60]].concat(),
    )
    .unwrap();
    let message = BigWig::open(&folder.path().join("x.bb"), &contigs())
        .err()
        .unwrap()
        .to_string();
    assert!(message.contains("bigBed"), "{message}");
    let empty = BigWigWriter::create(
        File::create(folder.path().join("e.bw")).unwrap(),
        Path::new("asked.bw"),
        &contigs(),
    )
    .unwrap();
    assert!(
        empty
            .finish()
            .unwrap_err()
            .to_string()
            .starts_with("asked.bw: no base has a value")
    );
}

#[test]
fn a_damaged_file_is_an_error_or_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.bw");
    written(&path);
    let whole = std::fs::read(&path).unwrap();
    let mut rng = crate::stats::rng::Rng::new(4);
    for round in 0..60 {
        let mut bytes = whole.clone();
        match round % 3 {
            0 => bytes.truncate(rng.below(whole.len())),
            1 => (0..20).for_each(|_| bytes[rng.below(64)] = rng.below(256) as u8),
            _ => (0..200).for_each(|_| bytes[rng.below(whole.len())] ^= 1 << rng.below(8)),
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(file) = BigWig::open(&path, &contigs()) {
            let _ = file.values(0, Interval::new(0, 600_000), &mut Vec::new());
        }
    }
}

/// A file made by hand, field by field.
struct ByHand {
    bytes: Vec<u8>,
    big_endian: bool,
}

/// Where what the tests damage lies in [`ByHand::new`].
const CONTIG_TREE: usize = 64;
const CONTIG_NODE: usize = CONTIG_TREE + 32;

impl ByHand {
    /// The contig `c` of 1000 bases, number 7, with a block of each kind: bases 10 to 13 hold 1
    /// (start and end), 20 to 22 and 30 to 32 hold 2 and 3 (start), 40 to 42 and 50 to 52 hold 4
    /// and 5 (step).
    fn new(big_endian: bool, packed: bool) -> ByHand {
        let mut file = ByHand {
            bytes: Vec::new(),
            big_endian,
        };
        file.put(4, 0x888f_fc26)
            .put(2, 4)
            .put(2, 0)
            .put(8, CONTIG_TREE as u64)
            .put(8, 0)
            .put(8, 0); // the index follows at 24
        file.put(4, 0)
            .put(8, 0)
            .put(8, 0)
            .put(4, if packed { 1 << 15 } else { 0 })
            .put(8, 0);
        file.put(4, 0x78ca_8c91)
            .put(4, 1)
            .put(4, 4)
            .put(4, 8)
            .put(8, 1)
            .put(8, 0);
        file.put(1, 1).put(1, 0).put(2, 1).bytes.extend(b"c\0\0\0");
        file.put(4, 7).put(4, 1000);
        let one = 1_f32.to_bits().into();
        let kinds: [(u64, &[u64]); 3] = [
            (1, &[10, 13, one]),
            (2, &[20, 2_f32.to_bits().into(), 30, 3_f32.to_bits().into()]),
            (3, &[4_f32.to_bits().into(), 5_f32.to_bits().into()]),
        ];
        let mut places = Vec::new();
        for (kind, items) in kinds {
            let mut block = ByHand {
                bytes: Vec::new(),
                big_endian,
            };
            block
                .put(4, 7)
                .put(4, 40)
                .put(4, 0)
                .put(4, 10)
                .put(4, 2)
                .put(1, kind)
                .put(1, 0)
                .put(2, if kind == 1 { 1 } else { 2 });
            for item in items {
                block.put(4, *item);
            }
            let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut zlib, &block.bytes).unwrap();
            let block = if packed {
                zlib.finish().unwrap()
            } else {
                block.bytes
            };
            places.push((file.bytes.len() as u64, block.len() as u64));
            file.bytes.extend(block);
        }
        let index = file.bytes.len() as u64;
        file.set(24, 8, index);
        file.put(4, 0x2468_ace0)
            .put(4, 256)
            .put(8, 3)
            .put(4, 7)
            .put(4, 10)
            .put(4, 7)
            .put(4, 52)
            .put(8, index)
            .put(4, 1)
            .put(4, 0);
        file.put(1, 1).put(1, 0).put(2, 3);
        for ((at, length), (from, to)) in places.into_iter().zip([(10, 13), (20, 32), (40, 52)]) {
            file.put(4, 7)
                .put(4, from)
                .put(4, 7)
                .put(4, to)
                .put(8, at)
                .put(8, length);
        }
        file
    }

    fn put(&mut self, width: usize, number: u64) -> &mut ByHand {
        self.bytes.resize(self.bytes.len() + width, 0);
        self.set(self.bytes.len() - width, width, number);
        self
    }

    fn set(&mut self, at: usize, width: usize, number: u64) {
        let bytes = if self.big_endian {
            number.to_be_bytes()[8 - width..].to_vec()
        } else {
            number.to_le_bytes()[..width].to_vec()
        };
        self.bytes[at..at + width].copy_from_slice(&bytes);
    }

    fn read(&self) -> Result<Vec<f32>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.bw");
        std::fs::write(&path, &self.bytes).unwrap();
        let mut values = Vec::new();
        let contigs = [Contig {
            name: "c".into(),
            length_bp: 1000,
        }];
        BigWig::open(&path, &contigs)?.values(0, Interval::new(0, 1000), &mut values)?;
        Ok(values)
    }
}

#[test]
fn every_kind_of_block_is_read_in_either_order_of_bytes() {
    let mut expected = [f32::NAN; 1000];
    for (from, to, value) in [
        (10, 13, 1.0),
        (20, 22, 2.0),
        (30, 32, 3.0),
        (40, 42, 4.0),
        (50, 52, 5.0),
    ] {
        expected[from..to].fill(value);
    }
    for (big_endian, packed) in [(false, false), (false, true), (true, false), (true, true)] {
        let values = ByHand::new(big_endian, packed).read().unwrap();
        assert!(
            values
                .iter()
                .zip(&expected)
                .all(|(a, b)| a.to_bits() == b.to_bits()),
            "{big_endian} {packed}"
        );
    }
}

#[test]
fn what_a_file_says_of_itself_is_not_believed() {
    let sound = ByHand::new(false, true);
    let index = u64::from_le_bytes(sound.bytes[24..32].try_into().unwrap()) as usize;
    let (root, item) = (index + 48, index + 52);
    let refused = |part: &str, changes: &[(usize, usize, u64)]| {
        let mut file = ByHand {
            bytes: sound.bytes.clone(),
            big_endian: false,
        };
        changes
            .iter()
            .for_each(|(at, width, number)| file.set(*at, *width, *number));
        let message = file.read().unwrap_err().to_string();
        assert!(
            message.contains("damaged bigWig") && message.contains(part),
            "{changes:?}: {message}"
        );
    };
    // The number of contigs in the header of their tree is not needed: any will do.
    let mut many = ByHand {
        bytes: sound.bytes.clone(),
        big_endian: false,
    };
    many.set(CONTIG_TREE + 24, 8, u64::MAX);
    assert!(many.read().is_ok());
    refused("ends before", &[(8, 8, u64::MAX)]);
    refused("ends before", &[(24, 8, sound.bytes.len() as u64)]);
    refused("list of contigs", &[(CONTIG_TREE + 8, 4, 0)]);
    refused("list of contigs", &[(CONTIG_TREE + 8, 4, u32::MAX.into())]);
    refused("list of contigs", &[(CONTIG_TREE + 12, 4, 9)]);
    refused("than the file", &[(CONTIG_NODE + 2, 2, 65_535)]);
    // A node that is its own child, in either tree.
    refused(
        "its index ",
        &[
            (CONTIG_NODE, 1, 0),
            (CONTIG_NODE + 8, 8, CONTIG_NODE as u64),
        ],
    );
    refused(
        "than the file",
        &[
            (root, 1, 0),
            (item + 16, 8, root as u64),
            (item + 24 + 16, 8, root as u64),
        ],
    );
    refused(
        "its index ",
        &[(root, 1, 0), (root + 2, 2, 1), (item + 16, 8, root as u64)],
    );
    refused("than the file", &[(root + 2, 2, 65_535)]);
    refused("blocks hold more", &[(item + 24, 8, u64::MAX)]);
    refused("ends before", &[(item + 16, 8, u64::MAX)]);
    refused("cannot be unpacked", &[(item + 24, 8, 3)]);
    refused("index is not where", &[(index, 4, 0)]);
    let mut plain = ByHand::new(false, false);
    let block = CONTIG_NODE + 16;
    for (at, part) in [
        (block + 20, "unknown kind"),
        (block + 22, "less than it says"),
    ] {
        let was = plain.bytes[at];
        plain.bytes[at] = 200;
        let message = plain.read().unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
        plain.bytes[at] = was;
    }
    // Places past the end of the contig, or whose end comes first, hold nothing.
    plain.set(block + 24, 4, u32::MAX.into());
    assert!(plain.read().unwrap()[10].is_nan());
}
