//! Values by base as files: bigWig, bedGraph, parquet.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};

use super::tables::stream::BaseTable;
use crate::error::{Error, Result};
use crate::genome::bigwig::write::BigWigWriter;
use crate::genome::fasta::Contig;
use crate::output::Pending;

/// The kinds of files, by their endings.
const KINDS: [(&str, TrackFormat); 7] = [
    ("bw", TrackFormat::BigWig),
    ("bigwig", TrackFormat::BigWig),
    ("bedgraph.gz", TrackFormat::BedGraphGz),
    ("bg.gz", TrackFormat::BedGraphGz),
    ("bedgraph", TrackFormat::BedGraph),
    ("bg", TrackFormat::BedGraph),
    ("parquet", TrackFormat::Parquet),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TrackFormat {
    BigWig,
    BedGraph,
    BedGraphGz,
    Parquet,
}

/// The kind of a file by its name, and where its ending starts; `None` for no kind of track.
fn kind(path: &Path) -> Option<(TrackFormat, usize)> {
    let name = path.file_name()?.to_str()?;
    let lower = name.to_ascii_lowercase();
    let of = |(ending, kind): &(&str, TrackFormat)| {
        let start = lower
            .len()
            .checked_sub(ending.len() + 1)
            .filter(|start| *start > 0)?;
        (lower[start..] == format!(".{ending}")).then_some((*kind, start))
    };
    KINDS.iter().find_map(of)
}

/// Whether a name is that of a track.
pub fn is_track(path: &Path) -> bool {
    kind(path).is_some()
}

/// `x.bw` with the strand in its name: `x.plus.bw`.
pub fn of_strand(path: &Path, strand: &str) -> PathBuf {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let (stem, ending) = name.split_at(kind(path).map_or(name.len(), |(_, start)| start));
    path.with_file_name(format!("{stem}.{strand}{ending}"))
}

/// A file of values by base, in the making: under a temporary name until it is kept.
pub struct TrackWriter {
    file: Pending,
    to: To,
}

enum To {
    BigWig(BigWigWriter),
    BedGraph(Box<dyn Finish>),
    Parquet(Box<BaseTable>),
}

/// A writer with an end.
trait Finish: Write {
    fn finish(self: Box<Self>) -> std::io::Result<()>;
}

impl Finish for BufWriter<File> {
    fn finish(mut self: Box<Self>) -> std::io::Result<()> {
        self.flush()
    }
}

impl Finish for GzEncoder<BufWriter<File>> {
    fn finish(self: Box<Self>) -> std::io::Result<()> {
        GzEncoder::finish(*self)?.flush()
    }
}

impl TrackWriter {
    /// Starts a file for values on these contigs, of the kind its ending says.
    ///
    /// # Errors
    /// A name of no known ending; a file that cannot be made.
    pub fn create(path: &Path, contigs: &[Contig]) -> Result<TrackWriter> {
        let (kind, _) = kind(path).ok_or_else(|| {
            Error::file(
                path,
                "a track ends in .bw, .bedgraph, .bedgraph.gz or .parquet",
            )
        })?;
        let file = Pending::new(path)?;
        let open = || {
            OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(file.temporary())
                .map_err(Error::io(path))
        };
        let to = match kind {
            TrackFormat::BigWig => To::BigWig(BigWigWriter::create(open()?, path, contigs)?),
            TrackFormat::BedGraph => To::BedGraph(Box::new(BufWriter::new(open()?))),
            TrackFormat::BedGraphGz => To::BedGraph(Box::new(GzEncoder::new(
                BufWriter::new(open()?),
                Compression::default(),
            ))),
            TrackFormat::Parquet => To::Parquet(Box::new(BaseTable::new(open()?, path)?)),
        };
        Ok(TrackWriter { file, to })
    }

    /// Adds the values of consecutive bases; `NaN` for none. Pieces of a contig come in order.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, contig: &str, first: usize, values: &[f32]) -> Result<()> {
        match &mut self.to {
            To::BigWig(file) => file.add(contig, first, values),
            To::BedGraph(file) => {
                let mut known = (first..).zip(values).filter(|(_, value)| !value.is_nan());
                known
                    .try_for_each(|(base, value)| {
                        writeln!(file, "{contig}\t{base}\t{}\t{value}", base + 1)
                    })
                    .map_err(Error::io(self.file.place()))
            }
            To::Parquet(table) => table.add(contig, first, values),
        }
    }

    /// Makes the file whole and gives it its name.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn keep(self) -> Result<()> {
        match self.to {
            To::BigWig(file) => file.finish()?,
            To::BedGraph(file) => file.finish().map_err(Error::io(self.file.place()))?,
            To::Parquet(table) => table.finish()?,
        }
        self.file.keep()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_kind_and_strand() {
        for (name, plus) in [
            ("a/x.bw", Some("a/x.plus.bw")),
            ("x.y.bigWig", Some("x.y.plus.bigWig")),
            ("x.bedGraph.gz", Some("x.plus.bedGraph.gz")),
            ("x.parquet", Some("x.plus.parquet")),
            ("x.tsv", None),
            (".bw", None),
            ("bw", None),
        ] {
            let path = Path::new(name);
            assert_eq!(
                is_track(path).then(|| of_strand(path, "plus")),
                plus.map(PathBuf::from),
                "{name}"
            );
        }
    }

    #[test]
    fn bedgraphs_read_back_and_half_files_vanish() {
        let folder = tempfile::tempdir().unwrap();
        let contigs = [Contig {
            name: "c".into(),
            length_bp: 9,
        }];
        for name in ["x.bedgraph", "x.bedgraph.gz"] {
            let path = folder.path().join(name);
            let mut track = TrackWriter::create(&path, &contigs).unwrap();
            track.add("c", 3, &[0.25, f32::NAN, 0.1]).unwrap();
            track.keep().unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let mut text = String::new();
            match name.ends_with("gz") {
                true => drop(
                    std::io::Read::read_to_string(
                        &mut flate2::read::MultiGzDecoder::new(&bytes[..]),
                        &mut text,
                    )
                    .unwrap(),
                ),
                false => text = String::from_utf8(bytes).unwrap(),
            }
            assert_eq!(text, "c\t3\t4\t0.25\nc\t5\t6\t0.1\n");
        }
        drop(TrackWriter::create(&folder.path().join("y.bw"), &contigs).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
