//! From a checked download to the file that commands open.

use super::Event;
use super::sources::{Finish, WantedFile};
use crate::error::{Error, Result};
use crate::genome::bgzip;
use crate::genome::fasta::Genome;
use crate::model::checkpoint;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

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
    // What an earlier call left half done, or a link that would lead elsewhere.
    match fs::remove_file(&half) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::io(&half)(e)),
        _ => {}
    }
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
    if file.finish == Some(Finish::Bgzip) {
        tell(Event::Note(&format!("{}: indexing", file.final_name())));
        Genome::open(&place)?;
    }
    Ok(fs::metadata(&place).map_err(Error::io(&place))?.len())
}
