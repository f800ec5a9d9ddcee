use std::fs::File;

use super::*;
use crate::genome::bigwig::write::BigWigWriter;
use crate::genome::sequence::reverse_complement;
use crate::pipelines::Region;
use crate::pipelines::boundaries::{BoundariesRequest, read};
use crate::pipelines::tiles::{ContigStrand, TileShape, Window, plan, read_tiles};

/// 0.5 before GT and AG, else a number of the letters on either side.
struct Words;

impl BoundarySource for Words {
    fn read(&self, stretches: &[Stretch<'_>]) -> Result<Vec<Vec<f32>>> {
        let value = |s: &[u8], t: usize| match t {
            0 => 1.0,
            _ if s[t..].starts_with(b"GT") || s[t..].starts_with(b"AG") => 0.5,
            _ => f32::from(s[t - 1]) / 256.0 + f32::from(s[t]) / 1024.0,
        };
        Ok(stretches
            .iter()
            .map(|s| (0..s.letters.len()).map(|t| value(&s.letters, t)).collect())
            .collect())
    }
}

fn contigs() -> Vec<Contig> {
    vec![Contig {
        name: "c".into(),
        length_bp: 3000,
    }]
}

fn sequence() -> Vec<u8> {
    let mut rng = crate::stats::rng::Rng::new(6);
    (0..3000).map(|_| b"ACGT"[rng.below(4)]).collect()
}

/// Plus and minus of a model as files, without `gap`.
fn files(folder: &Path, gap: Interval) -> [std::path::PathBuf; 2] {
    let sequence = sequence();
    [Strand::Plus, Strand::Minus].map(|strand| {
        let path = folder.join(format!(
            "{}.bw",
            if strand == Strand::Plus {
                "plus"
            } else {
                "minus"
            }
        ));
        let mut file =
            BigWigWriter::create(File::create(&path).unwrap(), &path, &contigs()).unwrap();
        let request = BoundariesRequest {
            context: 500,
            margin: 20,
            batch: 2,
            seams: 0,
        };
        let on = ContigStrand {
            contig: "c",
            sequence: &sequence,
            strand,
        };
        read(
            on,
            &[Interval::new(0, gap.start), Interval::new(gap.end, 3000)],
            &Words,
            &request,
            &mut |at, some| file.add("c", at, some),
        )
        .unwrap();
        file.finish().unwrap();
        path
    })
}

#[test]
fn a_model_written_and_read_back_is_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let [plus, minus] = files(folder.path(), Interval::new(3000, 3000));
    let signal = Signal::open(&plus, Some(&minus), Missing::Unknown, &contigs()).unwrap();
    assert!(signal.missing("c").unwrap().is_empty());
    let sequence = sequence();
    for strand in [Strand::Plus, Strand::Minus] {
        let stretches: Vec<Stretch<'_>> = [700, 1203]
            .map(|at| {
                Stretch::of_contig("c", &sequence, Interval::new(at, at + 300), strand).unwrap()
            })
            .to_vec();
        let (read, said) = (
            signal.read(&stretches).unwrap(),
            Words.read(&stretches).unwrap(),
        );
        for (read, said) in read.iter().zip(&said) {
            assert_eq!(read[1..299], said[1..299], "{strand}"); // the last looks two letters ahead
        }
    }
    // Letters that stand nowhere have no signal.
    assert!(signal.read(&[Stretch::nowhere(b"ACGT".to_vec())]).is_err());
}

#[test]
fn one_track_puts_the_first_base_downstream_at_offset_zero() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.bw");
    let mut file = BigWigWriter::create(File::create(&path).unwrap(), &path, &contigs()).unwrap();
    file.add(
        "c",
        0,
        &(0..3000).map(|base| base as f32).collect::<Vec<_>>(),
    )
    .unwrap();
    file.finish().unwrap();
    let signal = Signal::open(&path, None, Missing::Unknown, &contigs()).unwrap();
    let (sequence, bases) = (sequence(), Interval::new(100, 110));
    let value = |strand, position: usize| {
        let stretch = Stretch::of_contig("c", &sequence, bases, strand).unwrap();
        let at = if strand == Strand::Plus {
            position - 100
        } else {
            110 - position
        };
        signal.read(&[stretch]).unwrap()[0][at]
    };
    assert_eq!(
        (value(Strand::Plus, 105), value(Strand::Minus, 105)),
        (105.0, 104.0)
    );
    let place = Region {
        contig: "c",
        bases,
        strand: Strand::Minus,
    };
    let minus = Stretch::of_contig("c", &sequence, bases, Strand::Minus).unwrap();
    assert_eq!(
        (minus.place, minus.letters),
        (Some(place), reverse_complement(&sequence[100..110]))
    );
}

