//! Gzip made bgzip: gzip in blocks, which can be read from the middle.

use crate::error::{Error, Result};
use crate::genome::text::{BGZF_HEADER_LEN, is_bgzf, unpacked};
use noodles::bgzf::io::MultithreadedWriter;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::path::Path;

/// Whether a file is bgzip already.
///
/// # Errors
/// It cannot be read.
pub fn is(path: &Path) -> Result<bool> {
    let mut head = Vec::with_capacity(BGZF_HEADER_LEN);
    File::open(path)
        .and_then(|file| file.take(BGZF_HEADER_LEN as u64).read_to_end(&mut head))
        .map_err(Error::io(path))?;
    Ok(is_bgzf(&head))
}

/// Writes the content of the gzip file `from` as the bgzip file `to`, which is not there yet. Holds
/// a few blocks of 64 KiB at a time; the bytes written do not depend on the number of threads.
/// `progress` is told (compressed bytes read, of how many).
///
/// # Errors
/// `from` is no sound gzip, or `to` is there or cannot be written.
pub fn rewrite(from: &Path, to: &Path, progress: &dyn Fn(u64, u64)) -> Result<()> {
    let file = File::open(from).map_err(Error::io(from))?;
    let total = file.metadata().map_err(Error::io(from))?.len();
    let done = Cell::new(0);
    let mut text = unpacked(Counted { file, read: &done }).map_err(Error::io(from))?;
    let threads = NonZero::new(rayon::current_num_threads()).unwrap_or(NonZero::<usize>::MIN);
    let mut out = MultithreadedWriter::with_worker_count(
        threads,
        File::create_new(to).map_err(Error::io(to))?,
    );
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = match text.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Error::io(from)(e)),
        };
        out.write_all(&buffer[..n]).map_err(Error::io(to))?;
        progress(done.get(), total);
    }
    let written = out.finish().map_err(Error::io(to))?;
    written.sync_all().map_err(Error::io(to))
}

/// Counts what is taken from a file.
struct Counted<'a> {
    file: File,
    read: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.read.set(self.read.get() + n as u64);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genome::fasta::Genome;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    /// A gzip of two members, as some sources concatenate them, of `length` letters.
    fn gzip(path: &Path, length: usize) -> Vec<u8> {
        let letters: Vec<u8> = (0..length).map(|i| b"ACGTN"[(i * i + i / 7) % 5]).collect();
        let mut text = b">chr1 toy\n".to_vec();
        for line in letters.chunks(60) {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        let (one, two) = text.split_at(text.len() / 3);
        let member = |part: &[u8]| {
            let mut out = GzEncoder::new(Vec::new(), Compression::default());
            out.write_all(part).unwrap();
            out.finish().unwrap()
        };
        std::fs::write(path, [member(one), member(two)].concat()).unwrap();
        letters
    }

    #[test]
    fn the_letters_stay_and_can_be_read_from_the_middle() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.fa.gz"), folder.path().join("b.fa.gz"));
        let letters = gzip(&from, 300_000);
        rewrite(&from, &to, &|done, total| assert!(done <= total)).unwrap();
        assert!(!is(&from).unwrap() && is(&to).unwrap());
        assert_eq!(
            Genome::open(&to).unwrap().read_contig("chr1").unwrap(),
            letters
        );
        assert!(
            folder.path().join("b.fa.gz.fai").exists()
                && folder.path().join("b.fa.gz.gzi").exists()
        );
    }

    #[test]
    fn a_cut_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.fa.gz"), folder.path().join("b.fa.gz"));
        gzip(&from, 100_000);
        let bytes = std::fs::read(&from).unwrap();
        std::fs::write(&from, &bytes[..bytes.len() - 100]).unwrap();
        let error = rewrite(&from, &to, &|_, _| {}).unwrap_err().to_string();
        assert!(
            error.contains("a.fa.gz") && error.contains("cut off"),
            "{error}"
        );
    }
}
