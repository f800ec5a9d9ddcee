//! Writing a bigWig as its values come.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use bigtools::{
    BBIDataProcessor, BBIDataSource, BBIProcessError, BigWigWrite, InputSortType, ProcessDataError,
    Value,
};
use tokio::runtime::Runtime;

use crate::error::{CONTAINED_THREAD, Error, Result, said};
use crate::genome::fasta::Contig;

/// Pieces that may wait for the writer.
const WAITING: usize = 16;

/// Contigs that a file's list of contigs can hold.
const MOST_CONTIGS: usize = u16::MAX as usize;

/// A bigWig file in the making. Its values are compressed on a thread of their own; memory holds a
/// few pieces, and the sums of the zoom levels go to the system's folder for temporary files.
pub struct BigWigWriter {
    path: PathBuf,
    pieces: Option<SyncSender<Piece>>,
    thread: Option<JoinHandle<std::result::Result<(), String>>>,
    empty: bool,
}

struct Piece {
    contig: String,
    first: usize,
    values: Vec<f32>,
}

impl BigWigWriter {
    /// Starts a file of values on these contigs in `file`; `path` stands for it in errors. It is
    /// not whole before [`BigWigWriter::finish`].
    ///
    /// # Errors
    /// Contigs that the format cannot hold (more than 65 535, or longer than 4 Gb).
    pub fn create(file: File, path: &Path, contigs: &[Contig]) -> Result<BigWigWriter> {
        let long = contigs
            .iter()
            .find(|contig| u32::try_from(contig.length_bp).is_err());
        if contigs.len() > MOST_CONTIGS || long.is_some() {
            let message = match long {
                Some(contig) => {
                    format!("{} is too long for a bigWig: write a bedGraph", contig.name)
                }
                None => format!(
                    "{} contigs are too many for a bigWig: write a bedGraph, or choose contigs with --regions",
                    contigs.len()
                ),
            };
            return Err(Error::file(path, message));
        }
        let sizes: HashMap<String, u32> = contigs
            .iter()
            .map(|contig| (contig.name.clone(), contig.length_bp as u32))
            .collect();
        let (pieces, waiting) = sync_channel(WAITING);
        // The library panics where a file cannot be written.
        let thread = std::thread::Builder::new()
            .name(CONTAINED_THREAD.into())
            .spawn(move || {
                let mut runtime = tokio::runtime::Builder::new_multi_thread();
                let runtime = runtime
                    .worker_threads(1)
                    .thread_name(CONTAINED_THREAD)
                    .build()
                    .map_err(|e| e.to_string())?;
                let mut out = BigWigWrite::new(BufWriter::new(file), sizes);
                out.options.input_sort_type = InputSortType::START;
                out.write(Pieces(waiting), runtime)
                    .map_err(|e| e.to_string())
            });
        let thread = thread.map_err(Error::io(path))?;
        Ok(BigWigWriter {
            path: path.to_path_buf(),
            pieces: Some(pieces),
            thread: Some(thread),
            empty: true,
        })
    }

    /// Adds values of consecutive bases from `first` on; `NaN` for none. Pieces of a contig come in
    /// order and without overlap, each contig once.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, contig: &str, first: usize, values: &[f32]) -> Result<()> {
        if values.iter().all(|value| value.is_nan()) {
            return Ok(());
        }
        self.empty = false;
        let piece = Piece {
            contig: contig.into(),
            first,
            values: values.to_vec(),
        };
        match self.pieces.as_ref().map(|pieces| pieces.send(piece)) {
            Some(Ok(())) => Ok(()),
            _ => Err(self
                .end()
                .err()
                .unwrap_or_else(|| Error::file(&self.path, "the bigWig's writer has stopped"))),
        }
    }

    /// Makes the file whole.
    ///
    /// # Errors
    /// A file that cannot be written; no value at all.
    pub fn finish(mut self) -> Result<()> {
        if self.empty {
            return Err(Error::file(
                &self.path,
                "no base has a value: a bigWig cannot be empty",
            ));
        }
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.pieces = None;
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Ok(Ok(()))) | None => Ok(()),
            Some(Ok(Err(message))) => Err(Error::file(&self.path, message)),
            Some(Err(what)) => {
                let what = said(what.as_ref()).unwrap_or_default();
                Err(Error::file(
                    &self.path,
                    format!(
                        "the bigWig could not be written; is there room, here and in the folder for temporary files? ({what})"
                    ),
                ))
            }
        }
    }
}

/// What the library pulls from.
struct Pieces(Receiver<Piece>);

impl BBIDataSource for Pieces {
    type Value = Value;
    type Error = std::convert::Infallible;

    fn process_to_bbi<
        P: BBIDataProcessor<Value = Value> + Send + 'static,
        Start: FnMut(String) -> std::result::Result<P, ProcessDataError>,
        Advance: FnMut(P),
    >(
        &mut self,
        runtime: &Runtime,
        start: &mut Start,
        advance: &mut Advance,
    ) -> std::result::Result<(), BBIProcessError<Self::Error>> {
        // The contig, what it is handed to, and its last value, which is handed over when its
        // successor is known.
        let mut state: Option<(String, P, Value)> = None;
        for piece in &self.0 {
            let values = (piece.first as u32..)
                .zip(&piece.values)
                .filter(|(_, value)| !value.is_nan());
            let values = values.map(|(start, value)| Value {
                start,
                end: start + 1,
                value: *value,
            });
            let handed_over: std::result::Result<(), ProcessDataError> = runtime.block_on(async {
                for value in values {
                    state = Some(match state.take() {
                        Some((contig, mut part, last)) if contig == piece.contig => {
                            part.do_process(last, Some(&value)).await?;
                            (contig, part, value)
                        }
                        former => {
                            if let Some((_, mut part, last)) = former {
                                part.do_process(last, None).await?;
                                advance(part);
                            }
                            (piece.contig.clone(), start(piece.contig.clone())?, value)
                        }
                    });
                }
                Ok(())
            });
            handed_over?;
        }
        if let Some((_, mut part, last)) = state {
            runtime.block_on(part.do_process(last, None))?;
            advance(part);
        }
        Ok(())
    }
}