#[test]
fn what_is_missing_reads_n_or_zero() {
    let folder = tempfile::tempdir().unwrap();
    let [plus, minus] = files(folder.path(), Interval::new(40, 45));
    let open = |missing| Signal::open(&plus, Some(&minus), missing, &contigs()).unwrap();
    let signal = open(Missing::Unknown);
    assert_eq!(signal.missing("c").unwrap(), [Interval::new(40, 45)]);
    assert!(signal.missing("d").is_err());
    let text: String = String::from_utf8(sequence()).unwrap();
    let masked = crate::pipelines::masked(text.clone().into_bytes(), &signal.missing("c").unwrap());
    assert!(
        masked[39..46] == *b"NNNNNNN"
            && masked[..39] == text.as_bytes()[..39]
            && masked[46..] == text.as_bytes()[46..]
    );
    let zero = open(Missing::Zero);
    assert!(zero.missing("c").unwrap().is_empty());
    let stretch =
        Stretch::of_contig("c", text.as_bytes(), Interval::new(30, 60), Strand::Plus).unwrap();
    let values = zero.read(&[stretch]).unwrap().remove(0);
    assert!(
        values[10..15].iter().all(|v| *v == 0.0)
            && values[1..10].iter().chain(&values[15..]).all(|v| *v > 0.0)
    );
}

/// deepTools 3.5.6, on the same values written by pyBigWig (`v` of 3000 bases of contig c), reads
/// the same profile:
///
/// ```text
/// v = [numpy.float32((b * k + 17) % 1009) for b in range(3000)]        # p.bw: k = 31, m.bw: k = 57
/// p.bed: c, p, p + 1, +   for p in 100, 555, 1203, 2800                # the position is the start on plus
/// m.bed: c, p - 1, p, -   for p in 150, 777, 2000                      # and the end on minus
/// computeMatrix reference-point -S p.bw -R p.bed --referencePoint TSS -b 5 -a 6 -bs 1, then the means of columns; -S m.bw -R m.bed; -S p.bw -R m.bed
/// ```
#[test]
fn profiles_are_those_of_deeptools() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, k) in [("p.bw", 31), ("m.bw", 57)] {
        let mut file =
            BigWigWriter::create(File::create(path(name)).unwrap(), &path(name), &contigs())
                .unwrap();
        file.add(
            "c",
            0,
            &(0..3000)
                .map(|b| ((b * k + 17) % 1009) as f32)
                .collect::<Vec<_>>(),
        )
        .unwrap();
        file.finish().unwrap();
    }
    let stranded = Signal::open(
        &path("p.bw"),
        Some(&path("m.bw")),
        Missing::Unknown,
        &contigs(),
    )
    .unwrap();
    let single = Signal::open(&path("p.bw"), None, Missing::Unknown, &contigs()).unwrap();
    let (plus, minus) = (&[100, 555, 1203, 2800][..], &[150, 777, 2000][..]);
    for (signal, strand, positions, expected) in [
        (
            &stranded,
            Strand::Plus,
            plus,
            [
                898.75, 929.75, 960.75, 487.25, 266.0, 297.0, 75.75, 106.75, 137.75, 168.75, 199.75,
            ],
        ),
        (
            &stranded,
            Strand::Minus,
            minus,
            [
                363.0,
                306.0,
                249.0,
                528.0 + 1.0 / 3.0,
                471.0 + 1.0 / 3.0,
                752.0 - 4.0 / 3.0,
                695.0 - 4.0 / 3.0,
                638.0 - 4.0 / 3.0,
                581.0 - 4.0 / 3.0,
                524.0 - 4.0 / 3.0,
                467.0 - 4.0 / 3.0,
            ],
        ),
        (
            &single,
            Strand::Minus,
            minus,
            [
                1359.0, 2275.0, 2182.0, 2089.0, 1996.0, 1903.0, 1810.0, 1717.0, 1624.0, 1531.0,
                1438.0,
            ]
            .map(|sum| sum / 3.0),
        ),
    ] {
        let windows: Vec<Window> = positions
            .iter()
            .map(|p| Window {
                low: p - 5,
                high: p + 5,
            })
            .collect();
        let plan = plan(
            windows,
            3000,
            &TileShape {
                context_bp: 300,
                margin_bp: 20,
            },
        )
        .unwrap();
        let (mut means, sequence) = ([0.0; 11], sequence());
        let on = ContigStrand {
            contig: "c",
            sequence: &sequence,
            strand,
        };
        read_tiles(on, &plan, 3, signal, &mut |_, _| (), &mut |_, values| {
            means
                .iter_mut()
                .zip(values)
                .for_each(|(mean, value)| *mean += f64::from(*value) / positions.len() as f64);
        })
        .unwrap();
        for (mean, expected) in means.iter().zip(expected) {
            assert!((mean - expected).abs() < 1e-9, "{strand} {means:?}");
        }
    }
}
