//! From a checked download to the file that commands open.

use super::Event;
use super::download;
use super::sources::{Finish, WantedFile};
use crate::error::{Error, Result};
use crate::genome::bgzip;
use crate::genome::fasta::Genome;
use crate::model::checkpoint;
use std::fs;
use std::io::{BufReader, ErrorKind};
use std::path::Path;
use zip::ZipArchive;

/// Gives a download its name in `folder`, in the form commands like best. Its bytes there. The part
/// is left where a new file was made of it.
pub(super) fn finish(
    file: &WantedFile,
    part: &Path,
    folder: &Path,
    tell: &dyn Fn(Event),
) -> Result<u64> {
    let place = folder.join(file.final_name());
    let half = folder.join(format!("{}.new", file.final_name()));
    let taken = folder.join(format!("{}.member", file.final_name()));
    // What an earlier call left half done, or a link that would lead elsewhere.
    for path in [&half, &taken] {
        match fs::remove_file(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::io(path)(e)),
            _ => {}
        }
    }
    let part = match &file.member {
        Some(member) => {
            take(part, member, &taken)?;
            &taken
        }
        None => part,
    };
    match file.finish {
        Some(Finish::Bgzip) if !bgzip::is(part)? => {
            bgzip::rewrite(part, &half, &|done, total| {
                tell(Event::Progress {
                    stage: "compressing",
                    done,
                    total: Some(total),
                })
            })?;
            fs::rename(&half, &place).map_err(Error::io(&place))?;
        }
        Some(Finish::Safetensors) => {
            tell(Event::Note(&format!(
                "{}: converting to safetensors",
                file.name
            )));
            checkpoint::convert(part, &half)?;
            fs::rename(&half, &place).map_err(Error::io(&place))?;
        }
        _ => fs::rename(part, &place).map_err(Error::io(&place))?,
    }
    if file.member.is_some() {
        download::discard(&taken);
    }
    if file.finish == Some(Finish::Bgzip) {
        tell(Event::Note(&format!("{}: indexing", file.final_name())));
        Genome::open(&place)?;
    }
    Ok(fs::metadata(&place).map_err(Error::io(&place))?.len())
}

/// Takes a file out of a zip archive; `zip` checks it against the archive's CRC-32.
fn take(archive: &Path, member: &str, to: &Path) -> Result<()> {
    let wrong = |e| Error::file(archive, format!("{member} cannot be taken out of it: {e}"));
    let file = fs::File::open(archive).map_err(Error::io(archive))?;
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(wrong)?;
    let mut from = zip.by_name(member).map_err(wrong)?;
    let mut new = fs::File::create(to).map_err(Error::io(to))?;
    std::io::copy(&mut from, &mut new).map_err(Error::io(to))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::write::{SimpleFileOptions, ZipWriter};

    #[test]
    fn a_member_of_an_archive_becomes_a_genome() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("data.whl.part");
        let mut zip = ZipWriter::new(fs::File::create(&part).unwrap());
        let mut fasta = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        fasta.write_all(b">c\nACGT\n").unwrap();
        for (name, bytes) in [
            ("data/other", b"no genome".to_vec()),
            ("data/c.fa.gz", fasta.finish().unwrap()),
        ] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&bytes).unwrap();
        }
        zip.finish().unwrap();
        let file = |member: &str| WantedFile {
            role: "genome".into(),
            url: String::new(),
            name: "data.whl".into(),
            about_bytes: 0,
            starts: Vec::new(),
            sha256: None,
            member: Some(member.into()),
            finish: Some(Finish::Bgzip),
            options: None,
        };
        let path = folder.path();
        finish(&file("data/c.fa.gz"), &part, path, &|_| ()).unwrap();
        let genome = Genome::open(path.join("c.fa.gz")).unwrap();
        assert_eq!(genome.read_contig("c").unwrap(), b"ACGT");
        assert!(!path.join("c.fa.gz.member").exists() && part.exists());
        let error = finish(&file("data/d.fa.gz"), &part, path, &|_| ()).unwrap_err();
        assert!(error.to_string().contains("d.fa.gz"), "{error}");
    }
}
